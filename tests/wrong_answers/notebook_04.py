"""Plausible wrong answers: check -> [(answer, words that the message must hold)]."""

import math

import torch
from torch import nn
from torch.nn import functional as F


def padding(kernel, dilation=1):
    return dilation * (kernel - 1) // 2


def shy(kernel, dilation=1):
    if kernel % 2 == 0:
        raise ValueError("even")
    return padding(kernel, dilation)


def strict(rule):
    """The rule where the padding exists, ValueError elsewhere."""

    def answer(kernel, dilation=1):
        if dilation * (kernel - 1) % 2:
            raise ValueError(kernel)
        return rule(kernel, dilation)

    return answer


def touched(layers):
    """How many pixels are seen, without the holes that a stride above the kernel leaves."""
    seen, step = {0}, 1
    for k, s in layers:
        seen = {place + i * step for place in seen for i in range(k)}
        step *= s
    return len(seen)


def width(layers, own=False, strides=True, add=1, start=1):
    size, step = start, 1
    for k, s in layers:
        if own:
            step *= s
        size += (k - add) * step
        if not own and strides:
            step *= s
    return size


def cosines(A, B):
    return torch.linalg.svdvals(torch.linalg.qr(A)[0].T @ torch.linalg.qr(B)[0])


def degrees(cosine):
    return cosine.clamp(-1, 1).arccos().rad2deg()


def unit(A):
    return A / A.norm(dim=0)


def raw(A, B):
    """Without orthonormal bases."""
    return torch.linalg.svdvals(A.T @ B)


def spread(y, weight, stride, add=True, cut=0):
    k = weight.shape[-1]
    x = y.new_zeros(
        len(y), weight.shape[1], (y.shape[2] - 1) * stride + k, (y.shape[3] - 1) * stride + k
    )
    for i in range(y.shape[2]):
        for j in range(y.shape[3]):
            copies = torch.einsum("nm,mckl->nckl", y[:, :, i, j], weight)
            place = (..., slice(i * stride, i * stride + k), slice(j * stride, j * stride + k))
            x[place] = x[place] + copies if add else copies
    return x[..., cut : x.shape[2] - cut, cut : x.shape[3] - cut]


def dense(y, weight, stride, cut):
    """The copies one pixel apart, in a picture of the right size."""
    k = weight.shape[-1]
    x = y.new_zeros(
        len(y), weight.shape[1], (y.shape[2] - 1) * stride + k, (y.shape[3] - 1) * stride + k
    )
    near = spread(y, weight, 1)
    x[..., : near.shape[2], : near.shape[3]] = near
    return x[..., cut : x.shape[2] - cut, cut : x.shape[3] - cut]


class Blind(nn.Module):
    """A decoder that ignores its code."""

    def __init__(self, *shape):
        super().__init__()
        self.picture = nn.Parameter(torch.zeros(shape))

    def forward(self, code):
        return self.picture.sigmoid().expand(len(code), -1, -1, -1)


def without(part, *places):
    """The sequence without the layers at these places."""
    return nn.Sequential(*(layer for i, layer in enumerate(part) if i not in places))


def pruned(which, *places, then=()):
    """The right network, encoder (0) or decoder (1) without some layers."""

    def answer(*a):
        parts = list(network(*a))
        parts[which] = nn.Sequential(*without(parts[which], *places), *then)
        return tuple(parts)

    return answer


def network(
    channels,
    height,
    width,
    code,
    act=nn.ReLU,
    end=nn.Sigmoid,
    extra=None,
    convolutions=2,
    wide=None,
    up_act=nn.ReLU,
):
    sizes = [(height, width)]
    for _ in range(2):
        sizes.append(tuple((n + 1) // 2 for n in sizes[-1]))
    outs = [extra or tuple(1 - n % 2 for n in size) for size in sizes]
    numbers = 8 * math.prod(sizes[2])
    first = (
        [nn.Conv2d(channels, 4, 3, 2, 1), act(), nn.Conv2d(4, 8, 3, 2, 1), act()]
        if convolutions == 2
        else [nn.Conv2d(channels, 8, 3, 2, 1), act(), nn.MaxPool2d(2, ceil_mode=True)]
    )
    encoder = nn.Sequential(*first, nn.Flatten(), nn.Linear(numbers, wide or code))
    decoder = nn.Sequential(
        nn.Linear(code, numbers),
        nn.Unflatten(1, (8, *sizes[2])),
        up_act(),
        nn.ConvTranspose2d(8, 4, 3, 2, 1, outs[1]),
        up_act(),
        nn.ConvTranspose2d(4, channels, 3, 2, 1, outs[0]),
        end(),
    )
    return encoder, decoder


WRONG = {
    "same_padding": [
        (lambda k, d=1: padding(k, d), "Raise a ValueError"),
        (strict(lambda k, d: d * (k - 1)), "both sides together"),
        (strict(lambda k, d: (k - 1) // 2), "dilation is not used"),
        (strict(lambda k, d: d * (k - 1) / 2), "should be an int"),
        (strict(lambda k, d: d * k // 2), "not d k"),
        (strict(lambda k, d: d * (k + 1) // 2), "should be"),
        (shy, "spans 3 pixels"),
        (strict(lambda k, d: d * (k // 2)), "not d times half of k"),
    ],
    "field_width": [
        (lambda layers: width(layers, strides=False), "without the strides"),
        (lambda layers: width(layers, own=True), "own stride"),
        (lambda layers: width(layers[::-1]), "from the last layer"),
        (lambda layers: width(layers, add=0, start=0), "overlap"),
        (lambda layers: width(layers, start=0), "one pixel is missing"),
        (lambda layers: math.prod(k for k, _ in layers), "overlap"),
        (lambda layers: str(width(layers)), "should be an int"),
        (lambda layers: float(width(layers)), "should be an int"),
        (lambda layers: width(layers) if layers else 0, "the pixel itself"),
        (lambda layers: width(layers, add=0), "starting from 1"),
        (touched, "holes"),
    ],
    "largest_angle": [
        (lambda A, B: degrees(cosines(A, B)).max().deg2rad(), "radians"),
        (lambda A, B: degrees(cosines(A, B)).min(), "smallest angle"),
        (lambda A, B: degrees(torch.linalg.svdvals(unit(A).T @ unit(B))).max(), "right angles"),
        (
            lambda A, B: degrees(
                (torch.linalg.qr(A)[0] * torch.linalg.qr(B)[0]).sum(dim=0).abs()
            ).max(),
            "column with column",
        ),
        (lambda A, B: cosines(A, B).min(), "the cosine"),
        (lambda A, B: degrees(cosines(A, B)).mean(), "mean of the angles"),
        (lambda A, B: degrees(cosines(A, B)), "one number"),
        (
            lambda A, B: (
                degrees(cosines(A, B)).max() if A.dtype == torch.float64 else torch.tensor(math.nan)
            ),
            "NaN for equal spaces",
        ),
        (lambda A, B: cosines(A, B).min().arccos().rad2deg(), "NaN for equal spaces"),
        (lambda A, B: cosines(A, B).arccos().rad2deg().max(), "NaN"),
        (lambda A, B: raw(A, B).min().arccos().rad2deg(), "orthonormal"),
        (lambda A, B: raw(A, B).min().clamp_max(1).arccos().rad2deg(), "orthonormal"),
    ],
    "conv_transpose2d": [
        (lambda y, w, s, p: spread(y, w, s, add=False, cut=p), "overwrite"),
        (lambda y, w, s, p: spread(y, w.flip(2, 3), s, cut=p), "turned round"),
        (lambda y, w, s, p: spread(y, w.transpose(2, 3), s, cut=p), "exchanged"),
        (lambda y, w, s, p: spread(y, w, s), "padding is still there"),
        (lambda y, w, s, p: F.conv2d(y, w.transpose(0, 1), stride=s, padding=p), "has shape"),
        (lambda y, w, s, p: spread(y, w, s, cut=p) / y.shape[1], "divide by nothing"),
        (lambda y, w, s, p: spread(y, w, s)[..., p:-p, p:-p], "picture is empty"),
        (lambda y, w, s, p: spread(y, w, 1, cut=p), "without the stride"),
        (lambda y, w, s, p: dense(y, w, s, p), "without the stride"),
    ],
    "build": [
        (lambda *a: network(*a, extra=(0, 0)), "output_padding"),
        (lambda *a: network(*a, extra=(1, 1)), "output_padding"),
        (lambda *a: network(*a, act=nn.Identity), "encoder has no non-linearity"),
        (lambda *a: network(*a, end=nn.Identity), "end in a Sigmoid"),
        (lambda *a: network(*a, end=nn.Tanh), "end in a Sigmoid"),
        (lambda *a: network(*a, convolutions=1), "two at least"),
        (lambda *a: network(*a, wide=a[3] + 1), "the code has shape"),
        (lambda *a: network(*a, up_act=nn.Identity), "decoder has no non-linearity"),
        (pruned(0, 1), "layers 1 (Conv2d) and 2 (Conv2d)"),
        (pruned(0, 1, 3, then=[nn.ReLU()]), "layers 1 (Conv2d) and 2 (Conv2d)"),
        (pruned(1, 4), "layers 2 (ConvTranspose2d) and 3 (ConvTranspose2d)"),
        (pruned(1, 2), "layers 1 (Linear) and 2 (ConvTranspose2d)"),
        (lambda *a: (network(*a)[0], Blind(*a[:3])), "decoder gives the same for all"),
        (lambda *a: nn.Sequential(*network(*a)), "two modules"),
        (lambda c, h, w, code: network(c, 28, 28, code), "raised RuntimeError"),
    ],
}
