"""Checks of notebook 02, Sparse coding."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from course_utils.exercises.core import exercise, expect, expect_answer
from course_utils.exercises.mistakes.lassos import (
    DTYPE,
    LASSO_MISTAKES,
    NO_GRADIENT,
    SUM_MISTAKES,
    proximal,
    reweighted,
)
from course_utils.exercises.mistakes.refits import MP_MISTAKES, REFIT_MISTAKES, pursue, refit
from course_utils.sparse_coding import keep_largest, normalise_atoms, soft_threshold

__all__ = ["debias", "group_threshold", "matching_pursuit", "nonnegative_ista", "reweighted_lasso"]


@exercise("02.1", "Only sums, no differences", difficulty=1, minutes=15, mistakes=SUM_MISTAKES)
def nonnegative_ista(answer: Any) -> None:
    """x (N, n), D (n, K), lam, steps -> z >= 0 (N, K)."""
    for N, n, K, lam, steps in [(4, 8, 20, 0.2, 7), (2, 12, 12, 0.1, 40), (3, 5, 9, 0.0, 5)]:
        D, x = normalise_atoms(torch.randn(n, K)), torch.randn(N, n)
        given = (x, 1.7 * D, lam, steps)  # longer than 1, so that L matters also for one atom
        expect_answer(answer, proximal, *given, tolerance=2e-5)
    x, D = torch.randn(2, 6, dtype=torch.float64), torch.randn(6, 4, dtype=torch.float64)
    expect_answer(answer, proximal, x, D, 0.1, 3, tolerance=1e-6)


@exercise("02.2", "Give back what λ took", difficulty=2, minutes=15, mistakes=REFIT_MISTAKES)
def debias(answer: Any) -> None:
    """x (N, n), D (n, K), z (N, K) -> refitted z (N, K)."""
    for N, n, K, k in [(1, 8, 12, 3), (5, 16, 20, 4), (3, 10, 30, 1)]:
        D, x = normalise_atoms(torch.randn(n, K)), torch.randn(N, n)
        z = keep_largest(torch.randn(N, K), k)
        z[2:3] = 0  # the third of several codes is empty
        if k == 4:  # the first has fewer atoms, the last two have small weights
            z[:1] = keep_largest(z[:1], 2)
            for i, least in [(3, [0.05, -5e-3, 5e-4]), (4, [5e-5, -5e-6, 5e-7, 5e-9])]:
                z[i, z[i].nonzero()[: len(least), 0]] = torch.tensor(least)
        expect_answer(answer, refit, x, D, z, tolerance=1e-4)
    expect_answer(answer, refit, x, D, torch.zeros_like(z))


@exercise("02.3", "Matching pursuit without the O", difficulty=2, minutes=15, mistakes=MP_MISTAKES)
def matching_pursuit(answer: Any) -> None:
    """x (n,), D (n, K), steps -> z (K,)."""
    for n, K, steps in [(8, 12, 1), (16, 32, 6), (5, 11, 12), (3, 3, 20)]:
        D, x = normalise_atoms(torch.randn(n, K)), torch.randn(n)
        expect_answer(answer, pursue, x, D, steps, tolerance=2e-5)
    x, D = torch.randn(6).double(), normalise_atoms(torch.randn(6, 9).double())
    expect_answer(answer, pursue, 1e-2 * x, D, 4, tolerance=1e-6)


def shrunk(z: Tensor, t: float, length: Tensor | None = None) -> Tensor:
    length = z.norm(dim=1, keepdim=True) if length is None else length
    return torch.where(length > t, z * (1 - t / length), 0)


def by_norm(**chosen) -> Callable:
    """Shrinkage by another norm or over other axes than the channels."""
    given = {"dim": 1, "keepdim": True, **chosen}
    return lambda z, t: shrunk(z, t, torch.linalg.vector_norm(z, **given))


def padded(added: float) -> Callable:
    return lambda z, t: z * (1 - t / (z.norm(dim=1, keepdim=True) + added)).clamp_min(0)


GROUP_MISTAKES: dict[str, Callable] = {
    "you shrank each number; shrink the C weights of an atom together.": soft_threshold,
    "the norm goes over the channels, dim=1, not over the atoms.": (
        lambda z, t: shrunk(z, t, z.norm(dim=2, keepdim=True))
    ),
    "vectors shorter than t turn round: clamp.": lambda z, t: z - t * normalize(z, dim=1),
    "that is hard thresholding: longer vectors must lose t too.": (
        lambda z, t: z.where(z.norm(dim=1, keepdim=True) > t, 0)
    ),
    "the norm is the root of the sum of squares; you left the root out.": (
        lambda z, t: shrunk(z, t, z.norm(dim=1, keepdim=True) ** 2)
    ),
    "the norm goes over the channels, dim=1, not over the batch.": by_norm(dim=0),
    "the norm goes over the channels only, not over the atoms too.": by_norm(dim=(1, 2)),
    "the norm goes over the channels only, not over everything.": by_norm(dim=(0, 1, 2)),
    "the length is the root of the sum of squares, not the sum of magnitudes.": by_norm(ord=1),
    "the length is the root of the sum of squares, not the largest magnitude.": (
        by_norm(ord=float("inf"))
    ),
    "the length is the root of the sum of squares, not of their mean.": (
        lambda z, t: shrunk(z, t * z.shape[1] ** 0.5)
    ),
    "the length is the root of the sum of squares, not the mean of the magnitudes.": (
        lambda z, t: shrunk(z, t * z.shape[1], z.abs().sum(1, True))
    ),
    "vectors shorter than t become zero; you left them as they are.": (
        lambda z, t: shrunk(z, t).where(z.norm(dim=1, keepdim=True) > t, z)
    ),
    "vectors of zeros give 0/0: guard the division.": (
        lambda z, t: z * (1 - t / z.norm(dim=1, keepdim=True)).clamp_min(0)
    ),
    "vectors of zeros give 0/0: guard the direction z / length.": (
        lambda z, t: z / z.norm(dim=1, keepdim=True) * (z.norm(dim=1, keepdim=True) - t).relu()
    ),
    "the vectors are lengthened: subtract t from the length.": (
        lambda z, t: z + t * normalize(z, dim=1)
    ),
    "only the direction is left: multiply it by the length less t.": (
        lambda z, t: normalize(z, dim=1).where(z.norm(dim=1, keepdim=True) > t, 0)
    ),
    "return the vectors, not their lengths.": (lambda z, t: (z.norm(dim=1) - t).clamp_min(0)),
    "only positive weights are left; vectors keep their direction.": lambda z, t: shrunk(
        z, t
    ).relu(),
    "the vector must be shorter by t, not multiplied by 1 - t.": (
        lambda z, t: (z * (1 - t)).where(z.norm(dim=1, keepdim=True) > t, 0)
    ),
    "the vector must be shorter by t, not by t times its length squared.": (
        lambda z, t: z * (1 - t * z.norm(dim=1, keepdim=True)).clamp_min(0)
    ),
    "that is the garrote: the vector must be shorter by t, not by t² / length.": (
        lambda z, t: shrunk(z, t**2, z.norm(dim=1, keepdim=True) ** 2)
    ),
    "only the length of the first channel counts; take all channels.": (
        lambda z, t: shrunk(z, t, z[:, :1].abs())
    ),
    "t is halved.": lambda z, t: shrunk(z, t / 2),
    "t is ignored.": lambda z, t: shrunk(z, 1.0),
    **{
        f"{e:g} is added to the length: the vectors come out wrong; guard only zeros.": padded(e)
        for e in (1e-1, 1e-2, 1e-3, 1e-4)
    },
}


@exercise("02.4", "Colours share their atoms", difficulty=2, minutes=15, mistakes=GROUP_MISTAKES)
def group_threshold(answer: Any) -> None:
    """z (N, C, K), t -> z (N, C, K)."""
    for shape, t in [((4, 3, 5), 0.7), ((1, 3, 8), 1.0), ((2, 1, 6), 0.5), ((3, 4, 3), 0.0)]:
        z = torch.randn(shape)
        z[0, :, 0] = 0
        expect_answer(answer, shrunk, z, t, tolerance=1e-5)
    exact = torch.tensor([[3.0, 0, 6, 0.6], [4.0, 5, -8, 0.8]])[None]  # lengths 5, 5, 10, 1
    expect_answer(answer, shrunk, exact, 5.0, tolerance=1e-5)
    expect_answer(answer, shrunk, 1e-2 * exact, 3e-2, tolerance=1e-6)


@exercise("02.5", "Ask again, with other prices", difficulty=3, minutes=30, mistakes=LASSO_MISTAKES)
def reweighted_lasso(answer: Any) -> None:
    """x (N, n), D (n, K), lam, rounds, epsilon -> z (N, K)."""
    for N, n, K, *settings in [
        (3, 12, 18, 0.1, 1, 0.1),
        (4, 16, 24, 0.15, 2, 0.3),
        (2, 14, 20, 0.1, 3, 0.5),
    ]:
        D = normalise_atoms(torch.randn(n, K, dtype=torch.float64))
        z = torch.zeros(N, K, dtype=torch.float64)
        z[:, :3] = torch.tensor([2.0, -1.0, 0.7])
        given = (z @ D.T + 0.1 * torch.randn(N, n, dtype=torch.float64), D, *settings)
        z = expect_answer(answer, reweighted, *given, tolerance=2e-3)
        expect(z.dtype == D.dtype, DTYPE)
        expect(not z.requires_grad, NO_GRADIENT)
    bases = [torch.linalg.qr(torch.randn(6, 6, dtype=torch.float64))[0] for _ in range(5)]
    D = torch.cat(
        bases, dim=1
    )  # its largest singular value is the root of 5: too long a step shows
    expect_answer(answer, reweighted, 2 * D.T[:2], D, 0.1, 1, 0.1, tolerance=2e-3)
