"""Checks of notebook 05, The sparse autoencoder."""

import torch
from torch.nn.functional import normalize

from course_utils.exercises.core import attempt, exercise, expect, expect_close

__all__ = ["batch_topk", "dead_share", "keep_perpendicular", "kl_gradient", "topk_by_sort"]


DETACHED = "the code carries no gradient back to a: without one an encoder cannot learn. Leave detach, no_grad and .data away."


def carries_gradient(answer: object, *settings: object) -> bool:
    """Does the code that the answer makes of numbers with a gradient have one as well?"""
    code = attempt(answer, torch.rand(4, 5, requires_grad=True), *settings)
    return (code[0] if isinstance(code, (tuple, list)) else code).requires_grad


@exercise("05.1", "TopK from a sort", difficulty=1, minutes=10)
def topk_by_sort(answer: object) -> None:
    """a (N, units), k -> code (N, units): the k largest positive numbers of each row."""
    for number, units, k in [(6, 9, 3), (5, 8, 8), (4, 7, 1), (1, 1, 1), (8, 12, 5)]:
        a = torch.randn(number, units)
        a[0] = -a[0].abs()  # a signal without any positive number
        if number > 2:
            a[1, units // 2 :] = (
                -a[1, units // 2 :].abs() - 3
            )  # fewer positive numbers than k; the largest magnitudes are negative

        def kept(by: torch.Tensor, count: int = k, of: torch.Tensor = a) -> torch.Tensor:
            places = by.argsort(dim=1, descending=True)[:, :count]
            return torch.zeros_like(of).scatter(1, places, of.gather(1, places))

        flat = a.relu().flatten()
        batch = torch.zeros_like(flat)
        places = flat.argsort(descending=True)[: k * number]
        batch[places] = flat[places]
        expect_close(
            attempt(answer, a, k),
            kept(a).relu(),
            {
                "negative numbers are never active, also where a row has fewer than k positive ones: .relu().": kept(
                    a
                ),
                "you kept the largest magnitudes; here only positive numbers count.": kept(a.abs()),
                "you kept the largest magnitudes and then dropped the negative ones: others should have taken their places.": kept(
                    a.abs()
                ).relu(),
                "you kept the k smallest: sort in descending order.": kept(-a),
                "you kept the k smallest: sort in descending order, before negative numbers become zero.": kept(
                    -a
                ).relu(),
                "you kept k of the whole batch on average, as BatchTopK does; TopK chooses within each row.": batch.view_as(
                    a
                ),
                "one too few: the k-th largest stays (>= and not >).": kept(a, k - 1).relu(),
                "one too many is kept.": kept(a, k + 1).relu(),
                "that is a ReLU: all positive numbers stay.": a.relu(),
                "the kept numbers keep their values and do not become 1.": (
                    kept(a).relu() > 0
                ).float(),
            },
            what=f"the code of {number} rows of {units} numbers, k = {k}",
        )
    expect(carries_gradient(answer, 2), DETACHED)
    tied = torch.tensor([[0.5, 0.5, 0.5, 0.1], [2.0, 1.0, 1.0, 1.0]])
    expect(
        ((attempt(answer, tied, 2) != 0).sum(dim=1) == 2).all(),
        "where numbers are equal you keep more than k: take places (argsort), not all that reach a threshold.",
    )


@exercise("05.2", "BatchTopK after training", difficulty=2, minutes=20)
def batch_topk(answer: object) -> None:
    """a (N, units), k, threshold, training -> code (N, units), new threshold."""
    for number, units, k, training in [
        (8, 10, 2, True),
        (8, 10, 2, False),
        (1, 6, 3, True),
        (5, 7, 1, False),
        (4, 5, 3, True),
    ]:
        a, threshold = torch.randn(number, units) + 0.7, torch.tensor(0.9)
        if number == 4:
            a[1:] = -a[1:].abs()  # fewer positive numbers than k * N
        output = attempt(answer, a, k, threshold, training)
        expect(
            isinstance(output, (tuple, list)) and len(output) == 2,
            "return two things: the code and the threshold.",
        )
        code, new = output
        order = a.flatten().argsort(descending=True)[: k * number]
        chosen = torch.zeros(a.numel()).scatter(0, order, a.flatten()[order].relu()).view_as(a)
        places = a.argsort(dim=1, descending=True)[:, :k]
        rows = torch.zeros_like(a).scatter(1, places, a.gather(1, places).relu())
        above = torch.where(a > threshold, a, 0.0)
        wrong = {
            "that is TopK, k of each row; choose k * N of the whole batch.": rows,
            "in training choose k * N of the batch; the threshold is for evaluation."
            if training
            else "in evaluation a code must not depend on its neighbours: keep what is above the threshold.": above
            if training
            else chosen,
            "the numbers above the threshold keep their values; you subtracted the threshold.": (
                a - threshold
            ).relu(),
            "a number at or above the threshold stays as it is, not 1.": (above > 0).float(),
            "you kept all positive numbers.": a.relu(),
        }
        few = torch.zeros(a.numel()).scatter(0, order[:k], a.flatten()[order[:k]].relu()).view_as(a)
        wrong["you kept k numbers of the whole batch; keep k * N."] = few
        signed = torch.zeros(a.numel()).scatter(0, order, a.flatten()[order]).view_as(a)
        wrong[
            "negative numbers are never active, also where a batch has fewer than k * N positive ones: .relu()."
        ] = signed
        mode = "training" if training else "evaluation"
        expect_close(code, chosen if training else above, wrong, what=f"the code in {mode}")
        smallest, largest = chosen[chosen > 0].min(), chosen.max()
        expect_close(
            new,
            threshold.lerp(smallest, 0.01) if training else threshold,
            {
                "in evaluation the threshold must not change."
                if not training
                else "the threshold did not move in training.": threshold
                if training
                else threshold.lerp(smallest, 0.01),
                "that is the smallest number kept in this batch; the threshold moves only 1 % of the way to it.": smallest,
                "you moved 99 % of the way; the running mean moves 1 %.": threshold.lerp(
                    smallest, 0.99
                ),
                "the zeros of the code are not kept numbers: take the minimum over the kept ones.": 0.99
                * threshold,
                "use the smallest number kept, not the largest.": threshold.lerp(largest, 0.01),
                "use the smallest number kept, not the mean.": threshold.lerp(
                    chosen[chosen > 0].mean(), 0.01
                ),
            },
            what=f"the threshold in {mode}",
            tolerance=1e-5,
        )
    expect(carries_gradient(answer, 2, torch.tensor(0.5), True), DETACHED)
    tied = torch.tensor([[0.5, 0.5, 0.5, 0.1], [2.0, 1.0, 1.0, 1.0]])
    expect(
        (attempt(answer, tied, 1, torch.tensor(0.5), True)[0] != 0).sum() == 2,
        "where numbers are equal you keep more than k * N: take places (topk), not all that reach a number.",
    )


@exercise("05.3", "No step along an atom", difficulty=2, minutes=15)
def keep_perpendicular(answer: object) -> None:
    """gradient (n, K), D (n, K) with unit columns -> gradient without its part along each atom."""
    for n, count in [(6, 9), (5, 5), (4, 1), (7, 3)]:
        gradient, D = torch.randn(n, count), normalize(torch.randn(n, count), dim=0)
        along = D * (gradient * D).sum(dim=0)
        wrong_axis = D * (gradient * D).sum(dim=1, keepdim=True)
        expect_close(
            attempt(answer, gradient, D),
            gradient - along,
            {
                "that is the part along the atoms; asked is what is left without it.": along,
                "you added the part along the atom; subtract it.": gradient + along,
                "atoms are columns: sum over the rows, dim=0.": gradient - wrong_axis,
                "that removes one number for the whole matrix; each atom has its own.": gradient
                - D * (gradient * D).sum(),
                "the part along an atom d is (g·d) d: you subtracted the number g·d, without the direction.": gradient
                - (gradient * D).sum(dim=0),
                "DDᵀ mixes the atoms: the gradient of an atom loses only the part along this atom.": gradient
                - D @ (D.T @ gradient),
                "nothing was removed.": gradient,
                "you made the gradients of length 1; only the part along the atom goes.": normalize(
                    gradient - along, dim=0
                ),
            },
            what=f"the gradient for {count} atoms of {n} numbers",
        )


@exercise("05.4", "Dead units, batch by batch", difficulty=1, minutes=10)
def dead_share(answer: object) -> None:
    """A list of codes (N_i, units) -> the share of units that no signal of any batch uses, a number."""
    for sizes, units in [((4, 3, 5), 40), ((6,), 30), ((1, 1, 2, 1), 25)]:
        batches = [torch.randn(size, units) * (torch.rand(size, units) < 0.2) for size in sizes]
        for batch in batches:
            batch[:, :2] = 0  # surely dead
        batches[0][:, 2], batches[0][0, 2] = 0, -1.0  # alive by a negative number
        if sizes[0] > 1:
            batches[0][:2, 3] = torch.tensor([1.0, -1.0])  # two uses that cancel
            batches[0][2:, 3] = 0
        for batch in batches[1:]:
            batch[:, 2:4] = 0
        for batch in batches:
            batch[:, 4:7] = 0
        batches[-1][0, 4:7] = 1e-5  # a small use is a use
        used = torch.stack([(batch != 0).any(dim=0) for batch in batches])
        total = torch.cat(batches)
        dead = (~used.any(dim=0)).float().mean()
        output = attempt(answer, batches)
        if isinstance(output, torch.Tensor):
            expect(
                output.numel() == 1,
                f"the share is one number; yours has shape {tuple(output.shape)}.",
            )
            output = output.reshape(())
        expect_close(
            output,
            dead,
            {
                "a unit is dead if it is silent in *all* batches; the mean over batches of the share counts it again and again.": (
                    ~used
                )
                .float()
                .mean(),
                "that is the share of the living.": 1 - dead,
                "a unit that is used in one batch lives: you counted units that are silent in any batch.": (
                    ~used.all(dim=0)
                )
                .float()
                .mean(),
                "that is the last batch alone.": (~used[-1]).float().mean(),
                "that is the first batch alone.": (~used[0]).float().mean(),
                "uses that cancel are uses: compare with zero before adding up.": (
                    total.sum(dim=0) == 0
                )
                .float()
                .mean(),
                "a negative number is a use too: != 0.": (~(total > 0).any(dim=0)).float().mean(),
                "a small number is a use too: compare with zero itself, != 0.": (total.abs() < 1e-3)
                .all(dim=0)
                .float()
                .mean(),
                "dim=1 asks whether a *signal* uses any unit; ask for each unit, dim=0.": torch.cat(
                    [(batch == 0).all(dim=1) for batch in batches]
                )
                .float()
                .mean(),
                "that is a percentage; asked is a share from 0 to 1.": 100 * dead,
                "that is how many; asked is a share from 0 to 1.": dead * units,
                "that is the share of zeros in the codes; asked is the share of units that never say anything else.": (
                    total == 0
                )
                .float()
                .mean(),
            },
            what=f"the share for {len(sizes)} batches of codes of {units} units",
        )


def own_mean(code: torch.Tensor, rho: float) -> torch.Tensor:
    """The gradient with one mean for all units, a mistake."""
    m = code.mean()
    return torch.full_like(code, -rho / m + (1 - rho) / (1 - m))


@exercise("05.5", "The force of the KL penalty", difficulty=2, minutes=15)
def kl_gradient(answer: object) -> None:
    """code (N, units) in (0, 1), rho -> gradient of kl_sparsity with respect to the code, (N, units)."""
    for number, units, rho in [(7, 5, 0.05), (4, 3, 0.3), (1, 4, 0.1), (20, 1, 0.02)]:
        code = 0.02 + 0.9 * torch.rand(number, units)
        m = code.mean(dim=0)
        first, second = -rho / m, (1 - rho) / (1 - m)
        swapped = (m / rho).log() - ((1 - m) / (1 - rho)).log()
        value = rho * (rho / m).log() + (1 - rho) * ((1 - rho) / (1 - m)).log()
        one = torch.ones(number, 1)
        own = -rho / code + (1 - rho) / (1 - code)
        output = attempt(answer, code, rho)
        if isinstance(output, torch.Tensor) and output.shape == m.shape and number > 1:
            expect(
                False,
                f"yours has shape {tuple(output.shape)}; the gradient has the shape of the code, {tuple(code.shape)}: "
                "each activity is a part 1/N of the mean.",
            )
        expect_close(
            output,
            one * (first + second) / number,
            {
                "each activity is only 1/N of the mean: divide by the number of signals.": one
                * (first + second),
                "the sign is wrong: more activity than ρ must give a positive gradient.": -one
                * (first + second)
                / number,
                "the sign of the second term: the derivative of -log(1 - m) is +1 / (1 - m).": one
                * (first - second)
                / number,
                "the sign of the first term: the derivative of -log m is -1 / m.": one
                * (-first + second)
                / number,
                "the mean goes over the signals, dim=0: each unit has its own.": own_mean(code, rho)
                / number,
                "the code is the activity already: no factor of the sigmoid's slope.": one
                * (first + second)
                / number
                * code
                * (1 - code),
                "the second term is missing.": one * first / number,
                "that is the penalty itself; asked is its derivative.": one * value,
                "that is the derivative of KL(m || ρ), with the two changed over.": one
                * swapped
                / number,
                "the penalty looks at the *mean* activity of a unit: the same gradient for all signals.": own
                / number,
                "the penalty looks at the *mean* activity of a unit, and each activity is 1/N of it.": own,
            },
            what=f"the gradient for {number} codes of {units} units, rho = {rho}",
        )
