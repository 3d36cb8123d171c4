"""Entropy in bits and the step for a PSNR, with the mistakes made about them (07.1 and 07.2)."""

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

__all__ = ["BITS_MISTAKES", "STEP_MISTAKES", "entropy", "step"]


def counts(q: Tensor) -> Tensor:
    return torch.unique(q, return_counts=True)[1].double()


def entropy(q: Tensor, number: int | None = None, count: Callable = counts) -> Tensor:
    """Bits of all numbers; `number` replaces their count, `count` how often each value occurs."""
    n = count(q)
    return -(n * (n / (number or q.numel())).log2()).sum()


def zeros_out(q: Tensor) -> Tensor:
    """How often each value occurs, but for zero."""
    values, n = torch.unique(q, return_counts=True)
    return n[values != 0].double()


def bins(q: Tensor) -> Tensor:
    """How often each value occurs, those between that never do too."""
    return torch.bincount(q.flatten() - q.min()).double()


BITS_MISTAKES: dict[str, Callable] = {
    "do not round: a range coder spends fractions of a bit.": lambda q: entropy(q).ceil(),
    "do not round: the sum need not be a whole number.": lambda q: entropy(q).round(),
    "do not round the bits of a value: a range coder spends fractions of a bit.": (
        lambda q: (counts(q) * (-(counts(q) / q.numel()).log2()).ceil()).sum()
    ),
    "do not round the bits of a value to the nearest: they need not be whole.": (
        lambda q: (counts(q) * (-(counts(q) / q.numel()).log2()).round()).sum()
    ),
    "n is the number of entries, q.numel(); len(q) counts rows.": lambda q: entropy(q, len(q)),
    "n is the number of entries, not of different values.": lambda q: entropy(q, len(counts(q))),
    "that is in nats: take the logarithm to base 2.": lambda q: entropy(q) * math.log(2),
    "that is the logarithm to base 10: take base 2.": lambda q: entropy(q) * math.log10(2),
    "divide a natural logarithm by log(2) once; you multiplied.": (
        lambda q: entropy(q) * math.log(2) ** 2
    ),
    "that is the mean per number; return the bits for all.": lambda q: entropy(q) / q.numel(),
    "that is the mean per number, in nats; return the bits for all.": (
        lambda q: entropy(q) * math.log(2) / q.numel()
    ),
    "that is the mean per row; return the bits for all.": lambda q: entropy(q) / len(q),
    "each of the n_v numbers costs its bits: multiply by n_v.": (
        lambda q: -(counts(q) / q.numel()).log2().sum()
    ),
    "multiply the mean per number by all numbers, not by the different values.": (
        lambda q: entropy(q) / q.numel() * len(counts(q))
    ),
    "a logarithm of a share is negative: put a minus before the sum.": lambda q: -entropy(q),
    "take the logarithm of the share n_v / n, not of n_v.": lambda q: entropy(q, 1),
    "take the logarithm of the share n_v / n; that of n_v has another sign, too.": (
        lambda q: -entropy(q, 1)
    ),
    "the values are not equally likely.": lambda q: q.numel() * math.log2(len(counts(q))),
    "the values are not equally likely; you rounded their bits up as well.": (
        lambda q: q.numel() * math.ceil(math.log2(len(counts(q))))
    ),
    "values in a range are not equally likely, nor do all occur.": (
        lambda q: q.numel() * math.log2(int(q.max() - q.min()) + 1)
    ),
    "5 and -5 are two values: do not take the absolute value.": lambda q: entropy(q.abs()),
    "negative numbers are values, too: do not clamp them.": lambda q: entropy(q.clamp_min(0)),
    "negative numbers are values, too: do not leave them out.": lambda q: entropy(q[q >= 0]),
    "negative numbers are values, too: only their bits are missing.": (
        lambda q: entropy(q, count=lambda q: counts(q[q >= 0]))
    ),
    "zeros cost bits as well: they are left out.": partial(entropy, count=zeros_out),
    "zeros are numbers as well: they are left out, in n too.": lambda q: entropy(q[q != 0]),
    "8 bits hold 256 different numbers: others wrap around.": lambda q: entropy(q.to(torch.uint8)),
    "an int16 holds numbers up to 32767: others wrap around.": (
        lambda q: entropy(q.to(torch.int16))
    ),
    "numbers may be beyond 0 to 255: no clamp.": lambda q: entropy(q.clamp(0, 255)),
    "float16 holds whole numbers up to 2048 only: others are rounded.": lambda q: entropy(q.half()),
    "values that never occur have a count of 0: leave them out, 0 log 0 is NaN.": (
        partial(entropy, count=bins)
    ),
    "equal numbers need not stand together: sort first, or use unique.": (
        partial(entropy, count=lambda q: torch.unique_consecutive(q, return_counts=True)[1])
    ),
    "the entries are the numbers, not whole rows: no dim in unique.": (
        partial(entropy, count=lambda q: torch.unique(q, dim=0, return_counts=True)[1])
    ),
    "the entries are the numbers, not whole rows: no dim in unique, and n is q.numel().": (
        lambda q: entropy(q, len(q), lambda q: torch.unique(q, dim=0, return_counts=True)[1])
    ),
    "count over all rows, not in each row.": lambda q: sum(entropy(row) for row in q),
    "count all rows, not only the first.": lambda q: entropy(q[0]),
    "count all numbers; n - 1 is one too few.": lambda q: entropy(q, q.numel() - 1),
    "count the values, not the differences of neighbours.": lambda q: entropy(q.flatten().diff()),
}


def step(level: float, root: float = 12.0, peak: float = 255.0, per: float = 20.0) -> float:
    """The step for a PSNR, from Δ² / root = peak² 10^(-level / 10)."""
    return math.sqrt(root) * peak * 10 ** (-level / per)


def mse(level: float) -> float:
    return 10 ** (-level / 10)


STEP_MISTAKES: dict[str, Callable] = {
    "the mean square error is Δ²/12: the root of 12 is missing.": partial(step, root=1.0),
    "that is for pixels in [0, 1]; multiply by 255.": partial(step, peak=1.0),
    "pixels in [0, 1] have 255 steps between 0 and 1, not 256.": partial(step, peak=256.0),
    "multiply by 255, do not divide by it: steps in grey levels are larger.": partial(
        step, peak=1 / 255
    ),
    "multiply by 255 once.": partial(step, peak=255.0**2),
    "that is Δ²: take the root.": lambda dB: step(dB) ** 2,
    "that is Δ² for pixels in [0, 1]: take the root, multiply by 255.": (
        lambda dB: step(dB, peak=1.0) ** 2
    ),
    "take the root of the mean square error, and of 12.": lambda dB: 255 * 12 * mse(dB),
    "take the root of 12, not 12.": partial(step, root=144.0),
    "12 is multiplied, not divided by: Δ² = 12 MSE.": partial(step, root=1 / 12),
    "12 is multiplied, not divided by, and has a root: Δ² = 12 MSE.": partial(step, root=1 / 144),
    "255 stands outside the root.": lambda dB: math.sqrt(12 * 255 * mse(dB)),
    "255 stands outside the root, and is squared within it.": (
        lambda dB: math.sqrt(12 * mse(dB) / 255)
    ),
    "10^(-PSNR/20) is the root already: take the root of 12 only.": (
        lambda dB: math.sqrt(12 * 10 ** (-dB / 20)) * 255
    ),
    "10^(-PSNR/20) is the root already: take the root of 12 only; 255 is outside.": (
        lambda dB: math.sqrt(12 * 255 * 10 ** (-dB / 20))
    ),
    "decibels have base 10, not e.": lambda dB: 255 * math.sqrt(12 * math.exp(-dB / 10)),
    "decibels have base 10, not 2.": lambda dB: 255 * math.sqrt(12 * 2 ** (-dB / 10)),
    "the factor 10 of decibels is missing: MSE = 10^(-PSNR/10).": partial(step, per=2.0),
    "do not round: Δ need not be a whole number.": lambda dB: round(step(dB)),
    "do not round down: Δ need not be a whole number.": lambda dB: math.floor(step(dB)),
    "do not round up: Δ need not be a whole number.": lambda dB: math.ceil(step(dB)),
    "do not round up to 1: Δ may be smaller.": lambda dB: max(step(dB), 1.0),
    "do not round to 1: Δ may be smaller, and need not be whole.": (
        lambda dB: max(1, round(step(dB)))
    ),
    "do not round Δ to decimals.": lambda dB: round(step(dB), 1),
    "do not round Δ to two decimals.": lambda dB: round(step(dB), 2),
    "a higher PSNR needs a smaller step: look at the exponent.": lambda dB: step(-dB),
    "MSE = 10^(-PSNR/10), and its root 10^(-PSNR/20).": partial(step, per=10.0),
    "the error goes from -Δ/2 to Δ/2: Δ²/12, not Δ²/3.": partial(step, root=3.0),
    "the error of rounding is at most Δ/2: Δ²/12, not Δ²/48.": partial(step, root=48.0),
    "a mean square error of Δ²/4 is the largest error; uniform ones have Δ²/12.": (
        partial(step, root=4.0)
    ),
    "plain rounding has Δ²/12; Δ²/9 is another quantiser.": partial(step, root=9.0),
    "uniform errors have Δ²/12, not Δ²/6.": partial(step, root=6.0),
    "uniform errors have Δ²/12, not Δ²/24.": partial(step, root=24.0),
    "that is the mean square error; solve Δ²/12 = MSE.": lambda dB: 255**2 * mse(dB),
    "that is the mean square error for [0, 1]; solve Δ²/12 = MSE, in grey levels.": mse,
    "that is the root of the mean square error for [0, 1]; solve Δ²/12 = MSE.": (
        partial(step, root=1.0, peak=1.0)
    ),
    "that is a PSNR for a step, the reverse.": lambda dB: -10 * math.log10(dB**2 / 12 / 255**2),
}
