"""The log density of a Gaussian mixture, and the ways to get it wrong (exercise 12.1)."""

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

__all__ = ["MIXTURE_MISTAKES", "mixture"]


def solved(L: Tensor, apart: Tensor) -> Tensor:
    return torch.linalg.solve_triangular(L, apart[..., None], upper=False)[..., 0]


def square(L: Tensor, apart: Tensor) -> Tensor:
    return solved(L, apart).square().sum(dim=-1)


def logdet(L: Tensor) -> Tensor:
    return L.diagonal(dim1=1, dim2=2).log().sum(dim=1)


def joined(each: Tensor, w: Tensor) -> Tensor:
    return torch.logsumexp(each + w.log(), dim=1)


def mixture(
    c: Tensor,
    w: Tensor,
    m: Tensor,
    L: Tensor,
    *,
    length: Callable = square,
    det: Callable = logdet,
    join: Callable = joined,
    half: float = 0.5,
    constants: float = 1.0,
) -> Tensor:
    """The log density; `length` is ‖y‖², `constants` the number of times n/2 log 2π is there."""
    constant = constants * c.shape[1] / 2 * math.log(2 * math.pi)
    return join(-half * length(L, c[:, None] - m) - det(L) - constant, w)


def lengths(y: Callable) -> Callable:
    """Squared lengths of another y."""
    return partial(mixture, length=lambda L, apart: y(L, apart).square().sum(dim=-1))


def joining(join: Callable) -> Callable:
    return partial(mixture, join=join)


def determinant(det: Callable) -> Callable:
    return partial(mixture, det=det)


def once(c: Tensor, *rest: Tensor) -> Tensor:
    """With ½ log 2π once instead of n times."""
    return mixture(c, *rest, constants=1 / c.shape[1])


MIXTURE_MISTAKES: dict[str, Callable] = {
    "join the components: logsumexp over them.": joining(lambda e, w: e + w.log()),
    "the shares are missing: add log w_i.": joining(lambda e, w: e.logsumexp(dim=1)),
    "the sign of log w_i is wrong: add it.": joining(lambda e, w: (e - w.log()).logsumexp(dim=1)),
    "add log w_i, not w_i.": joining(lambda e, w: (e + w).logsumexp(dim=1)),
    "multiply the densities by the shares, not their logarithms: add log w_i.": joining(
        lambda e, w: (e * w).logsumexp(dim=1)
    ),
    "all components have the same share in yours: add log w_i.": joining(
        lambda e, w: e.logsumexp(dim=1) - math.log(len(w))
    ),
    "the shares add up to 1 already: no softmax.": joining(
        lambda e, w: joined(e, torch.softmax(w, dim=0))
    ),
    "add up the densities, not their logarithms: logsumexp.": joining(lambda e, w: e @ w),
    "the sum of the logarithms is the log of a product: logsumexp.": joining(
        lambda e, w: (e + w.log()).sum(dim=1)
    ),
    "that is the mean over the components: logsumexp of log w_i + each.": joining(
        lambda e, w: (e + w.log()).mean(dim=1)
    ),
    "that is the most likely component alone: add up all of them, logsumexp.": joining(
        lambda e, w: (e + w.log()).amax(dim=1)
    ),
    "that is the first component alone: add up all of them, logsumexp.": joining(
        lambda e, w: (e + w.log())[:, 0]
    ),
    "logsumexp goes over the components, not over the codes: dim=1.": joining(
        lambda e, w: (e + w.log()).logsumexp(dim=0)
    ),
    "that is the log density of all codes in one number: one for each code.": joining(
        lambda e, w: joined(e, w).sum()
    ),
    "that is the mean over the codes: one log density for each code.": joining(
        lambda e, w: joined(e, w).mean()
    ),
    "that is the negative log density: the sign is wrong.": joining(lambda e, w: -joined(e, w)),
    "that is the logarithm to base 2; asked are nats.": joining(
        lambda e, w: joined(e, w) / math.log(2)
    ),
    "that is the density; asked is its logarithm.": joining(lambda e, w: joined(e, w).exp()),
    "far away exp gives 0, and its logarithm -inf: stay with logarithms, torch.logsumexp.": joining(
        lambda e, w: (e.exp() @ w).log()
    ),
    **{
        f"{small:g} in the logarithm makes all far codes equally likely: torch.logsumexp.": joining(
            lambda e, w, small=small: (e.exp() @ w + small).log()
        )
        for small in (1e-12, 1e-10, 1e-8, 1e-6, 1e-9, 1e-20, 1e-30)
    },
    "the product of many small numbers is 0: add up the logarithms of the diagonal.": determinant(
        lambda L: L.diagonal(dim1=1, dim2=2).prod(dim=1).log()
    ),
    "the determinant is missing: subtract log det L.": determinant(lambda L: 0),
    "the sign of log det L is wrong: subtract it.": determinant(lambda L: -logdet(L)),
    "det L is the root of the determinant: subtract it once.": determinant(lambda L: 2 * logdet(L)),
    "that is half of log det L: L is already the root of the covariance.": determinant(
        lambda L: logdet(L) / 2
    ),
    "subtract the logarithm of det L, not det L.": determinant(lambda L: logdet(L).exp()),
    "log det L is the sum of the logarithms of the diagonal, not their mean.": determinant(
        lambda L: logdet(L) / L.shape[1]
    ),
    "the constant n/2 log 2π is missing.": partial(mixture, constants=0),
    "log 2π counts n/2 times, once for each number of a code; yours has it 1/2 times.": once,
    "the constant is n/2 log 2π; the 2 is missing.": partial(
        mixture, constants=math.log(math.pi) / math.log(2 * math.pi)
    ),
    "n is how many numbers a code has, codes.shape[1]; yours counts the components.": (
        lambda c, w, *rest: mixture(c, w, *rest, constants=len(w) / c.shape[1])
    ),
    "n is how many numbers a code has, codes.shape[1]; yours counts the codes.": (
        lambda c, *rest: mixture(c, *rest, constants=len(c) / c.shape[1])
    ),
    "the constant is n/2 log 2π, not n log 2π.": partial(mixture, constants=2),
    "the sign of n/2 log 2π is wrong: subtract it.": partial(mixture, constants=-1),
    "the factor ½ of ‖y‖² is missing.": partial(mixture, half=1.0),
    "the sign of ½ ‖y‖² is wrong: subtract it.": partial(mixture, half=-0.5),
    "square the norm of y.": partial(mixture, length=lambda *given: square(*given).sqrt()),
    "sum the squares of y, yours is their mean.": partial(
        mixture, length=lambda L, apart: square(L, apart) / L.shape[1]
    ),
    "that solves with L transposed: upper=False, without .mT.": lengths(
        lambda L, apart: torch.linalg.solve_triangular(L.mT, apart[..., None], upper=True)[..., 0]
    ),
    "solve L y = c - m; yours multiplies by L.": lengths(
        lambda L, apart: (L @ apart[..., None])[..., 0]
    ),
    "y comes from the whole of L, not only from its diagonal.": lengths(
        lambda L, apart: apart / L.diagonal(dim1=1, dim2=2)
    ),
    "that is the distance to the mean without L: solve L y = c - m.": lengths(
        lambda L, apart: apart
    ),
    "solve with L once: y, not the solution for L Lᵀ, is squared.": lengths(
        lambda L, apart: (torch.cholesky_solve(apart[..., None], L))[..., 0]
    ),
    "L is the factor, not the covariance: square y.": partial(
        mixture, length=lambda L, apart: (apart * solved(L, apart)).sum(dim=-1)
    ),
    "subtract the means from the codes.": lambda c, w, m, L: mixture(c, w, 0 * m, L),
}
