"""Images of one's own: a folder of pictures as an `ImageSet` (notebook 15)."""

import os
import pathlib
from collections import Counter

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from course_utils.arguments import check_int
from course_utils.data.datasets import ImageSet

__all__ = ["load_folder"]

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"}


def load_folder(folder: str | os.PathLike, size: int | None = None, grey: bool = False) -> ImageSet:
    """The images of a folder, sorted by name; each subfolder that holds images is a class.

    With `size` the centre square of each is scaled to size x size. Images turned by their camera's
    note (EXIF) stand upright. Raises ValueError for a folder that is missing or without images,
    for a file that cannot be read, and without `size` for images of several sizes.
    """
    folder = pathlib.Path(folder)
    if size is not None:
        check_int("size", size, at_least=1)
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder: give the folder that holds the pictures.")
    found = (file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES)
    files = sorted(file for file in found if not file.name.startswith("."))
    if not files:
        kinds = ", ".join(sorted(SUFFIXES))
        raise ValueError(f"{folder} holds no picture; looked for {kinds}, in its subfolders, too.")
    pictures = [_read(file, size, grey) for file in files]
    sizes = Counter(picture.shape[1:] for picture in pictures)
    if len(sizes) > 1:
        listed = [f"{count} of {w} x {h}" for (h, w), count in sizes.most_common(4)]
        what = f"pictures of {len(sizes)} sizes ({', '.join(listed)})"
        advice = "give size=64 (or another) to make them equal squares"
        raise ValueError(f"{folder} holds {what}: {advice}.")
    places = [file.parent.relative_to(folder).as_posix() for file in files]
    classes = sorted(set(places))
    labels = torch.tensor([classes.index(place) for place in places])
    source = f"{len(files)} pictures of the folder {folder.name}."
    return ImageSet(folder.name, "all", torch.stack(pictures), labels, tuple(classes), source)


def _read(file: pathlib.Path, size: int | None, grey: bool) -> Tensor:
    """One picture, uint8 (C, H, W)."""
    try:
        with Image.open(file) as opened:
            image = ImageOps.exif_transpose(opened).convert("L" if grey else "RGB")
    except OSError as error:
        problem = f"{file} cannot be read as a picture ({error})"
        raise ValueError(f"{problem}: mend or remove it.") from error
    if size:
        image = ImageOps.fit(image, (size, size), Image.Resampling.LANCZOS)
    pixels = torch.from_numpy(np.array(image))
    return pixels[None] if grey else pixels.permute(2, 0, 1).contiguous()
