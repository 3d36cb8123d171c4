"""One submission, from the copy of its folder to its row."""

import os
import shutil
import stat
import threading
import time
from pathlib import Path

from course_tools.grading.marks import Row
from course_tools.grading.sandbox import GivenUp, SandboxedProcess, Stopped
from course_tools.grading.submissions import SKIPPED, CellStep, CheckStep, Submission

__all__ = ["copy", "grade"]

COPIED = 200_000_000  # bytes of files beside a notebook
STARTS = 4  # each leaves out the cell or check that ended the process before
CELL_SHARE = 1 / 4  # of the seconds of a notebook, for one cell or check


def grade(
    submission: Submission,
    folder: Path,
    bubblewrap: str,
    seconds: float,
    megabytes: int,
    stop: threading.Event,
) -> Row:
    """Run a submission apart and judge its exercises. Never raises because of what it holds.

    It sees neither `folder`, which holds the submissions, nor the solutions of its course.
    Limits: the seconds of the whole notebook, the megabytes of all its processes.
    """
    row, lesson = Row.of_submission(submission), submission.lesson
    if lesson is None or not submission.cells:
        return row
    hidden, left_out = [folder, lesson.file.parent / "solutions"], set()
    begin, reason = time.monotonic(), ""
    for _ in range(STARTS):
        at, left = None, seconds - (time.monotonic() - begin)
        row.errors.clear()
        try:
            with SandboxedProcess(bubblewrap, hidden, left, megabytes, stop) as apart:
                copy(submission, folder, apart.work / "work", row)
                apart.ask("start", lesson=lesson.number, seconds=left, megabytes=megabytes)
                for at, step in enumerate(submission.steps):
                    if at not in left_out:
                        take(step, apart, row, seconds * CELL_SHARE)
            break
        except Stopped as stopped:
            reason = f"{stopped} before the first cell"
            if at is not None:
                reason = ended(row, submission.steps[at], str(stopped))
            row.notes.append(reason)
            settled = len(row.results) == len(row.exercises)
            if settled or at is None or isinstance(stopped, GivenUp):
                break
            left_out.add(at)
        except OSError as error:
            reason = f"its copy could not be made: {error.strerror}"
            row.notes.append(reason)
            break
    row.give_up(f"not reached: {reason}.")
    row.seconds = round(time.monotonic() - begin, 1)
    return row


def ended(row: Row, step: CellStep | CheckStep, reason: str) -> str:
    """Note what a step that ended the process means for its exercises; the reason and place."""
    if isinstance(step, CheckStep):
        row.results[step.exercise] = ("failed", f"your answer ended the run: {reason}.")
        return f"{reason} in exercise {step.exercise}"
    row.trouble |= dict.fromkeys(step.exercises, f"in its cell {reason}")
    return f"{reason} in cell {step.position}"


def take(step: CellStep | CheckStep, apart: SandboxedProcess, row: Row, seconds: float) -> None:
    """Run one cell, or judge one exercise that has no result yet."""
    seconds = min(seconds, max(apart.end - time.monotonic(), 1))
    if isinstance(step, CellStep):
        answer = apart.ask("cell", source=step.source, seconds=seconds)
        row.notes += [f"cell {step.position}: {note}" for note in answer["notes"]]
        if error := answer["error"]:
            row.errors.append(f"{step.position} ({error.split(':')[0]})")
            row.trouble |= dict.fromkeys(step.exercises, f"its cell stopped with {error}")
    elif step.exercise not in row.results:
        answer = apart.ask("check", name=step.name, seconds=seconds)
        status, message = answer["status"], answer["message"]
        if status == "not defined" and step.exercise in row.trouble:
            message = f"{message} ({row.trouble[step.exercise]})"
        row.results[step.exercise] = (status, message)


def copy(submission: Submission, folder: Path, target: Path, row: Row) -> None:
    """The notebook and the files beside it, when its folder is the student's own.

    No links, no other notebooks, no more than COPIED bytes.
    """
    room, source = COPIED, submission.file.parent

    def left_out(place: str, names: list[str]) -> set[str]:
        """The names that are not copied from a folder."""
        nonlocal room
        copied = set()
        for name in names:
            file = os.lstat(os.path.join(place, name))
            if stat.S_ISDIR(file.st_mode) and name not in SKIPPED:
                copied.add(name)
            elif stat.S_ISREG(file.st_mode) and not name.lower().endswith(".ipynb"):
                room -= file.st_size
                if room >= 0:
                    copied.add(name)
        return set(names) - copied

    if source == folder:
        target.mkdir()
    else:
        try:
            shutil.copytree(source, target, ignore=left_out, copy_function=shutil.copyfile)
        except shutil.Error as error:
            names = ", ".join(Path(file).name for file, _, _ in error.args[0])
            row.notes.append(f"beside the notebook, not readable: {names}")
        if room < 0:
            most = f"more than {COPIED / 1e6:.0f} MB"
            row.notes.append(f"{most} beside the notebook: not all of it was copied")
    shutil.copyfile(submission.file, target / submission.file.name)
