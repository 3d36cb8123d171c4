"""One small training loop: history, stop on NaN, resume after an interrupt, several processes."""

import math
import os
import pathlib
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from course_utils import distributed
from course_utils.arguments import check_int, check_tensor, single
from course_utils.checkpoints import CheckpointError, check_writable, load_state, save_state

__all__ = ["TrainingError", "fit", "gradient_norm"]

TRY = "Try a smaller learning rate, and look for log(0), division by zero or NaN in the data."
Model = TypeVar("Model", bound=nn.Module)


NO_BATCH = (
    "batches(epoch) gave no batch: are there fewer images than in one, or is it an iterator that "
    "an earlier epoch has used up? Make the batches anew in each call."
)


class TrainingError(RuntimeError):
    """Training cannot go on; the message says where and what to try."""


@torch.enable_grad()
def fit(
    model: Model,
    batches: Callable[[int], Iterable],
    loss: Callable[[Model, Any], Tensor | dict[str, Tensor]],
    optimizer: torch.optim.Optimizer,
    epochs: int,
    *,
    schedule: torch.optim.lr_scheduler.LRScheduler | None = None,
    checkpoint: str | os.PathLike | None = None,
    each_step: Callable[[], None] | None = None,
    progress: bool = True,
) -> list[dict[str, float]]:
    """Train `model` for `epochs`; return the history, one dict of mean losses per epoch.

    batches(epoch) gives the batches of an epoch, such as `lambda epoch: data.batches(64,
    epoch=epoch)`. loss(model, batch) gives a scalar, or a dict of named scalars whose entry "loss"
    is minimised. `schedule` is stepped after each optimizer step. each_step() is called before each
    step: what it changes, such as a number of active units, it can take from `schedule.last_epoch`,
    the steps done so far. With `checkpoint` the state is saved after each epoch, and a call that
    finds the file goes on behind the last finished epoch: after an interrupted kernel run the cell
    again. The result is the same as without the interruption if all random numbers come from torch
    on the CPU. A file that holds `epochs` or more is loaded and nothing is trained. A
    `course_utils.checkpoints.Checkpoint` also holds the settings that must be the same.

    Inside `course_utils.distributed.processes` each process works on its part of every batch;
    gradients and history are those of the whole batch, and process 0 saves the state. The loss
    must then be a mean over the images, and a batch a tensor or a tuple of tensors.

    The model is left in training mode. Raises ValueError for epochs < 0, no batch, a loss that is
    no scalar or depends on no weight, and an optimizer of another model; TrainingError when the
    loss or a gradient is not finite (the weights are then as before that step), CheckpointError
    when the file is damaged or belongs to another model or optimizer (nothing is loaded then).
    """
    epochs = check_int("epochs", epochs)
    check_batches(batches)
    parts = {"model": model, "optimizer": optimizer} | ({"schedule": schedule} if schedule else {})
    history = load_checkpoint(parts, checkpoint)
    check_optimizer(model, optimizer, schedule)
    model.train()
    done, hidden = len(history), not progress or distributed.rank_and_world_size()[0] > 0
    steps = range(done, epochs)
    bar = tqdm(steps, "epochs", epochs, leave=False, initial=done, disable=hidden)
    for epoch in bar:
        sums: dict[str, Tensor] = {}
        count = 0
        for batch, weight in distributed.shard_batches(batches(epoch), epoch):
            if each_step:
                each_step()
            result = loss(model, batch)
            terms = result if isinstance(result, dict) else {"loss": result}
            check_terms(terms)
            optimizer.zero_grad(set_to_none=True)
            backward(terms["loss"], "model")
            distributed.average_gradients(model.parameters(), weight)
            norm = gradient_norm(model.parameters())
            # The one wait for a GPU in a step.
            if not torch.isfinite(terms["loss"].detach() + norm):
                value = terms["loss"].item()
                fault = (
                    "A gradient is not finite" if math.isfinite(value) else f"The loss is {value}"
                )
                raise TrainingError(f"{fault} in epoch {epoch + 1}, batch {count + 1}. {TRY}")
            optimizer.step()
            if schedule:
                schedule.step()
            for name, term in terms.items():
                sums[name] = sums.get(name, 0.0) + weight * term.detach()
            count += 1
        if count == 0:
            raise ValueError(NO_BATCH)
        distributed.all_reduce_weighted(list(sums.values()), 1.0)
        history.append({name: float(total) / count for name, total in sums.items()})
        bar.set_postfix({name: f"{mean:.4g}" for name, mean in history[-1].items()})
        save_checkpoint(parts, history, checkpoint)
    return history


def check_batches(batches: object) -> None:
    """TypeError unless `batches` can be called."""
    if not callable(batches):
        raise TypeError(
            f"batches is a {type(batches).__name__}; expected a function of the epoch that gives "
            "its batches: lambda epoch: batches."
        )


def check_optimizer(model: nn.Module, optimizer: torch.optim.Optimizer, schedule: Any) -> None:
    """ValueError unless the optimizer moves weights of the model, and the schedule its rate."""
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    if held.isdisjoint(map(id, model.parameters())):
        raise ValueError(
            "The optimizer holds no weight of this model, which would stay as it is: make the "
            "optimizer after the model, from model.parameters()."
        )
    if schedule and getattr(schedule, "optimizer", optimizer) is not optimizer:
        raise ValueError("The schedule is that of another optimizer: make it from this one.")


def check_terms(terms: dict) -> None:
    """An error unless "loss" is one of the terms and each is a tensor with one number."""
    if "loss" not in terms:
        raise ValueError(f'The loss has the terms {", ".join(terms)}; expected one named "loss".')
    for name, term in terms.items():
        if check_tensor(term, name).numel() != 1:
            shape = tuple(term.shape)
            raise ValueError(f"{name} has shape {shape}; expected one number: {name}.mean().")


def backward(loss: Tensor, name: str) -> None:
    """loss.backward(); ValueError where no weight of the network `name` would get a gradient."""
    if not loss.requires_grad:
        raise ValueError(
            f"The loss of the {name} depends on no weight that can learn: are all frozen "
            f"({name}.requires_grad_(True)), or is there a detach() or no_grad() in the loss?"
        )
    loss.backward()


def gradient_norm(parameters: Iterable[nn.Parameter]) -> Tensor:
    """The length of all gradients as one vector, (); 0 where there is none."""
    norms = [single(p.grad).norm() for p in parameters if p.grad is not None]
    return torch.stack(norms).norm() if norms else torch.zeros(())


def signature(parts: dict) -> dict:
    """What must agree for a checkpoint to fit: classes, and names and shapes of the weights."""
    kind = {name: type(part).__name__ for name, part in parts.items() if name != "model"}
    weights = parts["model"].state_dict()
    return kind | {"weights": {name: list(value.shape) for name, value in weights.items()}}


def groups(state: dict) -> list[int]:
    """The number of weights in each group of an optimizer's state; [] for another state."""
    return [len(group["params"]) for group in state.get("param_groups", [])]


def load_checkpoint(parts: dict, checkpoint: str | os.PathLike | None) -> list[dict[str, float]]:
    """Load the states of model, optimizer and schedule; return the history, [] without a file.

    Of several processes the first reads the file, and all start from its state; without a file from
    its weights.
    """
    rank, size = distributed.rank_and_world_size()
    state = None
    if rank == 0 and checkpoint:
        check_writable(checkpoint)
        state = load_state(checkpoint) if pathlib.Path(checkpoint).is_file() else None
    state = distributed.broadcast(state)
    if state is None:
        if size > 1:
            weights = {name: value.cpu() for name, value in parts["model"].state_dict().items()}
            parts["model"].load_state_dict(distributed.broadcast(weights))
        return []
    own = {name: part.state_dict() for name, part in parts.items()}
    fits = state.get("kind") == signature(parts)
    if not fits or any(groups(state[name]) != groups(own[name]) for name in parts):
        raise CheckpointError(
            f"{checkpoint} belongs to another model, optimizer or schedule. "
            "Delete it, or give another checkpoint name."
        )
    for name, part in parts.items():
        part.load_state_dict(state[name])
    torch.set_rng_state(state["random"])
    return list(state["history"])


def save_checkpoint(
    parts: dict, history: list[dict[str, float]], checkpoint: str | os.PathLike | None
) -> None:
    """Save the state behind an epoch, if asked to.

    Of several processes the first does; before, the buffers, which each gathered on its own part,
    are averaged.
    """
    rank, size = distributed.rank_and_world_size()
    averages = [b for b in parts["model"].buffers() if b.is_floating_point()]
    distributed.all_reduce_weighted(averages, 1 / size)
    if checkpoint and rank == 0:
        state = {name: part.state_dict() for name, part in parts.items()}
        state |= {"kind": signature(parts), "history": history, "random": torch.get_rng_state()}
        save_state(state, checkpoint)
