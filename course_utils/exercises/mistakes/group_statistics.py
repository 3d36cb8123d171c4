"""Shares of modes and statistics of groups, with their usual mistakes (exercises 10.1 and 10.2)."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

__all__ = [
    "DIVERGENCE",
    "EMPTY_MODES",
    "GROUPS",
    "MAIN_PATH",
    "NO_GRADIENT",
    "ROOT",
    "divergence",
    "with_std",
]


def shares(counts: Tensor) -> Tensor:
    return counts.double() / counts.sum()


def divergence(counts: Tensor) -> Tensor:
    """The divergence of the shares of counts (modes,) to equal shares, in nats."""
    return math.log(len(counts)) - torch.special.entr(shares(counts)).sum()


def parts(p: Tensor, modes: int) -> Tensor:
    return p * (p * modes).log()


def of_shares(change: Callable) -> Callable:
    """What `change` makes of the shares and of the number of modes."""
    return lambda counts: change(shares(counts), len(counts))


EMPTY_MODES = {
    "0 · log 0 is NaN: leave empty modes out.": of_shares(lambda p, m: parts(p, m).sum()),
    "equal shares are 1 / modes, with the empty modes.": lambda n: divergence(n[n > 0]),
}
DIVERGENCE = {
    "that is KL(uniform ‖ shares), infinite for an empty mode: asked is the other order.": (
        of_shares(lambda p, m: -(p * m).log().mean())
    ),
    "that is the entropy; subtract it from log(modes).": lambda n: math.log(len(n)) - divergence(n),
    "that is minus the entropy: add log(modes).": lambda n: divergence(n) - math.log(len(n)),
    "that is in bits: use the natural logarithm.": lambda n: divergence(n) / math.log(2),
    "that is with log10: use the natural logarithm.": lambda n: divergence(n) / math.log(10),
    "weigh each logarithm with its share, not with its count.": lambda n: divergence(n) * n.sum(),
    "sum over the modes, do not average.": lambda n: divergence(n) / len(n),
    "the sign is wrong: a divergence is at least 0.": lambda n: -divergence(n),
    "the counts are no shares: divide by their sum.": lambda n: parts(n.double(), len(n)).sum(),
    "divide the counts by their sum, not by the largest.": lambda n: parts(
        n.double() / n.max(), len(n)
    ).sum(),
    "divide the counts by their sum, not by the number of modes.": lambda n: parts(
        n.double() / len(n), len(n)
    ).sum(),
    "25 modes are written into your function: take len(counts).": of_shares(
        lambda p, m: parts(p, 25)[p > 0].sum()
    ),
    "one sample is added to each mode: leave empty modes out instead.": lambda n: divergence(n + 1),
    "shares below 1 / modes count as negative: no absolute value.": of_shares(
        lambda p, m: parts(p, m)[p > 0].abs().sum()
    ),
    "shares below 1 / modes count as negative: no clamp.": of_shares(
        lambda p, m: parts(p, m)[p > 0].clamp_min(0).sum()
    ),
    "each logarithm has the weight of its share.": of_shares(lambda p, m: (p * m).log().sum()),
    "that is divided by log(modes).": lambda n: divergence(n) / math.log(len(n)),
    "that is exp of the divergence.": lambda n: divergence(n).exp(),
    "that is the exp of the entropy.": lambda n: len(n) / divergence(n).exp(),
    "the logarithm is missing: that is the sum of |p - 1 / modes|.": of_shares(
        lambda p, m: (p - 1 / m).abs().sum()
    ),
    "the logarithm is missing: that is the sum of (p - 1 / modes)².": of_shares(
        lambda p, m: (p - 1 / m).square().sum()
    ),
    "the logarithm is of the ratio p / u, not of the difference.": of_shares(
        lambda p, m: (p * (p - 1 / m).abs().log()).sum()
    ),
    "u = 1 / modes divides p; yours multiplies.": of_shares(
        lambda p, m: parts(p, 1)[p > 0].sum() - math.log(m)
    ),
}


def deviations(x: Tensor, dim: int = 1) -> Tensor:
    return (x.var(dim=dim, unbiased=False) + 1e-8).sqrt()


def behind(x: Tensor, column: Tensor) -> Tensor:
    return torch.cat([x, column.expand(len(x))[:, None]], dim=1)


def with_std(x: Tensor, size: int, spread: Callable = deviations, mean: int = 1) -> Tensor:
    """Behind each row of x (N, C) the mean, along axis `mean`, of the spread of its group."""
    groups = x.reshape(-1, size, x.shape[1])
    return behind(x, spread(groups, dim=1).mean(dim=mean).repeat_interleave(size))


def of_groups(column: Callable) -> Callable:
    """Behind each row what `column` makes of its group (size, C)."""
    return lambda x, size: behind(
        x, torch.stack([column(group) for group in x.split(size)]).repeat_interleave(size)
    )


NO_GRADIENT = "the new column has no gradient, and the generator cannot learn from it: no detach()."
MAIN_PATH = "the entries of x have no gradient, or a wrong one: pass x on as it is, no detach()."
ROOT = "1e-8 belongs under the root: equal samples give its root, 1e-4."
GROUPS = {
    "that is one value for the batch; each group has its own.": lambda x, size: behind(
        x, deviations(x, dim=0).mean()
    ),
    "take the deviation over the samples of a group.": lambda x, size: behind(x, deviations(x)),
    "a group is made of neighbours, rows 0 to size - 1; yours takes every n-th row.": (
        lambda x, size: behind(x, deviations(x.view(size, -1, x.shape[1]), 0).mean(1).repeat(size))
    ),
    "the column is not in the order of the groups: use repeat_interleave.": (
        lambda x, size: behind(x, with_std(x, size)[::size, -1].repeat(size))
    ),
    "size is the number of rows of a group, not the number of groups.": (
        lambda x, size: with_std(x, len(x) // size)
    ),
    "divide by the size, not by size - 1.": lambda x, size: with_std(x, size, torch.Tensor.std),
    "that is the variance: take the root, then the mean over the entries.": (
        of_groups(lambda group: (group.var(0, unbiased=False) + 1e-8).mean())
    ),
    "take the root before the mean over the entries.": of_groups(
        lambda group: (group.var(0, unbiased=False) + 1e-8).mean().sqrt()
    ),
    "each entry has its own deviation; yours is one of all numbers of a group.": of_groups(
        lambda group: (group.var(unbiased=False) + 1e-8).sqrt()
    ),
    "take the deviation of each entry, then the mean; yours averages first.": of_groups(
        lambda group: deviations(group.mean(dim=1), 0)
    ),
    "take the mean over the C entries, not the sum.": of_groups(
        lambda group: deviations(group, 0).sum()
    ),
    "take the mean over the C entries, not the largest.": of_groups(
        lambda group: deviations(group, 0).max()
    ),
    "only the first entry counts: take the mean over all C.": of_groups(
        lambda group: deviations(group, 0)[0]
    ),
    "that is the mean of the group, not its deviation.": of_groups(lambda group: group.mean()),
    "that is the mean absolute deviation: square, average, take the root.": of_groups(
        lambda group: (group - group.mean(0)).abs().mean()
    ),
    "subtract the mean of the group before you square.": of_groups(
        lambda group: (group.square().mean(0) + 1e-8).sqrt().mean()
    ),
    "the new column comes last, not first.": lambda x, size: with_std(x, size).roll(1, dims=1),
    "each row has one new number, the mean over the entries.": lambda x, size: torch.cat(
        [x, deviations(x.view(-1, size, x.shape[1])).repeat_interleave(size, dim=0)], dim=1
    ),
    "the column alone is not enough: put it behind x.": lambda x, size: with_std(x, size)[:, -1:],
    "neighbouring groups are cut, they do not overlap.": lambda x, size: behind(
        x,
        torch.stack([deviations(x.roll(-i, 0)[:size], 0).mean() for i in range(len(x))]),
    ),
    ROOT: lambda x, size: with_std(x, size, lambda group, dim: group.std(dim, unbiased=False)),
    NO_GRADIENT: lambda x, size: with_std(x, size).detach(),
}
