"""Weights and training states on disk that survive an interrupted kernel.

Every file is written beside its final name and then renamed, so that a reader finds the
old file or the new one and never half of one.
"""
import contextlib
import hashlib
import os
import pathlib
from collections.abc import Iterator

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

__all__ = ["CheckpointError", "load_state", "load_weights", "save_state", "save_weights", "sha256"]


class CheckpointError(RuntimeError):
    """A file of weights or a training state is missing, damaged or of another model."""


@contextlib.contextmanager
def atomic(file: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Give a temporary path in the folder of `file`; rename it to `file` at a clean end."""
    file = pathlib.Path(file)
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f"{file.name}.{os.getpid()}.part")
    try:
        yield part
        os.replace(part, file)
    finally:
        part.unlink(missing_ok=True)


def save_weights(tensors: dict[str, Tensor], file: str | os.PathLike) -> None:
    """Write named tensors (such as model.state_dict()) as safetensors: data only, no code."""
    with atomic(file) as part:
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, part)


def load_weights(file: str | os.PathLike, mend: str = "git checkout -- data/pretrained") -> dict[str, Tensor]:
    """Read what `save_weights` wrote. CheckpointError names the file and the command `mend`."""
    file = pathlib.Path(file)
    if not file.is_file():
        raise CheckpointError(f"{file} is not there. Run: {mend}")
    try:
        return load_file(file)
    except (SafetensorError, ValueError) as error:
        raise CheckpointError(f"{file} is damaged ({error}). Run: {mend}") from error


def save_state(state: dict, file: str | os.PathLike) -> None:
    """Write a training state (state_dicts, generator states, history) with torch.save."""
    with atomic(file) as part:
        torch.save(state, part)


def load_state(file: str | os.PathLike) -> dict:
    """Read what `save_state` wrote, tensors and plain values only.

    CheckpointError says to delete a damaged file, so that training starts afresh.
    """
    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:
        raise CheckpointError(
            f"{file} is damaged ({type(error).__name__}). Delete it to train from the beginning."
        ) from error


def sha256(file: str | os.PathLike) -> str:
    """SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(pathlib.Path(file).read_bytes()).hexdigest()
