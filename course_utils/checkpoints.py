"""Weights and training states on disk that survive an interrupted kernel.

Each file is written all or nothing (`course_utils.files.atomic`).
"""

import os
import pathlib
import tempfile
import zipfile
from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from course_utils.files import atomic

__all__ = [
    "Checkpoint",
    "CheckpointError",
    "load_state",
    "load_weights",
    "save_state",
    "save_weights",
]


class CheckpointError(RuntimeError):
    """A file of weights or a training state is missing, damaged or of another model."""


@dataclass(frozen=True)
class Checkpoint:
    """The file of a training state, and the settings that a run must share to go on from it.

    Can be given wherever the path of a checkpoint can. settings: plain values by name, such as
    {"seed": 0, "batch": 64}; they are stored in the file, and others are refused by name. NumPy's
    numbers and arrays become Python's; paths, dtypes and devices words. TypeError for others.
    """

    file: str | os.PathLike
    settings: dict = field(default_factory=dict)

    def __post_init__(self) -> None:
        settings = plain(self.settings, "settings")
        for name, value in settings.items():
            if isinstance(value, Tensor):
                settings = settings | {name: value.tolist()}
            elif isinstance(value, (torch.dtype, torch.device)):
                settings = settings | {name: str(value)}
        object.__setattr__(self, "settings", settings)

    def __fspath__(self) -> str:
        return os.fspath(self.file)

    def __str__(self) -> str:
        return os.fspath(self.file)


def save_weights(tensors: dict[str, Tensor], file: str | os.PathLike) -> None:
    """Write named tensors (such as model.state_dict()) as safetensors: data only, no code."""
    ready = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    with atomic(file) as part:
        try:
            save_file(ready, part)
        except SafetensorError as error:
            raise CheckpointError(f"{file} could not be written ({error}).") from error


def load_weights(
    file: str | os.PathLike, mend: str = "Save the weights again."
) -> dict[str, Tensor]:
    """Read what `save_weights` wrote. CheckpointError names the file and the advice `mend`."""
    file = pathlib.Path(file)
    if not file.is_file():
        what = "is a folder" if file.is_dir() else "is not there"
        raise CheckpointError(f"{file} {what}. {mend}")
    try:
        return load_file(file)
    except (SafetensorError, ValueError) as error:
        raise CheckpointError(f"{file} is damaged ({error}). {mend}") from error


def save_state(state: dict, file: str | os.PathLike) -> None:
    """Write a training state (state_dicts, random state, history), and a Checkpoint's settings."""
    if isinstance(file, Checkpoint):
        state = state | {"settings": file.settings}
    state = plain(state, "state")
    with atomic(file) as part:
        try:
            torch.save(state, part)
        except RuntimeError as error:  # what torch makes of a full disk
            raise CheckpointError(f"{file} could not be written; is the disk full?") from error


def plain(value: Any, name: str) -> Any:
    """The value as `load_state` can read it; TypeError that names a part that it could not."""
    if value is None or type(value) in (bool, int, float, complex, str, bytes):
        return value
    if isinstance(value, (Tensor, torch.Size, torch.dtype, torch.device)):
        return value
    if isinstance(value, (np.generic, np.ndarray)):
        return plain(value.tolist(), name)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, dict):
        content = {key: plain(part, f"{name}[{key!r}]") for key, part in value.items()}
        same = type(value) in (dict, OrderedDict, Counter)  # with what else they carry
        return value if same and all(content[key] is value[key] for key in value) else content
    if isinstance(value, (list, tuple)):
        parts = [plain(part, f"{name}[{place}]") for place, part in enumerate(value)]
        return parts if isinstance(value, list) else tuple(parts)
    raise TypeError(
        f"{name} is a {type(value).__name__}; expected numbers, words, tensors, and lists or dicts "
        "of them: make one of it, as in str(...) or list(...)."
    )


def check_writable(file: str | os.PathLike) -> None:
    """CheckpointError, before the first epoch, where `save_state` could not write."""
    path = pathlib.Path(file)
    if path.is_dir():
        raise CheckpointError(f"{file} is a folder; expected a file: give {path / 'state.pt'}.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path.parent).close()
    except OSError as error:
        raise CheckpointError(
            f"{file} cannot be written ({error}): give another folder."
        ) from error


def load_state(file: str | os.PathLike) -> dict:
    """Read what `save_state` wrote, tensors and plain values only.

    CheckpointError when the file is missing, damaged, or whole but not readable by this PyTorch,
    and when the settings of a Checkpoint are not those in the file: it names each with both values.
    """
    if not pathlib.Path(file).is_file():
        what = "is a folder" if pathlib.Path(file).is_dir() else "is not there"
        raise CheckpointError(f"{file} {what}; expected the file of a training state.")
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    except (MemoryError, PermissionError):  # says nothing about the file
        raise
    except Exception as error:
        if damaged(file):
            what = f"is damaged, or no training state ({type(error).__name__}). "
            what += "Delete it to train from the beginning, or give another name."
        else:
            what = (
                f"is whole, but torch {torch.__version__} could not load it ({error!r}). "
                "Load it with the version that wrote it, or free memory and try again."
            )
        raise CheckpointError(f"{file} {what}") from error
    if not isinstance(state, dict):
        raise CheckpointError(
            f"{file} holds a {type(state).__name__}, not a training state: give another name."
        )
    if isinstance(file, Checkpoint):
        check_settings(file, state.get("settings", {}))
    return state


def damaged(file: str | os.PathLike) -> bool:
    """Whether the archive that torch.save has written is cut off or changed, by its checksums."""
    try:
        with zipfile.ZipFile(file) as archive:
            return archive.testzip() is not None
    except (zipfile.BadZipFile, EOFError, ValueError):
        return True


def check_settings(checkpoint: Checkpoint, stored: dict) -> None:
    """CheckpointError that names the settings in which checkpoint and file differ."""
    other = []
    for name in sorted(stored.keys() | checkpoint.settings.keys()):
        then, now = (each.get(name, "not there") for each in (stored, checkpoint.settings))
        if then != now:
            other.append(f"{name} was {then!r} and is {now!r}")
    if other:
        raise CheckpointError(
            f"{checkpoint} belongs to other settings: {', '.join(other)}. "
            "Go on with the settings it was made with, or delete it to train from the beginning."
        )
