"""The offline pack: made, checked, installed without a network, refused where it cannot work.

The course packed here is a small stand-in that needs only pip, from the wheel that comes with
Python. The way is the whole way, from `pack.main` to a line of Python in the new environment.
"""

import ast
import ensurepip
import errno
import json
import os
import pathlib
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from run_all import cut_off

from course_tools.course_files import write_manifest
from course_tools.publishing import install, pack
from course_utils.files import sha256

ROOT = pathlib.Path(__file__).resolve().parent.parent
WHEELS = pathlib.Path(ensurepip.__file__).parent / "_bundled"
PYPROJECT = """[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "small-course"
"""
BACKEND = '''"""Builds the wheel of the stand-in without setuptools."""
import pathlib
import zipfile


def build_wheel(folder, config_settings=None, metadata_directory=None):
    metadata = "Metadata-Version: 2.1\\nName: small-course\\nVersion: 1.0\\nRequires-Dist: pip\\n"
    tags = "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
    with zipfile.ZipFile(f"{folder}/small_course-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("small_course.pth", str(pathlib.Path.cwd()))
        for name, text in {"METADATA": metadata, "WHEEL": tags, "RECORD": ""}.items():
            wheel.writestr(f"small_course-1.0.dist-info/{name}", text)
    return "small_course-1.0-py3-none-any.whl"


build_editable = build_wheel
'''
pytestmark = pytest.mark.skipif(
    not shutil.which("git") or not list(WHEELS.glob("pip-*.whl")),
    reason="no git, or no pip's wheel",
)


@pytest.fixture(autouse=True, scope="module")
def surroundings(tmp_path_factory):
    """pip finds its own wheel only; a whole data set lies in COURSE_DATA."""
    data = tmp_path_factory.mktemp("data")
    for name in ("cifar10", "patients"):
        np.savez(data / f"{name}.npz", train_images=np.zeros(3, np.uint8))
    settings = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(WHEELS), "PIP_CONFIG_FILE": os.devnull}
    settings |= {"COURSE_DATA": str(data), "XDG_CACHE_HOME": str(data / "cache")}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        yield


def write_course(root):
    (root / "tests").mkdir(parents=True)
    for name in ("Makefile", "tests/environment.py", ".gitattributes", ".gitignore"):
        shutil.copy(ROOT / name, root / name)
    (root / "notebooks/solutions").mkdir(parents=True)
    (root / "notebooks/00.ipynb").write_text("{}")
    (root / "marks.csv").write_text("of the teacher")
    (root / "notebooks/solutions/00_solutions.ipynb").write_text("{}")
    (root / "course_utils").mkdir()
    (root / "course_utils/__init__.py").touch()
    (root / "pyproject.toml").write_text(PYPROJECT)
    (root / "backend.py").write_text(BACKEND)
    files = [file.relative_to(root).as_posix() for file in root.rglob("*") if file.is_file()]
    write_manifest(root, [name for name in files if name != "marks.csv"])
    return root


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The archive of the pack, made in a folder whose name has a space."""
    root = write_course(tmp_path_factory.mktemp("made here") / "small")
    before = {file.name for file in root.iterdir()}
    assert pack.main([], root) == 0
    assert {file.name for file in root.iterdir()} == before | {"build"}
    (archive,) = (root / "build/pack").iterdir()
    return archive


@pytest.fixture
def unpacked(made, tmp_path):
    """The pack as it is unpacked on another machine."""
    with zipfile.ZipFile(made) as archive:
        archive.extractall(tmp_path / "other machine")
    return tmp_path / "other machine" / made.stem


def run_installer(folder, *arguments):
    """Run install.py of a pack, without a network where the system allows that."""
    command = [*cut_off(), sys.executable, folder / "install.py", *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def check_installed(course):
    """The environment has the course, and make has nothing left to install."""
    python = course / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    subprocess.run([python, "-c", "import backend, pip"], check=True, cwd=course.parent)
    if shutil.which("make"):
        make = ["make", "install", ".venv/tests/extra-installed"]
        left = subprocess.run(make, cwd=course, capture_output=True, text=True)
        assert left.returncode == 0 and "nstalling" not in left.stdout and "pip" not in left.stdout


# ------------------------------------------------------------------ what is in a pack


def test_a_pack_has_wheels_course_data_installer_and_the_checksum_of_each(made, unpacked):
    files = [file for file in unpacked.rglob("*") if file.is_file()]
    sums = {file.relative_to(unpacked).as_posix(): sha256(file) for file in files}
    assert json.loads((unpacked / "pack.json").read_text())["files"] == {
        name: sum for name, sum in sums.items() if name not in ("install.py", "pack.json")
    }
    assert not [name for name in sums if "marks" in name or "patients" in name]
    assert {"course/notebooks/00.ipynb", "course/data/downloads/cifar10.npz"} < sums.keys()
    assert [name.split("-")[0] for name in sums if name.endswith(".whl")] == ["wheels/pip"]
    assert made.name == f"{unpacked.name}.zip" and made.name.startswith("small-course-cpython-")


def test_the_pack_for_students_has_no_solutions(made):
    archive = pack.make_pack(made.parents[2], student=True)
    assert archive.name.startswith("small-course-student-")
    notebooks = [name for name in zipfile.ZipFile(archive).namelist() if name.endswith(".ipynb")]
    assert notebooks == [f"{archive.stem}/course/notebooks/00.ipynb"]
    archive.unlink()


def test_the_installer_needs_only_pythons_own_library_and_no_new_syntax():
    tree = ast.parse(pathlib.Path(install.__file__).read_text("utf-8"), feature_version=(3, 8))
    imports = [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
    names = {getattr(node, "module", None) or node.names[0].name for node in imports}
    assert names and names <= set(sys.stdlib_module_names)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the usual PyTorch is the small one")
@pytest.mark.parametrize("torch, offered", [("cpu", True), ("cpu", False), ("cuda", True)])
def test_pytorch_for_the_cpu_is_taken_where_its_index_offers_it(
    tmp_path, monkeypatch, capsys, torch, offered
):
    asked = []

    def pip(stage, command, *arguments, quiet=False):
        asked.append(command)
        if command == "download":
            assert pack.CPU in arguments and "torch==9.0" in (stage / "constraints.txt").read_text()
            if offered:
                (stage / "small/torch-9.0+cpu-py3-none-any.whl").touch()
            return offered
        assert arguments[arguments.index("--find-links") + 1] == stage / "small"
        return True

    monkeypatch.setattr(pack, "pip", pip)
    monkeypatch.setattr(pack, "versions_here", lambda course: "torch==9.0\n")
    write_course(tmp_path / "course")
    pack.fetch_wheels(tmp_path, torch)
    assert asked == (["download", "wheel"] if torch == "cpu" else ["wheel"])
    assert ("the pack is 3 GB larger" in capsys.readouterr().out) == (not offered)


def test_versions_are_those_that_are_installed_here_without_what_installs_packages():
    lines = pack.versions_here("sparse-to-image-course").splitlines()
    assert f"numpy=={np.__version__}" in lines and len(lines) > 30
    names = {line.split("==")[0] for line in lines}
    assert not names & {"pip", "setuptools", "sparse-to-image-course"} and "+" not in str(lines)


# ------------------------------------------------------------------ installing it


def test_a_pack_installs_without_a_network_and_make_has_nothing_left_to_install(unpacked):
    (unpacked / "course/.venv").mkdir()
    (unpacked / "course/.venv/half").touch()  # of an installation that was interrupted
    os.utime(unpacked / "course/pyproject.toml", (4e9, 4e9))  # packed where clocks are ahead
    result = run_installer(unpacked)
    assert result.returncode == 0, result.stderr
    assert f"cd {unpacked / 'course'}\n" in result.stdout
    check_installed(unpacked / "course")
    assert not (unpacked / "course/.venv/half").exists()


def test_a_pack_on_a_medium_that_is_only_read_installs_into_a_named_folder(unpacked, tmp_path):
    (unpacked / "course/notebooks/ada.ipynb").write_text("of one who worked in the pack")
    before, mine = sorted(unpacked.rglob("*")), tmp_path / "my course"
    mine.mkdir()
    assert run_installer(unpacked, mine).returncode == 0
    check_installed(mine)
    assert sorted(unpacked.rglob("*")) == before
    assert not (mine / "notebooks/ada.ipynb").exists()
    (mine / "notebooks/00.ipynb").write_text("my own work")
    install.copy(unpacked / "course", mine)
    assert (mine / "notebooks/00.ipynb").read_text() == "my own work"


def test_a_folder_of_someone_else_is_refused(unpacked):
    result = run_installer(unpacked, unpacked)
    assert result.returncode == 1 and "is not empty" in result.stderr


def test_a_damaged_pack_is_refused_before_anything_is_made(unpacked):
    (wheel,) = (unpacked / "wheels").iterdir()
    wheel.write_bytes(wheel.read_bytes()[:-1] + b"!")
    (unpacked / "course/course_utils/__init__.py").unlink()  # an empty file
    result = run_installer(unpacked)
    assert result.returncode == 1 and "Unpack or copy the pack again" in result.stderr
    assert f"wheels/{wheel.name}" in result.stderr and "course_utils/__init__.py" in result.stderr
    assert not (unpacked / "course/.venv").exists()


def test_a_machine_that_does_not_fit_is_told_so_before_anything_is_made(unpacked):
    listed = json.loads((unpacked / "pack.json").read_text())
    for changes, words in [
        ({"machine": "CPython 3.5 on Plan9"}, "was made for CPython 3.5 on Plan9, but this is "),
        ({"installed_bytes": 10**18}, "takes 1200000000.0 GB"),
    ]:
        (unpacked / "pack.json").write_text(json.dumps(listed | changes))
        result = run_installer(unpacked)
        assert result.returncode == 1 and words in result.stderr
    assert not (unpacked / "course/.venv").exists()


def test_an_installation_that_fails_is_reported_and_make_does_not_take_it_for_done(unpacked):
    text = (unpacked / "course/backend.py").read_text().replace("Dist: pip", "Dist: tinywheel")
    (unpacked / "course/backend.py").write_text(text)
    with pytest.raises(SystemExit, match="This failed(?s:.*)tinywheel(?s:.*)system is older"):
        install.install(unpacked / "wheels", unpacked / "course")
    assert not (unpacked / "course/.venv/course-installed").exists()


def test_what_cannot_be_had_or_written_is_named_and_nothing_is_left_behind(
    tmp_path, capfd, monkeypatch
):
    def refused():
        with pytest.raises(SystemExit) as error:
            pack.main([], root)
        assert error.value.code == 2 and list((root / "build/pack").iterdir()) == []
        return capfd.readouterr().err

    def full(self, *_):
        raise OSError(errno.ENOSPC, "No space left on device")

    root = write_course(tmp_path / "small")
    monkeypatch.setattr(zipfile.ZipFile, "write", full)
    assert "No space left on device" in refused()
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    said = refused()
    assert "No matching distribution found for pip" in said and "could not get the packages" in said
