"""Checks of notebook 07, Image restoration."""

from typing import Any

import torch

from course_utils.exercises.core import exercise, expect_answer
from course_utils.exercises.mistakes.masked_steps import MASK_MISTAKES, masked
from course_utils.exercises.mistakes.psnr_borders import BORDER_MISTAKES, inside
from course_utils.exercises.mistakes.quantiser_formulas import (
    BITS_MISTAKES,
    STEP_MISTAKES,
    entropy,
    step,
)
from course_utils.exercises.mistakes.weighted_patches import VOTE_MISTAKES, weighted
from course_utils.patches import extract_patches
from course_utils.sparse_coding import normalise_atoms

__all__ = ["entropy_bits", "masked_step", "psnr_inside", "step_for_psnr", "weighted_average"]


@exercise("07.1", "The fewest bits", difficulty=1, minutes=10, mistakes=BITS_MISTAKES)
def entropy_bits(answer: Any) -> None:
    """Whole numbers of any shape -> bits for all of them by their entropy, a number."""
    expect_answer(answer, entropy, torch.randint(-3, 4, (40, 5)))
    expect_answer(answer, entropy, (4 * torch.randn(300)).int())
    expect_answer(answer, entropy, torch.randint(-2, 3, (2, 3, 4, 5)))
    for few in [[7, 7, 7, 7], [[5]], [1, 1, 2], [-1000, 1000, 1000, 0], [0, 1, 2, 3]]:
        expect_answer(answer, entropy, torch.tensor(few))
    wide = [0, 256, 512, 0, -256, 300, 2049, 2048, 70000, 4464, 70000]  # alike in 8 or 16 bits
    expect_answer(answer, entropy, torch.tensor(wide))


@exercise("07.2", "Which step for which quality?", difficulty=1, minutes=10, mistakes=STEP_MISTAKES)
def step_for_psnr(answer: Any) -> None:
    """PSNR in dB, a number -> step of plain rounding, in grey levels of 255."""
    for level in (40.0, 58.9, 31.0, 20.0, 30, 72.5):
        expect_answer(answer, step, level)


@exercise("07.3", "One step with a mask", difficulty=2, minutes=15, mistakes=MASK_MISTAKES)
def masked_step(answer: Any) -> None:
    """z (N, K), x (N, n), D (n, K), mask (N, n), lam -> z after one proximal step."""
    cases = [(6, 16, 24, 0.5), (3, 9, 5, 0.2), (4, 6, 6, 0.1), (1, 4, 4, 0.0)]
    for number, n, count, lam in cases:
        D, z = 1.5 * normalise_atoms(torch.randn(n, count)), torch.randn(number, count)
        D[:, 0] *= 0.5
        x, mask = torch.randn(number, n), (torch.rand(number, n) < 0.6).float()
        mask[:, 0], mask[:, 1] = 0, 1
        expect_answer(answer, masked, z, x, D, mask, lam)


@exercise("07.4", "Without the border", difficulty=1, minutes=10, mistakes=BORDER_MISTAKES)
def psnr_inside(answer: Any) -> None:
    """estimate, truth (N, C, H, W), border >= 0 -> PSNR of each image without its border, (N,)."""
    shapes = [(3, 1, 12, 16), (2, 3, 9, 9), (3, 3, 13, 8), (2, 1, 6, 5), (1, 1, 20, 20)]
    for shape, border in zip(shapes, (2, 4, 3, 0, 1)):
        truth = torch.rand(shape)
        noise = torch.linspace(0.05, 0.2, shape[0]).view(-1, 1, 1, 1) * torch.randn(shape)
        noise *= torch.linspace(1, 3, shape[1]).view(1, -1, 1, 1)
        noise[..., 0, :] *= 3
        noise[..., -1] *= 5
        if border == 3:
            noise *= 1e-3
        expect_answer(answer, inside, truth + noise, truth, border)


@exercise("07.5", "Votes that differ", difficulty=2, minutes=15, mistakes=VOTE_MISTAKES)
def weighted_average(answer: Any) -> None:
    """patches (number, 64) at stride 2, votes (number,), shape (1, 1, H, W) -> image."""
    shapes = [(1, 1, 16, 20), (1, 1, 8, 8), (1, 1, 12, 10), (1, 1, 14, 14)]
    for shape, size in zip(shapes, (1.0, 3.0, 1e-3, 20.0)):
        patches = extract_patches(torch.randn(shape), 8, 2)
        patches = patches + torch.randn_like(patches)
        votes = size * (0.1 + torch.rand(len(patches)))
        expect_answer(answer, weighted, patches, votes, shape)
