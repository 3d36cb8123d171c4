"""Checks of notebook 08, GAN fundamentals."""
import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parameters_to_vector

from course_utils.exercises.core import attempt, exercise, expect, expect_close

__all__ = [
    "alternating_step", "best_discriminator", "jensen_shannon_divergence", "non_saturating_loss", "value_by_quadrature",
]


@exercise("08.1", "The value by quadrature", difficulty=1, minutes=10)
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
        expect(scale < 100 or finite, "at scores of ±200 your value is not finite: log(sigmoid(s)) is -inf there. "
                                      "Use logsigmoid(s) or -softplus(-s), and the same with -s for log(1 - D).")
        expect_close(output, torch.trapezoid(inside, x), {
            "the sign is wrong: log D and log(1 - D) are negative, so V is.": -torch.trapezoid(inside, x),
            "the places are not equally far apart: use torch.trapezoid(..., x), not one step for all.":
                inside.sum() * steps[0],
            "the places are not equally far apart: a mean of the steps is not enough.": inside.sum() * steps.mean(),
            "the sum lacks dx: use torch.trapezoid(..., x).": inside.sum(),
            "that is a mean over the places; an integral weighs each with its step.": inside.mean(),
            "the trapezoid takes the mean of both ends of a step; you took the left end.": (inside[:-1] * steps).sum(),
            "the trapezoid takes the mean of both ends of a step; you took the right end.": (inside[1:] * steps).sum(),
            "p and q have changed places: log D belongs to the real density p.":
                torch.trapezoid(p * fake + q * real, x),
            "the second term is log(1 - D), not log D again.": torch.trapezoid((p + q) * real, x),
            "the second term, of the generated samples, is missing.": torch.trapezoid(p * real, x),
            "the sign of the second term: V adds both logarithms.": torch.trapezoid(p * real - q * fake, x),
            "the scores are not yet probabilities: D = sigmoid(score).":
                torch.trapezoid(p * score.clamp_min(1e-30).log() + q * (1 - score).clamp_min(1e-30).log(), x),
        }, what=f"V on {n} places")


@exercise("08.2", "The best discriminator from log densities", difficulty=1, minutes=10)
def best_discriminator(answer: object) -> None:
    """Log densities (n,) -> p / (p + q), also where both densities vanish."""
    for n in (30, 1, 7):
        log_p, log_q = 2 * torch.randn(n), 2 * torch.randn(n)
        p, q = log_p.exp(), log_q.exp()
        expect_close(attempt(answer, log_p, log_q), p / (p + q), {
            "that is q / (p + q): D is the probability of *real*.": q / (p + q),
            "that is p / q; the best D is p / (p + q).": p / q,
            "that is the score; the discriminator is its sigmoid.": log_p - log_q,
            "the densities are exp of what is given: you used the logarithms themselves.": log_p / (log_p + log_q),
            "the score is log p - log q, not p - q.": (p - q).sigmoid(),
            "that is the logarithm of D.": F.logsigmoid(log_p - log_q),
            "a sigmoid of log p alone forgets q.": log_p.sigmoid(),
        }, what=f"D at {n} places")
    far_p, far_q = torch.tensor([-2000.0, -2000.0, -1000.0]), torch.tensor([-2001.0, -1000.0, -2000.0])
    output = attempt(answer, far_p, far_q)
    expect(not torch.as_tensor(output).isnan().any(),
           "where both densities are below the smallest float your D is NaN, 0/0: work with log p - log q, "
           "never with exp of each.")
    right = (far_p - far_q).sigmoid()
    expect_close(output, right, what="D at log densities around -2000 (no epsilon helps: work with log p - log q)")
    high = attempt(answer, far_p + 2090, far_q + 2090)
    expect_close(high, right, what="D at log densities near 90, whose exp overflows,")


@exercise("08.3", "The generator's loss at ±200", difficulty=2, minutes=10)
def non_saturating_loss(answer: object) -> None:
    """Scores (N,) -> mean of -log sigmoid(score), value and gradient."""
    for n in (12, 1, 5):
        score = 2 * torch.randn(n)
        loss = F.softplus(-score)
        expect_close(attempt(answer, score), loss.mean(), {
            "that is the minimax loss, mean log(1 - D): it saturates. Asked is -mean log D.": -F.softplus(score).mean(),
            "the sign is wrong: this is mean log D, and minimising it makes samples worse.": -loss.mean(),
            "that is -mean log(1 - D), which the *discriminator* minimises on generated samples.":
                F.softplus(score).mean(),
            "a mean over the samples, not a sum.": loss.sum(),
            "that is the mean of 1 - D, without the logarithm.": (1 - score.sigmoid()).mean(),
            "the mean comes after the logarithm: mean of log D, not log of mean D.": -score.sigmoid().mean().log(),
        }, what=f"the loss of {n} scores")
    score = torch.tensor([-200.0, -90.0, -20.0, -1.0, 0.5, 3.0, 20.0, 200.0])
    for s in score:
        output = attempt(answer, s[None])
        expect(bool(torch.as_tensor(output).isfinite()),
               f"at a score of {s:.0f} the loss is not finite: exp overflows, or sigmoid is 0. "
               "Write log(1 + exp(-s)) with exp of a negative number only: max(-s, 0) + log(1 + exp(-|s|)).")
        expect_close(output, F.softplus(-s), {}, what=f"the loss at a score of {s:.0f}")
        probe = s[None].clone().requires_grad_()
        loss = answer(probe)
        expect(isinstance(loss, Tensor) and loss.requires_grad,
               "the loss carries no gradient back to the scores: leave detach, item and no_grad away.")
        (slope,) = torch.autograd.grad(loss, probe)
        expect(bool(slope.isfinite().all()), f"at a score of {s:.0f} the gradient is not finite, although the loss is: "
                                             "torch.where also differentiates the branch it does not take.")
        expect(abs(slope.item() + torch.sigmoid(-s).item()) < 1e-4,
               f"at a score of {s:.0f} the gradient is {slope.item():.3g}; "
               f"expected -(1 - D) = {-torch.sigmoid(-s).item():.3g}. "
               "A clamp or an epsilon that saves the value cuts the gradient off.")


@exercise("08.4", "The alternating step", difficulty=2, minutes=20)
def alternating_step(answer: object) -> None:
    """Both players after two steps, against a reference, and the two losses."""
    for n, d, noise in [(6, 2, 3), (1, 1, 1), (5, 3, 2)]:
        batches = [(torch.randn(n, d), torch.randn(n, noise)) for _ in range(2)]

        def play(step, d=d, noise=noise, batches=batches):
            """Weights (generator's, discriminator's) after two steps, and the losses of the second."""
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(3)
                generator = nn.Sequential(nn.Linear(noise, 4), nn.Tanh(), nn.Linear(4, d))
                discriminator = nn.Sequential(nn.Linear(d, 4), nn.Tanh(), nn.Linear(4, 1), nn.Flatten(0))
            optimizers = {"generator": torch.optim.SGD(generator.parameters(), 0.5),
                          "discriminator": torch.optim.SGD(discriminator.parameters(), 0.5)}
            for real, z in batches:
                losses = step(generator, discriminator, optimizers, real, z)
            players = [parameters_to_vector(player.parameters()).detach() for player in (generator, discriminator)]
            return torch.cat(players), losses, len(players[0])

        weights, losses, border = play(lambda *game: attempt(answer, *game))
        expect(isinstance(losses, (tuple, list)) and len(losses) == 2,
               "return two losses: the discriminator's, then the generator's.")
        wanted, wanted_losses, _ = play(reference_step())
        start = play(lambda *game: (0, 0))[0]
        moved = weights != start
        expect(moved[:border].any(), "the generator has not moved: its optimizer must step too.")
        expect(moved[border:].any(), "the discriminator has not moved: its optimizer must step too.")
        expect_close(weights, wanted, {text: play(reference_step(**fault))[0] for text, fault in FAULTS.items()},
                     what="the weights of both players after two steps", tolerance=1e-5)
        expect_close(torch.stack([torch.as_tensor(loss).detach() for loss in losses]), torch.stack(wanted_losses), {
            "the losses are the right way round as discriminator's, generator's.": torch.stack(wanted_losses[::-1]),
        }, what="the pair of losses (discriminator's on the old weights, generator's after its opponent has moved)")


def reference_step(detach: bool = True, clear: str = "each", simultaneous: bool = False, saturating: bool = False,
                   ascend: bool = False, generator_first: bool = False) -> Callable:
    """The alternating step, or one with a fault."""

    def step(generator: nn.Module, discriminator: nn.Module, optimizers: dict, real: Tensor, z: Tensor) -> tuple:
        def clear_both() -> None:
            for optimizer in optimizers.values():
                optimizer.zero_grad()

        def price(fake: Tensor) -> Tensor:
            score = discriminator(fake)
            return -F.softplus(score).mean() if saturating else F.softplus(-score).mean()

        def move_discriminator() -> Tensor:
            fake = generator(z)
            if clear == "each":
                clear_both()
            fake = fake.detach() if detach else fake
            loss = F.softplus(-discriminator(real)).mean() + F.softplus(discriminator(fake)).mean()
            (-loss if ascend else loss).backward()
            if not simultaneous:
                optimizers["discriminator"].step()
            return loss.detach()

        def move_generator() -> Tensor:
            if clear == "each" and not simultaneous:
                clear_both()
            loss = price(generator(z))
            if simultaneous:
                gradients = torch.autograd.grad(loss, list(generator.parameters()))
                optimizers["discriminator"].step()
                for weight, gradient in zip(generator.parameters(), gradients):
                    weight.grad = gradient
            else:
                loss.backward()
            optimizers["generator"].step()
            return loss.detach()

        if clear == "once":
            clear_both()
        if clear == "own":
            optimizers["generator"].zero_grad()
        if generator_first:
            second, first = move_generator(), move_discriminator()
        else:
            first, second = move_discriminator(), move_generator()
        return first, second

    return step


FAULTS = {
    "without detach (or zero_grad before the generator's loss) the discriminator's loss reaches the generator's "
    "gradient.":
        {"detach": False, "clear": "once"},
    "gradients add up over the steps: zero_grad before each backward.": {"clear": "never"},
    "gradients add up: without zero_grad, and the discriminator's loss reaches the generator too.":
        {"detach": False, "clear": "never"},
    "the generator's loss leaves gradients in the discriminator: clear those too before its next step.":
        {"clear": "own"},
    "that is the simultaneous step: the generator must meet the discriminator that has just moved.":
        {"simultaneous": True},
    "the generator has the minimax loss, mean log(1 - D); asked is -mean log D.": {"saturating": True},
    "the discriminator walks the wrong way: it minimises -log D(x) - log(1 - D(G(z))).": {"ascend": True},
    "first the discriminator, then the generator; you had it the other way round.": {"generator_first": True},
}


@exercise("08.5", "Jensen-Shannon and its bounds", difficulty=2, minutes=15)
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
        expect(not (isinstance(output, (float, Tensor)) and torch.as_tensor(output).isnan().any()),
               "0 log 0 is NaN in floating point and 0 in mathematics: use torch.xlogy(p, p), "
               "and mind 0 / 0 where both are zero.")
        expect_close(output, right, {
            "twice too much: each KL counts half.": 2 * right,
            "that is in bits; asked are nats, with the natural logarithm.": right / math.log(2),
            "that is the distance, the square root; asked is the divergence itself.": right.clamp_min(0).sqrt(),
            "that is KL(p || q); the JSD compares both with their mean m.": kl(p, q),
            "that is the mean of KL(p || q) and KL(q || p); the JSD compares both with m.": (kl(p, q) + kl(q, p)) / 2,
            "only p is compared with m; q counts as much.": kl(p, m) / 2,
            "only p is compared with m; q counts as much, and each half.": kl(p, m),
            "the two are the wrong way round: KL(p || m), not KL(m || p).": (kl(m, p) + kl(m, q)) / 2,
            "m = (p + q) / 2: you forgot to halve.": (kl(p, 2 * m) + kl(q, 2 * m)) / 2,
            "the sign is wrong: a divergence is at least 0.": -right,
            "a mean over the entries instead of a sum.": right / n,
            "that is V at the best discriminator: add log 4 and halve.": 2 * right - math.log(4),
        }, what=f"JSD of two distributions over {n} values")
    a, b = torch.tensor([1.0, 0.0, 0.0]), torch.tensor([0.0, 0.0, 1.0])
    expect_close(attempt(answer, a, b), torch.tensor(math.log(2)), {}, what="JSD of two distributions that never meet")
    expect_close(attempt(answer, a, a), torch.tensor(0.0), {}, what="JSD of a distribution with itself")
