"""Checks of notebook 08, GAN fundamentals."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parameters_to_vector
from torch.overrides import TorchFunctionMode

from course_utils.exercises.alternating_steps import FAULTS, reference_step
from course_utils.exercises.core import Mistake, attempt, exercise, expect, expect_close

__all__ = [
    "alternating_step",
    "best_discriminator",
    "jensen_shannon_divergence",
    "non_saturating_loss",
    "value_by_quadrature",
]


CUT = (
    "{} is right at small scores and wrong at ±200: an epsilon inside the logarithm, or a clamp of D or of the "
    "scores, hides the infinity and falsifies the value. Rewrite the logarithm instead."
)


@exercise("08.1", "The value by quadrature", difficulty=1, minutes=5)
def value_by_quadrature(answer: object) -> None:
    """x, p, q, score (n,) -> V by the trapezoid rule on a grid of unequal steps."""
    for n, scale in [(41, 1.0), (2, 1.0), (17, 3.0), (9, 100.0)]:
        x = torch.rand(n).add(0.1).cumsum(0)
        p, q, score = torch.rand(n), torch.rand(n), scale * torch.randn(n)
        if scale == 100.0:
            score[0], score[1] = 200.0, -200.0
        real, fake = F.logsigmoid(score), F.logsigmoid(-score)
        inside = p * real + q * fake
        steps = x.diff()
        output = attempt(answer, x, p, q, score)
        finite = isinstance(output, (int, float)) or output.isfinite().all()
        expect(
            scale < 100 or finite,
            "at scores of ±200 your value is not finite: log(sigmoid(s)) is -inf there. "
            "Use logsigmoid(s) or -softplus(-s), and the same with -s for log(1 - D).",
        )
        if (
            scale == 100.0
            and isinstance(output, (int, float, Tensor))
            and torch.as_tensor(output).shape == ()
        ):
            gap = abs(
                float(output) - torch.trapezoid(inside, x).item()
            )  # smaller scores were right
            expect(gap < 1e-4 * float(inside.abs().sum()), CUT.format("V"))
        expect_close(
            output,
            torch.trapezoid(inside, x),
            {
                "the sign is wrong: log D and log(1 - D) are negative, so V is.": -torch.trapezoid(
                    inside, x
                ),
                "the places are not equally far apart: use torch.trapezoid(..., x), not one step for all.": inside.sum()
                * steps[0],
                "the places are not equally far apart: a mean of the steps is not enough.": inside.sum()
                * steps.mean(),
                "the sum lacks dx: use torch.trapezoid(..., x).": inside.sum(),
                "torch.trapezoid without the places takes all steps as 1: give it x too.": torch.trapezoid(
                    inside
                ),
                "that is a mean over the places; an integral weighs each with its step.": inside.mean(),
                "the trapezoid takes the mean of both ends of a step; you took the left end.": (
                    inside[:-1] * steps
                ).sum(),
                "the trapezoid takes the mean of both ends of a step; you took the right end.": (
                    inside[1:] * steps
                ).sum(),
                "p and q have changed places: log D belongs to the real density p.": torch.trapezoid(
                    p * fake + q * real, x
                ),
                "the second term is log(1 - D), not log D again.": torch.trapezoid(
                    (p + q) * real, x
                ),
                "the second term, of the generated samples, is missing.": torch.trapezoid(
                    p * real, x
                ),
                "the sign of the second term: V adds both logarithms.": torch.trapezoid(
                    p * real - q * fake, x
                ),
                "the scores are not yet probabilities: D = sigmoid(score).": torch.trapezoid(
                    p * score.clamp_min(1e-30).log() + q * (1 - score).clamp_min(1e-30).log(), x
                ),
            },
            what=f"V on {n} places",
        )


@exercise("08.2", "The best discriminator from log densities", difficulty=1, minutes=5)
def best_discriminator(answer: object) -> None:
    """Log densities (n,) -> p / (p + q), also where both densities vanish."""
    for n in (30, 1, 7):
        log_p, log_q = 2 * torch.randn(n), 2 * torch.randn(n)
        p, q = log_p.exp(), log_q.exp()
        expect_close(
            attempt(answer, log_p, log_q),
            p / (p + q),
            {
                "that is q / (p + q): D is the probability of *real*.": q / (p + q),
                "that is p / q; the best D is p / (p + q).": p / q,
                "that is the score; the discriminator is its sigmoid.": log_p - log_q,
                "the densities are exp of what is given: you used the logarithms themselves.": log_p
                / (log_p + log_q),
                "the score is log p - log q, not p - q.": (p - q).sigmoid(),
                "that is the logarithm of D.": F.logsigmoid(log_p - log_q),
                "a sigmoid of log p alone forgets q.": log_p.sigmoid(),
            },
            what=f"D at {n} places",
        )
    far_p, far_q = (
        torch.tensor([-2000.0, -2000.0, -1000.0]),
        torch.tensor([-2001.0, -1000.0, -2000.0]),
    )
    output = attempt(answer, far_p, far_q)
    expect(
        not torch.as_tensor(output).isnan().any(),
        "where both densities are below the smallest float your D is NaN, 0/0: work with log p - log q, "
        "never with exp of each.",
    )
    right = (far_p - far_q).sigmoid()
    expect_close(
        output,
        right,
        what="D at log densities around -2000 (no epsilon helps: work with log p - log q)",
    )
    high = attempt(answer, far_p + 2090, far_q + 2090)
    expect_close(high, right, what="D at log densities near 90, whose exp overflows,")


@exercise("08.3", "The generator's loss at ±200", difficulty=2, minutes=10)
def non_saturating_loss(answer: object) -> None:
    """Scores (N,) -> mean of -log sigmoid(score), value and gradient."""
    for n in (12, 1, 5):
        score = 2 * torch.randn(n)
        loss = F.softplus(-score)
        expect_close(
            attempt(answer, score),
            loss.mean(),
            {
                "that is the minimax loss, mean log(1 - D): it saturates. Asked is -mean log D.": -F.softplus(
                    score
                ).mean(),
                "the sign is wrong: this is mean log D, and minimising it makes samples worse.": -loss.mean(),
                "that is -mean log(1 - D), which the *discriminator* minimises on generated samples.": F.softplus(
                    score
                ).mean(),
                "a mean over the samples, not a sum.": loss.sum(),
                "that is the mean of 1 - D, without the logarithm.": (1 - score.sigmoid()).mean(),
                "the mean comes after the logarithm: mean of log D, not log of mean D.": -score.sigmoid()
                .mean()
                .log(),
            },
            what=f"the loss of {n} scores",
        )
    score = torch.tensor([-200.0, -90.0, -20.0, -1.0, 0.5, 3.0, 20.0, 200.0])
    for s in score:
        output = attempt(answer, s[None])
        expect(
            bool(torch.as_tensor(output).isfinite()),
            f"at a score of {s:.0f} the loss is not finite: exp overflows, or sigmoid is 0. "
            "Write log(1 + exp(-s)) with exp of a negative number only: max(-s, 0) + log(1 + exp(-|s|)).",
        )
        close = (
            torch.as_tensor(output).shape == ()
            and abs(float(output) - F.softplus(-s).item()) < 0.01
        )
        expect(
            torch.as_tensor(output).shape != () or close,
            CUT.format(f"the loss ({float(output):.3g} at {s:.0f})"),
        )
        expect_close(output, F.softplus(-s), {}, what=f"the loss at a score of {s:.0f}")
        probe = s[None].clone().requires_grad_()
        loss = answer(probe)
        expect(
            isinstance(loss, Tensor) and loss.requires_grad,
            "the loss carries no gradient back to the scores: leave detach, item and no_grad away.",
        )
        (slope,) = torch.autograd.grad(loss, probe)
        expect(
            bool(slope.isfinite().all()),
            f"at a score of {s:.0f} the gradient is not finite, although the loss is: "
            "torch.where also differentiates the branch it does not take.",
        )
        expect(
            abs(slope.item() + torch.sigmoid(-s).item()) < 1e-4,
            f"at a score of {s:.0f} the gradient is {slope.item():.3g}; "
            f"expected -(1 - D) = {-torch.sigmoid(-s).item():.3g}. "
            "A clamp or an epsilon that saves the value cuts the gradient off.",
        )
    with Calls() as calls:
        attempt(answer, score)
    expect(
        not calls.names & READY_MADE,
        "correct, but with "
        + " and ".join(sorted(calls.names & READY_MADE))
        + ": the exercise is to write it with exp, log, clamp, abs and their like.",
    )


READY_MADE = {
    "softplus",
    "logsigmoid",
    "log_sigmoid",
    "binary_cross_entropy_with_logits",
    "soft_margin_loss",
}


class Calls(TorchFunctionMode):
    """Collects the names of the torch functions that are called inside `with`."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_function__(
        self, func: Callable, types: object, args: tuple = (), kwargs: dict | None = None
    ) -> object:
        self.names.add(getattr(func, "__name__", ""))
        return func(*args, **(kwargs or {}))


@exercise("08.4", "The alternating step", difficulty=2, minutes=10)
def alternating_step(answer: object) -> None:
    """Both players after two steps, against a reference, and the two losses."""
    for n, d, noise in [(6, 2, 3), (1, 1, 1), (5, 3, 2)]:
        batches = [(torch.randn(n, d), torch.randn(n, noise)) for _ in range(2)]

        def play(step, d=d, noise=noise, batches=batches):
            """Weights (generator's, discriminator's) after two steps, and the losses of the second."""
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(3)
                generator = nn.Sequential(nn.Linear(noise, 4), nn.Tanh(), nn.Linear(4, d))
                discriminator = nn.Sequential(
                    nn.Linear(d, 4), nn.Tanh(), nn.Linear(4, 1), nn.Flatten(0)
                )
            optimizers = {
                "generator": torch.optim.SGD(generator.parameters(), 0.5),
                "discriminator": torch.optim.SGD(discriminator.parameters(), 0.5),
            }
            for real, z in batches:
                losses = step(generator, discriminator, optimizers, real, z)
            players = [
                parameters_to_vector(player.parameters()).detach()
                for player in (generator, discriminator)
            ]
            return torch.cat(players), losses, len(players[0])

        def call(generator, discriminator, optimizers, real, z):
            """The answer; a message shows the shapes of real and z, not two printed networks."""
            if not callable(answer):
                attempt(answer)
            try:
                return attempt(
                    lambda real, z: answer(generator, discriminator, optimizers, real, z), real, z
                )
            except Mistake as mistake:
                if "inplace operation" not in str(mistake):
                    raise
                raise Mistake(
                    "the generator's loss was computed before the discriminator moved, and its backward pass "
                    "finds other weights (torch: modified by an inplace operation). Compute "
                    "discriminator(fake) again after the discriminator's step."
                ) from None

        weights, losses, border = play(call)
        expect(
            isinstance(losses, (tuple, list)) and len(losses) == 2,
            "return two losses: the discriminator's, then the generator's.",
        )
        torch.manual_seed(n)  # another state of the generator of random numbers
        expect(
            torch.equal(play(call)[0], weights),
            "two calls with the same input differ: use the given z for both "
            "players, no fresh noise.",
        )
        wanted, wanted_losses, _ = play(reference_step())
        start = play(lambda *game: (0, 0))[0]
        moved = weights != start
        expect(moved[:border].any(), "the generator has not moved: its optimizer must step too.")
        expect(
            moved[border:].any(), "the discriminator has not moved: its optimizer must step too."
        )
        expect_close(
            weights,
            wanted,
            {text: play(reference_step(**fault))[0] for text, fault in FAULTS.items()},
            what="the weights of both players after two steps",
            tolerance=1e-5,
        )
        expect_close(
            torch.stack([torch.as_tensor(loss).detach() for loss in losses]),
            torch.stack(wanted_losses),
            {
                "the two losses are swapped: return the discriminator's first.": torch.stack(
                    wanted_losses[::-1]
                ),
            },
            what="the pair of losses (discriminator's on the old weights, generator's after its opponent has moved)",
        )


@exercise("08.5", "Jensen-Shannon and its bounds", difficulty=1, minutes=10)
def jensen_shannon_divergence(answer: object) -> None:
    """Two distributions (n,) with zeros allowed -> JSD in nats."""

    def kl(a: Tensor, b: Tensor) -> Tensor:
        return (torch.xlogy(a, a) - torch.xlogy(a, b))[a > 0].sum()

    for n, zeros in [(6, 0), (2, 0), (9, 4), (5, 2)]:
        p, q = torch.rand(n) + 0.05, torch.rand(n) + 0.05
        if zeros:
            p[:zeros], q[-1], q[0], p[-2] = 0.0, 0.0, 0.0, 0.3
        p, q = p / p.sum(), q / q.sum()
        m = (p + q) / 2
        right = (kl(p, m) + kl(q, m)) / 2
        output = attempt(answer, p, q)
        expect(
            not (isinstance(output, (float, Tensor)) and torch.as_tensor(output).isnan().any()),
            "0 log 0 is NaN in floating point and 0 in mathematics: use torch.xlogy(p, p), "
            "and mind 0 / 0 where both are zero.",
        )
        expect_close(
            output,
            right,
            {
                "twice too much: each KL counts half.": 2 * right,
                "that is in bits; asked are nats, with the natural logarithm.": right / math.log(2),
                "that is the distance, the square root; asked is the divergence itself.": right.clamp_min(
                    0
                ).sqrt(),
                "that is KL(p || q); the JSD compares both with their mean m.": kl(p, q),
                "that is the mean of KL(p || q) and KL(q || p); the JSD compares both with m.": (
                    kl(p, q) + kl(q, p)
                )
                / 2,
                "only p is compared with m; q counts as much.": kl(p, m) / 2,
                "only p is compared with m; q counts as much, and each half.": kl(p, m),
                "the two are the wrong way round: KL(p || m), not KL(m || p).": (
                    kl(m, p) + kl(m, q)
                )
                / 2,
                "m = (p + q) / 2: you forgot to halve.": (kl(p, 2 * m) + kl(q, 2 * m)) / 2,
                "the sign is wrong: a divergence is at least 0.": -right,
                "a mean over the entries instead of a sum.": right / n,
                "that is V at the best discriminator: add log 4 and halve.": 2 * right
                - math.log(4),
            },
            what=f"JSD of two distributions over {n} values",
        )
    a, b = torch.tensor([1.0, 0.0, 0.0]), torch.tensor([0.0, 0.0, 1.0])
    expect_close(
        attempt(answer, a, b),
        torch.tensor(math.log(2)),
        {},
        what="JSD of two distributions that never meet",
    )
    expect_close(
        attempt(answer, a, a), torch.tensor(0.0), {}, what="JSD of a distribution with itself"
    )
