"""Checks of notebook 00, Start here."""

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_utils.exercises.core import attempt, exercise, expect, expect_answer

__all__ = ["add_noise", "share_of_zeros", "to_unit_range"]


def scaled(pixels: Tensor, largest: float | Tensor = 255) -> Tensor:
    return pixels[:, None].float() / largest


def stretched(p: Tensor) -> Tensor:
    low, high = p.amin((1, 2), keepdim=True), p.amax((1, 2), keepdim=True)
    return ((p.float() - low) / (high - low).clamp_min(1))[:, None]


RANGE_MISTAKES = {
    "the values are still 0 to 255: divide by 255.": lambda p: scaled(p, 1),
    "divide by 255, not 256, else white is not 1.": lambda p: scaled(p, 256),
    "divide by 255, which is white, not by the largest value.": lambda p: scaled(p, p.max()),
    "you divided each image by its own largest value; white is always 255.": (
        lambda p: scaled(p, p.amax((1, 2), keepdim=True)[:, None].clamp_min(1))
    ),
    "you stretched each image from its own minimum to its maximum; divide by 255 only.": stretched,
    "you stretched the batch from its minimum to its maximum; divide by 255 only.": (
        lambda p: (scaled(p, 1) - p.min()) / (p.max() - p.min()).clamp_min(1)
    ),
    "some batches stay as they are: divide by 255 even if no value is above 1.": (
        lambda p: scaled(p, 255 if p.max() > 1 else 1)
    ),
    "integers are left: convert to float before dividing.": lambda p: p[:, None] // 255,
    "the values are rounded to 0 and 1; keep the fractions.": lambda p: scaled(p).round(),
    "the channel axis is missing: make (N, 1, H, W) of (N, H, W).": lambda p: p.float() / 255,
    "the channel axis stands first; it belongs behind N.": lambda p: p[None].float() / 255,
    "the channel axis stands last; it belongs behind N.": lambda p: p[..., None].float() / 255,
    "height and width are swapped: keep their order.": lambda p: scaled(p).mT,
    "you made three equal channels; one is asked.": lambda p: scaled(p).expand(-1, 3, -1, -1),
    "you divided by 255 twice.": lambda p: scaled(p) / 255,
    "black and white are swapped: 0 stays 0, and 255 becomes 1.": lambda p: 1 - scaled(p),
    "that is the range [-1, 1]; images of the course are in [0, 1].": lambda p: 2 * scaled(p) - 1,
}


@exercise("00.1", "From bytes to the unit range", difficulty=1, minutes=5, mistakes=RANGE_MISTAKES)
def to_unit_range(answer: Any) -> None:
    """pixels uint8 (N, H, W) -> float (N, 1, H, W) in [0, 1]."""
    for shape, values in [
        ((2, 28, 28), (0, 200)),  # without a white pixel
        ((3, 5, 7), (3, 256)),
        ((2, 4, 6), (0, 2)),  # only the bytes 0 and 1
        ((1, 1, 1), (40, 41)),
        ((1, 6, 5), (0, 256)),
    ]:
        pixels = torch.randint(*values, shape, dtype=torch.uint8)
        expect_answer(answer, scaled, pixels, tolerance=1e-6)


def share(images: Tensor, zero: Callable = torch.logical_not) -> Tensor:
    """Share of the entries that `zero` holds for."""
    return zero(images).float().mean(dim=(1, 2, 3))


def small(largest: float) -> Callable:
    return lambda x: share(x, lambda v: v.abs() <= largest)


NEAR = [1e-9, 1e-7, 1e-4, 3e-3, 8e-3, 0.03, 0.08]  # small, not zero
SHARE_MISTAKES = {
    "one number for the whole batch; each image has its own share.": lambda x: share(x).mean(),
    "all images get the share of the batch; each has its own: mean over dim=(1, 2, 3).": (
        lambda x: share(x).mean().expand(len(x))
    ),
    "take the mean over the channels too.": lambda x: (x == 0).float().mean(dim=(2, 3)),
    "that is a count; divide by the entries of an image.": lambda x: share(x) * x[0].numel(),
    "that is the share of the entries that are not zero.": lambda x: 1 - share(x),
    "an image has C·H·W entries; you divided by H·W.": lambda x: share(x) * x.shape[1],
    "you divided by the entries of the whole batch; divide by C·H·W.": lambda x: share(x) / len(x),
    "that is 0 to 100; a share lies between 0 and 1.": lambda x: 100 * share(x),
    "only the first channel is read: count the zeros of all channels.": lambda x: share(x[:, :1]),
    "only the last channel is read: count the zeros of all channels.": lambda x: share(x[:, -1:]),
    "you counted pixels that are zero in all channels; count entries, each channel for itself.": (
        lambda x: share(x.abs().sum(dim=1, keepdim=True))
    ),
    "you counted pixels that are zero in some channel; count entries, each channel for itself.": (
        lambda x: share(x.abs().amin(dim=1, keepdim=True))
    ),
    "you divided by 784; the size of an image is x[0].numel().": (
        lambda x: share(x) * x[0].numel() / 784
    ),
    "that is the share over the batch; take the mean over dim=(1, 2, 3).": (
        lambda x: (x == 0).float().mean(dim=0)
    ),
    "that is the ratio of zeros to the other entries; divide by all entries.": (
        lambda x: share(x) / (1 - share(x))
    ),
    "you averaged the values; average where they are zero.": lambda x: x.mean(dim=(1, 2, 3)),
    "the result has shape (N, 1, 1, 1); leave keepdim out.": lambda x: share(x)[
        :, None, None, None
    ],
    **{f"an entry of {v:g} counts as zero: compare with == 0.": small(1.01 * v) for v in NEAR},
}


@exercise("00.2", "How many pixels are black?", difficulty=1, minutes=5, mistakes=SHARE_MISTAKES)
def share_of_zeros(answer: Any) -> None:
    """images (N, C, H, W) -> share of entries that are zero, (N,)."""
    for shape in [(3, 3, 5, 4), (4, 1, 28, 28), (1, 1, 1, 1), (1, 2, 3, 5)]:
        images = (0.1 + 0.9 * torch.rand(shape)) * (torch.rand(shape) > 0.4)
        if len(images) > 1:
            images[0].view(-1)[: len(NEAR)] = torch.tensor(NEAR)
        expect_answer(answer, share, images, tolerance=1e-6)


@exercise("00.3", "The same noise twice", difficulty=2, minutes=10)
def add_noise(answer: Any) -> None:
    """x, sigma, seed -> x + sigma * Gaussian noise drawn from a generator with that seed."""
    x, sigma = torch.rand(2, 3, 48, 40), 0.2
    before = random_states()
    first = attempt(answer, x, sigma, 1)
    touched = before != random_states()
    usable = isinstance(first, Tensor) and first.shape == x.shape and not first.isnan().any()
    expect(usable, "return a tensor of the shape of x, without NaN.")
    text = "the noise is rounded to few digits: compute in the dtype of x."
    expect(first.dtype in (torch.float32, torch.float64), text)
    again, other = attempt(answer, x, sigma, 1), attempt(answer, x, sigma, 2)
    text = "two calls with the same seed differ: pass generator=... to torch.randn."
    expect(torch.equal(first, again), text)
    expect(not torch.equal(first, other), "seeds 1 and 2 give the same noise: use the seed.")
    text = "your function changes a global random state: seed a torch.Generator() of your own."
    expect(not touched, text)
    expect(first.min() < 0 or first.max() > 1, "nothing lies outside [0, 1]: do not clip here.")
    expect_noise((first - x) / sigma, x)
    halved = (attempt(answer, x, sigma / 2, 1) - x).std() / sigma
    expect(abs(halved - 0.5) < 0.05, "half the sigma does not give half the noise: use sigma.")
    quiet = attempt(answer, x[:1, :1], 0.0, 1)
    text = "sigma = 0 must give x itself, in the shape of x also for one grey image."
    expect(
        quiet.shape == x[:1, :1].shape and torch.allclose(quiet.double(), x[:1, :1].double()), text
    )


def expect_noise(noise: Tensor, x: Tensor) -> None:
    """Fail unless the noise is Gaussian of mean 0 and deviation 1, new for each entry of x."""
    flat = torch.stack([noise.flatten(), x.flatten().to(noise.dtype)])
    related = torch.corrcoef(flat)[0, 1]
    expect(not noise.isinf().any() and noise.any(), "there is no noise: add sigma * torch.randn.")
    expect(
        related > -0.5, "x is missing in the result, or has another factor: return x plus noise."
    )
    expect(abs(related) < 0.1, "the noise depends on the image: return x plus noise.")
    for axis, parts in enumerate(["images", "channels", "rows", "columns"]):
        first, second = noise.select(axis, 0), noise.select(axis, 1)
        text = f"all {parts} get the same noise: draw it in the shape of x."
        expect(not torch.allclose(first, second, atol=1e-3), text)
    mean, deviation = noise.mean(), noise.std()
    expect(abs(mean - 1) > 0.1, "sigma multiplies the noise: x + sigma * noise.")
    expect(abs(mean) < 0.1, "the mean of the noise is not 0: use torch.randn, not torch.rand.")
    text = "sigma is squared: it is a standard deviation, not a variance."
    expect(abs(deviation / 0.2 - 1) > 0.05, text)
    text = "you multiply by the root of sigma: it is a standard deviation, not a variance."
    expect(abs(deviation * 0.2**0.5 - 1) > 0.05, text)
    expect(abs(deviation / 5 - 1) > 0.05, "sigma is ignored: multiply the noise by it.")
    text = "the standard deviation of the noise is not sigma: multiply torch.randn by sigma itself."
    expect(abs(deviation - 1) < 0.05, text)
    text = "no value lies far out: torch.randn is Gaussian, torch.rand is uniform."
    expect(noise.abs().max() > 2.5, text)
    text = "the noise is not Gaussian: use torch.randn."
    expect(abs((noise.double() ** 4).mean() - 3) < 0.5, text)


def random_states() -> tuple:
    """The global states of torch, NumPy and Python."""
    state = np.random.get_state(legacy=False)["state"]
    return torch.get_rng_state().tolist(), state["key"].tolist(), state["pos"], random.getstate()
