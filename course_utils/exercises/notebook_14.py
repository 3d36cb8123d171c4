"""Checks of notebook 14, Reading a generator."""

from typing import Any

import torch
from torch.nn.functional import normalize

from course_utils.exercises.core import exercise, expect, expect_answer
from course_utils.exercises.mistakes.atom_matching import MATCH_MISTAKES, matched
from course_utils.exercises.mistakes.feature_steering import CLAMP_MISTAKES, clamped
from course_utils.exercises.mistakes.shares_and_norms import (
    NORM_MISTAKES,
    USAGE_MISTAKES,
    rescaled,
    used,
)

__all__ = ["clamp_feature", "match_atoms", "same_length", "usage"]


def with_tensors(answer: Any) -> Any:
    """The answer with its results as tensors: numbers, lists and what scipy returns are welcome."""

    def converted(*given: object) -> Any:
        output = answer(*given)
        return [*map(as_tensor, output)] if isinstance(output, (tuple, list)) else output

    return converted if callable(answer) else answer


def as_tensor(value: Any) -> Any:
    """A tensor where the value can be one."""
    try:
        return torch.as_tensor(value)
    except (TypeError, ValueError, RuntimeError):
        return value


@exercise("14.1", "Used, rarely used, dead", difficulty=1, minutes=10, mistakes=USAGE_MISTAKES)
def usage(answer: Any) -> None:
    """A code (N, units) -> shares of signals for which each unit is on, share of dead units."""
    for number, units in [(50, 12), (1, 3), (7, 7), (40, 1), (500, 6), (20, 9)]:
        on = torch.rand(number, units) < 0.5 + 0.4 * torch.rand(units)
        on &= torch.rand(units) < 0.7
        code = on * (0.6 + torch.rand(number, units))
        if number == 500:  # a unit that is on once: rare, not dead
            code[:, 0], code[:, 1] = 0, 0
            code[3, 0] = 0.7
        if number == 20:  # activations that are small; one unit has no others
            code *= torch.where(torch.rand(number, units) < 0.3, 1e-9, 1.0)
            code[:, 4], code[:, 5] = 1e-9 * (torch.rand(number) < 0.5), 0
            code[7] = 0
        what = ("the share of each unit", "the share of dead units")
        expect_answer(with_tensors(answer), used, code, what=what, tolerance=1e-6)


@exercise("14.2", "The right length", difficulty=2, minutes=15, mistakes=NORM_MISTAKES)
def same_length(answer: Any) -> None:
    """x and x_hat, both (N, n) -> x_hat with the norm of x in each row; rows of zeros stay zero."""
    for number, n in [(6, 5), (1, 3), (8, 1), (4, 4), (5, 9)]:
        x, x_hat = 3 * torch.randn(number, n), torch.randn(number, n)
        if number > 4:
            x_hat[2] = x[3] = 0
        x_hat[-1] *= 20  # too long
        expect_answer(answer, rescaled, x, x_hat)
    expect_answer(answer, rescaled, 0.02 * torch.randn(3, 5), 0.02 * torch.randn(3, 5))
    sizes = torch.tensor([3e-4, 1.0, 3e-4])[:, None]
    expect_answer(answer, rescaled, torch.randn(3, 4), sizes * torch.randn(3, 4), tolerance=3e-3)


@exercise("14.3", "Set a feature", difficulty=2, minutes=20, mistakes=CLAMP_MISTAKES)
def clamp_feature(answer: Any) -> None:
    """x (N, n), code (N, units), D (n, units), unit, value -> x with the code of the unit set."""
    cases = [(6, 5, 9, 8, 2.5), (1, 4, 3, 0, 0.5), (5, 2, 5, 2, 0.4), (3, 3, 3, 1, 0.0)]
    for number, n, units, unit, value in [*cases, (20, 3, 4, 2, 0.5)]:
        code, D = torch.randn(number, units).relu(), normalize(torch.randn(n, units), dim=0)
        expect_answer(answer, clamped, torch.randn(number, n), code, D, unit, value)
    code = 1e-3 * torch.rand(4, 3)  # small features count as well
    given = (1e-2 * torch.randn(4, 5), code, normalize(torch.randn(5, 3), dim=0), 1, 2e-3)
    expect_answer(answer, clamped, *given, tolerance=1e-6)


@exercise("14.4", "The same features?", difficulty=3, minutes=25, mistakes=MATCH_MISTAKES)
def match_atoms(answer: Any) -> None:
    """D, E (n, K) with unit columns -> partner in E of each atom of D (K,), and the mean cosine."""
    for n, K in [(6, 9), (2, 12), (3, 1), (4, 4), (5, 30), (3, 5)]:
        D = normalize(torch.randn(n, K), dim=0)
        E = normalize(0.5 * D[:, torch.randperm(K)] + torch.randn(n, K), dim=0)
        if (n, K) == (3, 5):  # no atom of D points where one of E does
            along = 0.4 * torch.randn(2, n, K) + torch.eye(n)[:, :1]
            D, E = normalize(along[0], dim=0), -normalize(along[1], dim=0)
        what = (f"the best one-to-one partners of {K} atoms", "the mean cosine")
        output = expect_answer(with_tensors(answer), matched, D, E, what=what)
        expect(not output[0].is_floating_point(), "the partners are indices, integers.")
