"""Overlapping patches: an image as rows of small squares, and back by averaging."""

from torch import Tensor
from torch.nn.functional import fold, unfold

from course_utils.arguments import check_floats, check_int, single

__all__ = ["average_patches", "extract_patches"]


def extract_patches(images: Tensor, size: int = 8, stride: int = 1) -> Tensor:
    """Patches of (N, C, H, W) every `stride` pixels, as rows (number, C·size²).

    In order of image, row, column; within a row the channels follow each other. Raises
    ValueError when the last patch does not end at the border. Built in notebook 02.
    """
    check_floats(images, "images")
    if images.ndim != 4:
        shape = tuple(images.shape)
        raise ValueError(f"images has shape {shape}; expected (N, C, H, W), as by images[None].")
    check_places(images.shape[2], images.shape[3], size, stride)
    return unfold(images, size, stride=stride).transpose(1, 2).flatten(0, 1)


def average_patches(
    patches: Tensor, shape: tuple[int, int, int, int], size: int = 8, stride: int = 1
) -> Tensor:
    """Images (N, C, H, W) of which each pixel is the mean of the patches that cover it.

    `patches` (number, C·size²) as from `extract_patches` of images of that shape; another number
    is an error. Built in notebook 02.
    """
    if len(shape) != 4 or any(side < 1 for side in shape):
        raise ValueError(f"shape is {tuple(shape)}; expected that of the images, (N, C, H, W).")
    n, channels, height, width = shape
    expected = n * check_places(height, width, size, stride), channels * size**2
    if check_floats(patches, "patches").shape != expected:
        raise ValueError(
            f"patches has shape {tuple(patches.shape)}; images of shape {tuple(shape)} have "
            f"{expected}: give the size and the stride of extract_patches."
        )
    columns = single(patches).unflatten(0, (n, -1)).transpose(1, 2)
    total = fold(columns, (height, width), size, stride=stride)
    cover = columns.new_ones(1, size**2, columns.shape[2])
    return (total / fold(cover, (height, width), size, stride=stride)).to(patches.dtype)


def check_places(height: int, width: int, size: int, stride: int) -> int:
    """The number of patches in an image; ValueError unless the last one ends at its border."""
    check_int("size", size, at_least=1, at_most=min(height, width))
    check_int("stride", stride, at_least=1, at_most=size)
    if (height - size) % stride or (width - size) % stride:
        raise ValueError(
            f"Patches of {size} with stride {stride} do not end at the border of {height}x{width}: "
            "crop the image, or take a stride that divides side - size."
        )
    return ((height - size) // stride + 1) * ((width - size) // stride + 1)
