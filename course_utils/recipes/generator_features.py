"""The features of notebook 14: a sparse autoencoder that reads the generator of "fashion_gan"."""
from pathlib import Path

import torch
from torch import Tensor, nn

from course_utils.activations import from_positions, record, replaced, to_positions
from course_utils.autoencoders import Atoms, SparseAutoencoder, TopK, share_alive, sparse_loss
from course_utils.gans import from_gan_range
from course_utils.training import fit

__all__ = ["model", "train"]

CHANNELS, UNITS, K = 96, 512, 8
LAYER = 3  # of the generator: 96 maps of 7 x 7, behind the first ReLU
EPOCHS, IMAGES, BATCH, RATE, REVIVE = 30, 1000, 1024, 3e-3, 1 / 32


def model() -> SparseAutoencoder:
    """The autoencoder before training, for vectors (N, 96): encoder and decoder start as transposes of each other."""
    decoder = Atoms(UNITS, CHANNELS)
    encoder = nn.Linear(CHANNELS, UNITS)
    with torch.no_grad():
        encoder.weight.copy_(decoder.D.T)
        encoder.bias.zero_()
    return SparseAutoencoder(encoder, decoder, TopK(K), UNITS)


def train(checkpoint: Path, device: torch.device) -> tuple[SparseAutoencoder, dict]:
    """Squared error on the vectors at all places of fresh images in each epoch, and revival of dead units."""
    from course_utils.features import fashion_judge  # here: features load weights by `pretrained`, as recipes do
    from course_utils.pretrain import pretrained

    generator = pretrained("fashion_gan").to(device)

    def vectors(images: int, seed: int) -> Tensor:
        z = torch.randn(images, generator.noise, generator=torch.Generator().manual_seed(seed))
        return to_positions(record(generator, generator[LAYER], z.to(device)))

    def batches(epoch: int) -> tuple[Tensor, ...]:
        x = vectors(IMAGES, seed=epoch + 1)
        return x[torch.randperm(len(x), generator=torch.Generator().manual_seed(epoch)).to(device)].split(BATCH)[:-1]

    reader = model().to(device)
    optimizer = torch.optim.Adam(reader.parameters(), lr=RATE)
    steps = EPOCHS * (IMAGES * 49 // BATCH)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / 50) * max(0.0, 1 - step / steps))
    fit(reader, batches, lambda network, x: sparse_loss(network, x, REVIVE), optimizer, EPOCHS,
        schedule=schedule, checkpoint=checkpoint)

    reader.eval()
    judge, z = fashion_judge(), torch.randn(5000, generator.noise, generator=torch.Generator().manual_seed(0)).to(device)
    with torch.no_grad():
        x = vectors(2000, seed=0)
        code = reader.encode(x)
        explained = 1 - (reader.decoder(code) - x).square().sum() / (x - x.mean(dim=0)).square().sum()
        with replaced(generator, generator[LAYER], lambda maps: from_positions(reader(to_positions(maps)), 7, 7)):
            spliced = from_gan_range(torch.cat([generator(part) for part in z.split(500)]))
        frechet = judge(spliced.cpu()).frechet
    return reader.cpu(), {
        "variance explained": round(explained.item(), 3), "share of units in use": round(share_alive(code), 3),
        "Fréchet distance of the spliced generator, fashion_classifier, 5000 against 5000": round(frechet, 1),
    }
