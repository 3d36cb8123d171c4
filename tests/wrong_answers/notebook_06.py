"""Plausible wrong answers: check -> [(answer, words that the message must hold)]."""

import math

import torch

from course_utils import losses
from course_utils.sparse_coding import soft_threshold


def places(code):
    return torch.tensor([math.log2(math.comb(code.shape[1], int(k))) for k in active(code)])


def active(code):
    return (code != 0).sum(dim=1)


def log2_factorial(n, shift=1):
    return torch.lgamma(torch.as_tensor(n, dtype=torch.float64) + shift) / math.log(2)


def by_autograd(a, x):
    a = a.requires_grad_()
    return torch.autograd.grad(losses.binary_cross_entropy(a.sigmoid(), x), a)[0]


def by_the_chain_rule(a, x):
    p = a.sigmoid()
    return (-x / p + (1 - x) / (1 - p)) * p * (1 - p) / a.numel()


def ratio(x, s, x_hat):
    return (x - x_hat).square().mean() / (x - s).square().mean()


WRONG = {
    "ssim_of_constants": [
        (lambda a, b: 2 * a * b / (a**2 + b**2), "without c1"),
        (lambda a, b: (2 * a * b + 0.01) / (a**2 + b**2 + 0.01), "0.01 squared"),
        (lambda a, b: 1 - (2 * a * b + 1e-4) / (a**2 + b**2 + 1e-4), "asked is SSIM"),
        (lambda a, b: (2 * a * b + 9e-4) / (a**2 + b**2 + 9e-4), "took c2"),
        (lambda a, b: (a * b + 1e-4) / (a**2 + b**2 + 1e-4), "factor 2"),
        (lambda a, b: 2 * a * b / (a**2 + b**2 + 1e-4), "above and below"),
        (lambda a, b: (2 * a * b + 1e-4) / ((a + b) ** 2 + 1e-4), "square of the sum"),
        (lambda a, b: 0 * a, "second factor is not zero"),
        (lambda a, b: 0 * a + 1, "differ in their means"),
    ],
    "bce_gradient": [
        (lambda a, x: a.sigmoid() - x, "divide by their count"),
        (lambda a, x: (a.sigmoid() - x) / len(a), "number of images"),
        (lambda a, x: (x - a.sigmoid()) / a.numel(), "uphill"),
        (
            lambda a, x: 2 * (a.sigmoid() - x) * a.sigmoid() * (1 - a.sigmoid()) / a.numel(),
            "squared error",
        ),
        (
            lambda a, x: (a.sigmoid() - x) * a.sigmoid() * (1 - a.sigmoid()) / a.numel(),
            "once too often",
        ),
        (lambda a, x: (a - x) / a.numel(), "before the sigmoid"),
        (lambda a, x: (a.exp() / (1 + a.exp()) - x) / a.numel(), "e^a is infinite"),
        (by_the_chain_rule, "cancel the slope on paper"),
        (by_autograd, "gradient vanishes"),
        (lambda a, x: ((a.sigmoid() - x) / a.numel()).sum(), "has shape"),
    ],
    "encoding_weight": [
        (lambda x, s, x_hat, share: share * ratio(x, s, x_hat), "of the whole sum"),
        (lambda x, s, x_hat, share: share / (1 - share) / ratio(x, s, x_hat), "upside down"),
        (lambda x, s, x_hat, share: share / (1 - share), "different sizes"),
        (
            lambda x, s, x_hat, share: (1 - share) / share * ratio(x, s, x_hat),
            "to the decoding loss",
        ),
        (lambda x, s, x_hat, share: share, "the share itself"),
        (
            lambda x, s, x_hat, p: p / (1 - p) * (x - x_hat).abs().mean() / (x - s).abs().mean(),
            "not squared",
        ),
        (
            lambda x, s, x_hat, share: share / (1 - share) / (x - s).square().mean(),
            "size of the decoding loss",
        ),
        (lambda x, s, x_hat, share: share / (x - s).square().mean(), "divide by 1 - share"),
        (lambda x, s, x_hat, share: share / (1 - share) * ratio(s, x, x_hat), "not with s"),
        (lambda x, s, x_hat, share: share * (x - s).square(), "one number"),
    ],
    "lista_layer": [
        (lambda x, z, D, W, t: soft_threshold((x - z @ D.T) @ W, t), "add z"),
        (lambda x, z, D, W, t: z + (x - z @ D.T) @ W, "threshold is missing"),
        (lambda x, z, D, W, t: soft_threshold(z + (z @ D.T - x) @ W, t), "sign of the residual"),
        (lambda x, z, D, W, t: soft_threshold(z + (x - z @ W.T) @ W, t), "made with D"),
        (lambda x, z, D, W, t: soft_threshold(z + (x - z @ W.T) @ D, t), "exchanged"),
        (lambda x, z, D, W, t: soft_threshold(z + (x - z @ D.T) @ D, t), "step of ISTA"),
        (lambda x, z, D, W, t: (z + (x - z @ D.T) @ W - t).relu(), "both signs"),
        (lambda x, z, D, W, t: z + soft_threshold((x - z @ D.T) @ W, t), "not the step alone"),
        (lambda x, z, D, W, t: soft_threshold(z + x @ W, t), "already explains"),
    ],
    "code_length": [
        (lambda code, bits: places(code) * math.log(2) + bits * active(code), "nats"),
        (lambda code, bits: places(code), "weights cost bits"),
        (
            lambda code, bits: active(code) * math.log2(code.shape[1]) + bits * active(code),
            "every order",
        ),
        (lambda code, bits: code.shape[1] + bits * active(code).float(), "mask"),
        (lambda code, bits: bits * active(code).float(), "where the weights stand"),
        (lambda code, bits: places(code) + bits * code.shape[1], "no weight to store"),
        (lambda code, bits: places(code.relu()) + bits * active(code.relu()), "negative weights"),
        (
            lambda code, bits: (
                log2_factorial(code.shape[1])
                - log2_factorial(code.shape[1] - active(code))
                + bits * active(code)
            ),
            "counted k! times",
        ),
        (
            lambda code, bits: (
                log2_factorial(code.shape[1])
                - log2_factorial(active(code), 0)
                - log2_factorial(code.shape[1] - active(code))
                + bits * active(code)
            ),
            "logarithm of n!",
        ),
        (lambda code, bits: (places(code) + bits * active(code)).mean(), "has shape"),
    ],
}
