"""Execute notebooks, refresh their stored outputs, seconds and memory (`make run`).

    python -m course_utils.run                      all: lessons in order, then solutions
    python -m course_utils.run notebooks/01_*.ipynb  these

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

import nbformat
import psutil
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from course_utils.files import ROOT, write_text

__all__ = ["COST", "ENVIRONMENT", "clean", "execute", "notebooks", "refresh_header", "refresh_readme"]

ENVIRONMENT = {  # of a run whose outputs are stored or compared; tests/run_all.py uses it too
    "COURSE_WIDGETS": "0",  # static pictures where widgets would be
    "OMP_NUM_THREADS": "2",
    "PYTHONHASHSEED": "0",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    "JUPYTER_PLATFORM_DIRS": "1",
    "JUPYTER_PREFER_ENV_PATH": "1",
}
COST = re.compile(  # the line in the first cell: minutes, seconds, MB
    r"(\*\*Reading\*\* (\d+) min · \*\*Computing\*\* )(\d+)( s on 2 CPU cores · \*\*Memory\*\* )(\d+)( MB)"
)


def notebooks(root: pathlib.Path = ROOT) -> list[pathlib.Path]:
    """All lessons in order, then all solutions."""
    folder = root / "notebooks"
    return sorted(folder.glob("[0-9]*.ipynb")) + sorted((folder / "solutions").glob("[0-9]*.ipynb"))


class PeakMemory(threading.Thread):
    """Samples the resident memory of a process and its children; `bytes` is the peak.

    What several processes share counts once, where the system says so (Linux).
    """

    def __init__(self, pid: int, interval: float = 0.05):
        super().__init__(daemon=True)
        self.process, self.interval, self.bytes = psutil.Process(pid), interval, 0
        self.stopped = threading.Event()

    def run(self) -> None:
        while True:
            try:
                family = [self.process, *self.process.children(recursive=True)]
                shared = len(family) > 1 and psutil.LINUX
                self.bytes = max(self.bytes, sum(p.memory_full_info().pss if shared else p.memory_info().rss for p in family))
            except psutil.Error:  # a process that has just ended
                pass
            if self.stopped.wait(self.interval):
                return


def execute(file: pathlib.Path) -> tuple[nbformat.NotebookNode, int, int]:
    """The notebook with fresh outputs, its seconds and its peak memory in MB, rounded up.

    Raises RuntimeError that names notebook and cell when a cell fails.
    """
    notebook = nbformat.read(file, as_version=4)
    client = NotebookClient(
        notebook, timeout=1800, kernel_name="python3", record_timing=False, coalesce_streams=True,
        store_widget_state=False, resources={"metadata": {"path": str(file.parent)}},
    )
    count = 0
    with client.setup_kernel(env=os.environ | ENVIRONMENT, stderr=subprocess.DEVNULL):
        memory = PeakMemory(client.km.provisioner.pid)
        memory.start()
        begin = time.perf_counter()
        try:
            for index, cell in enumerate(notebook.cells):
                if cell.cell_type == "code":
                    count += 1
                    client.execute_cell(cell, index, execution_count=count)
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            raise RuntimeError(f"{file.name}, code cell {count} (cell {index + 1}):\n{error}") from error
        finally:
            seconds = time.perf_counter() - begin
            memory.stopped.set()
            memory.join()
    return clean(notebook), math.ceil(seconds), 10 * math.ceil(memory.bytes / 1e7)


def clean(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Keep what a reader needs: no timing, no widget state, nothing of this machine."""
    notebook.metadata = nbformat.from_dict({
        "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    })
    for cell in notebook.cells:
        cell.metadata = {key: cell.metadata[key] for key in ("alt", "jupyter", "tags") if key in cell.metadata}
        for output in cell.get("outputs", []):
            if output.output_type == "stream":
                output.text = "\n".join(line.rstrip("\r").split("\r")[-1] for line in output.text.split("\n"))
    return notebook


def refresh_header(notebook: nbformat.NotebookNode, seconds: int, megabytes: int) -> None:
    """Put the measured seconds and MB into the first cell, where it has such a line."""
    if notebook.cells:
        first = notebook.cells[0]
        first.source = COST.sub(rf"\g<1>{seconds}\g<4>{megabytes}\g<6>", first.source)


def refresh_readme(text: str, name: str, seconds: int, megabytes: int) -> str:
    """README's text with the measured seconds and MB in the row of the notebook `name`."""
    row = re.compile(
        rf"^(\| \[[^\]]*\]\(notebooks/{re.escape(name)}\) \|[^|\n]*\|[^|\n]*\|) *\d+ *\| *\d+ *(?=\|)", re.MULTILINE
    )
    return row.sub(rf"\g<1> {seconds} | {megabytes} ", text)


def main(arguments: list[str] | None = None, root: pathlib.Path = ROOT) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m course_utils.run", description=__doc__.split("\n")[0])
    parser.add_argument("notebooks", nargs="*", type=pathlib.Path, help="default: all, in order")
    files = parser.parse_args(arguments).notebooks or notebooks(root)
    for file in files:
        if not file.is_file() or file.suffix != ".ipynb":
            parser.error(f"{file} is not a notebook. Name files such as notebooks/01_*.ipynb.")
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
