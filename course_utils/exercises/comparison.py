"""Compare answers with a reference; a mistake is named only if it explains every case tried."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from course_utils.exercises.answers import Mistake, attempt, copied, described

__all__ = ["Mistakes", "cases", "expect", "expect_answer", "expect_close"]

Mistakes = Mapping[str, Callable] | None  # {message: function that makes the mistake}


@dataclass
class Case:
    """One comparison: the difference in words, "" where there is none."""

    output: object
    expected: Tensor
    tolerance: float
    difference: str
    mistakes: list[str]  # those that give the output as well


@dataclass
class Cases:
    """The comparisons of one check, and the mistakes that its exercise names."""

    mistakes: Mapping[str, Callable]
    tried: list[Case] = field(default_factory=list)
    excluded: set[str] = field(default_factory=set)  # mistakes that a case contradicts

    def add(self, case: Case, mistakes: Mapping[str, Callable]) -> None:
        """Keep a case; a mistake that gives something else than the output is excluded."""
        for text, mistake in mistakes.items():
            if text not in self.excluded and gives(mistake, case):
                case.mistakes.append(text)
            else:
                self.excluded.add(text)
        self.tried.append(case)

    def verdict(self) -> str:
        """The mistake that explains all cases, else how the first failure differs; "" for none."""
        failures = [case for case in self.tried if case.difference]
        if not failures:
            return ""
        for text in failures[0].mistakes:
            if text not in self.excluded and all(text in case.mistakes for case in failures):
                return text
        hint = pattern(failures)
        if not hint and len(failures) < len(self.tried):
            hint = f"{len(self.tried) - len(failures)} of {len(self.tried)} comparisons agree"
        return failures[0].difference + (f" In detail: {hint}." if hint else "")


def gives(mistake: Callable, case: Case) -> bool:
    """Whether a mistake gives the output of a case, as it may where both are right."""
    try:
        with torch.random.fork_rng(devices=[]):
            made = as_tensor(mistake(), case.expected)
    except Exception:  # a mistake need not be able to do every case
        return False
    if not (isinstance(case.output, Tensor) and isinstance(made, Tensor)):
        return False
    return agree(case.output, made, case.tolerance)


def as_tensor(output: Any, expected: Tensor) -> Any:
    """A number as a tensor; where one number is expected, a tensor of one entry has no axis."""
    if isinstance(output, Real) and not isinstance(output, bool):
        output = torch.tensor(float(output), dtype=torch.float64)
    if isinstance(output, Tensor) and expected.ndim == 0 and output.numel() == 1:
        output = output.reshape(())
    return output


RUNNING: list[Cases] = []  # of the check that is running, innermost last


@contextmanager
def cases(mistakes: Mistakes = None) -> Iterator[Cases]:
    """Collect the comparisons inside `with` instead of stopping at the first that fails."""
    RUNNING.append(Cases(mistakes or {}))
    try:
        yield RUNNING[-1]
    finally:
        RUNNING.pop()


def pattern(failures: list[Case]) -> str:
    """What is true of all failures: a sign, a factor, a constant, or only some rows are right."""
    pairs = [(c.output, c.expected) for c in failures if isinstance(c.output, Tensor)]
    if len(pairs) < len(failures):
        return ""
    if all(a.ndim > 1 and agree(a.mT, b, 1e-4) for a, b in pairs):
        return "it is the transpose of the right result"
    if any(a.shape != b.shape for a, b in pairs):
        return ""
    a, b = (torch.cat([part.detach().double().flatten() for part in side]) for side in zip(*pairs))
    if len(a) > 2 and torch.isfinite(a).all() and torch.isfinite(b).all():
        factor, shift = float(a @ b / (b @ b)), float((a - b).mean())
        if agree(a, factor * b, 1e-4) and abs(factor) > 1e-3:
            kind = "the negative of" if abs(factor + 1) < 1e-3 else f"{factor:.4g} times"
            return f"it is {kind} the right result"
        if agree(a, b + shift, 1e-4):
            return f"it differs by {shift:.4g} everywhere"
    output, expected = pairs[0]
    rows = zip(output, expected) if output.ndim else ()
    right = [agree(x, y, failures[0].tolerance) for x, y in rows]
    if 0 < sum(right) < len(right):
        count, wrong = f"{sum(right)} of {len(right)} entries", right.index(False)
        return f"along the first axis {count} are right; entry {wrong} is not"
    return ""


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

    A second call must give the same. `mistakes` maps the text of a known mistake to a function
    that makes it; one that explains all cases of the check is named (default: the mistakes of the
    exercise). A reference that returns a tuple is compared part by part; `what` names the parts.
    """

    def called(function: Callable) -> Callable:
        return lambda: function(*map(copied, inputs))

    output = attempt(answer, *inputs)
    kept, again = copied(output), attempt(answer, *inputs)
    expected, names = called(reference)(), tuple(what or ())
    if mistakes is None and RUNNING:
        mistakes = RUNNING[-1].mistakes
    wrong = {text: called(mistake) for text, mistake in (mistakes or {}).items()}
    if not isinstance(expected, tuple):
        shown = f"the result for ({', '.join(map(described, inputs))})"
        expect_close(kept, expected, wrong, str(what or shown), tolerance)
        expect_repeatable(kept, again)
        return output
    if not isinstance(output, (tuple, list)) or len(output) != len(expected):
        raise Mistake(f"return {len(expected)} things: {', '.join(names)}.")
    for i, name in enumerate(names):
        part = {text: (lambda make=make, i=i: make()[i]) for text, make in wrong.items()}
        expect_close(kept[i], expected[i], part, name, tolerance)
        expect_repeatable(kept[i], again[i])
    return output


def expect_repeatable(first: object, again: object) -> None:
    """Fail if two calls with the same inputs gave different numbers."""
    if isinstance(first, (Tensor, Real)) and isinstance(again, (Tensor, Real)):
        equal = agree(torch.as_tensor(first), torch.as_tensor(again), 1e-6)
        expect(equal, "a second call with the same inputs gives another result.")


def expect_close(
    output: object,
    expected: Tensor | float,
    mistakes: Mistakes = None,
    what: str = "the result",
    tolerance: float = 1e-4,
) -> None:
    """Fail unless `output` equals `expected`; a number may come as a tensor with one entry.

    `mistakes` maps the text of a known mistake to a function that computes its result. Within a
    check the verdict waits for the other cases (`cases`).
    """
    expected = torch.as_tensor(expected)
    output = as_tensor(output, expected)
    difference = compared(output, expected, what, tolerance)
    case = Case(output, expected, tolerance, difference, [])
    collected = RUNNING[-1] if RUNNING else Cases({})
    collected.add(case, mistakes or {})
    if not RUNNING and difference:
        raise Mistake(collected.verdict())


def compared(output: object, expected: Tensor, what: str, tolerance: float) -> str:
    """How an output differs from what is expected, in words; "" if it does not."""
    wanted = f"a torch tensor of shape {tuple(expected.shape)}" if expected.ndim else "one number"
    if not isinstance(output, Tensor):
        return f"{what} is a {type(output).__name__}; expected {wanted}."
    if agree(output, expected, tolerance):
        return ""
    if output.shape != expected.shape:
        return f"{what} has shape {tuple(output.shape)}; expected {wanted}."
    if output.isnan().any() and not expected.isnan().any():
        return f"{what} holds NaN: look for 0/0, log(0) or the root of a negative number."
    gap = (output.double() - expected.double()).abs().nan_to_num(nan=float("inf"))
    if gap.ndim == 0:
        return f"{what} is {output.item():.6g}; expected {expected.item():.6g}."
    at = tuple(int(i) for i in torch.unravel_index(gap.argmax(), gap.shape))
    place = f"at {list(at)} it is {output[at].item():.4g} instead of {expected[at].item():.4g}"
    return f"{what} differs from the reference by up to {gap.max().item():.3g}: {place}."


def agree(a: Tensor, b: Tensor, tolerance: float) -> bool:
    """Equal in shape, and in value up to `tolerance`, absolute and relative; NaN equals NaN."""
    return a.shape == b.shape and torch.allclose(
        a.detach().double(), b.detach().double(), rtol=tolerance, atol=tolerance, equal_nan=True
    )
