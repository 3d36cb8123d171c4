"""Networks as layers in a row, whose parts can be used by themselves; what goes into a network.

    generator = Generator()
    maps = generator[:4](z)  # what the first four layers make of the noise

PyTorch would build such a slice by calling the class again, which our classes, made from sizes
and not from layers, do not allow.
"""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Iterator
from typing import overload

import torch
from torch import Tensor, nn

from course_utils.arguments import check_floats, check_int, check_tensor

__all__ = [
    "Layers",
    "check_codes",
    "check_like",
    "check_reconstruction",
    "check_rows",
    "check_sizes",
    "evaluation",
]


class Layers(nn.Sequential):
    """An nn.Sequential whose slices are plain nn.Sequentials, with the same layers and names.

    A subclass may take what it likes in its constructor, and check its input in `forward`; a slice
    does not check. An index gives the layer, as usual. Built in notebook 09.
    """

    @overload
    def __getitem__(self, index: slice) -> nn.Sequential: ...

    @overload
    def __getitem__(self, index: int) -> nn.Module: ...

    def __getitem__(self, index: int | slice) -> nn.Module:
        if isinstance(index, slice):
            return nn.Sequential(OrderedDict(list(self._modules.items())[index]))
        return super().__getitem__(index)


def check_like(x: object, model: nn.Module | Tensor, name: str = "x") -> Tensor:
    """x if it holds floats of the type of the weights, a tensor or a model's; TypeError otherwise.

    Within `torch.autocast` any floats will do.
    """
    x, weight = check_floats(x, name), model if isinstance(model, Tensor) else None
    if isinstance(model, nn.Module):
        weight = next(model.parameters(), None)
    if weight is not None and x.dtype != weight.dtype:
        if not torch.is_autocast_enabled(x.device.type):
            raise TypeError(
                f"{name} holds {x.dtype}, the weights {weight.dtype}; expected the same: "
                f"{name}.to({weight.dtype})."
            )
    return x


def check_rows(x: object, model: nn.Module | Tensor, columns: int, name: str = "x") -> Tensor:
    """x if it is (N, columns), of the type of the weights; an error otherwise."""
    x = check_tensor(x, name)
    shape = tuple(x.shape)
    if len(shape) != 2 or shape[1] != columns:
        way = f"give a row of {columns} numbers for each sample"
        if shape == (columns,):
            way = f"for one sample give {name}[None]"
        elif len(shape) > 2 and x[0].numel() == columns:
            way = f"make rows with {name}.flatten(1)"
        raise ValueError(f"{name} has shape {shape}; expected (N, {columns}): {way}.")
    return check_like(x, model, name)


def check_codes(a: object, name: str = "a") -> Tensor:
    """a if it holds floats (N, units) or (N, maps, ...); an error otherwise."""
    a = check_floats(a, name)
    if a.ndim < 2:
        shape = tuple(a.shape)
        raise ValueError(
            f"{name} has shape {shape}; expected (N, units): for one code {name}[None]."
        )
    return a


def check_sizes(**sizes: int) -> None:
    """ValueError that names the first of the sizes that is no whole number of at least 1."""
    for name, size in sizes.items():
        check_int(name, size, at_least=1)


def check_reconstruction(x_hat: Tensor, x: Tensor) -> Tensor:
    """x_hat if it has the shape of x; ValueError otherwise: torch would stretch one of them."""
    if x_hat.shape != x.shape:
        raise ValueError(
            f"The decoder gives {tuple(x_hat.shape)}, x is {tuple(x.shape)}; "
            "expected equal shapes: make the decoder with the channels and size of the images."
        )
    return x_hat


@contextlib.contextmanager
def evaluation(network: nn.Module) -> Iterator[nn.Module]:
    """The network in evaluation mode; behind it each of its parts has its own mode again."""
    modes = {part: part.training for part in network.modules()}
    try:
        yield network.eval()
    finally:
        for part, mode in modes.items():
            part.training = mode
