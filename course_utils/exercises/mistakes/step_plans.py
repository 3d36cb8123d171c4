"""Plans of equal seconds, and ways to get them wrong (exercise 15.4)."""

import math
import statistics
from collections.abc import Callable

__all__ = ["PLAN_MISTAKES", "plan"]


def after(steps: list[float], warm_up: int) -> list[float]:
    return steps[warm_up:]


def one_share(budget: float, methods: int, seeds: int) -> float:
    return budget / (methods * seeds)


def plan(
    typical: Callable = statistics.median,
    rounding: Callable = math.floor,
    kept: Callable = after,
    seconds: Callable = one_share,
    default: int = 3,
) -> Callable:
    """Plans with another typical step, rounding, choice of steps or share of the budget."""

    def planned(measured: dict, budget: float, seeds: int, warm_up: int = default) -> dict:
        share = seconds(budget, len(measured), seeds)
        steps = {name: typical(kept(steps, warm_up)) for name, steps in measured.items()}
        return {name: rounding(share / step) for name, step in steps.items()}

    return planned


def joined(join: Callable, methods: int | None = None) -> Callable:
    """The same steps for all methods, from one number made of their typical steps."""

    def planned(measured: dict, budget: float, seeds: int, warm_up: int = 3) -> dict:
        step = join([statistics.median(steps[warm_up:]) for steps in measured.values()])
        count = len(measured) if methods is None else methods
        return dict.fromkeys(measured, math.floor(budget / (seeds * count) / step))

    return planned


def changed(change: Callable) -> Callable:
    """Other numbers, made of (steps, seeds, methods, seconds of a run)."""

    def planned(measured: dict, budget: float, seeds: int, warm_up: int = 3) -> dict:
        found, methods = plan()(measured, budget, seeds, warm_up), len(measured)
        share = one_share(budget, methods, seeds)
        return {name: change(steps, seeds, methods, share) for name, steps in found.items()}

    return planned


def changed_by_warm_up(sign: int) -> Callable:
    """With the steps of the warm-up added or taken off."""

    def planned(measured: dict, budget: float, seeds: int, warm_up: int = 3) -> dict:
        found = plan()(measured, budget, seeds, warm_up)
        return {name: steps + sign * warm_up for name, steps in found.items()}

    return planned


PLAN_MISTAKES: dict[str, Callable] = {
    "steps are integers that keep the budget: round down.": plan(rounding=float),
    "rounded up, the plan exceeds the budget: round down.": plan(rounding=math.ceil),
    "rounded to the nearest integer, the plan can exceed the budget: round down.": plan(
        rounding=round
    ),
    "a single step can exceed a small budget: 0 steps are an answer, too.": plan(
        rounding=lambda steps: max(1, math.floor(steps))
    ),
    "that is one step too few: round down.": changed(lambda steps, *_: steps - 1),
    "a disturbed step spoils the mean: take the median.": plan(statistics.mean),
    "the smallest time is too optimistic: take the median.": plan(min),
    "the largest time is that of a disturbed step: take the median.": plan(max),
    "the median of an even number of steps is the mean of the two middle ones; torch.median takes "
    "the lower one.": plan(statistics.median_low),
    "the median of an even number of steps is the mean of the two middle ones; yours takes the "
    "upper one.": plan(statistics.median_high),
    "sort the times before you take the middle one.": plan(lambda s: s[len(s) // 2]),
    "that is the time of all steps together: take the median.": plan(sum),
    "that is the first step after the warm-up: take the median.": plan(lambda s: s[0]),
    "that is the last step: take the median.": plan(lambda s: s[-1]),
    "leave out the first warm_up steps, which are slow.": plan(kept=lambda s, w: s),
    "leave out the first warm_up steps; yours keeps only these.": plan(
        kept=lambda s, w: s[:w] or s
    ),
    "leave out the first warm_up steps, not the last.": plan(kept=lambda s, w: s[: len(s) - w]),
    "leave out the first warm_up steps, not the smallest: do it before you sort.": plan(
        kept=lambda s, w: sorted(s)[w:]
    ),
    "yours leaves out one step too many: steps[warm_up:].": plan(kept=lambda s, w: s[w + 1 :]),
    "yours leaves out one step too few: steps[warm_up:].": plan(
        kept=lambda s, w: s[max(0, w - 1) :]
    ),
    **{
        f"yours leaves out {count} steps whatever warm_up says.": plan(
            kept=lambda s, w, count=count: s[count:]
        )
        for count in (3, 1, 5, 2)
    },
    "without the argument, three steps count as warm-up.": plan(default=0),
    "the budget is for all seeds together.": plan(seconds=lambda b, methods, seeds: b / methods),
    "the budget is for all methods together.": plan(seconds=lambda b, methods, seeds: b / seeds),
    "the budget is for all methods and seeds together.": plan(seconds=lambda b, *_: b),
    "divide the budget by the seeds, do not multiply.": plan(
        seconds=lambda b, methods, seeds: b / methods * seeds
    ),
    "divide the budget by the methods, do not multiply.": plan(
        seconds=lambda b, methods, seeds: b * methods / seeds
    ),
    "divide by methods times seeds, not by their sum.": plan(
        seconds=lambda b, methods, seeds: b / (methods + seeds)
    ),
    "there are `seeds` runs of each method, not one more.": plan(
        seconds=lambda b, methods, seeds: b / (methods * (seeds + 1))
    ),
    **{
        f"yours divides by {methods} methods whatever was measured: len(measured).": plan(
            seconds=lambda b, _, seeds, methods=methods: b / (methods * seeds)
        )
        for methods in (2, 3)
    },
    **{
        f"yours divides by {seeds} seeds whatever the argument says.": plan(
            seconds=lambda b, methods, _, seeds=seeds: b / (methods * seeds)
        )
        for seeds in (3, 5, 10)
    },
    "the warm-up does not count: do not take its steps off.": changed_by_warm_up(-1),
    "the warm-up does not count: do not add its steps.": changed_by_warm_up(1),
    "equal steps are not equal seconds: the quicker method gets more steps.": joined(sum, 1),
    "equal steps are not equal seconds; yours plans for the slowest method.": joined(max),
    "equal steps are not equal seconds; yours plans for the quickest method.": joined(min),
    "each method has its own typical step; yours takes the median of all.": joined(
        statistics.median
    ),
    "each method has its own typical step; yours takes the first method's.": joined(lambda s: s[0]),
    "each method has its own typical step; yours takes the last method's.": joined(lambda s: s[-1]),
    "these are the steps of all runs of a method; asked are those of one.": changed(
        lambda steps, seeds, methods, share: steps * seeds
    ),
    "these are the seconds of a run; asked are its steps.": changed(
        lambda steps, seeds, methods, share: share
    ),
    "these are seconds, not steps: divide by the seconds of a step.": changed(
        lambda steps, seeds, methods, share: math.floor(share)
    ),
}
