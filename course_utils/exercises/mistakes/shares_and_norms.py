"""How often units are used, rows of a given norm, and ways to get them wrong (14.1 and 14.2)."""

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["NORM_MISTAKES", "USAGE_MISTAKES", "rescaled", "used"]


def used(code: Tensor) -> tuple[Tensor, Tensor]:
    """The share of signals for which each unit is on (units,), and the share of dead units."""
    return (code != 0).float().mean(dim=0), (code == 0).all(dim=0).float().mean()


def other_shares(shares: Callable) -> Callable:
    return lambda code: (shares(code), used(code)[1])


def other_dead(dead: Callable) -> Callable:
    return lambda code: (used(code)[0], dead(code))


def on(code: Tensor) -> Tensor:
    return (code != 0).float()


USAGE_MISTAKES: dict[str, Callable] = {
    "the mean goes over the signals, dim=0.": other_shares(lambda code: on(code).mean(dim=1)),
    "both go over the signals, dim=0; yours go over the units.": lambda code: used(code.T),
    "that is the mean activation; asked is how often.": other_shares(lambda code: code.mean(dim=0)),
    "that is a count; divide by the signals.": other_shares(lambda code: on(code).sum(dim=0)),
    "divide by the signals, yours divides by the units.": other_shares(
        lambda code: on(code).sum(dim=0) / code.shape[1]
    ),
    "the shares are of the signals, not of all uses: they need not add up to 1.": other_shares(
        lambda code: on(code).sum(dim=0) / on(code).sum()
    ),
    "divide by all signals, not only by those for which some unit is on.": other_shares(
        lambda code: on(code).sum(dim=0) / (code != 0).any(dim=1).sum()
    ),
    "that is the share for which a unit is off; asked is on.": other_shares(
        lambda code: 1 - on(code).mean(dim=0)
    ),
    "that is one share for all units together: dim=0.": other_shares(lambda code: on(code).mean()),
    "divide by the number of signals N, not by N - 1.": other_shares(
        lambda code: on(code).sum(dim=0) / (len(code) - 1)
    ),
    "the shares are relative to the most used unit in yours: divide by the signals.": other_shares(
        lambda code: used(code)[0] / used(code)[0].max()
    ),
    "dead units have a share, too, which is 0: leave none out.": other_shares(
        lambda code: used(code)[0][used(code)[0] > 0]
    ),
    "the shares stand in the order of the units: do not sort.": other_shares(
        lambda code: used(code)[0].sort(descending=True).values
    ),
    "do not round the shares.": other_shares(lambda code: (100 * used(code)[0]).round() / 100),
    "that is in percent; asked is a share, from 0 to 1.": other_shares(
        lambda code: 100 * on(code).mean(dim=0)
    ),
    "that says whether a unit is ever on; asked is for how many of the signals.": other_shares(
        lambda code: on(code).amax(dim=0)
    ),
    "small activations count as well: a unit is on where its number is not 0.": lambda code: used(
        code * (code > 1e-4)
    ),
    "small activations count as well for the shares: a unit is on where it is not 0.": (
        other_shares(lambda code: used(code * (code > 1e-4))[0])
    ),
    "a unit with small activations is not dead: dead units are never on.": other_dead(
        lambda code: used(code * (code > 1e-4))[1]
    ),
    "that is the share of living units.": other_dead(lambda code: 1 - used(code)[1]),
    "that is the share of zeros in the code.": other_dead(lambda code: 1 - on(code).mean()),
    "that is a count; divide by the units.": other_dead(lambda c: (c == 0).all(dim=0).sum()),
    "divide the dead units by the units, not by the signals.": other_dead(
        lambda code: (code == 0).all(dim=0).sum() / len(code)
    ),
    "a unit that is rarely on is not dead: dead units are never on.": other_dead(
        lambda code: (used(code)[0] < 0.05).float().mean()
    ),
    "a dead unit is off for all signals; yours is off for at least one.": other_dead(
        lambda code: (code == 0).any(dim=0).float().mean()
    ),
    "divide the dead units by all units, not by the living ones.": other_dead(
        lambda code: (code == 0).all(dim=0).sum() / (code != 0).any(dim=0).sum()
    ),
    "a dead unit is off for all signals; yours is off for the first.": other_dead(
        lambda code: (code[0] == 0).float().mean()
    ),
    "that is the share of signals without any unit: dead is a unit, dim=0.": other_dead(
        lambda code: (code == 0).all(dim=1).float().mean()
    ),
    "these are the dead units themselves; asked is their share.": other_dead(
        lambda code: (code == 0).all(dim=0).float().squeeze()
    ),
    "that is in percent; asked is the share of dead units, from 0 to 1.": other_dead(
        lambda code: 100 * used(code)[1]
    ),
    **{
        f"yours divides by {units} units whatever the code has.": other_dead(
            lambda code, units=units: (code == 0).all(dim=0).sum() / units
        )
        for units in (512, 128, 256, 1024)
    },
    "the shares of the units come first, then the share of dead ones.": (
        lambda code: (used(code)[1], used(code)[0].squeeze())
    ),
}


def norm(x: Tensor, dim: int | None = 1, small: float = 1e-12, order: float = 2) -> Tensor:
    """The norm along an axis, or of the whole matrix, at least `small`."""
    if dim is None:
        return x.norm().clamp_min(small)
    return torch.linalg.vector_norm(x, order, dim=dim, keepdim=True).clamp_min(small)


def rescaled(x: Tensor, x_hat: Tensor) -> Tensor:
    """x_hat with the norm of x in each row, (N, n); rows of zeros stay zero."""
    return x_hat / norm(x_hat) * x.norm(dim=1, keepdim=True)


def by(factor: Callable) -> Callable:
    """x_hat times a factor made of the two norms (N, 1) of each row."""
    return lambda x, x_hat: x_hat * factor(norm(x, small=0.0), norm(x_hat))


def without_zeros(x: Tensor, x_hat: Tensor) -> Tensor:
    return torch.where(x_hat.norm(dim=1, keepdim=True) == 0, x, rescaled(x, x_hat))


NORM_MISTAKES: dict[str, Callable] = {
    "each row has its own norm: norm(dim=1, keepdim=True).": (
        lambda x, y: y / norm(y, None) * x.norm()
    ),
    "each row of x has its own norm: norm(dim=1, keepdim=True).": (
        lambda x, y: y / norm(y) * x.norm()
    ),
    "each row of x_hat has its own norm: norm(dim=1, keepdim=True).": (
        lambda x, y: y / norm(y, None) * norm(x, small=0.0)
    ),
    "each row has the norm of its own x, not the mean of the batch.": (
        lambda x, y: y / norm(y) * norm(x, small=0.0).mean()
    ),
    "each row has its own factor, not the mean of the batch.": lambda x, y: (
        y * ((norm(x, small=0.0) / norm(y)).mean())
    ),
    "each row has the norm of its own x, not that of the first.": (
        lambda x, y: y / norm(y) * norm(x, small=0.0)[:1]
    ),
    "each row has its own factor, not that of the mean norms.": lambda x, y: (
        y * norm(x, small=0.0).mean() / norm(y, small=0.0).mean()
    ),
    "where a row of x is zero, the result has norm 0, too.": lambda x, y: torch.where(
        norm(x, small=0.0) == 0, y, rescaled(x, y)
    ),
    "that is the norm of x - x_hat; asked is that of x.": lambda x, y: y / norm(y) * norm(x - y),
    "that is the best factor for the squared error, <x, x_hat> / <x_hat, x_hat>; asked is the norm "
    "of x.": lambda x, y: y * (x * y).sum(dim=1, keepdim=True) / norm(y) ** 2,
    "the norm is the root of the sum of squares, not of their mean.": lambda x, y: (
        y / norm(y) * norm(x, small=0.0) / x.shape[1] ** 0.5
    ),
    "rows of zeros stay in the result: leave none out.": lambda x, y: rescaled(x, y)[
        y.norm(dim=1) > 0
    ],
    "a row of zeros gives 0/0: clamp_min.": lambda x, y: y / norm(y, small=0.0) * norm(x),
    "a row of zeros in x_hat stays one; yours puts x in its place.": without_zeros,
    "that has norm 1; multiply by the norm of x.": lambda x, y: y / norm(y),
    "x is rescaled; asked is x_hat with the norm of x.": (
        lambda x, y: x / norm(x) * norm(y, small=0.0)
    ),
    "that is x itself; asked is x_hat with the norm of x.": lambda x, y: x,
    "that is x_hat as it was: give it the norm of x.": lambda x, y: y,
    "x_hat keeps its own norm as a factor: divide by it.": lambda x, y: y * norm(x, small=0.0),
    "each row is a vector: dim=1, not dim=0.": lambda x, y: y / norm(y, 0) * norm(x, 0, 0.0),
    "the norm is the root of the sum of squares.": by(lambda a, b: (a / b) ** 2),
    "the norm is not the root of the ratio: leave out one root.": by(lambda a, b: (a / b).sqrt()),
    "that is the root of the norm of x: leave out one root.": by(lambda a, b: a.sqrt() / b),
    "the norm of x is squared in yours: take the root.": by(lambda a, b: a**2 / b),
    "the norm of x_hat is squared in yours: take the root.": by(lambda a, b: a / b**2),
    "the norm of x is added; multiply by it.": lambda x, y: y / norm(y) + norm(x, small=0.0),
    "that is the sum of absolute values; the norm is the root of the sum of squares.": (
        lambda x, y: y / norm(y, order=1) * norm(x, small=0.0, order=1)
    ),
    "that is the largest absolute value; the norm is the root of the sum of squares.": (
        lambda x, y: y / norm(y, order=torch.inf) * norm(x, small=0.0, order=torch.inf)
    ),
    "the sum of a row is not its norm: square, add up, take the root.": (
        lambda x, y: y / y.sum(dim=1, keepdim=True) * x.sum(dim=1, keepdim=True)
    ),
    "the standard deviation subtracts the mean first: take the norm.": (
        lambda x, y: y / y.std(dim=1, keepdim=True).clamp_min(1e-12) * x.std(dim=1, keepdim=True)
    ),
    **{
        f"the ratio of the norms is upside down (with {small:g} against 0/0).": (
            lambda x, y, small=small: y * norm(y, small=0.0) / norm(x, small=small)
        )
        for small in (1e-12, 1e-8, 1e-10, 1e-9, 1e-6, 0.0)
    },
    **{
        f"yours adds {small:g} to the norm of x_hat, so rows come out too short: clamp_min.": (
            lambda x, y, small=small: y / (y.norm(dim=1, keepdim=True) + small) * norm(x, small=0.0)
        )
        for small in (1e-2, 1e-3, 1e-1, 1.0, 1e-4)
    },
    **{
        f"rows of x_hat shorter than {small:g} come out too short: a smaller bound.": (
            lambda x, y, small=small: y / norm(y, small=small) * norm(x, small=0.0)
        )
        for small in (1e-2, 1e-3, 1e-1, 1.0)
    },
    "rows that are too long become shorter, too: the factor may be below 1.": by(
        lambda a, b: (a / b).clamp_min(1)
    ),
    "rows that are too short become longer, too: the factor may be above 1.": by(
        lambda a, b: (a / b).clamp_max(1)
    ),
    "the direction of x_hat is lost: do not take absolute values.": (
        lambda x, y: rescaled(x, y).abs()
    ),
    "the sign is wrong: x_hat points the other way.": lambda x, y: -rescaled(x, y),
    "multiply x_hat by a factor; yours adds the difference of the norms.": (
        lambda x, y: y + x.norm(dim=1, keepdim=True) - y.norm(dim=1, keepdim=True)
    ),
}
