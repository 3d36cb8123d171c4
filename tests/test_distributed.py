"""Two processes train as one: the same loss, and a word when one of them fails."""

import dataclasses
import json
import os
import runpy
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from course_utils import pretrain as module
from course_utils.checkpoints import Checkpoint, CheckpointError, load_state, load_weights
from course_utils.distributed import (
    all_reduce_weighted,
    average_gradients,
    rank_and_world_size,
    shard_batches,
)
from course_utils.distributed import processes as started
from course_utils.pretrain import pretrain
from course_utils.recipes import RECIPES

ROOT = Path(__file__).parent.parent
PROGRAM = """
import dataclasses, os, signal, sys
from pathlib import Path
import torch
from torch import nn
from torch.nn import functional as F
from course_utils import pretrain
from course_utils.data import load
from course_utils.distributed import rank_and_world_size
from course_utils.recipes import RECIPES, Recipe
from course_utils.training import fit

FOLDER, FAULT = Path(__file__).parent, os.environ["FAULT"]
EPOCHS, BATCH = 3, 15  # 15 images for two processes: unequal parts

@dataclasses.dataclass
class Settings:
    epochs: int = EPOCHS
    batch: int = BATCH

def train(settings, checkpoint, device):
    images = load("fashion_mnist").subset(60).to(device)
    network = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 1, 3, padding=1))
    if rank_and_world_size()[0] == 1:
        nn.init.zeros_(network[0].weight)  # process 0 says where to begin
    network = network.to(device)
    adam = torch.optim.Adam(network.parameters(), lr=1e-2)
    noise = torch.Generator().manual_seed(0)

    def batches(epoch):
        if epoch == 2 and FAULT == f"{rank_and_world_size()[0]} is killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if epoch == 2 and FAULT == f"{rank_and_world_size()[0]} fails":
            raise ValueError("no image left in cupboard 7")
        for x, _ in images.batches(BATCH, epoch=epoch):
            yield x + 0.2 * torch.randn(x.shape, generator=noise), x

    def terms(network, batch):
        x = network(batch[0])
        return {"loss": F.mse_loss(x, batch[1]), "peak": x.mean()}

    history = fit(network, batches, terms, adam, EPOCHS, checkpoint=checkpoint, progress=False)
    return network, {name: [entry[name] for entry in history] for name in ("loss", "peak")}

pretrain.PRETRAINED = FOLDER
RECIPES["small"] = Recipe(train, Settings(), "sixty pictures")
pretrain.main(["small", *sys.argv[1:]])
"""
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


def start(program, *arguments, command=(sys.executable,), **variables):
    """Run the program, which starts its processes; (exit status, standard error)."""
    taken = ("MASTER_", "LOCAL_", "WORLD_")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(taken)}
    environment |= variables | {"OMP_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), *sys.path])
    command = [*command, str(program), *arguments]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    return ran.returncode, ran.stderr


def start_two(folder, fault="none", command=(sys.executable,)):
    """Run PROGRAM in two processes."""
    (folder / "program.py").write_text(PROGRAM)
    return start(folder / "program.py", "--devices", "2", command=command, FAULT=fault)


@pytest.fixture
def alone(monkeypatch):
    """A function that runs the program in this process."""

    def run(folder, fault="none", seed=0):
        program = folder / "program.py"
        program.write_text(PROGRAM)
        monkeypatch.setenv("FAULT", fault)
        monkeypatch.setattr(sys, "argv", [str(program), "--seed", str(seed)])
        monkeypatch.setattr(module, "PRETRAINED", folder)
        monkeypatch.setitem(RECIPES, "small", None)
        runpy.run_path(str(program))

    return run


def result(folder):
    entry = json.loads((folder / "manifest.json").read_text())["small"]
    return entry, load_weights(folder / "small.safetensors")


@pytest.mark.parametrize("how", ["Fabric", "torchrun"])
def test_two_processes_have_the_losses_and_weights_of_one(alone, tmp_path, how):
    command = TORCHRUN if how == "torchrun" else [sys.executable]
    status, said = start_two(tmp_path, command=command)
    assert status == 0, said
    two, same = result(tmp_path)
    alone(tmp_path)
    one, weights = result(tmp_path)
    assert (one["processes"], two["processes"]) == (1, 2)
    for name in ("loss", "peak"):
        assert two["metrics"][name] == pytest.approx(one["metrics"][name], abs=1e-4, rel=1e-4)
    for name, value in weights.items():  # stored in half precision
        torch.testing.assert_close(same[name], value, rtol=0, atol=2e-3)
    assert not (tmp_path / "small.state").exists()


@pytest.mark.parametrize("rank", [0, 1])
def test_a_process_that_fails_is_heard_by_the_other_and_one_process_goes_on(alone, tmp_path, rank):
    status, said = start_two(tmp_path, f"{rank} fails")
    assert status != 0
    assert f"[rank{rank}]: ValueError: no image left in cupboard 7" in said
    heard = "Another process failed: ValueError: no image left in cupboard 7. Rerun the command"
    assert said.count(heard) == 1, said
    state = load_state(tmp_path / "small.state")
    assert len(state["history"]) == 2
    alone(tmp_path)
    losses = result(tmp_path)[0]["metrics"]["loss"]
    assert len(losses) == 3 and losses[:2] == [entry["loss"] for entry in state["history"]]


def test_torchrun_ends_the_others_and_gives_the_first_error_in_its_summary(tmp_path):
    status, said = start_two(tmp_path, "1 fails", TORCHRUN)
    summary = said.partition("Root Cause (first observed failure)")[2]
    assert status != 0 and "ValueError: no image left in cupboard 7" in summary


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
def test_a_process_that_is_killed_is_missed_and_the_checkpoint_is_whole(tmp_path):
    status, said = start_two(tmp_path, "1 is killed")
    assert status != 0
    assert "without one it was killed, perhaps for want of memory" in said
    assert len(load_state(tmp_path / "small.state")["history"]) == 2


GAN_PROGRAM = """
import json, sys
import torch
from course_utils.checkpoints import save_weights
from course_utils.distributed import processes
from course_utils.gans import Gan, PointDiscriminator, PointGenerator, train_gan

def batches(epoch):
    points = torch.Generator().manual_seed(epoch)
    return [torch.randn(size, 2, generator=points) for size in (3, 15, 7)]  # odd: unequal parts

with processes("cpu", int(sys.argv[1])) as fabric:
    torch.manual_seed(0)
    gan = Gan(PointGenerator(), PointDiscriminator(), penalty="r1", total_steps=12)
    history = train_gan(gan, batches, 4, progress=False)
    if fabric.global_rank == 0:
        save_weights(gan.state_dict(), sys.argv[2] + ".safetensors")
        with open(sys.argv[2] + ".json", "w") as file:
            json.dump(history, file)
"""


def test_two_processes_train_a_gan_on_odd_batches_as_one_does(tmp_path):
    (tmp_path / "program.py").write_text(GAN_PROGRAM)
    histories, weights = [], []
    for processes in ("1", "2"):
        file = tmp_path / processes
        status, said = start(tmp_path / "program.py", processes, str(file))
        assert status == 0, said
        histories.append(json.loads(file.with_suffix(".json").read_text()))
        weights.append(load_weights(file.with_suffix(".safetensors")))
    for one, two in zip(*histories, strict=True):
        assert two == pytest.approx(one, abs=1e-4)
    for name, value in weights[0].items():
        torch.testing.assert_close(weights[1][name], value, rtol=0, atol=1e-4)


def test_other_settings_are_refused_and_named(alone, tmp_path):
    with pytest.raises(ValueError, match="cupboard 7"):
        alone(tmp_path, fault="0 fails")
    before = (tmp_path / "small.state").read_bytes()
    with pytest.raises(CheckpointError, match="belongs to other settings: seed was 0 and is 3. Go"):
        alone(tmp_path, seed=3)
    assert (tmp_path / "small.state").read_bytes() == before
    wanted = {"recipe": "small", "seed": 0, "epochs": 5, "batch": 15, "rate": 1.0}
    with pytest.raises(CheckpointError, match="epochs was 3 and is 5, rate was 'not there' and is"):
        load_state(Checkpoint(tmp_path / "small.state", wanted))


def test_the_settings_of_a_recipe_are_a_dataclass():
    assert all(dataclasses.asdict(recipe.settings) for recipe in RECIPES.values())
    with pytest.raises(ValueError, match="The model 'galery' is unknown"):
        pretrain("galery")


def test_one_process_is_left_alone():
    p = torch.nn.Parameter(torch.ones(3))
    average_gradients([p])
    assert rank_and_world_size() == (0, 1) and p.grad is None
    tensor = torch.ones(2)
    all_reduce_weighted([tensor], 0.5)
    assert tensor.tolist() == [1, 1]
    assert list(shard_batches(["anything"], 0)) == [("anything", 1.0)]


PAIR = """
import multiprocessing, os, signal, sys, tempfile, threading, time
from pathlib import Path
import psutil, torch
import torch.distributed as dist
from course_utils.distributed import second_process

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    multiprocessing.set_start_method(sys.argv[1])
    SECOND = '''
import sys, torch, torch.distributed as dist
dist.init_process_group("gloo", init_method="file://" + sys.argv[1] + "/meet", rank=1, world_size=2)
total = torch.ones(1)
for _ in range(50):
    dist.all_reduce(total)
dist.barrier()
dist.destroy_process_group()
'''

    def interrupt(when, folder):
        while when == "connecting" and not Path(folder, "meet").exists():
            pass
        while when == "working" and not dist.is_initialized():
            pass
        os.kill(os.getpid(), signal.SIGINT)

    def pair(when):
        with tempfile.TemporaryDirectory() as folder:
            threading.Thread(target=interrupt, args=(when, folder)).start() if when else None
            with second_process([sys.executable, "-c", SECOND, folder], folder):
                total = torch.ones(1)
                for _ in range(50):
                    dist.all_reduce(total)
                    time.sleep(0.05 if when else 0)
                return total.item()

    for when in ("starting", "connecting", "working"):
        try:
            pair(when)
        except KeyboardInterrupt:
            print("interrupted")
        print(len(psutil.Process().children()), dist.is_initialized())
    print(pair(None) == 2.0**50, len(psutil.Process().children()), dist.is_initialized())
    try:
        with second_process([sys.executable, "-c", "1 / 0"], tempfile.gettempdir() + "/nobody"):
            pass
    except RuntimeError as error:
        print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for another process")
@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_a_second_process_is_interrupted_at_any_moment_and_the_next_one_works(tmp_path, method):
    (tmp_path / "program.py").write_text(PAIR)
    command = [sys.executable, str(tmp_path / "program.py"), method]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    said = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    *lines, last = said.stdout.splitlines()
    assert lines == 3 * ["interrupted", "0 False"] + ["True 0 False"], said.stderr
    assert "ended before it was connected" in last


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for another process")
def test_processes_interrupted_while_they_connect_leave_none_behind(tmp_path):
    program = """
import os, signal, sys, psutil
signal.signal(signal.SIGINT, signal.default_int_handler)
import lightning_fabric
if "LOCAL_RANK" in os.environ:  # the second process never comes
    signal.pause()
def interrupted(self):
    self.strategy.launcher._call_children_scripts()
    raise KeyboardInterrupt
lightning_fabric.Fabric.launch = interrupted
from course_utils.distributed import processes
try:
    with processes("cpu", 2):
        pass
except KeyboardInterrupt:
    print(psutil.wait_procs(psutil.Process().children(), timeout=300)[1])
"""
    (tmp_path / "program.py").write_text(program)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    command = [sys.executable, str(tmp_path / "program.py")]
    said = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    assert said.stdout == "[]\n", said.stderr


def test_a_console_cannot_be_started_again_for_each_process(monkeypatch):
    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
    with pytest.raises(ValueError, match="devices is 2.*write a program"):
        with started("cpu", 2):
            pass
