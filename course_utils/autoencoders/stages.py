"""The four-stage sparse autoencoder x -> s -> c -> d -> x_hat.

    f1: convolution and shrinkage   x (N, C, H, W)         -> s (N, maps, H/2, W/2), sparse
    f2: convolution, dense layer    s                      -> c (N, code), sparse if asked
    f3: dense layer, convolution    c                      -> d (N, maps, H/2, W/2)
    f4: convolution                 d                      -> x_hat (N, C, H, W)

Built in notebook 05; its losses are the subject of notebook 06.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from course_utils.arguments import check_input, check_nonnegative, check_size, single
from course_utils.autoencoders.sparse import SparseAutoencoder
from course_utils.autoencoders.sparsity import NoSparsity, Sparsity
from course_utils.layers import check_codes, check_like, check_sizes
from course_utils.sparse_coding import soft_threshold

__all__ = ["FourStageAutoencoder", "Shrinkage", "Stages"]


class Stages(NamedTuple):
    """What each stage gives: sparse representation s, code c, decoded d, image x_hat."""

    s: Tensor
    c: Tensor
    d: Tensor
    x_hat: Tensor


class Shrinkage(nn.Module):
    """Soft threshold of maps (N, maps, H, W), with a learned threshold per map, and a price.

    The proximal step of notebook 02 as a layer. penalty(s) is lam * mean |s|. Raises
    ValueError for lam < 0, start < 0, and another number of maps.
    """

    def __init__(self, maps: int, lam: float = 0.0, start: float = 0.05) -> None:
        super().__init__()
        check_sizes(maps=maps)
        check_nonnegative("start", start)
        self.lam = check_nonnegative("lam", lam)
        self.threshold = nn.Parameter(torch.full((maps, 1, 1), start))

    def forward(self, a: Tensor) -> Tensor:
        maps = len(self.threshold)
        if check_codes(a).ndim != 4 or a.shape[1] != maps:
            found = f"a has shape {tuple(a.shape)}; expected (N, {maps}, H, W)"
            raise ValueError(f"{found}: give maps={maps} from the layer before.")
        return soft_threshold(a, self.threshold.abs())

    def penalty(self, s: Tensor) -> Tensor:
        return self.lam * single(check_codes(s, "s")).abs().mean()


class FourStageAutoencoder(SparseAutoencoder):
    """x -> s -> c -> d -> x_hat by the modules f1 to f4; `stages(x)` returns all.

    f1 halves the sides and shrinks `maps` maps, with the penalty lam; `sparsity` makes c of the
    numbers that f2 gives. Images (N, channels, size, size) in [0, 1]. Raises ValueError for a size
    that is not a multiple of 4, and for images that do not fit.
    """

    encoder: nn.Sequential
    decoder: nn.Sequential

    def __init__(
        self,
        code: int = 256,
        sparsity: Sparsity | None = None,
        maps: int = 32,
        lam: float = 0.0,
        channels: int = 3,
        size: int = 32,
    ) -> None:
        check_sizes(code=code, maps=maps, channels=channels)
        side = check_size(size) // 4
        f1 = nn.Sequential(nn.Conv2d(channels, maps, 4, stride=2, padding=1), Shrinkage(maps, lam))
        f2 = nn.Sequential(
            nn.Conv2d(maps, 2 * maps, 4, stride=2, padding=1),  # size/2 -> size/4
            nn.BatchNorm2d(2 * maps),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(2 * maps * side**2, code),
        )
        f3 = nn.Sequential(
            nn.Linear(code, 2 * maps * side**2),
            nn.Unflatten(1, (2 * maps, side, side)),
            nn.BatchNorm2d(2 * maps),
            nn.ReLU(),
            nn.ConvTranspose2d(2 * maps, maps, 4, stride=2, padding=1),  # size/4 -> size/2
            nn.BatchNorm2d(maps),
            nn.ReLU(),
        )
        f4 = nn.Sequential(nn.ConvTranspose2d(maps, channels, 4, stride=2, padding=1), nn.Sigmoid())
        encoder, decoder = nn.Sequential(f1, f2), nn.Sequential(f3, f4)
        super().__init__(encoder, decoder, sparsity or NoSparsity(), code)
        self.shape = (channels, size, size)

    f1 = property(lambda self: self.encoder[0])
    f2 = property(lambda self: self.encoder[1])
    f3 = property(lambda self: self.decoder[0])
    f4 = property(lambda self: self.decoder[1])

    def stages(self, x: Tensor) -> Stages:
        """s, c, d and x_hat of images x."""
        s = self.f1(check_like(check_input(x, *self.shape), self))
        c = self.sparsity(self.f2(s))
        d = self.f3(c)
        return Stages(s, c, d, self.f4(d))

    def parts(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        s = self.f1(check_like(check_input(x, *self.shape), self))
        a = self.f2(s)
        c = self.sparsity(a)
        return a, c, self.f1[1].penalty(s) + self.sparsity.penalty(c)
