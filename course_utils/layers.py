"""Networks as layers in a row, whose parts can be used by themselves.

    generator = Generator()
    maps = generator[:4](z)  # what the first four layers make of the noise

PyTorch would build such a slice by calling the class again, which our classes, made from sizes
and not from layers, do not allow.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import overload

from torch import nn

__all__ = ["Layers"]


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
