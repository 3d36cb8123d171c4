"""The teaching plans agree with the notebooks: exercises, stars, minutes, lessons."""

import pathlib
import re

import nbformat
import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs/plans.md").read_text(encoding="utf-8")
FILES = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
TEXTS = {}
for file in FILES:
    cells = nbformat.read(file, as_version=4).cells
    TEXTS[file.name] = "\n\n".join(c.source for c in cells if c.cell_type == "markdown")
HEADER = re.compile(r"\*\*Reading\*\* (\d+) min")
READING = {name[:2]: int(HEADER.search(text)[1]) for name, text in TEXTS.items()}
CARD = re.compile(r"^### Exercise (\d\d\.\d) .*\n+(★+)☆* · (\d+) min", re.MULTILINE)
FOUND = [card for text in TEXTS.values() for card in CARD.findall(text)]
CARDS = {number: (stars, int(minutes)) for number, stars, minutes in FOUND}
ROW = re.compile(r"^\| (\d+) \|([^|]*)\| (\d+|·) \|([^|]*)\| (\d+|·) \|([^|]*)\|$", re.MULTILINE)
SUMS = re.compile(
    r"^\| \| \*\*together\*\* \| \*\*(\d+)\*\* \| \| \*\*(\d+)\*\* \| \|$", re.MULTILINE
)


def weeks(title: str) -> list[tuple[str, ...]]:
    """The rows of the plan below a heading."""
    return ROW.findall(section(title))


def section(title: str) -> str:
    return re.search(rf"^## {title}.*?(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)[0]


PLANS = [("Eight weeks", 8), ("Fifteen weeks", 15)]


@pytest.mark.parametrize(("title", "count"), PLANS)
def test_a_plan_has_its_weeks_and_every_lesson_once(title, count):
    rows = weeks(title)
    assert [int(row[0]) for row in rows] == list(range(1, count + 1))
    linked = [re.findall(r"\[(\d\d) [^\]]+\]\(\.\./notebooks/([^)]+)\)", row[1]) for row in rows]
    assert sorted(name for row in linked for _, name in row) == sorted(TEXTS)
    assert all(name.startswith(number) for row in linked for number, name in row)


@pytest.mark.parametrize(("title", "count"), PLANS)
def test_minutes_in_class_are_those_of_the_headers(title, count):
    rows, total = weeks(title), 0
    for week, lessons, minutes, *_ in rows:
        reading = sum(READING[number] for number in re.findall(r"\[(\d\d) ", lessons))
        assert minutes.replace("·", "0") == str(reading), f"week {week}"
        total += reading
    assert SUMS.search(section(title))[1] == str(total) == str(sum(READING.values()))


@pytest.mark.parametrize(("title", "count"), PLANS)
def test_exercises_at_home_exist_with_stars_and_minutes_and_follow_their_lesson(title, count):
    total, seen, named = 0, set(), set()
    for week, lessons, _, home, minutes, _ in weeks(title):
        seen |= set(re.findall(r"\[(\d\d) ", lessons))
        exercises = re.findall(r"(\d\d\.\d)\s(★+)\s(\d+)", home)
        for number, stars, each in exercises:
            assert CARDS[number] == (stars, int(each)), f"week {week}: {number}"
            assert number not in named and number[:2] in seen, f"week {week}: {number}"
            named.add(number)
        asked = sum(int(each) for *_, each in exercises)
        assert minutes.replace("·", "0") == str(asked), f"week {week}"
        total += asked
    assert SUMS.search(section(title))[2] == str(total)
    assert {number[:2] for number in named} == set(READING)
    assert "★★★" not in {CARDS[number][0] for number in named}  # as the page says


def test_lessons_come_after_those_they_need():
    for title, _ in PLANS:
        order = [number for row in weeks(title) for number in re.findall(r"\[(\d\d) ", row[1])]
        for name, text in TEXTS.items():
            needs = re.search(r"\*\*Before this\*\*(.*)", text)[1]
            for needed in re.findall(r"(?:\]\(|notebook )(\d\d)", needs):
                earlier = order.index(needed) < order.index(name[:2])
                assert earlier, f"{title}: {name} needs {needed}"


def test_the_sums_and_the_hard_exercises_of_the_page_are_those_of_the_cards():
    hard = [number for number, (stars, _) in CARDS.items() if stars == "★★★"]
    assert ", ".join(hard) in PAGE
    minutes = sum(minutes for _, minutes in CARDS.values())
    assert f"All {len(CARDS)} exercises together take {minutes} minutes" in PAGE


def test_sections_that_can_be_left_out_or_should_stay_are_called_so_in_their_lesson():
    named = re.findall(r"(\d\d), section (\d+), \*([^*]+)\*", section("What can be left out"))
    assert len(named) >= 7
    for lesson, number, title in named:
        text = next(text for name, text in TEXTS.items() if name.startswith(lesson))
        assert f"\n## {number}. {title}\n" in text + "\n", f"{lesson}, section {number}"


def test_no_lesson_needs_one_that_can_be_left_out():
    lessons = re.findall(r"^\| notebook (\d\d) \|.*no later notebook needs it", PAGE, re.MULTILINE)
    assert lessons
    for lesson in lessons:
        for name, text in TEXTS.items():
            needs = re.search(r"\*\*Before this\*\*(.*)", text)[1]
            assert f"({lesson}_" not in needs, f"{name} needs {lesson}"


def test_the_rubric_is_that_of_the_project():
    rubric = re.findall(r"^\| \*\*([^*]+)\*\* \| (\d+) \|", TEXTS["15_project.ipynb"], re.MULTILINE)
    sentence = re.search(r"rubric in section 6.*?run again \d+\.", PAGE, re.DOTALL)[0]
    points = re.findall(r"(?<=\s)(\d+)(?=[,.])", sentence)
    assert points == [number for _, number in rubric] and sum(map(int, points)) == 100


def test_the_prerequisites_test_has_ten_questions_and_ten_folded_answers():
    questions, answers = section("Are we ready").split("<details>")
    assert "</details>" in answers
    number = re.compile(r"^(\d+)\. ", re.MULTILINE)
    assert number.findall(questions) == number.findall(answers) == [str(n) for n in range(1, 11)]
