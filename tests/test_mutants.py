"""Every check rejects every mutant of its solution, except those that are right as well."""

import contextlib
import importlib
import io
import pathlib
import re
import signal
import sys

import pytest
import torch
from mutants import around, mutants
from test_exercises import SOLUTIONS, namespace

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FILE = pathlib.Path(__file__).with_name("equivalent_mutants.toml")
EQUIVALENT = tomllib.loads(FILE.read_text(encoding="utf-8"))
SECONDS = 60  # of one mutant; a loop that never ends is no right answer


def tried(number: str, source: str) -> dict[str, str]:
    """{mutant: status of its check} for one exercise cell of a lesson."""
    definition, call = source.rsplit("\n", 1)
    name = re.fullmatch(r"check\.(\w+)\((\w+)\)", call)
    check = getattr(importlib.import_module(f"course_utils.exercises.notebook_{number}"), name[1])
    found: dict[str, str] = {}
    space = namespace(number)

    for description, program in mutants(definition):
        while description in found:
            description += "'"
        found[description] = status(lambda: check(run(program, dict(space))[name[2]]).status)
    answer = run(definition, dict(space))[name[2]]
    for description, change in around.items() if callable(answer) else ():
        mutant = change(answer)
        outcome = status(lambda: check(mutant).status)
        if mutant.differs:
            found[description] = outcome
    return found


def run(program: str, space: dict) -> dict:
    """The names after a program."""
    exec(program, space)
    return space


def status(check) -> str:
    """passed, failed, or raised: a mutant that cannot even be defined is found out, too."""

    def late(*_):
        raise TimeoutError

    signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            torch.manual_seed(0)
            return check()
    except Exception as error:
        return f"raised {type(error).__name__}"
    finally:
        signal.alarm(0)


def survivors(number: str, source: str) -> tuple[list[str], int]:
    """The mutants that a check lets pass, and how many were made."""
    found = tried(number, source)
    return [mutant for mutant, status in found.items() if status == "passed"], len(found)


@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="needs an alarm")
@pytest.mark.parametrize("number, tag", SOLUTIONS)
def test_a_check_rejects_every_mutant_of_its_solution_that_is_wrong(number, tag):
    known = EQUIVALENT.get(tag.removeprefix("exercise-"), {})
    passed, made = survivors(number, SOLUTIONS[number, tag])
    assert made > 5
    assert sorted(passed) == sorted(known)


def test_a_reason_stands_behind_every_equivalent_mutant():
    for exercise, known in EQUIVALENT.items():
        assert any(tag == f"exercise-{exercise}" for _, tag in SOLUTIONS)
        assert all(len(reason.split()) > 2 for reason in known.values())


def report(lessons: list[str]) -> None:
    """Print the survivors that are not known, and how many mutants were rejected."""
    for (number, tag), source in SOLUTIONS.items():
        exercise = tag.removeprefix("exercise-")
        if lessons and number not in lessons and exercise not in lessons:
            continue
        passed, made = survivors(number, source)
        known = EQUIVALENT.get(exercise, {})
        new = [mutant for mutant in passed if mutant not in known]
        print(f"{exercise}: {made} made, {made - len(passed)} rejected, {len(known)} equivalent")
        for mutant in new:
            print(f"    passes: {mutant}")
        for mutant in sorted(set(known) - set(passed)):
            print(f"    is rejected, although it stands in {FILE.name}: {mutant}")
