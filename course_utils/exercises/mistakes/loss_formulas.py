"""SSIM of flat images, slope of cross-entropy, and the mistakes made about them (06.1, 06.2)."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

__all__ = ["BCE_MISTAKES", "SSIM_MISTAKES", "gradient", "ssim"]

C1, C2 = 0.01**2, 0.03**2


def ssim(a: Tensor, b: Tensor, above: float = C1, below: float = C1, twice: float = 2) -> Tensor:
    """SSIM of flat images; `above` and `below` are the constants of numerator and denominator."""
    return (twice * a * b + above) / (a**2 + b**2 + below)


SSIM_MISTAKES: dict[str, Callable] = {
    "c1 is 0.01 squared, not 0.01.": partial(ssim, above=0.01, below=0.01),
    "that is the loss, 1 - SSIM; return SSIM.": lambda a, b: 1 - ssim(a, b),
    "that is the loss, (1 - SSIM) / 2; return SSIM.": lambda a, b: (1 - ssim(a, b)) / 2,
    "you took c2; the means go with c1 = 0.01².": partial(ssim, above=C2, below=C2),
    "c2 is 0.03 squared and goes with the variances; the means go with c1 = 0.01².": (
        partial(ssim, above=0.03, below=0.03)
    ),
    "the factor 2 of the numerator is missing.": partial(ssim, twice=1),
    "the factor 2 belongs to a b alone, not to c1.": partial(ssim, above=2 * C1),
    "c1 is missing in the numerator.": partial(ssim, above=0),
    "c1 is missing in the denominator.": partial(ssim, below=0),
    "c1 is missing; without it black against black is 0/0.": partial(ssim, above=0, below=0),
    "c1 keeps black against black from 0/0: put no tiny number, no nan_to_num in its place.": (
        lambda a, b: ssim(a, b, 0, 0).nan_to_num(1)
    ),
    "levels are in [0, 1], so L is 1: c1 = 0.01², not (0.01 · 255)².": (
        partial(ssim, above=2.55**2, below=2.55**2)
    ),
    "the second factor is c2 / c2 = 1, not zero.": lambda a, b: 0 * a,
    "the second factor is c2 / c2 = 1, not c2.": lambda a, b: ssim(a, b) * C2,
    "the second factor is c2 / c2 = 1, not 1 / c2.": lambda a, b: ssim(a, b) / C2,
    "the denominator adds a² and b²; it is not (a + b)².": (
        lambda a, b: (2 * a * b + C1) / ((a + b) ** 2 + C1)
    ),
    "square the means in the denominator.": lambda a, b: (2 * a * b + C1) / (a + b + C1),
    "the denominator adds a² and b²; you multiplied them.": (
        lambda a, b: (2 * a * b + C1) / (a**2 * b**2 + C1)
    ),
    "the denominator adds a² and b²; you subtracted.": (
        lambda a, b: (2 * a * b + C1) / (a**2 - b**2 + C1)
    ),
    "the numerator multiplies a and b; you added them.": (
        lambda a, b: (2 * (a + b) + C1) / (a**2 + b**2 + C1)
    ),
    "brackets: c1 is added before dividing, in the numerator.": (
        lambda a, b: 2 * a * b + C1 / (a**2 + b**2 + C1)
    ),
    "brackets: c1 is added before dividing, in the denominator.": (
        lambda a, b: (2 * a * b + C1) / (a**2 + b**2) + C1
    ),
    "brackets: divide by the whole denominator.": (
        lambda a, b: (2 * a * b + C1) / a**2 + b**2 + C1
    ),
    "upside down: 2 a b + c1 is the numerator.": lambda a, b: 1 / ssim(a, b),
    "the formula has no square outside.": lambda a, b: ssim(a, b) ** 2,
    "the formula has no root.": lambda a, b: ssim(a, b).sqrt(),
    "return a number for each pair, not their mean.": lambda a, b: ssim(a, b).mean(),
    "return a number for each pair; yours is the mean, repeated.": (
        lambda a, b: ssim(a, b).mean().expand_as(a)
    ),
    "return a number for each pair: the levels are not the pixels of one image.": (
        lambda a, b: ssim(a.mean(), b.mean())
    ),
    "pair a[i] with b[i], not each a with each b.": lambda a, b: ssim(a[:, None], b),
    "pair a[i] with b[i], not each b with each a.": lambda a, b: ssim(a, b[:, None]),
    "that is the difference of the levels; SSIM is a ratio.": lambda a, b: 1 - (a - b).abs(),
    "that is the squared difference of the levels; SSIM is a ratio.": lambda a, b: 1 - (a - b) ** 2,
}


def gradient(a: Tensor, x: Tensor, p: Callable = torch.sigmoid) -> Tensor:
    """The gradient of the mean cross-entropy of sigmoid(a); `p` replaces the sigmoid."""
    return (p(a) - x) / a.numel()


def slope(a: Tensor) -> Tensor:
    """Derivative of the sigmoid."""
    return a.sigmoid() * (1 - a.sigmoid())


BCE_MISTAKES: dict[str, Callable] = {
    "the loss is a mean: divide by the count of all numbers.": lambda a, x: a.sigmoid() - x,
    "divide by all numbers, not by the images.": lambda a, x: (a.sigmoid() - x) / len(a),
    "divide by all numbers, not by those of the last axis.": (
        lambda a, x: (a.sigmoid() - x) / a.shape[-1]
    ),
    "divide by all numbers, not by those of one image.": (
        lambda a, x: (a.sigmoid() - x) / a[0].numel()
    ),
    "divide by the count of all numbers; you multiplied.": (
        lambda a, x: (a.sigmoid() - x) * a.numel()
    ),
    "the sign is turned: the gradient points uphill.": lambda a, x: -gradient(a, x),
    "the sign is turned, and the mean is missing: divide by the count of all numbers.": (
        lambda a, x: x - a.sigmoid()
    ),
    "the slope of the sigmoid cancels: leave it out.": lambda a, x: gradient(a, x) * slope(a),
    "that is twice a squared error's gradient; cross-entropy has no 2 and no slope.": (
        lambda a, x: 2 * gradient(a, x) * slope(a)
    ),
    "no factor 2: that belongs to squared errors.": lambda a, x: 2 * gradient(a, x),
    "that is the gradient by the sigmoid's output; multiply by its slope, which cancels.": (
        lambda a, x: gradient(a, x) / slope(a)
    ),
    "that is the gradient by the sigmoid's output, kept from infinity; its slope cancels.": (
        lambda a, x: gradient(a, x) / slope(a).clamp_min(1e-12)
    ),
    "a is the number before the sigmoid: take a.sigmoid().": lambda a, x: (a - x) / a.numel(),
    "x is an image already: no sigmoid of it.": lambda a, x: gradient(a, x.sigmoid()),
    "roles exchanged: the sigmoid is that of a.": lambda a, x: (x.sigmoid() - a) / a.numel(),
    "the model ends in a sigmoid, not in tanh.": partial(gradient, p=torch.tanh),
    "the sigmoid is taken twice.": partial(gradient, p=lambda a: a.sigmoid().sigmoid()),
    "the sigmoid of a is meant, not of -a.": partial(gradient, p=lambda a: (-a).sigmoid()),
    "each number has its own sigmoid; softmax makes them sum to 1.": (
        partial(gradient, p=lambda a: a.softmax(dim=-1))
    ),
    "the part of the white pixels, (1 - x) sigmoid(a), is missing.": (
        lambda a, x: x * (a.sigmoid() - 1) / a.numel()
    ),
    "the part with x, -x (1 - sigmoid(a)), is missing.": (
        lambda a, x: (1 - x) * a.sigmoid() / a.numel()
    ),
    "x may be grey: do not round it.": lambda a, x: gradient(a, x.round()),
    "a sigmoid may be anything from 0 to 1: do not round it.": (
        partial(gradient, p=lambda a: a.sigmoid().round())
    ),
    "only the sign is left: the size of sigmoid(a) - x counts.": (
        lambda a, x: gradient(a, x).sign() / a.numel()
    ),
    "the gradient has a sign: no abs().": lambda a, x: gradient(a, x).abs(),
    **{
        f"the sigmoid needs no clamp at {least:g}: nothing is divided by it.": (
            partial(gradient, p=lambda a, least=least: a.sigmoid().clamp(least, 1 - least))
        )
        for least in (0.1, 0.05, 0.01, 1e-3, 1e-4, 1e-5)
    },
    **{
        f"a needs no clamp at {most:g}: the sigmoid is right for all a.": (
            partial(gradient, p=lambda a, most=most: a.clamp(-most, most).sigmoid())
        )
        for most in (1.0, 5.0, 10.0)
    },
    "return a number for each a; yours is one for all, the mean of sigmoid(a) - x.": (
        lambda a, x: gradient(a, x).sum()
    ),
    "return a number for each a; yours is one for all, the mean of the gradient.": lambda a, x: (
        gradient(a, x).mean()
    ),
    "return a number for each a, not a mean for each image.": (
        lambda a, x: (a.sigmoid() - x).flatten(1).mean(dim=1)
    ),
    "that is the loss; return its gradient.": (
        lambda a, x: torch.nn.functional.binary_cross_entropy_with_logits(a, x)
    ),
    "exp(120) is infinite in float32: take a.sigmoid().": (
        partial(gradient, p=lambda a: a.exp() / (1 + a.exp()))
    ),
    "NaN: the slope of the sigmoid is 0 for large |a|. Cancel it on paper.": (
        lambda a, x: gradient(a, x) / slope(a) * slope(a)
    ),
    "the gradient vanishes for large |a|, as with autograd: cancel the slope on paper.": (
        lambda a, x: gradient(a, x).where(slope(a) > 0, 0)
    ),
}
