"""Refitted weights and matching pursuit, right and wrong, for the checks of notebook 02."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from course_utils.sparse_coding import keep_largest, omp

__all__ = ["MP_MISTAKES", "REFIT_MISTAKES", "pursue", "refit"]


def refit(x: Tensor, D: Tensor, z: Tensor) -> Tensor:
    """Least squares on the non-zero places of each code."""
    refitted = x.new_zeros(z.shape)
    for i, used in enumerate(z != 0):
        refitted[i, used] = torch.linalg.pinv(D[:, used]) @ x[i]
    return refitted


def without_small(least: float, x: Tensor, D: Tensor, z: Tensor) -> Tensor:
    return refit(x, D, z.where(z.abs() > least, 0))


def ridge(added: float, x: Tensor, D: Tensor, z: Tensor) -> Tensor:
    fitted = torch.zeros_like(z)
    for i, used in enumerate(z != 0):
        A = D[:, used]
        fitted[i, used] = torch.linalg.solve(A.T @ A + added * torch.eye(A.shape[1]), A.T @ x[i])
    return fitted


REFIT_MISTAKES: dict[str, Callable] = {
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
    "all signals get the places of the first code; each has its own.": (
        lambda x, D, z: refit(x, D, z[:1].expand_as(z))
    ),
    "you fitted all atoms and cut afterwards; fit only those with z != 0.": (
        lambda x, D, z: refit(x, D, z == z).where(z != 0, 0)
    ),
    "you fitted the atoms of all codes and cut afterwards; fit each code alone.": (
        lambda x, D, z: refit(x, D, (z != 0).any(0).expand_as(z)).where(z != 0, 0)
    ),
    "the code is scaled as a whole; each weight is fitted.": (
        lambda x, D, z: (
            z * ((x * (z @ D.T)).sum(1) / (z @ D.T).square().sum(1).clamp_min(1e-9))[:, None]
        )
    ),
    "an empty code stays empty; you gave it an atom.": (
        lambda x, D, z: refit(x, D, z.where((z != 0).any(1, True), keep_largest(x @ D, 1)))
    ),
    "an empty code stays empty; you fitted all atoms to it.": (
        lambda x, D, z: refit(x, D, z.where((z != 0).any(1, True), 1))
    ),
    "the signals behind an empty code stay zero: use continue, not break.": (
        lambda x, D, z: refit(x, D, z.where((z != 0).any(1, True).cumprod(0) > 0, 0))
    ),
    "the signals behind an empty code keep their old weights: use continue, not break.": (
        lambda x, D, z: z.where((z != 0).any(1, True).cumprod(0) == 0, refit(x, D, z))
    ),
    "a weight may change its sign; do not clamp it.": (
        lambda x, D, z: refit(x, D, z).where(refit(x, D, z) * z > 0, 0)
    ),
    "negative weights are right too; do not clamp them.": lambda x, D, z: refit(x, D, z).relu(),
    "the largest weights of all atoms are fitted; keep the places of the code.": (
        lambda x, D, z: refit(x, D, keep_largest(x @ D, int((z[0] != 0).sum())))
    ),
    "all codes are cut to as many atoms as the first has.": (
        lambda x, D, z: refit(x, D, keep_largest(z, int((z[0] != 0).sum())))
    ),
    "return the new weights; you added them to the old ones.": lambda x, D, z: refit(x, D, z) + z,
    "only the first signal is fitted.": lambda x, D, z: torch.cat([refit(x, D, z)[:1], z[1:]]),
    "return the weights (N, K), not the signals they give.": lambda x, D, z: refit(x, D, z) @ D.T,
    **{
        f"weights below {t:g} are dropped: only exact zeros stay zero.": (partial(without_small, t))
        for t in (1e-8, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1)
    },
    **{
        f"a ridge of {r:g} shrinks the weights; solve least squares without it.": partial(ridge, r)
        for r in (1e-4, 1e-3, 1e-2, 0.1, 1.0)
    },
}


def pursue(
    x, D, steps, add=True, pick=torch.abs, weigh=torch.clone, taken=None, again=""
) -> Tensor:
    """Matching pursuit, and ways to get it wrong; `again` says what happens to an atom used."""
    z, r = x.new_zeros(D.shape[1]), x
    for _ in range(steps):
        c = D.T @ r
        size = pick(c).masked_fill(z != 0, -1) if again == "never" else pick(c)
        j = size.argmax()
        if again == "stop" and z[j] != 0 or again == "never" and size[j] < 0:
            break
        z[j] = weigh(c[j]) + (z[j] if add else 0)
        r = r - (c[j] if taken is None else taken(c[j], z[j])) * D[:, j]
    return z


def fixed_steps(number: int, x: Tensor, D: Tensor, steps: int) -> Tensor:
    return pursue(x, D, number)


MP_MISTAKES: dict[str, Callable] = {
    "that is OMP: it fits the earlier weights again, matching pursuit does not.": (
        lambda x, D, k: omp(x[None], D, min(k, *D.shape))[0]
    ),
    "an atom that came up again lost its weight: z[j] += ...": partial(pursue, add=False),
    "take the product that is largest in magnitude.": partial(pursue, pick=torch.clone),
    "the residual never changes: subtract the part of each atom.": partial(
        pursue, taken=lambda c, z: 0
    ),
    "you took the largest products at once; they change after each atom.": (
        lambda x, D, k: keep_largest((x @ D)[None], min(k, D.shape[1]))[0]
    ),
    "one step is missing.": lambda x, D, k: pursue(x, D, k - 1),
    "one step too many.": lambda x, D, k: pursue(x, D, k + 1),
    "an atom is taken only once; the same one can come up again.": partial(pursue, again="never"),
    "you stop when an atom comes up again; go on and add to its weight.": (
        partial(pursue, again="stop")
    ),
    "the weight loses its sign: add the product, not its magnitude.": (
        partial(pursue, weigh=torch.abs)
    ),
    "the weight and the part taken lose their sign: use the product itself.": (
        partial(pursue, weigh=torch.abs, taken=lambda c, z: c.abs())
    ),
    "the part taken loses its sign: subtract the product times the atom.": (
        partial(pursue, taken=lambda c, z: c.abs())
    ),
    "the part of the atom is added to the residual; subtract it.": (
        partial(pursue, taken=lambda c, z: -c)
    ),
    "you subtracted the atom without its weight.": partial(pursue, taken=lambda c, z: 1),
    "you subtracted the whole weight again; subtract only what this step added.": (
        partial(pursue, taken=lambda c, z: z)
    ),
    "you took the smallest product, not the largest.": (partial(pursue, pick=lambda c: -c.abs())),
    "you took the most negative product; take the largest in magnitude.": (
        partial(pursue, pick=torch.neg)
    ),
    "the weight is the square of the product.": partial(pursue, weigh=torch.square),
    "only half of the product is added and taken.": (
        partial(pursue, weigh=lambda c: c / 2, taken=lambda c, z: c / 2)
    ),
    "those are products with the residual; return the weights z.": (
        lambda x, D, k: D.T @ (x - D @ pursue(x, D, k))
    ),
    "that is what the code leaves of x, the residual; return the code.": (
        lambda x, D, k: x - D @ pursue(x, D, k)
    ),
    "that is what the code gives, D z; return the code.": lambda x, D, k: D @ pursue(x, D, k),
    "those are all products with x, without any pursuit.": lambda x, D, k: x @ D,
    "only the last atom is left: keep the earlier weights.": (
        lambda x, D, k: pursue(x, D, k) - pursue(x, D, k - 1)
    ),
    **{
        f"you always take {n} steps: use the argument `steps`.": (partial(fixed_steps, n))
        for n in (1, 5, 10, 20, 100)
    },
}
