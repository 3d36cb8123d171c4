"""Convolutional autoencoders with a sparse code.

Notebook 00 uses the decoder for its gallery; notebooks 04 and 05 build both halves
step by step.
"""
import torch
from torch import Tensor, nn

from course_utils.sparse_coding import keep_largest

__all__ = ["ConvDecoder", "ConvEncoder", "SparseAutoencoder", "SparseCodeGenerator"]


class ConvEncoder(nn.Sequential):
    """Images (N, 1, 28, 28) in [0, 1] to `code` numbers each: (N, code)."""

    def __init__(self, code: int, width: int = 32) -> None:
        super().__init__(
            nn.Conv2d(1, width, 4, stride=2, padding=1),  # 28x28 -> 14x14
            nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),  # 14x14 -> 7x7
            nn.BatchNorm2d(2 * width), nn.ReLU(),
            nn.Flatten(),
            nn.Linear(2 * width * 7 * 7, code),
        )


class ConvDecoder(nn.Sequential):
    """Codes (N, code) to images (N, 1, 28, 28) in [0, 1]."""

    def __init__(self, code: int, width: int = 32) -> None:
        super().__init__(
            nn.Linear(code, 2 * width * 7 * 7),
            nn.Unflatten(1, (2 * width, 7, 7)),
            nn.BatchNorm2d(2 * width), nn.ReLU(),
            nn.ConvTranspose2d(2 * width, width, 4, stride=2, padding=1),  # 7x7 -> 14x14
            nn.BatchNorm2d(width), nn.ReLU(),
            nn.ConvTranspose2d(width, 1, 4, stride=2, padding=1),  # 14x14 -> 28x28
            nn.Sigmoid(),
        )


class SparseAutoencoder(nn.Module):
    """Encoder, the k largest numbers of the code, decoder (Makhzani and Frey 2013)."""

    def __init__(self, code: int, k: int, width: int = 32) -> None:
        super().__init__()
        self.k = k
        self.encoder = ConvEncoder(code, width)
        self.decoder = ConvDecoder(code, width)

    def encode(self, x: Tensor) -> Tensor:
        """Images (N, 1, 28, 28) to codes (N, code) with k numbers that are not zero."""
        return keep_largest(self.encoder(x), self.k)

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.encode(x))


class SparseCodeGenerator(nn.Module):
    """Draws sparse codes from a Gaussian mixture and decodes them to images.

    A density on the codes of a trained autoencoder, as in the two-stage VAE (Dai and
    Wipf 2019), here with the k largest numbers of each code kept. Notebook 12 builds and
    measures it.
    """

    def __init__(self, code: int, k: int, components: int, width: int = 32) -> None:
        super().__init__()
        self.k = k
        self.decoder = ConvDecoder(code, width)
        self.register_buffer("shares", torch.full((components,), 1 / components))
        self.register_buffer("means", torch.zeros(components, code))
        self.register_buffer("factors", torch.eye(code).expand(components, -1, -1).clone())

    def codes(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """n random sparse codes (n, code); `generator` is a seeded one on the CPU."""
        part = torch.multinomial(self.shares.cpu(), n, replacement=True, generator=generator)
        noise = torch.randn(n, self.means.shape[1], 1, generator=generator)
        dense = self.means[part] + (self.factors[part] @ noise.to(self.means))[..., 0]
        return keep_largest(dense, self.k)

    def forward(self, codes: Tensor) -> Tensor:
        """Codes (N, code) to images (N, 1, 28, 28) in [0, 1]."""
        return self.decoder(codes)
