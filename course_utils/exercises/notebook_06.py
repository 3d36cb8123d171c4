"""Checks of notebook 06, Loss functions."""

from typing import Any

import torch

from course_utils.exercises.core import attempt, exercise, expect, expect_answer, expect_without
from course_utils.exercises.mistakes.description_length import LENGTH_MISTAKES, length
from course_utils.exercises.mistakes.lista_steps import LAYER_MISTAKES, layer
from course_utils.exercises.mistakes.loss_balance import WEIGHT_MISTAKES, weight
from course_utils.exercises.mistakes.loss_formulas import (
    BCE_MISTAKES,
    SSIM_MISTAKES,
    gradient,
    ssim,
)
from course_utils.sparse_coding import normalise_atoms

__all__ = ["bce_gradient", "code_length", "encoding_weight", "lista_layer", "ssim_of_constants"]


@exercise("06.1", "SSIM of two flat images", difficulty=1, minutes=10, mistakes=SSIM_MISTAKES)
def ssim_of_constants(answer: Any) -> None:
    """Grey levels a, b (n,) in [0, 1] -> SSIM of flat images of these levels (n,)."""
    dark, darker = torch.tensor([0.02, 0.05, 1.0]), torch.tensor([0.01, 0.03, 0.2])
    black, other = torch.tensor([0.0, 0.0, 1.0]), torch.tensor([0.0, 0.5, 1.0])
    random, single = torch.rand(2, 6).unbind(), torch.rand(2, 1).unbind()
    for a, b in [(dark, darker), random, (black, other), single]:
        # ssim_loss on images is a right answer, which float32 rounds
        expect_answer(answer, ssim, a, b, tolerance=5e-4)
    a, b = 0.01 + 0.09 * torch.rand(2, 20)  # at these levels it rounds less
    expect_answer(answer, ssim, a, b, tolerance=5e-5)


@exercise(
    "06.2", "The gradient that does not vanish", difficulty=2, minutes=15, mistakes=BCE_MISTAKES
)
def bce_gradient(answer: Any) -> None:
    """a, x of one shape -> gradient of the mean cross-entropy of sigmoid(a) with respect to a."""
    for shape in [(5, 4), (3, 1, 6, 2), (2, 3), (1,)]:
        a, x = 3 * torch.randn(shape), torch.rand(shape)
        saturated = torch.tensor([-120.0, 120.0, 20.0, -20.0])[: a.numel()]  # slope 0 in float32
        a.view(-1)[: len(saturated)] = saturated
        if a.numel() > 8:
            a.view(-1)[4:8] = torch.tensor([-120.0, 120.0, 1.0, 0.0])
            x.view(-1)[4:8] = torch.tensor([0.0, 1.0, 1.0, 0.0])
        expect_answer(answer, gradient, a, x, tolerance=1e-6)
    pencil = "derive the gradient with a pencil"
    expect_without(answer, torch.randn(3, 2), torch.rand(3, 2), advice=pencil)


@exercise("06.3", "Balance two losses", difficulty=2, minutes=15, mistakes=WEIGHT_MISTAKES)
def encoding_weight(answer: Any) -> None:
    """x, s, x_hat of one shape, share -> weight of the encoding loss, a number."""
    for shape, share in [((4, 1, 6, 5), 0.2), ((3, 8), 0.9), ((2, 3, 4, 4), 0.5), ((1, 2), 0.01)]:
        x = torch.rand(shape)
        noise = torch.randn(shape) * torch.linspace(0.5, 2, len(x)).view(-1, *[1] * (x.ndim - 1))
        s, x_hat = x + 0.1 * noise, x + 0.7 * torch.randn(shape)
        expect_answer(answer, weight, x, s, x_hat, share)
    x, noise = torch.rand(3, 4), torch.randn(3, 4)
    expect_answer(answer, weight, x, x + 1e-3 * noise, x - 0.1 * noise.flip(0), 0.3)
    expect_answer(answer, weight, x, x + 0.5 * noise, x - 1e-2 * noise.flip(0), 0.6)


@exercise(
    "06.4", "A layer that knows the dictionary", difficulty=2, minutes=15, mistakes=LAYER_MISTAKES
)
def lista_layer(answer: Any) -> None:
    """x (N, n), z (N, K), D (n, K), W (n, K), theta (K,) -> the next code (N, K)."""
    for number, n, K in [(4, 4, 4), (7, 5, 9), (4, 6, 3), (9, 3, 9), (1, 1, 1)]:
        D, W = 1.5 * normalise_atoms(torch.randn(n, K)), torch.randn(n, K)
        x, z, theta = 2 * torch.randn(number, n), torch.randn(number, K), 0.2 + 0.5 * torch.rand(K)
        if K == 3:
            theta[1] = 0
        expect_answer(answer, layer, x, z, D, W, theta)
    x, z, D, W = torch.randn(3, 4), torch.randn(3, 6), torch.randn(4, 6), torch.randn(4, 6)
    for name, trained in [("W", W), ("theta", torch.rand(6))]:
        given = [x, z, D, W, torch.rand(6)]
        given[3 if name == "W" else 4] = trained.clone().requires_grad_()
        code = attempt(answer, *given)
        text = f"no gradient comes through the layer to {name}: leave detach, no_grad, .data away."
        expect(code.requires_grad, text)


@exercise("06.5", "Bits by counting", difficulty=2, minutes=20, mistakes=LENGTH_MISTAKES)
def code_length(answer: Any) -> None:
    """code (N, K), bits -> (N,) log2 of the number of supports plus the bits of the weights."""
    for number, K, bits in [(6, 10, 5), (6, 6, 2.5), (5, 300, 3), (3, 1, 4)]:
        used = torch.rand(number, K) < torch.linspace(0, 1, number)[:, None]  # none in the first
        code = torch.randn(number, K) * used
        code[[2, -1]] = code[[-1, 2]]
        if number == 6:
            code[1, :4] = torch.tensor([1e-9, 0.03, -0.004, 0.4])  # small weights, and negative
            code[1, 4:] = 0
        expect_answer(answer, length, code, bits)
