"""Shrinkage and noise levels, right and wrong: what the checks of notebook 01 compare with."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from course_utils.sparse_coding import hard_threshold, soft_threshold
from course_utils.wavelets import subbands, wavelet2

__all__ = [
    "GARROTE_MISTAKES",
    "RISK_MISTAKES",
    "SIGMA_MISTAKES",
    "deviation",
    "garrote",
    "stein",
]


def garrote(z: Tensor, t: float) -> Tensor:
    """Return z - t²/z where |z| > t, else 0."""
    return torch.where(z.abs() > t, z - t**2 / z, 0)


def padded(added: float, z: Tensor, t: float) -> Tensor:
    return (z - t**2 / (z + added)).where(z.abs() > t, 0)


GARROTE_MISTAKES: dict[str, Callable] = {
    "that is the soft threshold; subtract t²/z, not t.": soft_threshold,
    "that is the hard threshold: large coefficients must shrink a little too.": hard_threshold,
    "t is not squared: z - t²/z.": lambda z, t: (z - t / z).where(z.abs() > t, 0),
    "negative coefficients are lost: compare |z|.": lambda z, t: garrote(z, t).where(z > t, 0),
    "subtract t²/z, not t²/|z|.": lambda z, t: (z - t**2 / z.abs()).where(z.abs() > t, 0),
    "subtract t²/z; you added it.": lambda z, t: (z + t**2 / z).where(z.abs() > t, 0),
    "small coefficients must become 0.": lambda z, t: garrote(z, t).where(z.abs() > t, z),
    "small coefficients must become 0; the formula holds for |z| > t only.": (
        lambda z, t: (z - t**2 / z).where(z != 0, 0)
    ),
    "at z = 0 the result is not a number: inf times 0. Use torch.where.": (
        lambda z, t: (z - t**2 / z) * (z.abs() > t)
    ),
    "z - t²/z, not (z - t²)/z: mind the brackets.": (
        lambda z, t: ((z - t**2) / z).where(z.abs() > t, 0)
    ),
    "only the kept coefficients are returned; the others are 0.": (
        lambda z, t: garrote(z, t)[z.abs() > t]
    ),
    "negative coefficients lose their sign.": lambda z, t: garrote(z, t).abs(),
    "the sign of the result is wrong.": lambda z, t: -garrote(z, t),
    "compare |z| with t, not with t².": lambda z, t: (z - t**2 / z).where(z.abs() > t**2, 0),
    "subtract t²/z, not t²/z².": lambda z, t: (z - t**2 / z**2).where(z.abs() > t, 0),
    "t is ignored.": lambda z, t: garrote(z, 1.0),
    "the shrunk part t²/z is returned, not what is left of z.": (
        lambda z, t: (t**2 / z).where(z.abs() > t, 0)
    ),
    **{
        f"{e:g} is added to z before dividing; use torch.where against 0/0.": partial(padded, e)
        for e in (1e-2, 1e-3, 1e-4)
    },
}


def quarter(noisy: Tensor, levels: int = 1, band: int = -1, wavelet: str = "db4") -> Tensor:
    return subbands(wavelet2(noisy, wavelet, levels), levels)[band]


def diagonal(noisy: Tensor, **chosen) -> Tensor:
    return quarter(noisy, **chosen).flatten(1)


def coarse(levels: int) -> Callable:
    """Estimate from the coarsest diagonal band of so many levels."""
    return lambda y: mad(
        min(subbands(wavelet2(y, "db4", levels), levels)[2::3], key=Tensor.numel).flatten(1)
    )


def mad(band: Tensor) -> Tensor:
    return band.abs().median(dim=1).values / 0.6745


def deviation(noisy: Tensor) -> Tensor:
    """Of the noise, from the finest diagonal band: (N, 1, H, W) -> (N,)."""
    return mad(diagonal(noisy))


SIGMA_MISTAKES = {
    "divide the median by 0.6745.": lambda y: 0.6745 * deviation(y),
    "take the median, not the standard deviation.": lambda y: diagonal(y).std(dim=1),
    "take |value| before the median.": lambda y: diagonal(y).median(dim=1).values / 0.6745,
    "that is a coarser level; take the finest, levels=1.": coarse(4),
    "take the diagonal details, the last quarter.": lambda y: mad(diagonal(y, band=0)),
    "each image has its own sigma.": lambda y: diagonal(y).abs().median() / 0.6745,
    "all images get the sigma of the batch; each has its own: median over dim=1.": (
        lambda y: (diagonal(y).abs().median() / 0.6745).expand(len(y))
    ),
    "you multiplied by 0.6745; divide the median by it.": lambda y: 0.6745**2 * deviation(y),
    "the second detail band is not the diagonal one: take the last.": (
        lambda y: mad(diagonal(y, band=1))
    ),
    "take the median, not the mean.": lambda y: diagonal(y).abs().mean(dim=1) / 0.6745,
    "take the median, not the standard deviation; 0.6745 belongs to the median.": (
        lambda y: diagonal(y).std(dim=1) / 0.6745
    ),
    "use the wavelet db4, not haar.": lambda y: mad(diagonal(y, wavelet="haar")),
    "you used all three detail bands; take the diagonal one.": (
        lambda y: mad(torch.cat([diagonal(y, band=b) for b in range(-3, 0)], 1))
    ),
    "that is the coarsest diagonal band of two levels; take the finest.": coarse(2),
    "that is the coarsest diagonal band of three levels; take the finest.": coarse(3),
    "take the median of all entries at once, not of the medians of the rows.": (
        lambda y: quarter(y).abs().median(-1).values.median(-1).values / 0.6745
    ),
    "take the median of all entries at once, not of the medians of the columns.": (
        lambda y: quarter(y).abs().median(-2).values.median(-1).values / 0.6745
    ),
    "the whole batch gives one number; each image has its own sigma.": (
        lambda y: (diagonal(y).abs().median() / 0.6745).view(1)
    ),
    "(N, 1) is not (N,): leave keepdim out.": lambda y: deviation(y)[:, None],
    "that is the square of the deviation: take magnitudes or the root.": (
        lambda y: diagonal(y).square().median(dim=1).values / 0.6745
    ),
    "that is a variance: take the root.": lambda y: deviation(y).square(),
    "only the first image is estimated; each has its own sigma.": lambda y: deviation(y[:1]),
    "you measured the pixels; measure the finest diagonal band.": lambda y: mad(y.flatten(1)),
    "you measured the coefficients of all bands; take the finest diagonal one.": (
        lambda y: mad(wavelet2(y, "db4", 1).flatten(1))
    ),
    "the coarse copy holds the image: take the diagonal details.": (
        lambda y: mad(wavelet2(y, "db4", 1)[..., : y.shape[2] // 2, : y.shape[3] // 2].flatten(1))
    ),
    "take the magnitude of the entries, not of their median.": (
        lambda y: diagonal(y).median(dim=1).values.abs() / 0.6745
    ),
}


def stein(z, t, sigma, zeroed=None, taken=None) -> Tensor:
    """Stein's risk; `zeroed` and `taken` replace what the second and the third term add up."""
    zeroed = z.abs() <= t if zeroed is None else zeroed
    taken = z.abs().clamp_max(t).square() if taken is None else taken
    return len(z) * sigma**2 - 2 * sigma**2 * zeroed.sum() + taken.sum()


RISK_MISTAKES = {
    "count |z| <= t; you counted the others.": lambda z, t, s: stein(z, t, s, zeroed=z.abs() > t),
    "the count has the factor 2σ².": lambda z, t, s: stein(z, t, s, zeroed=(z.abs() <= t) / 2),
    "count |z| <= t, not z <= t.": lambda z, t, s: stein(z, t, s, zeroed=z <= t),
    "σ is not squared somewhere.": lambda z, t, s: stein(z, t, s**0.5),
    "the first term nσ² is missing.": lambda z, t, s: stein(z, t, s) - len(z) * s**2,
    "the last term is Σ min(|z|, t)², what is taken; you summed what is left.": (
        lambda z, t, s: stein(z, t, s, taken=soft_threshold(z, t).square())
    ),
    "return the sum, not the mean.": lambda z, t, s: stein(z, t, s) / len(z),
    "count |z| <= t; you counted |z| < t.": lambda z, t, s: stein(z, t, s, zeroed=z.abs() < t),
    "the last term needs |z|: min(|z|, t)², not min(z, t)².": (
        lambda z, t, s: stein(z, t, s, taken=z.clamp_max(t).square())
    ),
    "t is squared too in the last term: min(|z|, t)², not min(z², t).": (
        lambda z, t, s: stein(z, t, s, taken=z.square().clamp_max(t))
    ),
    "the last term is squared: min(|z|, t)².": (
        lambda z, t, s: stein(z, t, s, taken=z.abs().clamp_max(t))
    ),
    "the last term takes the minimum, not the maximum.": (
        lambda z, t, s: stein(z, t, s, taken=z.abs().clamp_min(t).square())
    ),
    "the large coefficients are missing in the last term: each adds t².": (
        lambda z, t, s: stein(z, t, s, taken=z.where(z.abs() <= t, 0).square())
    ),
    "the small coefficients are missing in the last term: each adds z².": (
        lambda z, t, s: stein(z, t, s, taken=(z.abs() > t) * t**2)
    ),
    "the last term is cut by t; you added all of z².": (
        lambda z, t, s: stein(z, t, s, taken=z.square())
    ),
    "the last term is missing.": lambda z, t, s: stein(z, t, s, taken=0 * z),
    "the last term is subtracted; add it.": (
        lambda z, t, s: stein(z, t, s, taken=-z.abs().clamp_max(t).square())
    ),
    "the middle term is added; subtract it.": (
        lambda z, t, s: stein(z, t, s, zeroed=-(z.abs() <= t).float())
    ),
    "the middle term is missing.": lambda z, t, s: stein(z, t, s, zeroed=0 * z),
    "the first term is nσ²; n is missing.": lambda z, t, s: stein(z, t, s) - (len(z) - 1) * s**2,
    "σ is ignored.": lambda z, t, s: stein(z, t, 1.0),
    "σ is not squared in the first term.": lambda z, t, s: stein(z, t, s) + len(z) * (s - s**2),
    "σ is not squared in the middle term.": (
        lambda z, t, s: stein(z, t, s, zeroed=(z.abs() <= t) / s)
    ),
    "σ² is missing in the middle term.": (
        lambda z, t, s: stein(z, t, s, zeroed=(z.abs() <= t) / s**2)
    ),
    "the middle term counts; you added the squares of the small coefficients.": (
        lambda z, t, s: stein(z, t, s, zeroed=z.where(z.abs() <= t, 0).square())
    ),
    "the sum is missing: one number, not one for each coefficient.": (
        lambda z, t, s: s**2 - 2 * s**2 * (z.abs() <= t) + z.abs().clamp_max(t).square()
    ),
    "the sums are missing: add up the middle and the last term.": (
        lambda z, t, s: len(z) * s**2 - 2 * s**2 * (z.abs() <= t) + z.abs().clamp_max(t).square()
    ),
    "the last term is not summed: one number is asked.": (
        lambda z, t, s: stein(z, t, s, taken=0 * z) + z.abs().clamp_max(t).square()
    ),
    "the count divided by n is a share; count.": (
        lambda z, t, s: stein(z, t, s, zeroed=(z.abs() <= t) / len(z))
    ),
    "the last term is a sum, not a mean.": (
        lambda z, t, s: stein(z, t, s, taken=z.abs().clamp_max(t).square() / len(z))
    ),
}
