"""The bootstrap interval, the number of seeds, and ways to get them wrong (15.1 and 15.2)."""

import math
from collections.abc import Callable
from typing import Any

import torch
from scipy import stats
from torch import Tensor

__all__ = ["BOOTSTRAP_MISTAKES", "SEED_MISTAKES", "interval", "pairs"]


def ends(values: Tensor, level: float, tails: float = 2) -> Tensor:
    """The quantiles that leave out 1 - level, shared by the tails."""
    out = (1 - level) / tails
    return torch.quantile(values, torch.tensor([out, 1 - out], dtype=values.dtype))


def interval(differences: Tensor, places: Tensor, level: float = 0.95) -> Tensor:
    """Lower and upper end of the bootstrap interval for the mean, (2,)."""
    return ends(differences[places].mean(dim=1), level)


def of_draws(values: Callable) -> Callable:
    """The quantiles of other values than the means, made of the drawn differences."""
    return lambda d, p, level=0.95: ends(values(d[p]), level)


def around(center: Callable, half: Callable) -> Callable:
    """An interval of the normal distribution, its half is z times half(differences, means)."""

    def normal(d: Tensor, p: Tensor, level: float = 0.95) -> Tensor:
        means = d[p].mean(dim=1)
        reach = stats.norm.ppf((1 + level) / 2) * half(d, means)
        return torch.stack([center(d, means) - reach, center(d, means) + reach])

    return normal


def changed(change: Callable) -> Callable:
    """Something else made of the right interval and the mean of the differences."""
    return lambda d, p, level=0.95: change(interval(d, p, level), d.mean())


def at(level_of: Callable) -> Callable:
    """The interval for another level."""
    return lambda d, p, level=0.95: interval(d, p, level_of(level))


def unique_means(drawn_from: Tensor, places: Tensor) -> Tensor:
    return torch.stack([drawn_from[draw.unique()].mean() for draw in places])


BOOTSTRAP_MISTAKES: dict[str, Callable] = {
    "the lower and the upper end are swapped.": changed(lambda found, mean: found.flip(0)),
    "take the mean of each draw first.": of_draws(torch.flatten),
    "quantiles of the differences: the draws are missing.": (
        lambda d, p, level=0.95: ends(d, level)
    ),
    "each end leaves out half of 1 - level.": lambda d, p, level=0.95: ends(
        d[p].mean(dim=1), level, 1
    ),
    "1 - level is shared by the two ends, half each; yours leaves out a quarter of it.": (
        lambda d, p, level=0.95: ends(d[p].mean(dim=1), level, 4)
    ),
    "level / 2 and 1 - level / 2 lie inside: (1 - level) / 2 and (1 + level) / 2.": (
        lambda d, p, level=0.95: ends(d[p].mean(dim=1), 1 - level)
    ),
    "average over each draw: dim=1.": of_draws(lambda drawn: drawn.mean(dim=0)),
    "that is the median of each draw; asked is the mean.": of_draws(
        lambda drawn: drawn.median(dim=1).values
    ),
    "that is the sum of each draw; asked is the mean.": of_draws(lambda drawn: drawn.sum(dim=1)),
    "that is the spread of each draw; asked is the mean.": of_draws(lambda drawn: drawn.std(dim=1)),
    "take the differences as they are, with their sign.": of_draws(
        lambda drawn: drawn.abs().mean(dim=1)
    ),
    "the sign is wrong: the differences as they are.": of_draws(lambda drawn: -drawn.mean(dim=1)),
    "the squares are not asked: the mean of the differences.": of_draws(
        lambda drawn: drawn.square().mean(dim=1)
    ),
    "a place that is drawn twice counts twice: no unique.": (
        lambda d, p, level=0.95: ends(unique_means(d, p), level)
    ),
    "yours takes the mean of the places, not of the differences that stand there.": (
        lambda d, p, level=0.95: ends(p.float().mean(dim=1), level)
    ),
    "the last difference of each draw is missing.": of_draws(lambda x: x[:, :-1].mean(dim=1)),
    "the first draw is missing.": of_draws(lambda drawn: drawn[1:].mean(dim=1)),
    **{
        f"that is {level:.0%} whatever the level.": at(lambda _, level=level: level)
        for level in (0.95, 0.9, 0.99, 0.68)
    },
    "mean ± standard deviations assumes a normal distribution: take the quantiles of the means.": (
        around(lambda d, means: means.mean(), lambda d, means: means.std())
    ),
    "mean ± spread of the means assumes a normal distribution: take quantiles.": around(
        lambda d, means: d.mean(), lambda d, means: means.std()
    ),
    "mean ± spread of the differences is not the bootstrap: take the quantiles of the means.": (
        around(lambda d, means: d.mean(), lambda d, means: d.std() / math.sqrt(len(d)))
    ),
    "mean ± spread of the means, divided by the root of the draws, is far too narrow.": around(
        lambda d, means: means.mean(), lambda d, means: means.std() / math.sqrt(len(means))
    ),
    "sort the means before you take two of them, or take torch.quantile.": (
        lambda d, p, level=0.95: d[p].mean(dim=1)[
            [int((1 - level) / 2 * len(p)), min(len(p) - 1, int((1 + level) / 2 * len(p)))]
        ]
    ),
    "all of 1 - level is left out below, and nothing above: each end leaves out half.": (
        lambda d, p, level=0.95: torch.quantile(d[p].mean(dim=1), torch.tensor([1 - level, 1.0]))
    ),
    "all of 1 - level is left out above, and nothing below: each end leaves out half.": (
        lambda d, p, level=0.95: torch.quantile(d[p].mean(dim=1), torch.tensor([0.0, level]))
    ),
    "mean ± 1.96 standard deviations is for 95 % and a normal distribution: take quantiles.": (
        lambda d, p, level=0.95: around(lambda d, m: m.mean(), lambda d, m: m.std())(
            d, p, 2 * stats.norm.cdf(1.96) - 1
        )
    ),
    "that is the interval reflected at the mean; asked are the quantiles themselves.": changed(
        lambda found, mean: 2 * mean - found.flip(0)
    ),
    "the mean is subtracted; asked are the ends themselves.": changed(
        lambda found, mean: found - mean
    ),
    "these are the smallest and the largest mean: take quantiles.": at(lambda level: 1.0),
    "that is the width of the interval; asked are its two ends.": changed(
        lambda found, mean: found[1] - found[0]
    ),
    "that is the lower end alone; asked are both.": changed(lambda found, mean: found[0]),
    "that is the upper end alone; asked are both.": changed(lambda found, mean: found[1]),
    "center and half width are not asked: return the two ends.": changed(
        lambda found, mean: torch.stack([found.mean(), (found[1] - found[0]) / 2])
    ),
    "these are all means; asked are two of their quantiles.": (
        lambda d, p, level=0.95: d[p].mean(dim=1)
    ),
}


def not_rounded(
    difference: float,
    spread: float,
    power: float = 0.8,
    level: float = 0.05,
    *,
    sides: float = 2,
    factor: float = 1,
    exponent: float = 2,
    join: Callable = lambda a, b: a + b,
) -> float:
    """The number of pairs before it is rounded up."""
    z = join(stats.norm.ppf(1 - level / sides), stats.norm.ppf(power))
    return factor * abs(z * spread / difference) ** exponent


def pairs(*case: float, rounding: Callable = math.ceil, least: int = 2, **how: Any) -> int:
    """The number of pairs for difference, spread, power and level."""
    return max(least, rounding(not_rounded(*case, **how)))


def with_(**how: Any) -> Callable:
    return lambda *case: pairs(*case, **how)


def otherwise(change: Callable) -> Callable:
    """The right number for a changed case (difference, spread, power, level)."""
    return lambda d, s, power=0.8, level=0.05: pairs(*change(d, s, power, level))


SEED_MISTAKES: dict[str, Callable] = {
    "the number of pairs is an integer: math.ceil.": lambda *case: max(2, not_rounded(*case)),
    "the number of pairs is an integer, and at least 2: math.ceil, max.": not_rounded,
    "take the next larger integer: math.ceil.": with_(rounding=int),
    "round to the next larger integer, not to the nearest: math.ceil.": with_(rounding=round),
    "return at least 2 pairs: one has no spread.": with_(least=0),
    "the smallest answer is 2 pairs, not 3.": with_(least=3),
    "at most 2 pairs in yours: max, not min.": lambda *case: min(2, pairs(*case)),
    "that is one pair too many: the next larger integer.": with_(
        rounding=lambda n: math.ceil(n) + 1
    ),
    "the test is two-sided: each side has level / 2.": with_(sides=1),
    "the test is two-sided, which halves the level once.": with_(sides=4),
    "the test has a power at one side: z(power), not z(1 - (1 - power) / 2).": otherwise(
        lambda d, s, power, level: (d, s, (1 + power) / 2, level)
    ),
    "z(power) is missing.": with_(join=lambda a, b: a),
    "z(1 - level/2) is missing.": with_(join=lambda a, b: b),
    "add z(power), not z(1 - power).": with_(join=lambda a, b: a - b),
    "add the two quantiles, do not multiply.": with_(join=lambda a, b: a * b),
    "add the two quantiles, then square: yours squares each.": with_(
        join=lambda a, b: math.sqrt(a * a + b * b)
    ),
    "the quantile is norm.ppf, not norm.cdf.": with_(
        join=lambda a, b: stats.norm.cdf(stats.norm.cdf(a)) + stats.norm.cdf(stats.norm.cdf(b))
    ),
    "the quotient is not squared.": with_(exponent=1),
    "square the quantiles, too.": lambda d, s, *rest: max(
        2, math.ceil((s / d) ** 2 * math.sqrt(not_rounded(1.0, 1.0, *rest)))
    ),
    "square the quotient spread / difference, too.": lambda d, s, *rest: max(
        2, math.ceil(s / abs(d) * not_rounded(1.0, 1.0, *rest))
    ),
    "the quotient is upside down: more spread needs more seeds.": otherwise(
        lambda d, s, power, level: (s, d, power, level)
    ),
    "the spread is missing: multiply by it.": otherwise(lambda d, s, p, a: (d, 1.0, p, a)),
    "the difference is missing: divide by it.": otherwise(lambda d, s, p, a: (1.0, s, p, a)),
    "the power is not shared by two sides: z(power), not z(power / 2).": otherwise(
        lambda d, s, power, level: (d, s, power / 2, level)
    ),
    "square the quantiles and the difference as well, not only the spread.": otherwise(
        lambda d, s, power, level: (abs(d) ** 0.5, s, power, level)
    ),
    "1.96 and 0.84 are for level 0.05 and power 0.8: use the arguments.": with_(
        join=lambda a, b: 1.96 + 0.84
    ),
    "0.84 is for the power 0.8: use the argument.": with_(join=lambda a, b: a + 0.84),
    "`spread` is the standard deviation already: no root.": otherwise(
        lambda d, s, power, level: (d, math.sqrt(s), power, level)
    ),
    "that is for groups that are not paired.": with_(factor=2),
    "that is for two groups together that are not paired.": with_(factor=4),
    "that is half of the pairs.": with_(factor=0.5),
    "the sign of the difference does not matter: a negative one needs as many pairs.": (
        lambda d, *rest: pairs(d, *rest) if d > 0 else 2
    ),
    "the sign of the difference does not matter: the number of pairs is positive.": (
        lambda d, *rest: pairs(d, *rest) if d > 0 else -math.floor(not_rounded(d, *rest))
    ),
    "yours keeps power 0.8 and level 0.05.": otherwise(lambda d, s, *_: (d, s, 0.8, 0.05)),
    "yours keeps the level 0.05.": otherwise(lambda d, s, power, _: (d, s, power, 0.05)),
    "yours keeps the power 0.8.": otherwise(lambda d, s, _, level: (d, s, 0.8, level)),
    "without the argument, power is 0.8.": lambda d, s, power=0.9, level=0.05: pairs(
        d, s, power, level
    ),
    "without the argument, level is 0.05.": lambda d, s, power=0.8, level=0.1: pairs(
        d, s, power, level
    ),
    "power and level are swapped.": otherwise(lambda d, s, power, level: (d, s, level, power)),
}
