"""The price of a reconstruction, the bits of a code, and ways to get them wrong (12.2, 12.3)."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = [
    "BACKWARD",
    "BIT_MISTAKES",
    "ENCODER",
    "NO_GRADIENT",
    "NUMBER",
    "PRICE_MISTAKES",
    "choices",
    "price",
]


def unit(real: Tensor) -> Tensor:
    """Images in [-1, 1], brought to [0, 1]."""
    return (real + 1) / 2


def price(seen: Callable = unit, wanted: Callable = unit, loss: Callable = F.mse_loss) -> Callable:
    """The price with other images for the encoder, other images to reconstruct, another loss."""

    def priced(decoder: Callable, encode: Callable, real: Tensor, weight: float) -> Tensor:
        with torch.no_grad():
            code = encode(seen(real))
        return weight * loss(decoder(code), wanted(real))

    return priced


def squares(join: Callable) -> Callable:
    """The price with another way to join the squared errors (N, C, H, W)."""
    return price(loss=lambda decoded, x: join((decoded - x).square()))


def weighted(weight: Callable) -> Callable:
    """The price with another weight."""
    return lambda *given: price()(*given[:3], weight(given[3]))


def encoded_twice(decoder: Callable, encode: Callable, real: Tensor, weight: float) -> Tensor:
    code = encode(unit(real))
    return weight * F.mse_loss(encode(decoder(code)), code)


NO_GRADIENT = "no gradient reaches the decoder: only the *encoding* belongs under no_grad."
NUMBER = "a number has no gradient: return the tensor, without .item(), float() or a copy of it."
ENCODER = "the encoder gets a gradient; it must stay as it is: encode under torch.no_grad()."
BACKWARD = "only return the price; backward() is left to the caller."
PRICE_MISTAKES: dict[str, Callable] = {
    "the decoder's images lie in [0, 1]: compare with (real + 1) / 2.": price(wanted=torch.clone),
    "the encoder takes images in [0, 1], (real + 1) / 2.": price(seen=torch.clone),
    "bring the images to [0, 1] first, (real + 1) / 2.": price(torch.clone, torch.clone),
    "four times too much: compare in [0, 1], not in [-1, 1].": weighted(lambda w: 4 * w),
    "[-1, 1] becomes [0, 1] by (real + 1) / 2, not by real + 1.": price(*2 * (lambda x: x + 1,)),
    "[-1, 1] becomes [0, 1] by (real + 1) / 2, not by real / 2.": price(*2 * (lambda x: x / 2,)),
    "[-1, 1] becomes [0, 1] by (real + 1) / 2; 2 real - 1 is the way back.": price(
        *2 * (lambda x: 2 * x - 1,)
    ),
    "[-1, 1] becomes [0, 1] by (real + 1) / 2; clamping loses the dark half.": price(
        *2 * (lambda x: x.clamp(0, 1),)
    ),
    "the weight is missing.": weighted(lambda weight: 1.0),
    "twice too much: the squared error has no factor 2.": weighted(lambda weight: 2 * weight),
    "multiply by the weight, do not add it.": (
        lambda *given: given[3] + weighted(lambda weight: 1.0)(*given)
    ),
    "the weight belongs outside the square.": weighted(lambda weight: weight**2),
    "multiply by the weight, do not divide.": weighted(lambda weight: 1 / weight),
    **{
        f"yours uses the weight {fixed} whatever the argument says.": weighted(lambda _, w=fixed: w)
        for fixed in (100, 10, 1000)
    },
    "take the mean over images and pixels; yours is the sum.": squares(torch.sum),
    "take the mean over the pixels too; yours is their sum.": squares(lambda s: s.sum() / len(s)),
    "take the mean over the images too; yours is their sum.": squares(lambda s: s.mean() * len(s)),
    "take the mean over the channels too; yours is their sum.": squares(
        lambda s: s.mean() * s.shape[1]
    ),
    "join all images in one number; yours has one for each.": squares(
        lambda s: s.flatten(1).mean(dim=1)
    ),
    "that is the root of the mean squared error: leave out the root.": squares(
        lambda s: s.mean().sqrt()
    ),
    "half of the squared error is not asked: the factor ½ is too much.": squares(
        lambda s: s.mean() / 2
    ),
    "that is the first image alone: take the mean over all.": squares(lambda s: s[0].mean()),
    "that is the first channel alone: take the mean over all.": squares(lambda s: s[:, 0].mean()),
    "that is the norm of the error; asked is the mean of the squares.": squares(
        lambda s: s.sum().sqrt()
    ),
    "that is the mean norm of an image's error; asked is the mean of the squares.": squares(
        lambda s: s.flatten(1).sum(dim=1).sqrt().mean()
    ),
    "that is the largest squared error; asked is the mean.": squares(torch.max),
    "that is the median of the squared errors; asked is the mean.": squares(torch.median),
    "that is minus the price: it is minimised, so the sign is +.": squares(lambda s: -s.mean()),
    "that is the absolute error; asked is the squared one.": price(loss=F.l1_loss),
    "that is the cross-entropy; asked is the squared error.": price(loss=F.binary_cross_entropy),
    "square each error first, then take the mean.": price(loss=lambda a, b: (a - b).mean() ** 2),
    "yours compares the codes; asked is the error of the images.": encoded_twice,
    NO_GRADIENT: lambda *given: price()(*given).detach(),
    NUMBER: lambda *given: price()(*given).item(),
    ENCODER: lambda d, e, x, weight: weight * F.mse_loss(d(e(unit(x))), unit(x)),
}


def choices(units: int, k: int) -> float:
    """The base-2 logarithm of the number of ways to choose k of the units."""
    return math.log2(math.comb(units, k))


def entropy(units: int, k: int) -> float:
    shares = [share for share in (k / units, 1 - k / units) if share]
    return -units * sum(share * math.log2(share) for share in shares)


def gammas(n: int, k: int) -> float:
    """lgamma(n) for log n!, off by one."""
    return (math.lgamma(n) - math.lgamma(k) - math.lgamma(max(1, n - k))) / math.log(2)


def positions(bits_of: Callable) -> Callable:
    """Other bits for the positions, those of the values are right."""
    return lambda n, k, bits: bits_of(n, k) + k * bits


BIT_MISTAKES: dict[str, Callable] = {
    "the values are missing: k times the bits.": lambda n, k, bits: choices(n, k),
    "the positions are missing: log2 of C(units, k).": lambda n, k, bits: k * bits,
    "take the logarithm to base 2; yours is the natural one.": positions(
        lambda n, k: math.log(2) * choices(n, k)
    ),
    "take the logarithm to base 2, not 10.": positions(lambda n, k: math.log10(2) * choices(n, k)),
    "that is the number of ways; take its logarithm to base 2.": positions(math.comb),
    "divide by k!: the order is free.": positions(lambda n, k: math.log2(math.perm(n, k))),
    "k · log2(units) counts the order too.": positions(lambda n, k: k * math.log2(n)),
    "no unit is chosen twice: log2 of C(units, k).": positions(lambda n, k: choices(n + k - 1, k)),
    "a whole number of bits for each position is too much: log2 of C(units, k).": positions(
        lambda n, k: k * math.ceil(math.log2(n))
    ),
    "bit_length rounds: the card asks for the logarithm itself.": positions(
        lambda n, k: math.comb(n, k).bit_length()
    ),
    "k units are chosen, not k - 1.": positions(lambda n, k: choices(n, k - 1)),
    "one bit for each unit is too much: log2 of C(units, k).": positions(lambda n, k: n),
    "log2(units) are the positions of one value: log2 of C(units, k).": positions(
        lambda n, k: math.log2(n)
    ),
    "the positions count once, not for each value.": positions(lambda n, k: k * choices(n, k)),
    "do not round up: the card asks for the logarithm itself.": positions(
        lambda n, k: math.ceil(choices(n, k))
    ),
    "do not round down: the card asks for the logarithm itself.": positions(
        lambda n, k: math.floor(choices(n, k))
    ),
    "do not round: the card asks for the logarithm itself.": positions(
        lambda n, k: round(choices(n, k))
    ),
    **{
        f"do not round the sum{words}: a number of bits need not be an integer.": (
            lambda n, k, bits, rounded=rounded: rounded(choices(n, k) + k * bits)
        )
        for words, rounded in [(" up", math.ceil), (" down", math.floor), ("", round)]
    },
    "the entropy of k / units, as n log n for log n!, only comes near: math.comb.": positions(
        entropy
    ),
    "n! is the gamma function of n + 1: lgamma(n + 1), or math.comb.": positions(gammas),
    "only k of the units have a value.": lambda n, k, bits: choices(n, k) + n * bits,
    "each of the k values has its bits; yours counts one value.": lambda n, k, b: choices(n, k) + b,
    "the k units that are not zero have values; yours pays for the others.": (
        lambda n, k, bits: choices(n, k) + (n - k) * bits
    ),
    "a value has b bits, not 2 to the power b.": (lambda n, k, bits: choices(n, k) + k * 2**bits),
    "those are the bits of a dense code: only k of the units have a value.": (
        lambda n, k, bits: n * bits
    ),
    "add the bits of positions and values, do not multiply.": lambda n, k, b: choices(n, k) * k * b,
    "subtracts the values' bits: add them.": lambda n, k, bits: choices(n, k) - k * bits,
    "b bits are b, not log2(b): k times the bits.": (
        lambda n, k, bits: choices(n, k) + k * math.log2(bits)
    ),
    **{
        f"yours takes {fixed} units whatever the argument says.": (
            lambda n, k, bits, fixed=fixed: choices(fixed, k) + k * bits
        )
        for fixed in (128, 512)
    },
}
