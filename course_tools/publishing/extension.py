"""The Sphinx extension of the website: plain docstrings, links between files, words of pictures."""

import posixpath
import re

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util import logging

from course_tools.links import BRANCH, address
from course_utils.files import ROOT

__all__ = ["setup"]

STANDS_FOR = {
    "README.md": "index",
    "docs": "index",
    "notebooks": "index",
    "CONTRIBUTING.md": "contributors",
}
MARKUP = re.compile(r"`([^`]+)`|([\\*|_])")
LESSONS = re.compile(r"\bnotebooks? \d\d(?:(?:, | and | to )\d\d\b)*")
log = logging.getLogger(__name__)


def setup(app: Sphinx) -> dict:
    """Connect the functions below."""
    app.connect("autodoc-process-docstring", docstring)
    for change in (relative_links, words_of_pictures, headings):
        app.connect("doctree-read", change, priority=400)  # before Sphinx collects titles and files
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def docstring(app: Sphinx, what: str, name: str, obj, options, lines: list[str]) -> None:
    """Plain text as reStructuredText: `code`, indented examples, "notebook 01" as a link."""
    pages = {doc[10:12]: doc for doc in app.env.found_docs if re.match(r"notebooks/\d\d", doc)}

    def link(number: re.Match) -> str:
        page = pages.get(number[0])
        return f":doc:`{number[0]} </{page}>`" if page else number[0]

    for i, line in enumerate(lines):
        if not line.startswith("    "):
            line = MARKUP.sub(lambda m: f"``{m[1]}``" if m[1] else rf"\{m[2]}", line)
            lines[i] = LESSONS.sub(lambda m: re.sub(r"\d\d", link, m[0]), line)
    lines[:] = re.sub(r"(?<=\n\n)(?=    )", "::\n\n", "\n".join(lines)).split("\n")


def relative_links(app: Sphinx, doctree: nodes.document) -> None:
    """A link to a file of no page leads to the page that stands for it, else to the repository."""
    page = app.env.docname
    source = page if page.startswith("notebooks/") else f"docs/{page}"
    for link in list(doctree.findall(addnodes.pending_xref)):
        if link["reftype"] != "myst" or link.get("refdomain"):
            continue  # Sphinx knows where it leads
        target, _, anchor = link["reftarget"].partition("#")
        for folder in (posixpath.dirname(source), ""):  # an included text names files from the root
            path = posixpath.normpath(posixpath.join(folder, target))
            if not target or not (ROOT / path).exists():
                continue  # Sphinx warns of it
            there = STANDS_FOR.get(path, posixpath.splitext(path.removeprefix("docs/"))[0])
            if there in app.env.found_docs:
                link["refdomain"], link["reftarget"], link["reftargetid"] = "doc", there, anchor
            else:
                kind = "tree" if (ROOT / path).is_dir() else "blob"
                url = f"{address()}/{kind}/{BRANCH}/{path}"
                link.replace_self(nodes.reference("", "", *link.children, refuri=url))
            break


def words_of_pictures(app: Sphinx, doctree: nodes.document) -> None:
    """Pictures of a code cell get their words from its metadata `alt`; one without is a warning."""
    for cell in doctree.findall(nodes.container):
        if "cell_metadata" in cell:
            words = iter(cell["cell_metadata"].get("alt", []))
            for picture in cell.findall(nodes.image):
                picture["alt"], picture.line = next(words, ""), cell.line
    for picture in doctree.findall(nodes.image):
        if not picture.get("alt", "").strip():
            log.warning("a picture without words", location=picture)


def headings(app: Sphinx, doctree: nodes.document) -> None:
    """A second title goes below the first; the empty corner of a table gets a hidden word."""
    sections = [node for node in doctree.children if isinstance(node, nodes.section)]
    for section in sections[1:]:
        doctree.remove(section)
        sections[0].append(section)
    for head in doctree.findall(nodes.thead):
        for corner in head.findall(nodes.entry):
            if not corner.astext().strip():
                corner.append(nodes.inline("", "row", classes=["visually-hidden"]))
