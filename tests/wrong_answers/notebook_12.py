"""Plausible wrong answers: check -> [(answer, words that the message must hold)]."""

import math

import torch
from torch.nn import functional as F


def whitened(c, means, factors):
    return torch.linalg.solve_triangular(factors, (c[:, None] - means)[..., None], upper=False)[
        ..., 0
    ]


def logdet(factors):
    return factors.diagonal(dim1=1, dim2=2).log().sum(dim=1)


def each(c, means, factors):
    return (
        -0.5 * whitened(c, means, factors).square().sum(dim=2)
        - logdet(factors)
        - 0.5 * c.shape[1] * math.log(2 * math.pi)
    )


def mixed(terms, shares):
    return torch.logsumexp(terms + shares.log(), dim=1)


def price(decoder, encode, real, weight):
    x = (real + 1) / 2
    with torch.no_grad():
        code = encode(x)
    return weight * (decoder(code) - x).square()


def half(real):
    return (real + 1) / 2


def held(decoder, encode, seen, wanted, weight):
    with torch.no_grad():
        code = encode(seen)
    return weight * F.mse_loss(decoder(code), wanted)


def counted(change, share, descending=True):
    change = change.sort(dim=1, descending=descending).values.cumsum(dim=1)
    return (change < share * change[:, -1:]).sum(dim=1) + 1


def squares(before, after):
    return (after - before).square().sum(dim=1).flatten(1)


def two(generated, stored):
    return torch.cdist(generated, stored).topk(2, dim=1, largest=False).values


def others(generated, stored):
    gaps = torch.cdist(generated, stored)
    same = (stored[gaps.argmin(dim=1)][:, None] == stored).all(dim=2)
    return gaps.amin(dim=1), gaps.masked_fill(same, math.inf).amin(dim=1)


WRONG = {
    "mixture_log_density": [
        (lambda c, w, m, L: torch.logsumexp(each(c, m, L), dim=1), "shares are missing"),
        (lambda c, w, m, L: torch.logsumexp(each(c, m, L) + w, dim=1), "log w_i"),
        (lambda c, w, m, L: (each(c, m, L) * w).sum(dim=1), "mean of the log densities"),
        (lambda c, w, m, L: (each(c, m, L) + w.log()).amax(dim=1), "best component"),
        (lambda c, w, m, L: mixed(each(c, m, L) + logdet(L), w), "determinant is missing"),
        (lambda c, w, m, L: mixed(each(c, m, L) - logdet(L), w), "squared"),
        (
            lambda c, w, m, L: mixed(each(c, m, L) + 0.5 * c.shape[1] * math.log(2 * math.pi), w),
            "constant n/2",
        ),
        (
            lambda c, w, m, L: mixed(
                -0.5
                * torch.linalg.solve_triangular(L.mT, (c[:, None] - m)[..., None], upper=True)[
                    ..., 0
                ]
                .square()
                .sum(dim=2)
                - logdet(L)
                - 0.5 * c.shape[1] * math.log(2 * math.pi),
                w,
            ),
            "transposed",
        ),
        (
            lambda c, w, m, L: mixed(
                -0.5 * (L @ (c[:, None] - m)[..., None])[..., 0].square().sum(dim=2)
                - logdet(L)
                - 0.5 * c.shape[1] * math.log(2 * math.pi),
                w,
            ),
            "multiply",
        ),
        (lambda c, w, m, L: each(c, m, L) + w.log(), "join them"),
        (lambda c, w, m, L: mixed(each(c, m, L), w).exp(), "asked is its logarithm"),
        (lambda c, w, m, L: (each(c, m, L).exp() * w).sum(dim=1).log(), "logsumexp"),
    ],
    "reconstruction_price": [
        (lambda d, e, r, w: held(d, e, half(r), r, w), "take both in [0, 1]"),
        (lambda d, e, r, w: held(d, e, r, half(r), w), "it was given those"),
        (lambda d, e, r, w: held(d, e, r, r, w), "nothing was brought"),
        (lambda d, e, r, w: 4 * price(d, e, r, w).mean(), "four times"),
        (lambda d, e, r, w: price(d, e, r, 1.0).mean(), "weight is missing"),
        (lambda d, e, r, w: price(d, e, r, w).sum(), "squares are summed"),
        (
            lambda d, e, r, w: price(d, e, r, w).flatten(1).sum(dim=1).mean(),
            "each picture are summed",
        ),
        (lambda d, e, r, w: w * F.l1_loss(d(e(half(r)).detach()), half(r)), "absolute"),
        (lambda d, e, r, w: -price(d, e, r, w).mean(), "sign"),
        (lambda d, e, r, w: w * F.mse_loss(d(e(half(r))), half(r)), "encoder gets a gradient"),
        (lambda d, e, r, w: price(d, e, r, w).mean().detach(), "no gradient reaches the decoder"),
        (
            lambda d, e, r, w: torch.no_grad()(price)(d, e, r, w).mean(),
            "no gradient reaches the decoder",
        ),
    ],
    "topk_bits": [
        (lambda n, k, b: math.log2(math.comb(n, k)), "values are missing"),
        (lambda n, k, b: k * b, "places are missing"),
        (lambda n, k, b: math.log(math.comb(n, k)) + k * b, "natural logarithm"),
        (lambda n, k, b: sum(math.log2(n - i) for i in range(k)) + k * b, "order"),
        (lambda n, k, b: k * (math.log2(n) + b), "choose a set"),
        (lambda n, k, b: n + k * b, "one bit for each unit"),
        (lambda n, k, b: math.log2(math.comb(n, k)) + n * b, "only k of the units"),
        (lambda n, k, b: float(math.comb(n, k)) + k * b, "number of choices"),
    ],
    "pixels_changed": [
        (lambda a, b, s: counted(squares(a, b), s) - 1, "one too few"),
        (lambda a, b, s: counted(squares(a, b), s) + 1, "one too many"),
        (lambda a, b, s: counted((b - a).abs().sum(dim=1).flatten(1), s), "absolute"),
        (lambda a, b, s: counted(squares(a, b), s, False), "descending=True"),
        (
            lambda a, b, s: (squares(a, b) >= s * squares(a, b).amax(dim=1, keepdim=True)).sum(
                dim=1
            ),
            "share of the largest",
        ),
        (lambda a, b, s: counted(squares(a, b), s) / squares(a, b).shape[1], "share of the pixels"),
        (lambda a, b, s: counted((b - a).square().flatten(1), s), "colours together"),
        (lambda a, b, s: counted(squares(a, b), s).float().mean(), "single number"),
        (
            lambda a, b, s: counted(squares(a, b), s * (1 + 1e-6)),
            "when the share is reached, not when it is passed",
        ),
    ],
    "copy_ratio": [
        (lambda g, s: two(g, s)[:, 0] / two(g, s)[:, 1], "its own second nearest"),
        (lambda g, s: others(g, s)[1] / others(g, s)[0], "upside down"),
        (lambda g, s: (others(g, s)[0] / others(g, s)[1]).square(), "squared distances"),
        (lambda g, s: others(g, s)[0], "*other* one"),
        (lambda g, s: others(g, s)[0] / torch.cdist(g, s).mean(dim=1), "mean distance"),
        (lambda g, s: (others(g, s)[0] / others(g, s)[1]).min(), "single number"),
        (lambda g, s: farther(g, s), "not equally far"),
    ],
}


def farther(generated, stored):
    """The rule with the rows that are as far as the nearest left out, equal to it or not."""
    gaps = torch.cdist(generated, stored)
    near = gaps.amin(dim=1)
    return near / gaps.masked_fill(gaps <= near[:, None], float("inf")).amin(dim=1)
