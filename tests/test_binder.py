"""Binder builds an image from binder/ and runs postBuild in it: checked without Docker."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

from course_tools.project_file import project

ROOT = pathlib.Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "binder/postBuild"
NEWS = "@jupyterlab/apputils-extension:announcements"
bash = pytest.mark.skipif(
    os.name == "nt" or not shutil.which("bash"), reason="postBuild is a script for bash"
)


def test_the_recipe_installs_the_environment_with_conda_and_then_runs_post_build():
    """What repo2docker would give to Docker. pip reads requirements.lock, so the course is copied
    first."""
    pytest.importorskip("repo2docker")
    reader = ["--user-id", "1000", "--user-name", "jovyan"]
    command = [sys.executable, "-m", "repo2docker", "--no-build", "--debug", *reader, str(ROOT)]
    run = subprocess.run(command, capture_output=True, text=True)
    recipe = run.stdout + run.stderr
    steps = [
        "/envs/notebook",
        "COPY --chown=1000:1000 src/ ",
        'env update -p ${NB_PYTHON_PREFIX} --file "binder/environment.yml"',
        "USER ${NB_USER}",
        "RUN ./binder/postBuild",
    ]
    places = [recipe.rfind(step) for step in steps]
    assert run.returncode == 0 and min(places) > 0 and places == sorted(places), recipe


def test_the_image_gets_the_course_at_the_tested_versions():
    text = (ROOT / "binder/environment.yml").read_text(encoding="utf-8")
    least = re.fullmatch(r">=3\.(\d+)", project()["project"]["requires-python"])
    assert int(re.search(r"^  - python=3\.(\d+)\b", text, re.MULTILINE)[1]) >= int(least[1])
    for option in ("--constraint ../requirements.lock", "--editable .."):
        assert f"    - {option}\n" in text
        assert (ROOT / "binder" / option.split()[1]).exists()


class Built:
    """A course in which postBuild ran twice, with a home and a Python of its own and no network."""

    def __init__(self, folder: pathlib.Path):
        self.home, self.prefix, self.course = folder / "home", folder / "python", folder / "course"
        self.home.mkdir()
        self.course.mkdir()
        shutil.copy(SCRIPT, self.course)
        venv = [sys.executable, "-m", "venv", "--without-pip", str(self.prefix)]
        subprocess.run(venv, check=True)
        site = self.run("python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))")
        packages = [path for path in sys.path if path.endswith("site-packages")]  # not the course
        pathlib.Path(site.stdout.strip(), "packages.pth").write_text("\n".join(packages) + "\n")
        before = self.files()
        self.runs = [self.run("./postBuild") for _ in range(2)]
        self.new = {file.name: file for file in self.files() - before}

    def run(self, *command: str, **more: str) -> subprocess.CompletedProcess:
        """Run a command with as few variables as in a container; pip finds nothing."""
        path = os.pathsep.join([str(self.prefix / "bin"), "/usr/bin", "/bin"])
        pip = {"PIP_NO_INDEX": "1", "PIP_IGNORE_INSTALLED": "1"}
        environment = {"HOME": str(self.home), "PATH": path} | pip | more
        where = {"cwd": self.home if command[0] == "python" else self.course, "env": environment}
        program = shutil.which(command[0], path=path) or command[0]
        return subprocess.run([program, *command[1:]], capture_output=True, text=True, **where)

    def files(self) -> set[pathlib.Path]:
        found = self.home.parent.rglob("*")
        return {file for file in found if file.is_file() and "__pycache__" not in file.parts}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return Built(tmp_path_factory.mktemp("binder"))


@bash
def test_post_build_ends_well_twice_even_where_nothing_can_be_fetched(built):
    assert [run.returncode for run in built.runs] == [0, 0], built.runs
    assert all("Not fetched now: the feature network" in run.stdout for run in built.runs)
    lines = SCRIPT.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "#!/bin/bash" and "set -e" in lines and os.access(SCRIPT, os.X_OK)


@bash
def test_no_news_are_offered_and_the_fonts_are_known(built):
    assert f'"{NEWS}": true' in built.new["page_config.json"].read_text()
    assert [name for name in built.new if name.startswith("fontlist")]
    assert len(built.new) == 3, built.new  # these two and the threads


@bash
@pytest.mark.parametrize(
    "given, threads",
    [
        ({}, ""),
        ({"CPU_LIMIT": "0.5"}, "1"),
        ({"CPU_LIMIT": "4.0"}, "4"),
        ({"CPU_LIMIT": "None"}, "1"),
        ({"CPU_LIMIT": "4.0", "OMP_NUM_THREADS": "2"}, "2"),
    ],
)
def test_there_are_no_more_threads_than_cores_that_are_given(built, given, threads):
    script = f'. {built.prefix}/etc/conda/activate.d/course.sh; echo "$OMP_NUM_THREADS"'
    run = built.run("bash", "-e", "-c", script, **given)
    assert run.returncode == 0 and run.stdout.strip() == threads, run
