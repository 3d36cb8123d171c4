"""Checks of notebook 10, Mode collapse."""

import math
from collections.abc import Callable

import torch
from torch.nn.functional import conv2d, conv_transpose2d

from course_utils.exercises.core import attempt, exercise, expect, expect_close

__all__ = ["group_std", "kl_to_uniform", "largest_stretch", "one_sided_penalty"]


@exercise("10.1", "How fair are the shares?", difficulty=1, minutes=10)
def kl_to_uniform(answer: object) -> None:
    """counts (modes,) whole numbers, not all zero -> KL divergence of their shares to equal shares, nats."""
    for counts in (
        torch.tensor([5, 0, 10, 4, 1, 0]),
        torch.tensor([3, 3, 3]),
        torch.tensor([0, 0, 7, 0, 0]),
        torch.randint(0, 9, (25,)),
        torch.tensor([1, 0]),
    ):
        modes = len(counts)
        p = counts.double() / counts.sum()
        kept = p[p > 0]
        wanted = (kept * (kept * modes).log()).sum()
        entropy = -(kept * kept.log()).sum()
        output = attempt(answer, counts)
        if isinstance(output, torch.Tensor):
            expect(
                output.numel() == 1,
                f"the divergence is one number; yours has shape {tuple(output.shape)}.",
            )
            output = output.reshape(()).double()
            expect(
                not output.isnan(),
                "a mode without samples gives 0 · log 0 = NaN; it counts 0: leave such modes out.",
            )
            expect(
                not output.isinf(),
                "a mode without samples gives log 0; it counts 0: leave such modes out "
                "(or is it KL(uniform ‖ shares)? Asked is the other order).",
            )
        expect_close(
            output,
            wanted,
            {
                "that is the entropy of the shares; the divergence is log(modes) minus it.": entropy,
                "the entropy of equal shares is missing: add log(modes).": -entropy,
                "that is in bits: use the natural logarithm.": wanted / math.log(2),
                "use the shares, counts / counts.sum(), in front of the logarithm.": wanted
                * counts.sum(),
                "equal shares are 1 / modes, of all modes, also of those that got nothing.": (
                    kept * (kept * len(kept)).log()
                ).sum(),
                "equal shares are 1 / len(counts); yours are 1 / 25, whatever the number of modes.": wanted
                + math.log(25 / modes),
                "that is KL(uniform ‖ shares); asked is the other order.": -(kept * modes)
                .log()
                .sum()
                / modes,
                "each logarithm is weighed with its share, not with 1 / modes.": (kept * modes)
                .log()
                .mean(),
                "asked is the sum over the modes, not the mean.": wanted / modes,
                "asked is the sum over the modes, not the mean over those with samples.": wanted
                / len(kept),
                "the sign: Σ p log(p · modes) is never negative.": -wanted,
            },
            what=f"the divergence for counts {counts.tolist()}",
        )


@exercise("10.2", "Statistics of small groups", difficulty=2, minutes=15)
def group_std(answer: object) -> None:
    """x (N, C), size that divides N -> (N, C + 1): beside each row the spread of its own group."""
    for shape, size in [((12, 3), 4), ((8, 5), 8), ((6, 1), 2), ((10, 4), 5)]:
        x = torch.randn(shape) * torch.linspace(0.3, 3, shape[0])[:, None]

        def joined(
            groups: torch.Tensor, repeat: bool = True, unbiased: bool = False
        ) -> torch.Tensor:
            """groups (number, size, C) -> x with each group's mean deviation behind it."""
            spread = (groups.var(dim=1, unbiased=unbiased) + 1e-8).sqrt().mean(dim=1)
            column = (
                spread.repeat_interleave(groups.shape[1])
                if repeat
                else spread.repeat(groups.shape[1])
            )
            return torch.cat([x, column[:, None]], dim=1)

        groups = x.reshape(-1, size, shape[1])
        strided = x.reshape(size, -1, shape[1]).transpose(0, 1)
        whole = torch.cat(
            [x, (x.var(dim=0, unbiased=False) + 1e-8).sqrt().mean().expand(shape[0], 1)], dim=1
        )
        wrong_axis = torch.cat([x, (x.var(dim=1, unbiased=False) + 1e-8).sqrt()[:, None]], dim=1)
        of_groups = (groups.var(dim=1, unbiased=False) + 1e-8).sqrt().mean()
        variance = groups.var(dim=1, unbiased=False).mean(dim=1).repeat_interleave(size)[:, None]
        output = attempt(answer, x, size)
        if isinstance(output, torch.Tensor):
            expect(
                output.shape != (shape[0], 2 * shape[1]) or shape[1] == 1,
                "the deviations of a group are averaged over the C entries: one new column, not C.",
            )
            expect(
                output.shape != (shape[0], 1),
                "the new column goes behind x: torch.cat([x, column], dim=1).",
            )
        expect_close(
            output,
            joined(groups),
            {
                "that is the spread of the whole batch: each group has its own.": whole,
                "the spread is over the samples of a group, not over the entries of a sample.": wrong_axis,
                "a group is made of neighbours: rows 0 to size - 1, then the next. Yours takes every n-th row.": joined(
                    strided, repeat=False
                ),
                "the groups are neighbours, but the column is not in their order: use repeat_interleave.": joined(
                    groups, repeat=False
                ),
                "you mixed `size` with the number of groups: a group has `size` samples.": joined(
                    x.reshape(size, -1, shape[1])
                ),
                "divide by the size, not by the size minus 1: unbiased=False.": joined(
                    groups, unbiased=True
                ),
                "that is the mean over all groups: each has its own number.": torch.cat(
                    [x, of_groups.expand(shape[0], 1)], dim=1
                ),
                "that is the variance: take the root, then the mean over the entries.": torch.cat(
                    [x, variance], dim=1
                ),
                "first the root, then the mean over the entries.": torch.cat(
                    [x, variance.sqrt()], dim=1
                ),
            },
            what=f"the result for {shape[0]} samples in groups of {size}",
        )
    expect_smooth(answer)


def expect_smooth(answer: object) -> None:
    """Groups of equal samples give 1e-4, and the new column has finite gradients, not all zero."""
    equal = torch.tensor([[1.0, 2.0], [1.0, 2.0], [-3.0, 0.5], [-3.0, 0.5]])
    output = torch.as_tensor(attempt(answer, equal, 2)).detach().float()
    expect_close(
        output[:, -1] * 1e4,
        torch.ones(4),
        {
            "1e-8 belongs under the root: a group of equal samples gives its root, 1e-4. It is missing, or outside.": torch.zeros(
                4
            ),
            "1e-8 is outside the root: inside, a group of equal samples gives its root, 1e-4.": torch.full(
                (4,), 1e-4
            ),
        },
        what="10,000 times the column for groups of equal samples",
        tolerance=1e-2,
    )
    x = torch.randn(4, 2, requires_grad=True)
    column = attempt(answer, x, 2)
    column = column[:, -1] if isinstance(column, torch.Tensor) else torch.zeros(4)
    expect(
        column.requires_grad,
        "the new column has no gradient, so the generator cannot learn from it: "
        "no detach(), item() or no_grad.",
    )
    (gradient,) = torch.autograd.grad(column.sum(), x, allow_unused=True)
    expect(
        gradient is not None and bool(gradient.any()),
        "the new column has no gradient, so the generator cannot learn from it: no detach(), item() or no_grad.",
    )


@exercise("10.3", "A slope may be small", difficulty=2, minutes=15)
def one_sided_penalty(answer: object) -> None:
    """discriminator, x (N, ...) -> mean over samples of max(0, slope - 1)², the slope a length over all entries."""
    for shape in [(7, 2), (5, 1, 4, 4), (1, 3), (6, 2, 3)]:
        x = torch.randn(shape)
        weight = 1.5 * torch.randn(shape[1:]) / math.sqrt(x[0].numel())

        def critic(points: torch.Tensor) -> torch.Tensor:
            return (weight * points).flatten(1).sum(dim=1).square() / 2

        score = (weight * x).flatten(1).sum(dim=1)
        gradient = score.reshape(-1, *[1] * (x.ndim - 1)) * weight
        slopes = gradient.flatten(1).norm(dim=1)
        last = gradient.norm(dim=-1)

        def price(slope: torch.Tensor) -> torch.Tensor:
            return (slope - 1).clamp_min(0).square().mean()

        output = attempt(answer, critic, x)
        if isinstance(output, torch.Tensor):
            expect(
                output.numel() == 1,
                f"the penalty is one number; yours has shape {tuple(output.shape)}.",
            )
            output = output.reshape(())
        expect_close(
            output,
            price(slopes),
            {
                "that punishes small slopes too: only what is above 1 counts.": (slopes - 1)
                .square()
                .mean(),
                "that is R1, the mean squared slope: subtract 1, and cut at 0.": slopes.square().mean(),
                "the square is missing.": (slopes - 1).clamp_min(0).mean(),
                "the wrong side: slopes above 1 are the ones to pay for.": (1 - slopes)
                .clamp_min(0)
                .square()
                .mean(),
                "sum over the entries of a sample, not over its last axis only: flatten(1) first.": price(
                    last
                ),
                "sum over all entries of a sample, not over axis 1 only: flatten(1) first.": price(
                    gradient.norm(dim=1)
                ),
                "the length of the gradient is for each sample: norm(dim=1) after flatten(1), not of the whole batch.": price(
                    gradient.norm()
                ),
                "the gradient was of the mean score: of its sum, so that each sample keeps its own slope.": price(
                    slopes / len(x)
                ),
                "you took the mean over the samples before the cut; each sample has its own slope, so cut first.": price(
                    slopes.mean()
                ),
                "asked is the mean over the samples, not the sum.": price(slopes) * len(x),
                "max(0, slope² - 1) is another penalty: take the length, subtract 1, cut, then square.": (
                    slopes.square() - 1
                )
                .clamp_min(0)
                .mean(),
            },
            what=f"the penalty for {shape[0]} samples of shape {tuple(shape[1:])}",
        )
        expect_trainable(answer)


def expect_trainable(answer: object) -> None:
    """The discriminator must feel the penalty: create_graph."""
    steep = torch.nn.Linear(3, 1, bias=False)
    torch.nn.init.constant_(steep.weight, 2.0)
    price = attempt(answer, lambda x: steep(x).flatten(), torch.randn(4, 3))
    expect(
        isinstance(price, torch.Tensor),
        "the penalty is a tensor of one number, so that the weights can be trained with it; "
        f"yours is a {type(price).__name__}: no item() or float().",
    )
    expect(
        price.requires_grad,
        "the penalty has no gradient for the weights of the discriminator: "
        "create_graph=True, and no detach() or no_grad.",
    )


@exercise("10.4", "How far can a convolution stretch?", difficulty=3, minutes=20)
def largest_stretch(answer: object) -> None:
    """forward, transpose (functions), x of the first step, steps -> largest of |forward(x)| / |x|, a number."""
    for case in range(3):
        kernel = torch.randn(3, 2, 3, 3)
        x = torch.randn(1, 2, 6, 6)

        def forward(v: torch.Tensor) -> torch.Tensor:
            return conv2d(v, kernel, padding=1)

        def transpose(v: torch.Tensor) -> torch.Tensor:
            return conv_transpose2d(v, kernel, padding=1)

        if case == 2:
            matrix = torch.randn(5, 4)
            x = torch.randn(1, 4)

            def forward(v: torch.Tensor) -> torch.Tensor:  # noqa: F811
                return v @ matrix.T

            def transpose(v: torch.Tensor) -> torch.Tensor:  # noqa: F811
                return v @ matrix

        forward, transpose = typed("forward", forward, x), typed("transpose", transpose, forward(x))
        unit = torch.eye(x.numel()).reshape(-1, *x.shape[1:])
        singular = torch.linalg.svdvals(forward(unit).flatten(1))
        largest = singular[0]
        start = forward(x).norm() / x.norm()
        output = attempt(answer, forward, transpose, x, 300)
        if isinstance(output, torch.Tensor):
            expect(
                output.numel() == 1,
                f"the stretch is one number; yours has shape {tuple(output.shape)}.",
            )
            output = output.detach().reshape(())
            expect(
                not output.isinf() and not output.isnan(),
                "the vector grew without bound (inf): make its length 1 after every step.",
            )
        expect_close(
            output,
            largest,
            {
                "that is its square: the step forward and back stretches twice.": largest**2,
                "that is its root: |forward(v)| of a v of length 1 is the stretch itself.": largest.sqrt(),
                "the vector is as it was given: replace it in every step.": start,
                "the vector never changes, and its length is not divided out.": forward(x).norm(),
                "that is the length of all singular values together (Frobenius).": singular.square()
                .sum()
                .sqrt(),
                "the length of v is not divided out: at the end |forward(v)| / |v|.": torch.tensor(
                    1.0
                ),
            },
            what="the stretch",
            tolerance=5e-3,
        )
        one = forward(transpose(forward(x)))
        few = attempt(answer, forward, transpose, x, 1)
        if isinstance(few, torch.Tensor):
            few = few.detach().reshape(())
        expect_close(
            few,
            one.norm() / transpose(forward(x)).norm(),
            {
                "with steps = 1 the vector goes forward and back once before it is measured; yours is still the first one.": start,
            },
            what="the stretch after one step",
            tolerance=1e-3,
        )


def typed(
    name: str, function: Callable[[torch.Tensor], torch.Tensor], like: torch.Tensor
) -> Callable:
    """The function, with a plain word for a vector of the wrong side."""
    wanted = tuple(like.shape[1:])

    def checked(v: torch.Tensor) -> torch.Tensor:
        if tuple(v.shape[1:]) != wanted:
            raise ValueError(
                f"{name} takes (N, {', '.join(map(str, wanted))}), yours has shape {tuple(v.shape)}; "
                "each step is transpose(forward(x)), in this order, and forward comes last"
            )
        return function(v)

    return checked
