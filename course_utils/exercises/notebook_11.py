"""Checks of notebook 11, The variational autoencoder."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from course_utils.exercises.core import attempt, exercise, expect, expect_answer

__all__ = ["best_sigma", "coin_elbo", "draw_laplace", "importance_bound", "kl_gaussians"]


def kl(m1: Tensor, l1: Tensor, m2: Tensor, l2: Tensor) -> Tensor:
    """The divergence of each number, from means and log-variances."""
    return 0.5 * ((l1 - l2).exp() + (m1 - m2).square() / l2.exp() - 1 + l2 - l1)


KL = {
    "sum over the latent dimensions, dim=1.": kl,
    "one value for each pair: sum over dim=1 only.": lambda *a: kl(*a).sum(),
    "sum over the latent dimensions, do not average.": lambda *a: kl(*a).mean(dim=1),
    "the two Gaussians are swapped.": lambda m1, l1, m2, l2: kl(m2, l2, m1, l1).sum(dim=1),
    "the factor 1/2 is missing.": lambda *a: 2 * kl(*a).sum(dim=1),
    "the -1 is missing: equal Gaussians have divergence 0.": lambda *a: (kl(*a) + 0.5).sum(dim=1),
    "log_variance is log σ², not log σ.": lambda m, v, n, w: kl(m, 2 * v, n, 2 * w).sum(dim=1),
    "that is the divergence from N(0, I).": lambda m, v, *_: kl(m, v, 0 * m, 0 * v).sum(dim=1),
}


@exercise("11.1", "From one guess to another", difficulty=2, minutes=15, mistakes=KL)
def kl_gaussians(answer: Any) -> None:
    """Two means and log-variances (N, latent) -> KL of the first from the second in nats, (N,)."""
    reference = lambda *given: kl(*given).sum(dim=1)
    for number, latent in [(6, 4), (1, 3), (5, 1), (3, 20)]:
        expect_answer(answer, reference, *torch.randn(4, number, latent))
    zero = torch.zeros(1, 2)
    what = "the divergence for a log-variance of -200 (subtract logarithms; exp(-200) is zero)"
    expect_answer(answer, reference, zero, zero - 200, zero, zero, what=what)


def laplace(mean: Tensor | float, log_scale: Tensor, u: Tensor) -> Tensor:
    return mean - log_scale.exp() * u.sign() * torch.log1p(-2 * u.abs())


DETACHED = "the draws carry no gradient: leave detach, no_grad and .data away."
LAPLACE = {
    "the sign before b is wrong: log(1 - 2|u|) is negative.": lambda m, s, u: laplace(m, s, -u),
    "log_scale is log b: take its exp.": lambda m, s, u: m + s * laplace(0, 0 * s, u),
    "log_scale is no log-variance: no 1/2.": lambda m, s, u: laplace(m, s / 2, u),
    "sign(u) is missing: all draws lie on one side.": lambda m, s, u: laplace(m, s, u.abs()),
    "u must go through the inverse of the distribution function.": lambda m, s, u: m + s.exp() * u,
    "the mean is missing.": lambda m, s, u: laplace(0, s, u),
    "|u| is doubled: log(1 - 2|u|).": lambda m, s, u: laplace(m, s, u / 2),
    DETACHED: lambda *given: laplace(*given).detach(),
}


@exercise("11.2", "Another noise", difficulty=2, minutes=15, mistakes=LAPLACE)
def draw_laplace(answer: Any) -> None:
    """mean, log_scale, u (N, latent) -> Laplace draws with gradients to mean and log_scale."""
    for number, latent in [(7, 3), (1, 1), (40, 2)]:
        given = torch.randn(2, number, latent).requires_grad_()
        mean, log_scale = given
        u = 0.96 * (torch.rand(number, latent) - 0.5)
        output, again = (attempt(answer, mean, log_scale, u) for _ in range(2))
        expect(
            not isinstance(output, Tensor) or torch.equal(output, torch.as_tensor(again)),
            "the draw for the same u differs from call to call: use no noise but the given u.",
        )
        expect_answer(lambda *_: output, laplace, mean, log_scale, u)
        expect(output.requires_grad, DETACHED)
        (gradient,) = torch.autograd.grad(output.sum(), given)
        right = torch.stack([torch.ones_like(u), (output - mean).detach()])  # dz/dlog b = z - mean
        expect(
            torch.allclose(gradient, right, atol=1e-4),
            "no gradient, or a wrong one, reaches mean or log_scale: compute z from both.",
        )


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
    return pixels(log_p(x, logits), dim=1) - weight * divergence


ELBO = {
    "that is the loss, -ELBO: the sign is wrong.": lambda *given: -elbo(*given),
    "subtract the divergence: ELBO = E log p(x|z) - KL.": lambda *given: elbo(*given, weight=-1),
    "the divergence is missing.": lambda *given: elbo(*given, weight=0),
    "the factor 1/2 of the divergence is missing.": lambda *given: elbo(*given, weight=2),
    "sum over the pixels, do not average.": lambda *given: elbo(*given, pixels=torch.mean),
    'take reduction="none", then sum over the pixels of each image.': (
        lambda *given: elbo(*given, pixels=lambda log_p, dim: log_p.mean())
    ),
    "sum the divergence, do not average.": lambda *given: elbo(*given, latent=torch.mean),
    "one value for each image, not for the batch.": lambda *given: elbo(*given).mean(),
    "one sigmoid too many: give the logits.": lambda x, y, *code: elbo(x, y.sigmoid(), *code),
}


@exercise("11.3", "The bound for coins", difficulty=2, minutes=20, mistakes=ELBO)
def coin_elbo(answer: Any) -> None:
    """x, logits (N, C, H, W), mean, log_variance (N, latent) -> ELBO of each image, nats."""
    for *shape, latent in [(5, 1, 6, 4, 3), (1, 1, 3, 3, 2), (4, 3, 5, 5, 1), (1, 1, 1, 2, 4)]:
        x, logits = (torch.rand(shape) < 0.4).float(), 2 * torch.randn(shape)
        code = torch.randn(2, shape[0], latent)
        expect_answer(answer, elbo, x, logits, *code)
    one, zero = torch.ones(1, 1, 1, 1), torch.zeros(1, 2)
    what = "the ELBO for a logit of -200 (log of a sigmoid is -inf: use the function with logits)"
    expect_answer(answer, elbo, one, -200 * one, zero, zero, what=what)


def log_mean(ratio: Tensor, dim: int = 0) -> Tensor:
    return torch.logsumexp(ratio, dim=dim) - math.log(ratio.shape[dim])


BOUND = {
    "that is the ELBO: take the logarithm of the mean.": lambda p, q: (p - q).mean(dim=0),
    "the mean is missing: subtract log K.": lambda p, q: (p - q).logsumexp(dim=0),
    "subtract log K, do not divide by K.": lambda p, q: (p - q).logsumexp(dim=0) / len(p),
    "subtract log q: each draw has the weight 1 / q.": lambda p, q: log_mean(p + q),
    "the weights 1 / q are missing: subtract log q.": lambda p, q: log_mean(p),
    "the draws are along the first axis: dim=0.": lambda p, q: log_mean(p - q, dim=1),
    "that is a ratio of means: take the mean of ratios.": lambda p, q: log_mean(p) - log_mean(q),
    "exp(-900) is 0: use torch.logsumexp.": lambda p, q: (p - q).exp().mean(dim=0).log(),
}


@exercise("11.4", "A tighter bound", difficulty=3, minutes=25, mistakes=BOUND)
def importance_bound(answer: Any) -> None:
    """log p(x, z_k), log q(z_k | x), both (K, N) -> bound on log p(x), (N,)."""
    for draws, number in [(5, 4), (1, 3), (30, 1), (4, 4)]:
        for level in (0, -900):
            given = level + torch.randn(draws, number), torch.randn(draws, number)
            expect_answer(answer, lambda p, q: log_mean(p - q), *given)


def mse(x: Tensor, x_hat: Tensor) -> Tensor:
    return (x - x_hat).double().square().mean()


def error(x: Tensor, x_hat: Tensor) -> Tensor:
    return 0.5 * x[0].numel() * (1 + torch.log(2 * math.pi * mse(x, x_hat)))


def sigma_mistake(sigma: Callable) -> Callable:
    """The right error, and what `sigma` makes of the differences, flat."""
    return lambda x, x_hat: (sigma((x - x_hat).flatten(1)), error(x, x_hat))


def error_mistake(change: Callable) -> Callable:
    """The right sigma, and what `change` makes of the right error and of x."""
    return lambda x, x_hat: (mse(x, x_hat).sqrt(), change(error(x, x_hat), x))


SIGMA = {
    "that is σ²: take the root.": sigma_mistake(lambda gap: gap.square().mean()),
    "σ belongs to one pixel, not to an image.": sigma_mistake(
        lambda gap: gap.norm() / len(gap) ** 0.5
    ),
    "that is the mean absolute error: square.": sigma_mistake(lambda gap: gap.abs().mean()),
    "average over the images before the root.": sigma_mistake(
        lambda gap: (gap**2).mean(dim=1).sqrt().mean()
    ),
    "one σ serves all images.": sigma_mistake(lambda gap: gap.square().mean(dim=1).sqrt()),
    "that is the error of one pixel.": error_mistake(lambda right, x: right / x[0].numel()),
    "the first part is missing, n/2.": error_mistake(lambda right, x: right - x[0].numel() / 2),
    "the constant n/2 log 2π is missing.": (
        error_mistake(lambda right, x: right - x[0].numel() / 2 * math.log(2 * math.pi))
    ),
    "take the mean over the images, not the sum.": error_mistake(lambda right, x: right * len(x)),
}


@exercise("11.5", "The best σ", difficulty=2, minutes=20, mistakes=SIGMA)
def best_sigma(answer: Any) -> None:
    """x, x_hat (N, C, H, W) -> the sigma with the smallest error, and the error, nats per image."""
    for number, shape, noise in [(6, (1, 5, 4), 0.1), (1, (3, 4, 4), 0.3), (3, (1, 2, 2), 0.05)]:
        x = torch.rand(number, *shape)
        x_hat = x + noise * torch.arange(1, number + 1).view(-1, 1, 1, 1) * torch.randn(x.shape)
        output = attempt(answer, x, x_hat)
        if isinstance(output, Tensor) and output.shape == (2,):
            output = tuple(output)  # both numbers in one tensor are welcome
        reference = lambda x, x_hat: (mse(x, x_hat).sqrt(), error(x, x_hat))
        what = ("sigma", "the error")
        expect_answer(lambda *_: output, reference, x, x_hat, what=what)
