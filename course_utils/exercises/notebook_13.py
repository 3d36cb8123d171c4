"""Checks of notebook 13: measuring, accumulating, the rate of a large batch, a moving average."""

import statistics
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from course_utils.exercises.core import attempt, exercise, expect, expect_answer

__all__ = ["accumulated_gradient", "corrected_average", "images_per_second", "rate_at"]


class Machine:
    """A clock that moves only while steps are made; each takes the next of the given seconds."""

    def __init__(self, seconds: list[float]) -> None:
        self.seconds, self.now, self.steps = seconds, 100.0, 0

    def step(self) -> None:
        self.now += self.seconds[min(self.steps, len(self.seconds) - 1)]
        self.steps += 1

    def clock(self) -> float:
        return self.now


def on_machine(function: Callable, seconds: list[float], *given: int) -> object:
    machine = Machine(seconds)
    return function(machine.step, machine.clock, *given)


def rate(step, clock, images: int, warm_up: int, runs: int, *, of=statistics.median) -> float:
    for _ in range(warm_up):
        step()
    seconds = []
    for _ in range(runs):
        begin = clock()
        step()
        seconds.append(clock() - begin)
    return images / of(seconds)


RATE = {
    "a slow run spoils the mean: take the median.": lambda *a: rate(*a, of=statistics.mean),
    "the warm-up must not count.": lambda s, c, n, *calls: rate(s, c, n, 0, sum(calls)),
    "that is the shortest run; asked is the median.": lambda *given: rate(*given, of=min),
    "that is seconds per image; divide the other way round.": lambda *given: 1 / rate(*given),
    "these are steps per second: multiply by the images.": lambda *given: rate(*given) / given[2],
}


@exercise("13.1", "Measured rightly", 1, 6, mistakes=RATE)
def images_per_second(answer: Any) -> None:
    """A step, a clock, the images of a step, two counts of calls -> images per second, median."""
    wrong = {text: partial(on_machine, mistake) for text, mistake in RATE.items()}
    for images, warm_up, runs in [(32, 3, 5), (10, 0, 1), (7, 1, 7)]:
        seconds = [4.0] * warm_up + [0.5 + 0.01 * (3 * i % runs) for i in range(runs)]
        seconds[-1] += 2.0 if runs > 1 else 0.0  # somebody else used the machine
        machine, given = Machine(seconds), (images, warm_up, runs)
        found = attempt(answer, machine.step, machine.clock, *given)
        expect(
            machine.steps == warm_up + runs,
            f"step() was called {machine.steps} times; expected {warm_up} to warm up "
            f"and {runs} that count.",
        )
        right = partial(on_machine, rate)
        expect_answer(lambda *_: found, right, seconds, *given, mistakes=wrong, what="the rate")


def gradients(x: Tensor, y: Tensor, w: Tensor, size: int) -> list[Tensor]:
    """Of the mean over each piece."""
    return [2 * a.T @ (a @ w - b) / len(a) for a, b in zip(x.split(size), y.split(size))]


def whole(x: Tensor, y: Tensor, w: Tensor, size: int) -> Tensor:
    return gradients(x, y, w, len(x))[0]


PIECES = {
    "each piece counts for its share of the batch only.": lambda *given: sum(gradients(*given)),
    "the last piece is smaller: weight each piece by its share of the rows.": (
        lambda *given: torch.stack(gradients(*given)).mean(dim=0)
    ),
    "only the last piece is left: add up.": lambda *given: gradients(*given)[-1],
    "that is the gradient of the sum, not of the mean.": lambda x, *rest: len(x) * whole(x, *rest),
}


@exercise("13.2", "A large batch in small pieces", 2, 8, mistakes=PIECES)
def accumulated_gradient(answer: Any) -> None:
    """Rows (N, d), goals (N,), weights (d,), most rows of a piece -> gradient (d,) of the mean."""
    for n, d, size in [(10, 3, 4), (8, 2, 4), (5, 4, 9), (1, 1, 1)]:
        given = (torch.randn(n, d), torch.randn(n), torch.randn(d), size)
        expect_answer(answer, whole, *given)


def warmed(step: int, base: float, batch: int, warm_up: int, *, power: float = 1) -> float:
    return base * (batch / 32) ** power * min(1.0, (step + 1) / max(1, warm_up))


WARM_UP = {
    "step 0 has the first part of the warm-up, not 0.": (
        lambda step, base, batch, warm_up: base * batch / 32 * min(1, step / max(1, warm_up))
    ),
    "the rate goes on rising after the warm-up.": (
        lambda step, base, batch, warm_up: base * batch / 32 * (step + 1) / max(1, warm_up)
    ),
    "the rate does not scale with the batch.": lambda *given: warmed(*given, power=0),
    "that is the root, as for Adam; scale with the batch.": lambda *a: warmed(*a, power=0.5),
    "there is no warm-up.": lambda step, base, batch, warm_up: base * batch / 32,
}


@exercise("13.3", "The rate of a larger batch", 1, 6, mistakes=WARM_UP)
def rate_at(answer: Any) -> None:
    """A step from 0, the rate at 32 images, the batch, the steps of warm-up -> the rate."""
    cases = [(0, 0.1, 256, 5), (2, 0.1, 256, 5), (4, 0.2, 64, 5), (9, 0.1, 128, 5), (0, 0.1, 96, 0)]
    for case in cases:
        expect_answer(answer, warmed, *case)


def average(values: Tensor, decay: float, mean: float = 0.0) -> Tensor:
    means = []
    for value in values.tolist():
        mean = decay * mean + (1 - decay) * value
        means.append(mean)
    return torch.tensor(means)


def corrected(values: Tensor, decay: float, first: int = 1) -> Tensor:
    t = torch.arange(first, first + len(values))
    return average(values, decay) / (1 - decay**t).clamp_min(1e-12)


AVERAGE = {
    "it still starts too small: divide by the sum of the weights.": average,
    "t counts the values: 1 after the first.": lambda v, decay: corrected(v, decay, first=0),
    "the first value weighs too much: start at 0.": lambda v, decay: average(v, decay, v[0].item()),
    "decay and 1 - decay are swapped.": lambda v, decay: corrected(v, 1 - decay),
}


@exercise("13.4", "An average without the past it has not got", 2, 8, mistakes=AVERAGE)
def corrected_average(answer: Any) -> None:
    """Values (T,), decay -> their bias-corrected moving average (T,)."""
    for length, decay in [(6, 0.9), (1, 0.99), (20, 0.5), (4, 0.0)]:
        expect_answer(answer, corrected, 3 + torch.randn(length), decay)
