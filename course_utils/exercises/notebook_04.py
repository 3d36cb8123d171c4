"""Checks of notebook 04, Autoencoders."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils.exercises.core import Mistake, attempt, exercise, expect, expect_answer

__all__ = ["build", "conv_transpose2d", "field_width", "largest_angle", "same_padding"]

WHOLE = "return an int: // divides."


def expect_whole(answer: Any, reference: Callable, *given: object, mistakes: dict) -> None:
    """As expect_answer, for an int, also one of NumPy or torch."""
    output = expect_answer(answer, reference, *given, mistakes=mistakes)
    expect(not torch.as_tensor(output).is_floating_point(), WHOLE)


def padding(kernel: int, dilation: int = 1) -> int:
    return dilation * (kernel - 1) // 2


NO_PADDING = "raise a ValueError where no padding keeps the size: for an odd d(k - 1)."
HAS_PADDING = "you raised a ValueError where a padding keeps the size: d(k - 1) is even there."
SIZE_MISTAKES: dict[str, Callable] = {
    "that is the padding of both sides; half of it goes to each side.": lambda k, d: d * (k - 1),
    "the dilation is not used: the kernel spans d(k - 1) + 1 pixels.": lambda k, d: (k - 1) // 2,
    "take half of d(k - 1), not d times half of k.": lambda k, d: d * (k // 2),
    "the kernel spans d(k - 1) + 1 pixels, not d k.": lambda k, d: d * k // 2,
    WHOLE: lambda k, d: d * (k - 1) / 2,
    NO_PADDING: padding,
}


@exercise("04.1", "Padding that keeps the size", difficulty=1, minutes=10, mistakes=SIZE_MISTAKES)
def same_padding(answer: Any) -> None:
    """kernel, dilation -> padding, an int; ValueError where there is none."""
    for given in [(1, 1), (3, 1), (11, 1), (3, 2), (5, 3), (1, 4), (4, 2), (2, 2), (6, 4)]:
        try:
            expect_whole(answer, padding, *given, mistakes=SIZE_MISTAKES)
        except Mistake as mistake:
            expect(not isinstance(mistake.__cause__, ValueError), HAS_PADDING)
            raise
    for given in [(2, 1), (4, 1), (4, 3)]:
        try:
            answer(*given)
        except ValueError:
            continue
        raise Mistake(NO_PADDING)
    expect(attempt(answer, 7) == 3, "the dilation is 1 where none is given.")


def width(layers: list[tuple[int, int]], overlap: int = 1, own: bool = False) -> int:
    """The receptive field; `own` counts a layer's own stride for its kernel too, a mistake."""
    size = jump = 1
    for kernel, stride in layers:
        size += (kernel - overlap) * jump * (stride if own else 1)
        jump *= stride
    return size


WIDTH_MISTAKES: dict[str, Callable] = {
    "the strides are missing: behind a stride of s a step is s times as long.": (
        lambda layers: width([(k, 1) for k, _ in layers])
    ),
    "a layer's own stride counts only behind it.": partial(width, own=True),
    "the strides that count are those of the layers before.": lambda layers: width(layers[::-1]),
    "kernels overlap: each adds k - 1 steps, not k.": partial(width, overlap=0),
    "without layers the field is 1 pixel.": lambda layers: width(layers) - 1,
    WHOLE: lambda layers: float(width(layers)),
}


@exercise(
    "04.2", "The formula of the receptive field", difficulty=2, minutes=15, mistakes=WIDTH_MISTAKES
)
def field_width(answer: Any) -> None:
    """layers = [(kernel, stride), ...] -> width of the receptive field, an int."""
    for count in range(7):
        layers = [tuple(pair) for pair in torch.randint(1, 5, (count, 2)).tolist()]
        expect_whole(answer, width, layers, mistakes=WIDTH_MISTAKES)


def basis_of(A: Tensor) -> Tensor:
    return torch.linalg.qr(A)[0]


def angle(A, B, basis=basis_of, pick=torch.min, largest=1.0) -> Tensor:
    """The largest angle; `largest` bounds the cosines, which rounding takes above 1."""
    cosines = torch.linalg.svdvals(basis(A).T @ basis(B))
    return pick(cosines).clamp_max(largest).arccos().rad2deg()


EQUAL = "two bases of one space must give 0°: clamp the cosines to 1 before arccos."
ANGLE_MISTAKES: dict[str, Callable] = {
    "that is in radians; return degrees.": lambda A, B: angle(A, B).deg2rad(),
    "the largest angle has the smallest cosine.": partial(angle, pick=torch.max),
    "columns of norm 1 are not enough: use qr.": partial(angle, basis=lambda A: A / A.norm(dim=0)),
    "first take orthonormal bases: torch.linalg.qr(A)[0].": partial(angle, basis=torch.clone),
    "that is the cosine; take arccos of it.": lambda A, B: angle(A, B).deg2rad().cos(),
    "NaN: arccos of a number above 1. Are both bases orthonormal?": (
        lambda A, B: torch.tensor(math.nan)
    ),
    EQUAL: partial(angle, largest=2.0),
}


@exercise("04.3", "The angle without SciPy", difficulty=2, minutes=15, mistakes=ANGLE_MISTAKES)
def largest_angle(answer: Any) -> None:
    """A (n, k), B (n, k) -> largest principal angle in degrees."""
    for n, k, tilt in [(8, 3, 1.0), (30, 5, 0.2), (6, 1, 0.5), (5, 4, 1.0), (12, 3, 0.05)]:
        A, change = torch.randn(2, n, k, dtype=torch.float64)
        mix = torch.randn(k, k, dtype=torch.float64) + 2 * torch.eye(k)
        B = (A + tilt * change) @ mix
        expect_answer(answer, angle, A, B, tolerance=1e-3)
    for k in [3] + 60 * [1]:  # among 60 lines rounding makes some cosine more than 1
        A = torch.randn(7, k)
        B = A @ (torch.randn(k, k) + 2 * torch.eye(k))
        expect(abs(float(attempt(answer, A, B))) < 0.5, EQUAL)


def spread(y: Tensor, weight: Tensor, stride: int, padding: int, add: bool = True) -> Tensor:
    """The transposed convolution; without `add` later copies overwrite earlier ones."""
    x = torch.zeros_like(F.conv_transpose2d(y, weight, stride=stride))
    for i in range(y.shape[2]):
        for j in range(y.shape[3]):
            copies = torch.einsum("nm,mckl->nckl", y[:, :, i, j], weight)
            place = x[:, :, i * stride :, j * stride :][..., : copies.shape[2], : copies.shape[3]]
            place.copy_(place + copies if add else copies)
    return x[..., padding : x.shape[2] - padding, padding : x.shape[3] - padding]


SPREAD_MISTAKES: dict[str, Callable] = {
    "neighbouring copies stand `stride` pixels apart.": lambda y, w, s, p: spread(y, w, 1, p),
    "add the copies (+=); yours overwrite each other.": partial(spread, add=False),
    "the kernel is turned round; spread it as it is.": (
        lambda y, w, s, p: spread(y, w.flip(2, 3), s, p)
    ),
    "rows and columns of the kernel are exchanged.": lambda y, w, s, p: spread(y, w.mT, s, p),
    "cut `padding` pixels off at each side.": lambda y, w, s, p: spread(y, w, s, 0),
    "x[p:-p] is empty for p = 0.": lambda y, w, s, p: spread(y, w, s, 0)[..., p:-p, p:-p],
}


@exercise("04.4", "Spread instead of gather", difficulty=2, minutes=20, mistakes=SPREAD_MISTAKES)
def conv_transpose2d(answer: Any) -> None:
    """y (N, maps, H, W), weight (maps, C, k, k), stride, padding -> (N, C, H', W')."""
    cases = [(2, 3, 2, 4, 5, 4, 2, 1), (2, 1, 3, 3, 4, 2, 3, 0), (1, 2, 1, 1, 1, 3, 1, 1)]
    for number, maps, channels, height, width, k, stride, padding in cases:
        y, weight = torch.randn(number, maps, height, width), torch.randn(maps, channels, k, k)
        expect_answer(answer, spread, y, weight, stride, padding)


@exercise("04.5", "An autoencoder for any size", difficulty=3, minutes=25)
def build(answer: Any) -> None:
    """channels, height, width, code -> encoder and decoder."""
    cases = [(1, 28, 28, 8), (3, 30, 45, 16), (1, 29, 31, 4), (3, 7, 12, 5), (1, 4, 5, 2)]
    for *shape, code in cases:
        case = f"for images of shape {tuple(shape)}, code {code},"
        output = attempt(answer, *shape, code)
        two = isinstance(output, (tuple, list)) and len(output) == 2
        modules = two and all(isinstance(part, nn.Module) for part in output)
        expect(modules, "return two modules: the encoder, the decoder.")
        encoder, decoder = output
        images = torch.rand(5, *shape)
        c = attempt(encoder.train(), images)
        expect(c.shape == (5, code), f"{case} the code has shape {tuple(c.shape)}.")
        x_hat = attempt(decoder.train(), c)
        text = f"{case} the decoder returns {tuple(x_hat.shape)}: use output_padding."
        expect(x_hat.shape == images.shape, text)
        far = decoder.eval()(100 * torch.randn(20, code))
        text = f"{case} the decoder leaves [0, 1]: end in a Sigmoid."
        expect(far.min() >= 0 and far.max() <= 1, text)
        strides = [max(m.stride) for m in encoder.modules() if isinstance(m, nn.Conv2d)]
        expect(sum(s > 1 for s in strides) >= 2, "use at least two convolutions with stride 2.")
        parts = [("encoder", encoder.eval(), images), ("decoder", decoder, torch.randn(5, code))]
        for name, part, inputs in parts:
            pair = straight_pair(part, inputs)
            expect(
                pair is None, f"your {name} has no non-linearity between {pair}: put a ReLU there."
            )
            varies = code <= 3 or part(5 * torch.randn_like(inputs)).std(dim=0).max() > 0
            expect(varies, f"your {name} gives the same for all inputs: it does not use them.")


@torch.no_grad()
def straight_pair(module: nn.Module, inputs: Tensor) -> str | None:
    """The first two layers with weights between which the module is affine; None if all bend.

    A layer's output is replaced by a, b and 2a - b, and the next one's input observed: F.relu
    counts like nn.ReLU.
    """
    layers = [m for m in module.modules() if isinstance(m, (nn.Linear, nn.modules.conv._ConvNd))]

    def calls(value: Tensor = inputs, position: int = -1) -> list[tuple[str, Tensor, Tensor]]:
        """Name, input and output of each layer in a run; the output at `position` is `value`."""
        seen = []

        def watch(layer: nn.Module, received: tuple[Tensor, ...], output: Tensor) -> Tensor:
            seen.append((type(layer).__name__, received[0].clone(), output))
            return value.clone() if len(seen) == position + 1 else output

        handles = [layer.register_forward_hook(watch) for layer in layers]
        module(inputs)
        for handle in handles:
            handle.remove()
        return seen

    names = [name for name, _, _ in calls()]
    for i, (_, _, output) in enumerate(calls()[:-1]):
        a, b = 4 * torch.randn(2, *output.shape)
        one, two, line = (calls(value, i)[i + 1][1] for value in (a, b, 2 * a - b))
        bends = not torch.allclose(line, 2 * one - two, rtol=1e-3, atol=1e-3)
        if not bends and not torch.equal(one, two):
            return f"its layers {i + 1} ({names[i]}) and {i + 2} ({names[i + 1]})"
    return None
