"""Checks of what a caller gives: each error says what was given, expected, and to be done."""

import math
from collections.abc import Callable, Collection

import numpy as np
import torch
from torch import Tensor

__all__ = [
    "check_choice",
    "check_floats",
    "check_fraction",
    "check_images",
    "check_input",
    "check_int",
    "check_nonnegative",
    "check_size",
    "generator",
    "renamed",
]


def check_choice(kind: str, name: str, names: Collection[str]) -> None:
    """Raise ValueError, with the list of the known names, unless the name is one of them."""
    if name not in names:
        raise ValueError(f"The {kind} {name!r} is unknown; choose one of {', '.join(names)}.")


def check_int(what: str, value: object, at_least: int = 0, at_most: int | None = None) -> int:
    """The value as an int; ValueError unless it is a whole number within the limits."""
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        if value >= at_least and (at_most is None or value <= at_most):
            return int(value)
    limits = f"of at least {at_least}" if at_most is None else f"from {at_least} to {at_most}"
    raise ValueError(f"{what} is {value!r}; expected a whole number {limits}: change {what}.")


def check_nonnegative(name: str, value: float) -> float:
    """The value as a float; ValueError unless it is finite and at least 0."""
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{name} is {value!r}; expected a finite number of at least 0.")
    return float(value)


def check_fraction(name: str, value: float) -> float:
    """The value as a float; ValueError unless it lies strictly between 0 and 1."""
    if not 0 < value < 1:
        raise ValueError(f"{name} is {value!r}; expected a number strictly between 0 and 1.")
    return float(value)


def generator(seed: int) -> torch.Generator:
    """A seeded generator on the CPU, whose numbers are the same whatever the device."""
    return torch.Generator().manual_seed(check_int("seed", seed))


def check_floats(values: Tensor, name: str = "image") -> None:
    """Raise TypeError for whole numbers, which arithmetic on matrices would round to zero."""
    if not values.is_floating_point():
        raise TypeError(f"{name} holds {values.dtype}; expected floats: {name}.float() / 255")


def check_images(images: Tensor, name: str = "images", clipped: bool = False) -> Tensor:
    """Return `images` if it is a float tensor (N, C, H, W) with C = 1 or 3, all finite.

    With `clipped` the values must also lie in [0, 1]. TypeError or ValueError otherwise.
    """
    if not isinstance(images, Tensor):
        raise TypeError(
            f"{name} is a {type(images).__name__}; expected a torch tensor. "
            "For a NumPy array of shape (H, W): torch.from_numpy(array)[None, None].float()"
        )
    if images.ndim != 4 or images.shape[1] not in (1, 3):
        raise ValueError(
            f"{name} has shape {tuple(images.shape)}; expected (N, C, H, W) with C = 1 or 3: "
            "add missing axes with images[None], or move the channels with images.permute(...)."
        )
    check_floats(images, name)
    if not torch.isfinite(images).all():
        raise ValueError(f"{name} holds NaN or infinite values: look for a division by zero.")
    if clipped and (images.min() < -1e-6 or images.max() > 1 + 1e-6):
        found = f"{name} has values from {images.min():.3g} to {images.max():.3g}"
        raise ValueError(f"{found}; expected [0, 1]: divide by 255, or use images.clamp(0, 1).")
    return images


def check_size(size: int) -> int:
    """The side of an image that two strides of 2 divide; ValueError otherwise."""
    if check_int("size", size, at_least=4) % 4:
        raise ValueError(
            f"size is {size}; expected a multiple of 4, since two strides of 2 halve it twice: "
            f"crop the images to {size - size % 4} or pad them."
        )
    return size


def check_input(x: Tensor, channels: int, height: int, width: int) -> Tensor:
    """Return x if it is (N, channels, height, width); ValueError otherwise."""
    if x.ndim != 4:
        found, advice = f"shape {tuple(x.shape)}", "add missing axes, as in x[None]"
    elif x.shape[1] != channels:
        found, advice = f"{x.shape[1]} channels", f"make the model with channels={x.shape[1]}"
    elif x.shape[2:] != (height, width):
        found = f"images of {x.shape[2]} x {x.shape[3]}"
        advice = "make the model with another size, or resize the images"
    else:
        return x
    raise ValueError(f"x has {found}; expected (N, {channels}, {height}, {width}): {advice}.")


def renamed(module: str, names: dict[str, str]) -> Callable[[str], object]:
    """A module's `__getattr__` that says what a name of the first edition is called now."""

    def getattr_of_the_module(name: str) -> object:
        if name in names:
            raise ImportError(
                f"{module}.{name} is {names[name]} since the second edition (CHANGELOG.md)."
            )
        raise AttributeError(f"module {module!r} has no attribute {name!r}")

    return getattr_of_the_module
