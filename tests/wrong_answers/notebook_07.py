"""Plausible wrong answers: check -> [(answer, words that the message must hold)]."""

import math

import torch

from course_utils.metrics import psnr
from course_utils.patches import average_patches
from course_utils.sparse_coding import soft_threshold


def counts(q):
    return torch.unique(q, return_counts=True)[1]


def bits(q, log=torch.log2):
    c = counts(q).double()
    return -(c * log(c / c.sum())).sum()


def step(z, x, D, mask, lam, left, L=None, threshold=None):
    L = torch.linalg.matrix_norm(D, 2) ** 2 if L is None else L
    return soft_threshold(
        z + left(mask, x, z @ D.T) @ D / L, lam / L if threshold is None else threshold
    )


def norm(D):
    return torch.linalg.matrix_norm(D, 2)


def hard(z, threshold):
    return z * (z.abs() > threshold)


def right(mask, x, fit):
    return mask * (x - fit)


def decibels(a, b):
    return -10 * (a - b).square().mean(dim=(1, 2, 3)).log10()


def votes_of(votes):
    return votes[:, None].expand(-1, 64).contiguous()


def mean(patches, shape):
    return average_patches(patches, shape, 8, 2)


def total(p, v, s):
    return torch.nn.functional.fold((v[:, None] * p).T[None], s[2:], 8, stride=2)


def inside(x, b):
    return x[..., b : x.shape[2] - b, b : x.shape[3] - b]


def swapped(x, b):
    return x[..., b : x.shape[3] - b, b : x.shape[2] - b]


def square(x, b, axis):
    return x[..., b : x.shape[axis] - b, b : x.shape[axis] - b]


def zero_border(x, b):
    y = torch.zeros_like(x)
    inside(y, b).copy_(inside(x, b))
    return y


WRONG = {
    "entropy_bits": [
        (lambda q: bits(q, torch.log), "base 2"),
        (lambda q: bits(q) / q.numel(), "mean per number"),
        (lambda q: -bits(q), "minus"),
        (lambda q: q.numel() * math.log2(len(counts(q))), "equally likely"),
        (lambda q: bits(q.abs()), "absolute value"),
        (lambda q: -(counts(q).double() / q.numel()).log2().sum(), "often"),
        (lambda q: counts(q), "one number"),
        (lambda q: bits(q, torch.log) / q.numel(), "in nats"),
        (lambda q: bits(q).ceil(), "do not round the bits up"),
        (lambda q: bits(q).round(), "do not round"),
        (lambda q: -(counts(q) * (counts(q) / len(q)).log2()).sum(), "len(q) counts rows"),
    ],
    "step_for_psnr": [
        (lambda level: 255 * 10 ** (-level / 20), "root of 12"),
        (lambda level: math.sqrt(12) * 10 ** (-level / 20), "grey levels of 255"),
        (lambda level: 12 * 255**2 * 10 ** (-level / 10), "take the root"),
        (lambda level: math.sqrt(12) * 255 * 10 ** (level / 20), "sign in the exponent"),
        (lambda level: math.sqrt(12) * 255 * 10 ** (-level / 10), "10^(-PSNR/20)"),
        (lambda level: math.sqrt(3) * 255 * 10 ** (-level / 20), "not Δ²/3"),
        (lambda level: 12 * 255 * 10 ** (-level / 20), "under the root"),
        (lambda level: 255 / math.sqrt(12) * 10 ** (-level / 20), "instead of multiplied"),
        (lambda level: 12 * 10 ** (-level / 10), "multiply by 255"),
        (lambda level: 255 * 12 * 10 ** (-level / 10), "outside the root"),
        (lambda level: math.sqrt(12) * 256 * 10 ** (-level / 20), "not 256"),
        (lambda level: round(math.sqrt(12) * 255 * 10 ** (-level / 20)), "do not round"),
    ],
    "masked_step": [
        (lambda z, x, D, m, lam: step(z, x, D, m, lam, lambda m, x, f: x - f), "not used"),
        (
            lambda z, x, D, m, lam: step(z, x, D, m, lam, lambda m, x, f: m * x - f),
            "only x is masked",
        ),
        (lambda z, x, D, m, lam: step(z, x, D, m, lam, lambda m, x, f: x - m * f), "not Dz alone"),
        (
            lambda z, x, D, m, lam: step(z, x, D, m, lam, lambda m, x, f: (1 - m) * (x - f)),
            "wrong way round",
        ),
        (lambda z, x, D, m, lam: step(z, x, D, m, lam, lambda m, x, f: m * (f - x)), "uphill"),
        (lambda z, x, D, m, lam: step(z, x, D, m, lam, right, L=1), "length 1/L"),
        (
            lambda z, x, D, m, lam: step(z, x, D, m, lam, right, L=torch.linalg.matrix_norm(D, 2)),
            "square of the norm",
        ),
        (lambda z, x, D, m, lam: step(z, x, D, m, lam, right, threshold=lam), "lam / L"),
        (lambda z, x, D, m, lam: step(z, x, D, m, lam, right, threshold=0), "shrinkage is missing"),
        (
            lambda z, x, D, m, lam: step(0 * z, x, D, m, lam, lambda m, x, f: m * (x - z @ D.T)),
            "add the step to z",
        ),
        (
            lambda z, x, D, m, lam: step(z, x, D, m, lam, right, L=1, threshold=lam / norm(D) ** 2),
            "not only the threshold",
        ),
        (lambda z, x, D, m, lam: step(z, x, D, m, lam, right, L=D.square().sum()), "Frobenius"),
        (
            lambda z, x, D, m, lam: step(z, x, D, m, lam, right, L=norm(D) ** 2 / 2),
            "in the step and in the threshold",
        ),
        (
            lambda z, x, D, m, lam: step(z, x, D, m, lam, lambda m, x, f: 2 * m * (x - f)),
            "factor 2 too much",
        ),
        (
            lambda z, x, D, m, lam: step(z, x, D, m, lam, lambda m, x, f: m * (x - f) / 2),
            "half a step",
        ),
        (
            lambda z, x, D, m, lam: hard(
                step(z, x, D, m, lam, right, threshold=0), lam / norm(D) ** 2
            ),
            "hard threshold",
        ),
    ],
    "psnr_inside": [
        (lambda a, b, n: decibels(a, b), "still in it"),
        (lambda a, b, n: decibels(a[..., n:, n:], b[..., n:, n:]), "top and left only"),
        (
            lambda a, b, n: decibels(
                a[..., : a.shape[2] - n, : a.shape[3] - n],
                b[..., : a.shape[2] - n, : a.shape[3] - n],
            ),
            "bottom and right only",
        ),
        (lambda a, b, n: decibels(zero_border(a, n), zero_border(b, n)), "cut it off"),
        (lambda a, b, n: decibels(a[..., n:-n, n:-n], b[..., n:-n, n:-n]), "-0 is 0"),
        (lambda a, b, n: psnr(a[..., n:-n, n:-n], b[..., n:-n, n:-n]), "-0 is 0"),
        (
            lambda a, b, n: decibels(a[..., n : a.shape[2] - n, :], b[..., n : a.shape[2] - n, :]),
            "rows only",
        ),
        (
            lambda a, b, n: decibels(a[..., n : a.shape[3] - n], b[..., n : a.shape[3] - n]),
            "columns only",
        ),
        (lambda a, b, n: decibels(swapped(a, n), swapped(b, n)), "swapped"),
        (lambda a, b, n: decibels(square(a, n, 2), square(b, n, 2)), "width goes with the last"),
        (
            lambda a, b, n: decibels(square(a, n, 3), square(b, n, 3)),
            "height goes with the second-last",
        ),
        (lambda a, b, n: -decibels(inside(a, n), inside(b, n)), "sign"),
        (lambda a, b, n: decibels(a, b).mean(), "shape"),
        (lambda a, b, n: 2 * decibels(inside(a, n), inside(b, n)), "that of the root 20"),
    ],
    "weighted_average": [
        (lambda p, v, s: mean(p, s), "same vote"),
        (lambda p, v, s: mean(v[:, None] * p, s), "not by the number"),
        (lambda p, v, s: total(p, v, s), "sum of the votes"),
        (lambda p, v, s: mean(v[:, None] * p, s) / v.mean(), "mean vote"),
        (lambda p, v, s: total(p, v, s) / v.sum(), "sum of all votes"),
        (lambda p, v, s: mean(v[:, None] ** 2 * p, s) / mean(votes_of(v), s), "squared"),
        (lambda p, v, s: mean(p / v[:, None], s) / mean(votes_of(1 / v), s), "divided by it"),
        (lambda p, v, s: v[:, None] * p, "has shape"),
        (lambda p, v, s: mean(p * v, s), "second axis"),
        (lambda p, v, s: mean((v / v.sum())[:, None] * p, s), "sum to 1 over all patches"),
    ],
}
