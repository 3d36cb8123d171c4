"""How local an edit is, and the ways to get it wrong (exercise 12.4)."""

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

__all__ = ["PIXEL_MISTAKES", "pixels"]


def squares(before: Tensor, after: Tensor) -> Tensor:
    """The squared change of each pixel, (N, H * W)."""
    return (after - before).square().sum(dim=1).flatten(1)


def fewest(change: Tensor, share: float, descending: bool = True) -> Tensor:
    """How many of the largest numbers of each row hold the share of its sum."""
    total = change.double().sort(dim=1, descending=descending).values.cumsum(dim=1)
    return (total < share * total[:, -1:] * (1 - 1e-9)).sum(dim=1) + 1


def pixels(
    before: Tensor, after: Tensor, share: float, change: Callable = squares, descending: bool = True
) -> Tensor:
    """The fewest pixels with the share of the change, (N,)."""
    return fewest(change(before, after), share, descending)


def counted_until(goal: Callable, over: bool = False, cap: bool = False) -> Callable:
    """Pixels until the change reaches, or is over, a goal made of (share, totals (N, 1))."""

    def count(before: Tensor, after: Tensor, share: float) -> Tensor:
        total = squares(before, after).double().sort(dim=1, descending=True).values.cumsum(dim=1)
        wanted = goal(share, total[:, -1:]) * (1 + (2 * over - 1) * 1e-9)
        found = (total < wanted).sum(dim=1) + 1
        return found.clamp_max(total.shape[1]) if cap else found

    return count


def changes(change: Callable) -> Callable:
    """Pixels for another change, which is made of the difference (N, C, H, W)."""
    return partial(pixels, change=lambda before, after: change(after - before).flatten(1))


def counted(threshold: Callable) -> Callable:
    """The pixels that change by at least a threshold."""

    def count(before: Tensor, after: Tensor, share: float) -> Tensor:
        change = squares(before, after)
        return (change >= threshold(change, share)).sum(dim=1)

    return count


def fixed(share: float) -> Callable:
    return lambda before, after, _: pixels(before, after, share)


PIXEL_MISTAKES: dict[str, Callable] = {
    "one too few: the last pixel counts as well.": lambda *given: pixels(*given) - 1,
    **{
        f"stop when the share is reached, {instead}: *at least* the share.": counted_until(
            lambda share, total: share * total, over=True, cap=cap
        )
        for cap, instead in [(False, "not when it is passed"), (True, "not at the next pixel")]
    },
    "one too many: stop when the share is reached.": lambda *given: pixels(*given) + 1,
    "that is the absolute change; asked is the squared one.": changes(lambda x: x.abs().sum(dim=1)),
    "that is the root of the squared change: leave out the root.": changes(lambda x: x.norm(dim=1)),
    "the largest first: descending=True.": partial(pixels, descending=False),
    "that counts the pixels above a share of the largest change.": counted(
        lambda change, share: share * change.amax(dim=1, keepdim=True)
    ),
    "that counts the pixels above a share of the largest change: add up, largest first.": counted(
        lambda change, share: share * change.amax(dim=1, keepdim=True) * (1 + 1e-6)
    ),
    "that compares with 1 - share of the largest change: add up, largest first.": counted(
        lambda change, share: (1 - share) * change.amax(dim=1, keepdim=True)
    ),
    "that counts the pixels above a quantile: add up, largest first.": counted(
        lambda change, share: change.quantile(share, dim=1, keepdim=True)
    ),
    "that counts the pixels above a share of the mean change: add up, largest first.": counted(
        lambda change, share: share * change.mean(dim=1, keepdim=True)
    ),
    "that is the share of the number of pixels, whatever they change.": (
        lambda a, b, share: torch.full((len(a),), math.ceil(share * a[0, 0].numel()))
    ),
    "that counts colours; a pixel has its colours together: sum over the channels first.": (
        changes(torch.square)
    ),
    "that is the first channel alone: sum over the channels.": changes(lambda x: x[:, 0].square()),
    "take the sum over the channels, yours is the largest of them.": changes(
        lambda x: x.square().amax(dim=1)
    ),
    "square first, then sum over the channels: opposite changes cancel.": changes(
        lambda x: x.sum(dim=1).square()
    ),
    "that counts rows of the image; asked are pixels.": changes(lambda x: x.square().sum((1, 3))),
    "that counts columns of the image; asked are pixels.": changes(
        lambda x: x.square().sum((1, 2))
    ),
    "pixels that become darker count as well: square the difference as it is.": changes(
        lambda x: x.clamp_min(0).square().sum(dim=1)
    ),
    "square the difference, yours is the difference of the squares.": partial(
        pixels, change=lambda a, b: (b.square() - a.square()).sum(dim=1).flatten(1)
    ),
    "small changes count as well: no threshold.": changes(
        lambda x: (x * (x.abs() > 1.5e-2)).square().sum(dim=1)
    ),
    "square the change: positive and negative ones cancel.": changes(lambda x: x.sum(dim=1)),
    **{
        f"each image has its own total{end} yours takes {words} of the batch.": counted_until(
            lambda share, total, join=join: share * join(total), cap=cap
        )
        for cap, end in [(False, ";"), (True, ",")]
        for words, join in [
            ("the mean", torch.mean),
            ("that", torch.sum),
            ("the largest", torch.max),
        ]
    },
    "the goal is `share` of the change, not `share` itself.": counted_until(
        lambda s, total: s + 0 * total
    ),
    "the goal is `share` of the change, not `share` itself: multiply by the total.": counted_until(
        lambda share, total: share + 0 * total, cap=True
    ),
    "that is for the first image; asked is a number for each.": (
        lambda a, b, share: pixels(a, b, share)[:1].expand(len(a))
    ),
    "that is one number for the whole batch; asked is one for each image.": (
        lambda a, b, share: fewest(squares(a, b).flatten()[None], share)[0]
    ),
    "that is the mean over the images; asked is one number for each.": (
        lambda *given: pixels(*given).double().mean()
    ),
    "that is a share of the pixels; asked is their number.": (
        lambda a, b, share: pixels(a, b, share) / a[0, 0].numel()
    ),
    "that keeps 1 - share: *at least* `share` of the change.": (
        lambda a, b, share: pixels(a, b, 1 - share)
    ),
    "that is the number of pixels that are left out: count those that hold the share.": (
        lambda a, b, share: a[0, 0].numel() - pixels(a, b, share)
    ),
    "that counts all pixels that change at all: stop when the share is reached.": (
        lambda a, b, share: (squares(a, b) > 0).sum(dim=1)
    ),
    "the pixels in the order of the image are not the fewest: sort them, the largest first.": (
        lambda a, b, share: (
            (squares(a, b).cumsum(1) < share * squares(a, b).sum(1, keepdim=True) * (1 - 1e-7)).sum(
                dim=1
            )
            + 1
        )
    ),
    "yours takes the share 0.9 whatever the argument says.": fixed(0.9),
    "yours takes the share 0.5 whatever the argument says.": fixed(0.5),
}
