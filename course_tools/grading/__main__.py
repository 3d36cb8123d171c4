"""For teachers: grade submitted notebooks, or export the course for nbgrader.

    python -m course_tools.grading grade submissions/ --csv marks.csv
    python -m course_tools.grading nbgrader source/

docs/grading.md tells more.
"""

import argparse
import contextlib
import os
import signal
import sys
import threading
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path

from course_tools.grading.grade import grade
from course_tools.grading.isolation import best_isolation
from course_tools.grading.marks import Row, name_clashes, plain, summary, write_csv
from course_tools.grading.nbgrader import export_course
from course_tools.grading.submissions import find, lessons, submission
from course_utils.files import ROOT

__all__ = ["main"]

LEAST = {"seconds": 1, "memory_mb": 500, "jobs": 1}


def main(arguments: list[str] | None = None, official: Path = ROOT / "notebooks") -> int:
    """The command line; returns the exit status."""
    what = __doc__.split("\n")[0]
    parser = argparse.ArgumentParser(prog="python -m course_tools.grading", description=what)
    tasks = parser.add_subparsers(dest="task", required=True)
    task = tasks.add_parser("grade", help="run submitted notebooks apart and write marks as CSV")
    task.add_argument("folder", type=Path, help="a folder per student, or all files side by side")
    task.add_argument("--csv", type=Path, required=True, help="the file to write")
    limit = "limit of a notebook (default %(default)s)"
    task.add_argument("--seconds", type=float, default=600, help=limit)
    task.add_argument("--memory-mb", type=int, default=3000, help=limit)
    task.add_argument("--jobs", type=int, default=1, help="notebooks at a time (default 1)")
    export = tasks.add_parser("nbgrader", help="write the course as source notebooks for nbgrader")
    export.add_argument("folder", type=Path, help="the folder `source` of an nbgrader course")
    given = parser.parse_args(arguments)
    if given.task == "grade":
        try:
            return grade_all(given, task, official)
        except KeyboardInterrupt:
            say("\nInterrupted.")
            return 130
    try:
        files = export_course(given.folder, official)
    except (OSError, ValueError) as error:
        export.error(str(error))
    say(f"{len(files)} source notebooks in {given.folder}.")
    return 0


def grade_all(given: argparse.Namespace, parser: argparse.ArgumentParser, official: Path) -> int:
    """Grade a folder; complaints about the command line come before anything runs (status 2)."""
    for name, least in LEAST.items():
        if getattr(given, name) < least:
            option = name.replace("_", "-")
            parser.error(f"--{option} {getattr(given, name):g}: at least {least} is needed.")
    if not given.folder.is_dir():
        parser.error(f"{given.folder} is not a folder. Name the folder that holds the submissions.")
    folder = given.folder.resolve()
    files, others = find(folder)
    if others:
        more = f" and {len(others) - 8} more" if len(others) > 8 else ""
        say(f"Left aside, not notebooks: {plain(', '.join(others[:8]))}{more}.")
    if not files:
        parser.error(f"{given.folder} holds no notebook (*.ipynb). Put them there, unpacked.")
    try:
        known = lessons(official)
    except ValueError as error:
        parser.error(str(error))
    submissions = [submission(file, folder, known) for file in files]
    name_clashes(submissions)
    rows = [Row.of_submission(one) for one in submissions]
    try:
        bubblewrap, said = best_isolation(folder)
        save(given.csv, rows)
    except RuntimeError as error:
        parser.error(str(error))
    except OSError as error:
        advice = "Name a file in a folder of your own."
        parser.error(f"--csv {given.csv} cannot be written ({error.strerror}). {advice}")
    say(f"{len(files)} submissions. In force: {said}.")
    saved, stop = given.csv, threading.Event()
    with ThreadPoolExecutor(given.jobs) as pool:
        limits = (bubblewrap, given.seconds, given.memory_mb, stop)
        places = {pool.submit(grade, one, folder, *limits): k for k, one in enumerate(submissions)}
        waiting = set(places)
        try:
            while waiting:  # woken each half second, else Ctrl-C may have to wait as well
                finished, waiting = wait(waiting, timeout=0.5, return_when=FIRST_COMPLETED)
                for future in finished:
                    row = rows[places[future]] = future.result()
                    saved = save(given.csv, rows)
                    say(f"{places[future] + 1:>4}  {row}".rstrip())
        except KeyboardInterrupt:
            stop.set()
            pool.shutdown(cancel_futures=True)
            saved, others = save(given.csv, rows), 'the others say "not run"'
            say(f"\nInterrupted: {saved} holds the rows finished so far; {others}.")
            return 130
    say(f"\n{summary(rows)}\n\n{saved}: {len(rows)} rows.")
    return 0


def say(text: str) -> None:
    """Print a line; what the output cannot encode by its number, and nothing once it is closed."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        print(text.encode(encoding, "backslashreplace").decode(encoding), flush=True)
    except (OSError, ValueError):  # `| head`, a full disk: the CSV is what counts
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def save(file: Path, rows: list[Row]) -> Path:
    """Write the rows, beside a file that is locked (Windows, while a spreadsheet shows it)."""
    try:
        if file.exists() and not os.access(file, os.W_OK):
            raise PermissionError(13, "locked")
        write_csv(file, rows)
    except PermissionError:
        file = file.with_stem(f"{file.stem}-new")
        write_csv(file, rows)
    return file


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # `kill` keeps rows as Ctrl-C does
    raise SystemExit(main())
