"""Each contract of tests/notebook_contracts.py catches faults: no test that cannot fail.

A small sound course is written, spoilt in one place, and the contract must complain.
"""

import json

import notebook_contracts as contracts
import pytest

from course_tools.links import badges
from course_tools.setup_cell import setup_cell

REPOSITORY = "jane/course"
ADDRESS = f"https://github.com/{REPOSITORY}"
NAMES = ["00_start_here", "01_sparse", "02_coding"]
STUB = 'def double(x: float) -> float:\n    """Twice x."""\n    raise NotImplementedError\n\ncheck.double(double)'
LESSON, SOLUTION, README, MODULE = (
    "notebooks/01_sparse.ipynb",
    "notebooks/solutions/01_sparse_solutions.ipynb",
    "README.md",
    "course_utils/pictures.py",
)


# ------------------------------------------------------------------ a sound course


def text(source, **metadata):
    return {"cell_type": "markdown", "metadata": metadata, "source": source.splitlines(True)}


def code(source, *tags, shows=""):
    outputs = [{"output_type": "stream", "name": "stdout", "text": [shows]}] if shows else []
    metadata = {"tags": list(tags)} if tags else {}
    return {
        "cell_type": "code",
        "metadata": metadata,
        "source": source.splitlines(True),
        "outputs": outputs,
    }


def figure(source, *alt):
    """A slide that shows as many pictures as there are words for them."""
    output = {
        "output_type": "display_data",
        "metadata": {},
        "data": {"image/png": "x", "text/plain": "<Figure>"},
    }
    return code(source, "slide-output") | {
        "metadata": {"tags": ["slide-output"], "alt": list(alt)},
        "outputs": [output] * len(alt),
    }


def notebook(cells):
    """The JSON of a notebook with ids and execution counts."""
    count = 0
    for place, cell in enumerate(cells):
        cell["id"] = f"cell-{place}"
        if cell["cell_type"] == "code":
            count += 1
            cell["execution_count"] = count
    kernel = {
        "kernelspec": {
            "name": "python3",
            "display_name": "Python 3 (ipykernel)",
            "language": "python",
        }
    }
    return {"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}


def sound_lesson(name, following):
    path, number = f"notebooks/{name}.ipynb", name[:2]
    exercises = []
    for k in (1, 2, 3):
        exercises += [
            text(
                f"### Exercise {number}.{k} · Doubling\n★☆☆ · 5 min\n\nWrite `double`, within 0.5."
            ),
            code(STUB, f"exercise-{number}.{k}", shows="○"),
        ]
    onward = f"[next]({following}.ipynb)" if following else "Next comes sparse coding."
    return notebook(
        [
            text(
                f"# Title\n{badges(REPOSITORY, path)}\n\n"
                "**Reading** 45 min · **Computing** 12 s on 2 CPU cores · **Memory** 620 MB\n\nIn this notebook you will see.",
                tags=["slide"],
            ),
            code(setup_cell(ADDRESS), "setup"),
            code(
                f"import math\nfrom course_utils.pictures import show\nfrom course_utils.exercises import notebook_{number} as check"
            ),
            text(
                "The PSNR is **29.4 dB** at 12,345 bytes, for 8×8 blocks, $a = 0.5$ and `k = 1.5`."
            ),
            code("print(29.4, 12345, math.pi, show)", "nbval-check-output", shows="29.4 12345\n"),
            text("The paper reports 31.7 dB.", tags=["published"]),
            text("![a cat](../cat.png) drawn with `course_utils.pictures.show(x)`"),
            figure(
                "image_slider = show\nimage_slider(1)",
                "A curve that falls steeply, then flattens out.",
            ),
            *(code(f"x = {i}", "slide") for i in range(10)),
            text("## What we did\nWe saw 29.4 dB."),
            text("## Exercises"),
            *exercises,
            text(
                f"## References\n1. Someone, 12.5 pages.\n\n{onward}, [start](00_start_here.ipynb)"
            ),
        ]
    )


def sound_solution(name):
    number = name[:2]
    solved = STUB.replace("raise NotImplementedError", "return 2 * x")
    return notebook(
        [
            text(f"# Solutions of [the lesson](../{name}.ipynb)"),
            code(setup_cell(ADDRESS), "setup"),
            code(f"from course_utils.exercises import notebook_{number} as check"),
            *(
                code(solved, f"exercise-{number}.{k}", "nbval-check-output", shows="✓")
                for k in (1, 2, 3)
            ),
        ]
    )


def sound_course():
    """All files of a small course, by path; notebooks as JSON."""
    module = (
        '"""Module."""\n\n__all__ = ["show"]\n\n\ndef show(x):\n    """Show x."""\n    return x\n'
        + "# line\n" * 30
    )
    files = {
        "pyproject.toml": f'[project.urls]\nRepository = "{ADDRESS}"\n',
        README: "",
        "cat.png": "",
        "course_utils/__init__.py": '"""Package."""\n__all__ = []\n',
        "course_utils/exercises/__init__.py": '"""Checks."""\n__all__ = []\n',
        "course_utils/session.py": '"""Session."""\n__all__ = ["start"]\n\n\ndef start():\n    """Start."""\n'
        + "#\n" * 30,
        MODULE: module,
    }
    for name, following in zip(NAMES, [*NAMES[1:], None]):
        path = f"notebooks/{name}.ipynb"
        files[README] += (
            f"| [{name}]({path}) | much | 45 | 12 | 620 | {badges(REPOSITORY, path)} |\n"
        )
        files[path] = sound_lesson(name, following)
        files[f"notebooks/solutions/{name}_solutions.ipynb"] = sound_solution(name)
        files[f"course_utils/exercises/notebook_{name[:2]}.py"] = module.replace("show", "double")
    return files


def problems(folder, files):
    """Everything the contracts say about a course, by the contract's name."""
    for path, content in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(
            content if isinstance(content, str) else json.dumps(content), encoding="utf-8"
        )
    course = contracts.Course(folder)
    subjects = [
        (contracts.NOTEBOOK_CONTRACTS, course.lessons + course.solutions),
        (contracts.COURSE_CONTRACTS, [course]),
        (
            contracts.MODULE_CONTRACTS,
            map(contracts.Module, sorted(folder.glob("course_utils/**/*.py"))),
        ),
    ]
    found = {}
    for family, things in subjects:
        for thing in things:
            for contract in family:
                found.setdefault(contract.__name__, []).extend(contract(thing))
    return {name: said for name, said in found.items() if said}


# ------------------------------------------------------------------ ways to spoil it


def cell(place, **changes):
    """Change keys of a cell of the lesson; the place counts from 0."""
    return lambda files: files[LESSON]["cells"][place].update(changes)


def said(place, new, path=LESSON):
    """Replace the source of a cell."""
    return lambda files: files[path]["cells"][place].update(source=[new])


def shown(**output):
    """Give cell 4 of the lesson this output."""
    return cell(4, outputs=[output])


def in_metadata(key, value):
    return lambda files: files[LESSON]["metadata"].update({key: value})


def replaced(path, old, new):
    """Replace text in a file, which must hold it."""

    def spoil(files):
        before = (
            files[path]
            if isinstance(files[path], str)
            else json.dumps(files[path], ensure_ascii=False)
        )
        assert old in before, old
        after = before.replace(old, new)
        files[path] = after if isinstance(files[path], str) else json.loads(after)

    return spoil


def dropped(path):
    return lambda files: files.pop(path)


def moved(old, new):
    return lambda files: files.update({new: files.pop(old)})


def stream(words, name="stdout"):
    return shown(output_type="stream", name=name, text=[words])


def picture(kind):
    return shown(
        output_type="display_data", metadata={}, data={kind: "x", "text/plain": "29.4 12345"}
    )


def numbers(words):
    return said(3, words)


def compared_by(rules, *claims):
    """Give the compared cell of the lesson these rules and claims."""
    return lambda files: files[LESSON]["cells"][4]["metadata"].update(
        compare=rules, claims=list(claims)
    )


def words(*alt):
    """The alternative texts of the lesson's figure."""
    return lambda files: files[LESSON]["cells"][7]["metadata"].update(alt=list(alt))


FAULTS = [
    (
        "outputs_are_those_of_one_run_from_top_to_bottom",
        "a cell not run",
        cell(4, execution_count=None),
    ),
    (
        "outputs_are_those_of_one_run_from_top_to_bottom",
        "cells out of order",
        cell(4, execution_count=9),
    ),
    (
        "outputs_are_those_of_one_run_from_top_to_bottom",
        "an old result",
        shown(
            output_type="execute_result",
            execution_count=7,
            metadata={},
            data={"text/plain": "29.4 12345"},
        ),
    ),
    (
        "no_cell_shows_an_error_or_a_warning",
        "an error",
        shown(output_type="error", ename="ValueError", evalue="", traceback=[]),
    ),
    (
        "no_cell_shows_an_error_or_a_warning",
        "a warning",
        stream("x.py:1: UserWarning: old", "stderr"),
    ),
    (
        "no_cell_shows_an_error_or_a_warning",
        "a complaint of a library",
        stream("ERROR: no device", "stderr"),
    ),
    (
        "nothing_names_the_machine_it_was_written_on",
        "a path in an output",
        stream("saved to /home/jane/x.png"),
    ),
    (
        "nothing_names_the_machine_it_was_written_on",
        "a path in the code",
        said(4, "x = '/tmp/file'"),
    ),
    (
        "nothing_names_the_machine_it_was_written_on",
        "a path in the text",
        said(3, "see /Users/jane/x"),
    ),
    ("nothing_names_the_machine_it_was_written_on", "a path of Windows", stream("C:\\Users\\jane")),
    (
        "nothing_names_the_machine_it_was_written_on",
        "an address in memory",
        stream("<Axes at 0x7f12ab34cd>"),
    ),
    ("the_file_is_small", "1.5 MB", stream("x" * 1_500_000)),
    ("metadata_is_plain", "another kernel", in_metadata("kernelspec", {"name": "conda-env"})),
    ("metadata_is_plain", "widget state", in_metadata("widgets", {})),
    ("metadata_is_plain", "no cell id", cell(4, id=None)),
    ("metadata_is_plain", "the same cell id twice", cell(4, id="cell-0")),
    ("metadata_is_plain", "timing", cell(4, metadata={"execution": {}})),
    ("every_figure_has_words_for_it", "no words", words()),
    (
        "every_figure_has_words_for_it",
        "words for two",
        words(
            "A curve that falls steeply and flattens.", "A curve that rises, and rises, and rises."
        ),
    ),
    ("every_figure_has_words_for_it", "a title only", words("The loss.")),
    (
        "every_figure_has_words_for_it",
        "what every figure is",
        words("A plot of the loss, which falls steeply and then flattens out."),
    ),
    (
        "every_figure_has_words_for_it",
        "the same words twice",
        lambda f: f[LESSON]["cells"].__setitem__(
            8,
            figure("y = 1", "A curve that falls steeply, then flattens out.")
            | {"execution_count": 5, "id": "x"},
        ),
    ),
    ("pictures_are_png", "an SVG", picture("image/svg+xml")),
    ("cells_are_short_and_their_number_is_bearable", "31 lines", said(4, "x = 1\n" * 31)),
    (
        "cells_are_short_and_their_number_is_bearable",
        "a class of 41 lines",
        said(4, "class A:\n" + "    x = 1\n" * 40),
    ),
    ("cells_are_short_and_their_number_is_bearable", "an empty cell", said(4, "")),
    (
        "cells_are_short_and_their_number_is_bearable",
        "19 cells",
        lambda f: f[LESSON]["cells"].__delitem__(slice(19, None)),
    ),
    (
        "cells_are_short_and_their_number_is_bearable",
        "81 cells",
        lambda f: f[LESSON]["cells"].extend([text("x")] * 60),
    ),
    (
        "cells_are_short_and_their_number_is_bearable",
        "more than 400 lines",
        lambda f: f[LESSON]["cells"].extend(
            code("x = 1\n" * 30) | {"execution_count": 1} for _ in range(13)
        ),
    ),
    (
        "the_header_says_what_it_costs_and_what_it_gives",
        "no cost",
        replaced(LESSON, "**Computing**", "Computing"),
    ),
    (
        "the_header_says_what_it_costs_and_what_it_gives",
        "no objectives",
        replaced(LESSON, "you will", "one may"),
    ),
    (
        "the_closing_looks_back_and_gives_references",
        "no closing",
        replaced(LESSON, "## What we did", "## So"),
    ),
    (
        "the_closing_looks_back_and_gives_references",
        "no references",
        replaced(LESSON, "## References", "## So"),
    ),
    (
        "the_closing_looks_back_and_gives_references",
        "no exercises",
        replaced(LESSON, "## Exercises", "## So"),
    ),
    ("a_lesson_can_be_shown_as_slides", "no slides", replaced(LESSON, '"slide"', '"other"')),
    ("a_lesson_can_be_shown_as_slides", "no title", cell(0, metadata={})),
    (
        "a_lesson_can_be_shown_as_slides",
        "the set-up cell",
        cell(1, metadata={"tags": ["setup", "slide"]}),
    ),
    (
        "a_lesson_can_be_shown_as_slides",
        "an output that is not there",
        cell(8, metadata={"tags": ["slide-output"]}),
    ),
    (
        "a_lesson_can_be_shown_as_slides",
        "a solution",
        lambda f: f[SOLUTION]["cells"][0]["metadata"].update(tags=["slide"]),
    ),
    (
        "a_lesson_has_something_to_move",
        "only static figures",
        replaced(LESSON, "image_slider(1)", "show(1)"),
    ),
    (
        "the_setup_cell_is_the_one_of_the_course",
        "another seed",
        replaced(LESSON, "seed=0", "seed=1"),
    ),
    ("the_setup_cell_is_the_one_of_the_course", "no tag", cell(1, metadata={})),
    (
        "the_setup_cell_is_the_one_of_the_course",
        "in a solution",
        replaced(SOLUTION, "seed=0", "seed=1"),
    ),
    (
        "badges_open_this_very_file",
        "a renamed notebook",
        replaced(LESSON, "blob/main/notebooks/01_sparse", "blob/main/notebooks/01_old"),
    ),
    (
        "badges_open_this_very_file",
        "another repository",
        replaced(LESSON, "github/jane", "github/joe"),
    ),
    ("badges_open_this_very_file", "no badges", said(0, "# Title")),
    (
        "badges_open_this_very_file",
        "a solution that opens its lesson",
        said(0, badges(REPOSITORY, LESSON), SOLUTION),
    ),
    (
        "links_to_files_lead_somewhere",
        "a picture that is not there",
        replaced(LESSON, "../cat.png", "../dog.png"),
    ),
    (
        "pictures_in_the_text_have_words_for_them",
        "no alternative text",
        replaced(LESSON, "![a cat]", "![]"),
    ),
    (
        "pictures_in_the_text_have_words_for_them",
        "an img without alt",
        said(6, '<img src="../cat.png">'),
    ),
    ("nothing_is_installed_or_asked_for_in_a_cell", "%pip", said(4, "%pip install torch")),
    ("nothing_is_installed_or_asked_for_in_a_cell", "!pip", said(4, "!pip install torch")),
    ("nothing_is_installed_or_asked_for_in_a_cell", "input()", said(4, "name = input('you?')")),
    ("no_import_is_unused_or_missing", "an unused import", said(4, "import os")),
    ("no_import_is_unused_or_missing", "an undefined name", said(4, "print(math.pi, show, torch)")),
    ("no_import_is_unused_or_missing", "no Python", said(4, "for")),
    (
        "every_imported_name_exists",
        "no such helper",
        replaced(LESSON, "import show", "import draw"),
    ),
    (
        "every_imported_name_exists",
        "no such module",
        replaced(LESSON, "course_utils.pictures import", "course_utils.drawings import"),
    ),
    (
        "every_imported_name_exists",
        "no such name elsewhere",
        said(4, "from math import nothing_like_it"),
    ),
    (
        "every_helper_named_in_the_text_exists",
        "no such helper",
        replaced(LESSON, "pictures.show(", "pictures.draw("),
    ),
    (
        "a_lesson_compares_outputs",
        "no compared cell",
        replaced(LESSON, "nbval-check-output", "other"),
    ),
    (
        "tolerances_and_claims_can_be_followed",
        "a tolerance that is no number",
        compared_by({"tolerance": "wide"}),
    ),
    (
        "tolerances_and_claims_can_be_followed",
        "a claim that does not parse",
        compared_by({}, "x >"),
    ),
    (
        "tolerances_and_claims_can_be_followed",
        "a claim on a text",
        cell(3, metadata={"claims": ["1 > 0"]}),
    ),
    ("tolerances_and_claims_can_be_followed", "no stored output", cell(4, outputs=[])),
    ("no_cell_prints_true_or_false", "a condition", stream("29.4 12345 closer: True")),
    (
        "every_quoted_number_is_printed_by_a_compared_cell",
        "another decimal",
        replaced(LESSON, "**29.4 dB**", "**29.41 dB**"),
    ),
    (
        "every_quoted_number_is_printed_by_a_compared_cell",
        "another size",
        replaced(LESSON, "12,345 bytes", "12,346 bytes"),
    ),
    (
        "every_quoted_number_is_printed_by_a_compared_cell",
        "a share",
        numbers("It keeps 5 % of them."),
    ),
    ("every_quoted_number_is_printed_by_a_compared_cell", "a factor", numbers("It is 3× faster.")),
    ("every_quoted_number_is_printed_by_a_compared_cell", "a time", numbers("It takes 7 s.")),
    (
        "every_quoted_number_is_printed_by_a_compared_cell",
        "printed in a cell that is not compared",
        cell(4, metadata={}),
    ),
    (
        "every_quoted_number_is_printed_by_a_compared_cell",
        "in the closing",
        replaced(LESSON, "We saw 29.4", "We saw 30.4"),
    ),
    (
        "every_exercise_is_a_card_and_a_stub_that_is_checked",
        "two exercises only",
        lambda f: f[LESSON]["cells"].__delitem__(slice(24, 26)),
    ),
    (
        "every_exercise_is_a_card_and_a_stub_that_is_checked",
        "a wrong number",
        replaced(LESSON, "Exercise 01.2", "Exercise 01.4"),
    ),
    (
        "every_exercise_is_a_card_and_a_stub_that_is_checked",
        "no stars",
        replaced(LESSON, "★☆☆", "easy"),
    ),
    (
        "every_exercise_is_a_card_and_a_stub_that_is_checked",
        "no minutes",
        replaced(LESSON, "5 min", "short"),
    ),
    (
        "every_exercise_is_a_card_and_a_stub_that_is_checked",
        "no tag",
        replaced(LESSON, '"exercise-01.2"', '"x"'),
    ),
    (
        "every_exercise_is_a_card_and_a_stub_that_is_checked",
        "no check",
        replaced(LESSON, "check.double(", "print("),
    ),
    (
        "every_exercise_is_a_card_and_a_stub_that_is_checked",
        "a check that does not exist",
        replaced(LESSON, "check.double(", "check.triple("),
    ),
    ("solutions_are_compared", "no tag", replaced(SOLUTION, "nbval-check-output", "other")),
    ("stubs_and_solutions_belong_together", "no solutions", dropped(SOLUTION)),
    (
        "stubs_and_solutions_belong_together",
        "a missing solution",
        replaced(SOLUTION, '"exercise-01.2"', '"x"'),
    ),
    (
        "stubs_and_solutions_belong_together",
        "another signature",
        replaced(SOLUTION, "x: float", "y: float"),
    ),
    (
        "stubs_and_solutions_belong_together",
        "another result",
        replaced(SOLUTION, "-> float", "-> int"),
    ),
    (
        "stubs_and_solutions_belong_together",
        "another docstring",
        replaced(SOLUTION, "Twice x.", "Two x."),
    ),
    (
        "stubs_and_solutions_belong_together",
        "another name",
        replaced(SOLUTION, "def double", "def dbl"),
    ),
    (
        "stubs_and_solutions_belong_together",
        "another check",
        replaced(SOLUTION, "check.double(", "check.triple("),
    ),
    ("notebooks_are_numbered_without_gaps", "a gap", moved(LESSON, "notebooks/05_sparse.ipynb")),
    (
        "notebooks_are_numbered_without_gaps",
        "a capital",
        moved(LESSON, "notebooks/01_Sparse.ipynb"),
    ),
    (
        "notebooks_are_numbered_without_gaps",
        "a solution of nothing",
        moved(SOLUTION, "notebooks/solutions/01_other_solutions.ipynb"),
    ),
    (
        "each_notebook_leads_on_and_back",
        "no way on",
        replaced(LESSON, "(02_coding.ipynb)", "(00_start_here.ipynb)"),
    ),
    (
        "each_notebook_leads_on_and_back",
        "no way back",
        replaced(LESSON, "(00_start_here.ipynb)", "(#top)"),
    ),
    (
        "each_notebook_leads_on_and_back",
        "an end that says nothing",
        replaced("notebooks/02_coding.ipynb", "Next comes", "There is"),
    ),
    (
        "each_notebook_leads_on_and_back",
        "a solution without its lesson",
        said(0, "# Solutions", SOLUTION),
    ),
    ("readme_and_headers_agree", "other seconds", replaced(README, "| 12 |", "| 13 |")),
    ("readme_and_headers_agree", "other minutes", replaced(README, "| 45 |", "| 44 |")),
    ("readme_and_headers_agree", "other memory", replaced(README, "| 620 |", "| 630 |")),
    (
        "readme_and_headers_agree",
        "a missing row",
        replaced(README, "](notebooks/01_sparse.ipynb) |", "](x) |"),
    ),
    ("readme_and_headers_agree", "other badges", replaced(README, "github/jane", "github/joe")),
    ("a_module_says_what_it_exports", "no __all__", replaced(MODULE, "__all__", "names")),
    (
        "a_module_says_what_it_exports",
        "a name that is not there",
        replaced(MODULE, '["show"]', '["draw"]'),
    ),
    ("a_module_is_small", "too few lines", replaced(MODULE, "# line\n" * 30, "# line\n")),
    ("a_module_is_small", "251 lines", replaced(MODULE, "# line\n" * 30, "# line\n" * 250)),
    (
        "public_things_have_docstrings",
        "a function without",
        replaced(MODULE, '    """Show x."""\n', ""),
    ),
    ("public_things_have_docstrings", "a module without", replaced(MODULE, '"""Module."""', "")),
    (
        "a_helper_reads_no_notebooks",
        "a helper that reads notebooks",
        replaced(MODULE, "\n__all__", "import nbformat\n__all__"),
    ),
]


@pytest.mark.parametrize("contract, fault, spoil", FAULTS, ids=[f"{c}-{f}" for c, f, _ in FAULTS])
def test_the_contract_catches(contract, fault, spoil, tmp_path):
    files = sound_course()
    spoil(files)
    assert contract in problems(tmp_path, files)


def test_a_sound_course_has_no_problems(tmp_path):
    assert problems(tmp_path, sound_course()) == {}


def test_every_contract_has_a_fault_that_it_catches():
    every = contracts.NOTEBOOK_CONTRACTS + contracts.COURSE_CONTRACTS + contracts.MODULE_CONTRACTS
    assert {contract.__name__ for contract in every} == {name for name, _, _ in FAULTS}


@pytest.mark.parametrize(
    "words, numbers",
    [
        ("29.4 dB and 5 %, 12,345 bytes", ["29.4", "5", "12345"]),
        ("a factor of 3× or 2.5 times", ["3", "2.5"]),
        ("8×8 patches, 32 × 32 images, notebook 01, 50 atoms, in the 1990s", []),
        ("−3.2 dB", ["3.2"]),
        ("$k = 0.5$, `x = 1.5`, [2.5](a/3.5.html), https://x.org/4.5", ["2.5"]),
        ("$$\nx = 0.5\n$$\n```\ny = 1.5\n```", []),
        ("It ends with 1.25.", ["1.25"]),
        ("torch 2.4.1 is a version", []),
        ("100\u00a0% and 1\u202f234 kB", ["100", "1234"]),
    ],
)
def test_numbers_are_read_from_text_as_a_person_would(words, numbers):
    assert contracts.quoted_numbers(words) == numbers
