"""Checks of notebook 13: measuring, accumulating, the rate of a large batch, a moving average."""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from course_utils.exercises.core import AUTOGRAD, attempt, exercise, expect, expect_answer
from course_utils.exercises.mistakes.gradient_pieces import PIECE_MISTAKES, whole
from course_utils.exercises.mistakes.rates_and_averages import (
    AVERAGE_MISTAKES,
    RATE_MISTAKES,
    corrected,
    warmed,
)
from course_utils.exercises.mistakes.timed_steps import SPEED_MISTAKES, Machine, on_machine, rate

__all__ = ["accumulated_gradient", "corrected_average", "images_per_second", "rate_at"]


RUNS = [0.64, 2.5, 0.5, 0.57, 0.71, 0.92, 0.78]  # in the second one somebody used the machine


@exercise("13.1", "Measured rightly", 1, 6, mistakes=SPEED_MISTAKES)
def images_per_second(answer: Any) -> None:
    """A step, a clock, the images of a step, two counts of calls -> images per second, median."""
    wrong = {text: partial(on_machine, mistake) for text, mistake in SPEED_MISTAKES.items()}
    cases: list[tuple[int, ...]] = [(32, 3, 5), (10, 0, 1), (7, 1, 7), (20, 2, 4), (5, 4, 6)]
    try:  # a stub's own numbers of steps, where the answer has kept them
        inspect.signature(answer).bind(None, None, 32)
        cases.append((32,))
    except (TypeError, ValueError):
        pass
    for given in cases:
        warm_up, runs = given[1:] or (3, 5)
        seconds = [4.0 + i for i in range(warm_up)]
        seconds += RUNS[:runs]
        machine = Machine(seconds)
        attempt(answer, machine.step, machine.clock, *given)
        expect(machine.readings > 0, "the clock that is given is never read: time with clock().")
        what = ("the number of calls of step()", "the rate")
        expect_answer(
            partial(on_machine, answer),
            partial(on_machine, rate),
            *(seconds, *given),
            mistakes=wrong,
            what=what,
        )


class Gradients(TorchFunctionMode):
    """Counts how often torch differentiates inside `with`."""

    count = 0

    def __torch_function__(self, func: Callable, types: object, args=(), kwargs=None) -> object:
        self.count += getattr(func, "__name__", "") in AUTOGRAD
        return func(*args, **(kwargs or {}))


@exercise("13.2", "A large batch in small pieces", 2, 8, mistakes=PIECE_MISTAKES)
def accumulated_gradient(answer: Any) -> None:
    """Rows (N, d), goals (N,), weights (d,), most rows of a piece -> gradient (d,) of the mean."""
    for n, d, size in [(10, 3, 4), (8, 2, 4), (5, 4, 9), (1, 1, 1), (7, 3, 1), (9, 2, 5)]:
        expect_answer(answer, whole, torch.randn(n, d), torch.randn(n), torch.randn(d), size)
    with Gradients() as made:
        attempt(answer, torch.randn(12, 3), torch.randn(12), torch.randn(3), 2)
    expect(
        made.count != 1,
        "yours differentiates once, with the whole batch in memory: do it for each piece.",
    )
    expect(
        made.count == 0 or made.count >= 6,
        f"12 rows in pieces of at most 2 are 6 pieces; yours differentiates {made.count} times: "
        "x.split(size) makes pieces of `size` rows, x.chunk(size) makes `size` pieces.",
    )


@exercise("13.3", "The rate of a larger batch", 1, 6, mistakes=RATE_MISTAKES)
def rate_at(answer: Any) -> None:
    """A step from 0, the rate at 32 images, the batch, the steps of warm-up -> the rate."""
    cases = [(0, 0.1, 256, 5), (2, 0.1, 256, 5), (4, 0.2, 64, 5), (9, 0.1, 128, 5), (0, 0.1, 96, 0)]
    cases += [(5, 0.1, 64, 5), (3, 0.3, 16, 8), (7, 0.3, 100, 8), (8, 0.05, 48, 8), (6, 0.4, 8, 0)]
    cases += [(0, 0.2, 40, 1), (1, 0.2, 40, 1), (30, 1e-3, 1, 100), (500, 0.1, 512, 100)]
    for case in cases:
        expect_answer(answer, warmed, *case, tolerance=1e-6)


@exercise("13.4", "An average without the past it has not got", 2, 8, mistakes=AVERAGE_MISTAKES)
def corrected_average(answer: Any) -> None:
    """Values (T,), decay -> their bias-corrected moving average (T,)."""

    def average(values: Tensor, decay: float) -> Any:
        output = answer(values, decay)
        return torch.as_tensor(output) if isinstance(output, (list, tuple)) else output

    judge = partial(expect_answer, average if callable(answer) else answer, corrected)
    for length, decay in [(6, 0.9), (1, 0.99), (20, 0.5), (4, 0.0), (50, 0.99), (3, 0.2)]:
        judge(3 + torch.randn(length), decay)
    judge(torch.tensor([-1e-3, 2e-3, 0.0, -5e-3]), 0.8, tolerance=1e-7)
