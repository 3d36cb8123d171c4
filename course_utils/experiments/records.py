"""Several GPU results side by side, with mean and spread: for a cell with more than one piece.

Used by notebooks 09 and 12; one result alone: `course_utils.display.gpu_result`.
"""
import math
import statistics

from course_utils.display import gpu_result

__all__ = ["mean_and_spread", "show_records"]

APART = {"figure", "second run"}  # not in the table


def mean_and_spread(values: list) -> str:
    """Mean and standard deviation of numbers as "12.3 ± 0.4", no more decimals than the latter has; "" for fewer than two, or for words."""
    if len(values) < 2 or not all(isinstance(value, (int, float)) for value in values):
        return ""
    spread = statistics.stdev(values)
    decimals = max(0, -math.floor(math.log10(spread))) if spread else 0
    return f"{statistics.mean(values):.{decimals}f} ± {spread:.{decimals}f}"


def show_records(results: dict[str, dict | None], spread: bool = False) -> None:
    """Print a column for each result of `gpu_cell` that there is, with `spread` one more, then their pictures.

    What is the same in all comes below, once. Without any result it prints what `gpu_result` does.
    """
    results = {name: result for name, result in results.items() if result is not None}
    if not results:
        return gpu_result(None)
    keys = dict.fromkeys(key for result in results.values() for key in result if key not in APART)
    rows = {key: [result[key] for result in results.values() if key in result] for key in keys}
    same = {key for key, values in rows.items() if len(values) == len(results) > 1 and len(set(map(str, values))) == 1}
    table = [["", *results, *(["mean ± spread"] if spread else [])]]
    for key in (key for key in keys if key not in same):
        cells = [str(result.get(key, "-")) for result in results.values()]
        table.append([key, *cells, *([mean_and_spread(rows[key])] if spread else [])])
    widths = [max(map(len, column)) for column in zip(*table)]
    for row in table:
        print("  ".join(f"{cell:>{width}}" for cell, width in zip(row, widths)).rstrip())
    for key in keys:
        if key in same:
            print(f"{key:>{widths[0]}}  {rows[key][0]}, all")
    for name, result in results.items():
        if "second run" in result:
            print(f"{name}, a second run gave: {result['second run']}")
        gpu_result({key: result[key] for key in ("figure",) if key in result})
