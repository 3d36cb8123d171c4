"""The start of every notebook: seed, device, plot style."""

import math
import os
import platform
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.colors import to_rgb, to_rgba
from matplotlib.typing import ColorType

from course_utils.arguments import check_int, renamed

__all__ = ["COLORS", "Session", "check_torch", "seed_everything", "start"]

__getattr__ = renamed(__name__, {"gpu_cell": "course_utils.gpu_cell.gpu_cell"})

# After Okabe and Ito's palette, darker: told apart with any colour vision
# (tests/test_accessibility.py), lines are seen on white (contrast 3 : 1), and words too (4.5 : 1)
# in all but the last three. In curves and pictures real, reconstructed and generated have the same
# colour in the whole course.
COLORS = {
    "real": "#000000",
    "reconstructed": "#0059B3",
    "generated": "#B84300",
    "good": "#006B50",
    "other": "#B54A86",
    "noisy": "#8E8E8E",
    "light": "#3698EC",
    "warm": "#BE8A12",
}


@dataclass(frozen=True)
class Session:
    """What a notebook knows about the machine it runs on."""

    device: torch.device
    gpu: bool
    seed: int
    where: str
    threads: int

    def __repr__(self) -> str:
        return (
            f"{self.where}: Python {platform.python_version()}, torch {torch.__version__}, "
            f"device {device_name(self.device)}, {self.threads} threads, seed {self.seed}"
        )


def start(seed: int = 0) -> Session:
    """Seed, choose the device (cuda, mps, cpu), use no more threads than cores, set the plot style.

    Raises ImportError when torch is older than 2.4, ValueError for a seed that is not
    a whole number from 0 to 2**32 - 1. Used from notebook 00.
    """
    check_torch(torch.__version__)
    seed_everything(seed)
    if torch.cuda.is_available():
        device = torch.device("cuda")
    elif torch.backends.mps.is_available():
        device = torch.device("mps")
    else:
        device = torch.device("cpu")
    torch.set_num_threads(min(torch.get_num_threads(), usable_cores()))
    set_style()
    return Session(device, device.type == "cuda", seed, where(), torch.get_num_threads())


def check_torch(version: str) -> None:
    """Raise ImportError, with the command that helps, when torch is too old."""
    major, minor = map(int, re.findall(r"\d+", version)[:2])
    if (major, minor) < (2, 4):
        raise ImportError(
            f"The course needs torch 2.4 or newer; this is torch {version}. "
            "Run: python -m pip install --upgrade torch torchvision"
        )


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch (all devices)."""
    seed = check_int("seed", seed, at_least=0, at_most=2**32 - 1)
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def usable_cores(quota: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """Cores this process may really use, at least 1.

    A container sees all cores of its host, and torch would start a thread for each, which
    makes a small share of them very slow. JupyterHub and Binder say the share in CPU_LIMIT,
    Linux containers in the file `quota` ("200000 100000" means 2 cores).
    """
    cores = os.cpu_count() or 1
    shares = [os.environ.get("CPU_LIMIT", "").split()]
    if quota.is_file():
        shares.append(quota.read_text().split())
    for share in shares:
        try:
            cores = min(cores, math.ceil(float(share[0]) / float((*share, "1")[1])))
        except (IndexError, ValueError, ArithmeticError):  # not set, "max" or 0: no limit
            pass
    return max(1, cores)


def set_style() -> None:
    """One look for all figures: readable at laptop width, in grey, by everyone.

    From Matplotlib's defaults: the course's colours are for a white ground, not for a dark style.
    """
    lines = ("reconstructed", "generated", "good", "other", "warm", "light")
    plt.style.use("default")
    plt.rcParams.update(
        {
            "figure.figsize": (8, 3.6),
            "figure.dpi": 80,
            "figure.constrained_layout.use": True,
            "font.size": 11,
            "axes.titlesize": 11,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "grid.alpha": 0.3,
            "lines.linewidth": 2,
            "image.cmap": "gray",
            "image.interpolation": "nearest",
            "legend.frameon": False,
            "axes.prop_cycle": plt.cycler(color=[COLORS[name] for name in lines]),
        }
    )


def ink(color: ColorType, ground: ColorType = "white") -> tuple[float, ...]:
    """`color`, darkened (on a dark ground lightened) until it can be read there.

    A contrast of 4.5 : 1 (WCAG 2.2, 1.4.3).
    """
    *rgb, opaque = to_rgba(ground)
    below = luminance(opaque * np.array(rgb) + 1 - opaque)  # what shows through is white paper
    end = 0.0 if below > 0.18 else 1.0
    for share in np.linspace(1, 0, 51):
        words = share * np.array(to_rgb(color)) + (1 - share) * end
        dark, light = sorted((below, luminance(words)))
        if (light + 0.05) / (dark + 0.05) >= 4.5:
            break
    return tuple(words)


def luminance(rgb: Sequence[float] | np.ndarray) -> float:
    """Relative luminance of sRGB, from 0 (black) to 1 (white)."""
    rgb = np.asarray(rgb)
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def where() -> str:
    """The place the notebook runs in: "Colab", "Binder" or "local machine"."""
    if "COLAB_RELEASE_TAG" in os.environ:
        return "Colab"
    if "BINDER_SERVICE_HOST" in os.environ:
        return "Binder"
    return "local machine"


def device_name(device: torch.device) -> str:
    """The device as a person would name it, such as "cuda (NVIDIA H200)"."""
    if device.type == "cuda":
        return f"cuda ({torch.cuda.get_device_name(device)})"
    return str(device)
