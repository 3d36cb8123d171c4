"""Checks of notebook 11, The variational autoencoder."""

import math

import torch
from torch.distributions import Bernoulli, Laplace, Normal, kl_divergence
from torch.nn import functional as F

from course_utils.exercises.core import attempt, exercise, expect, expect_close

__all__ = ["best_sigma", "coin_elbo", "draw_laplace", "importance_bound", "kl_gaussians"]


@exercise("11.1", "From one guess to another", difficulty=2, minutes=15)
def kl_gaussians(answer: object) -> None:
    """Two means and log-variances, all (N, latent) -> KL of the first from the second in nats, (N,)."""
    for number, latent in [(6, 4), (1, 3), (5, 1), (3, 20)]:
        m1, l1, m2, l2 = torch.randn(4, number, latent)
        one, two = Normal(m1, (0.5 * l1).exp()), Normal(m2, (0.5 * l2).exp())
        each, other = kl_divergence(one, two), kl_divergence(two, one)
        spread = kl_divergence(Normal(m1, l1.exp()), Normal(m2, l2.exp()))
        truth = each.sum(dim=1)
        output = attempt(answer, m1, l1, m2, l2)
        if isinstance(output, torch.Tensor) and output.shape == each.shape and latent > 1:
            expect(
                False,
                f"yours has shape {tuple(output.shape)}; the numbers of a code are independent: sum over them (dim=1).",
            )
        expect(
            not (isinstance(output, torch.Tensor) and output.ndim == 0),
            "yours is a single number; asked is one for each of the N pairs: sum over dim=1 only.",
        )
        expect_close(
            output,
            truth,
            {
                "the two Gaussians are changed over: the expectation is over the first.": other.sum(
                    dim=1
                ),
                "sum over the numbers of a code, not their mean.": each.mean(dim=1),
                "the factor 1/2 is missing.": 2 * truth,
                "the -1 is missing: two equal Gaussians have a divergence of 0.": truth
                + 0.5 * latent,
                "what is given is the logarithm of the variance, and you take it for that of the standard deviation.": spread.sum(
                    dim=1
                ),
                "that is the divergence from N(0, I): the second Gaussian has a mean and a variance as well.": kl_divergence(
                    one, Normal(0.0, 1.0)
                ).sum(dim=1),
                "the logarithm of the ratio has the wrong sign: log v2 - log v1.": (
                    each - (l2 - l1)
                ).sum(dim=1),
                "the square of the difference of the means is divided by v2 as well.": (
                    each + 0.5 * (m1 - m2).square() * (1 - (-l2).exp())
                ).sum(dim=1),
                "the difference of the means is squared.": (
                    each + 0.5 * ((m1 - m2) - (m1 - m2).square()) * (-l2).exp()
                ).sum(dim=1),
                "exp(log_variance / 2) is the standard deviation; the formula asks for the variance.": kl_divergence(
                    Normal(m1, (0.25 * l1).exp()), Normal(m2, (0.25 * l2).exp())
                ).sum(dim=1),
                "the log-variances stand where the variances belong: v = exp(log_variance).": 0.5
                * (l2 - l1 + (l1 + (m1 - m2).square()) / l2 - 1).sum(dim=1),
                "the log-variances stand where the variances belong, exp is missing.": (
                    each + 0.5 * ((l1 - l1.exp()) * (-l2).exp())
                ).sum(dim=1),
            },
            what=f"the divergence of {number} pairs of {latent} numbers",
        )
    large = torch.zeros(1, 2), torch.full((1, 2), -200.0), torch.zeros(1, 2), torch.zeros(1, 2)
    expect_close(
        attempt(answer, *large),
        torch.tensor([199.0]),
        {},
        "the divergence for a log-variance of -200 (subtract the logarithms; a ratio of variances is zero for a computer)",
    )


@exercise("11.2", "Another noise", difficulty=2, minutes=15)
def draw_laplace(answer: object) -> None:
    """mean, log_scale, u, all (N, latent) -> Laplace draws with gradients to mean and log_scale."""
    for number, latent in [(7, 3), (1, 1), (40, 2)]:
        mean, log_scale, u = (
            torch.randn(number, latent),
            torch.randn(number, latent),
            0.96 * (torch.rand(number, latent) - 0.5),
        )
        truth = Laplace(mean, log_scale.exp()).icdf(u + 0.5)
        step, depth = torch.sign(u), torch.log1p(-2 * u.abs())
        output, again = (attempt(answer, mean, log_scale, u) for _ in range(2))
        expect(
            not isinstance(output, torch.Tensor)
            or not isinstance(again, torch.Tensor)
            or output.shape != again.shape
            or torch.equal(output, again),
            "the draw for the same u differs from call to call: use no noise but the u that is given.",
        )
        expect_close(
            output,
            truth,
            {
                "the sign before b: log(1 - 2|u|) is negative, so that minus b times it goes the way of u.": 2
                * mean
                - truth,
                "what is given is the logarithm of the scale: b = exp(log_scale).": mean
                - log_scale * step * depth,
                "that is half a log-variance; here it is the logarithm of the scale itself, without 1/2.": mean
                - (0.5 * log_scale).exp() * step * depth,
                "without sign(u) all draws lie on one side of the mean.": mean
                - log_scale.exp() * depth,
                "that adds the uniform noise itself: u must go through the inverse of the cumulative function.": mean
                + log_scale.exp() * u,
                "the mean is missing.": truth - mean,
                "|u| is doubled: log(1 - 2|u|).": mean
                - log_scale.exp() * step * torch.log1p(-u.abs()),
                "the factor b is missing.": mean - step * depth,
            },
            what=f"the draw for {number} codes of {latent} numbers",
        )
    mean, log_scale = torch.randn(5, 2).requires_grad_(), torch.randn(5, 2).requires_grad_()
    u = torch.rand(5, 2) - 0.5
    z = attempt(answer, mean, log_scale, u)
    expect(
        z.requires_grad,
        "the draws carry no gradient: leave detach, no_grad and .data away, and use the u that is given.",
    )
    z.sum().backward()
    expect(
        mean.grad is not None and torch.allclose(mean.grad, torch.ones(5, 2)),
        "the gradient to the mean is not 1: does z depend on it otherwise?",
    )
    expected = (z - mean).detach()  # dz / dlog b = b * (...) = z - mean
    expect(
        log_scale.grad is not None and torch.allclose(log_scale.grad, expected, atol=1e-4),
        "no gradient, or a wrong one, reaches log_scale: compute b from it inside the function.",
    )


@exercise("11.3", "The bound for coins", difficulty=2, minutes=20)
def coin_elbo(answer: object) -> None:
    """x, logits (N, C, H, W), mean, log_variance (N, latent) -> ELBO of each picture in nats, (N,)."""
    for number, shape, latent in [
        (5, (1, 6, 4), 3),
        (1, (1, 3, 3), 2),
        (4, (3, 5, 5), 1),
        (1, (1, 1, 2), 4),
    ]:
        x = (torch.rand(number, *shape) < 0.4).float()
        logits = 2 * torch.randn(x.shape)
        mean, log_variance = torch.randn(number, latent), torch.randn(number, latent)
        each = Bernoulli(logits=logits).log_prob(x).flatten(1)
        normal = Normal(mean, (0.5 * log_variance).exp())
        prices = kl_divergence(normal, Normal(0.0, 1.0))
        fit, price = each.sum(dim=1), prices.sum(dim=1)
        twice = Bernoulli(logits=logits.sigmoid()).log_prob(x).flatten(1).sum(dim=1)
        spread = kl_divergence(Normal(mean, log_variance.exp()), Normal(0.0, 1.0)).sum(dim=1)
        output = attempt(answer, x, logits, mean, log_variance)
        swapped = (
            F.binary_cross_entropy_with_logits(x, logits, reduction="none").flatten(1).sum(dim=1)
        )
        expect(
            not (isinstance(output, torch.Tensor) and output.ndim == 0 and number > 1),
            'yours is a single number; asked is the ELBO of each picture: reduction="none", then sum over all but the first axis.',
        )
        expect_close(
            output,
            fit - price,
            {
                "that is the loss, -ELBO: the ELBO is a bound on a log-likelihood, large is good.": price
                - fit,
                "the price is subtracted: ELBO = E log p(x|z) - KL.": fit + price,
                "the pixels are summed, not averaged: with a mean the price weighs as many times too much as there are pixels.": each.mean(
                    dim=1
                )
                - price,
                "the divergence is summed over the numbers of the code, not averaged.": fit
                - prices.mean(dim=1),
                "the pixels of the whole batch are summed; each picture has its own.": fit.sum()
                - price,
                "the prices of the whole batch are summed; each picture has its own.": fit
                - price.sum(),
                "the price is missing.": fit,
                "the logits went through a sigmoid before binary_cross_entropy_with_logits, which has its own.": twice
                - price,
                "the encoder gives the logarithm of the variance, and you take it for that of the standard deviation.": fit
                - spread,
                "the squared error is for Gaussian pixels; here each pixel is a coin.": -0.5
                * (logits.sigmoid() - x).square().flatten(1).sum(dim=1)
                - price,
                "the factor 1/2 of the divergence is missing.": fit - 2 * price,
                'the cross-entropy is averaged over pixels and pictures: that is its default; take reduction="none" and sum over the pixels.': each.mean()
                - price,
                "x and logits are changed over: the cross-entropy takes the logits first.": -swapped
                - price,
                "the prices of the batch are averaged; each picture has its own.": fit
                - price.mean(),
                "the prices of the batch are averaged, over the numbers of the code as well; each picture has its own sum.": fit
                - prices.mean(),
                "that is in bits; asked are nats, the unit of the natural logarithm.": (fit - price)
                / math.log(2),
            },
            what=f"the ELBO of {number} pictures of {shape}",
        )
    extreme = (
        torch.ones(1, 1, 1, 1),
        torch.full((1, 1, 1, 1), -200.0),
        torch.zeros(1, 2),
        torch.zeros(1, 2),
    )
    expect_close(
        attempt(answer, *extreme),
        torch.tensor([-200.0]),
        {},
        "the ELBO for a logit of -200 (log of a sigmoid loses all digits; take the function with logits)",
    )


@exercise("11.4", "A tighter bound", difficulty=3, minutes=25)
def importance_bound(answer: object) -> None:
    """log p(x, z_k), log q(z_k | x), both (K, N) -> bound on log p(x), (N,)."""
    for draws, number in [(5, 4), (1, 3), (30, 1), (4, 4)]:
        for level in (0.0, -900.0):
            log_joint, log_q = level + torch.randn(draws, number), torch.randn(draws, number)
            ratio = log_joint - log_q
            truth = torch.logsumexp(ratio, dim=0) - math.log(draws)
            output = attempt(answer, log_joint, log_q)
            expect(
                not (isinstance(output, torch.Tensor) and output.ndim == 0 and number > 1),
                "yours is a single number; asked is one bound for each of the N pictures.",
            )
            overflow = (
                isinstance(output, torch.Tensor) and not torch.isfinite(output).all() and level
            )
            expect(
                not overflow,
                "with logarithms near -900 your exp gives 0, and its logarithm -inf: use torch.logsumexp.",
            )
            mistakes = {
                "that is the mean of the logarithms, the ELBO: take the logarithm of the mean.": ratio.mean(
                    dim=0
                ),
                "the mean over the K draws is missing: subtract log K from the logsumexp.": truth
                + math.log(draws),
                "the logsumexp is divided by K; a mean divides inside the logarithm: subtract log K.": torch.logsumexp(
                    ratio, dim=0
                )
                / draws,
                "you subtract the logarithm of the number of pictures; the mean is over the K draws.": truth
                + math.log(draws)
                - math.log(number),
                "you added log K; the mean divides by K.": truth + 2 * math.log(draws),
                "log q is subtracted: the draws come from q, so each is weighted by 1 / q.": torch.logsumexp(
                    log_joint + log_q, dim=0
                )
                - math.log(draws),
                "the weights 1 / q are missing.": torch.logsumexp(log_joint, dim=0)
                - math.log(draws),
                "the best of the draws alone is no bound; take their mean.": ratio.amax(dim=0),
                "that is the ratio of the means; take the mean of the ratios.": torch.logsumexp(
                    log_joint, dim=0
                )
                - torch.logsumexp(log_q, dim=0),
                "the sign is wrong: a bound on log p(x), not on its negative.": -truth,
            }
            if draws == number:
                mistakes["the draws are along the first axis: dim=0."] = torch.logsumexp(
                    ratio, dim=1
                ) - math.log(number)
            expect_close(
                output, truth, mistakes, what=f"the bound from {draws} draws for {number} pictures"
            )


@exercise("11.5", "The best σ", difficulty=2, minutes=20)
def best_sigma(answer: object) -> None:
    """x, x_hat (N, C, H, W) -> the sigma with the smallest error, and that error in nats per picture."""
    for number, shape, noise in [(6, (1, 5, 4), 0.1), (1, (3, 4, 4), 0.3), (3, (1, 2, 2), 0.05)]:
        x = torch.rand(number, *shape)
        x_hat = x + noise * (1 + torch.arange(number)).view(-1, 1, 1, 1) * torch.randn(x.shape)
        pixels = x[0].numel()
        squared = (x - x_hat).double().square().flatten(1)
        variance = squared.mean()
        output = attempt(answer, x, x_hat)
        if isinstance(output, torch.Tensor) and output.shape == (2,):
            output = tuple(output)  # both numbers in one tensor are welcome
        expect(
            isinstance(output, (tuple, list)) and len(output) == 2,
            "return two things: the sigma and the error.",
        )
        sigma, error = (torch.as_tensor(value) for value in output)
        expect(
            sigma.ndim == 0 and error.ndim == 0,
            f"both are single numbers; yours have the shapes {tuple(sigma.shape)} and {tuple(error.shape)}: "
            "one sigma serves all pictures, and the error is a mean over them.",
        )
        expect_close(
            sigma,
            variance.sqrt(),
            {
                "that is σ²: take the root.": variance,
                "that is the root of the error of a whole picture: divide by its number of pixels, σ belongs to one pixel.": squared.sum(
                    dim=1
                )
                .mean()
                .sqrt(),
                "that is the mean absolute error; the derivative of the error in σ asks for the squared one.": squared.sqrt().mean(),
                "average the squared errors first, over all pictures, then take the root.": squared.mean(
                    dim=1
                )
                .sqrt()
                .mean(),
                "that is the root of half the mean squared error: the derivative is -‖x - x̂‖²/σ³ + n/σ.": (
                    variance / 2
                ).sqrt(),
                "that is the spread of the pixels; σ is that of the errors.": x.double().std(),
                "that sums the squares over all pictures and pixels; take their mean.": squared.sum().sqrt(),
            },
            what="sigma",
        )
        half = 0.5 * pixels
        truth = half * (1 + torch.log(2 * math.pi * variance))
        expect_close(
            error,
            truth,
            {
                "that is the error of one pixel; asked is that of a picture: n pixels.": truth
                / pixels,
                "the first part is missing: with the best σ the squared errors still cost n/2.": truth
                - half,
                "the constant n/2 log 2π belongs to it.": truth - half * math.log(2 * math.pi),
                "the second part is missing: n/2 log 2πσ².": half + 0 * truth,
                "that is the error of all pictures together; asked is the mean.": number * truth,
                "the sign: the error is -log p, and it may well be negative.": -truth,
                "the logarithm is of σ², or twice that of σ.": half
                * (1 + math.log(2 * math.pi) + 0.5 * variance.log()),
            },
            what="the error",
        )
