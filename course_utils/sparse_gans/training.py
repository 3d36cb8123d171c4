"""Training of joined models: autoencoder, GAN with a reconstruction term, GAN on codes.

Built in notebook 12.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils.arguments import check_floats, check_int, check_nonnegative
from course_utils.autoencoders import ConvDecoder, ConvEncoder, SparseAutoencoder, sparse_loss
from course_utils.autoencoders.sparsity import Sparsity
from course_utils.data import ImageSet
from course_utils.gans import networks
from course_utils.gans.training import G, Gan, from_gan_range, to_gan_range, train_gan
from course_utils.layers import check_codes, evaluation
from course_utils.sparse_gans.generators import CodeGenerator
from course_utils.training import fit

__all__ = [
    "encode",
    "reconstruction_anchor",
    "train_autoencoder",
    "train_code_gan",
    "train_gan_steps",
]


def train_autoencoder(
    images: ImageSet, units: int, sparsity: Sparsity, steps: int
) -> SparseAutoencoder:
    """A sparse autoencoder after `steps` steps of 64 images, in evaluation mode.

    Raises ValueError for steps < 1.
    """
    check_int("steps", steps, at_least=1)
    model = SparseAutoencoder(ConvEncoder(units), ConvDecoder(units), sparsity, units)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3, betas=(0.9, 0.99), fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    batches = lambda epoch: images.stream(64, steps)
    loss = lambda model, x: sparse_loss(model, x, revive=0.1)
    fit(model, batches, loss, optimizer, 1, schedule=schedule, progress=False)
    return model.eval()


@torch.no_grad()
def encode(autoencoder: SparseAutoencoder, images: Tensor) -> Tensor:
    """Images (N, C, H, W) in [0, 1] to codes (N, units), in evaluation mode, 1,000 at a time."""
    with evaluation(autoencoder):
        parts = check_codes(images, "images").split(1000)
        return torch.cat([autoencoder.encode(part) for part in parts])


def reconstruction_anchor(
    generator: CodeGenerator, autoencoder: SparseAutoencoder, weight: float = 100.0
) -> Callable[[Tensor, Tensor], Tensor]:
    """A term of the generator's loss: weight times the decoder's error on real images.

    Returns anchor(fake, real) for `Gan`; the encoder, which makes the codes in evaluation mode,
    gets no gradient. Raises ValueError for weight < 0.
    """
    check_nonnegative("weight", weight)

    def anchor(fake: Tensor, real: Tensor) -> Tensor:
        x = from_gan_range(real)
        with torch.no_grad(), evaluation(autoencoder):
            code = autoencoder.encode(x)
        return weight * F.mse_loss(generator.decoder(code), x)

    return anchor


def train_gan_steps(generator: G, images: ImageSet, steps: int, **settings: Any) -> Gan[G]:
    """The default adversarial training of notebook 09 for `steps` steps of 64 images.

    Draw from the `generator_ema` of what it returns. Raises ValueError for steps < 1.
    """
    check_int("steps", steps, at_least=1)
    gan = Gan(generator, networks.Discriminator(), total_steps=steps, **settings)
    gan.to(images.pixels.device)
    train_gan(gan, lambda epoch: map(to_gan_range, images.stream(64, steps)), 1, progress=False)
    return gan


def train_code_gan(codes: Tensor, sparsity: nn.Module, steps: int) -> nn.Module:
    """A GAN on codes (M, code), 256 at a time; its generator can serve as a prior.

    `sparsity` is the last layer of the generator: real codes are full of zeros, by which the
    discriminator would know them at once. Raises TypeError for codes of another type than float32,
    ValueError for another shape, codes that are not finite or all the same, and steps < 1.
    """
    check_int("steps", steps, at_least=1)
    codes = check_floats(codes, "codes").detach()
    if codes.ndim != 2 or not len(codes):
        raise ValueError(
            f"codes has shape {tuple(codes.shape)}; expected (M, code), a row for each image."
        )
    units, scale = codes.shape[1], codes.std()
    if not 0 < scale < math.inf:
        raise ValueError(
            f"codes have a standard deviation of {scale:.3g}; expected a finite one above 0: look "
            "for NaN, and for codes that are all the same."
        )
    generator = networks.PointGenerator(64, 512, units, layers=3).append(sparsity)
    discriminator = networks.PointDiscriminator(512, units, layers=3, minibatch_std=True)
    rules: dict[str, Any] = dict(lr=1e-3, penalty="r1", penalty_weight=1.0, total_steps=steps)
    gan = Gan(generator, discriminator, **rules).to(codes.device)
    chosen = torch.randint(len(codes), (steps, 256))
    train_gan(gan, lambda epoch: (codes[index] / scale for index in chosen), 1, progress=False)
    with torch.no_grad():  # the last dense layer undoes the scale
        for weight in gan.generator_ema[-2].parameters():
            weight.mul_(scale)
    return gan.generator_ema
