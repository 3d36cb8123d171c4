"""Seed, device, style, and the two lives of a GPU cell."""
import dataclasses
import json
import subprocess
import sys

import matplotlib.pyplot as plt
import pytest
import torch

import course_utils
from course_utils import session as session_module
from course_utils.display import gpu_result
from course_utils.session import check_torch, gpu_cell, start


def test_the_same_seed_gives_the_same_numbers():
    start(seed=3)
    first = torch.rand(5)
    start(seed=3)
    assert torch.equal(first, torch.rand(5))
    start(seed=4)
    assert not torch.equal(first, torch.rand(5))


def test_a_session_is_frozen_and_says_where_it_runs():
    session = start()
    with pytest.raises(dataclasses.FrozenInstanceError):
        session.seed = 1
    assert "torch " + torch.__version__ in repr(session)
    assert session.gpu == (session.device.type == "cuda")


@pytest.mark.parametrize("limit, quota, expected", [
    (None, None, 8), (None, "max 100000", 8), (None, "200000 100000", 2), (None, "150000 100000", 2),
    (None, "50000 100000", 1), ("1.0", "max 100000", 1), ("3", "200000 100000", 2), ("nonsense", None, 8),
    (None, "6400000 100000", 8), ("0", None, 1),
])
def test_a_container_uses_no_more_threads_than_its_share_of_the_cores(limit, quota, expected, tmp_path, monkeypatch):
    monkeypatch.setattr(session_module.os, "cpu_count", lambda: 8)
    monkeypatch.delenv("CPU_LIMIT", raising=False)
    if limit is not None:
        monkeypatch.setenv("CPU_LIMIT", limit)
    if quota is not None:
        (tmp_path / "cpu.max").write_text(quota + "\n")
    assert session_module.usable_cores(tmp_path / "cpu.max") == expected


@pytest.mark.parametrize("seed", [-1, 2**32, 1.5, None, True, "0"])
def test_a_wrong_seed_is_refused(seed):
    with pytest.raises(ValueError, match="whole number"):
        start(seed=seed)


@pytest.mark.parametrize("version", ["2.3.1", "1.13.0+cu117", "2.0"])
def test_an_old_torch_is_refused_with_the_command_that_helps(version):
    with pytest.raises(ImportError, match="pip install --upgrade torch"):
        check_torch(version)


@pytest.mark.parametrize("version", ["2.4.0", "2.15.0+cu132", "2.10.0a0+git", "3.0.0"])
def test_a_recent_torch_is_accepted(version):
    check_torch(version)


def test_an_old_python_is_refused_with_a_clear_message():
    program = f"import sys; sys.version_info = (3, 8, 10); exec(open({course_utils.__file__!r}).read())"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ended.returncode != 0
    assert "needs Python 3.10 or newer; this is Python 3.8" in ended.stderr


@pytest.fixture
def records(tmp_path, monkeypatch):
    monkeypatch.setattr(session_module, "RECORDED", tmp_path / "recorded")
    return tmp_path / "recorded"


def without_gpu():
    return dataclasses.replace(start(), gpu=False)


def test_without_a_gpu_and_without_a_record_the_cell_says_so(records, capsys):
    result = gpu_cell(without_gpu(), "nothing_yet", lambda: pytest.fail("must not run"))
    gpu_result(result)
    assert "no result of a GPU run is recorded yet" in capsys.readouterr().out


def test_a_recorded_result_is_shown_with_device_date_and_seconds(records, capsys):
    figure, _ = plt.subplots()
    numbers = {"loss": 0.5, "device": "NVIDIA H200", "date": "2026-11-22", "seconds": 12.0}
    session_module.record("a_run", numbers | {"figure": figure})
    result = gpu_cell(without_gpu(), "a_run", dict)
    assert {key: result[key] for key in numbers} == numbers
    assert result["figure"].read_bytes().startswith(b"\x89PNG")
    gpu_result(result | {"figure": figure})
    shown = capsys.readouterr().out
    assert all(text in shown for text in ("NVIDIA H200", "2026-11-22", "12.0", "0.5"))


def test_a_damaged_record_names_the_file_and_the_command(records):
    records.mkdir()
    (records / "a_run.json").write_text("{")
    with pytest.raises(ValueError, match=r"a_run\.json is damaged.*git checkout"):
        gpu_cell(without_gpu(), "a_run", dict)


def test_a_record_needs_a_name_that_can_be_a_file():
    with pytest.raises(ValueError, match="small letters"):
        gpu_cell(without_gpu(), "../x", dict)


@pytest.mark.parametrize("record", [False, True])
def test_on_a_gpu_the_cell_runs_and_stores_its_result_when_asked(records, monkeypatch, record):
    for name in ("reset_peak_memory_stats", "synchronize"):
        monkeypatch.setattr(torch.cuda, name, lambda: None)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda *_: "a GPU")
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda: 5_000_000)
    monkeypatch.setenv("COURSE_RECORD", str(int(record)))
    result = gpu_cell(dataclasses.replace(start(), gpu=True), "a_run", lambda: {"loss": 0.25})
    assert (result["loss"], result["device"], result["peak_memory_mb"]) == (0.25, "a GPU", 5)
    assert (records / "a_run.json").is_file() == record
    if record:
        assert json.loads((records / "a_run.json").read_text())["loss"] == 0.25
