"""Pictures per second of a training step, rung by rung, against what the device can do at most.

Run by the GPU cell 13_gpu_ladder of notebook 13. Operations are counted, bytes follow from a
formula, and the device's two limits are measured in the same run: the roofline (Williams, Waterman
and Patterson 2009).
"""

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from course_utils.session import COLORS

__all__ = ["Rung", "best_seconds", "device_limits", "ladder", "least_bytes", "operations"]

NOISE = 0.2  # standard deviation, as in notebook 13


@dataclass(frozen=True)
class Rung:
    """A way to make training steps: pictures in a batch, and what is switched on."""

    name: str
    batch: int
    here: bool = True  # the pictures lie on the device as one tensor
    layout: torch.memory_format = torch.contiguous_format
    half: bool = False
    compiled: bool = False


def rungs(small: int, large: int) -> list[Rung]:
    """The ladder of notebook 13, each rung with one more change than the one below it."""
    last = torch.channels_last
    return [
        Rung("plain loop", small, here=False),
        Rung("on the device", small),
        Rung(f"batch of {large}", large),
        Rung("channels last", large, layout=last),
        Rung("bfloat16", large, layout=last, half=True),
        Rung("compiled", large, layout=last, half=True, compiled=True),
    ]


def wait(device: torch.device) -> None:
    """Until the device has done what it was asked for: a GPU's calls return before."""
    if device.type == "cuda":
        torch.cuda.synchronize()


def best_seconds(call: Callable[[], object], device: torch.device, runs: int = 10) -> float:
    """The shortest of several calls, after a warm-up: what the device can do when left alone."""
    call(), call()
    times = []
    for _ in range(runs):
        wait(device)
        begin = time.perf_counter()
        call()
        wait(device)
        times.append(time.perf_counter() - begin)
    return min(times)


def device_limits(device: torch.device, side: int, numbers: int) -> dict[str, float]:
    """Measured operations per second of a matrix product, "bytes" per second of a copy.

    The product is made in "float32", in "bfloat16" and, on a GPU, in "tf32", which PyTorch's
    convolutions use by default. The copy reads and writes `numbers` float32 numbers, which should
    not fit into a cache.
    """
    limits, before = {}, torch.get_float32_matmul_precision()
    try:
        for name in ("float32", "tf32", "bfloat16"):
            if name == "tf32" and device.type != "cuda":
                continue
            torch.set_float32_matmul_precision("high" if name == "tf32" else "highest")
            dtype = torch.bfloat16 if name == "bfloat16" else torch.float32
            a, b = torch.randn(2, side, side, device=device).to(dtype)
            limits[name] = 2 * side**3 / best_seconds(lambda: a @ b, device)
    finally:
        torch.set_float32_matmul_precision(before)
    source = torch.randn(numbers, device=device)
    target = torch.empty_like(source)
    return limits | {"bytes": 2 * 4 * numbers / best_seconds(lambda: target.copy_(source), device)}


def operations(network: nn.Module, x: Tensor) -> int:
    """Floating-point operations of convolutions and products, forward and backward, for batch x.

    A multiplication and an addition are two. ReLU, the loss and the optimizer are not counted.
    """
    with FlopCounterMode(display=False) as counter:
        F.mse_loss(network(x), x).backward()
    network.zero_grad(set_to_none=True)
    return counter.get_total_flops()


def least_bytes(network: nn.Module, x: Tensor, size: int) -> int:
    """Bytes that a training step on the batch x moves at least, `size` bytes per activation.

    Each output of a layer with weights is written, read by the next layer and in the backward pass;
    its gradient is written and read: 5 moves. What lies between (ReLU, casting) counts as nothing.
    The input is read in both passes, the target by the loss: 3 moves, in float32. Each weight is
    read in both passes, its gradient written and read, and Adam reads and writes the weight and its
    two averages: 10 moves, in float32.
    """
    outputs = []
    hooks = [
        part.register_forward_hook(lambda part, inputs, output: outputs.append(output.numel()))
        for part in network.modules()
        if next(part.parameters(recurse=False), None) is not None
    ]
    with torch.no_grad():
        network(x)
    for hook in hooks:
        hook.remove()
    weights = sum(p.numel() for p in network.parameters())
    return 5 * size * sum(outputs) + 4 * (3 * x.numel() + 10 * weights)


def pictures_per_second(
    rung: Rung,
    network: nn.Module,
    batches: Iterator[tuple[Tensor, Tensor]],
    device: torch.device,
    steps: int,
    blocks: int = 5,
) -> float:
    """Images per second of the median block of `steps` training steps, after a warm-up."""
    network = network.to(device).to(memory_format=rung.layout)
    call = torch.compile(network) if rung.compiled else network
    optimizer, seconds = torch.optim.Adam(network.parameters(), lr=1e-3, fused=True), []
    for _ in range(1 + blocks):
        wait(device)
        begin = time.perf_counter()
        for _ in range(steps):
            noisy, clean = (part.to(device, memory_format=rung.layout) for part in next(batches))
            with torch.autocast(device.type, torch.bfloat16, enabled=rung.half):
                restored = call(noisy)
            loss = F.mse_loss(restored.float(), clean)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            if not rung.here:
                loss.item()  # as plain loops do
        wait(device)
        seconds.append(time.perf_counter() - begin)
    return rung.batch * steps / statistics.median(seconds[1:])


def from_tensor(
    images: Tensor, size: int, by_chance: Callable[[Tensor], Tensor]
) -> Iterator[tuple[Tensor, Tensor]]:
    """Endless (noisy, clean) batches, made where the images lie."""
    while True:
        with images.device:  # what by_chance draws is drawn there too
            clean = by_chance(images[torch.randint(len(images), (size,))])
        yield clean + NOISE * torch.randn_like(clean), clean


def shares(
    rung: Rung, rate: float, network: nn.Module, x: Tensor, limits: dict[str, float]
) -> dict[str, float]:
    """Shares of both limits that a rate of images per second reaches, by name.

    The arithmetic limit is that of bfloat16, else of TF32 where there is one, else of float32.
    """
    speed = limits["bfloat16"] if rung.half else limits.get("tf32", limits["float32"])
    moved = least_bytes(network, x[:1].expand(rung.batch, -1, -1, -1), 2 if rung.half else 4)
    return {
        "operations": rate * operations(network, x[:1]) / speed,
        "bytes": rate / rung.batch * moved / limits["bytes"],
    }


def drawn(rates: dict[str, float], roofs: dict[str, float]) -> Figure:
    """Draw measured images per second and the nearer limit of each rung."""
    figure, ax = plt.subplots(figsize=(8, 3))
    measured, most, names = list(rates.values()), [roofs[name] for name in rates], list(rates)
    ax.hlines(names, measured, most, color=COLORS["noisy"], lw=1)
    ax.scatter(measured, names, color=COLORS["reconstructed"], label="measured", zorder=3)
    ax.scatter(most, names, marker="|", s=200, color=COLORS["real"], label="nearer limit", zorder=3)
    ax.invert_yaxis()
    ax.set(xscale="log", xlabel="pictures per second")
    figure.legend(loc="outside upper right", ncols=2)
    return figure


def ladder(
    device: torch.device,
    network: Callable[[], nn.Module],
    images: Tensor,
    loader: Iterator[tuple[Tensor, Tensor]],
    by_chance: Callable[[Tensor], Tensor],
    *,
    batches: tuple[int, int],
    steps: int,
    side: int,
    numbers: int,
) -> dict:
    """Images per second and shares of both limits for all rungs, by name, and "figure".

    network() makes a new denoiser, `images` (N, C, H, W) are clean, `loader` gives (noisy, clean)
    batches of the smaller of the two sizes `batches`, `by_chance` changes a batch of clean ones.
    Six times `steps` steps are made on each rung. `side`, `numbers`: see `device_limits`.
    """
    torch.manual_seed(0)
    limits = device_limits(device, side, numbers)
    rates: dict[str, float] = {}
    roofs: dict[str, float] = {}
    result: dict[str, Any] = {}
    for name, value in limits.items():
        product = "thousand million operations/s of a matrix product"
        unit = "GB/s of a copy" if name == "bytes" else product
        result[f"limit, {name}: {unit}"] = float(f"{value / 1e9:.2g}")
    images = images.to(device)
    model = network().to(device)
    result["million operations per picture"] = round(operations(model, images[:1]) / 1e6, 1)
    for rung in rungs(*batches):
        source = from_tensor(images, rung.batch, by_chance) if rung.here else loader
        try:
            rate = pictures_per_second(rung, network(), source, device, steps)
        except Exception as error:  # a compiler can fail in many ways
            if not rung.compiled:
                raise
            result[rung.name] = f"not possible here ({type(error).__name__})"
            continue
        share = shares(rung, rate, model, images, limits)
        nearer = max(share, key=lambda name: share[name])
        rates[rung.name], roofs[rung.name] = rate, rate / share[nearer]
        result[rung.name] = (
            f"{float(f'{rate:.2g}'):,.0f} pictures/s, {100 * share['operations']:.2g}% of the "
            f"operations, {100 * share['bytes']:.2g}% of the bytes; nearer: {nearer}"
        )
    return result | {"figure": drawn(rates, roofs)}
