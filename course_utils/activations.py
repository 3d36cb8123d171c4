"""Look into a network: record what a layer gives, put something else in its place, steer it.

Any layer of any torch module, by a forward hook; the network itself is left as it is.
Built in notebook 14.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from course_utils.arguments import check_floats, check_int, check_tensor

__all__ = ["from_positions", "record", "replaced", "steer", "to_positions"]


@contextmanager
def replaced(
    network: nn.Module, layer: nn.Module, function: Callable[[Tensor], Tensor]
) -> Iterator[nn.Module]:
    """Within the block the layer returns function(its output).

    Raises ValueError for a layer that is not part of the network, and, when the network runs,
    for a function that gives a tensor of another shape, or none.
    """
    if all(module is not layer for module in network.modules()):
        raise ValueError(
            f"layer is a {type(layer).__name__} that is not part of the network: give one of "
            "network.modules(), such as network[3]."
        )

    def hook(module: nn.Module, inputs: tuple, output: Tensor) -> Tensor:
        if not isinstance(output, Tensor):
            kind = type(output).__name__
            raise TypeError(f"the {type(layer).__name__} gives a {kind}; choose one with a tensor.")
        new = function(output)
        if not isinstance(new, Tensor) or new.shape != output.shape:
            given = tuple(new.shape) if isinstance(new, Tensor) else type(new).__name__
            raise ValueError(
                f"function gave {given}; expected a tensor of the layer's shape "
                f"{tuple(output.shape)}."
            )
        return new

    handle = layer.register_forward_hook(hook)
    try:
        yield network
    finally:
        handle.remove()


@torch.no_grad()
def record(network: nn.Module, layer: nn.Module, x: Tensor, batch: int = 500) -> Tensor:
    """The layer's outputs (N, ...) for inputs x (N, ...), computed `batch` at a time.

    Raises ValueError for an empty x, and for a layer that is not part of the network or does
    not run exactly once for each batch.
    """
    if check_tensor(x).ndim == 0 or len(x) == 0:
        raise ValueError(f"x has shape {tuple(x.shape)}; expected at least one input.")
    check_int("batch", batch, at_least=1)
    seen = []

    def keep(output: Tensor) -> Tensor:
        seen.append(output.clone())  # a later layer may write into it
        return output

    parts = x.split(batch)
    with replaced(network, layer, keep):
        for part in parts:
            network(part)
    if len(seen) != len(parts):
        raise ValueError(
            f"the {type(layer).__name__} ran {len(seen)} times in {len(parts)} batches; "
            "expected once in each: choose a layer that is used once."
        )
    return torch.cat(seen)


def to_positions(maps: Tensor) -> Tensor:
    """Maps (N, C, H, W) as one vector per position, (N*H*W, C), image by image."""
    if check_tensor(maps, "maps").ndim != 4:
        raise ValueError(f"maps has shape {tuple(maps.shape)}; expected (N, C, H, W).")
    return maps.movedim(1, -1).flatten(0, 2)


def from_positions(vectors: Tensor, height: int, width: int) -> Tensor:
    """The inverse of `to_positions`: (N*height*width, C) to (N, C, height, width).

    Raises ValueError where the vectors do not fill whole images.
    """
    check_int("height", height, at_least=1)
    check_int("width", width, at_least=1)
    if (
        check_tensor(vectors, "vectors").ndim != 2
        or not 0 < len(vectors)
        or len(vectors) % (height * width)
    ):
        raise ValueError(
            f"vectors has shape {tuple(vectors.shape)}; expected (N*{height}*{width}, C)."
        )
    return vectors.unflatten(0, (-1, height, width)).movedim(-1, 1)


def steer(
    maps: Tensor, direction: Tensor, amount: Tensor | float, where: Tensor | float = 1.0
) -> Tensor:
    """maps (N, C, H, W) + amount * where * direction, direction (C,) or (N, C).

    amount: a number or (N,), in units of the direction's length. where: a mask that broadcasts to
    (N, 1, H, W), by default every place. Raises ValueError for a direction of another size.
    """
    if check_floats(maps, "maps").ndim != 4:
        raise ValueError(f"maps has shape {tuple(maps.shape)}; expected (N, C, H, W).")
    wanted = (maps.shape[1],), (len(maps), maps.shape[1])
    if check_floats(direction, "direction").shape not in wanted:
        raise ValueError(
            f"direction has shape {tuple(direction.shape)}; expected ({maps.shape[1]},) or "
            f"({len(maps)}, {maps.shape[1]}) for maps of shape {tuple(maps.shape)}."
        )
    size = torch.as_tensor(amount).to(maps)
    if size.shape not in ((), (1,), (len(maps),)):
        raise ValueError(
            f"amount has shape {tuple(size.shape)}; expected one number or ({len(maps)},), one for "
            "each of the maps."
        )
    mask, places = torch.as_tensor(where).to(maps), (len(maps), 1, *maps.shape[2:])
    if any(a not in (b, 1) for a, b in zip(reversed(mask.shape), reversed(places))):
        raise ValueError(f"where has shape {tuple(mask.shape)}; it must broadcast to {places}.")
    change = size.reshape(-1, 1, 1, 1) * mask * direction.reshape(-1, maps.shape[1], 1, 1)
    return maps + change.to(maps.dtype)
