"""The classifier of Fashion-MNIST, whose features notebooks 06 and 09 to 12 measure with."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F

from course_utils.classifiers import FashionClassifier
from course_utils.data import load
from course_utils.training import fit

__all__ = ["Settings", "train"]


@dataclass(frozen=True)
class Settings:
    """What the training may be told."""

    epochs: int = 12
    batch: int = 100


def train(
    settings: Settings, checkpoint: Path, device: torch.device
) -> tuple[FashionClassifier, dict]:
    """Cross-entropy, half of the images mirrored; the metric is test accuracy."""
    images, test = (load("fashion_mnist", split).to(device) for split in ("train", "test"))
    classifier = FashionClassifier().to(device)
    optimizer = torch.optim.AdamW(classifier.parameters(), lr=3e-3, weight_decay=0.05)
    steps = settings.epochs * (len(images) // settings.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)

    def loss(network: FashionClassifier, batch: tuple) -> torch.Tensor:
        x, labels = batch
        mirrored = torch.cat([x[::2].flip(3), x[1::2]])  # clothes may face either way
        return F.cross_entropy(network(mirrored), torch.cat([labels[::2], labels[1::2]]))

    batches = lambda epoch: images.batches(settings.batch, epoch=epoch)
    saved: dict[str, Any] = {"schedule": schedule, "checkpoint": checkpoint}
    fit(classifier, batches, loss, optimizer, settings.epochs, **saved)
    classifier.eval()
    with torch.no_grad():
        named = torch.cat([classifier(part).argmax(dim=1) for part in test.images().split(1000)])
    accuracy = (named == test.labels).float().mean().item()
    return classifier.cpu(), {"test accuracy": round(accuracy, 4)}
