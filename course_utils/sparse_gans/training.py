"""How the joined models are trained: an autoencoder, a game held to its reconstructions, a game of codes.

Built in notebook 12.
"""
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils.autoencoders import ConvDecoder, ConvEncoder, SparseAutoencoder, sparse_loss
from course_utils.data import ImageSet
from course_utils.gans import Discriminator, Gan, PointDiscriminator, PointGenerator, from_gan_range, to_gan_range
from course_utils.sparse_gans.generators import CodeGenerator
from course_utils.training import fit

__all__ = ["batches", "encode", "hold", "play", "play_codes", "train_autoencoder"]


def batches(images: ImageSet, steps: int, size: int = 64) -> Iterator[Tensor]:
    """`steps` batches of images (size, C, H, W) in [0, 1], epoch after epoch, each in a new order."""
    epoch = 0
    while True:
        for x, _ in images.batches(size, epoch=epoch):
            if steps == 0:
                return
            yield x
            steps -= 1
        epoch += 1


def train_autoencoder(images: ImageSet, units: int, sparsity: nn.Module, steps: int) -> SparseAutoencoder:
    """An autoencoder with a code of `units` numbers, trained for `steps` steps of 64 images, in evaluation mode."""
    model = SparseAutoencoder(ConvEncoder(units), ConvDecoder(units), sparsity, units)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3, betas=(0.9, 0.99), fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    fit(model, lambda epoch: batches(images, steps), lambda model, x: sparse_loss(model, x, revive=0.1), optimizer, 1,
        schedule=schedule, progress=False)
    return model.eval()


@torch.no_grad()
def encode(autoencoder: SparseAutoencoder, images: Tensor) -> Tensor:
    """Images (N, C, H, W) in [0, 1] to codes (N, units), 1,000 at a time."""
    return torch.cat([autoencoder.encode(part) for part in images.split(1000)])


def hold(generator: CodeGenerator, autoencoder: SparseAutoencoder, weight: float = 100.0) -> Callable:
    """The anchor of a game: weight times the squared error with which the decoder gives back real images.

    Returns anchor(fake, real) for `Gan`; the codes come from the encoder as it is, which gets no gradient.
    """
    def anchor(fake: Tensor, real: Tensor) -> Tensor:
        x = from_gan_range(real)
        with torch.no_grad():
            code = autoencoder.encode(x)
        return weight * F.mse_loss(generator.decoder(code), x)

    return anchor


def play(generator: nn.Module, images: ImageSet, steps: int, **settings) -> Gan:
    """The default game of notebook 09 for `steps` steps; its `average` is what to draw from.

    The generator plays in the mode it is in: the decoder of an evaluated autoencoder keeps the means and
    variances of its batch normalisation, so that drawn and encoded codes go through the same function.
    """
    gan = Gan(generator, Discriminator(), total_steps=steps, **settings).to(images.pixels.device)
    for x in batches(images, steps):
        gan.step(to_gan_range(x))
    return gan


def play_codes(codes: Tensor, sparsity: nn.Module, steps: int) -> nn.Module:
    """A GAN on the codes (M, code) themselves, 256 at a time; its generator of sparse codes can stand for a prior.

    `sparsity` is the last layer of the generator: real codes are full of zeros, by which the discriminator
    would know them at once.
    """
    units, scale = codes.shape[1], codes.std()
    generator = PointGenerator(64, 512, units, layers=3).append(sparsity)
    gan = Gan(generator, PointDiscriminator(512, units, layers=3, minibatch_std=True), rate=1e-3, penalty="r1", weight=1.0,
              total_steps=steps)
    for chosen in torch.randint(len(codes), (steps, 256)):
        gan.step(codes[chosen] / scale)
    with torch.no_grad():  # the last dense layer undoes the scale
        for weight in gan.average[-2].parameters():
            weight.mul_(scale)
    return gan.average
