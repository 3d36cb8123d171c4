"""Tables of the website, made from README and the notebooks, so that nothing is kept twice."""

import re
from collections.abc import Iterable

from nbformat.notebooknode import NotebookNode

from course_tools.run_notebooks import COST
from course_utils.course_map import PARTS
from course_utils.files import ROOT

__all__ = ["glossary", "notebook_table", "time_table"]

CARD = re.compile(r"★☆* · (\d+) minutes")
README_ROW = re.compile(r"^\| \[\d\d[^\]]*\]\((notebooks/[^)]+)\) \|([^|]*)\|", re.MULTILINE)
TERM = re.compile(r"^\|([^|\n]+)\|([^|\n]+)\|([^|\n]+)\|((?: *\d\d)+ *)\|$", re.MULTILINE)


def lessons(paths: Iterable[str]) -> dict[str, str]:
    """{"01": "notebooks/01_x.ipynb"}: the number of each lesson in `paths`."""
    return {path[10:12]: path for path in paths if "/solutions/" not in path}


def parts(paths: Iterable[str]) -> dict[str, list[str]]:
    """Title and lessons of each part of the course, notebook 00 first. ValueError for a gap."""
    numbers = {"Start here": ["00"]}
    numbers |= {title: list(boxes) for title, _, boxes in PARTS}
    at = lessons(paths)
    if missing := sorted({number for part in numbers.values() for number in part} - at.keys()):
        lost = f"the lesson {missing[0]} is not in notebooks/"
        raise ValueError(f"{lost} under its name in course_tools/lessons.py: bring it back.")
    return {title: [at[number] for number in part] for title, part in numbers.items()}


def notebook_table(notebooks: dict[str, NotebookNode]) -> str:
    """The notebooks of each part with README's words, the minutes and seconds of their headers."""
    learn = dict(README_ROW.findall((ROOT / "README.md").read_text(encoding="utf-8")))
    lines = []
    for title, paths in parts(notebooks).items():
        lines += [f"### {title}", "", "{.stacked .minutes}"]
        lines += ["| notebook | you learn | reading | computing |", "|---|---|--:|--:|"]
        for path in paths:
            header = notebooks[path].cells[0].source
            name, cost = header.splitlines()[0].removeprefix("# "), COST.search(header)
            row = [f"[{name}]({path})", learn[path].strip(), f"{cost[2]} min", f"{cost[3]} s"]
            lines.append(f"| {' | '.join(row)} |")
        lines.append("")
    return "\n".join(lines)


def time_table(notebooks: dict[str, NotebookNode]) -> str:
    """Reading time and exercise time of each part, summed from headers and exercise cards."""
    lines = ["| part | notebooks | reading | exercises | together |", "|---|---|--:|--:|--:|"]
    total = [0, 0]
    for title, paths in parts(notebooks).items():
        texts = ["\n".join(cell.source for cell in notebooks[path].cells) for path in paths]
        reading = sum(int(COST.search(text)[2]) for text in texts)
        exercises = sum(int(minutes) for text in texts for minutes in CARD.findall(text))
        total = [total[0] + reading, total[1] + exercises]
        numbers = " to ".join(lessons([paths[0], paths[-1]]))
        lines.append(time_row(title, numbers, reading, exercises))
    return "\n".join([*lines, time_row("**All**", "", *total)])


def time_row(title: str, numbers: str, *minutes: int) -> str:
    """A row of the time table; 90 minutes are written 1 h 30."""
    hours = [
        f"{n // 60} h {n % 60:02}" if n >= 60 else f"{n} min" for n in [*minutes, sum(minutes)]
    ]
    return f"| {' | '.join([title, numbers, *hours])} |"


def glossary(text: str, notebooks: Iterable[str]) -> str:
    """The glossary with anchors for its terms, the language of the Chinese, links to notebooks."""
    at = lessons(notebooks)

    def row(match: re.Match) -> str:
        english, chinese, meaning, numbers = (part.strip() for part in match.groups())
        anchor = re.sub(r"\W+", "-", english.lower()).strip("-")
        where = [f"[{n}]({at[n]})" for n in numbers.split()]
        term = f"[{english}]{{#{anchor}}} | [{chinese}]{{.language-zh-Hans}}"
        return f"| {term} | {meaning} | {' '.join(where)} |"

    return TERM.sub(row, text.replace("| English |", "{.stacked .glossary}\n| English |"))
