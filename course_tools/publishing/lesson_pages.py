"""A notebook as a page of the website.

The page gets what a notebook does not have: buttons instead of badge pictures, words on every
picture, a link from each exercise to its solution and back, links that lead to pages.
"""

import copy
import os
import re

import nbformat
from nbformat.notebooknode import NotebookNode

from course_tools.links import BADGES
from course_tools.publishing.site_links import SiteLinks, lesson_of, outside_code, solutions_of

__all__ = ["INTERACTIVE", "read_with_outputs", "lesson_page"]

INTERACTIVE = re.compile(
    r"^(?!\s*(?:def|from|import)\b).*\b(image_slider|before_after)\(", re.MULTILINE
)
EXERCISE = re.compile(r"^#+ Exercise (\d\d\.\d+)\b.*$", re.MULTILINE)
HEADING = re.compile(r"^(#+)( .*)$", re.MULTILINE)
WIDGET, PNG = "application/vnd.jupyter.widget-view+json", "image/png"
STANDS_STILL = (
    "[A still picture here: in JupyterLab, Colab or Binder you can move it.]{.stands-still}"
)
MORE = "# the next picture of the cell above"  # not shown; myst-nb leaves a cell without source out, outputs and all
NO_WORDS = "Picture drawn by the code above"
FOLDED = (
    '<details class="setup"><summary>Set-up, the same in every notebook</summary>',
    "</details>",
)


def read_with_outputs(links: SiteLinks, path: str) -> NotebookNode:
    """The notebook `path`. ValueError says what is missing, when it is none or a cell has not been run."""
    again = f"Run it first: make run ARGS={path}"
    try:
        notebook = nbformat.read(links.root / path, as_version=4)
        nbformat.validate(notebook)
    except Exception as error:  # no JSON, or JSON of something else: nbformat then raises whatever it stumbles over
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(f"{path} cannot be read as a notebook: {reason}") from error
    for number, cell in enumerate((cell for cell in notebook.cells if cell.cell_type == "code"), 1):
        if cell.source.strip() and cell.execution_count is None:
            raise ValueError(
                f"{path} has no stored outputs: code cell {number} was never run. {again}"
            )
        if any(output.output_type == "error" for output in cell.outputs):
            raise ValueError(f"{path} stores an error in code cell {number}. Mend it. {again}")
    return notebook


def lesson_page(
    path: str, notebook: NotebookNode, links: SiteLinks
) -> tuple[NotebookNode, list[str]]:
    """The notebook as a page, and its cells that have a picture without words (metadata `alt`)."""
    notebook, cells, wordless = copy.deepcopy(notebook), [], []
    for number, cell in enumerate(notebook.cells, 1):
        if cell.cell_type == "markdown":
            text = BADGES.sub(lambda match: buttons(path, match[0], links), cell.source)
            cell.source = with_exercise_links(path, links.rewritten(path, text), links)
            cells.append(cell)
        elif cell.cell_type == "code":
            new = code_cells(cell)
            cells += new
            stub = re.search(r"\bexercise-(\d\d\.\d+)", " ".join(cell.metadata.get("tags", [])))
            if stub and "/solutions/" not in path and solutions_of(path) in links.notebooks:
                link = f"[Solution of {stub[1]}](#solution-{stub[1]}){{.exercise-link}}"
                cells.append(nbformat.v4.new_markdown_cell(link))
            if any(
                c.metadata.get("mystnb", {}).get("image", {}).get("alt") == NO_WORDS for c in new
            ):
                wordless.append(f"{path}, cell {number}")
    in_order(cells)
    notebook.cells = cells
    return notebook, wordless


def buttons(path: str, badges: str, links: SiteLinks) -> str:
    """Links to Colab, Binder, the file, and the solutions or the lesson, in place of the badges."""
    colab, binder = re.findall(r"\]\((https://[^)]*)\)(?= |$)", badges)
    targets = {
        "Open in Colab": colab,
        "Open in Binder": binder,
        "See it on GitHub": links.in_repository(path),
    }
    word, other = (
        ("Its lesson", lesson_of(path))
        if "/solutions/" in path
        else ("Its solutions", solutions_of(path))
    )
    if other in links.notebooks:
        targets[word] = links.link(path, os.path.relpath(other, os.path.dirname(path)))
    return " ".join(f"[{name}]({target}){{.launch}}" for name, target in targets.items())


def with_exercise_links(path: str, text: str, links: SiteLinks) -> str:
    """A text with an anchor at each exercise; from a solution a link leads back."""
    if "/solutions/" not in path:
        return EXERCISE.sub(r"(exercise-\1)=\n\g<0>", text)
    back = (
        "\n\n[Back to exercise \\1](#exercise-\\1){.exercise-link}"
        if lesson_of(path) in links.notebooks
        else ""
    )
    return EXERCISE.sub(rf"(solution-\1)=\n\g<0>{back}", text)


def code_cells(cell: NotebookNode) -> list[NotebookNode]:
    """A code cell as cells of a page: one for each picture, so that each has words of its own."""
    groups: list[list] = [[]]
    for output in cell.outputs:
        data = output.get("data", {})
        if PNG in data:
            output.data = nbformat.from_dict({PNG: data[PNG]})
            if any(PNG in other.get("data", {}) for other in groups[-1]):
                groups.append([])
        elif WIDGET in data:
            continue  # a progress bar
        groups[-1].append(output)
    words, cells = list(cell.metadata.get("alt", [])), []
    for number, outputs in enumerate(groups):
        metadata = {"tags": ["remove-input"] if number else [], "mystnb": {}}
        if any(PNG in output.get("data", {}) for output in outputs):
            metadata["mystnb"]["image"] = {"alt": words.pop(0) if words else NO_WORDS}
        cells.append(
            nbformat.v4.new_code_cell(
                MORE if number else cell.source,
                execution_count=cell.execution_count,
                outputs=outputs,
                metadata=metadata,
            )
        )
    if "setup" in cell.metadata.get("tags", []):
        before, after = map(nbformat.v4.new_markdown_cell, FOLDED)
        cells = [before, *cells, after]
    if INTERACTIVE.search(cell.source) and "image" in cells[-1].metadata.get("mystnb", {}):
        cells.append(nbformat.v4.new_markdown_cell(STANDS_STILL))
    return cells


def in_order(cells: list[NotebookNode]) -> None:
    """One title in a page and no level of headings left out: a second title, and what follows it, goes down a level."""
    titles, last = 0, 0

    def heading(match: re.Match) -> str:
        nonlocal titles, last
        titles += match[1] == "#"
        last = min(len(match[1]) + (titles > 1), last + 1)
        return "#" * last + match[2]

    for cell in cells:
        if cell.cell_type == "markdown":
            cell.source = outside_code(cell.source, lambda piece: HEADING.sub(heading, piece))
