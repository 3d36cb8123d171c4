"""Binder builds an image from environment.yml and runs postBuild in it: both are checked without Docker."""

import os
import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "postBuild"
NEWS = "@jupyterlab/apputils-extension:announcements"
bash = pytest.mark.skipif(
    os.name == "nt" or not shutil.which("bash"), reason="postBuild is a script for bash"
)


@pytest.fixture(scope="module")
def recipe():
    """What repo2docker would give to Docker, the Dockerfile in it."""
    pytest.importorskip("repo2docker")
    reader = ["--user-id", "1000", "--user-name", "jovyan"]
    command = [sys.executable, "-m", "repo2docker", "--no-build", "--debug", *reader, str(ROOT)]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return run.stdout + run.stderr


def test_the_recipe_installs_the_environment_with_conda_and_then_runs_post_build(recipe):
    install = 'env update -p ${NB_PYTHON_PREFIX} --file "environment.yml"'
    steps = [
        "/envs/notebook",
        install,
        "COPY --chown=1000:1000 src/ ",
        "USER ${NB_USER}",
        "RUN ./postBuild",
    ]
    places = [recipe.rfind(step) for step in steps]
    assert min(places) > 0 and places == sorted(places), dict(zip(steps, places, strict=True))


def test_nothing_in_the_repository_hides_these_two_files_from_binder(recipe):
    assert not [name for name in ("binder", ".binder", "Dockerfile") if (ROOT / name).exists()]
    assert "requirements.txt" not in recipe.split("# Run pre-assemble scripts!")[1]


def test_post_build_is_a_script_that_stops_at_the_first_error():
    lines = SCRIPT.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "#!/bin/bash" and "set -e" in lines
    assert os.name == "nt" or os.access(SCRIPT, os.X_OK)


class Built:
    """A course in which postBuild has run twice: with a home, a Python and a course of its own, and no network."""

    def __init__(self, folder: pathlib.Path):
        self.home, self.prefix, self.course = folder / "home", folder / "python", folder / "course"
        for part in (self.home, self.course / "course_utils"):
            part.mkdir(parents=True)
        (self.course / "course_utils/__init__.py").write_text("word = 'found'\n")
        shutil.copy(SCRIPT, self.course)
        subprocess.run(
            [sys.executable, "-m", "venv", "--without-pip", str(self.prefix)], check=True
        )
        site = self.python("import sysconfig; print(sysconfig.get_path('purelib'))")
        packages = (
            pathlib.Path(site.strip()) / "packages.pth"
        )  # the packages of this Python, but not its course
        packages.write_text(
            "\n".join(path for path in sys.path if path.endswith("site-packages")) + "\n"
        )
        self.before = self.files()
        self.runs = [self.shell("./postBuild") for _ in range(2)]

    def environment(self, **more: str) -> dict[str, str]:
        """As small as in a container; pip finds nothing, as without a network."""
        path = os.pathsep.join([str(self.prefix / "bin"), "/usr/bin", "/bin"])
        return {
            "HOME": str(self.home),
            "PATH": path,
            "PIP_NO_INDEX": "1",
            "PIP_IGNORE_INSTALLED": "1",
        } | more

    def shell(self, command: str, **more: str) -> subprocess.CompletedProcess:
        run = ["bash", "-e", "-c", command]
        return subprocess.run(
            run, cwd=self.course, env=self.environment(**more), capture_output=True, text=True
        )

    def python(self, code: str) -> str:
        command = [str(self.prefix / "bin/python"), "-c", code]
        result = subprocess.run(
            command, cwd=self.home, env=self.environment(), capture_output=True, text=True
        )
        return result.stdout + result.stderr

    def files(self) -> set[pathlib.Path]:
        return {
            file
            for file in self.home.parent.rglob("*")
            if file.is_file() and "__pycache__" not in file.parts
        }


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return Built(tmp_path_factory.mktemp("binder"))


@bash
def test_post_build_ends_well_twice_even_where_nothing_can_be_fetched(built):
    assert [run.returncode for run in built.runs] == [0, 0], built.runs
    assert all("Not fetched now: the feature network" in run.stdout for run in built.runs)


@bash
def test_the_course_can_be_imported_from_any_folder(built):
    assert built.python("import course_utils; print(course_utils.word)") == "found\n"
    course = next(file for file in built.files() if file.name == "sparse-to-image-course.pth")
    text = course.read_text()
    course.write_text("")
    assert "No module named 'course_utils'" in built.python(
        "import course_utils"
    )  # it is the file that does it
    course.write_text(text)


@bash
def test_no_news_are_offered_and_the_fonts_are_known(built):
    new = {file.name: file for file in built.files() - built.before}
    assert f'"{NEWS}": true' in new["page_config.json"].read_text()
    assert [name for name in new if name.startswith("fontlist")]
    assert len(new) == 4, new  # these two, the path of the course, the threads


@bash
@pytest.mark.parametrize(
    "given, threads",
    [
        ({}, ""),
        ({"CPU_LIMIT": "1.0"}, "1"),
        ({"CPU_LIMIT": "1"}, "1"),
        ({"CPU_LIMIT": "0.5"}, "1"),
        ({"CPU_LIMIT": ".5"}, "1"),
        ({"CPU_LIMIT": "4.0"}, "4"),
        ({"CPU_LIMIT": "None"}, "1"),
        ({"CPU_LIMIT": "4.0", "OMP_NUM_THREADS": "2"}, "2"),
    ],
)
def test_there_are_no_more_threads_than_cores_that_are_given(built, given, threads):
    run = built.shell(
        f'. {built.prefix}/etc/conda/activate.d/course.sh; echo "$OMP_NUM_THREADS"', **given
    )
    assert run.returncode == 0 and run.stdout.strip() == threads, run
