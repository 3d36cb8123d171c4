"""Checks of notebook 12, Sparse codes meet the GAN."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal
from torch.nn import functional as F

from course_utils.exercises.core import attempt, exercise, expect, expect_answer

__all__ = [
    "copy_ratio",
    "mixture_log_density",
    "pixels_changed",
    "reconstruction_price",
    "topk_bits",
]


def each(c: Tensor, m: Tensor, L: Tensor) -> Tensor:
    """The log density of each component, (N, K)."""
    return MultivariateNormal(m, scale_tril=L).log_prob(c[:, None])


def mixture(c: Tensor, w: Tensor, m: Tensor, L: Tensor, *, logdets: float = 0) -> Tensor:
    """The log density, with so many times log det L too much."""
    extra = logdets * L.diagonal(dim1=1, dim2=2).log().sum(dim=1)
    return torch.logsumexp(each(c, m, L) + extra + w.log(), dim=1)


MIXTURE = {
    "join the components: logsumexp over them.": lambda c, w, m, L: each(c, m, L) + w.log(),
    "the shares are missing: add log w_i.": lambda c, w, m, L: each(c, m, L).logsumexp(dim=1),
    "add log w_i, not w_i.": lambda c, w, m, L: (each(c, m, L) + w).logsumexp(dim=1),
    "add up the densities, not their logarithms: logsumexp.": lambda c, w, m, L: each(c, m, L) @ w,
    "the determinant is missing: subtract log det L.": lambda *given: mixture(*given, logdets=1),
    "det L is the root of the determinant: subtract it once.": (
        lambda *given: mixture(*given, logdets=-1)
    ),
    "the constant n/2 log 2π is missing.": (
        lambda c, *rest: mixture(c, *rest) + c.shape[1] / 2 * math.log(2 * math.pi)
    ),
    "far away exp gives 0, and its logarithm -inf: stay with logarithms, torch.logsumexp.": (
        lambda c, w, m, L: (each(c, m, L).exp() @ w).log()
    ),
}


@exercise("12.1", "Is this a code?", difficulty=3, minutes=25, mistakes=MIXTURE)
def mixture_log_density(answer: Any) -> None:
    """Codes (N, n), shares (K,), means (K, n), lower factors (K, n, n) -> log density, (N,)."""
    for number, components, n in [(6, 3, 2), (1, 4, 3), (5, 1, 4), (4, 3, 1)]:
        codes, means = 2 * torch.randn(number, n), torch.randn(components, n)
        shares = torch.softmax(torch.randn(components), dim=0)
        factors = torch.randn(components, n, n).tril(-1)
        factors += torch.diag_embed(0.5 + torch.rand(components, n))
        expect_answer(answer, mixture, codes, shares, means, factors)
    far, half, zero = torch.full((1, 2), 60.0), torch.ones(2) / 2, torch.zeros(2, 2)
    expect_answer(answer, mixture, far, half, zero, torch.eye(2).repeat(2, 1, 1))


def unit(real: Tensor) -> Tensor:
    """Images in [-1, 1], brought to [0, 1]."""
    return (real + 1) / 2


def price(seen: Callable = unit, wanted: Callable = unit, loss: Callable = F.mse_loss) -> Callable:
    """The price with other images for the encoder, other images to reconstruct, another loss."""

    def priced(decoder: Callable, encode: Callable, real: Tensor, weight: float) -> Tensor:
        with torch.no_grad():
            code = encode(seen(real))
        return weight * loss(decoder(code), wanted(real))

    return priced


NO_GRADIENT = "no gradient reaches the decoder: only the *encoding* belongs under no_grad."
ENCODER = "the encoder gets a gradient; it must stay as it is: encode under torch.no_grad()."
PRICE = {
    "the decoder's images lie in [0, 1]: compare with (real + 1) / 2.": price(wanted=torch.clone),
    "the encoder takes images in [0, 1], (real + 1) / 2.": price(seen=torch.clone),
    "bring the images to [0, 1] first, (real + 1) / 2.": price(torch.clone, torch.clone),
    "the weight is missing.": lambda *given: price()(*given[:3], 1.0),
    "take the mean over images and pixels.": price(loss=lambda a, b: (a - b).square().sum()),
    "that is the absolute error; asked is the squared one.": price(loss=F.l1_loss),
    NO_GRADIENT: lambda *given: price()(*given).detach(),
    ENCODER: lambda d, e, x, weight: weight * F.mse_loss(d(e(unit(x))), unit(x)),
}


@exercise("12.2", "The price of a wrong reconstruction", 2, minutes=15, mistakes=PRICE)
def reconstruction_price(answer: Any) -> None:
    """decoder, encode, real in [-1, 1], weight -> weighted mean squared error in [0, 1]."""
    for number, weight in [(5, 100.0), (1, 10.0), (3, 0.5)]:
        encoder = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
        decoder = nn.Sequential(nn.Linear(3, 16), nn.Sigmoid(), nn.Unflatten(1, (1, 4, 4)))
        given = (decoder, encoder, 2 * torch.rand(number, 1, 4, 4) - 1, weight)
        output = expect_answer(answer, price(), *given, what="the price")
        expect(isinstance(output, Tensor) and output.requires_grad, NO_GRADIENT)
        output.backward()
        expect(all(p.grad is not None and p.grad.any() for p in decoder.parameters()), NO_GRADIENT)
        expect(all(p.grad is None or not p.grad.any() for p in encoder.parameters()), ENCODER)
        trainable = all(p.requires_grad for p in encoder.parameters())
        expect(trainable, "the encoder's weights are switched off for good: use torch.no_grad().")


def choices(units: int, k: int) -> float:
    return math.log2(math.comb(units, k))


BITS = {
    "the values are missing: k times the bits.": lambda n, k, bits: choices(n, k),
    "the positions are missing: log2 of C(units, k).": lambda n, k, bits: k * bits,
    "take the logarithm to base 2.": lambda n, k, bits: math.log(2) * choices(n, k) + k * bits,
    "divide by k!: the order is free.": lambda n, k, b: math.log2(math.perm(n, k)) + k * b,
    "k · log2(units) counts the order too.": lambda n, k, bits: k * math.log2(n) + k * bits,
    "one bit for each unit is too much: log2 of C(units, k).": lambda n, k, bits: n + k * bits,
    "only k of the units have a value.": lambda n, k, bits: choices(n, k) + n * bits,
}


@exercise("12.3", "Bits of a TopK code", difficulty=1, minutes=10, mistakes=BITS)
def topk_bits(answer: Any) -> None:
    """units, k, bits per value -> bits of a code: log2 of the number of choices, and the values."""
    for case in [(128, 32, 4.0), (10, 1, 3.0), (6, 6, 2.5), (64, 5, 1.0), (20_000, 3000, 6.0)]:
        expect_answer(answer, lambda n, k, b: choices(n, k) + k * b, *case)


def squares(before: Tensor, after: Tensor) -> Tensor:
    return (after - before).square().sum(dim=1).flatten(1)


def fewest(change: Tensor, share: float, descending: bool = True) -> Tensor:
    """How many of the largest numbers of each row hold the share of its sum."""
    total = change.double().sort(dim=1, descending=descending).values.cumsum(dim=1)
    return (total < share * total[:, -1:] * (1 - 1e-9)).sum(dim=1) + 1


def pixels(before: Tensor, after: Tensor, share: float) -> Tensor:
    return fewest(squares(before, after), share)


PASSED = "stop when the share is reached, not when it is passed: *at least* the share."
PIXELS = {
    "one too few: the last pixel counts as well.": lambda *given: pixels(*given) - 1,
    "one too many: stop when the share is reached.": lambda *given: pixels(*given) + 1,
    "that is the absolute change; asked is the squared one.": lambda a, b, s: fewest(
        (b - a).abs().sum(1).flatten(1), s
    ),
    "take the largest first: descending=True.": lambda a, b, s: fewest(squares(a, b), s, False),
    "that counts the pixels above a share of the largest change.": (
        lambda a, b, share: (squares(a, b) >= share * squares(a, b).amax(1, True)).sum(dim=1)
    ),
    "sum over the channels first.": lambda a, b, s: fewest((b - a).square().flatten(1), s),
    PASSED: lambda a, b, share: pixels(a, b, share * (1 + 1e-6)),
}


@exercise("12.4", "How local is an edit?", difficulty=2, minutes=15, mistakes=PIXELS)
def pixels_changed(answer: Any) -> None:
    """Images before and after (N, C, H, W), share -> fewest pixels with the share of the change."""
    cases = [(5, 1, 6, 5, 0.9), (1, 1, 4, 4, 0.5), (4, 3, 5, 4, 0.8), (3, 1, 1, 1, 0.9)]
    for *shape, share in cases:
        before = torch.rand(shape)
        after = before + torch.randn(shape) * torch.rand(shape) ** 3
        expect_answer(answer, pixels, before, after, share)
    two = attempt(answer, torch.zeros(1, 1, 1, 2), torch.ones(1, 1, 1, 2), 0.5)
    expect(float(two[0]) == 1, PASSED)


def distances(generated: Tensor, stored: Tensor) -> tuple[Tensor, Tensor]:
    """To the nearest stored row, and to the nearest one that differs from it."""
    gaps = torch.cdist(generated.double(), stored.double())
    same = (stored[gaps.argmin(dim=1)][:, None] == stored).all(dim=2)
    return gaps.amin(dim=1), gaps.masked_fill(same, math.inf).amin(dim=1)


def ratio(generated: Tensor, stored: Tensor) -> Tensor:
    near, other = distances(generated, stored)
    return near / other


def second(generated: Tensor, stored: Tensor) -> Tensor:
    two = torch.cdist(generated, stored).topk(2, dim=1, largest=False).values
    return two[:, 0] / two[:, 1]


def farther(generated: Tensor, stored: Tensor) -> Tensor:
    """Without all rows that are as far as the nearest, equal to it or not."""
    gaps = torch.cdist(generated, stored)
    near = gaps.amin(dim=1)
    return near / gaps.masked_fill(gaps <= near[:, None], math.inf).amin(dim=1)


COPY = {
    "a stored row that is there twice is its own second nearest: leave out equal rows.": second,
    "the ratio is upside down: a copy is near 0.": lambda *given: 1 / ratio(*given),
    "that is the square of the ratio.": lambda *given: ratio(*given).square(),
    "divide by the distance to the nearest *other* row.": lambda *given: distances(*given)[0],
    "leave out rows that are *equal* to the nearest, not rows that are equally far.": farther,
}


@exercise("12.5", "A test for copies that duplicates cannot fool", 3, minutes=25, mistakes=COPY)
def copy_ratio(answer: Any) -> None:
    """Rows generated (N, d), stored (M, d) -> ratio of two distances for each generated row."""
    for number, many, d, twins in [(6, 12, 3, 0), (1, 5, 2, 0), (5, 9, 4, 4), (3, 6, 1, 3)]:
        stored = torch.randn(many, d)
        stored[:, 0] = stored[0, 0]  # as images share their black border
        generated = torch.randn(number, d)
        generated[0] = stored[0] + 0.01
        if twins:
            stored = torch.cat([stored, stored[:twins], stored[:1]])
            stored = stored[torch.randperm(len(stored))]
        expect_answer(answer, ratio, generated, stored, tolerance=2e-3)
    far = torch.tensor([[1.0, 0.0], [0.0, 1.0], [3.0, 3.0]])  # two of them equally far from 0
    expect_answer(answer, ratio, torch.zeros(1, 2), far, tolerance=1e-6)
