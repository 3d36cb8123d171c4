"""Plausible wrong answers: check -> [(answer, words that the message must hold)]."""

import math

import torch
from torch import nn


def shy(kernel, dilation=1):
    if kernel % 2 == 0:
        raise ValueError("even")
    return dilation * (kernel - 1) // 2


class Blind(nn.Module):
    """A decoder that ignores its code."""

    def __init__(self, *shape):
        super().__init__()
        self.picture = nn.Parameter(torch.zeros(shape))

    def forward(self, code):
        return self.picture.sigmoid().expand(len(code), -1, -1, -1)


def network(channels, height, width, code, act=nn.ReLU, end=nn.Sigmoid, extra=None, up=nn.ReLU):
    sizes = [(height, width)]
    for _ in range(2):
        sizes.append(tuple((n + 1) // 2 for n in sizes[-1]))
    outs = [extra or tuple(1 - n % 2 for n in size) for size in sizes]
    numbers = 8 * math.prod(sizes[2])
    down = [nn.Conv2d(channels, 4, 3, 2, 1), act(), nn.Conv2d(4, 8, 3, 2, 1), act()]
    encoder = nn.Sequential(*down, nn.Flatten(), nn.Linear(numbers, code))
    decoder = nn.Sequential(
        nn.Linear(code, numbers),
        nn.Unflatten(1, (8, *sizes[2])),
        up(),
        nn.ConvTranspose2d(8, 4, 3, 2, 1, outs[1]),
        up(),
        nn.ConvTranspose2d(4, channels, 3, 2, 1, outs[0]),
        end(),
    )
    return encoder, decoder


def pooled(channels, height, width, code):
    """One convolution with a stride, then pooling."""
    encoder, decoder = network(channels, height, width, code)
    encoder[2] = nn.Sequential(nn.Conv2d(4, 8, 3, 1, 1), nn.MaxPool2d(2, ceil_mode=True))
    return encoder, decoder


def pruned(which, *places, then=()):
    """The right network, encoder (0) or decoder (1) without some layers."""

    def answer(*a):
        parts = list(network(*a))
        left = [layer for i, layer in enumerate(parts[which]) if i not in places]
        parts[which] = nn.Sequential(*left, *then)
        return tuple(parts)

    return answer


def strict(kernel, dilation=1):
    assert dilation * (kernel - 1) % 2 == 0
    return shy(kernel) if dilation == 1 else dilation * (kernel - 1) // 2


class Whitened(nn.Module):
    """Divides by the root mean square of the batch, in evaluation too."""

    def forward(self, c):
        return c / c.square().mean().sqrt()


class Detached(nn.Module):
    """Lets no gradient through."""

    def forward(self, c):
        return c.detach()


def flattened_late(*a):
    encoder, decoder = network(*a)
    return encoder[:-2], decoder


def field(layers):
    """The right width."""
    size = jump = 1
    for kernel, stride in layers:
        size, jump = size + (kernel - 1) * jump, jump * stride
    return size


WRONG = {
    "same_padding": [
        (shy, "you raised a ValueError for kernel 4, dilation 2"),
        (strict, "raise ValueError, not AssertionError"),
        (lambda k, d=1: (d * (k - 1) // 2,) * 2, "one int"),
        (lambda k, d=1: torch.tensor(d * (k - 1) // 2), "not a tensor"),
    ],
    "field_width": [(lambda layers: torch.tensor(field(layers)), "not a tensor")],
    "conv_transpose2d": [
        (
            lambda y, w, s=1, p=0: nn.functional.conv_transpose2d(y, w, stride=s, padding=p),
            "without conv_transpose2d: write the loops",
        )
    ],
    "build": [
        (lambda *a: network(*a, extra=(0, 0)), "output_padding"),
        (lambda *a: network(*a, act=nn.Identity), "encoder has no non-linearity"),
        (lambda *a: network(*a, up=nn.Identity), "decoder has no non-linearity"),
        (lambda *a: network(*a, end=nn.Tanh), "end in a Sigmoid"),
        (pooled, "at least two"),
        (lambda *a: network(*a[:3], a[3] + 1), "your encoder returns (5, 9), not (5, 8)"),
        (flattened_late, "end in nn.Flatten and an nn.Linear"),
        (lambda c, h, w, code: (network(c, h, w, code)[0], network(c, w, h, code)[1]), "exchanged"),
        (lambda c, *a: (network(c, *a)[0], network(1, *a)[1]), "as many maps"),
        (pruned(0, then=[Whitened()]), "your encoder gives for one image depends on"),
        (pruned(0, then=[Detached()]), "no gradient comes through your encoder"),
        (lambda *a: (network(*a)[0], nn.Sigmoid()), "your decoder has no weights"),
        (pruned(0, 1, 3, then=[nn.ReLU()]), "layers 1 (Conv2d) and 2 (Conv2d)"),
        (pruned(1, 4), "layers 2 (ConvTranspose2d) and 3 (ConvTranspose2d)"),
        (pruned(1, 2), "layers 1 (Linear) and 2 (ConvTranspose2d)"),
        (lambda *a: (network(*a)[0], Blind(*a[:3])), "decoder gives the same for all"),
        (lambda *a: nn.Sequential(*network(*a)), "two modules"),
        (lambda c, h, w, code: network(c, 28, 28, code), "raised RuntimeError"),
    ],
}
