"""What each player minimises, by name, and the penalties on the discriminator's slope.

Scores are logits: D(x) = sigmoid(score). Built in notebooks 08 and 10.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["LOSSES", "GanLoss", "gradient_penalty", "r1_penalty"]


class GanLoss(NamedTuple):
    """discriminator(real scores, fake scores) and generator(fake scores), both to be minimised."""

    discriminator: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor], Tensor]


def cross_entropy(real: Tensor, fake: Tensor) -> Tensor:
    """-mean log D(x) - mean log(1 - D(G(z))), which is -V(D, G)."""
    return F.softplus(-real).mean() + F.softplus(fake).mean()


LOSSES = {
    # Goodfellow et al. 2014: min over G, max over D of V
    "minimax": GanLoss(cross_entropy, lambda fake: -F.softplus(fake).mean()),
    # the same paper's remedy for its vanishing gradient: the generator minimises -mean log D(G(z)).
    "non-saturating": GanLoss(cross_entropy, lambda fake: F.softplus(-fake).mean()),
    # Arjovsky, Chintala and Bottou 2017; needs a discriminator of bounded slope (gradient_penalty).
    "wasserstein": GanLoss(lambda real, fake: fake.mean() - real.mean(), lambda fake: -fake.mean()),
    # Lim and Ye 2017; Miyato et al. 2018.
    "hinge": GanLoss(
        lambda real, fake: F.relu(1 - real).mean() + F.relu(1 + fake).mean(),
        lambda fake: -fake.mean(),
    ),
}


def gradient_penalty(discriminator: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    """Mean of (|gradient| - 1)² between real and fake samples (Gulrajani et al. 2017).

    real, fake: (N, ...) of one shape. The slope is the gradient of the score with respect to the
    sample.
    """
    share = torch.rand(len(real), *[1] * (real.ndim - 1), device=real.device)
    return (slope(discriminator, torch.lerp(real, fake, share)) - 1).square().mean()


def r1_penalty(discriminator: nn.Module, real: Tensor) -> Tensor:
    """Mean squared gradient norm at real samples (Mescheder et al. 2018): (N, ...) -> ()."""
    return slope(discriminator, real).square().mean()


def slope(discriminator: nn.Module, x: Tensor) -> Tensor:
    """Length of the gradient of the score at each sample: (N, ...) -> (N,)."""
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(discriminator(x).sum(), x, create_graph=True)
    return gradient.flatten(1).norm(dim=1)
