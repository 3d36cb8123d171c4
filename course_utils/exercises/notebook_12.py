"""Checks of notebook 12, Sparse codes meet the GAN."""

import math
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from course_utils.exercises.core import exercise, expect, expect_answer
from course_utils.exercises.mistakes.code_bits import (
    BACKWARD,
    BIT_MISTAKES,
    ENCODER,
    NO_GRADIENT,
    NUMBER,
    PRICE_MISTAKES,
    choices,
    price,
)
from course_utils.exercises.mistakes.local_edits import PIXEL_MISTAKES, pixels
from course_utils.exercises.mistakes.mixture_densities import MIXTURE_MISTAKES, mixture
from course_utils.exercises.mistakes.near_copies import COPY_MISTAKES, ratio

__all__ = [
    "copy_ratio",
    "mixture_log_density",
    "pixels_changed",
    "reconstruction_price",
    "topk_bits",
]


def gaussians(components: int, n: int, scale: float = 1.0, apart: float = 0.5) -> list[Tensor]:
    """Shares, means and lower factors with a diagonal from scale/2 to 3/2 scale."""
    shares = torch.softmax(torch.randn(components), dim=0)
    factors = apart * torch.randn(components, n, n).tril(-1)
    factors += torch.diag_embed(scale * (0.5 + torch.rand(components, n)))
    return [shares, torch.randn(components, n), factors]


@exercise("12.1", "Is this a code?", difficulty=3, minutes=25, mistakes=MIXTURE_MISTAKES)
def mixture_log_density(answer: Any) -> None:
    """Codes (N, n), shares (K,), means (K, n), lower factors (K, n, n) -> log density, (N,)."""
    judge = partial(expect_answer, answer, mixture, tolerance=3e-4)
    for number, components, n in [(6, 3, 2), (1, 4, 3), (5, 1, 4), (4, 3, 1), (3, 3, 3)]:
        judge(2 * torch.randn(number, n), *gaussians(components, n))
    far, half, zero = torch.full((1, 2), 60.0), torch.ones(2) / 2, torch.zeros(2, 2)
    judge(far, half, zero, torch.eye(2).repeat(2, 1, 1))
    shares = torch.tensor([1e-6, 1 - 1e-6])
    judge(torch.zeros(2, 1), shares, torch.tensor([[0.0], [6.0]]), torch.ones(2, 1, 1))
    shares, means, factors = gaussians(2, 600, 0.25, 0.005)  # det L is about e^-830
    judge(means + (factors @ torch.randn(2, 600, 1))[..., 0], shares, means, factors)


@exercise("12.2", "The price of a wrong reconstruction", 2, minutes=15, mistakes=PRICE_MISTAKES)
def reconstruction_price(answer: Any) -> None:
    """decoder, encode, real in [-1, 1], weight -> weighted mean squared error in [0, 1]."""
    for shape, weight in [((5, 1, 4, 4), 100.0), ((1, 1, 4, 4), 10.0), ((3, 3, 2, 5), 0.5)]:
        numbers = math.prod(shape[1:])
        encoder = nn.Sequential(nn.Flatten(), nn.Linear(numbers, 3))
        decoder = nn.Sequential(nn.Linear(3, numbers), nn.Sigmoid(), nn.Unflatten(1, shape[1:]))
        given = (decoder, encoder, 2 * torch.rand(shape) - 1, weight)
        output = expect_answer(answer, price(), *given, what="the price")
        expect(isinstance(output, Tensor), NUMBER)
        expect(
            all(p.grad is None for p in [*decoder.parameters(), *encoder.parameters()]), BACKWARD
        )
        expect(output.requires_grad, NO_GRADIENT)
        output.backward()
        expect(all(p.grad is not None and p.grad.any() for p in decoder.parameters()), NO_GRADIENT)
        expect(all(p.grad is None or not p.grad.any() for p in encoder.parameters()), ENCODER)
        trainable = all(p.requires_grad for p in encoder.parameters())
        expect(trainable, "the encoder's weights are switched off for good: use torch.no_grad().")
    grey = torch.full((2, 1, 2, 3), 0.4)  # an error of a thousandth, with a large weight
    nearly = 2 * (grey + 1e-3 * torch.randn(2, 1, 2, 3)) - 1
    small = (lambda code: grey + 0 * code.mean(), torch.clone, nearly, 1e6)
    expect_answer(answer, price(), *small, what="the price", tolerance=2e-3)


@exercise("12.3", "Bits of a TopK code", difficulty=1, minutes=10, mistakes=BIT_MISTAKES)
def topk_bits(answer: Any) -> None:
    """units, k, bits per value -> bits of a code: log2 of the number of choices, and the values."""
    cases = [(128, 32, 4.0), (10, 1, 3.0), (6, 6, 2.5), (64, 5, 1.0), (9, 4, 8), (64, 60, 0.37)]
    for case in [*cases, (20_000, 3000, 6.0)]:
        expect_answer(answer, lambda n, k, b: choices(n, k) + k * b, *case)


@exercise("12.4", "How local is an edit?", difficulty=2, minutes=15, mistakes=PIXEL_MISTAKES)
def pixels_changed(answer: Any) -> None:
    """Images before and after (N, C, H, W), share -> fewest pixels with the share of the change."""
    judge = partial(expect_answer, answer, pixels)
    for *shape, share in [
        (5, 1, 6, 5, 0.9),
        (1, 1, 4, 4, 0.5),
        (4, 3, 5, 4, 0.8),
        (3, 1, 1, 1, 0.9),
    ]:
        before, change = torch.rand(shape), torch.randn(shape) * torch.rand(shape) ** 3
        judge(before, before + change, share)
    sizes = torch.tensor([1.0, 0.1, 0.01, 3.0])[:, None, None, None]  # small changes count as well
    judge(before := torch.rand(4, 2, 5, 3), before + 1e-3 * sizes * torch.randn(4, 2, 5, 3), 0.6)
    judge(torch.zeros(4, 2, 3, 3), 1e-3 * sizes * torch.randn(4, 2, 3, 3), 0.7)
    counted = torch.tensor([[2.0, 0, 0, 0], [1, 1, 1, 1], [0, -2, 0, 2]])[:, None, None]
    for share in (0.25, 0.5, 0.75, 1.0):  # the share is reached exactly
        judge(torch.zeros(3, 1, 1, 4), counted, share)


@exercise("12.5", "A test for copies that duplicates cannot fool", 3, 25, mistakes=COPY_MISTAKES)
def copy_ratio(answer: Any) -> None:
    """Rows generated (N, d), stored (M, d) -> ratio of two distances for each generated row."""
    judge = partial(expect_answer, answer, ratio)
    for number, many, d, twins in [(6, 12, 3, 0), (1, 5, 2, 0), (5, 9, 4, 4), (3, 6, 1, 3)]:
        stored = (2 * torch.randn(many, d)).round()  # so that rows are equal or far apart
        if d > 1:
            stored[:, 0] = stored[0, 0]  # as images share their black border
        generated = 2 * torch.randn(number, d)
        generated[0], generated[-1] = stored[0] + 0.01, stored[1]  # nearly a copy, and a copy
        if twins:
            stored = torch.cat([stored, stored[:twins], stored[:1]])
            stored = stored[torch.randperm(len(stored))]
        judge(generated, stored, tolerance=2e-3)
    far = torch.tensor([[1.0, 0.0], [0.0, 1.0], [3.0, 3.0]])  # two of them equally far from 0
    judge(torch.zeros(1, 2), far, tolerance=1e-6)
    judge(torch.zeros(1, 2), torch.tensor([[0.0, 3], [1, 0], [0, 3], [1, 0]]), tolerance=1e-5)
    close = torch.tensor([[1.0, 0.0], [1 + 1e-6, 0.0], [9.0, 0.0]])  # different, if only just
    judge(torch.zeros(2, 2), close, tolerance=1e-4)
