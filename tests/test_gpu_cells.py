"""The tool that runs GPU cells at full size: it finds them, tries them on a CPU, and records only what is sound."""
import json

import nbformat
import pytest

from course_tools import record_gpu_cells as tool
from course_tools.gpu_trial import REDUCED

CELLS = {cell.name: cell for cell in tool.gpu_cells()}


def source(cell):
    return nbformat.read(cell.notebook, as_version=4).cells[cell.index].source


@pytest.fixture
def small(tmp_path):
    """Make a GPU cell in a notebook of its own, below a cell that defines what it needs."""
    def make(code):
        cells = ["from course_utils.session import gpu_cell, start\nsession = start()", "value = 0.25", code]
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in ["", *cells]])
        nbformat.write(notebook, tmp_path / "05_small.ipynb")
        return tool.GpuCell("05_small", tmp_path / "05_small.ipynb", 3)
    return make


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    """An empty folder of records."""
    monkeypatch.setattr(tool, "RECORDED", tmp_path / "recorded")
    return tmp_path / "recorded"


def test_every_lesson_with_a_gpu_cell_is_found_and_its_names_begin_with_its_number():
    assert len(CELLS) >= 13
    assert all(cell.notebook.name[:2] == name[:2] for name, cell in CELLS.items())


def test_every_gpu_cell_can_be_tried_and_every_trial_belongs_to_a_cell():
    assert REDUCED.keys() == CELLS.keys()


@pytest.mark.parametrize("name", CELLS)
def test_a_trial_changes_sizes_that_are_really_in_the_cell(name):
    assert tool.reduced(name, source(CELLS[name])) != source(CELLS[name]) or not REDUCED[name]


def test_a_table_that_is_out_of_date_is_noticed():
    with pytest.raises(ValueError, match="gpu_trial.py: the GPU cell 00_gallery does not hold"):
        tool.reduced("00_gallery", "print(1)")


def test_a_trial_runs_what_stands_above_the_cell_and_gives_what_it_records(small, tmp_path, monkeypatch):
    monkeypatch.setitem(REDUCED, "05_small", [("1000", "10")])
    cell = small('import matplotlib.pyplot as plt\nfigure, ax = plt.subplots()\n'
                 'gpu_cell(session, "05_small", lambda: {"loss": value, "steps": 1000, "figure": figure})')
    result = tool.run(cell, tmp_path, 60, trial=True)
    assert result["loss"] == 0.25 and result["steps"] == 10 and result["device"] == "CPU, a trial"
    assert result["figure"].is_file() and tool.problems(result) == []


def test_of_a_cell_with_several_pieces_the_named_one_runs(small, tmp_path, monkeypatch):
    monkeypatch.setitem(REDUCED, "05_small", [])
    cell = small('[gpu_cell(session, name, lambda: {"loss": value}) for name in ("05_small", "05_other")]')
    assert tool.run(cell, tmp_path, 60, trial=True)["loss"] == 0.25
    assert [file.name for file in tmp_path.glob("*.json")] == ["05_small.json"]


@pytest.mark.parametrize("last, runs", [
    ("show(gpu_cell)", "ab"),
    ("show(value)", "abcd"),
    ("show(helper(1))", "abcd"),
    ("show(later)", "abcd"),
])
def test_cells_behind_the_imports_run_if_the_last_one_uses_a_name_of_theirs(last, runs):
    sources = ["a = 1", "from b import gpu_cell", "def helper(c):\n    pass\nvalue = 3", "import d as later", last]
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    cells.insert(3, nbformat.v4.new_markdown_cell("value, helper"))
    assert tool.above(cells) == [cell for cell in cells if cell.cell_type == "code"][:len(runs)]


@pytest.mark.parametrize("code, seconds, message", [
    ("import time; time.sleep(30)", 8, "05_small: stopped after 8 s"),
    ("1 / 0", 60, "05_small: the cell that begins '1 / 0' failed(.|\n)*ZeroDivisionError"),
    ('gpu_cell(session, "05_small", dict)', 60, "05_small: recorded nothing. Is there a GPU"),
])
def test_what_goes_wrong_is_said_with_the_name_of_the_cell(small, tmp_path, monkeypatch, code, seconds, message):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(RuntimeError, match=message):
        tool.run(small(code), tmp_path, seconds)


@pytest.mark.parametrize("result, said", [
    ({"device": "H", "seconds": 2.0}, "no result"),
    ({"loss": float("nan")}, "loss is nan"),
    ({"level": "inf dB"}, "level is inf dB"),
])
def test_a_result_that_is_none_is_not_recorded(result, said):
    assert tool.problems(result) == [said]


def test_an_empty_figure_is_not_recorded(tmp_path):
    (tmp_path / "x.png").write_bytes(b"")
    assert tool.problems({"loss": 1, "figure": tmp_path / "x.png"}) == ["the figure is empty"]


def test_a_second_run_stores_what_moved_and_leaves_the_first_alone(recorded):
    tool.keep("05_small", {"loss": 0.25, "steps": 10, "seconds": 4.0}, again=False)
    assert tool.keep("05_small", {"loss": 0.26, "steps": 10, "seconds": 5.0}, again=True)["second run"] == {"loss": 0.26}
    stored = json.loads((recorded / "05_small.json").read_text())
    assert stored == {"loss": 0.25, "steps": 10, "seconds": 4.0, "second run": {"loss": 0.26}}


def test_a_second_run_with_the_same_digits_says_so(recorded):
    tool.keep("05_small", {"loss": 0.25}, again=False)
    assert tool.keep("05_small", {"loss": 0.25}, again=True)["second run"] == "the same digits"


def test_the_next_call_goes_on_with_what_is_not_recorded(recorded):
    recorded.mkdir()
    (recorded / "00_gallery.json").write_text('{"loss": 1}')
    assert "00_gallery" not in [cell.name for cell in tool.wanted([], False, False)]
    assert [cell.name for cell in tool.wanted([], True, False)] == ["00_gallery"]


def test_an_unknown_name_ends_with_the_names_there_are(capsys):
    with pytest.raises(SystemExit):
        tool.main(["16_nothing"])
    assert "no GPU cell 16_nothing; there are: 00_gallery" in capsys.readouterr().err
