"""The linter finds nothing in modules, tests and notebooks (its rules: pyproject.toml)."""

import importlib.util
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
needs_ruff = pytest.mark.skipif(
    not importlib.util.find_spec("ruff"), reason="ruff is not installed"
)


def lint(*files):
    command = [sys.executable, "-m", "ruff", "check", "--no-cache", "--output-format", "concise"]
    result = subprocess.run([*command, *map(str, files)], cwd=ROOT, capture_output=True, text=True)
    return result.returncode, result.stdout + result.stderr


@needs_ruff
def test_the_linter_finds_nothing():
    status, said = lint(".")
    assert status == 0, said


@needs_ruff
def test_the_linter_finds_what_is_wrong(tmp_path):
    file = tmp_path / "module.py"
    file.write_text("import os\nimport ast\n\n\ndef f():\n    unused = ast\n")
    status, said = lint("--config", ROOT / "pyproject.toml", file)
    assert status == 1 and all(rule in said for rule in ("F401", "I001", "F841"))
