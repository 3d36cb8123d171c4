"""The widely copied autoencoder on CIFAR-10, as printed and made fast, to the same loss.

Run by the GPU cell 05_listing of notebook 05. Both loops minimise the same objective from the same
weights; all seconds count, evaluation, warming up and recording the graph included.
"""

import math
import time
from collections.abc import Callable
from typing import Any

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from course_utils.data import ImageSet
from course_utils.metrics import psnr
from course_utils.session import COLORS

__all__ = ["Listing", "OneByOne", "listing", "objective", "ours", "plain", "recorded_step"]

# Penalty weight on the mean of the code (notebook 04); batch and learning rate as printed
PRICE, BATCH, RATE = 0.1, 64, 1e-3
LARGE, PEAK, FIRST = 256, 3e-3, 2  # our batch, the highest rate, and the epochs of the first cosine


class Listing(nn.Module):
    """The printed model, corrected: images (N, 3, H, W), code (N, hidden, H/4, W/4)."""

    def __init__(self, hidden: int = 64) -> None:
        super().__init__()
        first, second = nn.Conv2d(3, hidden, 4, 2, 1), nn.Conv2d(hidden, hidden, 4, 2, 1)
        self.encoder = nn.Sequential(first, nn.ReLU(), second, nn.ReLU())
        third, fourth = (nn.ConvTranspose2d(hidden, maps, 4, 2, 1) for maps in (hidden, 3))
        self.decoder = nn.Sequential(third, nn.ReLU(), fourth)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The reconstruction and the code."""
        code = self.encoder(x)
        return self.decoder(code), code


class OneByOne(Dataset):
    """Pairs (tensor, label) as torchvision's CIFAR10 makes them, by way of a PIL image."""

    def __init__(self, images: ImageSet) -> None:
        self.pixels, self.labels = images.pixels.permute(0, 2, 3, 1).numpy(), images.labels.tolist()
        self.transform = transforms.ToTensor()

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, i: int) -> tuple[Tensor, int]:
        return self.transform(Image.fromarray(self.pixels[i])), self.labels[i]


def objective(model: nn.Module, x: Tensor) -> Tensor:
    """Mean squared error plus the price of the code, as a scalar in float32."""
    x_hat, code = model(x)
    return F.mse_loss(x_hat.float(), x) + PRICE * code.float().abs().mean()


@torch.no_grad()
def judge(model: nn.Module, x: Tensor) -> float:
    """The objective on pictures x (N, 3, H, W), all in float32."""
    return sum(len(part) * objective(model, part).item() for part in x.split(1000)) / len(x)


def plain_epoch(model: nn.Module, optimizer: torch.optim.Optimizer, loader: DataLoader) -> None:
    """An epoch as printed: float32, each batch sent to the device, `loss.item()` in each step."""
    device = next(model.parameters()).device
    for images, _ in loader:
        loss = objective(model, images.to(device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()


def plain(
    device: torch.device, train: ImageSet, x: Tensor, seconds: float, epochs: int
) -> tuple[nn.Module, list]:
    """Train as printed, for `epochs` or for as many as fit into `seconds`; at least one.

    Returns the model and [(seconds, loss on x), ...], the first before training.
    """
    torch.manual_seed(0)
    model = Listing().to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    loader = DataLoader(OneByOne(train), BATCH, shuffle=True)
    curve, began = [(0.0, judge(model, x))], time.perf_counter()
    for epoch in range(epochs):
        plain_epoch(model, optimizer, loader)
        loss = judge(model, x)  # the device is synchronised
        curve.append((time.perf_counter() - began, loss))
        if curve[-1][0] * (epoch + 2) / (epoch + 1) > seconds:
            break
    return model, curve


def ours(
    device: torch.device, train: ImageSet, x: Tensor, target: float, seconds: float
) -> tuple[nn.Module, list, str]:
    """Train until the loss on x is at most `target`, but no longer than about `seconds`.

    The data lie on the device; batches of 256, channels last, bfloat16, fused Adam, the step
    recorded as a CUDA graph. The rate falls along half a cosine and starts again, each time for
    twice as many epochs (Loshchilov and Hutter 2017), since the number of epochs that is enough is
    not known beforehand. Returns the model, the curve as `plain` does, and how a step was made.
    """
    torch.manual_seed(0)
    model = Listing().to(device)
    curve, began = [(0.0, judge(model, x))], time.perf_counter()
    model, pixels = model.to(memory_format=torch.channels_last), train.pixels.to(device)
    rate = torch.tensor(PEAK, device=device)
    index = torch.arange(min(LARGE, len(pixels)), device=device)
    optimizer = torch.optim.Adam(model.parameters(), lr=rate, fused=True)
    step, how = recorded_step(model, optimizer, pixels, index)
    steps, length, done = len(pixels) // len(index), FIRST, 0
    while curve[-1][1] > target and curve[-1][0] < seconds:
        order = torch.randperm(len(pixels), device=device)
        for i in range(steps):
            rate.fill_(PEAK * 0.5 * (1 + math.cos(math.pi * (done + i / steps) / length)))
            index.copy_(order[i * len(index) : (i + 1) * len(index)])
            step()
        done += 1
        if done == length:
            length, done = 2 * length, 0
        loss = judge(model, x)
        curve.append((time.perf_counter() - began, loss))
    return model, curve, how


def recorded_step(
    model: nn.Module, optimizer: torch.optim.Optimizer, pixels: Tensor, index: Tensor
) -> tuple[Callable[[], None], str]:
    """A function that makes a training step on pixels[index], uint8 on the device, and how it does.

    On a GPU one step is recorded as a CUDA graph, and a call replays it: `index` is read each time,
    so write the next batch into it. Three steps warm up. Where recording fails a call is a step.
    """
    gpu = pixels.device.type == "cuda"

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        x = pixels[index].to(torch.float32, memory_format=torch.channels_last) / 255
        with torch.autocast(pixels.device.type, torch.bfloat16, enabled=gpu):
            loss = objective(model, x)
        loss.backward()
        optimizer.step()

    if not gpu:
        return step, "step by step, float32"
    before, torch.backends.cudnn.benchmark = torch.backends.cudnn.benchmark, True
    aside, graph = torch.cuda.Stream(), torch.cuda.CUDAGraph()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(aside)
    group = optimizer.param_groups[0]
    try:
        # Fused Adam counts its steps on the device: nothing in a step asks the CPU
        group["capturable"] = True
        with torch.cuda.graph(graph):
            step()
    except RuntimeError:
        group["capturable"] = False
        return step, "step by step, bfloat16"
    finally:
        torch.backends.cudnn.benchmark = before
    return graph.replay, "CUDA graph, bfloat16"


def per_second(curve: list, images: int) -> float:
    """Images per second of a curve's epochs, evaluation included; not the first of several."""
    first = min(1, len(curve) - 2)
    return images * (len(curve) - 1 - first) / (curve[-1][0] - curve[first][0])


def workers_per_second(device: torch.device, train: ImageSet, workers: int = 8) -> float:
    """Images per second of an epoch with a DataLoader of several processes, start included."""
    torch.manual_seed(0)
    model, began = Listing().to(device), time.perf_counter()
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    pin = device.type == "cuda"
    loader = DataLoader(OneByOne(train), BATCH, True, num_workers=workers, pin_memory=pin)
    plain_epoch(model, optimizer, loader)
    return len(train) / (time.perf_counter() - began)


def two_digits(value: float) -> float | int:
    """A measured value, rounded to the two digits that another run would agree on."""
    short = float(f"{value:.2g}")
    return int(short) if short >= 10 else short


def drawn(curves: dict[str, list], target: float) -> Figure:
    """Loss on test pictures against seconds, both on logarithmic axes, each curve with its name."""
    figure, ax = plt.subplots(figsize=(8, 3.6))
    for (name, curve), color in zip(curves.items(), ("generated", "reconstructed")):
        seconds, losses = zip(*curve[1:])  # the start has no place on a logarithmic axis
        ax.plot(seconds, losses, "o-", ms=3, color=COLORS[color], label=name)
    ax.axhline(target, color=COLORS["real"], ls=":", lw=1)
    ax.set(xscale="log", yscale="log", xlabel="seconds", ylabel="loss on the test pictures")
    ax.legend()
    return figure


def listing(
    device: torch.device, train: ImageSet, test: ImageSet, seconds: float, epochs: int
) -> dict:
    """Both trainings; what they gave, by name, and "figure".

    The loss of the plain loop after `seconds` is the target of ours, which gives up after a third
    of them. The test pictures decide when ours stops and nothing else.
    """
    x = test.images().to(device)
    model, slow = plain(device, train, x, seconds, epochs)
    other, fast, how = ours(device, train, x, slow[-1][1], seconds / 3)
    all_epochs = epochs * len(train)
    pictures = f"{len(train)} to learn from, {len(test)} to judge"
    result: dict[str, Any] = {"pictures": pictures, "ours": f"batch {LARGE}, {how}"}
    for name, trained, curve in (("plain", model, slow), ("ours", other, fast)):
        rate = per_second(curve, len(train))
        with torch.no_grad():
            x_hat, code = map(torch.cat, zip(*map(trained, x.split(1000))))
        result |= {
            f"{name}, epochs": len(curve) - 1,
            f"{name}, seconds": two_digits(curve[-1][0]),
            f"{name}, test loss": round(curve[-1][1], 5),
            f"{name}, test PSNR, dB": round(psnr(x_hat, x).mean().item(), 1),
            f"{name}, zeros in the code": round((code == 0).float().mean().item(), 2),
            f"{name}, images/s": two_digits(rate),
            f"{name}, seconds for {epochs} epochs by rule of three": two_digits(all_epochs / rate),
        }
    faster = per_second(fast, len(train)) / per_second(slow, len(train))
    sooner = two_digits(slow[-1][0] / fast[-1][0])
    reached = fast[-1][1] <= slow[-1][1]
    return result | {
        "plain with 8 workers, images/s": two_digits(workers_per_second(device, train)),
        "images/s, ours over plain": two_digits(faster),
        "seconds to equal loss, plain over ours": sooner if reached else "not reached",
        "figure": drawn({"plain": slow, "ours": fast}, slow[-1][1]),
    }
