"""The alternating step of a GAN, and the faults one can build into it (for the check of exercise 08.4)."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils.gans import LOSSES

__all__ = ["FAULTS", "reference_step"]

judged, priced = LOSSES["non-saturating"]  # the losses of the discriminator and of the generator


def reference_step(
    detach: bool = True,
    clear: str = "each",
    simultaneous: bool = False,
    generator_first: bool = False,
    turns: int = 1,
    judge: Callable[[Tensor, Tensor], Tensor] = judged,
    price: Callable[[Tensor], Tensor] = priced,
) -> Callable:
    """The alternating step, or one with a fault; `judge` and `price` are the losses of the two players."""

    def step(
        generator: nn.Module, discriminator: nn.Module, optimizers: dict, real: Tensor, z: Tensor
    ) -> tuple:
        def clear_both() -> None:
            for optimizer in optimizers.values():
                optimizer.zero_grad()

        def move_discriminator() -> Tensor:
            fake = generator(z)
            if clear == "each":
                clear_both()
            fake = fake.detach() if detach else fake
            loss = judge(discriminator(real), discriminator(fake))
            loss.backward()
            if not simultaneous:
                optimizers["discriminator"].step()
            return loss.detach()

        def move_generator() -> Tensor:
            if clear == "each" and not simultaneous:
                clear_both()
            loss = price(discriminator(generator(z)))
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
            first, second = [move_discriminator() for _ in range(turns)][-1], move_generator()
        return first, second

    return step


FAULTS = {
    "without detach (or zero_grad before the generator's loss) the discriminator's loss reaches the generator's "
    "gradient.": {"detach": False, "clear": "once"},
    "gradients add up over the steps: zero_grad before each backward.": {"clear": "never"},
    "gradients add up: without zero_grad, and the discriminator's loss reaches the generator too.": {
        "detach": False,
        "clear": "never",
    },
    "the generator's loss leaves gradients in the discriminator: clear those too before its next step.": {
        "clear": "own"
    },
    "that is the simultaneous step: the generator must meet the discriminator that has just moved.": {
        "simultaneous": True
    },
    "the generator has the minimax loss, mean log(1 - D); asked is -mean log D.": {
        "price": LOSSES["minimax"].generator
    },
    "the generator walks the wrong way: it minimises -mean log D(G(z)), a number above 0.": {
        "price": lambda score: -priced(score)
    },
    "the generator walks the wrong way: -mean log(1 - D) is what the discriminator minimises.": {
        "price": lambda score: F.softplus(score).mean()
    },
    "the discriminator walks the wrong way: it minimises -log D(x) - log(1 - D(G(z))).": {
        "judge": lambda real, fake: -judged(real, fake)
    },
    "the labels are flipped: the discriminator minimises -log D(x) of the *real* samples, -log(1 - D) of the others.": {
        "judge": lambda real, fake: judged(fake, real)
    },
    "the discriminator's loss is the sum of both means, not half of it.": {
        "judge": lambda real, fake: judged(real, fake) / 2
    },
    "means over the batch, not sums, in both losses.": {
        "judge": lambda real, fake: len(real) * judged(real, fake),
        "price": lambda score: F.softplus(-score).sum(),
    },
    "a mean over the batch, not a sum, in the discriminator's loss.": {
        "judge": lambda real, fake: len(real) * judged(real, fake)
    },
    "a mean over the batch, not a sum, in the generator's loss.": {
        "price": lambda score: F.softplus(-score).sum()
    },
    "the discriminator steps twice before the generator moves: once is asked.": {"turns": 2},
    "first the discriminator, then the generator; you had it the other way round.": {
        "generator_first": True
    },
}
