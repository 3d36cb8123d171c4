"""Images of one's own: the pictures of a folder, with its subfolders as classes."""

import os
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from course_utils.arguments import check_int
from course_utils.data.datasets import ImageSet

__all__ = ["load_folder"]

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"}
FOREIGN = {".heic", ".heif", ".avif", ".jxl", ".jp2", ".svg", ".dng", ".cr2", ".nef", ".arw"}


def load_folder(folder: str | os.PathLike, size: int | None = None, grey: bool = False) -> ImageSet:
    """The images of a folder, sorted by name; each subfolder that holds images is a class.

    With `size` the centre square of each is scaled to size x size. Images turned by their camera's
    note (EXIF) stand upright; 16 bits become 8; behind transparent pixels is white; of an animation
    or a file of several pages the first picture is read. Links are followed; hidden files and
    folders, and what systems and editors leave, are left out. Warns of a subfolder without images.

    Raises ValueError for a folder that is missing or without images, for a file that cannot be
    read, for pixels outside [0, 1] in a file of decimal numbers, and without `size` for images of
    several sizes.
    """
    folder = Path(folder)
    if size is not None:
        check_int("size", size, at_least=1)
    if not folder.is_dir():
        raise ValueError(
            f"{folder} is not a folder (looked for {folder.absolute()}): give the folder that "
            "holds the pictures."
        )
    files = sorted(_files(folder))
    if not files:
        kinds = ", ".join(sorted(SUFFIXES))
        raise ValueError(f"{folder} holds no picture; looked for {kinds}, in its subfolders, too.")
    pictures = [_read(file, size, grey) for file in files]
    sizes = Counter(picture.shape[1:] for picture in pictures)
    if len(sizes) > 1:
        listed = [f"{count} of {w} x {h}" for (h, w), count in sizes.most_common(4)]
        usual = sizes.most_common(1)[0][0]
        odd = next(f for f, picture in zip(files, pictures) if picture.shape[1:] != usual)
        what = f"pictures of {len(sizes)} sizes ({', '.join(listed)}; one is {odd.name})"
        advice = "give size=64 (or another) to make them equal squares"
        raise ValueError(f"{folder} holds {what}: {advice}.")
    places = [file.parent.relative_to(folder).as_posix() for file in files]
    classes = sorted(set(places))
    labels = torch.tensor([classes.index(place) for place in places])
    name = folder.resolve().name
    source = f"{len(files)} pictures of the folder {name}."
    return ImageSet(name, "all", torch.stack(pictures), labels, tuple(classes), source)


def _files(folder: Path) -> Iterator[Path]:
    """The pictures below a folder."""

    def stop(error: OSError) -> None:
        raise ValueError(f"{error.filename} cannot be read ({error.strerror}).") from error

    for place, folders, names in os.walk(folder, onerror=stop, followlinks=True):
        here = Path(place)
        folders[:] = [name for name in folders if name[0] != "." and name != "__MACOSX"]
        for name in folders:
            if here.resolve().is_relative_to((here / name).resolve()):
                raise ValueError(f"{here / name} is a link to a folder that holds it: remove it.")
        pictures = [here / name for name in sorted(names) if name[0] != "."]
        for file in pictures:
            if file.suffix.lower() in FOREIGN:
                raise ValueError(
                    f"{file} is of a kind that is not read: save it as PNG, or move it."
                )
        pictures = [file for file in pictures if file.suffix.lower() in SUFFIXES]
        if not (pictures or folders or here == folder):
            warnings.warn(f"{here} holds no picture, so it is no class.", stacklevel=3)
        yield from pictures


def _read(file: Path, size: int | None, grey: bool) -> Tensor:
    """One picture, uint8 (C, H, W)."""
    try:
        with Image.open(file) as opened:
            image = _eight_bits(ImageOps.exif_transpose(opened)).convert("L" if grey else "RGB")
    except Exception as error:  # Pillow raises whatever it stumbles over
        problem = f"{file} cannot be read as a picture ({error})"
        raise ValueError(f"{problem}: mend or remove it.") from error
    if size:
        image = ImageOps.fit(image, (size, size), Image.Resampling.LANCZOS)
    pixels = torch.from_numpy(np.array(image))
    return pixels[None] if grey else pixels.permute(2, 0, 1).contiguous()


def _eight_bits(image: Image.Image) -> Image.Image:
    """A picture of 8 bits without transparency. ValueError for numbers without a known white."""
    if image.mode == "F" or image.mode.startswith("I"):
        pixels, white = np.asarray(image, dtype=np.float64), 1 if image.mode == "F" else 65535
        if not (pixels.min() >= 0 and pixels.max() <= white):
            given = f"its pixels go from {pixels.min():g} to {pixels.max():g}"
            raise ValueError(f"{given}; expected 0 for black to {white} for white")
        return Image.fromarray(np.rint(pixels * (255 / white)).astype(np.uint8))
    if "transparency" in image.info or image.mode in ("LA", "La", "PA", "RGBA", "RGBa"):
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image
