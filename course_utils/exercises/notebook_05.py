"""Checks of notebook 05, The sparse autoencoder."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from course_utils.exercises.core import attempt, exercise, expect, expect_answer

__all__ = ["batch_topk", "dead_share", "keep_perpendicular", "kl_gradient", "topk_by_sort"]

TIES = "of equal numbers too many stay: choose places (argsort, topk), not a smallest value."
DETACHED = "the code carries no gradient back to a: leave detach, no_grad and .data away."
TIED = torch.tensor([[0.5, 0.5, 0.5, 0.1], [2.0, 1.0, 1.0, 1.0]])


def kept(a: Tensor, by: Tensor, k: int) -> Tensor:
    """The numbers of each row of `a` at the k largest places of `by`; the others are zero."""
    places = by.argsort(dim=1, descending=True)[:, :k]
    return torch.zeros_like(a).scatter(1, places, a.gather(1, places))


def topk(a: Tensor, k: int) -> Tensor:
    return kept(a, a, k).relu()


def of_batch(a: Tensor, number: int) -> Tensor:
    """The largest numbers of the whole batch, as many as `number`."""
    return kept(a.reshape(1, -1), a.reshape(1, -1), number).view_as(a)


TOPK_MISTAKES = {
    "negative numbers are never active: .relu().": lambda a, k: kept(a, a, k),
    "you kept the largest magnitudes, not numbers.": lambda a, k: kept(a, a.abs(), k).relu(),
    "you kept the k smallest: sort in descending order.": lambda a, k: kept(a, -a, k),
    "choose within each row, as TopK does.": lambda a, k: of_batch(a, k * len(a)).relu(),
    "one too few: keep the k-th largest number too.": lambda a, k: topk(a, k - 1),
    "that is a ReLU: all positive numbers stay.": lambda a, k: a.relu(),
    DETACHED: lambda a, k: topk(a, k).detach(),
    TIES: lambda a, k: torch.where(a >= a.topk(k).values[:, -1:], a, 0.0).relu(),
}


@exercise("05.1", "TopK from a sort", difficulty=1, minutes=10, mistakes=TOPK_MISTAKES)
def topk_by_sort(answer: Any) -> None:
    """a (N, units), k -> code (N, units): the k largest positive numbers of each row."""
    for number, units, k in [(6, 9, 3), (5, 8, 8), (4, 7, 1), (1, 1, 1), (8, 12, 5)]:
        a = torch.randn(number, units)
        a[0] = -a[0].abs()  # a signal without any positive number
        if number > 2:  # fewer positive numbers than k; the largest magnitudes are negative
            a[1, units // 2 :] = -a[1, units // 2 :].abs() - 3
        expect_answer(answer, topk, a, k)
    expect(attempt(answer, torch.rand(4, 5, requires_grad=True), 2).requires_grad, DETACHED)
    expect(((attempt(answer, TIED, 2) != 0).sum(dim=1) == 2).all(), TIES)


def chosen(a: Tensor, k: int) -> Tensor:
    return of_batch(a, k * len(a)).relu()


def moved(a: Tensor, k: int, threshold: Tensor, weight: float = 0.01) -> Tensor:
    """The threshold after a step to the smallest number kept in training."""
    code = chosen(a, k)
    return threshold.lerp(code[code > 0].min(), weight)


def batch_step(a, k, threshold, training, choose=chosen, move=moved) -> tuple[Tensor, Tensor]:
    """Code and threshold; `choose` and `move` make the code and the threshold of training."""
    if training:
        return choose(a, k), move(a, k, threshold)
    return torch.where(a > threshold, a, 0.0), threshold


STEP_MISTAKES: dict[str, Callable] = {
    "that is TopK; choose k * N of the whole batch.": partial(batch_step, choose=topk),
    "you kept k numbers of the batch; keep k * N.": partial(batch_step, choose=of_batch),
    "negative numbers are never active: .relu().": (
        partial(batch_step, choose=lambda a, k: of_batch(a, k * len(a)))
    ),
    "in evaluation the threshold must not change.": (
        lambda a, k, t, training: (batch_step(a, k, t, training)[0], moved(a, k, t))
    ),
    "in evaluation a code must not depend on the others: use the threshold.": (
        lambda a, k, t, training: batch_step(a, k, t, True)
    ),
    "the threshold did not move in training.": partial(batch_step, move=lambda a, k, t: t),
    "the threshold moves only 1 % of the way to the smallest number kept.": (
        partial(batch_step, move=partial(moved, weight=1.0))
    ),
    "take the minimum over the numbers kept, without the zeros.": (
        partial(batch_step, move=lambda a, k, t: 0.99 * t)
    ),
    DETACHED: partial(batch_step, choose=lambda a, k: chosen(a, k).detach()),
    TIES: partial(batch_step, choose=lambda a, k: a.where(a >= moved(a, k, TIED[0, 0], 1.0), 0)),
}


@exercise("05.2", "BatchTopK after training", difficulty=2, minutes=20, mistakes=STEP_MISTAKES)
def batch_topk(answer: Any) -> None:
    """a (N, units), k, threshold, training -> code (N, units), new threshold."""
    cases = [(8, 10, 2, True), (8, 10, 2, False), (1, 6, 3, True), (4, 5, 3, True)]
    for number, units, k, training in cases:
        a = torch.randn(number, units) + 0.7
        if number == 4:
            a[1:] = -a[1:].abs()  # fewer positive numbers than k * N
        given = (a, k, torch.tensor(0.9), training)
        what = (f"the code for training={training}", f"the threshold for training={training}")
        expect_answer(answer, batch_step, *given, what=what, tolerance=1e-5)
    a = torch.rand(4, 5, requires_grad=True)
    expect(attempt(answer, a, 2, torch.tensor(0.5), True)[0].requires_grad, DETACHED)
    tied = attempt(answer, TIED, 1, torch.tensor(0.5), True)[0]
    expect((tied != 0).sum() == 2, TIES)


def perpendicular(gradient: Tensor, D: Tensor) -> Tensor:
    return gradient - D * (gradient * D).sum(dim=0)


GRADIENT_MISTAKES = {
    "return what is left, not the part along the atoms.": lambda g, D: g - perpendicular(g, D),
    "you added the part along the atom; subtract it.": lambda g, D: 2 * g - perpendicular(g, D),
    "sum over the rows, dim=0.": lambda g, D: g - D * (g * D).sum(dim=1, keepdim=True),
    "subtract (g·d) d, not the number g·d.": lambda g, D: g - (g * D).sum(dim=0),
    "DDᵀ mixes the atoms: each has its own gradient.": lambda g, D: g - D @ (D.T @ g),
    "nothing was removed.": lambda g, D: g,
}


@exercise("05.3", "No step along an atom", difficulty=2, minutes=15, mistakes=GRADIENT_MISTAKES)
def keep_perpendicular(answer: Any) -> None:
    """gradient (n, K), D (n, K) with unit columns -> gradient without its part along each atom."""
    for n, count in [(6, 9), (5, 5), (4, 1), (7, 3)]:
        gradient, D = torch.randn(n, count), normalize(torch.randn(n, count), dim=0)
        expect_answer(answer, perpendicular, gradient, D)


def dead(batches: list[Tensor]) -> Tensor:
    return (torch.cat(batches) == 0).all(dim=0).float().mean()


DEAD_MISTAKES = {
    "a dead unit is silent in all batches.": lambda b: torch.stack([dead([x]) for x in b]).mean(),
    "that is the share of the living.": lambda b: 1 - dead(b),
    "that is the last batch alone.": lambda b: dead(b[-1:]),
    "uses that cancel are uses.": lambda b: dead([torch.cat(b).sum(dim=0, keepdim=True)]),
    "negative numbers are uses too: != 0.": lambda b: dead([codes.relu() for codes in b]),
    "ask for each unit, dim=0.": lambda b: (torch.cat(b) == 0).all(dim=1).float().mean(),
    "return a share from 0 to 1, not a count.": lambda b: dead(b) * b[0].shape[1],
    "count units that are always zero, not zeros.": lambda b: (torch.cat(b) == 0).float().mean(),
}


@exercise("05.4", "Dead units, batch by batch", difficulty=1, minutes=10, mistakes=DEAD_MISTAKES)
def dead_share(answer: Any) -> None:
    """A list of codes (N_i, units) -> the share of units that no signal of any batch uses."""
    for sizes, units in [((4, 3, 5), 40), ((6,), 30), ((1, 1, 2, 1), 25)]:
        batches = [torch.randn(size, units) * (torch.rand(size, units) < 0.2) for size in sizes]
        for batch in batches:
            batch[:, :7] = 0  # units 0 and 1 are surely dead
        batches[0][0, 2] = -1.0  # alive by a negative number
        if sizes[0] > 1:
            batches[0][:2, 3] = torch.tensor([1.0, -1.0])  # two uses that cancel
        batches[-1][0, 4:7] = 1e-5  # a small use is a use
        expect_answer(answer, dead, batches)


def force(code: Tensor, rho: float, mean: Tensor | None = None) -> Tensor:
    """The gradient of the penalty; `mean` replaces the mean activity of each unit."""
    mean = code.mean(dim=0) if mean is None else mean
    return ((1 - rho) / (1 - mean) - rho / mean).expand_as(code) / len(code)


KL_MISTAKES = {
    "each activity is 1/N of the mean: divide by N.": lambda c, rho: force(c, rho) * len(c),
    "the gradient has the shape of the code.": lambda c, rho: force(c, rho)[0],
    "more activity than ρ must give a positive gradient.": lambda c, rho: -force(c, rho),
    "the second term is missing.": lambda c, rho: -rho / c.mean(dim=0).expand_as(c) / len(c),
    "each unit has its own mean, over dim=0.": lambda c, rho: force(c, rho, c.mean()),
    "take the mean activity of a unit, not each activity.": lambda c, rho: force(c, rho, c),
}


@exercise("05.5", "The force of the KL penalty", difficulty=2, minutes=15, mistakes=KL_MISTAKES)
def kl_gradient(answer: Any) -> None:
    """code (N, units) in (0, 1), rho -> gradient of kl_sparsity by the code, (N, units)."""
    for number, units, rho in [(7, 5, 0.05), (4, 3, 0.3), (1, 4, 0.1), (20, 1, 0.02)]:
        code = 0.02 + 0.9 * torch.rand(number, units)
        expect_answer(answer, force, code, rho)
