"""Setting a feature, matching two dictionaries, and ways to get them wrong (14.3 and 14.4)."""

from collections.abc import Callable

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.nn.functional import normalize

__all__ = ["CLAMP_MISTAKES", "MATCH_MISTAKES", "clamped", "matched"]


def difference(now: Tensor, value: float) -> Tensor:
    return value - now


def clamped(
    x: Tensor, code: Tensor, D: Tensor, unit: int, value: float, *, step: Callable = difference
) -> Tensor:
    """x, moved along the atom of the unit by step(code of the unit (N, 1), value), (N, n)."""
    return x + step(code[:, unit, None], value) * D[:, unit]


def moved(step: Callable) -> Callable:
    return lambda *given: clamped(*given, step=step)


def elsewhere(change: Callable) -> Callable:
    """The right step for inputs that are changed."""
    return lambda *given: clamped(*change(*given))


def changed_code(code: Tensor, unit: int, value: float) -> Tensor:
    return torch.where(torch.arange(code.shape[1]) == unit, value, code)


def along(atom: Callable) -> Callable:
    """The right step along another vector, made of (D, unit)."""
    return lambda x, code, D, unit, value: x + (value - code[:, unit, None]) * atom(D, unit)


def coordinate(x: Tensor, code: Tensor, D: Tensor, unit: int, value: float) -> Tensor:
    """x with its own number `unit` set to the value."""
    return torch.where(torch.arange(x.shape[1]) == unit, value, x)


CLAMP_MISTAKES: dict[str, Callable] = {
    "this replaces x by the decoded code.": lambda x, c, D, *rest: clamped(c @ D.T, c, D, *rest),
    "that adds the value: set it, value - code.": moved(lambda now, value: value + 0 * now),
    "that takes the feature away: the value is missing.": moved(lambda now, value: -now),
    "the sign is wrong: add value - code.": moved(lambda now, value: now - value),
    "that adds value + code: the code of the unit goes away, value - code.": moved(
        lambda now, value: value + now
    ),
    "that subtracts the value: add value - code.": moved(lambda now, value: -value + 0 * now),
    "set the feature to the value, do not multiply.": moved(lambda c, v: (v - 1) * c),
    "that adds value times code: set it, value - code.": moved(lambda now, value: value * now),
    "set the feature also where it is off.": moved(lambda c, v: (c > 0) * (v - c)),
    "set the feature also where it is on.": moved(lambda c, v: (c == 0) * (v - c)),
    "stronger features become weaker, too: set them to the value.": moved(
        lambda now, value: (value - now).clamp_min(0)
    ),
    "weaker features become stronger, too: set them to the value.": moved(
        lambda now, value: (value - now).clamp_max(0)
    ),
    "that is the distance to the value; the difference has a sign.": moved(
        lambda now, value: (value - now).abs()
    ),
    "each signal has its own code; yours takes the mean of the batch.": moved(
        lambda now, value: value - now.mean()
    ),
    "each signal has its own code; yours takes the largest of the batch.": moved(
        lambda now, value: value - now.max()
    ),
    "each signal has its own code; yours takes that of the first.": moved(
        lambda now, value: value - now[0]
    ),
    "the value is absolute, not a multiple of the largest code.": moved(
        lambda now, value: value * now.max() - now
    ),
    "nothing changes: take the rest of x with the code as it was, then decode the changed one.": (
        lambda x, *_: x
    ),
    "keep what the reader does not explain; yours sets all other units to 0.": (
        lambda x, c, D, unit, value: value * D[:, unit].expand_as(x)
    ),
    "all other units stay as they were; yours takes them out of x.": (
        lambda x, c, D, unit, value: x - c @ D.T + value * D[:, unit]
    ),
    "all other units stay as they were; yours sets all to the value.": (
        lambda x, c, D, unit, value: x + (value - c) @ D.T
    ),
    "that is only the change: add it to x.": lambda x, *rest: clamped(0 * x, *rest),
    "that is only what the reader does not explain: add the changed code, decoded.": (
        lambda x, c, D, *_: x - c @ D.T
    ),
    "add the decoded code to what is left of x, not to all of x.": (
        lambda x, c, D, unit, value: x + changed_code(c, unit, value) @ D.T
    ),
    "no ReLU at the end: x may be negative.": lambda *given: clamped(*given).relu(),
    "the result keeps the norm it gets; yours rescales it to that of x.": (
        lambda x, *rest: normalize(clamped(x, *rest)) * x.norm(dim=1, keepdim=True)
    ),
    "the atom of the unit is a column, D[:, unit]; yours is that of unit + 1.": along(
        lambda D, unit: D[:, (unit + 1) % D.shape[1]]
    ),
    "the unit counts from 0, as everywhere in torch: yours is the one before.": elsewhere(
        lambda x, c, D, unit, value: (x, c, D, unit - 1, value)
    ),
    "yours sets unit 0 whatever the argument says.": elsewhere(
        lambda x, c, D, unit, value: (x, c, D, 0, value)
    ),
    "yours sets the last unit whatever the argument says.": elsewhere(
        lambda x, c, D, unit, value: (x, c, D, -1, value)
    ),
    **{
        f"yours sets the value {value} whatever the argument says.": elsewhere(
            lambda x, c, D, unit, _, value=value: (x, c, D, unit, value)
        )
        for value in (1.0, 2.0, 5.0)
    },
    "`unit` is a unit of the code, not a number of x: move x along the atom.": coordinate,
    "the atom is missing: x moves along D[:, unit].": along(lambda D, unit: 1.0),
    "that is the changed code; asked is x.": lambda x, c, D, unit, value: changed_code(
        c, unit, value
    ),
}


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
    "these are the rows; the partners are the columns of linear_sum_assignment.": (
        lambda D, E: (torch.arange(D.shape[1]), matched(D, E)[1])
    ),
    "atoms are columns: D.T @ E, (K, K).": lambda D, E: matched(D.T, E.T),
    "the mean cosine comes last, the partners first.": lambda D, E: matched(D, E)[::-1],
}
