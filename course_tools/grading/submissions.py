"""Which notebooks lie in a folder, whose they are, and which lesson each of them is."""

import ast
import json
import os
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import nbformat

from course_utils.files import ROOT

__all__ = ["CellStep", "CheckStep", "Lesson", "Submission", "find", "lessons", "submission"]

LARGEST = 50_000_000  # bytes of a notebook; those of the course have 1.5 MB
SKIPPED = {".ipynb_checkpoints", "__MACOSX"}
MOODLE = re.compile(r"_\d+_assignsubmission_file.*$")  # what it puts behind a student's name


@dataclass(frozen=True)
class Lesson:
    """An official notebook: exercises maps "00.1" to the name that its check is called with."""

    file: Path
    title: str
    sources: frozenset[str]
    exercises: dict[str, str]

    @property
    def number(self) -> str:
        """The two digits of its file name."""
        return self.file.name[:2]


@dataclass(frozen=True)
class CellStep:
    """Run a cell: its position as a reader counts, from 1, its source, the exercises it belongs to."""

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
    """A submitted notebook; cells are those of its file ([] when it cannot be read, and then a note says why)."""

    file: Path
    name: str
    student: str
    cells: list[dict] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    lesson: Lesson | None = None

    @cached_property
    def steps(self) -> list[CellStep | CheckStep]:
        """What is to be run, in order.

        An exercise is checked after the last cell that belongs to it; without such a cell it has no
        step.
        """
        homes = {}
        for index, cell in enumerate(self.cells):
            for number, name in self.lesson.exercises.items():
                if belongs(cell, number, name, self.lesson):
                    homes.setdefault(number, []).append(index)
        steps = []
        for index, cell in enumerate(self.cells):
            if cell["cell_type"] != "code":
                continue
            here = [number for number, places in homes.items() if index in places]
            source = without_checks(cell["source"]) if here else cell["source"]
            steps.append(CellStep(index + 1, source, here))
            steps += [CheckStep(n, self.lesson.exercises[n]) for n in here if index == homes[n][-1]]
        return steps


def lessons(folder: Path = ROOT / "notebooks") -> list[Lesson]:
    """The official notebooks of a folder."""
    found = []
    for file in sorted(folder.glob("[0-9][0-9]_*.ipynb")):
        cells = nbformat.read(file, as_version=4).cells
        exercises, sources = {}, set()
        for cell in cells:
            number = exercise_of(cell)
            if number:
                exercises[number] = re.search(r"check\.\w+\((\w+)\)\s*$", cell.source)[1]
            elif cell.cell_type == "code" and "setup" not in cell.metadata.get("tags", []):
                sources.add(cell.source.strip())
        found.append(Lesson(file, title_of(cells), frozenset(sources), exercises))
    return found


def find(folder: Path) -> tuple[list[Path], list[str]]:
    """The notebooks below `folder`, sorted; the names of what is left aside (other files, locked folders, links)."""
    notebooks, others = [], []
    for place, folders, files in os.walk(
        folder, onerror=lambda error: others.append(str(error.filename))
    ):
        linked = [name for name in folders if os.path.islink(os.path.join(place, name))]
        folders[:] = sorted(set(folders) - SKIPPED - set(linked))
        for name in [*files, *linked]:
            if name.lower().endswith(".ipynb") and not name.startswith("._") and name not in linked:
                notebooks.append(Path(place, name))
            elif not name.startswith("."):
                others.append(Path(place, name).relative_to(folder).as_posix())
    return sorted(notebooks), sorted(others)


def submission(file: Path, folder: Path, official: list[Lesson]) -> Submission:
    """Read and identify one notebook; a bad one becomes a submission whose notes say what is wrong."""
    relative = file.relative_to(folder)
    result = Submission(
        file, relative.as_posix(), relative.parts[0] if len(relative.parts) > 1 else ""
    )
    try:
        result.cells, result.notes = read(file)
    except ValueError as error:
        result.notes = [str(error)]
    result.lesson = identify(result.cells, file.stem, official)
    if result.lesson is None:
        result.notes.append(
            "not recognised as a notebook of this course (by exercises, cells, title or file name)"
        )
    if not result.student:  # files side by side, as a learning platform exports them
        own = result.lesson.file.stem if result.lesson else ""
        result.student = (
            re.sub(re.escape(own), "", file.stem, flags=re.IGNORECASE).strip(" _-.") or file.stem
        )
    result.student = MOODLE.sub("", result.student) or result.student
    return result


def read(file: Path) -> tuple[list[dict], list[str]]:
    """The cells of a notebook file, each with cell_type, source and tags, and notes. ValueError says what is wrong."""
    try:
        if file.is_symlink():
            raise ValueError("a symbolic link, not a file of its own: not followed")
        if not file.is_file():
            raise ValueError("not a file")
        size = file.stat().st_size
        if size == 0:
            raise ValueError("the file is empty")
        if size > LARGEST:
            most = LARGEST / 1e6
            raise ValueError(
                f"the file has {size / 1e6:.0f} MB, more than {most:.0f}: ask for one without outputs"
            )
        content = file.read_bytes()
    except OSError as error:
        raise ValueError(f"the file cannot be read: {error.strerror}") from error
    try:
        notebook = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"broken JSON: {error}") from error
    notes = []
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


def plain_cell(cell: dict) -> dict:
    """Type, source and tags of a cell."""
    source = cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])
    tags = (cell.get("metadata") or {}).get("tags") or []
    return {
        "cell_type": cell["cell_type"],
        "source": source,
        "metadata": {"tags": [str(tag) for tag in tags]},
    }


def identify(cells: list[dict], stem: str, official: list[Lesson]) -> Lesson | None:
    """The lesson that exercise tags speak for; else calls of checks, cells left as they were, title, file name.

    (Cell ids say nothing: they count, and are the same in all lessons.)
    """
    sources = {cell["source"].strip() for cell in cells}
    tagged = Counter(number[:2] for number in map(exercise_of, cells) if number)
    kept = Counter({lesson.number: len(lesson.sources & sources) for lesson in official})
    called = Counter(
        {
            lesson.number: sum(
                f"check.{name}(" in cell["source"]
                for cell in cells
                for name in lesson.exercises.values()
            )
            for lesson in official
        }
    )
    for votes, least in ((tagged, 1), (called, 1), (kept, 3)):  # any notebook may hold `plt.show()`
        for lesson in official:
            if votes[lesson.number] >= max([least, *votes.values()]):
                return lesson
    title = title_of(cells)
    for lesson in official:
        if title and title == lesson.title:
            return lesson
    for lesson in official:
        if lesson.file.stem.casefold() in stem.casefold() or re.match(
            rf"{lesson.number}(?!\d)", stem
        ):
            return lesson
    return None


def exercise_of(cell: dict) -> str | None:
    """ "01.3" for a cell tagged exercise-01.3."""
    tags = [
        tag for tag in cell["metadata"].get("tags", []) if re.fullmatch(r"exercise-\d\d\.\d+", tag)
    ]
    return tags[0].removeprefix("exercise-") if tags and cell["cell_type"] == "code" else None


def title_of(cells: list[dict]) -> str:
    """The first heading, "" where there is none."""
    for cell in cells:
        if cell["cell_type"] == "markdown" and (match := re.match(r"\s*# (.+)", cell["source"])):
            return unicodedata.normalize("NFC", match[1].strip())
    return ""


def belongs(cell: dict, number: str, name: str, lesson: Lesson) -> bool:
    """Whether a cell is part of an exercise: by its tag, else because it defines or checks the name."""
    if cell["cell_type"] != "code" or cell["source"].strip() in lesson.sources:
        return False
    if exercise_of(cell) == number:
        return True
    pattern = (
        rf"^(async\s+def|def|class)\s+{name}\b|^{name}\s*(:[^=]*)?=|check\.{name}\(\s*{name}\s*\)"
    )
    return re.search(pattern, cell["source"], re.MULTILINE) is not None


def without_checks(source: str) -> str:
    """A cell without its own calls of checks (they would only take time: the official ones count)."""
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return source
    lines = source.split("\n")
    for node in body:
        call = getattr(node, "value", None)
        if (
            isinstance(node, ast.Expr)
            and isinstance(call, ast.Call)
            and ast.unparse(call.func).startswith("check.")
        ):
            lines[node.lineno - 1 : node.end_lineno] = [""] * (node.end_lineno - node.lineno + 1)
    return "\n".join(lines)
