"""Checks of notebook 03, Dictionary learning."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import fold, normalize

from course_utils.exercises.core import attempt, exercise, expect, expect_answer
from course_utils.patches import extract_patches
from course_utils.sparse_coding import keep_largest, normalise_atoms

__all__ = [
    "atoms_found",
    "best_rank_one",
    "blend_with_noisy",
    "orthonormal_update",
    "refill_unused",
]


def found(D: Tensor, true: Tensor, threshold: float) -> Tensor:
    return ((D.T @ true).abs().amax(dim=0) > threshold).float().mean()


FOUND_MISTAKES = {
    "an atom and its negative are the same: take the absolute value.": (
        lambda D, T, t: ((D.T @ T).amax(dim=0) > t).float().mean()
    ),
    "take the share of the true atoms, the other axis.": lambda D, T, t: found(T, D, t),
    "an atom that was learned twice counts once.": (
        lambda D, T, t: ((D.T @ T).abs() > t).float().sum() / T.shape[1]
    ),
    "return a share from 0 to 1, not a count.": lambda D, T, t: found(D, T, t) * T.shape[1],
    "use the argument `threshold`, not 0.99.": lambda D, T, t: found(D, T, 0.99),
}


@exercise("03.1", "How many were found?", difficulty=1, minutes=10, mistakes=FOUND_MISTAKES)
def atoms_found(answer: Any) -> None:
    """D (n, K), true_atoms (n, M), threshold -> share of the true atoms found, a number."""
    cases = [(20, 30, 12, 0.99), (20, 30, 12, 0.5), (4, 1, 1, 0.9), (6, 4, 9, 0.95)]
    for n, learned, true, threshold in cases:
        true_atoms = normalise_atoms(torch.randn(n, true))
        D = normalise_atoms(torch.randn(n, learned))
        near = min(true, learned) // 2  # learned nearly exactly, in another order
        close = true_atoms[:, true - near :] + 0.02 * torch.randn(n, near) / n**0.5
        D[:, :near] = normalise_atoms(close)
        D[:, :near:2] *= -1
        if learned > 2 * near:
            D[:, -1] = D[:, 0]  # one true atom found twice
        expect_answer(answer, found, D, true_atoms, threshold)


def refill(x, D, z, atoms=None, error=None, unused=None) -> Tensor:
    """D with the atoms `unused` replaced by those of `atoms` (N, n) with the largest `error`."""
    atoms = normalize(x) if atoms is None else atoms
    error = (x - z @ D.T).norm(dim=1) if error is None else error
    unused = (z == 0).all(dim=0) if unused is None else unused
    D = D.clone()
    D[:, unused] = atoms[error.topk(int(unused.sum())).indices].T
    return D


REFILL_MISTAKES = {
    "the new atoms must have norm 1.": lambda x, D, z: refill(x, D, z, atoms=x),
    "sort the errors in descending order: you took the signals coded best.": (
        lambda x, D, z: refill(x, D, z, error=-(x - z @ D.T).norm(dim=1))
    ),
    "you took the residual; take the signal itself.": (
        lambda x, D, z: refill(x, D, z, atoms=normalize(x - z @ D.T))
    ),
    "take the largest errors, not signals.": lambda x, D, z: refill(x, D, z, error=x.norm(dim=1)),
    "the unused atoms are still there.": lambda x, D, z: D,
    "an atom whose weights cancel is used: all weights must be zero.": (
        lambda x, D, z: refill(x, D, z, unused=z.sum(dim=0) == 0)
    ),
    "negative weights are uses too: compare with != 0.": (
        lambda x, D, z: refill(x, D, z, unused=(z <= 0).all(dim=0))
    ),
}


@exercise(
    "03.2", "Give the unused another chance", difficulty=2, minutes=15, mistakes=REFILL_MISTAKES
)
def refill_unused(answer: Any) -> None:
    """x (N, n), D (n, K), z (N, K) -> D with unused atoms replaced by the worst coded signals."""
    cases = [(30, 6, 8, [2, 5]), (10, 3, 4, [0]), (12, 4, 5, []), (9, 4, 6, [1, 3, 4])]
    for number, n, count, unused in cases:
        x, D = 3 * torch.randn(number, n), normalise_atoms(torch.randn(n, count))
        z = torch.randn(number, count) * (torch.rand(number, count) < 0.6)
        others = [j for j in range(count) if j not in unused]
        z[:, others[-1]] = 0  # two weights that cancel
        z[:2, others] = torch.tensor([[-1e-3], [1e-3]])
        z[:, others[0]] = -z[:, others[0]].abs()  # negative weights only
        z[:, unused] = 0
        expect_answer(answer, refill, x, D, z)


def best(x, D, z, j, E=None, users=None) -> tuple[Tensor, Tensor]:
    """The best atom and its weights; `E` and `users` replace the residual without it, its users."""
    E = x - z @ D.T + torch.outer(z[:, j], D[:, j]) if E is None else E
    users = z[:, j] != 0 if users is None else users
    U, S, Vh = torch.linalg.svd(E[users], full_matrices=False)
    weights = x.new_zeros(len(x))
    weights[users] = S[0] * U[:, 0]
    return Vh[0], weights


PAIR = "return two things: the atom (n,) and the weights (N,)."
LENGTH = "the atom must have norm 1: the scale belongs to the weights."
ATOM_MISTAKES: dict[str, Callable] = {
    "only users of the atom take part.": lambda x, D, z, j: best(x, D, z, j, users=slice(None)),
    "put the atom back into the residual.": lambda x, D, z, j: best(x, D, z, j, E=x - z @ D.T),
    "first take away the part of the other atoms.": lambda x, D, z, j: best(x, D, z, j, E=x),
    "multiply the weights by S[0].": lambda *g: (best(*g)[0], normalize(best(*g)[1], dim=0)),
    PAIR: lambda *given: best(*given)[0],
    LENGTH: lambda *given: (2 * best(*given)[0], best(*given)[1] / 2),
}


def product(pair, *given) -> Tensor:
    """Weights times atom, in which the sign of both does not matter."""
    d, w = pair(*given)
    return torch.outer(w, d)


@exercise("03.3", "K-SVD with the SVD", difficulty=2, minutes=20, mistakes=ATOM_MISTAKES)
def best_rank_one(answer: Any) -> None:
    """x (N, n), D (n, K), z (N, K), j -> atom (n,) and weights (N,)."""
    products = {text: partial(product, wrong) for text, wrong in ATOM_MISTAKES.items()}
    products.pop(PAIR)
    for number, n, count, j in [(40, 6, 8, 3), (20, 5, 5, 0), (15, 4, 9, 8)]:
        x, D = torch.randn(number, n), normalise_atoms(torch.randn(n, count))
        z = torch.randn(number, count) * (torch.rand(number, count) < 0.4)
        z[:4, j] = torch.tensor([1.0, -2.0, 0.5, 1.5])
        output = attempt(answer, x, D, z, j)
        expect(isinstance(output, (tuple, list)), PAIR)
        expect([getattr(part, "shape", None) for part in output] == [(n,), (number,)], PAIR)
        given = (partial(product, answer), partial(product, best), x, D, z, j)
        expect_answer(*given, mistakes=products, what="weights times atom", tolerance=1e-3)
        expect(abs(output[0].norm().item() - 1) < 1e-3, LENGTH)


def total(patches: Tensor, noisy: Tensor) -> Tensor:
    return fold(patches.T[None], noisy.shape[2:], 8)


def cover(patches: Tensor, noisy: Tensor) -> Tensor:
    return total(torch.ones_like(patches), noisy)


def blend(noisy: Tensor, patches: Tensor, mu: float) -> Tensor:
    return (mu * noisy + total(patches, noisy)) / (mu + cover(patches, noisy))


BLEND_MISTAKES = {
    "you gave one vote to the mean of the patches; each patch has a vote.": (
        lambda y, p, mu: (mu * y + blend(y, p, 0)) / (mu + 1)
    ),
    "add mu to the denominator.": lambda y, p, mu: (mu * y + total(p, y)) / cover(p, y),
    "the noisy image has no vote: add mu times it.": lambda y, p, mu: blend(y, p, 0),
    "add mu times the noisy image above the line.": lambda y, p, mu: blend(0 * y, p, mu),
    "do not clip the result.": lambda y, p, mu: blend(y, p, mu).clamp(0, 1),
    "near the border there are fewer patches.": lambda y, p, mu: (mu * y + total(p, y)) / (mu + 64),
    "that is a sum; divide by the number of votes.": lambda y, p, mu: mu * y + total(p, y),
}


@exercise("03.4", "Ask the noisy pixel too", difficulty=2, minutes=15, mistakes=BLEND_MISTAKES)
def blend_with_noisy(answer: Any) -> None:
    """noisy (1, C, H, W), patches (number, C·64), mu -> image (1, C, H, W)."""
    for shape, mu in [((1, 1, 12, 10), 0.5), ((1, 3, 9, 9), 3.0), ((1, 1, 8, 8), 0.0)]:
        noisy = torch.rand(shape)
        patches = 0.5 + torch.randn_like(extract_patches(noisy))  # also outside [0, 1]
        expect_answer(answer, blend, noisy, patches, mu)


def procrustes(x: Tensor, z: Tensor, join=torch.matmul) -> Tensor:
    """The best orthonormal D; `join` makes it of U and Vh."""
    U, _, Vh = torch.linalg.svd(x.T @ z)
    return join(U, Vh)


BASIS_MISTAKES: dict[str, Callable] = {
    "transposed: take the SVD of xᵀz, D = U Vᵀ.": lambda x, z: procrustes(z, x),
    "Vh is Vᵀ already: D = U @ Vh.": partial(procrustes, join=lambda U, Vh: U @ Vh.T),
    "U alone is not the best rotation.": partial(procrustes, join=lambda U, Vh: U),
    "that is least squares without DᵀD = I.": lambda x, z: torch.linalg.lstsq(z, x).solution.T,
    "those atoms are not orthogonal.": lambda x, z: normalize(torch.linalg.lstsq(z, x).solution).T,
    "the singular values are still in it; leave them out.": lambda x, z: x.T @ z,
}


@exercise("03.5", "A dictionary that is a basis", difficulty=3, minutes=25, mistakes=BASIS_MISTAKES)
def orthonormal_update(answer: Any) -> None:
    """x (N, n), z (N, n) -> orthonormal D (n, n)."""
    for number, n in [(50, 6), (30, 4), (5, 1)]:
        x = torch.randn(number, n) * torch.linspace(1, 2, n)
        z = keep_largest(x @ torch.linalg.qr(torch.randn(n, n))[0], max(1, n // 2))
        expect_answer(answer, procrustes, x, z, tolerance=1e-3)
