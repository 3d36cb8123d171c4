"""The problem the solvers share: what they accept, what they minimise, how far they are.

Signals are rows, x (N, n); atoms are columns, D (n, K), of unit length; codes z (N, K).
"""

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from course_utils.arguments import check_nonnegative, check_squares, check_tensor

__all__ = ["decode", "duality_gap", "lasso_objective", "normalise_atoms"]

SIGNALS = "signals as rows, (N, n); one signal: x[None], images: x.flatten(1)"
ATOMS = "atoms as columns, (n, K): torch.stack(atoms, dim=1)"


def normalise_atoms(D: Tensor) -> Tensor:
    """The dictionary (n, K) with columns divided by their length; ValueError for a zero column."""
    check_atoms(D, unit=False)
    lengths = torch.linalg.vector_norm(D, dim=0)
    if (lengths < 4 * (torch.finfo(D.dtype).tiny / torch.finfo(D.dtype).eps) ** 0.5).any():
        raise ValueError(
            f"D has a column of length {lengths.min():.3g}, whose squares vanish: first divide "
            "each column by its largest value, D / D.abs().amax(dim=0)."
        )
    return D / lengths


def lasso_objective(x: Tensor, D: Tensor, z: Tensor, lam: float) -> Tensor:
    """½|x - Dz|² + lam |z|₁ of each signal: (N,). Built in notebook 02."""
    check_problem(x, D, lam)
    check_codes(z, x, D)
    return 0.5 * (x - z @ D.T).square().sum(dim=1) + lam * z.abs().sum(dim=1)


def duality_gap(x: Tensor, D: Tensor, z: Tensor, lam: float) -> Tensor:
    """An upper bound on how far the objective of each signal is above its minimum: (N,).

    The residual r, shrunk until no atom correlates with it by more than lam, is a point
    of the dual problem, whose value ½|x|² - ½|x - r|² lies below every objective
    (Kim et al. 2007). Built in notebook 02.
    """
    check_problem(x, D, lam)
    check_codes(z, x, D)
    r = x - z @ D.T
    return gap_and_objective(x, r, r @ D, z, lam)[0]


def decode(atoms: Tensor, weights: Tensor, D: Tensor) -> Tensor:
    """x̂ (N, n), the sum of the atoms (N, k) of D (n, K) with weights (N, k), from `omp_atoms`."""
    check_matrix("D", D, ATOMS)
    check_sparse(atoms, weights, D)
    return weighted_sum(atoms, weights, D)


def weighted_sum(atoms: Tensor, weights: Tensor, D: Tensor) -> Tensor:
    """`decode` for inputs that are known to fit."""
    if atoms.shape[1] == 0:
        return D.new_zeros(len(atoms), len(D))
    return embedding_bag(atoms, D.T.contiguous(), per_sample_weights=weights, mode="sum")


def gap_and_objective(
    x: Tensor, r: Tensor, c: Tensor, z: Tensor, lam: float
) -> tuple[Tensor, Tensor]:
    """Duality gap and objective (N,) from residuals r, correlations c = rD, and codes."""
    shrink = (lam / c.abs().amax(dim=1).clamp_min(torch.finfo(x.dtype).tiny)).clamp_max(1)
    objective = 0.5 * r.square().sum(dim=1) + lam * z.abs().sum(dim=1)
    dual = 0.5 * x.square().sum(dim=1) - 0.5 * (x - shrink[:, None] * r).square().sum(dim=1)
    return objective - dual, objective


def chunks(x: Tensor, D: Tensor) -> list[Tensor]:
    """Parts of x whose correlations fit in a cache (CPU) or a few hundred MB (GPU)."""
    return list(x.split(max(256, (2**26 if x.device.type == "cpu" else 2**31) // D.numel())))


def needs_gradient(*tensors: Tensor) -> bool:
    """Whether autograd is to follow what is computed from these."""
    return torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)


def with_gradient(x: Tensor, D: Tensor, atoms: Tensor, weights: Tensor) -> Tensor:
    """The same weights (N, k) of the given atoms, now differentiable in x and D.

    The places that are not zero stay, and so does how much their atoms correlate with
    the residual: the gradient of a sparse code (Mairal, Bach and Ponce 2012).
    """
    weights = weights.detach()
    used = weights != 0
    chosen = D.T[atoms] * used[:, :, None]
    correlation = chosen @ (x[:, :, None] - chosen.mT @ weights[:, :, None])
    with torch.no_grad():  # a little more on the diagonal: equal atoms share their gradient
        diagonal = (~used).to(x.dtype) + 100 * torch.finfo(x.dtype).eps
        gram = chosen @ chosen.mT + torch.diag_embed(diagonal)
    change = torch.linalg.solve(gram, correlation - correlation.detach())
    return weights + change[:, :, 0]


def check_problem(x: Tensor, D: Tensor, lam: float = 0.0) -> None:
    """Raise TypeError or ValueError, which say what to do, unless x, D, lam fit together."""
    check_atoms(D)
    check_matrix("x", x, SIGNALS)
    if not len(x):
        raise ValueError(f"x has shape {tuple(x.shape)}: there is no signal in it.")
    if x.shape[1] != D.shape[0]:
        turned = "; D looks transposed, try D.T" if x.shape[1] == D.shape[1] else ""
        raise ValueError(
            f"Signals have {x.shape[1]} numbers, atoms (columns of D) have {D.shape[0]}{turned}."
        )
    check_dtype("x", x, D)
    largest, numbers = x.detach().abs().max().item(), torch.finfo(x.dtype)
    if 0 < largest < 4 * (numbers.tiny / numbers.eps) ** 0.5:
        raise ValueError(
            f"x has values up to {largest:.3g}, whose squares vanish: divide x by it, and lam and "
            "error; multiply the codes by it."
        )
    check_nonnegative("lam", lam)


def check_positive(lam: float) -> None:
    """Raise ValueError for lam = 0, where there is no sparse code to find."""
    if lam == 0:
        raise ValueError("lam is 0: that is least squares; use torch.linalg.lstsq, or a small lam.")


def check_atoms(D: Tensor, unit: bool = True) -> None:
    """Raise unless D (n, K) is finite without zero columns and, if asked, of unit columns."""
    check_matrix("D", D, ATOMS)
    if unit and not D.numel():
        raise ValueError(f"D has shape {tuple(D.shape)}; expected at least one atom.")
    lengths = torch.linalg.vector_norm(D.detach(), dim=0)
    if (lengths == 0).any():
        column = int((lengths == 0).nonzero()[0])
        raise ValueError(f"Column {column} of D is zero; remove it: D[:, D.norm(dim=0) > 0].")
    if unit and ((lengths - 1).abs() > 1e-3).any():
        raise ValueError(
            f"Atoms have lengths from {lengths.min():.3g} to {lengths.max():.3g}; expected 1: "
            "D = normalise_atoms(D)."
        )


def check_matrix(name: str, values: Tensor, expected: str) -> None:
    """Raise unless `values` is a float matrix, single or double, whose squares are finite."""
    if check_squares(values, name, f"tensor of {expected}").ndim != 2:
        raise ValueError(f"{name} has shape {tuple(values.shape)}; expected {expected}.")
    if values.dtype not in (torch.float32, torch.float64):
        found = f"{name} holds {values.dtype}"
        raise TypeError(f"{found}; expected float32 or float64: {name}.float().")


def check_dtype(name: str, values: Tensor, D: Tensor) -> None:
    """Raise TypeError unless the values and D are of one type: torch multiplies no others."""
    if values.dtype != D.dtype:
        raise TypeError(
            f"{name} and D are not of one dtype, but {values.dtype} and {D.dtype}: "
            f"{name}.to(D.dtype)."
        )


def check_codes(z: Tensor, x: Tensor, D: Tensor) -> None:
    """Raise unless z holds a dense code (N, K) for each signal."""
    check_matrix("z", z, "codes as rows, (N, K)")
    if z.shape != (len(x), D.shape[1]):
        raise ValueError(
            f"z has shape {tuple(z.shape)}; expected {(len(x), D.shape[1])}, a row for each signal "
            "and a column for each atom."
        )
    check_dtype("z", z, D)


def check_coded(x: Tensor, D: Tensor, atoms: Tensor, weights: Tensor) -> None:
    """Raise unless atoms and weights (N, k) can be compact codes of the signals x (N, n) over D."""
    check_problem(x, D)
    check_sparse(atoms, weights, D)
    if len(x) != len(atoms):
        raise ValueError(f"There are {len(x)} signals x and {len(atoms)} codes; give one for each.")


def check_moments(D: Tensor, zz: Tensor, xz: Tensor) -> None:
    """Raise unless zz (K, K) and xz (n, K) are sums over codes and signals of D (n, K)."""
    check_atoms(D)
    for name, values in {"zz": zz, "xz": xz}.items():
        check_matrix(name, values, "sums of products of codes, as by z.T @ z and x.T @ z")
        check_dtype(name, values, D)
    if zz.shape != (D.shape[1], D.shape[1]) or xz.shape != D.shape:
        shapes = f"zz {tuple(zz.shape)}, xz {tuple(xz.shape)}, D {tuple(D.shape)}"
        raise ValueError(f"The shapes are {shapes}; expected (K, K) and twice (n, K).")


def check_sparse(atoms: Tensor, weights: Tensor, D: Tensor) -> None:
    """Raise unless atoms and weights (N, k) can be compact codes over D (n, K)."""
    if check_tensor(atoms, "atoms").dtype != torch.int64:
        raise TypeError(f"atoms holds {atoms.dtype}; expected indices, torch.int64: atoms.long().")
    check_matrix("weights", weights, "weights as rows, (N, k)")
    check_dtype("weights", weights, D)
    if atoms.shape != weights.shape:
        raise ValueError(
            f"atoms has shape {tuple(atoms.shape)}, weights {tuple(weights.shape)}; expected "
            "(N, k) twice, as from omp_atoms."
        )
    if atoms.numel() and not 0 <= atoms.min() <= atoms.max() < D.shape[1]:
        raise ValueError(
            f"atoms goes from {atoms.min()} to {atoms.max()}; expected indices of the "
            f"{D.shape[1]} columns of D: are these codes of another dictionary?"
        )
