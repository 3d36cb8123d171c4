"""Checks of what a caller gives: each error says what was given, expected, and to be done."""

import math
from collections.abc import Callable, Collection
from numbers import Real

import numpy as np
import torch
from torch import Tensor

__all__ = [
    "check_alike",
    "check_choice",
    "check_finite",
    "check_floats",
    "check_fraction",
    "check_images",
    "check_input",
    "check_int",
    "check_nonnegative",
    "check_not_empty",
    "check_positive",
    "check_size",
    "check_squares",
    "check_tensor",
    "generator",
    "per_image",
    "renamed",
    "single",
]

FLOATS = torch.float16, torch.bfloat16, torch.float32, torch.float64


def check_choice(kind: str, name: str, names: Collection[str]) -> None:
    """Raise ValueError, with the list of the known names, unless the name is one of them."""
    if name not in names:
        raise ValueError(f"The {kind} {name!r} is unknown; choose one of {', '.join(names)}.")


def check_int(what: str, value: object, at_least: int = 0, at_most: int | None = None) -> int:
    """The value as an int; ValueError unless it is a whole number within the limits."""
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        if value >= at_least and (at_most is None or value <= at_most):
            return int(value)
    if at_most is not None and at_most < at_least:
        limits = f"of at least {at_least}, but no more than {at_most} is possible here"
        raise ValueError(f"{what} is {value!r}; expected a whole number {limits}.")
    limits = f"of at least {at_least}" if at_most is None else f"from {at_least} to {at_most}"
    raise ValueError(f"{what} is {value!r}; expected a whole number {limits}: change {what}.")


def check_nonnegative(name: str, value: float | Tensor) -> float:
    """The value as a float; ValueError unless it is one number, finite and at least 0."""
    number = one_number(value)
    if not (math.isfinite(number) and number >= 0):
        raise ValueError(f"{name} is {value!r}; expected a finite number of at least 0.")
    return number


def check_positive(name: str, value: float | Tensor) -> float:
    """The value as a float; ValueError unless it is one number, finite and above 0."""
    number = one_number(value)
    if not (math.isfinite(number) and number > 0):
        raise ValueError(f"{name} is {value!r}; expected a finite number above 0.")
    return number


def check_fraction(name: str, value: float) -> float:
    """The value as a float; ValueError unless it lies strictly between 0 and 1."""
    number = one_number(value)
    if not 0 < number < 1:
        raise ValueError(f"{name} is {value!r}; expected a number strictly between 0 and 1.")
    return number


def one_number(value: object) -> float:
    """A real number, or a tensor or array with one entry, as a float; NaN for anything else."""
    if isinstance(value, (Tensor, np.ndarray)) and math.prod(value.shape) == 1:
        value = value.item()
    return float(value) if isinstance(value, Real) and not isinstance(value, bool) else math.nan


def generator(seed: int) -> torch.Generator:
    """A seeded generator on the CPU, whose numbers are the same whatever the device."""
    return torch.Generator().manual_seed(check_int("seed", seed))


def check_tensor(values: object, name: str = "x", expected: str = "torch tensor") -> Tensor:
    """The values if they are a torch tensor; TypeError, with the way to make one, otherwise."""
    if isinstance(values, Tensor):
        return values
    way = ""
    if isinstance(values, np.ndarray):
        way = f": torch.from_numpy({name})"
    elif isinstance(values, (list, tuple)):
        tensors = values and all(isinstance(entry, Tensor) for entry in values)
        way = f": torch.{'stack' if tensors else 'tensor'}({name})"
    raise TypeError(f"{name} is a {type(values).__name__}; expected a {expected}{way}.")


def check_floats(values: object, name: str = "x", expected: str = "torch tensor") -> Tensor:
    """The values if they are a tensor of real floats; empty ones pass.

    TypeError for whole numbers (arithmetic would round or wrap them), booleans, complex numbers
    and what is no tensor.
    """
    values = check_tensor(values, name, expected)
    if values.dtype not in FLOATS:
        to_float = f"{name}.float() / 255" if values.dtype == torch.uint8 else f"{name}.float()"
        advice = f"{name}.real" if values.is_complex() else to_float
        raise TypeError(f"{name} holds {values.dtype}; expected floats: {advice}.")
    return values


def check_finite(values: object, name: str = "x", expected: str = "torch tensor") -> Tensor:
    """The values if they are floats without NaN and infinity; ValueError otherwise."""
    values = check_floats(values, name, expected)
    if not torch.isfinite(values).all():
        raise ValueError(f"{name} holds NaN or infinite values: look for a division by zero.")
    return values


def check_squares(values: object, name: str = "x", expected: str = "torch tensor") -> Tensor:
    """As `check_finite`; ValueError as well for values so large that their squares overflow."""
    values = check_finite(values, name, expected)
    largest = values.detach().abs().max().item() if values.numel() else 0.0
    if largest > torch.finfo(single(values).dtype).max ** 0.5 / 1024:
        raise ValueError(
            f"{name} has values up to {largest:.3g}, whose squares overflow: divide by the largest "
            f"first, {name} / {name}.abs().max()."
        )
    return values


def per_image(name: str, value: float | Tensor, images: Tensor) -> float | Tensor:
    """One number of at least 0, or a tensor of one for each image, made (N, 1, 1, 1)."""
    value = torch.from_numpy(value) if isinstance(value, np.ndarray) and value.ndim else value
    if not isinstance(value, Tensor) or value.ndim == 0:
        check_nonnegative(name, value)
        return value
    count = len(images)
    if value.shape not in ((1,), (count,), (count, 1, 1, 1)):
        raise ValueError(
            f"{name} has shape {tuple(value.shape)}; expected one number, or one for each of the "
            f"{count} images, ({count},)."
        )
    if check_finite(value, name).min() < 0:
        raise ValueError(f"{name} goes down to {value.min():.3g}; expected at least 0.")
    return value.reshape(-1, 1, 1, 1).to(images)


def check_alike(name: str, values: Tensor, other_name: str, other: Tensor) -> None:
    """Raise ValueError unless the two have one shape: torch would broadcast others silently."""
    if values.shape != other.shape:
        raise ValueError(
            f"{name} has shape {tuple(values.shape)}, {other_name} {tuple(other.shape)}; "
            "they must be equal."
        )


def single(values: Tensor) -> Tensor:
    """Half-precision floats as float32, whose sums and squares neither overflow nor vanish."""
    return values.float() if values.dtype in (torch.float16, torch.bfloat16) else values


def check_not_empty(values: Tensor, name: str = "x") -> Tensor:
    """The values; ValueError if there are none."""
    if values.numel() == 0:
        shape = tuple(values.shape)
        raise ValueError(f"{name} has shape {shape}, no entries; expected at least one.")
    return values


def check_images(images: object, name: str = "images", clipped: bool = False) -> Tensor:
    """Return `images` if it is a float tensor (N, C, H, W) with C = 1 or 3, all finite.

    With `clipped` the values must also lie in [0, 1]. TypeError or ValueError otherwise.
    """
    images = check_tensor(images, name)
    if images.ndim != 4 or images.shape[1] not in (1, 3):
        found = f"{name} has shape {tuple(images.shape)}; expected (N, C, H, W) with C = 1 or 3"
        raise ValueError(f"{found}: {way_to_images(images, name)}.")
    check_not_empty(check_finite(images, name), name)
    if clipped and (images.min() < -1e-6 or images.max() > 1 + 1e-6):
        found = f"{name} has values from {images.min():.3g} to {images.max():.3g}"
        way = f"divide by 255, {name} / 255" if images.max() > 2 else f"{name}.clamp(0, 1)"
        raise ValueError(f"{found}; expected [0, 1]: {way}.")
    return images


def way_to_images(images: Tensor, name: str) -> str:
    """How to bring a tensor of another shape into (N, C, H, W)."""
    if images.ndim == 4 and images.shape[-1] in (1, 3):
        return f"the channels stand last, move them with {name}.permute(0, 3, 1, 2)"
    if images.ndim == 3 and images.shape[0] in (1, 3):
        return f"add the batch with {name}[None]"
    if images.ndim == 3:
        return f"add the channel with {name}[:, None]"
    if images.ndim == 2:
        return f"add the batch and the channel with {name}[None, None]"
    return "give grey or colour images, one batch"


def check_size(size: int) -> int:
    """The side of an image that two strides of 2 divide; ValueError otherwise."""
    if check_int("size", size, at_least=4) % 4:
        raise ValueError(
            f"size is {size}; expected a multiple of 4, since two strides of 2 halve it twice: "
            f"crop the images to {size - size % 4} or pad them."
        )
    return size


def check_input(x: object, channels: int, height: int, width: int) -> Tensor:
    """Return x if it holds floats (N, channels, height, width); an error otherwise."""
    x, size = check_floats(x), (height, width)
    if x.ndim != 4:
        found, advice = f"shape {tuple(x.shape)}", "add missing axes, as in x[None]"
    elif x.shape[1] != channels and x.shape[1:] == (*size, channels):
        found, advice = "its channels last", "move them with x.permute(0, 3, 1, 2)"
    elif x.shape[1] != channels:
        found, advice = f"{x.shape[1]} channels", f"make the model with channels={x.shape[1]}"
    elif x.shape[2:] != size:
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
