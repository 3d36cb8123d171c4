"""Several processes train one model: each takes its part of every batch, and they average their gradients.

Built in notebook 13. Nothing here asks for a wrapped model: `course_utils.training.fit` looks
whether other processes are there. With one process all functions leave everything as it is. Batch
normalisation sees the part of its own process only.
"""

import contextlib
import datetime
import os
import time
from collections.abc import Iterable, Iterator

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
    "shard_batches",
]

__getattr__ = renamed(
    __name__,
    {
        "place": "rank_and_world_size",
        "parts": "shard_batches",
        "weighted_sum": "all_reduce_weighted",
    },
)

GRACE_SECONDS = 10.0  # seconds that a process with an error waits until the others have read it


class ProcessError(RuntimeError):
    """Another process has ended; the message says which and, if it could, why."""


class Disconnected(RuntimeError):
    """An exchange with the other processes broke off."""


def rank_and_world_size() -> tuple[int, int]:
    """The number of this process, from 0, and how many there are."""
    return (
        (dist.get_rank(), dist.get_world_size())
        if dist.is_available() and dist.is_initialized()
        else (0, 1)
    )


def shard_batches(batches: Iterable, epoch: int) -> Iterator[tuple]:
    """This process' part of each batch, and its share of the images: (part, weight).

    A batch is a tensor, or a tuple or list of tensors, with the images along the first axis. Every
    process must be given the same batches, in the same order. Where there are several processes,
    each works on its part with random numbers of its own, from the seed, the epoch and its number:
    noise and dropout must not be the same everywhere. Raises ValueError for a batch with fewer
    images than there are processes.
    """
    rank, size = rank_and_world_size()
    own = None  # the state of this process' random numbers
    for batch in batches:
        if size == 1:
            yield batch, 1.0
            continue
        tensors = (batch,) if isinstance(batch, Tensor) else tuple(batch)
        if len(tensors[0]) < size:
            raise ValueError(
                f"A batch has {len(tensors[0])} images for {size} processes: each needs one at least."
            )
        part = tuple(tensor.tensor_split(size)[rank] for tensor in tensors)
        common = torch.get_rng_state()
        if own is None:
            torch.manual_seed(
                (torch.initial_seed() + 1_000_003 * (epoch * size + rank + 1)) % 2**63
            )
        else:
            torch.set_rng_state(own)
        yield part[0] if isinstance(batch, Tensor) else part, len(part[0]) / len(tensors[0])
        own = torch.get_rng_state()
        torch.set_rng_state(common)


def all_reduce_weighted(tensors: list[Tensor], weight: float) -> None:
    """Replace each tensor by the sum of weight × tensor over the processes: one exchange of one flat vector."""
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
    trained = [p for p in parameters if p.requires_grad]
    for p in trained:
        if p.grad is None:
            p.grad = torch.zeros_like(p)
    all_reduce_weighted([p.grad for p in trained], 1 / size if weight is None else weight)


def broadcast(value: object) -> object:
    """What process 0 gives, in all processes (tensors on the CPU and plain values)."""
    if rank_and_world_size()[1] == 1:
        return value
    box = [value]
    with connected():
        dist.broadcast_object_list(box, src=0)
    return box[0]


@contextlib.contextmanager
def processes(accelerator: str = "cpu", devices: int = 1, nodes: int = 1) -> Iterator:
    """Start the processes of a training, `devices` on each of `nodes` hosts; gives Lightning's Fabric.

    Its `device` is this process' device, its `global_rank` its number. What is inside runs in every
    process. The program is started again for each further process of this host; under torchrun,
    which has started them, the numbers are torchrun's. Several hosts without torchrun: the same
    command on each, with MASTER_ADDR, MASTER_PORT and NODE_RANK in the environment.

    When one process fails, the others raise ProcessError with its message.
    """
    from lightning_fabric import Fabric  # here: it takes seconds, and only training needs it

    if "TORCHELASTIC_RUN_ID" in os.environ:
        devices = int(os.environ["LOCAL_WORLD_SIZE"])
        nodes = int(os.environ["WORLD_SIZE"]) // devices
    fabric = Fabric(accelerator=accelerator, devices=devices, num_nodes=nodes)
    fabric.launch()
    if fabric.world_size == 1:
        yield fabric
        return
    board = notice_board()
    try:
        yield fabric
        fabric.barrier()  # nobody leaves while another may still fail
    except Disconnected as error:
        raise ProcessError(read_error(board)) from error
    except BaseException as error:
        post_error(board, error)
        raise
    dist.destroy_process_group()


# Private: how a process that fails is heard by the others


@contextlib.contextmanager
def connected() -> Iterator[None]:
    """Turn the error of a broken exchange into Disconnected."""
    try:
        yield
    except RuntimeError as error:
        raise Disconnected(str(error)) from error


def notice_board() -> dist.TCPStore:
    """A small dictionary that process 0 keeps and all can reach, also when an exchange is broken."""
    rank, size = rank_and_world_size()
    host, wait = os.environ["MASTER_ADDR"], datetime.timedelta(seconds=60)
    if rank == 0:
        board = dist.TCPStore(host, 0, is_master=True, wait_for_workers=False, timeout=wait)
    port = broadcast(board.port if rank == 0 else None)
    return (
        board
        if rank == 0
        else dist.TCPStore(host, port, is_master=False, wait_for_workers=False, timeout=wait)
    )


def post_error(board: dist.TCPStore, error: BaseException) -> None:
    """Leave a message, hang up, and wait until the others have read it."""
    rank, size = rank_and_world_size()
    with contextlib.suppress(RuntimeError):  # process 0, which keeps the board, may be gone
        board.set("message", f"Process {rank} of {size} failed: {type(error).__name__}: {error}")
        dist.destroy_process_group()  # the others notice
        until_read(board, size - 1)


def read_error(board: dist.TCPStore) -> str:
    """The message of the process that failed, or that there is none."""
    rank, size = rank_and_world_size()
    try:
        if board.check(["message"]):
            message = board.get("message").decode()
            board.add("readers", 1)
            if rank == 0:  # the board must stay until all have read
                until_read(board, size - 1)
            return f"{message} The last checkpoint is whole: the same command goes on behind it."
    except RuntimeError:
        pass
    return (
        f"One of {size} processes ended without a word: it was killed, perhaps for want of memory. "
        "The last checkpoint is whole: the same command goes on behind it."
    )


def until_read(board: dist.TCPStore, readers: int) -> None:
    """Wait until so many processes have read the message, at most GRACE_SECONDS seconds."""
    end = time.monotonic() + GRACE_SECONDS
    while board.add("readers", 0) < readers and time.monotonic() < end:
        time.sleep(0.02)
