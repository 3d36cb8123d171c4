"""Run the GPU cells of the lessons at full size, check them and record their results.

    python -m course_tools.record_gpu_cells                  all that are not recorded yet, one after the other
    python -m course_tools.record_gpu_cells 09_cifar_gan     this one, recorded or not
    python -m course_tools.record_gpu_cells --again          those recorded once: a second run, to see what moves
    python -m course_tools.record_gpu_cells --trial          on any machine: at reduced size, nothing is recorded

Each piece runs in a fresh kernel, behind the set-up and the imports of its lesson, and behind the cells between if
it uses a name of theirs; of a cell with several pieces one runs. It is stopped after `--minutes` (8). A stopped or
failed piece records nothing; the next call goes on with it. The records lie in data/recorded (see
`course_utils.session.gpu_cell`); the notebooks show them after the next `make run`.
"""
import argparse
import ast
import json
import math
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from course_tools.gpu_trial import PRETEND, REDUCED, STAND_IN
from course_tools.run_notebooks import ENVIRONMENT
from course_utils.files import ROOT, write_text

__all__ = ["GpuCell", "gpu_cells", "problems", "reduced", "run", "spread"]

RECORDED = ROOT / "data" / "recorded"
OF_THE_RUN = {"date", "seconds", "peak_memory_mb", "torch", "device", "second run", "figure"}


@dataclass(frozen=True)
class GpuCell:
    """A cell that calls `gpu_cell(session, name, ...)`: its notebook and its place there."""

    name: str
    notebook: pathlib.Path
    index: int


def gpu_cells(root: pathlib.Path = ROOT) -> list[GpuCell]:
    """All GPU cells of the lessons, in order."""
    found = []
    for file in sorted((root / "notebooks").glob("[0-9]*.ipynb")):
        for index, cell in enumerate(nbformat.read(file, as_version=4).cells):
            if cell.cell_type == "code":
                names = re.findall(r'gpu_cell\(session, "(\w+)"', cell.source)
                found += [GpuCell(name, file, index) for name in names]
    return found


def reduced(name: str, source: str) -> str:
    """The source of a GPU cell with the small sizes of `course_tools.gpu_trial.REDUCED`.

    Raises ValueError when the cell does not hold what is to be replaced: then the table is out of date.
    """
    for full, small in REDUCED[name]:
        if full not in source:
            raise ValueError(f"course_tools/gpu_trial.py: the GPU cell {name} does not hold {full!r} any more.")
        source = source.replace(full, small)
    return source


def above(cells: list) -> list:
    """What must run before the last of these cells: all others if it uses a name of theirs, else set-up and imports."""
    code = [cell for cell in cells[:-1] if cell.cell_type == "code"]
    made = set()
    for cell in code[2:]:
        for node in ast.walk(ast.parse(cell.source)):
            made |= {getattr(node, "name", None), getattr(node, "asname", None)}  # functions, classes, imports
            made |= {node.id} if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) else set()
    used = {node.id for node in ast.walk(ast.parse(cells[-1].source)) if isinstance(node, ast.Name)}
    return code if used & made else code[:2]


def run(cell: GpuCell, folder: pathlib.Path, seconds: float, trial: bool = False) -> dict:
    """Run the piece and what it needs; what it recorded in `folder`, with "figure" as a path if it drew one.

    With `trial` the cell runs on the CPU at reduced size. Raises RuntimeError that names the cell and what happened.
    """
    cells = nbformat.read(cell.notebook, as_version=4).cells[:cell.index + 1]
    last = cells[-1]
    cells = [*above(cells), last]
    last.source = reduced(cell.name, last.source) if trial else last.source
    prepare = f"import pathlib, course_utils.session as _s; _s.RECORDED = pathlib.Path({str(folder)!r})"
    cells.insert(-1, nbformat.v4.new_code_cell("\n".join([prepare, *([PRETEND] if trial else [])])))
    if trial:
        cells.insert(1, nbformat.v4.new_code_cell(STAND_IN))
    notebook = nbformat.v4.new_notebook(cells=cells)
    client = NotebookClient(notebook, kernel_name="python3", resources={"metadata": {"path": str(cell.notebook.parent)}})
    environment = os.environ | ENVIRONMENT | {"COURSE_RECORD": "1", "COURSE_PIECE": cell.name}
    until = time.monotonic() + seconds
    try:
        with client.setup_kernel(env=environment, stderr=subprocess.DEVNULL):
            for index, part in enumerate(cells):
                begins = part.source.strip().split("\n")[0]
                client.timeout = max(1, math.ceil(until - time.monotonic()))
                client.execute_cell(part, index)
    except CellTimeoutError as error:
        raise RuntimeError(f"{cell.name}: stopped after {seconds:.0f} s, in the cell that begins {begins!r}.") from error
    except (CellExecutionError, DeadKernelError) as error:
        raise RuntimeError(f"{cell.name}: the cell that begins {begins!r} failed.\n{error}") from error
    file = folder / f"{cell.name}.json"
    if not file.is_file():
        raise RuntimeError(f"{cell.name}: recorded nothing. Is there a GPU? (Without one: --trial)")
    picture = file.with_suffix(".png")
    return json.loads(file.read_text(encoding="utf-8")) | ({"figure": picture} if picture.is_file() else {})


def problems(result: dict) -> list[str]:
    """What is wrong with a result: nothing measured, or numbers that are not finite."""
    measured = {key: value for key, value in result.items() if key not in OF_THE_RUN}
    found = [] if measured else ["no result"]
    for key, value in measured.items():
        numbers = re.findall(r"-?\d+\.?\d*|\bnan\b|\binf\b", str(value).lower())
        if any(not math.isfinite(float(number)) for number in numbers):
            found.append(f"{key} is {value}")
    if "figure" in result and result["figure"].stat().st_size < 2000:
        found.append("the figure is empty")
    return found


def spread(first: dict, second: dict) -> dict:
    """What a second run gave otherwise: {entry: its value}; an empty dict when all printed digits agree."""
    return {key: value for key, value in second.items()
            if key not in OF_THE_RUN and value != first.get(key)}


def keep(name: str, result: dict, again: bool) -> dict:
    """Put a result into data/recorded; of a second run only what it gave otherwise. What is stored."""
    file = RECORDED / f"{name}.json"
    if again:
        first = json.loads(file.read_text(encoding="utf-8"))
        stored = first | {"second run": spread(first, result) or "the same digits"}
    else:
        RECORDED.mkdir(parents=True, exist_ok=True)
        stored = {key: value for key, value in result.items() if key != "figure"}
        if "figure" in result:
            shutil.copy(result["figure"], RECORDED / f"{name}.png")
    write_text(file, json.dumps(stored, indent=1, ensure_ascii=False) + "\n")
    return stored


def wanted(names: list[str], again: bool, trial: bool) -> list[GpuCell]:
    """The cells to run. Raises ValueError for a name that no lesson has."""
    cells = gpu_cells()
    if unknown := set(names) - {cell.name for cell in cells}:
        raise ValueError(f"no GPU cell {', '.join(sorted(unknown))}; there are: {', '.join(c.name for c in cells)}.")
    if names or trial:
        return [cell for cell in cells if not names or cell.name in names]
    records = {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in RECORDED.glob("*.json")}
    if again:
        return [cell for cell in cells if cell.name in records and "second run" not in records[cell.name]]
    return [cell for cell in cells if cell.name not in records]


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m course_tools.record_gpu_cells", description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", help="default: all that are not recorded yet")
    parser.add_argument("--minutes", type=float, default=8, help="a piece is stopped after this time (default 8)")
    parser.add_argument("--again", action="store_true", help="a second run of what is recorded once")
    parser.add_argument("--trial", action="store_true", help="on the CPU at reduced size; nothing is recorded")
    options = parser.parse_args(arguments)
    try:
        cells = wanted(options.names, options.again, options.trial)
    except ValueError as error:
        parser.error(str(error))
    failures = 0
    for cell in cells:
        begin = time.perf_counter()
        with tempfile.TemporaryDirectory(prefix="gpu-cell-") as folder:
            try:
                result = run(cell, pathlib.Path(folder), 60 * options.minutes, options.trial)
                if wrong := problems(result):
                    raise RuntimeError(f"{cell.name}: {'; '.join(wrong)}. Not recorded.")
                said = result if options.trial else keep(cell.name, result, options.again)
            except (RuntimeError, ValueError) as error:
                failures += 1
                print(error, flush=True)
                continue
        print(f"{cell.name} ({time.perf_counter() - begin:.0f} s in all):", flush=True)
        print("\n".join(f"  {key}: {value}" for key, value in said.items() if key != "figure"), flush=True)
    print(f"{len(cells) - failures} of {len(cells)} pieces done." if cells else "Nothing is left to run.")
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
