"""The website: every notebook with its stored outputs as a page in build/site (`make site`).

Needs no network. Exit status 1 when Sphinx warns: of a dead link, a picture without words, a page
that no list names.
"""

import importlib.util
import os
import pathlib
import re
import shutil
import subprocess
import sys

import nbformat

from course_tools.course_files import course_files
from course_tools.lessons import notebooks
from course_tools.publishing.lesson_pages import lesson_page, read_with_outputs
from course_tools.publishing.pages import glossary, notebook_table, time_table
from course_utils.files import ROOT, write_text

__all__ = ["build", "stage"]

TABLES = {"<!-- notebooks -->": notebook_table, "<!-- time -->": time_table}


def stage(source: pathlib.Path, root: pathlib.Path = ROOT) -> None:
    """Write what Sphinx reads into the folder `source`: the texts of `root`/docs and the notebooks.

    Raises ValueError for a notebook without stored outputs, and like `course_files`.
    """
    paths = [file.relative_to(root).as_posix() for file in notebooks(root)]
    read = {path: read_with_outputs(path, root) for path in paths}
    shutil.rmtree(source, ignore_errors=True)
    for name in course_files(root):
        if name.startswith("docs/"):
            copy = source / name.removeprefix("docs/")
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(root / name, copy)
    up = os.path.relpath(root, source).replace(os.sep, "/")
    for file in source.glob("*.md"):
        text = file.read_text(encoding="utf-8")
        text = re.sub(r"(?m)^(```\{(?:figure|include)\}) \.\./", rf"\1 {up}/", text)
        for place, table in TABLES.items():
            if place in text:
                text = text.replace(place, table(read))
        write_text(file, glossary(text, paths) if file.stem == "glossary" else text)
    for path, notebook in read.items():
        write_text(source / path, nbformat.writes(lesson_page(path, notebook)) + "\n")


def build(target: pathlib.Path, root: pathlib.Path = ROOT) -> int:
    """Build the site in the folder `target`, with what Sphinx reads beside it; its exit status.

    Raises ValueError for a notebook without stored outputs.
    """
    source, cache = (target.with_name(target.name + end) for end in ("_source", "_cache"))
    stage(source, root)
    shutil.rmtree(target, ignore_errors=True)
    options = ["-b", "html", "-E", "-q", "-W", "--keep-going", "-j", "auto"]
    folders = ["-c", root / "docs", "-d", cache, source, target]
    return subprocess.run([sys.executable, "-m", "sphinx", *options, *folders], cwd=ROOT).returncode


def main(root: pathlib.Path = ROOT) -> int:
    """The command; returns the exit status."""
    if not importlib.util.find_spec("myst_nb"):
        print("The website needs Sphinx. Install: pip install -e .[site] (make site does it).")
        return 1
    target = root / "build" / "site"
    try:
        status = build(target, root)
    except ValueError as error:
        print(error)
        return 1
    pages = [file for file in target.rglob("*.html") if "_static" not in file.parts]
    print(
        f"{len(pages)} pages, {'with' if status else 'without'} warnings: {target / 'index.html'}"
    )
    return status


if __name__ == "__main__":
    raise SystemExit(main())
