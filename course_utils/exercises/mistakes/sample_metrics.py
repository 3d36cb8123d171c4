"""Metrics of generated samples and their usual mistakes (exercises 09.1, 09.2 and 09.5)."""

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

__all__ = ["BIAS", "COVERAGE", "FRECHET", "PARABOLA", "at_infinity", "covered", "frechet"]


def means(real: Tensor, generated: Tensor) -> Tensor:
    return (real.mean(0) - generated.mean(0)).square()


def spreads(real: Tensor, generated: Tensor, correction: int = 1) -> Tensor:
    return (real.std(0, correction=correction) - generated.std(0, correction=correction)).square()


def frechet(real: Tensor, generated: Tensor) -> Tensor:
    """The squared Fréchet distance with diagonal covariances, from features (N, d), (M, d)."""
    return (means(real, generated) + spreads(real, generated)).sum()


def with_spread(spread: Callable) -> Callable:
    """The distance with something else for the difference of the standard deviations."""
    return lambda a, b: (means(a, b) + spread(a, b)).sum()


def with_variances(part: Callable) -> Callable:
    return with_spread(lambda a, b: part(a.var(0), b.var(0)))


def full(a: Tensor, b: Tensor) -> Tensor:
    """The Fréchet distance with whole covariances."""
    roots = torch.linalg.eigvals(a.T.cov() @ b.T.cov()).sqrt().real
    return means(a, b).sum() + a.var(0).sum() + b.var(0).sum() - 2 * roots.sum()


FRECHET = {
    "the means are missing.": lambda a, b: spreads(a, b).sum(),
    "the standard deviations are missing.": lambda a, b: means(a, b).sum(),
    "that is the difference of the variances; take their roots first.": (
        with_variances(lambda v, w: (v - w).square())
    ),
    "sum over the features, do not average.": lambda a, b: (means(a, b) + spreads(a, b)).mean(),
    "that is the root; asked is the squared distance.": lambda a, b: frechet(a, b).sqrt(),
    "divide by N - 1: use std or var as they are.": with_spread(lambda a, b: spreads(a, b, 0)),
    "each feature has its own deviation: use std(dim=0).": with_spread(
        lambda a, b: (a.std() - b.std()).square().expand(a.shape[1])
    ),
    "that is counted once for all features: use std(dim=0).": lambda a, b: (
        means(a, b).sum() + (a.std() - b.std()).square()
    ),
    "that is the distance with whole covariances: take only the variances.": full,
    "the root of the product is missing: v + w - 2 (v w)^½.": (
        with_variances(lambda v, w: v + w - 2 * v * w)
    ),
    "the product counts twice: v + w - 2 (v w)^½.": (
        with_variances(lambda v, w: v + w - (v * w).sqrt())
    ),
    "the product is missing: v + w - 2 (v w)^½.": with_variances(lambda v, w: v + w),
    "square the difference of the deviations.": with_variances(
        lambda v, w: (v.sqrt() - w.sqrt()).abs()
    ),
    "that is |v - w| of the variances: square the difference of their roots.": (
        with_variances(lambda v, w: (v - w).abs())
    ),
    "square the difference of the means.": lambda a, b: (means(a, b).sqrt() + spreads(a, b)).sum(),
    "the squares are missing.": lambda a, b: (means(a, b).sqrt() + spreads(a, b).sqrt()).sum(),
    "use all rows: the sets may differ in size.": lambda a, b: frechet(a[: len(b)], b[: len(a)]),
    "square each difference, then sum.": lambda a, b: (
        (a.mean(0) - b.mean(0)).sum().square() + (a.std(0) - b.std(0)).sum().square()
    ),
    "sum first, take no root for each feature.": lambda a, b: (
        (means(a, b) + spreads(a, b)).sqrt().sum()
    ),
    "the deviations are taken around zero: subtract the mean.": with_spread(
        lambda a, b: (a.square().mean(0).sqrt() - b.square().mean(0).sqrt()).square()
    ),
    "the signs differ: the spreads are added.": lambda a, b: (means(a, b) - spreads(a, b)).sum(),
    "only the first feature counts.": lambda a, b: frechet(a[:, :1], b[:, :1]),
    "use the means, not the medians.": lambda a, b: (
        (a.median(0).values - b.median(0).values).square() + spreads(a, b)
    ).sum(),
}


def inside(points: Tensor, centres: Tensor, k: int) -> Tensor:
    """Which points (rows) lie in the balls of which centres (columns)."""
    radii = torch.cdist(centres, centres).kthvalue(k + 1, dim=1).values
    return torch.cdist(points, centres) <= radii


def covered(real: Tensor, generated: Tensor, k: int) -> Tensor:
    """The share of the real points whose ball holds a generated one, from features and k."""
    return inside(generated, real, k).any(dim=0).double().mean()


def shares(count: Callable) -> Callable:
    """The mean of what `count` makes of the table of balls (generated, real)."""
    return lambda r, g, k: count(inside(g, r, k)).double().mean()


def by_radius(radii: Callable, power: int = 1, p: float = 2.0) -> Callable:
    """Coverage with other radii, from the sorted distances to the real points."""

    def count(r: Tensor, g: Tensor, k: int) -> Tensor:
        near = torch.cdist(r, r, p, compute_mode="donot_use_mm_for_euclid_dist")
        near = radii(near.sort(dim=1).values, k)
        return (torch.cdist(g, r, p) ** power <= near).any(dim=0).double().mean()

    return count


COVERAGE = {
    "each point is its own nearest: take number k + 1.": lambda r, g, k: covered(r, g, k - 1),
    "that is the precision; asked is the share of *real* points.": shares(lambda t: t.any(dim=1)),
    "that is the recall, with balls around generated points: an outlier flatters it.": (
        lambda r, g, k: inside(r, g, min(k, len(g) - 1)).any(dim=1).double().mean()
    ),
    "real and generated are swapped.": lambda r, g, k: covered(g, r, k),
    "count each real point once.": lambda r, g, k: inside(g, r, k).sum() / len(r),
    "that is the density; count once.": lambda r, g, k: inside(g, r, k).sum() / (k * len(g)),
    "one generated point in the ball is enough; you ask for k.": (
        lambda r, g, k: (inside(g, r, k).sum(dim=0) >= k).double().mean()
    ),
    "that is one neighbour too many: the k-th nearest *other* point.": (
        lambda r, g, k: covered(r, g, k + 1)
    ),
    "the radius belongs to the real point: compare along the other axis.": (
        by_radius(lambda near, k: near[:, k][:, None])
    ),
    "the distance is squared, the radius is not.": by_radius(lambda near, k: near[:, k], power=2),
    "the radius is squared, the distance is not.": by_radius(lambda near, k: near[:, k] ** 2),
    "use the Euclidean distance, not the sum of the absolute values.": (
        by_radius(lambda near, k: near[:, k], p=1.0)
    ),
    "use the Euclidean distance, not the largest difference.": (
        by_radius(lambda near, k: near[:, k], p=math.inf)
    ),
    "other points at the same place count: leave out the point itself only.": (
        by_radius(lambda near, k: near.where(near > 0, math.inf).sort(dim=1).values[:, k - 1])
    ),
    "that is the k-th *farthest* point: largest=False.": by_radius(lambda near, k: near[:, -k]),
    "every ball has a radius of its own; yours all have the largest.": (
        by_radius(lambda near, k: near[:, k].max())
    ),
    "every ball has a radius of its own; yours all have the mean.": (
        by_radius(lambda near, k: near[:, k].mean())
    ),
    "the radius goes to the k-th nearest point, not to the mean of the k.": (
        by_radius(lambda near, k: near[:, 1 : k + 1].mean(dim=1))
    ),
    "k is ignored: yours is 1.": lambda r, g, k: covered(r, g, 1),
    "k is ignored: yours is 3.": lambda r, g, k: covered(r, g, 3),
    "k is ignored: yours is 5.": lambda r, g, k: covered(r, g, 5),
    "divide by the number of real points.": lambda r, g, k: (
        inside(g, r, k).any(dim=0).sum() / len(g)
    ),
    "that is the number of real points; asked is their share.": (
        lambda r, g, k: inside(g, r, k).any(dim=0).sum()
    ),
    "*all* generated points must be in the ball; one is enough.": shares(lambda t: t.all(dim=0)),
    "that is the share *without* a generated point.": shares(lambda t: ~t.any(dim=0)),
    "that is the share of all pairs; count real points.": shares(lambda t: t),
}


def line(x: Tensor, y: Tensor) -> Tensor:
    """The value at 0 and the slope of the line of least squares."""
    x, y = x.double(), y.double()
    return torch.linalg.lstsq(torch.stack([torch.ones_like(x), x], dim=1), y).solution


def at_infinity(sizes: Tensor, distances: Tensor) -> Tensor:
    """The value at 1/n = 0 of the line of least squares in 1/n, from (K,) and (K,)."""
    return line(1 / sizes, distances)[0]


def of_pairs(choose: slice | Tensor) -> Callable:
    """The line through the pairs that are chosen by their order of size."""

    def value(n: Tensor, y: Tensor) -> Tensor:
        order = n.argsort(stable=True)[choose]
        return at_infinity(n[order], y[order])

    return value


def weighted(n: Tensor, y: Tensor, power: float = 1.0) -> Tensor:
    """The line of weighted least squares, each pair with the weight n ** power."""
    root = n.double() ** (power / 2)
    columns = torch.stack([root, root / n], dim=1)
    return torch.linalg.lstsq(columns, root * y.double()).solution[0]


def inverse(n: Tensor, y: Tensor) -> Tensor:
    """The line of 1/n against the distances, solved for 1/n = 0."""
    constant, slope = line(y, 1 / n)
    return -constant / slope


PARABOLA = "fit a line, with one slope, not a parabola."
BIAS: dict[str, Callable] = {
    "fit against 1/n, not against n.": lambda n, y: line(n, y)[0],
    "fit against 1/n, not against log n.": lambda n, y: line(n.log(), y)[0],
    "fit against 1/n, not against its root.": lambda n, y: line(n.rsqrt(), y)[0],
    "fit against 1/n, not against its square.": lambda n, y: line(n.double() ** -2, y)[0],
    "that is the slope; asked is the value at 1/n = 0.": lambda n, y: line(1 / n, y)[1],
    "that is the slope against n; asked is the value at 1/n = 0.": lambda n, y: line(n, y)[1],
    "that is the distance at the largest n: go on to 1/n = 0.": lambda n, y: y[n.argmax()],
    "that is the line at the largest n: go on to 1/n = 0.": lambda n, y: (
        line(1 / n, y) @ torch.stack([torch.ones(()), 1 / n.max()]).double()
    ),
    "that is the line at 1/n = 1: go on to 1/n = 0.": lambda n, y: line(1 / n, y).sum(),
    "that is the mean of the distances.": lambda n, y: y.mean(),
    "the value may be negative: leave it as it is.": lambda n, y: at_infinity(n, y).clamp_min(0),
    "the value may be negative: take no absolute value.": lambda n, y: at_infinity(n, y).abs(),
    "fit all pairs by least squares, not the smallest and largest n alone.": (
        of_pairs(torch.tensor([0, -1]))
    ),
    "fit all pairs by least squares, not the first and the last alone.": lambda n, y: at_infinity(
        n[[0, -1]], y[[0, -1]]
    ),
    "fit all pairs by least squares, not the two largest n alone.": of_pairs(slice(-2, None)),
    "fit all pairs by least squares, not the two smallest n alone.": of_pairs(slice(2)),
    "fit all pairs by least squares, not the first two alone.": lambda n, y: at_infinity(
        n[:2], y[:2]
    ),
    "all pairs have equal weight; yours have the weight n.": weighted,
    "all pairs have equal weight; yours have the weight n².": partial(weighted, power=2.0),
    "fit the distance against 1/n, not 1/n against the distance.": inverse,
    PARABOLA: lambda n, y: (
        torch.linalg.pinv(torch.stack([(100 / n.double()) ** i for i in range(3)], dim=1))[0]
        @ y.double()
    ),
    "the sign is wrong.": lambda n, y: -at_infinity(n, y),
}
