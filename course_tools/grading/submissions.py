"""Which notebooks lie in a folder, whose they are, and which lesson each of them is."""

import ast
import json
import re
import unicodedata
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import nbformat

from course_tools.grading.names import OURS, SKIPPED, find, student_of
from course_tools.lessons import lesson_files
from course_utils.files import ROOT

__all__ = [
    "SKIPPED",
    "CellStep",
    "CheckStep",
    "Lesson",
    "Submission",
    "find",
    "lessons",
    "submission",
]

LARGEST = 50  # megabytes of a notebook; those of the course have 1.5 MB


@dataclass(frozen=True)
class Lesson:
    """Official notebook "00"; exercises maps "00.1" to the name that its check is called with."""

    number: str
    file: Path
    title: str
    sources: frozenset[str]
    exercises: dict[str, str]


@dataclass(frozen=True)
class CellStep:
    """Run a cell: its position as a reader counts, from 1, its source, the exercises it is for."""

    position: int
    source: str
    exercises: list[str]


@dataclass(frozen=True)
class CheckStep:
    """Check an exercise ("00.1") by the answer of that name."""

    exercise: str
    name: str


@dataclass
class Submission:
    """A submitted notebook; without cells when it cannot be read, and then a note says why."""

    file: Path
    name: str
    student: str
    cells: list[dict] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    lesson: Lesson | None = None
    account: str = ""  # on a platform, where two students may have one name

    @cached_property
    def steps(self) -> list[CellStep | CheckStep]:
        """What is to be run, in order; an exercise is checked after the last cell for it."""
        exercises, steps, checked = self.lesson.exercises, [], set()
        for position, cell in reversed(list(enumerate(self.cells, 1))):
            if cell["cell_type"] != "code":
                continue
            here = [number for number in exercises if belongs(cell, number, self.lesson)]
            new = [number for number in reversed(here) if number not in checked]
            steps += [CheckStep(number, exercises[number]) for number in new]
            source = without_checks(cell["source"]) if here else cell["source"]
            steps.append(CellStep(position, source, here))
            checked.update(here)
        return steps[::-1]


def lessons(folder: Path = ROOT / "notebooks") -> list[Lesson]:
    """The official notebooks of a folder. ValueError for one that was changed."""
    found = []
    for file in lesson_files(folder):
        exercises, sources = {}, set()
        cells, _ = read(file)
        for cell in cells:
            if number := exercise_of(cell):
                call = re.search(r"check\.\w+\((\w+)\)\s*$", cell["source"])
                if call is None:
                    changed = f"{file}: the cell of exercise {number} does not end in its check"
                    raise ValueError(
                        f"{changed}, so the lesson was changed. Bring the course's back."
                    )
                exercises[number] = call[1]
            elif cell["cell_type"] == "code" and "setup" not in cell["metadata"]["tags"]:
                sources.add(cell["source"].strip())
        sources = frozenset(sources)
        found.append(Lesson(file.name[:2], file, title_of(cells), sources, exercises))
    return found


def submission(file: Path, folder: Path, official: list[Lesson]) -> Submission:
    """Read and identify one notebook; the notes of a bad one say what is wrong."""
    relative = file.relative_to(folder)
    result = Submission(file, relative.as_posix(), relative.parts[0])
    try:
        result.cells, result.notes = read(file)
    except ValueError as error:
        result.notes = [str(error)]
    lesson = result.lesson = identify(result.cells, file.stem, official)
    if lesson is None:
        signs = "by exercises, cells, title or file name"
        result.notes.append(f"not recognised as a notebook of this course ({signs})")
    if file.name in OURS:
        result.notes.append("called like the course's own solutions: is it the student's work?")
    stem = lesson.file.stem if lesson else ""
    result.student, result.account = student_of(relative, folder, stem)
    return result


def read(file: Path) -> tuple[list[dict], list[str]]:
    """The cells of a notebook, each with cell_type, source and tags, and notes.

    ValueError says what is wrong with the file.
    """
    try:
        content = content_of(file)
    except OSError as error:
        raise ValueError(f"the file cannot be read: {error.strerror}") from error
    try:
        notebook, notes = json.loads(content), []
    except (ValueError, RecursionError) as error:
        raise ValueError(f"broken JSON: {error}") from error
    try:
        if notebook.get("nbformat", 4) < 4:
            notes.append(f"a notebook of format {notebook['nbformat']}, converted")
            notebook = nbformat.convert(nbformat.from_dict(notebook), 4)
        cells = [plain_cell(cell) for cell in notebook["cells"]]
        kernel = (notebook.get("metadata") or {}).get("kernelspec") or {}
        name, language = str(kernel.get("name", "")), str(kernel.get("language", "")).lower()
    except Exception as error:  # whatever else the JSON holds
        raise ValueError("JSON, but not a notebook") from error
    if not any(cell["cell_type"] == "code" for cell in cells):
        raise ValueError("a notebook without code cells")
    if not name:
        notes.append("names no kernel: run with the course's Python")
    elif language != "python" and name != "python3":
        notes.append(f"asks for the kernel {name[:60]!r}: run with the course's Python")
    return cells, notes


def content_of(file: Path) -> bytes:
    """The bytes of a regular file. ValueError for another, an empty one and a very large one."""
    if file.is_symlink():
        raise ValueError("a symbolic link, not a file of its own: not followed")
    if not file.is_file():
        raise ValueError("not a file")
    megabytes = file.stat().st_size / 1e6
    if megabytes == 0:
        raise ValueError("the file is empty")
    if megabytes > LARGEST:
        size = f"the file has {megabytes:.0f} MB, more than {LARGEST}"
        raise ValueError(f"{size}: ask for one without outputs")
    return file.read_bytes()


def plain_cell(cell: dict) -> dict:
    """Type, source and tags of a cell."""
    tags = (cell.get("metadata") or {}).get("tags") or []
    return {
        "cell_type": cell["cell_type"],
        "source": "".join(cell["source"]),
        "metadata": {"tags": [str(tag) for tag in tags]},
    }


def identify(cells: list[dict], stem: str, official: list[Lesson]) -> Lesson | None:
    """The lesson that the tags of exercises speak for; without them the next sign that tells.

    (Cell ids are none: they count, and are the same in all lessons.)
    """
    tags, title = {exercise_of(cell) for cell in cells}, title_of(cells)
    sources = {cell["source"].strip() for cell in cells}
    text = "\n".join(sources)
    signs = [  # the least number that counts, and how often a lesson has the sign
        (1, lambda lesson: len(tags & set(lesson.exercises))),
        (1, lambda lesson: sum(f"check.{name}(" in text for name in lesson.exercises.values())),
        (3, lambda lesson: len(sources & lesson.sources)),  # any notebook may hold `plt.show()`
        (1, lambda lesson: lesson.title == title),
        (1, lambda lesson: lesson.file.stem.casefold() in stem.casefold()),
        (1, lambda lesson: re.match(rf"{lesson.number}(?!\d)", stem) is not None),
    ]
    for least, count in signs:
        best = max(official, key=count)
        if count(best) >= least:
            return best
    return None


def exercise_of(cell: dict) -> str | None:
    """ "01.3" for a cell tagged exercise-01.3."""
    found = re.search(r"\bexercise-(\d\d\.\d+)\b", " ".join(cell["metadata"].get("tags", [])))
    return found[1] if found and cell["cell_type"] == "code" else None


def title_of(cells: list[dict]) -> str:
    """The first heading, "" where there is none."""
    for cell in cells:
        if cell["cell_type"] == "markdown" and (match := re.match(r"\s*# (.+)", cell["source"])):
            return unicodedata.normalize("NFC", match[1].strip())
    return ""


def belongs(cell: dict, number: str, lesson: Lesson) -> bool:
    """Whether a code cell is part of an exercise: by its tag, else by the name it defines."""
    if cell["source"].strip() in lesson.sources:
        return False
    if exercise_of(cell) == number:
        return True
    name = lesson.exercises[number]
    defined = rf"^(async\s+def|def|class)\s+{name}\b|^{name}\s*(:[^=]*)?="
    checked = rf"check\.{name}\(\s*{name}\s*\)"
    return re.search(f"{defined}|{checked}", cell["source"], re.MULTILINE) is not None


def without_checks(source: str) -> str:
    """A cell without its own calls of checks; the official ones count."""
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return source
    lines = source.split("\n")
    for node in body:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            if ast.unparse(node.value.func).startswith("check."):
                lines[node.lineno - 1 : node.end_lineno] = [""] * (
                    node.end_lineno - node.lineno + 1
                )
    return "\n".join(lines)
