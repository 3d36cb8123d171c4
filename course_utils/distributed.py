"""Several processes train one model: each takes its part of every batch; gradients are averaged.

Built in notebook 13. Nothing here asks for a wrapped model: `course_utils.training.fit` looks
whether other processes are there. With one process all functions leave everything as it is. Batch
normalisation sees the part of its own process only.
"""

import contextlib
import datetime
import functools
import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import torch
import torch.distributed as dist
from torch import Tensor, nn

from course_utils.arguments import renamed

__all__ = [
    "ProcessError",
    "all_reduce_weighted",
    "average_gradients",
    "broadcast",
    "processes",
    "rank_and_world_size",
    "second_process",
    "shard_batches",
]

RENAMED = {
    "place": "rank_and_world_size",
    "parts": "shard_batches",
    "weighted_sum": "all_reduce_weighted",
}
__getattr__ = renamed(__name__, RENAMED)

ERROR_FILE = "TORCHELASTIC_ERROR_FILE"  # torch writes the error of a process to the file it names


class ProcessError(RuntimeError):
    """Another process has ended; the message says which and, if it is known, why."""


def rank_and_world_size() -> tuple[int, int]:
    """The number of this process, from 0, and how many there are."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank(), dist.get_world_size()
    return 0, 1


def shard_batches(batches: Iterable, epoch: int) -> Iterator[tuple]:
    """This process' part of each batch, and its share of the images: (part, weight).

    A batch is a tensor, or a tuple or list of tensors, with the images along the first axis. Every
    process must be given the same batches, in the same order. Where there are several processes,
    each works on its part with random numbers of its own, from the seed, the epoch and its number:
    noise and dropout must not be the same everywhere. Raises ValueError for a batch with fewer
    images than there are processes.
    """
    rank, size = rank_and_world_size()
    if size == 1:
        yield from ((batch, 1.0) for batch in batches)
        return
    own = None  # the state of this process' random numbers
    for batch in batches:
        tensors = (batch,) if isinstance(batch, Tensor) else tuple(batch)
        if len(tensors[0]) < size:
            raise ValueError(f"A batch of {len(tensors[0])} is too small for {size} processes.")
        part = tuple(tensor.tensor_split(size)[rank] for tensor in tensors)
        common = torch.get_rng_state()
        if own is None:
            step = 1_000_003 * (epoch * size + rank + 1)
            torch.manual_seed((torch.initial_seed() + step) % 2**63)
        else:
            torch.set_rng_state(own)
        yield part[0] if isinstance(batch, Tensor) else part, len(part[0]) / len(tensors[0])
        own = torch.get_rng_state()
        torch.set_rng_state(common)


def all_reduce_weighted(tensors: list[Tensor], weight: float) -> None:
    """Replace each tensor by the sum of weight × tensor over the processes, in one exchange."""
    if rank_and_world_size()[1] == 1 or not tensors:
        return
    flat = weight * torch.cat([tensor.detach().flatten() for tensor in tensors])
    with connected():
        dist.all_reduce(flat)  # the sum over the processes, in all of them
    for tensor, total in zip(tensors, flat.split([tensor.numel() for tensor in tensors])):
        tensor.detach().copy_(total.view_as(tensor))


def average_gradients(parameters: Iterable[nn.Parameter], weight: float | None = None) -> None:
    """Replace each gradient by that of the whole batch, for a loss that is a mean over images.

    Call it between backward() and step(). `weight` is this process' share of the batch (default:
    all have the same). A parameter without a gradient counts as zero, so that all processes
    exchange the same numbers.
    """
    size = rank_and_world_size()[1]
    if size == 1:
        return
    gradients = []
    for p in parameters:
        if p.requires_grad:
            if p.grad is None:
                p.grad = torch.zeros_like(p)
            gradients.append(p.grad)
    all_reduce_weighted(gradients, 1 / size if weight is None else weight)


def broadcast(value: Any) -> Any:
    """What process 0 gives, in all processes (tensors on the CPU and plain values)."""
    box = [value]
    if rank_and_world_size()[1] > 1:
        with connected():
            dist.broadcast_object_list(box, src=0)
    return box[0]


@contextlib.contextmanager
def processes(accelerator: str = "cpu", devices: int = 1, nodes: int = 1) -> Iterator:
    """Start a training's processes, `devices` on each of `nodes` hosts; give Lightning's Fabric.

    Its `device` is this process' device, its `global_rank` its number. What is inside runs in every
    process. The program is started again for each further process of this host; under torchrun,
    which has started them, the numbers are torchrun's. Several hosts without torchrun: the same
    command on each, with MASTER_ADDR, MASTER_PORT and NODE_RANK in the environment.

    When one process fails, the others raise ProcessError; on the same host with its message, under
    torchrun the message stands in torchrun's summary.
    """
    # here: it takes seconds, and only training needs it
    from lightning_fabric import Fabric
    from torch.distributed.elastic.multiprocessing.errors import get_error_handler

    if "TORCHELASTIC_RUN_ID" in os.environ:
        devices = int(os.environ["LOCAL_WORLD_SIZE"])
        nodes = int(os.environ["WORLD_SIZE"]) // devices
    elif hasattr(sys, "ps1") and devices * nodes > 1:
        raise ValueError(
            f"devices is {devices}, nodes is {nodes}, and this is a notebook or a console, which "
            "cannot be started again for each: write a program, and run it as python PROGRAM.py."
        )
    elif devices > 1 and ERROR_FILE not in os.environ:  # one for all: they inherit the variable
        os.environ[ERROR_FILE] = str(Path(tempfile.gettempdir(), f"course-{uuid.uuid4()}.json"))
    fabric = Fabric(accelerator=accelerator, devices=devices, num_nodes=nodes)
    others = psutil.Process().children()
    try:
        fabric.launch()
    except BaseException:  # interrupted while the processes connect: those it has started wait
        for child in psutil.Process().children():
            if child not in others:
                child.kill()
        raise
    if fabric.world_size == 1:
        yield fabric
        return
    try:
        yield fabric
        with connected():
            fabric.barrier()  # nobody leaves while another may still fail
    except ProcessError:
        raise
    except BaseException as error:
        get_error_handler().record_exception(error)
        raise
    finally:
        dist.destroy_process_group()  # the others notice


@contextlib.contextmanager
def second_process(command: list[str], folder: str | os.PathLike) -> Iterator[None]:
    """Run `command` as process 1 beside this one, process 0; inside, the two are connected.

    They meet in the file `meet` of the folder: the command calls init_process_group("gloo",
    init_method="file://" + folder + "/meet", rank=1, world_size=2), and barrier() at its end.
    However the block is left, the other process is ended and this one alone again. Raises
    ProcessError for a command that ends before it is there. Used in notebook 13.
    """
    meet = Path(folder, "meet")
    other = subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"})
    try:
        while not meet.exists():  # waits here, since torch's own waiting cannot be interrupted
            if other.poll() is not None:
                raise ProcessError("The second process ended before it was connected: see above.")
            time.sleep(0.05)
        init = functools.partial(
            dist.init_process_group,
            "gloo",
            init_method=f"file://{meet}",
            timeout=datetime.timedelta(seconds=60),
            rank=0,
            world_size=2,
        )
        with ThreadPoolExecutor(1) as thread:  # where no interrupt leaves half a connection
            thread.submit(init).result()
        yield
        dist.barrier()
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()
        other.kill()
        other.wait()


@contextlib.contextmanager
def connected() -> Iterator[None]:
    """Turn the error of a broken exchange into ProcessError, with the message of who failed."""
    try:
        yield
    except RuntimeError as broken:
        try:
            error = json.loads(Path(os.environ[ERROR_FILE]).read_text())["message"]["message"]
            message = f"Another process failed: {error}"
        except (KeyError, OSError, ValueError):  # none, or half of one
            message = (
                "Another process ended. Its error stands above or in torchrun's summary; "
                "without one it was killed, perhaps for want of memory"
            )
        raise ProcessError(
            f"{message}. Rerun the command to resume from the last checkpoint."
        ) from broken
