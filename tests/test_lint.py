"""The linter finds nothing in modules, tests and notebooks (its rules: pyproject.toml)."""

import pathlib
import subprocess
import sys

import pytest

pytest.importorskip("ruff")
ROOT = pathlib.Path(__file__).resolve().parent.parent


def lint(*arguments):
    command = [sys.executable, "-m", "ruff", "check", "--no-cache", "--output-format=concise"]
    return subprocess.run([*command, *arguments], cwd=ROOT, capture_output=True, text=True)


def test_the_linter_finds_nothing():
    run = lint()
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_linter_finds_what_is_wrong(tmp_path):
    file = tmp_path / "module.py"
    file.write_text("import os\nimport ast\n\n\ndef f():\n    unused = undefined\n")
    run = lint("--config", ROOT / "pyproject.toml", file)
    assert run.returncode == 1
    assert all(rule in run.stdout for rule in ("D100", "D103", "F401", "F821", "F841", "I001"))
