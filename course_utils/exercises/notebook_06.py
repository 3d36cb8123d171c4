"""Checks of notebook 06, Loss functions."""

import math

import torch

from course_utils.exercises.core import attempt, exercise, expect, expect_close
from course_utils.sparse_coding import normalise_atoms, soft_threshold

__all__ = ["bce_gradient", "code_length", "encoding_weight", "lista_layer", "ssim_of_constants"]


@exercise("06.1", "SSIM of two flat images", difficulty=1, minutes=10)
def ssim_of_constants(answer: object) -> None:
    """Grey levels a, b (n,) in [0, 1] -> SSIM of flat images of these levels (n,)."""
    dark, darker = torch.tensor([0.02, 0.05, 1.0]), torch.tensor([0.01, 0.03, 0.2])
    black, other = torch.tensor([0.0, 0.0, 1.0]), torch.tensor([0.0, 0.5, 1.0])
    for a, b in [
        (dark, darker),
        (torch.rand(6), torch.rand(6)),
        (black, other),
        (torch.rand(1), torch.rand(1)),
    ]:
        up, down, c1 = 2 * a * b, a**2 + b**2, 0.01**2
        expect_close(
            attempt(answer, a, b),
            (up + c1) / (down + c1),
            {
                "c1 is 0.01 squared, not 0.01.": (up + 0.01) / (down + 0.01),
                "that is the loss, 1 - SSIM; asked is SSIM.": 1 - (up + c1) / (down + c1),
                "you took c2; the means go with c1 = 0.01².": (up + 0.03**2) / (down + 0.03**2),
                "the factor 2 above the line is missing.": (a * b + c1) / (down + c1),
                "c1 stands above and below the line.": up / (down + c1),
                "without c1 black against black is 0/0, and dark images count too much.": up / down,
                "below the line stands a² + b², the squares of each, not the square of the sum.": (
                    up + c1
                )
                / ((a + b) ** 2 + c1),
                "the second factor is not zero: flat images have no variance, and c2 / c2 is 1.": torch.zeros_like(
                    a
                ),
                "flat images differ in their means, which the first factor compares; only the second is 1.": torch.ones_like(
                    a
                ),
            },
            what=f"SSIM of {len(a)} pairs",
            tolerance=5e-4,
        )  # ssim_loss on images: float32 rounds


@exercise("06.2", "The gradient that does not vanish", difficulty=2, minutes=15)
def bce_gradient(answer: object) -> None:
    """a, x of one shape -> gradient of the mean cross-entropy of sigmoid(a) with respect to a."""
    for shape in [(5, 4), (3, 1, 6, 2), (1,)]:
        a, x = 3 * torch.randn(shape), torch.rand(shape)
        far = torch.tensor([-120.0, 120.0, 20.0])[
            : a.numel()
        ]  # saturated: in float32 the sigmoid's slope is 0 here
        a.view(-1)[: len(far)] = far
        p, n = a.sigmoid(), a.numel()
        slope = p * (1 - p)
        output = attempt(answer, a, x)
        expect(
            not (isinstance(output, torch.Tensor) and output.isnan().any()),
            "NaN for a = -120, 20 or 120: there e^a is infinite, or the slope of the sigmoid is 0 in float32. "
            "Use a.sigmoid(), and cancel the slope on paper before you compute.",
        )
        expect_close(
            output,
            (p - x) / n,
            {
                "the gradient vanishes at a = -120, 20 and 120: autograd multiplies by the slope of the sigmoid, which is "
                "0 there in float32. Cancel it on paper.": torch.where(
                    slope == 0, 0.0, (p - x) / n
                ),
                "the loss is a mean over all numbers: divide by their count.": p - x,
                "divided by the number of images; the mean is over all numbers.": (p - x) / len(a),
                "the sign is turned: the gradient points uphill.": (x - p) / n,
                "that is the gradient of the squared error; in cross-entropy the slope of the sigmoid cancels.": 2
                * (p - x)
                * slope
                / n,
                "the slope of the sigmoid is once too often in it: it cancels.": (p - x)
                * slope
                / n,
                "that is the gradient with respect to the pixel sigmoid(a); the chain rule multiplies by the slope of the "
                "sigmoid.": (p - x) / slope / n,
                "a is the number before the sigmoid: take a.sigmoid().": (a - x) / n,
            },
            what=f"the gradient for shape {shape}",
            tolerance=1e-5,
        )


@exercise("06.3", "Balance two losses", difficulty=2, minutes=15)
def encoding_weight(answer: object) -> None:
    """x, s, x_hat of one shape, share -> weight of the encoding loss, a number."""
    for shape, share in [((4, 1, 6, 5), 0.2), ((3, 8), 0.9), ((2, 3, 4, 4), 0.5), ((1, 2), 0.01)]:
        x = torch.rand(shape)
        s, x_hat = x + 0.7 * torch.randn(shape), x + 0.1 * torch.randn(shape)
        E, D = (x - s).square().mean(), (x - x_hat).square().mean()
        output = attempt(answer, x, s, x_hat, share)
        if isinstance(output, torch.Tensor):
            expect(
                output.numel() == 1,
                f"the weight is one number; yours has shape {tuple(output.shape)}.",
            )
            output = output.reshape(())
            expect(
                not output.requires_grad,
                "the weight is a number to set, not a part of the network: no gradient.",
            )
        odds = share / (1 - share)
        truth = odds * D / E
        if isinstance(output, (int, float, torch.Tensor)) and not isinstance(output, bool):
            output = float(output) / truth.item()
        expect_close(
            output,
            torch.ones(()),
            {
                "the share is of the whole sum, encoding + decoding, not of the decoding loss.": share
                * D
                / E
                / truth,
                "the ratio is upside down: a large encoding loss needs a small weight.": odds
                * E
                / D
                / truth,
                "the two losses have different sizes: measure both, and divide.": odds / truth,
                "that gives the share to the decoding loss.": D / E / odds / truth,
                "the weight must also make up for the size of the decoding loss: multiply by it.": odds
                / E
                / truth,
                "divide by 1 - share, and multiply by the decoding loss.": share / E / truth,
                "decoding compares x_hat with x, not with s.": odds
                * (x_hat - s).square().mean()
                / E
                / truth,
                "that is the share itself, not the weight that leads to it.": share / truth,
                "the error was not squared: the losses are means of squares.": odds
                * (x - x_hat).abs().mean()
                / (x - s).abs().mean()
                / truth,
            },
            what=f"the weight for a share of {share}, divided by the right one,",
            tolerance=1e-3,
        )


@exercise("06.4", "A layer that knows the dictionary", difficulty=2, minutes=15)
def lista_layer(answer: object) -> None:
    """x (N, n), z (N, K), D (n, K), W (n, K), theta (K,) -> the next code (N, K)."""
    for number, n, K in [(7, 5, 9), (4, 6, 3), (1, 1, 1)]:
        D, W = normalise_atoms(torch.randn(n, K)), torch.randn(n, K)
        x, z, theta = 2 * torch.randn(number, n), torch.randn(number, K), 0.2 + 0.5 * torch.rand(K)
        inner = z + (x - z @ D.T) @ W
        expect_close(
            attempt(answer, x, z, D, W, theta),
            soft_threshold(inner, theta),
            {
                "the step starts from the present code: add z.": soft_threshold(
                    (x - z @ D.T) @ W, theta
                ),
                "the threshold is missing.": inner,
                "the sign of the residual is turned: x - z Dᵀ.": soft_threshold(
                    z - (x - z @ D.T) @ W, theta
                ),
                "the residual is made with D, only the step back with W.": soft_threshold(
                    z + (x - z @ W.T) @ W, theta
                ),
                "W and D are exchanged: the residual is made with D, the step back with W.": soft_threshold(
                    z + (x - z @ W.T) @ D, theta
                ),
                "that is a step of ISTA; the step back is made with the learned W.": soft_threshold(
                    z + (x - z @ D.T) @ D, theta
                ),
                "shrinkage works on both signs; yours keeps positive numbers only.": (
                    inner - theta
                ).relu(),
                "shrink the sum, not the step alone.": z + soft_threshold((x - z @ D.T) @ W, theta),
                "numbers above the threshold shrink by it too: soft, not hard.": torch.where(
                    inner.abs() > theta, inner, 0.0
                ),
                "what x explains, what z already explains must be taken off: x - z Dᵀ.": soft_threshold(
                    z + x @ W, theta
                ),
            },
            what=f"the code for {number} signals, {K} atoms",
        )


@exercise("06.5", "Bits by counting", difficulty=2, minutes=20)
def code_length(answer: object) -> None:
    """code (N, K), bits -> (N,) log2 of the number of supports plus the bits of the weights."""
    for number, K, bits in [(6, 10, 5), (5, 300, 3), (3, 1, 4)]:
        code = torch.randn(number, K) * (
            torch.rand(number, K) < torch.linspace(0, 1, number)[:, None]
        )
        code[0] = 0  # nothing active: nothing to say
        k = (code != 0).sum(dim=1)
        places = torch.tensor([math.log2(math.comb(K, int(count))) for count in k])
        positive, equal = (code > 0).sum(dim=1), k.float().mean().expand(number)
        mean = torch.tensor([math.log2(math.comb(K, round(float(k.float().mean()))))]).expand(
            number
        )
        output = attempt(answer, code, bits)
        expect(
            not (isinstance(output, torch.Tensor) and output.isinf().any()),
            "infinite: torch.lgamma(n + 1) is the logarithm of n!, and lgamma(0) is infinite.",
        )
        arranged = torch.tensor([math.log2(math.perm(K, int(count))) for count in k])
        expect_close(
            output,
            places + bits * k,
            {
                "each set is counted k! times, once for each order of its units: take off log2 k! as well.": arranged
                + bits * k,
                "the natural logarithm counts in nats; divide by log(2).": places * math.log(2)
                + bits * k,
                "the weights cost bits too: k times bits.": places,
                "k log2 K counts every order of the same places: take the binomial coefficient.": k
                * math.log2(K)
                + bits * k,
                "one bit for each unit is the cost of a mask; a sparse one is cheaper.": K
                + bits * k.float(),
                "where the weights stand must be told too: log2 of the binomial coefficient.": bits
                * k.float(),
                "negative weights are active too: compare with != 0.": torch.tensor(
                    [math.log2(math.comb(K, int(count))) for count in positive]
                )
                + bits * positive,
                "each code has its own number of active units; you took their mean.": mean
                + bits * equal,
                "the units that are zero have no weight to store.": places + bits * K,
            },
            what=f"the bits of {number} codes of {K} units",
            tolerance=1e-3,
        )
