"""A device that is not there, to find tensors on the wrong device without a GPU.

Its tensors compute on the CPU but say that they are elsewhere; an operation that mixes them with
CPU tensors raises RuntimeError, as on a GPU. (PyTorch's FakeTensorMode has no numbers, so it stops
at the first check of values.)

    with rehearsal():
        torch.rand(2, 3, device=DEVICE) + torch.ones(3)  # RuntimeError: two devices
"""

import contextlib
from collections.abc import Iterator
from unittest.mock import patch

import torch
from torch.optim import adam, optimizer
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

DEVICE = torch.device("lazy", 0)  # a type for which autograd needs neither driver nor threads
MOVES = ("_to_copy", "copy_")
INDEXED = ("index", "index_put", "index_put_", "_index_put_impl_")  # may have indices on the CPU


class Elsewhere(torch.Tensor):
    """A tensor that says it is on DEVICE; its numbers are in `values`, on the CPU."""

    @staticmethod
    def __new__(cls, values: torch.Tensor):
        facts = {"dtype": values.dtype, "requires_grad": values.requires_grad}
        facts |= {"strides": values.stride(), "storage_offset": values.storage_offset()}
        return cls._make_wrapper_subclass(cls, values.size(), device=DEVICE, **facts)

    def __init__(self, values: torch.Tensor) -> None:
        self.values = values.detach()

    def __repr__(self) -> str:
        return f"Elsewhere({self.values})"

    def tolist(self) -> list:
        return self.values.tolist()

    @classmethod
    def __torch_dispatch__(cls, operation, types, args=(), kwargs=None):
        return compute(operation, args, kwargs or {})


class Generator(torch.Generator):
    """Random numbers that are drawn on the CPU and say that they come from `device`."""

    device = torch.device("cpu")

    def __new__(cls, device: torch.device | str = "cpu"):
        generator = super().__new__(cls)
        generator.device = torch.device(device)
        return generator


class Rehearsal(TorchDispatchMode):
    """Sends also what makes new tensors to `compute`."""

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        return compute(operation, args, kwargs or {})


def compute(operation, args: tuple, kwargs: dict) -> object:
    """The result of an operation, marked with its device. RuntimeError for two devices."""
    name = operation._schema.name.split("::")[1]
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
    there = [tensor for tensor in tensors if isinstance(tensor, Elsewhere)]
    here = [tensor for tensor in tensors if not isinstance(tensor, Elsewhere) and tensor.ndim]
    mixes = there and here and name not in MOVES
    if mixes and not (name in INDEXED and isinstance(args[0], Elsewhere)):
        raise RuntimeError(f"Expected all tensors to be on the same device: {operation}")
    if kwargs.get("device") is not None:
        result_is_there = torch.device(kwargs["device"]).type == DEVICE.type
        kwargs = kwargs | {"device": torch.device("cpu")}
    else:
        result_is_there = isinstance(args[0], Elsewhere) if name == "copy_" else bool(there)
    args, kwargs = tree_map(
        lambda leaf: leaf.values if isinstance(leaf, Elsewhere) else leaf, (args, kwargs)
    )
    result = operation(*args, **kwargs)
    if not result_is_there:
        return result
    changed = {id(tensor.values): tensor for tensor in there}  # in place: the same tensor again
    return tree_map(lambda leaf: changed[id(leaf)] if id(leaf) in changed else marked(leaf), result)


def marked(leaf: object) -> object:
    """A tensor as one on DEVICE, all else as it is."""
    return Elsewhere(leaf) if isinstance(leaf, torch.Tensor) else leaf


@contextlib.contextmanager
def rehearsal() -> Iterator[None]:
    """Within the block DEVICE can be used as any other device."""
    supported = [*optimizer._get_fused_kernels_supported_devices(), DEVICE.type]
    name = "_get_fused_kernels_supported_devices"
    swap = torch.__future__.get_swap_module_params_on_conversion()
    torch.__future__.set_swap_module_params_on_conversion(True)
    torch._C._set_only_lift_cpu_tensors(True)  # torch.tensor(..., device=DEVICE) moves as .to does
    try:
        with (
            patch.object(torch, "Generator", Generator),
            patch.object(torch, "autocast", lambda *_, **__: contextlib.nullcontext()),
            patch.object(optimizer, name, lambda: supported),
            patch.object(adam, name, lambda: supported, create=True),  # PyTorch 2.4 asks here
            Rehearsal(),
        ):
            yield
    finally:
        torch._C._set_only_lift_cpu_tensors(False)
        torch.__future__.set_swap_module_params_on_conversion(swap)
