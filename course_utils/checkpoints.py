"""Weights and training states on disk that survive an interrupted kernel.

Each file is written all or nothing (`course_utils.files.atomic`).
"""
import os
import pathlib

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from course_utils.files import atomic

__all__ = ["CheckpointError", "load_state", "load_weights", "save_state", "save_weights"]


class CheckpointError(RuntimeError):
    """A file of weights or a training state is missing, damaged or of another model."""


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

    CheckpointError when the file is missing, or damaged: then it says to delete it, so
    that training starts afresh.
    """
    if not pathlib.Path(file).is_file():
        raise CheckpointError(f"{file} is not there.")
    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:
        raise CheckpointError(
            f"{file} is damaged ({type(error).__name__}). Delete it to train from the beginning."
        ) from error
