"""Checks of notebook 02, Sparse coding."""

import torch
from torch import Tensor

from course_utils.exercises.core import Mistake, attempt, exercise, expect, expect_close
from course_utils.sparse_coding import normalise_atoms, omp, soft_threshold

__all__ = ["debias", "group_threshold", "matching_pursuit", "nonnegative_ista", "reweighted_lasso"]


def proximal(x: Tensor, D: Tensor, steps: int, shrink, scale: float = 1.0) -> Tensor:
    """Gradient steps of scale/L, each followed by `shrink`, from zero."""
    L = torch.linalg.matrix_norm(D, 2).square()
    z = x.new_zeros(len(x), D.shape[1])
    for _ in range(steps):
        z = shrink(z + scale * (x - z @ D.T) @ D / L)
    return z


@exercise("02.1", "Only sums, no differences", difficulty=1, minutes=15)
def nonnegative_ista(answer: object) -> None:
    """x (N, n), D (n, K), lam, steps -> z >= 0 (N, K)."""
    for N, n, K, lam, steps in [
        (4, 8, 20, 0.2, 7),
        (2, 12, 12, 0.1, 40),
        (3, 5, 9, 0.0, 5),
        (1, 6, 4, 0.3, 1),
    ]:
        D, x = normalise_atoms(torch.randn(n, K)), torch.randn(N, n)
        L = torch.linalg.matrix_norm(D, 2).square()
        t = lam / L
        output = attempt(answer, x, D, lam, steps)
        signed = proximal(x, D, steps, lambda v: soft_threshold(v, t))
        expect_close(
            output,
            proximal(x, D, steps, lambda v: (v - t).clamp_min(0)),
            {
                "that is the lasso with both signs: z must not go below zero.": signed,
                "you took both signs all the way and removed the negative ones at the end: shrink to z >= 0 in every step.": signed.clamp_min(
                    0
                ),
                "you took the magnitudes of the signed code at the end: a negative value is best replaced by zero.": signed.abs(),
                "negative values come back as positive ones: the best z >= 0 for a negative v is 0, not |v| - t.": proximal(
                    x, D, steps, lambda v: (v.abs() - t).clamp_min(0)
                ),
                "the price is missing: shrink by lam/L before you cut at zero.": proximal(
                    x, D, steps, lambda v: v.clamp_min(0)
                ),
                "the threshold belongs to the step: lam/L, not lam (section 3).": proximal(
                    x, D, steps, lambda v: (v - lam).clamp_min(0)
                ),
                "L is forgotten, in the step and in the threshold: gradient / L, lam / L.": proximal(
                    x, D, steps, lambda v: (v - lam).clamp_min(0), scale=L.item()
                ),
                "that is a hard threshold: values above lam/L must lose lam/L.": proximal(
                    x, D, steps, lambda v: torch.where(v > t, v, torch.zeros_like(v))
                ),
                "the price has the wrong sign: subtract lam/L.": proximal(
                    x, D, steps, lambda v: (v + t).clamp_min(0)
                ),
                "L is ‖D‖², the square of the largest singular value; you divided by ‖D‖.": proximal(
                    x, D, steps, lambda v: (v - lam / L.sqrt()).clamp_min(0), scale=L.sqrt().item()
                ),
                "L is ‖D‖² with the spectral norm; yours is the sum of all squared entries.": proximal(
                    x,
                    D,
                    steps,
                    lambda v: (v - lam / D.square().sum()).clamp_min(0),
                    scale=(L / D.square().sum()).item(),
                ),
                "one step too many.": proximal(x, D, steps + 1, lambda v: (v - t).clamp_min(0)),
                "one step is missing.": proximal(x, D, steps - 1, lambda v: (v - t).clamp_min(0)),
            },
            what=f"z for lam = {lam}, {steps} steps",
            tolerance=1e-3,
        )


@exercise("02.2", "Give back what λ took", difficulty=2, minutes=15)
def debias(answer: object) -> None:
    """x (N, n), D (n, K), z (N, K) -> refitted z (N, K)."""
    for N, n, K, k in [(1, 8, 12, 3), (5, 16, 20, 4), (3, 10, 30, 1)]:
        D, x = normalise_atoms(torch.randn(n, K)), torch.randn(N, n)
        z = torch.zeros(N, K)
        for i in range(N):
            z[i, torch.randperm(K)[: k if i != 1 else 0]] = (
                0.1  # the second of several codes is empty
            )
        z = z * torch.where(torch.rand(N, K) < 0.5, -1.0, 1.0) * (1 + torch.rand(N, K))
        used = z != 0
        truth, by_one, moved = z.clone(), z.clone(), z.clone()
        for i in range(N):
            A = D[:, used[i]]
            truth[i, used[i]] = torch.linalg.pinv(A) @ x[i]
            by_one[i, used[i]] = A.T @ x[i]
            moved[i, used[i]] = torch.linalg.pinv(A) @ (x[i] - D @ z[i])
        shared = torch.zeros_like(z)
        union = used.any(dim=0)
        shared[:, union] = x @ torch.linalg.pinv(D[:, union]).T
        everything = x @ torch.linalg.pinv(D).T
        length = (x * (z @ D.T)).sum(dim=1) / (z @ D.T).square().sum(dim=1).clamp_min(1e-12)
        expect_close(
            attempt(answer, x, D, z),
            truth,
            {
                "nothing has changed: solve least squares for the weights on the non-zero places.": z,
                "you fitted all atoms; only those with z != 0 may be used.": everything,
                "you fitted all atoms together and then removed those with z = 0: the others must be fitted without them.": torch.where(
                    used, everything, 0
                ),
                "that is the inner product with each atom, as if they were at right angles; solve them together.": by_one,
                "you fitted the residual x - Dz: fit x itself, or add z again.": moved,
                "all signals use the atoms of all codes; each signal has its own.": shared,
                "positive places only: a negative weight is not zero, use z != 0.": refit(
                    x, D, z > 0
                ),
                "you scaled the whole code by one number; each weight has its own.": length[:, None]
                * z,
            },
            what=f"the refitted code for z of shape {(N, K)}",
            tolerance=1e-3,
        )


def refit(x: Tensor, D: Tensor, used: Tensor) -> Tensor:
    """Least squares on the given places of each row."""
    z = x.new_zeros(used.shape)
    for i in range(len(x)):
        z[i, used[i]] = torch.linalg.pinv(D[:, used[i]]) @ x[i]
    return z


def pursue(
    x: Tensor, D: Tensor, steps: int, add: bool = True, pick=torch.abs, update: bool = True
) -> Tensor:
    """Matching pursuit, and ways to get it wrong."""
    z, r = x.new_zeros(D.shape[1]), x
    for _ in range(steps):
        c = D.T @ r
        j = pick(c).argmax()
        z[j] = c[j] + (z[j] if add else 0)
        r = r - c[j] * D[:, j] if update else r
    return z


@exercise("02.3", "Matching pursuit without the O", difficulty=2, minutes=15)
def matching_pursuit(answer: object) -> None:
    """x (n,), D (n, K), steps -> z (K,)."""
    for n, K, steps in [(8, 12, 1), (16, 32, 6), (4, 10, 12), (3, 3, 20)]:
        D, x = normalise_atoms(torch.randn(n, K)), torch.randn(n)
        while True:  # no near ties: rounding must not decide which atom is next
            r, margin = x, 1.0
            for _ in range(steps):
                c = (D.T @ r).abs().sort(descending=True).values
                margin = min(margin, ((c[0] - c[1]) / c[0]).item())
                j = (D.T @ r).abs().argmax()
                r = r - (D[:, j] @ r) * D[:, j]
            if margin > 1e-3 and r.norm() > 1e-3 * x.norm():
                break
            x = torch.randn(n)
        c = D.T @ x
        at_once = torch.where(torch.arange(K) == c.abs().argmax(), c, 0)
        largest = torch.zeros(K).scatter(
            0, c.abs().topk(min(steps, K)).indices, c[c.abs().topk(min(steps, K)).indices]
        )
        expect_close(
            attempt(answer, x, D, steps),
            pursue(x, D, steps),
            {
                "that is OMP: here the weights taken earlier are not fitted again.": omp(
                    x[None], D, min(steps, n, K)
                )[0],
                "an atom that came up again lost its earlier weight: add to it, z[j] += ...": pursue(
                    x, D, steps, add=False
                ),
                "largest in magnitude: an atom with a large negative product fits as well.": pursue(
                    x, D, steps, pick=lambda c: c
                ),
                "the residual never changes, so the same atom is taken again and again.": pursue(
                    x, D, steps, update=False
                ),
                "only the first atom is there: subtract its part from the residual and go on.": at_once,
                "you took the largest products with x at once: after each atom the products change.": largest,
                "the weight is the product itself, with its sign; you used the magnitude.": pursue(
                    x, D, steps
                ).abs(),
                "one step too many.": pursue(x, D, steps + 1),
                "one step is missing.": pursue(x, D, steps - 1),
            },
            what=f"z after {steps} steps",
            tolerance=1e-3,
        )


@exercise("02.4", "Colours share their atoms", difficulty=2, minutes=15)
def group_threshold(answer: object) -> None:
    """z (N, C, K), t -> z (N, C, K)."""
    for (N, C, K), t in [((4, 3, 5), 0.7), ((1, 3, 8), 1.0), ((2, 1, 6), 0.5), ((3, 4, 3), 0.0)]:
        z = torch.randn(N, C, K)
        z[0, :, 0] = 0
        length = z.norm(dim=1, keepdim=True)
        safe = torch.where(length > 0, length, 1)

        def shrunk(size: Tensor) -> Tensor:
            return z * (1 - t / torch.where(size > 0, size, 1)).clamp_min(0)

        output = attempt(answer, z, t)
        if isinstance(output, Tensor) and output.shape == z.shape and output.isnan().any():
            raise Mistake(
                "NaN for a vector of zeros: 0/0. Divide by torch.where(length > 0, length, 1), or clamp the length."
            )
        expect_close(
            output,
            z * (1 - t / safe).clamp_min(0),
            {
                "that is the soft threshold of each number; the C weights of an atom must shrink together.": soft_threshold(
                    z, t
                ),
                "the length is taken over the atoms (last axis); it belongs to the channels, dim=1.": shrunk(
                    z.norm(dim=2, keepdim=True)
                ),
                "the length is taken over the signals (first axis); it belongs to the channels, dim=1.": shrunk(
                    z.norm(dim=0, keepdim=True)
                ),
                "the length is taken over channels and atoms together; each atom has its own.": shrunk(
                    z.flatten(1).norm(dim=1)[:, None, None]
                ),
                "vectors shorter than t turn round: clamp 1 - t/length at zero.": z
                * (1 - t / safe),
                "that is hard: longer vectors must lose t as well.": torch.where(
                    length > t, z, torch.zeros_like(z)
                ),
                "the length is the root of the sum of squares; you used the sum of squares.": shrunk(
                    length.square()
                ),
                "the length is the root of the sum of squares; you used the sum of magnitudes.": shrunk(
                    z.abs().sum(dim=1, keepdim=True)
                ),
                "the length is the root of the *sum* of squares; you used the mean.": shrunk(
                    z.square().mean(dim=1, keepdim=True).sqrt()
                ),
                "the largest of the C weights is not the length of their vector.": shrunk(
                    z.abs().amax(dim=1, keepdim=True)
                ),
                "multiply z by the factor: you gave back a vector of length 1 - t/length.": z
                / safe
                * (1 - t / safe).clamp_min(0),
            },
            what=f"the shrunk z of shape {(N, C, K)}, t = {t}",
        )


def weighted_lasso(x: Tensor, D: Tensor, prices: Tensor) -> Tensor:
    """Minimiser of ½|x - Dz|² + Σ prices |z|, to many digits (proximal steps with momentum)."""
    L = torch.linalg.matrix_norm(D, 2).square()
    z = y = torch.zeros_like(prices)
    t = x.new_ones(len(x), 1)
    for _ in range(400):
        new = soft_threshold(y + (x - y @ D.T) @ D / L, prices / L)
        t = torch.where(((y - new) * (new - z)).sum(dim=1, keepdim=True) > 0, 1.0, t)
        next_t = (1 + (1 + 4 * t.square()).sqrt()) / 2
        y, z, t = new + (t - 1) / next_t * (new - z), new, next_t
    return z


def reweighted(x: Tensor, D: Tensor, lam: float, rounds: int, weigh) -> Tensor:
    """`rounds` of weighted lasso; `weigh` gives the next prices from the code and the present prices."""
    prices = torch.full((len(x), D.shape[1]), lam).to(x)
    for turn in range(rounds):
        z = weighted_lasso(x, D, prices)
        prices = weigh(z, prices)
    return z


@exercise("02.5", "Ask again, with other prices", difficulty=3, minutes=30)
def reweighted_lasso(answer: object) -> None:
    """x (N, n), D (n, K), lam, rounds, epsilon -> z (N, K)."""
    for N, n, K, lam, rounds, e in [
        (3, 12, 18, 0.1, 1, 0.1),
        (4, 16, 24, 0.15, 2, 0.3),
        (2, 16, 24, 0.1, 4, 0.5),
    ]:
        D = normalise_atoms(torch.randn(n, K, dtype=torch.float64))
        z = torch.zeros(N, K, dtype=torch.float64)
        z[:, :3] = torch.tensor([2.0, -1.0, 0.7])
        x = z @ D.T + 0.1 * torch.randn(N, n, dtype=torch.float64)

        def right(z: Tensor, prices: Tensor) -> Tensor:
            return lam * e / (z.abs() + e)

        def result(weigh, rounds: int = rounds) -> Tensor:
            return reweighted(x, D, lam, rounds, weigh)

        def mistakes() -> dict[str, Tensor]:
            """What each mistake gives; computed only for an answer that is wrong."""
            if rounds == 1:
                return {
                    "one round too many: with rounds=1 the result is the plain lasso.": result(
                        right, 2
                    )
                }
            multiplied = (
                {}
                if rounds == 2
                else {
                    "you multiply the prices round by round: each time start again from lam.": result(
                        lambda z, p: p * e / (z.abs() + e)
                    ),
                }
            )
            return multiplied | {
                "that is the plain lasso: the prices have not changed after the first round.": result(
                    lambda z, p: p
                ),
                "one round is missing: `rounds` counts the plain lasso at the beginning too.": result(
                    right, rounds - 1
                ),
                "one round too many: the plain lasso at the beginning counts as the first.": result(
                    right, rounds + 1
                ),
                "the wrong way round: where |z| is large the price must be small.": result(
                    lambda z, p: lam * (z.abs() + e) / e
                ),
                "without the magnitude negative weights get a wrong price: use |z|.": result(
                    lambda z, p: (lam * e / (z + e)).nan_to_num(0, 0, 0).clamp(0, 1e6)
                ),
                "the factor epsilon is missing above the line: where z is 0 the price must be lam again.": result(
                    lambda z, p: lam / (z.abs() + e)
                ),
                "lam is missing in the new prices.": result(lambda z, p: e / (z.abs() + e)),
                "z is squared in your price; it is epsilon / (|z| + epsilon).": result(
                    lambda z, p: lam * e / (z.square() + e)
                ),
                "all signals get the same prices: each has its own code, so its own prices.": result(
                    lambda z, p: right(z, p).mean(dim=0, keepdim=True).expand_as(p)
                ),
            }

        output, what = attempt(answer, x, D, lam, rounds, e), f"z after {rounds} rounds"
        if isinstance(output, Tensor) and output.dtype != x.dtype:
            raise Mistake(
                f"the codes are {output.dtype}, the signals {x.dtype}: begin with x.new_zeros(...)."
            )
        truth = result(right)
        try:
            expect_close(output, truth, what=what, tolerance=2e-3)
        except Mistake:
            expect_close(output, truth, mistakes(), what=what, tolerance=2e-3)
        expect(not output.requires_grad, "the code carries gradients; work without autograd here.")
