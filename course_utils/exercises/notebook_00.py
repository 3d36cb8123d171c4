"""Checks of notebook 00, Start here."""

import random
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_utils.exercises.core import attempt, exercise, expect, expect_answer

__all__ = ["add_noise", "share_of_zeros", "to_unit_range"]


def scaled(pixels: Tensor, largest: float = 255) -> Tensor:
    return pixels[:, None].float() / largest


RANGE_MISTAKES = {
    "the values are still 0 to 255: divide by 255.": lambda p: scaled(p, 1),
    "divide by 255, not 256, else white is not 1.": lambda p: scaled(p, 256),
    "divide by 255, which is white, not by the largest value.": lambda p: scaled(p, p.max()),
    "whole numbers are left: convert to float before dividing.": lambda p: p[:, None] // 255,
    "the channel axis is missing: make (N, 1, H, W) of (N, H, W).": lambda p: p.float() / 255,
    "the channel axis stands first; it belongs behind N.": lambda p: p[None].float() / 255,
    "that is the range [-1, 1]; images of the course are in [0, 1].": lambda p: 2 * scaled(p) - 1,
}


@exercise("00.1", "From bytes to the unit range", difficulty=1, minutes=5, mistakes=RANGE_MISTAKES)
def to_unit_range(answer: Any) -> None:
    """pixels uint8 (N, H, W) -> float (N, 1, H, W) in [0, 1]."""
    for shape in [(1, 1, 1), (2, 28, 28), (3, 5, 7)]:
        pixels = torch.randint(0, 200, shape, dtype=torch.uint8)  # without a white pixel
        expect_answer(answer, scaled, pixels, tolerance=1e-6)


def share(images: Tensor) -> Tensor:
    return (images == 0).float().mean(dim=(1, 2, 3))


SHARE_MISTAKES = {
    "one number for the whole batch; each image has its own share.": lambda x: share(x).mean(),
    "take the mean over the channels too.": lambda x: (x == 0).float().mean(dim=(2, 3)),
    "that is a count; divide by the entries of an image.": lambda x: share(x) * x[0].numel(),
    "that is the share of the entries that are not zero.": lambda x: 1 - share(x),
    "an image has C·H·W entries; you divided by H·W.": lambda x: share(x) * x.shape[1],
    "that is 0 to 100; a share lies between 0 and 1.": lambda x: 100 * share(x),
}


@exercise("00.2", "How many pixels are black?", difficulty=1, minutes=5, mistakes=SHARE_MISTAKES)
def share_of_zeros(answer: Any) -> None:
    """images (N, C, H, W) -> share of entries that are zero, (N,)."""
    for shape in [(3, 3, 5, 4), (4, 1, 28, 28), (1, 1, 1, 1)]:
        images = torch.rand(shape) * (torch.rand(shape) > 0.4)
        expect_answer(answer, share, images)


@exercise("00.3", "The same noise twice", difficulty=2, minutes=10)
def add_noise(answer: Any) -> None:
    """x, sigma, seed -> x + sigma * Gaussian noise drawn from a generator with that seed."""
    x, sigma = torch.rand(2, 1, 64, 64), 0.2
    before = random_states()
    first = attempt(answer, x, sigma, 1)
    touched = before != random_states()
    usable = isinstance(first, Tensor) and first.shape == x.shape and not first.isnan().any()
    expect(usable, "return a tensor of the shape of x, without NaN.")
    again, other = attempt(answer, x, sigma, 1), attempt(answer, x, sigma, 2)
    text = "two calls with the same seed differ: pass generator=... to torch.randn."
    expect(torch.equal(first, again), text)
    expect(not torch.equal(first, other), "seeds 1 and 2 give the same noise: use the seed.")
    text = "your function changes a global random state: seed a torch.Generator() of your own."
    expect(not touched, text)
    expect(first.min() < 0 or first.max() > 1, "nothing lies outside [0, 1]: do not clip here.")
    noise = first - x
    mean, deviation = noise.mean() / sigma, noise.std() / sigma
    related = torch.corrcoef(torch.stack([noise.flatten(), x.flatten()]))[0, 1]
    expect(abs(related) < 0.1, "the noise depends on the image: return x plus noise.")
    text = "both images get the same noise: draw it in the shape of x."
    expect(not torch.allclose(noise[0], noise[1], atol=1e-4), text)
    expect(abs(mean - 1) > 0.1, "sigma multiplies the noise: x + sigma * noise.")
    expect(abs(mean) < 0.3, "the mean of the noise is not 0: use torch.randn, not torch.rand.")
    text = "the standard deviation of the noise is not sigma: multiply torch.randn by sigma itself."
    expect(abs(deviation - 1) < 0.1, text)
    halved = (attempt(answer, x, sigma / 2, 1) - x).std() / sigma
    expect(abs(halved - 0.5) < 0.05, "half the sigma does not give half the noise: use sigma.")
    text = "no value lies far out: torch.randn is Gaussian, torch.rand is uniform."
    expect(noise.abs().max() > 2.5 * sigma, text)


def random_states() -> tuple:
    """The global states of torch, NumPy and Python."""
    state = np.random.get_state(legacy=False)["state"]
    return torch.get_rng_state().tolist(), state["key"].tolist(), state["pos"], random.getstate()
