"""The training loop: learns, stops on NaN, and goes on after an interruption as if nothing had been."""

import signal
import subprocess
import sys
import time

import pytest
import torch
from torch import nn

from course_utils.checkpoints import (
    CheckpointError,
    damaged,
    load_state,
    load_weights,
    save_state,
    save_weights,
)
from course_utils.training import TrainingError, fit


def problem(seed=0):
    """A linear regression whose answer is known, with dropout so that random numbers matter."""
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Dropout(0.1), nn.Linear(4, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 60)
    x = torch.randn(64, 4, generator=torch.Generator().manual_seed(1))
    y = x @ torch.tensor([[1.0], [-2.0], [0.5], [3.0]])
    return (
        model,
        optimizer,
        schedule,
        lambda epoch: [(x[i : i + 16], y[i : i + 16]) for i in range(0, 64, 16)],
    )


def squares(model, batch):
    x, y = batch
    error = (model(x) - y).square().mean()
    return {"loss": error + 1e-3 * model[1].weight.abs().sum(), "mse": error}


def test_the_loss_falls_and_the_history_holds_every_term_of_every_epoch():
    model, optimizer, schedule, batches = problem()
    history = fit(model, batches, squares, optimizer, 15, schedule=schedule, progress=False)
    assert len(history) == 15
    assert set(history[0]) == {"loss", "mse"}
    assert history[-1]["mse"] < 0.5 * history[0]["mse"]


def test_training_that_goes_on_from_a_checkpoint_equals_training_in_one_go(tmp_path):
    model, optimizer, schedule, batches = problem()
    whole = fit(model, batches, squares, optimizer, 8, schedule=schedule, progress=False)
    expected = [p.clone() for p in model.parameters()]

    file = tmp_path / "state.pt"
    model, optimizer, schedule, batches = problem()
    fit(model, batches, squares, optimizer, 3, schedule=schedule, checkpoint=file, progress=False)
    model, optimizer, schedule, batches = problem(seed=9)  # a new kernel, other weights
    history = fit(
        model, batches, squares, optimizer, 8, schedule=schedule, checkpoint=file, progress=False
    )
    assert history == whole
    assert all(torch.equal(p, e) for p, e in zip(model.parameters(), expected))


def test_an_interrupt_within_an_epoch_leaves_the_last_whole_epoch(tmp_path):
    file = tmp_path / "state.pt"
    model, optimizer, _, batches = problem()
    calls = iter(range(1000))

    def interrupted(model, batch):
        if next(calls) == 10:  # in the third epoch
            raise KeyboardInterrupt
        return squares(model, batch)

    with pytest.raises(KeyboardInterrupt):
        fit(model, batches, interrupted, optimizer, 5, checkpoint=file, progress=False)
    assert len(load_state(file)["history"]) == 2
    assert len(fit(model, batches, squares, optimizer, 5, checkpoint=file, progress=False)) == 5
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("how", ["interrupted", "killed"])
def test_a_stopped_kernel_leaves_a_checkpoint_that_loads(tmp_path, how):
    if how == "interrupted" and sys.platform == "win32":
        pytest.skip("Windows has no SIGINT for another process")
    file = tmp_path / "state.pt"
    program = f"""
import signal; signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job may ignore it
import sys; sys.path[:0] = {sys.path!r}
from test_training import problem, squares
from course_utils.training import fit
model, optimizer, schedule, batches = problem()
fit(model, batches, squares, optimizer, 10**6, checkpoint={str(file)!r}, progress=False)
"""
    process = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 300
        while not file.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(0.3)
        process.kill() if how == "killed" else process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=300)
    finally:
        process.kill()
    assert len(load_state(file)["history"]) >= 1
    if how == "interrupted":
        assert b"KeyboardInterrupt" in said
        assert list(tmp_path.iterdir()) == [file]


def test_a_loss_that_is_not_a_number_stops_before_the_weights_are_touched():
    model, optimizer, _, batches = problem()
    before = [p.clone() for p in model.parameters()]
    with pytest.raises(TrainingError, match="loss is nan in epoch 1, batch 1.*learning rate"):
        fit(
            model, batches, lambda m, b: m(b[0]).mean() * float("nan"), optimizer, 1, progress=False
        )
    assert all(torch.equal(p, b) for p, b in zip(model.parameters(), before))


def test_a_gradient_that_is_not_a_number_stops_before_the_weights_are_touched():
    model, optimizer, _, batches = problem()
    before = [p.clone() for p in model.parameters()]

    def loss(model, batch):  # finite at zero, but its derivative is 0 * inf
        zero = (model(batch[0]) * 0).sum()
        return model(batch[0]).square().mean() + zero.abs().sqrt()

    with pytest.raises(TrainingError, match="gradient is not finite in epoch 1, batch 1"):
        fit(model, batches, loss, optimizer, 1, progress=False)
    assert all(torch.equal(p, b) for p, b in zip(model.parameters(), before))


def test_a_damaged_checkpoint_says_what_to_do(tmp_path):
    file = tmp_path / "state.pt"
    file.write_bytes(b"not a checkpoint")
    model, optimizer, _, batches = problem()
    with pytest.raises(CheckpointError, match="Delete it to train from the beginning"):
        fit(model, batches, squares, optimizer, 1, checkpoint=file, progress=False)


@pytest.mark.parametrize("how", ["cut off", "one bit"])
def test_damage_is_found_in_the_file_itself(tmp_path, how):
    file = tmp_path / "state.pt"
    save_state({"history": [1.0], "weights": torch.arange(1000.0)}, file)
    content = bytearray(file.read_bytes())
    if how == "one bit":
        content[content.index(torch.arange(1000.0).numpy().tobytes()[:400]) + 200] ^= 1
    file.write_bytes(bytes(content[:-100] if how == "cut off" else content))
    if how == "cut off":
        with pytest.raises(CheckpointError, match="is damaged.*Delete it"):
            load_state(file)
    assert damaged(file)


def whole_file_that_fails_with(error, folder, monkeypatch):
    """A sound checkpoint, which torch.load refuses with the error."""

    def fail(*_, **__):
        raise error

    save_state({"history": [1.0]}, folder / "state.pt")
    monkeypatch.setattr(torch, "load", fail)
    return folder / "state.pt"


@pytest.mark.parametrize(
    "error", [RuntimeError("Unsupported global: new.Thing"), AttributeError("no such class")]
)
def test_a_whole_file_that_cannot_be_loaded_is_not_to_be_deleted(tmp_path, monkeypatch, error):
    file = whole_file_that_fails_with(error, tmp_path, monkeypatch)
    with pytest.raises(CheckpointError, match="is whole, but torch .* could not load it") as caught:
        load_state(file)
    assert "Delete" not in str(caught.value) and str(error) in str(caught.value)


@pytest.mark.parametrize("error", [MemoryError(), PermissionError(13, "Permission denied")])
def test_what_says_nothing_about_the_file_is_passed_on(tmp_path, monkeypatch, error):
    file = whole_file_that_fails_with(error, tmp_path, monkeypatch)
    with pytest.raises(type(error)):
        load_state(file)


def test_a_function_is_called_before_each_step_and_a_step_waits_for_the_device_once(monkeypatch):
    model, optimizer, schedule, batches = problem()
    steps, waits, plain = [], [], torch.Tensor.__bool__
    monkeypatch.setattr(torch.Tensor, "item", lambda self: pytest.fail("item() waits once more"))
    monkeypatch.setattr(torch.Tensor, "__bool__", lambda self: waits.append(1) or plain(self))
    monkeypatch.setattr(
        "torch.nn.utils.clip_grad_norm_", lambda *_, **__: pytest.fail("gradients are rescaled")
    )
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 60)
    fit(
        model,
        batches,
        squares,
        optimizer,
        2,
        schedule=schedule,
        each_step=lambda: steps.append(schedule.last_epoch),
        progress=False,
    )
    assert steps == list(range(8)) and len(waits) == 8


def test_a_checkpoint_of_another_model_says_so(tmp_path):
    file = tmp_path / "state.pt"
    model, optimizer, _, batches = problem()
    fit(model, batches, squares, optimizer, 1, checkpoint=file, progress=False)
    other = nn.Linear(2, 2)
    with pytest.raises(CheckpointError, match="another model"):
        fit(
            other,
            batches,
            squares,
            torch.optim.Adam(other.parameters()),
            2,
            checkpoint=file,
            progress=False,
        )
    untouched = problem(seed=5)[0]
    before = [p.clone() for p in untouched.parameters()]
    with pytest.raises(CheckpointError, match="another model, optimizer"):
        fit(
            untouched,
            batches,
            squares,
            torch.optim.SGD(untouched.parameters(), 0.1),
            2,
            checkpoint=file,
        )
    assert all(torch.equal(p, b) for p, b in zip(untouched.parameters(), before))


def test_wrong_numbers_of_epochs_and_empty_batches_are_refused():
    model, optimizer, _, batches = problem()
    assert fit(model, batches, squares, optimizer, 0, progress=False) == []
    with pytest.raises(ValueError, match="at least 0"):
        fit(model, batches, squares, optimizer, -1)
    with pytest.raises(ValueError, match="no batch"):
        fit(model, lambda epoch: [], squares, optimizer, 1, progress=False)


def test_weights_are_kept_and_damage_is_noticed(tmp_path):
    file = tmp_path / "weights.safetensors"
    model = problem()[0]
    save_weights(model.state_dict(), file)
    loaded = load_weights(file)
    assert all(torch.equal(loaded[name], value) for name, value in model.state_dict().items())
    file.write_bytes(file.read_bytes()[:-7])
    with pytest.raises(CheckpointError, match="is damaged.*Run: make it again"):
        load_weights(file, "make it again")
    with pytest.raises(CheckpointError, match="is not there"):
        load_weights(tmp_path / "no.safetensors")


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    file = tmp_path / "state.pt"
    save_state({"history": [1]}, file)

    def full(state, part):
        part.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match="No space left"):
        save_state({"history": [2]}, file)
    assert load_state(file)["history"] == [1]
    assert list(tmp_path.iterdir()) == [file]
