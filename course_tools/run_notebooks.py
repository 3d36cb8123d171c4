"""Execute notebooks, refresh their stored outputs, seconds and memory (`make run`).

    python -m course_tools.run_notebooks                      all: lessons in order, then solutions
    python -m course_tools.run_notebooks notebooks/01_*.ipynb  these
    python -m course_tools.run_notebooks --like-binder        only execute the lessons, on one core with 2 GB; write nothing

Each notebook runs in a fresh kernel in its own folder. One with an error in a cell is
left as it was; the others are written, and the exit status is 1.
"""

import argparse
import math
import os
import pathlib
import re
import subprocess
import threading
import time
from dataclasses import dataclass

import nbformat
import psutil
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from course_tools.small_machine import BINDER, SmallMachine, small_machine
from course_utils.files import ROOT, write_text

__all__ = [
    "COST",
    "ENVIRONMENT",
    "KEPT",
    "PeakMemory",
    "Run",
    "clean",
    "execute",
    "like_binder",
    "notebooks",
    "refresh_header",
    "refresh_readme",
    "run_in_kernel",
]

ENVIRONMENT = {  # of a run whose outputs are stored or compared; tests/run_all.py uses it too
    "COURSE_WIDGETS": "0",  # static pictures where widgets would be
    "OMP_NUM_THREADS": "2",
    "KINETO_LOG_LEVEL": "99",  # PyTorch's profiler complains on stderr where a CUDA build finds no GPU
    "PYTHONHASHSEED": "0",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    "JUPYTER_PLATFORM_DIRS": "1",
    "JUPYTER_PREFER_ENV_PATH": "1",
}
KEPT = [
    "alt",
    "claims",
    "compare",
    "jupyter",
    "tags",
]  # of a cell's metadata; tests/compared.py reads two of them
COST = re.compile(  # the line in the first cell: minutes, seconds, MB
    r"(\*\*Reading\*\* (\d+) min · \*\*Computing\*\* )(\d+)( s on 2 CPU cores · \*\*Memory\*\* )(\d+)( MB)"
)


def notebooks(root: pathlib.Path = ROOT) -> list[pathlib.Path]:
    """All lessons in order, then all solutions."""
    folder = root / "notebooks"
    return sorted(folder.glob("[0-9]*.ipynb")) + sorted((folder / "solutions").glob("[0-9]*.ipynb"))


class PeakMemory(threading.Thread):
    """Samples a process and its children.

    bytes: the peak of their resident memory; what several processes share counts once, where the
    system says so (Linux). cpu_seconds: what they have computed. Above `limit` bytes they are
    killed, and `exceeded` is True.
    """

    def __init__(self, pid: int, interval: float = 0.05, limit: float = math.inf):
        super().__init__(daemon=True)
        self.process, self.interval, self.limit = psutil.Process(pid), interval, limit
        self.bytes, self.cpu_seconds, self.exceeded = 0, 0.0, False
        self.stopped = threading.Event()

    def run(self) -> None:
        while True:
            try:
                family = [self.process, *self.process.children(recursive=True)]
                shared = len(family) > 1 and psutil.LINUX
                now = sum(
                    p.memory_full_info().pss if shared else p.memory_info().rss for p in family
                )
                self.bytes = max(self.bytes, now)
                spent = sum(
                    sum(p.cpu_times()[:4]) for p in family
                )  # user, system, and those of ended children
                self.cpu_seconds = max(self.cpu_seconds, spent)
                if now > self.limit:
                    self.exceeded = True
                    for process in family:
                        process.kill()
            except psutil.Error:  # a process that has just ended
                pass
            if self.stopped.wait(self.interval):
                return


@dataclass(frozen=True)
class Run:
    """A notebook with fresh outputs, what it cost, and why it ended early, if it did (`error`).

    seconds on the clock, CPU seconds and peak memory (bytes) of the kernel and its children.
    """

    notebook: nbformat.NotebookNode
    seconds: float
    cpu_seconds: float
    bytes: int
    error: str = ""


def run_in_kernel(
    file: pathlib.Path,
    environment: dict[str, str] = ENVIRONMENT,
    machine: SmallMachine | None = None,
) -> Run:
    """Run a notebook from top to bottom, in its own folder and a fresh kernel, up to the first cell that fails."""
    notebook = nbformat.read(file, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=1800,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
        store_widget_state=False,
        resources={"metadata": {"path": str(file.parent)}},
    )
    count, problem = 0, ""
    limit = machine.megabytes * 1e6 if machine else math.inf
    kills = machine.kills() if machine else 0
    with client.setup_kernel(
        env=os.environ | environment,
        stderr=subprocess.DEVNULL,
        **(machine.popen if machine else {}),
    ):
        memory = PeakMemory(client.km.provisioner.pid, limit=limit)
        memory.start()
        begin = time.perf_counter()
        try:
            for index, cell in enumerate(notebook.cells):
                if cell.cell_type == "code":
                    count += 1
                    client.execute_cell(cell, index, execution_count=count)
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            killed = memory.exceeded or (machine and machine.kills() > kills)
            said = f"it took more than {machine.megabytes} MB and was killed." if killed else error
            problem = f"{file.name}, code cell {count} (cell {index + 1}):\n{said}"
        finally:
            seconds = time.perf_counter() - begin
            memory.stopped.set()
            memory.join()
    return Run(clean(notebook), seconds, memory.cpu_seconds, memory.bytes, problem)


def execute(file: pathlib.Path) -> tuple[nbformat.NotebookNode, int, int]:
    """The notebook with fresh outputs, its seconds and its peak memory in MB, rounded up.

    Raises RuntimeError that names notebook and cell when a cell fails.
    """
    run = run_in_kernel(file)
    if run.error:
        raise RuntimeError(run.error)
    return run.notebook, math.ceil(run.seconds), 10 * math.ceil(run.bytes / 1e7)


def clean(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Keep what a reader needs: no timing, no widget state, nothing of this machine."""
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {
                "display_name": "Python 3 (ipykernel)",
                "language": "python",
                "name": "python3",
            },
            "language_info": {"name": "python"},
        }
    )
    for cell in notebook.cells:
        cell.metadata = {key: cell.metadata[key] for key in KEPT if key in cell.metadata}
        for output in cell.get("outputs", []):
            if output.output_type == "stream":
                output.text = "\n".join(
                    line.rstrip("\r").split("\r")[-1] for line in output.text.split("\n")
                )
    return notebook


def refresh_header(notebook: nbformat.NotebookNode, seconds: int, megabytes: int) -> None:
    """Put the measured seconds and MB into the first cell, where it has such a line."""
    if notebook.cells:
        first = notebook.cells[0]
        first.source = COST.sub(rf"\g<1>{seconds}\g<4>{megabytes}\g<6>", first.source)


def refresh_readme(text: str, name: str, seconds: int, megabytes: int) -> str:
    """README's text with the measured seconds and MB in the row of the notebook `name`."""
    row = re.compile(
        rf"^(\| \[[^\]]*\]\(notebooks/{re.escape(name)}\) \|[^|\n]*\|[^|\n]*\|) *\d+ *\| *\d+ *(?=\|)",
        re.MULTILINE,
    )
    return row.sub(rf"\g<1> {seconds} | {megabytes} ", text)


def like_binder(files: list[pathlib.Path], **limits: int) -> int:
    """Execute notebooks on one core with the memory that Binder leaves a kernel; a table, and 1 if any failed.

    Nothing is written or compared. `limits` go on to `small_machine`.
    """
    failures = []
    with small_machine(**limits) as machine:
        print(f"Each notebook in a fresh kernel: {machine}.")
        print(f"{'notebook':<44} {'seconds':>8} {'CPU s':>8} {'peak MB':>8}  passed", flush=True)
        for file in files:
            run = run_in_kernel(file.resolve(), ENVIRONMENT | BINDER, machine)
            failures += [run.error] if run.error else []
            print(
                f"{file.stem:<44} {run.seconds:>8.0f} {run.cpu_seconds:>8.0f} {10 * math.ceil(run.bytes / 1e7):>8}  "
                f"{'no' if run.error else 'yes'}",
                flush=True,
            )
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
    files = options.notebooks or [
        f for f in notebooks(root) if not options.like_binder or f.parent.name == "notebooks"
    ]
    for file in files:
        if not file.is_file() or file.suffix != ".ipynb":
            parser.error(f"{file} is not a notebook. Name files such as notebooks/01_*.ipynb.")
    if options.like_binder:
        return like_binder(files)
    readme, failures = root / "README.md", []
    print(f"{'notebook':<52} {'seconds':>8} {'peak MB':>8}")
    for file in files:
        print(f"{file.stem:<52}", end=" ", flush=True)
        try:
            notebook, seconds, megabytes = execute(file.resolve())
        except RuntimeError as error:
            failures.append(str(error))
            print("  failed; the file is left as it was", flush=True)
            continue
        print(f"{seconds:>8} {megabytes:>8}", flush=True)
        refresh_header(notebook, seconds, megabytes)
        write_text(file, nbformat.writes(notebook) + "\n")
        if readme.is_file():
            old = readme.read_text(encoding="utf-8")
            new = refresh_readme(old, file.name, seconds, megabytes)
            if new != old:
                write_text(readme, new)
    for failure in failures:
        print("\n" + failure)
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
