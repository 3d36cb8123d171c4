"""Checks of what a caller gives: each error says what was given, expected, and to be done."""

from collections.abc import Sequence

import numpy as np
import torch

__all__ = ["generator", "known", "whole_number"]


def known(kind: str, name: str, names: Sequence[str]) -> None:
    """Raise ValueError, with the list of the known names, unless the name is one of them."""
    if name not in names:
        raise ValueError(f"The {kind} {name!r} is unknown; choose one of {', '.join(names)}.")


def whole_number(what: str, value: int, at_least: int = 0, at_most: int | None = None) -> int:
    """The value as an int; ValueError unless it is a whole number within the limits."""
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not whole or value < at_least or (at_most is not None and value > at_most):
        limits = f"of at least {at_least}" if at_most is None else f"from {at_least} to {at_most}"
        raise ValueError(f"{what} is {value!r}; expected a whole number {limits}: change {what}.")
    return int(value)


def generator(seed: int) -> torch.Generator:
    """A seeded generator on the CPU, whose numbers are the same whatever the device."""
    return torch.Generator().manual_seed(whole_number("seed", seed))
