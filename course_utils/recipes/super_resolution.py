"""Super-resolution of notebook 07: coupled dictionaries as a network, trained on CIFAR-10."""
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from course_utils.arguments import generator
from course_utils.autoencoders import SparseSuperResolution
from course_utils.autoencoders.unrolled import enlarge, shrink_half
from course_utils.metrics import psnr
from course_utils.recipes.denoiser import greys, optimiser
from course_utils.training import fit

__all__ = ["model", "train"]

BATCH, STEPS, EPOCHS = 32, 250, 24


def model() -> SparseSuperResolution:
    """The network before training."""
    return SparseSuperResolution(atoms=256, size=6, stride=2, steps=2)


def batches(images: Tensor, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
    """(small, large) pairs of an epoch."""
    draw = generator(epoch)
    for _ in range(STEPS):
        large = images[torch.randint(len(images), (BATCH,), generator=draw)]
        yield shrink_half(large), large


def loss(model: SparseSuperResolution, batch: tuple[Tensor, Tensor]) -> Tensor:
    """Squared error, times 100 so that printed losses are not all 0.00."""
    small, large = batch
    return 100 * F.mse_loss(model(small), large)


def train(checkpoint: Path, device: torch.device) -> tuple[SparseSuperResolution, dict]:
    """Minimise the squared error; measure on test images of CIFAR-10 against bicubic enlargement."""
    images, network = greys("train"), model().to(device)
    adam, schedule = optimiser(network, EPOCHS * STEPS)
    fit(network, lambda epoch: ([part.to(device) for part in batch] for batch in batches(images, epoch)), loss,
        adam, EPOCHS, schedule=schedule, checkpoint=checkpoint)
    network = network.cpu().eval()
    network.unit_atoms_()
    large = greys("test")[:1000]
    small = shrink_half(large)
    with torch.no_grad():
        result, (z, _) = network(small).clamp(0, 1), network.encode(small)
    return network, {
        "test PSNR, dB": round(psnr(result, large).mean().item(), 2),
        "test PSNR of bicubic, dB": round(psnr(enlarge(small).clamp(0, 1), large).mean().item(), 2),
        "share of non-zeros": round((z != 0).float().mean().item(), 3),
    }
