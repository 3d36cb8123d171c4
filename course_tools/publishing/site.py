"""The website: every notebook with its stored outputs as a page, built without a network (`make site`).

    python -m course_tools.publishing.site                        all, into build/site
    python -m course_tools.publishing.site notebooks/01_*.ipynb   only these, for a quick look

Exit status 1 when Sphinx warns, a link is dead, a picture has no words or a page wants something
from a network.
"""

import argparse
import importlib.util
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

from course_tools.publishing.api import write_api
from course_tools.publishing.html_checks import mend, pages_of, problems
from course_tools.publishing.pages import stage
from course_tools.run_notebooks import notebooks
from course_utils.files import ROOT

__all__ = ["build"]

NEEDED = {
    "sphinx": "sphinx",
    "myst_nb": "myst-nb",
    "sphinx_book_theme": "sphinx-book-theme",
    "sphinx-mathjax-offline": "sphinx-mathjax-offline",
}


def build(
    chosen: list[str], target: pathlib.Path, root: pathlib.Path = ROOT
) -> dict[str, list[str]]:
    """Build the site of the notebooks `chosen` (paths below `root`) in the folder `target`; its problems by kind.

    The staged source and Sphinx's cache lie beside it. Raises ValueError for a notebook without
    stored outputs and RuntimeError when Sphinx fails altogether.
    """
    source = target.with_name(target.name + "_source")
    wordless = stage(source, chosen, root)
    write_api(source / "api")
    log = target.with_name(target.name + "_warnings.txt")
    log.unlink(missing_ok=True)
    shutil.rmtree(target, ignore_errors=True)
    sphinx = [
        sys.executable,
        "-m",
        "sphinx",
        "-b",
        "html",
        "-E",
        "-q",
        "-W",
        "--keep-going",
        "-j",
        "auto",
        "-c",
        str(root / "docs"),
        "-d",
        str(target.with_name(target.name + "_cache")),
        "-w",
        str(log),
    ]
    environment = os.environ | {"COURSE_WIDGETS": "0", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*sphinx, str(source), str(target)],
        cwd=root,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    said = log.read_text(encoding="utf-8") if log.is_file() else ""
    if done.returncode and not (said and (target / "searchindex.js").is_file()):
        raise RuntimeError(f"Sphinx failed:\n{done.stderr}")
    mend(target)
    warnings = [line for line in re.sub(r"\x1b\[[\d;]*m", "", said).splitlines() if line.strip()]
    return {"warnings": warnings, **problems(target), "figures without words": wordless}


def main(arguments: list[str] | None = None, root: pathlib.Path = ROOT) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m course_tools.publishing.site", description=__doc__.split("\n")[0]
    )
    parser.add_argument("notebooks", nargs="*", type=pathlib.Path, help="default: all")
    files = parser.parse_args(arguments).notebooks or notebooks(root)
    for file in files:
        if not (
            file.is_file()
            and file.suffix == ".ipynb"
            and file.resolve().is_relative_to(root / "notebooks")
        ):
            parser.error(
                f"{file} is not a notebook of the course. Name files such as notebooks/01_*.ipynb."
            )
    if missing := [
        package for module, package in NEEDED.items() if importlib.util.find_spec(module) is None
    ]:
        parser.error(
            f"the website needs {', '.join(missing)}. Install: pip install -e .[site] (make site does it)."
        )
    target, begin = root / "build" / "site", time.perf_counter()
    try:
        found = build([file.resolve().relative_to(root).as_posix() for file in files], target, root)
    except (ValueError, RuntimeError) as error:
        print(error)
        return 1
    for kind, items in found.items():
        print("".join(f"{kind}: {item}\n" for item in items), end="")
    pages = len(pages_of(target))
    counts = ", ".join(f"{len(items)} {kind}" for kind, items in found.items())
    print(f"{pages} pages, {counts}, {time.perf_counter() - begin:.0f} s\n{target / 'index.html'}")
    return 1 if any(found.values()) else 0


if __name__ == "__main__":
    raise SystemExit(main())
