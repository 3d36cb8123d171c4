"""Checks of notebook 12, Sparse codes meet the GAN."""

import math

import torch
from torch import nn
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal
from torch.nn import functional as F

from course_utils.exercises.core import attempt, exercise, expect, expect_close

__all__ = [
    "copy_ratio",
    "mixture_log_density",
    "pixels_changed",
    "reconstruction_price",
    "topk_bits",
]


@exercise("12.1", "Is this a code?", difficulty=3, minutes=25)
def mixture_log_density(answer: object) -> None:
    """Codes (N, n), shares (K,), means (K, n), lower factors (K, n, n) -> log density of the mixture, (N,)."""
    for number, components, n in [(6, 3, 2), (1, 4, 3), (5, 1, 4), (4, 3, 1)]:
        codes, means = 2 * torch.randn(number, n), torch.randn(components, n)
        shares = torch.softmax(torch.randn(components), dim=0)
        factors = torch.randn(components, n, n).tril(-1) + torch.diag_embed(
            0.5 + torch.rand(components, n)
        )
        truth = MixtureSameFamily(
            Categorical(shares), MultivariateNormal(means, scale_tril=factors)
        ).log_prob(codes)
        each = MultivariateNormal(means, scale_tril=factors).log_prob(codes[:, None])
        logdet = factors.diagonal(dim1=1, dim2=2).log().sum(dim=1)
        turned = torch.linalg.solve_triangular(
            factors.mT, (codes[:, None] - means)[..., None], upper=True
        )[..., 0]
        turned = -0.5 * turned.square().sum(dim=2) - logdet - 0.5 * n * math.log(2 * math.pi)
        applied = (
            -0.5 * (factors @ (codes[:, None] - means)[..., None])[..., 0].square().sum(dim=2)
            - logdet
            - 0.5 * n * math.log(2 * math.pi)
        )
        output = attempt(answer, codes, shares, means, factors)
        if (
            isinstance(output, torch.Tensor)
            and output.shape == (number, components)
            and components > 1
        ):
            expect(
                False,
                f"yours has shape {tuple(output.shape)}, one value for each component: join them with logsumexp over the components.",
            )
        mixed = lambda terms: torch.logsumexp(terms + shares.log(), dim=1)
        expect_close(
            output,
            truth,
            {
                "the shares are missing: add log w_i to each component.": torch.logsumexp(
                    each, dim=1
                ),
                "the shares are added as they are: in logarithms it is log w_i.": torch.logsumexp(
                    each + shares, dim=1
                ),
                "that is the mean of the log densities; the mixture adds up the densities: logsumexp.": (
                    each * shares
                ).sum(dim=1),
                "that is the sum of the log densities; the mixture adds up the densities: logsumexp.": (
                    each + shares.log()
                ).sum(dim=1),
                "the best component alone is not the mixture: logsumexp adds all.": (
                    each + shares.log()
                ).amax(dim=1),
                "the determinant is missing: subtract the logarithms of the factor's diagonal.": mixed(
                    each + logdet
                ),
                "the determinant of the covariance is that of the factor squared: subtract log det L once, or half of log det of the covariance.": mixed(
                    each - logdet
                ),
                "log det L has the wrong sign: a wide Gaussian is thin.": mixed(each + 2 * logdet),
                "the constant n/2 log 2π is missing.": truth + 0.5 * n * math.log(2 * math.pi),
                "the constant is n/2 log 2π, for n numbers.": truth
                + 0.5 * (n - 1) * math.log(2 * math.pi),
                "the factor is transposed: solve L y = c - m with the lower L.": mixed(turned),
                "you multiply with the factor; y solves L y = c - m, so divide: torch.linalg.solve_triangular.": mixed(
                    applied
                ),
                "the 1/2 before the squares is missing.": mixed(
                    2 * (each + logdet + 0.5 * n * math.log(2 * math.pi))
                    - logdet
                    - 0.5 * n * math.log(2 * math.pi)
                ),
                "that is the density; asked is its logarithm.": truth.exp(),
            },
            what=f"the log density of {number} codes of {n} numbers",
        )
    far = (
        torch.full((1, 2), 60.0),
        torch.ones(2) / 2,
        torch.zeros(2, 2),
        torch.eye(2).repeat(2, 1, 1),
    )
    expect_close(
        attempt(answer, *far),
        torch.tensor([-3600 - math.log(2 * math.pi)]),
        {},
        "the log density far away (exp gives 0 there, and its logarithm -inf: stay with logarithms, torch.logsumexp)",
    )


@exercise("12.2", "The price of a wrong reconstruction", difficulty=2, minutes=15)
def reconstruction_price(answer: object) -> None:
    """decoder, encode, real images in [-1, 1], weight -> weight * mean squared error in [0, 1], gradient to the decoder only."""
    for number, weight in [(5, 100.0), (1, 10.0), (3, 0.5)]:
        torch.manual_seed(number)
        encoder = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
        decoder = nn.Sequential(nn.Linear(3, 16), nn.Sigmoid(), nn.Unflatten(1, (1, 4, 4)))
        real = 2 * torch.rand(number, 1, 4, 4) - 1
        x = (real + 1) / 2
        with torch.no_grad():
            rebuilt, other = decoder(encoder(x)), decoder(encoder(real))
        price = F.mse_loss(rebuilt, x)
        output = attempt(answer, decoder, encoder, real, weight)
        expect_close(
            output,
            weight * price,
            {
                "the decoder's pictures lie in [0, 1] and the real ones in [-1, 1]: take both in [0, 1], (real + 1) / 2.": weight
                * F.mse_loss(rebuilt, real),
                "the encoder knows pictures in [0, 1]; it was given those in [-1, 1].": weight
                * F.mse_loss(other, x),
                "nothing was brought to [0, 1]: (real + 1) / 2 first, for the encoder and for the error.": weight
                * F.mse_loss(other, real),
                "the error is that in [-1, 1], four times as large: measure it in [0, 1].": 4
                * weight
                * price,
                "the weight is missing.": price,
                "the squares are summed; their mean over pictures and pixels is asked, so that the weight does not depend on the batch.": weight
                * price
                * x.numel(),
                "the squares of each picture are summed; take the mean over its pixels as well.": weight
                * price
                * 16,
                "that is the absolute error; asked is the squared one.": weight
                * F.l1_loss(rebuilt, x),
                "that is the root; the price is the mean squared error itself.": weight
                * price.sqrt(),
                "the sign: a price is positive, the generator minimises it.": -weight * price,
            },
            what="the price",
        )
        expect(
            output.requires_grad,
            "no gradient reaches the decoder: only the *encoding* belongs under no_grad.",
        )
        output.backward()
        expect(
            all(p.grad is not None and p.grad.abs().sum() > 0 for p in decoder.parameters()),
            "no gradient reaches the decoder: only the *encoding* belongs under no_grad.",
        )
        expect(
            all(p.grad is None or not p.grad.any() for p in encoder.parameters()),
            "the encoder gets a gradient; it must stay as it is, else the prior describes codes of yesterday: encode under torch.no_grad().",
        )
        expect(
            all(p.requires_grad for p in encoder.parameters()),
            "you switched the encoder's weights off for good; use torch.no_grad() around the call.",
        )


@exercise("12.3", "Bits of a TopK code", difficulty=1, minutes=10)
def topk_bits(answer: object) -> None:
    """units, k, bits per value -> bits of a code: log2 of the number of choices, and the values."""
    for units, k, bits in [
        (128, 32, 4.0),
        (10, 1, 3.0),
        (6, 6, 2.5),
        (64, 5, 1.0),
        (20_000, 3000, 6.0),
    ]:
        truth = math.log2(math.comb(units, k)) + k * bits
        nats = math.log(math.comb(units, k))
        order = sum(math.log2(units - i) for i in range(k))
        number = lambda value: torch.tensor(float(value), dtype=torch.float64)
        expect_close(
            attempt(answer, units, k, bits),
            number(truth),
            {
                "the values are missing: k of them, with so many bits each.": number(
                    truth - k * bits
                ),
                "the places are missing: log2 of the number of ways to choose k of the units.": number(
                    k * bits
                ),
                "that is the natural logarithm; bits need the logarithm to base 2.": number(
                    nats + k * bits
                ),
                "that counts the order of the k units as well; a set of places is enough: divide by k!.": number(
                    order + k * bits
                ),
                "k places of log2(units) bits each would say which is which, and allow a unit twice; choose a set: log2 of C(units, k).": number(
                    k * math.log2(units) + k * bits
                ),
                "one bit for each unit is more than needed: log2 of C(units, k).": number(
                    units + k * bits
                ),
                "only k of the units have a value: k times the bits.": number(
                    truth - k * bits + units * bits
                ),
                "the logarithm of the number of choices is missing: log2.": number(
                    math.comb(units, k) + k * bits if units < 1000 else 0.0
                ),
            },
            what=f"the bits for {k} of {units} units",
        )


@exercise("12.4", "How local is an edit?", difficulty=2, minutes=15)
def pixels_changed(answer: object) -> None:
    """Images before and after (N, C, H, W), share -> fewest pixels that hold the share of the squared change, (N,)."""

    def reference(change: torch.Tensor, share: float) -> torch.Tensor:
        counts = []
        for values in change.double().tolist():
            total, so_far, ordered = sum(values), 0.0, sorted(values, reverse=True)
            for count, value in enumerate(ordered, 1):
                so_far += value
                if so_far >= share * total * (1 - 1e-9):
                    break
            counts.append(count)
        return torch.tensor(counts, dtype=torch.float64)

    for number, shape, share in [
        (5, (1, 6, 5), 0.9),
        (1, (1, 4, 4), 0.5),
        (4, (3, 5, 4), 0.8),
        (3, (1, 1, 1), 0.9),
    ]:
        before = torch.rand(number, *shape)
        after = before + torch.randn(number, *shape) * torch.rand(number, *shape) ** 3
        squared = (after - before).square()
        per_pixel, flat = squared.sum(dim=1).flatten(1), squared.flatten(1)
        truth = reference(per_pixel, share)
        ascending = (
            per_pixel.sort(dim=1).values.cumsum(dim=1) < share * per_pixel.sum(dim=1, keepdim=True)
        ).sum(dim=1) + 1.0
        output = attempt(answer, before, after, share)
        if isinstance(output, torch.Tensor) and output.ndim == 0 and number > 1:
            expect(False, "yours is a single number; asked is one for each picture.")
        if isinstance(output, torch.Tensor) and not output.is_floating_point():
            output = output.double()
        mistakes = {
            "one too few: the pixel with which the share is reached counts as well.": truth - 1,
            "one too many: stop with the pixel with which the share is reached.": truth + 1,
            "that is for the absolute change; asked is the squared one.": reference(
                (after - before).abs().sum(dim=1).flatten(1), share
            ),
            "the smallest changes were taken first; the fewest pixels are the largest ones: descending=True.": ascending,
            "that counts the pixels above a share of the largest change.": (
                per_pixel >= share * per_pixel.amax(dim=1, keepdim=True)
            )
            .sum(dim=1)
            .double(),
            "that is a share of the pixels; asked is their number.": truth / per_pixel.shape[1],
            "the pixels were not sorted.": (
                per_pixel.cumsum(dim=1) < share * per_pixel.sum(dim=1, keepdim=True)
            ).sum(dim=1)
            + 1.0,
        }
        if shape[0] > 1:
            mistakes[
                "a pixel has its colours together: sum the squares over the channels first."
            ] = reference(flat, share)
        expect_close(
            output, truth, mistakes, what=f"the number of pixels of {number} pictures of {shape}"
        )
    output = attempt(answer, torch.zeros(1, 1, 1, 2), torch.ones(1, 1, 1, 2), 0.5)
    expect(
        float(output[0]) == 1,
        "two equal changes, share 0.5: one pixel holds *at least* a half; stop when the share is reached, not when it is passed.",
    )


@exercise("12.5", "A test for copies that duplicates cannot fool", difficulty=3, minutes=25)
def copy_ratio(answer: object) -> None:
    """generated (N, d), stored (M, d) -> distance to the nearest stored row over that to the nearest one that differs from it, (N,)."""
    for number, many, d, twins in [(6, 12, 3, 0), (1, 5, 2, 0), (5, 9, 4, 4), (3, 6, 1, 3)]:
        stored = torch.randn(many, d)
        stored[:, 0] = stored[0, 0]  # as pictures share their black border
        generated = torch.randn(number, d)
        generated[0] = stored[0] + 0.01
        if twins:
            stored = torch.cat([stored, stored[:twins], stored[:1]])[
                torch.randperm(many + twins + 1)
            ]
        gaps = torch.cdist(generated.double(), stored.double())
        first = gaps.argmin(dim=1)
        same = (stored[first][:, None] == stored).all(dim=2)
        near, other = gaps.amin(dim=1), gaps.masked_fill(same, math.inf).amin(dim=1)
        two = gaps.topk(2, dim=1, largest=False).values
        between = (
            torch.cdist(stored[first].double(), stored.double())
            .masked_fill(same, math.inf)
            .amin(dim=1)
        )
        output = attempt(answer, generated, stored)
        expect(
            not (isinstance(output, torch.Tensor) and output.ndim == 0 and number > 1),
            "yours is a single number; asked is one for each generated picture.",
        )
        mistakes = {
            "the ratio is upside down: near over far, so that a copy is near 0.": other / near,
            "those are squared distances; the ratio is of distances.": (near / other).square(),
            "that is the distance to the nearest one itself; divide by that to the nearest *other* one.": near,
            "the second distance is from the nearest stored picture; both are from the generated one.": near
            / between,
            "that divides by the mean distance; asked is the nearest other one.": near
            / gaps.mean(dim=1),
        }
        if twins:
            mistakes[
                "a stored picture that is there twice is its own second nearest, and a copy of it looks innocent (ratio 1): leave out "
                "all rows equal to the nearest."
            ] = two[:, 0] / two[:, 1]
        expect_close(
            output,
            near / other,
            mistakes,
            what=f"the ratio of {number} generated and {len(stored)} stored pictures",
            tolerance=2e-3,
        )
    output = attempt(answer, torch.zeros(1, 2), torch.tensor([[1.0, 0.0], [0.0, 1.0], [3.0, 3.0]]))
    expect(
        abs(float(output[0]) - 1) < 1e-6,
        "two different stored rows at the same distance: the ratio is 1; leave out rows that are *equal* to the nearest, not equally far.",
    )
