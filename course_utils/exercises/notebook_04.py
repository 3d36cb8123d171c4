"""Checks of notebook 04, Autoencoders."""

import math
import operator

import torch
from scipy.linalg import subspace_angles
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils.exercises.core import Mistake, attempt, exercise, expect, expect_close

__all__ = ["build", "conv_transpose2d", "field_width", "largest_angle", "same_padding"]


@exercise("04.1", "Padding that keeps the size", difficulty=1, minutes=10)
def same_padding(answer: object) -> None:
    """kernel, dilation -> padding, an int; ValueError where there is none."""
    for kernel, dilation in [
        (1, 1),
        (3, 1),
        (5, 1),
        (11, 1),
        (3, 2),
        (5, 3),
        (1, 4),
        (2, 2),
        (4, 2),
        (6, 4),
    ]:
        span = dilation * (kernel - 1)
        where = f"for kernel {kernel}, dilation {dilation}"
        try:
            output = attempt(answer, kernel, dilation)
        except Mistake as mistake:
            expect(
                not isinstance(mistake.__cause__, ValueError),
                f"you raised an error {where}, which spans {span + 1} pixels: odd, so padding {span // 2} will do.",
            )
            raise
        expect_number(
            output,
            span // 2,
            {
                "an even kernel with an even dilation needs less: half of d(k - 1), not d times half of k.": dilation
                * (kernel // 2),
                "that is the padding of both sides together; half of it goes to each side.": span,
                "the dilation is not used: a dilated kernel spans d(k - 1) + 1 pixels.": (
                    kernel - 1
                )
                // 2,
                "half of d k is too much: the kernel spans d(k - 1) + 1, not d k, pixels.": dilation
                * kernel
                // 2,
            },
            f"the padding {where}",
        )
    for kernel, dilation in [(2, 1), (4, 1), (4, 3)]:
        try:
            output = answer(kernel, dilation)
        except ValueError:
            continue
        expect(
            False,
            f"you gave {output!r} for kernel {kernel}, dilation {dilation}, where no padding keeps the size: "
            f"it would have to be {dilation * (kernel - 1) / 2}. Raise a ValueError.",
        )
    expect_number(attempt(answer, 7), 3, {}, "the padding for kernel 7 and the default dilation 1")


@exercise("04.2", "The formula of the receptive field", difficulty=2, minutes=15)
def field_width(answer: object) -> None:
    """layers = [(kernel, stride), ...] -> width of the receptive field, an int."""
    stacks = [
        [(3, 1)],
        [(4, 2), (4, 2)],
        [(3, 1), (3, 1), (3, 1)],
        [(5, 1), (4, 2), (3, 1), (2, 2), (3, 1)],
        [(7, 2), (3, 2), (3, 1), (3, 2)],
        [(1, 2), (3, 1)],
        [(3, 3), (3, 3), (5, 1)],
        [],
    ]
    for layers in stacks:
        output = attempt(answer, list(layers))
        if not layers:
            expect_number(
                output, 1, {}, "without a layer the output is the pixel itself: the width"
            )
            continue
        kernels, strides = [k for k, _ in layers], [s for _, s in layers]
        seen = seen_pixels(layers)
        whole = int(seen[-1] - seen[0]) + 1
        gathered = sum(k * math.prod(strides[:i]) for i, k in enumerate(kernels))
        widths = {"plain": 1 + sum(kernels) - len(layers), "after": 1, "reverse": 1}
        jump = after = 1
        for k, s in layers:
            widths["after"] += (k - 1) * (after := after * s)
        for k, s in reversed(layers):
            widths["reverse"] += (k - 1) * jump
            jump *= s
        expect_number(
            output,
            whole,
            {
                "count from the first pixel to the last; you left out the holes where a stride is above the kernel.": len(
                    seen
                ),
                "without the strides: behind a stride of s one step is s times as many pixels.": widths[
                    "plain"
                ],
                "a layer's own stride counts only behind it: first add (k - 1) steps, then multiply the step.": widths[
                    "after"
                ],
                "you went from the last layer to the first; the strides that count are those before.": widths[
                    "reverse"
                ],
                "kernels overlap: each adds k - 1 pixels, not k.": gathered,
                "kernels overlap: starting from 1, each adds k - 1 steps, not k.": 1 + gathered,
                "one pixel is missing: without layers the field is 1.": whole - 1,
                "that is the product of the kernels; neighbouring windows overlap.": math.prod(
                    kernels
                ),
            },
            f"the width for layers {layers}",
        )


def seen_pixels(layers: list[tuple[int, int]]) -> Tensor:
    """Indices of the pixels on which the middle output of the stack depends, by differentiation."""
    x = torch.zeros(1, 1, 400, requires_grad=True)
    y = x
    for k, s in layers:
        y = F.conv1d(y, torch.ones(1, 1, k), stride=s)
    (gradient,) = torch.autograd.grad(y[0, 0, y.shape[2] // 2], x)
    return gradient[0, 0].nonzero()[:, 0]


def expect_number(output: object, expected: int, mistakes: dict[str, float], what: str) -> None:
    """Fail unless `output` is the whole number `expected`; name the mistake whose number it is."""
    try:
        number = operator.index(output)  # an int, or one of numpy or torch
    except TypeError:
        expect(False, f"{what} should be an int, // divides; yours is a {type(output).__name__}.")
    if number != expected:
        for text, wrong in mistakes.items():
            expect(number != wrong, text)
        expect(False, f"{what} should be {expected}; yours is {number}.")


@exercise("04.3", "The angle without SciPy", difficulty=2, minutes=15)
def largest_angle(answer: object) -> None:
    """A (n, k), B (n, k) -> largest principal angle in degrees."""
    for n, k, tilt in [(8, 3, 1.0), (30, 5, 0.2), (6, 1, 0.5), (5, 4, 1.0), (12, 3, 0.05)]:
        A = torch.randn(n, k, dtype=torch.float64)
        mix = torch.randn(k, k, dtype=torch.float64) + 2 * torch.eye(k, dtype=torch.float64)
        B = (A + tilt * torch.randn(n, k, dtype=torch.float64)) @ mix
        angles = torch.from_numpy(subspace_angles(A.numpy(), B.numpy()))
        output = attempt(answer, A, B)
        if isinstance(output, Tensor):
            expect(
                output.numel() == 1,
                f"the angle is one number; yours has shape {tuple(output.shape)}.",
            )
            output = output.reshape(())
            expect(
                not output.isnan(),
                "NaN: arccos of a number above 1. Are both bases orthonormal (torch.linalg.qr)? "
                "Then rounding did it: clamp the cosines to 1.",
            )
        unit_a, unit_b = A / A.norm(dim=0), B / B.norm(dim=0)
        Q_a, Q_b = torch.linalg.qr(A)[0], torch.linalg.qr(B)[0]
        cosines = torch.linalg.svdvals(unit_a.T @ unit_b).clamp_max(1)
        plain = torch.linalg.svdvals(A.T @ B).clamp_max(1)
        pairs = (Q_a * Q_b).sum(dim=0).abs().clamp_max(1)
        expect_close(
            output,
            angles.max().rad2deg(),
            {
                "that is in radians; asked are degrees.": angles.max(),
                "that is the smallest angle: the largest belongs to the smallest singular value.": angles.min().rad2deg(),
                "columns of length 1 are not enough, they must be at right angles too: torch.linalg.qr(A)[0].": cosines.min()
                .arccos()
                .rad2deg(),
                "the singular values of A.T @ B are no cosines: first take orthonormal bases, torch.linalg.qr(A)[0].": plain.min()
                .arccos()
                .rad2deg(),
                "you compared column with column; the singular values of Q_Aᵀ Q_B compare the spaces.": pairs.min()
                .arccos()
                .rad2deg(),
                "that is the cosine; take arccos of it, in degrees.": angles.max().cos(),
                "that is the mean of the angles; asked is the largest.": angles.mean().rad2deg(),
            },
            what=f"the angle between two spaces of dimension {k} in {n}",
            tolerance=1e-3,
        )
    for k in [3] + 60 * [
        1
    ]:  # among 60 lines the cosine of some exceeds 1 by rounding, however it is computed
        A = torch.randn(7, k)
        same = float(attempt(answer, A, A @ (torch.randn(k, k) + 2 * torch.eye(k))))
        expect(
            not math.isnan(same),
            "NaN for equal spaces: rounding can make a cosine a little more than 1; "
            "clamp it to 1 before arccos.",
        )
        expect(abs(same) < 0.5, f"two bases of one space should give 0°; yours gives {same:.3g}.")


@exercise("04.4", "Spread instead of gather", difficulty=2, minutes=20)
def conv_transpose2d(answer: object) -> None:
    """y (N, maps, H, W), weight (maps, C, k, k), stride, padding -> (N, C, H', W')."""
    cases = [  # images, maps, channels, height, width, k, stride, padding
        (2, 3, 2, 4, 5, 3, 1, 0),
        (1, 1, 1, 3, 3, 4, 2, 1),
        (3, 2, 4, 5, 2, 4, 2, 1),
        (1, 2, 1, 1, 1, 3, 1, 1),
        (2, 1, 3, 3, 4, 2, 3, 0),
    ]
    for number, maps, channels, height, width, k, stride, padding in cases:
        y, weight = torch.randn(number, maps, height, width), torch.randn(maps, channels, k, k)
        truth = F.conv_transpose2d(y, weight, stride=stride, padding=padding)
        wide, flat = F.conv_transpose2d(y, weight, stride=stride), weight.flip(2, 3)
        set_only, close = (
            torch.zeros_like(wide),
            torch.zeros_like(wide),
        )  # overwritten; without the stride
        for i in range(height):
            for j in range(width):
                copy = torch.einsum("nm,mckl->nckl", y[:, :, i, j], weight)
                set_only[..., i * stride : i * stride + k, j * stride : j * stride + k] = copy
                close[..., i : i + k, j : j + k] += copy
        cut = (
            ...,
            slice(padding, wide.shape[2] - padding),
            slice(padding, wide.shape[3] - padding),
        )
        output = attempt(answer, y, weight, stride, padding)
        apart = "without the stride: neighbouring copies stand `stride` pixels apart."
        if isinstance(output, Tensor) and output.shape != truth.shape:
            expect(
                output.shape != wide.shape,
                "the padding is still there: cut `padding` pixels off at each side.",
            )
            expect(
                output.numel() > 0 or padding > 0,
                "the picture is empty: x[p:-p] with p = 0 is x[0:0]; cut with x[p:size - p].",
            )
            near = tuple(n - 1 + k - 2 * padding for n in (height, width))
            expect(stride == 1 or output.shape[2:] != near, apart)
        expect_close(
            output,
            truth,
            {
                apart: close[cut],
                "copies that overlap must be added (+=); yours overwrite each other.": set_only[
                    cut
                ],
                "the kernel is turned round; spread it as it is: gathering and spreading use the same weights.": F.conv_transpose2d(
                    y, flat, stride=stride, padding=padding
                ),
                "rows and columns of the kernel are exchanged.": F.conv_transpose2d(
                    y, weight.transpose(2, 3), stride=stride, padding=padding
                ),
                "the copies of all maps add up; divide by nothing.": truth / maps,
            },
            what=f"the picture for y {tuple(y.shape)}, weight {tuple(weight.shape)}, stride {stride}, padding {padding}",
        )


@exercise("04.5", "An autoencoder for any size", difficulty=3, minutes=25)
def build(answer: object) -> None:
    """channels, height, width, code -> encoder and decoder."""
    cases = [
        (1, 28, 28, 8),
        (3, 30, 45, 16),
        (1, 29, 31, 4),
        (3, 7, 12, 5),
        (1, 4, 5, 2),
        (2, 33, 18, 1),
    ]
    for channels, height, width, code in cases:
        case = f"for images of {channels} x {height} x {width}, code {code}"
        output = attempt(answer, channels, height, width, code)
        pair = isinstance(output, (tuple, list)) and len(output) == 2
        expect(
            pair and all(isinstance(part, nn.Module) for part in output),
            "return two modules: the encoder, the decoder.",
        )
        encoder, decoder = output
        images = torch.rand(5, channels, height, width)
        c = through(encoder, images, f"your encoder, {case},")
        expect(
            c.shape == (5, code),
            f"{case} the code has shape {tuple(c.shape)}; expected (5, {code}).",
        )
        x_hat = through(decoder, c, f"your decoder, {case},")
        expect(
            x_hat.shape == images.shape,
            f"{case} the decoder returns {tuple(x_hat.shape)}, not {tuple(images.shape)}. Write the size behind "
            "each layer; a stride of 2 forgets whether a size was even or odd: say it with output_padding.",
        )
        far = decoder.eval()(100 * torch.randn(20, code))
        expect(
            bool((far >= 0).all() and (far <= 1).all()),
            f"{case} the decoder gives values from {far.min():.3g} to {far.max():.3g}; images lie in [0, 1]: "
            "end in a Sigmoid.",
        )
        strided = [m for m in encoder.modules() if isinstance(m, nn.Conv2d) and max(m.stride) > 1]
        expect(
            len(strided) >= 2,
            f"your encoder has {len(strided)} convolutions with a stride; two at least were asked for.",
        )
        for name, part, inputs in [
            ("encoder", encoder.eval(), images),
            ("decoder", decoder, torch.randn(5, code)),
        ]:
            pair = straight_pair(part, inputs)
            expect(
                pair is None,
                f"your {name} has no non-linearity between {pair}: together they are one linear map "
                "and a constant. Put a ReLU between them.",
            )
            spread = (
                part(5 * torch.randn_like(inputs)).std(dim=0).max()
                if code > 3
                else torch.tensor(1.0)
            )
            expect(spread > 0, f"your {name} gives the same for all inputs: it does not use them.")


def through(module: nn.Module, inputs: Tensor, whose: str) -> Tensor:
    """The module's output, with a message of its own where it fails."""
    try:
        with torch.no_grad():
            return module.train()(inputs)
    except Exception as error:
        expect(False, f"{whose} raised {type(error).__name__}: {error}")


@torch.no_grad()
def straight_pair(module: nn.Module, inputs: Tensor) -> str | None:
    """The first two layers with weights, in the order they run, with an affine way between them; None if all bend.

    A layer's output is replaced by a, b and 2a - b, and the next one's input observed: F.relu
    counts like nn.ReLU.
    """
    layers = [m for m in module.modules() if isinstance(m, (nn.Linear, nn.modules.conv._ConvNd))]
    calls, position, replaced = [], -1, inputs  # calls: (layer, its input, its output) of one run

    def watch(layer: nn.Module, received: tuple[Tensor, ...], output: Tensor) -> Tensor:
        calls.append((layer, received[0].clone(), output.clone()))
        return replaced.clone() if len(calls) == position + 1 else output

    handles = [layer.register_forward_hook(watch) for layer in layers]
    try:
        module(inputs)
        kinds, shapes = (
            [type(layer).__name__ for layer, _, _ in calls],
            [output.shape for _, _, output in calls],
        )
        for position, shape in enumerate(shapes[:-1]):
            a, b, arrived = 4 * torch.randn(shape), 4 * torch.randn(shape), []
            for replaced in (a, b, 2 * a - b):
                calls.clear()
                module(inputs)
                arrived.append(calls[position + 1][1])
            one, two, line = arrived
            if not torch.equal(one, two) and torch.allclose(
                line, 2 * one - two, rtol=1e-3, atol=1e-3
            ):
                return f"its layers {position + 1} ({kinds[position]}) and {position + 2} ({kinds[position + 1]})"
    finally:
        for handle in handles:
            handle.remove()
    return None
