"""Checks of notebook 00, Start here."""

import random

import numpy as np
import torch

from course_utils.exercises.core import Mistake, attempt, exercise, expect, expect_close

__all__ = ["add_noise", "share_of_zeros", "to_unit_range"]


@exercise("00.1", "From bytes to the unit range", difficulty=1, minutes=5)
def to_unit_range(answer: object) -> None:
    """pixels uint8 (N, H, W) -> float (N, 1, H, W) in [0, 1]."""
    for shape in [(1, 1, 1), (2, 28, 28), (3, 5, 7)]:
        pixels = torch.randint(0, 200, shape, dtype=torch.uint8)  # without a white pixel
        truth = pixels[:, None].float() / 255
        output = attempt(answer, pixels)
        if isinstance(output, torch.Tensor):
            expect(
                output.is_floating_point(),
                f"the result holds {output.dtype}; convert to float before dividing.",
            )
            expect(
                output.shape != shape,
                "the channel axis is missing: (N, H, W) must become (N, 1, H, W).",
            )
            expect(
                output.shape == truth.shape or output.shape != (1, *shape),
                "the channel axis stands first: (1, N, H, W). It belongs behind N.",
            )
        expect_close(
            output,
            truth,
            {
                "the values are still 0 to 255: divide by 255.": truth * 255,
                "divide by 255, not 256, else white is not 1.": truth * 255 / 256,
                "you divided by the largest value of the batch; then a dark picture becomes bright. Divide by 255.": truth
                * 255
                / max(int(pixels.max()), 1),
                "that is the range [-1, 1] of a GAN; the course keeps images in [0, 1].": truth * 2
                - 1,
            },
            what="the images",
            tolerance=1e-6,
        )


@exercise("00.2", "How many pixels are black?", difficulty=1, minutes=5)
def share_of_zeros(answer: object) -> None:
    """images (N, C, H, W) -> share of entries that are zero, (N,)."""
    for shape in [(3, 3, 5, 4), (4, 1, 28, 28), (1, 1, 1, 1)]:
        images = torch.rand(shape) * (torch.rand(shape) > 0.4)
        truth = (images == 0).float().mean(dim=(1, 2, 3))
        output = attempt(answer, images)
        if isinstance(output, (float, int)) or (
            isinstance(output, torch.Tensor) and output.ndim == 0
        ):
            raise Mistake("one number for the whole batch; each image has its own share.")
        if isinstance(output, torch.Tensor) and output.shape == shape[:2]:
            raise Mistake(
                "one number for each channel; each image has one share over all its channels."
            )
        expect_close(
            output,
            truth,
            {
                "that is the number of zeros; divide by the number of entries of an image.": truth
                * images[0].numel(),
                "that is the share of the entries that are not zero.": 1 - truth,
                "with three channels an image has 3·H·W entries; you divided by H·W.": truth
                * shape[1],
                "that is 0 to 100; a share lies between 0 and 1.": truth * 100,
            },
            what=f"the share for shape {shape}",
        )


@exercise("00.3", "The same noise twice", difficulty=2, minutes=10)
def add_noise(answer: object) -> None:
    """x, sigma, seed -> x + sigma * Gaussian noise drawn from a generator with that seed."""
    x, sigma = torch.rand(2, 1, 64, 64), 0.2
    before = random_states()
    first = attempt(answer, x, sigma, 1)
    touched = before != random_states()
    expect(
        isinstance(first, torch.Tensor),
        f"the result is a {type(first).__name__}; expected a torch tensor.",
    )
    expect(
        first.shape == x.shape,
        f"the result has shape {tuple(first.shape)}; expected {tuple(x.shape)}.",
    )
    expect(not first.isnan().any(), "the result holds NaN.")
    again, other = attempt(answer, x, sigma, 1), attempt(answer, x, sigma, 2)
    expect(
        torch.equal(first, again),
        "two calls with the same seed differ: pass generator=... to torch.randn.",
    )
    expect(
        not torch.equal(first, other),
        "seed 1 and seed 2 give the same noise: the seed is not used.",
    )
    expect(
        not touched,
        "your function changes a global random state (of torch, NumPy or Python), so every later cell "
        "draws other numbers: seed a torch.Generator() of your own.",
    )
    noise = first - x
    expect(first.min() < 0 or first.max() > 1, "nothing lies outside [0, 1]: do not clip here.")
    related = torch.corrcoef(torch.stack([noise.flatten(), x.flatten()]))[0, 1]
    expect(
        abs(related) < 0.1,
        "the noise depends on the image: add it to x (x + ...), and do not return it alone.",
    )
    expect(
        not torch.allclose(noise[0], noise[1], atol=1e-4),
        "both images get the same noise: draw it in the shape of x.",
    )
    expect(
        abs(noise.mean() / sigma - 1) > 0.1,
        "sigma is the factor of the noise, not a shift: x + sigma * noise.",
    )
    expect(
        abs(noise.mean()) < 0.3 * sigma,
        f"the noise has mean {noise.mean():.2f}, expected 0. (torch.rand is uniform from 0 to 1, torch.randn Gaussian.)",
    )
    expect(
        abs(noise.std() / sigma - 1) < 0.1,
        f"for sigma = {sigma} the noise has standard deviation "
        f"{noise.std():.2f}: multiply the Gaussian numbers by sigma itself.",
    )
    halved = (attempt(answer, x, sigma / 2, 1) - x).std()
    expect(
        abs(halved / sigma - 0.5) < 0.05,
        "half the sigma does not give half the noise: is sigma used?",
    )
    expect(
        noise.abs().max() > 2.5 * sigma,
        "no value lies far out: torch.randn is Gaussian, torch.rand is uniform.",
    )


def random_states() -> tuple:
    """The global states of torch, NumPy and Python."""
    return torch.get_rng_state().tolist(), np.random.get_state()[1].tolist(), random.getstate()
