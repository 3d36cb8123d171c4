"""Checks of notebook 06, Loss functions."""

import math

import torch
from torch import Tensor

from course_utils.exercises.core import exercise, expect_answer
from course_utils.sparse_coding import normalise_atoms, soft_threshold

__all__ = ["bce_gradient", "code_length", "encoding_weight", "lista_layer", "ssim_of_constants"]

C1 = 0.01**2


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
    "flat images differ in their means: compute the first factor.": lambda a, b: 0 * a + 1,
}


@exercise("06.1", "SSIM of two flat images", difficulty=1, minutes=10, mistakes=SSIM_MISTAKES)
def ssim_of_constants(answer: object) -> None:
    """Grey levels a, b (n,) in [0, 1] -> SSIM of flat images of these levels (n,)."""
    dark, darker = torch.tensor([0.02, 0.05, 1.0]), torch.tensor([0.01, 0.03, 0.2])
    black, other = torch.tensor([0.0, 0.0, 1.0]), torch.tensor([0.0, 0.5, 1.0])
    random, single = torch.rand(2, 6), torch.rand(2, 1)
    for a, b in [(dark, darker), random, (black, other), single]:
        # ssim_loss on images is a right answer, which float32 rounds
        expect_answer(answer, ssim, a, b, mistakes=SSIM_MISTAKES, tolerance=5e-4)


def gradient(a: Tensor, x: Tensor) -> Tensor:
    return (a.sigmoid() - x) / a.numel()


def slope(a: Tensor) -> Tensor:
    """Derivative of the sigmoid."""
    return a.sigmoid() * (1 - a.sigmoid())


BCE_MISTAKES = {
    "the loss is a mean: divide by the count of all numbers.": lambda a, x: a.sigmoid() - x,
    "you divided by the number of images; divide by the count of all numbers.": (
        lambda a, x: (a.sigmoid() - x) / len(a)
    ),
    "the sign is turned: the gradient points uphill.": lambda a, x: -gradient(a, x),
    "that is the gradient of the squared error.": lambda a, x: 2 * gradient(a, x) * slope(a),
    "the slope of the sigmoid cancels: leave it out.": lambda a, x: gradient(a, x) * slope(a),
    "a is the number before the sigmoid: take a.sigmoid().": lambda a, x: (a - x) / a.numel(),
    "exp(a) is infinite at a = 120: take a.sigmoid().": (
        lambda a, x: (a.exp() / (1 + a.exp()) - x) / a.numel()
    ),
    "NaN: the slope of the sigmoid is 0 in float32 for large |a|. Cancel it on paper.": (
        lambda a, x: gradient(a, x) / slope(a) * slope(a)
    ),
    "the gradient vanishes for large |a|, as with autograd: cancel the slope on paper.": (
        lambda a, x: gradient(a, x).where(slope(a) > 0, 0)
    ),
}


@exercise(
    "06.2", "The gradient that does not vanish", difficulty=2, minutes=15, mistakes=BCE_MISTAKES
)
def bce_gradient(answer: object) -> None:
    """a, x of one shape -> gradient of the mean cross-entropy of sigmoid(a) with respect to a."""
    for shape in [(5, 4), (3, 1, 6, 2), (1,)]:
        a, x = 3 * torch.randn(shape), torch.rand(shape)
        saturated = torch.tensor([-120.0, 120.0, 20.0])[: a.numel()]  # slope 0 in float32
        a.view(-1)[: len(saturated)] = saturated
        expect_answer(answer, gradient, a, x, mistakes=BCE_MISTAKES, tolerance=1e-5)


def weight(x: Tensor, s: Tensor, x_hat: Tensor, share: float) -> Tensor:
    E, D = (x - s).square().mean(), (x - x_hat).square().mean()
    return share / (1 - share) * D / E


WEIGHT_MISTAKES = {
    "the share is of the sum of both losses, not of the decoding loss.": (
        lambda x, s, x_hat, share: weight(x, s, x_hat, share) * (1 - share)
    ),
    "upside down: a large encoding loss needs a small weight.": (
        lambda x, s, x_hat, share: weight(x, x_hat, s, share)
    ),
    "the losses have different sizes: measure both, and divide.": (
        lambda x, s, x_hat, share: share / (1 - share)
    ),
    "that gives the share to the decoding loss.": (
        lambda x, s, x_hat, share: weight(x, s, x_hat, 1 - share)
    ),
    "multiply by the decoding loss.": (
        lambda x, s, x_hat, share: share / (1 - share) / (x - s).square().mean()
    ),
    "decoding compares x_hat with x, not with s.": (
        lambda x, s, x_hat, share: weight(s, x, x_hat, share)
    ),
}


@exercise("06.3", "Balance two losses", difficulty=2, minutes=15, mistakes=WEIGHT_MISTAKES)
def encoding_weight(answer: object) -> None:
    """x, s, x_hat of one shape, share -> weight of the encoding loss, a number."""
    for shape, share in [((4, 1, 6, 5), 0.2), ((3, 8), 0.9), ((2, 3, 4, 4), 0.5), ((1, 2), 0.01)]:
        x = torch.rand(shape)
        s, x_hat = x + 0.1 * torch.randn(shape), x + 0.7 * torch.randn(shape)
        given = (x, s, x_hat, share)
        expect_answer(answer, weight, *given, mistakes=WEIGHT_MISTAKES, tolerance=1e-3)


def layer(x: Tensor, z: Tensor, D: Tensor, W: Tensor, theta: Tensor | float) -> Tensor:
    return soft_threshold(z + (x - z @ D.T) @ W, theta)


LAYER_MISTAKES = {
    "the step starts from the present code: add z.": (
        lambda x, z, D, W, theta: soft_threshold((x - z @ D.T) @ W, theta)
    ),
    "the threshold is missing.": lambda x, z, D, W, theta: layer(x, z, D, W, 0),
    "the sign of the residual is turned: x - z Dᵀ.": (
        lambda x, z, D, W, theta: layer(x, z, D, -W, theta)
    ),
    "make the residual with D, only the step back with W.": (
        lambda x, z, D, W, theta: layer(x, z, W, W, theta)
    ),
    "W and D are exchanged.": lambda x, z, D, W, theta: layer(x, z, W, D, theta),
    "that is a step of ISTA; make the step back with W.": (
        lambda x, z, D, W, theta: layer(x, z, D, D, theta)
    ),
    "shrink the sum, not the step alone.": (
        lambda x, z, D, W, theta: z + soft_threshold((x - z @ D.T) @ W, theta)
    ),
}


@exercise(
    "06.4", "A layer that knows the dictionary", difficulty=2, minutes=15, mistakes=LAYER_MISTAKES
)
def lista_layer(answer: object) -> None:
    """x (N, n), z (N, K), D (n, K), W (n, K), theta (K,) -> the next code (N, K)."""
    for number, n, K in [(7, 5, 9), (4, 6, 3), (1, 1, 1)]:
        D, W = normalise_atoms(torch.randn(n, K)), torch.randn(n, K)
        x, z, theta = 2 * torch.randn(number, n), torch.randn(number, K), 0.2 + 0.5 * torch.rand(K)
        expect_answer(answer, layer, x, z, D, W, theta, mistakes=LAYER_MISTAKES)


def active(code: Tensor) -> Tensor:
    return (code != 0).sum(dim=1)


def supports(code: Tensor, count=math.comb) -> Tensor:
    """log2 of the number of supports of each code."""
    return torch.tensor([math.log2(count(code.shape[1], int(k))) for k in active(code)])


def length(code: Tensor, bits: float) -> Tensor:
    return supports(code) + bits * active(code)


LENGTH_MISTAKES = {
    "you counted each set once for each order: subtract log2 k! too.": (
        lambda code, bits: supports(code, math.perm) + bits * active(code)
    ),
    "the natural logarithm counts in nats; divide by log(2).": (
        lambda code, bits: supports(code) * math.log(2) + bits * active(code)
    ),
    "the weights cost bits too: k times bits.": lambda code, bits: supports(code),
    "k log2 K counts every order: take the binomial coefficient.": (
        lambda code, bits: (math.log2(code.shape[1]) + bits) * active(code)
    ),
    "add log2 of the binomial coefficient for the places.": (
        lambda code, bits: bits * active(code)
    ),
    "negative weights are active too: != 0.": lambda code, bits: length(code.relu(), bits),
    "lgamma(n + 1) is the logarithm of n!, not lgamma(n).": (
        lambda code, bits: length(code, bits) + math.inf
    ),
}


@exercise("06.5", "Bits by counting", difficulty=2, minutes=20, mistakes=LENGTH_MISTAKES)
def code_length(answer: object) -> None:
    """code (N, K), bits -> (N,) log2 of the number of supports plus the bits of the weights."""
    for number, K, bits in [(6, 10, 5), (5, 300, 3), (3, 1, 4)]:
        used = torch.rand(number, K) < torch.linspace(0, 1, number)[:, None]  # none in the first
        code = torch.randn(number, K) * used
        expect_answer(answer, length, code, bits, mistakes=LENGTH_MISTAKES, tolerance=1e-3)
