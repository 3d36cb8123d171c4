"""What makes a check: an exercise with three outcomes, whatever the answer does."""

import functools
import sys
import sysconfig
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from course_utils.exercises.answers import (
    AUTOGRAD,
    Mistake,
    Untouched,
    attempt,
    expect_without,
    fresh_state,
)
from course_utils.exercises.comparison import (
    Mistakes,
    cases,
    expect,
    expect_answer,
    expect_close,
)

__all__ = [
    "AUTOGRAD",
    "Mistake",
    "Result",
    "attempt",
    "exercise",
    "expect",
    "expect_answer",
    "expect_close",
    "expect_without",
]

COURSE = (str(Path(__file__).resolve().parent.parent),)
PACKAGES = (
    *(str(Path(sysconfig.get_path(name)).resolve()) for name in ("stdlib", "purelib", "platlib")),
    "<frozen",
)


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
            status, message = outcome(check, answer, mistakes)
            result = Result(number, title, status, message, difficulty, minutes)
            show(result)
            return result

        checked.mistakes = mistakes or {}  # type: ignore[attr-defined]  # what wraps gives has none
        return checked

    return decorate


def outcome(
    check: Callable[[object], None], answer: object, mistakes: Mistakes = None
) -> tuple[str, str]:
    """Status and message of one answer; the learner's settings and seeds change nothing."""
    if answer is ...:
        return "not attempted", "not attempted yet."
    if answer is None:
        return "failed", "your answer is None. Did you forget to set it?"
    with fresh_state(), cases(mistakes) as compared:
        try:
            check(answer)
            message = ""
        except Untouched:
            return "not attempted", "not attempted yet."
        except Mistake as mistake:
            message = str(mistake)
        except (Exception, SystemExit) as error:  # the answer can do anything, a check never raises
            message = blamed(error)
        message = compared.verdict() or message
    return ("failed", message) if message else ("passed", "correct.")


def blamed(error: BaseException) -> str:
    """The message for an exception: the answer's, or a fault of the check."""
    said = f"{type(error).__name__}: {error}"
    if raised_by_the_learner(error):
        return f"your answer raised {said}"
    return (
        f"the check could not use your answer ({said}). If it is what the card asks for, "
        "this is a fault of the check: please report it."
    )


def show(result: Result) -> None:
    """Print a result; where the output cannot encode its mark, with a word instead."""
    try:
        print(result)
    except UnicodeEncodeError:
        encoding, text = sys.stdout.encoding, str(result)
        for mark, word in {"✓": "[passed]", "✗": "[failed]", "○": "[open]"}.items():
            text = text.replace(mark, word, 1)
        print(text.encode(encoding, "backslashreplace").decode(encoding))


def raised_by_the_learner(error: BaseException) -> bool:
    """Whether code from outside the course and its packages took part: a cell, a file."""
    known = (*COURSE, *PACKAGES)
    files = [Path(frame.filename) for frame in traceback.extract_tb(error.__traceback__)]
    paths = [str(file.resolve() if file.is_file() else file) for file in files]
    return not all(path.startswith(known) for path in paths)
