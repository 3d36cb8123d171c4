"""The generator of notebook 09, trained for longer: images of Fashion-MNIST from noise."""

from dataclasses import dataclass
from pathlib import Path

import torch

from course_utils.data import load
from course_utils.gans import Discriminator, Gan, Generator, from_gan_range, to_gan_range, train_gan
from course_utils.metrics import fashion_scores
from course_utils.pretrained import ARCHITECTURES

__all__ = ["Settings", "train"]


@dataclass(frozen=True)
class Settings:
    """What the training may be told."""

    epochs: int = 60
    batch: int = 64
    width: int = 48  # of the discriminator
    rate: float = 4e-3


def train(settings: Settings, checkpoint: Path, device: torch.device) -> tuple[Generator, dict]:
    """The default game on wider networks, and what the course's judge says of 5,000 images.

    On a busy CPU it took 50 minutes (see the manifest); the state after each epoch is kept in the
    file `checkpoint`.
    """
    images = load("fashion_mnist").to(device)
    steps = settings.epochs * (len(images) // settings.batch)
    players = ARCHITECTURES["fashion_gan"](), Discriminator(settings.width)
    gan = Gan(*players, lr=settings.rate, ema_decay=0.998, total_steps=steps).to(device)
    labelled = lambda epoch: images.batches(settings.batch, epoch=epoch)
    batches = lambda epoch: (to_gan_range(x) for x, _ in labelled(epoch))
    train_gan(gan, batches, settings.epochs, checkpoint=checkpoint)
    drawn = from_gan_range(gan.sample(5000, torch.Generator().manual_seed(0))).cpu()
    return gan.generator_ema.cpu(), fashion_scores(drawn)
