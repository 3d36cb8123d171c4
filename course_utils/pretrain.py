"""The shipped weights: how each file of data/pretrained was made, and how to load it.

    python -m course_utils.pretrain gallery

trains again (about 3 minutes on 2 CPU cores), writes data/pretrained/gallery.safetensors,
its entry in data/pretrained/manifest.json (command, seed, data, device, metric, SHA-256)
and the README's picture. The first half goes on where an interrupted call stopped.
"""
import argparse
import datetime
import json
import time

import torch
from torch import nn
from torch.nn import functional as F
from tqdm.auto import tqdm

from course_utils import checkpoints
from course_utils.autoencoders import SparseAutoencoder, SparseCodeGenerator
from course_utils.data import ImageSet, load
from course_utils.display import png
from course_utils.files import ROOT, sha256, write_text
from course_utils.metrics import psnr
from course_utils.session import seed_everything
from course_utils.training import fit

__all__ = ["RECIPES", "load_gallery", "pretrain"]

FOLDER = ROOT / "data" / "pretrained"
CODE, K, COMPONENTS, EPOCHS, BATCH = 128, 32, 40, 8, 64


def load_gallery() -> SparseCodeGenerator:
    """The generator of notebook 00's gallery, in evaluation mode.

    Raises CheckpointError when the file is missing, damaged or of another model.
    """
    mend = "git checkout -- data/pretrained"
    file = FOLDER / "gallery.safetensors"
    model = SparseCodeGenerator(CODE, K, COMPONENTS)
    try:
        model.load_state_dict(checkpoints.load_weights(file, mend))
    except RuntimeError as error:
        if isinstance(error, checkpoints.CheckpointError):
            raise
        raise checkpoints.CheckpointError(f"{file} belongs to another model. Run: {mend}") from error
    return model.eval()


def train_gallery() -> tuple[nn.Module, dict]:
    """TopK autoencoder, Gaussian mixture on its codes, adversarial sharpening of the decoder."""
    from sklearn.mixture import GaussianMixture  # here, so that loading weights stays quick

    train, test = load("fashion_mnist", "train"), load("fashion_mnist", "test")
    model = SparseAutoencoder(CODE, K)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS * (len(train) // BATCH))
    checkpoint = FOLDER / "gallery.state"
    fit(model, lambda epoch: train.batches(BATCH, epoch=epoch), lambda m, batch: F.mse_loss(m(batch[0]), batch[0]),
        optimizer, EPOCHS, schedule=schedule, checkpoint=checkpoint)

    model.eval()
    with torch.no_grad():
        codes = torch.cat([model.encode(part) for part in train.images().split(1000)])
    mixture = GaussianMixture(COMPONENTS, reg_covar=1e-3, max_iter=30, random_state=0).fit(codes.numpy())
    generator = SparseCodeGenerator(CODE, K, COMPONENTS)
    generator.decoder.load_state_dict(model.decoder.state_dict())
    generator.shares.copy_(torch.as_tensor(mixture.weights_))
    generator.means.copy_(torch.as_tensor(mixture.means_))
    generator.factors.copy_(torch.linalg.cholesky(torch.as_tensor(mixture.covariances_)))
    sharpen(generator, train, model)

    model.decoder = generator.decoder.eval()
    with torch.no_grad():
        quality = torch.cat([psnr(model(part), part) for part in test.images().split(1000)]).mean().item()
    checkpoint.unlink()
    alive = (codes != 0).any(dim=0).float().mean().item()
    return generator, {"test PSNR, dB": round(quality, 2), "share of code units in use": round(alive, 3)}


def sharpen(generator: SparseCodeGenerator, train: ImageSet, autoencoder: SparseAutoencoder) -> None:
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
        for x, _ in train.batches(BATCH, seed=1, epoch=epoch):
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


def draw_gallery() -> None:
    """Store the 60 images that notebook 00 draws as data/pretrained/gallery.png, each pixel 3 x 3."""
    from torchvision.utils import make_grid

    model = load_gallery()
    with torch.no_grad():
        drawn = model(model.codes(60, torch.Generator().manual_seed(4)))
    (FOLDER / "gallery.png").write_bytes(png(make_grid(drawn, nrow=12, pad_value=1.0), zoom=3))


RECIPES = {"gallery": train_gallery}


def pretrain(name: str, seed: int = 0) -> dict:
    """Train, write weights (half precision) and manifest; return the manifest entry."""
    seed_everything(seed)
    FOLDER.mkdir(parents=True, exist_ok=True)
    begin = time.perf_counter()
    model, metrics = RECIPES[name]()
    seconds = round(time.perf_counter() - begin)
    file = FOLDER / f"{name}.safetensors"
    halves = {key: value.half() if value.is_floating_point() else value for key, value in model.state_dict().items()}
    checkpoints.save_weights(halves, file)
    entry = {
        "file": file.name, "command": f"python -m course_utils.pretrain {name}", "seed": seed,
        "data": "fashion_mnist (data/fashion_mnist_part.npz, train)", "device": "cpu",
        "torch": torch.__version__, "date": datetime.date.today().isoformat(), "seconds": seconds,
        "metrics": metrics, "sha256": sha256(file),
    }
    manifest = FOLDER / "manifest.json"
    entries = json.loads(manifest.read_text(encoding="utf-8")) if manifest.is_file() else {}
    write_text(manifest, json.dumps(entries | {name: entry}, indent=1) + "\n")
    draw_gallery()
    return entry


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=RECIPES)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    print(json.dumps(pretrain(arguments.name, arguments.seed), indent=1))
