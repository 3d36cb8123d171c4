"""A layer of LISTA with one matrix, with the mistakes made about it (exercise 06.4)."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from course_utils.sparse_coding import hard_threshold, normalise_atoms, soft_threshold

__all__ = ["LAYER_MISTAKES", "layer"]


def layer(
    x: Tensor,
    z: Tensor,
    D: Tensor,
    W: Tensor,
    theta: Tensor | float,
    shrink: Callable = soft_threshold,
    step: float | Tensor = 1.0,
) -> Tensor:
    """The next code; `shrink` replaces the soft threshold, `step` multiplies the step."""
    return shrink(z + step * (x - z @ D.T) @ W, theta)


def shrinking(shrink: Callable) -> Callable:
    """A mistake: something else than the soft threshold."""
    return partial(layer, shrink=shrink)


def thresholds(change: Callable) -> Callable:
    """A mistake: other thresholds."""
    return lambda x, z, D, W, theta: layer(x, z, D, W, change(theta))


def norm(D: Tensor) -> Tensor:
    return torch.linalg.matrix_norm(D, 2) ** 2


LAYER_MISTAKES: dict[str, Callable] = {
    "add the present code z.": lambda x, z, D, W, t: soft_threshold((x - z @ D.T) @ W, t),
    "the threshold is missing.": thresholds(lambda t: 0),
    "the sign of the residual is turned: x - z Dᵀ.": lambda x, z, D, W, t: layer(x, z, D, -W, t),
    "the residual is x - z Dᵀ; yours adds.": lambda x, z, D, W, t: layer(x, z, -D, W, t),
    "subtract what z explains already: x - z Dᵀ.": lambda x, z, D, W, t: soft_threshold(
        z + x @ W, t
    ),
    "x is not used: the residual is x - z Dᵀ.": lambda x, z, D, W, t: layer(0 * x, z, D, W, t),
    "neither z nor what it explains is used: that is a first layer, from z = 0.": (
        lambda x, z, D, W, t: soft_threshold(x @ W, t)
    ),
    "make the residual with D, not with W.": lambda x, z, D, W, t: layer(x, z, W, W, t),
    "W and D are exchanged.": lambda x, z, D, W, t: layer(x, z, W, D, t),
    "that is ISTA; make the step back with W.": lambda x, z, D, W, t: layer(x, z, D, D, t),
    "that is ISTA with its own step; make the step back with W and theta.": (
        lambda x, z, D, W, t: layer(x, z, D, D, t, step=1 / norm(D))
    ),
    "do not divide the step by L: W holds it already.": (
        lambda x, z, D, W, t: layer(x, z, D, W, t, step=1 / norm(D))
    ),
    "do not divide step and threshold by L: W and theta hold it already.": (
        lambda x, z, D, W, t: layer(x, z, D, W, t / norm(D), step=1 / norm(D))
    ),
    "do not divide the threshold by L: theta holds it already.": (
        lambda x, z, D, W, t: layer(x, z, D, W, t / norm(D))
    ),
    "the step is the whole residual @ W, not half of it.": partial(layer, step=0.5),
    "the step is the residual @ W, not twice that.": partial(layer, step=2.0),
    "W is used as it is: do not normalise its columns.": (
        lambda x, z, D, W, t: layer(x, z, D, normalise_atoms(W), t)
    ),
    "D is used as it is: do not normalise its columns.": (
        lambda x, z, D, W, t: layer(x, z, normalise_atoms(D), W, t)
    ),
    "shrink the sum with z.": lambda x, z, D, W, t: z + soft_threshold((x - z @ D.T) @ W, t),
    "shrink after the step, not before it.": (
        lambda x, z, D, W, t: layer(x, soft_threshold(z, t), D, W, 0)
    ),
    "shrink once, at the end; z comes in as it is.": (
        lambda x, z, D, W, t: layer(x, soft_threshold(z, t), D, W, t)
    ),
    "do not shrink the residual.": lambda x, z, D, W, t: z + soft_threshold(x - z @ D.T, 0.1) @ W,
    "shrink what stays, too: the threshold is soft, not hard.": shrinking(hard_threshold),
    "negative numbers stay, too: a soft threshold is not a ReLU.": (
        shrinking(lambda v, t: (v - t).relu())
    ),
    "the soft threshold keeps the sign: multiply by v.sign().": (
        shrinking(lambda v, t: (v.abs() - t).relu())
    ),
    "the soft threshold shrinks negative numbers towards zero: v + theta there.": (
        shrinking(lambda v, t: (v - t).where(v.abs() > t, 0))
    ),
    "the soft threshold stops at zero: clamp |v| - theta at 0.": (
        shrinking(lambda v, t: v.sign() * (v.abs() - t))
    ),
    "the soft threshold subtracts theta from the magnitude; yours adds it.": (
        shrinking(lambda v, t: v.sign() * (v.abs() + t))
    ),
    "that is what the threshold cuts off; return what is left.": (
        shrinking(lambda v, t: v - soft_threshold(v, t))
    ),
    "each unit has its own threshold; you took their mean.": thresholds(torch.mean),
    "each unit has its own threshold; you took the largest.": thresholds(torch.max),
    "each unit has its own threshold; you took the smallest.": thresholds(torch.min),
    "each unit has its own threshold; you took the first.": thresholds(lambda t: t[0]),
    "each unit has its own threshold; you took the last.": thresholds(lambda t: t[-1]),
    "theta has an entry for each unit, not for each signal: no theta[:, None].": (
        thresholds(lambda t: t[:, None])
    ),
    "theta is not squared.": thresholds(torch.square),
    "theta is not halved.": thresholds(lambda t: t / 2),
    "theta is not doubled.": thresholds(lambda t: 2 * t),
}
