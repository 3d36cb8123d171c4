"""How near a copy is, and the ways to get it wrong (exercise 12.5)."""

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["COPY_MISTAKES", "ratio"]


def distances(generated: Tensor, stored: Tensor, near: float = 0.0) -> tuple[Tensor, Tensor]:
    """To the nearest stored row, and to the nearest one that differs from it by more than this."""
    gaps = torch.cdist(generated.double(), stored.double())
    apart = (stored[gaps.argmin(dim=1)][:, None] - stored).abs().amax(dim=2)
    return gaps.amin(dim=1), gaps.masked_fill(apart <= near, math.inf).amin(dim=1)


def ratio(generated: Tensor, stored: Tensor, near: float = 0.0) -> Tensor:
    """The nearest distance over that to the nearest row that differs, (N,)."""
    first, other = distances(generated, stored, near)
    return first / other


def place(which: int) -> Callable:
    """Divided by the distance that has this place, from 0, in the order of all."""

    def divided(generated: Tensor, stored: Tensor) -> Tensor:
        gaps = torch.cdist(generated, stored).sort(dim=1).values
        return gaps[:, 0] / gaps[:, which]

    return divided


def among(gaps_of: Callable) -> Callable:
    """The ratio for other distances (N, M)."""

    def divided(generated: Tensor, stored: Tensor) -> Tensor:
        gaps = gaps_of(generated, stored)
        same = (stored[gaps.argmin(dim=1)][:, None] == stored).all(dim=2)
        return gaps.amin(dim=1) / gaps.masked_fill(same, math.inf).amin(dim=1)

    return divided


def without(left_out: Callable) -> Callable:
    """The ratio without stored rows that are left out: (gaps, nearest row, generated, stored)."""

    def divided(generated: Tensor, stored: Tensor) -> Tensor:
        gaps = torch.cdist(generated, stored)
        nearest = stored[gaps.argmin(dim=1)][:, None]
        out = left_out(gaps, nearest, generated[:, None], stored)
        return gaps.amin(dim=1) / gaps.masked_fill(out, math.inf).amin(dim=1)

    return divided


def from_the_nearest(generated: Tensor, stored: Tensor) -> Tensor:
    """The second distance is that of the nearest stored row to its own neighbour."""
    gaps = torch.cdist(generated, stored)
    nearest = stored[gaps.argmin(dim=1)]
    return gaps.amin(dim=1) / distances(nearest, stored)[1]


def to_the_rest(join: Callable) -> Callable:
    """The distance to the nearest row over a summary of all the distances to the others."""
    return lambda generated, stored: (
        torch.cdist(generated, stored).amin(dim=1) / join(torch.cdist(generated, stored))
    )


COPY_MISTAKES: dict[str, Callable] = {
    "a stored row that is there twice is its own second nearest: leave out equal rows.": place(1),
    "the ratio is upside down: a copy is near 0.": lambda *given: 1 / ratio(*given),
    "that is the square of the ratio: take the roots of the distances.": (
        lambda *given: ratio(*given).square()
    ),
    "divide by the distance to the nearest *other* row.": lambda *given: distances(*given)[0],
    "leave out rows that are *equal* to the nearest, not rows that are equally far.": without(
        lambda gaps, *_: gaps <= gaps.amin(dim=1, keepdim=True)
    ),
    "leave out rows that are *equal* to the nearest, not rows that are nearly as far.": without(
        lambda gaps, *_: gaps <= gaps.amin(dim=1, keepdim=True) + 1e-4
    ),
    "rows that share one number are not equal: compare with all(dim=...), not any.": without(
        lambda gaps, nearest, generated, stored: (nearest == stored).any(dim=2)
    ),
    "rows that share their first number are not equal: compare all of them.": without(
        lambda gaps, nearest, generated, stored: nearest[..., 0] == stored[:, 0]
    ),
    "rows that are nearly equal differ: compare them exactly.": partial(ratio, near=1e-4),
    "leave out rows equal to the *nearest* stored row, not those equal to the generated one.": (
        without(
            lambda gaps, nearest, generated, stored: (
                (generated == stored).all(dim=2) | F.one_hot(gaps.argmin(dim=1), len(stored)).bool()
            )
        )
    ),
    "the third nearest is right only if each row is stored exactly twice.": place(2),
    "yours divides by the largest distance; asked is the nearest other row.": place(-1),
    "yours divides by the mean distance; asked is the nearest other row.": to_the_rest(
        lambda gaps: gaps.mean(dim=1)
    ),
    "yours divides by the sum of the distances; asked is the nearest other row.": to_the_rest(
        lambda gaps: gaps.sum(dim=1)
    ),
    "yours divides by the median distance; asked is the nearest other row.": to_the_rest(
        lambda gaps: gaps.median(dim=1).values
    ),
    "both distances are those of the generated row, not of the stored row nearest to it.": (
        from_the_nearest
    ),
    "that is the distance to the nearest other row: divide the nearest distance by it.": (
        lambda *given: distances(*given)[1]
    ),
    "that is the difference of the distances; asked is their ratio.": (
        lambda *given: distances(*given)[1] - distances(*given)[0]
    ),
    "that is 1 - ratio; a copy is near 0.": lambda *given: 1 - ratio(*given),
    "that is the sum of absolute differences; asked is the distance, the root of the squares.": (
        among(lambda a, b: torch.cdist(a, b, p=1))
    ),
    "that is the largest difference; asked is the distance, the root of the squares.": among(
        lambda a, b: torch.cdist(a, b, p=math.inf)
    ),
    "that is the distance of the first number alone: take all of them.": among(
        lambda a, b: torch.cdist(a[:, :1], b[:, :1])
    ),
    "that is the mean over the generated rows; asked is one ratio for each.": (
        lambda *given: ratio(*given).mean()
    ),
    "the shapes (N,) and (N, 1) give (N, N): keepdim in both or in none.": (
        lambda *given: distances(*given)[0] / distances(*given)[1][:, None]
    ),
    "the result is (N,); yours keeps an axis of length one.": lambda *given: ratio(*given)[:, None],
    "that is the cosine distance; asked is the root of the sum of squares.": among(
        lambda a, b: 1 - F.normalize(a) @ F.normalize(b).T
    ),
    "generated and stored are exchanged.": lambda generated, stored: ratio(stored, generated),
}
