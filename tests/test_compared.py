"""The comparison of outputs can fail: each fault below is caught, with a message that names it."""

import os
import pathlib
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import compared
import nbformat
import pytest

TESTS = pathlib.Path(__file__).resolve().parent
STORED = """method   PSNR   seconds
Haar     27.2       1.5
db4      28.0       2.5
1,024 of 65536 coefficients
"""


@pytest.mark.parametrize(
    "line, values",
    [
        ("29.4 dB, -0.5 and \u22121.5", [29.4, -0.5, -1.5]),
        ("12,345 bytes, 1\u202f234 times, 1e-05, 2.5E+3", [12345, 1234, 1e-5, 2500]),
        ("(3, 4), 3-5, 8×8, 900x320, 5%, 0.48 ± 0.03", [3, 4, 3, 5, 8, 8, 900, 5, 0.48, 0.03]),
        ("float32, torch 2.14.1, conv2, v1.2.3", []),
        ("It ends with 5.", [5]),
        ("loss nan, gap -inf, information, nano", [float("nan"), float("-inf")]),
        ("1,2,3 and 1,234,567", [1, 2, 3, 1234567]),
    ],
)
def test_numbers_are_read_as_a_person_would(line, values):
    assert [str(number.value) for number in compared.numbers_of(line)] == [
        str(float(value)) for value in values
    ]


def stored(*changes):
    """The stored text with some words replaced."""
    text = STORED
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text


@pytest.mark.parametrize(
    "found, rules",
    [
        (stored(("27.2", "27.6"), ("28.0", "27.5")), {}),  # 2 %
        (stored(("27.2", "27.3")), {"tolerance": 0.001}),  # one unit of the last digit
        (stored(("     27.2", "       9.9")), {"lines": {"Haar": 0.7}}),  # padding may move
        (stored(("1.5", "91.5"), ("2.5", "0.2")), {"columns": {"seconds": "free"}}),
        (stored(("1,024", "1,020")), {"lines": {"coefficients": 0.1}, "exact": ["of \\d+"]}),
        (stored(("1,024", "1,020")), {"tolerance": {"absolute": 4}}),
        (stored(("db4   ", "sym8  ")), {"free": ["db4|sym8"]}),
        (stored(("27.2", "29.0")), {"tolerance": 0.001, "columns": {"PSNR": 0.1}}),
        (stored(("27.2", "29.0")), {"lines": {"Haa": 0, "Haar ": 0.1, "aar": 0}}),  # the longest
    ],
)
def test_what_may_move_may_move(found, rules):
    assert compared.differences(STORED, found, rules) == []


@pytest.mark.parametrize(
    "old, new, rules, words",
    [
        ("27.2", "27.8", {}, "line 2: expected 27.2, found 27.8, tolerance 0.02"),
        ("1,024", "1,025", {}, "line 4: expected 1,024, found 1,025, tolerance exact"),
        ("27.2", "27.4", {"tolerance": 0.001}, "tolerance 0.001"),
        ("27.2", "27.3", {"tolerance": 0}, "expected 27.2, found 27.3"),
        ("65536", "65535", {"tolerance": 0.1, "exact": ["of \\d+"]}, "found 65535"),
        ("27.2", "-27.2", {"tolerance": 0.5}, "expected 27.2, found -27.2"),
        ("27.2", "30.0", {"lines": {"db4": 0.2}}, "expected 27.2, found 30.0"),
        ("27.2", "30.0", {"columns": {"seconds": "free"}}, "expected 27.2, found 30.0"),
        ("27.2", "nan", {"tolerance": "free"}, "tolerance free; a number must stay finite"),
        ("27.2", "27.2 27.2", {}, "line 2 has other words, or more or fewer numbers"),
        ("Haar", "haar", {}, "line 2 has other words"),
        ("coefficients\n", "coefficients\nOn.", {}, "5 lines instead of 4; not stored:\n    On."),
        ("\n1,024 of 65536 coefficients", "", {}, "instead of 4; missing:\n    1,024 of"),
    ],
)
def test_what_may_not_move_is_named_with_both_values_and_the_tolerance(old, new, rules, words):
    problems = compared.differences(STORED, stored((old, new)), rules)
    assert any(words in problem for problem in problems), problems


def cell(source="print(1.5)", shows="1.5\n", tags=("nbval-check-output",), **metadata):
    """A cell with what it printed and its metadata."""
    outputs = [nbformat.v4.new_output("stream", text=shows)] if shows else []
    metadata = {"tags": list(tags)} | metadata
    return nbformat.v4.new_code_cell(source, outputs=outputs, execution_count=1, metadata=metadata)


TEXT = nbformat.v4.new_markdown_cell("a text", metadata={"claims": ["1 > 0"]})
TABLE = "seconds of it\n            1.5\n"


@pytest.mark.parametrize(
    "spoilt, words",
    [
        (cell(compare={"tolerance": "10 %"}), "the tolerance '10 %' must be a number of at least"),
        (cell(compare={"tolerance": -0.1}), "the tolerance -0.1 must be a number of at least 0"),
        (cell(compare={"lines": {"1.5": "some"}}), "the tolerance 'some' must be a number"),
        (cell(compare={"lines": 0.1}), '"lines" must be an object'),
        (cell(compare={"lines": {"2.5": 0.1}}), "\"lines\" names '2.5', which meets nothing"),
        (cell(shows=TABLE, compare={"columns": {"seconds": 0}}), "\"columns\" names 'seconds'"),
        (cell(compare={"exact": ["of 2"]}), "\"exact\" names 'of 2', which meets nothing"),
        (cell(compare={"tolerence": 0.1}), '"compare" must be an object with the keys'),
        (cell(compare={"exact": ["("]}), "'(' does not parse"),
        (cell(compare={"tolerance": 0.1}, tags=()), "nothing would be compared"),
        (cell(claims=["x >"]), "'x >' does not parse"),
        (cell(claims="x > 1"), '"claims" must be a list'),
        (cell(shows=""), "no output is stored; store one with `make run`"),
        (TEXT, 'a text cell has "claims"'),
    ],
)
def test_metadata_that_cannot_be_followed_is_refused(spoilt, words):
    problems = compared.metadata_problems(spoilt)
    assert any(words in problem for problem in problems), problems


def pytest_on(folder, *cells):
    """Run pytest as `make test` does on a notebook of these cells; (output, failures by cell)."""
    nbformat.write(nbformat.v4.new_notebook(cells=list(cells)), folder / "lesson.ipynb")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent)])}
    options = "-p nbval_numbers --nbval-lax --nbval-current-env --junitxml=result.xml"
    command = [sys.executable, "-m", "pytest", *options.split(), "--rootdir=.", "lesson.ipynb"]
    run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    cases = ElementTree.parse(folder / "result.xml").getroot().iter("testcase")
    failures = [case.find("failure") for case in cases]
    return run.stdout, ["" if f is None else f.get("message") + (f.text or "") for f in failures]


def test_each_mutation_fails_its_cell_and_says_cell_expected_found_and_tolerance(tmp_path):
    table = (
        "import numpy as np\nscores = {'ours': 2.0, 'theirs': 3.0}\nprint('ours 2.00, theirs 3.00')"
    )
    shows = "ours 2.00, theirs 3.00\n"
    true = ["scores['ours'] < scores['theirs']", "printed('ours') == [2.0, 3.0]"]
    true += ["np.array(2) > 1", "not scores.get('none')"]
    false = "scores['ours'] > scores['theirs']"
    failed = [f"does not hold: {false}", "scores['ours'] = 2.0", "scores['theirs'] = 3.0"]
    cases = [  # a cell, and words of its failure; no words: it passes
        (cell(table, shows, claims=true), []),
        (cell(table, "ours 2.04, theirs 3.00\n"), []),
        (
            cell(table, "ours 2.20, theirs 3.00\n"),
            ["lesson.ipynb, code cell 2", "expected 2.20, found 2.00, tolerance 0.02"],
        ),
        (cell(table, shows, claims=[false]), failed),
        (cell(table, "ours 2.00, others 3.00\n"), ["line 1 has other words", "others 3.00"]),
        (cell("pass", shows), ["0 outputs of type stdout instead of 1"]),
        (cell(table, shows, claims=["missing > 1"]), ["the claim missing > 1 raised NameError"]),
        (cell(table, shows, claims=["printed('nobody')"]), ["no printed line contains 'nobody'"]),
        (cell(table, shows, claims=["(s for s in 'a')"]), ["of type generator"]),
        (cell("1 / 0", "", tags=(), claims=["1 > 2"]), ["ZeroDivisionError"]),
        (cell("print('x')", "x\n", compare={}), []),
    ]
    said, failures = pytest_on(tmp_path, *(case for case, _ in cases))
    assert len(failures) == len(cases), said
    for (_, words), failure in zip(cases, failures):
        assert bool(failure) == bool(words), (words, failure)
        assert all(word in failure for word in words), (words, failure)


def test_a_claim_that_draws_random_numbers_does_not_change_those_of_the_next_cell(tmp_path):
    seed, draw = "import torch\n_ = torch.manual_seed(0)", "print(f'{torch.rand(1).item():.3f}')"
    drawing = cell(seed, "", tags=(), claims=["torch.rand(1) < 2"])
    _, failures = pytest_on(tmp_path, drawing, cell(draw, "0.496\n", compare={"tolerance": 0}))
    assert failures == ["", ""]


def test_faulty_metadata_ends_the_run_before_anything_is_computed(tmp_path):
    said, _ = pytest_on(tmp_path, cell(claims=["x >"]), TEXT)
    assert "lesson.ipynb, code cell 0 (counted from 0): 'x >' does not parse" in said
    assert 'the text before code cell 1 (counted from 0): a text cell has "claims"' in said
