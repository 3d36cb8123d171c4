"""Adversarial training: one alternating step, and the loop around it.

Built in notebooks 08 and 09.
"""

import copy
import math
import os
import time
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from course_utils import distributed
from course_utils.arguments import check_choice, check_floats, check_int, check_nonnegative
from course_utils.gans.losses import LOSSES, PENALTIES, check_range, check_same
from course_utils.layers import check_codes
from course_utils.training import (
    NO_BATCH,
    TrainingError,
    backward,
    check_batches,
    gradient_norm,
    load_checkpoint,
    save_checkpoint,
)

__all__ = ["Gan", "from_gan_range", "to_gan_range", "train_gan"]

TRY = (
    "The weights are those before it. Try a lower learning rate, a gradient penalty, or other data."
)
G = TypeVar("G", bound=nn.Module)  # the class of the generator


def to_gan_range(images: Tensor) -> Tensor:
    """[0, 1], the range of images in this course, to [-1, 1], the range of tanh. Floats only."""
    return 2 * check_floats(images, "images") - 1


def from_gan_range(images: Tensor) -> Tensor:
    """[-1, 1] to [0, 1]. Floats only."""
    return (check_floats(images, "images") + 1) / 2


class Gan(nn.Module, Generic[G]):
    """Generator, discriminator and how they are trained against each other.

    loss: a name of LOSSES. penalty: "none", "gradient" (WGAN-GP) or "r1", times `penalty_weight`,
    on the discriminator's loss. lr: Adam's learning rate, one number or (generator's,
    discriminator's); it falls linearly to zero over `total_steps`, if given. The generator moves in
    every `critic_steps`-th step. `generator_ema` is a copy of the generator with the exponential
    moving average of its weights, `ema_decay` per step: the one to draw samples from.
    reconstruction_term(fake, real), if given, is a scalar added to the generator's loss
    (notebook 12). Raises ValueError for settings out of their range.
    """

    def __init__(
        self,
        generator: G,
        discriminator: nn.Module,
        loss: str = "non-saturating",
        *,
        penalty: str = "none",
        penalty_weight: float = 10.0,
        lr: float | tuple[float, float] = 4e-3,
        betas: tuple[float, float] = (0.5, 0.99),
        critic_steps: int = 1,
        ema_decay: float = 0.99,
        total_steps: int | None = None,
        reconstruction_term: Callable[[Tensor, Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__()
        check_choice("loss", loss, tuple(LOSSES))
        check_choice("penalty", penalty, tuple(PENALTIES))
        self.generator, self.discriminator = generator, discriminator
        self.generator_ema = copy.deepcopy(generator).requires_grad_(False).eval()
        parts = generator.modules() if generator.training else ()
        frozen = [part for part in parts if not part.training]
        self.evaluated: list[nn.Module] = [self.generator_ema, *frozen]
        self.loss, self.penalty = LOSSES[loss], PENALTIES[penalty]
        self.penalty_weight = check_nonnegative("penalty_weight", penalty_weight)
        if not 0 <= ema_decay < 1:
            raise ValueError(f"ema_decay is {ema_decay}; expected 0 (no average) to below 1.")
        self.critic_steps = check_int("critic_steps", critic_steps, at_least=1)
        self.ema_decay, self.reconstruction_term = ema_decay, reconstruction_term
        self.lr = tuple(lr) if isinstance(lr, (tuple, list)) else (lr, lr)
        if len(self.lr) != 2:
            raise ValueError(f"lr is {lr}; expected one number, or one for each of two networks.")
        players: dict[str, nn.Module] = {"generator": generator, "discriminator": discriminator}
        self.optimizers = {
            name: torch.optim.Adam(
                player.parameters(), lr=check_nonnegative("lr", rate), betas=betas, fused=True
            )
            for (name, player), rate in zip(players.items(), self.lr)
        }
        self.total_steps: float | None = (
            None if total_steps is None else check_int("total_steps", total_steps, 1)
        )
        self.steps = 0

    def train(self, mode: bool = True) -> "Gan[G]":
        """As nn.Module, but what came in evaluation mode stays in it, `generator_ema` too.

        A decoder that an autoencoder has trained keeps the means and variances of its batch
        normalisation: drawn and encoded codes then go through the same function (notebook 12).
        """
        super().train(mode)
        for part in self.evaluated:
            part.eval()
        return self

    def noise(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """n draws of z ~ N(0, 1), (n, noise); `generator` is a seeded one on the CPU."""
        like = next(self.generator.parameters())
        numbers = check_int("generator.noise", getattr(self.generator, "noise", None), at_least=1)
        place = like.device if generator is None else "cpu"
        shape = (check_int("n", n), numbers)
        z = torch.randn(shape, generator=generator, dtype=like.dtype, device=place)
        return z.to(like.device)

    @torch.no_grad()
    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """n samples of the averaged generator, in its own range."""
        check_int("n", n, at_least=1)
        return torch.cat([self.generator_ema(z) for z in self.noise(n, generator).split(500)])

    @torch.enable_grad()
    def step(
        self, real: Tensor, z: Tensor | None = None, weight: float | None = None
    ) -> dict[str, Tensor]:
        """One alternating step on a batch of real samples (N, ...); images in [-1, 1].

        First the discriminator, then the generator. z: what the generator is fed with, N draws of
        noise if not given. weight: this batch's share of that of all processes (default: all the
        same). Gives the losses, each (). Raises TypeError for what is no floats, ValueError for no
        images, such outside [-1, 1] or of another shape than the generator's, TrainingError for a
        loss or gradient that is not finite; the weights are as before.
        """
        check_range(real)
        fake = self.generator(self.noise(len(real)) if z is None else z)
        check_same(real, fake)
        scores = self.discriminator(real), self.discriminator(fake.detach())
        terms = {"discriminator": self.loss.discriminator(*scores)}
        penalty: Tensor | float = 0.0
        if self.penalty:
            slope = self.penalty(self.discriminator, real, fake.detach())
            penalty = self.penalty_weight * slope
        self.update("discriminator", terms["discriminator"] + penalty, weight)
        if self.steps % self.critic_steps == 0:
            term = self.reconstruction_term(fake, real) if self.reconstruction_term else 0.0
            terms["generator"] = self.loss.generator(self.discriminator(fake))
            self.update("generator", terms["generator"] + term, weight)
            self.update_ema()
        self.steps += 1
        return {name: term.detach() for name, term in terms.items()}

    def update(self, name: str, loss: Tensor, weight: float | None = None) -> None:
        """One step of Adam for one of the two networks."""
        optimizer, network = self.optimizers[name], getattr(self, name)
        for other in self.optimizers.values():
            other.zero_grad(set_to_none=True)
        backward(loss, name)
        distributed.average_gradients(network.parameters(), weight)
        norm = gradient_norm(network.parameters())
        if not torch.isfinite(loss.detach() + norm):
            raise TrainingError(
                f"The {name} has a loss of {loss.item()} and a gradient of length {norm.item()} "
                f"in step {self.steps + 1}. {TRY}"
            )
        if self.total_steps:
            lr = self.lr[name == "discriminator"] * max(0.0, 1 - self.steps / self.total_steps)
            for group in optimizer.param_groups:
                group["lr"] = lr
        optimizer.step()

    @torch.no_grad()
    def update_ema(self) -> None:
        """Move `generator_ema` a little towards the generator."""
        means, values = self.generator_ema.state_dict(), self.generator.state_dict()
        for mean, value in zip(means.values(), values.values()):
            if value.is_floating_point():
                mean.lerp_(value, 1 - self.ema_decay)
            else:
                mean.copy_(value)


@torch.enable_grad()
def train_gan(
    gan: Gan,
    batches: Callable[[int], Iterable[Tensor]],
    epochs: int,
    *,
    seconds: float = math.inf,
    checkpoint: str | os.PathLike | None = None,
    watch: Callable[[int, Gan], None] | None = None,
    each_step: Callable[[], None] | None = None,
    progress: bool = True,
) -> list[dict[str, float]]:
    """Train; return the history, one dict of mean losses and steps per epoch.

    batches(epoch) gives the real batches of an epoch, images in [-1, 1]. Training ends after
    `epochs`, or sooner, after `seconds`. watch(epoch, gan) is called after each epoch, each_step()
    before each step. With `checkpoint` the state is saved after each epoch, and a call that finds
    the file resumes from it, as in `fit`. Of several processes (`course_utils.distributed`) each
    works on its part of every batch and of its noise; batch normalisation sees this part only.
    Errors as Gan.step, and ValueError for no batch, and for `seconds` with several processes, whose
    clocks differ.
    """
    rank, size = distributed.rank_and_world_size()
    if size > 1 and seconds < math.inf:
        raise ValueError("seconds cannot be given to several processes: give epochs alone.")
    epochs = check_int("epochs", epochs)
    check_batches(batches)
    parts = {"model": gan} | gan.optimizers
    history = load_checkpoint(parts, checkpoint)
    gan.steps = int(sum(entry["steps"] for entry in history))
    gan.train()
    end = time.perf_counter() + seconds
    look = {"desc": "epochs", "leave": False, "disable": not progress or rank > 0}
    bar = tqdm(range(len(history), epochs), initial=len(history), total=epochs, **look)
    for epoch in bar:
        sums: dict[str, Tensor] = {}
        counts: dict[str, int] = {}
        with_noise = ((x, gan.noise(len(check_codes(x, "real")))) for x in batches(epoch))
        for (real, z), weight in distributed.shard_batches(with_noise, epoch):
            if each_step:
                each_step()
            for name, value in gan.step(real, z, weight).items():
                sums[name] = sums.get(name, 0.0) + weight * value
                counts[name] = counts.get(name, 0) + 1
            if time.perf_counter() > end:
                break
        if not counts:
            raise ValueError(NO_BATCH)
        distributed.all_reduce_weighted(list(sums.values()), 1.0)
        means = {name: float(total) / counts[name] for name, total in sums.items()}
        history.append(means | {"steps": counts["discriminator"]})
        bar.set_postfix({name: f"{mean:.3g}" for name, mean in history[-1].items()})
        if watch:
            watch(epoch, gan)
        save_checkpoint(parts, history, checkpoint)
        if time.perf_counter() > end:
            break
    return history
