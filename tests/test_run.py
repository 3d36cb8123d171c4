"""`make run` refreshes outputs, seconds and memory, and leaves a failing notebook alone."""

import json
import os
import pathlib
import subprocess
import sys

import nbformat
import pytest
from environment import readers_prefix

from course_tools import run_notebooks as run
from course_tools import small_machine
from course_tools.lessons import LESSONS

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "benchmarks"))

FIRST, SECOND, THIRD = LESSONS[1:4]
HEADER = "# T\n\n**Reading** 45 min · **Computing** 99 s on 2 CPU cores · **Memory** 9990 MB"
ROW = f"| [01 Sparse](notebooks/{FIRST}.ipynb) | what is learnt | 45 | 99 | 9990 | badges |\n"


@pytest.fixture
def course(tmp_path):
    """A course with README and room for notebooks."""
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "README.md").write_text(
        "| a |\n" + ROW + ROW.replace(FIRST, SECOND), encoding="utf-8"
    )
    return tmp_path


def written(course, *sources, name=f"{FIRST}.ipynb"):
    """A notebook with these code cells, as an editor would leave it."""
    cells = [nbformat.v4.new_markdown_cell(HEADER)]
    cells += [
        nbformat.v4.new_code_cell(s, metadata={"tags": ["a"], "execution": {}, "scrolled": True})
        for s in sources
    ]
    metadata = {"widgets": {}, "kernelspec": {"name": "python3", "display_name": "my env"}}
    file = course / "notebooks" / name
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), file)
    return file


def test_a_run_refreshes_outputs_header_and_readme(course, capsys):
    file = written(
        course,
        "import os\nopen('here', 'w').close()\nprint('ok', os.environ['COURSE_WIDGETS'])",
        "import sys\nsys.stderr.write('10%\\r100%\\n')\n1 + 1",
    )
    ids = [cell["id"] for cell in json.loads(file.read_text(encoding="utf-8"))["cells"]]
    assert run.main([str(file)], course) == 0
    raw = file.read_text(encoding="utf-8")
    new = json.loads(raw)
    assert raw.endswith("}\n") and not raw.endswith("\n\n")
    assert (course / "notebooks/here").exists()  # it ran in its own folder
    assert [cell["id"] for cell in new["cells"]] == ids
    assert [cell["execution_count"] for cell in new["cells"][1:]] == [1, 2]
    assert all(cell["metadata"] == {"tags": ["a"]} for cell in new["cells"][1:])
    assert new["cells"][1]["outputs"][0]["text"] == ["ok 0\n"]
    assert new["cells"][2]["outputs"][0]["text"] == ["100%\n"]  # the end of a progress bar
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    assert new["metadata"] == {"kernelspec": kernel, "language_info": run.LANGUAGE}
    cost = run.COST.search("".join(new["cells"][0]["source"]))
    minutes, seconds, memory = int(cost[2]), int(cost[3]), int(cost[5])
    assert minutes == 45 and 1 <= seconds < 60 and 20 <= memory < 1000 and memory % 10 == 0
    readme = (course / "README.md").read_text(encoding="utf-8").splitlines()
    assert readme[1] + "\n" == ROW.replace("99 | 9990", f"{seconds} | {memory}")
    assert readme[2] == ROW.replace(FIRST, SECOND).strip()
    table = capsys.readouterr().out.splitlines()[1].split()
    assert table == [FIRST, str(seconds), table[2], str(memory), "yes"]


def test_a_failing_notebook_is_named_and_left_as_it_was(course, capsys):
    bad, good = written(course, "x = 1", "x / 0"), written(course, "2", name=f"{SECOND}.ipynb")
    before = bad.read_bytes()
    assert run.main([str(bad), str(good)], course) == 1
    said = capsys.readouterr().out
    assert f"{FIRST}.ipynb, code cell 2 (cell 3)" in said and "ZeroDivisionError" in said
    assert bad.read_bytes() == before and not list(course.rglob("*.part"))
    assert json.loads(good.read_text(encoding="utf-8"))["cells"][1]["execution_count"] == 1


def test_a_terminal_that_lacks_a_letter_does_not_end_the_run(course):
    bad = written(course, "raise ValueError('Ω 李雷 ✓')")
    environment = os.environ | {"PYTHONIOENCODING": "cp1252", "PYTHONPATH": str(run.ROOT)}
    command = [sys.executable, "-m", "course_tools.run_notebooks", bad]
    done = subprocess.run(command, env=environment, cwd=course, capture_output=True)
    assert done.returncode == 1 and b"UnicodeEncodeError" not in done.stderr
    assert rb": \u03a9 \u674e\u96f7 \u2713" in done.stdout


def test_a_stored_notebook_becomes_a_python_file_with_nbconvert(course, monkeypatch):
    monkeypatch.setenv("JUPYTER_PATH", str(readers_prefix() / "share/jupyter"))  # its templates
    exporter = pytest.importorskip("nbconvert").ScriptExporter()
    stored = run.clean(nbformat.read(written(course, "%pwd"), as_version=4))
    text, resources = exporter.from_notebook_node(stored)
    assert resources["output_extension"] == ".py" and "get_ipython()" in text


def test_the_memory_of_the_kernel_is_seen(course):
    file = written(course, "x = b'x' * 300_000_000\nimport time\ntime.sleep(0.3)\ndel x")
    assert 330 <= run.run_in_kernel(file).megabytes < 700


def test_a_dead_kernel_is_reported(course, capsys):
    file = written(course, "import os, signal\nos._exit(1)")
    before = file.read_bytes()
    assert run.main([str(file)], course) == 1
    assert f"{FIRST}.ipynb, code cell 1" in capsys.readouterr().out and file.read_bytes() == before


def test_a_file_that_is_no_notebook_is_refused(capsys):
    with pytest.raises(SystemExit):
        run.main(["notebooks/99_nothing.ipynb"])
    assert "is not a notebook" in capsys.readouterr().err


def test_lessons_come_before_solutions_and_in_order():
    names = [file.name for file in run.notebooks()]
    lessons = [name for name in names if "_solutions" not in name]
    assert names == lessons + [name for name in names if "_solutions" in name]
    assert lessons == sorted(lessons) and lessons[0] == "00_start_here.ipynb"


@pytest.fixture(params=["as well as this system can", "by sampling alone"])
def small(request, monkeypatch):
    """A small machine, with a control group where one can be made, and without."""
    if request.param == "by sampling alone":
        monkeypatch.setattr(small_machine, "own_groups", lambda: iter(()))
    with small_machine.small_machine(300) as machine:
        yield machine
    assert not machine.group or not machine.group.exists()


GROWS = "x = b'x' * 600_000_000\nimport time\ntime.sleep(1)\nprint('never')"


def test_a_notebook_over_the_limit_is_killed_and_named_and_the_others_run(course, capsys, small):
    good, bad = written(course, "1 + 1"), written(course, "y = 1", GROWS, name=f"{SECOND}.ipynb")
    last = written(course, "2", name=f"{THIRD}.ipynb")
    before = [file.read_bytes() for file in (good, bad, last)]
    assert run.run_all([good, bad, last], course, small) == 1
    lines = capsys.readouterr().out.splitlines()
    passed = [(line.split()[0], line.split()[-1]) for line in lines[1:4]]
    assert passed == [(FIRST, "yes"), (SECOND, "no"), (THIRD, "yes")]
    assert lines[5:] == [
        f"{SECOND}.ipynb, code cell 2 (cell 3):",
        "it took more than 300 MB and was killed.",
    ]
    assert [file.read_bytes() for file in (good, bad, last)] == before  # nothing is written


def test_the_memory_of_processes_that_a_notebook_starts_counts(course, capsys, small):
    child = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {GROWS!r}], check=True)"
    assert run.run_all([written(course, child)], course, small) == 1
    assert "code cell 1 (cell 2)" in capsys.readouterr().out


def test_like_binder_there_is_one_core_and_its_seconds_are_counted(course, capsys):
    burn = "import os, time\nend = time.process_time() + 1\nwhile time.process_time() < end: pass"
    ask = "assert os.environ['OMP_NUM_THREADS'] == os.environ['CPU_LIMIT'] == '1'"
    cores = "len(psutil.Process().cpu_affinity()) == 1"
    pinned = f"import psutil\nassert not hasattr(os, 'sched_setaffinity') or {cores}"
    file = written(course, burn, ask, pinned)
    (course / "notebooks/solutions").mkdir()
    written(course, "1 / 0", name=f"solutions/{FIRST}_solutions.ipynb")  # lessons alone are run
    assert run.main(["--like-binder"], course) == 0
    limit, _, row = capsys.readouterr().out.splitlines()
    name, seconds, computed, megabytes, passed = row.split()
    assert "1850 MB" in limit and (name, passed) == (FIRST, "yes")
    assert 1 <= int(computed) <= int(seconds) + 1 and 30 <= int(megabytes) < 300
    assert b'"outputs": []' in file.read_bytes()


def test_the_control_groups_of_both_versions_are_found(tmp_path):
    table = tmp_path / "cgroup"
    table.write_text("4:memory:/docker/1\n3:cpu,cpuacct:/\n0::/user.slice/terminal.scope\n")
    root = small_machine.CONTROL_GROUPS
    assert list(small_machine.own_groups(table)) == [root / "memory/docker/1", root / "user.slice"]
    assert list(small_machine.own_groups(tmp_path / "none")) == []


@pytest.fixture
def neighbour():
    """A process of the test's own, with 500 MB, that is no kernel of the class."""
    code = "x = b'x' * 500_000_000; print('ready', flush=True); input()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code], **pipes) as process:
        process.stdout.readline()
        yield
        process.communicate(b"\n")


def test_a_class_is_measured_while_it_waits_and_at_its_peak(course, capsys, neighbour):
    import classroom

    file = written(course, "import time", "x = b'x' * 200_000_000\ntime.sleep(1.5)")
    row = classroom.together(file, 2)
    assert row.kernels == 2 and 1.5 <= row.seconds < 60 and 0 < row.cpu_seconds < 30
    # Twice 200 MB; what is shared counts less when other programs come to share it.
    assert 40 < row.idle_mb < 300 and 380 < row.peak_mb - row.idle_mb < 500
    assert (
        classroom.main(["1", "--notebook", str(written(course, "1 / 0", name=f"{SECOND}.ipynb"))])
        == 1
    )
    assert "ZeroDivisionError" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["0"], "0 kernels: expected 1 or more"),
        (["1", "--notebook", "none.ipynb"], "is not a notebook"),
        ([], "required"),
    ],
)
def test_a_class_that_cannot_be_measured_is_explained(arguments, message, capsys):
    import classroom

    with pytest.raises(SystemExit):
        classroom.main(arguments)
    assert message in capsys.readouterr().err
