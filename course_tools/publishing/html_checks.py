"""A built website: mends barriers of its theme; checks links, words of pictures, and that no network is needed."""

import pathlib
import re
from collections import defaultdict
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

__all__ = ["Page", "mend", "pages_of", "problems"]

LOADED = {
    "script": "src",
    "img": "src",
    "source": "src",
    "iframe": "src",
    "link": "href",
}  # fetched with the page
HARMLESS = {
    "canonical",
    "search",
    "next",
    "prev",
    "index",
    "author",
    "license",
}  # <link rel=...> that fetches nothing
REPAIRS = [  # what axe-core finds in the theme (sphinx-book-theme 1.4, pydata-sphinx-theme 0.20)
    # a button is called by the words that stand on it
    (' title="Search" aria-label="Search" data-bs', ' title="Search" data-bs'),
    # a triangle that opens a part of the navigation has a name
    (
        '<summary><span class="toctree-toggle"',
        '<summary aria-label="pages below"><span class="toctree-toggle"',
    ),
    # an empty corner of a table heads nothing
    ('<th class="head"><p></p></th>', "<td></td>"),
    # what stands beside the text is a landmark
    (
        '<div id="pst-primary-sidebar"',
        '<div id="pst-primary-sidebar" role="region" aria-label="Course"',
    ),
]
SIGNATURE = re.compile(
    r'<dt class="sig .*?</dt>', re.DOTALL
)  # of several lines: Sphinx puts <dd> without <dt> into it


def mend(site: pathlib.Path) -> None:
    """Take barriers out of the theme's part of each page."""
    for file in pages_of(site):
        text = file.read_text(encoding="utf-8")
        for fault, good in REPAIRS:
            text = text.replace(fault, good)
        text = SIGNATURE.sub(
            lambda match: (
                match[0]
                .replace("<dl>", "<span>")
                .replace("</dl>", "</span>")
                .replace("<dd>", '<span class="sig-parameter">')
                .replace("</dd>", "</span>")
            ),
            text,
        )
        file.write_text(text, encoding="utf-8", newline="\n")


def pages_of(site: pathlib.Path) -> list[pathlib.Path]:
    """The pages; below _static lie only templates of the theme."""
    return sorted(
        file for file in site.rglob("*.html") if "_static" not in file.relative_to(site).parts
    )


class Page(HTMLParser):
    """What a page names: `anchors`, `links` (of <a> and what is loaded), `loaded`, pictures without `alt`."""

    def __init__(self, text: str):
        super().__init__()
        self.anchors, self.links, self.loaded, self.wordless = {"", "top"}, [], [], []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        has = {name: value or "" for name, value in attributes}
        self.anchors.update(has[name] for name in ("id", "name") if name in has)
        target = has.get("href" if tag == "a" else LOADED.get(tag, ""))
        if target is not None:
            self.links.append(target)
            if tag in LOADED and not HARMLESS & set(has.get("rel", "").split()):
                self.loaded.append(target)
        if tag == "img" and not has.get("alt", "").strip():
            self.wordless.append(has.get("src", ""))


def problems(site: pathlib.Path) -> dict[str, list[str]]:
    """Broken links, pictures without words, things to be fetched from a network; empty lists if all is well."""
    pages = {file: Page(file.read_text(encoding="utf-8")) for file in pages_of(site)}
    found: dict[str, list[str]] = defaultdict(
        list, {"broken links": [], "pictures without words": [], "remote": []}
    )
    for file, page in pages.items():
        name = file.relative_to(site).as_posix()
        found["pictures without words"] += [f"{name}: {source}" for source in page.wordless]
        found["remote"] += [
            f"{name}: {target}" for target in page.loaded if re.match(r"(https?:)?//", target)
        ]
        for target in dict.fromkeys(page.links):
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            there = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            there = there / "index.html" if there.is_dir() else there
            if (
                not there.is_file()
                or there in pages
                and unquote(parts.fragment) not in pages[there].anchors
            ):
                found["broken links"].append(f"{name}: {target}")
    for file in sorted(site.rglob("*.css")):
        remote = re.findall(
            r"(?:url\(|@import )[\"']?((?:https?:)?//[^)\"']+)", file.read_text("utf-8")
        )
        found["remote"] += [f"{file.relative_to(site).as_posix()}: {target}" for target in remote]
    return dict(found)
