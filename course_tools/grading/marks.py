"""Rows, the CSV that spreadsheets read, and the table that shows where a class struggles."""

import csv
import io
import unicodedata
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from course_tools.grading.submissions import CheckStep, Submission
from course_utils.files import write_text

__all__ = ["Row", "name_clashes", "plain", "summary", "write_csv"]

COLUMNS = ["submission", "student", "notebook", "passed", "of", "seconds", "note"]
STATUSES = ["passed", "failed", "not attempted"]


@dataclass
class Row:
    """What the CSV says of one submission.

    results maps "00.1" to (status, message), trouble an exercise to what happened in its cell;
    errors are cells that stopped with an error.
    """

    submission: str
    student: str
    notebook: str = ""
    exercises: list[str] = field(default_factory=list)
    results: dict[str, tuple[str, str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0
    errors: list[str] = field(default_factory=list)
    trouble: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of_submission(cls, submission: Submission) -> "Row":
        """The row before anything has run: exercises that cannot be run are settled."""
        lesson = submission.lesson
        row = cls(submission.name, submission.student, notes=list(submission.notes))
        if lesson is None:
            return row
        row.notebook, row.exercises = lesson.file.stem, list(lesson.exercises)
        if not submission.cells:
            row.give_up(f"the notebook was not run: {submission.notes[0]}.")
        checked = {step.exercise for step in submission.steps if isinstance(step, CheckStep)}
        for number, name in lesson.exercises.items():
            if number not in checked:
                not_found = ("cell not found", f"no cell defines or checks `{name}`.")
                row.results.setdefault(number, not_found)
        return row

    @property
    def passed(self) -> int:
        """How many exercises passed."""
        return sum(status == "passed" for status, _ in self.results.values())

    def __str__(self) -> str:
        passed = f"{self.passed} of {len(self.exercises)}" if self.exercises else "-"
        name, note = plain(self.submission), plain(self.note)
        return f"{name:<50} {passed:>7} {self.seconds:>7.1f} s  {note}"

    def give_up(self, message: str) -> None:
        """Settle all exercises that have no result."""
        for number in self.exercises:
            self.results.setdefault(number, ("not run", message))

    def result(self, number: str) -> tuple[str, str]:
        """Status and message of an exercise."""
        return self.results.get(number, ("not run", ""))

    @property
    def note(self) -> str:
        """All notes in one line."""
        notes = list(dict.fromkeys(self.notes))  # a copy made again says the same again
        if self.errors:
            more = f" and {len(self.errors) - 3} more" if len(self.errors) > 3 else ""
            notes.append(f"cells that stopped with an error: {', '.join(self.errors[:3])}{more}")
        return "; ".join(notes)

    def columns(self) -> dict[str, object]:
        """The cells of the CSV."""
        columns = {name: getattr(self, name) for name in COLUMNS if name != "of"}
        columns["of"] = len(self.exercises)
        if not self.exercises:
            columns["passed"] = columns["of"] = ""
        for k, number in enumerate(self.exercises, 1):
            columns[f"exercise {k}"], columns[f"message {k}"] = self.result(number)
        return {name: harmless(value) for name, value in columns.items()}


def plain(text: str) -> str:
    """One line that every terminal and spreadsheet can show: other characters by their number."""
    odd = ("Cc", "Cs", "Cf", "Zl", "Zp")
    text = text.translate(str.maketrans("\n\r\t", "   "))
    shown = (f"\\u{ord(c):04x}" if unicodedata.category(c) in odd else c for c in text)
    return "".join(shown).strip()


def harmless(value: object) -> object:
    """A cell of the CSV that no spreadsheet takes for a formula."""
    if not isinstance(value, str):
        return value
    text = plain(value)
    return "'" + text if text.startswith(("=", "+", "-", "@")) else text


def name_clashes(submissions: list[Submission]) -> None:
    """Note where a student has handed in the same notebook twice (case does not count)."""
    same = defaultdict(list)
    for one in submissions:
        student = unicodedata.normalize("NFC", one.student).casefold()
        lesson = one.lesson.number if one.lesson else one.name
        same[student, one.account, lesson].append(one)
    for group in same.values():
        for one in group if len(group) > 1 else []:
            others = ", ".join(plain(other.name) for other in group if other is not one)
            one.notes.append(f"same student and notebook as {others}")


def write_csv(file: Path, rows: list[Row]) -> None:
    """All rows, in one step (UTF-8 with the mark that spreadsheets look for)."""
    most = max((len(row.exercises) for row in rows), default=0)
    exercises = [f"{word} {k}" for k in range(1, most + 1) for word in ("exercise", "message")]
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS + exercises, restval="", lineterminator="\n")
    table.writeheader()
    table.writerows(row.columns() for row in rows)
    write_text(file, "\ufeff" + text.getvalue())


def summary(rows: list[Row]) -> str:
    """A table: how many passed each exercise, failed, did not attempt it, or have no result."""
    counts: dict[str, Counter] = defaultdict(Counter)
    for row in rows:
        for number in row.exercises:
            status = row.result(number)[0]
            counts[number][status if status in STATUSES else "other"] += 1
    names = [*STATUSES, "other"]
    lines = ["exercise  " + "".join(f"{name:>15}" for name in names)]
    for number in sorted(counts):
        lines.append(f"{number:<10}" + "".join(f"{counts[number][name]:>15}" for name in names))
    return "\n".join(lines)
