"""Shrinkage: the functions that make coefficients zero. Built in notebook 01."""

import torch
from torch import Tensor

from course_utils.arguments import check_floats, check_int, one_number

__all__ = ["hard_threshold", "keep_largest", "soft_threshold"]


def soft_threshold(z: Tensor, threshold: float | Tensor) -> Tensor:
    """Shrink towards zero: sign(z) * max(|z| - threshold, 0).

    Any shape; `threshold` >= 0, a number or a tensor that broadcasts. It is the proximal
    step of threshold * |z|_1 (Donoho 1995). Raises TypeError for whole numbers (the least of uint8
    is 0), ValueError for a negative threshold. Built in notebook 01.
    """
    check_threshold(z, threshold)
    return z.sign() * (z.abs() - threshold).clamp_min(0)


def hard_threshold(z: Tensor, threshold: float | Tensor) -> Tensor:
    """Keep or kill: z where |z| > threshold, else 0. Shapes and errors as soft_threshold."""
    check_threshold(z, threshold)
    return torch.where(z.abs() <= threshold, torch.zeros_like(z), z)  # NaN stays NaN


def keep_largest(z: Tensor, k: int) -> Tensor:
    """Keep the k entries of largest magnitude of each row, set the others to zero.

    z: (N, ...), k from 0 to the number of entries of a row; exactly k are kept, also
    when magnitudes are equal. Raises ValueError otherwise. The best k-term
    approximation in an orthonormal basis (Mallat 2009, ch. 9). Built in notebook 01.
    """
    if check_floats(z, "z").ndim < 2:
        raise ValueError(f"z has shape {tuple(z.shape)}; expected rows, (N, ...): z[None].")
    rows = z.flatten(1)
    k = check_int("k", k, at_least=0, at_most=rows.shape[1])
    kept = rows.abs().topk(k, dim=1).indices
    return torch.zeros_like(rows).scatter(1, kept, rows.gather(1, kept)).reshape(z.shape)


def check_threshold(z: Tensor, threshold: float | Tensor) -> None:
    """A threshold below zero would push coefficients away from zero."""
    check_floats(z, "z")
    smallest = one_number(threshold) if not isinstance(threshold, Tensor) else 0.0
    if isinstance(threshold, Tensor) and threshold.numel():
        smallest = threshold.min().item()
        sides = zip(reversed(z.shape), reversed(threshold.shape))
        if any(a != b and 1 not in (a, b) for a, b in sides):
            shapes = f"{tuple(threshold.shape)}, z {tuple(z.shape)}"
            raise ValueError(
                f"threshold has shape {shapes}; they do not fit together: one for each row of z is "
                "threshold[:, None]."
            )
    if not smallest >= 0:
        whole = isinstance(threshold, Tensor)
        found = f"goes down to {smallest:g}" if whole else f"is {threshold!r}"
        raise ValueError(f"threshold {found}; expected zero or more everywhere.")
