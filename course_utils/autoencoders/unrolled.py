"""Sparse coding unrolled into a network: denoising and super-resolution with a true sparse code.

A few proximal steps with learned filters instead of many with the dictionary (LISTA:
Gregor and LeCun 2010), on whole images (CSCNet: Simon and Elad 2019). Used in notebook 07.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils.arguments import (
    check_floats,
    check_images,
    check_int,
    check_not_empty,
    generator,
    single,
)
from course_utils.dictionary_learning import overcomplete_dct
from course_utils.layers import check_like

__all__ = [
    "SparseSuperResolution",
    "UnrolledSparseCoder",
    "analyse",
    "enlarge",
    "shrink_half",
    "synthesise",
]


def analyse(x: Tensor, filters: Tensor, stride: int) -> Tensor:
    """Correlations (N, K, H/stride, W/stride) of images with filters (K, 1, p, p).

    H and W are multiples of the stride, p an odd one. It is conv2d with this stride and padding
    (p - stride) / 2, written on squares as channels, where it runs at full speed. Raises
    ValueError for other shapes.
    """
    check_filters(filters, stride, "filters")
    check_not_empty(check_like(x, filters))
    if x.ndim != 4 or x.shape[1] != 1 or x.shape[2] % stride or x.shape[3] % stride:
        raise ValueError(
            f"x has shape {tuple(x.shape)}; expected (N, 1, H, W) with sides that are multiples of "
            f"the stride, {stride}: crop the images, or pad them."
        )
    squares, kernels = F.pixel_unshuffle(x, stride), F.pixel_unshuffle(filters, stride)
    return F.conv2d(squares, kernels, padding=kernels.shape[-1] // 2)


def synthesise(z: Tensor, atoms: Tensor, stride: int) -> Tensor:
    """Codes (N, K, h, w) to the sum of their atoms (K, 1, p, p), images (N, 1, h*stride, w*stride).

    The adjoint of `analyse`: <z, analyse(x, atoms)> = <synthesise(z, atoms), x>. Errors as there.
    """
    check_filters(atoms, stride, "atoms")
    check_not_empty(check_like(z, atoms, "z"), "z")
    if z.ndim != 4 or z.shape[1] != len(atoms):
        raise ValueError(
            f"z has shape {tuple(z.shape)}; expected (N, {len(atoms)}, h, w), a map for each atom: "
            f"give as many atoms as maps."
        )
    kernels = F.pixel_unshuffle(atoms, stride)
    return F.pixel_shuffle(F.conv_transpose2d(z, kernels, padding=kernels.shape[-1] // 2), stride)


class UnrolledSparseCoder(nn.Module):
    """A denoiser: noisy image -> sparse code -> sum of atoms.

    With x the image less its mean, each of the `steps` makes

        z <- soft_threshold(z + A_k (x - D_k z), theta_k * sigma),    z = 0 before the first,

    and the result is D z + mean. A_k, D_k (p x p, every `stride` pixels), theta_k (one number
    per atom) and D are learned; D has unit atoms after `unit_atoms_`. model(a x, a sigma) =
    a model(x, sigma) for a > 0. All filters start as windowed cosines with A_k = D_k^T.
    `scale` > 1 gives D the resolution of an enlarged image (see SparseSuperResolution).

    Raises ValueError unless `atoms` is a square number and `size` an odd multiple of `stride`.
    """

    def __init__(
        self, atoms: int = 256, size: int = 12, stride: int = 4, steps: int = 3, scale: int = 1
    ) -> None:
        super().__init__()
        self.stride, self.size = check_int("stride", stride, 1), check_int("size", size, 1)
        self.steps, self.scale = check_int("steps", steps, 1), check_int("scale", scale, 1)
        if math.isqrt(check_int("atoms", atoms, 1)) ** 2 != atoms:
            raise ValueError(
                f"atoms is {atoms}; expected a square number, such as 256: "
                "the filters start as products of cosines."
            )
        if size % stride or size // stride % 2 == 0:
            raise ValueError(
                f"size is {size}; expected an odd multiple of the stride, such as {3 * stride}."
            )
        start = windowed_cosines(atoms, size, stride)
        self.analysis = nn.Parameter(start.repeat(steps, 1, 1, 1, 1))
        self.residual = nn.Parameter(start.repeat(steps - 1, 1, 1, 1, 1))
        self.atoms = nn.Parameter(
            start if scale == 1 else 0.1 * windowed_cosines(atoms, scale * size, scale * stride)
        )
        self.theta = nn.Parameter(start.flatten(1).norm(dim=1).repeat(steps, 1))

    def forward(self, noisy: Tensor, sigma: float | Tensor) -> Tensor:
        """Noisy images (N, 1, H, W), sigma a number or (N,), to clean ones, not clipped.

        Noise in the units of the pixels. Raises ValueError for another shape, images smaller
        than the filters, and a sigma that is negative or of another shape.
        """
        z, mean = self.encode(noisy, sigma)
        return self.decode(z, mean, noisy.shape[2:])

    def encode(self, noisy: Tensor, sigma: float | Tensor) -> tuple[Tensor, Tensor]:
        """Code (N, atoms, ceil(H/stride), ceil(W/stride)), mean (N, 1, 1, 1). Errors: forward."""
        noise = check(check_like(noisy, self, "images"), sigma, self.size)
        height, width = noisy.shape[2:]
        mean = noisy.mean(dim=(2, 3), keepdim=True)
        x = F.pad(noisy - mean, (0, -width % self.stride, 0, -height % self.stride), mode="reflect")
        z = analyse(x, self.analysis[0], self.stride)
        z = shrink(z, self.theta[0], noise)
        for k in range(1, self.steps):
            rest = x - synthesise(z, self.residual[k - 1], self.stride)
            z = shrink(z + analyse(rest, self.analysis[k], self.stride), self.theta[k], noise)
        return z, mean

    def decode(self, z: Tensor, mean: Tensor | float, shape: tuple[int, ...]) -> Tensor:
        """The sum of the atoms plus the mean, cropped to shape = (H, W)."""
        image = synthesise(z, self.atoms, self.scale * self.stride)
        return image[..., : shape[0], : shape[1]] + mean

    @torch.no_grad()
    def unit_atoms_(self) -> None:
        """Give each atom of D norm 1 and rescale its coefficients; the output stays."""
        norm = self.atoms.flatten(1).norm(dim=1).clamp_min(1e-12)
        self.atoms.div_(norm[:, None, None, None])
        self.residual.div_(norm[:, None, None, None])
        self.analysis.mul_(norm[:, None, None, None])
        self.theta.mul_(norm)

    def multiply_adds(self, height: int, width: int) -> int:
        """Multiplications of one image of height x width pixels, the shrinkages left out."""
        positions = -(-height // self.stride) * -(-width // self.stride)
        return positions * (self.analysis.numel() + self.residual.numel() + self.atoms.numel())


class SparseSuperResolution(UnrolledSparseCoder):
    """Twice the sides: bicubic enlargement plus the atoms of a second dictionary, on one code.

    Coupled dictionaries (Yang, Wright, Huang and Ma 2010): the code is found in the small
    image, with filters of `size` every `stride` pixels, and laid down with atoms twice as
    large, 2*size every 2*stride pixels. Small images are those of `shrink_half`.
    """

    # The sigma at which the thresholds are learned; a small image has no noise of its own
    LEVEL = 0.02

    def __init__(self, atoms: int = 256, size: int = 6, stride: int = 2, steps: int = 2) -> None:
        super().__init__(atoms, size, stride, steps, scale=2)

    def forward(self, small: Tensor) -> Tensor:  # type: ignore[override]  # no sigma is given
        """Images (N, 1, h, w) to (N, 1, 2h, 2w), not clipped. Errors as UnrolledSparseCoder."""
        z, _ = self.encode(small)
        height, width = small.shape[2:]
        return self.decode(z, enlarge(small), (2 * height, 2 * width))

    def encode(self, small: Tensor, sigma: float | Tensor = LEVEL) -> tuple[Tensor, Tensor]:
        return super().encode(small, sigma)


def shrink_half(images: Tensor) -> Tensor:
    """Images (N, C, H, W) at half the sides, bicubic with antialiasing.

    Raises ValueError for odd sides.
    """
    check_images(images)
    if images.shape[2] % 2 or images.shape[3] % 2:
        raise ValueError(
            f"images has shape {tuple(images.shape)}; expected even sides: crop a row or a column."
        )
    half = F.interpolate(single(images), scale_factor=0.5, mode="bicubic", antialias=True)
    return half.to(images.dtype)


def enlarge(images: Tensor) -> Tensor:
    """Images (N, C, H, W) at twice the sides, bicubic: what super-resolution has to beat."""
    check_images(images)
    return F.interpolate(images, scale_factor=2, mode="bicubic")


def check_filters(filters: Tensor, stride: int, name: str) -> None:
    """An error unless they are squares (K, 1, p, p), p an odd multiple of the stride."""
    shape, stride = tuple(check_floats(filters, name).shape), check_int("stride", stride, 1)
    odd = len(shape) == 4 and shape[3] % stride == 0 and shape[3] // stride % 2 == 1
    if not odd or shape[1:] != (1, shape[3], shape[3]):
        raise ValueError(
            f"{name} has shape {shape}; expected (K, 1, p, p) with p an odd multiple of the stride,"
            f" such as {3 * stride}: pad the squares with zeros."
        )


def shrink(z: Tensor, theta: Tensor, noise: Tensor) -> Tensor:
    """Soft threshold at theta * noise; in this form its gradient is quick on a CPU."""
    threshold = theta.relu()[:, None, None] * noise
    return (z - threshold).relu() - (-z - threshold).relu()


def windowed_cosines(atoms: int, size: int, stride: int) -> Tensor:
    """Start of all filters (atoms, 1, size, size): a frame whose largest singular value is 1."""
    window = torch.hann_window(size + 2, periodic=False)[1:-1].sqrt()
    cosines = overcomplete_dct(size, math.isqrt(atoms)).T.reshape(atoms, 1, size, size)
    frame = F.normalize((cosines * window[:, None] * window).flatten(1)).view_as(cosines)
    x = torch.randn(1, 1, 16 * stride, 16 * stride, generator=generator(0))
    for _ in range(30):  # the power method
        x = synthesise(analyse(x / x.norm(), frame, stride), frame, stride)
    return frame / x.norm().sqrt()


def check(images: Tensor, sigma: float | Tensor, size: int) -> Tensor:
    """Noise levels (N or 1, 1, 1, 1); ValueError for input that does not fit."""
    check_images(images)
    if images.shape[1] != 1 or min(images.shape[2:]) < size:
        raise ValueError(
            f"images has shape {tuple(images.shape)}; expected one channel, (N, 1, H, W), "
            f"and sides of at least {size}, the size of the filters. Colour: give "
            "images.flatten(0, 1)[:, None]."
        )
    noise = torch.as_tensor(sigma, dtype=images.dtype, device=images.device)
    numbers = noise.isfinite().all() and (noise >= 0).all()
    if noise.shape not in ((), (len(images),)) or not numbers:
        raise ValueError(
            f"sigma is {sigma}; expected the noise's standard deviation in units of the pixels, "
            f"such as 25 / 255: one number of at least 0, or one for each of {len(images)} images."
        )
    return noise.view(-1, 1, 1, 1)
