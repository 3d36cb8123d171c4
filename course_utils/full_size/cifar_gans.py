"""Three recipes of a GAN that draws CIFAR-10, without labels: the same seconds for each, the same judge for all.

Run by the GPU cell of notebook 09, which makes three pieces of it; notebook 12 plays with our players, too.
The training images lie on the device in all three. The two copied recipes compute as PyTorch does by default.
"""
import time
from collections.abc import Iterator
from typing import NamedTuple

import matplotlib.pyplot as plt
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

from course_utils.arguments import known
from course_utils.data import ImageSet, load
from course_utils.display import show_images
from course_utils.features import FeatureError, FeatureNetwork, feature_network
from course_utils.full_size.listing import two_digits
from course_utils.gans import Gan, from_gan_range, to_gan_range, with_spectral_norm
from course_utils.metrics import Judge, frechet_distance
from course_utils.session import seed_everything

__all__ = [
    "RECIPES", "SECONDS", "Augment", "Down", "Fast", "Game", "Up", "discriminator", "draw", "judge_of", "layers_up",
    "play", "real_fid", "said", "stream", "trained",
]

SECONDS, IMAGES = 390, 10_000  # of training, so that a piece with its scores stays below 8 minutes; judged images
RATES = {"rate": (2e-4, 4e-4), "betas": (0.0, 0.99), "decay": 0.999}  # of our game


class Game(NamedTuple):
    """Players and rules, images in a batch, and whether the rate falls to zero at the end of the time."""

    gan: Gan
    batch: int
    falls: bool


# ------------------------------------------------------------------ the two recipes that are copied


def normal(network: nn.Module) -> nn.Module:
    """All weights ~ N(0, 0.02), those of batch normalisation ~ N(1, 0.02); changes the network and returns it."""
    for layer in network.modules():
        if isinstance(layer, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d, nn.BatchNorm2d)):
            nn.init.normal_(layer.weight, float(isinstance(layer, nn.BatchNorm2d)), 0.02)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return network


class Noisy(nn.Sequential):
    """Layers that begin with noise; `noise` numbers of it."""

    def __init__(self, noise: int, *layers: nn.Module) -> None:
        super().__init__(*layers)
        self.noise = noise


def dcgan(width: int = 64) -> Game:
    """PyTorch's examples/dcgan, one block less on each side, since the images have 32 pixels and not 64."""
    up, down = [], []
    for maps in (4 * width, 2 * width):
        up += [nn.ConvTranspose2d(maps, maps // 2, 4, 2, 1, bias=False), nn.BatchNorm2d(maps // 2), nn.ReLU()]
        down = [nn.Conv2d(maps // 2, maps, 4, 2, 1, bias=False), nn.BatchNorm2d(maps), nn.LeakyReLU(0.2), *down]
    generator = Noisy(
        100, nn.Unflatten(1, (100, 1, 1)), nn.ConvTranspose2d(100, 4 * width, 4, bias=False), nn.BatchNorm2d(4 * width), nn.ReLU(),
        *up, nn.ConvTranspose2d(width, 3, 4, 2, 1, bias=False), nn.Tanh())
    critic = nn.Sequential(nn.Conv2d(3, width, 4, 2, 1, bias=False), nn.LeakyReLU(0.2), *down,
                           nn.Conv2d(4 * width, 1, 4, bias=False), nn.Flatten(0))
    return Game(Gan(normal(generator), normal(critic), rate=2e-4, betas=(0.5, 0.999), decay=0.0), 128, False)


def sngan(width: int = 64) -> Game:
    """The standard CNN of Miyato et al. 2018 with the hinge loss and one step of the discriminator.

    The rate falls linearly to zero, as in the public programs that reach the paper's figures.
    """
    up, down, maps = [], [nn.Conv2d(3, width, 3, 1, 1), nn.LeakyReLU(0.1)], width
    for _ in range(3):
        up = [nn.ConvTranspose2d(2 * maps, maps, 4, 2, 1), nn.BatchNorm2d(maps), nn.ReLU(), *up]
        down += [nn.Conv2d(maps, 2 * maps, 4, 2, 1), nn.LeakyReLU(0.1), nn.Conv2d(2 * maps, 2 * maps, 3, 1, 1), nn.LeakyReLU(0.1)]
        maps *= 2
    generator = Noisy(128, nn.Linear(128, 16 * maps), nn.Unflatten(1, (maps, 4, 4)), nn.BatchNorm2d(maps), nn.ReLU(),
                      *up, nn.Conv2d(width, 3, 3, 1, 1), nn.Tanh())
    critic = nn.Sequential(*down, nn.Flatten(), nn.Linear(16 * maps, 1), nn.Flatten(0))
    players = normal(generator), with_spectral_norm(normal(critic))
    return Game(Gan(*players, loss="hinge", rate=2e-4, betas=(0.5, 0.999), decay=0.0), 128, True)


# ------------------------------------------------------------------ ours


class Up(nn.Module):
    """Maps (N, a, s, s) to (N, b, 2s, 2s): two convolutions beside a short cut (Miyato et al. 2018)."""

    def __init__(self, a: int, b: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.BatchNorm2d(a), nn.ReLU(), nn.Upsample(scale_factor=2), nn.Conv2d(a, b, 3, padding=1),
            nn.BatchNorm2d(b), nn.ReLU(), nn.Conv2d(b, b, 3, padding=1))
        self.short = nn.Sequential(nn.Conv2d(a, b, 1), nn.Upsample(scale_factor=2))

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x) + self.short(x)


class Down(nn.Module):
    """Maps (N, a, s, s) to (N, b, s / pool, s / pool)."""

    def __init__(self, a: int, b: int, pool: int = 2) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.ReLU(), nn.Conv2d(a, a, 3, padding=1), nn.ReLU(), nn.Conv2d(a, b, 3, padding=1), nn.AvgPool2d(pool))
        self.short = nn.Sequential(nn.AvgPool2d(pool), nn.Conv2d(a, b, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x) + self.short(x)


class Augment(nn.Module):
    """Each image (N, C, H, W) mirrored or not and moved by up to an eighth of its sides, grey where nothing is.

    In front of a discriminator it changes real and drawn images alike, and gradients go through it: DiffAugment
    (Zhao et al. 2020), of which this is the translation.
    """

    def forward(self, x: Tensor) -> Tensor:
        sides = torch.tensor([x.shape[3], x.shape[2]], device=x.device)
        most = sides // 8
        moved = ((torch.rand(len(x), 2, device=x.device) * (2 * most + 1)).floor() - most) * 2 / sides
        turned = torch.diag_embed(torch.stack([torch.randint(2, (len(x),), device=x.device) * 2 - 1.0, torch.ones_like(moved[:, 0])], 1))
        grid = F.affine_grid(torch.cat([turned, moved[:, :, None]], dim=2), list(x.shape), align_corners=False)
        return F.grid_sample(x, grid, mode="nearest", align_corners=False)


class Fast(nn.Module):
    """A network that computes in bfloat16 with channels last on a GPU, and as usual elsewhere; it gives float32."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last)
        self.noise = getattr(network, "noise", None)

    def forward(self, x: Tensor) -> Tensor:
        x = x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x
        with parametrize.cached():
            for layer in self.network.modules():
                getattr(layer, "weight", None)  # spectral normalisation is computed here, before the rounding begins
            with torch.autocast(x.device.type, torch.bfloat16, enabled=x.is_cuda):
                return self.network(x).float()


def layers_up(numbers: int, width: int = 64) -> nn.Module:
    """(N, numbers) to images (N, 3, 32, 32) in [-1, 1]: a generator, or a decoder."""
    return Noisy(numbers, nn.Linear(numbers, 16 * 8 * width), nn.Unflatten(1, (8 * width, 4, 4)), Up(8 * width, 4 * width),
                 Up(4 * width, 2 * width), Up(2 * width, width), nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, 3, 3, padding=1), nn.Tanh())


def discriminator(width: int = 64) -> nn.Module:
    """Images (N, 3, 32, 32) in [-1, 1], augmented, to scores (N,); spectral normalisation in each layer."""
    layers = nn.Sequential(
        nn.Conv2d(3, width, 3, padding=1), Down(width, 2 * width), Down(2 * width, 4 * width), Down(4 * width, 8 * width),
        Down(8 * width, 8 * width, 1), nn.ReLU(), nn.AvgPool2d(4, divisor_override=1), nn.Flatten(), nn.Linear(8 * width, 1), nn.Flatten(0))
    return nn.Sequential(Augment(), Fast(with_spectral_norm(layers)))


def ours(width: int = 64) -> Game:
    """Residual networks, hinge loss with spectral normalisation, two rates, averaged weights, augmented images.

    Twice the batch of the others, bfloat16; the rate falls to zero. Residual blocks: Miyato et al. 2018; two rates:
    Heusel et al. 2017; the average: Yazıcı et al. 2019.
    """
    return Game(Gan(Fast(layers_up(128, width)), discriminator(width), loss="hinge", **RATES), 256, True)


RECIPES = {"dcgan": dcgan, "sngan": sngan, "ours": ours}


# ------------------------------------------------------------------ training and judging


def stream(images: ImageSet, batch: int, seconds: float) -> Iterator[tuple[float, Tensor]]:
    """(share of the seconds gone, images (batch, C, H, W) in [0, 1]), epoch after epoch until they are over; at least one."""
    epoch, began, gone = 0, time.perf_counter(), 0.0
    while True:
        for x, _ in images.batches(batch, epoch=epoch):
            yield gone, x
            gone = (time.perf_counter() - began) / seconds
            if gone >= 1:
                return
        epoch += 1


def play(game: Game, images: ImageSet, seconds: float) -> dict:
    """Play for so many seconds, all counted; steps and images per second."""
    gan, began = game.gan.to(images.pixels.device), time.perf_counter()
    for gone, x in stream(images, game.batch, seconds):
        gan.total_steps = gan.steps / gone if game.falls and gone else None  # so the rate is (1 - gone) times the first
        gan.step(to_gan_range(x))
    return {"steps": gan.steps, "images/s": two_digits(gan.steps * game.batch / (time.perf_counter() - began))}


def draw(gan: Gan, images: int) -> Tensor:
    """So many images (N, 3, 32, 32) in [0, 1] on the CPU, from noise that is always the same."""
    return from_gan_range(gan.sample(images, torch.Generator().manual_seed(1))).clamp(0, 1).cpu()


def judge_of(device: torch.device, images: int, network: FeatureNetwork | None = None) -> Judge:
    """So many test images as reference and training images for the noise floor; features: EfficientNet-Lite0's."""
    real, other = (load("cifar10", split).subset(images).images() for split in ("test", "train"))
    return Judge(network or feature_network("efficientnet_lite0", device), real, other)


def said(judge: Judge, x: Tensor) -> dict:
    """The judge's scores of images, by name and rounded."""
    scores = judge(x)
    return {
        "Fréchet distance": two_digits(scores.frechet), "kernel distance": two_digits(scores.kernel),
        "precision": round(scores.precision, 2), "recall": round(scores.recall, 2),
    }


def real_fid(device: torch.device, x: Tensor) -> dict:
    """The Fréchet distance in Inception's features, if its weights and enough images are here; else nothing."""
    try:
        network = feature_network("inception", device)
    except FeatureError:
        return {}
    if len(x) <= network.numbers:
        return {}
    real = load("cifar10", "test").subset(len(x)).images()
    return {"FID against test images": two_digits(frechet_distance(network(real), network(x)))}


def trained(name: str, device: torch.device, *, seconds: float = SECONDS, images: int = IMAGES, width: int = 64,
            batch: int | None = None, network: FeatureNetwork | None = None) -> dict:
    """Train a recipe of RECIPES; steps, scores and "figure". Smaller numbers and another network are for a trial."""
    known("recipe", name, tuple(RECIPES))
    seed_everything(0)
    torch.backends.cudnn.benchmark = True  # all images have one size
    game = RECIPES[name](width)
    game = game._replace(batch=batch or game.batch)
    facts = play(game, load("cifar10").to(device), seconds)
    x, judge = draw(game.gan.eval(), images), judge_of(device, images, network)
    floor = judge.floor(images)
    show_images(x[:40], columns=20, size=0.5)
    return {"training seconds": seconds, "batch": game.batch} | facts | said(judge, x) | real_fid(device, x) | {
        "noise floor, Fréchet": two_digits(floor.frechet), "noise floor, kernel": two_digits(floor.kernel),
        "features": f"{judge.network.name}, {images} images", "figure": plt.gcf(),
    }
