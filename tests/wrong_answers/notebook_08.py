"""Plausible wrong answers: check -> [(answer, words that the message must hold)]."""

import torch
from torch.nn import functional as F


def terms(score):
    return F.logsigmoid(score), F.logsigmoid(-score)


def inside(p, q, score):
    real, fake = terms(score)
    return p * real + q * fake


def naive(x, p, q, score):
    D = score.sigmoid()
    return torch.trapezoid(p * D.log() + q * (1 - D).log(), x)


def fixed(scores):
    """-mean log D with an epsilon that saves the value."""
    return -(scores.sigmoid() + 1e-38).log().mean()


def clamped(scores):
    return F.softplus(-scores.clamp(-100, 100)).mean()


def where(scores):
    return torch.where(scores < -50, -scores, (1 + (-scores).exp()).log()).mean()


def total(real, fake):
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def step(
    zero="each",
    detach=True,
    simultaneous=False,
    saturating=False,
    ascend=False,
    generator_first=False,
    only=None,
    swapped=False,
    judge=total,
    price=lambda score: F.softplus(-score).mean(),
    turns=1,
    fresh=False,
):
    """The alternating step with a fault."""

    def play(generator, discriminator, optimizers, real, z):
        losses, order = (
            {},
            ["generator", "discriminator"] if generator_first else ["discriminator", "generator"],
        )
        if zero == "once":
            [optimizer.zero_grad() for optimizer in optimizers.values()]
        fake, pending = generator(z), []
        for name in [order[0]] * (turns - 1) + order:
            if zero == "each" and not (simultaneous and name == "generator"):
                [optimizer.zero_grad() for optimizer in optimizers.values()]
            if zero == "own" and name == "generator":
                optimizers["generator"].zero_grad()
            if name == "discriminator":
                shown = generator(z).detach() if detach else generator(z)
                loss = judge(discriminator(real), discriminator(shown))
                loss = -loss if ascend else loss
            else:
                noise = torch.randn_like(z) if fresh else z
                score = discriminator(generator(noise) if not simultaneous else fake)
                loss = -F.softplus(score).mean() if saturating else price(score)
            losses[name] = loss.detach()
            if simultaneous and name == "generator":
                gradients = torch.autograd.grad(loss, list(generator.parameters()))
                for weight, gradient in zip(generator.parameters(), gradients):
                    weight.grad = gradient
            else:
                loss.backward()
            if only not in (None, name):
                continue
            if simultaneous:
                pending.append(name)
            else:
                optimizers[name].step()
        [optimizers[name].step() for name in pending]
        pair = losses["discriminator"], losses["generator"]
        return pair[::-1] if swapped else pair

    return play


def too_early(generator, discriminator, optimizers, real, z):
    """The generator's loss computed before the discriminator's step."""
    fake = generator(z)
    loss = total(discriminator(real), discriminator(fake.detach()))
    generator_loss = F.softplus(-discriminator(fake)).mean()
    for name, value in (("discriminator", loss), ("generator", generator_loss)):
        optimizers[name].zero_grad()
        value.backward()
        optimizers[name].step()
    return loss.detach(), generator_loss.detach()


def silent(*game):
    step()(*game)


def one_loss(*game):
    return step()(*game)[0]


def kl(p, q):
    return (torch.xlogy(p, p) - torch.xlogy(p, q))[p > 0].sum()


def jsd(p, q):
    return (kl(p, (p + q) / 2) + kl(q, (p + q) / 2)) / 2


WRONG = {
    "value_by_quadrature": [
        (naive, "not finite"),
        (lambda x, p, q, s: -torch.trapezoid(inside(p, q, s), x), "sign is wrong"),
        (lambda x, p, q, s: inside(p, q, s).sum() * (x[1] - x[0]), "not one step for all"),
        (lambda x, p, q, s: inside(p, q, s).sum() * x.diff().mean(), "mean of the steps"),
        (lambda x, p, q, s: inside(p, q, s).sum(), "lacks dx"),
        (lambda x, p, q, s: inside(p, q, s).mean(), "weighs each"),
        (lambda x, p, q, s: (inside(p, q, s)[:-1] * x.diff()).sum(), "left end"),
        (lambda x, p, q, s: (inside(p, q, s)[1:] * x.diff()).sum(), "right end"),
        (lambda x, p, q, s: torch.trapezoid(inside(q, p, s), x), "changed places"),
        (lambda x, p, q, s: torch.trapezoid((p + q) * terms(s)[0], x), "not log D again"),
        (lambda x, p, q, s: torch.trapezoid(p * terms(s)[0], x), "is missing"),
        (lambda x, p, q, s: torch.trapezoid(p * terms(s)[0] - q * terms(s)[1], x), "second term"),
        (lambda x, p, q, s: inside(p, q, s), "shape"),
        (lambda x, p, q, s: torch.trapezoid(inside(p, q, s)), "without the places"),
        (lambda x, p, q, s: torch.trapezoid(inside(p, q, s.clamp(-20, 20)), x), "clamp"),
        (
            lambda x, p, q, s: torch.trapezoid(
                p * (s.sigmoid() + 1e-8).log() + q * ((-s).sigmoid() + 1e-8).log(), x
            ),
            "epsilon",
        ),
    ],
    "best_discriminator": [
        (lambda a, b: a.exp() / (a.exp() + b.exp()), "0/0"),
        (lambda a, b: b.exp() / (a.exp() + b.exp()), "probability of *real*"),
        (lambda a, b: (a - b).exp(), "that is p / q"),
        (lambda a, b: a - b, "that is the score"),
        (lambda a, b: a / (a + b), "the logarithms themselves"),
        (lambda a, b: (a.exp() - b.exp()).sigmoid(), "not p - q"),
        (lambda a, b: F.logsigmoid(a - b), "logarithm of D"),
        (lambda a, b: a.sigmoid(), "forgets q"),
        (lambda a, b: a.exp() / (a.exp() + b.exp() + 1e-30), "around -2000"),
    ],
    "non_saturating_loss": [
        (lambda s: -s.sigmoid().log().mean(), "not finite"),
        (lambda s: (1 + (-s).exp()).log().mean(), "not finite"),
        (lambda s: -(1 - s.sigmoid()).log().mean(), "the *discriminator* minimises"),
        (lambda s: -F.softplus(s).mean(), "minimax loss"),
        (lambda s: -F.softplus(-s).mean(), "sign is wrong"),
        (lambda s: F.softplus(-s).sum(), "not a sum"),
        (lambda s: (1 - s.sigmoid()).mean(), "without the logarithm"),
        (lambda s: -s.sigmoid().mean().log(), "log of mean"),
        (lambda s: F.softplus(-s).mean().detach(), "no gradient"),
        (fixed, "an epsilon inside the logarithm"),
        (clamped, "a clamp"),
        (lambda s: -(s.sigmoid() + 1e-8).log().mean(), "an epsilon inside the logarithm"),
        (lambda s: -s.sigmoid().clamp_min(1e-7).log().mean(), "a clamp"),
        (lambda s: F.softplus(-s).mean(), "with softplus"),
        (lambda s: torch.nn.Softplus()(-s).mean(), "with softplus"),
        (lambda s: -F.logsigmoid(s).mean(), "sigmoid"),
        (lambda s: F.binary_cross_entropy_with_logits(s, torch.ones_like(s)), "with_logits"),
        (where, "gradient is not finite"),
        (lambda s: F.softplus(-s), "shape"),
    ],
    "alternating_step": [
        (step(zero="once", detach=False), "reaches the generator's gradient"),
        (step(zero="never"), "zero_grad before each backward"),
        (step(zero="never", detach=False), "reaches the generator too"),
        (step(zero="own"), "clear those too"),
        (step(simultaneous=True), "simultaneous"),
        (step(saturating=True), "minimax loss"),
        (step(ascend=True), "wrong way"),
        (step(generator_first=True), "other way round"),
        (step(only="discriminator"), "generator has not moved"),
        (step(only="generator"), "discriminator has not moved"),
        (step(swapped=True), "swapped"),
        (too_early, "before the discriminator moved"),
        (step(fresh=True), "fresh noise"),
        (step(turns=2), "steps twice"),
        (step(judge=lambda real, fake: total(real, fake) / 2), "not half"),
        (step(judge=lambda real, fake: total(fake, real)), "labels are flipped"),
        (
            step(judge=lambda real, fake: len(real) * total(real, fake)),
            "in the discriminator's loss",
        ),
        (step(price=lambda score: F.softplus(-score).sum()), "in the generator's loss"),
        (
            step(
                judge=lambda real, fake: len(real) * total(real, fake),
                price=lambda score: F.softplus(-score).sum(),
            ),
            "in both losses",
        ),
        (step(price=lambda score: -F.softplus(-score).mean()), "a number above 0"),
        (step(price=lambda score: F.softplus(score).mean()), "what the discriminator minimises"),
        (silent, "returned None"),
        (one_loss, "return two losses"),
    ],
    "jensen_shannon_divergence": [
        (lambda p, q: 2 * jsd(p, q), "counts half"),
        (lambda p, q: jsd(p, q) / torch.log(torch.tensor(2.0)), "in bits"),
        (lambda p, q: jsd(p, q).sqrt(), "square root"),
        (kl, "KL(p || q)"),
        (lambda p, q: (kl(p, q) + kl(q, p)) / 2, "mean of KL"),
        (lambda p, q: kl(p, (p + q) / 2) / 2, "q counts as much"),
        (lambda p, q: kl(p, (p + q) / 2), "q counts as much, and each half"),
        (lambda p, q: (kl((p + q) / 2, p) + kl((p + q) / 2, q)) / 2, "wrong way round"),
        (lambda p, q: (kl(p, p + q) + kl(q, p + q)) / 2, "forgot to halve"),
        (lambda p, q: -jsd(p, q), "at least 0"),
        (lambda p, q: jsd(p, q) / len(p), "instead of a sum"),
        (
            lambda p, q: (
                ((p * (2 * p / (p + q)).log()).sum() + (q * (2 * q / (p + q)).log()).sum()) / 2
            ),
            "0 log 0",
        ),
    ],
}
