"""Execute notebooks, refresh their stored outputs, seconds and memory (`make run`).

    python -m course_tools.run_notebooks                       lessons in order, then solutions
    python -m course_tools.run_notebooks notebooks/01_*.ipynb  these
    python -m course_tools.run_notebooks --like-binder         run the lessons on one core with 2 GB

Each notebook runs in a fresh kernel in its own folder. One with an error in a cell is left as it
was, and the exit status is 1; the others are written, but not with --like-binder.
"""

import argparse
import contextlib
import math
import os
import pathlib
import re
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from course_tools.lessons import lessons, notebooks
from course_tools.peak_memory import PeakMemory
from course_tools.small_machine import BINDER, SmallMachine, small_machine
from course_utils.files import ROOT, write_text

__all__ = [
    "COST",
    "ENVIRONMENT",
    "KEPT",
    "LANGUAGE",
    "Run",
    "kernel",
    "run_all",
    "run_cells",
    "run_in_kernel",
]

ENVIRONMENT = {  # of a run whose outputs are stored or compared; tests/run_all.py uses it too
    "COURSE_WIDGETS": "0",  # static pictures where widgets would be
    "OMP_NUM_THREADS": "2",
    "KINETO_LOG_LEVEL": "99",  # else PyTorch's profiler complains where a CUDA build finds no GPU
    "PYTHONHASHSEED": "0",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    "JUPYTER_PLATFORM_DIRS": "1",
    "JUPYTER_PREFER_ENV_PATH": "1",
}
# Of a cell's metadata; tests/compared.py reads two of them.
KEPT = ["alt", "claims", "compare", "jupyter", "tags"]
LANGUAGE = {  # of a notebook; without it `nbconvert --to script` writes .txt
    "file_extension": ".py",
    "name": "python",
    "nbconvert_exporter": "python",
}
COST = re.compile(  # the line in the first cell: minutes, seconds, MB
    r"(\*\*Reading\*\* (\d+) min · \*\*Computing\*\* )(\d+)"
    r"( s on 2 CPU cores · \*\*Memory\*\* )(\d+)( MB)"
)


@contextlib.contextmanager
def kernel(
    notebook: nbformat.NotebookNode, folder: pathlib.Path, environment: dict[str, str], **popen
) -> Iterator[NotebookClient]:
    """A client with a fresh kernel in `folder`."""
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
        store_widget_state=False,
        resources={"metadata": {"path": str(folder)}},
    )
    environment = os.environ | environment
    with client.setup_kernel(env=environment, stderr=subprocess.DEVNULL, **popen):
        yield client


def run_cells(client: NotebookClient, seconds: float = 1800) -> tuple[int, Exception] | None:
    """Run the code cells within `seconds`; the index of the one that failed and its error."""
    until, count = time.monotonic() + seconds, 0
    for index, cell in enumerate(client.nb.cells):
        if cell.cell_type == "code":
            count += 1
            client.timeout = max(1, math.ceil(until - time.monotonic()))
            try:
                client.execute_cell(cell, index, execution_count=count)
            except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
                return index, error
    return None


@dataclass(frozen=True)
class Run:
    """A notebook with fresh outputs, what it cost, and why it ended early, if it did (`error`).

    seconds on the clock, CPU seconds and peak memory in MB, rounded up, of the kernel and its
    children.
    """

    notebook: nbformat.NotebookNode
    seconds: int
    cpu_seconds: float
    megabytes: int
    error: str = ""


def run_in_kernel(file: pathlib.Path, machine: SmallMachine | None = None) -> Run:
    """Run a notebook in its own folder and a fresh kernel, up to the first cell that fails."""
    notebook, error = nbformat.read(file, as_version=4), ""
    kills, limit, environment, popen = 0, math.inf, ENVIRONMENT, {}
    if machine:
        kills, limit = machine.kills(), machine.megabytes * 1e6
        environment, popen = ENVIRONMENT | BINDER, machine.popen
    with kernel(notebook, file.parent, environment, **popen) as client:
        memory = PeakMemory(client.km.provisioner.pid, limit=limit)
        memory.start()
        begin = time.perf_counter()
        failed = run_cells(client)
        seconds = math.ceil(time.perf_counter() - begin)
        memory.stopped.set()
        memory.join()
    if failed:
        index, error = failed
        count = sum(cell.cell_type == "code" for cell in notebook.cells[: index + 1])
        if memory.exceeded or (machine and machine.kills() > kills):
            error = f"it took more than {machine.megabytes} MB and was killed."
        error = f"{file.name}, code cell {count} (cell {index + 1}):\n{error}"
    megabytes = 10 * math.ceil(memory.bytes / 1e7)
    return Run(clean(notebook), seconds, memory.cpu_seconds, megabytes, error)


def clean(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Keep what a reader needs: no timing, no widget state, nothing of this machine."""
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": LANGUAGE}
    notebook.metadata = nbformat.from_dict(metadata)
    for cell in notebook.cells:
        cell.metadata = {key: cell.metadata[key] for key in KEPT if key in cell.metadata}
        for output in cell.get("outputs", []):
            if output.output_type == "stream":  # of a progress bar, the end
                lines = output.text.split("\n")
                output.text = "\n".join(line.rstrip("\r").split("\r")[-1] for line in lines)
    return notebook


def store(file: pathlib.Path, run: Run, root: pathlib.Path) -> None:
    """Write the notebook; seconds and MB go into its first cell and its row in README.md."""
    for first in run.notebook.cells[:1]:
        first.source = COST.sub(rf"\g<1>{run.seconds}\g<4>{run.megabytes}\g<6>", first.source)
    write_text(file, nbformat.writes(run.notebook) + "\n")
    readme = root / "README.md"
    link = rf"\| \[[^\]]*\]\(notebooks/{re.escape(file.name)}\) \|"
    row = re.compile(rf"^({link}[^|\n]*\|[^|\n]*\|) *\d+ *\| *\d+ *(?=\|)", re.MULTILINE)
    if readme.is_file():
        text = readme.read_text(encoding="utf-8")
        new = row.sub(rf"\g<1> {run.seconds} | {run.megabytes} ", text)
        if new != text:
            write_text(readme, new)


def run_all(
    files: list[pathlib.Path], root: pathlib.Path, machine: SmallMachine | None = None
) -> int:
    """Run notebooks, print a table and what failed; 1 if any did.

    Those that passed are stored, unless they ran on a small machine.
    """
    failures = []
    print(f"{'notebook':<44} {'seconds':>8} {'CPU s':>8} {'peak MB':>8}  passed")
    for file in files:
        print(f"{file.stem:<44}", end=" ", flush=True)
        run = run_in_kernel(file.resolve(), machine)
        cost = f"{run.seconds:>8} {run.cpu_seconds:>8.0f} {run.megabytes:>8}"
        print(f"{cost}  {'no' if run.error else 'yes'}", flush=True)
        if run.error:
            failures.append(run.error)
        elif not machine:
            store(file, run, root)
    print("".join(f"\n{failure}\n" for failure in failures), end="")
    return 1 if failures else 0


def main(arguments: list[str] | None = None, root: pathlib.Path = ROOT) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m course_tools.run_notebooks", description=__doc__.split("\n")[0]
    )
    parser.add_argument("notebooks", nargs="*", type=pathlib.Path, help="default: all, in order")
    small = "only execute, on one core with 2 GB; default: the lessons"
    parser.add_argument("--like-binder", action="store_true", help=small)
    options = parser.parse_args(arguments)
    files = options.notebooks or (lessons if options.like_binder else notebooks)(root)
    for file in files:
        if not file.is_file() or file.suffix != ".ipynb":
            parser.error(f"{file} is not a notebook. Name files such as notebooks/01_*.ipynb.")
    if not options.like_binder:
        return run_all(files, root)
    with small_machine() as machine:
        print(f"Each notebook in a fresh kernel: {machine}.")
        return run_all(files, root, machine)


if __name__ == "__main__":
    raise SystemExit(main())
