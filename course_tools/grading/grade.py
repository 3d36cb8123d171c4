"""One submission, from the copy of its folder to its row."""

import os
import stat
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from course_tools.grading.isolation import Isolation, SandboxedProcess, Stopped
from course_tools.grading.marks import Row, plain
from course_tools.grading.submissions import SKIPPED, CellStep, CheckStep, Submission

__all__ = ["Limits", "grade"]

COPIED = 200_000_000  # bytes of files beside a notebook
RESTARTS = 3  # each leaves out the cell or check that ended the process before
CELL_SHARE = 1 / 4  # of the seconds of a notebook, for one cell or check


@dataclass(frozen=True)
class Limits:
    """Seconds of a whole notebook; megabytes of all its processes."""

    seconds: float = 600
    megabytes: int = 3000


def grade(
    submission: Submission,
    folder: Path,
    isolation: Isolation,
    limits: Limits = Limits(),
    stop: threading.Event | None = None,
) -> Row:
    """Run a submission apart and judge its exercises. Never raises because of what it holds."""
    row = Row.of_submission(submission)
    if submission.lesson is None or not submission.cells:
        return row
    begin = time.monotonic()
    left_out: set[int] = set()
    while True:
        at, left = None, limits.seconds - (time.monotonic() - begin)
        row.errors.clear()
        try:
            with SandboxedProcess(
                isolation, hidden(submission, folder), left, limits.megabytes, stop
            ) as apart:
                copy(submission, folder, apart.work / "work", row)
                lesson, megabytes = submission.lesson.number, limits.megabytes
                apart.ask("start", lesson=lesson, folder="work", seconds=left, megabytes=megabytes)
                for at, step in enumerate(submission.steps):
                    if at not in left_out:
                        take(step, apart, row, limits)
            break
        except Stopped as stopped:
            where = f"{stopped} before the first cell"
            if at is not None:
                where = ended(row, submission.steps[at], str(stopped))
            row.note_once(where)
            settled = len(row.results) == len(row.exercises)
            if stopped.final or settled or at is None or len(left_out) == RESTARTS:
                row.give_up(f"not reached: {where}.")
                break
            left_out.add(at)
        except OSError as error:
            row.note_once(f"its copy could not be made: {error.strerror}")
            row.give_up("not run: its copy could not be made.")
            break
    row.seconds = round(time.monotonic() - begin, 1)
    return row


def ended(row: Row, step: CellStep | CheckStep, reason: str) -> str:
    """Note what a step that ended the process means for its exercises; the reason with its place."""
    if isinstance(step, CheckStep):
        row.results.setdefault(step.exercise, ("failed", f"your answer ended the run: {reason}."))
        return f"{reason} in exercise {step.exercise}"
    for number in step.exercises:
        row.trouble[number] = f"in its cell {reason}"
    return f"{reason} in cell {step.position}"


def take(step: CellStep | CheckStep, apart: SandboxedProcess, row: Row, limits: Limits) -> None:
    """Run one cell, or judge one exercise that has no result yet."""
    seconds = min(limits.seconds * CELL_SHARE, max(apart.left(), 1))
    if isinstance(step, CellStep):
        error = apart.ask("cell", source=step.source, seconds=seconds).get("error")
        if error:
            row.errors.append(f"{step.position} ({error.split(':')[0]})")
            for number in step.exercises:
                row.trouble[number] = f"its cell stopped with {error}"
        return
    if step.exercise in row.results:
        return
    answer = apart.ask("check", name=step.name, seconds=seconds)
    status, message = answer["status"], answer["message"]
    if status == "not defined" and step.exercise in row.trouble:
        message = f"{message} ({row.trouble[step.exercise]})"
    row.results[step.exercise] = (status, message)


def hidden(submission: Submission, folder: Path) -> list[Path]:
    """Folders that a submission is not to see: the submissions, and the solutions of its course."""
    return [folder, submission.lesson.file.parent / "solutions"]


def copy(submission: Submission, folder: Path, target: Path, row: Row) -> None:
    """The notebook, and the files of its folder when that is the student's own: no links, no other notebooks."""
    target.mkdir()
    source, room = submission.file.parent, COPIED
    (target / submission.file.name).write_bytes(submission.file.read_bytes())
    if source == folder:
        return
    for place, folders, files in os.walk(source):
        folders[:] = [
            name
            for name in folders
            if name not in SKIPPED and not os.path.islink(os.path.join(place, name))
        ]
        for name in files:
            file = Path(place, name)
            if name.lower().endswith(".ipynb") or not stat.S_ISREG(file.lstat().st_mode):
                continue
            room -= file.lstat().st_size
            if room < 0:
                row.note_once(
                    f"more than {COPIED / 1e6:.0f} MB beside the notebook: not all of it was copied"
                )
                return
            copied = target / file.relative_to(source)
            copied.parent.mkdir(parents=True, exist_ok=True)
            try:
                copied.write_bytes(file.read_bytes())
            except OSError as error:
                row.note_once(f"{plain(name)} beside the notebook cannot be read: {error.strerror}")
