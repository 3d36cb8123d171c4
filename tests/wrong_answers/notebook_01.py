"""Plausible wrong answers: check -> [(answer, words that the message must hold)]."""

import torch

from course_utils.sparse_coding import hard_threshold, soft_threshold
from course_utils.wavelets import inverse_wavelet2, subbands, wavelet2


def interleave(first, second):
    return torch.stack([first, second], dim=-1).flatten(-2)


def energies(z):
    return z.flatten(1).square().sort(dim=1, descending=True).values


def mse(z, k):
    return energies(z)[:, k:].sum(dim=1) / z[0].numel()


def diagonal(noisy):
    return subbands(wavelet2(noisy, "db4", 1), 1)[-1].flatten(1)


def mad(band):
    return band.flatten(1).abs().median(dim=1).values / 0.6745


def stein(z, t, sigma, count, size):
    return len(z) * sigma**2 - 2 * sigma**2 * count + size


def in_place(z, t):
    z[z.abs() <= t] = 0
    return z


WRONG = {
    "inverse_haar_step": [
        (lambda a, d: interleave(a + d, a - d), "undid averages"),
        (lambda a, d: interleave((a + d) / 2, (a - d) / 2), "too small by √2"),
        (lambda a, d: interleave((a - d) / 2**0.5, (a + d) / 2**0.5), "swapped"),
        (lambda a, d: torch.cat([(a + d) / 2**0.5, (a - d) / 2**0.5], dim=-1), "interleave"),
        (lambda a, d: torch.stack([(a + d) / 2**0.5, (a - d) / 2**0.5], dim=-1), "has shape"),
        (lambda a, d: ((a + d) / 2**0.5, (a - d) / 2**0.5), "is a tuple"),
    ],
    "psnr_of_best_k": [
        (
            lambda z, k: -10 * torch.log10(energies(z)[:, :k].sum(dim=1) / z[0].numel()),
            "energy you keep",
        ),
        (lambda z, k: -10 * torch.log10(energies(z)[:, k:].sum(dim=1)), "number of entries"),
        (lambda z, k: -20 * torch.log10(mse(z, k)), "20 log10 goes with the root"),
        (lambda z, k: -10 * torch.log10(mse(z, k).sqrt()), "you used its root"),
        (lambda z, k: 10 * torch.log10(mse(z, k)), "the sign"),
        (
            lambda z, k: -10 * torch.log10(energies(z)[:, k:].mean(dim=1)),
            "averaged over the dropped",
        ),
        (
            lambda z, k: -10 * torch.log10(energies(z).flip(1)[:, k:].sum(dim=1) / z[0].numel()),
            "descending order",
        ),
        (
            lambda z, k: (
                -10
                * torch.log10(
                    z.flatten(1).sort(1, descending=True).values[:, k:].square().sum(1)
                    / z[0].numel()
                )
            ),
            "sort by magnitude",
        ),
        (
            lambda z, k: -10 * torch.log10(z.flatten(1)[:, k:].square().sum(dim=1) / z[0].numel()),
            "sort by magnitude",
        ),
        (
            lambda z, k: (
                -10 * torch.log10(energies(z)[:, k:].sum(dim=1) / (z.shape[2] * z.shape[3]))
            ),
            "three channels",
        ),
        (
            lambda z, k: (-10 * torch.log10(mse(z, k).mean())).expand(len(z)),
            "each image has its own",
        ),
    ],
    "garrote_threshold": [
        (soft_threshold, "soft threshold"),
        (hard_threshold, "hard threshold"),
        (lambda z, t: torch.where(z.abs() > t, z - t**2 / z, 0 * t / z), "NaN"),
        (
            lambda z, t: torch.where(z > t, z - t**2 / z, torch.zeros_like(z)),
            "negative coefficients are lost",
        ),
        (lambda z, t: torch.where(z.abs() > t, z - t / z, torch.zeros_like(z)), "not squared"),
        (
            lambda z, t: torch.where(z.abs() > t, z - t**2 / z.abs(), torch.zeros_like(z)),
            "away from zero",
        ),
        (in_place, "changed its input"),
    ],
    "estimate_sigma": [
        (lambda y: mad(diagonal(y)) * 0.6745, "the factor is missing"),
        (lambda y: mad(diagonal(y)) * 0.6745**2, "multiplied by 0.6745"),
        (lambda y: diagonal(y).std(dim=1), "standard deviation"),
        (lambda y: diagonal(y).square().mean(dim=1).sqrt(), "root mean square"),
        (lambda y: diagonal(y).median(dim=1).values / 0.6745, "absolute value"),
        (lambda y: diagonal(y).abs().median() / 0.6745, "has shape"),
        (lambda y: (diagonal(y).abs().median() / 0.6745).expand(len(y)), "whole batch"),
        (lambda y: mad(subbands(wavelet2(y, "db4", 4), 4)[-1]), "coarser level"),
        (lambda y: diagonal(y).abs().mean(dim=1) / 0.6745, "mean of the sizes"),
        (lambda y: 255 * mad(diagonal(y)), "units of 255"),
        (lambda y: mad(subbands(wavelet2(y, "db4", 1), 1)[0]), "took another one"),
        (lambda y: mad(subbands(wavelet2(y, "db4", 1), 1)[1]), "bottom left"),
        (
            lambda y: mad(wavelet2(y, "db4", 1)[..., : y.shape[2] // 2, : y.shape[3] // 2]),
            "coarse quarter",
        ),
        (lambda y: mad(inverse_wavelet2(y, "db4", 1)), "differs from the reference"),
    ],
    "stein_risk": [
        (
            lambda z, t, s: stein(
                z, t, s, (z.abs() > t).sum(), z.abs().clamp_max(t).square().sum()
            ),
            "counted the others",
        ),
        (
            lambda z, t, s: stein(
                z, t, s, 0.5 * (z.abs() <= t).sum(), z.abs().clamp_max(t).square().sum()
            ),
            "factor 2σ²",
        ),
        (
            lambda z, t, s: stein(
                z, t, s, (z.abs() <= t).sum(), soft_threshold(z, t).square().sum()
            ),
            "what is left",
        ),
        (
            lambda z, t, s: stein(z, t, s, (z.abs() <= t).sum(), z.abs().clamp_max(t).sum()),
            "before the sum",
        ),
        (
            lambda z, t, s: stein(
                z, t, s**0.5, (z.abs() <= t).sum(), z.abs().clamp_max(t).square().sum()
            ),
            "not squared",
        ),
        (
            lambda z, t, s: z.abs().clamp_max(t).square().sum() - 2 * s**2 * (z.abs() <= t).sum(),
            "first term",
        ),
        (
            lambda z, t, s: (
                stein(z, t, s, (z.abs() <= t).sum(), z.abs().clamp_max(t).square().sum()) / len(z)
            ),
            "their sum",
        ),
        (
            lambda z, t, s: stein(z, t, s, (z <= t).sum(), z.abs().clamp_max(t).square().sum()),
            "every negative",
        ),
        (
            lambda z, t, s: stein(z, t, s, (z.abs() <= t).sum(), z.clamp_max(t).square().sum()),
            "full size",
        ),
        (
            lambda z, t, s: stein(z, t, s, (z.abs() <= t).sum(), z.abs().clamp_max(t).sum() ** 2),
            "inside the sum",
        ),
        (lambda z, t, s: z.abs().clamp_max(t).square(), "one number"),
    ],
}
