"""Checks of notebook 05, The sparse autoencoder."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from course_utils.exercises.core import attempt, exercise, expect, expect_answer, expect_without
from course_utils.exercises.mistakes.batch_topk import STEP_MISTAKES, batch_step, chosen
from course_utils.exercises.mistakes.topk import DETACHED, TIES, TOPK_MISTAKES, topk
from course_utils.exercises.mistakes.unit_activity import DEAD_MISTAKES, KL_MISTAKES, dead, force

__all__ = ["batch_topk", "dead_share", "keep_perpendicular", "kl_gradient", "topk_by_sort"]

TIED = torch.tensor([[0.5, 0.5, 0.5, 0.1], [2.0, 1.0, 1.0, 1.0]])
DROPPED = "of equal numbers too few stay: where they compete for the last places, fill them."


def expect_ties(code: Tensor, expected: Tensor) -> None:
    """Fail unless as many numbers stay as expected; of equal ones it is open which."""
    numbers, wanted = ((each != 0).sum() for each in (code, expected))
    expect(numbers <= wanted, TIES)
    expect(numbers == wanted, DROPPED)
    values = code.flatten().sort().values
    expect(
        torch.allclose(values, expected.flatten().sort().values),
        "where numbers are equal, those that stay keep their value.",
    )


@exercise("05.1", "TopK from a sort", difficulty=1, minutes=10, mistakes=TOPK_MISTAKES)
def topk_by_sort(answer: Any) -> None:
    """a (N, units), k -> code (N, units): the k largest positive numbers of each row."""
    for number, units, k in [(6, 9, 3), (5, 8, 8), (4, 7, 1), (1, 1, 1), (8, 12, 5), (5, 5, 2)]:
        a = torch.randn(number, units)
        a[0] = -a[0].abs()  # a signal without any positive number
        if number > 2:  # fewer positive numbers than k; the largest magnitudes are negative
            a[1, units // 2 :] = -a[1, units // 2 :].abs() - 3
            a[2, :3], a[2, 3:] = torch.tensor([5e-4, 5e-3, 0.05]), -1
        expect_answer(answer, topk, a, k, tolerance=1e-5)
    code = attempt(answer, torch.rand(4, 5, requires_grad=True), 2)
    expect(code.requires_grad, DETACHED)
    expect_ties(attempt(answer, TIED, 2), topk(TIED, 2))
    sort = "sort the numbers, or their places with argsort"
    expect_without(answer, torch.randn(3, 5), 2, names=("topk",), advice=sort)


@exercise("05.2", "BatchTopK after training", difficulty=2, minutes=20, mistakes=STEP_MISTAKES)
def batch_topk(answer: Any) -> None:
    """a (N, units), k, threshold, training -> code (N, units), new threshold."""
    cases = [
        (8, 10, 2, True),
        (8, 10, 2, False),
        (1, 6, 3, True),
        (4, 5, 3, True),
        (4, 5, 3, False),
    ]
    for number, units, k, training in cases:
        a, threshold = torch.randn(number, units) + 0.7, torch.tensor(0.9)
        a[0, :2] = torch.tensor([0.9, 2.5])  # one is exactly the threshold
        if number == 8:  # a signal that does not reach the threshold
            a[3] *= 0.2
            a[5, :2] = -4.0  # large magnitudes
        if number == 4:  # fewer positive numbers than k * N, small ones
            a[1:] = -1e-3 * a[1:].abs()
            a[0], threshold = 0.01 * a[0].abs(), torch.tensor(0.004)
            a[0, :3] = torch.tensor([0.004, 0.0041, 0.0039])
        what = (f"the code for training={training}", f"the threshold for training={training}")
        given = (a, k, threshold, training)
        expect_answer(answer, batch_step, *given, what=what, tolerance=1e-5)
    a = torch.rand(4, 5, requires_grad=True)
    expect(attempt(answer, a, 2, torch.tensor(0.5), True)[0].requires_grad, DETACHED)
    expect_ties(attempt(answer, TIED, 1, torch.tensor(0.5), True)[0], chosen(TIED, 1))


def along(gradient: Tensor, D: Tensor, size: Callable = torch.clone) -> Tensor:
    """The part of the gradient along each atom; `size` changes the inner products."""
    return D * size((gradient * D).sum(dim=0))


def perpendicular(gradient: Tensor, D: Tensor, size: Callable = torch.clone) -> Tensor:
    return gradient - along(gradient, D, size)


GRADIENT_MISTAKES: dict[str, Callable] = {
    "return what is left, not the part along the atoms.": along,
    "that is the negative part along the atoms; add it to the gradient.": (
        lambda g, D: -along(g, D)
    ),
    "you added the part along the atom; subtract it.": lambda g, D: g + along(g, D),
    "the sign is turned: gradient minus its part along the atom.": lambda g, D: along(g, D) - g,
    "sum over the rows, dim=0.": lambda g, D: g - D * (g * D).sum(dim=1, keepdim=True),
    "one inner product for each atom, not one for all: sum over dim=0.": (
        partial(perpendicular, size=lambda products: products.sum())
    ),
    "subtract (g·d) d, not the number g·d.": lambda g, D: g - (g * D).sum(dim=0),
    "the part along d is (g·d) d; you took (g·d) g.": lambda g, D: g - g * (g * D).sum(dim=0),
    "roles exchanged: remove from the gradient its part along the atom.": (
        lambda g, D: D - along(D, g)
    ),
    "roles exchanged: the part along d has the direction of d, not of g.": (
        lambda g, D: D - along(D, normalize(g, dim=0))
    ),
    "an inner product is a sum, not a mean.": (
        lambda g, D: perpendicular(g, D, lambda products: products / len(D))
    ),
    "DDᵀ mixes the atoms: each has its own gradient.": lambda g, D: g - D @ (D.T @ g),
    "each atom has its own inner product; you took the mean of all.": (
        partial(perpendicular, size=torch.mean)
    ),
    "each atom has its own inner product; you took the first one's.": (
        partial(perpendicular, size=lambda products: products[0])
    ),
    "the inner product has a sign: no abs().": partial(perpendicular, size=torch.abs),
    "negative parts are to be removed too: no relu or clamp.": (
        partial(perpendicular, size=torch.relu)
    ),
    "positive parts are to be removed too.": (
        partial(perpendicular, size=lambda products: products.clamp_max(0))
    ),
    "the inner product is not to be squared.": partial(perpendicular, size=torch.square),
    "subtract the part along the atom once, not twice.": (
        partial(perpendicular, size=lambda products: 2 * products)
    ),
    "remove the whole part along the atom, not half of it.": (
        partial(perpendicular, size=lambda products: products / 2)
    ),
    "do not divide by the norm of the gradient: the atoms have norm 1.": (
        lambda g, D: g - along(normalize(g, dim=0), D)
    ),
    "what is left keeps its norm: do not normalise it.": (
        lambda g, D: normalize(perpendicular(g, D), dim=0)
    ),
    "that normalises the gradient first; it keeps its norm.": (
        lambda g, D: perpendicular(normalize(g, dim=0), D)
    ),
    "subtract the part along the atom, not the atom.": lambda g, D: g - D,
    "nothing was removed.": lambda g, D: g,
}


@exercise("05.3", "No step along an atom", difficulty=2, minutes=15, mistakes=GRADIENT_MISTAKES)
def keep_perpendicular(answer: Any) -> None:
    """gradient (n, K), D (n, K) with unit columns -> gradient without its part along each atom."""
    for n, count in [(5, 5), (6, 9), (4, 1), (7, 3), (1, 6)]:
        gradient, D = torch.randn(n, count), normalize(torch.randn(n, count), dim=0)
        expect_answer(answer, perpendicular, gradient, D, tolerance=1e-5)


@exercise("05.4", "Dead units, batch by batch", difficulty=1, minutes=10, mistakes=DEAD_MISTAKES)
def dead_share(answer: Any) -> None:
    """A list of codes (N_i, units) -> the share of units that no signal of any batch uses."""
    for sizes, units in [((4, 4, 4), 40), ((3, 7, 2), 40), ((6,), 30), ((1, 1, 2, 1), 27)]:
        batches = [torch.randn(size, units) * (torch.rand(size, units) < 0.2) for size in sizes]
        for batch in batches:
            batch[:, :10] = 0  # units 0 and 1 are surely dead
        batches[0][0, 2] = -1.0  # alive by a negative number
        batches[0][0, 3] = 1.0
        if sizes[0] > 1:
            batches[0][1, 3] = -1.0  # two uses that cancel
        batches[0][0, 9], batches[-1][0, 9] = 2.0, -2.0  # they cancel over the batches
        small = torch.tensor([0.03, -0.3, 3e-3, 3e-4, 1e-9])
        batches[-1][0, 4:9] = small  # a small use is a use
        expect_answer(answer, dead, batches, tolerance=1e-6)
    for same in [torch.zeros(2, 3, 4), torch.ones(2, 3, 4)]:
        expect_answer(answer, dead, list(same), tolerance=1e-6)


@exercise("05.5", "The force of the KL penalty", difficulty=2, minutes=15, mistakes=KL_MISTAKES)
def kl_gradient(answer: Any) -> None:
    """code (N, units) in (0, 1), rho -> gradient of kl_sparsity by the code, (N, units)."""
    for number, units, rho in [(7, 5, 0.05), (4, 3, 0.3), (1, 4, 0.1), (20, 1, 0.02), (5, 6, 0.2)]:
        code = 0.02 + 0.9 * torch.rand(number, units)
        if number == 5:  # a rare unit, a very rare one, one that nearly always is active
            code[:, :3] = torch.rand(number, 3) * torch.tensor([1e-2, 1e-4, -1e-2])
            code[:, 2] += 1
        expect_answer(answer, force, code, rho)
    expect_without(answer, torch.rand(3, 2), 0.1, advice="derive the gradient with a pencil")
