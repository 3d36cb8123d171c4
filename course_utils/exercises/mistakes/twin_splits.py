"""Splits that keep twins together, and ways to get them wrong (exercise 15.3)."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["SPLIT_MISTAKES", "Split", "images", "name"]


def exact(image: Tensor) -> bytes:
    return image.contiguous().numpy().tobytes()


def flipped(*axes: tuple[int, ...]) -> Callable:
    """The same for an image and its flipped ones: the smallest of their bytes."""
    return lambda image: min(exact(image), *(exact(image.flip(each)) for each in axes))


name = flipped((2,))


def numbered(pixels: Tensor) -> list:
    return list(range(len(pixels)))


def drawn(groups: int, seed: int) -> list[int]:
    return torch.randperm(groups, generator=torch.Generator().manual_seed(seed)).tolist()


@dataclass(frozen=True)
class Split:
    """A way to split: what names a group, how many groups are held out, which side is True.

    `number` is made of (share, groups, images).
    """

    naming: Callable = name
    number: Callable = lambda share, groups, images: round(share * groups)
    held: bool = True

    def names(self, pixels: Tensor) -> list:
        """The name of the group of each image."""
        if self.naming is numbered:
            return numbered(pixels)
        return [self.naming(image) for image in pixels]

    def __call__(self, pixels: Tensor, share: float, seed: int, draw: Callable = drawn) -> Tensor:
        """The images that are held out, bool (N,)."""
        names = self.names(pixels)
        groups = sorted(set(names))
        number = self.number(share, len(groups), len(pixels))
        chosen = {groups[i] for i in draw(len(groups), seed)[:number]}
        return torch.tensor([(each in chosen) == self.held for each in names])

    def explains(self, pixels: Tensor, share: float, output: Tensor) -> bool:
        """Whether this way could have made an output."""
        names, held = self.names(pixels), (output == self.held).tolist()
        inside = {each for each, out in zip(names, held) if out}
        outside = {each for each, out in zip(names, held) if not out}
        groups = len(inside | outside)
        wanted = min(self.number(share, groups, len(pixels)), groups)
        return not inside & outside and len(inside) == wanted


SPLIT_MISTAKES: dict[str, Split] = {
    "yours holds out 1 - share of the groups: True is for the share that is held out.": Split(
        held=False
    ),
    "round(share * groups): yours rounds down.": Split(number=lambda s, groups, _: int(s * groups)),
    "round(share * groups): yours rounds up.": Split(
        number=lambda share, groups, _: math.ceil(share * groups)
    ),
    "round(share * groups) may be 0: yours holds out at least one group.": Split(
        number=lambda share, groups, _: max(1, round(share * groups))
    ),
    "the share is one of the groups; yours takes it of the images.": Split(
        number=lambda share, _, images: round(share * images)
    ),
    "the share is one of the groups; yours takes it of the images and rounds down.": Split(
        number=lambda share, _, images: int(share * images)
    ),
    "yours holds out one group too many: order[:number].": Split(
        number=lambda share, groups, _: round(share * groups) + 1
    ),
    "yours holds out one group too few: order[:number].": Split(
        number=lambda share, groups, _: max(0, round(share * groups) - 1)
    ),
    "round(share * groups): yours holds out half of it.": Split(
        number=lambda share, groups, _: round(share * groups / 2)
    ),
    "images are twins if they are mirrored left to right, too; yours groups equal ones only.": (
        Split(exact)
    ),
    "yours mirrors top to bottom; twins are mirrored left to right: the last axis.": Split(
        flipped((1,))
    ),
    "yours mirrors top to bottom as well; twins are mirrored left to right only.": Split(
        flipped((2,), (1,), (1, 2))
    ),
    "yours turns the image round; twins are mirrored left to right: the last axis alone.": Split(
        flipped((1, 2))
    ),
    "yours mirrors the channels; twins are mirrored left to right: the last axis.": Split(
        flipped((0,))
    ),
    "yours mirrors the channels, too; twins are mirrored left to right: the last axis alone.": (
        Split(flipped((0, 2)))
    ),
    "twins are equal in all channels; yours compares the first one.": Split(
        lambda image: name(image[:1])
    ),
    "twins are equal in all channels; yours compares their sum.": Split(
        lambda image: name(image.int().sum(dim=0, keepdim=True))
    ),
    "twins are equal in all rows; yours compares the first one.": Split(
        lambda image: name(image[:, :1])
    ),
    "images with the same sum or mean are no twins: compare all pixels.": Split(
        lambda image: int(image.int().sum())
    ),
    "images with the same sum of each channel are no twins: compare all pixels.": Split(
        lambda image: tuple(image.int().sum(dim=(1, 2)).tolist())
    ),
    "images with the same pixels in another order are no twins.": Split(
        lambda image: tuple(sorted(image.flatten().tolist()))
    ),
    "images with the same rows in another order are no twins.": Split(
        lambda image: tuple(sorted(map(exact, image.flip(2).minimum(image).unbind(1))))
    ),
    "images that are nearly equal are no twins: compare exactly.": Split(
        lambda image: name(image // 2)
    ),
    "yours holds out images; draw groups, so that no twin is left in the training part.": Split(
        numbered
    ),
    "yours holds out images, rounding down; draw groups, so that no twin is left behind.": Split(
        numbered, lambda share, groups, _: int(share * groups)
    ),
}


def images(base: int, channels: int, height: int, width: int) -> Tensor:
    """Images with twins, and with others that only look like twins, uint8 (N, C, H, W)."""
    first = torch.randint(64, 192, (base, channels, height, width), dtype=torch.uint8)
    some = first[: max(1, base // 3)]
    near, balanced = some.clone(), some.clone()
    near[:, -1, -1, -1] ^= 1
    balanced[:, 0, 0, 0] += 60
    balanced[:, -1, -1, -1] -= 60
    other_channels, other_rows = torch.randint_like(some, 256), torch.randint_like(some, 256)
    other_channels[:, 0], other_rows[:, :, 0] = some[:, 0], some[:, :, 0]
    strangers = [some.flip(2), some.flip(1), some.roll(1, 1), some.flip(1, 3), some.flip(2, 3)]
    strangers += [some.roll(1, 2), some.roll(1, 3), near, balanced, other_channels, other_rows]
    twins = [first[1 : base // 2], first[: base // 2].flip(3), some]
    found = torch.cat([first, *twins, *strangers])
    return found[torch.randperm(len(found))]
