"""Wrong answers that no mistake of a check covers: check -> [(answer, words of the message)]."""

import torch
from torch.nn import functional as F

from course_utils.exercises.mistakes.alternating_steps import (
    alternating,
    discriminator_loss,
    generator_loss,
)


def too_early(generator, discriminator, optimizers, real, z):
    """The generator's loss computed before the discriminator's step."""
    fake = generator(z)
    scores = discriminator(real), discriminator(fake.detach())
    losses = discriminator_loss(*scores), generator_loss(discriminator(fake))
    for name, loss in zip(("discriminator", "generator"), losses):
        optimizers[name].zero_grad()
        loss.backward()
        optimizers[name].step()
    return [loss.detach() for loss in losses]


def fresh(generator, discriminator, optimizers, real, z):
    return alternating()(generator, discriminator, optimizers, real, torch.randn_like(z))


def where(scores):
    return torch.where(scores < -50, -scores, (1 + (-scores).exp()).log()).mean()


def quadrature(log_sigmoid):
    return lambda x, p, q, s: torch.trapezoid(p * log_sigmoid(s) + q * log_sigmoid(-s), x)


WRONG = {
    "value_by_quadrature": [
        (quadrature(lambda s: s.sigmoid().log()), "±200"),
        (quadrature(lambda s: F.logsigmoid(s.clamp(-20, 20))), "clamp"),
        (quadrature(lambda s: (s.sigmoid() + 1e-8).log()), "epsilon"),
    ],
    "best_discriminator": [
        (lambda a, b: a.exp() / (a.exp() + b.exp() + 1e-30), "around -2000"),
    ],
    "non_saturating_loss": [
        (lambda s: -s.sigmoid().log().mean(), "large scores"),
        (lambda s: F.softplus(-s).mean().detach(), "no gradient"),
        (lambda s: -(s.sigmoid() + 1e-38).log().mean(), "an epsilon"),
        (lambda s: F.softplus(-s.clamp(-100, 100)).mean(), "a clamp"),
        (lambda s: torch.nn.Softplus()(-s).mean(), "without softplus"),
        (lambda s: -F.logsigmoid(s).mean(), "sigmoid"),
        (lambda s: F.binary_cross_entropy_with_logits(s, torch.ones_like(s)), "with_logits"),
        (where, "torch.where"),
    ],
    "alternating_step": [
        (too_early, "before the discriminator moved"),
        (fresh, "use the given z"),
        (lambda *given: alternating()(*given)[0], "return two losses"),
    ],
}
