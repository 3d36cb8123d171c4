"""Checks of notebook 00, Start here."""
import torch

from course_utils.exercises.core import Mistake, attempt, exercise, expect, expect_close

__all__ = ["add_noise", "share_of_zeros", "to_unit_range"]


@exercise("00.1", "From bytes to the unit range", difficulty=1, minutes=5)
def to_unit_range(answer: object) -> None:
    """pixels uint8 (N, H, W) -> float (N, 1, H, W) in [0, 1]."""
    for shape in [(1, 1, 1), (2, 28, 28), (3, 5, 7)]:
        pixels = torch.randint(0, 256, shape, dtype=torch.uint8)
        pixels[0, 0, 0] = 255
        truth = pixels[:, None].float() / 255
        output = attempt(answer, pixels)
        if isinstance(output, torch.Tensor):
            expect(output.is_floating_point(), f"the result holds {output.dtype}; convert to float before dividing.")
            expect(output.shape != shape, "the channel axis is missing: (N, H, W) must become (N, 1, H, W).")
            expect(output.shape == truth.shape or output.shape != (1, *shape),
                   "the channel axis stands first: (1, N, H, W). It belongs behind N.")
        expect_close(output, truth, {
            "the values are still 0 to 255: divide by 255.": truth * 255,
            "divide by 255, not 256, else white is not 1.": truth * 255 / 256,
            "that is the range [-1, 1] of a GAN; the course keeps images in [0, 1].": truth * 2 - 1,
        }, what="the images", tolerance=1e-6)


@exercise("00.2", "How many pixels are black?", difficulty=1, minutes=5)
def share_of_zeros(answer: object) -> None:
    """images (N, C, H, W) -> share of entries that are zero, (N,)."""
    for shape in [(1, 1, 1, 1), (4, 1, 28, 28), (3, 3, 5, 4)]:
        images = torch.rand(shape) * (torch.rand(shape) > 0.4)
        truth = (images == 0).float().mean(dim=(1, 2, 3))
        output = attempt(answer, images)
        if isinstance(output, (float, int)) or (isinstance(output, torch.Tensor) and output.ndim == 0):
            raise Mistake("one number for the whole batch; each image has its own share.")
        expect_close(output, truth, {
            "that is the number of zeros; divide by the number of entries of an image.": truth * images[0].numel(),
            "that is the share of the entries that are not zero.": 1 - truth,
            "with three channels an image has 3·H·W entries; you divided by H·W.": truth * shape[1],
            "that is 0 to 100; a share lies between 0 and 1.": truth * 100,
        }, what=f"the share for shape {shape}")


@exercise("00.3", "The same noise twice", difficulty=2, minutes=10)
def add_noise(answer: object) -> None:
    """x, sigma, seed -> x + sigma * Gaussian noise drawn from a generator with that seed."""
    x, sigma = torch.rand(2, 1, 64, 64), 0.1
    before = torch.get_rng_state()
    first = attempt(answer, x, sigma, 1)
    touched = not torch.equal(before, torch.get_rng_state())
    expect(isinstance(first, torch.Tensor), f"the result is a {type(first).__name__}; expected a torch tensor.")
    expect(first.shape == x.shape, f"the result has shape {tuple(first.shape)}; expected {tuple(x.shape)}.")
    expect(not first.isnan().any(), "the result holds NaN.")
    again, other = attempt(answer, x, sigma, 1), attempt(answer, x, sigma, 2)
    expect(torch.equal(first, again), "two calls with the same seed differ: pass generator=... to torch.randn.")
    expect(not torch.equal(first, other), "seed 1 and seed 2 give the same noise: the seed is not used.")
    expect(not touched, "your function changes torch's global random state, so every later cell draws other "
                        "numbers: seed a torch.Generator() of your own instead of torch.manual_seed.")
    noise = first - x
    expect(first.min() < 0 or first.max() > 1, "nothing lies outside [0, 1]: do not clip here.")
    expect(abs(noise.mean()) < 0.3 * sigma,
           f"the noise has mean {noise.mean():.3f}, expected 0: torch.rand is uniform, torch.randn is Gaussian.")
    expect(abs(noise.std() / sigma - 1) < 0.1,
           f"the noise has standard deviation {noise.std():.3f}, expected {sigma}: multiply by sigma, not by its "
           "square or root.")
    expect(noise.abs().max() > 2.5 * sigma, "no value lies far out: torch.randn is Gaussian, torch.rand is uniform.")
