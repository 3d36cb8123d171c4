"""The contracts of tests/notebook_contracts.py, on this repository."""

import pathlib

import notebook_contracts as contracts
import pytest

from course_tools.lessons import LESSONS

ROOT = pathlib.Path(__file__).resolve().parent.parent
COURSE = contracts.Course(ROOT)
NOTEBOOKS = {notebook.file.stem: notebook for notebook in COURSE.lessons + COURSE.solutions}


def named(contract) -> str:
    return contract.__name__


@pytest.mark.parametrize("contract", contracts.NOTEBOOK_CONTRACTS, ids=named)
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook(name, contract):
    assert list(contract(NOTEBOOKS[name])) == []


@pytest.mark.parametrize("contract", contracts.COURSE_CONTRACTS, ids=named)
def test_course(contract):
    assert list(contract(COURSE)) == []


def test_there_are_notebooks_and_solutions_to_look_at():
    assert [lesson.file.stem for lesson in COURSE.lessons] == list(LESSONS)
    assert len(LESSONS) >= 2 and len(COURSE.solutions) >= 2
