"""Pages of `course_utils` for the website, and the Sphinx extension that reads its docstrings.

Docstrings of the course are plain text: `code` in backticks, indented examples, lists.
Here they become reStructuredText.
"""

import importlib
import pathlib
import pkgutil
import re

import course_utils
from course_utils.files import write_text

__all__ = ["GROUPS", "modules", "setup", "to_rst", "write_api"]

GROUPS = {  # as in README, "Where is what"; the others come last
    "Session, data, pictures": ["session", "data", "display", "course_map"],
    "Sparse representation": [
        "wavelets",
        "sparse_coding",
        "dictionary_learning",
        "patches",
        "compression",
    ],
    "Networks": [
        "autoencoders",
        "losses",
        "gans",
        "vaes",
        "sparse_gans",
        "classifiers",
        "activations",
    ],
    "Measures and training": ["metrics", "training", "distributed", "checkpoints", "project"],
    "Exercises and shipped models": [
        "exercises",
        "exercises.core",
        "pretrained",
        "recipes",
        "pretrain",
    ],
}
ORDER = {name: (i, j) for i, names in enumerate(GROUPS.values()) for j, name in enumerate(names)}
OTHERS = "Behind the helpers"
SPECIAL = re.compile(r"([\\*|_])")


def modules() -> list[str]:
    """The modules with public names, below `course_utils`; of a package whose __all__ has them, only the package."""
    found, packages = [], []
    for module in pkgutil.walk_packages(course_utils.__path__, "course_utils."):
        name = module.name.removeprefix("course_utils.")
        parent = name.rpartition(".")[0]
        if re.fullmatch(r"exercises\.(notebook_\d\d|alternating_steps)", name) or name.endswith(
            "__main__"
        ):
            continue
        public = set(getattr(importlib.import_module(module.name), "__all__", []))
        if module.ispkg:
            packages.append(name)
        covered = parent in packages and public <= set(
            importlib.import_module(f"course_utils.{parent}").__all__
        )
        if public and not covered or name in sum(GROUPS.values(), []):
            found.append(name)
    return found


def groups() -> dict[str, list[str]]:
    """The modules of each group; one that is not named there is in its package's, or comes last."""
    found: dict[str, list[str]] = {title: [] for title in [*GROUPS, OTHERS]}
    for name in sorted(
        modules(), key=lambda name: ORDER.get(name, ORDER.get(name.split(".")[0], (len(GROUPS), 0)))
    ):
        title = next(
            (title for title, names in GROUPS.items() if {name, name.split(".")[0]} & set(names)),
            OTHERS,
        )
        found[title].append(name)
    return found


def write_api(folder: pathlib.Path) -> None:
    """Write a page for each module, and an index of them in groups."""
    lines = [
        "# Helpers: course_utils",
        "",
        "Every method of the course is built in a notebook first; these modules keep it for later, and for you.",
        "Signatures give the types, texts the shapes in brackets: (N, C, H, W) is number, channels, height, width.",
        "",
    ]
    for title, names in groups().items():
        lines += [
            f"## {title}",
            "",
            *(f"- [`{name}`]({name}.rst): {summary(name)}" for name in names),
        ]
        lines += ["", "```{toctree}", ":hidden:", "", *names, "```", ""]
        for name in names:
            page = (
                f"{name}\n{'=' * len(name)}\n\n.. automodule:: course_utils.{name}\n   :members:\n"
            )
            write_text(folder / f"{name}.rst", page)
    write_text(folder / "index.md", "\n".join(lines))


def summary(name: str) -> str:
    """The first line of a module's docstring, as Markdown."""
    text = (importlib.import_module(f"course_utils.{name}").__doc__ or "").strip()
    first = " ".join(text.split("\n\n")[0].split())
    return re.sub(r"([*_|<\[])(?![^`]*`(?:[^`]*`[^`]*`)*[^`]*$)", r"\\\1", first)


def to_rst(lines: list[str], pages: dict[str, str] | None = None) -> list[str]:
    """A plain docstring as reStructuredText: `code` as code, indented lines as they stand, all else as text.

    `pages` ({"01": "notebooks/01_x"}): "notebook 01" becomes a link to that page.
    """
    result: list[str] = []
    example = False
    for line in lines:
        if line.startswith("    ") and (example or not "".join(result[-1:]).strip()):
            result += [line] if example else ["::", "", line]
            example = True
            continue
        if example and line.strip():
            result.append("")
            example = False
        pieces = line.split("`")
        pieces[0::2] = [SPECIAL.sub(r"\\\1", piece) for piece in pieces[0::2]]
        pieces[1::2] = [f"``{piece}``" for piece in pieces[1::2]]
        result.append(with_links("".join(pieces), pages or {}))
    return result


def with_links(line: str, pages: dict[str, str]) -> str:
    """A line with "notebook 01" and "notebooks 01 and 02" as links to the pages that exist."""

    def linked(match: re.Match) -> str:
        return re.sub(
            r"\b\d\d\b",
            lambda n: f":doc:`{n[0]} </{pages[n[0]]}>`" if n[0] in pages else n[0],
            match[0],
        )

    return re.sub(r"\bnotebooks? \d\d(?:(?:, | and | to )\d\d\b)*", linked, line)


def setup(app) -> dict:
    """The extension: docstrings are converted as they are read."""

    def convert(app, what, name, obj, options, lines: list[str]) -> None:
        lessons = (doc for doc in app.env.found_docs if re.match(r"notebooks/\d\d_", doc))
        lines[:] = to_rst(lines, {doc.split("/")[1][:2]: doc for doc in lessons})

    def readable(
        app, what, name, obj, options, signature: str | None, returns: str | None
    ) -> tuple | None:
        return (
            (re.sub(r"= ?<\w+>", "= ...", signature), returns) if signature else None
        )  # <factory> is no Python

    app.connect("autodoc-process-docstring", convert)
    app.connect("autodoc-process-signature", readable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
