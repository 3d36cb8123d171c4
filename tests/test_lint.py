"""Linter, formatter and type checker find nothing (rules: pyproject.toml); the lock file."""

import importlib.metadata
import importlib.util
import pathlib
import re
import subprocess
import sys

import pytest

from course_tools.project_file import project

ROOT = pathlib.Path(__file__).resolve().parent.parent
needs_ruff = pytest.mark.skipif(not importlib.util.find_spec("ruff"), reason="needs ruff")


def run(module, *words):
    command = [sys.executable, "-m", module, *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


@needs_ruff
@pytest.mark.parametrize("command", [["check"], ["format", "--check"]])
def test_linter_and_formatter_find_nothing(command):
    result = run("ruff", *command, "--no-cache", ".")
    assert result.returncode == 0, result.stdout + result.stderr


@needs_ruff
def test_the_linter_finds_what_is_wrong(tmp_path):
    file = tmp_path / "module.py"
    file.write_text("import os\nimport ast\n\n\ndef f():\n    unused = undefined\n")
    result = run("ruff", "check", "--no-cache", "--config", "pyproject.toml", file)
    assert result.returncode == 1
    assert all(rule in result.stdout for rule in ("D100", "D103", "F401", "F821", "F841", "I001"))


def locked(package):
    """The version in requirements.lock."""
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    return re.search(rf"^{package}==(\S+)", lock, re.MULTILINE)[1]


def test_the_types_of_the_helpers_fit_together():
    """Other versions of mypy and PyTorch have other opinions: only the tested ones are asked."""
    for package in ("mypy", "torch"):
        if not importlib.util.find_spec(package):
            pytest.skip(f"{package} is not installed")
        if importlib.metadata.version(package).split("+")[0] != locked(package):
            pytest.skip(f"{package} is not the version of requirements.lock")
    result = run("mypy")
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_lock_file_holds_every_package_of_the_course_and_a_torch_that_fits_torchvision():
    wanted = [re.match(r"[\w-]+", line)[0] for line in project()["project"]["dependencies"]]
    for package in wanted:
        assert locked(package.lower()), package
    (major, minor, _), (_, vision, _) = (locked(p).split(".") for p in ("torch", "torchvision"))
    assert (major, int(vision) - int(minor)) == ("2", 15)  # torch 2.n goes with torchvision 0.n+15
