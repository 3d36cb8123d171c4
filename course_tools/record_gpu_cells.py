"""Run the GPU cells of the lessons where we are, and record their results (`make record`).

    python -m course_tools.record_gpu_cells                     what is recorded, on which device
    python -m course_tools.record_gpu_cells 09_cifar            run this one
    python -m course_tools.record_gpu_cells --all --minutes 60  the others, at most an hour each

A cell runs in a fresh kernel, after the cells above it. Each piece is stored when it ends
(`course_utils.gpu_cell`), so an interrupted recording resumes with the next piece. `make run` shows
the records in the notebooks.
"""

import argparse
import pathlib
import re
from dataclasses import dataclass

import nbformat
from nbclient.exceptions import CellTimeoutError

from course_tools.lessons import notebooks
from course_tools.run_notebooks import ENVIRONMENT, kernel, run_cells
from course_utils.files import ROOT
from course_utils.gpu_cell import read_record, run_in_words

__all__ = ["GpuCell", "gpu_cells", "run"]


@dataclass(frozen=True)
class GpuCell:
    """A cell that calls `gpu_cell(session, name, ...)`: its notebook and its place there."""

    name: str
    notebook: pathlib.Path
    index: int


def gpu_cells(root: pathlib.Path = ROOT) -> dict[str, GpuCell]:
    """All GPU cells of the lessons, in order, by name."""
    found = {}
    for file in notebooks(root):
        for index, cell in enumerate(nbformat.read(file, as_version=4).cells):
            if cell.cell_type == "code":
                names = re.findall(r'^gpu_cell\(session, "(\w+)"', cell.source, re.MULTILINE)
                found |= {name: GpuCell(name, file, index) for name in names}
    return found


def run(cell: GpuCell, seconds: float) -> None:
    """Run a cell and those above, to be recorded. RuntimeError names the cell that failed."""
    notebook = nbformat.read(cell.notebook, as_version=4)
    del notebook.cells[cell.index + 1 :]
    environment = ENVIRONMENT | {"COURSE_RECORD": cell.name}
    with kernel(notebook, cell.notebook.parent, environment) as client:
        failed = run_cells(client, seconds)
    if not failed:
        return
    index, error = failed
    place = f"the cell that begins {notebook.cells[index].source.strip().splitlines()[0]!r}"
    if isinstance(error, CellTimeoutError):
        raise RuntimeError(
            f"{cell.name}: stopped after {seconds:.0f} s, in {place}. "
            "The pieces that ended before are recorded; the same command goes on."
        )
    raise RuntimeError(f"{cell.name}: {place} failed.\n{error}")


def described(name: str) -> str:
    """What is recorded of a cell, in a line."""
    runs = [run_in_words(label, piece) for label, piece in read_record(name).items()]
    return f"{name}: {'; '.join(runs) or 'not recorded'}"


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m course_tools.record_gpu_cells", description=__doc__.split("\n")[0]
    )
    parser.add_argument("names", nargs="*", help="cells to run; none: say what is recorded")
    parser.add_argument("--all", action="store_true", help="all that are not recorded")
    limit = "a cell is stopped after this time (default 60)"
    parser.add_argument("--minutes", type=float, default=60, help=limit)
    options = parser.parse_args(arguments)
    cells = gpu_cells()
    if unknown := set(options.names) - cells.keys():
        parser.error(f"no GPU cell {', '.join(sorted(unknown))}; there are: {', '.join(cells)}.")
    try:
        names = options.names or [name for name in cells if options.all and not read_record(name)]
        if not names:
            print("\n".join(map(described, cells)))
            return 0
    except ValueError as error:
        parser.error(str(error))
    failures = 0
    for name in names:
        try:
            run(cells[name], 60 * options.minutes)
        except RuntimeError as error:
            failures += 1
            print(error, flush=True)
        print(described(name), flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
