"""The course as source notebooks for nbgrader: marked solutions, checks as locked tests."""

import re
from pathlib import Path

import nbformat

from course_tools.grading.submissions import exercise_of
from course_tools.lessons import lesson_files, solution_of
from course_utils.files import ROOT, write_text

__all__ = ["export_course"]

TEST = """\
from course_utils.exercises import notebook_{lesson} as check

result = check.{name}({name})
assert result.status == "passed", result.message"""


def export_course(folder: Path, official: Path = ROOT / "notebooks") -> list[Path]:
    """Write folder/NN_name/NN_name.ipynb for each lesson (an assignment of nbgrader).

    Returns the files written. ValueError when a lesson has an exercise without a solution, or such
    a file is there already (somebody may have worked on it).
    """
    written = {}
    for file in lesson_files(official):
        solved = solution_of(file)
        if not solved.is_file():
            raise ValueError(f"{solved} is missing: the export needs the solutions of {file.name}.")
        cells = nbformat.read(solved, as_version=4).cells
        solutions = {exercise_of(cell): cell.source for cell in cells}
        lesson = nbformat.read(file, as_version=4)
        written[folder / file.stem / file.name] = source_notebook(lesson, solutions)
    for target in filter(Path.exists, written):
        raise ValueError(f"{target} is there already. Move it away, or name another folder.")
    for target, notebook in written.items():
        write_text(target, nbformat.writes(notebook) + "\n")
    return list(written)


def source_notebook(
    lesson: nbformat.NotebookNode, solutions: dict[str, str]
) -> nbformat.NotebookNode:
    """A lesson whose stubs are solved between markers, each followed by its test."""
    cells, points = [], 0
    for cell in lesson.cells:
        cells.append(cell)
        if card := re.search(r"\A### Exercise .*?^(★+)", cell.source, re.MULTILINE | re.DOTALL):
            points = len(card[1])  # the difficulty on the card of an exercise
        number = exercise_of(cell)
        if number is None:
            continue
        if number not in solutions:
            advice = f"its notebook needs a cell tagged exercise-{number}."
            raise ValueError(f"Exercise {number} has no solution: {advice}")
        stub, call = cell.source.rsplit("\n", 1)
        name = re.fullmatch(r"check\.\w+\((\w+)\)", call)[1]
        cell.source = marked(stub, solutions[number].rsplit("\n", 1)[0])
        cell.outputs, cell.execution_count = [], None
        identity = number.replace(".", "-")
        described(cell, grade_id=f"exercise-{identity}", solution=True)
        source = TEST.format(lesson=number[:2], name=name)
        test = nbformat.v4.new_code_cell(source, id=f"{cell.id}-test")
        described(test, grade_id=f"test-{identity}", solution=False, points=points)
        cells.append(test)
    lesson.cells = cells
    return lesson


def marked(stub: str, solution: str) -> str:
    """The solution, with markers where nbgrader is to put NotImplementedError."""
    kept = stub.partition("raise NotImplementedError")[0]
    code = kept.rstrip(" ")
    body, indent = solution.removeprefix(code).rstrip(), kept[len(code) :]
    return f"{kept}### BEGIN SOLUTION\n{body}\n{indent}### END SOLUTION"


def described(cell: nbformat.NotebookNode, solution: bool, **more: object) -> None:
    """Write what nbgrader keeps in the metadata of a cell: a solution, else a locked test."""
    test = {"grade": not solution, "locked": not solution}
    kind = {"schema_version": 3, "cell_type": "code", "task": False, "solution": solution}
    cell.metadata["nbgrader"] = kind | test | more
