"""Super-resolution of notebook 07: coupled dictionaries as a network, trained on CIFAR-10."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from course_utils.arguments import generator
from course_utils.autoencoders import SparseSuperResolution
from course_utils.autoencoders.unrolled import enlarge, shrink_half
from course_utils.metrics import psnr
from course_utils.pretrained import ARCHITECTURES
from course_utils.recipes.denoiser import Settings as DenoiserSettings
from course_utils.recipes.denoiser import greys, learn

__all__ = ["Settings", "train"]


@dataclass(frozen=True)
class Settings(DenoiserSettings):
    """What the training may be told."""

    epochs: int = 24
    batch: int = 32


def batches(images: Tensor, epoch: int, settings: Settings) -> Iterator[tuple[Tensor, Tensor]]:
    """(small, large) pairs of an epoch."""
    draw = generator(epoch)
    for _ in range(settings.steps):
        large = images[torch.randint(len(images), (settings.batch,), generator=draw)]
        yield shrink_half(large), large


def loss(model: SparseSuperResolution, batch: tuple[Tensor, Tensor]) -> Tensor:
    """Squared error, times 100 so that printed losses are not all 0.00."""
    small, large = batch
    return 100 * F.mse_loss(model(small), large)


def train(
    settings: Settings, checkpoint: Path, device: torch.device
) -> tuple[SparseSuperResolution, dict]:
    """Squared error; measured on CIFAR-10 test images against bicubic enlargement."""
    images, network = greys("train"), ARCHITECTURES["super_resolution"]().to(device)
    learn(network, lambda epoch: batches(images, epoch, settings), loss, settings, checkpoint)
    large = greys("test")[:1000]
    small = shrink_half(large)
    with torch.no_grad():
        result, (z, _) = network(small).clamp(0, 1), network.encode(small)
    return network, {
        "test PSNR, dB": round(psnr(result, large).mean().item(), 2),
        "test PSNR of bicubic, dB": round(psnr(enlarge(small).clamp(0, 1), large).mean().item(), 2),
        "share of non-zeros": round((z != 0).float().mean().item(), 3),
    }
