"""TopK, with the mistakes made about it (exercise 05.1)."""

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["DETACHED", "NEGATIVE", "TIES", "TOPK_MISTAKES", "of_batch", "topk"]

TIES = "of equal numbers too many stay: choose places (argsort, topk), not a smallest value."
DETACHED = "the code carries no gradient back to a: leave detach, no_grad and .data away."
NEGATIVE = "negative numbers are never active: .relu()."


def kept(a: Tensor, by: Tensor, k: int) -> Tensor:
    """The numbers of each row of `a` at the k largest places of `by`; the others are zero."""
    places = by.argsort(dim=1, descending=True)[:, :k]
    return torch.zeros_like(a).scatter(1, places, a.gather(1, places))


def topk(a: Tensor, k: int) -> Tensor:
    """TopK: the k largest positive numbers of each row."""
    return kept(a, a, k).relu()


def of_batch(a: Tensor, number: int) -> Tensor:
    """The largest numbers of the whole batch, as many as `number`."""
    return kept(a.reshape(1, -1), a.reshape(1, -1), number).view_as(a)


def shrunk(a: Tensor, k: int) -> Tensor:
    """A mistake: the smallest number kept is subtracted from all."""
    return (a - a.topk(k).values[:, -1:]).relu()


TOPK_MISTAKES: dict[str, Callable] = {
    NEGATIVE: lambda a, k: kept(a, a, k),
    "you kept the largest magnitudes, not numbers.": lambda a, k: kept(a, a.abs(), k).relu(),
    "you kept the largest magnitudes, negative numbers too.": lambda a, k: kept(a, a.abs(), k),
    "you kept the magnitudes of the largest numbers: .relu(), not .abs().": (
        lambda a, k: kept(a, a, k).abs()
    ),
    "you kept the largest magnitudes, and without their sign.": (
        lambda a, k: kept(a, a.abs(), k).abs()
    ),
    "you kept the k smallest: sort in descending order.": lambda a, k: kept(a, -a, k).relu(),
    "you kept the k smallest, negative ones too: sort in descending order.": (
        lambda a, k: kept(a, -a, k)
    ),
    "you kept the k smallest of the positive numbers.": (
        lambda a, k: kept(a, -a.where(a > 0, torch.inf), k).relu()
    ),
    "you removed the k largest: they are what stays.": lambda a, k: (a - kept(a, a, k)).relu(),
    "choose within each row, as TopK does.": lambda a, k: of_batch(a, k * len(a)).relu(),
    "choose k in each row, not k in the whole batch.": lambda a, k: of_batch(a, k).relu(),
    "sort within each row, dim=1; you sorted each column.": lambda a, k: topk(a.T, k).T,
    "each row has its own order; you took the first row's for all.": (
        lambda a, k: kept(a, a[:1].expand_as(a), k).relu()
    ),
    "choose the largest numbers, not the first ones.": (
        lambda a, k: torch.cat([a[:, :k], 0 * a[:, k:]], dim=1).relu()
    ),
    "put the numbers back to their places: scatter(1, places, values).": (
        lambda a, k: a.relu().sort(dim=1, descending=True).values * (torch.arange(len(a[0])) < k)
    ),
    "the code has a place for every unit: scatter the numbers into zeros.": (
        lambda a, k: a.relu().sort(dim=1, descending=True).values[:, :k]
    ),
    "the numbers stay, not ones: multiply the mask by a.": lambda a, k: topk(a, k).sign(),
    "the largest numbers stay, not ones: multiply the mask by a.relu().": (
        lambda a, k: kept(torch.ones_like(a), a, k)
    ),
    "numbers that stay keep their value: subtract nothing.": shrunk,
    "numbers that stay keep their value: do not subtract the smallest of them.": (
        lambda a, k: shrunk(a.relu(), k)
    ),
    "numbers that stay keep their value; you subtracted the largest that goes.": (
        lambda a, k: shrunk(a.relu(), min(k + 1, a.shape[1]))
    ),
    "numbers that stay keep their value: do not normalise them.": (
        lambda a, k: topk(a, k) / topk(a, k).sum(dim=1, keepdim=True).clamp_min(1e-9)
    ),
    "numbers that stay keep their value: do not divide by the largest.": (
        lambda a, k: topk(a, k) / topk(a, k).amax(dim=1, keepdim=True).clamp_min(1e-9)
    ),
    "one too few: keep the k-th largest number too.": lambda a, k: topk(a, k - 1),
    "one too many: places 0 to k - 1 stay.": lambda a, k: topk(a, k + 1),
    "the largest number stays, too: begin with place 0.": (
        lambda a, k: topk(a, k + 1) - topk(a, 1)
    ),
    "only the largest number of each row is left: k of them stay.": lambda a, k: topk(a, 1),
    "that is a ReLU: all positive numbers stay.": lambda a, k: a.relu(),
    **{
        f"small positive numbers stay, too: those above 0, not above {small:g}.": (
            lambda a, k, small=small: topk(a, k).where(a > small, 0)
        )
        for small in (1e-3, 1e-2, 0.1)
    },
    DETACHED: lambda a, k: topk(a, k).detach(),
    TIES: lambda a, k: torch.where(a >= a.topk(k).values[:, -1:], a, 0.0).relu(),
}
