"""The gallery of notebook 00: images drawn from random sparse codes."""
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm.auto import tqdm

from course_utils.autoencoders import ConvDecoder, ConvEncoder, Dense, SparseAutoencoder
from course_utils.data import ImageSet, load
from course_utils.display import png
from course_utils.files import PRETRAINED
from course_utils.metrics import psnr
from course_utils.sparse_coding import keep_largest
from course_utils.training import fit

__all__ = ["SparseCodeGenerator", "draw", "model", "train"]

CODE, K, COMPONENTS, EPOCHS, BATCH = 128, 32, 40, 8, 64


class Largest(Dense):
    """The K numbers of largest absolute value, of either sign (Makhzani and Frey 2013)."""

    def forward(self, a: Tensor) -> Tensor:
        return keep_largest(a, K)


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


def model() -> SparseCodeGenerator:
    """The generator before training."""
    return SparseCodeGenerator(CODE, K, COMPONENTS)


def train(checkpoint: Path, device: torch.device) -> tuple[SparseCodeGenerator, dict]:
    """TopK autoencoder, Gaussian mixture on its codes, adversarial sharpening of the decoder."""
    if device.type != "cpu":
        raise ValueError(f"device is {device}; the gallery's mixture is fitted on the CPU: leave --device away.")
    from sklearn.mixture import GaussianMixture  # here, so that loading weights stays quick

    images, test = load("fashion_mnist", "train"), load("fashion_mnist", "test")
    model = SparseAutoencoder(ConvEncoder(CODE), ConvDecoder(CODE), Largest(), CODE)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS * (len(images) // BATCH))
    fit(model, lambda epoch: images.batches(BATCH, epoch=epoch), lambda m, batch: F.mse_loss(m(batch[0]), batch[0]),
        optimizer, EPOCHS, schedule=schedule, checkpoint=checkpoint)

    model.eval()
    with torch.no_grad():
        codes = torch.cat([model.encode(part) for part in images.images().split(1000)])
    mixture = GaussianMixture(COMPONENTS, reg_covar=1e-3, max_iter=30, random_state=0).fit(codes.numpy())
    generator = SparseCodeGenerator(CODE, K, COMPONENTS)
    generator.decoder.load_state_dict(model.decoder.state_dict())
    generator.shares.copy_(torch.as_tensor(mixture.weights_))
    generator.means.copy_(torch.as_tensor(mixture.means_))
    generator.factors.copy_(torch.linalg.cholesky(torch.as_tensor(mixture.covariances_)))
    sharpen(generator, images, model)

    model.decoder = generator.decoder.eval()
    with torch.no_grad():
        quality = torch.cat([psnr(model(part), part) for part in test.images().split(1000)]).mean().item()
    alive = (codes != 0).any(dim=0).float().mean().item()
    return generator, {"test PSNR, dB": round(quality, 2), "share of code units in use": round(alive, 3)}


def sharpen(generator: SparseCodeGenerator, images: ImageSet, autoencoder: SparseAutoencoder) -> None:
    """Train the decoder against a discriminator, held to its reconstructions; keep the EMA."""
    discriminator = nn.Sequential(
        nn.Conv2d(1, 32, 4, 2, 1), nn.LeakyReLU(0.2),  # 28x28 -> 14x14
        nn.Conv2d(32, 64, 4, 2, 1), nn.BatchNorm2d(64), nn.LeakyReLU(0.2),  # 14x14 -> 7x7
        nn.Flatten(), nn.Linear(64 * 7 * 7, 1),
    )
    decoder = generator.decoder.train()
    optimizers = [torch.optim.Adam(m.parameters(), lr=5e-4, betas=(0.5, 0.99)) for m in (discriminator, decoder)]
    average = {name: value.clone() for name, value in decoder.state_dict().items()}
    for epoch in tqdm(range(EPOCHS), desc="sharpen", leave=False):
        for x, _ in images.batches(BATCH, seed=1, epoch=epoch):
            with torch.no_grad():
                real_codes = autoencoder.encode(x)
            fake = decoder(generator.codes(BATCH))
            loss = F.softplus(-discriminator(x)).mean() + F.softplus(discriminator(fake.detach())).mean()
            step(optimizers[0], loss)
            loss = F.softplus(-discriminator(fake)).mean() + 100 * F.mse_loss(decoder(real_codes), x)
            step(optimizers[1], loss)
            for name, value in decoder.state_dict().items():
                average[name] = average[name].lerp(value, 0.002) if value.is_floating_point() else value.clone()
    decoder.load_state_dict(average)


def step(optimizer: torch.optim.Optimizer, loss: torch.Tensor) -> None:
    """One step of gradient descent."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()


def draw(model: SparseCodeGenerator) -> None:
    """Store the 60 images that notebook 00 draws as data/pretrained/gallery.png, each pixel 3 x 3."""
    from torchvision.utils import make_grid

    with torch.no_grad():
        drawn = model(model.codes(60, torch.Generator().manual_seed(4)))
    (PRETRAINED / "gallery.png").write_bytes(png(make_grid(drawn, nrow=12, pad_value=1.0), zoom=3))


