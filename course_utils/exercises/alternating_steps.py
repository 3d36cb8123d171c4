"""The alternating step of a GAN, its mistakes, and two networks to try it on (exercise 08.4)."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector

from course_utils.exercises.core import expect
from course_utils.gans import LOSSES

__all__ = ["STEP_MISTAKES", "alternating", "trained"]

discriminator_loss, generator_loss = LOSSES["non-saturating"]
BOTH = ("discriminator", "generator")


def alternating(
    of_scores: Callable = discriminator_loss,
    of_fake: Callable = generator_loss,
    detach: bool = True,
    clear: str = "each",
    order: tuple[str, ...] = BOTH,
) -> Callable:
    """A step of the networks in `order`; gradients are cleared before each, "once" or "never"."""

    def step(generator, discriminator, optimizers, real, z) -> list[Tensor]:
        losses = dict.fromkeys(BOTH, torch.zeros(()))
        for turn, name in enumerate(order):
            if clear == "each" or (clear == "once" and turn == 0):
                generator.zero_grad()
                discriminator.zero_grad()
            fake = generator(z)
            if name == "generator":
                loss = of_fake(discriminator(fake))
            else:
                shown = fake.detach() if detach else fake
                loss = of_scores(discriminator(real), discriminator(shown))
            loss.backward()
            optimizers[name].step()
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


STEP_MISTAKES = {
    "the generator has not moved: its optimizer must step too.": alternating(order=BOTH[:1]),
    "the discriminator has not moved: its optimizer must step too.": alternating(order=BOTH[1:]),
    "gradients add up over the steps: zero_grad before each backward.": alternating(clear="never"),
    "the discriminator's loss reaches the generator: detach the generated samples.": (
        alternating(detach=False, clear="once")
    ),
    "that is the simultaneous step; here the discriminator moves first.": simultaneous,
    "that is the minimax loss; asked is -mean log D.": alternating(
        of_fake=LOSSES["minimax"].generator
    ),
    "the generator has the wrong sign: it minimises -mean log D.": (
        alternating(of_fake=lambda score: -generator_loss(score))
    ),
    "the labels are swapped: the discriminator minimises -log D of the *real* samples.": (
        alternating(of_scores=lambda real, fake: discriminator_loss(fake, real))
    ),
    "the discriminator's loss is the sum of both means, not half of it.": (
        alternating(of_scores=lambda real, fake: discriminator_loss(real, fake) / 2)
    ),
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
