"""Checks of notebook 04, Autoencoders."""
import math

import torch
from scipy.linalg import subspace_angles
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils.exercises.core import attempt, exercise, expect, expect_close

__all__ = ["build", "conv_transpose2d", "field_width", "largest_angle", "same_padding"]


@exercise("04.1", "Padding that keeps the size", difficulty=1, minutes=10)
def same_padding(answer: object) -> None:
    """kernel, dilation -> padding, an int; ValueError where there is none."""
    for kernel, dilation in [(1, 1), (3, 1), (5, 1), (11, 1), (3, 2), (5, 3), (1, 4), (2, 2), (4, 2), (6, 4)]:
        span = dilation * (kernel - 1)
        output = attempt(answer, kernel, dilation)
        where = f"for kernel {kernel}, dilation {dilation}"
        expect(isinstance(output, int) and not isinstance(output, bool),
               f"return an int: {where} yours is the {type(output).__name__} {output!r}. Use // to divide.")
        expect_number(output, span // 2, {
            "that is the padding of both sides together; half of it goes to each side.": span,
            "the dilation is not used: a dilated kernel spans d(k - 1) + 1 pixels.": (kernel - 1) // 2,
            "half of d k is too much: the kernel spans d(k - 1) + 1, not d k, pixels.": dilation * kernel // 2,
        }, f"the padding {where}")
    for kernel, dilation in [(2, 1), (4, 1), (4, 3)]:
        where = f"kernel {kernel}, dilation {dilation}"
        try:
            output = answer(kernel, dilation)
        except ValueError:
            continue
        expect(False, f"you gave {output!r} for {where}, where no padding keeps the size: it would have to be "
                      f"{dilation * (kernel - 1) / 2}. Raise a ValueError.")
    size = attempt(answer, 7)
    expect_number(size, 3, {}, "the padding for kernel 7 and the default dilation 1")


@exercise("04.2", "The formula of the receptive field", difficulty=2, minutes=15)
def field_width(answer: object) -> None:
    """layers = [(kernel, stride), ...] -> width of the receptive field, an int."""
    stacks = [
        [(3, 1)], [(4, 2), (4, 2)], [(3, 1), (3, 1), (3, 1)], [(5, 1), (4, 2), (3, 1), (2, 2), (3, 1)],
        [(7, 2), (3, 2), (3, 1), (3, 2)], [(1, 2), (3, 1)], [(3, 3), (3, 3), (5, 1)], [],
    ]
    for layers in stacks:
        output = attempt(answer, list(layers))
        if isinstance(output, Tensor):
            expect(output.numel() == 1, f"the width is one number; yours has shape {tuple(output.shape)}.")
            output = output.item()
        kernels, strides = [k for k, _ in layers], [s for _, s in layers]
        widths = {"plain": 1, "after": 1, "reverse": 1}
        jump = after = 1
        for k, s in layers:
            widths["plain"] += k - 1
            widths["after"] += (k - 1) * (after := after * s)
        for k, s in reversed(layers):
            widths["reverse"] += (k - 1) * jump
            jump *= s
        expect_number(output, measured_width(layers), {
            "without the strides: behind a stride of s one step is s times as many pixels.": widths["plain"],
            "a layer's own stride counts only for the layers behind it: first add (k - 1) times the step, "
            "then multiply the step.": widths["after"],
            "you went through the layers from the last to the first; the strides that count are those of "
            "the layers before.": widths["reverse"],
            "kernels overlap: each adds k - 1 pixels, not k.":
                sum(k * math.prod(strides[:i]) for i, k in enumerate(kernels)),
            "one pixel is missing: without layers the field is 1.": measured_width(layers) - 1,
            "that is the product of the kernels; neighbouring windows overlap.": math.prod(kernels),
        }, f"the width for layers {layers}")


def measured_width(layers: list[tuple[int, int]]) -> int:
    """Pixels on which the middle output of the stack depends, by differentiation."""
    x = torch.zeros(1, 1, 400, requires_grad=True)
    y = x
    for k, s in layers:
        y = F.conv1d(y, torch.ones(1, 1, k), stride=s)
    (gradient,) = torch.autograd.grad(y[0, 0, y.shape[2] // 2], x)
    seen = gradient[0, 0].nonzero()[:, 0]
    return int(seen[-1] - seen[0]) + 1


def expect_number(output: object, expected: int, mistakes: dict[str, float], what: str) -> None:
    """Fail unless `output` is the number `expected`; name the mistake whose number it is."""
    expect(isinstance(output, (int, float)), f"{what} should be a number; yours is a {type(output).__name__}.")
    if output != expected:
        for text, wrong in mistakes.items():
            expect(output != wrong, text)
        expect(False, f"{what} should be {expected}; yours is {output}.")


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
            expect(output.numel() == 1, f"the angle is one number; yours has shape {tuple(output.shape)}.")
            output = output.reshape(())
        unit_a, unit_b = A / A.norm(dim=0), B / B.norm(dim=0)
        Q_a, Q_b = torch.linalg.qr(A)[0], torch.linalg.qr(B)[0]
        cosines = torch.linalg.svdvals(unit_a.T @ unit_b).clamp_max(1)
        pairs = (Q_a * Q_b).sum(dim=0).abs().clamp_max(1)
        expect_close(output, angles.max().rad2deg(), {
            "that is in radians; asked are degrees.": angles.max(),
            "that is the smallest angle: the largest belongs to the smallest singular value.": angles.min().rad2deg(),
            "columns of length 1 are not enough, they must be at right angles too: torch.linalg.qr(A)[0].":
                cosines.min().arccos().rad2deg(),
            "you compared column with column; the singular values of Q_Aᵀ Q_B compare the spaces.":
                pairs.min().arccos().rad2deg(),
            "that is the cosine; take arccos of it, in degrees.": angles.max().cos(),
            "that is the mean of the angles; asked is the largest.": angles.mean().rad2deg(),
        }, what=f"the angle between two spaces of dimension {k} in {n}", tolerance=1e-3)
    for k in (1, 3):
        A = torch.randn(7, k)
        same = float(attempt(answer, A, A @ (torch.randn(k, k) + 2 * torch.eye(k))))
        expect(not math.isnan(same), "NaN for equal spaces: rounding can make a cosine a little more than 1; "
                                     "clamp it to 1 before arccos.")
        expect(abs(same) < 0.5, f"two bases of one space should give 0°; yours gives {same:.3g}.")


@exercise("04.4", "Spread instead of gather", difficulty=2, minutes=20)
def conv_transpose2d(answer: object) -> None:
    """y (N, maps, H, W), weight (maps, C, k, k), stride, padding -> (N, C, H', W')."""
    cases = [  # images, maps, channels, height, width, k, stride, padding
        (2, 3, 2, 4, 5, 3, 1, 0), (1, 1, 1, 3, 3, 4, 2, 1), (3, 2, 4, 5, 2, 4, 2, 1), (1, 2, 1, 1, 1, 3, 1, 1),
        (2, 1, 3, 3, 4, 2, 3, 0),
    ]
    for number, maps, channels, height, width, k, stride, padding in cases:
        y, weight = torch.randn(number, maps, height, width), torch.randn(maps, channels, k, k)
        truth = F.conv_transpose2d(y, weight, stride=stride, padding=padding)
        wide, flat = F.conv_transpose2d(y, weight, stride=stride), weight.flip(2, 3)
        set_only = torch.zeros_like(wide)
        for i in range(height):
            for j in range(width):
                place = (..., slice(i * stride, i * stride + k), slice(j * stride, j * stride + k))
                set_only[place] = torch.einsum("nm,mckl->nckl", y[:, :, i, j], weight)
        cut = (..., slice(padding, wide.shape[2] - padding), slice(padding, wide.shape[3] - padding))
        output = attempt(answer, y, weight, stride, padding)
        if isinstance(output, Tensor) and padding and output.shape == wide.shape:
            expect(False, "the padding is still there: cut `padding` rows and columns off at each side.")
        expect_close(output, truth, {
            "copies that overlap must be added (+=); yours overwrite each other.": set_only[cut],
            "the kernel is turned round; spread it as it is: gathering and spreading use the same weights.":
                F.conv_transpose2d(y, flat, stride=stride, padding=padding),
            "rows and columns of the kernel are exchanged.":
                F.conv_transpose2d(y, weight.transpose(2, 3), stride=stride, padding=padding),
            "the copies of all maps add up; divide by nothing.": truth / maps,
        }, what=f"the picture for y {tuple(y.shape)}, weight {tuple(weight.shape)}, stride {stride}, padding {padding}")


@exercise("04.5", "An autoencoder for any size", difficulty=3, minutes=25)
def build(answer: object) -> None:
    """channels, height, width, code -> encoder and decoder."""
    cases = [(1, 28, 28, 8), (3, 30, 45, 16), (1, 29, 31, 4), (3, 7, 12, 5), (1, 4, 5, 2), (2, 33, 18, 1)]
    for channels, height, width, code in cases:
        case = f"for images of {channels} x {height} x {width}, code {code}"
        output = attempt(answer, channels, height, width, code)
        pair = isinstance(output, (tuple, list)) and len(output) == 2
        expect(pair and all(isinstance(part, nn.Module) for part in output),
               "return two modules: the encoder, the decoder.")
        encoder, decoder = output
        images = torch.rand(5, channels, height, width)
        c = through(encoder, images, f"your encoder, {case},")
        expect(c.shape == (5, code), f"{case} the code has shape {tuple(c.shape)}; expected (5, {code}).")
        x_hat = through(decoder, c, f"your decoder, {case},")
        expect(x_hat.shape == images.shape,
               f"{case} the decoder returns {tuple(x_hat.shape)}, not {tuple(images.shape)}. Write the size behind "
               "each layer; a stride of 2 forgets whether a size was even or odd: say it with output_padding.")
        far = decoder.eval()(100 * torch.randn(20, code))
        expect(bool((far >= 0).all() and (far <= 1).all()),
               f"{case} the decoder gives values from {far.min():.3g} to {far.max():.3g}; images lie in [0, 1]: "
               "end in a Sigmoid.")
        strided = [m for m in encoder.modules() if isinstance(m, nn.Conv2d) and max(m.stride) > 1]
        expect(len(strided) >= 2,
               f"your encoder has {len(strided)} convolutions with a stride; two at least were asked for.")
        expect(not is_affine(encoder.eval(), images),
               "your encoder is linear: two layers without anything between them are one. Add a ReLU.")
        bends = (nn.ReLU, nn.LeakyReLU, nn.GELU, nn.SiLU, nn.Tanh, nn.ELU)
        expect(any(isinstance(m, bends) for m in decoder.modules()),
               "your decoder has no non-linearity between its layers: add a ReLU behind each but the last.")


def through(module: nn.Module, inputs: Tensor, whose: str) -> Tensor:
    """The module's output, with a message of its own where it fails."""
    try:
        with torch.no_grad():
            return module.train()(inputs)
    except Exception as error:
        expect(False, f"{whose} raised {type(error).__name__}: {error}")


@torch.no_grad()
def is_affine(module: nn.Module, images: Tensor) -> bool:
    """Whether module(2a - b) = 2 module(a) - module(b)."""
    a, b = 5 * images[:1], 5 * images[1:2]
    return torch.allclose(module(2 * a - b), 2 * module(a) - module(b), rtol=1e-3, atol=1e-4)
