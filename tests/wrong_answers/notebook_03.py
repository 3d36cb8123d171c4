"""Plausible wrong answers: check -> [(answer, words that the message must hold)]."""

import torch

from course_utils.patches import average_patches


def refill(x, D, z, pick, scale=True):
    D, unused = D.clone(), (z == 0).all(dim=0)
    new = x[pick[: int(unused.sum())]].T
    D[:, unused] = new / new.norm(dim=0) if scale else new
    return D


def replace_where(x, D, z, unused):
    worst = errors(x, D, z).argsort(descending=True)[: int(unused.sum())]
    D = D.clone()
    D[:, unused] = (x[worst] / x[worst].norm(dim=1, keepdim=True)).T
    return D


def errors(x, D, z):
    return (x - z @ D.T).norm(dim=1)


def rank_one(E, users, scale=True):
    U, S, V = torch.linalg.svd(E[users], full_matrices=False)
    w = torch.zeros(len(E))
    w[users] = U[:, 0] * (S[0] if scale else 1)
    return V[0], w


def without(x, D, z, j):
    return x - z @ D.T + torch.outer(z[:, j], D[:, j])


def votes(patches, noisy):
    return torch.nn.functional.fold(torch.ones_like(patches).T[None], noisy.shape[2:], 8)


def total(patches, noisy):
    return torch.nn.functional.fold(patches.T[None], noisy.shape[2:], 8)


def procrustes(x, z):
    U, _, V = torch.linalg.svd(x.T @ z)
    return U, V


def power(x, D, z, j):
    E, users = without(x, D, z, j), z[:, j] != 0
    d = E[users].T @ z[users, j]
    d = d / d.norm()
    return d, (E @ d) * users


WRONG = {
    "atoms_found": [
        (lambda D, T, t: ((D.T @ T).amax(dim=0) > t).float().mean(), "absolute value"),
        (lambda D, T, t: ((D.T @ T).abs().amax(dim=1) > t).float().mean(), "other axis"),
        (lambda D, T, t: ((D.T @ T).abs() > t).float().sum() / T.shape[1], "counts once"),
        (lambda D, T, t: ((D.T @ T).abs().amax(dim=0) > t).float().sum(), "a share from 0 to 1"),
        (lambda D, T, t: (D.T @ T).abs().amax(dim=0).mean(), "mean cosine"),
        (lambda D, T, t: (D.T @ T).abs().amax(dim=0) > t, "one number"),
        (lambda D, T, t: ((D.T @ T).abs() > t).float().mean(), "differs from the reference"),
        (lambda D, T, t: ((D.T @ T).abs().amax(dim=0) > 0.99).float().mean(), "is an argument"),
        (
            lambda D, T, t: ((D.T @ T).abs().amax(dim=0) > t).float().sum() / D.shape[1],
            "number of learned atoms",
        ),
    ],
    "refill_unused": [
        (
            lambda x, D, z: refill(x, D, z, errors(x, D, z).argsort(descending=True), scale=False),
            "length 1",
        ),
        (lambda x, D, z: refill(x, D, z, errors(x, D, z).argsort()), "coded best"),
        (
            lambda x, D, z: refill(x, D, z, x.norm(dim=1).argsort(descending=True)),
            "largest signals",
        ),
        (lambda x, D, z: refill(x, D, z, errors(x, D, z).argmax().expand(9)), "the same signal"),
        (
            lambda x, D, z: refill(x - z @ D.T, D, z, errors(x, D, z).argsort(descending=True)),
            "what is left",
        ),
        (lambda x, D, z: D, "still there"),
        (lambda x, D, z: replace_where(x, D, z, z.sum(dim=0) == 0), "cancel"),
        (lambda x, D, z: replace_where(x, D, z, ~(z > 0).any(dim=0)), "negative weights are uses"),
        (lambda x, D, z: D[:, (z != 0).any(dim=0)], "has shape"),
    ],
    "best_rank_one": [
        (
            lambda x, D, z, j: rank_one(without(x, D, z, j), torch.ones(len(x), dtype=torch.bool)),
            "only the signals",
        ),
        (lambda x, D, z, j: rank_one(x - z @ D.T, z[:, j] != 0), "put the atom back"),
        (
            lambda x, D, z, j: rank_one(without(x, D, z, j), z[:, j] != 0, scale=False),
            "singular value",
        ),
        (power, "power step"),
        (lambda x, D, z, j: rank_one(x, z[:, j] != 0), "signals themselves"),
        (lambda x, D, z, j: (D[:, j], z[:, j]), "as they were"),
        (lambda x, D, z, j: rank_one(without(x, D, z, j), z[:, j] != 0)[0], "return two things"),
        (
            lambda x, D, z, j: tuple(reversed(rank_one(without(x, D, z, j), z[:, j] != 0))),
            "should be a tensor of shape",
        ),
        (
            lambda x, D, z, j: (lambda d, w: (2 * d, w / 2))(
                *rank_one(without(x, D, z, j), z[:, j] != 0)
            ),
            "length 2",
        ),
    ],
    "blend_with_noisy": [
        (lambda y, p, mu: (mu * y + average_patches(p, y.shape)) / (mu + 1), "vote of its own"),
        (lambda y, p, mu: (mu * y + total(p, y)) / votes(p, y), "denominator too"),
        (lambda y, p, mu: average_patches(p, y.shape), "no vote"),
        (lambda y, p, mu: (mu * y + total(p, y)) / (mu + 64), "in the corners"),
        (
            lambda y, p, mu: (y + mu * total(p, y)) / (1 + mu * votes(p, y)),
            "gave it to the patches",
        ),
        (lambda y, p, mu: mu * y + total(p, y), "not a mean"),
        (lambda y, p, mu: total(p, y) / (mu + votes(p, y)), "above the line"),
        (lambda y, p, mu: ((mu * y + total(p, y)) / (mu + votes(p, y))).clamp(0, 1), "clipped"),
    ],
    "orthonormal_update": [
        (lambda x, z: (procrustes(x, z)[0] @ procrustes(x, z)[1]).T, "transposed"),
        (lambda x, z: procrustes(x, z)[0] @ procrustes(x, z)[1].T, "already"),
        (lambda x, z: procrustes(x, z)[0], "best rotation"),
        (lambda x, z: torch.linalg.lstsq(z, x).solution.T, "least squares"),
        (
            lambda x, z: (
                torch.linalg.lstsq(z, x).solution.T / torch.linalg.lstsq(z, x).solution.norm(dim=1)
            ),
            "right angles",
        ),
        (lambda x, z: x.T @ z, "singular values"),
        (lambda x, z: torch.linalg.qr(x.T @ z)[0], "differs from the reference"),
    ],
}
