"""What was measured: a row for each solver, a table for each group of them."""

from dataclasses import dataclass
from itertools import groupby

OURS, SKLEARN, SPAMS = "ours", "scikit-learn", "SPAMS"  # a solver's name begins with one of these


@dataclass(frozen=True)
class Row:
    """One solver on one problem. `group` titles its table, `value` is its quality as a number.

    `seconds` for `signals` (images in denoising), median of `rounds`. `fair` says that the
    quality is that of the others, so that seconds can be compared.
    """

    group: str
    solver: str
    seconds: float
    signals: int
    rounds: int
    value: float
    remark: str
    fair: bool = True

    @property
    def rate(self) -> float:
        """Signals per second."""
        return self.signals / self.seconds


class Board:
    """All rows of a run."""

    def __init__(self):
        self.rows: list[Row] = []

    def fastest(self, group: str, solver: str) -> Row | None:
        """Of the fair rows whose group and solver begin so, the fastest."""
        rows = (row for row in self.rows if row.group.startswith(group) and row.fair)
        found = (row for row in rows if row.solver.startswith(solver))
        return max(found, key=lambda row: row.rate, default=None)

    def tables(self) -> list[str]:
        """The lines of all tables. Under `ours`: how many times as fast the first of ours is."""
        lines = []
        in_order = sorted(self.rows, key=lambda row: row.group[0])  # a title begins with its number
        for title, group in groupby(in_order, key=lambda row: row.group):
            rows = list(group)
            first = next((row for row in rows if row.solver.startswith(OURS)), None)
            head = f"  {'solver':<40}{'seconds':>9}{'rounds':>7}{'per second':>12}{'ours':>9}"
            lines += ["", title, head]
            for row in rows:
                ratio = f"{first.rate / row.rate:.2f} x" if first else ""
                rate = f"{row.rate:,.0f}" if row.rate > 100 else f"{row.rate:.2f}"
                numbers = f"{row.seconds:>9.3f}{row.rounds:>7}{rate:>12}{ratio:>9}"
                lines.append(f"  {row.solver:<40}{numbers}  {row.remark}")
        return lines
