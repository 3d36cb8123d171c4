"""The transposed convolution, with the mistakes made about it (exercise 04.4)."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["SPREAD_MISTAKES", "spread"]


def spread(
    y: Tensor,
    weight: Tensor,
    stride: int = 1,
    padding: int = 0,
    step: int | None = None,
    add: bool = True,
    cut: Callable | None = None,
) -> Tensor:
    """The transposed convolution; copies stand `step` apart, without `add` they overwrite."""
    x, step = torch.zeros_like(F.conv_transpose2d(y, weight, stride=stride)), step or stride
    for i in range(y.shape[2]):
        for j in range(y.shape[3]):
            copies = torch.einsum("nm,mckl->nckl", y[:, :, i, j], weight)
            place = x[:, :, i * step :, j * step :][..., : copies.shape[2], : copies.shape[3]]
            place.copy_(place + copies if add else copies)
    height, width = x.shape[2] - padding, x.shape[3] - padding
    return cut(x, padding) if cut else x[..., padding:height, padding:width]


def after(
    y: Callable = torch.clone,
    weight: Callable = torch.clone,
    stride: Callable = int,
    **changed: Any,
) -> Callable:
    """A mistake: the transposed convolution of changed arguments."""
    return lambda maps, kernel, s=1, p=0: spread(y(maps), weight(kernel), stride(s), p, **changed)


def averaged(y: Tensor, weight: Tensor, stride: int = 1, padding: int = 0) -> Tensor:
    """A mistake: copies are divided by how many cover a pixel."""
    one = torch.ones_like(y[:1, :1]), torch.ones_like(weight[:1, :1])
    cover = spread(*one, stride, padding).clamp_min(1)
    return spread(y, weight, stride, padding) / cover


SPREAD_MISTAKES: dict[str, Callable] = {
    "neighbouring copies stand `stride` pixels apart.": after(stride=lambda s: 1),
    "neighbouring copies stand `stride` pixels apart; only your size knows the stride.": (
        after(step=1)
    ),
    "the stride is the argument, not always 2.": after(stride=lambda s: 2),
    "add the copies (+=); yours overwrite each other.": after(add=False),
    "add the copies; you divided by how many cover a pixel.": averaged,
    "the kernel is turned round; spread it as it is.": after(weight=lambda w: w.flip(2, 3)),
    "the kernel is turned upside down; spread it as it is.": after(weight=lambda w: w.flip(2)),
    "the kernel is turned left to right; spread it as it is.": after(weight=lambda w: w.flip(3)),
    "rows and columns of the kernel are exchanged.": after(weight=lambda w: w.mT),
    "cut `padding` pixels off at each side.": after(cut=lambda x, p: x),
    "x[p:-p] is empty for p = 0.": after(cut=lambda x, p: x[..., p:-p, p:-p]),
    "cut `padding` pixels off at each side, not 2 padding at the top and the left.": (
        after(cut=lambda x, p: x[..., 2 * p :, 2 * p :])
    ),
    "cut `padding` pixels off at each side, not 2 padding at the bottom and the right.": (
        after(cut=lambda x, p: x[..., : x.shape[2] - 2 * p, : x.shape[3] - 2 * p])
    ),
    "cut `padding` pixels off at all four sides; you cut the top and the left only.": (
        after(cut=lambda x, p: x[..., p:, p:])
    ),
    "cut `padding` pixels off at all four sides; you cut the bottom and the right only.": (
        after(cut=lambda x, p: x[..., : x.shape[2] - p, : x.shape[3] - p])
    ),
    "cut `padding` pixels off at all four sides; you cut the rows only.": (
        after(cut=lambda x, p: x[..., p : x.shape[2] - p, :])
    ),
    "cut `padding` pixels off at each side; you added them.": (
        after(cut=lambda x, p: F.pad(x, (p, p, p, p)))
    ),
    "cut `padding` pixels off at each side, not half of them.": (
        after(cut=lambda x, p: x[..., p // 2 : x.shape[2] - p // 2, p // 2 : x.shape[3] - p // 2])
    ),
    "spread all maps, not only the first.": after(lambda y: y[:, :1], lambda w: w[:1]),
    "spread all maps, not only the last.": after(lambda y: y[:, -1:], lambda w: w[-1:]),
    "add the copies of the maps; yours are averaged.": after(weight=lambda w: w / len(w)),
    "each channel has its own kernel; you took the first one's.": (
        after(weight=lambda w: w[:, :1].expand_as(w))
    ),
    "each map has its own kernel; you took the first one's.": (
        after(weight=lambda w: w[:1].expand_as(w))
    ),
    "each image has its own numbers; you took the first one's.": (
        after(lambda y: y[:1].expand_as(y))
    ),
    "images need not be square: your width comes from the height.": (
        after(lambda y: y[..., : y.shape[2]])
    ),
    "the last row and column of y are left out.": (
        after(lambda y: F.pad(y[..., :-1, :-1], (0, 1, 0, 1)))
    ),
    "multiply the kernel by the number of y; you left the number out.": after(torch.ones_like),
    "the kernel is added as it is: do not divide it by its number of pixels.": (
        after(weight=lambda w: w / w[0, 0].numel())
    ),
}
