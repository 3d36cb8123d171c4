"""Slides of the lessons for a classroom (`make slides`): reveal.js, shown without a network.

    python -m course_tools.publishing.slides                        all lessons, into build/slides
    python -m course_tools.publishing.slides notebooks/02_*.ipynb   these

Tags of the cells decide. `slide`: the cell is shown, code with its output; `slide-output`: its
output alone. Of a text cell headings, display formulas, tables, lists, quotations and what begins
with **Predict** stand on the slide, with the bold words that open a paragraph. The paragraphs go to
the speaker's notes; those before the first heading read the picture before, and go to its slide, as
those of text cells that are not shown do. Below a question the answer comes at a click. See
docs/slides.md.
"""

import argparse
import importlib.util
import json
import pathlib
import re
import shutil
import string

from course_tools.publishing.deck import SIZE, Deck, add_code, add_outputs
from course_tools.publishing.slide_text import add_notes, add_text, inline
from course_tools.run_notebooks import notebooks
from course_utils.files import ROOT, write_text

__all__ = ["COURSE", "index_page", "lesson_slides", "libraries", "slides_page"]

COURSE = "From sparse codes to generated images"
TEMPLATE = pathlib.Path(__file__).with_name("slides.html")


def lesson_slides(file: pathlib.Path) -> Deck:
    """The slides of a notebook.

    Raises ValueError that says what is missing: a notebook, a slide tag, the stored output of a
    tagged cell.
    """
    try:
        cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{file} cannot be read as a notebook ({error.__class__.__name__}: {error})."
        ) from error
    deck, tagged, heading = Deck(), False, None
    for number, cell in enumerate(cells, 1):
        source, tags = (
            "".join(cell["source"]),
            set(cell["metadata"].get("tags", [])) & {"slide", "slide-output"},
        )
        tagged |= bool(tags)
        own = (
            re.findall(r"^#{1,3} +(.+)$", source, re.MULTILINE)
            if cell["cell_type"] == "markdown"
            else []
        )
        if tags and heading and not own:  # the heading stands in a text cell that is not shown
            deck.open(inline(heading))
        heading, deck.said = None if tags else own[-1] if own else heading, ""
        if cell["cell_type"] == "markdown":
            (add_text if tags else add_notes)(deck, source)
        elif tags and cell["cell_type"] == "code":
            if cell.get("execution_count") is None:
                raise ValueError(
                    f"{file}, cell {number}, has no stored output. Run: make run ARGS={file.as_posix()}"
                )
            if not cell["outputs"] and "slide" not in tags:
                raise ValueError(
                    f"{file}, cell {number}, is tagged slide-output, but prints and draws nothing. "
                    "Remove the tag, or tag it slide to show its code."
                )
            if "slide" in tags:
                add_code(deck, source)
            add_outputs(deck, cell)
    deck.close()
    if not tagged:
        raise ValueError(
            f"{file} has no cell with the tag slide or slide-output: nothing to show. See docs/slides.md."
        )
    return deck


def slides_page(deck: Deck) -> str:
    """The HTML page of a deck; it needs the folders reveal/ and mathjax/ beside it."""
    from pygments.formatters import HtmlFormatter

    sections, highlighting = (
        [],
        HtmlFormatter(style="a11y-high-contrast-light").get_style_defs("pre"),
    )
    for slide in deck.slides:
        tag = "h1" if slide.kind == "title" else "h2"
        title = f"<{tag}>{slide.title}</{tag}>" if slide.title else ""
        kind = slide.kind or ("" if slide.parts else "section")
        above = f'<p class="course">{COURSE}</p>' if slide.kind == "title" else ""
        notes = f'<aside class="notes">{"".join(slide.notes)}</aside>' if slide.notes else ""
        body = "\n".join([above + title, *slide.parts, notes])
        sections.append(f'<section class="{kind}">\n{body}\n</section>')
    page = string.Template(TEMPLATE.read_text(encoding="utf-8"))
    return page.substitute(
        title=deck.name, sections="\n".join(sections), highlighting=highlighting, size=SIZE
    )


def libraries(folder: pathlib.Path) -> None:
    """Copy reveal.js and MathJax out of their packages into `folder`."""
    places = []
    for package in ("sphinx_revealjs", "sphinx-mathjax-offline"):
        found = importlib.util.find_spec(package)
        if found is None:
            raise ValueError(
                f"the package {package}, whose files they need, is not installed: pip install -e .[site]"
            )
        places.append(pathlib.Path(found.origin).parent)
    reveal, mathjax = places[0] / "_static" / "revealjs", places[1] / "static" / "mathjax"
    for part in (
        "LICENSE",
        "dist/reset.css",
        "dist/reveal.css",
        "dist/reveal.js",
        "plugin/notes/notes.js",
    ):
        target = folder / "reveal" / part
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(reveal / part, target)
    shutil.copytree(
        mathjax / "input/tex/extensions",
        folder / "mathjax/input/tex/extensions",
        dirs_exist_ok=True,
    )
    shutil.copyfile(mathjax / "tex-svg.js", folder / "mathjax/tex-svg.js")


def index_page(folder: pathlib.Path) -> str:
    """The list of all decks in a folder, as HTML."""
    rows = []
    for file in sorted(folder.glob("[0-9]*.html")):
        page = file.read_text(encoding="utf-8")
        title, count = re.search(r"<title>(.*?)</title>", page)[1], page.count("<section ")
        rows.append(
            f'<li><a href="{file.name}">{title}</a> '
            f'<span>{count} slides · <a href="{file.name}?print-pdf">to print</a></span></li>'
        )
    page = TEMPLATE.with_name("slides_index.html").read_text(encoding="utf-8")
    return string.Template(page).substitute(course=COURSE, rows="\n".join(rows))


def main(arguments: list[str] | None = None, root: pathlib.Path = ROOT) -> int:
    """The command line; returns the exit status."""
    program, first = "python -m course_tools.publishing.slides", __doc__.split("\n")[0]
    parser = argparse.ArgumentParser(prog=program, description=first)
    parser.add_argument(
        "notebooks", nargs="*", type=pathlib.Path, help="default: all lessons, in order"
    )
    lessons = [file for file in notebooks(root) if file.parent.name == "notebooks"]
    files = parser.parse_args(arguments).notebooks or lessons
    decks, problems, folder = {}, [], root / "build" / "slides"
    for file in files:
        try:
            decks[f"{file.stem}.html"] = lesson_slides(file)
        except ValueError as error:
            problems.append(str(error))
    if problems:
        parser.error("\n".join(problems))
    try:
        libraries(folder)
        for name, deck in decks.items():
            write_text(folder / name, slides_page(deck))
            print(f"{folder / name}: {len(deck.slides)} slides")
        write_text(folder / "index.html", index_page(folder))
    except (OSError, ValueError) as error:
        parser.error(f"the slides cannot be written: {error}")
    print(f"Open {folder / 'index.html'} in a browser; S opens the speaker's notes.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
