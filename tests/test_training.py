"""The training loop: learns, stops on NaN, and resumes as if it had not been interrupted."""

import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from torch import nn

from course_utils.checkpoints import (
    Checkpoint,
    CheckpointError,
    damaged,
    load_state,
    load_weights,
    save_state,
    save_weights,
)
from course_utils.training import TrainingError, fit, gradient_norm


def problem(seed=0):
    """A linear regression whose answer is known, with dropout so that random numbers matter."""
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Dropout(0.1), nn.Linear(4, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 60)
    x = torch.randn(64, 4, generator=torch.Generator().manual_seed(1))
    y = x @ torch.tensor([[1.0], [-2.0], [0.5], [3.0]])
    return model, optimizer, schedule, lambda epoch: list(zip(x.split(16), y.split(16)))


def squares(model, batch):
    x, y = batch
    error = (model(x) - y).square().mean()
    return {"loss": error + 1e-3 * model[1].weight.abs().sum(), "mse": error}


def train(problem, epochs, loss=squares, checkpoint=None, **options):
    model, optimizer, schedule, batches = problem
    options |= {"schedule": schedule, "checkpoint": checkpoint, "progress": False}
    return fit(model, batches, loss, optimizer, epochs, **options)


def test_training_that_resumes_from_a_checkpoint_equals_training_in_one_go(tmp_path):
    in_one_go, file = problem(), tmp_path / "state.pt"
    whole = train(in_one_go, 15)
    assert len(whole) == 15 and set(whole[0]) == {"loss", "mse"}
    assert whole[-1]["mse"] < 0.5 * whole[0]["mse"]
    train(problem(), 3, checkpoint=file)
    resumed = problem(seed=9)  # a new kernel, other weights
    assert train(resumed, 15, checkpoint=file) == whole
    for p, expected in zip(resumed[0].parameters(), in_one_go[0].parameters()):
        assert torch.equal(p, expected)


def test_an_interrupt_within_an_epoch_leaves_the_last_whole_epoch(tmp_path):
    file, calls = tmp_path / "state.pt", iter(range(1000))

    def interrupted(model, batch):
        if next(calls) == 10:  # in the third epoch
            raise KeyboardInterrupt
        return squares(model, batch)

    with pytest.raises(KeyboardInterrupt):
        train(problem(), 5, interrupted, file)
    assert len(load_state(file)["history"]) == 2
    assert len(train(problem(), 5, checkpoint=file)) == 5
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("how", ["interrupted", "killed"])
def test_a_stopped_kernel_leaves_a_checkpoint_that_loads(tmp_path, how):
    if how == "interrupted" and sys.platform == "win32":
        pytest.skip("Windows has no SIGINT for another process")
    file = tmp_path / "state.pt"
    program = f"""
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job may ignore it
sys.path[:0] = {sys.path!r}
from test_training import problem, train
train(problem(), 10**6, checkpoint={str(file)!r})
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


def nan_loss(model, batch):
    return model(batch[0]).mean() * float("nan")


def nan_gradient(model, batch):  # finite at zero, but its derivative is 0 * inf
    return model(batch[0]).square().mean() + (model(batch[0]) * 0).sum().abs().sqrt()


@pytest.mark.parametrize(
    "loss, what", [(nan_loss, "The loss is nan"), (nan_gradient, "A gradient is not finite")]
)
def test_what_is_not_a_number_stops_before_the_weights_are_touched(loss, what):
    training = problem()
    before = [p.clone() for p in training[0].parameters()]
    with pytest.raises(TrainingError, match=f"{what} in epoch 1, batch 1.*learning rate"):
        train(training, 1, loss)
    assert all(torch.equal(p, b) for p, b in zip(training[0].parameters(), before))


@pytest.mark.parametrize("how", ["other", "cut off", "one bit"])
def test_a_damaged_checkpoint_says_what_to_do(tmp_path, how):
    file = tmp_path / "state.pt"
    save_state({"history": [1.0], "weights": torch.arange(1000.0)}, file)
    content = bytearray(file.read_bytes())
    if how == "one bit":  # of the weights: torch reads it, the checksum tells
        content[content.index(torch.arange(1000.0).numpy().tobytes()[:400]) + 200] ^= 1
    file.write_bytes({"other": b"no checkpoint", "cut off": content[:-100]}.get(how, content))
    assert damaged(file)
    if how != "one bit":
        with pytest.raises(CheckpointError, match="is damaged.*Delete it to train from the begin"):
            train(problem(), 1, checkpoint=file)


@pytest.mark.parametrize(
    "error, raised",
    [
        (RuntimeError("Unsupported global: new.Thing"), CheckpointError),
        (MemoryError(), MemoryError),
        (PermissionError(13, "Permission denied"), PermissionError),
    ],
)
def test_a_whole_file_that_cannot_be_loaded_is_not_to_be_deleted(
    tmp_path, monkeypatch, error, raised
):
    def fail(*_, **__):
        raise error

    save_state({"history": [1.0]}, tmp_path / "state.pt")
    monkeypatch.setattr(torch, "load", fail)
    with pytest.raises(raised) as caught:
        load_state(tmp_path / "state.pt")
    assert "Delete" not in str(caught.value) and str(error) in str(caught.value)
    if raised is CheckpointError:
        assert "is whole, but torch" in str(caught.value)


def test_a_function_is_called_before_each_step_and_a_step_waits_for_the_device_once(monkeypatch):
    model, _, _, batches = problem()
    steps, waits, plain = [], [], torch.Tensor.__bool__
    monkeypatch.setattr(torch.Tensor, "item", lambda self: pytest.fail("item() waits once more"))
    monkeypatch.setattr(torch.Tensor, "__bool__", lambda self: waits.append(1) or plain(self))
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 60)
    each_step = lambda: steps.append(schedule.last_epoch)
    train((model, optimizer, schedule, batches), 2, each_step=each_step)
    assert steps == list(range(8)) and len(waits) == 8


def test_a_checkpoint_of_another_model_or_optimizer_says_so_and_loads_nothing(tmp_path):
    file = tmp_path / "state.pt"
    train(problem(), 1, checkpoint=file)
    other, (model, _, schedule, batches) = nn.Linear(2, 2), problem(seed=5)
    before = [p.clone() for p in model.parameters()]
    for network, kind in ((other, torch.optim.Adam), (model, torch.optim.SGD)):
        optimizer = kind(network.parameters(), 0.1)
        with pytest.raises(CheckpointError, match="another model, optimizer"):
            train((network, optimizer, schedule, batches), 2, checkpoint=file)
    assert all(torch.equal(p, b) for p, b in zip(model.parameters(), before))


def test_wrong_numbers_of_epochs_and_empty_batches_are_refused():
    assert train(problem(), 0) == []
    with pytest.raises(ValueError, match="at least 0"):
        train(problem(), -1)
    with pytest.raises(ValueError, match="no batch"):
        train((*problem()[:3], lambda epoch: []), 1)


def test_weights_are_kept_and_damage_is_noticed(tmp_path):
    file, weights = tmp_path / "weights.safetensors", problem()[0].state_dict()
    save_weights(weights, file)
    assert all(torch.equal(value, weights[name]) for name, value in load_weights(file).items())
    file.write_bytes(file.read_bytes()[:-7])
    with pytest.raises(CheckpointError, match="is damaged.*Run: make it again"):
        load_weights(file, "Run: make it again")
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


SETTINGS = {
    "rate": np.float64(0.1),
    "data": pathlib.Path("images"),
    "sizes": np.arange(3),
    "kind": torch.float16,
    "device": torch.device("cpu"),
    "weights": torch.ones(2),
    "nested": {"a": [np.int32(1), (True, None, "word")]},
}


def test_settings_and_rates_of_numpy_and_paths_are_stored_and_found_again(tmp_path):
    file = Checkpoint(tmp_path / "state.pt", SETTINGS)
    for epochs in (1, 2):
        model, _, _, batches = problem()
        optimizer = torch.optim.Adam(model.parameters(), np.float64(0.01))
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: np.float64(0.9))
        history = train((model, optimizer, schedule, batches), epochs, checkpoint=file)
        assert len(history) == epochs
    with pytest.raises(
        CheckpointError, match=r"belongs to other settings: rate was 0.1 and is 0.2"
    ):
        load_state(Checkpoint(file.file, SETTINGS | {"rate": np.float64(0.2)}))


@pytest.mark.parametrize("value", [{1}, len, nn.Linear(1, 1)])
def test_what_a_checkpoint_cannot_hold_is_refused_by_name_before_training(value):
    with pytest.raises(TypeError, match=r"settings\['b'\]\[0\] is a .*; expected numbers, words"):
        Checkpoint("state.pt", {"a": 1, "b": [value]})
    with pytest.raises(TypeError, match=r"state\['history'\] is a"):
        save_state({"history": value}, "state.pt")


def test_a_place_where_no_checkpoint_can_be_is_refused_before_training(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    places = {
        tmp_path: "is a folder; expected a file",
        tmp_path / "file" / "x": "cannot be written",
    }
    for place, message in places.items():
        with pytest.raises(CheckpointError, match=message):
            train(problem(), 1, loss=lambda *_: pytest.fail("trained"), checkpoint=place)
    with pytest.raises(CheckpointError, match="is a folder"):
        load_state(tmp_path)
    with pytest.raises(CheckpointError, match="is a folder"):
        load_weights(tmp_path)


def test_a_file_that_holds_something_else_is_not_called_a_training_state(tmp_path):
    torch.save(torch.ones(3), tmp_path / "state.pt")
    with pytest.raises(CheckpointError, match="holds a Tensor, not a training state"):
        train(problem(), 1, checkpoint=tmp_path / "state.pt")


def test_a_checkpoint_of_an_optimizer_of_other_weights_loads_nothing(tmp_path):
    train(problem(), 1, checkpoint=tmp_path / "state.pt")
    model, _, _, batches = problem(seed=5)
    before = [p.clone() for p in model.parameters()]
    optimizer = torch.optim.Adam([model[1].bias], 0.05)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 60)
    with pytest.raises(CheckpointError, match="another model, optimizer"):
        train((model, optimizer, schedule, batches), 2, checkpoint=tmp_path / "state.pt")
    assert all(torch.equal(p, b) for p, b in zip(model.parameters(), before))


@pytest.mark.parametrize("save", [save_state, save_weights])
def test_a_disk_that_torch_finds_full_is_named(tmp_path, save):
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
    try:
        with pytest.raises(CheckpointError, match="could not be written"):
            save({"weights": torch.ones(10_000)}, tmp_path / "state.pt")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list(tmp_path.iterdir())


def test_what_fit_cannot_train_is_named():
    model, optimizer, schedule, batches = problem()
    other = problem()
    refused = [
        ((model, other[1], None, batches), squares, ValueError, "holds no weight of this model"),
        ((model, optimizer, other[2], batches), squares, ValueError, "that of another optimizer"),
        ((*other[:3], batches(0)), squares, TypeError, "batches is a list; expected a function"),
        (other, lambda m, b: m(b[0]), ValueError, r"loss has shape \(16, 1\).*loss.mean\(\)"),
        (other, lambda m, b: {"mse": m(b[0]).mean()}, ValueError, 'expected one named "loss"'),
        (other, lambda m, b: m(b[0]).mean().item(), TypeError, "loss is a float; expected a torch"),
        (other, lambda m, b: m(b[0]).mean().detach(), ValueError, "depends on no weight"),
    ]
    for parts, loss, error, message in refused:
        with pytest.raises(error, match=message):
            train(parts, 1, loss)
    model.requires_grad_(False)
    with pytest.raises(ValueError, match=r"model.requires_grad_\(True\)"):
        train((model, optimizer, schedule, batches), 1)
    used_up = iter(batches(0))
    with pytest.raises(ValueError, match="an iterator that an earlier epoch has used up"):
        train((*problem()[:3], lambda epoch: used_up), 2)


def test_training_needs_no_global_state_and_leaves_it(monkeypatch):
    expected = train(problem(), 2)
    with torch.no_grad():
        assert train(problem(), 2) == expected
        assert not torch.is_grad_enabled()
    training = problem()
    torch.set_default_dtype(torch.float64)
    try:
        assert train(training, 2) == expected
    finally:
        torch.set_default_dtype(torch.float32)


def test_a_gradient_in_half_precision_has_a_length():
    p = nn.Parameter(torch.zeros(100, dtype=torch.float16))
    p.grad = torch.full_like(p, 6e4)
    assert gradient_norm([p]).item() == pytest.approx(6e5, rel=1e-2)
