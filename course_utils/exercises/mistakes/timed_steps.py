"""Steps on a machine whose clock is known, and the ways to time them wrong (exercise 13.1)."""

import statistics
from collections.abc import Callable
from functools import partial

import torch

__all__ = ["SPEED_MISTAKES", "Machine", "on_machine", "rate"]


class Machine:
    """A clock that moves only while steps are made; each takes the next of the given seconds."""

    def __init__(self, seconds: list[float]) -> None:
        self.seconds, self.now, self.steps, self.readings = seconds, 1e6, 0, 0

    def __repr__(self) -> str:
        return "a machine"

    def step(self) -> None:
        """Let the clock go on by the seconds of this step."""
        self.now += self.seconds[min(self.steps, len(self.seconds) - 1)]
        self.steps += 1

    def clock(self) -> float:
        """The seconds that the clock shows."""
        self.readings += 1
        return self.now


def on_machine(function: Callable, seconds: list[float], *given: int) -> tuple[int, object]:
    """How often the function calls step(), and what it returns."""
    machine = Machine(seconds)
    found = function(machine.step, machine.clock, *given)
    return machine.steps, found


def rate(
    step: Callable,
    clock: Callable,
    images: int,
    warm_up: int = 3,
    runs: int = 5,
    *,
    of: Callable = statistics.median,
) -> float:
    """Images per second; `of` makes one number of the seconds of all runs."""
    for _ in range(warm_up):
        step()
    seconds = []
    for _ in range(runs):
        begin = clock()
        step()
        seconds.append(clock() - begin)
    return images / of(seconds)


def counts(warm_up: Callable, runs: Callable) -> Callable:
    """The rate for other numbers of steps, made of (warm_up, runs)."""
    return lambda s, c, n, w=3, r=5: rate(s, c, n, warm_up(w, r), runs(w, r))


def rounded(step: Callable, clock: Callable, *given: int) -> float:
    """The rate by a clock that is read in float32."""
    return rate(step, lambda: float(torch.tensor(clock())), *given)


def never_reset(
    step: Callable, clock: Callable, images: int, warm_up: int = 3, runs: int = 5
) -> float:
    """With all times since the first step that counts."""
    for _ in range(warm_up):
        step()
    begin, seconds = clock(), []
    for _ in range(runs):
        step()
        seconds.append(clock() - begin)
    return images / statistics.median(seconds)


def warm_each(
    step: Callable, clock: Callable, images: int, warm_up: int = 3, runs: int = 5
) -> float:
    """With a warm-up before each run."""
    return images / statistics.median(
        images / rate(step, clock, images, warm_up, 1) for _ in range(runs)
    )


def slow_first(
    step: Callable, clock: Callable, images: int, warm_up: int = 3, runs: int = 5
) -> float:
    """With the warm-up in the time of the first run."""
    begin, seconds = clock(), []
    for _ in range(warm_up):
        step()
    for _ in range(runs):
        step()
        seconds.append(clock() - begin)
        begin = clock()
    return images / statistics.median(seconds)


def late_warm_up(
    step: Callable, clock: Callable, images: int, warm_up: int = 3, runs: int = 5
) -> float:
    found = rate(step, clock, images, 0, runs)
    for _ in range(warm_up):
        step()
    return found


SPEED_MISTAKES: dict[str, Callable] = {
    "a slow run spoils the mean: take the median.": partial(rate, of=statistics.mean),
    "the warm-up must not count.": counts(lambda w, r: 0, lambda w, r: w + r),
    "the warm-up is missing: call step() `warm_up` times before.": counts(
        lambda w, r: 0, lambda w, r: r
    ),
    "that is the shortest run; asked is the median.": partial(rate, of=min),
    "that is the longest run; asked is the median.": partial(rate, of=max),
    "that is the last run alone; asked is the median.": partial(rate, of=lambda s: s[-1]),
    "that is the first run alone; asked is the median.": partial(rate, of=lambda s: s[0]),
    "sort the times before you take the middle one.": partial(rate, of=lambda s: s[len(s) // 2]),
    "the median of an even number of times is the mean of the two middle ones; torch.median "
    "takes the lower one.": partial(rate, of=statistics.median_low),
    "the median of an even number of times is the mean of the two middle ones; yours takes the "
    "upper one.": partial(rate, of=statistics.median_high),
    "take the median of the times, then divide; yours is the median of the rates.": partial(
        rate, of=lambda s: 1 / statistics.median(1 / t for t in s)
    ),
    "that is the mean of the rates; asked is the rate of the median.": partial(
        rate, of=lambda s: 1 / statistics.mean(1 / t for t in s)
    ),
    "that is seconds per image; divide the other way round.": lambda *given: 1 / rate(*given),
    "these are steps per second: multiply by the images.": lambda *given: rate(*given) / given[2],
    "these are seconds per step: divide the images by them.": (
        lambda *given: given[2] / rate(*given)
    ),
    "that multiplies by the seconds: divide the images by them.": (
        lambda *given: given[2] ** 2 / rate(*given)
    ),
    "each time is that of one step: the images are not multiplied by the runs.": (
        lambda s, c, n, w=3, r=5: r * rate(s, c, n, w, r)
    ),
    "that is the time of all runs; asked is the median of single ones.": partial(rate, of=sum),
    "yours makes three steps to warm up whatever the argument says.": counts(
        lambda w, r: 3, lambda w, r: r
    ),
    "yours makes one step to warm up whatever the argument says.": counts(
        lambda w, r: 1, lambda w, r: r
    ),
    "yours makes five runs whatever the argument says.": counts(lambda w, r: w, lambda w, r: 5),
    "yours makes one run too few.": counts(lambda w, r: w, lambda w, r: max(1, r - 1)),
    "yours makes one run too many.": counts(lambda w, r: w, lambda w, r: r + 1),
    "yours makes one step too many to warm up.": counts(lambda w, r: w + 1, lambda w, r: r),
    "warm_up and runs are swapped.": counts(lambda w, r: r, lambda w, r: w),
    "all `runs` steps count: the warm-up comes before them.": counts(
        lambda w, r: min(w, r - 1), lambda w, r: max(1, r - w)
    ),
    "the warm-up comes before the runs, not after them.": late_warm_up,
    "warm up once, not before each run.": warm_each,
    "the first time has the warm-up in it: read the clock after the warm-up.": slow_first,
    "read the clock again before each run: yours adds up all runs so far.": never_reset,
    "float32 is too coarse for a clock: subtract the readings as they are.": rounded,
    "clock() gives seconds already.": lambda *given: 1000 * rate(*given),
    "do not round: a rate need not be an integer.": lambda *given: float(round(rate(*given))),
    "do not round down: a rate need not be an integer.": lambda *given: float(int(rate(*given))),
}
