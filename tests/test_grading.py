"""Grading: every submission gets its marks, whatever it does, and nothing else is touched.

pytest tests/test_grading.py                           a light lesson, quickly graded submissions
pytest -s -m every_submission tests/test_grading.py    all kinds, in notebook 00; half an hour
"""

import contextlib
import csv
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import nbformat
import psutil
import pytest

from course_tools.grading import __main__ as command
from course_tools.grading import grade as grading
from course_tools.grading import isolation, marks, sandbox
from course_tools.grading import submissions as handing
from course_tools.grading.isolation import best_isolation
from course_tools.grading.marks import Row
from course_tools.grading.nbgrader import export_course
from course_tools.grading.sandbox import SandboxedProcess
from course_tools.grading.submissions import exercise_of, lessons, submission
from course_utils.files import ROOT

OFFICIAL = ROOT / "notebooks" / "00_start_here.ipynb"
NAME = OFFICIAL.name
SOLVED = {
    "00.1": "def to_unit_range(pixels):\n    return pixels[:, None].float() / 255",
    "00.2": "def share_of_zeros(images):\n    return (images == 0).float().mean(dim=(1, 2, 3))",
    "00.3": "def add_noise(x, sigma, seed):\n"
    "    return x + sigma * torch.randn(x.shape, generator=torch.Generator().manual_seed(seed))",
}
MISTAKES = {"/ 255": "/ 256", "== 0": "!= 0", "+ sigma": "+ 2 * sigma"}
WRONG = {
    number: source.replace(*mistake)
    for (number, source), mistake in zip(SOLVED.items(), MISTAKES.items())
}
BUBBLEWRAP = best_isolation(Path(__file__).parent)[0]
ORDINARY = 54321  # the number of an account that nobody has
sealed = pytest.mark.skipif(not BUBBLEWRAP, reason="bubblewrap is missing or forbidden here")
linux = pytest.mark.skipif(sys.platform != "linux", reason="a promise of Linux")


def handed_in(official, answers=None, before="", after="", change=None):
    """The text of the official notebook with answers {exercise: source} and cells around them."""
    notebook = nbformat.read(official, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        if answers and exercise_of(cell) in answers:
            check = cell.source.rsplit("\n", 1)[1]
            cell.source = f"{answers[exercise_of(cell)]}\n\n{check}"
    first = next(k for k, cell in enumerate(notebook.cells) if exercise_of(cell))
    if after:
        notebook.cells.append(nbformat.v4.new_code_cell(after))
    if before:
        notebook.cells.insert(first, nbformat.v4.new_code_cell(before))
    if change:
        change(notebook)
    return nbformat.writes(notebook)


def write(file, content=""):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content, encoding="utf-8")
    return file


def strip(notebook):
    """As other programs leave a notebook: no ids, no tags, another kernel."""
    notebook.nbformat_minor = 4
    kernel = {"name": "julia-1.9", "language": "julia", "display_name": "Julia"}
    notebook.metadata = nbformat.from_dict({"kernelspec": kernel})
    for cell in notebook.cells:
        cell.pop("id", None)
        cell.metadata = {}


def typed(lines):
    """A change that puts lines above the imports, in the same cell."""

    def change(notebook):
        cell = next(cell for cell in notebook.cells if "import torch" in cell.source)
        cell.source = f"{lines}\n{cell.source}"

    return change


def delete_the_second(notebook):
    notebook.cells = [cell for cell in notebook.cells if exercise_of(cell) != "00.2"]


FORGED = """
class check:
    @staticmethod
    def to_unit_range(f): print("✓ Exercise 00.1 (From bytes to the unit range): correct.")
    share_of_zeros = add_noise = to_unit_range
import course_utils.exercises.core as core, course_utils.exercises.notebook_00 as checks
core.outcome = lambda *a: ("passed", "correct.")
core.expect = core.expect_close = checks.expect = checks.expect_close = lambda *a, **k: None
right = core.Result("00.1", "", "passed", "correct.", 1, 1)
checks.to_unit_range = checks.share_of_zeros = checks.add_noise = lambda *a: right
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
GIGABYTE = "for _ in range(1000): print('x' * 1_000_000)\nraise ValueError('y')"
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
EATER = "eaten = []\nwhile True: eaten.append(b'x' * 200_000_000)"
NO_ALARM = "import signal\nsignal.setitimer(signal.ITIMER_REAL, 0)\nwhile True: pass"
LOOP = """def to_unit_range(pixels):
    while True:
        try: pixels + 1
        except Exception: pass"""
DESTROYER = """
import glob, os, shutil
from pathlib import Path
for victim in [".", "..", *glob.glob("../*"), *VICTIMS]:
    for path in [Path(victim), *Path(victim).rglob("*")]:
        try: path.is_file() and path.write_text("destroyed")
        except OSError: pass
    shutil.rmtree(victim, ignore_errors=True)
    try: os.remove(victim)
    except OSError: pass
"""
RIGHT, NOT_RUN = ["passed"] * 3, ["not run"] * 3
TYPED = {  # what people have above their imports, in the same cell; the note that it leaves
    "inline": ("%matplotlib inline\n%config InlineBackend.figure_format = 'retina'", ""),
    "widget": ("%matplotlib widget\n%matplotlib notebook\n%matplotlib qt\n%pylab inline", None),
    "reloads": ("%load_ext autoreload\n%autoreload 2\n%who\n%reset -f", ""),
    "installs": (
        "!pip install -q no-such-package",
        "skipped !pip install -q no-such-package (exit",
    ),
    "installs by magic": ("%pip install no-such-package\n%conda install x", "skipped %conda inst"),
    "looks": ("!no-such-program\nfiles = !ls\n!sleep 1 &\nlen?\n?len", "skipped !no-such-program"),
    "times": ("%%time\n%time y = 1", ""),
    "extends": ("%load_ext no_such_extension\n%no_such_magic", "skipped %no_such_magic (Line magi"),
    "unknown": ("%%no_such_magic --x", "skipped %%no_such_magic --x (unknown here"),
    "calls": ("get_ipython().system('ls')\nget_ipython().run_line_magic('matplotlib', 'tk')", ""),
    "asks": ("import getpass\ndisplay(input('Name: ') + getpass.getpass())", "got an empty line"),
    "leaves": ("breakpoint()\nquit()\nexit()\nexit", ""),
    "waits": ("import asyncio\nawait asyncio.sleep(0)", ""),
    "draws": (
        "import matplotlib\nmatplotlib.use('TkAgg')\nfrom matplotlib import pyplot as plt\n"
        "plt.plot([1, 2])\nplt.show(block=True)\nplt.switch_backend('WebAgg')\nplt.show()",
        "",
    ),
    "shows": ("from ipywidgets import interact\ninteract(lambda x: x, x=(0, 3))\ndisplay(3)", ""),
}
SETTINGS = {  # what cells leave behind before a right answer
    "no gradients": "torch.set_grad_enabled(False)",
    "inference": "context = torch.inference_mode()\ncontext.__enter__()",
    "double": "torch.set_default_dtype(torch.float64)",
    "meta": "torch.set_default_device('meta')",
    "deterministic": "torch.use_deterministic_algorithms(True)\ntorch.set_num_threads(1)",
    "anomaly": "torch.autograd.set_detect_anomaly(True)",
    "half": "torch.autocast('cpu', dtype=torch.bfloat16).__enter__()",
    "seeds": "import random\ntorch.manual_seed(7)\nrandom.seed(7)",
    "raises": "import numpy, warnings\nnumpy.seterr(all='raise')\nwarnings.simplefilter('error')",
    "no folder": "import os\nos.mkdir('a')\nos.chdir('a')\nos.rmdir('../a')",
    "elsewhere": "import os, locale\nos.chdir('/')\nlocale.setlocale(locale.LC_ALL, 'C')",
    "lost output": "import io, sys\nsys.stdout = io.TextIOWrapper(io.BytesIO(), 'ascii')",
    "closed output": "import sys\nsys.stdout.close()\nsys.stderr = None",
    "no null device": "import os\nos.devnull = '/nowhere/null'",
    "shallow": "import sys\nsys.setrecursionlimit(60)",
    "names": "len = list = sum = max = 3",
    "patched": "torch.manual_seed = torch.randn_like = torch.random.fork_rng = torch.rand = None\n"
    "import math, random, numpy as np\nmath.pi, np.random.seed, random.random = 3.0, None, None",
}
PENALTY = """def one_sided_penalty(discriminator, x):
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(discriminator(x).sum(), x, create_graph=True)
    return (gradient.flatten(1).norm(dim=1) - 1).clamp_min(0).square().mean()"""
SHOWING = "    display(x)\n    print('✓ Ω', get_ipython())\n    return x + sigma"


def cases(official, victims, slow):
    """{path: (text, statuses, words of the row)}; the slow ones come to a limit."""

    def one(answers=None, **cells):
        return handed_in(official, SOLVED | (answers or {}), **cells)

    destroy = DESTROYER.replace("VICTIMS", repr([str(victim) for victim in victims]))
    poem = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("print('my poem')")])
    forged = handed_in(official, WRONG, before=FORGED, after=FORGED_ANSWER)
    without = ["passed", "cell not found", "passed"]
    found = {
        f"untouched/{NAME}": (handed_in(official), ["not attempted"] * 3, ""),
        f"wrong/{NAME}": (handed_in(official, WRONG), ["failed"] * 3, "255, not 256"),
        f"forger/{NAME}": (forged, ["failed"] * 3, "255, not 256"),
        f"killer/{NAME}": (one(before="import os; os._exit(0)"), RIGHT, "process ended in cell"),
        "stripped/homework.ipynb": (one(change=strip), RIGHT, "asks for the kernel 'julia-1.9'"),
        f"deleted/{NAME}": (one(change=delete_the_second), without, "no cell defines"),
        f"broken/{NAME}": (one()[:2000], NOT_RUN, "broken JSON"),
        f"empty/{NAME}": ("", NOT_RUN, "the file is empty"),
        f"deep/{NAME}": ("[" * 100_000, NOT_RUN, "broken JSON"),
        f"odd/{NAME}": ('{"cells": [{"cell_type": 3}]}', NOT_RUN, "not a notebook"),
        f"no cells/{NAME}": ('{"cells": []}', NOT_RUN, "without code cells"),
        f"large/{NAME}": (" " * 60_000_000, NOT_RUN, "60 MB"),
        "poet/poem.ipynb": (nbformat.writes(poem), [], "not recognised"),
    }
    if BUBBLEWRAP:  # elsewhere it would do what it says
        found[f"destroyer/{NAME}"] = (one(before=destroy), RIGHT, "")
    if not slow:
        return found
    loops = one({"00.1": LOOP}, before="while True: pass")
    eats = "def share_of_zeros(images):\n    " + EATER.replace("\n", "\n    ")
    syntax = "def to_unit_range(pixels)\n    return pixels"
    asks = "answer = input()\n" + SOLVED["00.3"]
    old = one({"00.1": syntax, "00.2": "%time 1\nraise SystemExit", "00.3": asks}, before=GIGABYTE)
    old = json.dumps(nbformat.convert(nbformat.reads(old, as_version=4), 3))
    first, second = ["failed", "passed", "passed"], ["passed", "failed", "passed"]
    return found | {
        'Zoë O\'Hara "the 1st"/notebook – final (2).ipynb': (loops, first, "a loop never end?"),
        f"=endless/{NAME}": (one(after=NO_ALARM), RIGHT, "time limit was reached in cell"),
        f"eater/{NAME}": (one({"00.2": eats}), second, "memory limit was reached in exercise 00.2"),
        f"eats at once/{NAME}": (one(before=EATER), RIGHT, "memory limit was reached in cell"),
        f"old/{NAME}": (old, ["not defined", "not defined", "passed"], "(ValueError)"),
        f"bomb/{NAME}": (one(after=BOMB), RIGHT, "processes were started"),
    }


def fingerprint(*folders):
    """{path: digest of its content} of all that lies in folders."""
    found = {}
    for path in (path for folder in folders for path in folder.rglob("*")):
        if "__pycache__" not in path.parts:
            content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
            found[path] = hashlib.sha256(content).hexdigest()
    return found


@pytest.fixture(scope="module", autouse=True)
def scratch(tmp_path_factory):
    """All copies of submissions lie below a folder of this run: it knows its own processes."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("scratch")
        patch.setenv("TMPDIR", str(folder))
        patch.setattr(tempfile, "tempdir", None)
        yield folder


def in_grading(scratch=None):
    """The marks of processes of submissions that this run of the tests has started."""
    variables = (process.info["environ"] or {} for process in psutil.process_iter(["environ"]))
    known = (one.get("COURSE_GRADING", "") for one in variables)
    return [mark for mark in known if mark.startswith(str(scratch or os.environ["TMPDIR"]))]


def read_csv(file):
    with open(file, encoding="utf-8-sig", newline="") as text:
        return {row["submission"].removeprefix("'"): row for row in csv.DictReader(text)}


def a_class_is_graded(official, place, slow, cell_seconds, *watched):
    """Every submission has its row and the right marks; nothing that is watched has changed."""
    folder, table = place / "submissions", place / "marks.csv"
    watched = [folder, write(place / "teacher" / "victim.txt", "dear").parent, *watched]
    expected = cases(official / NAME, watched[:2], slow)
    for path, (text, _, _) in expected.items():
        write(folder / path, text)
    write(folder / "linked" / "a.txt").with_name(NAME).symlink_to(folder / "wrong" / NAME)
    expected[f"linked/{NAME}"] = ("", NOT_RUN, "symbolic link")
    for name in (f"__MACOSX/._{NAME}", f"wrong/.ipynb_checkpoints/{NAME}"):
        write(folder / name, "{}")
    before, arguments = fingerprint(*watched), ["--seconds", "300", "--memory-mb", "1500"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grading, "CELL_SHARE", cell_seconds / 300)
        arguments = ["grade", str(folder), "--csv", str(table), *arguments]
        assert command.main(arguments, official) == 0
    rows = read_csv(table)
    assert list(rows) == sorted(expected, key=lambda name: Path(name).parts)
    for name, (_, statuses, words) in expected.items():
        row = rows[name]
        assert [row[f"exercise {k}"] for k in range(1, len(statuses) + 1)] == statuses, row
        assert row["passed"] == (str(statuses.count("passed")) if statuses else ""), row
        assert words in " ".join(row.values()), row
    assert not in_grading()
    if BUBBLEWRAP:
        assert fingerprint(*watched) == before


@pytest.fixture(scope="module")
def light(tmp_path_factory):
    """A course of one lesson: title, imports and exercises of notebook 00."""
    folder = tmp_path_factory.mktemp("course") / "notebooks"
    notebook = nbformat.read(OFFICIAL, as_version=4)
    notebook.cells = [c for c in notebook.cells if c.cell_type == "markdown" or exercise_of(c)]
    imports = "import torch\n\nfrom course_utils.exercises import notebook_00 as check"
    notebook.cells.insert(1, nbformat.v4.new_code_cell(imports))
    write(folder / "solutions" / "secret.py", "secret = 1")
    nbformat.write(notebook, folder / NAME)
    return folder


def test_every_submission_has_its_row_and_marks_and_touches_nothing(light, tmp_path):
    a_class_is_graded(light, tmp_path, False, 60, light)


@pytest.mark.every_submission
def test_a_class_with_every_kind_of_submission_hands_in_notebook_00(tmp_path):
    watched = [ROOT / name for name in ("course_utils", "notebooks", "data")]
    a_class_is_graded(OFFICIAL.parent, tmp_path, True, 20, *watched)


@contextlib.contextmanager
def started(bubblewrap, *hidden, lesson="00"):
    """A process apart that awaits cells of a lesson."""
    with SandboxedProcess(bubblewrap, hidden, 100, 3000) as apart:
        (apart.work / "work").mkdir()
        apart.ask("start", lesson=lesson, seconds=100, megabytes=3000)
        yield apart


def words_of(apart, code):
    """What a cell says in an exception of its own, the only words that come back."""
    return apart.ask("cell", source=code, seconds=20)["error"]


@sealed
def test_a_sealed_process_reads_and_writes_no_more_than_it_should(tmp_path):
    write(tmp_path / "other student.txt", "the right answer")
    solutions = ROOT / "notebooks" / "solutions"
    with started(BUBBLEWRAP, tmp_path, solutions) as apart:
        for place in (tmp_path, solutions, Path.home() / ".ssh", Path("/run")):
            words = words_of(apart, f"import os\nraise Exception(os.listdir({str(place)!r}))")
            assert words == "Exception: []" or "FileNotFoundError" in words, place
        for place in (ROOT, Path("/etc"), Path(sys.prefix), Path.home(), Path("/dev")):
            words = words_of(apart, f"open({str(place / 'grading-was-here')!r}, 'w')")
            assert "Read-only" in words, place
        connect = "import socket\nsocket.create_connection(('192.0.2.1', 80), 2)"
        assert "unreachable" in words_of(apart, connect)
        escape = (
            f"unshare --user --map-root-user --mount sh -c 'umount {solutions}; "
            f"mount -o remount,bind,rw /; touch {ROOT}/grading-was-here'; ls {solutions}"
        )
        run = f"subprocess.run({escape!r}, shell=True, stdout=-1, stderr=-3).stdout"
        assert words_of(apart, f"import subprocess\nraise Exception({run})") == "Exception: b''"
        assert not (ROOT / "grading-was-here").exists()


def test_without_isolation_limits_and_marks_are_the_same(light, tmp_path):
    before = CHILDREN if hasattr(os, "fork") else ""
    file = write(tmp_path / "ann" / NAME, handed_in(light / NAME, SOLVED, before=before))
    one = submission(file, tmp_path, lessons(light))
    row = grading.grade(one, tmp_path, "", 120, 2000, threading.Event())
    assert [row.results[number][0] for number in SOLVED] == RIGHT
    assert not in_grading()


def test_what_cannot_work_in_a_process_apart_is_skipped_and_the_cell_goes_on():
    with started("") as apart:
        for name, (lines, note) in TYPED.items():
            answer = apart.ask("cell", source=f"{lines}\ndone = {name!r}", seconds=60)
            assert answer["error"] == "", name
            assert words_of(apart, "raise Exception(done)") == f"Exception: {name}"
            if note is not None:
                assert note in " ".join(answer["notes"]), name
                assert bool(note) == bool(answer["notes"]), name


def test_a_cell_leaves_a_few_short_notes():
    source = "for k in range(9):\n    get_ipython().system(f'exit 1 # {k}' + 'x' * 10_000)"
    with started("") as apart:
        notes = apart.ask("cell", source=source, seconds=60)["notes"]
    assert len(notes) == 5 and all(len(note) < 200 for note in notes)


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)
def test_a_right_answer_passes_whatever_cells_before_have_set(setting):
    showing = SOLVED["00.3"].replace("    return x + sigma", SHOWING)
    with started("") as apart, started("", lesson="10") as second:
        for process, answers in ((apart, [*SOLVED.values(), showing]), (second, [PENALTY])):
            for source in ("import torch", setting, "\n".join(answers)):
                assert process.ask("cell", source=source, seconds=20)["error"] == ""
        checks = [(apart, "to_unit_range"), (apart, "share_of_zeros"), (apart, "add_noise")]
        for process, name in [*checks, (second, "one_sided_penalty")]:
            answer = process.ask("check", name=name, seconds=20)
            assert (answer["status"], answer["message"]) == ("passed", "correct."), name


@linux
def test_even_without_isolation_a_submission_gains_nothing_from_sudo():
    lines = "open('/proc/self/status').read().split()"
    with started("") as apart:
        code = f"raise Exception({lines}[{lines}.index('NoNewPrivs:') + 1])"
        assert words_of(apart, code) == "Exception: 1"


@linux
@pytest.mark.parametrize(
    "bwrap, words",
    [
        ("", "bubblewrap is not installed (try `sudo apt install bubblewrap`)"),
        ("echo 'bwrap: uid map: Permission denied' >&2; exit 1", "bwrap: uid map: Permission den"),
        ('while [ "$1" != -- ]; do shift; done; shift; exec "$@"', "it can write to"),
    ],
    ids=["missing", "forbidden", "protects nothing"],
)
def test_where_bubblewrap_does_not_work_the_teacher_is_told(bwrap, words, tmp_path, monkeypatch):
    if bwrap:
        write(tmp_path / "bwrap", f"#!/bin/sh\n{bwrap}\n").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    program, said = best_isolation(tmp_path)
    assert program == "" and words in said and "NETWORK AND FILES ARE NOT PROTECTED" in said


def test_other_systems_have_limits_only_and_say_so(tmp_path, monkeypatch):
    monkeypatch.setattr(isolation, "sys", SimpleNamespace(platform="darwin"))
    program, said = best_isolation(tmp_path)
    assert program == "" and "NOT PROTECTED" in said and "runs on Linux only" in said


def test_where_nothing_can_be_run_the_reason_is_given(tmp_path, monkeypatch):
    monkeypatch.setattr(sandbox, "RUNNER", tmp_path / "runner.py")
    with pytest.raises(RuntimeError, match="No submission can be run here: .*can't open file"):
        best_isolation(tmp_path)


def begun(code):
    """Python that runs some code in a process of its own and says what it prints."""
    command = [sys.executable, "-c", code]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)


@linux
@pytest.mark.parametrize("bubblewrap", [pytest.param(BUBBLEWRAP, marks=sealed), ""])
def test_a_submission_ends_when_the_grading_is_killed(bubblewrap):
    process = begun(
        "from course_tools.grading.sandbox import *\n"
        f"with SandboxedProcess({bubblewrap!r}, [], 100, 3000) as apart:\n"
        "    (apart.work / 'work').mkdir()\n"
        "    apart.ask('start', lesson='00', seconds=100, megabytes=3000)\n"
        "    print(apart.work, flush=True)\n"
        "    apart.ask('cell', source='while True: pass', seconds=100)"
    )
    folder = process.stdout.readline().strip()
    assert in_grading()
    process.kill()
    process.communicate()
    end = time.monotonic() + 20
    while in_grading() and time.monotonic() < end:
        time.sleep(0.1)
    assert not in_grading()
    shutil.rmtree(folder)


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_an_interrupt_keeps_the_rows_that_are_finished(jobs, light, tmp_path):
    folder, table = tmp_path / "submissions", tmp_path / "marks.csv"
    for name, before in (("a", ""), ("b", "while True: pass"), ("c", "")):
        write(folder / name / NAME, handed_in(light / NAME, SOLVED, before=before))
    # a shell that starts a program in the background lets it ignore Ctrl-C: here it must not
    process = begun(
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from pathlib import Path; from course_tools.grading.__main__ import main\n"
        f"arguments = {['grade', str(folder), '--csv', str(table), '--jobs', jobs]}\n"
        f"raise SystemExit(main(arguments, Path({str(light)!r})))"
    )
    while " a/" not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    rest = process.communicate(timeout=300)[0]
    assert (process.returncode, "Interrupted" in rest) == (130, True)
    found = [(row["passed"], row["exercise 1"]) for row in read_csv(table).values()]
    assert found == [("3", "passed"), ("0", "not run"), ("0", "not run")]
    assert not in_grading()


UNREAD = """
import sys
from pathlib import Path
from course_tools.grading import __main__ as command
from course_tools.grading.marks import Row
command.best_isolation = lambda folder: ("", "limits")
command.grade = lambda one, *rest: Row.of_submission(one)
folder, table, official = sys.argv[1:]
raise SystemExit(command.main(["grade", folder, "--csv", table], Path(official)))
"""


@linux
@pytest.mark.parametrize(
    "variables, output",
    [
        ({"PYTHONIOENCODING": "cp1252"}, "file"),
        ({"PYTHONIOENCODING": "ascii"}, "file"),
        ({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, "file"),
        ({}, "nobody"),
        ({}, "closed"),
        ({}, "/dev/full"),
    ],
)
def test_every_student_has_a_row_whatever_the_output_can_show(variables, output, light, tmp_path):
    folder, table = tmp_path / "Übung", tmp_path / "marks.csv"
    for student in ("Ω", "李雷", "Zoë", "b\udcff"):
        write(folder / student / NAME, handed_in(light / NAME))
    words = [sys.executable, "-c", UNREAD, str(folder), str(table), str(light)]
    if output == "closed":
        words = ["sh", "-c", 'exec "$@" >&-', "sh", *words]
    with open(tmp_path / "said.txt" if output == "file" else "/dev/full", "w") as file:
        stdout = subprocess.PIPE if output == "nobody" else file
        environment = os.environ | variables
        process = subprocess.Popen(words, stdout=stdout, stderr=-1, env=environment, cwd=ROOT)
        if output == "nobody":
            process.stdout.close()
        assert (process.stderr.read(), process.wait(100)) == (b"", 0)
    assert [row["of"] for row in read_csv(table).values()] == ["3"] * 4
    if "PYTHONIOENCODING" in variables:
        said = (tmp_path / "said.txt").read_bytes()
        assert b"\\u03a9/00_start" in said and b"\\u674e\\u96f7/00_start" in said
        assert b"marks.csv: 4 rows." in said


def honest(official):
    """{path: (text, statuses, words of the row)} of what people really hand in."""

    def one(answers=None, **cells):
        return handed_in(official, SOLVED | (answers or {}), **cells)

    found = {}
    for name, (lines, note) in TYPED.items():
        found[f"{name}/{NAME}"] = (one(change=typed(lines)), RIGHT, note or "")
    for name, setting in SETTINGS.items():
        found[f"{name}/{NAME}"] = (one(before=setting), RIGHT, "")
    shows = {"00.3": SOLVED["00.3"].replace("    return x + sigma", SHOWING)}
    for student in ("Ω", "李雷", "Zoë O'Hara", "=1+1", "b\udcff"):
        found[f"{student}/{NAME}"] = (one(shows), RIGHT, "")
    reads = "assert open('größe.txt').read() == open('größe.txt', encoding='utf-8').read()"
    return found | {
        f"reader/{NAME}": (one(before=reads), RIGHT, ""),
        f"bash/{NAME}": (one(before="%%bash\nls\nexit 3"), RIGHT, "(CalledProcessError)"),
        f"locked/{NAME}": (
            one(before="import os\nos.makedirs('a/b')\nos.chmod('a', 0)"),
            RIGHT,
            "",
        ),
    }


def named(official):
    """Right notebooks as platforms, file managers and whole courses name them."""
    names = [
        "ada/00_start_here (1).ipynb",
        "ada/00_start_here-Copy1.ipynb",
        "section1/ada/00_start_here.ipynb",
        "section1/grace/00_start_here.ipynb",
        "whole/notebooks/00_start_here.ipynb",
        "whole/notebooks/solutions/00_start_here_solutions.ipynb",
        "doejane_12345_678910_00_start_here-1.ipynb",
        "00 Start here_jdoe_attempt_2026-02-01-10-11-12_00_start_here.ipynb",
        "Ann Smith_4711_assignsubmission_file_/00_start_here.ipynb",
        "submitted/bitdiddle/00_start_here/00_start_here.ipynb",
    ]
    return {name: (handed_in(official, SOLVED), None, "") for name in names}


@pytest.fixture(scope="module")
def public(light):
    """A folder that every user may read, with the light lesson in it."""
    with tempfile.TemporaryDirectory(dir="/tmp", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        shutil.copytree(light, folder / "course")
        yield folder


def as_ordinary(folder):
    """Words before a command that run it as a user without an account and without rights.

    Where Python or the course lie in a folder of root's, the user is let into those only.
    """
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or not shutil.which("setpriv"):
        pytest.skip("only root can grade as another user too (with setpriv)")
    lines, after = [], []
    for k, place in enumerate({ROOT, Path(sys.prefix).resolve(), Path(sys.base_prefix).resolve()}):
        locked = [above for above in place.parents if not above.stat().st_mode & 0o001]
        if locked:
            lines += [f"mkdir -p {folder}/{k}", f"mount --bind {place} {folder}/{k}"]
            after += [f"mkdir -p {place}", f"mount --bind {folder}/{k} {place}"]
            after.insert(0, f"mountpoint -q {locked[-1]} || mount -t tmpfs tmpfs {locked[-1]}")
    user = f"setpriv --reuid {ORDINARY} --regid {ORDINARY} --clear-groups"
    script = "\n".join(["set -e", *lines, *after, f'exec {user} "$@"'])
    words = ["unshare", "--mount", "sh", "-c", script, "sh"]
    tried = subprocess.run([*words, sys.executable, "-c", "import torch"], capture_output=True)
    if tried.returncode:
        pytest.skip(f"no second user here: {tried.stderr.decode(errors='replace')[-200:]}")
    return words


ALIKE = """
import sys, types
from pathlib import Path
from course_tools.grading import __main__ as command, isolation
mode, official, *arguments = sys.argv[1:]
if mode == "limits only":
    isolation.shutil = types.SimpleNamespace(which=lambda name: None)
raise SystemExit(command.main(["grade", *arguments], Path(official)))
"""


def marks_in_each_mode(public, expected, seconds):
    """{(user, mode): rows} of a class; nothing outside is touched, no process or file is left."""
    official, folder, found = public / "course", public / f"class of {len(expected)}", {}
    for path, (text, *_) in expected.items():
        write(folder / path, text)
    for student in (path for path in folder.iterdir() if path.is_dir()):
        write(student / "größe.txt", "Ω\n")
    users = {"this user": []} if os.name == "nt" else {"root": [], "ordinary": as_ordinary(public)}
    for user, prefix in users.items():
        for mode in ["bubblewrap", "limits only"][not BUBBLEWRAP :]:
            place = public / f"{len(expected)} {user} {mode}"
            for name in ("home", "scratch"):
                write(place / name / "bait.txt", "dear").chmod(0o666)
            if prefix:
                for path in [place, *place.rglob("*")]:
                    os.chown(path, ORDINARY, ORDINARY)
            watched = (folder, official, place / "home", place / "scratch", ROOT / "course_utils")
            before, table = fingerprint(*watched), place / "marks.csv"
            limits = ["--seconds", str(seconds), "--memory-mb", "1500", "--jobs", "2"]
            arguments = [mode, str(official), str(folder), "--csv", str(table)]
            environment = {"HOME": str(place / "home"), "TMPDIR": str(place / "scratch")}
            subprocess.run(
                [*prefix, sys.executable, "-c", ALIKE, *arguments, *limits],
                env=os.environ | environment | {"PYTHONDONTWRITEBYTECODE": "1"},
                cwd=ROOT,
                check=True,
            )
            found[user, mode] = read_csv(table)
            assert not in_grading(place / "scratch")
            left = {path: fingerprint(*watched).get(path) for path in before}
            assert left == before and set(fingerprint(folder, place / "scratch")) <= set(before)
    return found


def they_are_alike(found, expected):
    """Each submission has the expected marks, and the same marks and messages in each mode."""
    modes = list(found)
    names = list(found[modes[0]])
    print("", *(f"{user}, {mode}" for user, mode in modes), sep=" | ")
    for name in names:
        print(name, *(found[mode][name]["passed"] or "-" for mode in modes), sep=" | ")
    for name, (_, statuses, words) in expected.items():
        for mode, rows in found.items():
            row = next(row for shown, row in rows.items() if shown == marks.plain(name))
            results = [row[f"exercise {k}"] for k in range(1, len(statuses or []) + 1)]
            assert statuses is None or results == statuses, (mode, row)
            assert words in " ".join(row.values()), (mode, row)
    ignored = {"seconds", "note"}
    for name in names:
        alike = [
            {k: v for k, v in rows[name].items() if k not in ignored} for rows in found.values()
        ]
        assert all(row == alike[0] for row in alike), name


@linux
def test_root_and_an_ordinary_user_give_the_same_marks_in_every_mode(public):
    lines = "%matplotlib inline\n!pip install -q no-such-package\n%no_such_magic"
    before = "\n".join([SETTINGS["meta"], SETTINGS["raises"], SETTINGS["lost output"]])
    text = handed_in(public / "course" / NAME, SOLVED, before=before, change=typed(lines))
    wrong = handed_in(public / "course" / NAME, WRONG)
    expected = {f"李雷/{NAME}": (text, RIGHT, "no-such"), f"Ω/{NAME}": (wrong, ["failed"] * 3, "")}
    they_are_alike(marks_in_each_mode(public, expected, 300), expected)


@linux
@pytest.mark.every_submission
def test_every_kind_of_submission_has_the_same_marks_from_everyone_in_every_mode(public):
    official = public / "course" / NAME
    expected = honest(official) | named(official) | cases(official, [public / "none"], True)
    del expected[f"destroyer/{NAME}"]  # with limits only it would do what it says
    they_are_alike(marks_in_each_mode(public, expected, 80), expected)


@pytest.mark.parametrize(
    "folder, options, words",
    [
        ("none", ["--csv", "marks.csv"], "is not a folder"),
        ("strangers", ["--csv", "marks.csv"], "holds no notebook"),
        ("class", ["--csv", "strangers"], "cannot be written"),
        ("class", ["--csv", "strangers/essay.docx/marks.csv"], "cannot be written"),
        ("class", [], "--csv"),
        ("class", ["--csv", "marks.csv", "--seconds", "0"], "at least 1"),
        ("class", ["--csv", "marks.csv", "--memory-mb", "5"], "at least 500"),
        ("class", ["--csv", "marks.csv", "--jobs", "soon"], "invalid int"),
    ],
)
def test_a_wrong_command_line_is_told_before_anything_runs(
    folder, options, words, light, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "strangers" / "essay.docx", "Once")
    write(tmp_path / "class" / NAME, handed_in(light / NAME))
    monkeypatch.setattr(command, "grade", lambda *_: pytest.fail("a submission was run"))
    with pytest.raises(SystemExit) as stop:
        command.main(["grade", folder, *options], light)
    assert stop.value.code == 2
    assert words in capsys.readouterr().err
    assert not Path("marks.csv").exists()


def test_an_official_lesson_that_was_changed_is_told_before_anything_runs(
    light, tmp_path, capsys, monkeypatch
):
    write(tmp_path / "class" / NAME, handed_in(light / NAME))
    changed = (light / NAME).read_text(encoding="utf-8").replace("check.to_unit_range(", "print(")
    write(tmp_path / "official" / NAME, changed)
    monkeypatch.setattr(command, "grade", lambda *_: pytest.fail("a submission was run"))
    given = ["grade", str(tmp_path / "class"), "--csv", str(tmp_path / "marks.csv")]
    with pytest.raises(SystemExit) as stop:
        command.main(given, tmp_path / "official")
    assert stop.value.code == 2
    assert "exercise 00.1 does not end in its check" in capsys.readouterr().err


def test_a_table_that_a_spreadsheet_has_locked_is_written_beside_it(tmp_path, monkeypatch):
    def locked(file, rows):
        if file.name == "marks.csv":
            raise PermissionError(13, "locked")
        marks.write_csv(file, rows)

    monkeypatch.setattr(command, "write_csv", locked)
    assert command.save(tmp_path / "marks.csv", [Row("a/x.ipynb", "a")]).name == "marks-new.csv"
    assert list(read_csv(tmp_path / "marks-new.csv")) == ["a/x.ipynb"]


@pytest.mark.parametrize("left", ["tags", "calls", "cells", "title", "file name", "nothing"])
def test_a_notebook_is_recognised_by_whatever_is_left_of_it(left):
    official = lessons()
    for lesson in official[1:3]:
        cells = nbformat.read(lesson.file, as_version=4).cells
        cells = [dict(cell, metadata={}) for cell in cells]
        code = [cell for cell in cells if cell["cell_type"] == "code"]
        common = [dict(code[0], source=text) for text in ("plt.show()", "import torch")]
        cells, stem = {
            "tags": ([dict(code[0], metadata={"tags": [f"exercise-{lesson.number}.1"]})], "x"),
            "calls": ([cell for cell in code if "check." in cell["source"]], "x"),
            "cells": ([cell for cell in code if "check." not in cell["source"]], "x"),
            "title": (cells[:1], "x"),
            "file name": (common, f"smith_{lesson.file.stem.upper()} (1)"),
            "nothing": (common, "poem"),
        }[left]
        assert handing.identify(cells, stem, official) is (None if left == "nothing" else lesson)


@pytest.mark.parametrize(
    "name, student",
    [
        (f"smith_ann_1234_{NAME}", "smith_ann_1234"),
        (NAME, OFFICIAL.stem),
        ("Ann Smith_4711_assignsubmission_file_/x.ipynb", "Ann Smith"),
        (f"Ann Smith_4711_assignsubmission_file_{NAME}", "Ann Smith"),
    ],
)
def test_the_student_is_named_by_folder_or_file(name, student, light, tmp_path):
    file = write(tmp_path / name, handed_in(light / NAME, SOLVED))
    assert submission(file, tmp_path, lessons(light)).student == student


def copied(file, folder, light):
    """The files beside a submission, and itself, that its process gets."""
    one, target = submission(file, folder, lessons(light)), folder / "copy"
    grading.copy(one, folder, target, Row.of_submission(one))
    return sorted(path.relative_to(target).as_posix() for path in target.rglob("*"))


def test_files_side_by_side_leave_each_other_out(light, tmp_path):
    file = write(tmp_path / f"ann_{NAME}", handed_in(light / NAME))
    write(tmp_path / f"bob_{NAME}", handed_in(light / NAME))
    write(tmp_path / "bob.txt")
    assert handing.find(tmp_path) == ([file, tmp_path / f"bob_{NAME}"], ["bob.txt"])
    assert copied(file, tmp_path, light) == [f"ann_{NAME}"]


def test_a_copy_holds_the_students_files_but_no_links_and_no_other_notebook(light, tmp_path):
    own = tmp_path / "ann"
    for name in (NAME, "second.ipynb", "helper.py", "data/points.csv"):
        write(own / name, handed_in(light / NAME))
    (own / "link.txt").symlink_to("/etc/hostname")
    (own / "loop").symlink_to(tmp_path, target_is_directory=True)
    if hasattr(os, "mkfifo"):
        os.mkfifo(own / "pipe")
    assert copied(own / NAME, tmp_path, light) == [NAME, "data", "data/points.csv", "helper.py"]


def test_only_calls_of_checks_leave_a_cell():
    source = "f = 1\ncheck.f(\n    f)\nx = check.f(f)\nprint(f)"
    assert handing.without_checks(source) == "f = 1\n\n\nx = check.f(f)\nprint(f)"
    assert handing.without_checks("%time 1\ncheck.f(f)") == "%time 1\ncheck.f(f)"


def test_exercise_names_are_defined_nowhere_else_in_a_lesson():
    for lesson in lessons():
        for name in lesson.exercises.values():
            defined = rf"^(def|class)\s+{name}\b|^{name}\s*=|import.*\b{name}\b"
            for source in lesson.sources:
                assert not re.search(defined, source, re.MULTILINE), (lesson.title, name)


@pytest.mark.parametrize(
    "text, shown",
    [("\t=SUM(A1)", "'=SUM(A1)"), ("two\nlines", "two lines"), ("稀疏\a", "稀疏\\u0007")],
)
def test_no_cell_of_the_table_is_a_formula_or_breaks_a_line(text, shown):
    assert marks.harmless(text) == shown


def test_a_file_name_with_every_odd_character_survives(light, tmp_path):
    name = b"quote \" ' comma , new\nline \xff emoji \xf0\x9f\x98\x80.ipynb"
    try:
        write(tmp_path / os.fsdecode(name), handed_in(light / NAME))
    except (OSError, UnicodeError):
        pytest.skip("this system has no such file names")
    one = submission(handing.find(tmp_path)[0][0], tmp_path, lessons(light))
    marks.write_csv(tmp_path / "marks.csv", [Row.of_submission(one)])
    shown = "quote \" ' comma , new line \\udcff emoji 😀.ipynb"
    assert list(read_csv(tmp_path / "marks.csv")) == [shown]


def test_the_table_of_exercises_shows_where_a_class_struggles():
    seen = {"a": ("passed", "failed"), "b": ("passed", "cell not found")}
    rows = [Row("c", "c")]
    for name, statuses in seen.items():
        results = {f"00.{k}": (status, "") for k, status in enumerate(statuses, 1)}
        rows.append(Row(name, name, "00", list(results), results))
    lines = [line.split() for line in marks.summary(rows).splitlines()[1:]]
    assert lines == [["00.1", "2", "0", "0", "0"], ["00.2", "0", "1", "0", "1"]]


def test_names_that_differ_by_case_only_name_each_other():
    first, second = lessons()[:2]
    handed = [("Ann", "x", first), ("ann", "x", first), ("ann", "y", second)]
    known = [
        handing.Submission(None, f"{who}/{name}", who, lesson=one) for who, name, one in handed
    ]
    marks.name_clashes(known)
    same = "same student and notebook as"
    assert [one.notes for one in known] == [[f"{same} ann/x"], [f"{same} Ann/x"], []]


def test_every_lesson_has_a_source_notebook_with_as_many_points_as_stars(tmp_path):
    for file, lesson in zip(export_course(tmp_path), lessons(), strict=True):
        notebook = nbformat.read(file, as_version=4)
        nbformat.validate(notebook)
        cells = [cell for cell in notebook.cells if "nbgrader" in cell.metadata]
        kinds = [cell.metadata.nbgrader.grade for cell in cells]
        assert kinds == [False, True] * len(lesson.exercises)
        assert all(1 <= cell.metadata.nbgrader.points <= 3 for cell in cells[1::2])
        for cell in cells[::2]:
            before, answer, _ = re.split(r"### (?:BEGIN|END) SOLUTION\n?", cell.source)
            assert answer.strip() and before.strip().startswith(("def", "class")), file
            assert "NotImplementedError" not in cell.source


def test_nbgrader_makes_the_students_version_and_marks_it(light, tmp_path, monkeypatch, capsys):
    pytest.importorskip("nbgrader")
    from nbgrader.apps import NbGraderAPI
    from traitlets.config import Config

    solved = nbformat.v4.new_notebook()
    for number, source in SOLVED.items():
        tags = {"tags": [f"exercise-{number}"]}
        cell = nbformat.v4.new_code_cell(f"{source}\n\n\ncheck.x(x)", metadata=tags)
        solved.cells.append(cell)
    nbformat.write(solved, light / "solutions" / "00_start_here_solutions.ipynb")
    assert command.main(["nbgrader", str(tmp_path / "source")], light) == 0
    with pytest.raises(SystemExit):
        command.main(["nbgrader", str(tmp_path / "source")], light)
    assert "is there already" in capsys.readouterr().err
    for name in ("HOME", "JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    binaries = str(Path(sys.executable).parent)
    monkeypatch.setenv("PATH", binaries, prepend=os.pathsep)  # nbgrader calls `alembic` by name
    (tmp_path / "exchange").mkdir()
    config = Config()
    config.Exchange.root = str(tmp_path / "exchange")
    config.CourseDirectory.root = str(tmp_path)
    config.ExecutePreprocessor.timeout = 120
    api = NbGraderAPI(config=config)
    assert api.generate_assignment("00_start_here")["success"]
    release = nbformat.read(tmp_path / "release" / "00_start_here" / NAME, as_version=4)
    text = "\n".join(cell.source for cell in release.cells)
    assert "/ 255" not in text and text.count("raise NotImplementedError()") == 3
    for cell in release.cells:  # a student who solves two, and cheats at the tests
        described = cell.metadata.get("nbgrader", {})
        if described.get("grade_id") in ("exercise-00-1", "exercise-00-3"):
            cell.source = SOLVED["00." + described.grade_id[-1]]
        elif described.get("grade"):
            cell.source = "pass"
    submitted = tmp_path / "submitted" / "ann" / "00_start_here"
    submitted.mkdir(parents=True)
    nbformat.write(release, submitted / NAME)
    assert api.autograde("00_start_here", "ann")["success"]
    with api.gradebook as book:
        grades = book.find_submission("00_start_here", "ann").notebooks[0].grades
        found = {grade.name: (grade.auto_score, grade.max_score) for grade in grades}
    assert found == {"test-00-1": (1, 1), "test-00-2": (0, 1), "test-00-3": (2, 2)}
