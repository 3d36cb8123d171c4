"""Large cells: run on a GPU or to be recorded, else their record is shown; the recording tool."""

import dataclasses
import json
import re

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
import torch

from course_tools import record_gpu_cells as tool
from course_utils import gpu_cell as module
from course_utils.gpu_cell import gpu_cell, mean_and_spread, read_record
from course_utils.session import start

CELLS = tool.gpu_cells()
FACTS = {
    "device": "NVIDIA H200",
    "date": "2026-11-22",
    "seconds": 12,
    "memory, MB": 5,
    "torch": "2.15.0",
    "sizes": {"n": 9},
}


@pytest.fixture(autouse=True)
def records(tmp_path, monkeypatch):
    """An empty folder of records."""
    monkeypatch.setattr(module, "RECORDED", tmp_path / "recorded")
    monkeypatch.delenv("COURSE_RECORD", raising=False)
    yield tmp_path / "recorded"
    plt.close("all")


def session(gpu=False):
    return dataclasses.replace(start(), gpu=gpu)


def store(folder, pieces=None):
    folder.mkdir(exist_ok=True)
    record = {"cell": "a_run", "pieces": pieces or {"": {"loss": 0.5} | FACTS}}
    (folder / "a_run.json").write_text(json.dumps(record))


def never(device, **sizes):
    pytest.fail("must not run")


def test_without_a_gpu_and_without_a_record_the_cell_says_so(capsys):
    gpu_cell(session(), "nothing_yet", never, gpu={}, cpu={})
    assert capsys.readouterr().out == "No GPU here, and no result of a GPU run is recorded yet.\n"


def test_a_record_is_shown_with_device_date_seconds_and_sizes(records, capsys):
    store(records)
    gpu_cell(session(), "a_run", never, gpu={"n": 9}, cpu={"n": 1})
    facts = "NVIDIA H200, 2026-11-22, 12 s, 5 MB, torch 2.15.0, n 9"
    assert capsys.readouterr().out == f"loss  0.5\n\n{facts}\n"


def test_on_a_gpu_the_cell_runs_at_its_size_and_stores_nothing(records, monkeypatch, capsys):
    for name in ("reset_peak_memory_stats", "synchronize"):
        monkeypatch.setattr(torch.cuda, name, lambda: None)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda *_: "a GPU")
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda: 5_000_000)
    twice = lambda device, n: {"twice": 2 * n}
    gpu_cell(session(gpu=True), "a_run", twice, gpu={"n": 9}, cpu={"n": 1})
    shown = capsys.readouterr().out
    assert "twice  18" in shown and "a GPU, " in shown and " 5 MB" in shown and not records.exists()


def test_a_cpu_records_at_its_own_size_when_it_is_asked_to(records, monkeypatch, capsys):
    monkeypatch.setenv("COURSE_RECORD", "a_run")

    def draws(device, n):
        figure, ax = plt.subplots()
        ax.plot([0, n])
        return {"twice": 2 * n, "figure": figure}

    gpu_cell(session(), "a_run", draws, gpu={"n": 9}, cpu={"n": 1})
    recorded = read_record("a_run")[""]
    assert recorded["twice"] == 2 and recorded["sizes"] == {"n": 1}
    assert recorded["device"].endswith("CPU cores")
    assert (records / recorded["picture"]).read_bytes().startswith(b"\x89PNG")
    gpu_cell(session(), "other_run", never, gpu={}, cpu={})  # not asked for
    assert [file.name for file in sorted(records.iterdir())] == ["a_run.json", "a_run.png"]


def test_the_memory_of_a_cpu_run_is_its_peak():
    before = module.peak_memory()
    block = bytearray(2 * before)
    block[::4096] = b"1" * len(block[::4096])
    del block
    assert 2 * before < module.peak_memory() < 4 * before


def test_an_interrupted_recording_goes_on_with_the_next_piece(monkeypatch):
    monkeypatch.setenv("COURSE_RECORD", "a_run")
    ran, pieces = [], {f"seed {seed}": {"seed": seed} for seed in range(3)}

    def interrupted(device, seed):
        ran.append(seed)
        if ran == [0, 1]:
            raise KeyboardInterrupt
        return {"loss": float(seed)}

    with pytest.raises(KeyboardInterrupt):
        gpu_cell(session(), "a_run", interrupted, gpu={}, cpu={}, pieces=pieces)
    assert list(read_record("a_run")) == ["seed 0"]
    gpu_cell(session(), "a_run", interrupted, gpu={}, cpu={}, pieces=pieces)
    assert ran == [0, 1, 1, 2] and list(read_record("a_run")) == list(pieces)


def test_a_cpu_does_not_replace_what_a_gpu_recorded(records, monkeypatch):
    monkeypatch.setenv("COURSE_RECORD", "a_run")
    store(records)
    gpu_cell(session(), "a_run", never, gpu={}, cpu={})
    assert read_record("a_run")[""]["device"] == "NVIDIA H200"


def test_pieces_stand_side_by_side_with_mean_and_spread(records, capsys):
    first, second = ({"steps": 10, "loss": loss} | FACTS for loss in (1.0, 2.0))
    store(records, {"seed 0": first, "seed 2": second})
    pieces = {f"seed {seed}": {} for seed in range(3)}
    gpu_cell(session(), "a_run", never, gpu={}, cpu={}, pieces=pieces, spread=True)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["seed", "0", "seed", "2", "mean", "±", "spread"]
    assert lines[1].split() == ["steps", "10", "10", "10", "±", "0"]
    assert lines[2].split() == ["loss", "1.0", "2.0", "1.5", "±", "0.7"]
    assert lines[4].startswith("seed 0: NVIDIA H200") and lines[5].startswith("seed 2: NVIDIA H200")


def test_there_is_no_spread_of_words_or_of_one_number():
    assert mean_and_spread([90, 100, 120]) == "103 ± 15"
    assert mean_and_spread([0.0210, 0.0212]) == "0.0211 ± 0.0001"
    assert mean_and_spread([1.0]) == mean_and_spread(["H", "H"]) == ""


@pytest.mark.parametrize(
    "text, message",
    [
        ("{", "a_run.json is damaged .*git checkout -- .*make record ARGS=a_run"),
        ('{"cell": "other", "pieces": {}}', "holds the record of 'other', not of 'a_run'"),
        ('{"cell": "a_run", "pieces": {"x": {"date": 1}}}', "the device and .* the torch of x"),
    ],
)
def test_a_record_that_cannot_be_used_names_the_file_and_the_command(records, text, message):
    records.mkdir()
    (records / "a_run.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        gpu_cell(session(), "a_run", never, gpu={}, cpu={})


@pytest.mark.parametrize(
    "result, said", [({}, "a_run: no result"), ({"level": "inf dB"}, "a_run: level is inf dB")]
)
def test_what_is_no_result_is_not_recorded(records, monkeypatch, result, said):
    monkeypatch.setenv("COURSE_RECORD", "a_run")
    with pytest.raises(ValueError, match=said):
        gpu_cell(session(), "a_run", lambda device: result, gpu={}, cpu={})
    assert not records.exists()


def test_numbers_of_torch_and_numpy_are_recorded_as_numbers(monkeypatch):
    monkeypatch.setenv("COURSE_RECORD", "a_run")
    numbers = {"loss": torch.tensor(0.5), "rate": np.float32(0.25), "steps": np.array(3)}
    gpu_cell(session(), "a_run", lambda device: numbers, gpu={}, cpu={})
    recorded = read_record("a_run")[""]
    assert [recorded[name] for name in numbers] == [0.5, 0.25, 3]
    with pytest.raises(TypeError, match="run returned a NoneType; expected a dict"):
        gpu_cell(session(), "a_run", lambda device: None, gpu={}, cpu={}, pieces={"b": {}})


def test_a_record_needs_a_name_that_can_be_a_file():
    with pytest.raises(ValueError, match="small letters"):
        gpu_cell(session(), "../x", never, gpu={}, cpu={})


# ------------------------------------------------------------------ the tool


@pytest.fixture
def small(tmp_path, monkeypatch, records):
    """Make a GPU cell in a notebook of its own, below a cell that defines what it needs."""

    def make(code):
        kept = "import pathlib\nfrom course_utils import gpu_cell as module\n"
        kept += f"module.RECORDED = pathlib.Path({str(records)!r})\n"
        imports = kept + "gpu_cell = module.gpu_cell\n"
        imports += "from course_utils.session import start\nsession = start()"
        cells = [nbformat.v4.new_code_cell(text) for text in ["", imports, "value = 0.25", code]]
        (tmp_path / "notebooks").mkdir()
        nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "notebooks/05_small.ipynb")
        return tool.GpuCell("05_small", tmp_path / "notebooks/05_small.ipynb", 3)

    return make


def test_every_lesson_with_a_gpu_cell_is_found_and_its_names_begin_with_its_number():
    assert len(CELLS) >= 13
    assert all(cell.notebook.name[:2] == name[:2] for name, cell in CELLS.items())


@pytest.mark.parametrize("name", CELLS)
def test_every_gpu_cell_gives_its_sizes_for_both_kinds_of_device(name):
    source = nbformat.read(CELLS[name].notebook, as_version=4).cells[CELLS[name].index].source
    assert "gpu={" in source and "cpu={" in source and "session.device" not in source


def test_the_tool_runs_what_stands_above_the_cell_and_records_what_it_gives(
    small, tmp_path, capsys, monkeypatch
):
    run = 'lambda device, n: {"loss": value * n}'
    cell = small(f'gpu_cell(session, "05_small", {run}, gpu={{"n": 4}}, cpu={{"n": 2}})')
    monkeypatch.setattr(tool, "gpu_cells", lambda: {"05_small": cell})
    assert tool.main([]) == 0 and capsys.readouterr().out == "05_small: not recorded\n"
    assert tool.main(["05_small"]) == 0
    recorded = read_record("05_small")[""]
    assert recorded["loss"] == 0.25 * recorded["sizes"]["n"]
    assert "05_small: " in capsys.readouterr().out
    assert tool.main(["--all"]) == 0 and recorded["device"] in capsys.readouterr().out


@pytest.mark.parametrize(
    "code, seconds, message",
    [
        ("import time; time.sleep(30)", 8, "05_small: stopped after 8 s"),
        ("1 / 0", 60, "05_small: the cell that begins '1 / 0' failed(.|\n)*ZeroDivisionError"),
    ],
)
def test_what_goes_wrong_is_said_with_the_name_of_the_cell(
    small, capsys, monkeypatch, code, seconds, message
):
    cell = small(code)
    monkeypatch.setattr(tool, "gpu_cells", lambda: {"05_small": cell})
    assert tool.main(["05_small", "--minutes", str(seconds / 60)]) == 1
    assert re.match(message, capsys.readouterr().out)


def test_an_unknown_name_ends_with_the_names_there_are(capsys):
    with pytest.raises(SystemExit):
        tool.main(["16_nothing"])
    assert "no GPU cell 16_nothing; there are: 00_gallery" in capsys.readouterr().err
