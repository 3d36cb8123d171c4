"""The dictionary generator of notebook 12, trained for longer on Fashion-MNIST."""

from dataclasses import dataclass
from pathlib import Path

import torch

from course_utils.autoencoders import share_alive
from course_utils.data import load
from course_utils.gans import from_gan_range
from course_utils.metrics import fashion_scores
from course_utils.pretrained import ARCHITECTURES
from course_utils.sparse_gans import DictionaryGenerator, train_gan_steps

__all__ = ["Settings", "train"]


@dataclass(frozen=True)
class Settings:
    """What the training may be told."""

    steps: int = 4000


def train(
    settings: Settings, checkpoint: Path, device: torch.device
) -> tuple[DictionaryGenerator, dict]:
    """The default game; some minutes, no checkpoint."""
    generator, images = ARCHITECTURES["dictionary_gan"](), load("fashion_mnist").to(device)
    gan = train_gan_steps(generator.to(device), images, settings.steps)
    code = gan.generator_ema.codes(gan.noise(1000))
    drawn = from_gan_range(gan.sample(5000, torch.Generator().manual_seed(0))).cpu()
    alive = {"share of atoms in use": round(share_alive(code.amax(dim=(2, 3))), 3)}
    return gan.generator_ema.cpu(), fashion_scores(drawn) | alive
