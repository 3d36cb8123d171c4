"""The rate of a step, a corrected average, and the ways to get them wrong (13.3 and 13.4)."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["AVERAGE_MISTAKES", "RATE_MISTAKES", "corrected", "warmed"]


def linear(batch: int) -> float:
    return batch / 32


def reached(step: int, warm_up: int) -> float:
    """The share of the full rate that a step has, while the warm-up lasts."""
    return (step + 1) / warm_up


def warmed(
    step: int,
    base: float,
    batch: int,
    warm_up: int,
    *,
    scale: Callable = linear,
    share: Callable = reached,
    longer: int = 0,
) -> float:
    """The rate at a step; `longer` is how many steps the warm-up lasts beyond its end."""
    full = base * scale(batch)
    return full * share(step, warm_up) if step < warm_up + longer and warm_up else full


def scaled(scale: Callable) -> Callable:
    return lambda *given: warmed(*given, scale=scale)


def warming(share: Callable, longer: int = 0) -> Callable:
    return lambda *given: warmed(*given, share=share, longer=longer)


def from_base(share: Callable) -> Callable:
    """A line that begins at base."""

    def risen(step: int, base: float, batch: int, warm_up: int) -> float:
        full = base * batch / 32
        return base + (full - base) * share(step, warm_up) if step < warm_up else full

    return risen


def fixed(warm_up: int) -> Callable:
    return lambda step, base, batch, _: warmed(step, base, batch, warm_up)


RATE_MISTAKES: dict[str, Callable] = {
    "step 0 has the first part of the warm-up, not 0.": warming(lambda step, w: step / w),
    "step 0 has a `warm_up`-th of the rate even if warm_up is 0: then there is no warm-up.": (
        lambda step, base, batch, w: base * batch / 32 * min(1, step / max(1, w))
    ),
    "step warm_up - 1 has all of the rate, step 0 not nothing: (step + 1) / warm_up.": warming(
        lambda step, w: step / max(1, w - 1)
    ),
    "step warm_up - 1 has all of the rate: (step + 1) / warm_up, not warm_up + 1.": warming(
        lambda step, w: (step + 1) / (w + 1)
    ),
    "the rate goes on rising after the warm-up.": warming(reached, 10**9),
    "step `warm_up` has more than the full rate: the line ends one step before.": warming(
        reached, 1
    ),
    "the rate does not scale with the batch.": scaled(lambda batch: 1),
    "that is the root, as for Adam; scale with the batch.": scaled(lambda b: math.sqrt(b / 32)),
    "batch // 32 drops the rest of the division: batch / 32.": scaled(lambda batch: batch // 32),
    "the rate of a small batch is below `base`, too: no max.": scaled(lambda b: max(1, b / 32)),
    "the rate of a large batch is above `base`: no min.": scaled(lambda batch: min(1, batch / 32)),
    "a larger batch has a larger rate: batch / 32, not 32 / batch.": scaled(lambda b: 32 / b),
    **{
        f"`base` is the rate at 32 images, not at {batch}: batch / 32.": scaled(
            lambda b, batch=batch: b / batch
        )
        for batch in (64, 256, 128, 16)
    },
    "`base` is the rate at 32 images: divide the batch by 32.": scaled(lambda batch: batch),
    "the rate scales with the batch, not with its square.": scaled(lambda b: (b / 32) ** 2),
    "the rate scales with the batch, not with its logarithm.": scaled(lambda b: math.log2(b) / 5),
    "`base` is missing: multiply by it.": lambda step, base, *rest: warmed(step, 1.0, *rest),
    "there is no warm-up.": lambda step, base, batch, warm_up: base * batch / 32,
    "the line starts at a `warm_up`-th of the full rate, not at base.": from_base(reached),
    "the line starts at a `warm_up`-th of the full rate; yours has base at step 0.": from_base(
        lambda step, w: step / w
    ),
    "the line starts at a `warm_up`-th of the full rate; yours goes from base in one step less.": (
        from_base(lambda step, w: step / max(1, w - 1))
    ),
    "in the warm-up the rate has a `warm_up`-th at first and all at its end; yours falls.": warming(
        lambda step, w: 1 - step / w
    ),
    "without a warm-up the rate scales with the batch as well; yours is base.": (
        lambda step, base, batch, w: warmed(step, base, batch, w) if w else base
    ),
    "without a warm-up the rate is the full one, not 0.": (
        lambda step, base, batch, w: warmed(step, base, batch, w) if w else 0.0
    ),
    "in the warm-up the rate rises from step to step; yours stays at base.": (
        lambda step, base, batch, w: base if step < w else base * batch / 32
    ),
    "step 0 has one `warm_up`-th, not two: (step + 1) / warm_up.": warming(
        lambda step, w: min(1, (step + 2) / w)
    ),
    "after the warm-up the rate stays; yours falls with the root of the steps.": (
        lambda step, base, batch, w: (
            warmed(step, base, batch, w) * (min(1, (w / (step + 1)) ** 0.5) if w else 1)
        )
    ),
    "all steps of the warm-up have the same rate in yours: multiply by step + 1.": warming(
        lambda step, w: 1 / w
    ),
    "the rate is 0 in the warm-up: it rises in a line.": warming(lambda step, w: 0.0),
    "in the warm-up the rate scales with the batch, too.": (
        lambda step, base, batch, w: base * (batch / 32 if step >= w else (step + 1) / w)
    ),
    "the rise is a line, not a square.": warming(lambda step, w: ((step + 1) / w) ** 2),
    "the rise is a line, not a root.": warming(lambda step, w: ((step + 1) / w) ** 0.5),
    "the rise is a line, not a cosine.": warming(
        lambda step, w: (1 - math.cos(math.pi * (step + 1) / w)) / 2
    ),
    "(step + 1) // warm_up is 0 before the end: divide with /.": warming(lambda s, w: (s + 1) // w),
    **{
        f"yours warms up for {steps} steps whatever the argument says.": fixed(steps)
        for steps in (5, 10, 100, 3, 4, 1000)
    },
}


def average(values: Tensor, decay: float, mean: float = 0.0) -> Tensor:
    means = []
    for value in values.tolist():
        mean = decay * mean + (1 - decay) * value
        means.append(mean)
    return torch.tensor(means)


def sums(length: int, decay: float, first: int = 1) -> Tensor:
    """1 - decay^t for t from `first` on."""
    return 1 - decay ** torch.arange(first, first + length).double()


def corrected(values: Tensor, decay: float, first: int = 1, mean: float = 0.0) -> Tensor:
    """The bias-corrected moving average; t counts from `first`, the average begins at `mean`."""
    return average(values, decay, mean) / sums(len(values), decay, first)


def fed_back(values: Tensor, decay: float) -> Tensor:
    """With the corrected average in the recursion."""
    found, mean = [], 0.0
    for t, value in enumerate(values.tolist(), start=1):
        mean = (decay * mean + (1 - decay) * value) / (1 - decay**t)
        found.append(mean)
    return torch.tensor(found)


def late(values: Tensor, decay: float) -> Tensor:
    """The average before each value is added, corrected by the sum of its weights."""
    before = average(values, decay)[:-1] / sums(len(values) - 1, decay)
    return torch.cat([torch.zeros(1).double(), before])


AVERAGE_MISTAKES: dict[str, Callable] = {
    "it still starts too small: divide by the sum of the weights.": average,
    "t counts the values: 1 after the first.": lambda v, decay: corrected(v, decay, first=0),
    "t counts the values: 1 after the first, yours is 2.": lambda v, d: corrected(v, d, first=2),
    "the first value weighs too much: start at 0.": lambda v, decay: average(v, decay, v[0].item()),
    "the average starts at 0, if it is divided; yours starts at the first value.": (
        lambda v, decay: corrected(v, decay, mean=v[0].item())
    ),
    "decay and 1 - decay are swapped.": lambda v, decay: corrected(v, 1 - decay),
    "decay and 1 - decay are swapped in the average.": (
        lambda v, decay: average(v, 1 - decay) / sums(len(v), decay)
    ),
    "the weights add up to 1 - decay^t, not to 1 - (1 - decay)^t.": (
        lambda v, decay: average(v, decay) / sums(len(v), 1 - decay)
    ),
    "keep the average as it is for the next step; yours goes on with the divided one.": fed_back,
    "each step has its own sum: yours divides all by the last, 1 - decay^T.": (
        lambda v, decay: average(v, decay) / (1 - decay ** len(v))
    ),
    "that is the average over 1 - decay at each step: divide by the sum of the weights so far.": (
        lambda v, decay: average(v, decay) / (1 - decay)
    ),
    "the first average is divided, too: t is 1 there.": (
        lambda v, decay: torch.cat(
            [average(v, decay)[:1], average(v, decay)[1:] / sums(len(v) - 1, decay)]
        )
    ),
    "values count as they are, with their sign: no abs.": lambda v, d: corrected(v.abs(), d),
    "that is the root of the average of squares: asked is the average of the values.": (
        lambda v, decay: corrected(v.square(), decay).sqrt()
    ),
    "divide by the sum of the weights, do not multiply.": (
        lambda v, decay: average(v, decay) * sums(len(v), decay)
    ),
    "divide by 1 - decay^t, not by decay^t.": (
        lambda v, decay: average(v, decay) / (1 - sums(len(v), decay))
    ),
    "the weights add up to 1 - decay^t, not to 1 + decay^t.": (
        lambda v, decay: average(v, decay) / (2 - sums(len(v), decay))
    ),
    "the weights add up to 1 - decay^t, a power, not 1 - decay · t.": (
        lambda v, decay: average(v, decay) / (1 - decay * torch.arange(1, len(v) + 1))
    ),
    "the new value counts 1 - decay; its factor is missing.": (
        lambda v, decay: corrected(v, decay) / (1 - decay)
    ),
    "that is the last average; asked is the one after each step.": lambda v, d: corrected(v, d)[-1],
    "that is the mean of all values so far, without decay.": (
        lambda v, decay: v.cumsum(dim=0) / torch.arange(1, len(v) + 1)
    ),
    "the values run the wrong way: the last counts most.": (
        lambda v, decay: corrected(v.flip(0), decay).flip(0)
    ),
    "the average after each step comes with its value; yours is one step late.": late,
    "the first average is missing: one for each value.": lambda v, decay: corrected(v, decay)[1:],
    "the average before the first value, 0, is one too many.": (
        lambda v, decay: torch.cat([torch.zeros(1), corrected(v, decay)])
    ),
    "that is the sum of the weights; asked is the average divided by it.": (
        lambda v, decay: sums(len(v), decay)
    ),
    "divided twice: the weighted mean needs no correction any more.": (
        lambda v, decay: corrected(v, decay) / sums(len(v), decay)
    ),
    "only the first step is divided: each has its own sum.": (
        lambda v, decay: torch.cat([v[:1], average(v, decay)[1:]])
    ),
    **{
        f"yours has the decay {decay} whatever the argument says.": (
            lambda v, _, decay=decay: corrected(v, decay)
        )
        for decay in (0.9, 0.99, 0.999)
    },
}
