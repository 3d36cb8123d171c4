"""Plausible wrong answers: check -> [(answer, words that the message must hold)]."""

import math

import torch
from torch.nn import functional as F


def kl(m1, l1, m2, l2):
    return 0.5 * (l2 - l1 + (l1.exp() + (m1 - m2).square()) / l2.exp() - 1)


def inverse(u):
    return -torch.sign(u) * torch.log1p(-2 * u.abs())


def price(mean, log_variance):
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance)


def nats(x, logits):
    return F.binary_cross_entropy_with_logits(logits, x, reduction="none").flatten(1)


def log_mean(ratio, dim=0):
    return torch.logsumexp(ratio, dim=dim) - math.log(ratio.shape[dim])


def mse(x, x_hat):
    return (x - x_hat).square().mean()


def error(x, x_hat):
    return 0.5 * x[0].numel() * (1 + torch.log(2 * math.pi * mse(x, x_hat)))


WRONG = {
    "kl_gaussians": [
        (lambda m1, l1, m2, l2: kl(m2, l2, m1, l1).sum(dim=1), "changed over"),
        (lambda m1, l1, m2, l2: kl(m1, l1, m2, l2).mean(dim=1), "not their mean"),
        (lambda m1, l1, m2, l2: kl(m1, l1, m2, l2), "sum over them"),
        (lambda m1, l1, m2, l2: kl(m1, l1, m2, l2).sum(), "single number"),
        (lambda m1, l1, m2, l2: 2 * kl(m1, l1, m2, l2).sum(dim=1), "1/2"),
        (lambda m1, l1, m2, l2: (kl(m1, l1, m2, l2) + 0.5).sum(dim=1), "-1 is missing"),
        (lambda m1, l1, m2, l2: kl(m1, 2 * l1, m2, 2 * l2).sum(dim=1), "standard deviation"),
        (lambda m1, l1, m2, l2: kl(m1, l1, 0 * m2, 0 * l2).sum(dim=1), "N(0, I)"),
        (lambda m1, l1, m2, l2: (kl(m1, l1, m2, l2) - (l2 - l1)).sum(dim=1), "wrong sign"),
        (
            lambda m1, l1, m2, l2: (
                0.5 * (l2 - l1 + (l1 - l2).exp() + (m1 - m2).square() - 1).sum(dim=1)
            ),
            "divided by v2",
        ),
        (
            lambda m1, l1, m2, l2: (
                0.5 * (l2 - l1 + (l1.exp() + (m1 - m2)) / l2.exp() - 1).sum(dim=1)
            ),
            "is squared",
        ),
        (
            lambda m1, l1, m2, l2: (
                0.5
                * (
                    (l2.exp() / l1.exp()).log() + (l1.exp() + (m1 - m2).square()) / l2.exp() - 1
                ).sum(dim=1)
            ),
            "-200",
        ),
        (lambda m1, l1, m2, l2: kl(m1, l1 / 2, m2, l2 / 2).sum(dim=1), "asks for the variance"),
        (
            lambda m1, l1, m2, l2: 0.5 * (l2 - l1 + (l1 + (m1 - m2).square()) / l2 - 1).sum(dim=1),
            "v = exp(log_variance)",
        ),
        (
            lambda m1, l1, m2, l2: (
                0.5 * (l2 - l1 + (l1 + (m1 - m2).square()) / l2.exp() - 1).sum(dim=1)
            ),
            "exp is missing",
        ),
    ],
    "draw_laplace": [
        (lambda m, s, u: m - s.exp() * inverse(u), "goes the way of u"),
        (lambda m, s, u: m + s * inverse(u), "b = exp(log_scale)"),
        (lambda m, s, u: m + (0.5 * s).exp() * inverse(u), "without 1/2"),
        (lambda m, s, u: m + s.exp() * inverse(u).abs(), "one side"),
        (lambda m, s, u: m + s.exp() * u, "inverse of the cumulative"),
        (lambda m, s, u: s.exp() * inverse(u), "mean is missing"),
        (lambda m, s, u: m - s.exp() * torch.sign(u) * torch.log1p(-u.abs()), "doubled"),
        (lambda m, s, u: m + inverse(u), "factor b"),
        (lambda m, s, u: (m + s.exp() * inverse(u)).detach(), "no gradient"),
        (lambda m, s, u: m + s.exp().detach() * inverse(u), "reaches log_scale"),
        (lambda m, s, u: m.detach() + s.exp() * inverse(u), "gradient to the mean"),
        (
            lambda m, s, u: torch.distributions.Laplace(m, s.exp()).sample(),
            "differs from call to call",
        ),
        (
            lambda m, s, u: torch.distributions.Laplace(m, s.exp()).rsample(),
            "differs from call to call",
        ),
    ],
    "coin_elbo": [
        (lambda x, y, m, v: nats(x, y).sum(dim=1) + price(m, v).sum(dim=1), "-ELBO"),
        (lambda x, y, m, v: -nats(x, y).sum(dim=1) + price(m, v).sum(dim=1), "subtracted"),
        (
            lambda x, y, m, v: -nats(x, y).mean(dim=1) - price(m, v).sum(dim=1),
            "not averaged: with a mean",
        ),
        (
            lambda x, y, m, v: -nats(x, y).sum(dim=1) - price(m, v).mean(dim=1),
            "numbers of the code, not averaged",
        ),
        (
            lambda x, y, m, v: -nats(x, y).sum() - price(m, v).sum(dim=1),
            "pixels of the whole batch",
        ),
        (
            lambda x, y, m, v: -nats(x, y).sum(dim=1) - price(m, v).sum(),
            "prices of the whole batch",
        ),
        (
            lambda x, y, m, v: (-nats(x, y).sum(dim=1) - price(m, v).sum(dim=1)).mean(),
            "single number",
        ),
        (lambda x, y, m, v: -nats(x, y).sum(dim=1), "price is missing"),
        (
            lambda x, y, m, v: -nats(x, y.sigmoid()).sum(dim=1) - price(m, v).sum(dim=1),
            "has its own",
        ),
        (
            lambda x, y, m, v: -nats(x, y).sum(dim=1) - price(m, 2 * v).sum(dim=1),
            "standard deviation",
        ),
        (
            lambda x, y, m, v: (
                -0.5 * (y.sigmoid() - x).square().flatten(1).sum(dim=1) - price(m, v).sum(dim=1)
            ),
            "coin",
        ),
        (lambda x, y, m, v: -nats(x, y).sum(dim=1) - 2 * price(m, v).sum(dim=1), "1/2"),
        (
            lambda x, y, m, v: (
                F.binary_cross_entropy(y.sigmoid(), x, reduction="none").flatten(1).sum(dim=1).neg()
                - price(m, v).sum(dim=1)
            ),
            "logit of -200",
        ),
        (
            lambda x, y, m, v: -F.binary_cross_entropy_with_logits(y, x) - price(m, v).sum(dim=1),
            "its default",
        ),
        (lambda x, y, m, v: -nats(y, x).sum(dim=1) - price(m, v).sum(dim=1), "changed over"),
        (
            lambda x, y, m, v: -nats(x, y).sum(dim=1) - price(m, v).sum(dim=1).mean(),
            "batch are averaged;",
        ),
        (lambda x, y, m, v: -nats(x, y).sum(dim=1) - price(m, v).mean(), "own sum"),
        (
            lambda x, y, m, v: (-nats(x, y).sum(dim=1) - price(m, v).sum(dim=1)) / math.log(2),
            "bits",
        ),
    ],
    "importance_bound": [
        (lambda p, q: (p - q).mean(dim=0), "mean of the logarithms"),
        (lambda p, q: torch.logsumexp(p - q, dim=0), "log K"),
        (lambda p, q: torch.logsumexp(p - q, dim=0) + math.log(len(p)), "added log K"),
        (lambda p, q: torch.logsumexp(p - q, dim=0) / len(p), "divided by K"),
        (lambda p, q: torch.logsumexp(p - q, dim=0) - math.log(p.shape[1]), "number of pictures"),
        (lambda p, q: log_mean(p + q), "is subtracted"),
        (lambda p, q: log_mean(p), "1 / q are missing"),
        (lambda p, q: (p - q).amax(dim=0), "best of the draws"),
        (lambda p, q: torch.logsumexp(p, dim=0) - torch.logsumexp(q, dim=0), "ratio of the means"),
        (lambda p, q: -log_mean(p - q), "sign"),
        (lambda p, q: (p - q).exp().mean(dim=0).log(), "logsumexp"),
        (lambda p, q: log_mean(p - q).mean(), "single number"),
        (lambda p, q: log_mean(p - q, dim=1), "has shape"),
    ],
    "best_sigma": [
        (lambda x, y: (mse(x, y), error(x, y)), "take the root"),
        (
            lambda x, y: ((x - y).square().flatten(1).sum(dim=1).mean().sqrt(), error(x, y)),
            "one pixel",
        ),
        (lambda x, y: ((x - y).abs().mean(), error(x, y)), "absolute"),
        (
            lambda x, y: ((x - y).square().flatten(1).mean(dim=1).sqrt().mean(), error(x, y)),
            "first, over all pictures",
        ),
        (lambda x, y: ((mse(x, y) / 2).sqrt(), error(x, y)), "half the mean"),
        (lambda x, y: (x.std(), error(x, y)), "spread of the pixels"),
        (lambda x, y: ((x - y).square().sum().sqrt(), error(x, y)), "take their mean"),
        (lambda x, y: (mse(x, y).sqrt(), error(x, y) / x[0].numel()), "of one pixel"),
        (lambda x, y: (mse(x, y).sqrt(), error(x, y) - x[0].numel() / 2), "first part"),
        (
            lambda x, y: (mse(x, y).sqrt(), error(x, y) - x[0].numel() / 2 * math.log(2 * math.pi)),
            "constant",
        ),
        (lambda x, y: (mse(x, y).sqrt(), torch.tensor(x[0].numel() / 2)), "second part"),
        (lambda x, y: (mse(x, y).sqrt(), len(x) * error(x, y)), "together"),
        (lambda x, y: (mse(x, y).sqrt(), -error(x, y)), "sign"),
        (lambda x, y: mse(x, y).sqrt(), "two things"),
        (
            lambda x, y: ((x - y).square().flatten(1).mean(dim=1).sqrt(), error(x, y)),
            "single numbers",
        ),
    ],
}
