"""For teachers: grade submitted notebooks, or export the course for nbgrader.

    python -m course_tools.grading grade submissions/ --csv marks.csv
    python -m course_tools.grading nbgrader source/

docs/grading.md tells more.
"""

import argparse
import os
import signal
import tempfile
import threading
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path

from course_utils.files import ROOT

__all__ = ["main"]


def main(arguments: list[str] | None = None, official: Path = ROOT / "notebooks") -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m course_tools.grading", description=__doc__.split("\n")[0]
    )
    tasks = parser.add_subparsers(dest="task", required=True)
    grading = tasks.add_parser("grade", help="run submitted notebooks apart and write marks as CSV")
    grading.add_argument(
        "folder", type=Path, help="a folder per student, or all files side by side"
    )
    grading.add_argument("--csv", type=Path, required=True, help="the file to write")
    grading.add_argument(
        "--seconds", type=float, default=600, help="limit of a notebook (default 600)"
    )
    grading.add_argument(
        "--memory-mb", type=int, default=3000, help="limit of a notebook (default 3000)"
    )
    grading.add_argument("--jobs", type=int, default=1, help="notebooks at a time (default 1)")
    export = tasks.add_parser("nbgrader", help="write the course as source notebooks for nbgrader")
    export.add_argument("folder", type=Path, help="the folder `source` of an nbgrader course")
    given = parser.parse_args(arguments)
    if given.task == "nbgrader":
        from course_tools.grading.nbgrader import export_course

        try:
            files = export_course(given.folder, official)
        except (OSError, ValueError) as error:
            export.error(str(error))
        print(f"{len(files)} source notebooks in {given.folder}.")
        return 0
    return grade_all(given, grading, official)


def grade_all(given: argparse.Namespace, parser: argparse.ArgumentParser, official: Path) -> int:
    """Grade a folder; complaints about the command line end with exit status 2 before anything runs."""
    from course_tools.grading.grade import Limits, grade
    from course_tools.grading.isolation import best_isolation
    from course_tools.grading.marks import Row, name_clashes, plain, summary
    from course_tools.grading.submissions import find, lessons, submission

    for name, least in (("seconds", 1), ("memory_mb", 500), ("jobs", 1)):
        if getattr(given, name) < least:
            parser.error(
                f"--{name.replace('_', '-')} {getattr(given, name):g}: at least {least} is needed."
            )
    if not given.folder.is_dir():
        parser.error(f"{given.folder} is not a folder. Name the folder that holds the submissions.")
    if problem := cannot_write(given.csv):
        parser.error(problem)
    folder = given.folder.resolve()
    files, others = find(folder)
    if others:
        more = f" and {len(others) - 8} more" if len(others) > 8 else ""
        print(f"Left aside, not notebooks: {plain(', '.join(others[:8]))}{more}.")
    if not files:
        parser.error(
            f"{given.folder} holds no notebook (*.ipynb). Put the submissions there, unpacked."
        )
    known = lessons(official)
    submissions = [submission(file, folder, known) for file in files]
    rows = [Row.of_submission(one) for one in submissions]
    try:
        isolation = best_isolation(folder)
    except RuntimeError as error:
        parser.error(str(error))
    print(f"{len(files)} submissions. In force: {isolation.said}.", flush=True)
    limits, stop = Limits(given.seconds, given.memory_mb), threading.Event()
    with ThreadPoolExecutor(given.jobs) as pool:
        places = {
            pool.submit(grade, one, folder, isolation, limits, stop): k
            for k, one in enumerate(submissions)
        }
        waiting, saved = set(places), save(given.csv, rows)
        try:
            while waiting:  # woken each half second, else Ctrl-C may have to wait as well
                finished, waiting = wait(waiting, timeout=0.5, return_when=FIRST_COMPLETED)
                for future in finished:
                    row = rows[places[future]] = future.result()
                    name_clashes(rows)
                    saved = save(given.csv, rows)
                    print(f"{places[future] + 1:>4}  {row}".rstrip(), flush=True)
        except KeyboardInterrupt:
            stop.set()
            pool.shutdown(cancel_futures=True)
            saved = save(given.csv, rows)
            print(
                f'\nInterrupted: {saved} holds the rows finished so far; the others say "not run".'
            )
            return 130
    print(f"\n{summary(rows)}\n\n{saved}: {len(rows)} rows.")
    return 0


def save(file: Path, rows: list) -> Path:
    """Write the rows, to a file beside it when this one is locked (Windows, while a spreadsheet shows it)."""
    from course_tools.grading.marks import write_csv

    try:
        write_csv(file, rows)
    except PermissionError:
        file = file.with_stem(f"{file.stem}-new")
        write_csv(file, rows)
    return file


def cannot_write(file: Path) -> str:
    """Why the CSV cannot be written, "" when it can."""
    if file.is_dir():
        return f"--csv {file} is a folder. Name a file, such as {file / 'marks.csv'}."
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=file.parent):
            pass
        if file.exists() and not os.access(file, os.W_OK):
            raise PermissionError(13, "Permission denied")
    except OSError as error:
        return f"--csv {file} cannot be written ({error.strerror}). Name a file in a folder of your own."
    return ""


if __name__ == "__main__":
    signal.signal(
        signal.SIGTERM, signal.default_int_handler
    )  # `kill` leaves the finished rows as Ctrl-C does
    raise SystemExit(main())
