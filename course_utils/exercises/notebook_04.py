"""Checks of notebook 04, Autoencoders."""

from collections.abc import Callable
from numbers import Integral
from typing import Any

import torch
from torch import Tensor, nn

from course_utils.exercises.core import (
    Mistake,
    attempt,
    exercise,
    expect,
    expect_answer,
    expect_without,
)
from course_utils.exercises.mistakes.affine_layers import straight_pair
from course_utils.exercises.mistakes.principal_angles import ANGLE_MISTAKES, EQUAL, angle
from course_utils.exercises.mistakes.receptive_fields import (
    NO_PADDING,
    SIZE_MISTAKES,
    WHOLE,
    WIDTH_MISTAKES,
    padding,
    width,
)
from course_utils.exercises.mistakes.transposed_convolution import SPREAD_MISTAKES, spread

__all__ = ["build", "conv_transpose2d", "field_width", "largest_angle", "same_padding"]


def expect_whole(answer: Any, reference: Callable, *given: object) -> None:
    """As expect_answer, for an int, also one of NumPy."""
    output = attempt(answer, *given)
    pair = isinstance(output, (tuple, list))
    expect(not pair, "return one int, which counts for rows and columns alike, not several.")
    expect_answer(answer, reference, *given)
    expect(not isinstance(output, Tensor), "return an int, not a tensor: .item() makes it one.")
    expect(isinstance(output, Integral), WHOLE)


@exercise("04.1", "Padding that keeps the size", difficulty=1, minutes=10, mistakes=SIZE_MISTAKES)
def same_padding(answer: Any) -> None:
    """kernel, dilation -> padding, an int; ValueError where there is none."""
    for given in [(1, 1), (3, 1), (11, 1), (3, 2), (5, 3), (1, 4), (4, 2), (2, 2), (6, 4), (51, 7)]:
        try:
            expect_whole(answer, padding, *given)
        except Mistake as mistake:
            text = "you raised a ValueError for kernel {}, dilation {}, where a padding fits."
            expect(not isinstance(mistake.__cause__, ValueError), text.format(*given))
            raise
    for given in [(2, 1), (4, 1), (4, 3)]:
        try:
            answer(*given)
        except ValueError:
            continue
        except Exception as error:
            text = f"where no padding keeps the size, raise ValueError, not {type(error).__name__}."
            raise Mistake(text) from error
        raise Mistake(NO_PADDING)
    expect(attempt(answer, 7) == 3, "the dilation is 1 where none is given.")


@exercise(
    "04.2", "The formula of the receptive field", difficulty=2, minutes=15, mistakes=WIDTH_MISTAKES
)
def field_width(answer: Any) -> None:
    """layers = [(kernel, stride), ...] -> width of the receptive field, an int."""
    random = [torch.randint(1, 5, (count, 2)).tolist() for count in range(1, 7)]
    nets = [[(11, 1)], [(2, 3), (3, 2)], [(7, 2), (3, 2), (3, 2), (3, 1)], [(3, 2)] * 10, []]
    for layers in [*random, *nets]:
        expect_whole(answer, width, [tuple(pair) for pair in layers])


@exercise("04.3", "The angle without SciPy", difficulty=2, minutes=15, mistakes=ANGLE_MISTAKES)
def largest_angle(answer: Any) -> None:
    """A (n, k), B (n, k) -> largest principal angle in degrees."""
    for n, k, tilt in [(8, 3, 1.0), (30, 5, 0.2), (6, 1, 0.5), (5, 4, 1.0), (12, 3, 0.05)]:
        A, change = torch.randn(2, n, k, dtype=torch.float64)
        mix = torch.randn(k, k, dtype=torch.float64) + 2 * torch.eye(k)
        B = (A + tilt * change) @ mix
        expect_answer(answer, angle, A, 1e-3 * B if k == 5 else B, tolerance=5e-5)
    upright = torch.eye(6)[:, :2], torch.eye(6)[:, 1:3]
    expect_answer(answer, angle, *upright, tolerance=1e-3)
    for k in [3] + 60 * [1]:  # among 60 lines rounding makes some cosine more than 1
        A = torch.randn(7, k)
        B = A @ (torch.randn(k, k) + 2 * torch.eye(k))
        expect(abs(float(attempt(answer, A, B))) < 0.5, EQUAL)


LOOPS = "write the loops: every number of `y` adds its copy of the kernel"


@exercise("04.4", "Spread instead of gather", difficulty=2, minutes=20, mistakes=SPREAD_MISTAKES)
def conv_transpose2d(answer: Any) -> None:
    """y (N, maps, H, W), weight (maps, C, k, k), stride, padding -> (N, C, H', W')."""
    shapes = [(2, 3, 4, 5), (2, 1, 3, 4), (1, 2, 1, 1), (3, 2, 3, 6)]
    kernels = [(3, 2, 4, 4), (1, 3, 2, 2), (2, 1, 3, 3), (2, 2, 5, 5)]
    for shape, kernel, where in zip(shapes, kernels, [(2, 1), (3, 0), (1, 1), (1, 2)]):
        expect_answer(answer, spread, torch.randn(shape), torch.randn(kernel), *where)
    y, weight = torch.randn(2, 3, 3, 5), 0.01 * torch.randn(3, 2, 3, 3)
    expect_answer(answer, spread, y, weight, what="the result without stride and padding")
    expect_without(answer, y, weight, 2, 1, names=("conv_transpose*", "convolution"), advice=LOOPS)


def expect_modules(output: Any) -> None:
    """Fail unless an answer is an encoder and a decoder that can be trained."""
    two = isinstance(output, (tuple, list)) and len(output) == 2
    modules = two and all(isinstance(part, nn.Module) for part in output)
    expect(modules, "return two modules: the encoder, the decoder.")
    for name, part in zip(("encoder", "decoder"), output):
        text = (
            f"your {name} has no weights to train: keep layers in nn.Sequential or as attributes."
        )
        expect(any(weights.requires_grad for weights in part.parameters()), text)


def expect_size(case: str, x_hat: Any, images: Tensor) -> None:
    """Fail unless the decoder returns images of the shape that the encoder was given."""
    expect(isinstance(x_hat, Tensor), f"{case} the decoder returns a {type(x_hat).__name__}.")
    found, wanted = tuple(x_hat.shape), tuple(images.shape)
    text = f"{case} the decoder returns {found}, not {wanted}: "
    turned = found == (*wanted[:2], *wanted[:1:-1]) and found != wanted
    expect(not turned, text + "height and width are exchanged.")
    if len(found) == 4 and found[:2] == wanted[:2]:
        text += (
            "choose the output_padding of each layer from the size that it has to reach, apart for "
            "height and width."
        )
    elif len(found) == 4 and found[0] == wanted[0] and found[2:] == wanted[2:]:
        text += "its last layer needs as many maps as the images have channels."
    else:
        text += "it must lead back to the shape of the images."
    expect(found == wanted, text)


def expect_each_alone(name: str, part: nn.Module, inputs: Tensor) -> None:
    """Fail if, in evaluation, a module gives an entry something else when it comes alone."""
    alone = torch.cat([attempt(part, one) for one in inputs.split(1)])
    together = torch.allclose(alone, attempt(part, inputs), rtol=1e-3, atol=1e-4)
    expect(together, f"what your {name} gives for one image depends on the others of its batch.")


@exercise("04.5", "An autoencoder for any size", difficulty=3, minutes=25)
def build(answer: Any) -> None:
    """channels, height, width, code -> encoder and decoder."""
    cases = [
        (1, 28, 28, 8),
        (3, 30, 45, 16),
        (1, 29, 31, 4),
        (3, 7, 12, 5),
        (1, 4, 5, 2),
        (2, 6, 4, 1),
    ]
    for *shape, code in cases:
        case = f"for images of shape {tuple(shape)}, code {code},"
        output = attempt(answer, *shape, code)
        expect_modules(output)
        encoder, decoder = output
        images = torch.rand(5, *shape)
        c = attempt(encoder.train(), images)
        expect(isinstance(c, Tensor), f"{case} the code is a {type(c).__name__}.")
        text = f"{case} your encoder returns {tuple(c.shape)}, not {(5, code)}: "
        expect(c.shape == (5, code), text + "end in nn.Flatten and an nn.Linear to `code` numbers.")
        x_hat = attempt(decoder.train(), c)
        expect_size(case, x_hat, images)
        text = "no gradient comes through your {}: leave detach, no_grad and .data away."
        expect(c.requires_grad, text.format("encoder"))
        expect(x_hat.requires_grad, text.format("decoder"))
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
            expect_each_alone(name, part, inputs)
