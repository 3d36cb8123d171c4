"""Checks of notebook 01, Sparse representation."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course_utils.exercises.core import exercise, expect_answer
from course_utils.exercises.mistakes.shrinkage import (
    GARROTE_MISTAKES,
    RISK_MISTAKES,
    SIGMA_MISTAKES,
    deviation,
    garrote,
    stein,
)
from course_utils.wavelets import dct2, inverse_wavelet2, wavelet2

__all__ = [
    "estimate_sigma",
    "garrote_threshold",
    "inverse_haar_step",
    "psnr_of_best_k",
    "stein_risk",
]


def undo(a: Tensor, d: Tensor) -> Tensor:
    return torch.stack([a + d, a - d], dim=-1).flatten(-2) / math.sqrt(2)


ROUNDED = "a float64 signal is rounded to float32: keep the dtype of a."
HAAR_MISTAKES = {
    "you undid averages; divide by √2.": lambda a, d: undo(a, d) * 2**0.5,
    "too small: divide by √2, not by 2.": lambda a, d: undo(a, d) / 2**0.5,
    "the samples of each pair are swapped: the first is a + d.": lambda a, d: undo(a, -d),
    "interleave first and second samples.": lambda a, d: torch.cat([a + d, a - d], -1) / 2**0.5,
    "join the pairs with .flatten(-2).": lambda a, d: undo(a, d).unflatten(-1, (-1, 2)),
    "twice too large: divide by √2, do not multiply by it.": lambda a, d: 2 * undo(a, d),
    "divide the differences by √2 too: mind the brackets.": lambda a, d: undo(a, d * 2**0.5),
    "divide the sums by √2 too: mind the brackets.": lambda a, d: undo(a * 2**0.5, d),
    "the leading axes are lost: join only the pairs, with .flatten(-2).": (
        lambda a, d: undo(a, d).flatten()
    ),
    "the second sample is a - d, divided by √2; you subtracted d from the first sample.": (
        lambda a, d: torch.stack([a + d, a + d - d * 2**0.5], -1).flatten(-2) / 2**0.5
    ),
    "both samples have the wrong sign.": lambda a, d: -undo(a, d),
    "a and d are swapped: a holds the sums.": lambda a, d: undo(d, a),
    ROUNDED: lambda a, d: undo(a, d).float(),
}


@exercise("01.1", "Undo a Haar step", difficulty=1, minutes=10, mistakes=HAAR_MISTAKES)
def inverse_haar_step(answer: Any) -> None:
    """a, d (..., n/2) -> x (..., n)."""
    for shape in [(4,), (3, 8), (1,), (2, 1, 1), (2, 3, 2, 5)]:
        a, d = torch.randn(shape), torch.randn(shape)
        expect_answer(answer, undo, a, d, tolerance=1e-5)
    a, d = torch.randn(2, 2, 3, dtype=torch.float64)
    expect_answer(answer, undo, a, d, tolerance=1e-9)


def psnr(dropped: Tensor, entries: int) -> Tensor:
    """PSNR of images of so many entries without these coefficients (N, number)."""
    return -10 * (dropped.square().sum(dim=1) / entries).log10()


def sizes(z: Tensor) -> Tensor:
    return z.flatten(1).abs().sort(dim=1, descending=True).values


def best_psnr(z: Tensor, k: int) -> Tensor:
    return psnr(sizes(z)[:, k:], z[0].numel())


def kept_of_batch(z: Tensor, k: int) -> Tensor:
    """The k largest of all images together are kept."""
    order = z.abs().flatten().sort(descending=True).indices[k:]
    dropped = torch.zeros_like(z).flatten()
    dropped[order] = z.flatten()[order]
    return psnr(dropped.view(len(z), -1), z[0].numel())


def kept_with_ties(z: Tensor, k: int, dropped: Callable = torch.lt) -> Tensor:
    """All that `dropped` says of the k-th magnitude are dropped: with ties not k are kept."""
    ranked = sizes(z)
    last = ranked[:, k - 1 : k] if k else ranked[:, :1] + 1
    return psnr(ranked.where(dropped(ranked, last), 0), z[0].numel())


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
    "half the decibels: 10 log10 goes with the MSE, you have its root.": (
        lambda z, k: best_psnr(z, k) / 2
    ),
    "that is the natural logarithm: use log10.": lambda z, k: best_psnr(z, k) * math.log(10),
    "use 10 log10, not log10.": lambda z, k: best_psnr(z, k) / 10,
    "negative coefficients are large too: sort the magnitudes.": (
        lambda z, k: psnr(z.flatten(1).sort(dim=1, descending=True).values[:, k:], z[0].numel())
    ),
    "divide by all entries of an image, not only by the dropped ones.": (
        lambda z, k: psnr(sizes(z)[:, k:], z[0].numel() - k)
    ),
    "you divided by the entries of the whole batch.": lambda z, k: psnr(sizes(z)[:, k:], z.numel()),
    "you kept the k largest of the whole batch; each image has its own k.": kept_of_batch,
    "you kept k coefficients per image on average; keep k of each image.": (
        lambda z, k: kept_of_batch(z, k * len(z))
    ),
    "you kept k coefficients of each channel; k counts those of the whole image.": (
        lambda z, k: psnr(z.flatten(2).abs().sort(2, True).values[..., k:].flatten(1), z[0].numel())
    ),
    "only the first channel is read.": lambda z, k: best_psnr(z[:, :1], k),
    "one coefficient too many is kept: drop those from index k on.": (
        lambda z, k: best_psnr(z, k + 1)
    ),
    "one coefficient too few is kept: drop those from index k on.": (
        lambda z, k: best_psnr(z, max(k - 1, 0))
    ),
    "equal magnitudes are all kept: keep exactly k, with sort or topk.": kept_with_ties,
    "equal magnitudes are all dropped: keep exactly k, with sort or topk.": (
        lambda z, k: kept_with_ties(z, k, torch.le)
    ),
    "the peak is 1 here, not the largest coefficient.": (
        lambda z, k: best_psnr(z, k) + 20 * sizes(z)[:, 0].log10()
    ),
    "the peak is 1 here, not 255.": lambda z, k: best_psnr(z, k) + 20 * math.log10(255),
    "that is the mean PSNR of the batch; each image has its own.": lambda z, k: best_psnr(
        z, k
    ).mean(),
    "each image has its own MSE; you averaged them over the batch.": (
        lambda z, k: psnr(sizes(z)[:, k:].reshape(1, -1), z.numel())[0]
    ),
    "add squares, not magnitudes.": lambda z, k: psnr(sizes(z)[:, k:].sqrt(), z[0].numel()),
    "k is ignored.": lambda z, k: best_psnr(z, 1),
}


@exercise("01.2", "PSNR without going back", difficulty=2, minutes=10, mistakes=PSNR_MISTAKES)
def psnr_of_best_k(answer: Any) -> None:
    """z (N, C, H, W) orthonormal coefficients, k -> PSNR (N,)."""
    shapes = [((1, 1, 8, 8), 5), ((3, 1, 16, 4), 1), ((2, 3, 8, 6), 40), ((2, 3, 8, 8), 100)]
    for shape, k in [*shapes, ((1, 1, 8, 8), 0)]:
        brightness = torch.linspace(0.2, 1, shape[0])[:, None, None, None]
        z = dct2(brightness * (1 - torch.rand(shape) ** 3))
        expect_answer(answer, best_psnr, z, k, tolerance=2e-5)
    ties = torch.tensor([3.0, -1, 1, 0.5, 1e-3, -1, 2, 1]).view(1, 1, 4, 2)
    expect_answer(answer, best_psnr, ties, 4, tolerance=2e-5)
    expect_answer(answer, best_psnr, 1e-3 * ties, 7, tolerance=2e-5)


@exercise("01.3", "Between soft and hard", difficulty=1, minutes=15, mistakes=GARROTE_MISTAKES)
def garrote_threshold(answer: Any) -> None:
    """z, t -> z - t²/z where |z| > t, else 0."""
    edges = torch.tensor([0.0, 1.0, -1.0, 2.0, -2.0])
    small = torch.tensor([1e-3, -2e-3, 5e-4, 0.0, -1e-6, 3e-2])
    for z, t in [(torch.randn(50) * 3, 1.0), (torch.randn(2, 1, 4, 4), 0.5), (edges, 1.0)]:
        expect_answer(answer, garrote, z, t, tolerance=1e-5)
    for z, t in [(small, 1e-3), (torch.randn(3, 5).double(), 0.5), (torch.randn(1), 0.0)]:
        expect_answer(answer, garrote, z, t, tolerance=1e-6)


@exercise("01.4", "How strong is the noise?", difficulty=2, minutes=15, mistakes=SIGMA_MISTAKES)
def estimate_sigma(answer: Any) -> None:
    """noisy (N, 1, H, W) -> sigma (N,)."""
    for number, height in [(1, 32), (3, 64)]:
        ramp = torch.linspace(0, 1, 32) * torch.linspace(0, 1, height)[:, None]
        noise = 0.1 * torch.linspace(1, 3, number)[:, None, None, None]
        noisy = ramp + noise * torch.randn(number, 1, height, 32)
        z = wavelet2(noisy, "db4", 1)
        band = z[..., height // 2 :, 16:]  # its middle magnitudes become equal: one median for all
        ranks = band.abs().flatten(1).argsort(1).argsort(1).view_as(band) / band[0].numel()
        middle = band.abs().flatten(1).median(1).values[:, None, None, None] * band.sign()
        band[:] = middle.where((ranks - 0.5).abs() < 0.02, band)
        expect_answer(answer, deviation, inverse_wavelet2(z, "db4", 1), tolerance=1e-5)


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
        (torch.randn(2), 5.0, 0.1),
        (torch.tensor([0.0, 1.0, -3.0]), 2.0, 0.7),
        (torch.tensor([2.0, -2.0, 1.0, -1.0, 0.5]), 1.0, 0.7),  # values exactly at t
        (torch.tensor([-1e-2, 1e-2, 3e-2, -4e-2]), 2e-2, 1e-2),
        (torch.tensor([0.0, 1.0, -3.0]), 0.0, 0.7),
    ]:
        expect_answer(answer, stein, z, t, sigma, tolerance=1e-5 if sigma > 0.05 else 1e-6)
