"""LISTA: unrolled ISTA with learned matrices and thresholds, which predicts the lasso code.

Built in notebook 06 (Gregor and LeCun 2010).
"""

import torch
from torch import Tensor, nn

from course_utils.arguments import check_int, check_nonnegative
from course_utils.layers import check_rows
from course_utils.sparse_coding import soft_threshold
from course_utils.sparse_coding.problem import check_atoms, check_positive
from course_utils.sparse_coding.proximal import step_bound

__all__ = ["Lista"]


class Lista(nn.Module):
    """Signals x (N, n) to codes (N, K) by `layers` of z <- soft(W x + S z, theta), from z = 0.

    W (K, n), S (K, K) and theta (K,) of each layer are learned. They start as those of ISTA for the
    dictionary D (n, K) and lam, W = Dᵀ/L, S = 1 - DᵀD/L, theta = lam/L: an untrained Lista *is*
    `ista` with as many steps. Raises ValueError for layers < 1, lam = 0, and atoms that are not of
    length 1.
    """

    def __init__(self, D: Tensor, lam: float, layers: int) -> None:
        super().__init__()
        check_atoms(D)
        lam = check_nonnegative("lam", lam)
        check_positive(lam)
        check_int("layers", layers, at_least=1)
        L, K = step_bound(D), D.shape[1]
        self.W = nn.Parameter((D.T / L).repeat(layers, 1, 1))
        # The first step has z = 0
        self.S = nn.Parameter((torch.eye(K).to(D) - D.T @ D / L).repeat(layers - 1, 1, 1))
        self.theta = nn.Parameter((lam / L).expand(layers, K).clone())

    def steps(self, x: Tensor) -> list[Tensor]:
        """The code after each layer."""
        x = check_rows(x, self, self.W.shape[2])
        codes = [soft_threshold(x @ self.W[0].T, self.theta[0].abs())]
        for W, S, theta in zip(self.W[1:], self.S, self.theta[1:]):
            codes.append(soft_threshold(x @ W.T + codes[-1] @ S.T, theta.abs()))
        return codes

    def forward(self, x: Tensor) -> Tensor:
        return self.steps(x)[-1]
