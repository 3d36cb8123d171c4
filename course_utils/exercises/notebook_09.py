"""Checks of notebook 09, A GAN for images."""

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, normalize

from course_utils.exercises.core import attempt, exercise, expect, expect_answer

__all__ = ["coverage", "diagonal_frechet", "slerp", "warm_average", "without_bias"]


def means(real: Tensor, generated: Tensor) -> Tensor:
    return (real.mean(0) - generated.mean(0)).square()


def spreads(real: Tensor, generated: Tensor, correction: int = 1) -> Tensor:
    return (real.std(0, correction=correction) - generated.std(0, correction=correction)).square()


def frechet(real: Tensor, generated: Tensor) -> Tensor:
    return (means(real, generated) + spreads(real, generated)).sum()


FRECHET = {
    "the means are missing.": lambda a, b: spreads(a, b).sum(),
    "the standard deviations are missing.": lambda a, b: means(a, b).sum(),
    "that is the difference of the variances; take their roots first.": (
        lambda a, b: (means(a, b) + (a.var(0) - b.var(0)).square()).sum()
    ),
    "sum over the features, do not average.": lambda a, b: (means(a, b) + spreads(a, b)).mean(),
    "that is the root; asked is the squared distance.": lambda a, b: frechet(a, b).sqrt(),
    "divide by N - 1: use std or var as they are.": lambda a, b: (
        means(a, b) + spreads(a, b, 0)
    ).sum(),
}


@exercise("09.1", "A ruler that sees one feature at a time", 1, minutes=10, mistakes=FRECHET)
def diagonal_frechet(answer: Any) -> None:
    """Features (N, d), (M, d) -> sum of (m - m')² + (σ - σ')² over the features, a number."""
    for n, m, d in [(12, 7, 5), (30, 40, 3), (3, 2, 1), (6, 6, 8)]:
        real = torch.randn(d) + (0.5 + 2 * torch.rand(d)) * torch.randn(n, d)
        generated = torch.randn(d) + (0.5 + 2 * torch.rand(d)) * torch.randn(m, d)
        expect_answer(answer, frechet, real, generated)
    same = torch.randn(9, 4)
    expect_answer(answer, frechet, same, same, what="the distance to itself")


def inside(points: Tensor, centres: Tensor, k: int) -> Tensor:
    """Which points (rows) lie in the balls of which centres (columns)."""
    radii = torch.cdist(centres, centres).kthvalue(k + 1, dim=1).values
    return torch.cdist(points, centres) <= radii


def covered(real: Tensor, generated: Tensor, k: int) -> Tensor:
    return inside(generated, real, k).any(dim=0).double().mean()


COVERAGE = {
    "each point is its own nearest: take number k + 1.": lambda r, g, k: covered(r, g, k - 1),
    "that is the precision; asked is the share of *real* points.": lambda r, g, k: (
        inside(g, r, k).any(dim=1).double().mean()
    ),
    "that is the recall, with balls around generated points: an outlier flatters it.": (
        lambda r, g, k: covered(g, r, min(k, len(g) - 1))
    ),
    "count each real point once.": lambda r, g, k: inside(g, r, k).sum() / len(r),
    "that is the density; count once.": lambda r, g, k: inside(g, r, k).sum() / (k * len(g)),
    "one generated point in the ball is enough; you ask for k.": (
        lambda r, g, k: (inside(g, r, k).sum(dim=0) >= k).double().mean()
    ),
}


@exercise("09.2", "A recall that cannot be flattered", difficulty=2, minutes=15, mistakes=COVERAGE)
def coverage(answer: Any) -> None:
    """Real (N, d), generated (M, d), k -> share of real points whose ball holds a generated one."""
    sizes = [(40, 25, 2, 3), (30, 60, 3, 5), (12, 12, 1, 1), (50, 8, 4, 2), (6, 1, 2, 2)]
    for n, m, d, k in [*sizes, (40, 30, 2, 5)]:
        real, generated = torch.randn(n, d), 0.7 * torch.randn(m, d) + 0.5
        generated[-1] = 9.0  # an outlier, whose ball would be huge
        expect_answer(answer, covered, real, generated, k)
    points = torch.randn(20, 2)
    expect_answer(answer, covered, points, points, 3, what="the coverage of points by themselves")


def warm(decay: float, step: int) -> float:
    return min(decay, (1 + step) / (10 + step))


def averaging(decay: Callable = warm, averaged: Callable = Tensor.is_floating_point) -> Callable:
    """Averages with the weight decay(limit, step) what `averaged` says, and copies the rest."""

    def average(mean: dict, value: dict, limit: float, step: int) -> dict:
        share = decay(limit, step)
        return {
            key: share * mean[key] + (1 - share) * part if averaged(part) else part
            for key, part in value.items()
        }

    return average


COUNTER = "num_batches_tracked is a counter: copy it from the generator as it is."
WARM = {
    "the decay starts too large: take the smaller one.": averaging(lambda d, t: d),
    "swapped: decay is the weight of the old average.": averaging(lambda d, t: 1 - warm(d, t)),
    "that exceeds decay later: take the smaller one.": averaging(lambda d, t: (1 + t) / (10 + t)),
    "the numerator is 1 + step, not step.": averaging(lambda d, t: min(d, t / (10 + t))),
    "average buffers as well, but no counter.": averaging(averaged=lambda part: part.ndim == 2),
    COUNTER: averaging(averaged=lambda part: True),
}
SHAPES = {"weight": (3, 2), "running_mean": (3,), "scale": ()}
KEYS = (*SHAPES, "num_batches_tracked")


def entries(average: Callable) -> Callable:
    return lambda *given: tuple(average(*given)[key] for key in KEYS)


@exercise("09.3", "An average that starts fast", difficulty=2, minutes=15, mistakes=WARM)
def warm_average(answer: Any) -> None:
    """Two state dictionaries, decay, step -> a new one: floats averaged with the warm decay."""
    expect(callable(answer), f"expected a function, your answer is a {type(answer).__name__}.")
    for decay, step in [(0.99, 5), (0.5, 40), (0.99, 0), (0.999, 10_000), (0.0, 3)]:
        mean, value = ({key: torch.randn(SHAPES[key]) for key in SHAPES} for _ in range(2))
        mean[KEYS[-1]], value[KEYS[-1]] = torch.tensor(4 + step), torch.tensor(11 + step)
        given = copy.deepcopy((mean, value))
        output = attempt(lambda *numbers: answer(*given, *numbers), decay, step)
        expect(
            all(torch.equal(new[k], old[k]) for new, old in zip(given, (mean, value)) for k in old),
            "your function changed its input: make new tensors, not with a.lerp_ or a += b.",
        )
        expect(
            isinstance(output, dict) and output.keys() == mean.keys(),
            f"expected a dictionary with the keys {', '.join(KEYS)}.",
        )
        expect_answer(
            entries(lambda *_: output),
            entries(averaging()),
            *(mean, value, decay, step),
            mistakes={text: entries(mistake) for text, mistake in WARM.items()},
            what=KEYS,
        )
        expect(not output[KEYS[-1]].is_floating_point(), COUNTER)


def angle(a: Tensor, b: Tensor) -> Tensor:
    return cosine_similarity(a, b).clamp(-1, 1).arccos()


def arc(a: Tensor, b: Tensor, t: Tensor, omega: Tensor | None = None) -> Tensor:
    omega, t = (angle(a, b) if omega is None else omega)[:, None], t[:, None]
    return (torch.sin((1 - t) * omega) * a + torch.sin(t * omega) * b) / torch.sin(omega)


SLERP = {
    "that is the straight line.": lambda a, b, t: torch.lerp(a, b, t[:, None]),
    "a and b are swapped: t = 0 is a.": lambda a, b, t: arc(b, a, t),
    "the division by sin ω is missing.": lambda a, b, t: arc(a, b, t) * angle(a, b).sin()[:, None],
    "you used the directions; the result keeps the norms of a and b.": lambda a, b, t: arc(
        normalize(a), normalize(b), t
    ),
    "divide a and b by their norms before the product: the angle is that of the directions.": (
        lambda a, b, t: arc(a, b, t, (a * b).sum(dim=1).clamp(-1, 1).arccos())
    ),
    "that is the cosine: take its arccos.": lambda a, b, t: arc(a, b, t, cosine_similarity(a, b)),
}


@exercise("09.4", "At constant speed along the sphere", difficulty=2, minutes=15, mistakes=SLERP)
def slerp(answer: Any) -> None:
    """a, b (N, d), t (N,) -> points along the arc (N, d); the angle is that of the directions."""
    for n, d, norm in [(3, 2, 2.0), (5, 6, 0.6), (1, 64, 8.0)]:
        a, b = normalize(torch.randn(2, n, d), dim=2)
        a, b = norm * a, 1.3 * norm * b
        t = torch.rand(n)
        t[0] = 0.3
        expect_answer(answer, arc, a, b, t, tolerance=1e-3)
    a, b, half = torch.tensor([[3.0, 0.0]]), torch.tensor([[0.0, 3.0]]), torch.tensor([0.5])
    expect_answer(answer, arc, a, b, half, what="the middle of a quarter circle")


def line(x: Tensor, y: Tensor) -> Tensor:
    """The value at 0 and the slope of the line of least squares."""
    x, y = x.double(), y.double()
    return torch.linalg.lstsq(torch.stack([torch.ones_like(x), x], dim=1), y).solution


def at_infinity(sizes: Tensor, distances: Tensor) -> Tensor:
    return line(1 / sizes, distances)[0]


BIAS = {
    "fit against 1/n, not against n.": lambda n, y: line(n, y)[0],
    "fit against 1/n, not against log n.": lambda n, y: line(n.log(), y)[0],
    "fit against 1/n, not against its root.": lambda n, y: line(n.rsqrt(), y)[0],
    "that is the slope; asked is the value at 1/n = 0.": lambda n, y: line(1 / n, y)[1],
    "that is the distance at the largest n: go on to 1/n = 0.": lambda n, y: y[n.argmax()],
    "that is the mean of the distances.": lambda n, y: y.mean(),
}


@exercise("09.5", "The distance with infinitely many pictures", 2, minutes=15, mistakes=BIAS)
def without_bias(answer: Any) -> None:
    """Sizes (K,), distances (K,) -> the value at 1/n = 0 of the line of least squares in 1/n."""
    for counts, limit, slope, noise in [
        ([100.0, 200.0, 500.0], 3.0, 4000.0, 0.0),
        ([50.0, 400.0], 10.0, 900.0, 0.0),
        ([500.0, 1000.0, 2000.0, 5000.0, 5000.0], 0.0, 5000.0, 0.5),
        ([2500.0, 1000.0, 700.0, 100.0], 80.0, 3000.0, 2.0),
    ]:
        sizes = torch.tensor(counts)
        distances = limit + slope / sizes + noise * torch.randn(len(sizes))
        expect_answer(answer, at_infinity, sizes, distances, tolerance=2e-3)
