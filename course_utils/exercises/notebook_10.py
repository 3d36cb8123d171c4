"""Checks of notebook 10, Mode collapse."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import conv2d, conv_transpose2d

from course_utils.exercises.core import attempt, exercise, expect, expect_answer

__all__ = ["group_std", "kl_to_uniform", "largest_stretch", "one_sided_penalty"]


def shares(counts: Tensor) -> Tensor:
    return counts.double() / counts.sum()


def divergence(counts: Tensor) -> Tensor:
    return math.log(len(counts)) - torch.special.entr(shares(counts)).sum()


DIVERGENCE = {
    "0 · log 0 is NaN: leave empty modes out.": lambda n: (shares(n) * shares(n).log()).sum(),
    "that is KL(uniform ‖ shares), infinite for an empty mode: asked is the other order.": (
        lambda counts: -(shares(counts) * len(counts)).log().mean()
    ),
    "that is the entropy; subtract it from log(modes).": lambda n: math.log(len(n)) - divergence(n),
    "that is minus the entropy: add log(modes).": lambda n: divergence(n) - math.log(len(n)),
    "that is in bits: use the natural logarithm.": lambda n: divergence(n) / math.log(2),
    "weigh each logarithm with its share, not with its count.": lambda n: divergence(n) * n.sum(),
    "equal shares are 1 / modes, with the empty modes.": lambda n: divergence(n[n > 0]),
    "sum over the modes, do not average.": lambda n: divergence(n) / len(n),
}


@exercise("10.1", "How fair are the shares?", difficulty=1, minutes=10, mistakes=DIVERGENCE)
def kl_to_uniform(answer: Any) -> None:
    """counts (modes,) integers, not all zero -> KL of their shares to equal shares, in nats."""
    for counts in ([5, 0, 10, 4, 1, 0], [3, 3, 3], [0, 0, 7, 0, 0], [2, 8, 1, 0, 4] * 5, [1, 0]):
        expect_answer(answer, divergence, torch.tensor(counts))


def deviations(x: Tensor, dim: int = 1) -> Tensor:
    return (x.var(dim=dim, unbiased=False) + 1e-8).sqrt()


def behind(x: Tensor, column: Tensor) -> Tensor:
    return torch.cat([x, column.expand(len(x))[:, None]], dim=1)


def with_std(x: Tensor, size: int, spread: Callable = deviations) -> Tensor:
    groups = x.reshape(-1, size, x.shape[1])
    return behind(x, spread(groups, dim=1).mean(dim=1).repeat_interleave(size))


NO_GRADIENT = "the new column has no gradient, and the generator cannot learn from it: no detach()."
ROOT = "1e-8 belongs under the root: equal samples give its root, 1e-4."
GROUPS = {
    "that is one value for the batch; each group has its own.": lambda x, size: behind(
        x, deviations(x, dim=0).mean()
    ),
    "take the deviation over the samples of a group.": lambda x, size: behind(x, deviations(x)),
    "a group is made of neighbours, rows 0 to size - 1; yours takes every n-th row.": (
        lambda x, size: behind(x, deviations(x.view(size, -1, x.shape[1]), 0).mean(1).repeat(size))
    ),
    "the column is not in the order of the groups: use repeat_interleave.": (
        lambda x, size: behind(x, with_std(x, size)[::size, -1].repeat(size))
    ),
    "divide by the size, not by size - 1.": lambda x, size: with_std(x, size, torch.Tensor.std),
    ROOT: lambda x, size: with_std(x, size, lambda group, dim: group.std(dim, unbiased=False)),
    "that is the variance: take the root, then the mean over the entries.": (
        lambda x, size: with_std(x, size, lambda group, dim: deviations(group, dim).square())
    ),
    NO_GRADIENT: lambda x, size: with_std(x, size).detach(),
}


@exercise("10.2", "Statistics of small groups", difficulty=2, minutes=15, mistakes=GROUPS)
def group_std(answer: Any) -> None:
    """x (N, C), size that divides N -> (N, C + 1): beside each row the spread of its own group."""
    for shape, size in [((12, 3), 4), ((8, 5), 8), ((6, 1), 2), ((10, 4), 5)]:
        x = torch.randn(shape) * torch.linspace(0.3, 3, shape[0])[:, None]
        expect_answer(answer, with_std, x, size)
    equal = torch.tensor([[1.0, 2.0], [1.0, 2.0], [-3.0, 0.5], [-3.0, 0.5]])
    column = 1e4 * attempt(answer, equal, 2)[:, -1]
    expect(torch.allclose(column, torch.ones(4), atol=1e-2, rtol=1e-2), ROOT)
    x = torch.randn(4, 2, requires_grad=True)
    column = attempt(answer, x, 2)[:, -1]
    expect(column.requires_grad, NO_GRADIENT)
    expect(torch.autograd.grad(column.sum(), x)[0].any(), NO_GRADIENT)


def gradient(critic: Callable, x: Tensor) -> Tensor:
    x = x.clone().requires_grad_()
    return torch.autograd.grad(critic(x).sum(), x, create_graph=True)[0]


def slopes(critic: Callable, x: Tensor) -> Tensor:
    return gradient(critic, x).flatten(1).norm(dim=1)


def above(slope: Tensor) -> Tensor:
    return (slope - 1).clamp_min(0).square().mean()


NOT_TRAINABLE = "no gradient reaches the weights: create_graph=True, no detach(), no item()."
PENALTY = {
    "small slopes are free: cut slope - 1 at 0.": lambda d, x: (slopes(d, x) - 1).square().mean(),
    "that is R1: subtract 1, and cut at 0.": lambda d, x: slopes(d, x).square().mean(),
    "the square is missing.": lambda d, x: (slopes(d, x) - 1).clamp_min(0).mean(),
    "the wrong side: slopes above 1 are punished.": lambda d, x: above(2 - slopes(d, x)),
    "one norm for the batch: take one per sample.": lambda d, x: above(gradient(d, x).norm()),
    "that is over the last axis: flatten(1) first.": lambda d, x: above(
        gradient(d, x).norm(dim=-1)
    ),
    "take the gradient of the sum of the scores.": lambda d, x: above(slopes(d, x) / len(x)),
    "cut before the mean over the samples.": lambda d, x: above(slopes(d, x).mean()),
    NOT_TRAINABLE: lambda d, x: above(slopes(d, x)).detach(),
}


@exercise("10.3", "A slope may be small", difficulty=2, minutes=15, mistakes=PENALTY)
def one_sided_penalty(answer: Any) -> None:
    """discriminator, x (N, ...) -> mean over samples of max(0, norm of the gradient - 1)²."""
    for shape in [(7, 2), (5, 1, 4, 4), (1, 3), (6, 2, 3)]:
        x = torch.randn(shape)
        weight = torch.nn.Parameter(1.5 * torch.randn(shape[1:]) / math.sqrt(x[0].numel()))

        def critic(points: Tensor) -> Tensor:
            return (weight * points).flatten(1).sum(dim=1).square() / 2

        what = f"the penalty for x of shape {shape}"
        reference = lambda critic, x: above(slopes(critic, x))
        penalty = expect_answer(answer, reference, critic, x, what=what)
        expect(isinstance(penalty, Tensor) and penalty.requires_grad, NOT_TRAINABLE)


def iterated(
    forward: Callable, transpose: Callable, x: Tensor, steps: int, *, unit: bool = True
) -> Tensor:
    for _ in range(steps):
        x = transpose(forward(x))
        x = x / x.norm() if unit else x
    return x


def stretch(forward: Callable, *given: Any, unit: bool = True) -> Tensor:
    x = iterated(forward, *given, unit=unit)
    return forward(x).norm() / x.norm()


STRETCH = {
    "that is its square: use |forward(v)|.": lambda f, t, *a: t(f(iterated(f, t, *a))).norm(),
    "that is its root: |forward(v)| / |v| is the stretch.": lambda *a: stretch(*a).sqrt(),
    "the vector stays the first one: replace it.": lambda f, t, x, steps: stretch(f, t, x, 0),
    "the vector grows without bound: divide by its norm.": lambda *a: stretch(*a, unit=False),
    "divide |forward(v)| by |v| at the end.": lambda f, *a: f(iterated(f, *a, unit=False)).norm(),
}


@exercise("10.4", "How far can a convolution stretch?", 3, minutes=20, mistakes=STRETCH)
def largest_stretch(answer: Any) -> None:
    """forward, transpose (functions), x of the first step, steps -> largest |forward(x)| / |x|."""
    kernel, matrix = torch.randn(3, 2, 3, 3), torch.randn(5, 4)
    convolution = lambda v: conv2d(v, kernel, padding=1)
    transposed = lambda v: conv_transpose2d(v, kernel, padding=1)
    for forward, transpose, x in [
        (convolution, transposed, torch.randn(1, 2, 6, 6)),
        (lambda v: v @ matrix.T, lambda v: v @ matrix, torch.randn(1, 4)),
    ]:
        given = (typed("forward", forward, x), typed("transpose", transpose, forward(x)), x)
        what = "the stretch after one step, transpose(forward(x)),"
        expect_answer(answer, stretch, *given, 1, what=what, tolerance=1e-3)
        unit = torch.eye(x.numel()).reshape(-1, *x.shape[1:])
        largest = lambda *_: torch.linalg.matrix_norm(forward(unit).flatten(1), 2)
        what = "the stretch after 300 steps"
        expect_answer(answer, largest, *given, 300, what=what, tolerance=5e-3)


def typed(name: str, function: Callable, like: Tensor) -> Callable:
    """The function, with a plain message for a vector of the wrong side."""

    def checked(v: Tensor) -> Tensor:
        if v.shape[1:] != like.shape[1:]:
            shapes = f"{name} takes {tuple(like.shape)}, yours has shape {tuple(v.shape)}"
            raise ValueError(f"{shapes}; each step is transpose(forward(x)), forward comes last")
        return function(v)

    return checked
