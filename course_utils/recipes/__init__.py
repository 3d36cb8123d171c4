"""How the files of data/pretrained are trained: one module each, for `pretrain`."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from course_utils.checkpoints import Checkpoint
from course_utils.recipes import (
    classifier,
    colour,
    denoiser,
    dictionary_gan,
    fashion_gan,
    gallery,
    generator_features,
    super_resolution,
)

__all__ = ["RECIPES", "Recipe"]


@dataclass(frozen=True)
class Recipe:
    """train(settings, checkpoint, device) gives the trained model and its metrics.

    settings: a dataclass. data: what it is trained on, in words. Training keeps its state in the
    file `checkpoint` and goes on from there. draw(model), if given, makes a picture of it.
    """

    train: Callable[[Any, Path | Checkpoint, torch.device], tuple[nn.Module, dict]]
    settings: Any
    data: str
    draw: Callable[[nn.Module], None] | None = None


def recipe(module: ModuleType, data: str) -> Recipe:
    """The recipe of a module: its train, its Settings as they are and, if there, its draw."""
    return Recipe(module.train, module.Settings(), data, getattr(module, "draw", None))


CLOTHES = "fashion_mnist (data/fashion_mnist_part.npz, train)"
CIFAR = "cifar10 (all 50,000 training images{})"
RECIPES = {
    "classifier": recipe(classifier, CLOTHES),
    "colour": recipe(colour, CIFAR.format("")),
    "denoiser": recipe(denoiser, CIFAR.format(", luma")),
    "dictionary_gan": recipe(dictionary_gan, CLOTHES),
    "fashion_gan": recipe(fashion_gan, CLOTHES),
    "gallery": recipe(gallery, CLOTHES),
    "generator_features": recipe(generator_features, "images drawn by the shipped fashion_gan"),
    "super_resolution": recipe(super_resolution, CIFAR.format(", luma")),
}
