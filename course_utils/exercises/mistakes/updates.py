"""Dictionary updates by the SVD, right and wrong, for the checks of notebook 03."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import normalize

__all__ = ["ATOM_MISTAKES", "BASIS_MISTAKES", "LENGTH", "PAIR", "best", "procrustes"]


def best(x, D, z, j, E=None, users=None) -> tuple[Tensor, Tensor]:
    """The best atom and its weights; `E` and `users` replace the residual without it, its users."""
    E = x - z @ D.T + torch.outer(z[:, j], D[:, j]) if E is None else E
    users = z[:, j] != 0 if users is None else users
    U, S, Vh = torch.linalg.svd(E[users], full_matrices=False)
    weights = x.new_zeros(len(x))
    weights[users] = S[0] * U[:, 0]
    return Vh[0], weights


def cut(part, weights: Tensor):
    """Only users keep their weight."""
    if isinstance(part, tuple):
        return part[0], part[1].where(weights != 0, 0)
    return part.where(weights != 0, 0)


def vectors(x, D, z, j, column=False, which=0, centred=False, power=1.0) -> tuple[Tensor, Tensor]:
    users = z[:, j] != 0
    E = (x - z @ D.T + torch.outer(z[:, j], D[:, j]))[users]
    U, S, Vh = torch.linalg.svd(E - E.mean(dim=0) if centred else E, full_matrices=False)
    weights = x.new_zeros(len(x))
    weights[users] = S[which] ** power * U[:, which]
    return Vh[:, which] if column else Vh[which], weights


def power_step(x, D, z, j) -> tuple[Tensor, Tensor]:
    users = z[:, j] != 0
    E = (x - z @ D.T + torch.outer(z[:, j], D[:, j]))[users]
    d, weights = normalize(E.T @ z[users, j], dim=0), x.new_zeros(len(x))
    weights[users] = E @ d
    return d, weights


PAIR = "return two things: the atom (n,) and the weights (N,)."
LENGTH = "the atom must have norm 1: the scale belongs to the weights."
ATOM_MISTAKES: dict[str, Callable] = {
    "only users of the atom take part.": lambda x, D, z, j: best(x, D, z, j, users=slice(None)),
    "put the atom back into the residual.": lambda x, D, z, j: best(x, D, z, j, E=x - z @ D.T),
    "first take away the part of the other atoms.": lambda x, D, z, j: best(x, D, z, j, E=x),
    "multiply the weights by S[0].": lambda *g: (best(*g)[0], normalize(best(*g)[1], dim=0)),
    "the sign of the atom and of its weights must be turned together.": (
        lambda *g: (-best(*g)[0], best(*g)[1])
    ),
    "the weights lost their sign.": lambda *g: (best(*g)[0], best(*g)[1].abs()),
    "negative weights are uses too: compare with != 0.": (
        lambda x, D, z, j: best(x, D, z, j, users=z[:, j] > 0)
    ),
    "the atom is fitted to all signals; only its users take part.": (
        lambda x, D, z, j: cut(best(x, D, z, j, users=slice(None)), z[:, j])
    ),
    "the weights are the old ones: take S[0] U[:, 0].": lambda x, D, z, j: (
        best(x, D, z, j)[0],
        z[:, j],
    ),
    "the atom is the old one: take the first row of Vh.": lambda x, D, z, j: (
        D[:, j],
        best(x, D, z, j)[1],
    ),
    "the weights belong to the old atom: take S[0] U[:, 0].": lambda x, D, z, j: (
        best(x, D, z, j)[0],
        cut((x - z @ D.T + torch.outer(z[:, j], D[:, j])) @ D[:, j], z[:, j]),
    ),
    "Vh holds the atoms in its rows; you took a column.": partial(vectors, column=True),
    "singular values descend: take the first, not the last.": partial(vectors, which=-1),
    "subtract no mean: the SVD is of the residual itself.": partial(vectors, centred=True),
    "multiply the weights by S[0], not by its square.": partial(vectors, power=2),
    "multiply the weights by S[0], not by its root.": partial(vectors, power=0.5),
    "that is the power step of section 5; take the SVD.": power_step,
    PAIR: lambda *given: best(*given)[0],
    LENGTH: lambda *given: (2 * best(*given)[0], best(*given)[1] / 2),
}


def procrustes(x: Tensor, z: Tensor, join=torch.matmul) -> Tensor:
    """The best orthonormal D; `join` makes it of U and Vh."""
    U, _, Vh = torch.linalg.svd(x.T @ z)
    return join(U, Vh)


def polar(A: Tensor) -> Tensor:
    U, _, Vh = torch.linalg.svd(A)
    return U @ Vh


def rotation(U: Tensor, Vh: Tensor) -> Tensor:
    """U Vᵀ with its last vector turned where the determinant is -1."""
    signs = torch.ones(len(U), dtype=U.dtype)
    signs[-1] = torch.linalg.det(U @ Vh).sign()
    return U * signs @ Vh


BASIS_MISTAKES: dict[str, Callable] = {
    "transposed: take the SVD of xᵀz, D = U Vᵀ.": lambda x, z: procrustes(z, x),
    "Vh is Vᵀ already: D = U @ Vh.": partial(procrustes, join=lambda U, Vh: U @ Vh.T),
    "U alone is not the best rotation.": partial(procrustes, join=lambda U, Vh: U),
    "that is least squares without DᵀD = I.": lambda x, z: torch.linalg.lstsq(z, x).solution.T,
    "those atoms are not orthogonal.": lambda x, z: normalize(torch.linalg.lstsq(z, x).solution).T,
    "the singular values are still in it; leave them out.": lambda x, z: x.T @ z,
    "that is least squares first; take the SVD of xᵀz itself.": (
        lambda x, z: polar(torch.linalg.lstsq(z, x).solution.T)
    ),
    "QR is not the SVD: D = U Vᵀ.": lambda x, z: torch.linalg.qr(x.T @ z)[0],
    "reflections are allowed: do not force the determinant to be 1.": (
        partial(procrustes, join=rotation)
    ),
    "do not subtract means: signals and codes stay as they are.": (
        lambda x, z: procrustes(x - x.mean(dim=0), z - z.mean(dim=0))
    ),
    "do not scale signals and codes to norm 1.": (
        lambda x, z: procrustes(normalize(x), normalize(z))
    ),
    "do not scale the signals to norm 1.": lambda x, z: procrustes(normalize(x), z),
    "those are principal components of x; the codes are ignored.": (
        lambda x, z: torch.linalg.svd(x, full_matrices=False)[2].T
    ),
    "Vᵀ alone is not the best rotation.": partial(procrustes, join=lambda U, Vh: Vh),
    "V alone is not the best rotation.": partial(procrustes, join=lambda U, Vh: Vh.T),
    "the sign: D = U Vᵀ.": lambda x, z: -procrustes(x, z),
    "only the sign of each entry of the codes is used.": lambda x, z: procrustes(x, z.sign()),
}
