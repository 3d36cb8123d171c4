"""BatchTopK and its threshold, with the mistakes made about them (exercise 05.2)."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from course_utils.exercises.mistakes.topk import DETACHED, NEGATIVE, TIES, of_batch, topk

__all__ = ["STEP_MISTAKES", "batch_step", "chosen"]


def chosen(a: Tensor, k: int) -> Tensor:
    """BatchTopK in training: the k * N largest positive numbers of the batch."""
    return of_batch(a, k * len(a)).relu()


def moved(code: Tensor, threshold: Tensor, weight: float = 0.01, pick=torch.min) -> Tensor:
    """The threshold after a step to the smallest positive number of a code."""
    return threshold.lerp(pick(code[code > 0]), weight)


def batch_step(
    a: Tensor, k: int, threshold: Tensor, training: bool, choose=chosen, move=moved, above=torch.gt
) -> tuple[Tensor, Tensor]:
    """Code and threshold: `choose` and `move` are for training, `above` is for evaluation."""
    if training:
        code = choose(a, k)
        return code, move(code, threshold)
    return torch.where(above(a, threshold), a, 0.0), threshold


def evaluating(code: Callable, move: Callable = lambda a, k, t: t) -> Callable:
    """A mistake in evaluation only: `code` of a, k and the threshold, and a threshold."""

    def step(a: Tensor, k: int, t: Tensor, training: bool) -> tuple[Tensor, Tensor]:
        return batch_step(a, k, t, True) if training else (code(a, k, t), move(a, k, t))

    return step


def training_by(move: Callable) -> Callable:
    """A mistake in training only: the threshold moves by `move` of a, k and the threshold."""

    def step(a: Tensor, k: int, t: Tensor, training: bool) -> tuple[Tensor, Tensor]:
        code, _ = batch_step(a, k, t, training)
        return code, move(a, k, t) if training else t

    return step


def above(a: Tensor, k: int, t: Tensor) -> Tensor:
    return torch.where(a > t, a, 0.0)


def largest(a: Tensor, k: int) -> Tensor:
    return of_batch(a, k * len(a))


STEP_MISTAKES: dict[str, Callable] = {
    "that is TopK; choose k * N of the whole batch.": partial(batch_step, choose=topk),
    "you kept k numbers of the batch; keep k * N.": (
        partial(batch_step, choose=lambda a, k: of_batch(a, k).relu())
    ),
    "you kept k * units numbers; keep k * N.": (
        partial(batch_step, choose=lambda a, k: of_batch(a, k * a.shape[1]).relu())
    ),
    "one too few in training: keep k * N numbers.": (
        partial(batch_step, choose=lambda a, k: of_batch(a, k * len(a) - 1).relu())
    ),
    "one too many in training: keep k * N numbers.": (
        partial(batch_step, choose=lambda a, k: of_batch(a, k * len(a) + 1).relu())
    ),
    NEGATIVE: partial(batch_step, choose=largest),
    "negative numbers are never active, and do not move the threshold: .relu().": (
        partial(batch_step, choose=largest, move=lambda c, t: t.lerp(c[c != 0].min(), 0.01))
    ),
    "negative numbers do not move the threshold.": (
        training_by(lambda a, k, t: t.lerp(largest(a, k)[largest(a, k) != 0].min(), 0.01))
    ),
    "choose the largest numbers, not the largest magnitudes.": (
        partial(batch_step, choose=lambda a, k: a.where(chosen(a.abs(), k) > 0, 0.0).relu())
    ),
    "you kept all positive numbers in training; keep the k * N largest.": (
        partial(batch_step, choose=lambda a, k: a.relu())
    ),
    "in training the numbers stay, not ones: multiply the mask by a.": (
        lambda a, k, t, on: (
            (chosen(a, k).sign(), moved(chosen(a, k), t)) if on else (above(a, k, t), t)
        )
    ),
    "in training the code is chosen by k * N, not by the threshold.": (
        lambda a, k, t, on: (above(a, k, t), moved(chosen(a, k), t) if on else t)
    ),
    "in training you did what belongs to evaluation: use `training`.": (
        lambda a, k, t, on: batch_step(a, k, t, False)
    ),
    "training and evaluation are exchanged.": lambda a, k, t, on: batch_step(a, k, t, not on),
    "return the code first, then the threshold.": lambda *given: batch_step(*given)[::-1],
    "the code of training has the shape of a: .view_as(a).": (
        lambda a, k, t, on: (
            (chosen(a, k).flatten(), moved(chosen(a, k), t)) if on else (above(a, k, t), t)
        )
    ),
    "in evaluation the threshold must not change.": (
        evaluating(above, lambda a, k, t: moved(chosen(a, k), t))
    ),
    "in evaluation the threshold must not change; yours follows the code.": (
        evaluating(above, lambda a, k, t: moved(above(a, k, t), t))
    ),
    "in evaluation a code must not depend on the others: use the threshold.": (
        lambda a, k, t, training: batch_step(a, k, t, True)
    ),
    "in evaluation a code must not depend on the others: use the threshold, not k * N.": (
        evaluating(lambda a, k, t: chosen(a, k))
    ),
    "in evaluation use the threshold, not TopK.": evaluating(lambda a, k, t: topk(a, k)),
    "in evaluation use the threshold alone; you chose k * N first.": (
        evaluating(lambda a, k, t: above(chosen(a, k), k, t))
    ),
    "in evaluation use the threshold alone; you took TopK, too.": (
        evaluating(lambda a, k, t: above(topk(a, k), k, t))
    ),
    "in evaluation only what is above the threshold stays, not what is equal: >.": (
        partial(batch_step, above=torch.ge)
    ),
    "in evaluation keep what is above the threshold, not below.": (
        partial(batch_step, above=torch.lt)
    ),
    "in evaluation what is above the threshold keeps its value: subtract nothing.": (
        evaluating(lambda a, k, t: (a - t).relu())
    ),
    "in evaluation you kept all positive numbers: use the threshold.": (
        evaluating(lambda a, k, t: a.relu())
    ),
    "in evaluation the numbers stay, not ones: multiply the mask by a.": (
        evaluating(lambda a, k, t: above(a, k, t).sign())
    ),
    "in evaluation the numbers are compared, not their magnitudes.": (
        evaluating(lambda a, k, t: a.where(a.abs() > t, 0))
    ),
    "the threshold did not move in training.": training_by(lambda a, k, t: t),
    "the threshold moves only 1 % of the way to the smallest number kept.": (
        training_by(lambda a, k, t: moved(chosen(a, k), t, 1.0))
    ),
    "the threshold moves 1 % of the way; yours moves 99 %.": (
        training_by(lambda a, k, t: moved(chosen(a, k), t, 0.99))
    ),
    "the threshold moves 1 % of the way, a weight of 0.01; yours moves 10 %.": (
        training_by(lambda a, k, t: moved(chosen(a, k), t, 0.1))
    ),
    "the threshold moves 1 % of the way, a weight of 0.01; yours moves 0.1 %.": (
        training_by(lambda a, k, t: moved(chosen(a, k), t, 0.001))
    ),
    "the threshold moves away from the smallest number kept.": (
        training_by(lambda a, k, t: moved(chosen(a, k), t, -0.01))
    ),
    "1 % of the way to the smallest number kept is t + 0.01 (smallest - t).": (
        training_by(lambda a, k, t: t + 0.01 * moved(chosen(a, k), t, 1.0))
    ),
    "that is only 1 % of the smallest number kept; 99 % of the threshold stay.": (
        training_by(lambda a, k, t: 0.01 * moved(chosen(a, k), t, 1.0))
    ),
    "move to the smallest number kept, not the largest.": (
        training_by(lambda a, k, t: moved(chosen(a, k), t, pick=torch.max))
    ),
    "move to the smallest number kept, not their mean.": (
        training_by(lambda a, k, t: moved(chosen(a, k), t, pick=torch.mean))
    ),
    "move to the smallest number kept, not their median.": (
        training_by(lambda a, k, t: moved(chosen(a, k), t, pick=torch.median))
    ),
    "take the minimum over the numbers kept, without the zeros.": (
        training_by(lambda a, k, t: 0.99 * t)
    ),
    "where fewer than k * N numbers are positive, zeros are not among those kept.": (
        training_by(lambda a, k, t: t.lerp(a.relu().flatten().topk(k * len(a)).values.min(), 0.01))
    ),
    "move to the smallest number kept, not to the smallest of all.": (
        training_by(lambda a, k, t: t.lerp(a.min(), 0.01))
    ),
    "move to the smallest number kept, not to the smallest positive one.": (
        training_by(lambda a, k, t: moved(a, t))
    ),
    DETACHED: partial(batch_step, choose=lambda a, k: chosen(a, k).detach()),
    TIES: partial(
        batch_step, choose=lambda a, k: a.where(a >= chosen(a, k)[chosen(a, k) > 0].min(), 0)
    ),
}
