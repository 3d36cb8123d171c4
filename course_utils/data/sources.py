"""Where the data sets come from: looked for, verified, kept.

A data set is looked for in a few folders, then fetched (`course_utils.data.downloads`).
Whatever the source, the decoded arrays must have the SHA-256 written below, so that a
mirror needs no trust. `course_utils.data` turns the arrays into tensors.
"""

import hashlib
import os
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from course_utils.data.downloads import FETCHERS, LAYOUT, LAYOUT_READERS, SPLITS, Arrays
from course_utils.files import ROOT, atomic, bring_back

__all__ = ["DATA", "SPLITS", "SHA256", "DataError", "digest", "find", "read_embedded"]

DATA = ROOT / "data"

# SHA-256 of the bytes of the images, then of the labels, in the original order.
SHA256 = {
    "fashion_mnist_part": {
        "train": "cf90bcd08f00967091bab58a422a7115f09c8e38efe06121e2f40fe565edfef2",
        "test": "0a62ba09413158889c7f1e8ba43492db67098c41be02e570099f54959cc26a6f",
    },
    "fashion_mnist_full": {
        "train": "16d82e2b505296aa2b78bd5ea0992634f30419a4c97def7c907d154a35ac6157",
        "test": "9f1ec356a747bfe4ebab3cfb722d3694c9ca737e2570f6f90cf31d7b6fd689d4",
    },
    "cifar10": {
        "train": "f912919bdea371136f1aa4feed6beeca728015a5f08b1899a29c932a7e30be2b",
        "test": "8193b3fbce55bec361cd1b8fd4880cb1649832dc4d6de6da1e7a21847a4843aa",
    },
}


class DataError(RuntimeError):
    """Data that cannot be had: what is missing, what was tried, the command that mends it.

    `tried` holds (source, why it failed) in the order of the attempts.
    """

    def __init__(self, what: str, tried: list[tuple[str, str]], mend: str):
        self.what, self.tried, self.mend = what, tuple(tried), mend
        attempts = "".join(f"\n  - {source}: {reason}" for source, reason in tried)
        super().__init__(f"{what}\nTried:{attempts}\nTo mend it: {mend}")


def digest(images: np.ndarray, labels: np.ndarray) -> str:
    """SHA-256 of the bytes of the images followed by those of the labels (both uint8)."""
    sha = hashlib.sha256(np.ascontiguousarray(images, dtype=np.uint8).data)
    sha.update(np.ascontiguousarray(labels, dtype=np.uint8).data)
    return sha.hexdigest()


def _verified(name: str, split: str, arrays: Arrays) -> Arrays:
    if any(array.dtype != np.uint8 for array in arrays):
        raise ValueError(f"the {split} arrays are not uint8")
    found, expected = digest(*arrays), SHA256[name][split]
    if found != expected:
        raise ValueError(f"the {split} arrays have SHA-256 {found[:12]}..., not {expected[:12]}...")
    return arrays


def _reason(error: Exception) -> str:
    """The first line of an error, with its kind."""
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"


def read_embedded(split: str) -> Arrays:
    """The embedded Fashion-MNIST part, verified: images (N, 28, 28) and labels (N,), uint8.

    Raises `DataError` where the file is missing, truncated or changed.
    """
    name = "fashion_mnist_part"
    try:
        return _verified(name, split, _read_npz(DATA / f"{name}.npz", split))
    except Exception as error:
        raise DataError(
            f"data/{name}.npz cannot be used.",
            [(f"data/{name}.npz", _reason(error))],
            bring_back(f"data/{name}.npz"),
        ) from error


def _read_npz(path: Path, split: str) -> Arrays:
    with open(path, "rb") as file, np.load(file) as arrays:
        return arrays[f"{split}_images"], arrays[f"{split}_labels"]


def find(name: str, split: str) -> tuple[np.ndarray, np.ndarray, str]:
    """Images, labels (uint8) and the source of "cifar10" or "fashion_mnist_full".

    Folders first, then the network; what was fetched is kept for the next time, in place of a
    damaged file. A damaged file is reported by a warning.
    Raises `DataError` where no source has the data.
    """
    tried = [] if os.environ.get("COURSE_DATA") else [("$COURSE_DATA", "not set")]
    for where, folder, read in _places(name):
        try:
            return *_verified(name, split, read(split)), where
        except (FileNotFoundError, NotADirectoryError):
            tried.append((_whole(where, folder), "not there"))
        except Exception as error:
            tried.append((_whole(where, folder), f"cannot be used, {_reason(error)}"))
            warnings.warn(f"{tried[-1][0]} {tried[-1][1]}; looking further.", stacklevel=3)
    for where, fetch in FETCHERS[name].items():
        try:
            splits = {each: _verified(name, each, pair) for each, pair in fetch().items()}
        except Exception as error:
            tried.append((where, _reason(error)))
        else:
            keep(name, splits)
            return *splits[split], where
    raise DataError(
        f"{name} is not on this machine and could not be fetched.",
        tried,
        f'with a network connection, run\n    python -c "from course_utils.data import load; '
        f"load('{name}')\"\nor copy torchvision's folder ({LAYOUT[name]}/) into data/, or into a "
        "folder named by the variable COURSE_DATA.",
    )


def folders() -> dict[str, Path]:
    """The folders where a whole data set may lie or be kept, best first, by their label.

    A relative COURSE_DATA counts from the folder of the course, wherever a kernel runs.
    """
    given = os.environ.get("COURSE_DATA")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))
    return {
        **({"$COURSE_DATA": ROOT / os.path.expanduser(given)} if given else {}),
        "data/downloads": DATA / "downloads",
        "the user's cache": cache / "sparse-course",
    }


def _places(name: str) -> Iterator[tuple[str, Path, Callable[[str], Arrays]]]:
    """Each place to look in, as (label, folder, function that reads a split)."""
    known = folders()
    first = {label: known.pop(label) for label in list(known) if label == "$COURSE_DATA"}
    for label, folder in {**first, "data": DATA, **known}.items():
        path = folder / f"{name}.npz"
        yield f"{path.name} in {label}", folder, partial(_read_npz, path)
        yield f"{LAYOUT[name]}/ in {label}", folder, partial(LAYOUT_READERS[name], folder)


def keep(name: str, splits: dict[str, Arrays]) -> None:
    """Write the verified arrays to the first folder that takes them, or warn why none does.

    A folder that COURSE_DATA names and that does not take them is named in any case.
    """
    arrays: dict[str, Any] = {}
    for split, (images, labels) in splits.items():
        arrays |= {f"{split}_images": images, f"{split}_labels": labels}
    failures = []
    for label, folder in folders().items():
        try:
            with atomic(folder / f"{name}.npz") as part, open(part, "wb") as file:
                np.savez(file, **arrays)
        except OSError as error:
            failures.append(f"{_whole(label, folder)}: {error.strerror or error}")
            continue
        if os.environ.get("COURSE_DATA") and failures:
            warnings.warn(f"{name} is kept in {label} ({failures[0]}).", stacklevel=4)
        return
    megabytes = sum(array.nbytes for array in arrays.values()) / 1e6
    warnings.warn(
        f"{name} is loaded, but it could not be kept and will be fetched again next time "
        f"({'; '.join(failures)}). Free {megabytes:.0f} MB, or set COURSE_DATA to a folder that "
        "can be written to.",
        stacklevel=4,
    )


def _whole(label: str, folder: Path) -> str:
    """A label with the folder that a reader's variable stands for."""
    return f"{label} ({folder})" if "COURSE_DATA" in label else label
