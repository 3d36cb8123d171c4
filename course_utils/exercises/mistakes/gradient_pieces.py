"""A gradient from pieces of a batch, and the ways to get it wrong (exercise 13.2)."""

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["PIECE_MISTAKES", "whole"]


def gradients(x: Tensor, y: Tensor, w: Tensor, size: int) -> list[Tensor]:
    """Of the mean over each piece."""
    return [2 * a.T @ (a @ w - b) / len(a) for a, b in zip(x.split(size), y.split(size))]


def weighted(weight: Callable) -> Callable:
    """Gradients of the pieces, each times a weight made of (its rows, N, size, pieces)."""

    def joined(x: Tensor, y: Tensor, w: Tensor, size: int) -> Tensor:
        rows = [len(piece) for piece in x.split(size)]
        parts = zip(rows, gradients(x, y, w, size))
        return sum((weight(n, len(x), size, len(rows)) * g for n, g in parts), torch.zeros(len(w)))

    return joined


def whole(x: Tensor, y: Tensor, w: Tensor, size: int) -> Tensor:
    """The gradient of the mean squared error over the whole batch, (d,)."""
    return gradients(x, y, w, len(x))[0]


def first(rows_of: Callable, share: Callable) -> Callable:
    """Only so many rows of the batch, their mean times a share of (rows, N)."""

    def part(x: Tensor, y: Tensor, w: Tensor, size: int) -> Tensor:
        n = rows_of(len(x), size)
        return share(n, len(x)) * whole(x[:n], y[:n], w, size) if n else torch.zeros(len(w))

    return part


def broadcast(x: Tensor, y: Tensor, w: Tensor, size: int) -> Tensor:
    """With residuals (n, n) of each piece."""
    parts = [(a, b, len(a) / len(x)) for a, b in zip(x.split(size), y.split(size))]
    return sum((share * 2 * a.T @ (a @ w - b.mean()) / len(a) for a, b, share in parts), 0 * w)


def moving(rate: float) -> Callable:
    """With a step of this rate after each piece."""

    def descended(x: Tensor, y: Tensor, w: Tensor, size: int) -> Tensor:
        total = torch.zeros(len(w))
        for a, b in zip(x.split(size), y.split(size)):
            part = len(a) / len(x) * whole(a, b, w, size)
            total, w = total + part, w - rate * part
        return total

    return descended


PIECE_MISTAKES: dict[str, Callable] = {
    "each piece counts for its share of the batch only.": weighted(lambda n, N, size, pieces: 1),
    "the last piece is smaller: weight each piece by its share of the rows.": weighted(
        lambda n, N, size, pieces: 1 / pieces
    ),
    "the last piece has fewer rows than size: its share is len(piece) / N.": weighted(
        lambda n, N, size, pieces: size / N
    ),
    "divide by N once: yours divides each piece by size.": weighted(lambda n, N, size, _: n / size),
    "divide by N: yours divides by the number of pieces.": weighted(lambda n, N, _, m: n / m),
    "yours adds up means and divides by N: weight each mean by the rows of its piece.": weighted(
        lambda n, N, size, pieces: 1 / N
    ),
    "that is the gradient of the sum, not of the mean.": weighted(lambda n, *_: n),
    "only the last piece is left: add up.": lambda *given: gradients(*given)[-1],
    "only the last piece is left: add up the pieces.": lambda x, y, w, size: (
        gradients(x, y, w, size)[-1] * ((len(x) - 1) % size + 1) / len(x)
    ),
    "only the first piece is left: add up.": lambda *given: gradients(*given)[0],
    "only the first piece is left: add up the pieces.": first(min, lambda n, N: n / N),
    "the smaller last piece is missing.": first(lambda N, k: N // k * k, lambda n, N: n / N),
    "the smaller last piece is missing: the batch has len(x) rows.": first(
        lambda N, size: N // size * size, lambda n, N: 1
    ),
    "the last row is missing: the pieces hold all rows.": first(
        lambda N, size: N - 1, lambda n, N: n / N
    ),
    "x @ w is (n,), as y: with shapes (n, 1) and (n,) the difference is (n, n).": broadcast,
    "divide by N, not by the number of full pieces.": weighted(
        lambda n, N, size, m: 1 / max(1, N // size)
    ),
    "the residuals are not squared: the gradient of their mean is that of another loss.": (
        lambda x, y, w, size: x.mean(dim=0)
    ),
    "backward() adds up already: yours adds the sums so far once more.": (
        lambda x, y, w, size: (
            torch.stack(
                [n * g / len(x) for n, g in zip(map(len, x.split(size)), gradients(x, y, w, size))]
            )
            .cumsum(dim=0)
            .sum(dim=0)
        )
    ),
    "the pieces have one row too few: x[i : i + size].": (
        lambda x, y, w, size: sum(
            2 * a[: size - 1].T @ (a[: size - 1] @ w - b[: size - 1]) / len(x)
            for a, b in zip(x.split(size), y.split(size))
        )
    ),
    "the sign is wrong: the gradient of (x @ w - y)².": lambda *given: -whole(*given),
    "the factor 2 of the square's derivative is missing.": lambda *given: whole(*given) / 2,
    "the factor 2 is there twice: the derivative of the square has one.": (
        lambda *given: 2 * whole(*given)
    ),
    "that is the mean over the numbers of x, too: divide by N alone.": (
        lambda x, *rest: whole(x, *rest) / x.shape[1]
    ),
    "that is the gradient of the absolute error; asked is the squared one.": (
        lambda x, y, w, size: x.T @ (x @ w - y).sign() / len(x)
    ),
    "that is the gradient of the root of the mean squared error: leave out the root.": (
        lambda x, y, w, size: whole(x, y, w, size) / (2 * (x @ w - y).square().mean().sqrt())
    ),
    "that is the loss; asked is its gradient.": lambda x, y, w, _: (x @ w - y).square().mean(),
    "these are the new weights; asked is the gradient.": lambda x, y, w, k: w - whole(x, y, w, k),
    "these are the gradients of the pieces: add them up.": lambda *g: torch.stack(gradients(*g)),
    **{
        f"a step of {rate} after each piece changes w for the later ones: only add up.": moving(
            rate
        )
        for rate in (0.1, 0.01, 0.001, 1.0, 0.05)
    },
}
