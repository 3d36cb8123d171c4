"""Generators whose last part is fed with sparse codes.

Built in notebook 12.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils.arguments import check_int
from course_utils.autoencoders import NoSparsity, TopK
from course_utils.gans.training import to_gan_range
from course_utils.layers import check_rows, check_sizes, evaluation

__all__ = ["CodeGenerator", "DictionaryGenerator"]


class CodeGenerator(nn.Module):
    """Noise -> prior -> sparsity -> code -> decoder -> images in [-1, 1].

    prior: noise (N, prior.noise) to codes (N, code), such as a fitted `CodePrior`, or a network
    with a number `noise`. sparsity: as in `SparseAutoencoder`; None leaves the codes as they are.
    decoder: codes to images in [0, 1], such as `ConvDecoder` of a trained autoencoder. Raises
    ValueError for a decoder that does not take the prior's codes.
    """

    def __init__(
        self, prior: nn.Module, decoder: nn.Module, sparsity: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.prior, self.decoder, self.sparsity = prior, decoder, sparsity or NoSparsity()
        self.noise = check_int("prior.noise", getattr(prior, "noise", None), at_least=1)
        self.check()

    @torch.no_grad()
    def check(self) -> None:
        """ValueError if one code does not go through the decoder."""
        like = next(self.decoder.parameters())
        with evaluation(self):
            code = self.codes(torch.zeros(1, self.noise, device=like.device, dtype=like.dtype))
            try:
                self.decoder(code)
            except (RuntimeError, TypeError, ValueError) as error:
                raise ValueError(
                    f"The prior draws codes of {code.shape[1]} numbers, which the decoder does not "
                    f"take ({error}): fit the prior to codes of this decoder's encoder."
                ) from error

    def codes(self, z: Tensor) -> Tensor:
        """Noise (N, noise) to sparse codes (N, code)."""
        return self.sparsity(self.prior(z))

    def forward(self, z: Tensor) -> Tensor:
        return to_gan_range(self.decoder(self.codes(z)))


class DictionaryGenerator(nn.Module):
    """Noise (N, noise) -> sparse code (N, atoms, 7, 7) -> images (N, 1, 28, 28) in [-1, 1].

    The last layer is a convolutional dictionary: each number of the code lays down one atom of
    patch x patch pixels, every 4 pixels (SparseGAN, Mahdizadehaghdam, Panahi and Krim 2019, with
    patches that overlap). At most k numbers of a code are not zero; each map is standardised over
    the batch before. Atoms have length 1. Raises ValueError as TopK, and for a patch that is odd.
    """

    def __init__(
        self, noise: int = 64, atoms: int = 64, k: int = 392, width: int = 64, patch: int = 8
    ) -> None:
        super().__init__()
        check_sizes(noise=noise, atoms=atoms, width=width)
        if check_int("patch", patch, at_least=4) % 2:
            raise ValueError(f"patch is {patch}; expected an even number: take {patch + 1}.")
        self.noise, self.patch = noise, patch
        self.trunk = nn.Sequential(
            nn.Linear(noise, width * 7 * 7),
            nn.Unflatten(1, (width, 7, 7)),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, atoms, 3, padding=1),
            nn.BatchNorm2d(atoms, affine=False),
        )
        self.sparsity = TopK(k)
        start = F.normalize(torch.randn(atoms, patch**2), dim=1)
        self.atoms = nn.Parameter(start.view(atoms, 1, patch, patch))
        self.bias = nn.Parameter(torch.zeros(()))

    @property
    def D(self) -> Tensor:
        """The dictionary (atoms, 1, patch, patch), each atom of length 1."""
        return F.normalize(self.atoms.flatten(1), dim=1).view_as(self.atoms)

    def codes(self, z: Tensor) -> Tensor:
        return self.sparsity(self.trunk(check_rows(z, self, self.noise, "z")))

    def forward(self, z: Tensor) -> Tensor:
        padding = (self.patch - 4) // 2
        drawn = F.conv_transpose2d(self.codes(z), self.D, stride=4, padding=padding)
        return (drawn + self.bias).tanh()
