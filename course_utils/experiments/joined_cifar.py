"""Joined models against a plain GAN on CIFAR-10 at equal seconds (notebook 12).

Run by the GPU cell of notebook 12, which has a piece for each seed. All three have the rules,
discriminator and last layers of our recipe in `course_utils.experiments.cifar_gans`: they differ in
what these layers are fed with, and in the reconstruction term.
"""

import itertools
import time
from collections.abc import Callable

import matplotlib.pyplot as plt
import torch
from torch import Tensor

from course_utils.autoencoders import (
    ConvEncoder,
    NoSparsity,
    SparseAutoencoder,
    TopK,
    share_alive,
    sparse_loss,
)
from course_utils.autoencoders.sparsity import Sparsity
from course_utils.data import ImageSet, load
from course_utils.display import show_images
from course_utils.experiments import cifar_gans
from course_utils.experiments.cifar_gans import Game, train_by_the_clock
from course_utils.experiments.residual_networks import Fast, discriminator, layers_up
from course_utils.gans import Gan, from_gan_range
from course_utils.layers import Layers
from course_utils.metrics import FeatureNetwork, psnr
from course_utils.session import seed_everything
from course_utils.sparse_gans import CodeGenerator, CodePrior, encode, reconstruction_anchor
from course_utils.training import fit

__all__ = ["CODES", "SECONDS", "Decoder", "compared", "describe", "joined"]

SECONDS, BATCH, IMAGES = 110, 256, 10_000  # for each of the three models; judged images
# Numbers of a code, its sparsity
CODES: dict[str, tuple[int, Callable[[], Sparsity]]] = {
    "dense": (256, NoSparsity),
    "TopK": (512, lambda: TopK(64)),
}
SHARE = 0.2  # of the seconds for the autoencoder, as in `course_utils.experiments.comparison`
GAUSSIANS, PRIOR_CODES = 20, 20_000  # of the mixture, and the codes it is fitted to


class Decoder(Layers):
    """Codes (N, code) to images (N, 3, 32, 32) in [0, 1], by the layers of the plain generator."""

    def forward(self, code: Tensor) -> Tensor:
        return from_gan_range(super().forward(code))


def describe(
    images: ImageSet, kind: str, seconds: float, width: int, batch: int
) -> SparseAutoencoder:
    """An autoencoder with a code of CODES, trained for so many seconds, in evaluation mode."""
    units, sparsity = CODES[kind]
    encoder = Fast(ConvEncoder(units, 2 * width, channels=3, size=32))
    model = SparseAutoencoder(encoder, Decoder(Fast(layers_up(units, width))), sparsity(), units)
    model = model.to(images.pixels.device)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3, betas=(0.9, 0.99), fused=True)
    began = time.perf_counter()
    left = lambda: max(0.0, 1 - (time.perf_counter() - began) / seconds)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda _: left())
    batches = lambda epoch: itertools.takewhile(lambda _: left() > 0, images.stream(batch))
    loss = lambda model, x: sparse_loss(model, x, revive=0.1)
    fit(model, batches, loss, optimizer, 1, schedule=schedule, progress=False)
    return model.eval()


def joined(images: ImageSet, kind: str, seconds: float, width: int, batch: int) -> tuple[Gan, dict]:
    """Autoencoder, Gaussian mixture of its codes, GAN with a reconstruction term, and facts.

    All within the seconds: the GAN gets what the others leave.
    """
    began = time.perf_counter()
    model = describe(images, kind, SHARE * seconds, width, batch)
    some = images.images(torch.randperm(len(images))[:PRIOR_CODES].to(images.pixels.device))
    codes = encode(model, some)
    components = max(1, min(GAUSSIANS, len(codes) // (2 * codes.shape[1])))
    prior = CodePrior.fit(codes, components).to(codes.device)
    test = load("cifar10", "test").images(slice(500)).to(codes.device)
    with torch.no_grad():
        level = psnr(model(test), test).mean().item()
    facts = {
        "PSNR, dB": round(level, 1),
        "not zero": round((codes != 0).sum(dim=1).double().mean().item()),
        "alive": round(share_alive(codes), 2),
    }
    generator = CodeGenerator(prior, model.decoder, model.sparsity)
    anchor = reconstruction_anchor(generator, model)
    gan = Gan(generator, discriminator(width), reconstruction_term=anchor, **cifar_gans.RULES)
    facts["before the game, s"] = round(time.perf_counter() - began)
    left = max(1e-3, seconds - (time.perf_counter() - began))
    return gan, facts | train_by_the_clock(Game(gan, batch, True), images, left)


def compared(
    device: torch.device,
    seed: int,
    *,
    seconds: float = SECONDS,
    images: int = IMAGES,
    width: int = 64,
    batch: int = BATCH,
    network: FeatureNetwork | None = None,
) -> dict:
    """Train and evaluate all three with one seed: scores by name, and "figure".

    What follows `seed` is smaller in a trial on a CPU.
    """
    torch.backends.cudnn.benchmark = True
    train, judge = load("cifar10").to(device), cifar_gans.judge_of(device, images, network)
    result, rows = {"seconds each": seconds}, []
    for name in ("plain", *CODES):
        seed_everything(seed)
        if name == "plain":
            game = cifar_gans.ours(width)._replace(batch=batch)
            gan, facts = game.gan, train_by_the_clock(game, train, seconds)
        else:
            gan, facts = joined(train, name, seconds, width, batch)
        x = cifar_gans.draw(gan, images)
        rows.append(x[:20])
        facts |= cifar_gans.said(judge, x)
        result |= {f"{name}: {key}": value for key, value in facts.items()}
    show_images(torch.cat(rows), columns=20, size=0.5)
    return result | cifar_gans.floors(judge, images) | {"figure": plt.gcf()}
