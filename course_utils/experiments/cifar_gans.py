"""Three unconditional GANs for CIFAR-10, trained for equal seconds, evaluated alike.

Run by the GPU cell of notebook 09, which has three pieces, with the images on the device; the two
copied recipes compute as PyTorch does by default.
"""

import time
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import torch
from torch import Tensor, nn

from course_utils.arguments import check_choice
from course_utils.data import ImageSet, load
from course_utils.display import show_images
from course_utils.experiments.cifar_autoencoder_speed import two_digits
from course_utils.experiments.residual_networks import Fast, Noisy, discriminator, layers_up
from course_utils.gans import Gan, from_gan_range, to_gan_range, train_gan, with_spectral_norm
from course_utils.metrics import (
    Evaluator,
    FeatureError,
    FeatureNetwork,
    feature_network,
    frechet_distance,
)
from course_utils.session import seed_everything

__all__ = ["RECIPES", "Game", "train_by_the_clock", "trained"]

# Seconds of training, and the number of images that are evaluated
SECONDS, IMAGES = 390, 10_000
# Settings of our recipe
RULES: dict[str, Any] = dict(loss="hinge", lr=(2e-4, 4e-4), betas=(0.0, 0.99), ema_decay=0.999)


class Game(NamedTuple):
    """Networks, loss and batch size; whether the learning rate decays to zero."""

    gan: Gan
    batch: int
    falls: bool


def normal(network: nn.Module) -> nn.Module:
    """Weights ~ N(0, 0.02), of batch normalisation ~ N(1, 0.02), in place; the network."""
    for layer in network.modules():
        if isinstance(layer, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d, nn.BatchNorm2d)):
            nn.init.normal_(layer.weight, float(isinstance(layer, nn.BatchNorm2d)), 0.02)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return network


def dcgan(width: int = 64) -> Game:
    """PyTorch's examples/dcgan for images of 32 pixels: one block less on each side."""
    block = lambda layer, maps, after: [layer, nn.BatchNorm2d(maps), after]
    up: list[nn.Module] = []
    down: list[nn.Module] = []
    for maps in (4 * width, 2 * width):
        half = maps // 2
        up += block(nn.ConvTranspose2d(maps, half, 4, 2, 1, bias=False), half, nn.ReLU())
        wide = block(nn.Conv2d(half, maps, 4, 2, 1, bias=False), maps, nn.LeakyReLU(0.2))
        down = wide + down
    generator = Noisy(
        100,
        nn.Unflatten(1, (100, 1, 1)),
        *block(nn.ConvTranspose2d(100, 4 * width, 4, bias=False), 4 * width, nn.ReLU()),
        *up,
        nn.ConvTranspose2d(width, 3, 4, 2, 1, bias=False),
        nn.Tanh(),
    )
    critic = nn.Sequential(
        nn.Conv2d(3, width, 4, 2, 1, bias=False),
        nn.LeakyReLU(0.2),
        *down,
        nn.Conv2d(4 * width, 1, 4, bias=False),
        nn.Flatten(0),
    )
    players = normal(generator), normal(critic)
    return Game(Gan(*players, lr=2e-4, betas=(0.5, 0.999), ema_decay=0.0), 128, False)


def sngan(width: int = 64) -> Game:
    """The standard CNN of Miyato et al. 2018 for 32 x 32 with the hinge loss.

    The rate falls linearly to zero, as in public programs that reach the paper's figures.
    """
    up: list[nn.Module] = []
    down: list[nn.Module] = []
    channels = 3
    for maps in (width, 2 * width, 4 * width):
        up = [nn.ConvTranspose2d(2 * maps, maps, 4, 2, 1), nn.BatchNorm2d(maps), nn.ReLU(), *up]
        down += [nn.Conv2d(channels, maps, 3, 1, 1), nn.LeakyReLU(0.1)]
        down += [nn.Conv2d(maps, maps, 4, 2, 1), nn.LeakyReLU(0.1)]
        channels = maps
    maps = 8 * width
    generator = Noisy(
        128,
        nn.Linear(128, 16 * maps),
        nn.Unflatten(1, (maps, 4, 4)),
        nn.BatchNorm2d(maps),
        nn.ReLU(),
        *up,
        nn.Conv2d(width, 3, 3, 1, 1),
        nn.Tanh(),
    )
    critic = nn.Sequential(
        *down,
        nn.Conv2d(channels, maps, 3, 1, 1),
        nn.LeakyReLU(0.1),
        nn.Flatten(),
        nn.Linear(16 * maps, 1),
        nn.Flatten(0),
    )
    players = normal(generator), with_spectral_norm(normal(critic))
    return Game(Gan(*players, loss="hinge", lr=2e-4, betas=(0.5, 0.999), ema_decay=0.0), 128, True)


def ours(width: int = 64) -> Game:
    """Residual networks (`residual_networks`), spectral normalisation, hinge loss, augmentation.

    Twice the batch of the others, in bfloat16; two rates (Heusel et al. 2017), which fall to zero;
    a moving average of the weights (Yazıcı et al. 2019).
    """
    return Game(Gan(Fast(layers_up(128, width)), discriminator(width), **RULES), 256, True)


RECIPES = {"dcgan": dcgan, "sngan": sngan, "ours": ours}


def train_by_the_clock(game: Game, images: ImageSet, seconds: float) -> dict:
    """Train for `seconds` on the device of the images; steps and images per second."""
    gan, began = game.gan.to(images.pixels.device), time.perf_counter()

    def falling_rate() -> None:  # the rate is (1 - share of the seconds gone) times the first
        gone = (time.perf_counter() - began) / seconds
        gan.total_steps = gan.steps / gone if game.falls and gan.steps else None

    batches = lambda epoch: map(to_gan_range, images.stream(game.batch))
    train_gan(gan, batches, 1, seconds=seconds, each_step=falling_rate, progress=False)
    rate = gan.steps * game.batch / (time.perf_counter() - began)
    return {"steps": gan.steps, "images/s": two_digits(rate)}


def draw(gan: Gan, images: int) -> Tensor:
    """So many images (N, 3, 32, 32) in [0, 1] on the CPU, from noise that is always the same."""
    return from_gan_range(gan.sample(images, torch.Generator().manual_seed(1))).clamp(0, 1).cpu()


def judge_of(device: torch.device, images: int, network: FeatureNetwork | None = None) -> Evaluator:
    """Test images against training images in the features of EfficientNet-Lite0."""
    real, other = (load("cifar10", split).subset(images).images() for split in ("test", "train"))
    return Evaluator(network or feature_network("efficientnet_lite0", device), real, other)


def said(judge: Evaluator, x: Tensor) -> dict:
    """The judge's scores of images, by name and rounded."""
    scores = judge(x)
    return {
        "Fréchet distance": two_digits(scores.frechet),
        "kernel distance": two_digits(scores.kernel),
        "precision": round(scores.precision, 2),
        "recall": round(scores.recall, 2),
    }


def floors(judge: Evaluator, images: int) -> dict:
    """The noise floors of the two distances, and what they were measured in."""
    floor = judge.floor(images)
    return {
        "Fréchet, floor": two_digits(floor.frechet),
        "kernel, floor": two_digits(floor.kernel),
        "features": f"{judge.network.name}, {images} pictures",
    }


def real_fid(device: torch.device, x: Tensor) -> dict:
    """FID (Inception's 2048 features), if its weights and enough images are here."""
    if len(x) <= 2048:
        return {}
    try:
        network = feature_network("inception", device)
    except FeatureError:
        return {}
    real = load("cifar10", "test").subset(len(x)).images()
    return {"FID, to test pictures": two_digits(frechet_distance(network(real), network(x)))}


def trained(
    name: str,
    device: torch.device,
    *,
    seconds: float = SECONDS,
    images: int = IMAGES,
    width: int = 64,
    batch: int | None = None,
    network: FeatureNetwork | None = None,
) -> dict:
    """Train a recipe of RECIPES; steps, scores and "figure".

    What follows `device` is smaller in a trial on a CPU. Raises ValueError for an unknown recipe.
    """
    check_choice("recipe", name, tuple(RECIPES))
    seed_everything(0)
    torch.backends.cudnn.benchmark = True  # all batches have one shape
    game = RECIPES[name](width)
    game = game._replace(batch=batch or game.batch)
    facts = train_by_the_clock(game, load("cifar10").to(device), seconds)
    x, judge = draw(game.gan, images), judge_of(device, images, network)
    scores = said(judge, x) | real_fid(device, x) | floors(judge, images)
    show_images(x[:40], columns=20, size=0.5)
    return {"training, s": seconds, "batch": game.batch} | facts | scores | {"figure": plt.gcf()}
