"""Where a link leads on the website: to a page of the site or, for everything else, to the repository."""

import os
import pathlib
import re
from collections.abc import Callable

from course_tools.links import BRANCH, address
from course_utils.files import ROOT

__all__ = ["SiteLinks", "lesson_of", "outside_code", "page_of", "solutions_of"]

LINK = re.compile(
    r"(?<=\]\()(?!\w+:|#|//)([^)\s#]+)(#[^)\s]*)?(?=\))"
)  # a relative target in Markdown
CODE = re.compile(r"^(`{3,}|~{3,}).*?^\1[^\n]*$|`[^`\n]+`", re.MULTILINE | re.DOTALL)
STANDS_FOR = {
    "README.md": "docs/index.md",
    "docs": "docs/index.md",
    "notebooks": "docs/index.md",
    "CONTRIBUTING.md": "docs/contributors.md",
}


class SiteLinks:
    """Links of a site of the Markdown files `texts` and the notebooks `notebooks`, paths below `root`."""

    def __init__(self, texts: list[str], notebooks: list[str], root: pathlib.Path = ROOT):
        self.texts, self.notebooks, self.root = texts, notebooks, root

    def link(self, source: str, target: str) -> str:
        """The target of a link in the file `source`: relative to its page, or an address of the repository."""
        path = beside(source, target)
        path = STANDS_FOR.get(path, path)
        if path in self.notebooks or path in self.texts:
            return os.path.relpath(page_of(path), os.path.dirname(page_of(source)) or ".").replace(
                os.sep, "/"
            )
        return self.in_repository(path)

    def in_repository(self, path: str) -> str:
        """The address of a file or folder of the repository."""
        return f"{address(self.root)}/{'tree' if (self.root / path).is_dir() else 'blob'}/{BRANCH}/{path}"

    def rewritten(self, source: str, text: str) -> str:
        """Markdown text of the file `source` with the links of the site; code stays as it is."""
        return outside_code(
            text, lambda piece: LINK.sub(lambda m: self.link(source, m[1]) + (m[2] or ""), piece)
        )


def beside(source: str, target: str) -> str:
    """The path below the root of `target`, which the file `source` names relative to itself."""
    return os.path.normpath(os.path.join(os.path.dirname(source), target)).replace(os.sep, "/")


def page_of(path: str) -> str:
    """Where a file of the repository lies in the site: docs/ is its root."""
    return path.removeprefix("docs/")


def solutions_of(path: str) -> str:
    """The solutions of a lesson."""
    return re.sub(r"notebooks/(\w+)\.ipynb", r"notebooks/solutions/\1_solutions.ipynb", path)


def lesson_of(path: str) -> str:
    """The lesson of solutions."""
    return path.replace("/solutions/", "/").replace("_solutions.ipynb", ".ipynb")


def outside_code(text: str, change: Callable[[str], str]) -> str:
    """Markdown with `change` applied to all but code; directives (```{name}) are no code."""
    pieces, end = [], 0
    for match in CODE.finditer(text):
        code = match[0] if not re.match(r"[`~]{3,}\{", match[0]) else change(match[0])
        pieces += [change(text[end : match.start()]), code]
        end = match.end()
    return "".join([*pieces, change(text[end:])])
