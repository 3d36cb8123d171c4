"""Matching two dictionaries one to one, and ways to get it wrong (exercise 14.4)."""

from collections.abc import Callable

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

__all__ = ["MATCH_MISTAKES", "matched"]


def matched(D: Tensor, E: Tensor, score: Callable = torch.Tensor.clone) -> tuple[Tensor, Tensor]:
    """The partners that maximise the sum of score(cosine), and their mean cosine."""
    cosines = D.T @ E
    rows, columns = linear_sum_assignment(score(cosines).numpy(), maximize=True)
    return torch.as_tensor(columns), cosines[rows, columns].mean()


def scored(score: Callable, mean: Callable = torch.Tensor.clone) -> Callable:
    """Another score of a pair, and the mean of another function of the cosine."""

    def match(D: Tensor, E: Tensor) -> tuple[Tensor, Tensor]:
        partners = matched(D, E, score)[0]
        return partners, mean((D * E[:, partners]).sum(dim=0)).mean()

    return match


def greedy(D: Tensor, E: Tensor, in_order: bool = False) -> tuple[Tensor, Tensor]:
    """The largest cosine first, or the atoms of D in their order."""
    left, partners = D.T @ E, torch.zeros(D.shape[1], dtype=torch.long)
    for turn in range(len(partners)):
        row = turn if in_order else int(left.argmax()) // len(partners)
        partners[row] = left[row].argmax()
        left[row], left[:, partners[row]] = -9, -9
    return partners, (D * E[:, partners]).sum(dim=0).mean()


def nearest(dim: int, score: Callable = torch.Tensor.clone) -> Callable:
    """The nearest atom of the other dictionary, however often it is taken."""

    def match(D: Tensor, E: Tensor) -> tuple[Tensor, Tensor]:
        best = score(D.T @ E).max(dim=dim)
        return best.indices, best.values.mean()

    return match


def mean_of(mean: Callable) -> Callable:
    """The right partners, and another number made of D, E, the partners."""
    return lambda D, E: (matched(D, E)[0], mean(D, E, matched(D, E)[0]))


MATCH_MISTAKES: dict[str, Callable] = {
    "that is the mean of the largest cosines; take those of the pairs.": mean_of(
        lambda D, E, _: (D.T @ E).amax(dim=1).mean()
    ),
    "two atoms of D have the same partner in E: give each once (linear_sum_assignment).": (
        nearest(1)
    ),
    "two atoms have the same partner, and these are the partners in D: linear_sum_assignment.": (
        nearest(0)
    ),
    "two atoms have the same partner, and the sign counts: linear_sum_assignment, no abs.": (
        nearest(1, torch.abs)
    ),
    "the largest cosine first is not the largest sum: linear_sum_assignment.": greedy,
    "one atom after the other does not give the largest sum: linear_sum_assignment.": (
        lambda D, E: greedy(D, E, in_order=True)
    ),
    "that is the worst match: maximize=True.": scored(torch.neg),
    "that is the worst match and its negative: maximize=True, the cosines as they are.": scored(
        torch.neg, torch.neg
    ),
    "the mean is that of -cosine: take the cosines as they are.": scored(torch.clone, torch.neg),
    "that is the partner in D of each atom of E.": lambda D, E: matched(E, D),
    "the sign counts: an atom and its negative differ.": scored(torch.abs),
    "the sign counts: an atom and its negative differ; no abs, in the match and in the mean.": (
        scored(torch.abs, torch.abs)
    ),
    "the sign counts in the mean, too: no abs.": scored(torch.clone, torch.abs),
    "the largest sum of cosines is asked, not of their squares.": scored(torch.square),
    "the largest sum of cosines is asked, not the smallest sum of distances.": scored(
        lambda cosines: -(2 - 2 * cosines).clamp_min(0).sqrt()
    ),
    "negative cosines count in the sum: no ReLU.": scored(torch.relu),
    "that is the mean distance; asked is the mean cosine.": scored(
        torch.clone, lambda cosines: (2 - 2 * cosines).clamp_min(0).sqrt()
    ),
    "that is 1 - cosine; asked is the mean cosine.": scored(torch.clone, lambda c: 1 - c),
    "that is the mean of the squares; asked is that of the cosines.": scored(
        torch.clone, torch.square
    ),
    "that is the sum of the cosines; asked is their mean.": mean_of(
        lambda D, E, partners: (D * E[:, partners]).sum()
    ),
    "divide the sum of the cosines by the pairs, not by n.": mean_of(
        lambda D, E, partners: (D * E[:, partners]).sum() / len(D)
    ),
    "that is the mean over all products of numbers: one cosine for each pair.": mean_of(
        lambda D, E, partners: (D * E[:, partners]).mean()
    ),
    "that is the mean over all atoms with all: take those of the pairs, cosines[rows, columns].": (
        mean_of(lambda D, E, _: (D.T @ E).mean())
    ),
    "that is the mean of atoms at the same place: use the partners.": mean_of(
        lambda D, E, _: (D * E).sum(dim=0).mean()
    ),
    "the pairs are (row, its column); yours reads the matrix of cosines transposed.": mean_of(
        lambda D, E, partners: (D.T @ E)[partners, torch.arange(len(partners))].mean()
    ),
    "that is the median of the cosines; asked is their mean.": mean_of(
        lambda D, E, partners: (D * E[:, partners]).sum(dim=0).median()
    ),
    "that is the smallest cosine of the pairs; asked is their mean.": mean_of(
        lambda D, E, partners: (D * E[:, partners]).sum(dim=0).min()
    ),
    "that is the largest cosine of the pairs; asked is their mean.": mean_of(
        lambda D, E, partners: (D * E[:, partners]).sum(dim=0).max()
    ),
    "these are the cosines of the pairs; asked is their mean.": mean_of(
        lambda D, E, partners: (D * E[:, partners]).sum(dim=0).squeeze()
    ),
    "these are 0 to K - 1, the rows; the partners are the columns of linear_sum_assignment.": (
        lambda D, E: (torch.arange(D.shape[1]), matched(D, E)[1])
    ),
    "atoms count from 0.": lambda D, E: (matched(D, E)[0] + 1, matched(D, E)[1]),
    "return the partners alone, (K,), without the rows.": lambda D, E: (
        torch.stack([torch.arange(D.shape[1]), matched(D, E)[0]], dim=1),
        matched(D, E)[1],
    ),
    "pairs with a negative cosine count in the mean, too.": scored(
        torch.clone, lambda cosines: cosines[cosines > 0]
    ),
    "negative cosines count in the mean as they are: no ReLU.": scored(torch.clone, torch.relu),
    "atoms are columns: D.T @ E, (K, K).": lambda D, E: matched(D.T, E.T),
    "the mean cosine comes last, the partners first.": lambda D, E: matched(D, E)[::-1],
}
