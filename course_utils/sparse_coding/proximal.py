"""The l1 problem by proximal steps, on all signals at once. Built in notebook 02."""

import torch
from torch import Tensor

from course_utils.arguments import check_int, check_nonnegative, check_tensor
from course_utils.sparse_coding.coordinates import active_set
from course_utils.sparse_coding.problem import (
    check_codes,
    check_positive,
    check_problem,
    chunks,
    gap_and_objective,
)
from course_utils.sparse_coding.thresholds import soft_threshold

__all__ = ["basis_pursuit", "fista", "ista", "lasso"]


def ista(x: Tensor, D: Tensor, lam: float, steps: int = 100, z: Tensor | None = None) -> Tensor:
    """Codes (N, K) after `steps` of z <- soft(z + Dᵀ(x - Dz)/L, lam/L), L = ‖D‖².

    x: (N, n), D: (n, K) with unit columns. Minimises ½|x - Dz|² + lam |z|₁ with an
    error of order 1/steps (Daubechies, Defrise and De Mol 2004). Differentiable. Raises
    TypeError or ValueError for inputs that do not fit. Built in notebook 02.
    """
    check_problem(x, D, lam)
    L = step_bound(D)
    z = x.new_zeros(len(x), D.shape[1]) if z is None else z
    check_codes(z, x, D)
    for _ in range(check_int("steps", steps)):
        z = soft_threshold(z + (x - z @ D.T) @ D / L, lam / L)
    return z


def fista(
    x: Tensor,
    D: Tensor,
    lam: float,
    steps: int = 1000,
    tolerance: float = 1e-4,
    restart: bool = True,
    mask: Tensor | None = None,
) -> Tensor:
    """As `ista`, with momentum: error of order 1/steps² (Beck and Teboulle 2009).

    A signal is finished when its duality gap is below `tolerance` times its objective
    (0: do all steps). With `restart` its momentum starts anew when it points uphill
    (O'Donoghue and Candès 2015). `mask` (N, n), 1 where x is known and 0 elsewhere: only
    known numbers have to be matched. Differentiable. Built in notebook 02.
    """
    check_problem(x, D, lam)
    check_nonnegative("tolerance", tolerance)
    check_int("steps", steps)
    mask = check_mask(x.new_ones(1, 1) if mask is None else mask, x)
    parts = zip(chunks(x * mask, D), chunks(mask, D))
    return torch.cat(
        [_fista(part, known, D, lam, steps, tolerance, restart) for part, known in parts]
    )


def _fista(
    x: Tensor, mask: Tensor, D: Tensor, lam: float, steps: int, tolerance: float, restart: bool
) -> Tensor:
    L, every = step_bound(D), 5
    step_atoms = D / L
    rows = torch.arange(len(x), device=x.device)  # the signals not yet finished
    z = y = codes = x.new_zeros(len(x), D.shape[1])
    t = x.new_ones(len(x), 1)
    for step in range(steps):
        if tolerance and step % every == 0:
            with torch.no_grad():
                r = x - mask * (z @ D.T)
                gap, objective = gap_and_objective(x, r, r @ D, z, lam)
                live = gap > tolerance * objective
            if live.sum() < 0.8 * len(live):
                codes = codes.index_copy(0, rows[~live], z[~live])
                rows, x, mask, y, z, t = (values[live] for values in (rows, x, mask, y, z, t))
            if not len(rows):
                break
        new = soft_threshold(torch.addmm(y, x - mask * (y @ D.T), step_atoms), lam / L)
        if restart:
            t = torch.where(((y - new) * (new - z)).sum(dim=1, keepdim=True) > 0, 1.0, t)
        next_t = (1 + (1 + 4 * t.square()).sqrt()) / 2
        y = torch.addcmul(new, new - z, (t - 1) / next_t)
        z, t = new, next_t
    return codes.index_copy(0, rows, z)


def lasso(x: Tensor, D: Tensor, lam: float, tolerance: float = 1e-4) -> Tensor:
    """Codes (N, K) that minimise ½|x - Dz|² + lam |z|₁, by the solver that fits D.

    `fista` where the atoms are spread evenly (‖D‖² below 4K/n), else `active_set`: a step of 1/‖D‖²
    is short when many atoms resemble each other; signals that `fista` does not finish go to
    `active_set` as well. x: (N, n), D: (n, K) with unit columns; `tolerance` as in both. Raises
    TypeError or ValueError for inputs that do not fit and for lam = 0. Built in notebook 02.
    """
    check_problem(x, D, lam)
    check_positive(lam)
    if step_bound(D) >= 4 * D.shape[1] / D.shape[0]:
        return active_set(x, D, lam, tolerance)
    z = fista(x, D, lam, 2000, tolerance)
    with torch.no_grad():
        r = x - z @ D.T
        gap, objective = gap_and_objective(x, r, r @ D, z, lam)
        left = (gap > tolerance * objective).nonzero()[:, 0]
    if not len(left):
        return z
    return z.index_copy(0, left, active_set(x[left], D, lam, tolerance))


def basis_pursuit(x: Tensor, D: Tensor, steps: int = 200) -> Tensor:
    """Codes (N, K) of smallest |z|₁ with Dz = x exactly, by Douglas-Rachford steps.

    x: (N, n), D: (n, K) with unit columns and independent rows, else ValueError. Alternates a
    shrinkage and the projection on the solutions of Dz = x (Combettes and Pesquet 2007). Built in
    notebook 02.
    """
    check_problem(x, D)
    if torch.linalg.matrix_rank(D) < len(D):
        raise ValueError("The rows of D are not independent: Dz = x need not have a solution.")
    back = torch.linalg.pinv(D).T  # (n, K)
    least = x @ back
    size = least.abs().amax(dim=1, keepdim=True)
    u = z = least
    for _ in range(check_int("steps", steps)):
        shrunk = soft_threshold(u, 0.3 * size)
        mirrored = 2 * shrunk - u
        z = mirrored + (x - mirrored @ D.T) @ back
        u = u + z - shrunk
    return z


def check_mask(mask: Tensor, x: Tensor) -> Tensor:
    """The mask in the type of x (N, n), if it fits and holds zeros and ones only."""
    if check_tensor(mask, "mask").ndim != 2 or any(
        side not in (1, wanted) for side, wanted in zip(mask.shape, x.shape)
    ):
        raise ValueError(f"mask has shape {tuple(mask.shape)}; expected that of x, {(*x.shape,)}.")
    if ((mask != 0) & (mask != 1)).any():
        raise ValueError("mask holds other numbers than 0 and 1: compare, as in mask > 0.5.")
    return mask.to(x.dtype).expand_as(x)


def step_bound(D: Tensor) -> Tensor:
    """The Lipschitz constant L = ‖D‖² of the gradient, the largest eigenvalue of DᵀD."""
    return torch.linalg.matrix_norm(D, 2).square()
