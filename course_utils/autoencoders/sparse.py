"""Sparse autoencoders: an encoder, a sparse code, a decoder; revival of dead units.

Built in notebook 05.
"""

import operator
from functools import reduce

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils.arguments import check_int, check_nonnegative, check_not_empty
from course_utils.autoencoders.sparsity import Sparsity
from course_utils.layers import check_codes, check_like, check_reconstruction, check_rows

__all__ = ["UnitNormDecoder", "SparseAutoencoder", "share_alive", "sparse_loss"]

PATIENCE = 30  # training batches without use after which a unit counts as dead


class UnitNormDecoder(nn.Module):
    """Linear decoder: code (N, units) -> code @ D.T + bias (N, n), atoms of length 1.

    `weight` (n, units) may have columns of any length, each is divided by its norm: longer atoms
    do not escape a penalty on the code (notebook 03).
    """

    def __init__(self, units: int, n: int) -> None:
        super().__init__()
        shape = check_int("n", n, at_least=1), check_int("units", units, at_least=1)
        self.weight = nn.Parameter(F.normalize(torch.randn(shape), dim=0))
        self.bias = nn.Parameter(torch.zeros(n))

    @property
    def D(self) -> Tensor:
        """The dictionary (n, units), each column of length 1."""
        return F.normalize(self.weight, dim=0)

    def forward(self, code: Tensor) -> Tensor:
        code = check_rows(code, self, self.weight.shape[1], "code")
        return F.linear(code, self.D, self.bias)


class SparseAutoencoder(nn.Module):
    """x -> encoder -> sparsity -> code -> decoder -> x_hat.

    `encoder` gives (N, units) numbers of any sign, `sparsity` (TopK, BatchTopK, L1 or KL)
    makes the code of them, `decoder` takes it. `silent` (units,) counts for each unit the
    training batches since it was last used.
    """

    silent: Tensor

    def __init__(
        self, encoder: nn.Module, decoder: nn.Module, sparsity: Sparsity, units: int
    ) -> None:
        super().__init__()
        self.encoder, self.decoder, self.sparsity = encoder, decoder, sparsity
        self.register_buffer("silent", torch.zeros(check_int("units", units, at_least=1)))

    def parts(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Pre-activations and sparse code, both (N, units), and the sparsity penalty."""
        check_codes(check_like(x, self), "x")
        try:
            a = self.encoder(x)
        except torch.cuda.OutOfMemoryError:
            raise
        except RuntimeError as error:
            raise ValueError(
                f"The encoder does not take x of shape {tuple(x.shape)} ({error}): give it what it "
                "was made for."
            ) from error
        if a.shape != (len(x), len(self.silent)):
            raise ValueError(
                f"The encoder gives {tuple(a.shape)} for x of {tuple(x.shape)}; expected "
                f"({len(x)}, {len(self.silent)}): make encoder and model with the same units."
            )
        code = self.sparsity(a)
        return a, code, self.sparsity.penalty(code)

    def encode(self, x: Tensor) -> Tensor:
        """The sparse code (N, units)."""
        return self.parts(x)[1]

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.encode(x))


def sparse_loss(model: SparseAutoencoder, x: Tensor, revive: float = 0.0) -> dict[str, Tensor]:
    """The terms to minimise, by name; "loss" is their sum, for `course_utils.training.fit`.

    "error" is the mean squared error of x_hat, "penalty" that of the code. With revive > 0,
    "revival" is revive times the error after the 32 largest of the units that were silent for 30
    batches, of any sign, are added to the code, which is held fixed (the auxiliary loss of Gao et
    al. 2024, here on an eighth of the batch). Raises ValueError for revive < 0, an empty batch, and
    a reconstruction that is not of the shape of x.
    """
    check_nonnegative("revive", revive)
    a, code, penalty = model.parts(x)
    x_hat = check_reconstruction(model.decoder(code), check_not_empty(x))
    terms = {"error": F.mse_loss(x_hat, x), "penalty": penalty}
    if model.training:
        model.silent.add_(1)[(code != 0).any(dim=0)] = 0
    if revive:
        dead = (model.silent > PATIENCE).nonzero()[:, 0]
        terms["revival"] = x.new_zeros(())
        if len(dead):
            few = max(2, len(x) // 8)  # signals of the batch that are enough for it
            values, places = a[:few, dead].topk(min(32, len(dead)), dim=1)
            # No ReLU: it would stop the gradient
            helpers = torch.zeros_like(code[:few]).scatter(1, dead[places], values)
            helped = model.decoder(code[:few].detach() + helpers)
            terms["revival"] = revive * F.mse_loss(helped, x[:few])
    return {"loss": reduce(operator.add, terms.values())} | terms


def share_alive(code: Tensor) -> float:
    """Share of the units of code (N, units) that are non-zero for at least one signal.

    Raises TypeError or ValueError for codes of another kind, none, and such that are not finite.
    """
    check_not_empty(check_codes(code, "code"), "code")
    if not code.isfinite().all():
        raise ValueError("code holds NaN or infinite values: has training diverged?")
    return (code != 0).any(dim=0).float().mean().item()
