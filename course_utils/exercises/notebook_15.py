"""Checks of notebook 15, The project."""

import math
import statistics
from collections.abc import Callable
from typing import Any

import torch
from scipy import stats
from torch import Tensor

from course_utils.exercises.core import attempt, exercise, expect, expect_answer

__all__ = ["bootstrap_interval", "hold_out", "plan_steps", "seeds_needed"]


def ends(values: Tensor, level: float, tails: int = 2) -> Tensor:
    """The quantiles that leave out 1 - level, shared by the two tails."""
    out = (1 - level) / tails
    return torch.quantile(values, torch.tensor([out, 1 - out], dtype=values.dtype))


def interval(differences: Tensor, places: Tensor, level: float) -> Tensor:
    return ends(differences[places].mean(dim=1), level)


def normal(means: Tensor, level: float) -> Tensor:
    half = stats.norm.ppf((1 + level) / 2) * means.std()
    return torch.stack([means.mean() - half, means.mean() + half])


BOOTSTRAP = {
    "the lower and the upper end are swapped.": lambda *given: interval(*given).flip(0),
    "take the mean of each draw first.": lambda d, p, level: ends(d[p].flatten(), level),
    "quantiles of the differences: the draws are missing.": lambda d, p, level: ends(d, level),
    "each end leaves out half of 1 - level.": lambda d, p, level: ends(d[p].mean(dim=1), level, 1),
    "average over each draw: dim=1.": lambda d, p, level: ends(d[p].mean(dim=0), level),
    "that is 95 % whatever the level.": lambda d, p, level: interval(d, p, 0.95),
    "mean ± standard deviations assumes a normal distribution: take the quantiles of the means.": (
        lambda d, p, level: normal(d[p].mean(dim=1), level)
    ),
}


@exercise("15.1", "The bootstrap by hand", difficulty=1, minutes=15, mistakes=BOOTSTRAP)
def bootstrap_interval(answer: Any) -> None:
    """differences (N,), places (draws, N), level -> (2,), lower and upper end."""
    for number, draws, level in [(7, 200, 0.8), (30, 400, 0.95), (1, 10, 0.95), (60, 1, 0.9)]:
        given = (0.3 + torch.randn(number).exp(), torch.randint(number, (draws, number)), level)
        output = attempt(answer, *given)
        if isinstance(output, (tuple, list)) and len(output) == 2:
            output = torch.stack([torch.as_tensor(end, dtype=torch.float32) for end in output])
        expect_answer(lambda *_: output, interval, *given)


def not_rounded(d: float, s: float, p: float, a: float, *, sides: int = 2) -> float:
    """The number of pairs before it is rounded up, for difference, spread, power and level."""
    return ((stats.norm.ppf(1 - a / sides) + stats.norm.ppf(p)) * s / d) ** 2


def pairs(*case: float, **how: int) -> int:
    return max(2, math.ceil(not_rounded(*case, **how)))


SEEDS: dict[str, Callable] = {
    "the number of pairs is an integer: math.ceil.": not_rounded,
    "take the next larger integer: math.ceil.": lambda *case: max(2, int(not_rounded(*case))),
    "return at least 2 pairs: one has no spread.": lambda *case: math.ceil(not_rounded(*case)),
    "the test is two-sided: each side has level / 2.": lambda *case: pairs(*case, sides=1),
    "z(power) is missing.": lambda d, s, p, a: pairs(d, s, 0.5, a),
    "add z(power), not z(1 - power).": lambda d, s, p, a: pairs(d, s, 1 - p, a),
    "the quotient is not squared.": lambda *case: max(2, math.ceil(not_rounded(*case) ** 0.5)),
    "the quotient is upside down: more spread needs more seeds.": lambda d, s, *a: pairs(s, d, *a),
    "that is for groups that are not paired.": lambda *case: math.ceil(2 * not_rounded(*case)),
    "yours keeps power 0.8 and level 0.05.": lambda d, s, *_: pairs(d, s, 0.8, 0.05),
}


@exercise("15.2", "How many seeds?", difficulty=2, minutes=20, mistakes=SEEDS)
def seeds_needed(answer: Any) -> None:
    """difference, spread, power, level -> whole number of pairs."""
    usual = [(0.05, 0.21, 0.8, 0.05), (0.1, 0.1, 0.8, 0.05), (1.0, 0.05, 0.8, 0.05)]
    for case in [*usual, (-0.3, 0.5, 0.9, 0.01), (0.02, 0.3, 0.5, 0.1), (-2.0, 5.0, 0.95, 0.05)]:
        expect_answer(answer, pairs, *case, tolerance=1e-6)


def name(image: Tensor) -> bytes:
    """The same for an image and its mirror image: the smaller one of their bytes."""
    return min(image.numpy().tobytes(), image.flip(2).contiguous().numpy().tobytes())


@exercise("15.3", "A split without twins", difficulty=3, minutes=25)
def hold_out(answer: Any) -> None:
    """pixels uint8 (N, C, H, W), share, seed -> bool (N,)."""
    cases = [(40, 1, 4, 5, 0.25), (30, 3, 3, 3, 0.5), (24, 1, 5, 1, 0.3), (2, 1, 2, 2, 0.5)]
    for *shape, share in cases:
        pixels = torch.randint(256, shape, dtype=torch.uint8)
        if len(pixels) > 2:
            more = pixels[torch.randperm(len(pixels))[: len(pixels) // 3]]
            pixels = torch.cat([pixels, more, more.flip(0, 3), more[:3]])
            pixels = pixels[torch.randperm(len(pixels))]
        output = attempt(answer, pixels, share, 0)
        right = isinstance(output, Tensor) and output.dtype == torch.bool
        expect(
            right and output.shape == (len(pixels),),
            f"expected a bool tensor of shape ({len(pixels)},), True or False for each image.",
        )

        def both(name: Callable) -> int:
            """How many names stand on both sides of the split."""
            return len({name(x) for x in pixels[output]} & {name(x) for x in pixels[~output]})

        expect(
            not both(lambda image: image.numpy().tobytes()),
            "held-out images have an equal one in the training part: draw groups, not images.",
        )
        expect(
            not both(name),
            "held-out images have their mirror image in the training part: these are twins, too.",
        )
        held, groups = len({*map(name, pixels[output])}), len({*map(name, pixels)})
        wanted = round(share * groups)
        expect(
            held == wanted or groups - held != wanted,
            "True is for the images that are held out; yours marks the others.",
        )
        expect(
            held == wanted,
            f"yours holds out {held} of {groups} groups for share {share}; "
            f"expected round(share * groups) = {wanted}.",
        )
    pixels = torch.randint(256, (30, 1, 3, 3), dtype=torch.uint8)
    state = torch.get_rng_state()
    drawn = torch.stack([attempt(answer, pixels, 0.3, seed) for seed in range(12)])
    expect(
        torch.equal(drawn[5], attempt(answer, pixels, 0.3, 5)),
        "the same seed gives another split: seed a torch.Generator() with the argument.",
    )
    expect((drawn != drawn[0]).any(), "every seed gives the same split: draw with the seed.")
    expect(drawn.any(dim=0).sum() > 20, "some images are never held out: draw among all groups.")
    expect(
        torch.equal(state, torch.get_rng_state()),
        "torch.manual_seed changes all random numbers: use a torch.Generator() of your own.",
    )


def plan(typical: Callable = statistics.median, rounding: Callable = math.floor) -> Callable:
    """Plans with another typical step or another rounding."""

    def planned(measured: dict, budget: float, seeds: int, warm_up: int = 3) -> dict:
        seconds = budget / (len(measured) * seeds)
        typical_steps = {name: typical(steps[warm_up:]) for name, steps in measured.items()}
        return {name: rounding(seconds / step) for name, step in typical_steps.items()}

    return planned


def equal_steps(measured: dict, budget: float, seeds: int, warm_up: int) -> dict:
    together = sum(statistics.median(steps[warm_up:]) for steps in measured.values())
    return dict.fromkeys(measured, math.floor(budget / seeds / together))


WARM_UP = "without the argument, three steps count as warm-up: [9, 9, 9, 2, 2] are 2 s per step."
PLAN: dict[str, Callable] = {
    "steps are integers that keep the budget: round down.": plan(rounding=float),
    "rounded up, the plan exceeds the budget: round down.": plan(rounding=math.ceil),
    "a disturbed step spoils the mean: take the median.": plan(statistics.mean),
    "the smallest time is too optimistic: take the median.": plan(min),
    "leave out the first warm_up steps, which are slow.": lambda *given: plan()(*given[:3], 0),
    "the budget is for all seeds together.": lambda m, b, seeds, *w: plan()(m, b, 1, *w),
    "the budget is for all methods together.": lambda m, b, *w: plan()(m, b * len(m), *w),
    "equal steps are not equal seconds: the quicker method gets more steps.": equal_steps,
    WARM_UP: lambda m, b, seeds, warm_up=0: plan()(m, b, seeds, warm_up),
}


@exercise("15.4", "Equal seconds", difficulty=2, minutes=20, mistakes=PLAN)
def plan_steps(answer: Any) -> None:
    """measured {method: seconds of single steps}, budget, seeds, warm_up -> {method: steps}."""

    def entries(plan: Callable) -> Callable:
        return lambda measured, *given: tuple(float(plan(measured, *given)[m]) for m in measured)

    wrong = {text: entries(mistake) for text, mistake in PLAN.items()}
    for methods, budget, seeds, warm_up in [
        (["plain", "sparse"], 121.3, 3, 3),
        (["plain", "sparse", "wide"], 1000.7, 5, 1),
        (["only"], 7.77, 1, 0),
    ]:
        measured = {}
        for place, name in enumerate(methods):
            steps = (0.004 + 0.003 * place) * (1 + 0.1 * torch.rand(20))
            steps[:warm_up] *= 30
            steps[warm_up + 2 + place] *= 50  # a disturbance
            measured[name] = steps.tolist()
        given = (measured, budget, seeds, warm_up)
        output = attempt(answer, *given)
        expect(
            isinstance(output, dict) and output.keys() == measured.keys(),
            f"expected a dictionary with the methods {', '.join(methods)}.",
        )
        found, what = entries(lambda *_: output), tuple(f"the plan for {name}" for name in methods)
        expect_answer(found, entries(plan()), *given, mistakes=wrong, what=what, tolerance=1e-9)
    output = attempt(answer, {"one": [9.0, 9.0, 9.0, 2.0, 2.0]}, 11.0, 1)
    expect(isinstance(output, dict) and output.get("one") == 5, WARM_UP)
