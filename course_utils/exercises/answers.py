"""Call a learner's answer: on copies of its inputs, in a known state of torch, recording calls."""

import random
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

__all__ = ["AUTOGRAD", "Mistake", "Untouched", "attempt", "copied", "described", "expect_without"]

AUTOGRAD = ("grad", "backward", "_make_dual")  # what all ways of torch to differentiate end in


class Mistake(Exception):
    """Raised inside a check; its message is what the learner reads behind ✗."""


class Untouched(Exception):
    """The stub's `raise NotImplementedError` is still there."""


def attempt(function: Any, *inputs: object) -> Any:
    """Call the learner's function on copies; failures say on which input it failed."""
    if not callable(function):
        raise Mistake(f"expected a function, your answer is a {type(function).__name__}.")
    before, settings = [copied(value) for value in inputs], global_settings()
    shown = ", ".join(described(v) for v in inputs)
    try:
        output = function(*before)
    except (Mistake, Untouched):  # of an answer that is called by an answer
        raise
    except Exception as error:
        if isinstance(error, NotImplementedError) and not error.args:
            raise Untouched from error
        said = f"your function raised {type(error).__name__} for ({shown}): {error}"
        raise Mistake(said) from error
    if output is None:
        raise Mistake("your function returned None. Is there a return at its end?")
    if not all(map(same, inputs, before)):
        raise Mistake("your function changed its input: work on a copy, z.clone() or sorted(...).")
    changed = [name for name, value in global_settings().items() if value != settings[name]]
    if changed:
        raise Mistake(f"your function changes {changed[0]} for the rest of the notebook.")
    return output


def copied(value: Any) -> Any:
    """A copy of an input: a tensor or array, or lists, tuples and dictionaries of them."""
    if isinstance(value, Tensor):
        return value.clone()
    if isinstance(value, (np.ndarray, set)):
        return value.copy()
    if isinstance(value, dict):
        return {key: copied(each) for key, each in value.items()}
    if type(value) in (list, tuple):
        return type(value)(map(copied, value))
    return value


def same(value: Any, other: Any) -> bool:
    """Whether an input is as it was, NaN included; what cannot be copied counts as unchanged."""
    if isinstance(value, Tensor):
        if not isinstance(other, Tensor) or facts(value) != facts(other):
            return False
        return bool(((value == other) | ((value != value) & (other != other))).all())
    if isinstance(value, np.ndarray):
        return isinstance(other, np.ndarray) and same(torch.tensor(value), torch.tensor(other))
    if isinstance(value, dict):
        return isinstance(other, dict) and same(list(value.items()), list(other.items()))
    if type(value) in (list, tuple):
        alike = type(other) is type(value) and len(other) == len(value)
        return alike and all(map(same, value, other))
    return not isinstance(value, (int, float, str, set)) or value == other or value != value


def facts(value: Tensor) -> tuple:
    """What must stay as it is beside the values: a gradient that was added is a change, too."""
    has_gradient = value.is_leaf and value.grad is not None
    return value.shape, value.dtype, value.requires_grad, has_gradient


def described(value: object) -> str:
    """An input in a few words: the shape of a tensor, or of each tensor of a list."""
    if isinstance(value, Tensor):
        kind = "" if value.dtype == torch.float32 else f"{value.dtype} ".removeprefix("torch.")
        return f"{kind}tensor of shape {tuple(value.shape)}"
    if isinstance(value, (list, tuple)) and value and all(isinstance(v, Tensor) for v in value):
        return "[" + ", ".join(described(v) for v in value) + "]"
    return repr(value)


class Calls(TorchFunctionMode):
    """Collects the names of the torch functions that are called inside `with`."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_function__(self, func: Callable, types: object, args=(), kwargs=None) -> object:
        self.names.add(getattr(func, "__name__", ""))
        return func(*args, **(kwargs or {}))


def expect_without(
    function: Any, *inputs: object, names: tuple[str, ...] = AUTOGRAD, advice: str
) -> None:
    """Fail if the function calls, on these inputs, torch functions that its card forbids.

    names: those that count, with all that begin like them where they end in "*"; methods and
    operators count too. AUTOGRAD stands for every way to differentiate.
    """
    with Calls() as calls:
        attempt(function, *inputs)
    exact = set(names) & calls.names
    starts = tuple(name[:-1] for name in names if name.endswith("*"))
    used = sorted(exact | {name for name in calls.names if starts and name.startswith(starts)})
    if used:
        found = "autograd" if names == AUTOGRAD else " and ".join(used)
        raise Mistake(f"the card asks for an answer without {found}: {advice}.")


def global_settings() -> dict[str, Any]:
    """What an answer must leave as it was, each with the words for it."""
    return {
        "torch's grad mode": torch.is_grad_enabled(),
        "torch's default dtype": torch.get_default_dtype(),
        "torch's default device": torch.get_default_device(),
    }


@contextmanager
def fresh_state(seed: int = 0) -> Iterator[None]:
    """Torch, NumPy and random as freshly imported and seeded; afterwards as they were."""
    settings, states = global_settings(), (np.random.get_state(), random.getstate())
    deterministic = torch.are_deterministic_algorithms_enabled()
    precision = torch.get_float32_matmul_precision()
    with ExitStack() as stack:
        for context in (
            torch.random.fork_rng(devices=[]),
            torch.inference_mode(False),
            torch.enable_grad(),
            torch.autocast("cpu", enabled=False),
            torch.autograd.set_detect_anomaly(False),
            np.errstate(all="ignore"),
            warnings.catch_warnings(),
        ):
            stack.enter_context(context)
        stack.callback(torch.use_deterministic_algorithms, deterministic)
        stack.callback(torch.set_float32_matmul_precision, precision)
        stack.callback(torch.set_default_dtype, settings["torch's default dtype"])
        stack.callback(random.setstate, states[1])
        stack.callback(np.random.set_state, states[0])
        if torch.empty(0).device.type != "cpu":  # set for good, or by a `with` that is still open
            stack.enter_context(torch.device("cpu"))
        else:
            stack.callback(torch.set_default_device, None)
        warnings.simplefilter("ignore")
        torch.use_deterministic_algorithms(False)
        torch.set_float32_matmul_precision("highest")
        torch.set_default_dtype(torch.float32)
        torch.manual_seed(seed)
        np.random.seed(seed)
        random.seed(seed)
        yield
