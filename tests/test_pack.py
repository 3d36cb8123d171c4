"""The offline pack: made from wheels, verified, installed without a network, and refused with a reason where it cannot work.

The course packed here is a small stand-in: its one package is a wheel of one line, and pip is
packed up again from where it is installed. The way is the whole way, from `pack.main` to a line of
Python in the new environment.
"""

import base64
import errno
import hashlib
import importlib.metadata
import json
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from course_tools.publishing import install, pack
from course_utils.files import sha256

ROOT = pathlib.Path(__file__).resolve().parent.parent
PYPROJECT = """[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "small-course"
version = "1.0"
dependencies = ["tinywheel>=1.0"]
"""
BACKEND = '''"""Builds wheels of the stand-in without setuptools."""
import pathlib
import zipfile


def build_wheel(folder, config_settings=None, metadata_directory=None):
    name = "small_course-1.0-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(folder, name), "w") as wheel:
        wheel.writestr("small_course.pth", str(pathlib.Path.cwd()))
        info = "small_course-1.0.dist-info/"
        wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: small-course\\nVersion: 1.0\\nRequires-Dist: tinywheel>=1.0\\n")
        wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nGenerator: hand\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(info + "RECORD", "small_course.pth,,\\n" + "".join(f"{info}{n},,\\n" for n in ("METADATA", "WHEEL", "RECORD")))
    return name


build_editable = build_wheel
'''
OFFLINE = ["unshare", "-rn"]


def wheel(folder, name, version, files, tag="py3-none-any"):
    """Write a wheel with these {path: bytes} and its metadata."""
    info = f"{name}-{version}.dist-info/"
    files = dict(files)
    files.setdefault(
        info + "METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode()
    )
    files.setdefault(
        info + "WHEEL",
        f"Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: {tag}\n".encode(),
    )
    sums = {
        path: base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        for path, data in files.items()
    }
    files[info + "RECORD"] = (
        "".join(f"{p},sha256={sums[p]},{len(files[p])}\n" for p in sums).encode()
        + f"{info}RECORD,,\n".encode()
    )
    file = folder / f"{name}-{version}-{tag}.whl"
    with zipfile.ZipFile(file, "w") as archive:
        for path, data in files.items():
            archive.writestr(path, data)
    return file


def pip_again(folder):
    """The wheel of the pip that runs here, from its installed files."""
    installed = importlib.metadata.distribution("pip")
    kept = {
        str(f).replace(os.sep, "/"): f
        for f in installed.files
        if not str(f).startswith("..") and "__pycache__" not in str(f)
    }
    gone = {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"}
    files = {
        path: pathlib.Path(f.locate()).read_bytes()
        for path, f in kept.items()
        if path.split("/")[-1] not in gone
    }
    return wheel(folder, "pip", installed.version, files)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    """A folder of wheels, in place of a package index."""
    folder = tmp_path_factory.mktemp("shelf")
    wheel(folder, "tinywheel", "1.0", {"tinywheel.py": b"ANSWER = 42\n"})
    pip_again(folder)
    return folder


def write_course(root):
    for name, text in {
        "pyproject.toml": PYPROJECT,
        "backend.py": BACKEND,
        "README.md": "# Small\n",
        "notebooks/00.ipynb": "{}",
        "course_utils/__init__.py": "",
        **{
            name: (ROOT / name).read_text(encoding="utf-8")
            for name in ("Makefile", "tests/environment.py")
        },
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8", newline="\n")
    return root


@pytest.fixture(scope="module", autouse=True)
def surroundings(shelf, tmp_path_factory):
    """pip finds packages on the shelf only; whole data sets lie in COURSE_DATA; a pack needs little space."""
    data = tmp_path_factory.mktemp("data")
    np.savez(data / "cifar10.npz", train_images=np.zeros(3, np.uint8))
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("PIP_")]:
            patch.delenv(name)
        patch.setenv("PIP_NO_INDEX", "1")
        patch.setenv("PIP_FIND_LINKS", str(shelf))
        patch.setenv("PIP_CONFIG_FILE", os.devnull)
        patch.setenv("COURSE_DATA", str(data))
        patch.setenv("XDG_CACHE_HOME", str(data / "cache"))
        patch.setattr(pack, "GIGABYTES", {"cpu": 0.01, "cuda": 0.01})
        yield data


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The folder with the finished pack, and the archive."""
    folder = tmp_path_factory.mktemp("made here")
    root = write_course(folder / "small")
    assert pack.main([str(root)], folder / "build") == 0
    assert sorted(file.name for file in (folder / "build").iterdir()) == [
        next((folder / "build").iterdir()).name
    ]
    assert sorted(file.name for file in root.iterdir()) == [
        "Makefile",
        "README.md",
        "backend.py",
        "course_utils",
        "notebooks",
        "pyproject.toml",
        "tests",
    ]
    return next((folder / "build").glob("*.zip"))


@pytest.fixture
def unpacked(made, tmp_path):
    """The pack as it is unpacked on another machine, in a folder whose name has a space."""
    with zipfile.ZipFile(made) as archive:
        archive.extractall(tmp_path / "other machine")
    return next((tmp_path / "other machine").iterdir())


def without_network():
    """Words before a command that take the network from it, where the system allows it."""
    try:
        return [] if subprocess.run([*OFFLINE, "true"], capture_output=True).returncode else OFFLINE
    except OSError:
        return []


def run_installer(folder, *arguments, python=sys.executable):
    """Run install.py of a pack without a network and without settings of pip's."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PIP_")}
    return subprocess.run(
        [*without_network(), python, folder / "install.py", *map(str, arguments)],
        capture_output=True,
        text=True,
        env=clean | {"PIP_CONFIG_FILE": os.devnull},
    )


def works(course):
    """Whether the environment of an installed course has the package, and make has nothing to install."""
    python = course / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    said = subprocess.run(
        [python, "-c", "import tinywheel, backend; print(tinywheel.ANSWER)"],
        capture_output=True,
        text=True,
    )
    assert said.stdout == "42\n", said.stderr
    if shutil.which("make"):
        for target in ("install", ".venv/tests/extra-installed"):
            left = subprocess.run(["make", target], cwd=course, capture_output=True, text=True)
            assert (
                left.returncode == 0
                and "nstalling" not in left.stdout
                and "pip" not in left.stdout + left.stderr
            )
    return True


# ------------------------------------------------------------------ what is in a pack


def test_a_pack_has_wheels_course_data_installer_and_the_checksum_of_each(made, unpacked):
    names = {
        file.relative_to(unpacked).as_posix() for file in unpacked.rglob("*") if file.is_file()
    }
    listed = json.loads((unpacked / "pack.json").read_text())
    pip = f"wheels/pip-{importlib.metadata.version('pip')}-py3-none-any.whl"
    assert set(listed["files"]) == names - {"install.py", "pack.json"}
    assert {
        "wheels/tinywheel-1.0-py3-none-any.whl",
        pip,
        "course/notebooks/00.ipynb",
        "course/data/downloads/cifar10.npz",
    } < names
    assert not any("small_course" in name for name in names)
    assert listed["files"] == {name: sha256(unpacked / name) for name in listed["files"]}
    assert (
        made.name == f"{unpacked.name}.zip"
        and platform.machine().lower() in made.name
        and "small-course-small" in made.name
    )


def test_wheels_are_stored_as_they_are_and_texts_are_compressed(made):
    with zipfile.ZipFile(made) as archive:
        methods = {
            name.split("/")[-1].split(".")[-1]: archive.getinfo(name).compress_type
            for name in archive.namelist()
        }
    assert (
        methods["whl"] == methods["npz"] == zipfile.ZIP_STORED
        and methods["toml"] == zipfile.ZIP_DEFLATED
    )


def test_the_installer_needs_nothing_but_pythons_own_library_and_no_new_syntax():
    import ast

    tree = ast.parse(
        (ROOT / "course_tools/publishing/install.py").read_text(encoding="utf-8"),
        feature_version=(3, 6),
    )
    imported = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    imported |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported <= set(sys.stdlib_module_names)


# ------------------------------------------------------------------ installing it


def test_a_pack_installs_without_a_network_and_make_has_nothing_left_to_install(unpacked):
    (unpacked / "course/.venv").mkdir()
    (unpacked / "course/.venv/half").touch()  # of an installation that was interrupted
    result = run_installer(unpacked)
    assert result.returncode == 0, result.stderr
    assert (
        f"cd {unpacked / 'course'}" in result.stdout
        and ("make lab" if shutil.which("make") else "jupyterlab") in result.stdout
    )
    assert works(unpacked / "course") and not (unpacked / "course/.venv/half").exists()


def test_a_pack_on_a_medium_that_is_only_read_installs_into_a_named_folder(unpacked, tmp_path):
    before = sorted(unpacked.rglob("*"))
    assert run_installer(unpacked, tmp_path / "my course").returncode == 0 and works(
        tmp_path / "my course"
    )
    assert sorted(unpacked.rglob("*")) == before


def test_a_course_that_is_there_already_keeps_its_files(unpacked, tmp_path, capsys):
    install.copied(unpacked / "course", tmp_path / "mine")
    (tmp_path / "mine/notebooks/00.ipynb").write_text("my own work")
    install.copied(unpacked / "course", tmp_path / "mine")
    assert (
        tmp_path / "mine/notebooks/00.ipynb"
    ).read_text() == "my own work" and "its files stay" in capsys.readouterr().out


def test_a_folder_of_someone_else_is_refused(unpacked, tmp_path):
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs/letter.txt").write_text("dear")
    result = run_installer(unpacked, tmp_path / "theirs")
    assert result.returncode == 1 and "is not empty" in result.stderr
    assert [file.name for file in (tmp_path / "theirs").iterdir()] == ["letter.txt"]


@pytest.mark.parametrize(
    "spoil, words",
    [
        (lambda file: file.write_bytes(file.read_bytes()[:-1]), "is damaged"),
        (lambda file: file.write_bytes(file.read_bytes()[:-1] + b"!"), "is damaged"),
        (lambda file: file.unlink(), "is missing"),
    ],
)
def test_a_damaged_pack_is_refused_before_anything_is_made(unpacked, spoil, words):
    spoil(unpacked / "wheels/tinywheel-1.0-py3-none-any.whl")
    result = run_installer(unpacked)
    assert (
        result.returncode == 1 and f"wheels/tinywheel-1.0-py3-none-any.whl {words}" in result.stderr
    )
    assert "Unpack it again" in result.stderr and not (unpacked / "course/.venv").exists()


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"python": "CPython 3.5"}, "was made for CPython 3.5, but Python here is "),
        ({"system": "Plan9"}, "was made for Plan9, but the operating system here is "),
        ({"machine": "vax"}, "was made for vax, but the processor here is "),
        ({"system": platform.system(), "glibc": [99, 0]}, "needs glibc 99.0 or newer"),
        ({"installed_bytes": 10**18}, "takes 1000000000.0 GB"),
    ],
)
def test_a_machine_that_does_not_fit_is_told_so_before_anything_is_made(unpacked, changes, words):
    if "glibc" in changes and platform.system() != "Linux":
        pytest.skip("no glibc here")
    listed = json.loads((unpacked / "pack.json").read_text())
    (unpacked / "pack.json").write_text(json.dumps(listed | changes))
    result = run_installer(unpacked)
    assert (
        result.returncode == 1
        and words in result.stderr
        and not (unpacked / "course/.venv").exists()
    )


def test_a_wheel_that_pip_cannot_install_is_reported_and_make_does_not_take_it_for_installed(
    unpacked,
):
    listed = json.loads((unpacked / "pack.json").read_text())
    (unpacked / "wheels/tinywheel-1.0-py3-none-any.whl").unlink()
    del listed["files"]["wheels/tinywheel-1.0-py3-none-any.whl"]
    (unpacked / "pack.json").write_text(json.dumps(listed))
    result = run_installer(unpacked)
    assert (
        result.returncode == 1 and "This failed" in result.stderr and "tinywheel" in result.stderr
    )
    assert not (unpacked / "course/.venv/course-installed").exists()


def test_the_installer_explains_itself(unpacked):
    assert "python install.py [FOLDER]" in run_installer(unpacked, "--help").stdout
    assert run_installer(unpacked, "a", "b").returncode == 2


# ------------------------------------------------------------------ what the packs of PyTorch depend on


def test_the_glibc_of_a_pack_is_the_newest_that_any_wheel_needs_at_least():
    assert pack.glibc(["a-1-py3-none-any.whl"]) == []
    assert pack.glibc(
        [
            "a-1-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_34_x86_64.whl",
            "b-1-cp311-cp311-manylinux2014_x86_64.whl",
        ]
    ) == [2, 27]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the usual PyTorch is the small one")
@pytest.mark.parametrize(
    "torch, offered, taken",
    [
        ("cpu", "+cpu", True),
        (
            "cpu",
            "",
            False,
        ),  # a settings file of pip's names another index, which has a build with CUDA
        ("cpu", None, False),  # the index cannot be reached
        ("cuda", "+cpu", False),
    ],
)
def test_pytorch_for_the_cpu_is_taken_where_its_index_offers_it(
    tmp_path, monkeypatch, capsys, shelf, torch, offered, taken
):
    wheel(tmp_path, "torch", "9.0", {})
    monkeypatch.setenv("PIP_FIND_LINKS", f"{tmp_path} {shelf}".replace("\\", "/"))
    real, stage = pack.pip, tmp_path / "stage"

    def pip(stage, *arguments, quiet=False):
        if arguments[0] != "download":
            assert ("--find-links" in arguments) == taken
            return (
                real(stage, *arguments, "--no-deps")
                if taken
                else bool(wheel(stage, "torch", "9.0", {}))
            )
        small = arguments[arguments.index("-d") + 1]
        small.mkdir()
        return (
            quiet
            and pack.CPU in arguments
            and offered is not None
            and bool(wheel(small, "torch", f"9.0{offered}", {}))
        )

    monkeypatch.setattr(pack, "pip", pip)
    monkeypatch.setattr(pack, "versions_here", lambda course: "torch==9.0\n")
    root = write_course(tmp_path / "small")
    (root / "pyproject.toml").write_text(
        PYPROJECT.replace("[]", '["torch>=2.4"]').replace("tinywheel>=1.0", "torch>=2.4")
    )
    stage.mkdir()
    found = [
        file.name for file in pack.fetch_wheels(root, stage, torch) if file.name.startswith("torch")
    ]
    assert found == (["torch-9.0+cpu-py3-none-any.whl"] if taken else [])
    assert ("larger by what CUDA takes" in capsys.readouterr().out) == (
        torch == "cpu" and not taken
    )


def test_versions_are_those_that_are_installed_here_without_what_pip_installs_with():
    lines = pack.versions_here("sparse-to-image-course").splitlines()
    assert f"numpy=={np.__version__}" in lines and len(lines) > 30
    assert not [
        line
        for line in lines
        if line.split("==")[0] in {"pip", "setuptools", "sparse-to-image-course"} or "+" in line
    ]


# ------------------------------------------------------------------ what is refused when a pack is made


def refused(capsys, root, folder):
    """What main says when it refuses; no file is left behind."""
    with pytest.raises(SystemExit) as error:
        pack.main([str(root)], folder)
    assert error.value.code == 2 and not (folder.is_dir() and list(folder.iterdir()))
    return capsys.readouterr().err


def test_a_folder_that_is_not_the_course_is_refused(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert "is not the repository of the course" in refused(
        capsys, tmp_path / "empty", tmp_path / "build"
    )


def test_packages_that_cannot_be_had_are_refused_with_the_words_of_pip(
    tmp_path, capsys, monkeypatch
):
    (tmp_path / "bare").mkdir()
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "bare"))
    said = refused(capsys, write_course(tmp_path / "small"), tmp_path / "build")
    assert "pip could not get the packages" in said


def test_a_disk_that_is_too_small_is_refused_before_anything_is_fetched(
    tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(pack, "GIGABYTES", {"cpu": 10**9, "cuda": 10**9})
    monkeypatch.setattr(pack, "pip", lambda *_, **__: pytest.fail("pip was called"))
    said = refused(capsys, write_course(tmp_path / "small"), tmp_path / "build")
    assert "takes 1000000000.0 GB on the disk that holds" in said and "on another disk" in said


def test_a_disk_that_gets_full_while_the_archive_is_written_is_named_and_nothing_is_left_behind(
    tmp_path, capsys, monkeypatch
):
    def full(self, *_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "write", full)
    said = refused(capsys, write_course(tmp_path / "small"), tmp_path / "build")
    assert "is full, and nothing was left behind" in said


@pytest.mark.parametrize(
    "lie, words",
    [
        ("", "GB are free"),
        ("shutil.disk_usage = lambda _: shutil._ntuple_diskusage(9e12, 0, 9e12)\n", ""),
    ],
)
def test_a_real_full_disk_leaves_nothing_behind(tmp_path, lie, words):
    """A disk of 1 MB: once it is found too small beforehand, once `disk_usage` tells a lie and the disk really is full."""
    root, folder = write_course(tmp_path / "small"), tmp_path / "build"
    folder.mkdir()
    program = (
        f"import sys, shutil, pathlib; sys.path.insert(0, {str(ROOT)!r})\n{lie}from course_tools.publishing import pack\n"
        f"pack.GIGABYTES = {{'cpu': 0.01, 'cuda': 0.01}}\nfolder = pathlib.Path({str(folder)!r})\n"
        f"try: pack.main([{str(root)!r}], folder)\nfinally: print('left:', list(folder.iterdir()))"
    )
    mount = 'mount -t tmpfs -o size=1m none "$1" && shift && exec "$@"'
    command = [
        "unshare",
        "-rm",
        "sh",
        "-c",
        mount,
        "sh",
        str(folder),
        sys.executable,
        "-c",
        program,
    ]
    try:
        probe = subprocess.run([*command[:5], "sh", str(folder), "true"], capture_output=True)
    except OSError:
        probe = None
    if probe is None or probe.returncode:
        pytest.skip("this system mounts no small disk for us")
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 2 and result.stdout.endswith("left: []\n")
    assert words in result.stderr and (
        "full" in result.stderr or "free" in result.stderr or "pip could not" in result.stderr
    )
