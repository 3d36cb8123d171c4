"""The l1 problem one coefficient at a time, on all signals at once. Built in notebook 02."""

import math
import warnings

import torch
from torch import Tensor
from torch.nn.functional import softshrink

from course_utils.arguments import check_int, check_nonnegative
from course_utils.sparse_coding.problem import (
    check_positive,
    check_problem,
    chunks,
    gap_and_objective,
    needs_gradient,
    weighted_sum,
    with_gradient,
)

__all__ = ["active_set", "coordinate_descent"]

_ROUNDS = 500  # of active_set, before it gives up


def coordinate_descent(x: Tensor, D: Tensor, lam: float, sweeps: int = 20) -> Tensor:
    """Codes (N, K) after `sweeps` of cyclic coordinate descent.

    x: (N, n), D: (n, K) with unit columns. Minimises ½|x - Dz|² + lam |z|₁ (Friedman et al. 2007).
    No gradients. Raises TypeError or ValueError for inputs that do not fit. Built in notebook 02.
    """
    check_problem(x, D, lam)
    lam = min(check_nonnegative("lam", lam), torch.finfo(x.dtype).max)
    gram = (D.T @ D)[:, :, None].detach()
    codes = []
    for part in chunks(x.detach(), D.detach()):
        c = (part @ D.detach()).T.contiguous()  # signals last: one coefficient is one row
        z = torch.zeros_like(c)
        for _ in range(check_int("sweeps", sweeps)):
            sweep(z, c, gram, lam)
        codes.append(z.T)
    return torch.cat(codes)


def sweep(z: Tensor, c: Tensor, gram: Tensor, lam: float) -> None:
    """Set each coefficient to its best value, in place; c stays the correlation Dᵀ(x - Dz).

    z, c: (m, N); gram: (m, m, N), or (m, m, 1) when all signals have the same atoms.
    """
    for j in range(len(z)):
        new = softshrink(z[j] + c[j], lam)
        c.addcmul_(gram[j], new - z[j], value=-1)
        z[j] = new


def solve_on_support(z: Tensor, c: Tensor, gram: Tensor, lam: float) -> bool:
    """Move the support to its minimiser, in place, until the first coefficient meets zero.

    Shapes as in `sweep`. While no sign changes the objective is quadratic, so this lowers it also
    where sweeps crawl: among atoms that resemble each other (feature-sign step of Lee et al. 2007).
    Returns whether a place became zero on the way, so that another step pays.
    """
    z_rows, used = z.T, (z != 0).T
    matrix = gram.permute(2, 0, 1)
    system = matrix * (used[:, :, None] & used[:, None, :])
    system.diagonal(dim1=1, dim2=2).add_(torch.where(used, 100 * torch.finfo(z.dtype).eps, 1))
    step = torch.linalg.solve(system, (c.T - lam * z_rows.sign()) * used)
    meets = torch.where(step * z_rows < 0, -z_rows / step, math.inf)
    part = meets.amin(dim=1, keepdim=True).clamp_max(1)
    new = torch.where(meets > part, z_rows + part * step, 0) * used
    c -= (matrix @ (new - z_rows)[:, :, None])[:, :, 0].T
    z.copy_(new.T)
    return bool((part < 1).any())


def active_set(x: Tensor, D: Tensor, lam: float, tolerance: float = 1e-4) -> Tensor:
    """Codes (N, K) that minimise ½|x - Dz|² + lam |z|₁, by coordinate descent on few atoms.

    Each signal has a set of its own: add the atom that correlates most with the
    residual, sweep through the set, repeat until the duality gap is below `tolerance` times the
    objective, or what rounding leaves of it (about eps |x| / lam); now and then the whole set is
    solved for, which ends what sweeps would drag out. x: (N, n), D: (n, K) with unit columns.
    Differentiable in x and D with the non-zero places held fixed. Raises TypeError or ValueError
    for inputs that do not fit and for lam = 0, warns when a signal does not get there. Source:
    Lee et al. 2007; Massias et al. 2018. Built in notebook 02.
    """
    check_problem(x, D, lam)
    check_nonnegative("tolerance", tolerance)
    check_positive(lam)
    lam = min(check_nonnegative("lam", lam), torch.finfo(x.dtype).max)
    with torch.no_grad():
        gram = D.T @ D
        z = torch.cat([_active_set(part, D, gram, lam, tolerance) for part in chunks(x, D)])
    if needs_gradient(x, D):
        atoms = z.abs().topk(int((z != 0).sum(dim=1).max()), dim=1).indices
        z = torch.zeros_like(z).scatter(1, atoms, with_gradient(x, D, atoms, z.gather(1, atoms)))
    return z


def _active_set(x: Tensor, D: Tensor, gram: Tensor, lam: float, tolerance: float) -> Tensor:
    """Codes (N, K) of one chunk. Active sets, signals last: atoms, z (m, N), G (m, m, N)."""
    codes, eps = x.new_zeros(len(x), D.shape[1]), torch.finfo(x.dtype).eps
    rows = torch.arange(len(x), device=x.device)  # the signals not yet finished
    m, room = 0, 0  # atoms in a set, and how many the tensors hold
    atoms, z = rows.new_zeros(0, len(x)), x.new_zeros(0, len(x))
    for turn in range(_ROUNDS):
        a, w = atoms[:m].T.contiguous(), z[:m].T.contiguous()
        r = x - weighted_sum(a, w, D)
        c = r @ D
        gap, objective = gap_and_objective(x, r, c, w, lam)
        rounding = (2 * eps / lam) * torch.linalg.vector_norm(x, dim=1)  # of the gap itself
        live = gap > rounding.clamp(10 * eps, 1e-2).clamp_min(tolerance) * objective
        if m == room or live.sum() < 0.7 * len(live):
            # Put the finished ones aside; of the others keep the non-zero places and make room.
            codes[rows[~live]] = codes[rows[~live]].scatter_add(1, a[~live], w[~live])
            if not live.any():
                return codes
            rows, x, c = rows[live], x[live], c[live]
            m = int((w[live] != 0).sum(dim=1).max()) if m else 0
            room = m + 16
            best = w[live].abs().topk(m, dim=1).indices
            atoms, z = rows.new_zeros(room, len(x)), x.new_zeros(room, len(x))
            G = x.new_zeros(room, room, len(x))
            a = a[live].gather(1, best)
            atoms[:m], z[:m] = a.T, w[live].gather(1, best).T
            G[:m, :m] = gram[atoms[:m, None], atoms[None, :m]]
        size = c.abs().scatter(1, a, 0.0)  # atoms of the set are not added again
        i = size.argmax(dim=1)
        atoms[m] = i
        G[m, : m + 1] = G[: m + 1, m] = gram[atoms[: m + 1], i]
        m += 1
        inside = c.gather(1, atoms[:m].T).T.contiguous()
        for _ in range(4):
            sweep(z[:m], inside, G[:m, :m], lam)
        while turn % 8 == 7 and solve_on_support(z[:m], inside, G[:m, :m], lam):
            pass  # at most m times: each makes a place zero
    message = f"active_set: {len(rows)} signals did not reach the tolerance {tolerance:.1g}."
    warnings.warn(message, stacklevel=3)
    codes[rows] = codes.new_zeros(len(x), codes.shape[1]).scatter_add(1, atoms[:m].T, z[:m].T)
    return codes
