"""What each player minimises, by name, and the penalties on the discriminator's slope.

Scores are logits: D(x) = sigmoid(score). Built in notebooks 08 and 10.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils.arguments import check_not_empty
from course_utils.layers import check_codes, check_like

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
    sample. Raises TypeError or ValueError for other samples, and as `r1_penalty`.
    """
    check_same(check_codes(real, "real"), check_like(fake, discriminator, "fake"))
    shape = (len(real), *[1] * (real.ndim - 1))
    share = torch.rand(shape, device=real.device, dtype=real.dtype)
    return (slope(discriminator, torch.lerp(real, fake, share)) - 1).square().mean()


def r1_penalty(discriminator: nn.Module, real: Tensor) -> Tensor:
    """Mean squared gradient norm at real samples (Mescheder et al. 2018): (N, ...) -> ().

    Raises TypeError for samples of another type, ValueError for none and a score without gradient.
    """
    return slope(discriminator, real).square().mean()


def slope(discriminator: nn.Module, x: Tensor) -> Tensor:
    """Length of the gradient of the score at each sample: (N, ...) -> (N,)."""
    x = check_not_empty(check_like(x, discriminator, "real")).detach().requires_grad_()
    with torch.enable_grad():
        score = discriminator(x).sum()
        if not score.requires_grad:
            raise ValueError(
                "The discriminator's score has no gradient; expected one that depends on the "
                "sample: look for detach() and torch.no_grad() in its forward."
            )
        (gradient,) = torch.autograd.grad(score, x, create_graph=True)
    return gradient.flatten(1).norm(dim=1)


def check_same(real: Tensor, fake: Tensor) -> None:
    """ValueError unless both have one shape."""
    if real.shape != fake.shape:
        raise ValueError(
            f"The real batch has shape {tuple(real.shape)}, the generated one "
            f"{tuple(fake.shape)}; expected the same: make the generator with the channels and "
            "size of the images."
        )


def check_range(real: Tensor) -> None:
    """An error for no floats, none at all, and images outside [-1, 1]; points may lie anywhere."""
    check_not_empty(check_codes(real, "real"), "real")
    if real.ndim == 4 and not (real.min() >= -1.001 and real.max() <= 1.001):
        raise ValueError(
            f"The real batch has values from {real.min():.3g} to {real.max():.3g}; "
            "expected [-1, 1], the range of the generator's tanh: "
            "use to_gan_range(images) on images in [0, 1]; for NaN look at the data."
        )


PENALTIES = {
    "none": None,
    "gradient": gradient_penalty,
    "r1": lambda critic, real, fake: r1_penalty(critic, real),
}
