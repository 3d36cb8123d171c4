"""Files of the course: where it lies, writing all or nothing, checksums."""

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

__all__ = ["PRETRAINED", "ROOT", "atomic", "bring_back", "sha256", "write_text"]

ROOT = Path(__file__).resolve().parent.parent
PRETRAINED = ROOT / "data" / "pretrained"


@contextlib.contextmanager
def atomic(file: str | os.PathLike) -> Iterator[Path]:
    """Give a temporary path beside `file`, which gets the name of `file` at a clean end.

    A reader finds the old file or the new one, never half of one; after an error or an
    interrupt nothing is left behind. The folder is made if it is not there.
    """
    file = Path(file)
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f"{file.name}.{os.getpid()}.part")
    try:
        yield part
        os.replace(part, file)
    finally:
        part.unlink(missing_ok=True)


def write_text(file: str | os.PathLike, text: str) -> None:
    """Replace a text file (UTF-8, Unix line ends) in one step."""
    with atomic(file) as part:
        part.write_text(text, encoding="utf-8", newline="\n")


def bring_back(file: str | os.PathLike) -> str:
    """How a damaged file of the course comes back here, with and without git, as an advice."""
    path = Path(file)
    name = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.as_posix()
    if (ROOT / ".git").exists():
        return f"Run: git checkout -- {name} (in the folder {ROOT})"
    return f"Copy {name} again from the archive that the course came in, into the folder {ROOT}"


def sha256(file: str | os.PathLike) -> str:
    """SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()
