"""How far is one image, or code, from another? Losses that are differentiable.

All are means, so that the size of a batch or image changes no weight. They need two float tensors
of one shape without NaN, and raise ValueError (TypeError for whole numbers) otherwise; half
precision is computed, and given, as float32. For
measuring, per image: `course_utils.metrics`. The KL divergence of activities is
`course_utils.autoencoders.kl_sparsity`. Built in notebook 06.
"""

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils.arguments import (
    check_alike,
    check_floats,
    check_nonnegative,
    check_not_empty,
    check_squares,
    single,
)

__all__ = [
    "FeatureLoss",
    "binary_cross_entropy",
    "decoding_loss",
    "encoding_decoding_loss",
    "encoding_loss",
    "l1",
    "mse",
    "ssim_loss",
]


def mse(x_hat: Tensor, x: Tensor) -> Tensor:
    """Mean squared error of two tensors of one shape."""
    x_hat, x = check_pair("x_hat", x_hat, "x", x)
    return (x_hat - x).square().mean()


def l1(x_hat: Tensor, x: Tensor) -> Tensor:
    """Mean of |x_hat - x| over all numbers of two tensors of one shape; 0 where they are equal."""
    x_hat, x = check_pair("x_hat", x_hat, "x", x)
    return (x_hat - x).abs().mean()


def binary_cross_entropy(x_hat: Tensor, x: Tensor) -> Tensor:
    """Mean of -x log x_hat - (1 - x) log(1 - x_hat) over all numbers, both in [0, 1].

    Its minimum, where x_hat = x, is not 0 but the mean entropy of the pixels, 0.69 for
    grey and 0 for black and white. Logarithms are cut at -100. Raises ValueError outside [0, 1].
    """
    x_hat, x = check_pair("x_hat", x_hat, "x", x)
    remedies = ("x_hat", x_hat, "end the decoder with a sigmoid"), ("x", x, "divide by 255")
    for name, values, mend in remedies:
        if values.min() < 0 or values.max() > 1:
            raise ValueError(
                f"{name} has values from {values.min():.3g} to {values.max():.3g}; "
                f"cross-entropy compares numbers in [0, 1]: {mend}."
            )
    return F.binary_cross_entropy(x_hat, x)


def ssim_loss(x_hat: Tensor, x: Tensor) -> Tensor:
    """1 - structural similarity, mean over images (N, C, H, W) in [0, 1].

    Gaussian window of 11 x 11 pixels, σ = 1.5, only where it fits inside the image (Wang et al.
    2004): what scikit-image's structural_similarity gives with gaussian_weights=True,
    sigma=1.5, use_sample_covariance=False, data_range=1. Raises ValueError for H or W < 11.
    """
    x_hat, x = check_pair("x_hat", x_hat, "x", x)
    if x.ndim != 4 or min(x.shape[2:]) < 11:
        raise ValueError(
            f"x has shape {tuple(x.shape)}; expected images (N, C, H, W) of at least 11 x 11, "
            "the size of the window."
        )
    taps = torch.exp(-torch.arange(-5, 6, dtype=x.dtype, device=x.device).square() / (2 * 1.5**2))
    taps = taps / taps.sum()
    window = torch.outer(taps, taps)[None, None]

    def blur(images: Tensor) -> Tensor:
        return F.conv2d(images.flatten(0, 1)[:, None], window)

    mean_x, mean_y = blur(x), blur(x_hat)
    variance_x, variance_y = blur(x * x) - mean_x**2, blur(x_hat * x_hat) - mean_y**2
    covariance = blur(x * x_hat) - mean_x * mean_y
    small, smaller = 0.03**2, 0.01**2  # keep flat places from dividing by zero
    luminance = (2 * mean_x * mean_y + smaller) / (mean_x**2 + mean_y**2 + smaller)
    structure = (2 * covariance + small) / (variance_x + variance_y + small)
    return 1 - (luminance * structure).mean()


class FeatureLoss(nn.Module):
    """Distance between what a classifier sees in two images, 0 where they are equal.

    The mean over the entries of `classifier.maps(x)` of the mean squared difference, divided by the
    mean square of the maps of x (Johnson, Alahi and Fei-Fei 2016). The classifier is copied, held
    fixed and in evaluation mode; it raises ValueError for images that it does not take.
    """

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        if not hasattr(classifier, "maps"):
            raise ValueError(
                f"{type(classifier).__name__} has no maps(x); "
                'use course_utils.pretrained.pretrained("classifier").'
            )
        # Any: of a class with maps(x)
        self.classifier: Any = copy.deepcopy(classifier).eval().requires_grad_(False)

    def train(self, mode: bool = True) -> "FeatureLoss":
        """The ruler stays in evaluation mode, whatever the model around it does."""
        return super().train(False)

    def forward(self, x_hat: Tensor, x: Tensor) -> Tensor:
        check_pair("x_hat", x_hat, "x", x)
        pairs = list(zip(self.classifier.maps(x_hat), self.classifier.maps(x)))
        return sum(mse(a, b) / b.square().mean().clamp_min(1e-12) for a, b in pairs) / len(pairs)


def encoding_loss(x: Tensor, s: Tensor) -> Tensor:
    """‖x - s‖² divided by the number of numbers; s must live where x lives.

    For a sparse image s of an image x, or for what an encoder predicts and the optimal code
    (predictive sparse decomposition, Kavukcuoglu, Ranzato and LeCun 2008).
    """
    check_floats(x, "x")
    check_floats(s, "s")
    if x.shape != s.shape:
        raise ValueError(
            f"x has shape {tuple(x.shape)}, s has {tuple(s.shape)}: "
            "the difference x - s has no meaning. Make s a sparse image (as many channels, no "
            "stride), or compare s with a code: the optimal one, from sparse_coding.lasso."
        )
    return mse(s, x)


def decoding_loss(x: Tensor, x_hat: Tensor) -> Tensor:
    """‖x - x_hat‖² divided by the number of numbers: how well the image comes back."""
    return mse(x_hat, x)


def encoding_decoding_loss(
    x: Tensor, s: Tensor, x_hat: Tensor, encoding: float = 1.0, decoding: float = 1.0
) -> dict[str, Tensor]:
    """Both losses by name, and "loss", their weighted sum, for `training.fit`.

    Raises ValueError for negative weights, and for shapes that differ.
    """
    check_nonnegative("encoding", encoding)
    check_nonnegative("decoding", decoding)
    terms = {"encoding": encoding_loss(x, s), "decoding": decoding_loss(x, x_hat)}
    return {"loss": encoding * terms["encoding"] + decoding * terms["decoding"]} | terms


def check_pair(name: str, values: Tensor, other_name: str, other: Tensor) -> tuple[Tensor, Tensor]:
    """Two finite float tensors of one shape, in the finer of their types, float32 at least."""
    check_alike(name, check_floats(values, name), other_name, check_floats(other, other_name))
    for label, tensor in ((name, values), (other_name, other)):
        if not torch.isfinite(check_not_empty(tensor, label)).all():
            raise ValueError(
                f"{label} holds NaN or infinite values; is the learning rate too large?"
            )
        check_squares(tensor, label)
    finer = torch.promote_types(single(values).dtype, single(other).dtype)
    return values.to(finer), other.to(finer)
