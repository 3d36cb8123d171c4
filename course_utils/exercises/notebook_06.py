"""Checks of notebook 06, Loss functions."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from course_utils.exercises.core import exercise, expect_answer
from course_utils.sparse_coding import normalise_atoms, soft_threshold

__all__ = ["bce_gradient", "code_length", "encoding_weight", "lista_layer", "ssim_of_constants"]

C1, LOG_2 = 0.01**2, math.log(2)


def ssim(a: Tensor, b: Tensor, c: float = C1) -> Tensor:
    return (2 * a * b + c) / (a**2 + b**2 + c)


SSIM_MISTAKES = {
    "c1 is 0.01 squared, not 0.01.": lambda a, b: ssim(a, b, 0.01),
    "that is the loss, 1 - SSIM; return SSIM.": lambda a, b: 1 - ssim(a, b),
    "you took c2; the means go with c1 = 0.01².": lambda a, b: ssim(a, b, 0.03**2),
    "the factor 2 of the numerator is missing.": lambda a, b: (a * b + C1) / (a**2 + b**2 + C1),
    "c1 stands in the numerator too.": lambda a, b: 2 * a * b / (a**2 + b**2 + C1),
    "c1 is missing; without it black against black is 0/0.": lambda a, b: ssim(a, b, 0),
    "the second factor is c2 / c2 = 1, not zero.": lambda a, b: 0 * a,
}


@exercise("06.1", "SSIM of two flat images", difficulty=1, minutes=10, mistakes=SSIM_MISTAKES)
def ssim_of_constants(answer: Any) -> None:
    """Grey levels a, b (n,) in [0, 1] -> SSIM of flat images of these levels (n,)."""
    dark, darker = torch.tensor([0.02, 0.05, 1.0]), torch.tensor([0.01, 0.03, 0.2])
    black, other = torch.tensor([0.0, 0.0, 1.0]), torch.tensor([0.0, 0.5, 1.0])
    random, single = torch.rand(2, 6).unbind(), torch.rand(2, 1).unbind()
    for a, b in [(dark, darker), random, (black, other), single]:
        # ssim_loss on images is a right answer, which float32 rounds
        expect_answer(answer, ssim, a, b, tolerance=5e-4)


def gradient(a: Tensor, x: Tensor) -> Tensor:
    return (a.sigmoid() - x) / a.numel()


def slope(a: Tensor) -> Tensor:
    """Derivative of the sigmoid."""
    return a.sigmoid() * (1 - a.sigmoid())


BCE_MISTAKES = {
    "the loss is a mean: divide by the count of all numbers.": lambda a, x: a.sigmoid() - x,
    "divide by all numbers, not by the images.": lambda a, x: (a.sigmoid() - x) / len(a),
    "the sign is turned: the gradient points uphill.": lambda a, x: -gradient(a, x),
    "the slope of the sigmoid cancels: leave it out.": lambda a, x: gradient(a, x) * slope(a),
    "a is the number before the sigmoid: take a.sigmoid().": lambda a, x: (a - x) / a.numel(),
    "exp(120) is infinite in float32: take a.sigmoid().": (
        lambda a, x: (a.exp() / (1 + a.exp()) - x) / a.numel()
    ),
    "NaN: the slope of the sigmoid is 0 for large |a|. Cancel it on paper.": (
        lambda a, x: gradient(a, x) / slope(a) * slope(a)
    ),
    "the gradient vanishes for large |a|, as with autograd: cancel the slope on paper.": (
        lambda a, x: gradient(a, x).where(slope(a) > 0, 0)
    ),
}


@exercise(
    "06.2", "The gradient that does not vanish", difficulty=2, minutes=15, mistakes=BCE_MISTAKES
)
def bce_gradient(answer: Any) -> None:
    """a, x of one shape -> gradient of the mean cross-entropy of sigmoid(a) with respect to a."""
    for shape in [(5, 4), (3, 1, 6, 2), (1,)]:
        a, x = 3 * torch.randn(shape), torch.rand(shape)
        saturated = torch.tensor([-120.0, 120.0, 20.0])[: a.numel()]  # slope 0 in float32
        a.view(-1)[: len(saturated)] = saturated
        expect_answer(answer, gradient, a, x, tolerance=1e-5)


def weight(x: Tensor, s: Tensor, x_hat: Tensor, share: float) -> Tensor:
    E, D = (x - s).square().mean(), (x - x_hat).square().mean()
    return share / (1 - share) * D / E


WEIGHT_MISTAKES = {
    "the share is of the sum of both losses.": lambda x, s, y, p: weight(x, s, y, p) * (1 - p),
    "upside down: divide by the encoding loss.": lambda x, s, y, p: weight(x, y, s, p),
    "the losses have different sizes: measure both.": lambda x, s, y, p: p / (1 - p),
    "that gives the share to the decoding loss.": lambda x, s, y, p: weight(x, s, y, 1 - p),
    "multiply by the decoding loss.": lambda x, s, y, p: p / (1 - p) / (x - s).square().mean(),
    "decoding compares x_hat with x, not with s.": lambda x, s, y, p: weight(s, x, y, p),
}


@exercise("06.3", "Balance two losses", difficulty=2, minutes=15, mistakes=WEIGHT_MISTAKES)
def encoding_weight(answer: Any) -> None:
    """x, s, x_hat of one shape, share -> weight of the encoding loss, a number."""
    for shape, share in [((4, 1, 6, 5), 0.2), ((3, 8), 0.9), ((2, 3, 4, 4), 0.5), ((1, 2), 0.01)]:
        x = torch.rand(shape)
        s, x_hat = x + 0.1 * torch.randn(shape), x + 0.7 * torch.randn(shape)
        given = (x, s, x_hat, share)
        expect_answer(answer, weight, *given, tolerance=1e-3)


def layer(x: Tensor, z: Tensor, D: Tensor, W: Tensor, theta: Tensor | float) -> Tensor:
    return soft_threshold(z + (x - z @ D.T) @ W, theta)


LAYER_MISTAKES: dict[str, Callable] = {
    "add the present code z.": lambda x, z, D, W, t: soft_threshold((x - z @ D.T) @ W, t),
    "the threshold is missing.": lambda x, z, D, W, t: layer(x, z, D, W, 0),
    "the sign of the residual is turned: x - z Dᵀ.": lambda x, z, D, W, t: layer(x, z, D, -W, t),
    "make the residual with D, not with W.": lambda x, z, D, W, t: layer(x, z, W, W, t),
    "W and D are exchanged.": lambda x, z, D, W, t: layer(x, z, W, D, t),
    "that is ISTA; make the step back with W.": lambda x, z, D, W, t: layer(x, z, D, D, t),
    "shrink the sum with z.": lambda x, z, D, W, t: z + soft_threshold((x - z @ D.T) @ W, t),
}


@exercise(
    "06.4", "A layer that knows the dictionary", difficulty=2, minutes=15, mistakes=LAYER_MISTAKES
)
def lista_layer(answer: Any) -> None:
    """x (N, n), z (N, K), D (n, K), W (n, K), theta (K,) -> the next code (N, K)."""
    for number, n, K in [(7, 5, 9), (4, 6, 3), (1, 1, 1)]:
        D, W = normalise_atoms(torch.randn(n, K)), torch.randn(n, K)
        x, z, theta = 2 * torch.randn(number, n), torch.randn(number, K), 0.2 + 0.5 * torch.rand(K)
        expect_answer(answer, layer, x, z, D, W, theta)


def active(code: Tensor) -> Tensor:
    return (code != 0).sum(dim=1)


def length(code: Tensor, bits: float, count=math.comb) -> Tensor:
    """Bits of each code; `count` gives the number of supports from K and k."""
    supports = [math.log2(count(code.shape[1], int(k))) for k in active(code)]
    return torch.tensor(supports) + bits * active(code)


LENGTH_MISTAKES: dict[str, Callable] = {
    "you counted each set in every order: subtract log2 k! too.": partial(length, count=math.perm),
    "k log2 K counts every order.": partial(length, count=pow),
    "that is in nats: divide by log(2).": lambda c, bits: length(c, bits / LOG_2) * LOG_2,
    "the weights cost bits too: k times bits.": lambda c, bits: length(c, 0),
    "add log2 of the number of supports.": lambda c, bits: bits * active(c),
    "negative weights are active too: != 0.": lambda c, bits: length(c.relu(), bits),
    "lgamma(n + 1) is the logarithm of n!.": lambda c, bits: length(c, bits) + math.inf,
}


@exercise("06.5", "Bits by counting", difficulty=2, minutes=20, mistakes=LENGTH_MISTAKES)
def code_length(answer: Any) -> None:
    """code (N, K), bits -> (N,) log2 of the number of supports plus the bits of the weights."""
    for number, K, bits in [(6, 10, 5), (5, 300, 3), (3, 1, 4)]:
        used = torch.rand(number, K) < torch.linspace(0, 1, number)[:, None]  # none in the first
        code = torch.randn(number, K) * used
        expect_answer(answer, length, code, bits, tolerance=1e-3)
