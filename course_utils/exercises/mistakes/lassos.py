"""The lasso, non-negative or with changing prices, right and wrong: for notebook 02."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from course_utils.exercises.mistakes.refits import refit

__all__ = ["DTYPE", "LASSO_MISTAKES", "NO_GRADIENT", "SUM_MISTAKES", "proximal", "reweighted"]


def norm2(D: Tensor) -> Tensor:
    """The square of the norm, L."""
    return torch.linalg.matrix_norm(D, 2).square()


def positive(v: Tensor, t: float) -> Tensor:
    return (v - t).clamp_min(0)


def both_signs(v: Tensor, t: float | Tensor) -> Tensor:
    return v.sign() * (v.abs() - t).clamp_min(0)


def proximal(x, D, lam, steps, *, shrink=positive, L=norm2, start=0.0, turned=1.0) -> Tensor:
    """Steps from `start` times x @ D, with the shrinkage `shrink(v, lam / L)`."""
    L, products, gram = L(D), x @ D, D.T @ D
    z = start * products
    for _ in range(steps):
        z = shrink(z + turned * (products - z @ gram) / L, lam / L)
    return z


def always(number: int, x, D, lam, steps) -> Tensor:
    return proximal(x, D, lam, number)


SUM_MISTAKES: dict[str, Callable] = {
    "that is the lasso with both signs: z >= 0 is asked.": partial(proximal, shrink=both_signs),
    "cut at zero in every step, not only at the end.": (
        lambda *given: proximal(*given, shrink=both_signs).clamp_min(0)
    ),
    "the price is missing: subtract lam / L.": lambda x, D, lam, n: proximal(x, D, 0, n),
    "the threshold is lam / L, not lam.": lambda x, D, lam, n: proximal(x, D, lam * norm2(D), n),
    "L is missing in the step and in the threshold.": partial(proximal, L=lambda D: 1),
    "one step is missing.": lambda x, D, lam, n: proximal(x, D, lam, n - 1),
    "one step too many.": lambda x, D, lam, n: proximal(x, D, lam, n + 1),
    "negative values become 0, not positive: clamp, do not take the magnitude.": (
        partial(proximal, shrink=lambda v, t: both_signs(v, t).abs())
    ),
    "the difference itself must not be negative: clamp after subtracting lam / L.": (
        partial(proximal, shrink=lambda v, t: v.clamp_min(0) - t)
    ),
    "L is the square of the norm of D; the square is missing.": (
        partial(proximal, L=lambda D: norm2(D).sqrt())
    ),
    "L is the largest singular value squared, not the Frobenius norm squared.": (
        partial(proximal, L=lambda D: D.square().sum())
    ),
    "L is the largest singular value squared, not the Frobenius norm.": (
        partial(proximal, L=torch.linalg.norm)
    ),
    "L is the largest singular value squared; you took it twice.": (
        partial(proximal, L=lambda D: norm2(D) ** 2)
    ),
    "the step is 1 / L, not 2 / L.": partial(proximal, L=lambda D: norm2(D) / 2),
    "the step is 1 / L, not 1 / (2 L).": partial(proximal, L=lambda D: norm2(D) * 2),
    "start from z = 0, not from x @ D.": partial(proximal, start=1.0),
    "the values above lam / L must lose it: that is hard thresholding.": (
        partial(proximal, shrink=lambda v, t: v.where(v > t, 0))
    ),
    "lam / L is added; subtract it.": lambda x, D, lam, n: proximal(x, D, -lam, n),
    "the gradient has the wrong sign.": partial(proximal, turned=-1.0),
    "subtract lam / L, not lam / (2 L).": lambda x, D, lam, n: proximal(x, D, lam / 2, n),
    "subtract lam / L, not 2 lam / L.": lambda x, D, lam, n: proximal(x, D, lam * 2, n),
    "subtract lam / L once: you divided by L twice.": (
        lambda x, D, lam, n: proximal(x, D, lam / norm2(D), n)
    ),
    "the gradient is averaged over the batch; each signal has its own.": (
        lambda x, D, lam, n: proximal(x, D, lam, n, turned=1 / len(x))
    ),
    **{
        f"that is the code after {n} steps: use the argument `steps`.": partial(always, n)
        for n in (1, 10, 50, 100, 200, 500, 1000)
    },
}


def by_magnitude(z, e, w) -> Tensor:
    return e / (z.abs() + e)


def reweighted(
    x, D, lam, rounds, epsilon, weigh=by_magnitude, steps=1000, L=norm2, first=False
) -> Tensor:
    """Rounds of the weighted lasso; `weigh` gives the next weights of lam from z."""
    z = x @ D
    weights = weigh(z, epsilon, torch.ones_like(z)) if first else torch.ones_like(z)
    for _ in range(rounds):
        z = proximal(x, D, lam * weights, steps, shrink=both_signs, L=L)
        weights = weigh(z, epsilon, weights)
    return z


def fixed(place: int, value: float, *given) -> Tensor:
    """The argument at this place is ignored."""
    changed = [*given]
    changed[place] = value
    return reweighted(*changed)


def each_step(x, D, lam, rounds, epsilon) -> Tensor:
    """New weights after each proximal step."""
    L, z = norm2(D), torch.zeros_like(x @ D)
    for _ in range(1000 * rounds):
        price = lam * by_magnitude(z, epsilon, None)
        z = both_signs(z + (x - z @ D.T) @ D / L, price / L)
    return z


NO_GRADIENT = "the code carries gradients: work without autograd here."
DTYPE = "the codes have another dtype than the signals: begin with x.new_zeros(...)."
LASSO_MISTAKES: dict[str, Callable] = {
    "that is the plain lasso: the prices never change.": (
        partial(reweighted, weigh=lambda z, e, w: w)
    ),
    "the price needs |z|; you used z.": partial(reweighted, weigh=lambda z, e, w: e / (z + e)),
    "one round is missing.": lambda x, D, lam, rounds, e: reweighted(x, D, lam, rounds - 1, e),
    "one round too many: the plain lasso is the first.": (
        lambda x, D, lam, rounds, e: reweighted(x, D, lam, rounds + 1, e)
    ),
    "the wrong way round: where |z| is large the price must be small.": (
        partial(reweighted, weigh=lambda z, e, w: (z.abs() + e) / e)
    ),
    "epsilon is missing in the numerator: where z is 0 the price is lam.": (
        partial(reweighted, weigh=lambda z, e, w: 1 / (z.abs() + e))
    ),
    "you multiply the prices round by round; start each time from lam.": (
        partial(reweighted, weigh=lambda z, e, w: w * e / (z.abs() + e))
    ),
    "the prices of the signals are averaged; each signal has its own.": (
        partial(reweighted, weigh=lambda z, e, w: by_magnitude(z, e, w).mean(0))
    ),
    "the magnitudes of the signals are averaged; each signal has its own prices.": (
        partial(reweighted, weigh=lambda z, e, w: by_magnitude(z.abs().mean(0), e, w))
    ),
    "all coefficients of a signal get one price; each has its own.": (
        partial(reweighted, weigh=lambda z, e, w: by_magnitude(z, e, w).mean(1, True))
    ),
    "zero is free and large weights cost lam: the price is lam · ε / (|z| + ε).": (
        partial(reweighted, weigh=lambda z, e, w: z.abs() / (z.abs() + e))
    ),
    "the price has ε and |z|, not their squares.": (
        partial(reweighted, weigh=lambda z, e, w: e**2 / (z**2 + e**2))
    ),
    "the price has |z|, not z².": partial(reweighted, weigh=lambda z, e, w: e / (z**2 + e)),
    "ε is missing below the line: |z| + ε.": (
        partial(reweighted, weigh=lambda z, e, w: e / z.abs().clamp_min(1e-9))
    ),
    "the first round is the plain lasso: all prices are lam.": partial(reweighted, first=True),
    "the threshold of a step is the price / L, not the price.": (
        lambda x, D, lam, *g: reweighted(x, D, lam * norm2(D), *g)
    ),
    "the prices change in each proximal step; they change once a round.": each_step,
    "the weights are fitted again at the end; that was not asked.": (
        lambda x, D, *g: refit(x, D, reweighted(x, D, *g))
    ),
    "L is too large, the Frobenius norm: the minimum is not reached.": (
        partial(reweighted, L=lambda D: D.square().sum())
    ),
    "λ is ignored.": partial(fixed, 2, 0.1),
    "λ is halved.": lambda x, D, lam, *g: reweighted(x, D, lam / 2, *g),
    "λ is doubled.": lambda x, D, lam, *g: reweighted(x, D, lam * 2, *g),
    **{f"ε is always {e:g}: use the argument.": partial(fixed, 4, e) for e in (0.1, 1.0)},
    **{f"there are always {r} rounds: use the argument.": partial(fixed, 3, r) for r in (2, 3, 4)},
    **{
        f"{n} proximal steps are too few for the minimum: take a thousand.": (
            partial(reweighted, steps=n)
        )
        for n in (1, 5, 10, 20, 50, 100)
    },
    DTYPE: lambda *given: reweighted(*given).float(),
    NO_GRADIENT: lambda *given: reweighted(*given).requires_grad_(),
}
