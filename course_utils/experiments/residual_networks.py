"""Residual networks for a GAN on 32 x 32 colour images, and its augmentation.

Run by the GPU cells of notebooks 09 and 12.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

from course_utils.gans import with_spectral_norm
from course_utils.layers import Layers

__all__ = ["Augment", "Fast", "Noisy", "discriminator", "layers_up"]


class Noisy(Layers):
    """Layers that begin with `noise` numbers: a generator."""

    def __init__(self, noise: int, *layers: nn.Module) -> None:
        super().__init__(*layers)
        self.noise = noise


class Residual(nn.Module):
    """The sum of two paths of layers (Miyato et al. 2018)."""

    def __init__(self, body: list[nn.Module], short: list[nn.Module]) -> None:
        super().__init__()
        self.body, self.short = nn.Sequential(*body), nn.Sequential(*short)

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x) + self.short(x)


def up(a: int, b: int) -> Residual:
    """Maps (N, a, s, s) to (N, b, 2s, 2s)."""
    first, second = nn.Conv2d(a, b, 3, padding=1), nn.Conv2d(b, b, 3, padding=1)
    body = [nn.BatchNorm2d(a), nn.ReLU(), nn.Upsample(scale_factor=2), first]
    body += [nn.BatchNorm2d(b), nn.ReLU(), second]
    return Residual(body, [nn.Conv2d(a, b, 1), nn.Upsample(scale_factor=2)])


def down(a: int, b: int, pool: int = 2) -> Residual:
    """Maps (N, a, s, s) to (N, b, s / pool, s / pool), without batch normalisation."""
    first, second = nn.Conv2d(a, a, 3, padding=1), nn.Conv2d(a, b, 3, padding=1)
    body = [nn.ReLU(), first, nn.ReLU(), second, nn.AvgPool2d(pool)]
    return Residual(body, [nn.AvgPool2d(pool), nn.Conv2d(a, b, 1)])


class Augment(nn.Module):
    """Random flips and shifts by up to an eighth of the sides of images (N, C, H, W), 0 outside.

    In front of a discriminator, gradients go through it (DiffAugment: Zhao et al. 2020).
    """

    def forward(self, x: Tensor) -> Tensor:
        maps = torch.zeros(len(x), 2, 3, device=x.device)
        maps[:, 0, 0] = torch.randint(2, (len(x),), device=x.device) * 2.0 - 1
        maps[:, 1, 1] = 1
        for i, side in enumerate((x.shape[3], x.shape[2])):  # in a grid an image has the width 2
            shift = torch.randint(-(side // 8), side // 8 + 1, (len(x),), device=x.device)
            maps[:, i, 2] = shift * 2 / side
        grid = F.affine_grid(maps, list(x.shape), align_corners=False)
        return F.grid_sample(x, grid, "nearest", align_corners=False)


class Fast(nn.Module):
    """A network in bfloat16 and channels-last on a GPU, unchanged elsewhere; gives float32."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last)
        self.noise = getattr(network, "noise", None)

    def forward(self, x: Tensor) -> Tensor:
        x = x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x
        with parametrize.cached():
            for layer in self.network.modules():
                # Spectral normalisation is computed here, before the rounding begins
                getattr(layer, "weight", None)
            with torch.autocast(x.device.type, torch.bfloat16, enabled=x.is_cuda):
                return self.network(x).float()


def layers_up(numbers: int, width: int = 64) -> nn.Module:
    """(N, numbers) to images (N, 3, 32, 32) in [-1, 1]: a generator, or a decoder."""
    return Noisy(
        numbers,
        nn.Linear(numbers, 16 * 8 * width),
        nn.Unflatten(1, (8 * width, 4, 4)),
        up(8 * width, 4 * width),
        up(4 * width, 2 * width),
        up(2 * width, width),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.Conv2d(width, 3, 3, padding=1),
        nn.Tanh(),
    )


def discriminator(width: int = 64) -> nn.Module:
    """Augmented images (N, 3, 32, 32) to scores (N,), with spectral normalisation."""
    layers = nn.Sequential(
        nn.Conv2d(3, width, 3, padding=1),
        down(width, 2 * width),
        down(2 * width, 4 * width),
        down(4 * width, 8 * width),
        down(8 * width, 8 * width, 1),
        nn.ReLU(),
        nn.AvgPool2d(4, divisor_override=1),
        nn.Flatten(),
        nn.Linear(8 * width, 1),
        nn.Flatten(0),
    )
    return nn.Sequential(Augment(), Fast(with_spectral_norm(layers)))
