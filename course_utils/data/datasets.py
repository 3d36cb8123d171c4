"""Data sets as tensors, and their batches."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from course_utils.arguments import check_choice, check_int, generator
from course_utils.data.natural_images import COLOUR_PHOTOGRAPHS, colour_crops
from course_utils.data.sources import SPLITS, DataError, find, read_embedded

__all__ = ["DATASETS", "ImageSet", "load"]

CLOTHES = (
    "T-shirt/top", "trouser", "pullover", "dress", "coat",
    "sandal", "shirt", "sneaker", "bag", "ankle boot",
)  # fmt: skip
THINGS = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip
CLASSES = {"fashion_mnist": CLOTHES, "fashion_mnist_full": CLOTHES, "cifar10": THINGS}
DATASETS = tuple(CLASSES)


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images and their labels, held in memory on one device.

    pixels: uint8 (N, C, H, W). labels: int64 (N,), an index into `classes`.
    source: one sentence that says which data these are and where they come from.
    """

    name: str
    split: str
    pixels: Tensor
    labels: Tensor
    classes: tuple[str, ...]
    source: str

    def __post_init__(self):
        if self.pixels.dtype != torch.uint8 or self.pixels.ndim != 4:
            raise ValueError(
                f"pixels are {self.pixels.dtype} of shape {tuple(self.pixels.shape)}; expected "
                "uint8 of shape (N, C, H, W): use (images * 255).round().to(torch.uint8)."
            )
        if self.labels.dtype != torch.int64 or self.labels.shape != self.pixels.shape[:1]:
            raise ValueError(
                f"labels are {self.labels.dtype} of shape {tuple(self.labels.shape)}; expected "
                f"int64 of shape ({len(self.pixels)},): give one class index for each image."
            )

    def __len__(self) -> int:
        return len(self.pixels)

    def __repr__(self) -> str:
        channels, height, width = self.pixels.shape[1:]
        shape = f"{channels} x {height} x {width}"
        return f"{self.name} ({self.split}): {len(self):,} images of {shape}. {self.source}"

    def images(self, index: int | slice | Sequence[int] | Tensor = slice(None)) -> Tensor:
        """The images at an index, float32 (n, C, H, W) in [0, 1]; an int gives n = 1."""
        return self.pixels[[index] if isinstance(index, (int, np.integer)) else index].float() / 255

    def to(self, device: torch.device | str) -> "ImageSet":
        """The same images on another device."""
        return replace(self, pixels=self.pixels.to(device), labels=self.labels.to(device))

    def subset(self, n: int, seed: int = 0) -> "ImageSet":
        """n images, chosen by the seed, as evenly over the classes as can be.

        Raises ValueError unless 1 <= n <= len(self).
        """
        n = check_int("n", n, at_least=1, at_most=len(self))
        order = torch.randperm(len(self), generator=generator(seed))
        labels = self.labels.cpu()[order]
        # An image's place within its own class: first all firsts, then all seconds, ...
        place = torch.nn.functional.one_hot(labels).cumsum(0).gather(1, labels[:, None])[:, 0]
        chosen = order[place.argsort(stable=True)[:n]].sort().values.to(self.pixels.device)
        return replace(self, pixels=self.pixels[chosen], labels=self.labels[chosen])

    def batches(
        self, batch_size: int, *, seed: int = 0, epoch: int = 0, drop_last: bool = True
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Shuffled (images in [0, 1], labels), each image at most once in an epoch.

        The last batch, if it is not full, is left out unless `drop_last` is False.

        The order depends on seed and epoch only: it is drawn on the CPU, so that it is the
        same on every device. Raises ValueError unless 1 <= batch_size <= len(self).
        """
        batch_size = check_int("batch_size", batch_size, at_least=1, at_most=len(self))
        epoch = check_int("epoch", epoch, at_least=0)
        shuffle = generator(check_int("seed", seed) + 1_000_003 * epoch)
        order = torch.randperm(len(self), generator=shuffle).to(self.pixels.device)
        stop = len(self) - len(self) % batch_size if drop_last else len(self)
        chosen = (order[start : start + batch_size] for start in range(0, stop, batch_size))
        return ((self.images(index), self.labels[index]) for index in chosen)

    def stream(self, batch_size: int, steps: int | None = None) -> Iterator[Tensor]:
        """`steps` batches of images, epoch after epoch in new orders; endless for None."""
        epochs = (self.batches(batch_size, epoch=epoch) for epoch in itertools.count())
        return itertools.islice((x for batches in epochs for x, _ in batches), steps)


def load(name: str, split: str = "train", *, stand_in: bool = False) -> ImageSet:
    """A data set of `DATASETS`, on the CPU; print it to see which data were used.

    "fashion_mnist" lies in the repository (20,000 train and 5,000 test images of 28 x 28).
    "fashion_mnist_full" and "cifar10" are looked for on this machine, then fetched, and
    kept. Raises `DataError` where they cannot be had, unless `stand_in` says that other
    images of the same shape will do. Raises ValueError for an unknown name or split.
    """
    check_choice("data set", name, DATASETS)
    check_choice("split", split, SPLITS)
    if name == "fashion_mnist":
        return _embedded(name, split, "")
    try:
        images, labels, where = find(name, split)
    except DataError:
        if not stand_in:
            raise
        if name == "fashion_mnist_full":
            return _embedded(name, split, "Stand-in for the whole data set: ")
        pixels, labels = colour_crops({"train": 10_000, "test": 2_000}[split], split)
        source = (
            "Stand-in, NOT CIFAR-10 (which could not be had): 32 x 32 crops of photographs of "
            "scikit-image and scikit-learn; the class is the photograph."
        )
        return ImageSet(name, split, pixels, labels, COLOUR_PHOTOGRAPHS, source)
    title = {"cifar10": "CIFAR-10", "fashion_mnist_full": "Fashion-MNIST"}[name]
    source = f"The original {title}, whole, from {where}; checked by its SHA-256."
    return _image_set(name, split, images, labels, source)


def _image_set(
    name: str, split: str, images: np.ndarray, labels: np.ndarray, source: str
) -> ImageSet:
    if images.ndim == 3:
        images = images[..., None]
    pixels = torch.from_numpy(np.moveaxis(images, -1, 1).copy())
    return ImageSet(name, split, pixels, torch.tensor(labels).long(), CLASSES[name], source)


def _embedded(name: str, split: str, remark: str) -> ImageSet:
    each = {"train": "2,000", "test": "500"}[split]
    source = (
        f"{remark}Fashion-MNIST, the first {each} images of each class of the original {split} "
        "set, from data/fashion_mnist_part.npz."
    )
    return _image_set(name, split, *read_embedded(split), source)
