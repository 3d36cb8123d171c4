"""Checks of notebook 10, Mode collapse."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import conv2d, conv_transpose2d

from course_utils.exercises.core import attempt, exercise, expect, expect_answer
from course_utils.exercises.mistakes.group_statistics import (
    DIVERGENCE,
    EMPTY_MODES,
    GROUPS,
    MAIN_PATH,
    NO_GRADIENT,
    ROOT,
    divergence,
    with_std,
)
from course_utils.exercises.mistakes.power_method import STRETCH, stretch

__all__ = ["group_std", "kl_to_uniform", "largest_stretch", "one_sided_penalty"]


@exercise("10.1", "How fair are the shares?", 1, minutes=10, mistakes=DIVERGENCE | EMPTY_MODES)
def kl_to_uniform(answer: Any) -> None:
    """counts (modes,) integers, not all zero -> KL of their shares to equal shares, in nats."""
    for counts in ([3, 3, 3], [5, 10, 4, 1], [7, 1, 300, 90, 2] * 5, [400_003, 7], [9, 1, 1, 5, 2]):
        expect_answer(answer, divergence, torch.tensor(counts), mistakes=DIVERGENCE, tolerance=1e-5)
    mistakes = EMPTY_MODES | dict.fromkeys(DIVERGENCE, answer)
    for counts in ([5, 0, 10, 4, 1, 0], [0, 0, 7, 0, 0], [2, 8, 1, 0, 4] * 5, [1, 0]):
        expect_answer(answer, divergence, torch.tensor(counts), mistakes=mistakes, tolerance=1e-5)


@exercise("10.2", "Statistics of small groups", difficulty=2, minutes=15, mistakes=GROUPS)
def group_std(answer: Any) -> None:
    """x (N, C), size that divides N -> (N, C + 1): beside each row the spread of its own group."""
    for shape, size in [((12, 3), 4), ((8, 5), 8), ((6, 1), 2), ((10, 4), 5), ((6, 2), 3)]:
        x = torch.randn(shape) * torch.linspace(0.3, 3, shape[0])[:, None] + 1
        expect_answer(answer, with_std, x, size, tolerance=1e-5)
    equal = torch.tensor([[1.0, 2.0], [1.0, 2.0], [-3.0, 0.5], [-3.0, 0.5]])
    column = 1e4 * attempt(answer, equal, 2)[:, -1]
    expect(torch.allclose(column.double(), torch.ones(4).double(), atol=1e-2, rtol=1e-2), ROOT)
    for x, size in [(torch.randn(4, 2), 2), (torch.randn(6, 3), 3), (equal, 2)]:
        probes = [x.clone().requires_grad_() for _ in range(2)]
        outputs = attempt(answer, probes[0], size), with_std(probes[1], size)
        expect(outputs[0].requires_grad, NO_GRADIENT)
        for part, message in [(-1, NO_GRADIENT), (slice(-1), MAIN_PATH)]:
            found, right = (
                torch.autograd.grad(
                    output[:, part].square().sum(), probe, retain_graph=True, allow_unused=True
                )[0]
                for output, probe in zip(outputs, probes)
            )
            expect(found is not None, message)
            expect(torch.allclose(found.double(), right.double(), atol=1e-4), message)


def gradient(critic: Callable, x: Tensor) -> Tensor:
    x = x.clone().requires_grad_()
    return torch.autograd.grad(critic(x).sum(), x, create_graph=True)[0]


def slopes(critic: Callable, x: Tensor) -> Tensor:
    return gradient(critic, x).flatten(1).norm(dim=1)


def above(slope: Tensor) -> Tensor:
    return (slope - 1).clamp_min(0).square().mean()


def of_slopes(penalty: Callable) -> Callable:
    return lambda critic, x: penalty(slopes(critic, x))


def of_gradient(slope: Callable) -> Callable:
    return lambda critic, x: above(slope(gradient(critic, x)))


NOT_TRAINABLE = "no gradient reaches the weights: create_graph=True, no detach(), no item()."
ADDED_UP = "your function leaves a gradient in the weights: use torch.autograd.grad, not backward."
PENALTY = {
    "small slopes are free: cut slope - 1 at 0.": of_slopes(lambda s: (s - 1).square().mean()),
    "that is R1: subtract 1, and cut at 0.": of_slopes(lambda s: s.square().mean()),
    "the square is missing.": of_slopes(lambda s: (s - 1).clamp_min(0).mean()),
    "the wrong side: slopes above 1 are punished.": of_slopes(lambda s: above(2 - s)),
    "one norm for the batch: take one per sample.": of_gradient(lambda g: g.norm()),
    "take the norm over all axes but the first: flatten(1) first; yours is over axis 1.": (
        of_gradient(lambda g: g.norm(dim=1))
    ),
    "that is over the last axis: flatten(1) first.": of_gradient(lambda g: g.norm(dim=-1)),
    "take the gradient of the sum of the scores.": lambda d, x: above(slopes(d, x) / len(x)),
    "cut before the mean over the samples.": of_slopes(lambda s: above(s.mean())),
    "square before the mean over the samples.": of_slopes(
        lambda s: (s - 1).clamp_min(0).mean().square()
    ),
    "take the mean over the samples, not the sum.": of_slopes(lambda s: above(s) * len(s)),
    "take the mean over the samples, not the largest.": of_slopes(lambda s: above(s.max())),
    "take the mean over all samples, not over those with a slope above 1 alone.": of_slopes(
        lambda s: above(s[s > 1])
    ),
    "one number, the mean over the samples.": of_slopes(
        lambda s: (s - 1).clamp_min(0).square().squeeze()
    ),
    "subtract 1 from the slope before you cut.": of_slopes(
        lambda s: s.clamp_min(1).square().mean()
    ),
    "subtract 1 before you square.": of_slopes(lambda s: (s.square() - 1).clamp_min(0).mean()),
    "take the root: the slope is the norm, not its square.": of_slopes(lambda s: above(s.square())),
    "the slope is the root of the sum of squares, not of their mean.": of_gradient(
        lambda g: g.flatten(1).square().mean(dim=1).sqrt()
    ),
    "the slope is the norm, not the sum of the absolute values.": of_gradient(
        lambda g: g.flatten(1).abs().sum(dim=1)
    ),
    "the slope is the norm, not the largest entry.": of_gradient(
        lambda g: g.flatten(1).abs().amax(dim=1)
    ),
    "the slope is the norm of the gradient, not the sum of its entries.": of_gradient(
        lambda g: g.flatten(1).sum(dim=1)
    ),
    "each entry of the gradient is cut; take the norm first.": of_gradient(lambda g: g.abs()),
    "that is half of the penalty.": of_slopes(lambda s: above(s) / 2),
    "the factor of WGAN-GP, 10, does not belong here.": of_slopes(lambda s: 10 * above(s)),
    "that is the penalty of the scores: take their gradient with respect to x.": (
        lambda d, x: above(d(x))
    ),
    NOT_TRAINABLE: of_slopes(lambda s: above(s).detach()),
}


@exercise("10.3", "A slope may be small", difficulty=2, minutes=15, mistakes=PENALTY)
def one_sided_penalty(answer: Any) -> None:
    """discriminator, x (N, ...) -> mean over samples of max(0, norm of the gradient - 1)²."""
    for shape in [(7, 2), (5, 1, 4, 4), (1, 3), (6, 2, 3), (4, 3, 2, 2)]:
        critic, x = Critic(shape[1:]), torch.randn(shape)
        if len(x) == 7:
            x[2] = 0.0  # where the slope is 0
        what = f"the penalty for x of shape {shape}"
        reference = lambda critic, x: above(slopes(critic, x))
        penalty = expect_answer(answer, reference, critic, x, what=what, tolerance=1e-5)
        expect(isinstance(penalty, Tensor) and penalty.requires_grad, NOT_TRAINABLE)
        expect(critic.weight.grad is None, ADDED_UP)
        found, right = (
            torch.autograd.grad(value, critic.weight, allow_unused=True)[0]
            for value in (penalty, reference(critic, x))
        )
        expect(found is not None, NOT_TRAINABLE)
        expect(found.isfinite().all(), "NaN reaches the weights where a slope is 0: use norm.")
        right_way = torch.allclose(found.double(), right.double(), rtol=1e-3, atol=1e-4)
        expect(right_way, "the gradient for the weights is wrong: no detach() on the way.")


class Critic(torch.nn.Module):
    """Half the square of a linear score, whose slope differs from point to point."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(2.5 * torch.randn(shape) / math.prod(shape) ** 0.5)

    def forward(self, points: Tensor) -> Tensor:
        """points (N, ...) -> scores (N,)."""
        return (self.weight * points).flatten(1).sum(dim=1).square() / 2

    def __repr__(self) -> str:
        return "discriminator"


@exercise("10.4", "How far can a convolution stretch?", 3, minutes=20, mistakes=STRETCH)
def largest_stretch(answer: Any) -> None:
    """forward, transpose (functions), x of the first step, steps -> largest |forward(x)| / |x|."""
    kernel, matrix = torch.randn(3, 2, 3, 3), torch.randn(5, 4)
    convolution = lambda v: conv2d(v, kernel, padding=1)
    transposed = lambda v: conv_transpose2d(v, kernel, padding=1)
    for forward, transpose, x in [
        (convolution, transposed, torch.randn(1, 2, 6, 6)),
        (lambda v: 1e-2 * v @ matrix.T, lambda v: 1e-2 * v @ matrix, 0.03 * torch.randn(1, 4)),
        (convolution, transposed, torch.randn(1, 2, 3, 8)),
    ]:
        given = (Typed("forward", forward, x), Typed("transpose", transpose, forward(x)), x)
        first, again = attempt(answer, *given, 1), attempt(answer, *given, 1)
        equal = bool(torch.as_tensor(first == again).all())
        expect(equal, "two calls with the same x differ: start with the given vector.")
        for steps in (1, 2, 3, 7, 300):
            what = f"the stretch after {steps} step{'s' * (steps > 1)}"
            expect_answer(answer, stretch, *given, steps, what=what, tolerance=1e-5)


@dataclass(frozen=True)
class Typed:
    """A function with a plain message for a vector of the wrong side."""

    name: str
    function: Callable
    like: Tensor

    def __call__(self, v: Tensor) -> Tensor:
        if v.shape[1:] != self.like.shape[1:]:
            shapes = f"{self.name} takes {tuple(self.like.shape)}, yours has {tuple(v.shape)}"
            raise ValueError(f"{shapes}; each step is transpose(forward(x)), forward comes last")
        return self.function(v)

    def __repr__(self) -> str:
        return self.name
