"""Checks of notebook 07, Image restoration."""

import math
from typing import Any

import torch
from torch import Tensor

from course_utils.exercises.core import exercise, expect_answer
from course_utils.patches import average_patches, extract_patches
from course_utils.sparse_coding import normalise_atoms, soft_threshold

__all__ = ["entropy_bits", "masked_step", "psnr_inside", "step_for_psnr", "weighted_average"]


def counts(q: Tensor) -> Tensor:
    return torch.unique(q, return_counts=True)[1].double()


def entropy(q: Tensor, number: int | None = None) -> Tensor:
    return -(counts(q) * (counts(q) / (number or q.numel())).log2()).sum()


BITS_MISTAKES = {
    "do not round: a range coder spends fractions of a bit.": lambda q: entropy(q).ceil(),
    "n is the number of entries, q.numel(); len(q) counts rows.": lambda q: entropy(q, len(q)),
    "that is in nats: take the logarithm to base 2.": lambda q: entropy(q) * math.log(2),
    "that is the mean per number; return the bits for all.": lambda q: entropy(q) / q.numel(),
    "a logarithm of a share is negative: put a minus before the sum.": lambda q: -entropy(q),
    "the values are not equally likely.": lambda q: q.numel() * math.log2(len(counts(q))),
    "5 and -5 are two values: do not take the absolute value.": lambda q: entropy(q.abs()),
}


@exercise("07.1", "The fewest bits", difficulty=1, minutes=10, mistakes=BITS_MISTAKES)
def entropy_bits(answer: Any) -> None:
    """Whole numbers of any shape -> bits for all of them by their entropy, a number."""
    expect_answer(answer, entropy, torch.randint(-3, 4, (40, 5)))
    expect_answer(answer, entropy, (4 * torch.randn(300)).int())
    for few in [[7, 7, 7, 7], [[5]], [1, 1, 2], [-1000, 1000, 1000, 0], [0, 1, 2, 3]]:
        expect_answer(answer, entropy, torch.tensor(few))


def step(level: float) -> float:
    return math.sqrt(12) * 255 * 10 ** (-level / 20)


STEP_MISTAKES = {
    "the mean square error is Δ²/12: the root of 12 is missing.": lambda dB: step(dB) / 12**0.5,
    "that is for pixels in [0, 1]; multiply by 255.": lambda dB: step(dB) / 255,
    "that is Δ²: take the root.": lambda dB: step(dB) ** 2,
    "do not round: Δ need not be a whole number.": lambda dB: round(step(dB)),
    "a higher PSNR needs a smaller step: look at the exponent.": lambda dB: step(-dB),
    "MSE = 10^(-PSNR/10), and its root 10^(-PSNR/20).": lambda dB: step(2 * dB),
    "the error goes from -Δ/2 to Δ/2: Δ²/12, not Δ²/3.": lambda dB: step(dB) / 2,
}


@exercise("07.2", "Which step for which quality?", difficulty=1, minutes=10, mistakes=STEP_MISTAKES)
def step_for_psnr(answer: Any) -> None:
    """PSNR in dB, a number -> step of plain rounding, in grey levels of 255."""
    for level in (40.0, 58.9, 31.0, 20.0):
        expect_answer(answer, step, level, tolerance=1e-3)


def norm(D: Tensor) -> Tensor:
    return torch.linalg.matrix_norm(D, 2)


def masked(z, x, D, mask, lam, L=None) -> Tensor:
    L = norm(D) ** 2 if L is None else L
    return soft_threshold(z + (mask * (x - z @ D.T)) @ D / L, lam / L)


MASK_MISTAKES = {
    "the mask is not used: multiply x - Dz.": lambda z, x, D, m, lam: masked(z, x, D, 1, lam),
    "mask the whole x - Dz, not only x.": lambda z, x, D, m, lam: masked(z, m * x, D, 1, lam),
    "turn the mask: 1 means known.": lambda z, x, D, m, lam: masked(z, x, D, 1 - m, lam),
    "the step points uphill.": lambda z, x, D, m, lam: masked(z, x, D, -m, lam),
    "divide the step and lam by L.": lambda z, x, D, m, lam: masked(z, x, D, m, lam, 1),
    "L is the square of the norm.": lambda z, x, D, m, lam: masked(z, x, D, m, lam, norm(D)),
    "the threshold is lam / L.": lambda z, x, D, m, lam: masked(z, x, D, m, lam * norm(D) ** 2),
    "the shrinkage is missing.": lambda z, x, D, m, lam: masked(z, x, D, m, 0),
}


@exercise("07.3", "One step with a mask", difficulty=2, minutes=15, mistakes=MASK_MISTAKES)
def masked_step(answer: Any) -> None:
    """z (N, K), x (N, n), D (n, K), mask (N, n), lam -> z after one proximal step."""
    for number, n, count, lam in [(6, 16, 24, 0.05), (3, 9, 5, 0.2), (1, 4, 4, 0.0)]:
        D, z = normalise_atoms(torch.randn(n, count)), torch.randn(number, count)
        x, mask = torch.randn(number, n), (torch.rand(number, n) < 0.6).float()
        mask[:, 0], mask[:, 1] = 0, 1
        expect_answer(answer, masked, z, x, D, mask, lam)


def decibels(error: Tensor) -> Tensor:
    return -10 * error.square().mean(dim=(1, 2, 3)).log10()


def inside(e: Tensor, x: Tensor, border: int) -> Tensor:
    height, width = x.shape[2:]
    return decibels((e - x)[..., border : height - border, border : width - border])


BORDER_MISTAKES = {
    "the border is still in it.": lambda e, x, b: inside(e, x, 0),
    "you cut top and left only.": lambda e, x, b: decibels((e - x)[..., b:, b:]),
    "you cut the rows only.": lambda e, x, b: decibels((e - x)[..., b : x.shape[2] - b, :]),
    "rows end at height - border, columns at width - border; you swapped them.": (
        lambda e, x, b: decibels((e - x)[..., b : x.shape[3] - b, b : x.shape[2] - b])
    ),
    "b:-b is empty for a border of 0.": lambda e, x, b: decibels((e - x)[..., b:-b, b:-b]),
    "the sign: PSNR is -10 log10 of the mean square error.": lambda e, x, b: -inside(e, x, b),
}


@exercise("07.4", "Without the border", difficulty=1, minutes=10, mistakes=BORDER_MISTAKES)
def psnr_inside(answer: Any) -> None:
    """estimate, truth (N, C, H, W), border >= 0 -> PSNR of each image without its border, (N,)."""
    shapes = [(3, 1, 12, 16), (2, 3, 9, 9), (2, 1, 6, 5), (1, 1, 20, 20)]
    for shape, border in zip(shapes, (2, 4, 0, 1)):
        truth = torch.rand(shape)
        noise = torch.linspace(0.05, 0.2, shape[0]).view(-1, 1, 1, 1) * torch.randn(shape)
        noise[..., 0, :] *= 3
        noise[..., -1] *= 5
        given = (truth + noise, truth, border)
        expect_answer(answer, inside, *given, tolerance=1e-3)


def mean(patches: Tensor, shape: tuple[int, int, int, int]) -> Tensor:
    return average_patches(patches, shape, 8, 2)


def weighted(patches: Tensor, votes: Tensor, shape: tuple[int, int, int, int]) -> Tensor:
    return mean(votes[:, None] * patches, shape) / mean(votes[:, None].repeat(1, 64), shape)


VOTE_MISTAKES = {
    "every patch has the same vote.": lambda p, v, s: mean(p, s),
    "divide by the votes, not by the number of patches.": lambda p, v, s: mean(v[:, None] * p, s),
    "each pixel has its own sum of votes.": lambda p, v, s: mean(v[:, None] * p, s) / v.mean(),
    "divide by the votes that cover a pixel, not by all.": (
        lambda p, v, s: mean(v[:, None] * p, s) / v.sum()
    ),
    "you divided by the votes; multiply.": lambda p, v, s: weighted(p, 1 / v, s),
}


@exercise("07.5", "Votes that differ", difficulty=2, minutes=15, mistakes=VOTE_MISTAKES)
def weighted_average(answer: Any) -> None:
    """patches (number, 64) at stride 2, votes (number,), shape (1, 1, H, W) -> image."""
    for shape in [(1, 1, 16, 20), (1, 1, 8, 8), (1, 1, 12, 10)]:
        patches = extract_patches(torch.randn(shape), 8, 2)
        patches = patches + torch.randn_like(patches)
        votes = 0.1 + torch.rand(len(patches))
        given = (patches, votes, shape)
        expect_answer(answer, weighted, *given, tolerance=1e-3)
