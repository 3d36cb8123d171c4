"""How good is an image, how sparse is a code?

PSNR and SSIM are computed by torchmetrics; what the course adds is that each image of
a batch gets its own number and that wrong ranges are refused. Used from notebook 01.
"""
import torch
from torch import Tensor
from torchmetrics.functional.image import structural_similarity_index_measure

__all__ = ["check_images", "hoyer", "l0", "psnr", "ssim"]


def check_images(images: Tensor, name: str = "images", clipped: bool = False) -> Tensor:
    """Return `images` if it is a float tensor (N, C, H, W) with C = 1 or 3, all finite.

    With `clipped` the values must also lie in [0, 1]. Otherwise TypeError or ValueError
    says what was given, what is expected and what to do.
    """
    if not isinstance(images, Tensor):
        raise TypeError(
            f"{name} is a {type(images).__name__}; expected a torch tensor. "
            "For a NumPy array of shape (H, W): torch.from_numpy(array)[None, None].float()"
        )
    if images.ndim != 4 or images.shape[1] not in (1, 3):
        raise ValueError(
            f"{name} has shape {tuple(images.shape)}; expected (N, C, H, W) with C = 1 or 3. "
            "Add missing axes with images[None], or move the channels with images.permute(...)."
        )
    if not images.is_floating_point():
        raise TypeError(f"{name} holds {images.dtype}; expected floats: images.float() / 255")
    if not torch.isfinite(images).all():
        raise ValueError(f"{name} holds NaN or infinite values: look for a division by zero before.")
    if clipped and (images.min() < -1e-6 or images.max() > 1 + 1e-6):
        raise ValueError(
            f"{name} has values from {images.min():.3g} to {images.max():.3g}; expected [0, 1]. "
            "Divide by 255, or clip with images.clamp(0, 1)."
        )
    return images


def psnr(estimate: Tensor, truth: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of each image, in dB for the range [0, 1].

    estimate, truth: (N, C, H, W). Returns (N,). 10 log10(1 / MSE), infinite for equal
    images; nothing is clipped here. Raises ValueError for unequal shapes. Built in
    notebook 01.
    """
    check_pair(estimate, truth)
    return -10 * torch.log10((estimate - truth).square().mean(dim=(1, 2, 3)))


def ssim(estimate: Tensor, truth: Tensor) -> Tensor:
    """Structural similarity of each image (Wang et al. 2004), 1 for equal images.

    estimate, truth: (N, C, H, W) with H, W >= 11. Returns (N,).
    """
    check_pair(estimate, truth)
    if min(estimate.shape[-2:]) < 11:
        raise ValueError(f"SSIM needs images of at least 11x11, not {tuple(estimate.shape[-2:])}.")
    return torch.stack([
        structural_similarity_index_measure(a[None], b[None], data_range=1.0)
        for a, b in zip(estimate, truth)
    ])


def check_pair(estimate: Tensor, truth: Tensor) -> None:
    """Both are images, and of one shape."""
    check_images(estimate, "estimate")
    check_images(truth, "truth")
    if estimate.shape != truth.shape:
        raise ValueError(
            f"estimate has shape {tuple(estimate.shape)}, truth {tuple(truth.shape)}; they must be equal."
        )


def l0(code: Tensor, tolerance: float = 0.0) -> Tensor:
    """Number of entries with |value| > tolerance, for each row: (N, ...) -> (N,)."""
    return (code.abs() > tolerance).flatten(1).sum(dim=1)


def hoyer(code: Tensor) -> Tensor:
    """Hoyer's sparsity of each row: 0 when all entries are equal, 1 for a single spike.

    (N, ...) -> (N,). (sqrt(n) - |z|_1 / |z|_2) / (sqrt(n) - 1), Hoyer 2004; NaN-free: a
    row of zeros counts as 1. Raises ValueError for rows of one entry.
    """
    rows = code.flatten(1)
    n = rows.shape[1]
    if n < 2:
        raise ValueError("Hoyer's sparsity needs at least 2 entries per row.")
    ratio = rows.abs().sum(dim=1) / rows.norm(dim=1).clamp_min(torch.finfo(rows.dtype).tiny)
    return torch.where(rows.abs().amax(dim=1) > 0, (n**0.5 - ratio) / (n**0.5 - 1), torch.ones_like(ratio))
