"""Checks of notebook 01, Sparse representation."""

import math

import torch
from torch import Tensor

from course_utils.exercises.core import exercise, expect_answer
from course_utils.sparse_coding import hard_threshold, soft_threshold
from course_utils.wavelets import dct2, noise_level, subbands, wavelet2

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
    "you undid averages; the lesson's step divides by √2, so its inverse does too.": (
        lambda a, d: undo(a, d) * math.sqrt(2)
    ),
    "too small by √2: the step is orthonormal, so its inverse divides by √2, not by 2.": (
        lambda a, d: undo(a, d) / math.sqrt(2)
    ),
    "the samples of each pair are swapped: the first is a + d.": lambda a, d: undo(a, -d),
    "all first samples come before all second ones: interleave them.": (
        lambda a, d: torch.cat([a + d, a - d], dim=-1) / math.sqrt(2)
    ),
    "each pair has an axis of its own: join the pairs with .flatten(-2).": (
        lambda a, d: undo(a, d).unflatten(-1, (-1, 2))
    ),
}


@exercise("01.1", "Undo a Haar step", difficulty=1, minutes=10, mistakes=HAAR_MISTAKES)
def inverse_haar_step(answer: object) -> None:
    """a, d (..., n/2) -> x (..., n)."""
    for shape in [(1,), (4,), (3, 8), (2, 1, 1)]:
        a, d = torch.randn(shape), torch.randn(shape)
        expect_answer(answer, undo, a, d, mistakes=HAAR_MISTAKES)


def psnr(z: Tensor, dropped: Tensor) -> Tensor:
    """PSNR of each image without these coefficients (N, number)."""
    return -10 * (dropped.square().sum(dim=1) / z[0].numel()).log10()


def sizes(z: Tensor) -> Tensor:
    return z.flatten(1).abs().sort(dim=1, descending=True).values


def best_psnr(z: Tensor, k: int) -> Tensor:
    return psnr(z, sizes(z)[:, k:])


PSNR_MISTAKES = {
    "that is the energy you keep; the error is the energy you drop.": (
        lambda z, k: psnr(z, sizes(z)[:, :k])
    ),
    "the mean squared error divides by the number of entries of an image, C·H·W.": (
        lambda z, k: best_psnr(z, k) - 10 * math.log10(z[0].numel())
    ),
    "divided by H·W only: with three channels an image has 3·H·W entries.": (
        lambda z, k: best_psnr(z, k) - 10 * math.log10(z.shape[1])
    ),
    "you averaged over the dropped coefficients; divide by all C·H·W.": (
        lambda z, k: -10 * sizes(z)[:, k:].square().mean(dim=1).log10()
    ),
    "you dropped the largest coefficients: sort in descending order.": (
        lambda z, k: psnr(z, sizes(z).flip(1)[:, k:])
    ),
    "you sorted with the sign: a large negative coefficient is large too.": (
        lambda z, k: psnr(z, z.flatten(1).sort(dim=1, descending=True).values[:, k:])
    ),
    "you dropped the last coefficients: sort by magnitude first.": (
        lambda z, k: psnr(z, z.flatten(1)[:, k:])
    ),
    "20 log10 goes with the root of the error, 10 log10 with its square.": (
        lambda z, k: 2 * best_psnr(z, k)
    ),
    "the sign: 10 log10(1 / MSE) = -10 log10(MSE).": lambda z, k: -best_psnr(z, k),
}


@exercise("01.2", "PSNR without going back", difficulty=2, minutes=10, mistakes=PSNR_MISTAKES)
def psnr_of_best_k(answer: object) -> None:
    """z (N, C, H, W) orthonormal coefficients, k -> PSNR (N,)."""
    for shape, k in [((1, 1, 8, 8), 5), ((3, 1, 16, 4), 1), ((2, 3, 8, 8), 100), ((1, 1, 8, 8), 0)]:
        z = dct2(torch.rand(shape))
        expect_answer(answer, best_psnr, z, k, mistakes=PSNR_MISTAKES, tolerance=1e-3)


def garrote(z: Tensor, t: float) -> Tensor:
    return torch.where(z.abs() > t, z - t**2 / z, 0)


GARROTE_MISTAKES = {
    "that is the soft threshold, which takes t; the garrote takes t²/|z|.": soft_threshold,
    "that is the hard threshold: large coefficients must shrink a little too.": hard_threshold,
    "t is not squared: z - t²/z.": lambda z, t: torch.where(z.abs() > t, z - t / z, 0),
    "negative coefficients are lost: compare |z| with t, not z.": (
        lambda z, t: torch.where(z > t, garrote(z, t), 0)
    ),
    "coefficients below t must become zero; yours change sign there.": (
        lambda z, t: torch.where(z == 0, 0, z - t**2 / z)
    ),
    "negative coefficients move away from zero: subtract t²/z, not t²/|z|.": (
        lambda z, t: torch.where(z.abs() > t, z - t**2 / z.abs(), 0)
    ),
}


@exercise("01.3", "Between soft and hard", difficulty=1, minutes=15, mistakes=GARROTE_MISTAKES)
def garrote_threshold(answer: object) -> None:
    """z, t -> z - t²/z where |z| > t, else 0."""
    edges = torch.tensor([0.0, 1.0, -1.0, 2.0, -2.0])
    for z, t in [(torch.randn(50) * 3, 1.0), (torch.randn(2, 1, 4, 4), 0.5), (edges, 1.0)]:
        expect_answer(answer, garrote, z, t, mistakes=GARROTE_MISTAKES)
    expect_answer(answer, garrote, torch.randn(1), 0.0, mistakes=GARROTE_MISTAKES)


def diagonal(noisy: Tensor, levels: int = 1, band: int = -1) -> Tensor:
    return subbands(wavelet2(noisy, "db4", levels), levels)[band].flatten(1)


def sigma(noisy: Tensor) -> Tensor:
    return noise_level(noisy, "db4")


SIGMA_MISTAKES = {
    "the factor is missing: divide the median by 0.6745.": lambda y: 0.6745 * sigma(y),
    "that is the standard deviation; take the median, which hardly notices edges.": (
        lambda y: diagonal(y).std(dim=1)
    ),
    "take the absolute value before the median, else it is near zero.": (
        lambda y: diagonal(y).median(dim=1).values / 0.6745
    ),
    "that is the mean of the magnitudes; take their median.": (
        lambda y: diagonal(y).abs().mean(dim=1) / 0.6745
    ),
    "that is a coarser level; take the finest diagonal band, with levels=1.": (
        lambda y: diagonal(y, levels=4).abs().median(dim=1).values / 0.6745
    ),
    "the diagonal details are the bottom right quarter; you took another one.": (
        lambda y: diagonal(y, band=0).abs().median(dim=1).values / 0.6745
    ),
    "you took the median over the whole batch; each image has its own sigma.": (
        lambda y: diagonal(y).abs().median() / 0.6745
    ),
}


@exercise("01.4", "How strong is the noise?", difficulty=2, minutes=15, mistakes=SIGMA_MISTAKES)
def estimate_sigma(answer: object) -> None:
    """noisy (N, 1, H, W) -> sigma (N,)."""
    for number, height in [(1, 32), (3, 64)]:
        ramp = torch.linspace(0, 1, 32) * torch.linspace(0, 1, height)[:, None]
        noisy = ramp + 0.1 * torch.randn(number, 1, height, 32)
        expect_answer(answer, sigma, noisy, mistakes=SIGMA_MISTAKES, tolerance=1e-3)


def stein(z, t, sigma, zeroed=None, taken=None) -> Tensor:
    """Stein's risk; `zeroed` and `taken` replace what the second and the third term add up."""
    zeroed = z.abs() <= t if zeroed is None else zeroed
    taken = z.abs().clamp_max(t).square() if taken is None else taken
    return len(z) * sigma**2 - 2 * sigma**2 * zeroed.sum() + taken.sum()


STEIN_MISTAKES = {
    "count the coefficients that become zero, |z| <= t; you counted the others.": (
        lambda z, t, s: stein(z, t, s, zeroed=z.abs() > t)
    ),
    "the count has the factor 2σ², not σ².": (
        lambda z, t, s: stein(z, t, s, zeroed=0.5 * (z.abs() <= t))
    ),
    "σ is not squared somewhere.": lambda z, t, s: stein(z, t, s**0.5),
    "the first term nσ² is missing.": lambda z, t, s: stein(z, t, s) - len(z) * s**2,
    "the last term is Σ min(|z|, t)², what is taken; you summed what is left.": (
        lambda z, t, s: stein(z, t, s, taken=soft_threshold(z, t).square())
    ),
    "the last term squares each min(|z|, t) before the sum.": (
        lambda z, t, s: stein(z, t, s, taken=z.abs().clamp_max(t))
    ),
    "count |z| <= t: without the magnitude every negative coefficient counts.": (
        lambda z, t, s: stein(z, t, s, zeroed=z <= t)
    ),
    "that is the mean over the coefficients; return the sum.": (
        lambda z, t, s: stein(z, t, s) / len(z)
    ),
}


@exercise(
    "01.5",
    "Stein's risk: the error without the truth",
    difficulty=3,
    minutes=25,
    mistakes=STEIN_MISTAKES,
)
def stein_risk(answer: object) -> None:
    """z (n,), t, sigma -> estimate of |soft(z, t) - clean|², a number."""
    for z, t, sigma in [
        (torch.randn(1000) * 2, 1.0, 1.0),
        (torch.randn(64), 0.3, 0.5),
        (torch.randn(1), 5.0, 0.1),
        (torch.tensor([0.0, 1.0, -3.0]), 2.0, 0.7),
    ]:
        expect_answer(answer, stein, z, t, sigma, mistakes=STEIN_MISTAKES, tolerance=1e-3)
