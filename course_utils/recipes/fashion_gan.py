"""The generator of notebook 09, trained for longer: images of Fashion-MNIST from noise."""
from pathlib import Path

import torch

from course_utils.data import load
from course_utils.gans import Discriminator, Gan, Generator, from_gan_range, to_gan_range, train_gan

__all__ = ["model", "train"]

EPOCHS, BATCH, WIDTH, RATE = 60, 64, 48, 4e-3


def model() -> Generator:
    """The generator before training: noise (N, 64) to images (N, 1, 28, 28) in [-1, 1]."""
    return Generator(width=WIDTH)


def train(checkpoint: Path, device: torch.device) -> tuple[Generator, dict]:
    """The default game on wider networks, and what the course's judge says of 5,000 images.

    On a busy CPU it took 50 minutes (see the manifest); the state after each epoch is kept in the file `checkpoint`.
    """
    from course_utils.features import fashion_scores  # here: features load weights by `pretrained`, as recipes do

    images = load("fashion_mnist").to(device)
    steps = EPOCHS * (len(images) // BATCH)
    gan = Gan(model(), Discriminator(WIDTH), rate=RATE, decay=0.998, total_steps=steps).to(device)
    train_gan(gan, lambda epoch: (to_gan_range(x) for x, _ in images.batches(BATCH, epoch=epoch)), EPOCHS,
              checkpoint=checkpoint)
    drawn = from_gan_range(gan.sample(5000, torch.Generator().manual_seed(0))).cpu()
    return gan.average.cpu(), fashion_scores(drawn)
