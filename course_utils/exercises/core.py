"""What all checks share: the three outcomes, and comparisons that name a mistake."""

import functools
import sysconfig
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

__all__ = ["Mistake", "Result", "attempt", "exercise", "expect", "expect_answer", "expect_close"]

COURSE = (str(Path(__file__).resolve().parent.parent),)
PACKAGES = (
    *(str(Path(sysconfig.get_path(name)).resolve()) for name in ("stdlib", "purelib", "platlib")),
    "<frozen",
)

Mistakes = Mapping[str, Callable] | None  # {message: function that makes the mistake}


class Mistake(Exception):
    """Raised inside a check; its message is what the learner reads behind ✗."""


class Untouched(Exception):
    """The stub's `raise NotImplementedError` is still there."""


@dataclass(frozen=True)
class Result:
    """Outcome of one exercise; status is "passed", "failed" or "not attempted"."""

    exercise: str
    title: str
    status: str
    message: str
    difficulty: int
    minutes: int

    def __str__(self) -> str:
        mark = {"passed": "✓", "failed": "✗", "not attempted": "○"}[self.status]
        return f"{mark} Exercise {self.exercise} ({self.title}): {self.message}"

    def _ipython_display_(self) -> None:
        """Nothing: the check has printed the result already."""


def exercise(
    number: str, title: str, difficulty: int, minutes: int, mistakes: Mistakes = None
) -> Callable:
    """Turn a function that raises Mistake into a check that prints and returns a Result.

    An answer that is `...`, or a function that raises a bare NotImplementedError (torch's own have
    a message), was not attempted. None, NaN, a wrong type and an exception in the answer are
    failures with a message of their own. difficulty is 1 to 3 stars, minutes the time to plan.
    mistakes: {message: wrong answer} that the check names, for `expect_answer` and for the tests.
    """

    def decorate(check: Callable[[Any], None]) -> Callable[[Any], Result]:
        @functools.wraps(check)
        def checked(answer: Any) -> Result:
            status, message = outcome(check, answer)
            result = Result(number, title, status, message, difficulty, minutes)
            print(result)
            return result

        checked.mistakes = mistakes or {}  # type: ignore[attr-defined]  # what wraps gives has none
        return checked

    return decorate


def outcome(check: Callable[[object], None], answer: object) -> tuple[str, str]:
    """Status and message of one answer."""
    if answer is ...:
        return "not attempted", "not attempted yet."
    if answer is None:
        return "failed", "your answer is None. Did you forget to set it?"
    try:
        with torch.random.fork_rng(devices=[]):  # checks draw random inputs of their own
            torch.manual_seed(0)
            check(answer)
    except Untouched:
        return "not attempted", "not attempted yet."
    except Mistake as mistake:
        return "failed", str(mistake)
    except Exception as error:  # the answer can do anything, a check never raises
        said = f"{type(error).__name__}: {error}"
        if raised_by_the_learner(error):
            return "failed", f"your answer raised {said}"
        return "failed", (
            f"the check could not use your answer ({said}). If it is what the card asks for, "
            "this is a fault of the check: please report it."
        )
    return "passed", "correct."


def raised_by_the_learner(error: BaseException) -> bool:
    """Whether code from outside the course and its packages took part: a cell, a file."""
    known = (*COURSE, *PACKAGES)
    files = [Path(frame.filename) for frame in traceback.extract_tb(error.__traceback__)]
    paths = [str(file.resolve() if file.is_file() else file) for file in files]
    return not all(path.startswith(known) for path in paths)


def attempt(function: Any, *inputs: object) -> Any:
    """Call the learner's function on copies; failures say on which input it failed."""
    if not callable(function):
        raise Mistake(f"expected a function, your answer is a {type(function).__name__}.")
    before = [copied(value) for value in inputs]
    shown = ", ".join(described(v) for v in inputs)
    try:
        output = function(*before)
    except Exception as error:
        if isinstance(error, NotImplementedError) and not error.args:
            raise Untouched from error
        said = f"your function raised {type(error).__name__} for ({shown}): {error}"
        raise Mistake(said) from error
    if output is None:
        raise Mistake("your function returned None. Is there a return at its end?")
    if not all(map(same, inputs, before)):
        raise Mistake("your function changed its input: work on a copy, z.clone() or sorted(...).")
    return output


def copied(value: Any) -> Any:
    """A copy of an input: a tensor, or lists, tuples and dictionaries of tensors."""
    if isinstance(value, Tensor):
        return value.clone()
    if isinstance(value, dict):
        return {key: copied(each) for key, each in value.items()}
    if type(value) in (list, tuple):
        return type(value)(map(copied, value))
    return value


def same(value: Any, other: Any) -> bool:
    """Whether an input is as it was, NaN included; what cannot be copied counts as unchanged."""
    if isinstance(value, Tensor):
        if not isinstance(other, Tensor) or value.shape != other.shape:
            return False
        return bool(((value == other) | ((value != value) & (other != other))).all())
    if isinstance(value, dict):
        return isinstance(other, dict) and same(list(value.items()), list(other.items()))
    if type(value) in (list, tuple):
        alike = type(other) is type(value) and len(other) == len(value)
        return alike and all(map(same, value, other))
    return not isinstance(value, (int, float, str)) or value == other or value != value


def described(value: object) -> str:
    """An input in a few words: the shape of a tensor, or of each tensor of a list."""
    if isinstance(value, Tensor):
        return f"tensor of shape {tuple(value.shape)}"
    if isinstance(value, (list, tuple)) and value and all(isinstance(v, Tensor) for v in value):
        return "[" + ", ".join(described(v) for v in value) + "]"
    return repr(value)


def expect(condition: bool | Tensor, mistake: str) -> None:
    """Fail with `mistake` unless the condition holds."""
    if not condition:
        raise Mistake(mistake)


def expect_answer(
    answer: Any,
    reference: Callable,
    *inputs: object,
    mistakes: Mistakes = None,
    what: str | tuple[str, ...] | None = None,
    tolerance: float = 1e-4,
) -> Any:
    """Fail unless the learner's function gives what `reference` gives for these inputs; its result.

    `mistakes` maps the text of a known mistake to a function that makes it: the first one that
    agrees with the answer is named. A reference that returns a tuple is compared part by part;
    `what` then names the parts.
    """

    def called(function: Callable) -> Callable:
        return lambda: function(*map(copied, inputs))

    output, expected = attempt(answer, *inputs), called(reference)()
    wrong = {text: called(mistake) for text, mistake in (mistakes or {}).items()}
    if not isinstance(expected, tuple):
        shown = f"the result for ({', '.join(map(described, inputs))})"
        expect_close(output, expected, wrong, str(what or shown), tolerance)
        return output
    names = tuple(what or ())
    if not isinstance(output, (tuple, list)) or len(output) != len(expected):
        raise Mistake(f"return {len(expected)} things: {', '.join(names)}.")
    for i, name in enumerate(names):
        part = {text: (lambda make=make, i=i: make()[i]) for text, make in wrong.items()}
        expect_close(output[i], expected[i], part, name, tolerance)
    return output


def expect_close(
    output: object,
    expected: Tensor | float,
    mistakes: Mistakes = None,
    what: str = "the result",
    tolerance: float = 1e-4,
) -> None:
    """Fail unless `output` equals `expected`; a number may come as a tensor with one entry.

    `mistakes` maps the text of a known mistake to a function that computes its result: the first
    that agrees with the output is named. Otherwise type, shape and NaN get messages of their own.
    """
    expected = torch.as_tensor(expected)
    wanted = f"a torch tensor of shape {tuple(expected.shape)}" if expected.ndim else "one number"
    if isinstance(output, Real) and not isinstance(output, bool):
        output = torch.tensor(float(output))
    if not isinstance(output, Tensor):
        raise Mistake(f"{what} is a {type(output).__name__}; expected {wanted}.")
    if expected.ndim == 0 and output.numel() == 1:
        output = output.reshape(())
    if agree(output, expected, tolerance):
        return
    for text, mistake in (mistakes or {}).items():
        if agree(output, torch.as_tensor(mistake()), tolerance):
            raise Mistake(text)
    if output.shape != expected.shape:
        raise Mistake(f"{what} has shape {tuple(output.shape)}; expected {wanted}.")
    if output.isnan().any():
        raise Mistake(f"{what} holds NaN: look for 0/0, log(0) or the root of a negative number.")
    gap = (output.double() - expected.double()).abs().max().item()
    raise Mistake(f"{what} differs from the reference by up to {gap:.3g}.")


def agree(a: Tensor, b: Tensor, tolerance: float) -> bool:
    """Equal in shape, and in value up to `tolerance`, absolute and relative; NaN equals NaN."""
    return a.shape == b.shape and torch.allclose(
        a.double(), b.double(), rtol=tolerance, atol=tolerance, equal_nan=True
    )
