"""The course for students, without solutions, and for teachers, with everything (`make editions`).

    python -m course_tools.publishing.editions

writes both, as folders and as zip files, to build/editions:

- the student edition runs and tests itself like the course. What .gitattributes marks `teacher` is
  left out: the solutions, and what only teachers and contributors use. It has a README of its own,
  and its lessons do not link to solutions;
- the teacher's edition is the whole course, with the slides where `make slides` has made them, and
  TEACHING.md, which says where everything is.
"""

import argparse
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from course_tools.course_files import MANIFEST, course_files, write_manifest
from course_tools.lessons import lessons
from course_tools.project_file import project_name
from course_utils.files import ROOT, write_text

__all__ = ["copy_course", "make_editions", "student_files"]

TEXTS = Path(__file__).parent  # TEACHING.md and student_README.md
SOLUTION = re.compile(r"(the )?\[[^\[\]\n]*\]\(solutions/[^)]*\)")  # a link of a lesson to one
NO_SOLUTION = "a notebook that your teacher has"


def student_files(root: Path, names: list[str]) -> list[str]:
    """Those of the names that .gitattributes does not mark `teacher`.

    Raises ValueError with what git says, OSError where it is not installed.
    """
    with tempfile.TemporaryDirectory() as empty:
        git = ["git", "-C", str(root)]
        if not (root / ".git").exists():  # an unpacked archive
            subprocess.run(["git", "init", "-q", "--bare", empty], check=True)
            git += ["--git-dir", empty, "--work-tree", "."]
        told = "".join(f"{name}\0" for name in names).encode("utf-8")
        asked = [*git, "check-attr", "-z", "--stdin", "teacher"]
        said = subprocess.run(asked, input=told, capture_output=True)
    if said.returncode:
        reason = said.stderr.decode("utf-8", errors="replace").strip()
        raise ValueError(f"git cannot read {root / '.gitattributes'}: {reason}")
    marked = said.stdout.decode("utf-8").split("\0")[:-1]  # name, attribute, value; and so on
    return [name for name, mark in zip(marked[::3], marked[2::3]) if mark != "set"]


def copy_course(root: Path, folder: Path, student: bool = False) -> list[str]:
    """Copy the files of the course, or of its student edition, to `folder`; return their paths.

    Raises ValueError like `course_files`, and for the students OSError where git is not installed.
    """
    names = course_files(root)
    if student:
        names = student_files(root, names)
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / name, folder / name)
    if student:
        shutil.copy(TEXTS / "student_README.md", folder / "README.md")
        for lesson in lessons(folder):
            write_text(lesson, SOLUTION.sub(NO_SOLUTION, lesson.read_text(encoding="utf-8")))
    write_manifest(folder, names)
    return sorted({*names, MANIFEST})


def make_editions(root: Path = ROOT) -> list[Path]:
    """Write both editions to build/editions, in place of older ones; return the two archives.

    Raises ValueError and OSError like `copy_course`.
    """
    archives = []
    for edition in ("student", "teacher"):
        folder = root / "build" / "editions" / f"{project_name(root)}-{edition}"
        if folder.exists():
            shutil.rmtree(folder)
        copy_course(root, folder, student=edition == "student")
        if edition == "teacher":
            shutil.copy(TEXTS / "TEACHING.md", folder)
            made = [root / "build" / "slides", root / "slides"]  # there in a teacher's edition
            for slides in filter(Path.is_dir, made):
                shutil.copytree(slides, folder / "slides")
                break
        archive = shutil.make_archive(str(folder), "zip", folder.parent, folder.name)
        archives.append(Path(archive))
    return archives


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """The command line; returns the exit status."""
    about = __doc__.split("\n")[0]
    parser = argparse.ArgumentParser(
        prog="python -m course_tools.publishing.editions", description=about
    )
    parser.parse_args(arguments)
    try:
        archives = make_editions(root)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    for archive in archives:
        megabytes = archive.stat().st_size / 1e6
        print(f"{archive.relative_to(root)}  {megabytes:.1f} MB, unpacked beside it")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
