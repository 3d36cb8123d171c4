"""Checks of notebook 01, Sparse representation."""

import math
from typing import Any

import torch
from torch import Tensor

from course_utils.exercises.core import exercise, expect_answer
from course_utils.sparse_coding import hard_threshold, soft_threshold
from course_utils.wavelets import dct2, subbands, wavelet2

__all__ = [
    "estimate_sigma",
    "garrote_threshold",
    "inverse_haar_step",
    "psnr_of_best_k",
    "stein_risk",
]


def undo(a: Tensor, d: Tensor) -> Tensor:
    return torch.stack([a + d, a - d], dim=-1).flatten(-2) / math.sqrt(2)


HAAR_MISTAKES = {
    "you undid averages; divide by √2.": lambda a, d: undo(a, d) * 2**0.5,
    "too small: divide by √2, not by 2.": lambda a, d: undo(a, d) / 2**0.5,
    "the samples of each pair are swapped: the first is a + d.": lambda a, d: undo(a, -d),
    "interleave first and second samples.": lambda a, d: torch.cat([a + d, a - d], -1) / 2**0.5,
    "join the pairs with .flatten(-2).": lambda a, d: undo(a, d).unflatten(-1, (-1, 2)),
}


@exercise("01.1", "Undo a Haar step", difficulty=1, minutes=10, mistakes=HAAR_MISTAKES)
def inverse_haar_step(answer: Any) -> None:
    """a, d (..., n/2) -> x (..., n)."""
    for shape in [(1,), (4,), (3, 8), (2, 1, 1)]:
        a, d = torch.randn(shape), torch.randn(shape)
        expect_answer(answer, undo, a, d)


def psnr(dropped: Tensor, entries: int) -> Tensor:
    """PSNR of images of so many entries without these coefficients (N, number)."""
    return -10 * (dropped.square().sum(dim=1) / entries).log10()


def sizes(z: Tensor) -> Tensor:
    return z.flatten(1).abs().sort(dim=1, descending=True).values


def best_psnr(z: Tensor, k: int) -> Tensor:
    return psnr(sizes(z)[:, k:], z[0].numel())


PSNR_MISTAKES = {
    "measure what you drop, not what you keep.": lambda z, k: psnr(sizes(z)[:, :k], z[0].numel()),
    "divide by the number of entries, C·H·W.": lambda z, k: psnr(sizes(z)[:, k:], 1),
    "with C channels an image has C·H·W entries, not H·W.": (
        lambda z, k: psnr(sizes(z)[:, k:], z[0, 0].numel())
    ),
    "you dropped the largest coefficients: sort in descending order.": (
        lambda z, k: psnr(sizes(z).flip(1)[:, k:], z[0].numel())
    ),
    "sort by magnitude first.": lambda z, k: psnr(z.flatten(1)[:, k:], z[0].numel()),
    "20 log10 goes with the root of the error; you have its square.": (
        lambda z, k: 2 * best_psnr(z, k)
    ),
    "the sign: 10 log10(1 / MSE) = -10 log10(MSE).": lambda z, k: -best_psnr(z, k),
}


@exercise("01.2", "PSNR without going back", difficulty=2, minutes=10, mistakes=PSNR_MISTAKES)
def psnr_of_best_k(answer: Any) -> None:
    """z (N, C, H, W) orthonormal coefficients, k -> PSNR (N,)."""
    for shape, k in [((1, 1, 8, 8), 5), ((3, 1, 16, 4), 1), ((2, 3, 8, 8), 100), ((1, 1, 8, 8), 0)]:
        z = dct2(torch.rand(shape))
        expect_answer(answer, best_psnr, z, k, tolerance=1e-3)


def garrote(z: Tensor, t: float) -> Tensor:
    return torch.where(z.abs() > t, z - t**2 / z, 0)


GARROTE_MISTAKES = {
    "that is the soft threshold; subtract t²/z, not t.": soft_threshold,
    "that is the hard threshold: large coefficients must shrink a little too.": hard_threshold,
    "t is not squared: z - t²/z.": lambda z, t: (z - t / z).where(z.abs() > t, 0),
    "negative coefficients are lost: compare |z|.": lambda z, t: garrote(z, t).where(z > t, 0),
    "subtract t²/z, not t²/|z|.": lambda z, t: (z - t**2 / z.abs()).where(z.abs() > t, 0),
}


@exercise("01.3", "Between soft and hard", difficulty=1, minutes=15, mistakes=GARROTE_MISTAKES)
def garrote_threshold(answer: Any) -> None:
    """z, t -> z - t²/z where |z| > t, else 0."""
    edges = torch.tensor([0.0, 1.0, -1.0, 2.0, -2.0])
    for z, t in [(torch.randn(50) * 3, 1.0), (torch.randn(2, 1, 4, 4), 0.5), (edges, 1.0)]:
        expect_answer(answer, garrote, z, t)
    expect_answer(answer, garrote, torch.randn(1), 0.0)


def diagonal(noisy: Tensor, levels: int = 1, band: int = -1) -> Tensor:
    return subbands(wavelet2(noisy, "db4", levels), levels)[band].flatten(1)


def mad(band: Tensor) -> Tensor:
    return band.abs().median(dim=1).values / 0.6745


def sigma(noisy: Tensor) -> Tensor:
    return mad(diagonal(noisy))


SIGMA_MISTAKES = {
    "divide the median by 0.6745.": lambda y: 0.6745 * sigma(y),
    "take the median, not the standard deviation.": lambda y: diagonal(y).std(dim=1),
    "take |value| before the median.": lambda y: diagonal(y).median(dim=1).values / 0.6745,
    "that is a coarser level; take the finest, levels=1.": lambda y: mad(diagonal(y, levels=4)),
    "take the diagonal details, the last quarter.": lambda y: mad(diagonal(y, band=0)),
    "each image has its own sigma.": lambda y: diagonal(y).abs().median() / 0.6745,
}


@exercise("01.4", "How strong is the noise?", difficulty=2, minutes=15, mistakes=SIGMA_MISTAKES)
def estimate_sigma(answer: Any) -> None:
    """noisy (N, 1, H, W) -> sigma (N,)."""
    for number, height in [(1, 32), (3, 64)]:
        ramp = torch.linspace(0, 1, 32) * torch.linspace(0, 1, height)[:, None]
        noisy = ramp + 0.1 * torch.randn(number, 1, height, 32)
        expect_answer(answer, sigma, noisy, tolerance=1e-3)


def stein(z, t, sigma, zeroed=None, taken=None) -> Tensor:
    """Stein's risk; `zeroed` and `taken` replace what the second and the third term add up."""
    zeroed = z.abs() <= t if zeroed is None else zeroed
    taken = z.abs().clamp_max(t).square() if taken is None else taken
    return len(z) * sigma**2 - 2 * sigma**2 * zeroed.sum() + taken.sum()


RISK_MISTAKES = {
    "count |z| <= t; you counted the others.": lambda z, t, s: stein(z, t, s, zeroed=z.abs() > t),
    "the count has the factor 2σ².": lambda z, t, s: stein(z, t, s, zeroed=(z.abs() <= t) / 2),
    "count |z| <= t, not z <= t.": lambda z, t, s: stein(z, t, s, zeroed=z <= t),
    "σ is not squared somewhere.": lambda z, t, s: stein(z, t, s**0.5),
    "the first term nσ² is missing.": lambda z, t, s: stein(z, t, s) - len(z) * s**2,
    "the last term is Σ min(|z|, t)², what is taken; you summed what is left.": (
        lambda z, t, s: stein(z, t, s, taken=soft_threshold(z, t).square())
    ),
    "return the sum, not the mean.": lambda z, t, s: stein(z, t, s) / len(z),
}


@exercise(
    "01.5",
    "Stein's risk: the error without the truth",
    difficulty=3,
    minutes=25,
    mistakes=RISK_MISTAKES,
)
def stein_risk(answer: Any) -> None:
    """z (n,), t, sigma -> estimate of |soft(z, t) - clean|², a number."""
    for z, t, sigma in [
        (torch.randn(1000) * 2, 1.0, 1.0),
        (torch.randn(64), 0.3, 0.5),
        (torch.randn(1), 5.0, 0.1),
        (torch.tensor([0.0, 1.0, -3.0]), 2.0, 0.7),
    ]:
        expect_answer(answer, stein, z, t, sigma, tolerance=1e-3)
