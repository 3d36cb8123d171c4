"""The power method with two functions, and its usual mistakes (exercise 10.4)."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

__all__ = ["STRETCH", "stretch"]


def iterated(
    forward: Callable, transpose: Callable, x: Tensor, steps: int, *, unit: bool = True
) -> Tensor:
    for _ in range(steps):
        x = transpose(forward(x))
        x = x / x.norm() if unit else x
    return x


def stretch(forward: Callable, *given: Any, unit: bool = True) -> Tensor:
    """|forward(x)| / |x| after the steps of `iterated`, ()."""
    x = iterated(forward, *given, unit=unit)
    return forward(x).norm() / x.norm()


def rounds(change: Callable) -> Callable:
    """Another number of steps, change(steps)."""
    return lambda f, t, x, steps: stretch(f, t, x, change(steps))


def scaled(norm: Callable, last: Callable = Tensor.norm) -> Callable:
    """Steps that divide by another norm, and another norm in the last quotient."""

    def of(forward: Callable, transpose: Callable, x: Tensor, steps: int) -> Tensor:
        for _ in range(steps):
            x = transpose(forward(x))
            x = x / norm(x)
        return last(forward(x)) / last(x)

    return of


def scaled_vector(
    forward: Callable, transpose: Callable, x: Tensor, steps: int, p: float
) -> Tensor:
    for _ in range(steps):
        x = transpose(forward(x))
        x = x / torch.linalg.vector_norm(x, p)
    return x


STRETCH = {
    "that is its square: use |forward(v)|.": lambda f, t, *a: t(f(iterated(f, t, *a))).norm(),
    "that is its root: |forward(v)| / |v| is the stretch.": lambda *a: stretch(*a).sqrt(),
    "that is the square of |forward(v)|: take the root.": lambda *a: stretch(*a).square(),
    "the vector stays the first one: replace it.": rounds(lambda steps: 0),
    "that is one step too few.": rounds(lambda steps: steps - 1),
    "that is one step too many.": rounds(lambda steps: steps + 1),
    "the vector grows without bound: divide by its norm.": lambda *a: stretch(*a, unit=False),
    "divide |forward(v)| by |v| at the end.": lambda f, *a: f(iterated(f, *a, unit=False)).norm(),
    "scale the whole vector to norm 1; F.normalize scales along dim=1.": (
        scaled(lambda x: x.norm(dim=1, keepdim=True).clamp_min(1e-12))
    ),
    "scale the whole vector to norm 1, not each row.": (
        scaled(lambda x: x.norm(dim=-1, keepdim=True).clamp_min(1e-12))
    ),
    "the norm is the root of the sum of squares, not the sum of the absolute values.": (
        lambda f, t, x, n: f(scaled_vector(f, t, x, n, 1.0)).norm()
    ),
    "divide by |v| at the end: v has the largest entry 1, not norm 1.": (
        lambda f, t, x, n: f(scaled_vector(f, t, x, n, math.inf)).norm()
    ),
    "take the norm in the last quotient, not the largest entry.": (
        scaled(Tensor.norm, last=lambda x: x.abs().max())
    ),
    "take the norm in the last quotient, not the sum of the absolute values.": (
        scaled(Tensor.norm, last=lambda x: x.abs().sum())
    ),
    "that is the root of the norm before scaling: use |forward(v)| / |v|.": lambda f, t, *a: (
        t(f(iterated(f, t, *a))).norm().sqrt()
    ),
    "start with the given vector, not with ones.": lambda f, t, x, n: stretch(
        f, t, torch.ones_like(x), n
    ),
    "steps is ignored: yours is 1.": rounds(lambda steps: 1),
    "steps is ignored: yours is 10.": rounds(lambda steps: 10),
    "steps is ignored: yours is 20.": rounds(lambda steps: 20),
    "steps is ignored: yours is 50 or more.": rounds(lambda steps: 50),
}
