"""Checks of notebook 01, Sparse representation."""

import math

import torch

from course_utils.exercises.core import attempt, exercise, expect, expect_close
from course_utils.sparse_coding import keep_largest, soft_threshold
from course_utils.wavelets import dct2, noise_level, subbands, wavelet2, wavelet_matrix

__all__ = [
    "estimate_sigma",
    "garrote_threshold",
    "inverse_haar_step",
    "psnr_of_best_k",
    "stein_risk",
]


@exercise("01.1", "Undo a Haar step", difficulty=1, minutes=10)
def inverse_haar_step(answer: object) -> None:
    """a, d (..., n/2) -> x (..., n)."""
    for shape in [(1,), (4,), (3, 8), (2, 1, 1)]:
        a, d = torch.randn(shape), torch.randn(shape)
        W = wavelet_matrix(2 * shape[-1])
        truth = torch.cat([a, d], dim=-1) @ W
        half = shape[-1]
        swapped = truth.unflatten(-1, (half, 2)).flip(-1).flatten(-2)
        blocks = torch.cat([truth[..., ::2], truth[..., 1::2]], dim=-1)
        expect_close(
            attempt(answer, a, d),
            truth,
            {
                "you undid averages (a + d, a - d); the lesson's step divides by √2, so its inverse does too.": truth
                * math.sqrt(2),
                "too small by √2: the lesson's step is orthonormal, so its inverse divides by √2, not by 2.": truth
                / math.sqrt(2),
                "the two samples of each pair are swapped: d = (first - second) / √2, so the first is a + d.": swapped,
                "all first samples come before all second ones: interleave them, first, second, first, second.": blocks,
            },
            what=f"x for shape {shape}",
        )


@exercise("01.2", "PSNR without going back", difficulty=2, minutes=10)
def psnr_of_best_k(answer: object) -> None:
    """z (N, C, H, W) orthonormal coefficients, k -> PSNR (N,)."""
    for shape, k in [((1, 1, 8, 8), 5), ((3, 1, 16, 4), 1), ((2, 3, 8, 8), 100), ((1, 1, 8, 8), 0)]:
        z = dct2(torch.rand(shape))
        n = z[0].numel()
        kept = keep_largest(z, k).square().flatten(1).sum(dim=1)
        lost = (z - keep_largest(z, k)).square().flatten(1).sum(dim=1)
        first = z.flatten(1)[:, k:].square().sum(dim=1)
        sizes = z.flatten(1).square().sort(dim=1).values
        signed = z.flatten(1).sort(dim=1, descending=True).values[:, k:].square().sum(dim=1)
        expect_close(
            attempt(answer, z, k),
            -10 * torch.log10(lost / n),
            {
                "that is the energy you keep; the error is the energy you drop.": -10
                * torch.log10(kept / n),
                "the mean squared error divides by the number of entries of an image, C·H·W.": -10
                * torch.log10(lost),
                "divided by H·W only: with three channels an image has 3·H·W entries.": -10
                * torch.log10(lost * shape[1] / n),
                "you averaged over the dropped coefficients; the error is spread over all C·H·W entries.": -10
                * torch.log10(lost / max(n - k, 1)),
                "you dropped the largest coefficients: sort in descending order.": -10
                * torch.log10(sizes[:, k:].sum(dim=1) / n),
                "the sign matters in your order: sort by magnitude, a large negative coefficient is large too.": -10
                * torch.log10(signed / n),
                "10 log10 of the mean squared error belongs here; you used its root, or 20 log10 of it.": -5
                * torch.log10(lost / n),
                "twice too much: 20 log10 goes with the root of the error, 10 log10 with its square.": -20
                * torch.log10(lost / n),
                "the sign: 10 log10(1 / MSE) = -10 log10(MSE).": 10 * torch.log10(lost / n),
                "you dropped the last coefficients instead of the smallest ones: sort by magnitude first.": -10
                * torch.log10(first / n),
                "one number for the whole batch; each image has its own.": (
                    -10 * torch.log10(lost.mean() / n)
                ).expand(shape[0]),
            },
            what=f"the PSNR for z of shape {shape}, k = {k}",
            tolerance=1e-3,
        )


@exercise("01.3", "Between soft and hard", difficulty=1, minutes=15)
def garrote_threshold(answer: object) -> None:
    """z, t -> z - t²/z where |z| > t, else 0."""
    for z, t in [
        (torch.randn(50) * 3, 1.0),
        (torch.randn(2, 1, 4, 4), 0.5),
        (torch.tensor([0.0, 1.0, -1.0, 2.0, -2.0]), 1.0),
        (torch.randn(1), 0.0),
    ]:
        keep = z.abs() > t
        safe = torch.where(keep, z, torch.ones_like(z))
        zero = torch.zeros_like(z)
        truth = torch.where(keep, z - t**2 / safe, zero)
        expect_close(
            attempt(answer, z, t),
            truth,
            {
                "that is the soft threshold: it takes t from every coefficient, the garrote takes t²/|z|.": soft_threshold(
                    z, t
                ),
                "that is the hard threshold: large coefficients must shrink a little too.": torch.where(
                    keep, z, zero
                ),
                "t is not squared: z - t²/z is continuous at |z| = t only with the square.": torch.where(
                    keep, z - t / safe, zero
                ),
                "negative coefficients are lost: compare |z| with t, not z.": torch.where(
                    z > t, truth, zero
                ),
                "coefficients below t must become zero; yours change sign there.": torch.where(
                    z != 0, z - t**2 / torch.where(z != 0, z, torch.ones_like(z)), zero
                ),
                "negative coefficients move away from zero: t²/z has the sign of z, so use z and not |z|.": torch.where(
                    keep, z - t**2 / safe.abs(), zero
                ),
            },
            what="the shrunk z",
        )


@exercise("01.4", "How strong is the noise?", difficulty=2, minutes=15)
def estimate_sigma(answer: object) -> None:
    """noisy (N, 1, H, W) -> sigma (N,)."""
    for shape in [(1, 1, 32, 32), (3, 1, 64, 32)]:
        ramp = (
            torch.linspace(0, 1, shape[-1]).expand(shape) * torch.linspace(0, 1, shape[-2])[:, None]
        )
        noisy = ramp + 0.1 * torch.randn(shape)
        z = wavelet2(noisy, "db4", 1)
        horizontal, vertical, diagonal = (band.flatten(1) for band in subbands(z, 1))
        coarse = z[..., : shape[-2] // 2, : shape[-1] // 2].flatten(1)

        def mad(band: torch.Tensor) -> torch.Tensor:
            return band.abs().median(dim=1).values / 0.6745

        expect_close(
            attempt(answer, noisy),
            noise_level(noisy, "db4"),
            {
                "the factor is missing: for Gaussian noise the median of |value| is 0.6745 σ, so divide by it.": mad(
                    diagonal
                )
                * 0.6745,
                "multiplied by 0.6745 where a division belongs.": mad(diagonal) * 0.6745**2,
                "that is the standard deviation, or the root mean square: edges pull it up. The median hardly notices "
                "them.": diagonal.std(dim=1),
                "take the absolute value before the median, else it is near zero.": diagonal.median(
                    dim=1
                ).values
                / 0.6745,
                "that is the coarse quarter (top left), which holds the image itself; noise shows in the bottom right one.": mad(
                    coarse
                ),
                "that is a coarser level: the finest diagonal band comes from levels=1, or is number 2 of the list.": mad(
                    subbands(wavelet2(noisy, "db4", 4), 4)[-1].flatten(1)
                ),
                "that is the mean of the sizes; the method takes their median.": diagonal.abs().mean(
                    dim=1
                )
                / 0.6745,
                "that is in units of 255; the images are in [0, 1], so is sigma.": mad(diagonal)
                * 255,
                "the diagonal details are the bottom right quarter; you took another one.": mad(
                    horizontal
                ),
                "the diagonal details are the bottom right quarter; you took the bottom left one.": mad(
                    vertical
                ),
                "you took the median over the whole batch; each image has its own sigma.": (
                    diagonal.abs().median() / 0.6745
                ).expand(shape[0]),
            },
            what=f"sigma for shape {shape}",
            tolerance=1e-3,
        )


@exercise("01.5", "Stein's risk: the error without the truth", difficulty=3, minutes=25)
def stein_risk(answer: object) -> None:
    """z (n,), t, sigma -> estimate of |soft(z, t) - clean|², a number."""
    for z, t, sigma in [
        (torch.randn(1000) * 2, 1.0, 1.0),
        (torch.randn(64), 0.3, 0.5),
        (torch.randn(1), 5.0, 0.1),
        (torch.tensor([0.0, 1.0, -3.0]), 2.0, 0.7),
    ]:
        n = len(z)
        below = (z.abs() <= t).sum()
        size = z.abs().clamp_max(t).square().sum()
        output = attempt(answer, z, t, sigma)
        if isinstance(output, torch.Tensor):
            expect(
                output.numel() == 1,
                f"the risk is one number; yours has shape {tuple(output.shape)}.",
            )
            output = output.reshape(())
        expect_close(
            output,
            n * sigma**2 - 2 * sigma**2 * below + size,
            {
                "count the coefficients that become zero, |z| <= t; you counted the others.": n
                * sigma**2
                - 2 * sigma**2 * (n - below)
                + size,
                "the count has the factor 2σ²; yours has σ².": n * sigma**2
                - sigma**2 * below
                + size,
                "σ is not squared somewhere.": n * sigma - 2 * sigma * below + size,
                "the first term nσ² is missing: no matter for the best t, but then it is not the risk.": size
                - 2 * sigma**2 * below,
                "the last term is Σ min(|z|, t)²; you summed max(|z| - t, 0)², what is left instead of what is taken.": n
                * sigma**2
                - 2 * sigma**2 * below
                + soft_threshold(z, t).square().sum(),
                "the last term squares each min(|z|, t) before the sum.": n * sigma**2
                - 2 * sigma**2 * below
                + z.abs().clamp_max(t).sum(),
                "count |z| <= t: without the magnitude every negative coefficient counts.": n
                * sigma**2
                - 2 * sigma**2 * (z <= t).sum()
                + size,
                "min(|z|, t): without the magnitude a large negative coefficient counts with its full size.": n
                * sigma**2
                - 2 * sigma**2 * below
                + z.clamp_max(t).square().sum(),
                "the square belongs inside the sum: first square each min(|z|, t), then add.": n
                * sigma**2
                - 2 * sigma**2 * below
                + z.abs().clamp_max(t).sum().square(),
                "that is the mean over the coefficients; the risk here is their sum.": (
                    n * sigma**2 - 2 * sigma**2 * below + size
                )
                / n,
            },
            what=f"the risk for t = {t}, sigma = {sigma}",
            tolerance=1e-3,
        )
