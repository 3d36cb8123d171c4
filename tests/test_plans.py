"""The teaching plans agree with the notebooks: exercises, stars, minutes, lessons."""

import json
import pathlib
import re

import pytest

from course_tools.lessons import lesson_files

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs/plans.md").read_text(encoding="utf-8")
FILES = lesson_files()


def text_of(file: pathlib.Path) -> str:
    """The Markdown cells of a notebook."""
    cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
    texts = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
    return "\n\n".join(texts) + "\n"


TEXTS = {file.name: text_of(file) for file in FILES}
MINUTES = re.compile(r"\*\*Reading\*\* (\d+) min")
READING = {name[:2]: int(MINUTES.search(text)[1]) for name, text in TEXTS.items()}
NEEDS = {name: re.search(r"\*\*Before this\*\*(.*)", text)[1] for name, text in TEXTS.items()}
CARD = re.compile(r"^### Exercise (\d\d\.\d) .*\n+(★+)☆* · (\d+) min", re.MULTILINE)
CARDS = {}
for found in CARD.findall("".join(TEXTS.values())):
    CARDS[found[0]] = found[1], int(found[2])
ROW = re.compile(r"^\| (\d+) \|([^|]*)\| (\d+|·) \|([^|]*)\| (\d+|·) \|([^|]*)\|$", re.MULTILINE)
SUMS = re.compile(
    r"^\| \| \*\*together\*\* \| \*\*(\d+)\*\* \| \| \*\*(\d+)\*\* \| \|$", re.MULTILINE
)
LESSON = re.compile(r"\[(\d\d) ")
PLANS = pytest.mark.parametrize(("title", "count"), [("Eight weeks", 8), ("Fifteen weeks", 15)])


def weeks(title: str) -> list[tuple[str, ...]]:
    """The rows of the plan below a heading."""
    return ROW.findall(section(title))


def section(title: str) -> str:
    return re.search(rf"^## {title}.*?(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)[0]


@PLANS
def test_a_plan_has_its_weeks_and_every_lesson_once(title, count):
    rows = weeks(title)
    assert [int(row[0]) for row in rows] == list(range(1, count + 1))
    linked = [re.findall(r"\[(\d\d) [^\]]+\]\(\.\./notebooks/([^)]+)\)", row[1]) for row in rows]
    assert sorted(name for row in linked for _, name in row) == sorted(TEXTS)
    assert all(name.startswith(number) for row in linked for number, name in row)


@PLANS
def test_minutes_stars_and_order_are_those_of_the_lessons(title, count):
    in_class, at_home, seen, named = 0, 0, [], set()
    for week, lessons, minutes, home, home_minutes, _ in weeks(title):
        here = LESSON.findall(lessons)
        seen += here
        in_class += sum(READING[number] for number in here)
        assert minutes.replace("·", "0") == str(sum(READING[number] for number in here)), week
        exercises = re.findall(r"(\d\d\.\d)\s(★+)\s(\d+)", home)
        for number, stars, each in exercises:
            assert CARDS[number] == (stars, int(each)) and stars != "★★★", number
            assert number not in named and number[:2] in seen, f"week {week}: {number}"
            named.add(number)
        total = sum(int(each) for *_, each in exercises)
        at_home += total
        assert home_minutes.replace("·", "0") == str(total), week
    assert SUMS.search(section(title)).groups() == (str(in_class), str(at_home))
    assert in_class == sum(READING.values())
    assert {number[:2] for number in named} == set(READING)
    for name, needs in NEEDS.items():
        for needed in re.findall(r"(?<=\]\()\d\d(?=_)|(?<=notebook )\d\d", needs):
            assert seen.index(needed) < seen.index(name[:2]), f"{name} needs {needed}"


def test_the_sums_and_the_hard_exercises_of_the_page_are_those_of_the_cards():
    hard = [number for number, (stars, _) in CARDS.items() if stars == "★★★"]
    assert ", ".join(hard) in PAGE
    minutes = sum(minutes for _, minutes in CARDS.values())
    assert f"All {len(CARDS)} exercises together take {minutes} minutes" in PAGE


def test_what_can_be_left_out_is_called_so_in_its_lesson_and_needed_by_none():
    named = re.findall(r"(\d\d), section (\d+), \*([^*]+)\*", section("What can be left out"))
    assert len(named) >= 7
    for lesson, number, title in named:
        text = next(text for name, text in TEXTS.items() if name.startswith(lesson))
        assert f"\n## {number}. {title}\n" in text, f"{lesson}, section {number}"
    lessons = re.findall(r"^\| notebook (\d\d) \|.*no later notebook needs it", PAGE, re.MULTILINE)
    assert lessons
    for name, needs in NEEDS.items():
        assert not [lesson for lesson in lessons if f"({lesson}_" in needs], name


def test_the_rubric_is_that_of_the_project():
    rubric = re.findall(r"^\| \*\*([^*]+)\*\* \| (\d+) \|", TEXTS["15_project.ipynb"], re.MULTILINE)
    sentence = re.search(r"rubric in section 6.*?run again \d+\.", PAGE, re.DOTALL)[0]
    points = re.findall(r"(?<=\s)(\d+)(?=[,.])", sentence)
    assert points == [number for _, number in rubric] and sum(map(int, points)) == 100


def test_the_prerequisites_test_has_ten_questions_and_ten_folded_answers():
    questions, answers = section("Are we ready").split("<details>")
    assert re.search(r"^1\. \*\(\d\d\)\*", questions, re.MULTILINE) and "</details>" in answers
    number = re.compile(r"^(\d+)\. ", re.MULTILINE)
    assert number.findall(questions) == number.findall(answers) == [str(n) for n in range(1, 11)]
