"""Plausible wrong answers: check -> [(answer, words that the message must hold)]."""

import torch

from course_utils.sparse_coding import hard_threshold, omp, soft_threshold


def L(D):
    return torch.linalg.matrix_norm(D, 2) ** 2


def proximal(x, D, steps, shrink, step=None):
    z = torch.zeros(len(x), D.shape[1], dtype=x.dtype)
    step = 1 / L(D) if step is None else step
    for _ in range(steps):
        z = shrink(z + step * (x - z @ D.T) @ D)
    return z


def lasso_signed(x, D, lam, steps):
    return proximal(x, D, steps, lambda v: soft_threshold(v, lam / L(D)))


def right_nonnegative(x, D, lam, steps):
    return proximal(x, D, steps, lambda v: (v - lam / L(D)).clamp_min(0))


def refit(x, D, z, rule=lambda z: z != 0, target=lambda x, D, z: x):
    out = torch.zeros_like(z)
    for i in range(len(x)):
        used = rule(z[i])
        out[i, used] = torch.linalg.pinv(D[:, used]) @ target(x[i], D, z[i])
    return out


def fit_in_place(x, D, z):
    z[z != 0] = 0
    return z


def union_of_all(x, D, z):
    used = (z != 0).any(dim=0)
    out = torch.zeros_like(z)
    out[:, used] = x @ torch.linalg.pinv(D[:, used]).T
    return out


def pursuit(x, D, steps, update=True, add=True, magnitude=True, positive=False):
    r, z = x.clone(), torch.zeros(D.shape[1])
    for _ in range(steps):
        c = D.T @ r
        j = (c.abs() if magnitude else c).argmax()
        w = c[j].abs() if positive else c[j]
        z[j] = z[j] + w if add else w
        if update:
            r = r - c[j] * D[:, j]
    return z


def wrong_residual(x, D, steps):
    r, z = x.clone(), torch.zeros(D.shape[1])
    for _ in range(steps):
        c = D.T @ r
        j = c.abs().argmax()
        z[j] += c[j]
        r = x - c[j] * D[:, j]  # from x, not from r
    return z


def group(z, t, length):
    return z * (1 - t / length.clamp_min(1e-12)).clamp_min(0)


def reweighted(x, D, lam, rounds, price, steps=2000, step=None, keep=False):
    prices = torch.full((len(x), D.shape[1]), lam, dtype=x.dtype)
    step = 1 / L(D) if step is None else step
    for _ in range(rounds):
        z = proximal(x, D, steps, lambda v: soft_threshold(v, step * prices), step)
        prices = prices * price(z) / lam if keep else price(z)
    return z


WRONG = {
    "nonnegative_ista": [
        (lasso_signed, "both signs"),
        (lambda *a: lasso_signed(*a).clamp_min(0), "at the end"),
        (lambda *a: lasso_signed(*a).abs(), "magnitudes"),
        (
            lambda x, D, lam, s: proximal(x, D, s, lambda v: (v.abs() - lam / L(D)).clamp_min(0)),
            "come back as positive",
        ),
        (lambda x, D, lam, s: proximal(x, D, s, lambda v: v.clamp_min(0)), "price is missing"),
        (
            lambda x, D, lam, s: proximal(x, D, s, lambda v: (v - lam).clamp_min(0)),
            "threshold belongs to the step",
        ),
        (
            lambda x, D, lam, s: proximal(
                x, D, s, lambda v: hard_threshold(v, lam / L(D)).clamp_min(0)
            ),
            "hard threshold",
        ),
        (
            lambda x, D, lam, s: proximal(x, D, s, lambda v: (v + lam / L(D)).clamp_min(0)),
            "wrong sign",
        ),
        (
            lambda x, D, lam, s: proximal(x, D, s, lambda v: (v - lam).clamp_min(0), step=1.0),
            "L is forgotten",
        ),
        (
            lambda x, D, lam, s: proximal(
                x, D, s, lambda v: (v - lam / L(D) ** 0.5).clamp_min(0), step=1 / L(D) ** 0.5
            ),
            "divided by ‖D‖",
        ),
        (
            lambda x, D, lam, s: proximal(
                x, D, s, lambda v: (v - lam / D.norm() ** 2).clamp_min(0), step=1 / D.norm() ** 2
            ),
            "spectral norm",
        ),
        (lambda x, D, lam, s: right_nonnegative(x, D, lam, s + 1), "too many"),
        (lambda x, D, lam, s: right_nonnegative(x, D, lam, s - 1), "missing"),
        (lambda x, D, lam, s: right_nonnegative(x, D, lam, 500), "differs"),
        (lambda x, D, lam, s: right_nonnegative(x, D, lam, s).T, ""),
    ],
    "debias": [
        (lambda x, D, z: z, "nothing has changed"),
        (lambda x, D, z: x @ torch.linalg.pinv(D).T, "you fitted all atoms;"),
        (lambda x, D, z: torch.where(z != 0, x @ torch.linalg.pinv(D).T, 0), "then removed"),
        (lambda x, D, z: torch.where(z != 0, x @ D, 0), "right angles"),
        (lambda x, D, z: refit(x, D, z, target=lambda x, D, z: x - D @ z), "fitted the residual"),
        (union_of_all, "all codes"),
        (lambda x, D, z: refit(x, D, z, rule=lambda z: z > 0), "positive places"),
        (lambda x, D, z: refit(x, D, z)[:, :-1], "has shape"),
        (lambda x, D, z: [refit(x, D, z)], "is a list"),
        (
            lambda x, D, z: (
                z * (x * (z @ D.T)).sum(1, True) / (z @ D.T).square().sum(1, True).clamp_min(1e-9)
            ),
            "one number",
        ),
        (lambda x, D, z: z * (x * (z @ D.T)).sum(1, True) / (z @ D.T).square().sum(1, True), ""),
        (lambda x, D, z: z + torch.where(z != 0, (x - z @ D.T) @ D, 0), "differs"),
        (fit_in_place, "changed its input"),
    ],
    "matching_pursuit": [
        (lambda x, D, s: omp(x[None], D, min(s, *D.shape))[0], "that is OMP"),
        (lambda x, D, s: pursuit(x, D, s, add=False), "lost its earlier weight"),
        (lambda x, D, s: pursuit(x, D, s, magnitude=False), "in magnitude"),
        (lambda x, D, s: pursuit(x, D, s, update=False), "again and again"),
        (lambda x, D, s: pursuit(x, D, s, positive=True), ""),
        (lambda x, D, s: pursuit(x, D, s + 1), "too many"),
        (lambda x, D, s: pursuit(x, D, s - 1), "missing"),
        (lambda x, D, s: pursuit(x, D, 1), "only the first"),
        (
            lambda x, D, s: torch.where(
                (D.T @ x).abs() >= (D.T @ x).abs().topk(min(s, D.shape[1])).values[-1], D.T @ x, 0
            ),
            "at once",
        ),
        (wrong_residual, "differs"),
        (lambda x, D, s: pursuit(x, D, s)[None], "has shape"),
    ],
    "group_threshold": [
        (soft_threshold, "each number"),
        (lambda z, t: group(z, t, z.norm(dim=2, keepdim=True)), "last axis"),
        (lambda z, t: group(z, t, z.norm(dim=0, keepdim=True)), "first axis"),
        (lambda z, t: group(z, t, z.flatten(1).norm(dim=1)[:, None, None]), "together"),
        (lambda z, t: z * (1 - t / z.norm(dim=1, keepdim=True).clamp_min(1e-12)), "turn round"),
        (lambda z, t: torch.where(z.norm(dim=1, keepdim=True) > t, z, 0), "hard"),
        (lambda z, t: group(z, t, z.square().sum(dim=1, keepdim=True)), "sum of squares"),
        (lambda z, t: group(z, t, z.abs().sum(dim=1, keepdim=True)), "sum of magnitudes"),
        (lambda z, t: group(z, t, z.square().mean(dim=1, keepdim=True).sqrt()), "mean"),
        (lambda z, t: group(z, t, z.abs().amax(dim=1, keepdim=True)), "largest"),
        (lambda z, t: z * (1 - t / z.norm(dim=1, keepdim=True)).clamp_min(0), "NaN"),
        (
            lambda z, t: (
                torch.nn.functional.normalize(z, dim=1)
                * (1 - t / z.norm(dim=1, keepdim=True).clamp_min(1e-12)).clamp_min(0)
            ),
            "multiply z",
        ),
        (lambda z, t: (z.norm(dim=1) - t).clamp_min(0), "has shape"),
    ],
    "reweighted_lasso": [
        (
            lambda x, D, lam, r, e: reweighted(x, D, lam, r, lambda z: torch.full_like(z, lam)),
            "plain lasso",
        ),
        (
            lambda x, D, lam, r, e: reweighted(x, D, lam, r + 1, lambda z: lam * e / (z.abs() + e)),
            "too many",
        ),
        (
            lambda x, D, lam, r, e: reweighted(
                x, D, lam, max(r - 1, 1), lambda z: lam * e / (z.abs() + e)
            ),
            "",
        ),
        (
            lambda x, D, lam, r, e: reweighted(x, D, lam, r, lambda z: lam * (z.abs() + e) / e),
            "wrong way round",
        ),
        (
            lambda x, D, lam, r, e: reweighted(x, D, lam, r, lambda z: lam / (z.abs() + e)),
            "above the line",
        ),
        (
            lambda x, D, lam, r, e: reweighted(x, D, lam, r, lambda z: e / (z.abs() + e)),
            "lam is missing",
        ),
        (
            lambda x, D, lam, r, e: reweighted(x, D, lam, r, lambda z: lam * e / (z.square() + e)),
            "squared",
        ),
        (
            lambda x, D, lam, r, e: reweighted(
                x, D, lam, r, lambda z: lam * e / (z.abs() + e), keep=True
            ),
            "multiply the prices",
        ),
        (
            lambda x, D, lam, r, e: reweighted(
                x, D, lam, r, lambda z: (lam * e / (z.abs() + e)).mean(0, keepdim=True).expand_as(z)
            ),
            "same prices",
        ),
        (
            lambda x, D, lam, r, e: reweighted(
                x, D, lam, r, lambda z: lam * e / (z.abs() + e), steps=3
            ),
            "differs",
        ),
        (
            lambda x, D, lam, r, e: reweighted(
                x.float(), D.float(), lam, r, lambda z: lam * e / (z.abs() + e), steps=500
            ),
            "torch.float32",
        ),
        (
            lambda x, D, lam, r, e: soft_threshold(
                reweighted(x, D, lam, r, lambda z: lam * e / (z.abs() + e)), lam
            ),
            "differs",
        ),
    ],
}
