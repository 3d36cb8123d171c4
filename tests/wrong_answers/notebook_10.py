"""Plausible wrong answers: check -> [(answer, words that the message must hold)]."""

import math

import torch


def shares(counts):
    return counts.double() / counts.sum()


def kept(counts):
    p = shares(counts)
    return p[p > 0]


def entropy(counts):
    return -(kept(counts) * kept(counts).log()).sum()


def divergence(counts):
    return math.log(len(counts)) - entropy(counts)


def deviations(groups, unbiased=False):
    return (groups.var(dim=1, unbiased=unbiased) + 1e-8).sqrt()


def behind(x, column):
    return torch.cat([x, column[:, None]], dim=1)


def grouped(x, size):
    return x.reshape(-1, size, x.shape[1])


def gradient(critic, x, reduce=torch.sum, graph=True):
    x = x.clone().requires_grad_()
    return torch.autograd.grad(reduce(critic(x)), x, create_graph=graph)[0]


def slopes(critic, x, **how):
    return gradient(critic, x, **how).flatten(1).norm(dim=1)


def cut(slope):
    return (slope - 1).clamp_min(0)


def power(forward, transpose, x, steps, normed=True):
    for _ in range(steps):
        x = transpose(forward(x))
        x = x / x.norm() if normed else x
    return x


WRONG = {
    "kl_to_uniform": [
        (entropy, "log(modes) minus it"),
        (lambda c: -entropy(c), "add log(modes)"),
        (lambda c: divergence(c) / math.log(2), "in bits"),
        (lambda c: (shares(c) * (shares(c) * len(c)).log()).sum(), "leave such modes out"),
        (lambda c: -(shares(c) * len(c)).log().mean(), "leave such modes out"),
        (lambda c: math.log(25) - entropy(c), "1 / len(counts)"),
        (lambda c: -(kept(c) * len(c)).log().sum() / len(c), "the other order"),
        (lambda c: divergence(c) * c.sum(), "use the shares"),
        (lambda c: math.log(len(kept(c))) - entropy(c), "also of those that got nothing"),
        (lambda c: -divergence(c), "sign"),
        (lambda c: (kept(c) * (kept(c) * len(c)).log()).mean(), "not the mean"),
        (lambda c: divergence(c) / len(c), "not the mean"),
        (lambda c: shares(c) * len(c), "one number"),
    ],
    "group_std": [
        (lambda x, s: behind(x, deviations(x[None]).mean().expand(len(x))), "whole batch"),
        (
            lambda x, s: behind(x, (x.var(dim=1, unbiased=False) + 1e-8).sqrt()),
            "not over the entries",
        ),
        (
            lambda x, s: behind(
                x,
                deviations(x.reshape(s, -1, x.shape[1]).mT.mT.transpose(0, 1))
                .mean(dim=1)
                .repeat(s),
            ),
            "every n-th row",
        ),
        (
            lambda x, s: behind(
                x, grouped(x, s).var(dim=1, unbiased=False).sqrt().mean(dim=1).repeat_interleave(s)
            ),
            "missing, or outside",
        ),
        (
            lambda x, s: behind(
                x,
                (grouped(x, s).var(dim=1, unbiased=False).sqrt() + 1e-8)
                .mean(dim=1)
                .repeat_interleave(s),
            ),
            "outside",
        ),
        (
            lambda x, s: behind(
                x, deviations(grouped(x, s)).mean(dim=1).repeat_interleave(s).detach()
            ),
            "no gradient",
        ),
        (
            lambda x, s: behind(x, deviations(grouped(x, s)).mean(dim=1).repeat(s)),
            "repeat_interleave",
        ),
        (
            lambda x, s: behind(
                x, deviations(grouped(x, s), True).mean(dim=1).repeat_interleave(s)
            ),
            "unbiased=False",
        ),
        (lambda x, s: behind(x, deviations(grouped(x, s)).mean().expand(len(x))), "its own number"),
        (
            lambda x, s: behind(
                x, grouped(x, s).var(dim=1, unbiased=False).mean(dim=1).repeat_interleave(s)
            ),
            "take the root",
        ),
        (
            lambda x, s: behind(
                x, grouped(x, s).var(dim=1, unbiased=False).mean(dim=1).sqrt().repeat_interleave(s)
            ),
            "first the root",
        ),
        (
            lambda x, s: torch.cat([x, deviations(grouped(x, s)).repeat_interleave(s, 0)], dim=1),
            "averaged over the C entries",
        ),
        (
            lambda x, s: deviations(grouped(x, s)).mean(dim=1).repeat_interleave(s)[:, None],
            "behind x",
        ),
        (
            lambda x, s: behind(
                x,
                deviations(x.reshape(s, -1, x.shape[1])).mean(dim=1).repeat_interleave(len(x) // s),
            ),
            "number of groups",
        ),
    ],
    "one_sided_penalty": [
        (lambda d, x: (slopes(d, x) - 1).square().mean(), "small slopes too"),
        (lambda d, x: slopes(d, x).square().mean(), "R1"),
        (lambda d, x: cut(slopes(d, x)).mean(), "square is missing"),
        (lambda d, x: (1 - slopes(d, x)).clamp_min(0).square().mean(), "wrong side"),
        (lambda d, x: cut(gradient(d, x).norm()).square(), "not of the whole batch"),
        (lambda d, x: cut(slopes(d, x, reduce=torch.mean)).square().mean(), "of the mean score"),
        (lambda d, x: cut(slopes(d, x).mean()).square(), "before the cut"),
        (lambda d, x: cut(gradient(d, x).norm(dim=1)).square().mean(), "axis 1 only"),
        (lambda d, x: cut(slopes(d, x)).square().mean().item(), "no item() or float()"),
        (lambda d, x: cut(slopes(d, x)).square().sum(), "not the sum"),
        (lambda d, x: cut(gradient(d, x).norm(dim=-1)).square().mean(), "flatten(1)"),
        (lambda d, x: cut(slopes(d, x, graph=False)).square().mean(), "create_graph"),
        (lambda d, x: (slopes(d, x).square() - 1).clamp_min(0).mean(), "another penalty"),
        (lambda d, x: cut(slopes(d, x)).square(), "one number"),
    ],
    "largest_stretch": [
        (lambda f, t, x, n: t(f(power(f, t, x, n))).norm(), "its square"),
        (lambda f, t, x, n: f(x).norm() / x.norm(), "replace it in every step"),
        (lambda f, t, x, n: f(power(f, t, x, n, normed=False)).norm(), "without bound"),
        (lambda f, t, x, n: f(power(f, t, x, n)).norm().sqrt(), "its root"),
        (
            lambda f, t, x, n: (
                f(power(f, t, x, max(n - 1, 2) if n > 1 else 0)).norm() / (1 if n > 1 else x.norm())
            ),
            "still the first one",
        ),
        (lambda f, t, x, n: f(power(lambda v: v, f, x, n)).norm(), "transpose(forward(x))"),
        (lambda f, t, x, n: f(t(x)).norm(), "transpose(forward(x))"),
        (lambda f, t, x, n: f(x), "one number"),
    ],
}
