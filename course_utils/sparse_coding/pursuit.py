"""Orthogonal matching pursuit on all signals at once. Built in notebook 02."""

import torch
from torch import Tensor

from course_utils.arguments import check_int, check_nonnegative
from course_utils.sparse_coding.problem import check_problem, chunks, needs_gradient, with_gradient

__all__ = ["omp", "omp_atoms"]


def omp(x: Tensor, D: Tensor, k: int | None = None, error: float | None = None) -> Tensor:
    """Codes (N, K) by orthogonal matching pursuit: add the best atom, refit, repeat.

    x: (N, n), D: (n, K) with unit columns. A signal is finished after k atoms, or once |x - Dz| <=
    error, whichever comes first; give one or both. Nothing is taken that would only code rounding
    (a flat signal, an atom repeated in D). Differentiable in x and D with the chosen atoms held
    fixed. Raises TypeError or ValueError for inputs that do not fit. Source: Pati et al. 1993.
    Built in notebook 02.
    """
    atoms, weights = omp_atoms(x, D, k, error)
    return x.new_zeros(len(x), D.shape[1]).scatter_add(1, atoms, weights)


def omp_atoms(
    x: Tensor, D: Tensor, k: int | None = None, error: float | None = None
) -> tuple[Tensor, Tensor]:
    """As `omp`, compact: atoms (N, k) as indices and weights (N, k), zero for none.

    For many signals: a million codes of 5 atoms take 60 MB, dense over 256 atoms 1 GB.
    """
    check_problem(x, D)
    if k is None and error is None:
        raise ValueError("Say when to stop: k (number of atoms), error (length of the residual).")
    most = min(D.shape)
    k = most if k is None else check_int("k", k, at_least=1, at_most=D.shape[1])
    error = 0.0 if error is None else check_nonnegative("error", error)
    error = min(error, torch.finfo(x.dtype).max)
    with torch.no_grad():
        found = [_pursue(part, D, min(k, most), error) for part in chunks(x, D)]
    widest = max(atoms.shape[1] for atoms, _ in found)
    atoms, weights = (
        torch.cat([torch.nn.functional.pad(part, (0, widest - part.shape[1])) for part in parts])
        for parts in zip(*found)
    )
    if needs_gradient(x, D):
        weights = with_gradient(x, D, atoms, weights)
    return atoms, weights


def _pursue(x: Tensor, D: Tensor, k: int, error: float) -> tuple[Tensor, Tensor]:
    """Atoms and weights (N, steps taken) of one chunk.

    The chosen atoms are made orthonormal one by one (Gram-Schmidt): basis[j] is the new
    part of the j-th, and R[j], a column of the Cholesky factor of their Gram matrix, tells how
    to build the atom from basis[0..j].
    """
    by_row = D.T.contiguous()
    resolution = torch.finfo(x.dtype).eps ** 0.5  # below this, what is new in an atom is rounding
    atoms = torch.zeros(len(x), k, dtype=torch.long, device=x.device)
    weights = x.new_zeros(len(x), k)
    rows, r = torch.arange(len(x), device=x.device), x  # signals not yet finished, their residuals
    enough = (torch.linalg.vector_norm(x, dim=1) * 32 * torch.finfo(x.dtype).eps).clamp_min(error)
    basis: list[Tensor] = []  # a tensor for each step, as in the next three
    chosen: list[Tensor] = []
    R: list[Tensor] = []
    along: list[Tensor] = []

    def store(done: Tensor) -> None:
        steps = len(chosen)
        upper = x.new_zeros(int(done.sum()), steps, steps)
        for j, column in enumerate(R):
            upper[:, : j + 1, j] = column[done]
        target = torch.stack(along, dim=1)[done, :, None]
        solved = torch.linalg.solve_triangular(upper, target, upper=True)
        weights[rows[done], :steps] = solved[:, :, 0]
        atoms[rows[done], :steps] = torch.stack(chosen, dim=1)[done]

    for j in range(k):
        live = torch.linalg.vector_norm(r, dim=1) > enough
        if live.sum() < 0.7 * len(live):  # put the finished ones aside
            if j:
                store(~live)
            rows, r, enough = rows[live], r[live], enough[live]
            basis, chosen, R, along = (
                [step[live] for step in steps] for steps in (basis, chosen, R, along)
            )
            live = live[live]
        if not len(rows):
            return atoms[:, :j].clone(), weights[:, :j].clone()  # a view would keep all columns
        i = (r @ D).abs_().argmax(dim=1)
        q, column = by_row.index_select(0, i), x.new_empty(len(rows), j + 1)
        for earlier, old in enumerate(basis):
            column[:, earlier] = torch.linalg.vecdot(old, q)
            q = torch.addcmul(q, old, column[:, earlier, None], value=-1)
        new = torch.linalg.vector_norm(q, dim=1)
        takes = live & (new > resolution)
        column[:, j] = torch.where(takes, new, 1.0)
        q = q * (takes / new.clamp_min(resolution))[:, None]  # zero: this signal takes nothing
        along.append(torch.linalg.vecdot(q, r))
        r = torch.addcmul(r, q, along[j][:, None], value=-1)
        basis.append(q)
        chosen.append(i)
        R.append(column)
    store(torch.ones_like(live))
    return atoms, weights
