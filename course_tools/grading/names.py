"""Which notebooks lie in a folder, and whose they are: folders of students, names of platforms."""

import os
import re
from pathlib import Path

from course_tools.lessons import LESSONS, solution_of

__all__ = ["OURS", "SKIPPED", "find", "same_name", "student_of"]

SKIPPED = {".ipynb_checkpoints", "__MACOSX", "__pycache__", "node_modules", "site-packages"}
OURS = {solution_of(Path(f"{name}.ipynb")).name for name in LESSONS}
MOODLE = re.compile(r"_\d+_assignsubmission_\w*$|_\d+_assignsubmission_file_.*$")
CANVAS = re.compile(r"^(.+?)(?:_LATE)?_(\d{3,})_\d{3,}_.*$")  # name_LATE_student_submission_file
BLACKBOARD = re.compile(r"^(?:.*_)?([^_]+)_attempt_\d{4}(?:-\d\d){5}(?:_.*)?$")
COPY = re.compile(  # what programs add to the name of a file that is there already
    r"(?:^|(?<=[ _-]))(?:copy|kopie|copia|copie) (?:of|von|de) +"
    r"|[ _-]*\((?:\d+|[^()]*\bcop[iy][^()]*)\)$"
    r"|(?:[ _-]+(?:copy|kopie|copie|copia)|[ _-]*副本)[ _-]*\d*$",
    re.IGNORECASE,
)
CONTAINER = re.compile(r"(?i)(?:.*[ _-])?(?:submissions?|submitted|autograded|hand-?ins?)")
GROUP = re.compile(r"(?i)(?:section|group|class|tutorial|gruppe|klasse|kurs)[ _-]*\w{0,3}")
PART = re.compile(  # a folder inside a hand-in, which names no student
    r"(?i)\d.*|(?:notebooks?|solutions?|lessons?|course|src|code|data|work|homework|hw|ps|problem|"
    r"assignments?|exercises?|tasks?|weeks?|lab|attempt|try|version|v|draft|final|old|new|backup|"
    r"copy|first|second|third|last|again|resubmi\w*|submi\w*|project)[ _-]*\w{0,3}"
)


def find(folder: Path) -> tuple[list[Path], list[str]]:
    """The notebooks below a folder; the names of other files, locked folders and links in it.

    Solutions that came with a whole course folder are such others.
    """
    notebooks, others = [], []
    for place, folders, files in os.walk(
        folder, onerror=lambda error: others.append(error.filename)
    ):
        linked = [name for name in folders if os.path.islink(os.path.join(place, name))]
        left = SKIPPED.union(linked)
        folders[:] = [name for name in folders if name not in left and name[0] != "."]
        for name in [*files, *linked]:
            path = Path(place, name)
            ours = name in OURS and path.parent.name == "solutions"
            if is_notebook(name) and name not in linked and not ours:
                notebooks.append(path)
            elif name[0] != ".":
                others.append(path.relative_to(folder).as_posix())
    return sorted(notebooks), sorted(others)


def student_of(relative: Path, folder: Path, lesson: str = "") -> tuple[str, str]:
    """The student of the notebook `folder` / `relative`, and what tells those of one name apart.

    It is named by the folder that the student's files lie in ("section1/ada" where section1 holds
    several), else by what the file's name has besides the stem of its `lesson`.
    """
    names, place = [], folder
    for part in relative.parts[:-1]:
        names.append(part)
        if not holds_students(place, part):
            break
        place = place / part
    else:
        return named_by_file(relative.stem, lesson)
    names = [*(name for name in names[:-1] if not container(name)), names[-1]]
    student, account = plain_name(names[-1])
    return "/".join([*names[:-1], student]), account


def container(name: str) -> bool:
    """Whether a folder of folders is called like an assignment or a hand-in, not like a group."""
    part = PART.fullmatch(name) and not name[0].isdigit()
    return bool(part or name in LESSONS or CONTAINER.fullmatch(name))


def holds_students(place: Path, name: str) -> bool:
    """Whether the folder place/name is a group's or an assignment's, with one for each student.

    Its name says so, or what lies in it: no notebook, but several folders that hold some; and none
    is called like a part of a hand-in, or like a folder of another student's.
    """
    inside = [one for one in (place / name).iterdir() if one.name[0] != "."]
    if any(is_notebook(one.name) and os.path.isfile(one) for one in inside):
        return False
    inside = [one.name for one in inside if os.path.isdir(one) and holds_notebook(one)]
    if CONTAINER.fullmatch(name) or GROUP.fullmatch(name):
        return True
    if any(map(PART.fullmatch, inside)):
        return False
    others = [one for one in place.iterdir() if one.name != name]
    shared = any(os.path.isdir(other / one) for other in others for one in inside)
    return container(name) or (len(inside) > 1 and not shared)


def is_notebook(name: str) -> bool:
    """Whether a file is handed in as a notebook; hidden ones are leavings of programs."""
    return name.lower().endswith(".ipynb") and name[0] != "."


def holds_notebook(folder: Path) -> bool:
    """Whether a notebook lies somewhere in a folder."""
    for _, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in SKIPPED and name[0] != "."]
        if any(map(is_notebook, files)):
            return True
    return False


def named_by_file(stem: str, lesson: str) -> tuple[str, str]:
    """The student that a file's name tells, as learning platforms and mail name files."""
    if MOODLE.search(stem):
        return plain_name(stem)
    if found := BLACKBOARD.match(stem):
        return found[1], ""
    if found := CANVAS.match(stem):
        return f"{found[1]}_{found[2]}", ""
    name = same_name(stem)
    if lesson:
        number = re.escape(lesson[:2])
        own = rf"{re.escape(lesson)}|^{number}(?=[\W_]|$)|(?<=[\W_]){number}$"
        name = re.sub(own, "", name, flags=re.IGNORECASE)
    return same_name(name.strip(" _-.")).strip(" _-.") or same_name(stem), ""


def plain_name(name: str) -> tuple[str, str]:
    """A student's name without what Moodle puts behind it, and the number that stands there."""
    if found := MOODLE.search(name):
        return MOODLE.sub("", name) or name, found[0].split("_")[1]
    return same_name(name), ""


def same_name(name: str) -> str:
    """A name without the marks of copies: "00 (1)", "00-Copy1", "Copy of 00"."""
    shorter = COPY.sub("", name).strip()
    return name if shorter in ("", name) else same_name(shorter)
