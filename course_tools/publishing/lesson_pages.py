"""A notebook as a page of the website: links in place of badges, from exercises to solutions."""

import pathlib
import re

import nbformat
from nbformat.notebooknode import NotebookNode

from course_tools.links import BADGES, BRANCH, address
from course_utils.files import ROOT

__all__ = ["INTERACTIVE", "lesson_page", "read_with_outputs"]

INTERACTIVE = re.compile(
    r"^(?!\s*(?:def|from|import)\b).*\b(image_slider|before_after)\(", re.MULTILINE
)
EXERCISE = re.compile(r"^#+ Exercise (\d\d\.\d+)\b.*$", re.MULTILINE)
STANDS_STILL = (
    "[A still picture here: in JupyterLab, Colab or Binder you can move it.]{.stands-still}"
)
WIDGET = "application/vnd.jupyter.widget-view+json"
SETUP = "Set-up, the same in every notebook"


def read_with_outputs(path: str, root: pathlib.Path = ROOT) -> NotebookNode:
    """The notebook `path`. Raises ValueError when it is none or a cell has not been run."""
    again = f"Run it first: make run ARGS={path}"
    try:
        notebook = nbformat.read(root / path, as_version=4)
        nbformat.validate(notebook)
    except Exception as error:  # nbformat raises whatever it stumbles over
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise ValueError(f"{path} cannot be read as a notebook: {reason}") from error
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for number, cell in enumerate(code, 1):
        if cell.source.strip() and cell.execution_count is None:
            raise ValueError(
                f"{path} has no stored outputs: code cell {number} was never run. {again}"
            )
        if any(output.output_type == "error" for output in cell.outputs):
            raise ValueError(f"{path} stores an error in code cell {number}. Mend it. {again}")
    return notebook


def lesson_page(path: str, notebook: NotebookNode) -> NotebookNode:
    """The notebook `path`, changed into a page."""
    if "/solutions/" in path:
        kind, back = "solution", r"\n\n[Back to exercise \1](#exercise-\1){.exercise-link}"
        other = pathlib.PurePath(path).name.replace("_solutions", "")
        link = f"[Its lesson](../{other}){{.launch}}"
    else:
        kind, back = "exercise", ""
        link = (
            f"[Its solutions](solutions/{pathlib.PurePath(path).stem}_solutions.ipynb){{.launch}}"
        )
    links = f"[See it on GitHub]({address()}/blob/{BRANCH}/{path}){{.launch}} {link}"
    cells = []
    for cell in notebook.cells:
        cells.append(cell)
        if cell.cell_type == "markdown":
            text = BADGES.sub(lambda _: links, cell.source)
            cell.source = EXERCISE.sub(rf"({kind}-\1)=\n\g<0>{back}", text)
            continue
        cell.outputs = [output for output in cell.outputs if WIDGET not in output.get("data", {})]
        tags = cell.metadata.get("tags", [])
        if "setup" in tags:
            tags.append("hide-cell")
            cell.metadata.mystnb = {"code_prompt_show": SETUP, "code_prompt_hide": SETUP}
        below = [STANDS_STILL] if INTERACTIVE.search(cell.source) and "alt" in cell.metadata else []
        for number in re.findall(r"\bexercise-(\d\d\.\d+)", " ".join(tags)):
            if kind == "exercise":
                below.append(f"[Solution of {number}](#solution-{number}){{.exercise-link}}")
        cells += map(nbformat.v4.new_markdown_cell, below)
    notebook.cells = cells
    return notebook
