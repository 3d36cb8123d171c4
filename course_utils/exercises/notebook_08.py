"""Checks of notebook 08, GAN fundamentals."""

from functools import partial
from typing import Any

import torch
from torch import Tensor

from course_utils.exercises.core import (
    Mistake,
    attempt,
    exercise,
    expect,
    expect_answer,
    expect_without,
)
from course_utils.exercises.mistakes.alternating_steps import STEP_MISTAKES, alternating, trained
from course_utils.exercises.mistakes.gan_losses import (
    BEST,
    JSD,
    JSD_OF_ZEROS,
    LOSS,
    QUADRATURE,
    best,
    jsd,
    non_saturating,
    quadrature,
)

__all__ = [
    "alternating_step",
    "best_discriminator",
    "jensen_shannon_divergence",
    "non_saturating_loss",
    "value_by_quadrature",
]


V_AT_200 = (
    "V is wrong at scores of ±200: log(sigmoid(s)) is -inf there, and an epsilon or a clamp "
    "falsifies V. Use logsigmoid(s) for log D and logsigmoid(-s) for log(1 - D)."
)


@exercise("08.1", "The value by quadrature", difficulty=1, minutes=5, mistakes=QUADRATURE)
def value_by_quadrature(answer: Any) -> None:
    """x, p, q, score (n,) -> V by the trapezoid rule on a grid of unequal steps."""
    for n, scale in [(41, 1.0), (2, 1.0), (17, 3.0), (9, 100.0)]:
        x = torch.rand(n).add(0.1).cumsum(0) - 2
        p, q, score = torch.rand(n), torch.rand(n), scale * torch.randn(n)
        mistakes = QUADRATURE
        if scale == 100:
            score[1], score[2], q[-1] = 200.0, -200.0, 0.0
            mistakes = dict.fromkeys([*QUADRATURE, V_AT_200], answer)
        expect_answer(answer, quadrature, x, p, q, score, mistakes=mistakes, tolerance=1e-5)


NAN_FAR = {
    "0/0 where exp gives 0 twice: use log p - log q.": lambda a, b: a.exp() / (a.exp() + b.exp())
}
FAR = (
    "D is wrong for log densities around -2000 or 90, where exp gives 0 or infinity and no epsilon "
    "or clamp helps: subtract the logarithms first, log p - log q."
)


@exercise(
    "08.2",
    "The best discriminator from log densities",
    1,
    minutes=5,
    mistakes=BEST | NAN_FAR,
)
def best_discriminator(answer: Any) -> None:
    """Log densities (n,) -> p / (p + q), also where both densities vanish."""
    for n in (30, 1, 7, 4):
        given = 2 * torch.randn(2, n)
        expect_answer(answer, best, *given, mistakes=BEST, tolerance=1e-5)
    far = torch.tensor([[-2000.0, -2000.0, -1000.0], [-2001.0, -1000.0, -2000.0]])
    anyhow = dict.fromkeys([*BEST, FAR], answer)
    for given in (far, far + 2090, far - 90):
        expect_answer(answer, best, *given, mistakes=NAN_FAR | anyhow)


LOSS_AT_200 = (
    "the loss is wrong at large scores: exp overflows or sigmoid is 0 there, and an epsilon or a "
    "clamp falsifies it. Write max(-s, 0) + log(1 + exp(-|s|))."
)
NO_SLOPE = "the loss carries no gradient back to the scores: leave detach, item and no_grad away."
FORBIDDEN = (
    "softplus*",
    "logsigmoid*",
    "log_sigmoid*",
    "soft_margin_loss",
    "multilabel_soft_margin_loss",
    "binary_cross_entropy*",
)


@exercise("08.3", "The generator's loss at ±200", difficulty=2, minutes=10, mistakes=LOSS)
def non_saturating_loss(answer: Any) -> None:
    """Scores (N,) -> mean of -log sigmoid(score), value and gradient."""
    for n in (12, 1, 5, 8):
        expect_answer(answer, non_saturating, 2 * torch.randn(n), tolerance=1e-5)
    extreme = torch.tensor([-200.0, -90.0, -20.0, -1.0, 0.5, 3.0, 20.0, 200.0])
    anyhow = dict.fromkeys([*LOSS, LOSS_AT_200], answer)
    for score in extreme.split(1):
        expect_answer(answer, non_saturating, score, mistakes=anyhow)
    for score in extreme.split(1):
        probe = score.clone().requires_grad_()
        loss = answer(probe)
        expect(isinstance(loss, Tensor) and loss.requires_grad, NO_SLOPE)
        slope, expected = torch.autograd.grad(loss, probe)[0].item(), -torch.sigmoid(-score).item()
        expect(
            abs(slope - expected) < 1e-4,
            f"at {score.item():.0f} the gradient is {slope:.3g}; expected {expected:.3g}: a clamp "
            "or detach cuts it off, and torch.where also differentiates the branch it does not "
            "take.",
        )
    advice = "write it with exp, log, clamp and abs"
    expect_without(answer, extreme, names=FORBIDDEN, advice=advice)


STEP_AGAIN = "two calls with the same input differ: use the given z for both networks."


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
        expect(torch.equal(result[0], again[0]), STEP_AGAIN)
        given = (partial(trained, alternating()), *sizes)
        expect_answer(lambda *_: result, *given, mistakes=mistakes, what=what, tolerance=1e-5)


@exercise("08.5", "Jensen-Shannon and its bounds", 1, minutes=10, mistakes=JSD | JSD_OF_ZEROS)
def jensen_shannon_divergence(answer: Any) -> None:
    """Two distributions (n,) with zeros allowed -> JSD in nats."""
    for n, zeros in [(6, 0), (2, 0), (25, 0), (9, 4), (5, 2)]:
        p, q = torch.rand(n) + 0.05, torch.rand(n) + 0.05
        if zeros:
            p[:zeros], q[-1], q[0], p[-2] = 0.0, 0.0, 0.0, 0.3
        mistakes = JSD_OF_ZEROS | dict.fromkeys(JSD, answer) if zeros else JSD
        given = (p / p.sum(), q / q.sum())
        expect_answer(answer, jsd, *given, mistakes=mistakes, tolerance=1e-5)
    a, b = torch.tensor([1.0, 0.0, 0.0]), torch.tensor([0.0, 0.0, 1.0])
    anyhow = JSD_OF_ZEROS | dict.fromkeys(JSD, answer)
    what = "JSD of disjoint distributions"
    expect_answer(answer, jsd, a, b, mistakes=anyhow, what=what)
    expect_answer(answer, jsd, a, a, mistakes=anyhow, what="JSD of a distribution with itself")
