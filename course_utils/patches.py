"""Overlapping patches: an image as rows of small squares, and back by averaging.

Built in notebook 02, used by dictionary learning from notebook 03 on.
"""

from torch import Tensor
from torch.nn.functional import fold, unfold

from course_utils.arguments import check_floats, check_int

__all__ = ["average_patches", "extract_patches"]


def extract_patches(images: Tensor, size: int = 8, stride: int = 1) -> Tensor:
    """Patches of (N, C, H, W) every `stride` pixels, as rows (number, C·size²).

    In order of image, row, column; within a row the channels follow each other. Raises
    ValueError when the last patch does not end at the border. Built in notebook 02.
    """
    check_floats(images, "images")
    if images.ndim != 4:
        raise ValueError(
            f"images has shape {tuple(images.shape)}; expected (N, C, H, W): "
            "images[None] adds an axis."
        )
    check_tiling(tuple(images.shape[2:]), size, stride)
    return unfold(images, size, stride=stride).transpose(1, 2).flatten(0, 1)


def average_patches(
    patches: Tensor, shape: tuple[int, int, int, int], size: int = 8, stride: int = 1
) -> Tensor:
    """Images (N, C, H, W) of which each pixel is the mean of the patches that cover it.

    `patches` (number, C·size²) as from `extract_patches` of images of that shape. Raises
    ValueError for a wrong number of patches. Built in notebook 02.
    """
    check_floats(patches, "patches")
    n, channels, height, width = shape
    check_tiling((height, width), size, stride)
    number = n * ((height - size) // stride + 1) * ((width - size) // stride + 1)
    if patches.shape != (number, channels * size**2):
        raise ValueError(
            f"patches has shape {tuple(patches.shape)}; images {tuple(shape)} have "
            f"{(number, channels * size**2)}."
        )

    total = fold(
        patches.unflatten(0, (n, -1)).transpose(1, 2), (height, width), size, stride=stride
    )
    cover = fold(patches.new_ones(1, size**2, number // n), (height, width), size, stride=stride)
    return total / cover


def check_tiling(sides: tuple[int, int], size: int, stride: int) -> None:
    """Raise ValueError unless patches of this size and stride reach all borders."""
    check_int("size", size, at_least=1, at_most=min(sides))
    check_int("stride", stride, at_least=1, at_most=size)
    if any((side - size) % stride for side in sides):
        raise ValueError(
            f"Patches of {size} with stride {stride} do not end at the border of "
            f"{sides[0]}x{sides[1]}: crop the image, or take a stride that divides side - size."
        )
