"""Every check accepts its solution, leaves its stub alone and names known mistakes."""

import ast
import importlib
import math
import pathlib
import re

import nbformat
import pytest
import torch

from course_tools.lessons import lessons, solution_of

ROOT = pathlib.Path(__file__).resolve().parent.parent


def exercise_cells(files):
    """{(notebook, tag): source} of the tagged cells."""
    found = {}
    for file in files:
        for cell in nbformat.read(file, as_version=4).cells:
            for tag in cell.metadata.get("tags", []):
                if tag.startswith("exercise-"):
                    found[file.name[:2], tag] = cell.source
    return found


def imports_of(file):
    """The import statements of a notebook, as one program."""
    cells = [c for c in nbformat.read(file, as_version=4).cells if c.cell_type == "code"]
    sources = [c.source for c in cells if "setup" not in c.metadata.get("tags", [])]
    program = ast.parse("\n".join(sources))
    program.body = [n for n in program.body if isinstance(n, (ast.Import, ast.ImportFrom))]
    return compile(program, file.name, "exec")


FILES = [solution_of(lesson) for lesson in lessons()]
IMPORTS = {file.name[:2]: imports_of(file) for file in FILES}
STUBS = exercise_cells(lessons())
SOLUTIONS = exercise_cells(FILES)


def namespace(number):
    """What an exercise cell of a lesson finds: the imports of the notebook and its checks."""
    check = importlib.import_module(f"course_utils.exercises.notebook_{number}")
    space = {"torch": torch, "nn": torch.nn, "F": torch.nn.functional, "math": math, "check": check}
    for module in ("wavelets", "sparse_coding", "metrics", "patches"):
        imported = importlib.import_module(f"course_utils.{module}")
        space |= {name: getattr(imported, name) for name in imported.__all__}
    exec(IMPORTS[number], space)
    return space


def run(number, source):
    """Run an exercise cell as its notebook would; the Result of its check."""
    definition, call = source.rsplit("\n", 1)
    space = namespace(number)
    exec(definition, space)
    return eval(call, space), re.fullmatch(r"check\.(\w+)\(.*\)", call)[1]


def wrong_answers():
    """The mistakes that the checks name, and the wrong answers of tests/wrong_answers."""
    for number in sorted({number for number, _ in STUBS}):
        checks = vars(importlib.import_module(f"course_utils.exercises.notebook_{number}"))
        cases = [
            (name, answer, words)
            for name, check in checks.items()
            for words, answer in getattr(check, "mistakes", {}).items()
        ]
        if (ROOT / f"tests/wrong_answers/notebook_{number}.py").exists():
            wrong = importlib.import_module(f"wrong_answers.notebook_{number}").WRONG
            cases += [(name, *case) for name, answers in wrong.items() for case in answers]
        for index, (name, answer, words) in enumerate(cases):
            yield pytest.param(number, name, answer, words, id=f"{number}-{name}-{index}")


@pytest.mark.parametrize("number, tag", STUBS)
def test_an_untouched_stub_is_not_attempted(number, tag):
    result, _ = run(number, STUBS[number, tag])
    assert result.status == "not attempted"
    assert f"exercise-{result.exercise}" == tag


@pytest.mark.parametrize("number, tag", SOLUTIONS)
def test_a_solution_passes(number, tag):
    result, _ = run(number, SOLUTIONS[number, tag])
    assert (result.status, f"exercise-{result.exercise}") == ("passed", tag)


@pytest.mark.parametrize("number, name, answer, words", list(wrong_answers()))
def test_a_wrong_answer_fails_with_its_mistake_named(number, name, answer, words, capsys):
    check = getattr(importlib.import_module(f"course_utils.exercises.notebook_{number}"), name)
    result = check(answer)
    assert result.status == "failed"
    assert words in result.message
    assert capsys.readouterr().out == f"{result}\n"


@pytest.mark.parametrize("number, tag", STUBS)
def test_every_check_has_at_least_three_wrong_answers(number, tag):
    _, name = run(number, STUBS[number, tag])
    assert sum(name == case.values[1] for case in wrong_answers()) >= 3


NONSENSE = [
    (None, "is None"),
    (3, "expected a function"),
    (lambda *_: None, "return"),
    (lambda *_: 1 / 0, "raised ZeroDivisionError"),
    (lambda: 0, "raised TypeError"),
    (lambda *_: torch.tensor(float("nan")), ""),
    (lambda *_: "text", ""),
    (lambda *_: torch.zeros(3, 1, 4, 1, 5), ""),
]


@pytest.mark.parametrize("number, tag", STUBS)
def test_nonsense_never_breaks_the_notebook(number, tag):
    _, name = run(number, STUBS[number, tag])
    check = getattr(importlib.import_module(f"course_utils.exercises.notebook_{number}"), name)
    for answer, words in NONSENSE:
        result = check(answer)
        assert result.status == "failed" and words in result.message


def test_the_cards_show_the_stars_and_minutes_of_the_checks():
    shown = {}
    for file in lessons():
        for cell in nbformat.read(file, as_version=4).cells:
            pattern = r"### Exercise ([\d.]+) · (.*)\n\n(★+)☆* · (\d+) minutes"
            card = re.match(pattern, cell.source)
            if card:
                shown[card[1]] = (card[2], len(card[3]), int(card[4]))
    results = [run(number, source)[0] for (number, _), source in STUBS.items()]
    assert shown == {r.exercise: (r.title, r.difficulty, r.minutes) for r in results}
