"""How much memory and how many cores a class needs: N students press Run All at once.

    python benchmarks/classroom.py 1 2 4 8
    python benchmarks/classroom.py 4 --notebook notebooks/05_sparse_autoencoder.ipynb

For each number that many kernels start together, with one thread each. Each runs the set-up cell
and the imports and waits: the memory of a class that reads. Then all run the rest: the memory at
the peak, and the seconds on the clock until the last has finished (the wait left out). Memory that
several kernels share counts once, where the system says so (Linux). No Jupyter server is among it:
add one per student (docs/classroom.md). Nothing is written.
"""

import argparse
import os
import pathlib
import re
import sys
import threading
import time
from dataclasses import dataclass

import nbformat
import psutil

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from course_tools.peak_memory import PeakMemory  # noqa: E402
from course_tools.run_notebooks import ENVIRONMENT, kernel  # noqa: E402
from course_tools.small_machine import BINDER  # noqa: E402

LESSON = ROOT / "notebooks/01_sparse_representation.ipynb"
HEAD = "kernels  seconds  CPU s per kernel  idle MB  per kernel  peak MB  per kernel"
LINE = "{:>7} {:>8.0f} {:>17.0f} {:>8.0f} {:>11.0f} {:>8.0f} {:>11.0f}"
INTERVAL = 0.5  # seconds between two looks at the memory


@dataclass(frozen=True)
class Row:
    """What N kernels took together; memory while they wait and at the peak."""

    kernels: int
    seconds: float
    cpu_seconds: float
    idle_mb: float
    peak_mb: float

    def __str__(self) -> str:
        n, cpu, idle, peak = self.kernels, self.cpu_seconds, self.idle_mb, self.peak_mb
        return LINE.format(n, self.seconds, cpu / n, idle, idle / n, peak, peak / n)


class Student(threading.Thread):
    """A kernel that runs a lesson's imports, waits at the gate twice, and runs the rest."""

    def __init__(self, file: pathlib.Path, gate: threading.Barrier):
        super().__init__(daemon=True)
        self.file, self.gate, self.problem = file, gate, ""

    def run(self) -> None:
        notebook = nbformat.read(self.file, as_version=4)
        try:
            with kernel(notebook, self.file.parent, ENVIRONMENT | BINDER) as client:
                cells = list(enumerate(notebook.cells))  # nbclient passes over texts
                ready = next((i for i, cell in cells if not prepares(cell)), len(cells))
                for index, cell in cells[:ready]:
                    client.execute_cell(cell, index)
                self.gate.wait()
                self.gate.wait()
                for index, cell in cells[ready:]:
                    client.execute_cell(cell, index)
                self.gate.wait()  # kernels end together, so that the peak counts all
                self.gate.wait()
        except threading.BrokenBarrierError:  # another one has failed
            pass
        except Exception as error:
            self.problem = str(error)
            self.gate.abort()


def prepares(cell: nbformat.NotebookNode) -> bool:
    """Whether a cell is a text, the set-up cell, or holds nothing but imports."""
    if cell.cell_type != "code" or "setup" in cell.metadata.get("tags", []):
        return True
    lines = [line for line in cell.source.splitlines() if not re.match(r"[ )#]|$", line)]
    return all(line.startswith(("import ", "from ")) for line in lines)


def together(file: pathlib.Path, kernels: int) -> Row:
    """Run a lesson in so many kernels at once. RuntimeError: what the first that failed said."""
    gate = threading.Barrier(kernels + 1)
    students = [Student(file, gate) for _ in range(kernels)]
    here = psutil.Process()
    others = [here, *here.children(recursive=True)]  # that are there without the class
    memory = PeakMemory(here.pid, INTERVAL, without=others)
    begin = time.perf_counter()
    for student in students:
        student.start()
    try:
        gate.wait()  # all have their imports
        seconds = time.perf_counter() - begin
        memory.start()  # not before: a kernel that is being started is a copy of this process
        time.sleep(2 * INTERVAL)
        idle = memory.look() / 1e6
        begin = time.perf_counter()
        gate.wait()
        gate.wait()  # all have finished
        seconds += time.perf_counter() - begin
        memory.look()
        row = Row(kernels, seconds, memory.cpu_seconds, idle, memory.bytes / 1e6)
        gate.wait()
    except threading.BrokenBarrierError:
        row = None
    for student in students:
        student.join()
    memory.stopped.set()
    if memory.is_alive():
        memory.join()
    if row is None:
        raise RuntimeError(next(student.problem for student in students if student.problem))
    return row


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("kernels", nargs="+", type=int, help="how many at once, such as: 1 2 4 8")
    parser.add_argument(
        "--notebook", type=pathlib.Path, default=LESSON, help=f"default: {LESSON.name}"
    )
    options = parser.parse_args(arguments)
    if min(options.kernels) < 1:
        parser.error(f"{min(options.kernels)} kernels: expected 1 or more.")
    if not options.notebook.is_file() or options.notebook.suffix != ".ipynb":
        parser.error(
            f"{options.notebook} is not a notebook. Name a file such as {LESSON.relative_to(ROOT)}."
        )
    load = f"load {os.getloadavg()[0]:.1f} at the start, " if hasattr(os, "getloadavg") else ""
    memory = f"{psutil.virtual_memory().total / 1e9:.0f} GB"
    print(f"{options.notebook.stem}, {psutil.cpu_count()} cores, {load}{memory}")
    print(HEAD, flush=True)
    for kernels in options.kernels:
        try:
            print(together(options.notebook.resolve(), kernels), flush=True)
        except RuntimeError as error:
            print(f"{kernels:>7} kernels: one failed.\n{error}")
            return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
