"""Colab, for real: a notebook alone in an empty folder, an environment with only torch and Jupyter.

Runs with `make colab` (or pytest -m colab): it downloads packages into a folder that is
removed at the end. torch is an older one than pip would choose, so that an installation
that touched it would be seen. COURSE_COLAB_TORCH names another, such as "torch==2.9.0".
"""

import os
import pathlib
import shutil
import subprocess
import sys

import pytest

from course_tools.lessons import notebooks
from course_tools.links import BRANCH, address
from course_tools.run_notebooks import ENVIRONMENT

ROOT = pathlib.Path(__file__).resolve().parent.parent
NOTEBOOKS = {file.stem: file for file in notebooks()}
pytestmark = pytest.mark.colab

EXECUTE = """
import sys, nbformat
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], as_version=4)
NotebookClient(notebook, timeout=900, kernel_name="python3").execute()
"""
VERSION = "from importlib.metadata import version; print(version('torch'))"


def run(*command, **options) -> str:
    """Run a command; its output. Its errors are shown when it fails."""
    words = [str(word) for word in command]
    result = subprocess.run(words, capture_output=True, text=True, **options)
    assert result.returncode == 0, (result.stdout + result.stderr)[-4000:]
    return result.stdout


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """The Python of an environment with torch and what a Jupyter kernel needs."""
    import torch

    folder = tmp_path_factory.mktemp("colab")
    version, _, build = torch.__version__.partition("+")
    wanted = os.environ.get("COURSE_COLAB_TORCH", f"torch>=2.4,<{version}")
    index = ["--index-url", "https://download.pytorch.org/whl/cpu"] if build == "cpu" else []
    run(sys.executable, "-m", "venv", folder)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    run(python, "-m", "pip", "install", "-q", wanted, *index)
    run(python, "-m", "pip", "install", "-q", "ipykernel", "nbclient")
    yield python
    shutil.rmtree(folder, ignore_errors=True)  # some GB


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_copied_alone_runs_to_the_end_and_torch_is_untouched(name, fresh, tmp_path):
    before = run(fresh, "-c", VERSION)
    run(fresh, "-m", "pip", "uninstall", "-q", "-y", "sparse-to-image-course")  # of the last one
    text = NOTEBOOKS[name].read_text(encoding="utf-8")
    assert text.count(f'REPOSITORY, VERSION = \\"{address()}\\"') == 1
    alone = tmp_path / NOTEBOOKS[name].name
    (tmp_path / "course.part").mkdir()  # what a clone leaves that was cut short
    (tmp_path / "course.part/README.md").touch()
    here = f'\\"{ROOT.as_uri()}\\"'
    head = run("git", "-C", ROOT, "rev-parse", "--abbrev-ref", "HEAD").strip()  # a branch
    text = text.replace(f'\\"{address()}\\", \\"{BRANCH}\\"', f'{here}, \\"{head}\\"')
    alone.write_text(text, encoding="utf-8")
    ours = ("PYTHON", "VIRTUAL_ENV", "JUPYTER")
    clean = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    environment = clean | ENVIRONMENT | {"COLAB_RELEASE_TAG": "a test"}
    run(fresh, "-c", EXECUTE, alone, cwd=tmp_path, env=environment)
    assert (tmp_path / "course/course_utils/session.py").is_file()
    assert run(fresh, "-c", VERSION) == before
