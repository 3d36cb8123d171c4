"""The Makefile installs once, when it should, and says why it cannot."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

import pytest

from course_tools.project_file import project

ROOT = pathlib.Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.skipif(
    sys.platform == "win32" or not shutil.which("make"), reason="make is not installed"
)

# Stands for Python: notes its calls, and as `-m venv` puts itself into .venv.
FAKE = """#!/bin/sh
echo "$*" >> calls
case "$*" in
    "--version") echo "Python VERSION" ;;
    *"import sys, pip"*) echo yes ;;
    "-c "*) exit TOO_OLD ;;
    "-m venv"*) rm -rf .venv && mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
    *" spams-bin") if [ -f no-wheel ]; then exit 1; fi ;;
    "tests/environment.py"*) if [ -f no-network ]; then exit 1; fi
        mkdir -p .venv/tests/bin && cp "$0" .venv/tests/bin/python ;;
    "-m pip"*) if [ -f no-network ]; then echo "no network" >&2; exit 1; fi ;;
esac
"""

EXTRAS = project()["project"]["optional-dependencies"]
BENCH = "-m pytest -q -rs --benchmark-quiet -p no:cacheprovider benchmarks/bench_*.py"


@pytest.fixture
def folder(tmp_path):
    """An empty course, in a folder whose name has a space."""
    folder = tmp_path / "my course"
    folder.mkdir()
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    (folder / "course_tools/publishing").mkdir(parents=True)  # the student edition goes without it
    python(folder, "3.12.0")
    return folder


def python(folder, version):
    """Put a fake Python of this version into the folder."""
    old = int(version.split(".")[1]) < 10
    fake = FAKE.replace("VERSION", version).replace("TOO_OLD", str(int(old)))
    (folder / "python").write_text(fake)
    (folder / "python").chmod(0o755)


def make(folder, *arguments):
    """Run make with the fake Python; its result, and what Python was called for."""
    calls = folder / "calls"
    calls.unlink(missing_ok=True)
    clean = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL", "ARGS")}
    command = ["make", "PYTHON=./python", "TORCH=", *arguments]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=clean)
    lines = calls.read_text().splitlines() if calls.exists() else []
    return result, [line for line in lines if not line.startswith("-c ")]


def installs(calls):
    return [line for line in calls if line.startswith("-m pip")]


def test_the_first_call_installs_the_second_does_not_and_a_change_of_pyproject_does(folder):
    result, calls = make(folder, "install")
    assert result.returncode == 0 and "Installing the course" in result.stdout
    assert calls[0] == "-m venv --clear .venv" and len(installs(calls)) == 1
    result, calls = make(folder, "install")
    assert result.returncode == 0 and calls == []
    later = time.time() + 5
    os.utime(folder / "pyproject.toml", (later, later))
    _, calls = make(folder, "install")  # again into the same environment
    assert len(installs(calls)) == 1 and not any("venv --clear" in line for line in calls)


def test_a_failed_installation_is_tried_again(folder):
    (folder / "no-network").touch()
    result, _ = make(folder, "install")
    assert result.returncode and "no network" in result.stderr
    assert not (folder / ".venv/course-installed").exists()
    (folder / "no-network").unlink()
    result, calls = make(folder, "install")
    assert result.returncode == 0 and len(installs(calls)) == 1


def test_an_environment_whose_python_is_gone_is_made_again(folder):
    make(folder, "install")
    (folder / ".venv/bin/python").unlink()
    (folder / ".venv/bin/python").symlink_to("/nowhere/python3")
    result, calls = make(folder, "install")
    assert result.returncode == 0 and len(installs(calls)) == 1
    assert calls[0] == "-m venv --clear .venv"


def test_an_old_python_is_refused_before_anything_is_made(folder):
    python(folder, "3.9.2")
    result, calls = make(folder, "lab")
    assert result.returncode and not (folder / ".venv").exists() and calls == ["--version"]
    assert "needs Python 3.10 or newer; ./python is: Python 3.9.2" in result.stdout
    assert "make lab PYTHON=python3.12" in result.stdout


def test_a_missing_python_is_named(folder):
    result, _ = make(folder, "lab", "PYTHON=no-such-python")
    assert result.returncode and "no-such-python" in result.stdout
    assert not (folder / ".venv").exists()


def test_torch_for_the_cpu_comes_first_and_from_its_own_index(folder):
    _, calls = make(folder, "install", "TORCH=cpu")
    first, second = installs(calls)
    assert "torch torchvision --index-url https://download.pytorch.org/whl/cpu" in first
    assert second.endswith("-e .")


@pytest.mark.parametrize("wheel", [True, False])
def test_the_benchmark_installs_its_extra_once_and_goes_without_spams_where_it_must(folder, wheel):
    if not wheel:
        (folder / "no-wheel").touch()
    result, calls = make(folder, "bench")
    extra = [re.match(r"[\w-]+", need)[0] for need in EXTRAS["bench"]]
    assert [line.split()[-1] for line in installs(calls)[1:]] == extra
    assert result.returncode == 0 and ("goes without it" in result.stdout) == (not wheel)
    assert "-m pytest" in calls[-1]
    assert len(installs(make(folder, "bench")[1])) == 0


def test_the_tests_install_their_extra_once_and_go_without_it_where_they_must(folder):
    make(folder, "install")
    (folder / "no-network").touch()
    result, calls = make(folder, "test")
    assert result.returncode == 0 and "are skipped" in result.stdout
    assert calls[-1].strip() == "tests/run_all.py"
    (folder / "no-network").unlink()
    assert make(folder, "test")[1] == ["tests/environment.py test", "tests/run_all.py"]
    assert make(folder, "test")[1] == ["tests/run_all.py"]
    all_of_them = ["tests/environment.py test,site", "tests/run_all.py --all"]
    assert make(folder, "test-all")[1] == all_of_them
    assert make(folder, "test")[1] == ["tests/run_all.py"]


def test_arguments_go_on_to_the_program(folder):
    _, calls = make(folder, "lab", "ARGS=--no-browser --port 8890")
    assert calls[-1].startswith("-m jupyterlab") and calls[-1].endswith("--no-browser --port 8890")
    assert "notebooks/00_start_here.ipynb" in calls[-1]
    assert ("--allow-root" in calls[-1]) == (os.geteuid() == 0)
    programs = {"test": "tests/run_all.py", "run": "-m course_tools.run_notebooks", "bench": BENCH}
    for target, program in programs.items():
        _, calls = make(folder, target, "ARGS=-x")
        assert calls[-1] == f"{program} -x"
