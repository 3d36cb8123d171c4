"""Four ways to make a code sparse: code = sparsity(a), sparsity.penalty(code). Notebook 05.

`a` (N, units) or (N, maps, H, W) is what an encoder gives before any non-linearity. TopK and
BatchTopK choose the units and need no penalty; L1 and KL add one to the loss.
"""

import torch
from torch import Tensor, nn

from course_utils.arguments import (
    check_fraction,
    check_int,
    check_nonnegative,
    check_not_empty,
    single,
)
from course_utils.layers import check_codes

__all__ = ["KL", "L1", "BatchTopK", "NoSparsity", "TopK", "kl_sparsity"]


class Sparsity(nn.Module):
    """What all have in common: no penalty, unless they say otherwise."""

    def penalty(self, code: Tensor) -> Tensor:
        return code.new_zeros(())


class NoSparsity(Sparsity):
    """The code is what the encoder gives, without a penalty."""

    def forward(self, a: Tensor) -> Tensor:
        return check_codes(a)


class TopK(Sparsity):
    """Per signal, the k largest numbers that are positive; all others become zero.

    Makhzani and Frey (2013), in the form of Gao et al. (2024). Raises ValueError for
    k < 1, and for a code with fewer than k numbers.
    """

    def __init__(self, k: int) -> None:
        super().__init__()
        self.k = check_int("k", k, at_least=1)

    def forward(self, a: Tensor) -> Tensor:
        flat = check_codes(a).flatten(1)
        check_k(self.k, flat.shape[1])
        values, places = flat.topk(self.k, dim=1, sorted=False)
        return torch.zeros_like(flat).scatter(1, places, values.relu()).view_as(a)


class BatchTopK(Sparsity):
    """The N * k largest positive numbers of a batch of N codes: k per signal *on average*.

    In evaluation mode, where a code must not depend on its neighbours, the numbers above
    `threshold`, a running mean of the smallest number kept in training (Bussmann, Leask and Nanda
    2024); before the first batch of training there is none, and it keeps what TopK keeps. Errors
    as TopK, and ValueError for an empty batch in training.
    """

    threshold: Tensor
    batches: Tensor

    def __init__(self, k: int) -> None:
        super().__init__()
        self.k = check_int("k", k, at_least=1)
        self.register_buffer("threshold", torch.zeros(()))
        self.register_buffer("batches", torch.zeros(()))

    def forward(self, a: Tensor) -> Tensor:
        if not self.training and not self.batches:
            return TopK(self.k)(a)
        check_k(self.k, check_codes(a).flatten(1).shape[1])
        a = a.relu()
        if not self.training:
            return torch.where(a <= self.threshold, 0.0, a)
        check_not_empty(a, "a")
        values, places = a.flatten().topk(self.k * len(a), sorted=False)
        with torch.no_grad():
            smallest = values.min().to(self.threshold)
            if not smallest.isfinite():  # the loss will not be finite either
                return a
            self.batches += 1
            self.threshold.lerp_(smallest, max(1 / self.batches.item(), 0.01))
        return torch.zeros_like(a).flatten().scatter(0, places, values).view_as(a)


class L1(Sparsity):
    """Positive numbers with the price `lam` for each unit of their sum.

    The penalty is lam * mean over signals of sum |code|. Raises ValueError for lam < 0.
    """

    def __init__(self, lam: float) -> None:
        super().__init__()
        self.lam = check_nonnegative("lam", lam)

    def forward(self, a: Tensor) -> Tensor:
        return check_codes(a).relu()

    def penalty(self, code: Tensor) -> Tensor:
        return self.lam * single(check_codes(code, "code")).abs().flatten(1).sum(dim=1).mean()


class KL(Sparsity):
    """Activities in (0, 1) whose mean over the batch shall be rho, at the price beta.

    The penalty is beta * sum over units of KL(rho || mean activity) (Ng 2011). Raises
    ValueError for rho outside (0, 1) and beta < 0.
    """

    def __init__(self, rho: float, beta: float) -> None:
        super().__init__()
        self.rho, self.beta = check_fraction("rho", rho), check_nonnegative("beta", beta)

    def forward(self, a: Tensor) -> Tensor:
        return check_codes(a).sigmoid()

    def penalty(self, code: Tensor) -> Tensor:
        return self.beta * kl_sparsity(code, self.rho)


def kl_sparsity(code: Tensor, rho: float) -> Tensor:
    """Sum over units of KL(rho || mean activity), code (N, ...) with values in [0, 1].

    The mean over the batch is kept 1e-6 away from 0 and 1. Raises ValueError for rho outside
    (0, 1), for activities outside [0, 1], and for none. Half precision gives float32.
    """
    rho = check_fraction("rho", rho)
    check_not_empty(check_codes(code, "code"), "code")
    if code.min() < 0 or code.max() > 1:
        raise ValueError(
            f"code has values from {code.min():.3g} to {code.max():.3g}; KL compares activities "
            "from 0 to 1: use code.sigmoid()."
        )
    mean = single(code).mean(dim=0).clamp(1e-6, 1 - 1e-6)
    return (rho * (rho / mean).log() + (1 - rho) * ((1 - rho) / (1 - mean)).log()).sum()


def check_k(k: int, units: int) -> None:
    """Raise ValueError where fewer than k units can be kept."""
    if k > units:
        raise ValueError(
            f"k is {k}, but the code has {units} numbers; choose a k of at most {units}."
        )
