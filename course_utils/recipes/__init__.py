"""How each file of data/pretrained is made: one module per recipe, used by `course_utils.pretrain`."""
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import torch
from torch import nn

from course_utils.checkpoints import Checkpoint
from course_utils.recipes import (
    classifier, colour, denoiser, dictionary_gan, fashion_gan, gallery, generator_features, super_resolution,
)

__all__ = ["RECIPES", "Recipe"]


@dataclass(frozen=True)
class Recipe:
    """model() gives the untrained model, train(checkpoint, device) the trained one and its metrics.

    `data` says in words what it is trained on. Training keeps its state in the file
    `checkpoint` and goes on from there, if it was made with the same `settings`.
    draw(model), if given, makes a picture of it.
    """

    model: Callable[[], nn.Module]
    train: Callable[[Path | Checkpoint, torch.device], tuple[nn.Module, dict]]
    data: str
    draw: Callable[[nn.Module], None] | None = None
    settings: dict = field(default_factory=dict)


def recipe(module: ModuleType, data: str) -> Recipe:
    """The recipe of a module: its functions model, train and, if there, draw; its constants are the settings."""
    constants = {name.lower(): value for name, value in vars(module).items()
                 if name.isupper() and isinstance(value, (int, float, str))}
    return Recipe(module.model, module.train, data, getattr(module, "draw", None), constants)


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
