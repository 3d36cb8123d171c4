"""`make run` refreshes outputs, seconds and memory, and leaves a failing notebook alone."""
import json
import pathlib

import nbformat
import pytest

from course_utils import run

HEADER = "# T\n\n**Reading** 45 min · **Computing** 99 s on 2 CPU cores · **Memory** 9990 MB"
ROW = "| [01 Sparse](notebooks/01_x.ipynb) | what is learnt | 45 | 99 | 9990 | badges |\n"


@pytest.fixture
def course(tmp_path):
    """A course with README and room for notebooks."""
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "README.md").write_text("| a |\n" + ROW + ROW.replace("01_x", "02_y"), encoding="utf-8")
    return tmp_path


def written(course, *sources, name="01_x.ipynb"):
    """A notebook with these code cells, as an editor would leave it."""
    cells = [nbformat.v4.new_markdown_cell(HEADER)]
    cells += [nbformat.v4.new_code_cell(s, metadata={"tags": ["a"], "execution": {}, "scrolled": True}) for s in sources]
    metadata = {"widgets": {}, "kernelspec": {"name": "python3", "display_name": "my env"}}
    file = course / "notebooks" / name
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), file)
    return file


def test_a_run_refreshes_outputs_header_and_readme(course, capsys):
    file = written(course, "import pathlib, os\npathlib.Path('here').touch()\nprint('ok', os.environ['COURSE_WIDGETS'])",
                   "import sys\nsys.stderr.write('10%\\r100%\\n')\n1 + 1")
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
    assert new["metadata"] == {
        "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    cost = run.COST.search("".join(new["cells"][0]["source"]))
    minutes, seconds, memory = int(cost[2]), int(cost[3]), int(cost[5])
    assert minutes == 45 and 1 <= seconds < 60 and 20 <= memory < 1000 and memory % 10 == 0
    readme = (course / "README.md").read_text(encoding="utf-8").splitlines()
    assert readme[1] == f"| [01 Sparse](notebooks/01_x.ipynb) | what is learnt | 45 | {seconds} | {memory} | badges |"
    assert readme[2] == ROW.replace("01_x", "02_y").strip()
    assert capsys.readouterr().out.splitlines()[1].split() == ["01_x", str(seconds), str(memory)]


def test_a_failing_notebook_is_named_and_left_as_it_was(course, capsys):
    bad, good = written(course, "x = 1", "x / 0"), written(course, "2", name="02_y.ipynb")
    before = bad.read_bytes()
    assert run.main([str(bad), str(good)], course) == 1
    said = capsys.readouterr().out
    assert "01_x.ipynb, code cell 2 (cell 3)" in said and "ZeroDivisionError" in said
    assert bad.read_bytes() == before and not list(course.rglob("*.part"))
    assert json.loads(good.read_text(encoding="utf-8"))["cells"][1]["execution_count"] == 1


def test_the_memory_of_the_kernel_is_seen(course):
    file = written(course, "x = b'x' * 300_000_000\nimport time\ntime.sleep(0.3)\ndel x")
    _, _, megabytes = run.execute(file)
    assert 330 <= megabytes < 700


def test_a_dead_kernel_is_reported(course, capsys):
    file = written(course, "import os, signal\nos._exit(1)")
    before = file.read_bytes()
    assert run.main([str(file)], course) == 1
    assert "01_x.ipynb, code cell 1" in capsys.readouterr().out and file.read_bytes() == before


def test_a_file_that_is_no_notebook_is_refused(capsys):
    with pytest.raises(SystemExit):
        run.main(["notebooks/99_nothing.ipynb"])
    assert "is not a notebook" in capsys.readouterr().err


def test_lessons_come_before_solutions_and_in_order():
    names = [file.name for file in run.notebooks()]
    lessons = [name for name in names if "_solutions" not in name]
    assert names == lessons + [name for name in names if "_solutions" in name]
    assert lessons == sorted(lessons) and lessons[0] == "00_start_here.ipynb"


def test_a_header_without_costs_stays_as_it_is():
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# Solutions")])
    run.refresh_header(notebook, 3, 40)
    assert notebook.cells[0].source == "# Solutions"


def test_everything_is_found_in_this_repository():
    assert all(isinstance(file, pathlib.Path) and file.is_file() for file in run.notebooks())
