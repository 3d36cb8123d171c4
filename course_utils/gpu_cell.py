"""Large cells: run on a GPU, elsewhere show the recorded result of the largest run made so far.

    def full_size(device, patches):
        ...
        return {"PSNR, dB": 31.2, "figure": figure}

    gpu_cell(session, "01_spinning", full_size, gpu={"patches": 20_000}, cpu={"patches": 2_000})

`make record ARGS=01_spinning` runs it where you are and stores the result in data/recorded.
"""

import datetime
import json
import math
import os
import platform
import re
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import torch
from IPython.display import Image, display

from course_utils.files import ROOT, bring_back, write_text
from course_utils.session import Session

__all__ = ["gpu_cell", "read_record", "run_in_words"]

RECORDED = ROOT / "data" / "recorded"
FACTS = ("device", "date", "seconds", "memory, MB", "torch")  # of a run, besides its sizes


def gpu_cell(
    session: Session,
    name: str,
    run: Callable[..., dict],
    *,
    gpu: dict,
    cpu: dict,
    pieces: dict[str, dict] | None = None,
    spread: bool = False,
) -> None:
    """Run `run(device, **gpu)` on a GPU and show its result, elsewhere the record of `name`.

    `run` returns numbers and words by name, and "figure", a matplotlib figure, if it has one. gpu,
    cpu: the sizes for each kind of device; a CPU only runs to be recorded (COURSE_RECORD=NAME in
    the environment, set by `make record`). pieces: further arguments of several runs, by label;
    they are shown side by side, with `spread` also mean and standard deviation, and recorded one by
    one, so that an interrupted recording goes on with the next piece.

    Raises ValueError for a name that cannot be a file name, for a record that is damaged, of
    another cell or without a device, and for a result to be recorded that holds no finite number;
    TypeError for a result that is no dict.
    """
    pieces = pieces or {"": {}}
    record = os.environ.get("COURSE_RECORD") == name
    results = read_record(name)
    if session.gpu or record:
        sizes = gpu if session.gpu else cpu
        for label, arguments in pieces.items():
            # An interrupted recording goes on; a GPU replaces the record of a CPU
            by_cpu = results.get(label, {}).get("device", "").endswith("CPU cores")
            if record and label in results and not (session.gpu and by_cpu):
                continue
            results[label] = measured(session, run, sizes, arguments)
            if record:
                write_record(name, results, label)
    show({label: results[label] for label in pieces if label in results}, spread)


def measured(session: Session, run: Callable[..., dict], sizes: dict, arguments: dict) -> dict:
    """The result of one run, with its sizes, device, date, seconds and peak memory."""
    if session.gpu:
        torch.cuda.reset_peak_memory_stats()
    begin = time.perf_counter()
    found = run(session.device, **sizes, **arguments)
    if not isinstance(found, dict):
        raise TypeError(
            f"run returned a {type(found).__name__}; expected a dict of numbers and words by name."
        )
    # a record holds Python's numbers, not those of NumPy and torch
    result = {
        key: value.item() if getattr(value, "ndim", None) == 0 else value
        for key, value in found.items()
    }
    if session.gpu:
        torch.cuda.synchronize()
        peak = torch.cuda.max_memory_allocated()
    else:
        peak = peak_memory()
    return result | {
        "sizes": sizes,
        "device": device_words(session),
        "date": datetime.date.today().isoformat(),
        "seconds": round(time.perf_counter() - begin),
        "memory, MB": round(peak / 1e6),
        "torch": torch.__version__,
    }


def peak_memory() -> int:
    """The most memory that this process has held so far, in bytes."""
    if os.name == "nt":
        return psutil.Process().memory_info().peak_wset
    import resource

    unit = 1 if platform.system() == "Darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def device_words(session: Session) -> str:
    """The device as one would say it: "NVIDIA H200", or "AMD EPYC, 2 CPU cores"."""
    if session.gpu:
        return torch.cuda.get_device_name()
    file = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.*)", file.read_text()) if file.is_file() else None
    words = found[1] if found else platform.processor() or platform.machine()
    return f"{words}, {session.threads} CPU cores"


def write_record(name: str, results: dict[str, dict], label: str) -> None:
    """Store the results, and the figure of the piece `label`. ValueError if it has no result."""
    if problem := no_result(results[label]):
        raise ValueError(f"{name} {label}".rstrip() + f": {problem}. Not recorded.")
    figure = results[label].pop("figure", None)
    if figure is not None:
        piece = "_" + re.sub(r"[^a-z0-9]+", "_", label.lower()) if label else ""
        results[label]["picture"] = f"{name}{piece}.png"
        RECORDED.mkdir(parents=True, exist_ok=True)
        figure.savefig(RECORDED / results[label]["picture"], dpi=80)
    content = {"cell": name, "pieces": results}
    write_text(RECORDED / f"{name}.json", json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def no_result(result: dict) -> str:
    """What is wrong with a result: nothing measured, or a number that is not finite; else ""."""
    found = {key: value for key, value in result.items() if key not in (*FACTS, "sizes", "figure")}
    for key, value in found.items():
        numbers = re.findall(r"-?\d+\.?\d*|\bnan\b|\binf\b", str(value).lower())
        if any(not math.isfinite(float(number)) for number in numbers):
            return f"{key} is {value}"
    return "" if found else "no result"


def read_record(name: str) -> dict[str, dict]:
    """The recorded pieces of a cell by label, {} if there are none. Errors: see `gpu_cell`."""
    if not re.fullmatch(r"[a-z0-9_]+", str(name)):
        raise ValueError(f"name {name!r}: use small letters, digits and '_' only.")
    file = RECORDED / f"{name}.json"
    if not file.is_file():
        return {}
    mend = f"{bring_back(file)}, or record it again: make record ARGS={name}"
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
        cell, pieces = record["cell"], dict(record["pieces"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{file} is damaged ({type(error).__name__}: {error}). {mend}") from error
    if cell != name:
        raise ValueError(f"{file} holds the record of {cell!r}, not of {name!r}. {mend}")
    for label, piece in pieces.items():
        if missing := " and the ".join(fact for fact in FACTS if fact not in piece):
            raise ValueError(f"{file} does not say the {missing} of {label or 'its run'}. {mend}")
    return pieces


def show(results: dict[str, dict], spread: bool) -> None:
    """Print a column for each piece, then how each was run, and draw the figures."""
    if not results:
        print("No GPU here, and no result of a GPU run is recorded yet.")
        return
    hidden = (*FACTS, "sizes", "figure", "picture")
    keys = dict.fromkeys(key for result in results.values() for key in result if key not in hidden)
    table = [["", *results, "mean ± spread"]] if len(results) > 1 else []
    for key in keys:
        values = [result[key] for result in results.values() if key in result]
        cells = [str(result.get(key, "-")) for result in results.values()]
        table.append([key, *cells, mean_and_spread(values)])
    if not spread:
        table = [row[:-1] for row in table]
    widths = [max(map(len, column)) for column in zip(*table)]
    for row in table:
        print("  ".join(f"{cell:>{width}}" for cell, width in zip(row, widths)).rstrip())
    for label, result in results.items():
        sizes = "".join(f", {key} {value}" for key, value in result["sizes"].items())
        more = f"{result['memory, MB']} MB, torch {result['torch']}{sizes}"
        print(f"\n{run_in_words(label, result)}, {more}", end="")
    print()
    for result in results.values():
        if "picture" in result:
            display(Image(RECORDED / result["picture"]))


def run_in_words(label: str, result: dict) -> str:
    """Device, date and seconds of a recorded piece, after its label if it has one."""
    facts = f"{result['device']}, {result['date']}, {result['seconds']} s"
    return f"{label}: {facts}" if label else facts


def mean_and_spread(values: list) -> str:
    """Mean and standard deviation as "12.3 ± 0.4"; "" for fewer than two values, or for words."""
    if len(values) < 2 or not all(isinstance(value, (int, float)) for value in values):
        return ""
    deviation = statistics.stdev(values)
    decimals = max(0, -math.floor(math.log10(deviation))) if deviation else 0
    return f"{statistics.mean(values):.{decimals}f} ± {deviation:.{decimals}f}"
