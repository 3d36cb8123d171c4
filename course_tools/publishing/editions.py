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

from course_tools.project_file import project_name
from course_utils.files import ROOT, write_text

__all__ = ["copy_course", "course_files", "make_editions"]

TEXTS = Path(__file__).parent  # TEACHING.md and student_README.md
SOLUTION = re.compile(r"(the )?\[[^\[\]\n]*\]\(solutions/[^)]*\)")  # a link of a lesson to one
NO_SOLUTION = "a notebook that your teacher has"


def course_files(root: Path = ROOT, student: bool = False) -> list[str]:
    """Paths below `root` of the files of the course: those that git knows.

    Where `root` is no clone but an unpacked archive: those that git would not ignore.
    student: without those that .gitattributes marks `teacher`. Raises ValueError with what git
    says where it cannot list them, OSError where git is not installed.
    """
    with tempfile.TemporaryDirectory() as empty:
        git, options = ["git", "-C", str(root)], []
        if not (root / ".git").exists():
            subprocess.run(["git", "init", "-q", "--bare", empty], check=True)
            git += ["--git-dir", empty, "--work-tree", "."]
            options = ["--others", "--exclude-standard"]
        paths = ":(attr:!teacher)" if student else "."
        listed = subprocess.run([*git, "ls-files", "-z", *options, paths], capture_output=True)
    if listed.returncode:
        raise ValueError(f"git cannot list the files of {root}: {listed.stderr.decode().strip()}")
    names = listed.stdout.decode("utf-8").split("\0")[:-1]
    return sorted(name for name in names if (root / name).is_file())


def copy_course(root: Path, folder: Path, student: bool = False) -> list[str]:
    """Copy the files of the course, or of its student edition, to `folder`; return their paths."""
    names = course_files(root, student)
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / name, folder / name)
    if student:
        shutil.copy(TEXTS / "student_README.md", folder / "README.md")
        for lesson in folder.glob("notebooks/*.ipynb"):
            write_text(lesson, SOLUTION.sub(NO_SOLUTION, lesson.read_text(encoding="utf-8")))
    return names


def make_editions(root: Path = ROOT) -> list[Path]:
    """Write both editions to build/editions, in place of older ones; return the two archives.

    Raises ValueError and OSError like `course_files`.
    """
    archives = []
    for edition in ("student", "teacher"):
        folder = root / "build" / "editions" / f"{project_name(root)}-{edition}"
        if folder.exists():
            shutil.rmtree(folder)
        copy_course(root, folder, student=edition == "student")
        if edition == "teacher":
            shutil.copy(TEXTS / "TEACHING.md", folder)
            if (slides := root / "build" / "slides").is_dir():
                shutil.copytree(slides, folder / "slides", dirs_exist_ok=True)
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
