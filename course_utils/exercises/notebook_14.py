"""Checks of notebook 14, Reading a generator."""

from collections.abc import Callable
from typing import Any

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.nn.functional import normalize

from course_utils.exercises.core import attempt, exercise, expect, expect_answer

__all__ = ["clamp_feature", "match_atoms", "same_length", "usage"]


def as_tensors(output: Any) -> Any:
    """Both results as tensors: numbers, lists and what scipy returns are welcome."""
    return [*map(torch.as_tensor, output)] if isinstance(output, (tuple, list)) else output


def used(code: Tensor) -> tuple[Tensor, Tensor]:
    return (code != 0).float().mean(dim=0), (code == 0).all(dim=0).float().mean()


def other_shares(shares: Callable) -> Callable:
    return lambda code: (shares(code), used(code)[1])


def other_dead(dead: Callable) -> Callable:
    return lambda code: (used(code)[0], dead(code))


USAGE = {
    "the mean goes over the signals, dim=0.": other_shares(lambda c: (c != 0).float().mean(dim=1)),
    "that is the mean activation; asked is how often.": other_shares(lambda c: c.mean(dim=0)),
    "that is a count; divide by the signals.": other_shares(lambda code: (code != 0).sum(dim=0)),
    "that is the share of living units.": other_dead(lambda code: 1 - used(code)[1]),
    "that is the share of zeros in the code.": other_dead(lambda c: (c == 0).float().mean()),
    "that is a count; divide by the units.": other_dead(lambda c: (c == 0).all(dim=0).sum()),
    "a unit that was on once is rare, not dead.": other_dead(
        lambda c: (used(c)[0] < 0.01).float().mean()
    ),
    "a dead unit is off for all signals; yours is off for at least one.": other_dead(
        lambda c: (c == 0).any(dim=0).float().mean()
    ),
}


@exercise("14.1", "Used, rarely used, dead", difficulty=1, minutes=10, mistakes=USAGE)
def usage(answer: Any) -> None:
    """A code (N, units) -> shares of signals for which each unit is on, share of dead units."""
    for number, units in [(50, 12), (1, 3), (7, 7), (40, 1), (500, 6)]:
        code = torch.randn(number, units).relu() * (torch.rand(units) < 0.7) * 0.2
        if number == 500:  # a unit that is on once: rare, not dead
            code[:, 0] = 0
            code[3, 0] = 0.2
        what = ("the share of each unit", "the share of dead units")
        output = as_tensors(attempt(answer, code))
        expect_answer(lambda *_: output, used, code, what=what)


def norm(x: Tensor, dim: int = 1) -> Tensor:
    return x.norm(dim=dim, keepdim=True).clamp_min(1e-12)


NORM = {
    "each row has its own norm: norm(dim=1, keepdim=True).": lambda x, y: y / y.norm() * x.norm(),
    "a row of zeros gives 0/0: clamp_min.": lambda x, y: y / y.norm(dim=1)[:, None] * norm(x),
    "that has norm 1; multiply by the norm of x.": lambda x, y: y / norm(y),
    "x is rescaled; asked is x_hat with the norm of x.": lambda x, y: x / norm(x) * norm(y),
    "x_hat keeps its own norm as a factor: divide by it.": lambda x, y: y * norm(x),
    "the norm is the root of the sum of squares.": lambda x, y: y / norm(y) ** 2 * norm(x) ** 2,
    "each row is a vector: dim=1, not dim=0.": lambda x, y: y / norm(y, 0) * norm(x, 0),
}


@exercise("14.2", "The right length", difficulty=2, minutes=15, mistakes=NORM)
def same_length(answer: Any) -> None:
    """x and x_hat, both (N, n) -> x_hat with the norm of x in each row; rows of zeros stay zero."""
    for number, n in [(6, 5), (1, 3), (8, 1), (4, 4)]:
        x, x_hat = 3 * torch.randn(number, n), torch.randn(number, n)
        if number > 4:
            x_hat[2] = x[3] = 0
        reference = lambda x, x_hat: x_hat / norm(x_hat) * x.norm(dim=1, keepdim=True)
        expect_answer(answer, reference, x, x_hat)


def clamped(
    x, code, D, unit: int, value: float, *, step: Callable = lambda now, value: value - now
):
    """x, moved along the atom of the unit by step(code of the unit, value)."""
    return x + step(code[:, unit, None], value) * D[:, unit]


def clamp_mistake(step: Callable) -> Callable:
    return lambda *given: clamped(*given, step=step)


CLAMP = {
    "this replaces x by the decoded code.": lambda x, c, D, *rest: clamped(c @ D.T, c, D, *rest),
    "that adds the value: set it, value - code.": clamp_mistake(lambda now, value: value + 0 * now),
    "that takes the feature away: the value is missing.": clamp_mistake(lambda now, value: -now),
    "the sign is wrong: add value - code.": clamp_mistake(lambda now, value: now - value),
    "set the feature to the value, do not multiply.": clamp_mistake(lambda c, v: (v - 1) * c),
    "set the feature also where it is off.": clamp_mistake(lambda c, v: (c > 0) * (v - c)),
}


@exercise("14.3", "Set a feature", difficulty=2, minutes=20, mistakes=CLAMP)
def clamp_feature(answer: Any) -> None:
    """x (N, n), code (N, units), D (n, units), unit, value -> x with the code of the unit set."""
    for number, n, units in [(6, 5, 9), (1, 4, 3), (5, 2, 5), (3, 3, 3)]:
        code, D = torch.randn(number, units).relu(), normalize(torch.randn(n, units), dim=0)
        given = (torch.randn(number, n), code, D, units - 1, 2.5)
        expect_answer(answer, clamped, *given)


def matched(D: Tensor, E: Tensor, score: Callable = torch.Tensor.clone) -> tuple[Tensor, Tensor]:
    """The partners that maximise the sum of score(cosine), and their mean cosine."""
    cosines = D.T @ E
    rows, columns = linear_sum_assignment(score(cosines).numpy(), maximize=True)
    return torch.as_tensor(columns), cosines[rows, columns].mean()


def largest(D: Tensor, E: Tensor) -> Tensor:
    return (D.T @ E).amax(dim=1).mean()


MATCH = {
    "that is the mean of the largest cosines; take those of the pairs.": lambda D, E: (
        matched(D, E)[0],
        largest(D, E),
    ),
    "two atoms of D have the same partner in E: give each once (linear_sum_assignment).": (
        lambda D, E: ((D.T @ E).argmax(dim=1), largest(D, E))
    ),
    "that is the worst match: maximize=True.": lambda D, E: matched(D, E, torch.neg),
    "that is the partner in D of each atom of E.": lambda D, E: matched(E, D),
    "the sign counts: an atom and its negative differ.": lambda D, E: matched(D, E, torch.abs),
    "that is the sum of the cosines; asked is their mean.": (
        lambda D, E: (matched(D, E)[0], matched(D, E)[1] * D.shape[1])
    ),
}


@exercise("14.4", "The same features?", difficulty=3, minutes=25, mistakes=MATCH)
def match_atoms(answer: Any) -> None:
    """D, E (n, K) with unit columns -> partner in E of each atom of D (K,), and the mean cosine."""
    for n, K in [(6, 9), (2, 12), (3, 1), (4, 4), (5, 30)]:
        D = normalize(torch.randn(n, K), dim=0)
        E = normalize(0.5 * D[:, torch.randperm(K)] + torch.randn(n, K), dim=0)
        what = (f"the best one-to-one partners of {K} atoms", "the mean cosine")
        output = as_tensors(attempt(answer, D, E))
        expect_answer(lambda *_: output, matched, D, E, what=what)
        expect(not output[0].is_floating_point(), "the partners are indices, integers.")
