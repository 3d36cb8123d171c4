"""Images of one's own: a folder of pictures as an `ImageSet` (notebook 15)."""

import os
import pathlib
from collections import Counter
from collections.abc import Iterator

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
    files = sorted(_pictures(folder))
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


def _pictures(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    """Pictures in a folder and its subfolders, linked ones too, each once; nothing hidden."""
    seen: set[str] = set()
    for root, names, files in os.walk(folder, followlinks=True):
        names[:] = [name for name in names if not name.startswith(".")]
        if os.path.realpath(root) in seen:  # a link back
            names.clear()
            continue
        seen.add(os.path.realpath(root))
        for file in map(pathlib.Path(root).joinpath, files):
            if file.suffix.lower() in SUFFIXES and not file.name.startswith("."):
                yield file


def _eight_bits(image: Image.Image, file: pathlib.Path) -> Image.Image:
    """The picture; one of 16 bits or of floats in [0, 1] scaled to 8 bits, as others are."""
    if image.mode not in ("I", "I;16", "I;16B", "I;16L", "F"):
        return image
    values = np.asarray(image, dtype=np.float64)
    values = values * 255 if image.mode == "F" else values / 257
    if not (values.min() >= 0 and values.max() <= 255):
        expected = "16 bits, 0 to 65535, or floats from 0 to 1"
        raise ValueError(f"{file} holds numbers outside {expected}: save it as PNG with 8 bits.")
    return Image.fromarray(values.round().astype(np.uint8))


def _read(file: pathlib.Path, size: int | None, grey: bool) -> Tensor:
    """One picture, uint8 (C, H, W)."""
    try:
        with Image.open(file) as opened:
            upright = _eight_bits(ImageOps.exif_transpose(opened), file)
            image = upright.convert("L" if grey else "RGB")
    except OSError as error:
        problem = f"{file} cannot be read as a picture ({error})"
        raise ValueError(f"{problem}: mend or remove it.") from error
    if size:
        image = ImageOps.fit(image, (size, size), Image.Resampling.LANCZOS)
    pixels = torch.from_numpy(np.array(image))
    return pixels[None] if grey else pixels.permute(2, 0, 1).contiguous()
