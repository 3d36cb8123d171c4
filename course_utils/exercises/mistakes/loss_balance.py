"""The weight that balances two losses, with the mistakes made about it (exercise 06.3)."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

__all__ = ["WEIGHT_MISTAKES", "weight"]


def square(error: Tensor) -> Tensor:
    return error.square().mean()


def weight(x: Tensor, s: Tensor, x_hat: Tensor, share: float, size: Callable = square) -> Tensor:
    """The weight of the encoding loss; `size` makes a loss of the errors."""
    return share / (1 - share) * size(x - x_hat) / size(x - s)


def for_each(error: Tensor) -> Tensor:
    return error.square().flatten(1).mean(dim=1)


SMALL = (1.0, 0.1, 0.01, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
WEIGHT_MISTAKES: dict[str, Callable] = {
    "the share is of the sum of both losses.": lambda x, s, y, p: weight(x, s, y, p) * (1 - p),
    "upside down: divide by the encoding loss.": lambda x, s, y, p: weight(x, y, s, p),
    "upside down: divide by the encoding loss; the share is of the sum of both.": (
        lambda x, s, y, p: weight(x, y, s, p) * (1 - p)
    ),
    "the losses have different sizes: measure both.": lambda x, s, y, p: p / (1 - p),
    "the losses have different sizes: measure both; the share is of their sum.": (
        lambda x, s, y, p: p
    ),
    "that gives the share to the decoding loss.": lambda x, s, y, p: weight(x, s, y, 1 - p),
    "everything is upside down: that is one over the weight.": (
        lambda x, s, y, p: 1 / weight(x, s, y, p)
    ),
    "the share is not used: yours makes both losses equal.": (
        lambda x, s, y, p: weight(x, s, y, 0.5)
    ),
    "with weight w the sum is w E + D, not E + D: solve for w.": (
        lambda x, s, y, p: p * (square(x - s) + square(x - y)) / square(x - s)
    ),
    "the share is p / (1 - p), not (1 - p).": lambda x, s, y, p: weight(x, s, y, 0.5) * (1 - p),
    "divide by 1 - share, not by 1 + share.": (
        lambda x, s, y, p: weight(x, s, y, 0.5) * p / (1 + p)
    ),
    "the share must be multiplied by as well: share / (1 - share).": (
        lambda x, s, y, p: weight(x, s, y, 0.5) / (1 - p)
    ),
    "divide by 1 - share, not by the share.": lambda x, s, y, p: weight(x, s, y, 0.5) / p,
    "multiply by the decoding loss.": lambda x, s, y, p: p / (1 - p) / square(x - s),
    "divide by the encoding loss.": lambda x, s, y, p: p / (1 - p) * square(x - y),
    "multiply by the decoding loss; you multiplied both.": (
        lambda x, s, y, p: p / (1 - p) * square(x - y) * square(x - s)
    ),
    "decoding compares x_hat with x, not with s.": lambda x, s, y, p: weight(s, x, y, p),
    "encoding compares s with x, not with x_hat.": lambda x, s, y, p: weight(y, s, x, p),
    "the encoding loss compares s with x; a norm of s alone is no error.": (
        lambda x, s, y, p: p / (1 - p) * square(x - y) / square(s)
    ),
    "squared errors, not their roots.": partial(weight, size=lambda e: square(e).sqrt()),
    "squared errors, not their magnitudes.": partial(weight, size=lambda e: e.abs().mean()),
    "square the errors before you take the mean.": (
        partial(weight, size=lambda e: e.mean().square())
    ),
    "square the errors.": partial(weight, size=torch.mean),
    "take the errors' mean square, not their variance.": partial(weight, size=torch.var),
    "take the errors' mean square, not the median.": (
        partial(weight, size=lambda e: e.square().median())
    ),
    "take the errors' mean square, not the largest.": (
        partial(weight, size=lambda e: e.square().max())
    ),
    "squared errors; you squared them twice.": partial(weight, size=lambda e: square(e) ** 2),
    "both losses are means over all images: divide these, no ratios of single images.": (
        lambda x, s, y, p: (p / (1 - p) * for_each(x - y) / for_each(x - s)).mean()
    ),
    "return one number, not one for each image.": (
        lambda x, s, y, p: (p / (1 - p) * for_each(x - y) / for_each(x - s)).squeeze()
    ),
    "both losses are means over all images, not the first one's.": (
        partial(weight, size=lambda e: square(e[0]))
    ),
    "both are means: divide the sum of the encoding loss by its numbers.": (
        lambda x, s, y, p: weight(x, s, y, p) / x.numel()
    ),
    "both are means: divide the sum of the decoding loss by its numbers.": (
        lambda x, s, y, p: weight(x, s, y, p) * x.numel()
    ),
    "the share is a fraction from 0 to 1, not per cent.": lambda x, s, y, p: weight(
        x, s, y, p / 100
    ),
    "the weight may be more than 1: no clamp.": lambda x, s, y, p: weight(x, s, y, p).clamp_max(1),
    "the weight may be less than 1: no clamp.": lambda x, s, y, p: weight(x, s, y, p).clamp_min(1),
    **{
        f"do not add {small:g} to the encoding loss: losses may be small.": (
            lambda x, s, y, p, small=small: p / (1 - p) * square(x - y) / (square(x - s) + small)
        )
        for small in SMALL
    },
    **{
        f"do not add {small:g} to the denominator: losses may be small.": (
            lambda x, s, y, p, small=small: p * square(x - y) / ((1 - p) * square(x - s) + small)
        )
        for small in SMALL
    },
}
