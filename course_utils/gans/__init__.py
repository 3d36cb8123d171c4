"""Generative adversarial networks: the players, the losses, the game."""

from course_utils.gans.losses import LOSSES, GanLoss, gradient_penalty, r1_penalty
from course_utils.gans.networks import (
    Discriminator,
    Generator,
    MinibatchStd,
    Packed,
    PointDiscriminator,
    PointGenerator,
    with_spectral_norm,
)
from course_utils.gans.training import Gan, from_gan_range, to_gan_range, train_gan

__all__ = [
    "LOSSES",
    "Discriminator",
    "Gan",
    "GanLoss",
    "Generator",
    "MinibatchStd",
    "Packed",
    "PointDiscriminator",
    "PointGenerator",
    "from_gan_range",
    "gradient_penalty",
    "r1_penalty",
    "to_gan_range",
    "train_gan",
    "with_spectral_norm",
]
