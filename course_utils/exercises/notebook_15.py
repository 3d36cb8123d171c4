"""Checks of notebook 15, The project."""

import math
import statistics

import numpy as np
import torch
from scipy import stats

from course_utils.exercises.core import attempt, exercise, expect, expect_close

__all__ = ["bootstrap_interval", "hold_out", "plan_steps", "seeds_needed"]


@exercise("15.1", "The bootstrap by hand", difficulty=1, minutes=15)
def bootstrap_interval(answer: object) -> None:
    """differences (N,), places (draws, N), level -> (2,), lower and upper end."""
    for number, draws, level in [(30, 400, 0.95), (1, 10, 0.95), (7, 200, 0.8), (60, 1, 0.9)]:
        differences = 0.3 + torch.randn(number).exp()
        places = torch.randint(number, (draws, number))

        def ends(
            values: torch.Tensor, low: float = (1 - level) / 2, high: float = (1 + level) / 2
        ) -> torch.Tensor:
            return torch.from_numpy(np.quantile(values.double().numpy(), [low, high])).float()

        means = differences[places].mean(dim=1)
        truth = ends(means)
        output = attempt(answer, differences, places, level)
        if isinstance(output, (tuple, list)) and len(output) == 2:
            output = torch.stack([torch.as_tensor(end, dtype=torch.float32) for end in output])
        half = stats.norm.ppf((1 + level) / 2) * means.std() if draws > 1 else torch.tensor(0.0)
        expect_close(
            output,
            truth,
            {
                "upper and lower end are changed over.": truth.flip(0),
                "the quantiles are taken of single differences: take the mean of each draw first.": ends(
                    differences[places].flatten()
                ),
                "the quantiles are those of the differences themselves, without any draw.": ends(
                    differences
                ),
                "both tails together hold 1 - level: each end leaves out half of it.": ends(
                    means, 1 - level, level
                ),
                "that is the mean over the draws; asked is the mean of each draw, over its N places (dim=1).": ends(
                    differences[places].mean(dim=0)
                ),
                "take the median only where it is asked: each draw gives its mean.": ends(
                    differences[places].double().quantile(0.5, dim=1)
                ),
                "that is 95 % whatever the level.": ends(means, 0.025, 0.975),
                "mean ± a number of standard deviations assumes a normal distribution; take the quantiles of the means.": torch.stack(
                    [means.mean() - half, means.mean() + half]
                ),
            },
            what=f"the interval of {number} differences in {draws} draws",
        )
    differences = torch.randn(200).double()
    draws = stats.bootstrap(
        (differences.numpy(),), np.mean, n_resamples=4000, method="percentile", random_state=0
    )
    library = draws.confidence_interval
    low, high = attempt(answer, differences, torch.randint(200, (4000, 200)), 0.95)
    near = abs(low - library.low) < 0.02 and abs(high - library.high) < 0.02
    expect(near, "the interval is not that of scipy.stats.bootstrap.")


def pairs(difference: float, spread: float, power: float, level: float, sides: int = 2) -> float:
    """The formula of exercise 15.2, not rounded."""
    return ((stats.norm.ppf(1 - level / sides) + stats.norm.ppf(power)) * spread / difference) ** 2


@exercise("15.2", "How many seeds?", difficulty=2, minutes=20)
def seeds_needed(answer: object) -> None:
    """difference, spread, power, level -> whole number of pairs."""
    z = stats.norm.ppf
    cases = [
        (0.1, 0.1, 0.8, 0.05),
        (0.05, 0.21, 0.8, 0.05),
        (-0.3, 0.5, 0.9, 0.01),
        (0.02, 0.3, 0.5, 0.1),
        (-2.0, 5.0, 0.95, 0.05),
        (1.0, 0.05, 0.8, 0.05),
    ]
    outputs = []
    for case in cases:
        output = attempt(answer, *case)
        if isinstance(output, (torch.Tensor, np.generic)) and np.ndim(output) == 0:
            output = output.item()
        number = isinstance(output, (int, float)) and not isinstance(output, bool)
        expect(number, f"yours is a {type(output).__name__}; expected a whole number.")
        outputs.append(float(output))
    mistakes = {
        "the next larger whole number is asked: math.ceil.": [
            pairs,
            lambda *c: math.floor(pairs(*c)),
            lambda *c: round(pairs(*c)),
        ],
        "the sign of the difference does not matter: square the whole quotient.": [
            lambda d, *c: math.copysign(math.ceil(pairs(d, *c)), d)
        ],
        "the test is two-sided: each side has level / 2.": [
            lambda *c: math.ceil(pairs(*c, sides=1))
        ],
        "the power is missing: without z(power) the difference is found every second time only.": [
            lambda d, s, p, a: math.ceil(pairs(d, s, 0.5, a))
        ],
        "the quotient is squared.": [
            lambda *c: math.ceil(pairs(*c) ** 0.5),
            lambda d, *c: math.ceil(math.copysign(pairs(d, *c) ** 0.5, d)),
        ],
        "the quotient is upside down: more spread needs more seeds.": [
            lambda d, s, p, a: math.ceil(pairs(s, d, p, a))
        ],
        "the two quantiles are added before they are squared.": [
            lambda d, s, p, a: math.ceil((z(1 - a / 2) ** 2 + z(p) ** 2) * (s / d) ** 2)
        ],
        "z(power) is added: z(1 - power) is its negative.": [
            lambda d, s, p, a: math.ceil(pairs(d, s, 1 - p, a))
        ],
        "that is the number for two groups that are not paired; spread is already that of the difference of a pair.": [
            lambda *c: math.ceil(2 * pairs(*c)),
            lambda *c: 2 * math.ceil(pairs(*c)),
        ],
        "power and level are arguments: yours keeps 0.8 and 0.05.": [
            lambda d, s, p, a: math.ceil(pairs(d, s, 0.8, 0.05))
        ],
    }
    truth = [float(max(2, math.ceil(pairs(*case)))) for case in cases]
    if outputs != truth:
        for text, ways in mistakes.items():
            for way in ways:
                theirs = [max(2, way(*case)) for case in cases]
                expect(not np.allclose(np.maximum(outputs, 2), theirs, rtol=0, atol=1e-6), text)
    for (difference, spread, power, level), output, wanted in zip(cases, outputs, truth):
        given = f"for a difference of {difference}, spread {spread}, power {power}, level {level}"
        expect(
            output > 1 or wanted > 2,
            f"yours is {output:g} {given}: below 2 pairs there is no spread; return at least 2.",
        )
        expect(output == wanted, f"yours is {output:g} {given}; expected {wanted:g}.")


def twins(pixels: torch.Tensor) -> list[bytes]:
    """A name for each picture's group: the smaller one of its bytes and its mirror image's."""
    return [
        min(picture.numpy().tobytes(), picture.flip(2).contiguous().numpy().tobytes())
        for picture in pixels
    ]


@exercise("15.3", "A split without twins", difficulty=3, minutes=25)
def hold_out(answer: object) -> None:
    """pixels uint8 (N, C, H, W), share, seed -> bool (N,)."""
    for number, shape, share in [
        (40, (1, 4, 5), 0.25),
        (30, (3, 3, 3), 0.5),
        (24, (1, 5, 1), 0.3),
        (2, (1, 2, 2), 0.5),
    ]:
        pixels = torch.randint(256, (number, *shape), dtype=torch.uint8)
        if number > 2:
            more = torch.randperm(number)[: number // 3]
            pixels = torch.cat(
                [pixels, pixels[more], pixels[more.flip(0)].flip(3), pixels[more[:3]]]
            )
            pixels = pixels[torch.randperm(len(pixels))]
        names = twins(pixels)
        output = attempt(answer, pixels, share, 0)
        if isinstance(output, torch.Tensor) and output.dtype == torch.int64 and output.ndim == 1:
            expect(False, "yours are whole numbers; asked is True or False for each picture.")
        right = isinstance(output, torch.Tensor) and output.dtype == torch.bool
        expect(right, "expected a bool tensor with one entry per picture.")
        expect(
            output.shape == (len(pixels),),
            f"yours has shape {tuple(output.shape)} for {len(pixels)} pictures; all of them are kept, held out or not.",
        )
        held = {name for name, out in zip(names, output) if out}
        left = {name for name, out in zip(names, output) if not out}
        exact = [picture.numpy().tobytes() for picture in pixels]
        same = {name for name, out in zip(exact, output) if out}
        same &= {name for name, out in zip(exact, output) if not out}
        expect(
            not same,
            f"{len(same)} held-out pictures have an equal one in the training part: draw groups, not pictures.",
        )
        expect(
            not held & left,
            f"{len(held & left)} held-out pictures have their mirror image in the training part: mirrored pictures are twins, too.",
        )
        groups, wanted = len(set(names)), round(share * len(set(names)))
        expect(
            len(left) != wanted or len(left) == len(held),
            "True is for the pictures that are held out; yours marks the others.",
        )
        expect(
            len(held) == wanted,
            f"yours holds out {len(held)} of {groups} groups for share {share}; expected round(share * groups) = {wanted}.",
        )
    pixels = torch.randint(256, (30, 1, 3, 3), dtype=torch.uint8)
    state = torch.get_rng_state()
    drawn = [attempt(answer, pixels, 0.3, seed) for seed in range(12)]
    again = attempt(answer, pixels, 0.3, 5)
    expect(
        torch.equal(drawn[5], again),
        "the same seed gives another split: make a torch.Generator() and seed it with the argument.",
    )
    expect(
        any(not torch.equal(drawn[0], other) for other in drawn[1:]),
        "every seed gives the same split: draw the groups with the seed.",
    )
    expect(
        torch.stack(drawn).any(dim=0).sum() > 20,
        "some pictures are never held out: draw among all groups.",
    )
    expect(
        torch.equal(state, torch.get_rng_state()),
        "torch.manual_seed changes the random numbers of everybody: use a torch.Generator() of your own.",
    )


@exercise("15.4", "Equal seconds", difficulty=2, minutes=20)
def plan_steps(answer: object) -> None:
    """measured {method: seconds of single steps}, budget, seeds, warm_up -> {method: steps}."""
    cases = [
        (["plain", "sparse"], 121.3, 3, 3),
        (["plain", "sparse", "wide"], 1000.7, 5, 1),
        (["only"], 7.77, 1, 0),
    ]
    for methods, budget, seeds, warm_up in cases:
        measured = {}
        for place, name in enumerate(methods):
            steps = (0.004 + 0.003 * place) * (1 + 0.1 * torch.rand(20))
            steps[:warm_up] *= 30
            steps[warm_up + 2 + place] *= 50  # a disturbance
            measured[name] = steps.tolist()
        output = attempt(answer, measured, budget, seeds, warm_up)
        expect(
            isinstance(output, dict) and set(output) == set(methods),
            f"expected a dictionary with the methods {', '.join(methods)}.",
        )
        numbers = (
            isinstance(value, (int, float, np.number))
            or (isinstance(value, torch.Tensor) and value.ndim == 0)
            for value in output.values()
        )
        expect(all(numbers), "expected a number of steps for each method.")

        def plan(
            step: object = statistics.median,
            skip: int = warm_up,
            parts: float = len(methods) * seeds,
        ) -> torch.Tensor:
            return torch.tensor(
                [budget / parts / step(measured[name][skip:]) for name in methods],
                dtype=torch.float64,
            )

        found = torch.tensor([float(output[name]) for name in methods], dtype=torch.float64)
        together = sum(statistics.median(measured[name][warm_up:]) for name in methods) * seeds
        expect_close(
            found,
            plan().floor(),
            {
                "steps are whole numbers that keep the budget: round down.": plan(),
                "rounded up, the budget is overdrawn: round down.": plan().ceil(),
                "a step that is disturbed spoils the mean: take the median.": plan(
                    statistics.mean
                ).floor(),
                "the smallest time is too hopeful: take the median.": plan(min).floor(),
                "the first steps, which are slow, are still in: leave out warm_up of them.": plan(
                    statistics.mean, 0
                ).floor(),
                "the first steps, which are slow, are still in the median: leave out warm_up of them.": plan(
                    skip=0
                ).floor(),
                "the budget is for all seeds together.": plan(parts=len(methods)).floor(),
                "the budget is for all methods together.": plan(parts=seeds).floor(),
                "the budget is for all methods and all seeds together.": plan(parts=1).floor(),
                "equal steps are not equal seconds: each method gets the same seconds, so the quicker one gets more steps.": torch.full_like(
                    found, math.floor(budget / together)
                ),
            },
            what=f"the plan for {len(methods)} methods and {seeds} seeds",
            tolerance=1e-9,
        )
    state = attempt(answer, {"one": [9.0, 9.0, 9.0, 2.0, 2.0]}, 11.0, 1)
    expect(
        isinstance(state, dict) and state.get("one") == 5,
        "without the argument, three steps count as warm-up: [9, 9, 9, 2, 2] are 2 s per step.",
    )
