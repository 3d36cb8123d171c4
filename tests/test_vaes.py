"""The variational autoencoder: nats as of torch.distributions, a bound that holds, errors."""

import math

import pytest
import torch
from torch import nn
from torch.distributions import MultivariateNormal, Normal, kl_divergence

from course_utils.autoencoders import ConvDecoder, ConvEncoder
from course_utils.training import fit
from course_utils.vaes import (
    VariationalAutoencoder,
    active_units,
    elbo_terms,
    kl_standard_normal,
    reparameterise,
)


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def convolutional(numbers=10, **decoder):
    return VariationalAutoencoder(ConvEncoder(numbers, 4), ConvDecoder(5, 4, **decoder), 5, 0.2)


def linear():
    return VariationalAutoencoder(nn.Linear(4, 4), nn.Linear(2, 4), 2, sigma=0.5).double()


class Fixed(nn.Module):
    """An encoder that gives a table, row by row."""

    def __init__(self, mean, log_variance):
        super().__init__()
        self.numbers = torch.cat([mean, log_variance], dim=1)

    def forward(self, x):
        return self.numbers


def test_the_divergence_from_the_standard_normal_is_that_of_torch_distributions():
    mean, log_variance = torch.randn(7, 3), torch.randn(7, 3)
    expected = kl_divergence(Normal(mean, (0.5 * log_variance).exp()), Normal(0.0, 1.0)).sum(dim=1)
    torch.testing.assert_close(kl_standard_normal(mean, log_variance), expected)
    assert kl_standard_normal(torch.zeros(1, 4), torch.zeros(1, 4)).item() == 0


def test_draws_have_the_mean_and_the_standard_deviation_that_were_asked_for():
    mean, log_variance = torch.tensor([[1.0, -2.0]]), torch.tensor([[0.0, 2.0]])
    z = reparameterise(mean.expand(50_000, 2), log_variance.expand(50_000, 2))
    torch.testing.assert_close(z.mean(dim=0), mean[0], atol=0.05, rtol=0)
    torch.testing.assert_close(z.std(dim=0), (0.5 * log_variance[0]).exp(), atol=0.05, rtol=0)


def test_the_gradient_through_a_draw_is_that_of_the_expectation():
    mean = torch.full((100_000, 1), 1.5, requires_grad=True)
    log_variance = torch.full((100_000, 1), -1.0, requires_grad=True)
    # E z² = mean² + exp(log-variance)
    reparameterise(mean, log_variance).square().sum().backward()
    assert mean.grad.mean().item() == pytest.approx(2 * 1.5, abs=0.03)
    assert log_variance.grad.mean().item() == pytest.approx(math.exp(-1.0), abs=0.03)


def test_the_error_is_the_negative_log_density_summed_over_all_pixels():
    model, x = convolutional().eval(), torch.rand(6, 1, 28, 28)
    # So sure of its code that nothing is left to chance
    model.encoder = Fixed(torch.randn(6, 5), torch.full((6, 5), -80.0))
    expected = -Normal(model(x), model.sigma).log_prob(x).sum(dim=(1, 2, 3)).mean()
    torch.testing.assert_close(elbo_terms(model, x)["error"], expected)


def test_the_loss_is_the_error_and_beta_times_the_divergence():
    model, x = convolutional().eval(), torch.rand(6, 1, 28, 28)
    for beta in (0.0, 1.0, 4):
        terms = elbo_terms(model, x, beta)
        torch.testing.assert_close(terms["loss"], terms["error"] + beta * terms["kl"])
        torch.testing.assert_close(terms["kl"], kl_standard_normal(*model.posterior(x)).mean())


def true_posterior(model, x):
    """Mean and covariance of p(z|x) for a linear decoder, and log p(x)."""
    W, b, sigma = model.decoder.weight.detach(), model.decoder.bias.detach(), model.sigma
    cov = torch.linalg.inv(torch.eye(W.shape[1]).double() + W.T @ W / sigma**2)
    p = MultivariateNormal(b, W @ W.T + sigma**2 * torch.eye(len(b)).double())
    return (x - b) @ W @ cov / sigma**2, cov, p.log_prob(x)


def test_the_bound_holds_for_a_linear_model_and_is_tight_at_the_true_posterior():
    model = linear()
    # Columns at right angles: then the true posterior has a diagonal covariance
    columns = torch.linalg.qr(torch.randn(4, 2).double())[0] * torch.tensor([1.0, 0.7])
    model.decoder.weight.data.copy_(columns)
    x = torch.randn(20_000, 4).double()
    mean, cov, evidence = true_posterior(model, x)
    log_variance = cov.diag().log().expand_as(mean)
    for shift, gap in ((0.0, 0.0), (0.4, 0.5 * 0.4**2 / cov.diag()[0])):
        model.encoder = Fixed(mean + shift * torch.tensor([1.0, 0.0]).double(), log_variance)
        bound = -elbo_terms(model, x)["loss"]
        assert (evidence.mean() - bound).item() == pytest.approx(float(gap), abs=0.02)


def test_training_in_the_loop_of_the_course_raises_the_bound():
    model, x = linear(), torch.randn(256, 4).double() @ torch.randn(4, 4).double()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    history = fit(model, lambda epoch: [x] * 10, elbo_terms, optimizer, 20, progress=False)
    assert set(history[0]) == {"loss", "error", "kl"}
    assert history[-1]["loss"] < history[0]["loss"] - 1


def test_samples_are_pictures_of_the_decoder_drawn_in_evaluation_mode_and_seeded():
    model = convolutional().train()
    one, two = (model.sample(3, torch.Generator().manual_seed(4)) for _ in range(2))
    assert one.shape == (3, 1, 28, 28) and 0 <= one.min() and one.max() <= 1
    assert torch.equal(one, two) and not one.requires_grad
    assert model.training and model.decoder.training


def test_active_units_are_those_whose_mean_differs_between_images():
    mean = torch.randn(1000, 4) * torch.tensor([1.0, 0.5, 0.05, 0.0])
    assert active_units(mean) == 2
    with pytest.raises(ValueError, match="expected .N, latent. with N of at least 2"):
        active_units(mean[:1])


@pytest.mark.parametrize(
    "call, words",
    [
        (
            lambda x: elbo_terms(convolutional(), x, beta=-1.0),
            "beta is -1.0; expected .* at least 0",
        ),
        (lambda x: elbo_terms(convolutional(5), x), r"gives \(6, 5\).*expected \(6, 10\).*code=10"),
        (lambda x: elbo_terms(convolutional(size=32), x), r"The decoder gives \(6, 1, 32, 32\), x"),
        (lambda x: VariationalAutoencoder(None, None, 5, 0.0), "sigma is 0.0; expected a positive"),
        (lambda x: convolutional().sample(0), "n is 0; expected a whole number of at least 1"),
        (lambda x: kl_standard_normal(x[0, 0], x[0, 0, 0]), r"log_variance \(28,\); expected both"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_to_do(call, words):
    with pytest.raises(ValueError, match=words):
        call(torch.rand(6, 1, 28, 28))
