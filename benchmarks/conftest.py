"""`make bench`: our solvers and their peers on the same data, with 2 threads each."""

import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "2")  # before NumPy and PyTorch are imported
os.environ.setdefault("PYTHONWARNINGS", "ignore")  # of the processes that scikit-learn starts

import figures  # noqa: E402
import pytest  # noqa: E402
import torch  # noqa: E402
from board import Board, Row  # noqa: E402
from problems import PART, THREADS  # noqa: E402

BOARD = Board()


def pytest_configure(config):
    torch.set_num_threads(THREADS)
    flat_patches = "ignore:Orthogonal matching pursuit ended:RuntimeWarning"
    for line in ("ignore::sklearn.exceptions.ConvergenceWarning", flat_patches):
        config.addinivalue_line("filterwarnings", line)


@pytest.fixture
def record(benchmark):
    """A function that puts a `Row` of its arguments on the board and into the JSON."""

    def record(group, solver, *rest, **more):
        row = Row(group, solver, *rest, **more)
        BOARD.rows.append(row)
        benchmark.group = group
        benchmark.extra_info.update(vars(row))

    return record


@pytest.fixture
def clock(benchmark):
    """A function: the result of run(*arguments), the median of its seconds, and of how many rounds.

    `warm` are the arguments of two first, smaller calls, not counted. What takes less than
    0.2 s has nine rounds, the rest three.
    """

    def clock(run, arguments, warm, rounds=None):
        run(*warm)
        begin = time.perf_counter()
        run(*warm)
        if rounds is None:
            share = len(warm[0]) / len(arguments[0])
            rounds = 3 if time.perf_counter() - begin > 0.2 * share else 9
        found = benchmark.pedantic(run, args=arguments, rounds=rounds)
        return found, benchmark.stats.stats.median, rounds

    return clock


def pytest_terminal_summary(terminalreporter):
    """One table for each group, then the figures asked for."""
    write = terminalreporter.write_line
    for line in [*BOARD.tables(), "", *figures.lines(BOARD)]:
        write(line)
    write("")
    quick = f" Only {PART} of the sizes: a quick look." if PART != 1 else ""
    write(f"{THREADS} threads for every solver.{quick}")
