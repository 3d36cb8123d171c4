"""Overlapping patches with votes, with the mistakes made about them (exercise 07.5)."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from course_utils.patches import average_patches, extract_patches

__all__ = ["VOTE_MISTAKES", "weighted"]

Shape = tuple[int, int, int, int]


def mean(patches: Tensor, shape: Shape) -> Tensor:
    return average_patches(patches, shape, 8, 2)


def total(patches: Tensor, shape: Shape) -> Tensor:
    """The sum of the patches at each pixel."""
    cover = sum_of_ones(shape)
    return mean(patches, shape) * cover


def sum_of_ones(shape: Shape) -> Tensor:
    """How many patches cover each pixel."""
    cover = torch.zeros(shape)
    for top in range(0, shape[2] - 7, 2):
        for left in range(0, shape[3] - 7, 2):
            cover[..., top : top + 8, left : left + 8] += 1
    return cover


def weighted(
    patches: Tensor, votes: Tensor, shape: Shape, small: float = 0.0, below: Callable = torch.clone
) -> Tensor:
    """The average; `small` is added to the sum of votes, `below` changes the votes in it."""
    votes = votes[:, None].repeat(1, 64)
    return total(votes * patches, shape) / (total(below(votes), shape) + small)


def with_votes(change: Callable) -> Callable:
    """A mistake: other votes."""
    return lambda p, v, s: weighted(p, change(v), s)


def by_columns(p: Tensor, v: Tensor, s: Shape) -> Tensor:
    """A mistake: the patches stand column by column."""
    rows, columns = (s[2] - 8) // 2 + 1, (s[3] - 8) // 2 + 1
    order = torch.arange(len(p)).view(columns, rows).T.flatten()
    return weighted(p[order], v[order], s)


def winner(p: Tensor, v: Tensor, s: Shape) -> Tensor:
    """A mistake: at each pixel the patch with the largest vote."""
    image, positions = torch.zeros(s), range(0, s[3] - 7, 2)
    for i in v.argsort().tolist():
        top, left = 2 * (i // len(positions)), 2 * (i % len(positions))
        image[..., top : top + 8, left : left + 8] = p[i].view(8, 8)
    return image


VOTE_MISTAKES: dict[str, Callable] = {
    "every patch has the same vote.": lambda p, v, s: mean(p, s),
    "divide by the votes, not by the number of patches.": lambda p, v, s: mean(v[:, None] * p, s),
    "divide by the sum of votes; you did not divide at all.": (
        lambda p, v, s: total(v[:, None] * p, s)
    ),
    "divide the sum of w p by the sum of w, not the mean of w p.": (
        lambda p, v, s: mean(v[:, None] * p, s) / total(v[:, None].repeat(1, 64), s)
    ),
    "divide the mean of w p by the mean of w, not the sum.": (
        lambda p, v, s: total(v[:, None] * p, s) / mean(v[:, None].repeat(1, 64), s)
    ),
    "each pixel has its own sum of votes.": lambda p, v, s: mean(v[:, None] * p, s) / v.mean(),
    "divide by the votes that cover a pixel, not by all.": (
        lambda p, v, s: mean(v[:, None] * p, s) / v.sum()
    ),
    "divide by the votes that cover a pixel, not by the votes of all patches.": (
        lambda p, v, s: total(v[:, None] * p, s) / v.sum()
    ),
    "divide by the votes that cover a pixel, not by the largest.": (
        lambda p, v, s: mean(v[:, None] * p, s) / v.max()
    ),
    "multiply the patches by their votes, too; you divided only.": (
        lambda p, v, s: mean(p, s) / mean(v[:, None].repeat(1, 64), s)
    ),
    "the averages are divided, not multiplied.": (
        lambda p, v, s: mean(v[:, None] * p, s) * mean(v[:, None].repeat(1, 64), s)
    ),
    "average patches times votes; you multiplied two averages.": (
        lambda p, v, s: mean(p, s) * mean(v[:, None].repeat(1, 64), s)
    ),
    "upside down: divide by the average of the votes.": (
        lambda p, v, s: mean(v[:, None].repeat(1, 64), s) / mean(v[:, None] * p, s)
    ),
    "you divided by the votes; multiply.": with_votes(torch.reciprocal),
    "votes count as they are: no squares.": with_votes(torch.square),
    "divide by the sum of votes; yours are squared above only.": (
        lambda p, v, s: weighted(v[:, None] * p, v, s)
    ),
    "divide by the sum of votes; yours are squared below only.": (
        partial(weighted, below=torch.square)
    ),
    "votes count as they are: no roots.": with_votes(torch.sqrt),
    "votes count as they are: no softmax, no exponential.": with_votes(lambda v: v.softmax(dim=0)),
    "votes count as they are: no logarithm.": with_votes(torch.log1p),
    "votes count as they are: a large one may be more than 1.": with_votes(
        lambda v: v.clamp_max(1)
    ),
    "a large vote counts much; yours counts little.": with_votes(lambda v: v.max() - v + v.min()),
    "a large vote counts much; you took 1 - vote.": with_votes(lambda v: 1 - v),
    "a vote need not be whole: do not round it.": with_votes(torch.round),
    "small votes count as well.": with_votes(lambda v: v.where(v > v.mean(), 0)),
    "the votes are in another order than the patches.": with_votes(lambda v: v.flip(0)),
    "the votes are sorted: keep them in the order of the patches.": (
        with_votes(lambda v: v.sort().values)
    ),
    "each patch has its own vote; you took the first one's.": lambda p, v, s: mean(v[0] * p, s),
    "average over all patches; the largest vote does not win alone.": winner,
    "patches stand row by row, not column by column.": by_columns,
    "rows and columns within the patches are exchanged.": (
        lambda p, v, s: weighted(p.view(-1, 8, 8).mT.flatten(1), v, s)
    ),
    "the patches keep their mean: do not take it off.": (
        lambda p, v, s: weighted(p - p.mean(dim=1, keepdim=True), v, s)
    ),
    "the image is not to be clipped: values may be beyond [0, 1].": (
        lambda p, v, s: weighted(p, v, s).clamp(0, 1)
    ),
    "the image is not to be clipped: values may be below 0.": (
        lambda p, v, s: weighted(p, v, s).clamp_min(0)
    ),
    "the last patch is left out.": (
        lambda p, v, s: weighted(p, torch.cat([v[:-1], 1e-9 * v[-1:]]), s)
    ),
    "return an image (1, 1, H, W); the first axes are missing.": (
        lambda p, v, s: weighted(p, v, s)[0, 0]
    ),
    "that is the sum of votes at each pixel; divide the sum of w p by it.": (
        lambda p, v, s: total(v[:, None].repeat(1, 64), s)
    ),
    "those are the patches of the image; return the image.": (
        lambda p, v, s: extract_patches(weighted(p, v, s), 8, 2)
    ),
    **{
        f"do not add {small:g} to the sum of votes: they may be small.": partial(
            weighted, small=small
        )
        for small in (1.0, 0.1, 0.01, 1e-3, 1e-4, 1e-5, 1e-6)
    },
    **{
        f"do not add {small:g} to the mean of votes: they may be small.": (
            lambda p, v, s, small=small: (
                mean(v[:, None] * p, s) / (mean(v[:, None].repeat(1, 64), s) + small)
            )
        )
        for small in (1.0, 0.1, 0.01, 1e-3, 1e-4, 1e-5, 1e-6)
    },
}
