"""Seed, device, style."""

import dataclasses
import subprocess
import sys

import pytest
import torch

import course_utils
from course_utils.session import check_torch, start, usable_cores


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


@pytest.mark.parametrize(
    "limit, quota, expected",
    [
        ("", "max 100000", 8),
        ("", "150000 100000", 2),
        ("3", "200000 100000", 2),
        ("0.5", "max 100000", 1),
        ("inf", "150000 0", 8),
    ],
)
def test_a_container_uses_no_more_threads_than_its_share_of_the_cores(
    limit, quota, expected, tmp_path, monkeypatch
):
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    monkeypatch.setenv("CPU_LIMIT", limit)
    (tmp_path / "cpu.max").write_text(quota + "\n")
    assert usable_cores(tmp_path / "cpu.max") == expected


@pytest.mark.parametrize("seed", [-1, 2**32, 1.5, None])
def test_a_wrong_seed_is_refused(seed):
    with pytest.raises(ValueError, match="whole number"):
        start(seed=seed)


def test_an_old_torch_is_refused_with_the_command_that_helps():
    for version in ("2.4.0", "2.15.0+cu132", "2.10.0a0+git", "3.0.0"):
        check_torch(version)
    for version in ("2.3.1", "1.13.0+cu117"):
        with pytest.raises(ImportError, match="pip install --upgrade torch"):
            check_torch(version)


def test_an_old_python_is_refused_with_a_clear_message():
    program = "import sys; sys.version_info = (3, 8, 10); "
    program += f"exec(open({course_utils.__file__!r}).read())"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ended.returncode != 0
    assert "needs Python 3.10 or newer; this is Python 3.8" in ended.stderr
