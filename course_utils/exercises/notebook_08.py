"""Checks of notebook 08, GAN fundamentals."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from course_utils.exercises.alternating_steps import STEP_MISTAKES, alternating, trained
from course_utils.exercises.core import Mistake, attempt, exercise, expect, expect_answer

__all__ = [
    "alternating_step",
    "best_discriminator",
    "jensen_shannon_divergence",
    "non_saturating_loss",
    "value_by_quadrature",
]


def terms(p: Tensor, q: Tensor, score: Tensor) -> Tensor:
    return p * F.logsigmoid(score) + q * F.logsigmoid(-score)


def quadrature(x: Tensor, p: Tensor, q: Tensor, score: Tensor) -> Tensor:
    return torch.trapezoid(terms(p, q, score), x)


QUADRATURE = {
    "the steps differ: give torch.trapezoid x too.": lambda x, *a: torch.trapezoid(terms(*a)),
    "the sum lacks dx: use torch.trapezoid(..., x).": lambda x, *a: terms(*a).sum(),
    "that is a mean; an integral weighs each value with dx.": lambda x, *a: terms(*a).mean(),
    "the sign is wrong: both logarithms are negative.": lambda *a: -quadrature(*a),
    "p and q are swapped: log D belongs to p.": lambda x, p, q, s: quadrature(x, q, p, s),
    "the second term is log(1 - D), not log D.": lambda x, p, q, s: quadrature(x, p + q, 0 * q, s),
}
V_AT_200 = (
    "V is wrong at scores of ±200: log(sigmoid(s)) is -inf there, and an epsilon or a clamp "
    "falsifies V. Use logsigmoid(s) for log D and logsigmoid(-s) for log(1 - D)."
)


@exercise("08.1", "The value by quadrature", difficulty=1, minutes=5, mistakes=QUADRATURE)
def value_by_quadrature(answer: Any) -> None:
    """x, p, q, score (n,) -> V by the trapezoid rule on a grid of unequal steps."""
    for n, scale in [(41, 1.0), (2, 1.0), (17, 3.0), (9, 100.0)]:
        x = torch.rand(n).add(0.1).cumsum(0)
        p, q, score = torch.rand(n), torch.rand(n), scale * torch.randn(n)
        mistakes = QUADRATURE
        if scale == 100:
            score[0], score[1] = 200.0, -200.0
            mistakes = {V_AT_200: answer}  # smaller scores were right
        expect_answer(answer, quadrature, x, p, q, score, mistakes=mistakes)


def best(log_p: Tensor, log_q: Tensor) -> Tensor:
    return (log_p - log_q).sigmoid()


BEST = {
    "that is q / (p + q): D is the probability of *real*.": lambda a, b: best(b, a),
    "that is the score; the discriminator is its sigmoid.": lambda a, b: a - b,
    "that is p / q; the best D is p / (p + q).": lambda a, b: (a - b).exp(),
    "these are the logarithms; the densities are their exp.": lambda a, b: a / (a + b),
    "the score is log p - log q, not p - q.": lambda a, b: (a.exp() - b.exp()).sigmoid(),
    "0/0 where exp gives 0 twice: use log p - log q.": lambda a, b: a.exp() / (a.exp() + b.exp()),
}


@exercise("08.2", "The best discriminator from log densities", 1, minutes=5, mistakes=BEST)
def best_discriminator(answer: Any) -> None:
    """Log densities (n,) -> p / (p + q), also where both densities vanish."""
    for n in (30, 1, 7):
        expect_answer(answer, best, 2 * torch.randn(n), 2 * torch.randn(n))
    far = torch.tensor([[-2000.0, -2000.0, -1000.0], [-2001.0, -1000.0, -2000.0]])
    what = "D at log densities around -2000 (no epsilon helps: work with log p - log q)"
    expect_answer(answer, best, *far, what=what)
    what = "D at log densities near 90, whose exp overflows,"
    expect_answer(answer, best, *(far + 2090), what=what)


READY_MADE = ("softplus", "logsigmoid", "log_sigmoid", "soft_margin_loss", "binary_cross_entropy")


class Calls(TorchFunctionMode):
    """Collects the names of the torch functions that are called inside `with`."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_function__(self, func: Callable, types: object, args=(), kwargs=None) -> object:
        self.names.add(getattr(func, "__name__", ""))
        return func(*args, **(kwargs or {}))


def non_saturating(score: Tensor) -> Tensor:
    return F.softplus(-score).mean()


LOSS = {
    "that is the minimax loss; asked is -mean log D.": lambda s: -F.softplus(s).mean(),
    "the sign is wrong: the generator minimises -mean log D.": lambda s: -non_saturating(s),
    "that is the *discriminator's* loss, -mean log(1 - D).": lambda s: non_saturating(-s),
    "take the mean over the samples, not the sum.": lambda s: F.softplus(-s).sum(),
    "that is the mean of 1 - D, without the logarithm.": lambda s: (-s).sigmoid().mean(),
    "take the mean of log D, not the log of mean D.": lambda s: -s.sigmoid().mean().log(),
}
LOSS_AT_200 = (
    "the loss is wrong at large scores: exp overflows or sigmoid is 0 there, and an epsilon or a "
    "clamp falsifies it. Write max(-s, 0) + log(1 + exp(-|s|))."
)


@exercise("08.3", "The generator's loss at ±200", difficulty=2, minutes=10, mistakes=LOSS)
def non_saturating_loss(answer: Any) -> None:
    """Scores (N,) -> mean of -log sigmoid(score), value and gradient."""
    for n in (12, 1, 5):
        expect_answer(answer, non_saturating, 2 * torch.randn(n))
    extreme = torch.tensor([-200.0, -90.0, -20.0, -1.0, 0.5, 3.0, 20.0, 200.0])
    for score in extreme.split(1):
        expect_answer(answer, non_saturating, score, mistakes={LOSS_AT_200: answer})
        probe = score.clone().requires_grad_()
        loss = answer(probe)
        expect(
            isinstance(loss, Tensor) and loss.requires_grad,
            "the loss carries no gradient back to the scores: leave detach, item and no_grad away.",
        )
        slope, expected = torch.autograd.grad(loss, probe)[0].item(), -torch.sigmoid(-score).item()
        expect(
            abs(slope - expected) < 1e-4,
            f"at {score.item():.0f} the gradient is {slope:.3g}; expected {expected:.3g}: "
            "a clamp cuts it off, and torch.where also differentiates the branch it does not take.",
        )
    with Calls() as calls:
        attempt(answer, extreme)
    used = " and ".join(sorted(name for name in calls.names if name.startswith(READY_MADE)))
    expect(not used, f"correct, but with {used}: write it with exp, log, clamp and abs.")


@exercise("08.4", "The alternating step", difficulty=2, minutes=10, mistakes=STEP_MISTAKES)
def alternating_step(answer: Any) -> None:
    """Both networks after two steps, against a reference, and the two losses."""
    expect(callable(answer), f"expected a function, your answer is a {type(answer).__name__}.")

    def step(generator, discriminator, optimizers, *batch: Tensor) -> object:
        """The answer; a message shows the shapes of real and z, not two printed networks."""
        players = (generator, discriminator, optimizers)
        try:
            return attempt(lambda *batch: answer(*players, *batch), *batch)
        except Mistake as mistake:
            if "inplace operation" not in str(mistake):
                raise
            raise Mistake(
                "the generator's loss was computed before the discriminator moved: compute "
                "discriminator(fake) again after the discriminator's step."
            ) from None

    mistakes = {text: partial(trained, mistake) for text, mistake in STEP_MISTAKES.items()}
    what = ("the state of the networks after two steps", "the pair of losses")
    for sizes in [(6, 2, 3), (1, 1, 1), (5, 3, 2)]:
        result, again = trained(step, *sizes), trained(step, *sizes)
        expect(
            torch.equal(result[0], again[0]),
            "two calls with the same input differ: use the given z for both networks.",
        )
        given = (partial(trained, alternating()), *sizes)
        expect_answer(lambda *_: result, *given, mistakes=mistakes, what=what, tolerance=1e-5)


def kl(a: Tensor, b: Tensor) -> Tensor:
    return (torch.xlogy(a, a) - torch.xlogy(a, b))[a > 0].sum()


def jsd(p: Tensor, q: Tensor) -> Tensor:
    return (kl(p, (p + q) / 2) + kl(q, (p + q) / 2)) / 2


JSD = {
    "twice too large: each KL counts half.": lambda p, q: 2 * jsd(p, q),
    "that is KL(p || q); the JSD compares both with their mean m.": kl,
    "only p is compared with m; q counts as much.": lambda p, q: kl(p, (p + q) / 2) / 2,
    "m = (p + q) / 2: you forgot to halve.": lambda p, q: (kl(p, p + q) + kl(q, p + q)) / 2,
    "that is in bits; asked are nats, with the natural log.": lambda p, q: jsd(p, q) / math.log(2),
    "that is the square root; asked is the divergence itself.": lambda p, q: jsd(p, q).sqrt(),
    "0 log 0 is NaN in floating point and 0 in mathematics: use torch.xlogy(p, p).": (
        lambda p, q: (p * (2 * p / (p + q)).log() + q * (2 * q / (p + q)).log()).sum() / 2
    ),
}


@exercise("08.5", "Jensen-Shannon and its bounds", difficulty=1, minutes=10, mistakes=JSD)
def jensen_shannon_divergence(answer: Any) -> None:
    """Two distributions (n,) with zeros allowed -> JSD in nats."""
    for n, zeros in [(6, 0), (2, 0), (9, 4), (5, 2)]:
        p, q = torch.rand(n) + 0.05, torch.rand(n) + 0.05
        if zeros:
            p[:zeros], q[-1], q[0], p[-2] = 0.0, 0.0, 0.0, 0.3
        expect_answer(answer, jsd, p / p.sum(), q / q.sum())
    a, b = torch.tensor([1.0, 0.0, 0.0]), torch.tensor([0.0, 0.0, 1.0])
    expect_answer(answer, jsd, a, b, what="JSD of disjoint distributions")
    expect_answer(answer, jsd, a, a, what="JSD of a distribution with itself")
