"""Photographs of installed packages, and natural-image patches cut from them.

Part of `course_utils.data`, from where the notebooks import it.
"""

import importlib.util
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from course_utils.arguments import check_choice, check_int, generator
from course_utils.data.sources import SPLITS, DataError

__all__ = [
    "COLOUR_PHOTOGRAPHS",
    "NATURAL_PHOTOGRAPHS",
    "PHOTOGRAPHS",
    "colour_crops",
    "natural_patches",
    "photograph",
    "photographs",
]

# The file of each photograph, inside an installed package (never a download).
_FILES = {
    "astronaut": "skimage/data/astronaut.png",
    "camera": "skimage/data/camera.png",
    "coffee": "skimage/data/coffee.png",
    "chelsea": "skimage/data/chelsea.png",
    "motorcycle": "skimage/data/motorcycle_left.png",
    "rocket": "skimage/data/rocket.jpg",
    "china": "sklearn/datasets/images/china.jpg",
    "flower": "sklearn/datasets/images/flower.jpg",
    "brick": "skimage/data/brick.png",
    "grass": "skimage/data/grass.png",
    "gravel": "skimage/data/gravel.png",
    "coins": "skimage/data/coins.png",
    "moon": "skimage/data/moon.png",
}
PHOTOGRAPHS = tuple(_FILES)
NATURAL_PHOTOGRAPHS = PHOTOGRAPHS[:8]  # without the textures
COLOUR_PHOTOGRAPHS = tuple(name for name in NATURAL_PHOTOGRAPHS if name != "camera")


def photographs(
    grey: bool = True, size: int | None = None, names: Sequence[str] | None = None
) -> dict[str, Tensor]:
    """Photographs by name, all of `PHOTOGRAPHS` unless `names` chooses."""
    if names is not None and (isinstance(names, str) or len(names) == 0):
        raise ValueError(f'names is {names!r}; expected a list of names, such as ["camera"].')
    return {name: photograph(name, grey, size) for name in names or PHOTOGRAPHS}


def photograph(name: str, grey: bool = True, size: int | None = None) -> Tensor:
    """One photograph, float32 (1, 1, H, W) if grey, else (1, 3, H, W), in [0, 1].

    Grey is the luma of ITU-R BT.601. With `size`, the centre square is shrunk to
    size x size pixels, each the mean of the area it covers. Raises ValueError for an
    unknown name or a size larger than the photograph, `DataError` where an old package
    lacks the file.
    """
    pixels = _read(name)
    if size is not None:
        side = min(pixels.shape[1:])
        check_int(f'size of "{name}"', size, at_least=1, at_most=side)
        top, left = (pixels.shape[1] - side) // 2, (pixels.shape[2] - side) // 2
        pixels = _resize(pixels[:, top : top + side, left : left + side], size, size)
    if grey:
        red, green, blue = pixels
        pixels = (0.299 * red + 0.587 * green + 0.114 * blue)[None]
    return (pixels / 255).clamp(0, 1).float()[None]


def _read(name: str) -> Tensor:
    """The pixels of a photograph, float64 (3, H, W) from 0 to 255."""
    check_choice("photograph", name, PHOTOGRAPHS)
    package, _, rest = _FILES[name].partition("/")
    found = importlib.util.find_spec(package)  # says where the package is; imports nothing
    try:
        if found is None or found.origin is None:
            raise FileNotFoundError(package)
        with Image.open(Path(found.origin).parent / rest) as image:
            return torch.tensor(np.array(image.convert("RGB"))).permute(2, 0, 1).double()
    except OSError as error:
        distribution = {"skimage": "scikit-image", "sklearn": "scikit-learn"}[package]
        raise DataError(
            f'The photograph "{name}" cannot be read.',
            [(f"the installed package {distribution}", f"no usable file {_FILES[name]}")],
            f"python -m pip install --upgrade --force-reinstall --no-deps {distribution}",
        ) from error


def _resize(pixels: Tensor, height: int, width: int) -> Tensor:
    """Shrink float64 (C, H, W): each new pixel is the mean of the area it covers.

    The sums are whole numbers, so they are the same in any order, on any machine.
    """
    old_height, old_width = pixels.shape[1:]
    sums = _overlap(old_height, height) @ pixels @ _overlap(old_width, width).T
    return sums / (old_height * old_width)


def _overlap(old: int, new: int) -> Tensor:
    """(new, old): how much of each old pixel lies in each new one, in units of 1/new."""
    new_edge = torch.arange(new + 1, dtype=torch.float64)[:, None] * old
    old_edge = torch.arange(old + 1, dtype=torch.float64) * new
    right = torch.minimum(new_edge[1:], old_edge[1:])
    return (right - torch.maximum(new_edge[:-1], old_edge[:-1])).clamp(min=0)


def natural_patches(
    n: int,
    size: int = 8,
    *,
    seed: int = 0,
    grey: bool = True,
    names: Sequence[str] = NATURAL_PHOTOGRAPHS,
) -> Tensor:
    """n random patches of photographs, float32 (n, C, size, size) in [0, 1].

    Each patch comes from a photograph and a position chosen uniformly. Raises ValueError
    for n < 1, and for a size that does not fit in the smallest photograph.
    """
    n = check_int("n", n, at_least=1)
    images = [image[0] for image in photographs(grey, names=names).values()]
    smallest = min(min(image.shape[1:]) for image in images)
    size = check_int("size", size, at_least=1, at_most=smallest)
    draw = generator(seed)
    which = torch.randint(len(images), (n,), generator=draw)
    return _crops(images, which, size, draw)


def colour_crops(n: int, split: str) -> tuple[Tensor, Tensor]:
    """n crops uint8 (n, 3, 32, 32) of colour photographs at half size, and whose they are.

    Training crops come from the left three quarters, test crops from the right quarter.
    The label is an index into `COLOUR_PHOTOGRAPHS`. A stand-in for CIFAR-10.
    """
    check_choice("split", split, SPLITS)
    halves = []
    for name in COLOUR_PHOTOGRAPHS:
        pixels = _read(name)
        half = _resize(pixels, pixels.shape[1] // 2, pixels.shape[2] // 2).round()
        edge = half.shape[2] * 3 // 4
        halves.append(half[..., :edge] if split == "train" else half[..., edge:])
    draw = generator(SPLITS.index(split))
    labels = torch.randperm(check_int("n", n, 1), generator=draw) % len(halves)
    return _crops(halves, labels, 32, draw).to(torch.uint8), labels


def _crops(images: list[Tensor], which: Tensor, size: int, draw: torch.Generator) -> Tensor:
    """Crop i, (C, size, size), from a random position of image which[i]."""
    crops = images[0].new_empty(len(which), images[0].shape[0], size, size)
    for number, image in enumerate(images):
        mine = (which == number).nonzero()[:, 0]
        room = torch.tensor(image.shape[1:]) - size + 1
        corner = (torch.rand(len(mine), 2, generator=draw, dtype=torch.float64) * room).long()
        rows, columns = corner.T[:, :, None] + torch.arange(size)
        crops[mine] = image[:, rows[:, :, None], columns[:, None, :]].transpose(0, 1)
    return crops
