"""Each contract of tests/notebook_contracts.py catches faults: no test that cannot fail.

A small sound course is written, spoilt in one place, and the contract must complain.
"""

import json

import nbformat
import notebook_contracts as contracts
import pytest

from course_tools.course_files import write_manifest
from course_tools.links import badges
from course_tools.run_notebooks import LANGUAGE

REPOSITORY = "jane/course"
NAMES = ["00_start_here", "01_sparse_representation", "02_sparse_coding"]
LESSON = "notebooks/01_sparse_representation.ipynb"
SOLUTION = "notebooks/solutions/01_sparse_representation_solutions.ipynb"
README = "README.md"
STUB = '''def double(x: float) -> float:
    """Twice x."""
    raise ValueError
check.double(double)'''
ALT = "A curve that falls steeply, then flattens out."


def text(source, *tags):
    return nbformat.v4.new_markdown_cell(source, metadata={"tags": list(tags)})


def code(source, *tags, shows=""):
    outputs = [nbformat.v4.new_output("stream", text=shows)] if shows else []
    return nbformat.v4.new_code_cell(source, metadata={"tags": list(tags)}, outputs=outputs)


def figure(*alt, kind="image/png"):
    """A slide with an image and the words for it."""
    cell = code("image_slider = show\nimage_slider(1)", "slide-output")
    cell.metadata.alt = list(alt)
    cell.outputs = [nbformat.v4.new_output("display_data", {kind: "x"})]
    return cell


def notebook(*cells):
    """A notebook that was run."""
    for count, cell in enumerate((c for c in cells if c.cell_type == "code"), 1):
        cell.execution_count = count
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python"}}
    kernel["language_info"] = LANGUAGE
    return nbformat.v4.new_notebook(cells=list(cells), metadata=kernel)


def sound_lesson(path, following):
    cost = "**Reading** 45 min · **Computing** 12 s on 2 CPU cores · **Memory** 620 MB"
    header = f"# Title\n{badges(REPOSITORY, path)}\n{cost}\nIn this notebook you will see."
    exercises = []
    for k in "123":
        number = f"{path[10:12]}.{k}"
        card = f"### Exercise {number} · Doubling\n★☆☆ · 5 min\n\nWrite it, within 0.5."
        exercises += [text(card), code(STUB, f"exercise-{number}", shows="○")]
    onward = f"[next]({following}.ipynb), [start](00_start_here.ipynb)"
    return notebook(
        text(header, "slide"),
        code("start = 1", "setup"),
        code("import math\nfrom course_utils.pictures import show"),
        text("The PSNR is **29.4 dB** at 12,345 bytes, for 8×8 blocks, $a = 0.5$ and `k = 1.5`."),
        code("print(29.4, 12345, math.pi, show)", "nbval-check-output", shows="29.4 12345\n"),
        text("The paper reports 31.7 dB.", "published"),
        text("![a cat](../cat.png) drawn with `course_utils.pictures.show(x)`"),
        figure(ALT),
        *(code(f"x = {i}", "slide") for i in range(10)),
        text("## What we did\nWe saw 29.4 dB."),
        text("## Exercises"),
        *exercises,
        text(f"## References\n1. Someone, 12.5 pages.\n\n{onward}"),
    )


def sound_course():
    """All files of a small course, by path; notebooks as nodes."""
    project = f'[project.urls]\nRepository = "https://github.com/{REPOSITORY}"\n'
    files = {"pyproject.toml": project, README: "", "cat.png": ""}
    files["course_utils/pictures.py"] = "def show(x):\n    return x\n"
    for name, following in zip(NAMES, [*NAMES[1:], NAMES[0]]):
        number, path = name[:2], f"notebooks/{name}.ipynb"
        own = badges(REPOSITORY, path)
        files[README] += f"| [{name}]({path}) | much | 45 | 12 | 620 | {own} |\n"
        answer, tags = STUB.replace("raise", "return"), [f"exercise-{number}.{k}" for k in "123"]
        files[path] = sound_lesson(path, following)
        files[f"notebooks/solutions/{name}_solutions.ipynb"] = notebook(
            text(f"# Solutions of [the lesson](../{name}.ipynb)"),
            code("start = 1", "setup"),
            *(code(answer, tag, "nbval-check-output", shows="✓") for tag in tags),
        )
        files[f"course_utils/exercises/notebook_{number}.py"] = "def double(): pass"
    return files


def problems(folder, files):
    """The names of the contracts that complain about a course."""
    for path, content in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        whole = content if isinstance(content, str) else json.dumps(content)
        file.write_text(whole, encoding="utf-8")
    write_manifest(folder, files)
    course = contracts.Course(folder)
    notebooks = course.lessons + course.solutions
    found = {c.__name__ for c in contracts.NOTEBOOK_CONTRACTS for n in notebooks if [*c(n)]}
    return found | {c.__name__ for c in contracts.COURSE_CONTRACTS if [*c(course)]}


def cell(place, path=LESSON, **changes):
    """Change keys of a cell; the place counts from 0."""
    return lambda files: files[path].cells[place].update(changes)


def replaced_cells(places, *new):
    """Put other cells in the place of some of the lesson."""
    return lambda files: files[LESSON].cells.__setitem__(places, new)


def tagged(place, *tags):
    return cell(place, metadata={"tags": list(tags)})


def prints(words, name="stdout"):
    """Let the compared cell of the lesson print this."""
    return cell(4, outputs=[nbformat.v4.new_output("stream", text=words, name=name)])


def result(kind, *data, **more):
    return cell(4, outputs=[nbformat.v4.new_output(kind, *data, **more)])


def replaced(old, new, path=LESSON):
    """Replace text in a file, which must hold it."""

    def spoil(files):
        before = json.dumps(files[path], ensure_ascii=False)
        assert old in before, old
        files[path] = nbformat.from_dict(json.loads(before.replace(old, new)))

    return spoil


def moved(old, new):
    return lambda files: files.update({new: files.pop(old)})


FAULTS = {
    "outputs_are_those_of_one_run_from_top_to_bottom": [
        cell(4, execution_count=None),
        result("execute_result", {"text/plain": "29.4 12345"}, execution_count=7),
    ],
    "no_cell_shows_an_error_or_a_warning": [
        result("error", ename="ValueError", evalue="", traceback=[]),
        prints("x.py:1: UserWarning: old", "stderr"),
    ],
    "nothing_names_the_machine_it_was_written_on": [
        prints("saved to /home/jane/x.png"),
        prints("C:\\Users\\jane"),
        prints("<Axes at 0x7f12ab34cd>"),
        cell(4, source="x = '/tmp/file'"),
        cell(3, source="see /Users/jane/x"),
    ],
    "the_file_is_small_and_plain": [
        prints("x" * 1_500_000),
        lambda files: files[LESSON].metadata.update(kernelspec={"name": "conda-env"}),
        lambda files: files[LESSON].metadata.update(widgets={}),
        lambda files: files[LESSON].metadata.update(language_info={"name": "python"}),
        cell(4, id=None),
        cell(4, metadata={"execution": {}}),
    ],
    "every_figure_is_a_png_and_has_words_for_it": [
        cell(7, **figure()),
        cell(7, **figure(ALT, ALT + " Then it rises.")),
        cell(7, **figure("The loss.")),
        cell(7, **figure("A plot of the loss, which falls steeply and then flattens out.")),
        cell(7, **figure(kind="image/svg+xml")),
        cell(8, **figure(ALT)),
    ],
    "images_in_the_text_have_words_for_them": [
        replaced("![a cat]", "![]"),
        cell(6, source='<img src="../cat.png">'),
    ],
    "cells_are_short_and_their_number_is_bearable": [
        cell(4, source="x = 1\n" * 31),
        cell(4, source="class A:\n" + "    x = 1\n" * 40),
        cell(4, source=""),
        replaced_cells(slice(19, None)),
        replaced_cells(slice(1, 2), *[text("x")] * 60),
        replaced_cells(slice(1, 2), *[code("x = 1\n" * 30)] * 14),
    ],
    "a_lesson_has_a_header_and_a_closing": [
        replaced("**Computing**", "Computing"),
        replaced("you will", "one may"),
        replaced("blob/main/notebooks/01_sparse_representation", "blob/main/notebooks/01_old"),
        replaced("## References", "## So"),
    ],
    "a_lesson_can_be_shown_as_slides": [
        replaced('"slide"', '"other"'),
        tagged(0),
        tagged(1, "setup", "slide"),
        tagged(8, "slide-output"),
    ],
    "a_lesson_has_something_to_move": [replaced("image_slider(1)", "show(1)")],
    "the_first_code_cell_is_the_setup_cell": [tagged(1)],
    "badges_open_this_very_file": [
        cell(6, source="[go](https://mybinder.org/v2/gh/jane/course/main?urlpath=x)"),
    ],
    "links_to_files_lead_somewhere": [replaced("../cat.png", "../dog.png")],
    "no_cell_installs_packages": [cell(4, source="%pip install torch")],
    "every_helper_that_is_imported_or_named_exists": [
        replaced("import show", "import draw"),
        cell(4, source="def later():\n    import course_utils.drawings"),
        replaced("pictures.show(", "pictures.draw("),
    ],
    "a_lesson_compares_outputs": [tagged(4)],
    "no_cell_prints_true_or_false": [prints("29.4 12345 closer: True")],
    "every_quoted_number_is_printed_by_a_compared_cell": [
        replaced("**29.4 dB**", "**29.41 dB**"),
        replaced("12,345 bytes", "12,346 bytes"),
        cell(3, source="It keeps 5 % of them."),
        replaced("We saw 29.4", "We saw 30.4"),
        tagged(4),
    ],
    "every_exercise_is_a_card_and_a_stub_that_is_checked": [
        replaced_cells(slice(24, 26)),
        replaced("Exercise 01.2", "Exercise 01.4"),
        replaced("★☆☆", "easy"),
        replaced('"exercise-01.2"', '"x"'),
        replaced("check.double(", "print("),
        replaced("check.double(", "check.triple("),
        tagged(8, "exercise-01.4"),
    ],
    "solutions_are_compared": [replaced("nbval-check-output", "other", SOLUTION)],
    "stubs_and_solutions_belong_together": [
        lambda files: files.pop(SOLUTION),
        replaced('"exercise-01.2"', '"x"', SOLUTION),
        replaced("x: float", "y: float", SOLUTION),
        replaced("Twice x.", "Two x.", SOLUTION),
        replaced("check.double(", "check.triple(", SOLUTION),
    ],
    "notebooks_are_numbered_without_gaps": [
        moved(LESSON, "notebooks/05_sparse.ipynb"),
        moved(SOLUTION, "notebooks/solutions/01_other_solutions.ipynb"),
    ],
    "each_notebook_leads_on_and_back": [
        replaced("(02_sparse_coding.ipynb)", "(00_start_here.ipynb)"),
        replaced("(00_start_here.ipynb)", "(#top)"),
        cell(0, SOLUTION, source="# Solutions"),
    ],
    "readme_and_headers_agree": [
        replaced("| 12 |", "| 13 |", README),
        replaced("](notebooks/01_sparse_representation.ipynb) |", "](x) |", README),
        replaced("github/jane", "github/joe", README),
    ],
}


@pytest.mark.parametrize(
    "contract, fault", [(name, k) for name, faults in FAULTS.items() for k in range(len(faults))]
)
def test_the_contract_catches(contract, fault, tmp_path):
    files = sound_course()
    FAULTS[contract][fault](files)
    assert contract in problems(tmp_path, files)


def test_a_sound_course_has_no_problems_and_every_contract_a_fault(tmp_path):
    assert problems(tmp_path, sound_course()) == set()
    every = contracts.NOTEBOOK_CONTRACTS + contracts.COURSE_CONTRACTS
    assert {contract.__name__ for contract in every} == FAULTS.keys()


@pytest.mark.parametrize(
    "words, numbers",
    [
        ("29.4 dB, −3.2 dB and 5 %, 12,345 bytes", ["29.4", "3.2", "5", "12345"]),
        ("a factor of 3× or 2.5 times", ["3", "2.5"]),
        ("8×8 patches, 32 × 32 images, notebook 01, 50 atoms, in the 1990s, torch 2.4.1", []),
        ("$k = 0.5$, `x = 1.5`, [2.5](a/3.5.html), https://x.org/4.5", ["2.5"]),
        ("$$\nx = 0.5\n$$\n```\ny = 1.5\n```\nIt ends with 1.25.", ["1.25"]),
        ("100\u00a0% and 1\u202f234 kB", ["100", "1234"]),
    ],
)
def test_numbers_are_read_from_text_as_a_person_would(words, numbers):
    assert contracts.quoted_numbers(words) == numbers
