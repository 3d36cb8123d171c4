"""The features of notebook 14: a sparse autoencoder that reads the generator of "fashion_gan"."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from course_utils.activations import from_positions, record, replaced, to_positions
from course_utils.autoencoders import SparseAutoencoder, share_alive, sparse_loss
from course_utils.gans import Generator, from_gan_range
from course_utils.metrics import fashion_evaluator
from course_utils.pretrained import ARCHITECTURES, pretrained
from course_utils.training import fit

__all__ = ["Settings", "train"]

LAYER = 3  # of the generator: 96 maps of 7 x 7, behind the first ReLU


@dataclass(frozen=True)
class Settings:
    """What the training may be told."""

    epochs: int = 30
    images: int = 1000  # new ones in each epoch
    batch: int = 1024
    rate: float = 3e-3
    revive: float = 1 / 32


def untrained() -> SparseAutoencoder:
    """The autoencoder for vectors (N, 96), encoder and decoder transposes of each other."""
    reader = ARCHITECTURES["generator_features"]()
    with torch.no_grad():
        reader.encoder.weight.copy_(reader.decoder.D.T)
        reader.encoder.bias.zero_()
    return reader


def train(
    settings: Settings, checkpoint: Path, device: torch.device
) -> tuple[SparseAutoencoder, dict]:
    """Squared error on the activations of fresh images, and revival of dead units."""
    generator: Generator = pretrained("fashion_gan").to(device)

    def vectors(images: int, seed: int) -> Tensor:
        z = torch.randn(images, generator.noise, generator=torch.Generator().manual_seed(seed))
        return to_positions(record(generator, generator[LAYER], z.to(device)))

    def batches(epoch: int) -> tuple[Tensor, ...]:
        x = vectors(settings.images, seed=epoch + 1)
        order = torch.randperm(len(x), generator=torch.Generator().manual_seed(epoch)).to(device)
        return x[order].split(settings.batch)[:-1]

    reader = untrained().to(device)
    optimizer = torch.optim.Adam(reader.parameters(), lr=settings.rate)
    steps = settings.epochs * (settings.images * 49 // settings.batch)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, (step + 1) / 50) * max(0.0, 1 - step / steps)
    )
    loss = lambda network, x: sparse_loss(network, x, settings.revive)
    saved: dict[str, Any] = {"schedule": schedule, "checkpoint": checkpoint}
    fit(reader, batches, loss, optimizer, settings.epochs, **saved)

    reader.eval()
    z = torch.randn(5000, generator.noise, generator=torch.Generator().manual_seed(0)).to(device)
    through_reader = lambda maps: from_positions(reader(to_positions(maps)), 7, 7)
    with torch.no_grad():
        x = vectors(2000, seed=0)
        code = reader.encode(x)
        error = (reader.decoder(code) - x).square().sum() / (x - x.mean(dim=0)).square().sum()
        with replaced(generator, generator[LAYER], through_reader):
            spliced = from_gan_range(torch.cat([generator(part) for part in z.split(500)]))
    distance = "Fréchet distance of the spliced generator, fashion_classifier, 5000 against 5000"
    return reader.cpu(), {
        "variance explained": round((1 - error).item(), 3),
        "share of units in use": round(share_alive(code), 3),
        distance: round(fashion_evaluator()(spliced.cpu()).frechet, 1),
    }
