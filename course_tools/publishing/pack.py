"""The course for machines without a network: one archive that installs it (`make pack`).

    python -m course_tools.publishing.pack              the whole course
    python -m course_tools.publishing.pack --student    the student edition

writes build/pack/NAME.zip. In it: wheels for this Python and this system, in the versions that are
installed here; the files of the course, with the whole data sets that lie on this machine;
install.py (`course_tools.publishing.install`); pack.json, with the SHA-256 of each file.
"""

import argparse
import importlib.metadata
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from course_tools.project_file import project, project_name
from course_tools.publishing import install
from course_tools.publishing.editions import copy_course
from course_utils.data.downloads import LAYOUT
from course_utils.data.sources import folders
from course_utils.files import ROOT, sha256

__all__ = ["data_sets", "make_pack"]

CPU = "https://download.pytorch.org/whl/cpu"  # as in the Makefile: PyTorch without CUDA, for Linux


def pip(stage: Path, *arguments: str | Path, quiet: bool = False) -> bool:
    """Run pip with its temporary files in `stage`; whether it succeeded."""
    command = [sys.executable, "-m", "pip", *map(str, arguments), "-q"]
    environment = os.environ | {"TMPDIR": str(stage), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    return subprocess.run(command, env=environment, capture_output=quiet).returncode == 0


def versions_here(course: str) -> str:
    """The installed packages as constraints of pip, without `course` and what installs packages."""
    packages = importlib.metadata.distributions()
    found = {package.metadata["Name"]: package.version.split("+")[0] for package in packages}
    wanted = sorted(found.keys() - {course, "pip", "setuptools", "wheel"})
    return "".join(f"{name}=={found[name]}\n" for name in wanted)


def fetch_wheels(stage: Path, torch: str) -> list[Path]:
    """Wheels of all that the course in `stage` needs, and of what installs it.

    torch: "cpu" or "cuda"; on Linux PyTorch comes with CUDA where its index offers no other.
    Raises ValueError where pip does not get the packages.
    """
    course, small, wheels = stage / "course", stage / "small", stage / "wheels"
    name = project_name(course)
    constraints = stage / "constraints.txt"
    constraints.write_text(versions_here(name), encoding="utf-8")
    small.mkdir()
    if torch == "cpu" and sys.platform == "linux":
        only = ["--no-deps", "-c", constraints, "--index-url", CPU]
        pip(stage, "download", "torch", "torchvision", *only, "-d", small, quiet=True)
        if not list(small.glob("torch-*+cpu-*.whl")):
            print("PyTorch without CUDA is not available: the pack is 3 GB larger.", flush=True)
    wanted = [f"{course}[test]", "pip", *project(course)["build-system"]["requires"]]
    options = ["--prefer-binary", "-c", constraints, "--find-links", small, "-w", wheels]
    if not pip(stage, "wheel", *wanted, *options):
        raise ValueError(
            "pip could not get the packages, in the versions that are installed here; its message "
            "stands above. To install the newest versions first: make clean, then make pack."
        )
    own = name.replace("-", "_")
    return [wheel for wheel in wheels.glob("*.whl") if not wheel.name.startswith(f"{own}-")]


def data_sets() -> dict[str, Path]:
    """The whole data sets on this machine, by their places in the course."""
    found = {}
    for name in LAYOUT:
        files = [file for place in folders().values() if (file := place / f"{name}.npz").is_file()]
        found |= {f"data/downloads/{file.name}": file for file in files[:1]}
    return found


def make_pack(root: Path = ROOT, torch: str = "cpu", student: bool = False) -> Path:
    """Write the pack of the course in `root`, or of its student edition, and return its path.

    Raises ValueError where packages are missing, OSError where build/pack cannot be written or the
    disk is full. Nothing is left behind then.
    """
    folder = root / "build" / "pack"
    folder.mkdir(parents=True, exist_ok=True)
    edition = "-student" if student else ""
    system = install.machine().lower().replace(" on ", "-").replace(" ", "-")
    archive = folder / f"{project_name(root)}{edition}-{system}.zip"
    with tempfile.TemporaryDirectory(dir=folder, prefix="making-") as stage_name:
        stage = Path(stage_name)
        names = copy_course(root, stage / "course", student)
        files = {f"course/{name}": stage / "course" / name for name in names}
        files |= {f"course/{name}": file for name, file in data_sets().items()}
        print("Fetching the packages.", flush=True)
        wheels = fetch_wheels(stage, torch)
        files |= {f"wheels/{wheel.name}": wheel for wheel in wheels}
        sums = {name: sha256(file) for name, file in files.items()}
        installed = sum(
            entry.file_size for wheel in wheels for entry in zipfile.ZipFile(wheel).infolist()
        )
        pack = {"machine": install.machine(), "installed_bytes": installed, "files": sums}
        (stage / "pack.json").write_text(json.dumps(pack, indent=1) + "\n", encoding="utf-8")
        files |= {"pack.json": stage / "pack.json", "install.py": Path(install.__file__)}
        print(f"Writing {len(files)} files.", flush=True)
        # Wheels are compressed already, and the rest is small beside them: nothing is compressed.
        with zipfile.ZipFile(stage / "pack.zip", "w", strict_timestamps=False) as packed:
            for name, file in files.items():
                packed.write(file, f"{archive.stem}/{name}")
        os.replace(stage / "pack.zip", archive)
    return archive


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """The command line; returns the exit status."""
    about = __doc__.split("\n")[0]
    parser = argparse.ArgumentParser(
        prog="python -m course_tools.publishing.pack", description=about
    )
    parser.add_argument("--student", action="store_true", help="pack the student edition")
    sizes = "on Linux (default: cpu, 3 GB less)"
    parser.add_argument("--torch", choices=["cpu", "cuda"], default="cpu", help=sizes)
    options = parser.parse_args(arguments)
    try:
        archive = make_pack(root, options.torch, options.student)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    print(
        f"{archive}  {archive.stat().st_size / 1e6:.0f} MB\n"
        "Unpack it on a machine without a network, then run there: python install.py"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
