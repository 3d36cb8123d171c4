"""Dead units and the KL penalty, with the mistakes made about them (exercises 05.4 and 05.5)."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

__all__ = ["DEAD_MISTAKES", "KL_MISTAKES", "dead", "force"]


def dead(batches: list[Tensor], used: Callable = lambda codes: codes != 0) -> Tensor:
    """The share of units that no signal uses."""
    return (~used(torch.cat(batches))).all(dim=0).float().mean()


def in_batches(batches: list[Tensor], join: Callable) -> Tensor:
    """A share from the units that are dead in each batch, joined over the batches."""
    return join(torch.stack([(codes == 0).all(dim=0) for codes in batches]).float())


DEAD_MISTAKES: dict[str, Callable] = {
    "that is the last batch alone.": lambda b: dead(b[-1:]),
    "that is the first batch alone.": lambda b: dead(b[:1]),
    "the last batch is left out.": lambda b: dead(b[:-1] or [torch.zeros_like(b[0])]),
    "a dead unit is inactive in all batches; you took the mean of the batches' shares.": (
        partial(in_batches, join=torch.mean)
    ),
    "a dead unit is inactive in all batches, not in some batch.": (
        partial(in_batches, join=lambda units: units.amax(dim=0).mean())
    ),
    "you added the shares of the batches; a dead unit is inactive in all.": (
        partial(in_batches, join=lambda units: units.mean(dim=1).sum())
    ),
    "the share of the batch with the fewest dead units is too large: join the batches first.": (
        partial(in_batches, join=lambda units: units.mean(dim=1).amin())
    ),
    "that is the share of the active units.": lambda b: 1 - dead(b),
    "uses that cancel are uses.": lambda b: dead([torch.cat(b).sum(dim=0, keepdim=True)]),
    "uses that cancel within a batch are uses.": (
        lambda b: dead([codes.sum(dim=0, keepdim=True) for codes in b])
    ),
    "negative numbers are uses too: != 0.": partial(dead, used=lambda codes: codes > 0),
    "positive numbers are uses too: != 0.": partial(dead, used=lambda codes: codes < 0),
    **{
        f"small numbers are uses too, {size:g} as well: != 0.": (
            partial(dead, used=lambda codes, least=least: codes.abs() > least)
        )
        for size, least in [(1e-9, 1e-6), (3e-4, 1e-3), (3e-3, 0.01), (0.03, 0.1), (0.3, 0.5)]
    },
    "small and negative numbers are uses too: != 0.": partial(
        dead, used=lambda codes: codes > 1e-4
    ),
    "ask for each unit, dim=0.": lambda b: (torch.cat(b) == 0).all(dim=1).float().mean(),
    "a unit is alive if some signal uses it, not if all do.": (
        lambda b: (torch.cat(b) == 0).any(dim=0).float().mean()
    ),
    "a unit is alive if some signal uses it, not if all of a batch do.": (
        lambda b: 1 - torch.stack([(x != 0).all(dim=0) for x in b]).any(dim=0).float().mean()
    ),
    "return a share from 0 to 1, not a count.": lambda b: dead(b) * b[0].shape[1],
    "return a share from 0 to 1, not per cent.": lambda b: dead(b) * 100,
    "that is a count of the active units; return the share of the dead.": (
        lambda b: (1 - dead(b)) * b[0].shape[1]
    ),
    "divide by the number of units, not of signals.": (
        lambda b: dead(b) * b[0].shape[1] / sum(map(len, b))
    ),
    "divide by the number of units, not of batches.": lambda b: dead(b) * b[0].shape[1] / len(b),
    "divide by the units once: batches do not have units of their own.": (
        lambda b: dead(b) / len(b)
    ),
    "count units that are always zero, not zeros.": lambda b: (torch.cat(b) == 0).float().mean(),
    "count units that are always zero, not the numbers that are not zero.": (
        lambda b: (torch.cat(b) != 0).float().mean()
    ),
}


def force(
    code: Tensor, rho: float, mean: Tensor | None = None, first: float = 1.0, second: float = 1.0
) -> Tensor:
    """The gradient of the penalty; `mean` replaces the mean activity of each unit."""
    mean = code.mean(dim=0) if mean is None else mean
    slope = second * (1 - rho) / (1 - mean) - first * rho / mean
    return slope.expand_as(code) / len(code)


def other_way(c: Tensor, rho: float) -> Tensor:
    """The gradient of KL(mean || rho)."""
    m = c.mean(dim=0)
    return ((m / rho).log() - ((1 - m) / (1 - rho)).log()).expand_as(c) / len(c)


def clamped(c: Tensor, rho: float, least: float) -> Tensor:
    return force(c, rho, c.mean(dim=0).clamp(least, 1 - least))


KL_MISTAKES: dict[str, Callable] = {
    "each activity is 1/N of the mean: divide by N.": lambda c, rho: force(c, rho) * len(c),
    "the gradient has the shape of the code.": lambda c, rho: force(c, rho)[0],
    "the gradient has the shape of the code, and a factor 1/N.": (
        lambda c, rho: force(c, rho)[0] * len(c)
    ),
    "the gradient has one row for each signal.": lambda c, rho: force(c, rho)[:1],
    "more activity than ρ must give a positive gradient.": lambda c, rho: -force(c, rho),
    "the second term is missing.": partial(force, second=0.0),
    "the first term, -ρ / m, is missing.": partial(force, first=0.0),
    "the inner derivative of 1 - m is -1: the terms have different signs.": (
        partial(force, second=-1.0)
    ),
    "the first term has a minus: the derivative of log(ρ / m) is -1 / m.": (
        partial(force, first=-1.0)
    ),
    "each unit has its own mean, over dim=0.": lambda c, rho: force(c, rho, c.mean()),
    "the mean goes over the signals, dim=0, not over the units.": (
        lambda c, rho: force(c, rho, c.mean(dim=1, keepdim=True))
    ),
    "take the mean activity of a unit, not each activity.": lambda c, rho: force(c, rho, c),
    "take the mean activity of a unit, not each activity; the 1/N comes from that mean.": (
        lambda c, rho: force(c, rho, c) * len(c)
    ),
    "the mean activity is the sum over the signals divided by N.": (
        lambda c, rho: force(c, rho, c.sum(dim=0))
    ),
    "the penalty is a sum over units: divide by N alone.": (
        lambda c, rho: force(c, rho) / c.shape[1]
    ),
    "1/N has the number of signals; you took that of the units.": (
        lambda c, rho: force(c, rho) * len(c) / c.shape[1]
    ),
    "divide by N once; you did it twice.": lambda c, rho: force(c, rho) / len(c),
    "that is the gradient of KL(m || ρ); the penalty is KL(ρ || m).": other_way,
    "ρ goes with 1 / m and 1 - ρ with 1 / (1 - m); you exchanged them.": (
        lambda c, rho: force(c, 1 - rho)
    ),
    "the logarithms are still there: differentiate them, too.": (
        lambda c, rho: (
            (
                (1 - rho) * ((1 - rho) / (1 - c.mean(dim=0))).log()
                + rho * (rho / c.mean(dim=0)).log()
            ).expand_as(c)
            / len(c)
        )
    ),
    "that is the gradient of a squared difference; KL has 1 / m and 1 / (1 - m).": (
        lambda c, rho: (c.mean(dim=0) - rho).expand_as(c) * 2 / len(c)
    ),
    "m - ρ is only the numerator: divide by m (1 - m).": (
        lambda c, rho: (c.mean(dim=0) - rho).expand_as(c) / len(c)
    ),
    "that is the gradient times the code; leave the factor away.": lambda c, rho: force(c, rho) * c,
    **{
        f"do not clamp the mean at {least:g}: on a rare unit the force is much stronger.": (
            partial(clamped, least=least)
        )
        for least in (0.1, 0.05, 0.01, 1e-3, 1e-4)
    },
}
