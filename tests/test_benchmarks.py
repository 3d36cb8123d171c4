"""The benchmarks of `make bench` load, and count rightly; what they measure is not run here."""

import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "benchmarks"))

import figures  # noqa: E402
from board import Board, Row  # noqa: E402


@pytest.fixture
def board():
    """Ours codes 10 signals per second, a fair peer 4, another 20 at another quality."""
    board = Board()
    group = figures.lasso_group("Gaussian signals")
    board.rows += [
        Row(group, "ours: lasso", 1.0, 10, 3, 1e-5, "gap 1e-05"),
        Row(group, "scikit-learn: lasso_cd", 5.0, 20, 3, 1e-5, "gap 1e-05"),
        Row(group, "scikit-learn: Lasso", 1.0, 20, 3, 1e-2, "gap 1e-02, TOO FAR", fair=False),
    ]
    return board


def test_all_benchmarks_load_with_what_the_course_has():
    files = sorted((ROOT / "benchmarks").glob("bench_*.py"))
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", *files]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0 and result.stdout.count("::test_") > 40, result.stdout


def test_a_table_has_a_line_for_each_solver_with_its_ratio_to_ours(board):
    lines = board.tables()
    assert lines[1] == "2 Lasso at equal objective, Gaussian signals"
    assert [line.split(" x  ")[0].split()[-1] for line in lines[3:]] == ["1.00", "2.50", "0.50"]


def test_a_figure_counts_the_fastest_peer_of_equal_quality(board):
    lines = [line for line in figures.lines(board) if "Gaussian signals, speed" in line]
    speed = [line for line in lines if "lasso" in line]
    assert speed[0].split()[:2] == ["reached", "2.50"] and "asked: at least 2" in speed[0]
    assert "not measured" in speed[1]


@pytest.mark.parametrize(
    "value, limits, said",
    [
        (2.0, {"least": 2}, "reached"),
        (1.9, {"least": 2}, "NOT REACHED"),
        (1.6, {"most": 1.5}, "NOT REACHED"),
        (None, {"most": 1.5}, "not measured"),
    ],
)
def test_a_figure_says_whether_it_was_reached(value, limits, said):
    assert figures.line("seconds", value, "asked", **limits).strip().startswith(said)
