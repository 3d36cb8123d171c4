"""Which files belong to the course: those that git knows, without git those that MANIFEST names.

    python -m course_tools.course_files      write MANIFEST anew, after `git add`

Whatever else lies in the folder (hand-ins, marks, passwords, environments) belongs to its owner.
"""

import subprocess
from pathlib import Path

from course_utils.files import ROOT, write_text

__all__ = ["MANIFEST", "course_files", "write_manifest"]

MANIFEST = "MANIFEST"


def course_files(root: Path = ROOT) -> list[str]:
    """Paths below `root` of the files of the course, as far as they are there.

    Raises ValueError with what git says where it cannot list them, and where there is neither a
    clone nor the list MANIFEST.
    """
    names = known_to_git(root) if (root / ".git").exists() else None
    if names is None:
        try:
            names = (root / MANIFEST).read_text(encoding="utf-8").splitlines()
        except FileNotFoundError as error:
            raise ValueError(
                f"{root} is no clone, and its list of files, {MANIFEST}, is missing, so nobody can "
                f"tell the files of the course from your own. Copy {MANIFEST} from the archive "
                "that the course came in."
            ) from error
    return sorted(name for name in names if name and (root / name).is_file())


def known_to_git(root: Path) -> list[str] | None:
    """The files that git tracks below `root`; None where git is not installed."""
    try:
        listed = subprocess.run(["git", "-C", root, "ls-files", "-z"], capture_output=True)
    except FileNotFoundError:
        return None
    if listed.returncode:
        said = listed.stderr.decode("utf-8", errors="replace").strip()
        raise ValueError(f"git cannot list the files of {root}: {said}")
    return listed.stdout.decode("utf-8").split("\0")


def write_manifest(folder: Path, names: list[str]) -> None:
    """Write the list of files of the course in `folder`, with the list itself."""
    write_text(folder / MANIFEST, "".join(f"{name}\n" for name in sorted({*names, MANIFEST})))


if __name__ == "__main__":
    write_manifest(ROOT, course_files())
