"""The variational autoencoder: an autoencoder whose codes are drawn, and counted in nats.

Images are modelled as a code z ~ N(0, I) and a pixel noise, x = decoder(z) + N(0, sigma² I); the
encoder gives mean and log-variance of a Gaussian q(z|x) for each image (Kingma and Welling 2014;
Rezende, Mohamed and Wierstra 2014). Built in notebook 11.
"""

import math

import torch
from torch import Tensor, nn

from course_utils.arguments import (
    check_floats,
    check_int,
    check_nonnegative,
    check_not_empty,
    single,
)
from course_utils.layers import check_like, check_reconstruction, evaluation

__all__ = [
    "VariationalAutoencoder",
    "active_units",
    "elbo_terms",
    "kl_standard_normal",
    "reparameterise",
]


class VariationalAutoencoder(nn.Module):
    """x -> q(z|x) -> z -> x_hat, with `latent` numbers in z and pixel noise sigma.

    encoder: x (N, ...) to (N, 2 * latent), means first, then log-variances, such as
    `ConvEncoder(2 * latent)`. decoder: z (N, latent) to x_hat (N, ...). sigma: in the units of x.
    Raises ValueError for sigma <= 0, and where encoder and latent do not fit.
    """

    def __init__(
        self, encoder: nn.Module, decoder: nn.Module, latent: int, sigma: float = 0.1
    ) -> None:
        super().__init__()
        if not check_nonnegative("sigma", sigma) > 0:
            raise ValueError(f"sigma is {sigma}; expected a positive number, such as 0.1.")
        self.encoder, self.decoder = encoder, decoder
        self.latent, self.sigma = check_int("latent", latent, at_least=1), float(sigma)

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of q(z|x), each (N, latent)."""
        numbers = self.encoder(check_like(x, self))
        if numbers.shape != (len(x), 2 * self.latent):
            raise ValueError(
                f"The encoder gives {tuple(numbers.shape)} for x of {tuple(x.shape)}; "
                f"expected ({len(x)}, {2 * self.latent}): make it with code={2 * self.latent}."
            )
        return numbers.chunk(2, dim=1)

    def forward(self, x: Tensor) -> Tensor:
        """The reconstruction from the mean code, without any draw."""
        return self.decoder(self.posterior(x)[0])

    @torch.no_grad()
    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """n new images, decoder(z) with z ~ N(0, I), without pixel noise; `generator` on the CPU.

        Drawn in evaluation mode; the mode of the model stays as it was.
        """
        like, shape = next(self.parameters()), (check_int("n", n, at_least=1), self.latent)
        z = torch.randn(shape, generator=generator, dtype=like.dtype, device="cpu").to(like.device)
        with evaluation(self):
            return torch.cat([self.decoder(part) for part in z.split(500)])


def reparameterise(mean: Tensor, log_variance: Tensor) -> Tensor:
    """A differentiable draw of N(mean, exp(log_variance)); all (N, latent)."""
    check_posterior(mean, log_variance)
    return mean + (0.5 * log_variance).exp() * torch.randn_like(mean)


def kl_standard_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, exp(log_variance)) || N(0, I)) in nats: (N, latent) -> (N,).

    Half precision gives float32.
    """
    check_posterior(mean, log_variance)
    mean, log_variance = single(mean), single(log_variance)
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1)


def check_posterior(mean: Tensor, log_variance: Tensor) -> None:
    """An error unless both are floats (N, latent)."""
    check_floats(mean, "mean"), check_floats(log_variance, "log_variance")
    if mean.ndim != 2 or mean.shape != log_variance.shape:
        raise ValueError(
            f"mean has shape {tuple(mean.shape)}, log_variance {tuple(log_variance.shape)}; "
            "expected both (N, latent), a row for each image."
        )


def elbo_terms(model: VariationalAutoencoder, x: Tensor, beta: float = 1.0) -> dict[str, Tensor]:
    """What `course_utils.training.fit` minimises, in nats per image, mean over the batch: each ().

    error: -log p(x|z) of one draw z ~ q(z|x), summed over all pixels, with its constant. kl:
    KL(q(z|x) || N(0, I)). loss: error + beta * kl; for beta = 1 it is -ELBO, no less than -log p(x)
    on average. Other beta: Higgins et al. 2017. Raises ValueError for a negative beta, no image,
    and a reconstruction that is not of the shape of x.
    """
    check_nonnegative("beta", beta)
    mean, log_variance = model.posterior(check_not_empty(check_floats(x)))
    x_hat = check_reconstruction(model.decoder(reparameterise(mean, log_variance)), x)
    x, x_hat = single(x), single(x_hat)
    constant = 0.5 * math.log(2 * math.pi * model.sigma**2) * x[0].numel()
    error = 0.5 * (x_hat - x).square().flatten(1).sum(dim=1).mean() / model.sigma**2 + constant
    kl = kl_standard_normal(mean, log_variance).mean()
    return {"loss": error + beta * kl, "error": error, "kl": kl}


def active_units(mean: Tensor, least: float = 0.01) -> int:
    """Number of active units: the variance of their mean, (N, latent), exceeds `least`.

    Burda, Grosse and Salakhutdinov 2016. Raises ValueError for fewer than two images, and means
    that are not finite.
    """
    check_nonnegative("least", least)
    if check_floats(mean, "mean").ndim != 2 or len(mean) < 2:
        raise ValueError(
            f"mean has shape {tuple(mean.shape)}; expected (N, latent) with N of at least 2: "
            "give the means of many images."
        )
    if not mean.isfinite().all():
        raise ValueError("mean holds NaN or infinite values: has training diverged?")
    return int((single(mean).var(dim=0) > least).sum())
