"""The course as source notebooks for nbgrader: solutions between markers, checks as locked tests with points."""

import re
from pathlib import Path

import nbformat

from course_tools.grading.submissions import exercise_of
from course_utils.files import ROOT, write_text

__all__ = ["export_course"]

TEST = """\
from course_utils.exercises import notebook_{lesson} as check

result = check.{name}({name})
assert result.status == "passed", result.message"""


def export_course(folder: Path, official: Path = ROOT / "notebooks") -> list[Path]:
    """Write folder/NN_name/NN_name.ipynb for each lesson (an assignment of nbgrader); the files written.

    ValueError when a lesson has an exercise without a solution, or such a file is there already
    (somebody may have worked on it).
    """
    written = {}
    for file in sorted(official.glob("[0-9][0-9]_*.ipynb")):
        solved = nbformat.read(
            official / "solutions" / f"{file.stem}_solutions.ipynb", as_version=4
        )
        solutions = {exercise_of(cell): cell.source for cell in solved.cells}
        written[folder / file.stem / file.name] = source_notebook(
            nbformat.read(file, as_version=4), solutions
        )
    for target in filter(Path.exists, written):
        raise ValueError(f"{target} is there already. Move it away, or name another folder.")
    for target, notebook in written.items():
        write_text(target, nbformat.writes(notebook) + "\n")
    if not written:
        raise ValueError(f"{official} holds no lessons.")
    return list(written)


def source_notebook(
    lesson: nbformat.NotebookNode, solutions: dict[str, str]
) -> nbformat.NotebookNode:
    """A lesson whose stubs are solved between markers, each followed by its test."""
    cells = []
    for cell in lesson.cells:
        number = exercise_of(cell)
        if number is None:
            cells.append(cell)
            continue
        if number not in solutions:
            raise ValueError(
                f"Exercise {number} has no solution: its notebook needs a cell tagged exercise-{number}."
            )
        stub, call = cell.source.rsplit("\n", 1)
        name = re.fullmatch(r"check\.\w+\((\w+)\)", call)[1]
        answer = dict(
            cell,
            source=marked(stub, solutions[number].rsplit("\n", 1)[0]),
            outputs=[],
            execution_count=None,
        )
        cells.append(graded(nbformat.from_dict(answer), f"exercise-{number}", solution=True))
        test = nbformat.v4.new_code_cell(
            TEST.format(lesson=number[:2], name=name), id=f"{cell.id}-test"
        )
        cells.append(graded(test, f"test-{number}", points=stars(lesson, number)))
    lesson.cells = cells
    return lesson


def marked(stub: str, solution: str) -> str:
    """The solution, with markers around what the stub leaves open: nbgrader puts NotImplementedError there."""
    kept, _, _ = stub.partition("raise NotImplementedError")
    body = solution.removeprefix(kept.rstrip(" ")).rstrip()
    indent = kept[len(kept.rstrip(" ")) :]
    return f"{kept}### BEGIN SOLUTION\n{body}\n{indent}### END SOLUTION"


def graded(
    cell: nbformat.NotebookNode,
    identity: str,
    solution: bool = False,
    points: int | None = None,
) -> nbformat.NotebookNode:
    """The cell with what nbgrader keeps in a cell's metadata."""
    cell.metadata["nbgrader"] = {
        "schema_version": 3,
        "cell_type": "code",
        "grade_id": identity.replace(".", "-"),
        "task": False,
        "solution": solution,
        "grade": not solution,
        "locked": not solution,
    }
    if points is not None:
        cell.metadata["nbgrader"]["points"] = points
    return cell


def stars(lesson: nbformat.NotebookNode, number: str) -> int:
    """The difficulty on the card of an exercise, 1 to 3: its points."""
    card = next(c.source for c in lesson.cells if c.source.startswith(f"### Exercise {number} "))
    return len(re.search(r"^★+", card, re.MULTILINE)[0])
