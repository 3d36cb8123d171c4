"""The generator of notebook 12 that ends in a learned dictionary, trained for longer: images of Fashion-MNIST."""
from pathlib import Path

import torch

from course_utils.autoencoders import share_alive
from course_utils.data import load
from course_utils.gans import from_gan_range
from course_utils.sparse_gans import DictionaryGenerator, play

__all__ = ["model", "train"]

STEPS = 4000


def model() -> DictionaryGenerator:
    """The generator before training: noise (N, 64) to images (N, 1, 28, 28) in [-1, 1]."""
    return DictionaryGenerator()


def train(checkpoint: Path, device: torch.device) -> tuple[DictionaryGenerator, dict]:
    """The default game; some minutes, no checkpoint."""
    from course_utils.features import fashion_scores  # here: features load weights by `pretrained`, as recipes do

    gan = play(model().to(device), load("fashion_mnist").to(device), STEPS)
    code = gan.average.codes(gan.noise(1000))
    return gan.average.cpu(), {
        **fashion_scores(from_gan_range(gan.sample(5000, torch.Generator().manual_seed(0))).cpu()),
        "share of atoms in use": round(share_alive(code.amax(dim=(2, 3))), 3),
    }
