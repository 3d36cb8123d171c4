"""Orthonormal transforms of images and denoising by thresholds.

Each transform is a matrix with orthonormal rows, applied to columns and rows of an
image: coefficients = W x Wᵀ, x = Wᵀ coefficients W. That is slower than a filter bank
(n³ against n² operations) and, up to 512x512, fast enough. Coefficients of images in half precision
are float32. Built in notebook 01.
"""

import math
from collections.abc import Callable

import pywt
import torch
from torch import Tensor

from course_utils.arguments import (
    FLOATS,
    check_alike,
    check_floats,
    check_images,
    check_int,
    check_tensor,
    per_image,
    single,
)
from course_utils.sparse_coding import soft_threshold

__all__ = [
    "bayes_shrink",
    "blocks_to_image",
    "cycle_spin",
    "dct2",
    "dct_matrix",
    "idct2",
    "image_to_blocks",
    "inverse_wavelet2",
    "noise_level",
    "subbands",
    "wavelet2",
    "wavelet_matrix",
]


def dct_matrix(n: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """The orthonormal DCT-II as a matrix (n, n); row u is the cosine of frequency u.

    C[u, i] = sqrt(2/n) cos(pi (2i + 1) u / (2n)), the first row divided by sqrt(2)
    (Ahmed, Natarajan and Rao 1974). Built in notebook 01.
    """
    i = torch.arange(check_int("n", n, at_least=1), dtype=torch.float64)
    C = math.sqrt(2 / n) * torch.cos(torch.pi * i[:, None] * (2 * i + 1) / (2 * n))
    C[0] /= math.sqrt(2)
    return C.to(check_dtype(dtype))


def check_dtype(dtype: torch.dtype) -> torch.dtype:
    """The type, if its numbers are floats: all entries of a transform lie between -1 and 1."""
    if dtype not in FLOATS:
        raise TypeError(f"dtype is {dtype}; expected one of floats, such as torch.float32.")
    return dtype


def dct2(x: Tensor) -> Tensor:
    """2-D DCT of floats (..., H, W), same shape, energy kept. Built in notebook 01."""
    x = check_grid(x, "x")
    C, R = dct_matrices(x)
    return C @ x @ R.mT


def idct2(coefficients: Tensor) -> Tensor:
    """Inverse of `dct2`."""
    coefficients = check_grid(coefficients, "coefficients")
    C, R = dct_matrices(coefficients)
    return C.mT @ coefficients @ R


def check_grid(x: Tensor, name: str) -> Tensor:
    """Floats (..., H, W), of single or double precision."""
    if check_floats(x, name).ndim < 2 or 0 in x.shape[-2:]:
        raise ValueError(f"{name} has shape {tuple(x.shape)}; expected (..., H, W), H, W >= 1.")
    return single(x)


def dct_matrices(x: Tensor) -> list[Tensor]:
    """For the columns and the rows of x (..., H, W)."""
    return [dct_matrix(n, x.dtype).to(x.device) for n in x.shape[-2:]]


def image_to_blocks(x: Tensor, size: int = 8) -> Tensor:
    """Cut (..., H, W) into blocks (..., H/size, W/size, size, size); ValueError if some are cut."""
    check_int("size", size, at_least=1)
    if check_tensor(x).ndim < 2 or 0 in x.shape[-2:]:
        raise ValueError(f"x has shape {tuple(x.shape)}; expected (..., H, W), H, W >= 1.")
    height, width = x.shape[-2:]
    if height % size or width % size:
        raise ValueError(f"Blocks of {size} do not tile an image of {height}x{width}: crop it.")
    return x.unflatten(-1, (-1, size)).unflatten(-3, (-1, size)).transpose(-2, -3)


def blocks_to_image(blocks: Tensor) -> Tensor:
    """Inverse of `image_to_blocks`."""
    if check_tensor(blocks, "blocks").ndim < 4:
        shape = tuple(blocks.shape)
        raise ValueError(f"blocks has shape {shape}; expected (..., rows, columns, size, size).")
    return blocks.transpose(-2, -3).flatten(-4, -3).flatten(-2)


def wavelet_matrix(n: int, wavelet: str = "haar", dtype: torch.dtype = torch.float32) -> Tensor:
    """One level of an orthogonal wavelet on a periodic signal, as a matrix (n, n).

    The first n/2 rows are the low-pass filter at every second place, the others the high-pass
    filter; W Wᵀ = I. Filter taps come from PyWavelets, whose "periodization" mode gives the same
    coefficients. Raises ValueError for odd n and for wavelets that are not orthogonal. Source:
    Mallat 1989; Daubechies 1988. Built in notebook 01.
    """
    if check_int("n", n, at_least=2) % 2:
        raise ValueError(f"n = {n}: one wavelet level needs an even number of samples.")
    if not isinstance(wavelet, str):
        raise TypeError(f"wavelet is {wavelet!r}; expected a name such as 'haar', 'db4', 'sym8'.")
    filters = pywt.Wavelet(wavelet)
    low, high, _, _ = filters.filter_bank
    if not filters.orthogonal or abs(sum(tap * tap for tap in low) - 1) > 1e-6:
        raise ValueError(
            f"wavelet = {wavelet!r}: expected an orthogonal one such as 'haar', 'db4', 'sym8'."
        )
    W = torch.zeros(n, n, dtype=torch.float64)
    place = torch.arange(n // 2)
    for tap in range(len(low)):
        column = (2 * place + len(low) // 2 - tap) % n
        W[place, column] += low[tap]
        W[n // 2 + place, column] += high[tap]
    return W.to(check_dtype(dtype))


def wavelet2(x: Tensor, wavelet: str = "haar", levels: int = 3) -> Tensor:
    """2-D wavelet transform of (..., H, W): same shape, the coarse image at the top left.

    Each level transforms the corner that the level before left there. Raises ValueError
    when 2**levels does not divide H and W. Built in notebook 01.
    """
    z = check_levels(x, levels).clone()
    for level in range(levels):
        height, width = (n >> level for n in x.shape[-2:])
        A, B = matrices(height, width, wavelet, z)
        z[..., :height, :width] = A @ z[..., :height, :width] @ B.mT
    return z


def inverse_wavelet2(coefficients: Tensor, wavelet: str = "haar", levels: int = 3) -> Tensor:
    """Inverse of `wavelet2`: the same matrices transposed, coarsest level first."""
    x = check_levels(coefficients, levels, "coefficients").clone()
    for level in reversed(range(levels)):
        height, width = (n >> level for n in x.shape[-2:])
        A, B = matrices(height, width, wavelet, x)
        x[..., :height, :width] = A.mT @ x[..., :height, :width] @ B
    return x


def matrices(height: int, width: int, wavelet: str, like: Tensor) -> tuple[Tensor, Tensor]:
    """One-level matrices for the columns and the rows, in the type and place of `like`."""
    A = wavelet_matrix(height, wavelet, like.dtype).to(like.device)
    return A, A if width == height else wavelet_matrix(width, wavelet, like.dtype).to(like.device)


def check_levels(x: Tensor, levels: int, name: str = "x") -> Tensor:
    """As `check_grid`, with sides that stay even at every level."""
    x = check_grid(x, name)
    if any(n % 2 ** check_int("levels", levels, at_least=1) for n in x.shape[-2:]):
        raise ValueError(
            f"{levels} levels do not fit sides {tuple(x.shape[-2:])}: 2**levels must divide both "
            "sides. Crop the image or take fewer levels."
        )
    return x


def subbands(coefficients: Tensor, levels: int) -> list[Tensor]:
    """Views of the 3 * levels detail bands, finest first, diagonal last of each level.

    Writing into a view changes `coefficients`.
    """
    check_levels(coefficients, levels, "coefficients")
    views = []
    for level in range(levels):
        height, width = (n >> level for n in coefficients.shape[-2:])
        corner, h, w = coefficients[..., :height, :width], height // 2, width // 2
        views += [corner[..., :h, w:], corner[..., h:, :w], corner[..., h:, w:]]
    return views


def noise_level(noisy: Tensor, wavelet: str = "db4") -> Tensor:
    """Standard deviation of white noise in each image: (N, C, H, W) -> (N,).

    Median of |finest diagonal coefficients| / 0.6745 (Donoho and Johnstone 1994).
    """
    check_images(noisy, "noisy")
    diagonal = subbands(wavelet2(noisy, wavelet, 1), 1)[-1]
    return diagonal.abs().flatten(1).median(dim=1).values / 0.6745


def bayes_shrink(
    noisy: Tensor, sigma: float | Tensor, wavelet: str = "db4", levels: int = 4
) -> Tensor:
    """Soft threshold each band of each image at sigma² / sigma_x. (N, C, H, W), [0, 1] and noise.

    sigma: one number or one for each image, (N,). sigma_x² = max(mean(band²) - sigma², 0) estimates
    the clean signal; a band without any becomes zero. Raises ValueError for images or a sigma of
    another scale. Chang, Yu and Vetterli 2000. Built in notebook 01.
    """
    check_images(noisy, "noisy")
    sigma = per_image("sigma", sigma, single(noisy))
    check_scale(noisy, sigma)
    z = wavelet2(noisy, wavelet, levels)
    for band in subbands(z, levels):
        old = band.clone()
        energy = old.square().mean(dim=(-2, -1), keepdim=True)
        signal = (energy - sigma**2).clamp_min(1e-12).sqrt()
        band.copy_(soft_threshold(old, sigma**2 / signal))
    return inverse_wavelet2(z, wavelet, levels).clamp(0, 1).to(noisy.dtype)


def check_scale(noisy: Tensor, sigma: float | Tensor) -> None:
    """Raise ValueError for what cannot be an image in [0, 1] with noise, as 0 to 255."""
    if torch.as_tensor(sigma).max() > 1:
        raise ValueError(
            f"sigma is {sigma}; expected the noise of images in [0, 1]: divide by 255, as 25 / 255."
        )
    if noisy.min() < -5 or noisy.max() > 6:
        found = f"noisy has values from {noisy.min():.3g} to {noisy.max():.3g}"
        raise ValueError(f"{found}; expected an image in [0, 1] with noise: noisy / 255.")


def cycle_spin(denoise: Callable[[Tensor], Tensor], noisy: Tensor, shifts: int = 4) -> Tensor:
    """Average `denoise` over shifts² translations of the image: shift, denoise, shift back.

    noisy: floats (..., H, W); `denoise` must keep the shape. `shifts` = 1 is `denoise` itself.
    Coifman and Donoho 1995. Built in notebook 01.
    """
    check_int("shifts", shifts, at_least=1)
    total = torch.zeros_like(check_grid(noisy, "noisy"))
    for i in range(shifts):
        for j in range(shifts):
            moved = check_tensor(denoise(noisy.roll((i, j), dims=(-2, -1))), "denoise(noisy)")
            check_alike("denoise(noisy)", moved, "noisy", noisy)
            total += moved.roll((-i, -j), dims=(-2, -1))
    return (total / shifts**2).to(noisy.dtype)
