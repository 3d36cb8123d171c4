"""Divergences and bounds of a VAE, and their usual mistakes (exercises 11.1, 11.3 and 11.4)."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["BOUND", "ELBO", "KL", "elbo", "importance", "kl"]


def kl(m1: Tensor, l1: Tensor, m2: Tensor, l2: Tensor) -> Tensor:
    """The divergence of each number, from means and log-variances, all of one shape."""
    return kl_of(m1, l1, m2, l2)


def kl_of(
    *given: Tensor, log: float = 1, ratio: float = 1, gap: float = 1, one: float = 1
) -> Tensor:
    """The divergence with other weights of its four terms."""
    m1, l1, m2, l2 = (each.double() for each in given)
    terms = ratio * (l1 - l2).exp() + gap * (m1 - m2).square() * (-l2).exp() - one
    return 0.5 * (terms + log * (l2 - l1))


def of_terms(**weights: float) -> Callable:
    return lambda *given: kl_of(*given, **weights).sum(dim=1)


def of_gap(gap: Callable) -> Callable:
    """The divergence with another term for the distance of the means."""
    return lambda m1, l1, m2, l2: (
        kl_of(m1, l1, m2, l2, gap=0) + 0.5 * gap(m1 - m2, l1, l2).double()
    ).sum(dim=1)


KL = {
    "sum over the latent dimensions, dim=1.": kl,
    "one value for each pair: sum over dim=1 only.": lambda *a: kl(*a).sum(),
    "the latent dimensions are summed, dim=1, not the pairs, dim=0.": lambda *a: kl(*a).sum(dim=0),
    "sum over the latent dimensions, do not average.": lambda *a: kl(*a).mean(dim=1),
    "the two Gaussians are swapped.": lambda m1, l1, m2, l2: kl(m2, l2, m1, l1).sum(dim=1),
    "the factor 1/2 is missing.": lambda *a: 2 * kl(*a).sum(dim=1),
    "the sign is wrong: a divergence is at least 0.": lambda *a: -kl(*a).sum(dim=1),
    "the -1 is missing: equal Gaussians have divergence 0.": of_terms(one=0),
    "subtract 1, do not add it: equal Gaussians have divergence 0.": of_terms(one=-1),
    "the 1 is subtracted in each dimension, not once.": lambda *a: (
        kl(*a).sum(dim=1) + (a[0].shape[1] - 1) / 2
    ),
    "the logarithm is log v2 - log v1: its sign is wrong.": of_terms(log=-1),
    "the logarithm log v2 - log v1 is missing.": of_terms(log=0),
    "the logarithm counts half, like all terms in the bracket.": of_terms(log=2),
    "log v2 - log v1 is halved twice.": of_terms(log=0.5),
    "the distance of the means is missing.": of_terms(gap=0),
    "the ratio v1 / v2 is missing.": of_terms(ratio=0),
    "the ratio is v1 / v2, not v2 / v1.": lambda m1, l1, m2, l2: (
        kl_of(m1, l1, m2, l2, ratio=0) + 0.5 * (l2 - l1).exp()
    ).sum(dim=1),
    "divide v1 by v2 too.": lambda m1, l1, m2, l2: (
        kl_of(m1, l1, m2, l2, ratio=0) + 0.5 * l1.exp()
    ).sum(dim=1),
    "divide the squared distance of the means by v2.": of_gap(lambda gap, l1, l2: gap.square()),
    "divide the squared distance of the means by v2, not by v1.": (
        of_gap(lambda gap, l1, l2: gap.square() / l1.exp())
    ),
    "divide the squared distance of the means by v2, not by σ2.": (
        of_gap(lambda gap, l1, l2: gap.square() / (l2 / 2).exp())
    ),
    "divide the squared distance by v2 = exp(log_variance2), not by log_variance2.": (
        of_gap(lambda gap, l1, l2: gap.square() / l2)
    ),
    "multiply by 1 / v2, not by v2.": of_gap(lambda gap, l1, l2: gap.square() * l2.exp()),
    "square the distance of the means.": of_gap(lambda gap, l1, l2: gap / l2.exp()),
    "square the distance of the means; its absolute value is not enough.": (
        of_gap(lambda gap, l1, l2: gap.abs() / l2.exp())
    ),
    "log_variance is log σ², not log σ.": lambda m, v, n, w: kl(m, 2 * v, n, 2 * w).sum(dim=1),
    "log_variance is log σ², no factor 1/2.": lambda m, v, n, w: kl(m, v / 2, n, w / 2).sum(dim=1),
    "that is the divergence from N(0, I).": lambda m, v, *_: kl(m, v, 0 * m, 0 * v).sum(dim=1),
    "the divergence has a direction; yours is the mean of both.": lambda m1, l1, m2, l2: (
        (kl(m1, l1, m2, l2) + kl(m2, l2, m1, l1)).sum(dim=1) / 2
    ),
}


def log_p(x: Tensor, logits: Tensor) -> Tensor:
    """log p(x|z) of each pixel, (N, pixels)."""
    return -F.binary_cross_entropy_with_logits(logits, x, reduction="none").flatten(1)


def prior_kl(mean: Tensor, log_variance: Tensor) -> Tensor:
    return kl(mean, log_variance, torch.zeros(()), torch.zeros(()))


def elbo(
    x, logits, mean, log_variance, *, weight=1.0, pixels=torch.sum, latent=torch.sum
) -> Tensor:
    """The bound with another weight of the divergence, or other reductions."""
    divergence = latent(prior_kl(mean, log_variance), dim=1)
    return pixels(log_p(x, logits), dim=1).double() - weight * divergence


def of_log_p(change: Callable) -> Callable:
    """The bound with another log p(x|z) of each image, (N,)."""
    return lambda x, logits, *code: change(x, logits) - prior_kl(*code).sum(dim=1)


def of_divergence(change: Callable) -> Callable:
    """The bound with another divergence of each image, (N,)."""
    return lambda x, logits, *code: log_p(x, logits).double().sum(dim=1) - change(*code)


ELBO = {
    "that is the loss, -ELBO: the sign is wrong.": lambda *given: -elbo(*given),
    "subtract the divergence: ELBO = E log p(x|z) - KL.": lambda *given: elbo(*given, weight=-1),
    "log p(x|z) is minus the cross-entropy: its sign is wrong.": of_log_p(
        lambda x, y: -log_p(x, y).sum(dim=1)
    ),
    "the divergence is missing.": lambda *given: elbo(*given, weight=0),
    "log p(x|z) is missing.": of_log_p(lambda x, y: torch.zeros(len(x))),
    "the factor 1/2 of the divergence is missing.": lambda *given: elbo(*given, weight=2),
    "the divergence is halved twice.": lambda *given: elbo(*given, weight=0.5),
    "sum over the pixels, do not average.": lambda *given: elbo(*given, pixels=torch.mean),
    "sum over the pixels and the latent dimensions, do not average.": lambda *given: elbo(
        *given, pixels=torch.mean, latent=torch.mean
    ),
    'take reduction="none", then sum over the pixels of each image.': of_log_p(
        lambda x, y: log_p(x, y).mean().expand(len(x))
    ),
    "each image has a cross-entropy of its own; yours is summed over the batch.": of_log_p(
        lambda x, y: log_p(x, y).sum().expand(len(x))
    ),
    "each image has a cross-entropy of its own; yours is the mean over the batch.": of_log_p(
        lambda x, y: log_p(x, y).sum(dim=1).mean().expand(len(x))
    ),
    "each image has a divergence of its own; yours is summed over the batch.": of_divergence(
        lambda *code: prior_kl(*code).sum()
    ),
    "each image has a divergence of its own; yours is the mean over the batch.": of_divergence(
        lambda *code: prior_kl(*code).sum(dim=1).mean()
    ),
    "sum the divergence, do not average.": lambda *given: elbo(*given, latent=torch.mean),
    "one value for each image, not for the batch.": lambda *given: elbo(*given).mean(),
    "one value for each image, not the sum of the batch.": lambda *given: elbo(*given).sum(),
    "one sigmoid too many: give the logits.": lambda x, y, *code: elbo(x, y.sigmoid(), *code),
    "the cross-entropy takes the logits first, then x.": lambda x, y, *code: elbo(y, x, *code),
    "sum over all channels; yours takes the first.": of_log_p(
        lambda x, y: log_p(x[:, :1], y[:, :1]).sum(dim=1)
    ),
    "sum over the channels, do not average.": of_log_p(
        lambda x, y: log_p(x, y).sum(dim=1) / x.shape[1]
    ),
    "the shapes (N, 1) and (N,) make (N, N): sum without keepdim.": lambda x, y, *code: (
        log_p(x, y).sum(dim=1)[:, None] - prior_kl(*code).sum(dim=1)
    ),
    "the shapes (N,) and (N, 1) make (N, N): sum without keepdim.": lambda x, y, *code: (
        log_p(x, y).sum(dim=1) - prior_kl(*code).sum(dim=1)[:, None]
    ),
    "log_variance is log σ², not log σ.": lambda x, y, m, v: elbo(x, y, m, 2 * v),
    "the mean is squared in the divergence.": of_divergence(
        lambda m, v: 0.5 * (m + v.exp() - 1 - v).sum(dim=1)
    ),
    "the -1 of the divergence is missing.": of_divergence(
        lambda m, v: 0.5 * (m.square() + v.exp() - v).sum(dim=1)
    ),
    "the sign of log_variance in the divergence is wrong.": of_divergence(
        lambda m, v: 0.5 * (m.square() + v.exp() - 1 + v).sum(dim=1)
    ),
    "the variance exp(log_variance) is missing in the divergence.": of_divergence(
        lambda m, v: 0.5 * (m.square() - 1 - v).sum(dim=1)
    ),
    "pixels that are 0 count too: add (1 - x) log(1 - p).": of_log_p(
        lambda x, y: (x * F.logsigmoid(y)).flatten(1).sum(dim=1)
    ),
    "that is the squared error; a coin has the cross-entropy.": of_log_p(
        lambda x, y: -(x - y.sigmoid()).square().flatten(1).sum(dim=1)
    ),
    "that is in bits: use nats.": lambda *given: elbo(*given) / math.log(2),
}


def log_mean(ratio: Tensor, dim: int = 0) -> Tensor:
    return torch.logsumexp(ratio, dim=dim) - math.log(ratio.shape[dim])


def importance(log_joint: Tensor, log_q: Tensor) -> Tensor:
    """The bound of each image (N,) from the logarithms (K, N)."""
    return log_mean(log_joint - log_q)


BOUND = {
    "that is the ELBO: take the logarithm of the mean.": lambda p, q: (p - q).mean(dim=0),
    "the mean is missing: subtract log K.": lambda p, q: (p - q).logsumexp(dim=0),
    "subtract log K, do not add it.": lambda p, q: (p - q).logsumexp(dim=0) + math.log(len(p)),
    "subtract log K, do not divide by K.": lambda p, q: (p - q).logsumexp(dim=0) / len(p),
    "subtract log K, not K.": lambda p, q: (p - q).logsumexp(dim=0) - len(p),
    "K is the number of draws, not of images: subtract log K.": lambda p, q: (
        (p - q).logsumexp(dim=0) - math.log(p.shape[1])
    ),
    "subtract log K with the natural logarithm.": lambda p, q: (
        (p - q).logsumexp(dim=0) - math.log2(len(p))
    ),
    "subtract log q: each draw has the weight 1 / q.": lambda p, q: log_mean(p + q),
    "log_joint and log_q are swapped.": lambda p, q: log_mean(q - p),
    "the sign is wrong: that is minus the bound.": lambda p, q: -log_mean(p - q),
    "the weights 1 / q are missing: subtract log q.": lambda p, q: log_mean(p),
    "the draws are along the first axis: dim=0.": lambda p, q: log_mean(p - q, dim=1),
    "each image has a bound of its own: dim=0.": lambda p, q: (
        (p - q).flatten().logsumexp(dim=0) - math.log(p.numel())
    ),
    "one value for each image, not their mean.": lambda p, q: log_mean(p - q).mean(),
    "one value for each image, not their sum.": lambda p, q: log_mean(p - q).sum(),
    "that is a ratio of means: take the mean of ratios.": lambda p, q: log_mean(p) - log_mean(q),
    "subtract log q of each draw, not the mean of log q.": lambda p, q: log_mean(p) - q.mean(dim=0),
    "that is the best draw alone: take the mean of all.": lambda p, q: (p - q).max(dim=0).values,
    "that is the best draw minus log K: add up all weights.": lambda p, q: (
        (p - q).max(dim=0).values - math.log(len(p))
    ),
    "that is the first draw alone: take the mean of all.": lambda p, q: (p - q)[0],
    "that is the median draw: take the logarithm of the mean.": lambda p, q: (
        (p - q).median(dim=0).values
    ),
    "the mean weighs all draws alike; yours weighs them with their own ratio.": lambda p, q: (
        (p - q).softmax(dim=0) * (p - q)
    ).sum(dim=0),
    "the largest weight was taken out: add its logarithm again.": lambda p, q: log_mean(
        p - q - (p - q).max(dim=0).values
    ),
    "the logarithm is missing: that is the mean of the ratios.": lambda p, q: (
        (p - q).exp().mean(dim=0)
    ),
    "that is with log2 or in bits: use the natural logarithm.": lambda p, q: (
        log_mean(p - q) / math.log(2)
    ),
}
