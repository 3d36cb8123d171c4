"""Checks of notebook 14, Reading a generator."""

import torch
from scipy.optimize import linear_sum_assignment
from torch.nn import functional as F

from course_utils.exercises.core import attempt, exercise, expect, expect_close

__all__ = ["clamp_feature", "match_atoms", "same_length", "usage"]


@exercise("14.1", "Used, rarely used, dead", difficulty=1, minutes=10)
def usage(answer: object) -> None:
    """A code (N, units) -> the share of signals for which each unit is on (units,), and the share of dead units."""
    for number, units in [(50, 12), (1, 3), (7, 7), (40, 1), (500, 6)]:
        code = torch.randn(number, units).relu() * (torch.rand(units) < 0.7) * 0.2
        if number == 500:  # a unit that is on once: rare, not dead
            code[:, 0] = 0
            code[3, 0] = 0.2
        on = code != 0
        output = attempt(answer, code.clone())
        expect(
            isinstance(output, (tuple, list)) and len(output) == 2,
            "return two things: the shares (units,), and one number.",
        )
        shares, dead = (torch.as_tensor(value, dtype=torch.float32) for value in output)
        expect(
            shares.shape != (number,) or number == units,
            "that is a share for each signal: the mean goes over the signals, dim=0.",
        )
        expect_close(
            shares,
            on.float().mean(dim=0),
            {
                "that is the share of units that are on for each signal: the mean goes over the signals, dim=0.": on.float().mean(
                    dim=1
                ),
                "that is how strong a unit is on average; asked is how often it is on: (code != 0).": code.mean(
                    dim=0
                ),
                "that counts the signals; divide by their number.": on.float().sum(dim=0),
                "that is per cent; a share goes from 0 to 1.": 100 * on.float().mean(dim=0),
                "that is the share of signals for which a unit is off.": 1 - on.float().mean(dim=0),
            },
            what=f"the shares of {units} units for {number} signals",
        )
        truth = (~on.any(dim=0)).float().mean()
        expect_close(
            dead,
            truth,
            {
                "that is the share of living units.": 1 - truth,
                "that is the share of zeros in the code; a dead unit is off for every signal.": (
                    ~on
                )
                .float()
                .mean(),
                "that counts the dead units; divide by the number of units.": truth * units,
                "a unit that was on once is rare, not dead.": (on.float().mean(dim=0) < 0.01)
                .float()
                .mean(),
                "that is the share of units that are off for at least one signal: all, not any.": (
                    ~on
                )
                .any(dim=0)
                .float()
                .mean(),
            },
            what="the share of dead units",
        )


@exercise("14.2", "The right length", difficulty=2, minutes=15)
def same_length(answer: object) -> None:
    """x and x_hat, both (N, n) -> x_hat with the length of x in each row; rows of zeros stay zero."""
    for number, n in [(6, 5), (1, 3), (8, 1), (4, 4)]:
        x, x_hat = 3 * torch.randn(number, n), torch.randn(number, n)
        if number > 4:
            x_hat[2] = 0
            x[3] = 0
        lengths, own = x.norm(dim=1, keepdim=True), x_hat.norm(dim=1, keepdim=True).clamp_min(1e-12)
        output = attempt(answer, x.clone(), x_hat.clone())
        expect(
            not (isinstance(output, torch.Tensor) and output.isnan().any()),
            "yours has NaN: a row of zeros has length 0, and nothing may be divided by that (clamp_min).",
        )
        expect_close(
            output,
            x_hat / own * lengths,
            {
                "the lengths are those of the whole batch; each row has its own: norm(dim=1, keepdim=True).": x_hat
                / x_hat.norm()
                * x.norm(),
                "that has length 1; multiply by the length of x.": x_hat / own,
                "x is rescaled; asked is x_hat with the length of x.": x
                / lengths.clamp_min(1e-12)
                * own,
                "x_hat is multiplied by the length of x, and keeps its own as a factor: divide by it.": x_hat
                * lengths,
                "the ratio is upside down.": x_hat * own / lengths.clamp_min(1e-12),
                "that takes the sum of squares; a length is its root.": x_hat
                / own.square()
                * lengths.square(),
                "that has the sum of the absolute values of x; the length is the root of the sum of squares.": x_hat
                / x_hat.abs().sum(dim=1, keepdim=True).clamp_min(1e-12)
                * x.abs().sum(dim=1, keepdim=True),
                "that is the norm over the batch (dim=0); each row is a vector.": x_hat
                / x_hat.norm(dim=0, keepdim=True).clamp_min(1e-12)
                * x.norm(dim=0, keepdim=True),
            },
            what=f"{number} vectors of {n} numbers",
        )


@exercise("14.3", "Set a feature", difficulty=2, minutes=20)
def clamp_feature(answer: object) -> None:
    """x (N, n), code (N, units), D (n, units), unit, value -> x with that unit's code set to value, all else kept."""
    for number, n, units in [(6, 5, 9), (1, 4, 3), (5, 2, 5), (3, 3, 3)]:
        x, code, D = (
            torch.randn(number, n),
            torch.randn(number, units).relu(),
            F.normalize(torch.randn(n, units), dim=0),
        )
        unit, value = units - 1, 2.5
        given = x.clone(), code.clone()
        output = attempt(answer, *given, D, unit, value)
        expect(
            torch.equal(given[0], x) and torch.equal(given[1], code),
            "your function changes what it was given: work on a clone.",
        )
        other = code.clone()
        other[:, unit] = value
        atom = D[:, unit]
        expect_close(
            output,
            x + (value - code[:, unit])[:, None] * atom,
            {
                "that is the decoded code: what the reader does not explain of x is lost. Add the difference to x.": other
                @ D.T,
                "that adds the value to what the feature already says; it shall be set: value - code[:, unit].": x
                + value * atom,
                "that takes the feature away: the value is missing.": x
                - code[:, unit][:, None] * atom,
                "the sign: from what it is to the value, value - code.": x
                - (value - code[:, unit])[:, None] * atom,
                "that multiplies the feature by the value; it shall be set to it.": x
                + ((value - 1) * code[:, unit])[:, None] * atom,
                "the atom is a column of D.": x
                + (value - code[:, unit])[:, None] * (D[unit] if n == units else atom),
                "that changes x only where the feature is on already; it shall be set everywhere.": x
                + torch.where(code[:, unit] > 0, value - code[:, unit], 0.0)[:, None] * atom,
            },
            what=f"{number} vectors of {n} numbers",
        )


@exercise("14.4", "The same features?", difficulty=3, minutes=25)
def match_atoms(answer: object) -> None:
    """D, E, both (n, K) with unit columns -> for each atom of D the index of its partner in E (K,), and the mean cosine."""
    for n, K in [(6, 9), (2, 12), (3, 1), (4, 4), (5, 30)]:
        D = F.normalize(torch.randn(n, K), dim=0)
        E = F.normalize(0.5 * D[:, torch.randperm(K)] + torch.randn(n, K), dim=0)
        cosines = D.T @ E
        rows, columns = linear_sum_assignment(cosines.numpy(), maximize=True)
        output = attempt(answer, D.clone(), E.clone())
        expect(
            isinstance(output, (tuple, list)) and len(output) == 2,
            "return two things: the partners (K,), and the mean cosine.",
        )
        partners, mean = torch.as_tensor(output[0]), torch.as_tensor(output[1], dtype=torch.float32)
        expect(
            partners.shape == (K,) and not partners.is_floating_point(),
            f"the partners are {K} whole numbers, (K,); yours have shape {tuple(partners.shape)} and type {partners.dtype}.",
        )
        if K > 1:
            backwards = linear_sum_assignment(cosines.T.numpy(), maximize=True)[1]
            costs = linear_sum_assignment(cosines.numpy())[1]
            signless = linear_sum_assignment(cosines.abs().numpy(), maximize=True)[1]
            same = lambda found: torch.equal(partners.long(), torch.as_tensor(found).long())
            right = torch.as_tensor(columns)
            expect(
                same(right) or len(partners.unique()) == K,
                "two atoms of D have the same partner in E: each may be given once (scipy.optimize.linear_sum_assignment).",
            )
            expect(
                same(right) or not same(costs),
                "that is the worst match: linear_sum_assignment makes a cost small; maximize=True.",
            )
            expect(
                same(right) or not same(backwards),
                "these are the partners in D of the atoms of E; asked is the other direction.",
            )
            expect(
                same(right) or not same(signless),
                "the sign counts: the units of a reader are positive, so an atom and its negative say opposite things.",
            )
        expect_close(
            partners.long(),
            torch.as_tensor(columns).long(),
            {},
            what=f"the partners of {K} atoms (is it the best of all one-to-one matches?)",
        )
        truth = cosines[rows, columns].mean()
        expect_close(
            mean,
            truth,
            {
                "that is the sum of the cosines; asked is their mean.": truth * K,
                "that is the mean of the largest cosines, where several atoms may share a partner.": cosines.amax(
                    dim=1
                ).mean(),
                "that is the mean cosine of all pairs; take those of the partners.": cosines.mean(),
                "the sign counts: no absolute value.": cosines[rows, columns].abs().mean(),
            },
            what="the mean cosine",
        )
