"""How good is an image, how sparse is a code? One number for each image of a batch.

Half precision is computed, and given, as float32.
"""

import torch
from skimage.metrics import structural_similarity
from torch import Tensor

from course_utils.arguments import (
    check_alike,
    check_finite,
    check_images,
    check_nonnegative,
    check_squares,
    check_tensor,
    single,
)

__all__ = ["l0", "psnr", "ssim"]


def psnr(estimate: Tensor, truth: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of each image, in dB for the range [0, 1].

    estimate, truth: (N, C, H, W). Returns (N,). 10 log10(1 / MSE), infinite for equal
    images; the estimate is not clipped here. Raises ValueError for unequal shapes and a
    truth outside [0, 1]. Built in notebook 01.
    """
    check_pair(estimate, truth)
    error = single(estimate) - single(truth)
    level = error.square().mean(dim=(1, 2, 3))
    if (level > 100 * torch.finfo(level.dtype).tiny).all():
        return -10 * torch.log10(level)
    largest = error.abs().amax(dim=(1, 2, 3))  # where squares vanish: as a multiple of it
    relative = error / torch.where(largest > 0, largest, 1.0).view(-1, 1, 1, 1)
    small = -20 * torch.log10(largest) - 10 * torch.log10(relative.square().mean(dim=(1, 2, 3)))
    return torch.where(level > 100 * torch.finfo(level.dtype).tiny, -10 * torch.log10(level), small)


def ssim(estimate: Tensor, truth: Tensor) -> Tensor:
    """Structural similarity of each image (Wang et al. 2004), 1 for equal images.

    estimate, truth: (N, C, H, W) with H, W >= 11, in [0, 1]. Returns (N,). Computed by
    scikit-image with the Gaussian window of the paper; no gradients. Raises ValueError
    for unequal shapes and for smaller images.
    """
    check_pair(estimate, truth)
    if min(estimate.shape[-2:]) < 11:
        raise ValueError(f"SSIM needs images of at least 11x11, not {tuple(estimate.shape[-2:])}.")
    window = dict(gaussian_weights=True, sigma=1.5, use_sample_covariance=False)
    options = dict(data_range=1.0, channel_axis=0, **window)
    pairs = zip(*(single(images.detach()).cpu().numpy() for images in (estimate, truth)))
    values = [structural_similarity(a, b, **options) for a, b in pairs]
    return torch.tensor(values, dtype=torch.float32, device=estimate.device)


def check_pair(estimate: Tensor, truth: Tensor) -> None:
    """Both are images of one shape, and the truth lies in [0, 1]."""
    check_squares(check_images(estimate, "estimate"), "estimate")
    check_images(truth, "truth", clipped=True)
    check_alike("estimate", estimate, "truth", truth)


def l0(code: Tensor, tolerance: float = 0.0) -> Tensor:
    """Number of entries with |value| > tolerance, for each row: (N, ...) -> (N,)."""
    if check_tensor(code, "code").ndim < 2:
        raise ValueError(
            f"code has shape {tuple(code.shape)}; expected rows, (N, ...): code[None]."
        )
    if not (code.is_floating_point() or code.is_complex()):
        code = code.double()  # counts and masks
    sizes = single(check_finite(code, "code")).abs()
    return (sizes > check_nonnegative("tolerance", tolerance)).flatten(1).sum(dim=1)
