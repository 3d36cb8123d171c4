"""The gallery of notebook 00: images drawn by the joined model of notebook 12."""

from dataclasses import dataclass
from pathlib import Path

import torch

from course_utils.autoencoders import share_alive
from course_utils.data import load
from course_utils.display import png
from course_utils.files import PRETRAINED
from course_utils.gans import from_gan_range
from course_utils.metrics import fashion_scores
from course_utils.pretrained import ARCHITECTURES
from course_utils.sparse_gans import CodeGenerator, CodePrior, training

__all__ = ["Settings", "draw", "train"]


@dataclass(frozen=True)
class Settings:
    """What the training may be told."""

    steps: int = 1500  # of the autoencoder
    game_steps: int = 5000
    rate: float = 4e-3


def train(settings: Settings, checkpoint: Path, device: torch.device) -> tuple[CodeGenerator, dict]:
    """TopK autoencoder, Gaussian mixture of its codes, adversarial training of the decoder."""
    if device.type != "cpu":
        raise ValueError(f"device is {device}; the gallery trains on the CPU: drop --accelerator.")
    images = load("fashion_mnist")
    shape = ARCHITECTURES["gallery"]()
    units = shape.prior.noise - 1
    autoencoder = training.train_autoencoder(images, units, shape.sparsity, settings.steps)
    codes = training.encode(autoencoder, images.images())
    prior = CodePrior.fit(codes, len(shape.prior.shares))
    generator = CodeGenerator(prior, autoencoder.decoder, autoencoder.sparsity)
    anchor = training.reconstruction_anchor(generator, autoencoder)
    rules = {"lr": settings.rate, "reconstruction_term": anchor}
    gan = training.train_gan_steps(generator, images, settings.game_steps, **rules)
    drawn = from_gan_range(gan.sample(5000, torch.Generator().manual_seed(0)))
    alive = {"share of code units in use": round(share_alive(codes), 3)}
    return gan.generator_ema, fashion_scores(drawn) | alive


def draw(model: CodeGenerator) -> None:
    """Store the 60 images that notebook 00 shows as data/pretrained/gallery.png."""
    from torchvision.utils import make_grid

    z = torch.randn(60, model.noise, generator=torch.Generator().manual_seed(4))
    with torch.no_grad():
        drawn = from_gan_range(model(z))
    (PRETRAINED / "gallery.png").write_bytes(png(make_grid(drawn, nrow=12, pad_value=1.0), zoom=3))
