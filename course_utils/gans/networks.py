"""The two players: generators and discriminators for images and for points in the plane.

Built in notebooks 08 (points) and 09 (images); minibatch statistics and packing in notebook 10.
"""

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from course_utils.arguments import check_choice, check_input, check_int, check_not_empty, single
from course_utils.layers import Layers, check_codes, check_like, check_rows, check_sizes

__all__ = [
    "Discriminator",
    "Generator",
    "MinibatchStd",
    "Packed",
    "PointDiscriminator",
    "PointGenerator",
    "with_spectral_norm",
]


class Generator(Layers):
    """Noise (N, noise) to images (N, channels, size, size) in [-1, 1].

    A dense layer makes maps of size / 2**blocks, `blocks` transposed convolutions double the
    side (DCGAN: Radford, Metz and Chintala 2016); the last hidden layer has `width` maps,
    each one before it twice as many. Raises ValueError for a size that 2**blocks does not divide.
    """

    def __init__(
        self, noise: int = 64, width: int = 32, channels: int = 1, size: int = 28, blocks: int = 2
    ) -> None:
        check_sizes(noise=noise, width=width, channels=channels)
        side, self.noise = start_of(size, blocks), noise
        maps = width * 2 ** (blocks - 1)
        layers = [nn.Linear(noise, maps * side**2), nn.Unflatten(1, (maps, side, side))]
        for _ in range(blocks - 1):
            layers += [nn.BatchNorm2d(maps), nn.ReLU()]
            layers += [nn.ConvTranspose2d(maps, maps // 2, 4, stride=2, padding=1)]
            maps //= 2
        last = nn.ConvTranspose2d(maps, channels, 4, stride=2, padding=1)
        super().__init__(*layers, nn.BatchNorm2d(maps), nn.ReLU(), last, nn.Tanh())

    def forward(self, z: Tensor) -> Tensor:
        return super().forward(check_rows(z, self, self.noise, "z"))


class Discriminator(Layers):
    """Images (N, channels, size, size) in [-1, 1] to logits (N,), large for "real".

    `blocks` convolutions halve the side, the first with `width` maps, each next one with twice
    as many. `norm` of all but the first: "batch", or "none", which gradient penalties and
    spectral normalisation want. With `minibatch_std` the last layer sees how much the batch
    varies (MinibatchStd).
    """

    def __init__(
        self,
        width: int = 32,
        channels: int = 1,
        size: int = 28,
        blocks: int = 2,
        norm: str = "batch",
        minibatch_std: bool = False,
    ) -> None:
        check_sizes(width=width, channels=channels)
        side, maps = start_of(size, blocks), width
        self.shape = (channels, size, size)
        check_choice("norm", norm, ("batch", "none"))
        layers = [nn.Conv2d(channels, width, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        for _ in range(blocks - 1):
            layers += [nn.Conv2d(maps, 2 * maps, 4, stride=2, padding=1)]
            layers += [nn.BatchNorm2d(2 * maps)] if norm == "batch" else []
            layers += [nn.LeakyReLU(0.2)]
            maps *= 2
        layers += [MinibatchStd()] if minibatch_std else []
        last = nn.Linear((maps + minibatch_std) * side**2, 1)
        super().__init__(*layers, nn.Flatten(), last, nn.Flatten(0))

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(check_like(check_input(x, *self.shape), self))


class PointGenerator(Layers):
    """Noise (N, noise) to points (N, dimensions) by `layers` hidden layers."""

    def __init__(
        self, noise: int = 2, width: int = 128, dimensions: int = 2, layers: int = 2
    ) -> None:
        check_sizes(noise=noise, width=width, dimensions=dimensions)
        self.noise = noise
        super().__init__(*hidden(noise, width, layers, nn.ReLU()), nn.Linear(width, dimensions))

    def forward(self, z: Tensor) -> Tensor:
        return super().forward(check_rows(z, self, self.noise, "z"))


class PointDiscriminator(Layers):
    """Points (N, dimensions) to one score each, (N,)."""

    def __init__(
        self, width: int = 128, dimensions: int = 2, layers: int = 2, minibatch_std: bool = False
    ) -> None:
        check_sizes(width=width, dimensions=dimensions)
        self.dimensions = dimensions
        parts = hidden(dimensions, width, layers, nn.LeakyReLU(0.2))
        parts += [MinibatchStd()] if minibatch_std else []
        super().__init__(*parts, nn.Linear(width + minibatch_std, 1), nn.Flatten(0))

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(check_rows(x, self, self.dimensions))


class MinibatchStd(nn.Module):
    """Append one feature that says how much the batch varies (Karras et al. 2018).

    x (N, C, ...) to (N, C + 1, ...): the standard deviation over the batch of each entry, their
    mean, the same number everywhere. A generator that always draws the same is found out.
    Raises ValueError for a batch of fewer than two.
    """

    def forward(self, x: Tensor) -> Tensor:
        if len(check_codes(x, "x")) < 2:
            raise ValueError(
                f"The batch holds {len(x)} samples; minibatch statistics need at least 2: "
                "use a larger batch, or drop the last one."
            )
        spread = (single(check_not_empty(x)).var(dim=0, unbiased=False) + 1e-8).sqrt().mean().to(x)
        return torch.cat([x, spread.expand(len(x), 1, *x.shape[2:])], dim=1)


class Packed(nn.Module):
    """A discriminator that judges `pack` samples together (PacGAN: Lin, Khetan, Fanti and Oh 2018).

    (N, C, ...) to (N / pack,): neighbours are joined along axis 1, so `discriminator` takes
    pack * C channels (or dimensions). Raises ValueError if pack does not divide N.
    """

    def __init__(self, discriminator: nn.Module, pack: int) -> None:
        super().__init__()
        self.discriminator, self.pack = discriminator, check_int("pack", pack, at_least=2)

    def forward(self, x: Tensor) -> Tensor:
        if len(check_codes(x, "x")) % self.pack:
            whole = len(x) - len(x) % self.pack
            raise ValueError(
                f"The batch holds {len(x)} samples; expected a multiple of pack = {self.pack}: "
                f"use another batch size, or x[:{whole}]."
            )
        return self.discriminator(
            x.reshape(len(x) // self.pack, self.pack * x.shape[1], *x.shape[2:])
        )


def with_spectral_norm(network: nn.Module) -> nn.Module:
    """The same network, each linear and convolutional layer with largest singular value 1.

    One step of the power method in each forward pass of training (Miyato et al. 2018), by
    torch's parametrization. Changes the network in place and returns it.
    """
    for layer in network.modules():
        if isinstance(layer, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
            spectral_norm(layer)
    return network


def hidden(inputs: int, width: int, layers: int, activation: nn.Module) -> list[nn.Module]:
    """Dense layers with an activation behind each."""
    sizes = [inputs] + [width] * check_int("layers", layers, at_least=1)
    return [part for a, b in zip(sizes, sizes[1:]) for part in (nn.Linear(a, b), activation)]


def start_of(size: int, blocks: int) -> int:
    """The side of the smallest maps, size / 2**blocks; ValueError if that is not whole."""
    steps = 2 ** check_int("blocks", blocks, at_least=1)
    if check_int("size", size, at_least=steps) % steps:
        raise ValueError(
            f"size is {size}; expected a multiple of {steps}, since the side is halved {blocks} "
            f"times: pad the images to {size - size % steps + steps}, or take fewer blocks."
        )
    return size // steps
