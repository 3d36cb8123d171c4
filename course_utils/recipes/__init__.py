"""How each file of data/pretrained is made: one module per recipe, used by `course_utils.pretrain`."""
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from course_utils.recipes import classifier, colour, denoiser, fashion_gan, gallery, super_resolution

__all__ = ["RECIPES", "Recipe"]


@dataclass(frozen=True)
class Recipe:
    """model() gives the untrained model, train(checkpoint, device) the trained one and its metrics.

    `data` says in words what it is trained on. Training keeps its state in the file
    `checkpoint` and goes on from there. draw(model), if given, makes a picture of it.
    """

    model: Callable[[], nn.Module]
    train: Callable[[Path, torch.device], tuple[nn.Module, dict]]
    data: str
    draw: Callable[[nn.Module], None] | None = None


RECIPES = {
    "classifier": Recipe(classifier.model, classifier.train, "fashion_mnist (data/fashion_mnist_part.npz, train)"),
    "colour": Recipe(colour.model, colour.train, "cifar10 (all 50,000 training images)"),
    "denoiser": Recipe(denoiser.model, denoiser.train, "cifar10 (all 50,000 training images, luma)"),
    "fashion_gan": Recipe(fashion_gan.model, fashion_gan.train, "fashion_mnist (data/fashion_mnist_part.npz, train)"),
    "gallery": Recipe(gallery.model, gallery.train, "fashion_mnist (data/fashion_mnist_part.npz, train)", gallery.draw),
    "super_resolution": Recipe(super_resolution.model, super_resolution.train,
                               "cifar10 (all 50,000 training images, luma)"),
}
