"""Bits of a code by counting, with the mistakes made about them (exercise 06.5)."""

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

__all__ = ["LENGTH_MISTAKES", "length"]

LOG_2 = math.log(2)


def active(code: Tensor) -> Tensor:
    return (code != 0).sum(dim=1)


def length(code: Tensor, bits: float, count: Callable = math.comb) -> Tensor:
    """Bits of each code; `count` gives the number of supports from K and k."""
    supports = [math.log2(count(code.shape[1], int(k))) for k in active(code)]
    return torch.tensor(supports) + bits * active(code)


def by_gamma(code: Tensor, bits: float, base: float = 2, shift=1, own=1, rest=1) -> Tensor:
    """The same by lgamma; the arguments shift those of K, k and K - k, or take another base."""
    K, k = torch.tensor(float(code.shape[1])), active(code).float()
    logs = [(n + s).clamp_min(1).lgamma() for n, s in [(K, shift), (k, own), (K - k, rest)]]
    return (logs[0] - logs[1] - logs[2]) / math.log(base) + bits * k


def entropic(code: Tensor, bits: float) -> Tensor:
    """A mistake: K times the entropy of k / K; NaN for an empty or a full code."""
    p = active(code) / code.shape[1]
    return -code.shape[1] * (p * p.log2() + (1 - p) * (1 - p).log2()) + bits * active(code)


def entropic_share(code: Tensor, bits: float) -> Tensor:
    """A mistake: entropy without the part of the units that are not active."""
    k = active(code)
    return (k * (code.shape[1] / k.clamp_min(1)).log2()) + bits * k


def of_sets(code: Tensor, bits: float, units: int = 0, same: Callable = torch.clone) -> Tensor:
    """By lgamma for any number of `units`; `same` changes the numbers of active units."""
    K, k = torch.tensor(float(units or code.shape[1])), same(active(code).float())
    places = torch.lgamma(K + 1) - torch.lgamma(k + 1) - torch.lgamma(K - k + 1)
    return (places / LOG_2 + bits * k).expand(len(code))


LENGTH_MISTAKES: dict[str, Callable] = {
    "you counted each set in every order: subtract log2 k! too.": partial(length, count=math.perm),
    "k log2 K counts every order.": partial(length, count=pow),
    "log2 K is for one place: count the sets of k places.": (partial(length, count=lambda K, k: K)),
    "K bits tell of each unit whether it is active; count the sets of k places.": (
        partial(length, count=lambda K, k: 2**K)
    ),
    "k! is in the denominator, with (K - k)!.": (
        partial(length, count=lambda K, k: math.perm(K, k) * math.factorial(k))
    ),
    "subtract log2 (K - k)!, too.": (
        partial(length, count=lambda K, k: math.factorial(K) // math.factorial(k))
    ),
    "that is log2 K! alone: subtract log2 k! and log2 (K - k)!.": (
        partial(length, count=lambda K, k: math.factorial(K))
    ),
    "that is log2 k!, the orders of the active units; count the sets.": (
        partial(length, count=lambda K, k: math.factorial(k))
    ),
    "take the logarithm to base 2 of the number of sets.": (
        lambda c, b: 2 ** length(c, 0).clamp_max(60) + b * active(c)
    ),
    "places are in nats: divide by log(2).": lambda c, b: length(c, 0) * LOG_2 + b * active(c),
    "places are in nats: divide by log(2), do not multiply by it.": (
        lambda c, b: length(c, 0) * LOG_2**2 + b * active(c)
    ),
    "that is in nats: divide by log(2), the places alone.": (
        lambda c, b: (length(c, 0) + b * active(c)) / LOG_2
    ),
    "you divided by log(2) twice.": lambda c, b: length(c, 0) / LOG_2 + b * active(c),
    "the logarithm has base 2, not 10.": partial(by_gamma, base=10),
    "all is in nats: the places need 1 / log(2), the weights have bits already.": (
        lambda c, b: length(c, b) * LOG_2
    ),
    "the sign is turned: log2 of the number of sets is positive.": (
        lambda c, b: b * active(c) - length(c, 0)
    ),
    "bits are not below zero: all signs are turned.": lambda c, b: -length(c, b),
    "the weights cost bits too: k times bits.": lambda c, bits: length(c, 0),
    "each of the k weights costs bits, not all together.": lambda c, bits: length(c, 0) + bits,
    "each weight costs bits; yours counts every place as well.": (
        lambda c, b: length(c, 0) * (1 + b * active(c))
    ),
    "the weights of the active units cost bits, not all K.": (
        lambda c, b: length(c, 0) + b * c.shape[1]
    ),
    "the weights of the active units cost bits, not those of the others.": (
        lambda c, b: length(c, 0) + b * (c.shape[1] - active(c))
    ),
    "add log2 of the number of supports.": lambda c, bits: bits * active(c),
    "a weight costs `bits` bits, not log2 of that.": (lambda c, b: length(c, math.log2(b))),
    "a weight costs `bits` bits, not 2 to that power.": lambda c, b: length(c, 2**b),
    "a weight costs `bits`, not bits times its magnitude.": (
        lambda c, b: length(c, 0) + b * c.abs().sum(dim=1)
    ),
    "negative weights are active too: != 0.": lambda c, bits: length(c.relu(), bits),
    "positive weights are active too: != 0.": lambda c, bits: length((-c).relu(), bits),
    **{
        f"what is not zero counts, a weight of {size:g} as well.": (
            lambda c, b, least=least: length(c * (c.abs() > least), b)
        )
        for size, least in [(1e-9, 1e-6), (4e-3, 0.01), (0.03, 0.1), (0.4, 0.5)]
    },
    "each code has its own k; you took the mean.": partial(of_sets, same=torch.mean),
    "each code has its own k; you took the largest.": partial(of_sets, same=torch.max),
    "each code has its own k; you took that of all codes.": partial(of_sets, same=torch.sum),
    "each code has its own k; you took the first one's.": (
        lambda c, b: length(c, b)[:1].expand(len(c))
    ),
    "each code has its own k; you took the last one's.": (
        lambda c, b: length(c, b)[-1:].expand(len(c))
    ),
    "return the bits of each code, not their sum.": lambda c, b: length(c, b).sum(),
    "return the bits of each code, not their mean.": lambda c, b: length(c, b).mean(),
    "return the bits of each code; you divided by the number of units.": (
        lambda c, b: length(c, b) / c.shape[1]
    ),
    "count along the units, dim=1; you counted each unit over the codes.": (
        lambda c, b: length(c.T, b)
    ),
    "K is the number of units, code.shape[1], not of codes.": (
        lambda c, b: of_sets(c, b, units=len(c))
    ),
    **{
        f"K is the number of units, code.shape[1], not always {K}.": partial(of_sets, units=K)
        for K in (64, 128, 144, 196, 256, 512, 1024)
    },
    "lgamma(n + 1) is the logarithm of n!; you took lgamma(n).": (
        partial(by_gamma, shift=0, own=0, rest=0)
    ),
    "lgamma(n + 1) is the logarithm of n!; K and K - k are one too small.": (
        partial(by_gamma, shift=0, rest=0)
    ),
    "lgamma(n + 1) is the logarithm of n!; that of K is one too small.": (
        partial(by_gamma, shift=0)
    ),
    "lgamma(n + 1) is the logarithm of n!; that of k is one too small.": partial(by_gamma, own=0),
    "lgamma(n + 1) is the logarithm of n!; that of K - k is one too small.": (
        partial(by_gamma, rest=0)
    ),
    "lgamma(0) is infinite; lgamma(n + 1) is the logarithm of n!.": (
        lambda c, b: (
            (
                torch.lgamma(torch.tensor(float(c.shape[1])))
                - torch.lgamma(active(c).float())
                - torch.lgamma(c.shape[1] - active(c).float())
            )
            / LOG_2
            + b * active(c)
        )
    ),
    "that is K times an entropy, NaN for none or all; count the sets with lgamma.": entropic,
    "that is K times an entropy, which only comes close; count the sets with lgamma.": (
        lambda c, b: entropic(c, b).nan_to_num(0) + b * active(c) * (active(c) == c.shape[1])
    ),
    "k log2(K / k) only comes close; count the sets with lgamma.": entropic_share,
    "bits of an ideal coder need not be whole: do not round up.": lambda c, b: length(c, b).ceil(),
    "do not round the bits.": lambda c, b: length(c, b).round(),
}
