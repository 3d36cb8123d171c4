"""The source of the website: texts of docs/ and notebooks, staged as one tree for Sphinx.

Nothing is kept twice: tables, times and navigation of the pages come from README and the headers of
the notebooks.
"""

import pathlib
import re
import shutil

import nbformat
from nbformat.notebooknode import NotebookNode

from course_tools.publishing.lesson_pages import lesson_page, read_with_outputs
from course_tools.publishing.site_links import SiteLinks, beside, page_of
from course_tools.run_notebooks import COST
from course_utils.course_map import PARTS
from course_utils.files import ROOT, write_text

__all__ = ["parts", "stage"]

INCLUDE = re.compile(r"^```\{include\} *(\S+)\n```$", re.MULTILINE)
PICTURE = re.compile(r"^(```\{(?:figure|image)\} *)(\S+)$", re.MULTILINE)
CARD = re.compile(r"★☆* · (\d+) minutes")
README_ROW = re.compile(r"^\| \[\d\d[^\]]*\]\((notebooks/[^)]+)\) \|([^|]*)\|", re.MULTILINE)
TERM = re.compile(r"^\|([^|\n]+)\|([^|\n]+)\|([^|\n]+)\|((?: *\d\d)+ *)\|$", re.MULTILINE)
PLACE = re.compile(r"^<!-- (notebooks|time|lessons|solutions) -->$", re.MULTILINE)


def stage(target: pathlib.Path, chosen: list[str], root: pathlib.Path = ROOT) -> list[str]:
    """Write the tree: the texts of `root`/docs and the notebooks `chosen`, paths below `root`.

    Returns the cells with a picture without words. Raises ValueError for a notebook without stored
    outputs.
    """
    notebooks = {}
    links = SiteLinks(
        sorted(file.relative_to(root).as_posix() for file in root.glob("docs/*.md")), chosen, root
    )
    for path in chosen:
        notebooks[path] = read_with_outputs(links, path)
    shutil.rmtree(target, ignore_errors=True)
    for path in links.texts:
        text = text_page(path, (root / path).read_text(encoding="utf-8"), links, notebooks, target)
        write_text(target / page_of(path), text)
    wordless = []
    for path, notebook in notebooks.items():
        page, without = lesson_page(path, notebook, links)
        write_text(target / path, nbformat.writes(page) + "\n")
        wordless += without
    return wordless


def parts() -> list[tuple[str, list[str]]]:
    """Title and notebook numbers of each part of the course; notebook 00 comes before them."""
    return [("Start here", ["00"])] + [(title, list(boxes)) for title, _, boxes in PARTS]


def text_page(
    path: str, text: str, links: SiteLinks, notebooks: dict[str, NotebookNode], target: pathlib.Path
) -> str:
    """A text of docs/ with the links of the site, its pictures, included texts, and what the notebooks tell."""
    made = {
        "notebooks": notebook_table,
        "time": time_table,
        "lessons": lessons,
        "solutions": solutions,
    }
    text = PLACE.sub(
        lambda match: made[match[1]](notebooks, links.root), links.rewritten(path, text)
    )
    text = PICTURE.sub(
        lambda match: match[1] + copied(links.root, beside(path, match[2]), target), text
    )
    if path == "docs/glossary.md":
        text = text.replace("| English |", "{.stacked .glossary}\n| English |")
        text = TERM.sub(lambda match: term(match, links.notebooks), text)
    return INCLUDE.sub(lambda match: included(beside(path, match[1]), links), text)


def included(path: str, links: SiteLinks) -> str:
    """The text of another Markdown file without its title, with the links of the site."""
    return re.sub(
        r"\A# .*\n", "", links.rewritten(path, (links.root / path).read_text(encoding="utf-8"))
    )


def copied(root: pathlib.Path, path: str, target: pathlib.Path) -> str:
    """Copy a picture into the tree; its name there."""
    name = "pictures/" + path.replace("/", "_")
    (target / "pictures").mkdir(parents=True, exist_ok=True)
    shutil.copyfile(root / path, target / name)
    return "/" + name


def number_of(path: str) -> str:
    """Of notebooks/01_x.ipynb: 01."""
    return pathlib.PurePosixPath(path).name[:2]


def lessons_of_parts(notebooks: dict[str, NotebookNode]) -> list[tuple[str, list[str]]]:
    """Title and lessons of each part that has any here."""
    lessons = [path for path in notebooks if "/solutions/" not in path]
    found = [
        (title, [path for path in lessons if number_of(path) in numbers])
        for title, numbers in parts()
    ]
    return [(title, paths) for title, paths in found if paths]


def notebook_table(notebooks: dict[str, NotebookNode], root: pathlib.Path) -> str:
    """The notebooks of each part: what README says of them, the minutes and seconds of their headers."""
    learn = dict(README_ROW.findall((root / "README.md").read_text(encoding="utf-8")))
    lines = []
    for title, paths in lessons_of_parts(notebooks):
        lines += [f"### {title}", "", "{.stacked .minutes}"]
        lines += ["| notebook | you learn | reading | computing |", "|---|---|--:|--:|"]
        for path in paths:
            header = notebooks[path].cells[0].source
            name, cost = header.splitlines()[0].removeprefix("# "), COST.search(header)
            lines.append(
                f"| [{name}]({path}) | {learn[path].strip()} | {cost[2]} min | {cost[3]} s |"
            )
        lines.append("")
    return "\n".join(lines)


def time_table(notebooks: dict[str, NotebookNode], root: pathlib.Path) -> str:
    """Reading time and exercise time of each part, summed from headers and exercise cards."""
    rows, total = [], [0, 0]
    for title, paths in lessons_of_parts(notebooks):
        texts = ["\n".join(cell.source for cell in notebooks[path].cells) for path in paths]
        reading = sum(int(COST.search(text)[2]) for text in texts)
        exercises = sum(int(minutes) for text in texts for minutes in CARD.findall(text))
        total = [total[0] + reading, total[1] + exercises]
        numbers = " to ".join(sorted({number_of(paths[0]), number_of(paths[-1])}))
        rows.append((title, numbers, reading, exercises))
    rows.append(("**All**", "", *total))
    lines = ["| part | notebooks | reading | exercises | together |", "|---|---|--:|--:|--:|"]
    for title, numbers, *minutes in rows:
        lines.append(
            f"| {title} | {numbers} | " + " | ".join(map(hours, [*minutes, sum(minutes)])) + " |"
        )
    return "\n".join(lines)


def lessons(notebooks: dict[str, NotebookNode], root: pathlib.Path) -> str:
    """The parts of the course as sections of the navigation."""
    return "\n\n".join(toctree(title, paths) for title, paths in lessons_of_parts(notebooks))


def solutions(notebooks: dict[str, NotebookNode], root: pathlib.Path) -> str:
    """All solutions as one section of the navigation."""
    return toctree("Solutions", [path for path in notebooks if "/solutions/" in path])


def toctree(title: str, paths: list[str]) -> str:
    """A section of the navigation, or nothing."""
    return (
        "\n".join(["```{toctree}", ":hidden:", f":caption: {title}", "", *paths, "```"])
        if paths
        else ""
    )


def term(match: re.Match, notebooks: list[str]) -> str:
    """A row | term | 中文 | meaning | 01 | of the glossary with an anchor, the language, links to the notebooks."""
    at = {number_of(path): path for path in notebooks if "/solutions/" not in path}
    english, chinese, meaning, numbers = (part.strip() for part in match.groups())
    anchor = re.sub(r"\W+", "-", english.lower()).strip("-")
    where = " ".join(
        f"[{number}]({at[number]})" if number in at else number for number in numbers.split()
    )
    return f"| [{english}]{{#{anchor}}} | [{chinese}]{{.language-zh-Hans}} | {meaning} | {where} |"


def hours(minutes: int) -> str:
    """90 -> 1 h 30."""
    return f"{minutes // 60} h {minutes % 60:02}" if minutes >= 60 else f"{minutes} min"
