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

STATUSES = ["passed", "failed", "not attempted"]


@dataclass
class Row:
    """What the CSV says of one submission; results maps "00.1" to (status, message)."""

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
        """The row before anything has run: exercises without a cell, or without a readable notebook, are settled."""
        lesson = submission.lesson
        row = cls(submission.name, submission.student, notes=list(submission.notes))
        if lesson:
            row.notebook, row.exercises = lesson.file.stem, list(lesson.exercises)
        if lesson and not submission.cells:
            row.give_up(f"the notebook was not run: {submission.notes[0]}.")
        elif lesson:
            checked = {step.exercise for step in submission.steps if isinstance(step, CheckStep)}
            for number in row.exercises:
                if number not in checked:
                    row.results[number] = (
                        "cell not found",
                        f"no cell defines or checks `{lesson.exercises[number]}`.",
                    )
        return row

    @property
    def passed(self) -> int:
        """How many exercises passed."""
        return sum(status == "passed" for status, _ in self.results.values())

    def __str__(self) -> str:
        passed = f"{self.passed} of {len(self.exercises)}" if self.exercises else "-"
        return (
            f"{plain(self.submission):<50} {passed:>7} {self.seconds:>7.1f} s  {plain(self.note)}"
        )

    def give_up(self, message: str) -> None:
        """Settle all exercises that have no result."""
        for number in self.exercises:
            self.results.setdefault(number, ("not run", message))

    def note_once(self, text: str) -> None:
        """Add a note unless it is there."""
        if text not in self.notes:
            self.notes.append(text)

    @property
    def note(self) -> str:
        """All notes in one line."""
        more = f" and {len(self.errors) - 3} more" if len(self.errors) > 3 else ""
        stopped = (
            [f"cells that stopped with an error: {', '.join(self.errors[:3])}{more}"]
            if self.errors
            else []
        )
        return "; ".join(self.notes + stopped)


def plain(text: str) -> str:
    """One line that every terminal and spreadsheet can show: no control characters, no halves of characters."""
    odd = ("Cc", "Cs", "Cf", "Zl", "Zp")
    text = text.translate(str.maketrans("\n\r\t", "   "))
    return "".join(
        c if unicodedata.category(c) not in odd else f"\\u{ord(c):04x}" for c in text
    ).strip()


def harmless(value: object) -> object:
    """A cell of the CSV that no spreadsheet takes for a formula."""
    if not isinstance(value, str):
        return value
    text = plain(value)
    return "'" + text if text[:1] in ("=", "+", "-", "@") else text


def name_clashes(rows: list[Row]) -> None:
    """Note where a student (names equal but for case count as one) has handed in the same notebook twice."""
    same = defaultdict(list)
    for row in rows:
        same[
            unicodedata.normalize("NFC", row.student).casefold(), row.notebook or row.submission
        ].append(row)
    for group in same.values():
        for row in group if len(group) > 1 else []:
            others = ", ".join(plain(other.submission) for other in group if other is not row)
            row.note_once(f"same student and notebook as {others}")


def write_csv(file: Path, rows: list[Row]) -> None:
    """All rows, in one step (UTF-8 with the mark that spreadsheets look for)."""
    most = max((len(row.exercises) for row in rows), default=0)
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(
        [
            "submission",
            "student",
            "notebook",
            "passed",
            "of",
            "seconds",
            "note",
            *(word for k in range(1, most + 1) for word in (f"exercise {k}", f"message {k}")),
        ]
    )
    for row in rows:
        known = bool(row.exercises)
        results = [
            word for number in row.exercises for word in row.results.get(number, ("not run", ""))
        ]
        cells = [
            row.submission,
            row.student,
            row.notebook,
            *((row.passed, len(row.exercises)) if known else ("", "")),
            row.seconds,
            row.note,
            *results,
        ]
        table.writerow([harmless(cell) for cell in cells + [""] * (7 + 2 * most - len(cells))])
    write_text(file, "\ufeff" + text.getvalue())


def summary(rows: list[Row]) -> str:
    """A table of the exercises: how many passed, failed, were not attempted, or have no result for another reason."""
    counts: dict[str, Counter] = defaultdict(Counter)
    for row in rows:
        for number in row.exercises:
            status = row.results.get(number, ("not run", ""))[0]
            counts[number][status if status in STATUSES else "other"] += 1
    names = [*STATUSES, "other"]
    table = [("exercise", names)] + [
        (number, [counts[number][name] for name in names]) for number in sorted(counts)
    ]
    return "\n".join(
        f"{first:<10}" + "".join(f"{cell:>15}" for cell in cells) for first, cells in table
    )
