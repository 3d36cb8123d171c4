"""Setting a feature of a code, and ways to get it wrong (exercise 14.3)."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import normalize

__all__ = ["CLAMP_MISTAKES", "clamped"]


def difference(now: Tensor, value: float) -> Tensor:
    return value - now


def clamped(
    x: Tensor, code: Tensor, D: Tensor, unit: int, value: float, *, step: Callable = difference
) -> Tensor:
    """x, moved along the atom of the unit by step(code of the unit (N, 1), value), (N, n)."""
    return x + step(code[:, unit, None], value) * D[:, unit]


def moved(step: Callable) -> Callable:
    return lambda *given: clamped(*given, step=step)


def elsewhere(change: Callable) -> Callable:
    """The right step for inputs that are changed."""
    return lambda *given: clamped(*change(*given))


def changed_code(code: Tensor, unit: int, value: float) -> Tensor:
    return torch.where(torch.arange(code.shape[1]) == unit, value, code)


def along(atom: Callable) -> Callable:
    """The right step along another vector, made of (D, unit)."""
    return lambda x, code, D, unit, value: x + (value - code[:, unit, None]) * atom(D, unit)


def coordinate(x: Tensor, code: Tensor, D: Tensor, unit: int, value: float) -> Tensor:
    """x with its own number `unit` set to the value."""
    return torch.where(torch.arange(x.shape[1]) == unit, value, x)


CLAMP_MISTAKES: dict[str, Callable] = {
    "this replaces x by the decoded code.": lambda x, c, D, *rest: clamped(c @ D.T, c, D, *rest),
    "that adds the value: set it, value - code.": moved(lambda now, value: value + 0 * now),
    "that takes the feature away: the value is missing.": moved(lambda now, value: -now),
    "the sign is wrong: add value - code.": moved(lambda now, value: now - value),
    "that adds value + code: the code of the unit goes away, value - code.": moved(
        lambda now, value: value + now
    ),
    "that subtracts the value: add value - code.": moved(lambda now, value: -value + 0 * now),
    "set the feature to the value, do not multiply.": moved(lambda c, v: (v - 1) * c),
    "that adds value times code: set it, value - code.": moved(lambda now, value: value * now),
    "set the feature also where it is off.": moved(lambda c, v: (c > 0) * (v - c)),
    "set the feature also where it is on.": moved(lambda c, v: (c == 0) * (v - c)),
    "stronger features become weaker, too: set them to the value.": moved(
        lambda now, value: (value - now).clamp_min(0)
    ),
    "weaker features become stronger, too: set them to the value.": moved(
        lambda now, value: (value - now).clamp_max(0)
    ),
    "that is the distance to the value; the difference has a sign.": moved(
        lambda now, value: (value - now).abs()
    ),
    "each signal has its own code; yours takes the mean of the batch.": moved(
        lambda now, value: value - now.mean()
    ),
    "each signal has its own code; yours takes the largest of the batch.": moved(
        lambda now, value: value - now.max()
    ),
    "each signal has its own code; yours takes that of the first.": moved(
        lambda now, value: value - now[0]
    ),
    "the value is absolute, not a multiple of the largest code.": moved(
        lambda now, value: value * now.max() - now
    ),
    "nothing changes: take the rest of x with the code as it was, then decode the changed one.": (
        lambda x, *_: x
    ),
    "keep what the reader does not explain; yours sets all other units to 0.": (
        lambda x, c, D, unit, value: value * D[:, unit].expand_as(x)
    ),
    "all other units stay as they were; yours takes them out of x.": (
        lambda x, c, D, unit, value: x - c @ D.T + value * D[:, unit]
    ),
    "all other units stay as they were; yours sets all to the value.": (
        lambda x, c, D, unit, value: x + (value - c) @ D.T
    ),
    "that is only the change: add it to x.": lambda x, *rest: clamped(0 * x, *rest),
    "that is only what the reader does not explain: add the changed code, decoded.": (
        lambda x, c, D, *_: x - c @ D.T
    ),
    "add the decoded code to what is left of x, not to all of x.": (
        lambda x, c, D, unit, value: x + changed_code(c, unit, value) @ D.T
    ),
    "no ReLU at the end: x may be negative.": lambda *given: clamped(*given).relu(),
    "the result keeps the norm it gets; yours rescales it to that of x.": (
        lambda x, *rest: normalize(clamped(x, *rest)) * x.norm(dim=1, keepdim=True)
    ),
    "the code of the unit is given; yours takes the projection of x on the atom.": (
        lambda x, c, D, unit, value: x + (value - (x @ D[:, unit])[:, None]) * D[:, unit]
    ),
    "yours changes the first signal alone: code[:, unit] has one number for each.": (
        lambda x, *rest: torch.cat([clamped(x, *rest)[:1], x[1:]])
    ),
    "that is half of the change: the code of the unit is the value afterwards.": moved(
        lambda now, value: (value - now) / 2
    ),
    "that is twice the change: the code of the unit is the value afterwards.": moved(
        lambda now, value: 2 * (value - now)
    ),
    "take the code of this unit; yours takes the sum of all.": lambda x, c, D, unit, value: (
        x + (value - c.sum(dim=1, keepdim=True)) * D[:, unit]
    ),
    "the atom belongs to the same unit as the code; yours is the first.": along(
        lambda D, _: D[:, 0]
    ),
    "the code belongs to the same unit as the atom; yours is that of the first.": (
        lambda x, c, D, unit, value: x + (value - c[:, :1]) * D[:, unit]
    ),
    "divide by the norm of the atom alone, if at all; yours divides by that of all of D.": along(
        lambda D, unit: D[:, unit] / D.norm()
    ),
    "the result keeps the norm it gets; yours has norm 1.": lambda *given: normalize(
        clamped(*given)
    ),
    "the atom of the unit is a column, D[:, unit]; yours is that of unit + 1.": along(
        lambda D, unit: D[:, (unit + 1) % D.shape[1]]
    ),
    "the unit counts from 0, as everywhere in torch: yours is the one before.": elsewhere(
        lambda x, c, D, unit, value: (x, c, D, unit - 1, value)
    ),
    "yours sets unit 0 whatever the argument says.": elsewhere(
        lambda x, c, D, unit, value: (x, c, D, 0, value)
    ),
    "yours sets the last unit whatever the argument says.": elsewhere(
        lambda x, c, D, unit, value: (x, c, D, -1, value)
    ),
    **{
        f"yours sets the value {value} whatever the argument says.": elsewhere(
            lambda x, c, D, unit, _, value=value: (x, c, D, unit, value)
        )
        for value in (1.0, 2.0, 5.0)
    },
    "`unit` is a unit of the code, not a number of x: move x along the atom.": coordinate,
    "the atom is missing: x moves along D[:, unit].": along(lambda D, unit: 1.0),
    "that is the changed code; asked is x.": lambda x, c, D, unit, value: changed_code(
        c, unit, value
    ),
}
