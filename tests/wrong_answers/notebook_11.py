"""Wrong answers that no mistake of a check covers: check -> [(answer, words of the message)]."""

import torch
from torch.distributions import Laplace
from torch.nn import functional as F


def of_variances(m1, l1, m2, l2):
    """The logarithm of a ratio of variances, which is zero in floating point at -200."""
    ratio = l1.exp() / l2.exp()
    return 0.5 * (ratio + (m1 - m2).square() / l2.exp() - 1 - ratio.log()).sum(dim=1)


def laplace(mean, scale, u):
    return mean - scale * torch.sign(u) * torch.log1p(-2 * u.abs())


def through_sigmoid(x, logits, mean, log_variance):
    error = F.binary_cross_entropy(logits.sigmoid(), x, reduction="none").flatten(1).sum(dim=1)
    return -error - 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1)


WRONG = {
    "kl_gaussians": [(of_variances, "-200")],
    "draw_laplace": [
        (lambda m, s, u: laplace(m, s.exp().detach(), u), "reaches mean or log_scale"),
        (lambda m, s, u: laplace(m.detach(), s.exp(), u), "reaches mean or log_scale"),
        (lambda m, s, u: Laplace(m, s.exp()).rsample(), "differs from call to call"),
    ],
    "coin_elbo": [(through_sigmoid, "logits of ±200")],
    "best_sigma": [(lambda x, x_hat: (x - x_hat).square().mean().sqrt(), "return 2 things")],
}
