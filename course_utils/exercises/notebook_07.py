"""Checks of notebook 07, Image restoration."""

import math

import torch

from course_utils.exercises.core import Mistake, attempt, exercise, expect, expect_close
from course_utils.patches import average_patches, extract_patches
from course_utils.sparse_coding import normalise_atoms, soft_threshold

__all__ = ["entropy_bits", "masked_step", "psnr_inside", "step_for_psnr", "weighted_average"]


@exercise("07.1", "The fewest bits", difficulty=1, minutes=10)
def entropy_bits(answer: object) -> None:
    """Whole numbers of any shape -> bits for all of them by their entropy, a number."""
    cases = [
        torch.randint(-3, 4, (40, 5)),
        (4 * torch.randn(300)).int(),
        torch.tensor([7, 7, 7, 7]),
        torch.tensor([[5]]),
        torch.tensor([1, 1, 2]),
        torch.tensor([-1000, 1000, 1000, 0]),
        torch.arange(8),
    ]
    for q in cases:
        values, counts = torch.unique(q, return_counts=True)
        share, rows = counts.double() / q.numel(), counts.double() / len(q)
        bits = -(counts * share.log2()).sum()
        sizes = torch.unique(q.abs(), return_counts=True)[1]
        output = attempt(answer, q)
        if isinstance(output, torch.Tensor):
            expect(
                output.numel() == 1,
                f"the bits are one number; yours has shape {tuple(output.shape)}.",
            )
            output = output.reshape(())
        expect_close(
            output,
            bits,
            {
                "a range coder spends fractions of a bit: do not round the bits up.": bits.ceil(),
                "a range coder spends fractions of a bit: do not round.": bits.round(),
                "n is the number of entries, q.numel(); len(q) counts rows.": -(
                    counts * rows.log2()
                ).sum(),
                "that is in nats: take the logarithm to base 2.": bits * math.log(2),
                "that is the mean per number; asked are the bits for all of them.": bits
                / q.numel(),
                "that is the mean per number, in nats; asked are the bits for all of them.": bits
                / q.numel()
                * math.log(2),
                "a logarithm of a share is negative: put a minus before the sum.": -bits,
                "that counts all values as equally likely; weigh each with its share.": torch.tensor(
                    q.numel() * math.log2(len(values))
                ),
                "5 and -5 are two values: do not take the absolute value.": -(
                    sizes * (sizes.double() / q.numel()).log2()
                ).sum(),
                "you summed over the values once; each occurs as often as counts says.": -share.log2().sum(),
            },
            what=f"the bits for {q.numel()} numbers of {len(values)} different values",
        )


@exercise("07.2", "Which step for which quality?", difficulty=1, minutes=10)
def step_for_psnr(answer: object) -> None:
    """PSNR in dB, a number -> step of plain rounding, in grey levels of 255."""
    for level in (40.0, 58.9, 31.0, 20.0):
        wanted = torch.tensor(math.sqrt(12) * 255 * 10 ** (-level / 20))
        expect_close(
            attempt(answer, level),
            wanted,
            {
                "the mean square error is Δ²/12: the root of 12 is missing.": wanted
                / math.sqrt(12),
                "12 belongs under the root: Δ = √(12 MSE).": wanted * math.sqrt(12),
                "that is for pixels in [0, 1]; the step is in grey levels of 255.": wanted / 255,
                "that is Δ²: take the root.": wanted**2,
                "that is 12 MSE for pixels in [0, 1], so Δ²: take the root and multiply by 255.": (
                    wanted / 255
                )
                ** 2,
                "255 outside the root: 255 · 12 MSE is neither Δ² nor Δ.": wanted**2 / 255,
                "white is 255, not 256.": wanted * 256 / 255,
                "Δ need not be a whole number: do not round it.": wanted.round(),
                "a higher PSNR needs a smaller step: look at the sign in the exponent.": torch.tensor(
                    math.sqrt(12) * 255 * 10 ** (level / 20)
                ),
                "MSE = 10^(-PSNR/10), and its root 10^(-PSNR/20).": torch.tensor(
                    math.sqrt(12) * 255 * 10 ** (-level / 10)
                ),
                "divided by 12 instead of multiplied: Δ² = 12 MSE.": wanted / 12,
                "12 times is the square's factor; under the root it is √12.": wanted
                / math.sqrt(12)
                * 12,
                "the error goes from -Δ/2 to Δ/2, not from -Δ to Δ: Δ²/12, not Δ²/3.": wanted / 2,
            },
            what=f"the step for {level} dB",
            tolerance=1e-3,
        )


@exercise("07.3", "One step with a mask", difficulty=2, minutes=15)
def masked_step(answer: object) -> None:
    """z (N, K), x (N, n), D (n, K), mask (N, n), lam -> z after one proximal step."""
    for number, n, count, lam in [(6, 16, 24, 0.05), (3, 9, 5, 0.2), (1, 4, 4, 0.0)]:
        D, z = normalise_atoms(torch.randn(n, count)), torch.randn(number, count)
        x, mask = torch.randn(number, n), (torch.rand(number, n) < 0.6).float()
        mask[:, 0], mask[:, 1] = 0, 1
        L = torch.linalg.matrix_norm(D, 2) ** 2
        rest = x - z @ D.T

        moved = z + (mask * rest) @ D / L
        hard = moved * (moved.abs() > lam / L)

        def step(
            gradient: torch.Tensor, rate: torch.Tensor = 1 / L, threshold: torch.Tensor = lam / L
        ) -> torch.Tensor:
            return soft_threshold(z + rate * gradient, threshold)

        expect_close(
            attempt(answer, z, x, D, mask, lam),
            step((mask * rest) @ D),
            {
                "the mask is not used: multiply what is left, x - Dz, by it.": step(rest @ D),
                "only x is masked; a missing pixel must not pull Dz to zero: mask the whole x - Dz.": step(
                    (mask * x - z @ D.T) @ D
                ),
                "x itself is 0 where it is missing, or anything else: mask x - Dz, not Dz alone.": step(
                    (x - mask * (z @ D.T)) @ D
                ),
                "the mask is the wrong way round: 1 means known.": step(((1 - mask) * rest) @ D),
                "the step points uphill: add Dᵀ of what is left.": step(-(mask * rest) @ D),
                "the step has length 1/L with L = ‖D‖², the square of the largest singular value.": step(
                    (mask * rest) @ D, 1.0, lam
                ),
                "L is the square of the norm.": step(
                    (mask * rest) @ D, 1 / L.sqrt(), lam / L.sqrt()
                ),
                "the threshold is lam / L, as long as the step.": step(
                    (mask * rest) @ D, threshold=lam
                ),
                "the step has length 1/L too, not only the threshold.": step(
                    (mask * rest) @ D, 1.0
                ),
                "that L is the Frobenius norm squared; ‖D‖ is the largest singular value, matrix_norm(D, 2).": step(
                    (mask * rest) @ D, 1 / D.square().sum(), lam / D.square().sum()
                ),
                "a factor 2 too much: the gradient of ½‖·‖² has none.": step(
                    (mask * rest) @ D, 2 / L
                ),
                "a factor 2 too much, in the step and in the threshold.": step(
                    (mask * rest) @ D, 2 / L, 2 * lam / L
                ),
                "half a step: the gradient of ½‖·‖² has no factor ½ left.": step(
                    (mask * rest) @ D, 0.5 / L
                ),
                "that is the hard threshold; the l1 norm needs the soft one, which also lowers what it keeps.": hard,
                "the shrinkage is missing.": moved,
                "that starts from zero: add the step to z.": soft_threshold(
                    (mask * rest) @ D / L, lam / L
                ),
            },
            what=f"z for {number} signals, lam = {lam}",
        )


@exercise("07.4", "Without the border", difficulty=1, minutes=10)
def psnr_inside(answer: object) -> None:
    """estimate, truth (N, C, H, W), border >= 0 -> PSNR of each image without its border, (N,)."""
    for shape, border in [
        ((3, 1, 12, 16), 2),
        ((2, 3, 9, 9), 4),
        ((2, 1, 6, 5), 0),
        ((1, 1, 20, 20), 1),
    ]:
        truth = torch.rand(shape)
        noise = torch.linspace(0.05, 0.2, shape[0]).view(-1, 1, 1, 1) * torch.randn(shape)
        noise[..., 0, :] *= 3
        noise[..., -1] *= 5
        height, width = shape[2:]
        inner = (
            slice(None),
            slice(None),
            slice(border, height - border),
            slice(border, width - border),
        )
        error = noise.square()

        def decibels(mse: torch.Tensor) -> torch.Tensor:
            return -10 * mse.log10()

        black = torch.zeros(shape)
        black[inner] = error[inner]
        each = decibels(error[inner].mean(dim=(1, 2, 3)))
        empty = (
            "border 0: is your slice empty? -0 is 0. Let it end at height - border, not at -border."
        )
        try:
            output = attempt(answer, truth + noise, truth, border)
        except Mistake as mistake:
            if border == 0:
                raise Mistake(f"{empty} ({mistake})") from mistake
            raise
        expect(
            border > 0 or not isinstance(output, torch.Tensor) or not output.isnan().any(), empty
        )
        expect_close(
            output,
            each,
            {
                "the border is still in it.": decibels(error.mean(dim=(1, 2, 3))),
                "you removed top and left only: all four sides have a border.": decibels(
                    error[..., border:, border:].mean(dim=(1, 2, 3))
                ),
                "you removed bottom and right only: all four sides have a border.": decibels(
                    error[..., : height - border, : width - border].mean(dim=(1, 2, 3))
                ),
                "you cut the rows only: left and right have a border too.": decibels(
                    error[..., border : height - border, :].mean(dim=(1, 2, 3))
                ),
                "you cut the columns only: top and bottom have a border too.": decibels(
                    error[..., border : width - border].mean(dim=(1, 2, 3))
                ),
                "rows end at the height, columns at the width: you took one for both, or swapped them.": decibels(
                    error[..., border : width - border, border : height - border].mean(
                        dim=(1, 2, 3)
                    )
                ),
                "the width goes with the last dimension, the height with the one before.": decibels(
                    error[..., border : height - border, border : height - border].mean(
                        dim=(1, 2, 3)
                    )
                ),
                "the height goes with the second-last dimension, the width with the last.": decibels(
                    error[..., border : width - border, border : width - border].mean(dim=(1, 2, 3))
                ),
                "a border set to zero still counts in the mean: cut it off.": decibels(
                    black.mean(dim=(1, 2, 3))
                ),
                "asked is one number for each image; you took the mean error of all images.": decibels(
                    error[inner].mean()
                ).expand(shape[0]),
                "the sign: PSNR is -10 log10 of the mean square error.": -each,
                "the logarithm is to base 10.": -10 * error[inner].mean(dim=(1, 2, 3)).log(),
                "the logarithm of the square takes 10, that of the root 20.": 2 * each,
            },
            what=f"the PSNR for images {shape}, border {border}",
            tolerance=1e-3,
        )


@exercise("07.5", "Votes that differ", difficulty=2, minutes=15)
def weighted_average(answer: object) -> None:
    """patches (number, 64) at stride 2, votes (number,), shape (1, 1, H, W) -> image."""
    for shape in [(1, 1, 16, 20), (1, 1, 8, 8), (1, 1, 12, 10)]:
        image = torch.randn(shape)
        patches = extract_patches(image, 8, 2)
        patches = patches + torch.randn_like(patches)
        votes = 0.1 + torch.rand(len(patches))

        def mean(values: torch.Tensor) -> torch.Tensor:
            return average_patches(values, shape, 8, 2)

        weighted, total = (
            mean(votes[:, None] * patches),
            mean(votes[:, None].expand(-1, 64).contiguous()),
        )
        fold = torch.nn.functional.fold
        cover = fold(torch.ones(1, 64, len(patches)), shape[2:], 8, stride=2)
        try:
            output = attempt(answer, patches, votes, shape)
        except Mistake as mistake:
            if "must match the size" not in str(mistake):
                raise
            raise Mistake(
                "votes (number,) times patches (number, 64): add a second axis, votes[:, None]."
            ) from None
        expect_close(
            output,
            weighted / total,
            {
                "every patch has the same vote in yours.": mean(patches),
                "divide by the votes that cover a pixel, not by the number of patches.": weighted,
                "that is the sum of the votes; divide by them.": weighted * cover,
                "dividing by the mean vote of all patches is not enough: near a strong patch the sum is larger.": weighted
                / votes.mean(),
                "divided by the sum of all votes; each pixel has its own sum, of the patches that cover it.": weighted
                * cover
                / votes.sum(),
                "votes that sum to 1 over all patches do not do so at a pixel: divide by the votes that cover it.": weighted
                / votes.sum(),
                "the votes are squared.": mean(votes[:, None] ** 2 * patches) / total,
                "a vote multiplies; you divided by it.": mean(patches / votes[:, None])
                / mean((1 / votes)[:, None].expand(-1, 64).contiguous()),
            },
            what=f"the image {shape}",
            tolerance=1e-3,
        )
