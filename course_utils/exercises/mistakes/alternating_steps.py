"""The alternating step of a GAN, its mistakes, and two networks to try it on (exercise 08.4)."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.nn.utils import parameters_to_vector

from course_utils.exercises.core import expect
from course_utils.gans import LOSSES

__all__ = ["STEP_MISTAKES", "alternating", "trained"]

discriminator_loss, generator_loss = LOSSES["non-saturating"]
BOTH = ("discriminator", "generator")


def alternating(
    of_scores: Callable = discriminator_loss,
    of_fake: Callable = generator_loss,
    detach: tuple[str, ...] = BOTH[:1],
    clear: str = "each",
    cleared: tuple[str, ...] = BOTH,
    order: tuple[str, ...] = BOTH,
    stepping: Callable = lambda name: (name,),
) -> Callable:
    """A step of the networks in `order`, with a mistake.

    The gradients of the networks in `cleared` are cleared before "each" backward pass, "once" or
    "after" it; samples are detached for those in `detach`; the networks `stepping(name)` step.
    """

    def step(generator, discriminator, optimizers, real, z) -> list[Tensor]:
        networks = {"generator": generator, "discriminator": discriminator}
        losses = dict.fromkeys(BOTH, torch.zeros(()))

        def clear_at(now: bool) -> None:
            for name in cleared if now else ():
                networks[name].zero_grad()

        for turn, name in enumerate(order):
            clear_at(clear == "each" or (clear == "once" and turn == 0))
            fake = generator(z).detach() if name in detach else generator(z)
            if name == "generator":
                loss = of_fake(discriminator(fake))
            else:
                loss = of_scores(discriminator(real), discriminator(fake))
            loss.backward()
            clear_at(clear == "after")
            for moved in stepping(name):
                optimizers[moved].step()
            losses[name] = loss.detach()
        return list(losses.values())

    return step


def simultaneous(generator, discriminator, optimizers, real, z) -> list[Tensor]:
    """Both gradients are taken before either network moves."""
    fake = generator(z)
    scores = discriminator(fake)
    losses = discriminator_loss(discriminator(real), scores), generator_loss(scores)
    for network, loss in zip((discriminator, generator), losses):
        weights = list(network.parameters())
        for weight, gradient in zip(weights, torch.autograd.grad(loss, weights, retain_graph=True)):
            weight.grad = gradient
    for optimizer in optimizers.values():
        optimizer.step()
    return [loss.detach() for loss in losses]


def both(name: str) -> tuple[str, ...]:
    """Both networks step after the generator's loss."""
    return BOTH if name == "generator" else (name,)


def of_logits(real: Tensor, fake: Tensor, target: float = 1.0) -> Tensor:
    """The discriminator's loss with another label for the real samples."""
    labels = torch.full_like(real, target)
    return binary_cross_entropy_with_logits(real, labels) + generator_loss(-fake)


STEP_MISTAKES = {
    "the generator has not moved: its optimizer must step, its loss have a gradient.": (
        alternating(stepping=lambda name: BOTH[:1] if name == "discriminator" else ())
    ),
    "the discriminator has not moved: its optimizer must step too.": alternating(
        stepping=lambda name: BOTH[1:] if name == "generator" else ()
    ),
    "the generator's step is missing.": alternating(order=BOTH[:1]),
    "the discriminator's step is missing.": alternating(order=BOTH[1:]),
    "gradients add up over the steps: zero_grad before each backward.": alternating(clear="never"),
    "the discriminator's loss reaches the generator: detach the generated samples.": (
        alternating(detach=(), clear="once")
    ),
    "the generator's loss leaves gradients in the discriminator: clear them before its backward.": (
        alternating(cleared=BOTH[1:])
    ),
    "the generator's gradients add up: clear them before its backward.": (
        alternating(cleared=BOTH[:1])
    ),
    "the gradients are cleared between backward and step, and nothing moves.": (
        alternating(clear="after")
    ),
    "both optimizers step after the generator's loss: only the generator may move.": (
        alternating(stepping=both)
    ),
    "both optimizers step each time: only the network of the loss may move.": (
        alternating(stepping=lambda name: BOTH, detach=())
    ),
    "that is the simultaneous step; here the discriminator moves first.": simultaneous,
    "the generator moves first; the discriminator's step comes before it.": (
        alternating(order=BOTH[::-1])
    ),
    "that is the minimax loss; asked is -mean log D.": alternating(
        of_fake=LOSSES["minimax"].generator
    ),
    "the generator has the wrong sign: it minimises -mean log D.": (
        alternating(of_fake=lambda score: -generator_loss(score))
    ),
    "that is the discriminator's loss of the fakes; the generator minimises -mean log D.": (
        alternating(of_fake=lambda score: generator_loss(-score))
    ),
    "the labels are swapped: the discriminator minimises -log D of the *real* samples.": (
        alternating(of_scores=lambda real, fake: discriminator_loss(fake, real))
    ),
    "the discriminator has the wrong sign: it minimises its loss.": (
        alternating(of_scores=lambda real, fake: -discriminator_loss(real, fake))
    ),
    "the discriminator's loss is the sum of both means, not half of it.": (
        alternating(of_scores=lambda real, fake: discriminator_loss(real, fake) / 2)
    ),
    "the discriminator's loss lacks the generated samples.": (
        alternating(of_scores=lambda real, fake: generator_loss(real))
    ),
    "the discriminator's loss lacks the real samples.": (
        alternating(of_scores=lambda real, fake: generator_loss(-fake))
    ),
    "the label of the real samples is 1, without smoothing.": (
        alternating(of_scores=lambda real, fake: of_logits(real, fake, 0.9))
    ),
    "both losses are means over the samples, not sums.": alternating(
        of_scores=lambda real, fake: discriminator_loss(real, fake) * len(real),
        of_fake=lambda score: generator_loss(score) * len(score),
    ),
    "that is the Wasserstein loss; asked is the non-saturating one.": (
        alternating(*LOSSES["wasserstein"])
    ),
    "that is the hinge loss; asked is the non-saturating one.": alternating(*LOSSES["hinge"]),
    "that is the least-squares loss; asked is the non-saturating one.": alternating(
        of_scores=lambda real, fake: (real - 1).square().mean() + fake.square().mean(),
        of_fake=lambda score: (score - 1).square().mean(),
    ),
    "the discriminator steps twice.": alternating(order=(*BOTH[:1], *BOTH)),
    "the generator steps twice.": alternating(order=(*BOTH, *BOTH[1:])),
    "the losses are swapped: the discriminator's comes first.": lambda *a: alternating()(*a)[::-1],
}


def trained(step: Callable, n: int, d: int, noise: int) -> tuple[Tensor, Tensor]:
    """The weights of both networks after two steps of SGD, and the losses of the second step."""
    torch.manual_seed(n)
    generator = nn.Sequential(nn.Linear(noise, 4), nn.Tanh(), nn.Linear(4, d))
    discriminator = nn.Sequential(nn.Linear(d, 4), nn.Tanh(), nn.Linear(4, 1), nn.Flatten(0))
    networks = {"generator": generator, "discriminator": discriminator}
    optimizers = {name: torch.optim.SGD(net.parameters(), 0.5) for name, net in networks.items()}
    batches = [(torch.randn(n, d), torch.randn(n, noise)) for _ in range(2)]
    torch.seed()  # a step that draws noise of its own differs from call to call
    for real, z in batches:
        losses = step(generator, discriminator, optimizers, real, z)
    two = isinstance(losses, (tuple, list)) and len(losses) == 2
    expect(two, "return two losses: the discriminator's, then the generator's.")
    weights = [parameters_to_vector(network.parameters()) for network in networks.values()]
    losses = [torch.as_tensor(loss).detach() for loss in losses]
    return torch.cat(weights).detach(), torch.stack(losses)
