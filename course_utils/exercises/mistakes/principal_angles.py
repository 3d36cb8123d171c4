"""The angle between two spaces, with the mistakes made about it (exercise 04.3)."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

__all__ = ["ANGLE_MISTAKES", "EQUAL", "angle"]


def basis_of(A: Tensor) -> Tensor:
    return torch.linalg.qr(A)[0]


def unit_columns(A: Tensor) -> Tensor:
    return A / A.norm(dim=0)


def angles(
    A: Tensor,
    B: Tensor,
    basis: Callable = basis_of,
    of_B: Callable | None = None,
    cosines: Callable = torch.linalg.svdvals,
    largest: float = 1.0,
) -> Tensor:
    """All principal angles; `largest` bounds the cosines, which rounding takes above 1."""
    product = basis(A).T @ (of_B or basis)(B)
    return cosines(product).clamp_max(largest).arccos().rad2deg()


def angle(A: Tensor, B: Tensor, pick: Callable = torch.max, **changed: Any) -> Tensor:
    """The largest principal angle in degrees; `changed` as in angles."""
    return pick(angles(A, B, **changed))


ORTHONORMAL = "first take orthonormal bases: torch.linalg.qr(A)[0]"
EQUAL = "two bases of one space must give 0°: clamp the cosines to 1 before arccos."
ANGLE_MISTAKES: dict[str, Callable] = {
    "that is in radians; return degrees.": lambda A, B: angle(A, B).deg2rad(),
    "the largest angle has the smallest cosine.": partial(angle, pick=torch.min),
    "columns of norm 1 are not enough: use qr.": partial(angle, basis=unit_columns),
    f"{ORTHONORMAL}.": partial(angle, basis=torch.clone),
    f"NaN: arccos of a number above 1. {ORTHONORMAL}.": (
        partial(angle, basis=torch.clone, largest=math.inf)
    ),
    "only A has an orthonormal basis: take one of B, too.": partial(angle, of_B=torch.clone),
    "only A has an orthonormal basis; B needs one, too (NaN: arccos of a number above 1).": (
        partial(angle, of_B=torch.clone, largest=math.inf)
    ),
    "only B has an orthonormal basis: take one of A, too.": (
        partial(angle, basis=torch.clone, of_B=basis_of)
    ),
    "only B has an orthonormal basis; columns of A of norm 1 are not enough.": (
        partial(angle, basis=unit_columns, of_B=basis_of)
    ),
    "that is the cosine; take arccos of it.": lambda A, B: angle(A, B).deg2rad().cos(),
    "that is the smallest angle's cosine; take arccos of the smallest cosine.": (
        lambda A, B: angle(A, B, torch.min).deg2rad().cos()
    ),
    "the singular values are cosines: take arccos, not arcsin.": lambda A, B: 90 - angle(A, B),
    "that is arcsin of the largest cosine; take arccos of the smallest.": (
        lambda A, B: 90 - angle(A, B, torch.min)
    ),
    "arccos gives radians already; rad2deg makes degrees, deg2rad the reverse.": (
        lambda A, B: angle(A, B).deg2rad().deg2rad()
    ),
    "return the largest angle, not the mean.": partial(angle, pick=torch.mean),
    "return the largest angle, not the median.": partial(angle, pick=torch.median),
    "return the largest angle, not the sum.": partial(angle, pick=torch.sum),
    "take arccos of the smallest cosine, not of their mean.": (
        partial(angle, cosines=lambda M: torch.linalg.svdvals(M).mean())
    ),
    "take the smallest cosine, not the product of all (the determinant).": (
        partial(angle, cosines=lambda M: torch.linalg.det(M).abs())
    ),
    "return the largest angle alone, one number.": lambda A, B: angles(A, B).squeeze(),
    "return the largest angle alone; sorted they begin or end with it.": (
        lambda A, B: angles(A, B).flip(0).squeeze()
    ),
    "a basis of A has k columns; mode='complete' gives all n of the whole space.": (
        partial(angle, basis=lambda A: torch.linalg.qr(A, mode="complete")[0])
    ),
    "take the singular values of the product, not its diagonal.": (
        partial(angle, cosines=lambda M: M.diagonal().abs())
    ),
    "take the singular values of the product, not its diagonal, which has signs.": (
        partial(angle, cosines=torch.diagonal)
    ),
    "take the singular values of the product, not its entries.": partial(angle, cosines=torch.abs),
    "take singular values: the product is not symmetric, and its eigenvalues are others.": (
        partial(angle, cosines=lambda M: torch.linalg.eigvals(M).abs())
    ),
    "singular values are no eigenvalues of Mᵀ M: take their root.": (
        partial(angle, cosines=lambda M: torch.linalg.svdvals(M).square())
    ),
    "do not take off the mean: that is another space.": (
        lambda A, B: angle(A - A.mean(dim=0), B - B.mean(dim=0))
    ),
    "compare all columns, not only the first.": lambda A, B: angle(A[:, :1], B[:, :1]),
    EQUAL: partial(angle, largest=math.inf),
}
