"""The course for machines without a network: one archive with packages, notebooks, data and an installer (`make pack`).

    python -m course_tools.publishing.pack            the whole course
    python -m course_tools.publishing.pack FOLDER     another tree, such as build/editions/student

writes build/pack/NAME.zip. In it: wheels for this Python and this system, in the versions that are
installed here; the files of the course, with the whole data sets that lie on this machine;
install.py (`course_tools.publishing.install`); pack.json, with the SHA-256 of each file. A zip
file, since every system opens one without a further program; the wheels, zip files themselves, are
stored in it as they are.
"""

import argparse
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from course_tools.project_file import project, project_name
from course_tools.publishing import install
from course_tools.publishing.install import Refused, enough_space
from course_tools.publishing.trees import (
    copy_files,
    course_files,
    explained,
    write_zip,
)
from course_utils.data.sources import folders
from course_utils.files import ROOT, sha256

__all__ = ["data_sets", "glibc", "make_pack"]

CPU = "https://download.pytorch.org/whl/cpu"  # as in the Makefile: PyTorch without CUDA, for Linux
GIGABYTES = {
    "cpu": 2,
    "cuda": 10,
}  # on the disk while a pack is made: wheels, their copies, the archive
EXTRA = "[test]"  # what `make test` installs beside the course
ELSEWHERE = "run the command in a copy of the course on another disk"


def pip(stage: Path, *arguments: str | Path, quiet: bool = False) -> bool:
    """Run pip with its temporary files in `stage`; whether it did what it was told."""
    environment = os.environ | dict.fromkeys(["TMPDIR", "TEMP", "TMP"], str(stage))
    command = [
        sys.executable,
        "-m",
        "pip",
        "--disable-pip-version-check",
        *map(str, arguments),
        "-q",
    ]
    return subprocess.run(command, env=environment, capture_output=quiet).returncode == 0


def versions_here(course: str) -> str:
    """The installed packages as pip's constraints, without `course` and what pip installs with."""
    found = {
        each.metadata["Name"]: each.version.split("+")[0]
        for each in importlib.metadata.distributions()
    }
    return "".join(
        f"{name}=={found[name]}\n"
        for name in sorted(found.keys() - {course, "pip", "setuptools", "wheel"})
    )


def fetch_wheels(root: Path, stage: Path, torch: str) -> list[Path]:
    """Wheels of all that the course in `root` needs, and of what installs it; PyTorch for "cpu" or "cuda".

    Raises Refused where pip does not get them.
    """
    name, build = project_name(root), project(root).get("build-system", {}).get("requires", [])
    needs = project(root)["project"].get("dependencies", [])
    wheels, small, course, constraints = (
        stage / "wheels",
        stage / "cpu",
        stage / "course",
        stage / "constraints.txt",
    )
    constraints.write_text(versions_here(name), encoding="utf-8")
    copy_files(
        root, course_files(root), course
    )  # pip builds a wheel of the course beside its files
    wanted = [f"{course}{EXTRA}", "pip", *build]
    if (
        torch == "cpu"
        and sys.platform == "linux"
        and any(re.match(r"torch\b", need) for need in needs)
    ):
        cpu = ["torch", "torchvision", "--no-deps", "-c", constraints, "--index-url", CPU]
        if not pip(stage, "download", *cpu, "-d", small, quiet=True) or not list(
            small.glob("torch-*+cpu-*.whl")
        ):
            shutil.rmtree(small, ignore_errors=True)
            print(
                "PyTorch for the CPU, in the version that is installed here, cannot be had from its own index. "
                "The pack gets the usual one, which is larger by what CUDA takes.",
                flush=True,
            )
            enough_space(stage.parent, 1e9 * GIGABYTES["cuda"], "A pack with CUDA", ELSEWHERE)
    links = ["--find-links", small] if small.is_dir() else []
    if not pip(stage, "wheel", *wanted, "--prefer-binary", "-c", constraints, *links, "-w", wheels):
        enough_space(stage.parent, 2e8, "The pack", ELSEWHERE)
        raise Refused(
            "pip could not get the packages; what it said stands above. They have to be the versions that "
            "are installed here: make clean, then make pack, installs the newest ones first."
        )
    return sorted(
        wheel
        for wheel in wheels.glob("*.whl")
        if not wheel.name.startswith(name.replace("-", "_") + "-")
    )


def glibc(wheels: list[str]) -> list[int]:
    """The oldest glibc that suffices for wheels of these names, as [2, 28]; [] where none needs any."""
    least = []
    for name in wheels:
        tags = re.sub("manylinux2014", "manylinux_2_17", name)
        found = [
            [int(major), int(minor)] for major, minor in re.findall(r"manylinux_(\d+)_(\d+)_", tags)
        ]
        least += [min(found)] if found else []
    return max(least, default=[])


def unpacked_bytes(wheel: Path) -> int:
    """How many bytes the files of a wheel have."""
    with zipfile.ZipFile(wheel) as archive:
        return sum(entry.file_size for entry in archive.infolist())


def data_sets() -> dict[str, Path]:
    """The whole data sets on this machine that a class without a network would miss, by their place in the course."""
    found = {}
    for folder in folders().values():
        for file in sorted(folder.glob("*.npz")):
            found.setdefault(f"data/downloads/{file.name}", file)
    return found


def make_pack(
    root: Path = ROOT, folder: Path = ROOT / "build" / "pack", torch: str = "cpu"
) -> Path:
    """Write the pack of the course in `root` to `folder` and return its path.

    Raises ValueError where `root` is not the course, Refused where packages or disk space are
    missing, OSError where `folder` cannot be written. Nothing is left behind then.
    """
    names = course_files(root)
    folder.mkdir(parents=True, exist_ok=True)
    enough_space(folder, 1e9 * GIGABYTES["cpu" if torch == "cpu" else "cuda"], "A pack", ELSEWHERE)
    machine = install.machine()
    version = machine["python"].lower().replace(" ", "")
    edition = "" if root == ROOT else f"-{root.name}"
    archive = (
        folder
        / f"{project_name(root)}{edition}-{machine['system']}-{machine['machine']}-{version}.zip".lower()
    )
    with tempfile.TemporaryDirectory(dir=folder, prefix="making-", suffix=".part") as stage_name:
        stage = Path(stage_name)
        print("Fetching the packages.", flush=True)
        wheels = fetch_wheels(root, stage, torch)
        files = {f"course/{name}": root / name for name in names}
        files |= {f"course/{name}": file for name, file in data_sets().items()}
        files |= {f"wheels/{wheel.name}": wheel for wheel in wheels}
        pack = machine | {
            "extra": EXTRA,
            "glibc": glibc([wheel.name for wheel in wheels]),
            "installed_bytes": int(
                1.2 * sum(map(unpacked_bytes, wheels))
            ),  # and what Python compiles
            "files": {name: sha256(file) for name, file in files.items()},
        }
        (stage / "pack.json").write_text(json.dumps(pack, indent=1) + "\n", encoding="utf-8")
        files |= {"pack.json": stage / "pack.json", "install.py": Path(install.__file__)}
        enough_space(
            folder,
            1.01 * sum(file.stat().st_size for file in files.values()),
            "The archive",
            ELSEWHERE,
        )
        print(f"Writing {len(files)} files.", flush=True)
        write_zip(archive, {f"{archive.stem}/{name}": file for name, file in files.items()})
    return archive


def main(arguments: list[str] | None = None, folder: Path = ROOT / "build" / "pack") -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m course_tools.publishing.pack", description=__doc__.split("\n")[0]
    )
    parser.add_argument(
        "folder", nargs="?", type=Path, default=ROOT, help="the course to pack (default: this one)"
    )
    parser.add_argument(
        "--torch", choices=["cpu", "cuda"], default="cpu", help="on Linux (default: cpu, 3 GB less)"
    )
    options = parser.parse_args(arguments)
    try:
        archive = make_pack(options.folder.resolve(), folder, options.torch)
    except (ValueError, Refused) as error:
        parser.error(str(error))
    except OSError as error:
        parser.error(explained(error, folder))
    print(
        f"{archive}  {archive.stat().st_size / 1e6:.0f} MB\n"
        "Unpack it on a machine without a network, then run there: python install.py"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
