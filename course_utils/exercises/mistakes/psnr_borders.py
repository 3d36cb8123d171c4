"""PSNR without a border, with the mistakes made about it (exercise 07.4)."""

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

__all__ = ["BORDER_MISTAKES", "inside"]


def decibels(error: Tensor) -> Tensor:
    return -10 * error.square().mean(dim=(1, 2, 3)).log10()


def square_inside(x: Tensor, border: int) -> Tensor:
    height, width = x.shape[2:]
    return x[..., border : height - border, border : width - border]


def inside(
    e: Tensor, x: Tensor, border: int, cut: Callable = square_inside, score: Callable = decibels
) -> Tensor:
    """PSNR without the border; `cut` takes it off the error, `score` makes the PSNR."""
    return score(cut(e - x, border))


def of_mean(of_error: Callable = torch.square, factor: float = -10 / math.log(10)) -> Callable:
    """Another score: a factor times the natural logarithm of a mean over each image."""
    return lambda error: factor * of_error(error).mean(dim=(1, 2, 3)).log()


def zeroed(error: Tensor, border: int) -> Tensor:
    """A mistake: the border's error is zero, but its pixels count."""
    height, width = error.shape[2:]
    kept = torch.zeros_like(error)
    middle = slice(border, height - border), slice(border, width - border)
    kept[(..., *middle)] = error[(..., *middle)]
    return kept


def corners(top: int, bottom: int, left: int, right: int, more: int = 0) -> Callable:
    """A mistake: sides that are cut off `border` times these numbers, and `more` pixels."""

    def cut(error: Tensor, border: int) -> Tensor:
        height, width = error.shape[2:]
        ends = height - bottom * border - more * bottom, width - right * border - more * right
        return error[..., top * border : ends[0], left * border : ends[1]]

    return cut


BORDER_MISTAKES: dict[str, Callable] = {
    "the border is still in it.": lambda e, x, b: inside(e, x, 0),
    "you cut top and left only.": partial(inside, cut=corners(1, 0, 1, 0)),
    "you cut bottom and right only.": partial(inside, cut=corners(0, 1, 0, 1)),
    "you cut the rows only.": partial(inside, cut=corners(1, 1, 0, 0)),
    "you cut the columns only.": partial(inside, cut=corners(0, 0, 1, 1)),
    "cut `border` pixels at each side, not twice as many at the top and left.": (
        partial(inside, cut=corners(2, 0, 2, 0))
    ),
    "cut `border` pixels at each side, not half of them.": (lambda e, x, b: inside(e, x, b // 2)),
    "cut `border` pixels at each side, not twice as many.": lambda e, x, b: inside(e, x, 2 * b),
    "one pixel too much at each side.": lambda e, x, b: inside(e, x, b + 1),
    "one pixel too few at each side.": lambda e, x, b: inside(e, x, max(b - 1, 0)),
    "one pixel too much at the right and the bottom.": (
        partial(inside, cut=corners(1, 1, 1, 1, more=1))
    ),
    "one pixel too few at the right and the bottom: the end of a slice is left out.": (
        partial(inside, cut=corners(1, 1, 1, 1, more=-1))
    ),
    "leave the border's pixels out of the mean; zeros still count.": partial(inside, cut=zeroed),
    "that is the PSNR of the border; leave it out.": (
        partial(inside, cut=lambda error, b: error - zeroed(error, b))
    ),
    "rows end at height - border, columns at width - border; you swapped them.": (
        partial(inside, cut=lambda d, b: d[..., b : d.shape[3] - b, b : d.shape[2] - b])
    ),
    "columns end at width - border; yours end at height - border.": (
        partial(inside, cut=lambda d, b: d[..., b : d.shape[2] - b, b : d.shape[2] - b])
    ),
    "rows end at height - border; yours end at width - border.": (
        partial(inside, cut=lambda d, b: d[..., b : d.shape[3] - b, b : d.shape[3] - b])
    ),
    "b:-b is empty for a border of 0.": partial(inside, cut=lambda d, b: d[..., b:-b, b:-b]),
    "only the estimate has lost its border; the truth must lose it, too.": (
        lambda e, x, b: decibels(zeroed(e, b) - x)
    ),
    "the sign: PSNR is -10 log10 of the mean square error.": lambda e, x, b: -inside(e, x, b),
    "PSNR is 10 log10 of a mean square; 20 goes with its root.": lambda e, x, b: (
        2 * inside(e, x, b)
    ),
    "the factor 10 of decibels is missing.": lambda e, x, b: inside(e, x, b) / 10,
    "take the logarithm to base 10, not the natural one.": (
        partial(inside, score=of_mean(factor=-10))
    ),
    "take the logarithm to base 10, not 2.": partial(
        inside, score=of_mean(factor=-10 / math.log(2))
    ),
    "square the error: a mean of magnitudes is no PSNR.": partial(inside, score=of_mean(torch.abs)),
    "square the error; a mean of magnitudes is no PSNR, also with 20.": (
        partial(inside, score=of_mean(torch.abs, -20 / math.log(10)))
    ),
    "square the error before taking the mean.": (
        partial(inside, score=lambda d: -10 * d.mean(dim=(1, 2, 3)).square().log10())
    ),
    "take the mean of the squares, not their sum.": (
        partial(inside, score=lambda d: -10 * d.square().sum(dim=(1, 2, 3)).log10())
    ),
    "take the mean of the squares, not the variance of the error.": (
        partial(inside, score=lambda d: -10 * d.flatten(1).var(dim=1).log10())
    ),
    "take the mean of the squares: do not take off the error's mean.": (
        partial(inside, score=lambda d: -10 * d.flatten(1).var(dim=1, correction=0).log10())
    ),
    "that is the mean square error; PSNR is -10 log10 of it.": (
        partial(inside, score=lambda d: d.square().mean(dim=(1, 2, 3)))
    ),
    "return the PSNR of each image, not of the batch.": (
        partial(inside, score=lambda d: -10 * d.square().mean().log10())
    ),
    "return the PSNR of each image; yours is that of the batch, repeated.": (
        partial(inside, score=lambda d: (-10 * d.square().mean().log10()).expand(len(d)))
    ),
    "return the PSNR of each image, not the mean of them.": (
        partial(inside, score=lambda d: decibels(d).mean())
    ),
    "one PSNR for an image: take the mean over its channels before the logarithm.": (
        partial(inside, score=lambda d: -10 * d.square().mean(dim=(2, 3)).log10().mean(dim=1))
    ),
    "return one PSNR for each image, not for each channel.": (
        partial(inside, score=lambda d: -10 * d.square().mean(dim=(2, 3)).log10())
    ),
    "use all channels, not only the first.": partial(inside, score=lambda d: decibels(d[:, :1])),
    "add the squares of channels; you took the mean of the channels first.": (
        partial(inside, score=lambda d: decibels(d.mean(dim=1, keepdim=True)))
    ),
    "add the squares of channels, but divide by their number, too.": (
        partial(inside, score=lambda d: decibels(d) - 10 * math.log10(d.shape[1]))
    ),
    "pixels are in [0, 1]: the peak is 1, not 255.": (
        lambda e, x, b: inside(e, x, b) + 20 * math.log10(255)
    ),
    "the peak is 1, not the largest pixel of the truth.": (
        lambda e, x, b: inside(e, x, b) + 20 * x.amax(dim=(1, 2, 3)).log10()
    ),
    "the peak is 1, not the largest pixel of all truths.": (
        lambda e, x, b: inside(e, x, b) + 20 * x.max().log10()
    ),
    "the peak is 1, not the largest pixel of the truth's inside.": (
        lambda e, x, b: inside(e, x, b) + 20 * square_inside(x, b).amax(dim=(1, 2, 3)).log10()
    ),
    "the peak is 1, not the largest pixel inside all truths.": (
        lambda e, x, b: inside(e, x, b) + 20 * square_inside(x, b).max().log10()
    ),
    "the peak is 1, not the range of the truth's pixels.": (
        lambda e, x, b: (
            inside(e, x, b) + 20 * (x.amax(dim=(1, 2, 3)) - x.amin(dim=(1, 2, 3))).log10()
        )
    ),
    "the estimate counts as it is: do not clip it to [0, 1].": (
        lambda e, x, b: inside(e.clamp(0, 1), x, b)
    ),
    **{
        f"do not add {small:g} to the mean square: errors may be small.": (
            partial(
                inside,
                score=lambda d, small=small: -10 * (d.square().mean(dim=(1, 2, 3)) + small).log10(),
            )
        )
        for small in (1e-3, 1e-4, 1e-5, 1e-6, 1e-7)
    },
}
