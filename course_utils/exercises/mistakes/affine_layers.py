"""Layers with no non-linearity between them, found by running a network (exercise 04.5)."""

import torch
from torch import Tensor, nn

__all__ = ["straight_pair"]


@torch.no_grad()
def straight_pair(module: nn.Module, inputs: Tensor) -> str | None:
    """The first two layers with weights between which the module is affine; None if all bend.

    A layer's output is replaced by a, b and 2a - b, and the next one's input observed: F.relu
    counts like nn.ReLU.
    """
    layers = [m for m in module.modules() if isinstance(m, (nn.Linear, nn.modules.conv._ConvNd))]

    def calls(value: Tensor = inputs, position: int = -1) -> list[tuple[str, Tensor, Tensor]]:
        """Name, input and output of each layer in a run; the output at `position` is `value`."""
        seen = []

        def watch(layer: nn.Module, received: tuple[Tensor, ...], output: Tensor) -> Tensor:
            seen.append((type(layer).__name__, received[0].clone(), output))
            return value.clone() if len(seen) == position + 1 else output

        handles = [layer.register_forward_hook(watch) for layer in layers]
        module(inputs)
        for handle in handles:
            handle.remove()
        return seen

    names = [name for name, _, _ in calls()]
    for i, (_, _, output) in enumerate(calls()[:-1]):
        a, b = 4 * torch.randn(2, *output.shape)
        one, two, line = (calls(value, i)[i + 1][1] for value in (a, b, 2 * a - b))
        bends = not torch.allclose(line, 2 * one - two, rtol=1e-3, atol=1e-3)
        if not bends and not torch.equal(one, two):
            return f"its layers {i + 1} ({names[i]}) and {i + 2} ({names[i + 1]})"
    return None
