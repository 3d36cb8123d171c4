"""Slides of the lessons for a classroom (`make slides`): reveal.js, shown without a network.

    python -m course_tools.publishing.slides                        all lessons, into build/slides
    python -m course_tools.publishing.slides notebooks/02_*.ipynb   these

Tags of the cells decide what is shown: see docs/slides.md. Each cell is cut into pieces that have
the slide types of nbconvert's SlidesExporter; slides_template/ is the page around them.
"""

import argparse
import importlib.util
import pathlib
import posixpath
import re
import shutil
from collections.abc import Iterator

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

from course_tools.lessons import LESSONS, lessons
from course_tools.links import BRANCH, address
from course_utils.files import ROOT, write_text

__all__ = ["COURSE", "index_page", "lesson_slides", "libraries", "slides_page"]

COURSE = "From sparse codes to generated images"
HERE = pathlib.Path(__file__).parent
LEFT_OUT = re.compile(r"References|Next\b|Further reading")  # sections for readers at home
ALONE = re.compile(r"(\d+\. )?On a GPU")  # left out where nothing else of the section is shown
LEAD = re.compile(  # bold words that open a paragraph and end with a stop, or are all there is
    r"(?:\A|(?<=\n\n))\*\*(?!Predict)([^*\n]+?)(?:[.:]\*\*|(?<=[?!])\*\*|\*\*:|\*\*(?=\n\n|\Z))\s*"
)
SHORT = 110  # letters of a question that is not understood without the paragraph before
PACKAGES = {"sphinx_revealjs": "_static/revealjs", "sphinx-mathjax-offline": "static/mathjax"}
UNUSED = shutil.ignore_patterns("a11y", "sre", "theme", "*full*", "*mml*", "*chtml*")
WIDGET = "application/vnd.jupyter.widget-view+json"
Piece = tuple[str, NotebookNode]  # slide type: slide (begins one), -, fragment (at a click), notes


def elements(source: str) -> list:
    """The blocks of a text cell as HTML: bold first words as <h4>, links as from build/slides."""
    from bs4 import BeautifulSoup
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

    markdown = MarkdownWithMath(IPythonRenderer(escape=False, exclude_anchor_links=True))
    soup = BeautifulSoup(markdown.render(LEAD.sub(r"#### \1\n\n", source)), "html.parser")
    for badge in soup.select("a:has(img)"):
        badge.string = badge.img["alt"]
    for link in soup.find_all("a"):
        if re.fullmatch(r"\d\d_\w+\.ipynb", link["href"]):
            link["href"] = link["href"].replace(".ipynb", ".html")
        elif "://" not in link["href"]:
            path = posixpath.normpath("notebooks/" + link["href"])
            link["href"] = f"{address()}/blob/{BRANCH}/{path}"
    return soup.find_all(True, recursive=False)


def text_pieces(source: str, tagged: bool) -> Iterator[Piece]:
    """The blocks of a text cell."""
    whole, before, said = False, "", ""
    for element in elements(source):
        kind, text, shown, metadata = "-", element.get_text(), str(element), {}
        if element.name in ("h1", "h2", "h3", "h4"):
            whole = element.name == "h1" or text.startswith("Exercise ")
            kind, metadata = "slide", {"title": text, "tagged": tagged}
        elif not tagged:
            kind = "notes"
        elif not whole and element.strong and element.strong.get_text().startswith("Predict"):
            element["class"] = "predict"
            shown = f"<div>{said if len(text) <= SHORT else ''}{element}</div>"
        elif element.name == "p" and not (whole or text.startswith("$$") or before == "h4"):
            kind = "notes"
        before, said = element.name, shown if kind == "notes" else ""
        yield kind, new_markdown_cell(shown, metadata=metadata)


def code_pieces(cell: NotebookNode, with_source: bool) -> Iterator[Piece]:
    """The program of a code cell and each of its outputs, without warnings and widgets."""
    if with_source:
        yield "-", new_code_cell(cell.source)
    words = iter(cell.metadata.get("alt", []))
    for output in cell.outputs:
        data = output.get("data", {})
        if "image/png" in data:
            output.metadata = {"alt": next(words, "")}
        elif output.get("name") == "stderr" or WIDGET in data:
            continue
        yield "fragment", new_code_cell(outputs=[output])


def add(slides: list[list[Piece]], kind: str, cell: NotebookNode) -> None:
    """Put a piece on the last slide, or begin one."""
    kinds = [before for before, _ in slides[-1]]
    if kind == "slide":
        slides.append([(kind, cell)])
    elif kind == "notes" == kinds[-1]:  # beside an output reveal.js shows one element of notes
        slides[-1][-1][1].source += cell.source
    else:
        after_output = kind == "-" and "fragment" in kinds
        slides[-1].append(("fragment" if after_output else kind, cell))


def has_content(slide: list[Piece]) -> bool:
    """Whether a slide has something to show, be it a heading between two parts."""
    heading, shown = slide[0][1].metadata, any(kind != "notes" for kind, _ in slide[1:])
    alone = heading.tagged and not ALONE.fullmatch(heading.title)
    return (shown or alone) and not LEFT_OUT.match(heading.title)


def lesson_slides(file: pathlib.Path) -> NotebookNode:
    """The slides of a notebook, as a notebook whose cells have slide types.

    Raises ValueError that says what is missing: a notebook, a slide tag, the stored output of a
    tagged cell.
    """
    try:
        notebook = nbformat.read(file, as_version=4)
        cells = notebook.cells
    except (OSError, ValueError, AttributeError, nbformat.ValidationError) as error:
        raise ValueError(f"{file} cannot be read as a notebook ({error!r}).") from error
    slides, notebook.cells = [list(text_pieces(f"# {file.stem}", False))], []
    for number, cell in enumerate(cells, 1):
        pieces, tags = [], {"slide", "slide-output"} & set(cell.metadata.get("tags", []))
        if cell.cell_type == "markdown":
            pieces = text_pieces(cell.source, bool(tags))
        elif tags and cell.get("execution_count") is None:
            raise ValueError(f"{file}, cell {number}, has no stored output: make run ARGS={file}")
        elif tags == {"slide-output"} and not cell.outputs:
            fault = "is tagged slide-output, but prints and draws nothing"
            raise ValueError(f"{file}, cell {number}, {fault}. To show its code, tag it slide.")
        elif tags:
            pieces = code_pieces(cell, "slide" in tags)
        for kind, piece in pieces:
            add(slides, kind, piece)
    for slide in filter(has_content, slides):
        for kind, piece in slide:
            piece.metadata["slideshow"] = {"slide_type": kind}
            notebook.cells.append(piece)
    if not notebook.cells:
        raise ValueError(f"{file} has no cell with the tag slide or slide-output (docs/slides.md).")
    return notebook


def slides_page(notebook: NotebookNode) -> str:
    """The HTML page of a deck; it needs the folders revealjs/ and mathjax/ beside it."""
    from nbconvert import SlidesExporter

    exporter = SlidesExporter(extra_template_basedirs=[str(HERE)], template_name="slides_template")
    return exporter.from_notebook_node(notebook, {"course": COURSE})[0]


def libraries(folder: pathlib.Path) -> None:
    """Copy reveal.js and MathJax out of their packages into `folder`."""
    for package, place in PACKAGES.items():
        found = importlib.util.find_spec(package)
        if found is None:
            raise ValueError(f"the package {package} is not installed: pip install -e .[site]")
        source = pathlib.Path(found.origin).parent / place
        shutil.copytree(source, folder / source.name, ignore=UNUSED, dirs_exist_ok=True)


def index_page(folder: pathlib.Path) -> str:
    """The list of the lessons' decks in a folder, as HTML."""
    from jinja2 import Template

    decks = {}
    for file in filter(pathlib.Path.is_file, (folder / f"{name}.html" for name in LESSONS)):
        decks[file.name] = re.search("<title>(.*?)</title>", file.read_text(encoding="utf-8"))[1]
    template = Template((HERE / "slides_template/list.html.j2").read_text(encoding="utf-8"))
    return template.render(course=COURSE, decks=decks)


def main(arguments: list[str] | None = None, root: pathlib.Path = ROOT) -> int:
    """The command line; returns the exit status."""
    program, first = "python -m course_tools.publishing.slides", __doc__.split("\n")[0]
    parser = argparse.ArgumentParser(prog=program, description=first)
    parser.add_argument("notebooks", nargs="*", type=pathlib.Path, help="default: all lessons")
    decks, problems, folder = {}, [], root / "build" / "slides"
    for file in parser.parse_args(arguments).notebooks or lessons(root):
        try:
            decks[folder / f"{file.stem}.html"] = lesson_slides(file)
        except ValueError as error:
            problems.append(str(error))
    if problems:
        parser.error("\n".join(problems))
    try:
        libraries(folder)
        for file, deck in decks.items():
            write_text(file, slides_page(deck))
        write_text(folder / "index.html", index_page(folder))
    except (OSError, ValueError) as error:
        parser.error(f"the slides cannot be written: {error}")
    print(f"Open {folder / 'index.html'} in a browser; S opens the speaker's notes.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
