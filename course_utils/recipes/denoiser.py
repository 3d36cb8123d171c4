"""The denoiser of notebook 07: unrolled sparse coding trained on noisy CIFAR-10."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import lr_scheduler

from course_utils.arguments import generator
from course_utils.autoencoders import UnrolledSparseCoder
from course_utils.data import load
from course_utils.metrics import psnr
from course_utils.pretrained import ARCHITECTURES
from course_utils.training import fit

__all__ = ["Settings", "greys", "learn", "noisy_batches", "optimiser", "train", "with_enlarged"]

Coder = TypeVar("Coder", bound=UnrolledSparseCoder)


@dataclass(frozen=True)
class Settings:
    """What the training may be told."""

    epochs: int = 100
    steps: int = 250  # of an epoch: few, for the state is saved after each
    batch: int = 16


def greys(split: str) -> Tensor:
    """CIFAR-10 as luma, (N, 1, 32, 32) in [0, 1]."""
    red, green, blue = (load("cifar10", split).pixels.float() / 255).unbind(1)
    return (0.299 * red + 0.587 * green + 0.114 * blue)[:, None]


def noisy_batches(
    images: Tensor, epoch: int, settings: Settings
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """(clean, noisy, sigma) with sigma from 5 to 60 of 255, one per image."""
    draw = generator(epoch)
    for _ in range(settings.steps):
        clean = images[torch.randint(len(images), (settings.batch,), generator=draw)]
        sigma = (5 + 55 * torch.rand(settings.batch, generator=draw)) / 255
        noise = sigma.view(-1, 1, 1, 1) * torch.randn(clean.shape, generator=draw)
        yield clean, clean + noise, sigma


def with_enlarged(images: Tensor, number: int) -> Tensor:
    """The images and `number` crops of enlarged images: smoother, like sky and walls."""
    large = F.interpolate(images[:number], scale_factor=2, mode="bicubic").clamp(0, 1)
    side = images.shape[-1]
    corners = torch.randint(side + 1, (number, 2), generator=generator(0)).tolist()
    crops = [x[:, top : top + side, left : left + side] for x, (top, left) in zip(large, corners)]
    return torch.cat([images, torch.stack(crops)])


def decibels(model: UnrolledSparseCoder, batch: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    """Minus the mean PSNR, in which smooth images count as much as rough ones."""
    clean, noisy, sigma = batch
    return 10 * (model(noisy, sigma) - clean).square().mean(dim=(1, 2, 3)).add(1e-5).log10().mean()


def optimiser(
    model: nn.Module, steps: int, rate: float = 1e-3
) -> tuple[torch.optim.Adam, lr_scheduler.OneCycleLR]:
    """Adam and a schedule that rises to `rate` and falls to zero; 2e-3 diverges."""
    adam = torch.optim.Adam(model.parameters(), lr=rate, betas=(0.9, 0.99))
    return adam, lr_scheduler.OneCycleLR(adam, rate, total_steps=steps, pct_start=0.1)


def learn(
    model: Coder,
    batches: Callable[[int], Iterable],
    loss: Callable[[Coder, Any], Tensor],
    settings: Settings,
    checkpoint: Path,
) -> None:
    """Train on batches(epoch), moved to the model's device; atoms of norm 1, then on the CPU."""
    device = next(model.parameters()).device
    moved = lambda epoch: ([part.to(device) for part in batch] for batch in batches(epoch))
    adam, schedule = optimiser(model, settings.epochs * settings.steps)
    fit(model, moved, loss, adam, settings.epochs, schedule=schedule, checkpoint=checkpoint)
    model.cpu().eval().unit_atoms_()


def train(
    settings: Settings, checkpoint: Path, device: torch.device
) -> tuple[UnrolledSparseCoder, dict]:
    """Train for the PSNR, on images of CIFAR-10 and smoother ones; measure on its test images."""
    images, coder = with_enlarged(greys("train"), 15_000), ARCHITECTURES["denoiser"]().to(device)
    batches = lambda epoch: noisy_batches(images, epoch, settings)
    learn(coder, batches, decibels, settings, checkpoint)
    return coder, measure(coder)


@torch.no_grad()
def measure(coder: UnrolledSparseCoder) -> dict:
    """PSNR of 1000 test images of CIFAR-10 at three strengths, and the share of the code in use."""
    clean = greys("test")[:1000]
    metrics: dict[str, float] = {}
    for level in (15, 25, 50):
        noisy = clean + level / 255 * torch.randn(clean.shape, generator=generator(level))
        z, mean = coder.encode(noisy, level / 255)
        quality = psnr(coder.decode(z, mean, clean.shape[2:]).clamp(0, 1), clean).mean().item()
        metrics |= {
            f"test PSNR at sigma {level}/255, dB": round(quality, 2),
            f"share of non-zeros at sigma {level}/255": round((z != 0).float().mean().item(), 3),
        }
    return metrics
