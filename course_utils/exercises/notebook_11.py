"""Checks of notebook 11, The variational autoencoder."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from course_utils.exercises.core import attempt, exercise, expect, expect_answer, expect_close
from course_utils.exercises.mistakes.gaussian_bounds import BOUND, ELBO, KL, elbo, importance, kl

__all__ = ["best_sigma", "coin_elbo", "draw_laplace", "importance_bound", "kl_gaussians"]


SMALL_VARIANCE = (
    "the divergence is wrong for a first log-variance of -200, where exp is zero in single "
    "precision. Subtract logarithms, and add no epsilon."
)


@exercise("11.1", "From one guess to another", difficulty=2, minutes=15, mistakes=KL)
def kl_gaussians(answer: Any) -> None:
    """Two means and log-variances (N, latent) -> KL of the first from the second in nats, (N,)."""
    reference = lambda *given: kl(*given).sum(dim=1)
    for number, latent in [(6, 4), (4, 4), (1, 3), (5, 1), (3, 20)]:
        pairs = torch.randn(4, number, latent)
        expect_answer(answer, reference, *pairs, mistakes=KL, tolerance=1e-5)
    zero, anyhow = torch.zeros(2, 2), dict.fromkeys([*KL, SMALL_VARIANCE], answer)
    for given in [(zero, zero - 200, zero + 2, zero), (zero, zero - 79, zero, zero - 80)]:
        expect_answer(answer, reference, *given, mistakes=anyhow)


def laplace(mean: Tensor | float, log_scale: Tensor, u: Tensor) -> Tensor:
    return mean - log_scale.exp() * u.sign() * torch.log1p(-2 * u.abs())


DETACHED = "the draws carry no gradient: leave detach, no_grad and .data away."
LAPLACE = {
    "the sign before b is wrong: log(1 - 2|u|) is negative.": lambda m, s, u: laplace(m, s, -u),
    "log_scale is log b: take its exp.": lambda m, s, u: m + s * laplace(0, 0 * s, u),
    "log_scale is no log-variance: no 1/2.": lambda m, s, u: laplace(m, s / 2, u),
    "log_scale is log b, not log of its root: no factor 2.": lambda m, s, u: laplace(m, 2 * s, u),
    "log_scale is log b: take exp(log_scale), not exp(-log_scale).": lambda m, s, u: laplace(
        m, -s, u
    ),
    "the scale is missing: multiply with exp(log_scale).": lambda m, s, u: laplace(m, 0 * s, u),
    "sign(u) is missing: all draws lie on one side.": lambda m, s, u: laplace(m, s, u.abs()),
    "sign(u) is missing: all draws lie on the left side.": lambda m, s, u: laplace(m, s, -u.abs()),
    "the absolute value is missing: log(1 - 2|u|).": lambda m, s, u: (
        m - s.exp() * u.sign() * torch.log1p(-2 * u)
    ),
    "sign(u) and the absolute value are missing: log(1 - 2|u|).": lambda m, s, u: (
        m - s.exp() * torch.log1p(-2 * u)
    ),
    "u must go through the inverse of the distribution function.": lambda m, s, u: m + s.exp() * u,
    "the mean is missing.": lambda m, s, u: laplace(0, s, u),
    "the mean is added, not subtracted.": lambda m, s, u: laplace(-m, s, u),
    "the mean is added after b has scaled the noise.": lambda m, s, u: (
        s.exp() * (m + laplace(0, 0 * s, u))
    ),
    "|u| is doubled: log(1 - 2|u|).": lambda m, s, u: laplace(m, s, u / 2),
    "the logarithm is of 1 - 2|u|, not of 1 + 2|u|.": lambda m, s, u: (
        m - s.exp() * u.sign() * torch.log1p(2 * u.abs())
    ),
    "take sign(u), not u itself.": lambda m, s, u: m - s.exp() * u * torch.log1p(-2 * u.abs()),
    "the logarithm is the natural one, not log2.": lambda m, s, u: (
        m + laplace(0, s, u) / math.log(2)
    ),
    "the logarithm is the natural one, not log10.": lambda m, s, u: (
        m + laplace(0, s, u) / math.log(10)
    ),
    "that is a Gaussian draw: use the formula of the card.": lambda m, s, u: (
        m + s.exp() * torch.special.ndtri(u + 0.5)
    ),
    DETACHED: lambda *given: laplace(*given).detach(),
}
TAILS = (
    "the draws are wrong for u near ±1/2 or for u = 0: the tails are long, and no epsilon or clamp "
    "belongs into the logarithm."
)


@exercise("11.2", "Another noise", difficulty=2, minutes=15, mistakes=LAPLACE)
def draw_laplace(answer: Any) -> None:
    """mean, log_scale, u (N, latent) -> Laplace draws with gradients to mean and log_scale."""
    anyhow = dict.fromkeys([*LAPLACE, TAILS], answer)
    for number, latent in [(7, 3), (1, 1), (40, 2)]:
        given = torch.randn(2, number, latent).requires_grad_()
        mean, log_scale = given
        u = 0.96 * (torch.rand(number, latent) - 0.5)
        mistakes = LAPLACE
        if number == 40:
            u[0, 0], u[1], mistakes = 0.0, torch.tensor([0.499, -0.499]), anyhow
        output, again = (attempt(answer, mean, log_scale, u) for _ in range(2))
        expect(
            not isinstance(output, Tensor) or torch.equal(output, torch.as_tensor(again)),
            "the draw for the same u differs from call to call: use no noise but the given u.",
        )
        expect_answer(lambda *_: output, laplace, mean, log_scale, u, mistakes=mistakes)
        expect(output.requires_grad, DETACHED)
        (gradient,) = torch.autograd.grad(output.sum(), given)
        right = torch.stack([torch.ones_like(u), (output - mean).detach()])  # dz/dlog b = z - mean
        expect(
            torch.allclose(gradient.double(), right.double(), rtol=1e-4, atol=1e-4),
            "no gradient, or a wrong one, reaches mean or log_scale: compute z from both.",
        )


LARGE_LOGIT = (
    "the ELBO is wrong for logits of ±200: log of a sigmoid is -inf there, and an epsilon or a "
    "clamp falsifies it. Use F.binary_cross_entropy_with_logits."
)


@exercise("11.3", "The bound for coins", difficulty=2, minutes=20, mistakes=ELBO)
def coin_elbo(answer: Any) -> None:
    """x, logits (N, C, H, W), mean, log_variance (N, latent) -> ELBO of each image, nats."""
    sizes = [(5, 1, 6, 4, 3), (4, 3, 5, 5, 4), (1, 1, 3, 3, 2), (4, 3, 5, 5, 1), (1, 1, 1, 2, 4)]
    for *shape, latent in sizes:
        x, logits = (torch.rand(shape) < 0.4).float(), 2 * torch.randn(shape)
        code = torch.randn(2, shape[0], latent)
        expect_answer(answer, elbo, x, logits, *code, mistakes=ELBO, tolerance=1e-5)
    one, zero = torch.ones(1, 1, 1, 1), torch.zeros(1, 2)
    anyhow = dict.fromkeys([*ELBO, LARGE_LOGIT], answer)
    expect_answer(answer, elbo, one, -200 * one, zero, zero, mistakes=anyhow)
    expect_answer(answer, elbo, 0 * one, 200 * one, zero, zero, mistakes=anyhow)


UNDERFLOW = {
    "exp(-900) is 0: use torch.logsumexp.": lambda p, q: (p - q).exp().mean(dim=0).log(),
    "one maximum is taken out for all images; each image needs its own, or torch.logsumexp.": (
        lambda p, q: (p - q - (p - q).max()).exp().mean(dim=0).log() + (p - q).max()
    ),
}
FAR = (
    "the bound is wrong for logarithms around -900 or 900: exp gives 0 or infinity there, and an "
    "epsilon or a clamp falsifies it. Use torch.logsumexp."
)


@exercise("11.4", "A tighter bound", difficulty=3, minutes=25, mistakes=BOUND | UNDERFLOW)
def importance_bound(answer: Any) -> None:
    """log p(x, z_k), log q(z_k | x), both (K, N) -> bound on log p(x), (N,)."""
    anyhow = UNDERFLOW | dict.fromkeys([*BOUND, FAR], answer)
    for draws, number in [(5, 4), (1, 3), (30, 1), (4, 4)]:
        given = torch.randn(draws, number), torch.randn(draws, number)
        expect_answer(answer, importance, *given, mistakes=BOUND, tolerance=1e-5)
        levels = torch.tensor([-900.0, 0.0, 900.0, -400.0])[:number]
        expect_answer(answer, importance, given[0] + levels, given[1], mistakes=anyhow)


def mse(x: Tensor, x_hat: Tensor) -> Tensor:
    return (x - x_hat).double().square().mean()


def error(x: Tensor, x_hat: Tensor) -> Tensor:
    return 0.5 * x[0].numel() * (1 + torch.log(2 * math.pi * mse(x, x_hat)))


def rms(gap: Tensor, dim: int | None = None) -> Tensor:
    return gap.square().mean(dim).sqrt()


# {text: what it makes of the differences (N, pixels)}
OF_SIGMA = {
    "that is σ²: take the root.": lambda gap: gap.square().mean(),
    "σ belongs to one pixel, not to an image.": lambda gap: gap.norm() / len(gap) ** 0.5,
    "that is the norm of all differences: take the mean.": lambda gap: gap.norm(),
    "that is the mean absolute error: square.": lambda gap: gap.abs().mean(),
    "average over the images before the root.": lambda gap: rms(gap, 1).mean(),
    "average over all images, not their median.": lambda gap: rms(gap, 1).median(),
    "one σ serves all images.": lambda gap: rms(gap, 1).squeeze(),
    "do not subtract the mean of the differences, as std does.": lambda gap: gap.std(),
    "do not subtract the mean of the differences.": lambda gap: gap.std(correction=0),
    "that is the largest difference: take the root of the mean square.": lambda gap: (
        gap.abs().max()
    ),
    "take the mean square, not the median.": lambda gap: gap.square().median().sqrt(),
    "that is log σ: take its exp.": lambda gap: rms(gap).log(),
    "that is 2σ² under the root: no factor 2.": lambda gap: rms(gap) * 2**0.5,
    "that is the root of σ²/2: no factor 1/2.": lambda gap: rms(gap) / 2**0.5,
}
# {text: what it makes of the right error, the pixels n of an image, σ and x}
OF_ERROR = {
    "that is the error of one pixel.": lambda right, n, sigma, x: right / n,
    "the first part is missing, n/2.": lambda right, n, sigma, x: right - n / 2,
    "the constant n/2 log 2π is missing.": lambda right, n, sigma, x: (
        right - n / 2 * math.log(2 * math.pi)
    ),
    "that is n/2 alone: n/2 log 2πσ² is missing.": lambda right, n, sigma, x: n / 2,
    "take the mean over the images, not the sum.": lambda right, n, sigma, x: right * len(x),
    "n counts the pixels of all channels.": lambda right, n, sigma, x: right / x.shape[1],
    "n counts the pixels of all channels, in the constant too.": lambda right, n, sigma, x: (
        n / 2 + (right - n / 2) / x.shape[1]
    ),
    "the constant has log σ², not log σ.": lambda right, n, sigma, x: right - n * sigma.log() / 2,
    "the constant has no factor 2: n/2 log 2πσ².": lambda right, n, sigma, x: 2 * right - n / 2,
    "the factor 1/2 of the constant is missing.": lambda right, n, sigma, x: 2 * (right - n / 2),
    "the first part is halved: ‖x - x̂‖² / 2σ².": lambda right, n, sigma, x: right + n / 2,
    "the first part belongs to the image, n/2, not to one pixel.": lambda right, n, sigma, x: (
        right - n / 2 + 0.5
    ),
    "the constant counts once for each pixel, n/2.": lambda right, n, sigma, x: (
        n / 2 + (right - n / 2) / n
    ),
    "the sign of the error is wrong: that is the log-likelihood.": lambda right, *_: -right,
    "that is in bits: use the natural logarithm.": lambda right, *_: right / math.log(2),
    "that is the squared error alone, without σ and its constant.": lambda right, n, sigma, x: (
        n * sigma**2
    ),
}


def wrong_sigma(make: Callable) -> Callable:
    return lambda x, x_hat: (make((x - x_hat).flatten(1)), error(x, x_hat))


def wrong_error(make: Callable) -> Callable:
    return lambda x, x_hat: (
        mse(x, x_hat).sqrt(),
        make(error(x, x_hat), x[0].numel(), mse(x, x_hat).sqrt(), x),
    )


SIGMA = {text: wrong_sigma(make) for text, make in OF_SIGMA.items()}
ERROR = {text: wrong_error(make) for text, make in OF_ERROR.items()}


@exercise("11.5", "The best σ", difficulty=2, minutes=20, mistakes=SIGMA | ERROR)
def best_sigma(answer: Any) -> None:
    """x, x_hat (N, C, H, W) -> the sigma with the smallest error, and the error, nats per image."""
    sizes = [(6, (2, 5, 4), 0.1), (1, (3, 4, 4), 0.3), (3, (1, 2, 2), 0.05), (5, (3, 6, 5), 1e-3)]
    for number, shape, noise in sizes:
        x = torch.rand(number, *shape)
        spread = noise * torch.arange(1, number + 1).view(-1, 1, 1, 1)
        x_hat = x + spread * (torch.randn(x.shape) + 0.5)
        output = attempt(answer, x, x_hat)
        if isinstance(output, Tensor) and output.shape == (2,):
            output = tuple(output)  # both numbers in one tensor are welcome
        two = isinstance(output, (tuple, list)) and len(output) == 2
        expect(two, "return 2 things: sigma, the error.")
        given = {text: partial(make, x, x_hat) for text, make in (SIGMA | ERROR).items()}
        of_sigma = {text: (lambda text=text: given[text]()[0]) for text in SIGMA}
        of_error = {text: (lambda text=text: given[text]()[1]) for text in ERROR}
        follows = dict.fromkeys(SIGMA, lambda output=output: output[1])  # from the wrong sigma
        right = mse(x, x_hat).sqrt(), error(x, x_hat)
        expect_close(output[0], right[0], of_sigma, "sigma", 1e-5)
        expect_close(output[1], right[1], of_error | follows, "the error")
