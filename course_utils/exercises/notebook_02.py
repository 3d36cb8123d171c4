"""Checks of notebook 02, Sparse coding."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from course_utils.exercises.core import exercise, expect, expect_answer
from course_utils.sparse_coding import keep_largest, normalise_atoms, omp, soft_threshold

__all__ = ["debias", "group_threshold", "matching_pursuit", "nonnegative_ista", "reweighted_lasso"]


def norm2(D: Tensor) -> Tensor:
    """The square of the norm, L."""
    return torch.linalg.matrix_norm(D, 2).square()


def positive(v: Tensor, t: float) -> Tensor:
    return (v - t).clamp_min(0)


def proximal(x, D, lam, steps, *, shrink=positive, L=None) -> Tensor:
    """Steps from zero, with the shrinkage `shrink(v, lam / L)`."""
    L = norm2(D) if L is None else L
    z = x.new_zeros(len(x), D.shape[1])
    for _ in range(steps):
        z = shrink(z + (x - z @ D.T) @ D / L, lam / L)
    return z


SUM_MISTAKES: dict[str, Callable] = {
    "that is the lasso with both signs: z >= 0 is asked.": partial(proximal, shrink=soft_threshold),
    "cut at zero in every step, not only at the end.": (
        lambda *given: proximal(*given, shrink=soft_threshold).clamp_min(0)
    ),
    "the price is missing: subtract lam / L.": lambda x, D, lam, n: proximal(x, D, 0, n),
    "the threshold is lam / L, not lam.": lambda x, D, lam, n: proximal(x, D, lam * norm2(D), n),
    "L is missing in the step and in the threshold.": partial(proximal, L=1),
    "one step is missing.": lambda x, D, lam, n: proximal(x, D, lam, n - 1),
}


@exercise("02.1", "Only sums, no differences", difficulty=1, minutes=15, mistakes=SUM_MISTAKES)
def nonnegative_ista(answer: Any) -> None:
    """x (N, n), D (n, K), lam, steps -> z >= 0 (N, K)."""
    for N, n, K, lam, steps in [(4, 8, 20, 0.2, 7), (2, 12, 12, 0.1, 40), (3, 5, 9, 0.0, 5)]:
        D, x = normalise_atoms(torch.randn(n, K)), torch.randn(N, n)
        given = (x, D, lam, steps)
        expect_answer(answer, proximal, *given, tolerance=1e-3)


def refit(x: Tensor, D: Tensor, z: Tensor) -> Tensor:
    refitted = x.new_zeros(z.shape)
    for i, used in enumerate(z != 0):
        refitted[i, used] = torch.linalg.pinv(D[:, used]) @ x[i]
    return refitted


REFIT_MISTAKES = {
    "nothing has changed: solve least squares on the non-zero places.": lambda x, D, z: z,
    "you fitted all atoms; use only those with z != 0.": lambda x, D, z: refit(x, D, z == z),
    "that is the inner product with each atom; solve for all together.": (
        lambda x, D, z: (x @ D).where(z != 0, 0)
    ),
    "fit x, not the residual x - Dz.": lambda x, D, z: refit(x - z @ D.T, D, z),
    "you used the atoms of all codes; each signal has its own.": (
        lambda x, D, z: refit(x, D, (z != 0).any(0).expand_as(z))
    ),
    "a negative weight is not zero: use z != 0.": lambda x, D, z: refit(x, D, z.relu()),
}


@exercise("02.2", "Give back what λ took", difficulty=2, minutes=15, mistakes=REFIT_MISTAKES)
def debias(answer: Any) -> None:
    """x (N, n), D (n, K), z (N, K) -> refitted z (N, K)."""
    for N, n, K, k in [(1, 8, 12, 3), (5, 16, 20, 4), (3, 10, 30, 1)]:
        D, x = normalise_atoms(torch.randn(n, K)), torch.randn(N, n)
        z = keep_largest(torch.randn(N, K), k)
        z[1:2] = 0  # the second of several codes is empty
        expect_answer(answer, refit, x, D, z, tolerance=1e-3)


def pursue(x, D, steps, add=True, pick=torch.abs, update=True) -> Tensor:
    """Matching pursuit, and ways to get it wrong."""
    z, r = x.new_zeros(D.shape[1]), x
    for _ in range(steps):
        c = D.T @ r
        j = pick(c).argmax()
        z[j] = c[j] + (z[j] if add else 0)
        r = r - c[j] * D[:, j] if update else r
    return z


MP_MISTAKES: dict[str, Callable] = {
    "that is OMP: it fits the earlier weights again, matching pursuit does not.": (
        lambda x, D, k: omp(x[None], D, min(k, *D.shape))[0]
    ),
    "an atom that came up again lost its weight: z[j] += ...": partial(pursue, add=False),
    "take the product that is largest in magnitude.": partial(pursue, pick=torch.clone),
    "the residual never changes: subtract the part of each atom.": partial(pursue, update=False),
    "you took the largest products at once; they change after each atom.": (
        lambda x, D, k: keep_largest((x @ D)[None], min(k, D.shape[1]))[0]
    ),
    "one step is missing.": lambda x, D, k: pursue(x, D, k - 1),
}


@exercise("02.3", "Matching pursuit without the O", difficulty=2, minutes=15, mistakes=MP_MISTAKES)
def matching_pursuit(answer: Any) -> None:
    """x (n,), D (n, K), steps -> z (K,)."""
    for n, K, steps in [(8, 12, 1), (16, 32, 6), (5, 11, 12), (3, 3, 20)]:
        D, x = normalise_atoms(torch.randn(n, K)), torch.randn(n)
        expect_answer(answer, pursue, x, D, steps, tolerance=1e-3)


def shrunk(z: Tensor, t: float, length: Tensor | None = None) -> Tensor:
    length = z.norm(dim=1, keepdim=True) if length is None else length
    return torch.where(length > t, z * (1 - t / length), 0)


GROUP_MISTAKES = {
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
}


@exercise("02.4", "Colours share their atoms", difficulty=2, minutes=15, mistakes=GROUP_MISTAKES)
def group_threshold(answer: Any) -> None:
    """z (N, C, K), t -> z (N, C, K)."""
    for shape, t in [((4, 3, 5), 0.7), ((1, 3, 8), 1.0), ((2, 1, 6), 0.5), ((3, 4, 3), 0.0)]:
        z = torch.randn(shape)
        z[0, :, 0] = 0
        expect_answer(answer, shrunk, z, t)


def reweighted(x, D, lam, rounds, epsilon, weigh=lambda z, e, w: e / (z + e)) -> Tensor:
    """Rounds of the weighted lasso; `weigh` gives the next weights of lam from |z|."""
    weights = z = torch.ones_like(x @ D)
    for _ in range(rounds):
        z = proximal(x, D, lam * weights, 1000, shrink=soft_threshold)
        weights = weigh(z.abs(), epsilon, weights)
    return z


NO_GRADIENT = "the code carries gradients: work without autograd here."
DTYPE = "the codes have another dtype than the signals: begin with x.new_zeros(...)."
LASSO_MISTAKES: dict[str, Callable] = {
    "that is the plain lasso: the prices never change.": (
        partial(reweighted, weigh=lambda z, e, w: w)
    ),
    "one round too many: the plain lasso is the first.": (
        lambda x, D, lam, rounds, e: reweighted(x, D, lam, rounds + 1, e)
    ),
    "the wrong way round: where |z| is large the price must be small.": (
        partial(reweighted, weigh=lambda z, e, w: (z + e) / e)
    ),
    "epsilon is missing in the numerator: where z is 0 the price is lam.": (
        partial(reweighted, weigh=lambda z, e, w: 1 / (z + e))
    ),
    "you multiply the prices round by round; start each time from lam.": (
        partial(reweighted, weigh=lambda z, e, w: w * e / (z + e))
    ),
    DTYPE: lambda *given: reweighted(*given).float(),
    NO_GRADIENT: lambda *given: reweighted(*given).requires_grad_(),
}


@exercise("02.5", "Ask again, with other prices", difficulty=3, minutes=30, mistakes=LASSO_MISTAKES)
def reweighted_lasso(answer: Any) -> None:
    """x (N, n), D (n, K), lam, rounds, epsilon -> z (N, K)."""
    for N, n, K, *settings in [
        (3, 12, 18, 0.1, 1, 0.1),
        (4, 16, 24, 0.15, 2, 0.3),
        (2, 16, 24, 0.1, 4, 0.5),
    ]:
        D = normalise_atoms(torch.randn(n, K, dtype=torch.float64))
        z = torch.zeros(N, K, dtype=torch.float64)
        z[:, :3] = torch.tensor([2.0, -1.0, 0.7])
        given = (z @ D.T + 0.1 * torch.randn(N, n, dtype=torch.float64), D, *settings)
        z = expect_answer(answer, reweighted, *given, tolerance=2e-3)
        expect(z.dtype == D.dtype, DTYPE)
        expect(not z.requires_grad, NO_GRADIENT)
