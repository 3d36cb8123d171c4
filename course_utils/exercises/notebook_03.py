"""Checks of notebook 03, Dictionary learning."""

import torch

from course_utils.exercises.core import attempt, exercise, expect, expect_close
from course_utils.patches import average_patches, extract_patches
from course_utils.sparse_coding import keep_largest, normalise_atoms

__all__ = [
    "atoms_found",
    "best_rank_one",
    "blend_with_noisy",
    "orthonormal_update",
    "refill_unused",
]


@exercise("03.1", "How many were found?", difficulty=1, minutes=10)
def atoms_found(answer: object) -> None:
    """D (n, K), true_atoms (n, M), threshold -> share of the true atoms found, a number."""
    for n, learned, true, threshold in [
        (20, 30, 12, 0.99),
        (20, 30, 12, 0.5),
        (5, 8, 3, 0.99),
        (4, 1, 1, 0.9),
        (6, 4, 9, 0.95),
    ]:
        true_atoms, D = (
            normalise_atoms(torch.randn(n, true)),
            normalise_atoms(torch.randn(n, learned)),
        )
        near = (
            min(true, learned) // 2
        )  # as many are learned nearly exactly, in another order, every second with the other sign
        if near:
            D[:, :near] = normalise_atoms(
                true_atoms[:, -near:] + 0.02 * torch.randn(n, near) / n**0.5
            )
            D[:, :near] *= torch.where(torch.arange(near) % 2 == 0, -1.0, 1.0)
        if learned > 2 * near:
            D[:, -1] = D[:, 0]  # one true atom found twice
        cosine = D.T @ true_atoms
        share = (cosine.abs().amax(dim=0) > threshold).float().mean()
        output = attempt(answer, D, true_atoms, threshold)
        if isinstance(output, torch.Tensor):
            expect(
                output.numel() == 1,
                f"the share is one number; yours has shape {tuple(output.shape)}.",
            )
            output = output.reshape(())
        same = min(learned, true)
        paired = ((D[:, :same] * true_atoms[:, :same]).sum(dim=0).abs() > threshold).float().mean()
        expect_close(
            output,
            share,
            {
                "an atom and its negative are the same atom: take the absolute value of the cosine.": (
                    cosine.amax(dim=0) > threshold
                )
                .float()
                .mean(),
                "that is the share of the learned atoms that are true ones; asked is the share of the true atoms that were "
                "learned: the maximum over the other axis.": (cosine.abs().amax(dim=1) > threshold)
                .float()
                .mean(),
                "the learned atoms come in any order: compare each true atom with all of them.": paired,
                "that is how many, or how many pairs; asked is a share from 0 to 1.": share * true,
                "an atom that was learned twice counts once.": (cosine.abs() > threshold)
                .float()
                .sum()
                / true,
                "divided by the number of learned atoms; asked is the share of the true ones.": share
                * true
                / learned,
                "the threshold is an argument: 0.99 is only its default.": (
                    cosine.abs().amax(dim=0) > 0.99
                )
                .float()
                .mean(),
                "that is the mean cosine; count the cosines above the threshold.": cosine.abs()
                .amax(dim=0)
                .mean(),
            },
            what=f"the share for {learned} learned and {true} true atoms, threshold {threshold}",
        )


@exercise("03.2", "Give the unused another chance", difficulty=2, minutes=15)
def refill_unused(answer: object) -> None:
    """x (N, n), D (n, K), z (N, K) -> D with unused atoms replaced by the worst coded signals."""
    for number, n, count, unused in [
        (30, 6, 8, [2, 5]),
        (10, 3, 4, [0]),
        (12, 4, 5, []),
        (9, 4, 6, [1, 3, 4]),
    ]:
        x, D = 3 * torch.randn(number, n), normalise_atoms(torch.randn(n, count))
        z = torch.randn(number, count) * (torch.rand(number, count) < 0.6)
        others = [j for j in range(count) if j not in unused]
        z[:, others[0]] = -z[:, others[0]].abs()  # negative weights only
        z[:, others[-1]] = 0  # two weights that cancel
        z[:2, others] = torch.tensor([[-1e-3], [1e-3]])
        if len(others) > 1:
            z[:2, others[0]] = -1e-3
        z[:, unused] = 0
        left = (x - z @ D.T).norm(dim=1)

        def with_atoms(
            order: torch.Tensor, scale: bool = True, places: list[int] = unused
        ) -> torch.Tensor:
            new = D.clone()
            for j, i in zip(places, order.tolist()):
                new[:, j] = x[i] / x[i].norm() if scale else x[i]
            return new

        order = left.argsort(descending=True)
        residual = D.clone()
        for j, i in zip(unused, order.tolist()):
            residual[:, j] = (x[i] - D @ z[i]) / left[i]
        expect_close(
            attempt(answer, x, D, z),
            with_atoms(order),
            {
                "the new atoms must have length 1: divide each by its norm.": with_atoms(
                    order, scale=False
                ),
                "you took the signals that are coded best; sort the errors in descending order.": with_atoms(
                    order.flip(0)
                ),
                "you took what is left of the signal; take the signal itself.": residual,
                "you took the largest signals; take those with the largest error |x - Dz|.": with_atoms(
                    x.norm(dim=1).argsort(descending=True)
                ),
                "all unused atoms became the same signal: the j-th unused atom gets the j-th worst signal.": with_atoms(
                    order[:1].expand(len(order))
                ),
                "the unused atoms are still there.": D,
                "unused means that all weights are zero: weights that are negative, or cancel, are uses too.": with_atoms(
                    order, places=(z.sum(dim=0) == 0).nonzero()[:, 0].tolist()
                ),
                "negative weights are uses too: compare with != 0.": with_atoms(
                    order, places=(z <= 0).all(dim=0).nonzero()[:, 0].tolist()
                ),
            },
            what=f"D for {len(unused)} unused atoms of {count}",
        )


@exercise("03.3", "K-SVD with the SVD", difficulty=2, minutes=20)
def best_rank_one(answer: object) -> None:
    """x (N, n), D (n, K), z (N, K), j -> atom (n,) and weights (N,)."""
    for number, n, count, j in [(40, 6, 8, 3), (20, 5, 5, 0), (15, 4, 9, 8)]:
        x, D = torch.randn(number, n), normalise_atoms(torch.randn(n, count))
        z = torch.randn(number, count) * (torch.rand(number, count) < 0.4)
        z[:4, j] = torch.tensor([1.0, -2.0, 0.5, 1.5])
        output = attempt(answer, x, D, z, j)
        expect(
            isinstance(output, (tuple, list)) and len(output) == 2,
            "return two things: the atom (n,), the weights (N,).",
        )
        d, w = output
        for value, shape, what in ((d, (n,), "the atom"), (w, (number,), "the weights")):
            expect(
                isinstance(value, torch.Tensor) and value.shape == shape,
                f"{what} should be a tensor of shape {shape}; yours is "
                f"{tuple(value.shape) if isinstance(value, torch.Tensor) else type(value).__name__}.",
            )
        used = z[:, j] != 0
        with_atom = x - z @ D.T
        without = with_atom + torch.outer(z[:, j], D[:, j])

        def outer(E: torch.Tensor, users: torch.Tensor) -> torch.Tensor:
            U, S, V = torch.linalg.svd(E[users], full_matrices=False)
            whole = torch.zeros_like(E)
            whole[users] = S[0] * torch.outer(U[:, 0], V[0])
            return whole

        everyone = torch.ones_like(used)
        truth = outer(without, used)
        U, S, V = torch.linalg.svd(without[used], full_matrices=False)
        no_scale = torch.zeros_like(truth)
        no_scale[used] = torch.outer(U[:, 0], V[0])
        power = without[used].T @ z[used, j]
        power = power / power.norm()
        expect(not w.isnan().any() and not d.isnan().any(), "there is NaN in your answer.")
        expect_close(
            torch.outer(w, d),
            truth,
            {
                "only the signals that use the atom take part: the code of the others must stay zero there.": outer(
                    without, everyone
                ),
                "put the atom back first: E = x - z Dᵀ + z_j d_jᵀ is what is left without it.": outer(
                    with_atom, used
                ),
                "you fitted the signals themselves: first take away what the other atoms explain.": outer(
                    x, used
                ),
                "the weights lack the singular value: w = S[0] U[:, 0].": no_scale,
                "that is the power step of the lesson; asked is the exact answer, by torch.linalg.svd.": torch.outer(
                    without @ power * used, power
                ),
                "you left the atom and its weights as they were.": torch.outer(z[:, j], D[:, j]),
            },
            what="weights times atom",
            tolerance=1e-3,
        )
        expect(
            abs(d.norm().item() - 1) < 1e-3,
            f"the atom has length {d.norm():.3g}; it must be 1, and the size belongs into the weights.",
        )


@exercise("03.4", "Ask the noisy pixel too", difficulty=2, minutes=15)
def blend_with_noisy(answer: object) -> None:
    """noisy (1, C, H, W), patches (number, C·64), mu -> image (1, C, H, W)."""
    for shape, mu in [((1, 1, 12, 10), 0.5), ((1, 3, 9, 9), 3.0), ((1, 1, 8, 8), 0.0)]:
        noisy = torch.rand(shape)
        patches = 0.5 + torch.randn_like(
            extract_patches(noisy)
        )  # also outside [0, 1]: nothing is to be clipped
        mean = average_patches(patches, shape)
        fold = torch.nn.functional.fold
        cover = fold(torch.ones_like(patches).T[None], shape[2:], 8)
        total = mean * cover
        expect_close(
            attempt(answer, noisy, patches, mu),
            (mu * noisy + total) / (mu + cover),
            {
                "you weighed the mean of the patches with 1; each of the patches that cover a pixel has a vote of its own, so the "
                "mean counts as often as there are patches.": (mu * noisy + mean) / (mu + 1),
                "the number of votes is wrong: mu belongs into the denominator too.": (
                    mu * noisy + total
                )
                / cover,
                "the noisy image has no vote in yours: add mu times it.": mean,
                "mu times the noisy image belongs above the line as well.": total / (mu + cover),
                "the result is clipped; it need not stay in [0, 1].": (
                    (mu * noisy + total) / (mu + cover)
                ).clamp(0, 1),
                "in the corners fewer patches cover a pixel: count them, do not take 64 everywhere.": (
                    mu * noisy + total
                )
                / (mu + 64),
                "mu is the vote of the noisy image; you gave it to the patches.": (
                    noisy + mu * total
                )
                / (1 + mu * cover),
                "the denominator is missing: that is a sum, not a mean.": mu * noisy + total,
            },
            what=f"the image {shape} for mu = {mu}",
        )


@exercise("03.5", "A dictionary that is a basis", difficulty=3, minutes=25)
def orthonormal_update(answer: object) -> None:
    """x (N, n), z (N, n) -> orthonormal D (n, n)."""
    for number, n in [(50, 6), (30, 4), (5, 1)]:
        x = torch.randn(number, n) * torch.linspace(1, 2, n)
        z = keep_largest(x @ torch.linalg.qr(torch.randn(n, n))[0], max(1, n // 2))
        U, _, V = torch.linalg.svd(x.T @ z)
        least = torch.linalg.lstsq(z, x).solution.T if n > 1 else torch.ones(1, 1)
        expect_close(
            attempt(answer, x, z),
            U @ V,
            {
                "transposed: with signals as rows, x ≈ z Dᵀ, it is the SVD of xᵀz that counts, D = U Vᵀ.": (
                    U @ V
                ).T,
                "torch.linalg.svd returns Vᵀ already: D = U @ Vh, without another .T.": U @ V.T,
                "those are atoms of length 1, but not at right angles: use the SVD of xᵀz.": least
                / least.norm(dim=0),
                "least squares is the best D without the condition DᵀD = I: use the SVD of xᵀz.": least,
                "U alone is orthonormal but not the best rotation: multiply by Vᵀ.": U,
                "the singular values are still in it; leave them out.": x.T @ z,
            },
            what=f"D for {number} signals of {n} numbers",
            tolerance=1e-3,
        )
