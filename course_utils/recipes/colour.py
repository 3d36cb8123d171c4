"""The four-stage sparse autoencoder of notebook 05, trained on all of CIFAR-10."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from course_utils.autoencoders import FourStageAutoencoder, share_alive, sparse_loss
from course_utils.data import load
from course_utils.metrics import psnr
from course_utils.pretrained import ARCHITECTURES
from course_utils.training import fit

__all__ = ["Settings", "train"]


@dataclass(frozen=True)
class Settings:
    """What the training may be told."""

    epochs: int = 10
    batch: int = 100
    rate: float = 2e-3
    revive: float = 1 / 32


def train(
    settings: Settings, checkpoint: Path, device: torch.device
) -> tuple[FourStageAutoencoder, dict]:
    """TopK with k annealed from all units in the first half, and revival of dead units."""
    images, test = load("cifar10", "train").to(device), load("cifar10", "test")
    autoencoder = ARCHITECTURES["colour"]().to(device)
    units, k = len(autoencoder.silent), autoencoder.sparsity.k
    optimizer = torch.optim.Adam(autoencoder.parameters(), lr=settings.rate)
    steps = settings.epochs * (len(images) // settings.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, settings.rate, total_steps=steps, pct_start=0.1
    )

    def fewer_units() -> None:
        done = min(1, 2 * schedule.last_epoch / steps)
        autoencoder.sparsity.k = round(units * (k / units) ** done)

    batches = lambda epoch: images.batches(settings.batch, epoch=epoch)
    loss = lambda model, batch: sparse_loss(model, batch[0], revive=settings.revive)
    options: dict[str, Any] = dict(schedule=schedule, checkpoint=checkpoint, each_step=fewer_units)
    fit(autoencoder, batches, loss, optimizer, settings.epochs, **options)

    autoencoder = autoencoder.cpu().eval()
    with torch.no_grad():
        stages = [autoencoder.stages(part) for part in test.images().split(1000)]
    quality = psnr(torch.cat([part.x_hat for part in stages]), test.images()).mean().item()
    zeros = torch.cat([part.s for part in stages]).eq(0).float().mean().item()
    alive = share_alive(torch.cat([part.c for part in stages]))
    return autoencoder, {
        "test PSNR, dB": round(quality, 2),
        "share of code units in use": round(alive, 3),
        "share of zeros in s": round(zeros, 3),
    }
