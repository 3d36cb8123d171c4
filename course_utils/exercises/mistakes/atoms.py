"""Found and refilled atoms, right and wrong, for the checks of notebook 03."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import normalize

__all__ = ["FOUND_MISTAKES", "REFILL_MISTAKES", "found", "refill"]


def found(D: Tensor, true: Tensor, threshold: float) -> Tensor:
    """Share of the true atoms that are found."""
    return ((D.T @ true).abs().amax(dim=0) > threshold).float().mean()


def pairwise(D: Tensor, true: Tensor, threshold: float) -> Tensor:
    count = min(D.shape[1], true.shape[1])
    cosines = (D[:, :count] * true[:, :count]).sum(dim=0).abs()
    return (cosines > threshold).float().sum() / true.shape[1]


def once(D: Tensor, true: Tensor, threshold: float) -> float:
    """Each learned atom stands for the true atom that it is nearest to."""
    best, nearest = (D.T @ true).abs().max(dim=1)
    return len(nearest[best > threshold].unique()) / true.shape[1]


FOUND_MISTAKES: dict[str, Callable] = {
    "an atom and its negative are the same: take the absolute value.": (
        lambda D, T, t: ((D.T @ T).amax(dim=0) > t).float().mean()
    ),
    "take the share of the true atoms, the other axis.": lambda D, T, t: found(T, D, t),
    "an atom that was learned twice counts once.": (
        lambda D, T, t: ((D.T @ T).abs() > t).float().sum() / T.shape[1]
    ),
    "return a share from 0 to 1, not a count.": lambda D, T, t: found(D, T, t) * T.shape[1],
    "use the argument `threshold`, not 0.99.": lambda D, T, t: found(D, T, 0.99),
    "a cosine equal to the threshold is not above it: use >, not >=.": (
        lambda D, T, t: ((D.T @ T).abs().amax(dim=0) >= t).float().mean()
    ),
    "divide by the number of true atoms, not of learned ones.": (
        lambda D, T, t: found(D, T, t) * T.shape[1] / D.shape[1]
    ),
    "the order is unknown: compare each true atom with all learned ones.": (
        lambda D, T, t: pairwise(D, T, t)
    ),
    "compare the cosine with the threshold, not its square.": (lambda D, T, t: found(D, T, t**0.5)),
    "count the atoms above the threshold; do not average their cosines.": (
        lambda D, T, t: (D.T @ T).abs().amax(dim=0).mean()
    ),
    "take the best learned atom of each true one, not the mean over them.": (
        lambda D, T, t: ((D.T @ T).abs().mean(dim=0) > t).float().mean()
    ),
    "that is 0 to 100; a share lies between 0 and 1.": lambda D, T, t: found(D, T, t) * 100,
    "that is the share of the atoms that are not found.": lambda D, T, t: 1 - found(D, T, t),
    "that is the share of all pairs; take the best learned atom of each true one.": (
        lambda D, T, t: ((D.T @ T).abs() > t).float().mean()
    ),
    "a learned atom may stand for several true atoms; each of them is found.": once,
}


def refill(x, D, z, atoms=None, error=None, unused=None) -> Tensor:
    """D with the atoms `unused` replaced by those of `atoms` (N, n) with the largest `error`."""
    atoms = normalize(x) if atoms is None else atoms
    error = (x - z @ D.T).norm(dim=1) if error is None else error
    unused = (z == 0).all(dim=0) if unused is None else unused
    D = D.clone()
    D[:, unused] = atoms[error.topk(int(unused.sum())).indices].T
    return D


def only_first(unused: Tensor) -> Tensor:
    return unused & (unused.cumsum(0) == 1)


def worst_of(
    x: Tensor, D: Tensor, unused: Tensor, error: Tensor, order: Callable = Tensor.tolist
) -> Tensor:
    """The chosen atoms become the worst signals, as many as there are, in this order."""
    places = unused.nonzero()[:, 0][: len(x)]
    ranked = torch.tensor(order(error.argsort(descending=True)[: len(places)]), dtype=torch.long)
    D = D.clone()
    D[:, places] = normalize(x[ranked]).T
    return D


def worst(order: Callable) -> Callable:
    return lambda x, D, z: worst_of(
        x, D, (z == 0).all(dim=0), (x - z @ D.T).norm(dim=1), lambda ranks: order(ranks).tolist()
    )


def refill_below(least: float, x: Tensor, D: Tensor, z: Tensor) -> Tensor:
    return refill(x, D, z, unused=(z.abs() <= least).all(dim=0))


REFILL_MISTAKES: dict[str, Callable] = {
    "the new atoms must have norm 1.": lambda x, D, z: refill(x, D, z, atoms=x),
    "sort the errors in descending order: you took the signals coded best.": (
        lambda x, D, z: refill(x, D, z, error=-(x - z @ D.T).norm(dim=1))
    ),
    "you took the residual; take the signal itself.": (
        lambda x, D, z: refill(x, D, z, atoms=normalize(x - z @ D.T))
    ),
    "take the largest errors, not signals.": lambda x, D, z: refill(x, D, z, error=x.norm(dim=1)),
    "the unused atoms are still there.": lambda x, D, z: D,
    "take the error itself, not relative to the norm of the signal.": (
        lambda x, D, z: refill(x, D, z, error=(x - z @ D.T).norm(dim=1) / x.norm(dim=1))
    ),
    "the error is the norm, not the sum of the magnitudes.": (
        lambda x, D, z: refill(x, D, z, error=(x - z @ D.T).abs().sum(dim=1))
    ),
    "the error is the norm, not the largest magnitude.": (
        lambda x, D, z: refill(x, D, z, error=(x - z @ D.T).abs().amax(dim=1))
    ),
    "add up squares, not signed errors.": (
        lambda x, D, z: refill(x, D, z, error=(x - z @ D.T).sum(dim=1))
    ),
    "all unused atoms become the same signal; each gets its own.": worst(lambda w: w[:1]),
    "the order is turned round: the first unused atom gets the worst signal.": (
        worst(lambda w: w.flip(0))
    ),
    "the first signals are taken; take those with the largest errors.": (
        lambda x, D, z: refill(x, D, z, error=-torch.arange(len(x)).float())
    ),
    "only the first unused atom is replaced.": (
        lambda x, D, z: refill(x, D, z, unused=only_first((z == 0).all(dim=0)))
    ),
    "an atom is unused when no signal uses it; you took those that some signal does not use.": (
        lambda x, D, z: worst_of(x, D, (z == 0).any(dim=0), (x - z @ D.T).norm(dim=1))
    ),
    "used atoms are replaced, the unused ones stay.": (
        lambda x, D, z: worst_of(x, D, (z != 0).any(dim=0), (x - z @ D.T).norm(dim=1))
    ),
    "an atom that one signal alone uses is used.": (
        lambda x, D, z: worst_of(x, D, (z != 0).sum(dim=0) <= 1, (x - z @ D.T).norm(dim=1))
    ),
    "each new atom has norm 1; you divided by one norm of all.": (
        lambda x, D, z: refill(x, D, z, atoms=x / x.norm())
    ),
    "all atoms are scaled to norm 1; only the new ones are.": (
        lambda x, D, z: normalize(refill(x, D, z), dim=0)
    ),
    "the residual is put in unscaled; take the signal, scaled to norm 1.": (
        lambda x, D, z: refill(x, D, z, atoms=x - z @ D.T)
    ),
    "divide by the norm, not by the sum of magnitudes.": (
        lambda x, D, z: refill(x, D, z, atoms=normalize(x, p=1))
    ),
    **{
        f"weights below {t:g} are uses too: compare with 0.": partial(refill_below, t)
        for t in (1e-6, 1e-4, 1e-2)
    },
    "an atom whose weights cancel is used: all weights must be zero.": (
        lambda x, D, z: refill(x, D, z, unused=z.sum(dim=0) == 0)
    ),
    "negative weights are uses too: compare with != 0.": (
        lambda x, D, z: refill(x, D, z, unused=(z <= 0).all(dim=0))
    ),
}
