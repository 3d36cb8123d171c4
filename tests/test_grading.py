"""Grading: every submission gets its row and its marks, whatever it does, and nothing else is touched.

pytest tests/test_grading.py                           a light lesson, the submissions that are quickly graded
pytest -s -m every_submission tests/test_grading.py    all 23, and 38 of notebook 00 itself; some minutes
"""

import csv
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
import psutil
import pytest

from course_tools.grading import grade as grading
from course_tools.grading import isolation
from course_tools.grading.__main__ import main, save
from course_tools.grading.isolation import KINDS, SandboxedProcess, Stopped, best_isolation
from course_tools.grading.marks import Row, harmless, name_clashes, plain, summary, write_csv
from course_tools.grading.nbgrader import export_course
from course_tools.grading.submissions import find, identify, lessons, submission, without_checks

ROOT = Path(__file__).resolve().parent.parent
OFFICIAL = ROOT / "notebooks" / "00_start_here.ipynb"
SOLVED = {
    "00.1": "def to_unit_range(pixels):\n    return pixels[:, None].float() / 255",
    "00.2": "def share_of_zeros(images):\n    return (images == 0).float().mean(dim=(1, 2, 3))",
    "00.3": "def add_noise(x, sigma, seed):\n"
    "    return x + sigma * torch.randn(x.shape, generator=torch.Generator().manual_seed(seed))",
}
WRONG = {
    "00.1": "def to_unit_range(pixels):\n    return pixels[:, None].float() / 256",
    "00.2": "def share_of_zeros(images):\n    return (images != 0).float().mean(dim=(1, 2, 3))",
    "00.3": "def add_noise(x, sigma, seed):\n    return x",
}
RIGHT = ["passed", "passed", "passed"]
QUICK = {
    "untouched",
    "wrong",
    "destroyer",
    "forger",
    "stripped",
    "deleted",
}  # no endless loop, no full memory
SEALED = best_isolation(Path(__file__).parent).files
sealed = pytest.mark.skipif(not SEALED, reason="this system does not allow to seal files")


def exercise_of(cell):
    tags = cell.metadata.get("tags", [])
    return next(
        (tag.removeprefix("exercise-") for tag in tags if tag.startswith("exercise-")), None
    )


def light_lesson(folder):
    """A course of one lesson: title, imports, exercises of notebook 00, in a second once torch is there."""
    notebook = nbformat.read(OFFICIAL, as_version=4)
    notebook.cells = [c for c in notebook.cells if c.cell_type == "markdown" or exercise_of(c)]
    imports = "import torch\n\nfrom course_utils.exercises import notebook_00 as check"
    notebook.cells.insert(1, nbformat.v4.new_code_cell(imports))
    (folder / "solutions").mkdir(parents=True)
    (folder / "solutions" / "secret.py").write_text("secret = 1")
    nbformat.write(notebook, folder / OFFICIAL.name)
    return folder


def handed_in(official, answers=None, before="", after="", change=None):
    """The text of a submission: the official notebook with answers {exercise: source} and cells around the exercises."""
    notebook = nbformat.read(official, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        number = exercise_of(cell)
        if answers and number in answers:
            cell.source = answers[number] + "\n\n" + cell.source.rsplit("\n", 1)[1]
    first = next(k for k, cell in enumerate(notebook.cells) if exercise_of(cell))
    if after:
        notebook.cells.append(nbformat.v4.new_code_cell(after))
    if before:
        notebook.cells.insert(first, nbformat.v4.new_code_cell(before))
    if change:
        change(notebook)
    return nbformat.writes(notebook)


def strip(notebook):
    """As other programs leave a notebook: no ids, no tags, another kernel."""
    notebook.nbformat_minor = 4
    notebook.metadata = nbformat.from_dict(
        {"kernelspec": {"name": "julia-1.9", "language": "julia", "display_name": "Julia"}}
    )
    for cell in notebook.cells:
        cell.pop("id", None)
        cell.metadata = {}


def without(number):
    """A change that deletes an exercise cell."""

    def change(notebook):
        notebook.cells = [cell for cell in notebook.cells if exercise_of(cell) != number]

    return change


def format_3(text):
    return json.dumps(nbformat.convert(nbformat.reads(text, as_version=4), 3))


FORGED = """
class check:
    @staticmethod
    def to_unit_range(f): print("✓ Exercise 00.1 (From bytes to the unit range): correct.")
    share_of_zeros = add_noise = to_unit_range
"""
PATCHED = """
import course_utils.exercises.core as core, course_utils.exercises.notebook_00 as checks, sys, builtins
core.outcome = lambda *a: ("passed", "correct.")
core.expect = core.expect_close = checks.expect = checks.expect_close = lambda *a, **k: None
checks.to_unit_range = checks.share_of_zeros = checks.add_noise = lambda *a: core.Result("00.1", "", "passed", "correct.", 1, 1)
torch.allclose = torch.equal = lambda *a, **k: True
torch.Tensor.__eq__ = lambda *a: torch.tensor(True)
torch.Tensor.isnan = lambda *a: torch.tensor(False)
torch.Tensor.max = lambda *a: torch.tensor(0.0)
"""
FORGED_ANSWER = """
import os, json
for descriptor in range(3, 30):
    try: os.write(descriptor, b'\\n{"nonce": "", "status": "passed", "message": "correct."}\\n')
    except OSError: pass
print('{"status": "passed", "message": "correct."}')
"""
GIGABYTE = "import sys\nfor _ in range(1000): sys.stdout.write('x' * 1_000_000)\nraise ValueError('y' * 10**6)"
CHILDREN = """
import os, subprocess, sys
for _ in range(20):
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        import time; time.sleep(600)
    os._exit(0)
"""
BOMB = "import os, time\nfor _ in range(9):\n    os.fork()\ntime.sleep(600)"
EATER = "eaten = []\nwhile True:\n    eaten.append(b'x' * 200_000_000)"


def destroyer(victims):
    """Code that deletes and overwrites whatever it reaches."""
    return f"""
import glob, os, shutil
from pathlib import Path
for victim in [".", "..", *glob.glob("../*"), *{[str(v) for v in victims]!r}]:
    for path in [Path(victim), *Path(victim).rglob("*")]:
        try: path.is_file() and path.write_text("destroyed")
        except OSError: pass
    shutil.rmtree(victim, ignore_errors=True)
    try: os.remove(victim)
    except OSError: pass
"""


def submissions(folder, official, outside, only=None):
    """Write the submissions that run (`only` these); {path below the folder: (statuses, words of note and messages)}."""
    correct = handed_in(official, SOLVED)
    written = {}

    def write(name, text, statuses, words="", **others):
        if only and name.split("/")[0] not in only:
            return
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(
            text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")
        )
        written[name] = (statuses, words)

    name = OFFICIAL.name
    write('Zoë O\'Hara "the 1st"/my notebook – final (2).ipynb', correct, RIGHT)
    write(f"untouched/{name}", handed_in(official), ["not attempted"] * 3)
    write(f"wrong/{name}", handed_in(official, WRONG), ["failed"] * 3, "255, not 256")
    write(
        f"loops/{name}",
        handed_in(
            official,
            SOLVED
            | {
                "00.1": "def to_unit_range(pixels):\n    while True:\n        try: pixels + 1\n        except Exception: pass",
            },
            before="while True: pass",
        ),
        ["failed", "passed", "passed"],
        "does a loop never end?",
    )
    write(
        f"eater/{name}",
        handed_in(
            official,
            SOLVED
            | {
                "00.2": f"def share_of_zeros(images):\n    {EATER.replace(chr(10), chr(10) + '    ')}"
            },
        ),
        ["passed", "failed", "passed"],
        "memory limit was reached in exercise 00.2",
    )
    if SEALED:  # elsewhere it would do what it says
        write(
            f"destroyer/{name}",
            handed_in(official, SOLVED, before=destroyer([folder, outside])),
            RIGHT,
        )
    write(
        f"forger/{name}",
        handed_in(official, WRONG, before=FORGED + PATCHED, after=FORGED_ANSWER),
        ["failed"] * 3,
        "255, not 256",
    )
    write(
        "stripped/homework.ipynb",
        handed_in(official, SOLVED, change=strip),
        RIGHT,
        "asks for the kernel 'julia-1.9'",
    )
    write(
        f"old/{name}",
        format_3(
            handed_in(
                official,
                SOLVED
                | {
                    "00.1": "def to_unit_range(pixels)\n    return pixels",
                    "00.2": "%time 1\nraise SystemExit",
                    "00.3": "answer = input()\n" + SOLVED["00.3"],
                },
                before=GIGABYTE,
            )
        ),
        ["not defined", "not defined", "not defined"],
        "(ValueError)",
    )
    write(
        f"killer/{name}",
        handed_in(official, SOLVED, before="import os\nos._exit(0)"),
        RIGHT,
        "the Python process ended in cell",
    )
    write(f"children/{name}", handed_in(official, SOLVED, before=CHILDREN), RIGHT)
    write(
        f"deleted/{name}",
        handed_in(official, SOLVED, change=without("00.2")),
        ["passed", "cell not found", "passed"],
        "no cell defines",
    )
    write(
        f"renamed/{name}",
        handed_in(official, SOLVED | {"00.2": SOLVED["00.2"].replace("share_of_zeros", "share")}),
        ["passed", "not defined", "passed"],
        "`share_of_zeros` is not defined",
    )
    return written


def not_run(folder, official):
    """Submissions that are settled without being run, and strangers' files."""
    correct, name = handed_in(official, SOLVED), OFFICIAL.name
    no_cells = nbformat.writes(nbformat.v4.new_notebook())
    unknown = nbformat.writes(
        nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("print('my poem')")])
    )
    nothing = ["not run"] * 3
    written = {
        f"broken/{name}": (correct[: len(correct) // 2], nothing, "broken JSON"),
        f"empty/{name}": ("", nothing, "the file is empty"),
        f"list/{name}": ("[1, 2]", nothing, "not a notebook"),
        f"deep/{name}": ("[" * 100_000, nothing, "broken JSON"),
        f"odd/{name}": ('{"cells": [{"cell_type": 3}], "metadata": []}', nothing, "not a notebook"),
        f"no_cells/{name}": (no_cells, nothing, "without code cells"),
        "poet/poem.ipynb": (unknown, [], "not recognised"),
        f"picture/{name}": ("\x89PNG\r\n\x1a\n\0", nothing, "broken JSON"),
    }
    for path, (text, _, _) in written.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    (folder / "huge").mkdir()
    with open(folder / "huge" / name, "wb") as huge:
        huge.truncate(60_000_000)
    (folder / "linked").mkdir()
    (folder / "linked" / name).symlink_to(folder / f"wrong/{name}")
    (folder / "essay.docx").write_text("not a notebook")
    (folder / "__MACOSX").mkdir()
    (folder / "__MACOSX" / f"._{name}").write_text("?")
    (folder / "wrong/.ipynb_checkpoints").mkdir(parents=True, exist_ok=True)
    (folder / f"wrong/.ipynb_checkpoints/{name}").write_text(correct)
    return {path: (statuses, words) for path, (_, statuses, words) in written.items()} | {
        f"huge/{name}": (nothing, "60 MB"),
        f"linked/{name}": (nothing, "symbolic link"),
    }


def fingerprint(*folders):
    """{path: digest of kind and content} of all that lies in folders."""
    found = {}
    for path in (path for folder in folders for path in folder.rglob("*")):
        if "__pycache__" not in path.parts:
            content = (
                os.readlink(path).encode()
                if path.is_symlink()
                else path.read_bytes()
                if path.is_file()
                else b"folder"
            )
            found[path] = hashlib.sha256(content).hexdigest()
    return found


@pytest.fixture(scope="module", autouse=True)
def scratch(tmp_path_factory):
    """All copies of submissions lie below a folder of this run, so that it knows its own processes."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("scratch")
        patch.setenv("TMPDIR", str(folder))
        patch.setattr(tempfile, "tempdir", None)
        yield folder


def in_grading():
    """The processes of submissions that this run of the tests has started."""
    found = []
    for process in psutil.process_iter():
        try:
            known = process.environ()
            found += (
                [process]
                if "COURSE_GRADING" in known and known["HOME"].startswith(os.environ["TMPDIR"])
                else []
            )
        except (psutil.Error, OSError):
            pass
    return found


def read_csv(file):
    with open(file, encoding="utf-8-sig", newline="") as text:
        return {row["submission"]: row for row in csv.DictReader(text)}


def graded(folder, official, cell_seconds):
    """Grade a folder; (rows by path, exit status, seconds)."""
    marks = folder.parent / "marks.csv"
    begin = time.monotonic()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grading, "CELL_SHARE", cell_seconds / 300)
        status = main(
            ["grade", str(folder), "--csv", str(marks), "--seconds", "300", "--memory-mb", "1500"],
            official,
        )
    return read_csv(marks), status, time.monotonic() - begin


@pytest.fixture(scope="module")
def light(tmp_path_factory):
    return light_lesson(tmp_path_factory.mktemp("course") / "notebooks")


@pytest.fixture(
    scope="module", params=["quick", pytest.param("whole", marks=pytest.mark.every_submission)]
)
def class_of(request, light, tmp_path_factory):
    """A class graded once: expected, rows, status, the fingerprints before and after."""
    quick = request.param == "quick"
    place = tmp_path_factory.mktemp("class")
    folder, outside = place / "submissions", place / "teacher"
    outside.mkdir()
    (outside / "victim.txt").write_text("dear")
    expected = submissions(folder, light / OFFICIAL.name, outside, only=QUICK if quick else None)
    expected |= not_run(folder, light / OFFICIAL.name)
    before = fingerprint(folder, outside, light)
    rows, status, _ = graded(folder, light, cell_seconds=60 if quick else 20)
    return expected, rows, status, before, fingerprint(folder, outside, light)


def test_every_submission_has_its_row_and_the_command_succeeds(class_of):
    expected, rows, status, _, _ = class_of
    assert (set(rows), status) == (set(expected), 0)
    assert list(rows) == sorted(rows, key=lambda name: Path(name).parts)


def test_every_submission_has_the_right_marks_and_is_told_why(class_of):
    expected, rows, _, _, _ = class_of
    for name, (statuses, words) in expected.items():
        row = rows[name]
        assert [row[f"exercise {k}"] for k in range(1, len(statuses) + 1)] == statuses, (name, row)
        assert row["passed"] == (str(statuses.count("passed")) if statuses else ""), name
        assert words in " ".join(row.values()), (name, row)


@sealed
def test_nothing_outside_the_copies_is_touched(class_of):
    _, _, _, before, after = class_of
    assert before == after


def test_no_process_of_a_submission_is_left(class_of):
    assert not in_grading()


@pytest.mark.every_submission
def test_a_class_of_38_hands_in_notebook_00(tmp_path):
    folder, outside = tmp_path / "submissions", tmp_path / "teacher"
    outside.mkdir()
    (outside / "victim.txt").write_text("dear")
    expected = submissions(folder, OFFICIAL, outside) | not_run(folder, OFFICIAL)
    by_import = "import sys\nsys.path.insert(0, {tests!r})\nfrom wrong_answers.notebook_00 import WRONG\n{name} = WRONG[{name!r}][{k}][0]"
    names = {"00.1": "to_unit_range", "00.2": "share_of_zeros", "00.3": "add_noise"}
    for k in range(8):
        wrong = {
            e: by_import.format(tests=str(ROOT / "tests"), name=name, k=k)
            for e, name in names.items()
        }
        (folder / f"wrong {k}").mkdir()
        (folder / f"wrong {k}" / OFFICIAL.name).write_text(
            handed_in(OFFICIAL, wrong), encoding="utf-8"
        )
        expected[f"wrong {k}/{OFFICIAL.name}"] = (["failed"] * 3, "")
    more = {
        "bomb": (handed_in(OFFICIAL, SOLVED, after=BOMB), RIGHT, "processes were started"),
        "endless": (
            handed_in(
                OFFICIAL,
                SOLVED,
                after="import signal\nsignal.setitimer(signal.ITIMER_REAL, 0)\nwhile True: pass",
            ),
            RIGHT,
            "the time limit was reached in cell",
        ),
        "Ann": (handed_in(OFFICIAL, SOLVED), RIGHT, "same student and notebook as ann/"),
        "ann": (handed_in(OFFICIAL), ["not attempted"] * 3, "same student and notebook as Ann/"),
        "no kernel": (
            handed_in(OFFICIAL, SOLVED, change=lambda n: n.metadata.clear()),
            RIGHT,
            "names no kernel",
        ),
        "eats at once": (
            handed_in(OFFICIAL, SOLVED, before=EATER),
            RIGHT,
            "the memory limit was reached in cell",
        ),
        "=1+1": (handed_in(OFFICIAL, SOLVED), RIGHT, ""),
    }
    for name, (text, statuses, words) in more.items():
        (folder / name).mkdir()
        (folder / name / OFFICIAL.name).write_text(text, encoding="utf-8")
        expected[f"{name}/{OFFICIAL.name}"] = (statuses, words)
    watched = [folder, outside, *(ROOT / name for name in ("course_utils", "notebooks", "data"))]
    before = fingerprint(*watched)
    rows, status, seconds = graded(folder, ROOT / "notebooks", cell_seconds=20)
    rows = {name.removeprefix("'"): row for name, row in rows.items()}
    print(
        f"{len(rows)} submissions in {seconds:.0f} s; the slowest took {max(float(r['seconds']) for r in rows.values()):.0f} s."
    )
    assert (set(rows), status) == (set(expected), 0)
    for name, (statuses, words) in expected.items():
        assert [rows[name][f"exercise {k}"] for k in range(1, len(statuses) + 1)] == statuses, (
            name,
            rows[name],
        )
        assert words in " ".join(rows[name].values()), (name, rows[name])
    assert fingerprint(*watched) == before


def words_of(apart, code):
    """What a cell says in an exception of its own, the only words that come back."""
    return apart.ask("cell", source=code, seconds=20)["error"]


@sealed
def test_a_sealed_process_reads_and_writes_no_more_than_it_should(tmp_path):
    (tmp_path / "other student.txt").write_text("the right answer")
    solutions = ROOT / "notebooks" / "solutions"
    with SandboxedProcess(best_isolation(tmp_path), [tmp_path, solutions], 100, 3000) as apart:
        (apart.work / "work").mkdir()
        apart.ask("start", lesson="00", folder="work", seconds=100, megabytes=3000)
        for place in (tmp_path, solutions, Path.home() / ".ssh", Path("/run")):
            assert re.search(
                r"Exception: \[\]|FileNotFoundError",
                words_of(apart, f"import os\nraise Exception(os.listdir({str(place)!r}))"),
            )
        for place in (ROOT, Path("/etc"), Path(sys.prefix)):
            assert "Read-only" in words_of(apart, f"open({str(place / 'grading-was-here')!r}, 'w')")
        assert "unreachable" in words_of(
            apart, "import socket\nsocket.create_connection(('192.0.2.1', 80), 2)"
        )
        escape = "unshare --user --map-root-user --mount sh -c 'umount {0}; mount -o remount,bind,rw /; touch {1}/grading-was-here'; ls {0}"
        assert (
            words_of(
                apart,
                "import subprocess\nraise Exception(subprocess.run("
                f"{escape.format(solutions, ROOT)!r}, shell=True, stdout=-1, stderr=-3).stdout)",
            )
            == "Exception: b''"
        )
        assert not (ROOT / "grading-was-here").exists()


def test_without_isolation_limits_and_marks_are_the_same(light, tmp_path):
    file = tmp_path / "student" / OFFICIAL.name
    file.parent.mkdir()
    file.write_text(
        handed_in(light / OFFICIAL.name, SOLVED, before=CHILDREN if hasattr(os, "fork") else ""),
        encoding="utf-8",
    )
    one = submission(file, tmp_path, lessons(light))
    row = grading.grade(one, tmp_path, KINDS[-1], grading.Limits(120, 2000))
    assert [row.results[number][0] for number in SOLVED] == RIGHT
    assert not in_grading()


def test_a_weaker_isolation_is_chosen_and_named_where_the_stronger_fails(tmp_path):
    lies = isolation.Isolation("sealed, it says", files=True)  # starts, and protects nothing
    fails = isolation.Isolation("does not start", ("no-such-program",), files=True)
    assert best_isolation(tmp_path, [fails, lies, KINDS[-1]]) is KINDS[-1]
    assert "NOT PROTECTED" in KINDS[-1].said
    with pytest.raises(RuntimeError, match="No submission can be run here"):
        best_isolation(tmp_path, [fails])


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has name spaces")
def test_the_program_that_seals_files_refuses_where_others_would_be_sealed_in(tmp_path):
    before = Path("/proc/self/mountinfo").read_text()
    for config in (
        {"mounts outside": os.readlink("/proc/self/ns/mnt")},
        {"mounts outside": "others"},
    ):
        config |= {"files": True, "open": str(tmp_path), "keep": [], "hide": []}
        command = [
            sys.executable,
            str(ROOT / "course_tools/grading/sandbox.py"),
            json.dumps(config),
            "true",
        ]
        assert (
            "for all who share its mounts"
            in subprocess.run(command, capture_output=True, text=True).stderr
        )
    assert Path("/proc/self/mountinfo").read_text() == before


@sealed
def test_a_submission_ends_when_the_grading_is_killed(tmp_path):
    code = (
        "from pathlib import Path; from course_tools.grading.isolation import *; import sys\n"
        f"apart = SandboxedProcess(best_isolation(Path({str(tmp_path)!r})), [], 100, 3000).__enter__(); (apart.work / 'w').mkdir()\n"
        "apart.ask('start', lesson='00', folder='w', seconds=100, megabytes=3000); print(apart.scratch.name, flush=True)\n"
        "apart.ask('cell', source='while True: pass', seconds=100)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    scratch = process.stdout.readline().strip()
    process.kill()
    process.communicate()
    for _ in range(200):
        if not in_grading():
            break
        time.sleep(0.1)
    assert not in_grading()
    shutil.rmtree(scratch)


def test_an_interrupt_keeps_the_rows_that_are_finished(light, tmp_path):
    folder, marks = tmp_path / "submissions", tmp_path / "marks.csv"
    for name, before in (("a", ""), ("b", "while True: pass"), ("c", "")):
        (folder / name).mkdir(parents=True)
        (folder / name / OFFICIAL.name).write_text(
            handed_in(light / OFFICIAL.name, SOLVED, before=before), encoding="utf-8"
        )
    # a shell that starts a program in the background lets it ignore Ctrl-C: here it must not
    heed = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    code = f"{heed}; from pathlib import Path; from course_tools.grading.__main__ import main; raise SystemExit(main({['grade', str(folder), '--csv', str(marks)]}, Path({str(light)!r})))"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    seen = ""
    while " a/" not in seen:
        line = process.stdout.readline()
        assert line, seen
        seen += line
    process.send_signal(subprocess.signal.SIGINT)
    rest = process.communicate(timeout=300)[0]
    assert (process.returncode, "Interrupted" in rest) == (130, True)
    rows = read_csv(marks)
    assert [(row["passed"], row["exercise 1"]) for row in rows.values()] == [
        ("3", "passed"),
        ("0", "not run"),
        ("0", "not run"),
    ]
    assert not in_grading()


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["{folder}/none", "--csv", "{folder}/marks.csv"], "is not a folder"),
        (["{folder}/empty", "--csv", "{folder}/marks.csv"], "holds no notebook"),
        (["{folder}/strangers", "--csv", "{folder}/marks.csv"], "holds no notebook"),
        (["{folder}/class", "--csv", "{folder}/empty"], "is a folder"),
        (["{folder}/class", "--csv", "{folder}/essay.txt/marks.csv"], "cannot be written"),
        (["{folder}/class", "--csv", "/proc/marks.csv"], "cannot be written"),
        (["{folder}/class"], "--csv"),
        (["{folder}/class", "--csv", "{folder}/marks.csv", "--seconds", "0"], "at least 1"),
        (["{folder}/class", "--csv", "{folder}/marks.csv", "--memory-mb", "5"], "at least 500"),
        (["{folder}/class", "--csv", "{folder}/marks.csv", "--jobs", "0"], "at least 1"),
        (["{folder}/class", "--csv", "{folder}/marks.csv", "--seconds", "soon"], "invalid float"),
    ],
)
def test_a_wrong_command_line_is_told_before_anything_runs(
    arguments, words, light, tmp_path, capsys, monkeypatch
):
    if any("/proc" in word for word in arguments) and sys.platform != "linux":
        pytest.skip("/proc is a thing of Linux")
    for name in ("empty", "strangers", "class"):
        (tmp_path / name).mkdir()
    (tmp_path / "strangers" / "essay.docx").write_text("Once")
    (tmp_path / "essay.txt").write_text("Once")
    (tmp_path / "class" / OFFICIAL.name).write_text(
        handed_in(light / OFFICIAL.name), encoding="utf-8"
    )
    monkeypatch.setattr(
        SandboxedProcess, "__enter__", lambda self: pytest.fail("a submission was run")
    )
    with pytest.raises(SystemExit) as stop:
        main(["grade", *(word.format(folder=tmp_path) for word in arguments)], light)
    assert stop.value.code == 2
    assert words in capsys.readouterr().err


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read and write everything"
)
def test_files_without_permission_are_told(light, tmp_path, capsys):
    file = tmp_path / OFFICIAL.name
    file.write_text(handed_in(light / OFFICIAL.name))
    file.chmod(0)
    assert "cannot be read" in submission(file, tmp_path, lessons(light)).notes[0]
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(SystemExit):
        main(["grade", str(tmp_path), "--csv", str(tmp_path / "locked" / "marks.csv")], light)
    assert "cannot be written" in capsys.readouterr().err


@pytest.mark.parametrize("left", ["tags", "calls", "cells", "title", "file name"])
def test_a_notebook_is_recognised_by_whatever_is_left_of_it(left):
    official = lessons()
    for lesson in official[1:3]:
        cells = [
            dict(cell, metadata={"tags": []})
            for cell in nbformat.read(lesson.file, as_version=4).cells
        ]
        code = [cell for cell in cells if cell["cell_type"] == "code"]
        cells, stem = {
            "tags": ([dict(code[0], metadata={"tags": [f"exercise-{lesson.number}.1"]})], "x"),
            "calls": ([cell for cell in code if "check." in cell["source"]], "x"),
            "cells": ([cell for cell in code if "check." not in cell["source"]], "x"),
            "title": (cells[:1], "x"),
            "file name": ([], f"smith_{lesson.file.stem.upper()} (1)"),
        }[left]
        assert identify(cells, stem, official) is lesson
        common = [
            {"cell_type": "code", "source": text, "metadata": {"tags": []}}
            for text in ("plt.show()", "import torch")
        ]
        assert identify(common, "poem", official) is None


def test_files_side_by_side_name_the_student_and_leave_each_other_out(light, tmp_path):
    text = handed_in(light / OFFICIAL.name, SOLVED)
    for name in (
        "smith_ann_1234_00_start_here.ipynb",
        "00_start_here.ipynb",
        "smith_ann_1234_notes.txt",
    ):
        (tmp_path / name).write_text(text, encoding="utf-8")
    files, others = find(tmp_path)
    assert others == ["smith_ann_1234_notes.txt"]
    known = [submission(file, tmp_path, lessons(light)) for file in files]
    assert [one.student for one in known] == ["00_start_here", "smith_ann_1234"]
    grading.copy(known[1], tmp_path, tmp_path / "copy", Row.of_submission(known[1]))
    assert [path.name for path in (tmp_path / "copy").iterdir()] == [
        "smith_ann_1234_00_start_here.ipynb"
    ]


@pytest.mark.parametrize(
    "name",
    [
        "Ann Smith_4711_assignsubmission_file_/x.ipynb",
        "Ann Smith_4711_assignsubmission_file/x.ipynb",
        "Ann Smith_4711_assignsubmission_file_00_start_here.ipynb",
    ],
)
def test_what_moodle_puts_behind_a_name_is_left_out(light, tmp_path, name):
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(handed_in(light / OFFICIAL.name, SOLVED), encoding="utf-8")
    assert submission(file, tmp_path, lessons(light)).student == "Ann Smith"


def test_a_copy_holds_the_students_files_but_no_links_and_no_other_notebook(light, tmp_path):
    own = tmp_path / "ann"
    (own / "data").mkdir(parents=True)
    for name in (OFFICIAL.name, "second.ipynb", "helper.py", "data/points.csv"):
        (own / name).write_text(
            handed_in(light / OFFICIAL.name) if name.endswith("ipynb") else "1", encoding="utf-8"
        )
    (own / "link.txt").symlink_to("/etc/hostname")
    (own / "loop").symlink_to(tmp_path, target_is_directory=True)
    if hasattr(os, "mkfifo"):
        os.mkfifo(own / "pipe")
    one = submission(own / OFFICIAL.name, tmp_path, lessons(light))
    grading.copy(one, tmp_path, tmp_path / "copy", Row.of_submission(one))
    copied = sorted(
        path.relative_to(tmp_path / "copy").as_posix() for path in (tmp_path / "copy").rglob("*")
    )
    assert copied == [OFFICIAL.name, "data", "data/points.csv", "helper.py"]


def test_only_calls_of_checks_leave_a_cell():
    assert (
        without_checks("f = 1\ncheck.f(\n    f)\nx = check.f(f)\nprint(f)")
        == "f = 1\n\n\nx = check.f(f)\nprint(f)"
    )
    assert without_checks("%time 1\ncheck.f(f)") == "%time 1\ncheck.f(f)"


def test_exercise_names_are_defined_nowhere_else_in_a_lesson():
    for lesson in lessons():
        for name in lesson.exercises.values():
            for source in lesson.sources:
                assert not re.search(
                    rf"^(def|class)\s+{name}\b|^{name}\s*=|import.*\b{name}\b", source, re.MULTILINE
                ), (lesson.title, name)


@pytest.mark.parametrize(
    "text, shown",
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'=1"),
        ("\n=1", "'=1"),
        (" =1", "'=1"),
        ("two\nlines", "two lines"),
        ("bell\a", "bell\\u0007"),
        ("half\udcff", "half\\udcff"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("稀疏", "稀疏"),
    ],
)
def test_no_cell_of_the_table_is_a_formula_or_breaks_a_line(text, shown):
    assert harmless(text) == shown


def test_the_table_of_exercises_shows_where_a_class_struggles():
    rows = [
        Row("a", "a", "00", ["00.1", "00.2"], {"00.1": ("passed", ""), "00.2": ("failed", "")}),
        Row(
            "b",
            "b",
            "00",
            ["00.1", "00.2"],
            {"00.1": ("passed", ""), "00.2": ("cell not found", "")},
        ),
        Row("c", "c"),
    ]
    lines = [line.split() for line in summary(rows).splitlines()[1:]]
    assert lines == [["00.1", "2", "0", "0", "0"], ["00.2", "0", "1", "0", "1"]]


def test_a_table_that_a_spreadsheet_has_locked_is_written_beside_it(tmp_path, monkeypatch):
    def locked(file, rows, write=write_csv):
        if file.name == "marks.csv":
            raise PermissionError(13, "locked")
        write(file, rows)

    monkeypatch.setattr("course_tools.grading.marks.write_csv", locked)
    assert save(tmp_path / "marks.csv", [Row("a/x.ipynb", "a")]) == tmp_path / "marks-new.csv"
    assert list(read_csv(tmp_path / "marks-new.csv")) == ["a/x.ipynb"]


def test_names_that_differ_by_case_only_name_each_other(tmp_path):
    rows = [
        Row("Ann/x.ipynb", "Ann", "00"),
        Row("ann/x.ipynb", "ann", "00"),
        Row("ann/y.ipynb", "ann", "01"),
    ]
    name_clashes(rows)
    name_clashes(rows)
    assert [row.note for row in rows] == [
        "same student and notebook as ann/x.ipynb",
        "same student and notebook as Ann/x.ipynb",
        "",
    ]
    write_csv(tmp_path / "marks.csv", rows)
    assert len(read_csv(tmp_path / "marks.csv")) == 3


def test_a_file_name_with_every_odd_character_survives(light, tmp_path):
    name = b"quote \" ' comma , new\nline \xff emoji \xf0\x9f\x98\x80.ipynb"
    try:
        (tmp_path / os.fsdecode(name)).write_text(
            handed_in(light / OFFICIAL.name), encoding="utf-8"
        )
    except (OSError, UnicodeError):
        pytest.skip("this system has no such file names")
    one = submission(find(tmp_path)[0][0], tmp_path, lessons(light))
    write_csv(tmp_path / "marks.csv", [Row.of_submission(one)])
    assert list(read_csv(tmp_path / "marks.csv")) == [
        "quote \" ' comma , new line \\udcff emoji 😀.ipynb"
    ]
    assert plain(one.name) in list(read_csv(tmp_path / "marks.csv"))


@pytest.mark.skipif(sys.platform != "linux", reason="a promise of Linux")
def test_even_without_isolation_a_submission_gains_nothing_from_sudo(tmp_path):
    with SandboxedProcess(KINDS[-1], [], 60, 2000) as apart:
        (apart.work / "work").mkdir()
        apart.ask("start", lesson="00", folder="work", seconds=60, megabytes=2000)
        lines = "open('/proc/self/status').read().split()"
        assert (
            words_of(apart, f"raise Exception({lines}[{lines}.index('NoNewPrivs:') + 1])")
            == "Exception: 1"
        )


def test_a_process_that_prints_answers_of_its_own_is_not_believed(tmp_path):
    with SandboxedProcess(KINDS[-1], [], 60, 1000) as apart:
        apart.nonce = ""
        with pytest.raises(Stopped):
            apart.process.kill()
            apart.ask("probe", outside=[])


def test_every_lesson_has_a_source_notebook_with_as_many_points_as_stars(tmp_path):
    for file, lesson in zip(export_course(tmp_path), lessons(), strict=True):
        notebook = nbformat.read(file, as_version=4)
        nbformat.validate(notebook)
        cells = [cell for cell in notebook.cells if "nbgrader" in cell.metadata]
        assert [cell.metadata.nbgrader.grade for cell in cells] == [False, True] * len(
            lesson.exercises
        )
        assert all(1 <= cell.metadata.nbgrader.points <= 3 for cell in cells[1::2])
        for cell in cells[::2]:
            before, answer, _ = re.split(r"### (?:BEGIN|END) SOLUTION\n?", cell.source)
            assert (
                answer.strip()
                and "NotImplementedError" not in cell.source
                and before.strip().startswith(("def", "class"))
            ), file


def test_nbgrader_makes_the_students_version_and_marks_it(light, tmp_path, monkeypatch):
    pytest.importorskip("nbgrader")
    from nbgrader.apps import NbGraderAPI
    from traitlets.config import Config

    answers = {f"exercise-{number}": source for number, source in SOLVED.items()}
    solved = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_code_cell(source + "\n\n\ncheck.x(x)", metadata={"tags": [tag]})
            for tag, source in answers.items()
        ]
    )
    nbformat.write(solved, light / "solutions" / "00_start_here_solutions.ipynb")
    export_course(tmp_path / "source", light)
    for name in ("HOME", "JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.setenv(
        "PATH", str(Path(sys.executable).parent), prepend=os.pathsep
    )  # nbgrader calls `alembic` by name
    (tmp_path / "exchange").mkdir()
    config = Config()
    config.Exchange.root = str(tmp_path / "exchange")
    config.CourseDirectory.root = str(tmp_path)
    config.ExecutePreprocessor.timeout = 120
    api = NbGraderAPI(config=config)
    with pytest.raises(ValueError, match="is there already"):
        export_course(tmp_path / "source", light)
    assert api.generate_assignment("00_start_here")["success"]
    release = nbformat.read(tmp_path / "release/00_start_here/00_start_here.ipynb", as_version=4)
    text = "\n".join(cell.source for cell in release.cells)
    assert "/ 255" not in text and text.count("raise NotImplementedError()") == 3
    for cell in release.cells:  # a student who solves two, and cheats at the tests
        if cell.metadata.get("nbgrader", {}).get("grade_id") in ("exercise-00-1", "exercise-00-3"):
            cell.source = SOLVED["00." + cell.metadata.nbgrader.grade_id[-1]]
        elif cell.metadata.get("nbgrader", {}).get("grade"):
            cell.source = "pass"
    submitted = tmp_path / "submitted/ann/00_start_here"
    submitted.mkdir(parents=True)
    nbformat.write(release, submitted / "00_start_here.ipynb")
    assert api.autograde("00_start_here", "ann")["success"]
    with api.gradebook as book:
        graded_notebook = book.find_submission("00_start_here", "ann").notebooks[0]
        assert {g.name: (g.auto_score, g.max_score) for g in graded_notebook.grades} == {
            "test-00-1": (1, 1),
            "test-00-2": (0, 1),
            "test-00-3": (2, 2),
        }
