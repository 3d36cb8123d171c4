"""Checks of notebook 09, A GAN for images."""

import copy
import math

import torch
from torch import Tensor

from course_utils.exercises.core import attempt, exercise, expect, expect_close

__all__ = ["coverage", "diagonal_frechet", "slerp", "warm_average", "without_bias"]


def number(output: object, what: str) -> object:
    """A tensor with one entry as a scalar; anything else as it is, but a tensor of more numbers is a mistake."""
    if isinstance(output, Tensor):
        expect(output.numel() == 1, f"{what} is one number; yours has shape {tuple(output.shape)}.")
        return output.reshape(())
    return output


@exercise("09.1", "A ruler that sees one feature at a time", difficulty=1, minutes=10)
def diagonal_frechet(answer: object) -> None:
    """Features (N, d), (M, d) -> sum of (m - m')² + (σ - σ')² over the features, a number."""
    for n, m, d in [(12, 7, 5), (30, 40, 3), (3, 2, 1), (6, 6, 8)]:
        real = torch.randn(d) + (0.5 + 2 * torch.rand(d)) * torch.randn(n, d)
        generated = torch.randn(d) + (0.5 + 2 * torch.rand(d)) * torch.randn(m, d)
        apart = (real.mean(0) - generated.mean(0)).square()
        s, t = real.std(0), generated.std(0)
        biased = real.std(0, correction=0) - generated.std(0, correction=0)
        expect_close(
            number(attempt(answer, real, generated), "the distance"),
            (apart + (s - t).square()).sum(),
            {
                "the means are missing.": (s - t).square().sum(),
                "the spreads are missing.": apart.sum(),
                "that is the difference of the variances; take their roots first.": (
                    apart + (s**2 - t**2).square()
                ).sum(),
                "the difference of the standard deviations is squared, too.": (
                    apart + (s - t).abs()
                ).sum(),
                "the differences of the means are squared, too.": (
                    apart.sqrt() + (s - t).square()
                ).sum(),
                "torch.cov divides by N - 1: take std or var as they are.": (
                    apart + biased.square()
                ).sum(),
                "sum over the features, do not average.": (apart + (s - t).square()).mean(),
                "that is its root; the course uses the squared distance.": (
                    apart + (s - t).square()
                )
                .sum()
                .sqrt(),
                "σ² + σ'² - 2 σσ' has a minus: (σ - σ')².": (apart + (s + t).square()).sum(),
                "σ² + σ'² is not yet a distance: 2 σσ' is missing.": (apart + s**2 + t**2).sum(),
                "means and variances are those over the images (dim 0), one for each feature.": (
                    real.mean() - generated.mean()
                ).square()
                + (real.std() - generated.std()).square(),
            },
            what=f"the distance of {n} and {m} points with {d} features",
        )
    same = torch.randn(9, 4)
    expect_close(
        number(attempt(answer, same, same), "the distance"),
        torch.tensor(0.0),
        what="the distance to itself",
    )


@exercise("09.2", "A recall that cannot be flattered", difficulty=2, minutes=15)
def coverage(answer: object) -> None:
    """Real (N, d), generated (M, d), k -> share of real points with a generated one in their ball."""
    for n, m, d, k in [
        (40, 25, 2, 3),
        (30, 60, 3, 5),
        (12, 12, 1, 1),
        (50, 8, 4, 2),
        (6, 1, 2, 2),
        (40, 30, 2, 5),
    ]:
        real = torch.randn(n, d)
        generated = 0.7 * torch.randn(m, d) + 0.5
        generated[-1] = 9.0  # an outlier, whose ball would be huge
        among, between = torch.cdist(real, real), torch.cdist(generated, real)  # (N, N), (M, N)
        radii = among.sort(dim=1).values

        def share(inside: Tensor, dim: int = 0) -> Tensor:
            return inside.any(dim=dim).double().mean()

        mistakes = {
            "each real point is its own nearest: the k-th nearest *other* is number k + 1.": share(
                between <= radii[:, k - 1]
            ),
            "one neighbour too far: sort gives the point itself first, then the nearest other.": share(
                between <= radii[:, min(k + 1, n - 1)]
            ),
            "that is the precision: the share of generated points that lie in a ball.": share(
                between <= radii[:, k], dim=1
            ),
            "count each real point once, however many generated ones are in its ball.": (
                between <= radii[:, k]
            )
            .double()
            .sum()
            / n,
            "that is the density: asked is the share of real points with at least one.": (
                between <= radii[:, k]
            )
            .double()
            .sum()
            / (k * m),
            "one generated point in the ball is enough; you ask for k.": (
                (between <= radii[:, k]).sum(dim=0) >= k
            )
            .double()
            .mean(),
        }
        if m > k:
            widths = torch.cdist(generated, generated).sort(dim=1).values[:, k]
            mistakes[
                "that is the recall, with balls around generated points: an outlier flatters it."
            ] = share(between <= widths[:, None])
        expect_close(
            number(attempt(answer, real, generated, k), "the coverage"),
            share(between <= radii[:, k]),
            mistakes,
            what=f"the coverage of {n} real points by {m} generated ones, k = {k}",
        )
    points = torch.randn(20, 2)
    expect_close(
        number(attempt(answer, points, points, 3), "the coverage"),
        torch.tensor(1.0),
        what="the coverage of points by themselves",
    )


@exercise("09.3", "An average that starts fast", difficulty=2, minutes=15)
def warm_average(answer: object) -> None:
    """Two state dictionaries, decay, step -> a new one: floats averaged with min(decay, (1 + t)/(10 + t))."""
    expect(callable(answer), f"expected a function, your answer is a {type(answer).__name__}.")
    for decay, step in [(0.99, 5), (0.5, 40), (0.99, 0), (0.999, 10_000), (0.0, 3)]:
        mean = {
            "weight": torch.randn(3, 2),
            "running_mean": torch.randn(3),
            "scale": torch.randn(()),
            "num_batches_tracked": torch.tensor(4 + step),
        }
        value = {
            key: torch.randn(part.shape) if part.is_floating_point() else part + 7
            for key, part in mean.items()
        }
        before = copy.deepcopy((mean, value))
        output = attempt(lambda decay, step: answer(mean, value, decay, step), decay, step)
        expect(
            isinstance(output, dict),
            f"the result is a {type(output).__name__}; expected a dictionary.",
        )
        for given, old in zip((mean, value), before):
            expect(
                all(torch.equal(given[key], old[key]) for key in old),
                "your function changed what it was given: make new tensors, as a + b does and a.lerp_ does not.",
            )
        expect(
            set(output) == set(mean),
            f"the result has the keys {sorted(output)}; expected {sorted(mean)}.",
        )
        count = output["num_batches_tracked"]
        expect(
            isinstance(count, Tensor)
            and not count.is_floating_point()
            and count.item() == value["num_batches_tracked"].item(),
            "num_batches_tracked is a counter: copy it from the generator as it is.",
        )
        warm = min(decay, (1 + step) / (10 + step))

        def mixed(share: float, key: str) -> Tensor:
            return share * mean[key] + (1 - share) * value[key]

        for key in ("weight", "running_mean", "scale"):
            expect_close(
                output[key],
                mixed(warm, key),
                {
                    "the decay is too large for a fast start: take the smaller one of decay and (1 + step)/(10 + step).": mixed(
                        decay, key
                    ),
                    "decay goes to the average, 1 - decay to the generator; yours is the other way round.": mixed(
                        1 - warm, key
                    ),
                    "that never grows to decay: the warm one is for the first steps only.": mixed(
                        (1 + step) / (10 + step), key
                    ),
                    "(1 + t)/(10 + t), with t = step: yours is one step ahead.": mixed(
                        min(decay, (2 + step) / (11 + step)), key
                    ),
                    "that is step/(10 + step): 1 + step is above.": mixed(
                        min(decay, step / (10 + step)), key
                    ),
                    "buffers such as running_mean are averaged, not copied: ask is_floating_point().": value[
                        key
                    ],
                    "that entry did not move.": mean[key],
                },
                what=f"{key} for decay {decay}, step {step}",
            )


@exercise("09.4", "At constant speed along the sphere", difficulty=2, minutes=15)
def slerp(answer: object) -> None:
    """a, b (N, d), t (N,) -> points along the arc (N, d); the angle is that of the directions."""
    for n, d, length in [(5, 6, 0.6), (3, 2, 2.0), (1, 64, 8.0)]:
        a, b, t = torch.randn(n, d), torch.randn(n, d), torch.rand(n)
        t[0] = 0.3
        unit_a, unit_b = a / a.norm(dim=1, keepdim=True), b / b.norm(dim=1, keepdim=True)
        a, b = length * unit_a, 1.3 * length * unit_b

        def arc(angle: Tensor, time: Tensor = t, a: Tensor = a, b: Tensor = b) -> Tensor:
            angle, time = angle[:, None], time[:, None]
            return (torch.sin((1 - time) * angle) * a + torch.sin(time * angle) * b) / torch.sin(
                angle
            )

        angle = (unit_a * unit_b).sum(dim=1).clamp(-1, 1).arccos()
        straight = torch.lerp(a, b, t[:, None])
        expect_close(
            attempt(answer, a, b, t),
            arc(angle),
            {
                "that is the straight way.": straight,
                "that is the straight way, stretched: the lesson's form, at uneven speed.": straight
                / straight.norm(dim=1, keepdim=True)
                * torch.lerp(a.norm(dim=1), b.norm(dim=1), t)[:, None],
                "a and b are swapped: t = 0 is a.": arc(angle, 1 - t),
                "the division by sin ω is missing.": arc(angle) * torch.sin(angle)[:, None],
                "the result keeps the lengths of a and b; you used their directions.": arc(
                    angle, a=unit_a, b=unit_b
                ),
                "a direction with a length in between is sensible, but not asked: the formula keeps a and b as they are.": arc(
                    angle, a=unit_a, b=unit_b
                )
                * torch.lerp(a.norm(dim=1), b.norm(dim=1), t)[:, None],
                "ω in degrees: sin wants radians.": arc(angle.rad2deg()),
                "the angle is that of the directions: divide a and b by their lengths before the product.": arc(
                    (a * b).sum(dim=1).clamp(-1, 1).arccos()
                ),
                "that is the cosine of the angle: take arccos.": arc((unit_a * unit_b).sum(dim=1)),
            },
            what=f"{n} points in {d} dimensions",
            tolerance=1e-3,
        )
    a, b = torch.tensor([[3.0, 0.0]]), torch.tensor([[0.0, 3.0]])
    middle = attempt(answer, a, b, torch.tensor([0.5]))
    expect_close(
        middle,
        torch.tensor([[1.0, 1.0]]) * 3 / math.sqrt(2),
        what="the middle of a quarter of a circle",
    )


@exercise("09.5", "The distance with infinitely many pictures", difficulty=2, minutes=15)
def without_bias(answer: object) -> None:
    """Sizes (K,), distances (K,) -> the value at 1/n = 0 of the line of least squares in 1/n, a number."""
    cases = [
        (torch.tensor([100.0, 200.0, 500.0]), 3.0, 4000.0, 0.0),
        (torch.tensor([50.0, 400.0]), 10.0, 900.0, 0.0),
        (torch.tensor([500.0, 1000.0, 2000.0, 5000.0, 5000.0]), 0.0, 5000.0, 0.5),
        (torch.tensor([2500.0, 1000.0, 700.0, 100.0]), 80.0, 3000.0, 2.0),
    ]
    for sizes, limit, slope, noise in cases:
        distances = limit + slope / sizes + noise * torch.randn(len(sizes))

        def intercept(x: Tensor, y: Tensor = distances) -> Tensor:
            x, y = x.double(), y.double()
            rise = ((x - x.mean()) * (y - y.mean())).sum() / (x - x.mean()).square().sum()
            return y.mean() - rise * x.mean()

        x, y = (1 / sizes).double(), distances.double()
        rise = (y.mean() - intercept(1 / sizes)) / x.mean()
        largest = sizes.argmax()
        ends = torch.stack([sizes.argmin(), largest])
        expect_close(
            number(attempt(answer, sizes, distances), "the distance at 1/n = 0"),
            intercept(1 / sizes),
            {
                "fit against 1/n, not against n.": intercept(sizes),
                "fit against 1/n, not against its root.": intercept(sizes.rsqrt()),
                "fit against 1/n; yours is against log n.": intercept(sizes.log()),
                "that is the slope of the line; asked is its value at 1/n = 0.": rise,
                "that is the distance at the largest n: go on to 1/n = 0.": distances[largest],
                "that is the mean of the distances.": distances.mean(),
                "use all sizes, not only the smallest and the largest.": intercept(
                    1 / sizes[ends], distances[ends]
                ),
                "use all sizes, not only the two ends.": (
                    distances[0] * sizes[0] - distances[-1] * sizes[-1]
                )
                / (sizes[0] - sizes[-1]),
                "the line need not go through zero: fit a slope and a constant.": distances.mean()
                - ((x * y).sum() / x.square().sum()) * x.mean(),
                "the sign of the correction is wrong: with more pictures the distance falls.": 2
                * distances.mean()
                - intercept(1 / sizes),
            },
            what=f"the distance at 1/n = 0 from {len(sizes)} sizes",
            tolerance=2e-3,
        )
