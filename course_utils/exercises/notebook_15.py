"""Checks of notebook 15, The project."""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_utils.exercises.core import attempt, exercise, expect, expect_answer
from course_utils.exercises.mistakes.intervals_and_seeds import (
    BOOTSTRAP_MISTAKES,
    SEED_MISTAKES,
    interval,
    pairs,
)
from course_utils.exercises.mistakes.step_plans import PLAN_MISTAKES, plan
from course_utils.exercises.mistakes.twin_splits import SPLIT_MISTAKES, Split, images, name

__all__ = ["bootstrap_interval", "hold_out", "plan_steps", "seeds_needed"]


def can_take(answer: Any, count: int) -> bool:
    """Whether an answer can be called with so many arguments: it kept the stub's defaults."""
    try:
        inspect.signature(answer).bind(*range(count))
    except (TypeError, ValueError):
        return False
    return True


@exercise("15.1", "The bootstrap by hand", difficulty=1, minutes=15, mistakes=BOOTSTRAP_MISTAKES)
def bootstrap_interval(answer: Any) -> None:
    """differences (N,), places (draws, N), level -> (2,), lower and upper end."""

    def two_ends(*given: Any) -> Any:
        output = answer(*given)
        if isinstance(output, (tuple, list)) and len(output) == 2:
            return torch.stack([torch.as_tensor(end, dtype=torch.float64) for end in output])
        return torch.as_tensor(output) if isinstance(output, np.ndarray) else output

    given = torch.randn(20), torch.randint(20, (50, 20)), 0.9
    once, again = attempt(answer, *given), attempt(answer, *given)
    if isinstance(once, Tensor) and isinstance(again, Tensor) and once.shape == again.shape:
        message = "a second call gives another interval: use the places that are given."
        expect(torch.allclose(once, again, equal_nan=True), message)
    judge = partial(expect_answer, two_ends if callable(answer) else answer, interval)
    for number, draws, level in [(7, 200, 0.8), (30, 400, 0.95), (1, 10, 0.95), (60, 1, 0.9)]:
        judge(0.3 + torch.randn(number).exp(), torch.randint(number, (draws, number)), level)
    for number, draws, level in [(9, 99, 0.99), (4, 30, 0.5)]:
        judge(torch.randn(number), torch.randint(number, (draws, number)), level)
    tiny = 1e-3 * torch.randn(8), torch.randint(8, (60, 8))
    judge(*tiny, 0.9, tolerance=1e-7)
    if can_take(answer, 2):
        judge(*tiny, tolerance=1e-7)


@exercise("15.2", "How many seeds?", difficulty=2, minutes=20, mistakes=SEED_MISTAKES)
def seeds_needed(answer: Any) -> None:
    """difference, spread, power, level -> whole number of pairs."""
    usual: list[tuple[float, ...]] = [
        (0.05, 0.21, 0.8, 0.05),
        (0.1, 0.1, 0.8, 0.05),
        (1.0, 0.05, 0.8, 0.05),
    ]
    usual += [(0.05, 0.21)] * can_take(answer, 2)
    cases = [*usual, (-0.3, 0.5, 0.9, 0.01), (0.02, 0.3, 0.5, 0.1), (-2.0, 5.0, 0.95, 0.05)]
    for case in [*cases, (0.4, 1.0, 0.8, 0.2), (3.0, 4.1, 0.99, 0.001), (-1.0, 0.01, 0.8, 0.05)]:
        expect_answer(answer, pairs, *case, tolerance=1e-6)


@exercise("15.3", "A split without twins", 3, minutes=25, mistakes=SPLIT_MISTAKES)
def hold_out(answer: Any) -> None:
    """pixels uint8 (N, C, H, W), share, seed -> bool (N,)."""
    made: list[tuple[Tensor, float, Tensor]] = []

    def split(pixels: Tensor, share: float, seed: int) -> Tensor:
        output = attempt(answer, pixels, share, seed)
        if isinstance(output, (list, np.ndarray)):
            output = torch.tensor(output)
        right = isinstance(output, Tensor) and output.dtype == torch.bool
        expect(
            right and output.shape == (len(pixels),),
            f"expected a bool tensor of shape ({len(pixels)},), True or False for each image.",
        )
        return output

    for base, *shape in [(15, 1, 4, 5), (9, 3, 3, 3), (6, 1, 5, 1), (9, 2, 2, 3)]:
        pixels = images(base, *shape)
        groups = len({*map(name, pixels)})
        wanted = [groups // 4 + 0.6, groups // 2 + 0.4, groups // 3 + 0.7, 0.2, groups - 0.3]
        for seed, number in enumerate(wanted):
            made.append((pixels, number / groups, split(pixels, number / groups, seed)))
    few = torch.tensor([[1, 2], [3, 4]], dtype=torch.uint8).reshape(2, 1, 1, 2)
    made.append((few, 0.5, split(few, 0.5, 0)))
    if not all(Split().explains(*each) for each in made):
        for text, mistake in SPLIT_MISTAKES.items():
            expect(not all(mistake.explains(*each) for each in made), text)
    pixels = images(20, 1, 3, 3)
    state = torch.get_rng_state()
    drawn = torch.stack([split(pixels, 0.3, seed) for seed in range(30)])
    again = split(pixels, 0.3, 5)
    expect(
        torch.equal(drawn[5], again),
        "the same seed gives another split: seed a torch.Generator() with the argument.",
    )
    expect_groups(made, pixels, drawn)
    expect((drawn != drawn[0]).any(), "every seed gives the same split: draw with the seed.")
    expect(
        drawn.any(dim=0).float().mean() > 0.9,
        "some images are never held out: draw among all groups.",
    )
    expect(
        torch.equal(state, torch.get_rng_state()),
        "torch.manual_seed changes all random numbers: use a torch.Generator() of your own.",
    )


def expect_groups(made: list[tuple[Tensor, float, Tensor]], pixels: Tensor, drawn: Tensor) -> None:
    """Fail unless all twins stand on one side, and the right number of groups is held out."""
    for images_, share, output in made:

        def both(naming: Callable, images_=images_, output=output) -> bool:
            """Whether names stand on both sides of the split."""
            return bool({*map(naming, images_[output])} & {*map(naming, images_[~output])})

        expect(
            not both(lambda image: image.numpy().tobytes()),
            "held-out images have an equal one in the training part: draw groups, not images.",
        )
        expect(
            not both(name),
            "held-out images have their mirror image in the training part: these are twins, too.",
        )
    numbers = {len({*map(name, pixels[held])}) for held in drawn}
    expect(
        len(numbers) == 1,
        f"how many groups are held out depends on the seed ({min(numbers)} to {max(numbers)} "
        "in 30 splits): draw exactly round(share * groups) of the groups.",
    )
    for images_, share, output in made:
        held, groups = len({*map(name, images_[output])}), len({*map(name, images_)})
        expect(
            held == round(share * groups),
            f"yours holds out {held} of {groups} groups for share {share:.4g}; "
            f"expected round(share * groups) = {round(share * groups)}.",
        )


SECONDS = {"plain": 0.004, "sparse": 0.016, "wide": 0.01, "only": 0.005, "slow": 0.03}


@exercise("15.4", "Equal seconds", difficulty=2, minutes=20, mistakes=PLAN_MISTAKES)
def plan_steps(answer: Any) -> None:
    """measured {method: seconds of single steps}, budget, seeds, warm_up -> {method: steps}."""

    def entries(plan: Callable) -> Callable:
        def numbers(measured: dict, *given: Any) -> tuple[Tensor, ...]:
            planned = plan(measured, *given)
            return tuple(torch.tensor(float(planned[m]), dtype=torch.float64) for m in measured)

        return numbers

    wrong = {text: entries(mistake) for text, mistake in PLAN_MISTAKES.items()}
    cases: list[tuple[str, Any]] = [
        ("plain sparse", (121.3, 3, 3)),
        ("plain sparse wide", (1000.7, 5, 1)),
        ("sparse plain wide", (317.9, 2, 4)),
        ("only", (7.77, 1, 0)),
        ("wide plain", (45.3, 2)),
        ("plain slow", (0.016, 1, 2)),
    ]
    for names, rest in cases:
        methods, slow = names.split(), (*rest, 3)[2]
        measured = {}
        for place, method in enumerate(methods):
            steps = SECONDS[method] * (1 + 0.1 * torch.rand(20))
            steps[:slow] *= torch.linspace(30, 10, slow)
            steps[slow + 2 + place] *= 50  # a disturbance
            measured[method] = steps.double().tolist()
        given = (measured, *rest)
        output = attempt(answer, *given)
        expect(
            isinstance(output, dict) and output.keys() == measured.keys(),
            f"expected a dictionary with the methods {', '.join(methods)}.",
        )
        what = tuple(f"the plan for {method}" for method in methods)
        expect_answer(
            entries(answer), entries(plan()), *given, mistakes=wrong, what=what, tolerance=1e-9
        )
