"""A proximal step with a mask, with the mistakes made about it (exercise 07.3)."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course_utils.sparse_coding import hard_threshold, normalise_atoms, soft_threshold

__all__ = ["MASK_MISTAKES", "masked"]


def norm(D: Tensor) -> Tensor:
    return torch.linalg.matrix_norm(D, 2)


def squared(D: Tensor) -> Tensor:
    return norm(D) ** 2


def masked(
    z: Tensor,
    x: Tensor,
    D: Tensor,
    mask: Tensor,
    lam: float,
    L: Callable = squared,
    shrink: Callable = soft_threshold,
    lam_L: Callable | None = None,
    back: Callable = torch.clone,
) -> Tensor:
    """The step; `L` and `lam_L` make the divisors of step and lam, `back` the way back from D."""
    threshold = lam / (lam_L or L)(D)
    return shrink(z + (mask * (x - z @ D.T)) @ back(D) / L(D), threshold)


def one(D: Tensor) -> float:
    return 1.0


def change(**changed: Callable) -> Callable:
    """A mistake: the step with changed parts, or with changed inputs."""
    parts: dict[str, Any] = {
        key: changed.pop(key) for key in ("L", "shrink", "lam_L", "back") if key in changed
    }

    def step(z: Tensor, x: Tensor, D: Tensor, mask: Tensor, lam: float) -> Tensor:
        given: dict[str, Any] = {"z": z, "x": x, "D": D, "mask": mask, "lam": lam}
        new = [changed[name](given) if name in changed else given[name] for name in given]
        return masked(*new, **parts)

    return step


MASK_MISTAKES: dict[str, Callable] = {
    "the mask is not used: multiply x - Dz.": change(mask=lambda g: torch.ones_like(g["mask"])),
    "mask the whole x - Dz, not only x.": (
        change(x=lambda g: g["mask"] * g["x"], mask=lambda g: torch.ones_like(g["mask"]))
    ),
    "mask the whole x - Dz, not only Dz.": (
        lambda z, x, D, m, lam: soft_threshold(
            z + (x - m * (z @ D.T)) @ D / squared(D), lam / squared(D)
        )
    ),
    "turn the mask: 1 means known.": change(mask=lambda g: 1 - g["mask"]),
    "each signal has its own mask; you took the first one's.": (
        change(mask=lambda g: g["mask"][:1].expand_as(g["mask"]))
    ),
    "each signal has its own mask; you took the mean of all.": (
        change(mask=lambda g: g["mask"].mean(dim=0))
    ),
    "a mask of zeros and ones: do not divide the residual by the known share.": (
        change(mask=lambda g: g["mask"] / g["mask"].mean(dim=1, keepdim=True))
    ),
    "do not divide by the number of known pixels.": (
        change(mask=lambda g: g["mask"] / g["mask"].sum(dim=1, keepdim=True))
    ),
    "do not divide by the number of pixels.": change(mask=lambda g: g["mask"] / len(g["D"])),
    "the step points uphill.": change(mask=lambda g: -g["mask"]),
    "the residual is x - Dz; yours adds.": (
        lambda z, x, D, m, lam: soft_threshold(
            z + (m * (x + z @ D.T)) @ D / squared(D), lam / squared(D)
        )
    ),
    "divide the step and lam by L.": change(L=one),
    "the step has length 1/L: divide it by L, not only lam.": change(L=one, lam_L=squared),
    "the threshold is lam / L.": change(lam_L=one),
    "the threshold is lam / L, not lam L.": change(lam_L=lambda D: 1 / squared(D)),
    "divide the step by L, do not multiply.": change(L=lambda D: 1 / squared(D)),
    "L is the square of the norm.": change(L=norm),
    "L is the square of the norm, in the step too.": change(L=norm, lam_L=squared),
    "L is the square of the norm, in the threshold too.": change(lam_L=norm),
    "L is the square of the spectral norm, matrix_norm(D, 2), not of the Frobenius norm.": (
        change(L=lambda D: D.square().sum())
    ),
    "L is the square of the spectral norm, not the Frobenius norm.": change(L=lambda D: D.norm()),
    "L is the largest eigenvalue of DᵀD, not its square.": change(L=lambda D: norm(D) ** 4),
    "L is the square of the spectral norm, not twice that.": change(L=lambda D: 2 * squared(D)),
    "the 1/2 of the objective takes the factor 2 of the gradient away.": (
        change(back=lambda D: 2 * D)
    ),
    "half of the gradient is missing: the derivative of half a square is the number.": (
        change(back=lambda D: D / 2)
    ),
    "L is the square of the spectral norm; matrix_norm(D, 1) is another norm.": (
        change(L=lambda D: torch.linalg.matrix_norm(D, 1) ** 2)
    ),
    "L is the square of the spectral norm, not of the largest column.": (
        change(L=lambda D: D.norm(dim=0).max() ** 2)
    ),
    "L is the square of the spectral norm, not the nuclear norm.": (
        change(L=lambda D: torch.linalg.svdvals(D).sum())
    ),
    "L is the square of the largest singular value, not of the smallest.": (
        change(L=lambda D: torch.linalg.svdvals(D).min() ** 2)
    ),
    "D is used as it is: do not normalise its atoms.": change(D=lambda g: normalise_atoms(g["D"])),
    "the shrinkage is missing.": change(lam=lambda g: 0.0),
    "start from z; you started from zero.": change(z=lambda g: torch.zeros_like(g["z"])),
    "add the step to z.": (
        lambda z, x, D, m, lam: soft_threshold(
            (m * (x - z @ D.T)) @ D / squared(D), lam / squared(D)
        )
    ),
    "subtract what z explains already: x - Dz.": (
        lambda z, x, D, m, lam: soft_threshold(z + (m * x) @ D / squared(D), lam / squared(D))
    ),
    "shrink z plus the step, not the step alone.": (
        lambda z, x, D, m, lam: (
            z + soft_threshold((m * (x - z @ D.T)) @ D / squared(D), lam / squared(D))
        )
    ),
    "shrink after the step, not before it.": (
        lambda z, x, D, m, lam: masked(soft_threshold(z, lam / squared(D)), x, D, m, 0)
    ),
    "that is a plain step without the shrinkage of z: shrink once, at the end.": (
        lambda z, x, D, m, lam: masked(soft_threshold(z, lam / squared(D)), x, D, m, lam)
    ),
    "a soft threshold shrinks what stays, too; yours is hard.": change(shrink=hard_threshold),
    "codes may be negative: a soft threshold is not a ReLU.": (
        change(shrink=lambda v, t: (v - t).relu())
    ),
    "codes may be negative: no relu after the soft threshold of magnitudes.": (
        change(shrink=lambda v, t: (v.abs() - t).relu())
    ),
    "a soft threshold shrinks negative numbers towards zero: v + t there.": (
        change(shrink=lambda v, t: torch.where(v.abs() > t, v - t, 0.0))
    ),
    "a soft threshold stops at zero: clamp |v| - t at 0.": (
        change(shrink=lambda v, t: v.sign() * (v.abs() - t))
    ),
    "the threshold is subtracted from the magnitude; yours adds it.": (
        change(shrink=lambda v, t: v.sign() * (v.abs() + t))
    ),
    "one step only; you made two.": (
        lambda z, x, D, m, lam: masked(masked(z, x, D, m, lam), x, D, m, lam)
    ),
    "the threshold is lam / L, not half of it.": change(lam=lambda g: g["lam"] / 2),
    "the threshold is lam / L, not twice that.": change(lam=lambda g: g["lam"] * 2),
}
