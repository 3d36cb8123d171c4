"""The losses of a GAN and their usual mistakes (exercises 08.1, 08.2, 08.3 and 08.5)."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = [
    "BEST",
    "JSD",
    "JSD_OF_ZEROS",
    "LOSS",
    "QUADRATURE",
    "best",
    "jsd",
    "non_saturating",
    "quadrature",
]


def terms(p: Tensor, q: Tensor, score: Tensor) -> Tensor:
    return p * F.logsigmoid(score) + q * F.logsigmoid(-score)


def quadrature(x: Tensor, p: Tensor, q: Tensor, score: Tensor) -> Tensor:
    """The value V by the trapezoid rule; all (n,) -> ()."""
    return torch.trapezoid(terms(p, q, score), x)


def summed(of_values: Callable) -> Callable:
    """V as a function of the integrand and the widths of the intervals."""
    return lambda x, *densities: of_values(terms(*densities), x.diff())


def integral_of(integrand: Callable) -> Callable:
    return lambda x, p, q, s: torch.trapezoid(integrand(p, q, s), x)


QUADRATURE = {
    "the steps differ: give torch.trapezoid x too.": summed(lambda y, dx: torch.trapezoid(y)),
    "the sum lacks dx: use torch.trapezoid(..., x).": summed(lambda y, dx: y.sum()),
    "that is a mean; an integral weighs each value with dx.": summed(lambda y, dx: y.mean()),
    "the sign is wrong: both logarithms are negative.": lambda *a: -quadrature(*a),
    "p and q are swapped: log D belongs to p.": lambda x, p, q, s: quadrature(x, q, p, s),
    "the second term is log(1 - D), not log D.": lambda x, p, q, s: quadrature(x, p + q, 0 * q, s),
    "all intervals get the width of the first; they differ.": summed(
        lambda y, dx: torch.trapezoid(y) * dx[0]
    ),
    "all intervals get the mean width; each has its own.": summed(
        lambda y, dx: torch.trapezoid(y) * dx.mean()
    ),
    "that is the sum times the first width: use the trapezoid rule.": summed(
        lambda y, dx: y.sum() * dx[0]
    ),
    "that is the sum times the mean width: use the trapezoid rule.": summed(
        lambda y, dx: y.sum() * dx.mean()
    ),
    "that is the mean times the length: use the trapezoid rule.": summed(
        lambda y, dx: y.mean() * dx.sum()
    ),
    "each interval takes its left value; the trapezoid rule takes the mean of both ends.": summed(
        lambda y, dx: (y[:-1] * dx).sum()
    ),
    "each interval takes its right value; the trapezoid rule takes the mean of both ends.": summed(
        lambda y, dx: (y[1:] * dx).sum()
    ),
    "the factor 1/2 of the trapezoid rule is missing.": lambda *a: 2 * quadrature(*a),
    "that is half of V.": lambda *a: quadrature(*a) / 2,
    "that is divided by the length of the interval; V is the integral.": lambda x, *a: (
        quadrature(x, *a) / (x[-1] - x[0])
    ),
    "torch.trapezoid takes the integrand first, then x.": lambda x, *a: torch.trapezoid(
        x, terms(*a)
    ),
    "the term q log(1 - D) is missing.": integral_of(lambda p, q, s: p * F.logsigmoid(s)),
    "the term p log D is missing.": integral_of(lambda p, q, s: q * F.logsigmoid(-s)),
    "the second term is the log of 1 - D, not 1 - log D.": integral_of(
        lambda p, q, s: p * F.logsigmoid(s) + q * (1 - F.logsigmoid(s))
    ),
    "the terms are added, not subtracted.": integral_of(
        lambda p, q, s: p * F.logsigmoid(s) - q * F.logsigmoid(-s)
    ),
    "the densities are missing: weigh log D with p and log(1 - D) with q.": integral_of(
        lambda p, q, s: F.logsigmoid(s) + F.logsigmoid(-s)
    ),
    "the logarithms are missing.": integral_of(
        lambda p, q, s: p * s.sigmoid() + q * (-s).sigmoid()
    ),
    "that is in bits: use the natural logarithm.": lambda *a: quadrature(*a) / math.log(2),
}


def best(log_p: Tensor, log_q: Tensor) -> Tensor:
    """The best discriminator, p / (p + q), from log densities (n,) -> (n,)."""
    return (log_p - log_q).sigmoid()


BEST = {
    "that is q / (p + q): D is the probability of *real*.": lambda a, b: best(b, a),
    "that is the score; the discriminator is its sigmoid.": lambda a, b: a - b,
    "that is p / q; the best D is p / (p + q).": lambda a, b: (a - b).exp(),
    "these are the logarithms; the densities are their exp.": lambda a, b: a / (a + b),
    "the score is log p - log q, not p - q.": lambda a, b: (a.exp() - b.exp()).sigmoid(),
    "the score is log p - log q, not p / q.": lambda a, b: (a - b).exp().sigmoid(),
    "the score is the difference of the logarithms, not their ratio.": lambda a, b: (
        a / b
    ).sigmoid(),
    "the score is the difference of the logarithms, not their sum.": lambda a, b: (a + b).sigmoid(),
    "the score is log p - log q, without a factor 1/2.": lambda a, b: ((a - b) / 2).sigmoid(),
    "that is a decision, 0 or 1; D is a probability.": lambda a, b: (a > b).float(),
    "D is the sigmoid of the score, not its tanh.": lambda a, b: (a - b).tanh(),
    "that is log D; D is its exp.": lambda a, b: F.logsigmoid(a - b),
    "that depends on log p alone: subtract log q.": lambda a, b: a.sigmoid(),
    "the sigmoids of the logarithms are no densities: the score is log p - log q.": (
        lambda a, b: a.sigmoid() / (a.sigmoid() + b.sigmoid())
    ),
    "each place has its own p + q; yours is summed over all places.": (
        lambda a, b: a.exp() / (a.exp() + b.exp()).sum()
    ),
    "the softmax runs over p and q at each place, not over the places.": (
        lambda a, b: (a - b).softmax(0)
    ),
}


def non_saturating(score: Tensor) -> Tensor:
    """The mean of -log D from scores (N,) -> ()."""
    return F.softplus(-score).mean()


LOSS = {
    "that is the minimax loss; asked is -mean log D.": lambda s: -F.softplus(s).mean(),
    "the sign is wrong: the generator minimises -mean log D.": lambda s: -non_saturating(s),
    "that is -mean log(1 - D), as for the *discriminator*: mind the sign of the score.": lambda s: (
        non_saturating(-s)
    ),
    "take the mean over the samples, not the sum.": lambda s: F.softplus(-s).sum(),
    "that is the mean of 1 - D, without the logarithm.": lambda s: (-s).sigmoid().mean(),
    "that is -mean D: take the logarithm.": lambda s: -s.sigmoid().mean(),
    "that is mean D: take -log D.": lambda s: s.sigmoid().mean(),
    "take the mean of log D, not the log of mean D.": lambda s: -s.sigmoid().mean().log(),
    "take the mean of the losses, not the loss of the mean score.": lambda s: non_saturating(
        s.mean()
    ),
    "that is the critic's loss, -mean score: log D is the log of its sigmoid.": lambda s: -s.mean(),
    "that is the hinge, without log(1 + exp(-|s|)).": lambda s: (-s).relu().mean(),
    "max(-s, 0) is missing.": lambda s: F.softplus(-s.abs()).mean(),
    "log(1 + exp(-|s|)) needs the absolute value of s.": lambda s: (
        (-s).relu() + F.softplus(s)
    ).mean(),
    "that is in bits: use the natural logarithm.": lambda s: non_saturating(s) / math.log(2),
    "take the mean over the samples, not the median.": lambda s: F.softplus(-s).median(),
    "one number, the mean over the samples.": lambda s: F.softplus(-s).squeeze(),
    "that is half of the loss.": lambda s: non_saturating(s) / 2,
    "1 is missing in log(1 + exp(-s)).": lambda s: (-s).exp().mean().log(),
    "that is the least-squares loss; asked is -mean log D.": lambda s: (s - 1).square().mean(),
}


def kl(a: Tensor, b: Tensor) -> Tensor:
    return (torch.xlogy(a, a) - torch.xlogy(a, b))[a > 0].sum()


def entropy(p: Tensor) -> Tensor:
    return torch.special.entr(p).sum()


def jsd(p: Tensor, q: Tensor) -> Tensor:
    """The Jensen-Shannon divergence of two distributions (n,) -> (), in nats."""
    return (kl(p, (p + q) / 2) + kl(q, (p + q) / 2)) / 2


JSD = {
    "twice too large: each KL counts half.": lambda p, q: 2 * jsd(p, q),
    "that is KL(p || q); the JSD compares both with their mean m.": kl,
    "that is KL(q || p); the JSD compares both with their mean m.": lambda p, q: kl(q, p),
    "only p is compared with m; q counts as much.": lambda p, q: kl(p, (p + q) / 2) / 2,
    "that is KL(p || m) alone; KL(q || m) counts as much.": lambda p, q: kl(p, (p + q) / 2),
    "only q is compared with m; p counts as much.": lambda p, q: kl(q, (p + q) / 2) / 2,
    "that is KL(q || m) alone; KL(p || m) counts as much.": lambda p, q: kl(q, (p + q) / 2),
    "m = (p + q) / 2: you forgot to halve.": lambda p, q: (kl(p, p + q) + kl(q, p + q)) / 2,
    "m = (p + q) / 2: you forgot to halve; and each KL counts half.": lambda p, q: (
        kl(p, p + q) + kl(q, p + q)
    ),
    "that is in bits; asked are nats, with the natural log.": lambda p, q: jsd(p, q) / math.log(2),
    "that is with log10; asked are nats, with the natural log.": lambda p, q: (
        jsd(p, q) / math.log(10)
    ),
    "that is the square root; asked is the divergence itself.": lambda p, q: jsd(p, q).sqrt(),
    "the sign is wrong: a divergence is at least 0.": lambda p, q: -jsd(p, q),
    "sum over the entries, do not average.": lambda p, q: jsd(p, q) / len(p),
    "the order is wrong: KL(p || m), not KL(m || p).": lambda p, q: (
        (kl((p + q) / 2, p) + kl((p + q) / 2, q)) / 2
    ),
    "p and q are compared with each other; compare both with their mean m.": lambda p, q: (
        (kl(p, q) + kl(q, p)) / 2
    ),
    "p and q are compared with each other, and summed; compare both with their mean m.": (
        lambda p, q: kl(p, q) + kl(q, p)
    ),
    "H(p) and H(q) count half: H(m) - (H(p) + H(q)) / 2.": lambda p, q: (
        entropy((p + q) / 2) - entropy(p) - entropy(q)
    ),
    "that is the entropy of m, or a cross-entropy: subtract (H(p) + H(q)) / 2.": lambda p, q: (
        entropy((p + q) / 2)
    ),
    "that is half the sum of |p - q|, the total variation.": lambda p, q: (p - q).abs().sum() / 2,
    "m is the mean of p and q, not the root of their product.": lambda p, q: (
        (kl(p, (p * q).sqrt()) + kl(q, (p * q).sqrt())) / 2
    ),
}


def ratios(p: Tensor, q: Tensor, small: float = 0.0) -> Tensor:
    """Each entry's part of the JSD by plain logarithms: NaN for an entry 0."""
    m = (p + q) / 2
    return (p * ((p + small) / (m + small)).log() + q * ((q + small) / (m + small)).log()) / 2


JSD_OF_ZEROS = {
    "0 log 0 is NaN in floating point and 0 in mathematics: use torch.xlogy(p, p).": (
        lambda p, q: ratios(p, q).sum()
    ),
    "where only one of p and q is zero, the other still counts: leave out 0 log 0 alone.": (
        lambda p, q: ratios(p, q)[(p > 0) & (q > 0)].sum()
    ),
}
