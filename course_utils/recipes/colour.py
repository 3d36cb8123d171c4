"""The four-stage sparse autoencoder of notebook 05, trained on all of CIFAR-10."""
from pathlib import Path

import torch

from course_utils.autoencoders import FourStageAutoencoder, TopK, share_alive, sparse_loss
from course_utils.data import load
from course_utils.metrics import psnr
from course_utils.training import fit

__all__ = ["model", "train"]

CODE, K, MAPS, LAM, EPOCHS, BATCH, RATE = 320, 64, 16, 0.01, 10, 100, 2e-3


def model() -> FourStageAutoencoder:
    """The autoencoder before training: 64 of 320 units active, 16 maps in s and d."""
    return FourStageAutoencoder(CODE, TopK(K), MAPS, LAM)


def train(checkpoint: Path, device: torch.device) -> tuple[FourStageAutoencoder, dict]:
    """TopK whose k falls from all units to K in the first half of the steps, with revival of silent units."""
    images, test = load("cifar10", "train").to(device), load("cifar10", "test")
    autoencoder = model().to(device)
    optimizer = torch.optim.Adam(autoencoder.parameters(), lr=RATE)
    steps = EPOCHS * (len(images) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps, pct_start=0.1)

    def loss(autoencoder: FourStageAutoencoder, batch: tuple) -> dict:
        done = min(1, 2 * schedule.last_epoch / steps)
        autoencoder.sparsity.k = round(CODE * (K / CODE) ** done)
        return sparse_loss(autoencoder, batch[0], revive=1 / 32)

    fit(autoencoder, lambda epoch: images.batches(BATCH, epoch=epoch), loss, optimizer, EPOCHS,
        schedule=schedule, checkpoint=checkpoint)

    autoencoder = autoencoder.cpu().eval()
    with torch.no_grad():
        stages = [autoencoder.stages(part) for part in test.images().split(1000)]
    quality = psnr(torch.cat([part.x_hat for part in stages]), test.images()).mean().item()
    zeros = torch.cat([part.s for part in stages]).eq(0).float().mean().item()
    alive = share_alive(torch.cat([part.c for part in stages]))
    return autoencoder, {
        "test PSNR, dB": round(quality, 2), "share of code units in use": round(alive, 3),
        "share of zeros in s": round(zeros, 3),
    }
