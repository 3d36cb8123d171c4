"""Plausible wrong answers: check -> [(answer, words that the message must hold)]."""

import math
import statistics

import torch
from scipy import stats

Z = stats.norm.ppf


def ends(values, low, high):
    return torch.quantile(values, torch.tensor([low, high], dtype=values.dtype))


def means(differences, places):
    return differences[places].mean(dim=1)


def tail(level):
    return (1 - level) / 2, (1 + level) / 2


def pairs(d, s, p, a, one=1.0):
    return max(2, math.ceil(one * ((Z(1 - a / 2) + Z(p)) * s / d) ** 2))


def name(picture):
    return min(picture.numpy().tobytes(), picture.flip(2).contiguous().numpy().tobytes())


def held(pixels, share, seed, naming=name, order=None):
    """The right answer, with another way to name the groups or to draw them."""
    named = [naming(picture) for picture in pixels]
    groups = sorted(set(named))
    draw = (
        torch.randperm(len(groups), generator=torch.Generator().manual_seed(seed))
        if order is None
        else order(len(groups))
    )
    chosen = {groups[i] for i in draw[: round(share * len(groups))]}
    return torch.tensor([one in chosen for one in named])


def globally_seeded(pixels, share, seed):
    torch.manual_seed(seed)
    return held(pixels, share, seed, order=torch.randperm)


def plan(
    measured, budget, seeds, warm_up=3, typical=statistics.median, rounding=math.floor, parts=None
):
    parts = parts or len(measured) * seeds
    return {
        method: rounding(budget / parts / typical(steps[warm_up:]))
        for method, steps in measured.items()
    }


def equal_steps(measured, budget, seeds, warm_up=3):
    steps = budget / (seeds * sum(statistics.median(each[warm_up:]) for each in measured.values()))
    return dict.fromkeys(measured, math.floor(steps))


def sorting(measured, budget, seeds, warm_up=3):
    for steps in measured.values():
        steps.sort()
    return plan(measured, budget, seeds, 0)


WRONG = {
    "bootstrap_interval": [
        (lambda d, p, level=0.95: ends(means(d, p), *tail(level)).flip(0), "changed over"),
        (lambda d, p, level=0.95: ends(d[p].flatten(), *tail(level)), "single differences"),
        (lambda d, p, level=0.95: ends(d, *tail(level)), "without any draw"),
        (lambda d, p, level=0.95: ends(means(d, p), 1 - level, level), "leaves out half"),
        (lambda d, p, level=0.95: ends(d[p].mean(dim=0), *tail(level)), "dim=1"),
        (lambda d, p, level=0.95: ends(d[p].quantile(0.5, dim=1), *tail(level)), "gives its mean"),
        (lambda d, p, level=0.95: ends(means(d, p), 0.025, 0.975), "whatever the level"),
        (
            lambda d, p, level=0.95: (
                means(d, p).mean()
                + Z((1 + level) / 2) * means(d, p).std() * torch.tensor([-1.0, 1.0])
            ),
            "assumes a normal",
        ),
        (lambda d, p, level=0.95: means(d, p), "has shape"),
        (lambda d, p, level=0.95: ends(means(d, p), *tail(level))[0], "has shape"),
    ],
    "seeds_needed": [
        (
            lambda d, s, p=0.8, a=0.05: max(2, round(((Z(1 - a / 2) + Z(p)) * s / d) ** 2)),
            "next larger",
        ),
        (
            lambda d, s, p=0.8, a=0.05: max(2, int(((Z(1 - a / 2) + Z(p)) * s / d) ** 2)),
            "next larger",
        ),
        (lambda d, s, p=0.8, a=0.05: max(2.0, ((Z(1 - a / 2) + Z(p)) * s / d) ** 2), "next larger"),
        (lambda d, s, p=0.8, a=0.05: math.ceil(((Z(1 - a / 2) + Z(p)) * s / d) ** 2), "at least 2"),
        (
            lambda d, s, p=0.8, a=0.05: max(2, math.ceil(((Z(1 - a) + Z(p)) * s / d) ** 2)),
            "two-sided",
        ),
        (
            lambda d, s, p=0.8, a=0.05: max(2, math.ceil((Z(1 - a / 2) * s / d) ** 2)),
            "power is missing",
        ),
        (
            lambda d, s, p=0.8, a=0.05: max(2, math.ceil((Z(1 - a / 2) + Z(p)) * s / abs(d))),
            "squared",
        ),
        (
            lambda d, s, p=0.8, a=0.05: max(2, math.ceil(((Z(1 - a / 2) + Z(p)) * d / s) ** 2)),
            "upside down",
        ),
        (
            lambda d, s, p=0.8, a=0.05: max(
                2, math.ceil((Z(1 - a / 2) ** 2 + Z(p) ** 2) * (s / d) ** 2)
            ),
            "added before",
        ),
        (
            lambda d, s, p=0.8, a=0.05: max(2, math.ceil(((Z(1 - a / 2) + Z(1 - p)) * s / d) ** 2)),
            "its negative",
        ),
        (lambda d, s, p=0.8, a=0.05: pairs(d, s, p, a, 2), "not paired"),
        (lambda d, s, p=0.8, a=0.05: pairs(d, s, 0.8, 0.05), "keeps 0.8"),
        (lambda d, s, p=0.8, a=0.05: str(pairs(d, s, p, a)), "whole number"),
    ],
    "hold_out": [
        (
            lambda x, share, seed: (
                torch.rand(len(x), generator=torch.Generator().manual_seed(seed)) < share
            ),
            "equal one",
        ),
        (
            lambda x, share, seed: held(
                x, share, seed, naming=lambda picture: picture.numpy().tobytes()
            ),
            "mirror image",
        ),
        (
            lambda x, share, seed: held(
                x,
                share,
                seed,
                naming=lambda picture: min(
                    picture.numpy().tobytes(), picture.flip(1).contiguous().numpy().tobytes()
                ),
            ),
            "mirror image",
        ),
        (lambda x, share, seed: ~held(x, share, seed), "marks the others"),
        (lambda x, share, seed: held(x, 1.4 * share, seed), "round(share * groups)"),
        (lambda x, share, seed: held(x, share, seed).nonzero()[:, 0], "whole numbers"),
        (lambda x, share, seed: held(x, share, seed).float(), "bool tensor"),
        (lambda x, share, seed: held(x[: len(x) // 2], share, seed), "has shape"),
        (lambda x, share, seed: held(x, share, 0), "Every seed".lower()),
        (
            lambda x, share, seed: held(x, share, seed, order=torch.randperm),
            "the same seed gives another",
        ),
        (
            lambda x, share, seed: held(
                x, share, seed, order=lambda n: torch.arange(n).roll(seed % 3)
            ),
            "never held out",
        ),
        (globally_seeded, "manual_seed"),
    ],
    "plan_steps": [
        (lambda m, b, s, warm_up=3: plan(m, b, s, warm_up, rounding=float), "round down"),
        (lambda m, b, s, warm_up=3: plan(m, b, s, warm_up, rounding=math.ceil), "overdrawn"),
        (
            lambda m, b, s, warm_up=3: plan(m, b, s, warm_up, typical=statistics.mean),
            "spoils the mean",
        ),
        (lambda m, b, s, warm_up=3: plan(m, b, s, warm_up, typical=min), "too hopeful"),
        (lambda m, b, s, warm_up=3: plan(m, b, s, 0, typical=statistics.mean), "still in"),
        (lambda m, b, s, warm_up=3: plan(m, b, s, 0), "in the median"),
        (lambda m, b, s, warm_up=3: plan(m, b, s, warm_up, parts=len(m)), "all seeds"),
        (lambda m, b, s, warm_up=3: plan(m, b, s, warm_up, parts=s), "all methods"),
        (lambda m, b, s, warm_up=3: plan(m, b, s, warm_up, parts=1), "all methods and all seeds"),
        (equal_steps, "not equal seconds"),
        (sorting, "changed its input"),
        (lambda m, b, s, warm_up=3: list(plan(m, b, s, warm_up).values()), "dictionary"),
        (lambda m, b, s, warm_up=0: plan(m, b, s, warm_up), "three steps count"),
    ],
}
