"""Files of the course as a whole: which belong to it, a folder that appears all at once, an archive.

Used by `course_tools.publishing.editions` and `course_tools.publishing.pack`.
"""

import contextlib
import errno
import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from course_utils.files import atomic

__all__ = ["MARKER", "copy_files", "course_files", "explained", "new_folder", "write_zip"]

MARKER = ".made-by-the-course"  # in a folder that we made and may make again
NEITHER = re.compile(  # what git ignores, where there is no git to ask
    r"(^|/)(\.git|\.venv|build|__pycache__|\.pytest_cache|\.benchmarks|\.ipynb_checkpoints|\.virtual_documents)/"
    r"|(^|/)[^/]+\.egg-info/"
    r"|^data/(downloads|cifar-10-batches-py|FashionMNIST)/|^data/(cifar10|[^/]+_full)\.npz$"
    rf"|(^|/)(\.DS_Store|{re.escape(MARKER)})$|\.(part|state|pyc)$"
)
PACKED = {".whl", ".png", ".npz", ".safetensors"}  # compressed already: stored as they are


def course_files(root: Path) -> list[str]:
    """Paths below `root` of all files of the course: those git knows, or all but what git would ignore.

    Raises ValueError where `root` is not the course.
    """
    wanted = ("pyproject.toml", "README.md", "notebooks", "course_utils")
    missing = [name for name in wanted if not (root / name).exists()]
    if missing:
        raise ValueError(
            f"{root} is not the repository of the course: it has no {' and no '.join(missing)}. "
            "Clone the repository, and run the command in its folder."
        )
    if (root / ".git").exists() and shutil.which("git"):
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True)
        names = listed.stdout.decode("utf-8").split("\0")
        if listed.returncode == 0 and "pyproject.toml" in names:
            return sorted(name for name in names if name and (root / name).is_file())
    found = (file.relative_to(root).as_posix() for file in walk(root))
    return sorted(name for name in found if not NEITHER.search(name))


def walk(folder: Path) -> Iterator[Path]:
    """All files below a folder, without a look into the folders that git ignores."""
    for here, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not NEITHER.search(f"{name}/")]
        yield from (Path(here, name) for name in files)


def copy_files(root: Path, names: Iterable[str], folder: Path) -> None:
    """Copy files below `root` to the same places below `folder`."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / name, folder / name)


@contextlib.contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Give an empty folder, which takes the place of `folder` at a clean end; after an error nothing is left of it.

    Raises ValueError where `folder` holds something that this function did not make.
    """
    if (
        folder.exists()
        and not (folder / MARKER).is_file()
        and (not folder.is_dir() or any(folder.iterdir()))
    ):
        raise ValueError(
            f"{folder} exists, and it was not made by this command: nothing was changed. "
            "Move it away or give it another name, then run the command again."
        )
    part = folder.with_name(f"{folder.name}.{os.getpid()}.part")
    try:
        part.mkdir(parents=True)
        (part / MARKER).touch()
        yield part
        if folder.exists():
            shutil.rmtree(folder)
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def write_zip(archive: Path, files: Mapping[str, Path]) -> None:
    """Write {path in the archive: file} to a zip file, all or nothing; what is compressed already is only stored."""
    with atomic(archive) as part, zipfile.ZipFile(part, "w", strict_timestamps=False) as packed:
        for name, file in files.items():
            method = zipfile.ZIP_STORED if file.suffix in PACKED else zipfile.ZIP_DEFLATED
            packed.write(file, name, method)


def explained(error: OSError, folder: Path) -> str:
    """What to do about an OSError while `folder` was written."""
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", None)):
        return f"The disk that holds {folder} is full, and nothing was left behind. Free some space, then try again."
    reason = error.strerror or error
    return f"{folder} cannot be written ({reason}). Make it writable, or run the command in a copy of the course."
