"""Checks of notebook 09, A GAN for images."""

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch.nn.functional import normalize

from course_utils.exercises.core import attempt, exercise, expect, expect_answer
from course_utils.exercises.mistakes.arcs import NORMS_FIRST, SLERP, arc
from course_utils.exercises.mistakes.sample_metrics import (
    BIAS,
    COVERAGE,
    FRECHET,
    PARABOLA,
    at_infinity,
    covered,
    frechet,
)

__all__ = ["coverage", "diagonal_frechet", "slerp", "warm_average", "without_bias"]


@exercise("09.1", "A ruler that sees one feature at a time", 1, minutes=10, mistakes=FRECHET)
def diagonal_frechet(answer: Any) -> None:
    """Features (N, d), (M, d) -> sum of (m - m')² + (σ - σ')² over the features, a number."""
    for n, m, d in [(12, 7, 5), (30, 40, 3), (3, 2, 2), (6, 6, 8)]:
        real = torch.randn(d) + (0.5 + 2 * torch.rand(d)) * torch.randn(n, d)
        generated = torch.randn(d) + (0.5 + 2 * torch.rand(d)) * torch.randn(m, d)
        expect_answer(answer, frechet, real, generated, tolerance=1e-5 if n == 30 else 1e-4)
    same = torch.randn(9, 4)
    expect_answer(answer, frechet, same, same, what="the distance to itself")


@exercise("09.2", "A recall that cannot be flattered", difficulty=2, minutes=15, mistakes=COVERAGE)
def coverage(answer: Any) -> None:
    """Real (N, d), generated (M, d), k -> share of real points whose ball holds a generated one."""
    sizes = [
        (14, 14, 2, 2),
        (24, 24, 2, 4),
        (40, 25, 2, 3),
        (200, 90, 2, 5),
        (200, 90, 1, 1),
        (30, 60, 3, 5),
    ]
    for n, m, d, k in [*sizes, (12, 12, 1, 1), (50, 8, 4, 2), (40, 30, 2, 5)]:
        real, generated = torch.randn(n, d), 0.7 * torch.randn(m, d) + 0.5
        generated[-1] = 9.0  # an outlier, whose ball would be huge
        scale = 1e-3 if n == 50 else 1.0
        expect_answer(answer, covered, scale * real, scale * generated, k, tolerance=1e-5)
    twice = torch.randn(8, 2).repeat(2, 1)
    expect_answer(answer, covered, twice, torch.randn(5, 2), 3)
    points = torch.randn(20, 2)
    expect_answer(answer, covered, points, points, 3, what="the coverage of points by themselves")
    expect_answer(answer, covered, torch.randn(6, 2), torch.randn(1, 2), 2)


def warm(decay: float, step: int) -> float:
    return min(decay, (1 + step) / (10 + step))


def averaging(
    decay: Callable = warm,
    averaged: Callable = lambda key, part: part.is_floating_point(),
    rest: Callable = lambda old, new: new,
) -> Callable:
    """Averages with the weight decay(limit, step) what `averaged` says; `rest` is for the rest."""

    def average(mean: dict, value: dict, limit: float, step: int) -> dict:
        share = decay(limit, step)
        return {
            key: share * mean[key] + (1 - share) * part
            if averaged(key, part)
            else rest(mean[key], part)
            for key, part in value.items()
        }

    return average


COUNTER = "num_batches_tracked is a counter: copy it from the generator as it is."
WARM = {
    "the decay starts too large: take the smaller one.": averaging(lambda d, t: d),
    "swapped: decay is the weight of the old average.": averaging(lambda d, t: 1 - warm(d, t)),
    "that exceeds decay later: take the smaller one.": averaging(lambda d, t: (1 + t) / (10 + t)),
    "take the smaller of both, not the larger.": averaging(lambda d, t: max(d, (1 + t) / (10 + t))),
    "the numerator is 1 + step, not step.": averaging(lambda d, t: min(d, t / (10 + t))),
    "the first step is 0: you count from one.": averaging(lambda d, t: warm(d, t + 1)),
    "the brackets are missing: (1 + t) / (10 + t).": averaging(
        lambda d, t: min(d, (1 + t) / 10 + t)
    ),
    "the decays are multiplied: take the smaller one.": averaging(
        lambda d, t: d * (1 + t) / (10 + t)
    ),
    "that is the generator alone: average it with the old average.": averaging(lambda d, t: 0.0),
    "that is the old average alone: average it with the generator.": averaging(lambda d, t: 1.0),
    "all steps have equal weight: use the decay.": averaging(lambda d, t: 0.5),
    "average buffers as well, but no counter.": averaging(
        averaged=lambda key, part: part.ndim == 2
    ),
    "average all floating-point numbers, running_mean too.": (
        averaging(averaged=lambda key, part: key in ("weight", "scale", "factor"))
    ),
    "average all floating-point numbers, those in double precision too.": (
        averaging(averaged=lambda key, part: part.dtype == torch.float32)
    ),
    "copy the counter from the generator, not from the old average.": (
        averaging(rest=lambda old, new: old)
    ),
    COUNTER: averaging(averaged=lambda key, part: True),
    "copy all integers, not num_batches_tracked alone.": (
        averaging(averaged=lambda key, part: key != "num_batches_tracked")
    ),
}
SHAPES = {"weight": (3, 2), "running_mean": (3,), "scale": (), "factor": (2,)}
KEYS = (*SHAPES, "places", "num_batches_tracked")


def entries(average: Callable) -> Callable:
    return lambda *given: tuple(average(*given)[key] for key in KEYS)


@exercise("09.3", "An average that starts fast", difficulty=2, minutes=15, mistakes=WARM)
def warm_average(answer: Any) -> None:
    """Two state dictionaries, decay, step -> a new one: floats averaged with the warm decay."""
    expect(callable(answer), f"expected a function, your answer is a {type(answer).__name__}.")
    for decay, step in [(0.99, 5), (0.5, 40), (0.99, 0), (0.999, 10_000), (0.0, 3), (0.9, 1)]:
        mean, value = ({key: torch.randn(SHAPES[key]) for key in SHAPES} for _ in range(2))
        mean["factor"], value["factor"] = torch.randn(2, 2, dtype=torch.float64)
        mean["places"], value["places"] = torch.randint(50, (2, 4)) * torch.tensor([[1], [3]])
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


@exercise("09.4", "At constant speed along the sphere", difficulty=2, minutes=15, mistakes=SLERP)
def slerp(answer: Any) -> None:
    """a, b (N, d), t (N,) -> points along the arc (N, d); the angle is that of the directions."""
    for n, d, norm in [(4, 4, 0.6), (7, 7, 0.3), (5, 6, 0.6), (3, 2, 2.0), (1, 64, 8.0)]:
        a, b = normalize(torch.randn(2, n, d), dim=2)
        a, b = norm * a, torch.linspace(1.3, 0.9, n)[:, None] * norm * b
        t = torch.rand(n)
        t[0] = 0.3
        mistakes = SLERP | ({NORMS_FIRST: answer} if norm > 1 else {})  # any clamp of the product
        expect_answer(answer, arc, a, b, t, mistakes=mistakes, tolerance=1e-4)
    a, b, ends = torch.randn(3, 5), torch.randn(3, 5), torch.tensor([0.0, 1.0, 0.5])
    expect_answer(answer, arc, a, b, ends, mistakes=SLERP | {NORMS_FIRST: answer})
    a, b, half = torch.tensor([[3.0, 0.0]]), torch.tensor([[0.0, 3.0]]), torch.tensor([0.5])
    what = "the middle of a quarter circle"
    expect_answer(answer, arc, a, b, half, mistakes=SLERP | {NORMS_FIRST: answer}, what=what)


@exercise("09.5", "The distance with infinitely many pictures", 2, minutes=15, mistakes=BIAS)
def without_bias(answer: Any) -> None:
    """Sizes (K,), distances (K,) -> the value at 1/n = 0 of the line of least squares in 1/n."""
    for counts, limit, slope, noise in [
        ([103.0, 211.0, 503.0], 3.0, 4000.0, 0.0),
        ([50.0, 400.0], 10.0, 900.0, 0.0),
        ([500.0, 500.0, 1000.0, 2003.0, 4999.0], 0.0, 5000.0, 0.5),
        ([2503.0, 1001.0, 700.0, 100.0], 80.0, 3000.0, 2.0),
        ([300.0, 1203.0, 150.0, 4007.0, 600.0], 7.0, 2000.0, 0.7),
        ([100.0, 1000.0, 2500.0], -4.0, 3000.0, 0.1),
    ]:
        sizes = torch.tensor(counts)
        distances = limit + slope / sizes + noise * torch.randn(len(sizes))
        mistakes = BIAS | ({PARABOLA: answer} if len(sizes) < 3 else {})
        expect_answer(answer, at_infinity, sizes, distances, mistakes=mistakes, tolerance=2e-4)
