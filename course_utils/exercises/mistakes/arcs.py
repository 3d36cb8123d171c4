"""Points along an arc, and the usual mistakes of their formula (exercise 09.4)."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, normalize

__all__ = ["NORMS_FIRST", "SLERP", "arc"]


def angle(a: Tensor, b: Tensor) -> Tensor:
    return cosine_similarity(a, b).clamp(-1, 1).arccos()


def arc(a: Tensor, b: Tensor, t: Tensor, omega: Tensor | None = None) -> Tensor:
    """Points between a and b (N, d) at t (N,) along the arc, with another angle ω (N,) if given."""
    omega, t = (angle(a, b) if omega is None else omega)[:, None], t[:, None]
    return (torch.sin((1 - t) * omega) * a + torch.sin(t * omega) * b) / torch.sin(omega)


def of_angle(omega: Callable) -> Callable:
    return lambda a, b, t: arc(a, b, t, omega(a, b))


def with_weights(weights: Callable) -> Callable:
    """A mean of a and b with weights(ω, t) in columns."""

    def mean(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
        of_a, of_b = weights(angle(a, b)[:, None], t[:, None])
        return of_a * a + of_b * b

    return mean


def nlerp(a: Tensor, b: Tensor, t: Tensor, norm: Tensor | float = 1.0) -> Tensor:
    return normalize(torch.lerp(a, b, t[:, None])) * norm


def norms(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    return torch.lerp(a.norm(dim=1), b.norm(dim=1), t)[:, None]


def sine(x: Tensor, omega: Tensor) -> Tensor:
    return torch.sin(x * omega) / torch.sin(omega)


NORMS_FIRST = (
    "divide a and b by their norms before the product: the angle is that of the directions."
)
SLERP = {
    "that is the straight line.": lambda a, b, t: torch.lerp(a, b, t[:, None]),
    "a and b are swapped: t = 0 is a.": lambda a, b, t: arc(b, a, t),
    "the division by sin ω is missing.": lambda a, b, t: arc(a, b, t) * angle(a, b).sin()[:, None],
    "you used the directions; the result keeps the norms of a and b.": lambda a, b, t: arc(
        normalize(a), normalize(b), t
    ),
    NORMS_FIRST: (of_angle(lambda a, b: (a * b).sum(dim=1).clamp(-1, 1).arccos())),
    "that is the cosine: take its arccos.": of_angle(cosine_similarity),
    "each row has an angle of its own; yours is one for the batch.": (
        of_angle(lambda a, b: angle(a.reshape(1, -1), b.reshape(1, -1)).expand(len(a)))
    ),
    "each row has an angle of its own; yours is that of the first.": (
        of_angle(lambda a, b: angle(a[:1], b[:1]).expand(len(a)))
    ),
    "each row has an angle of its own; yours is their mean.": (
        of_angle(lambda a, b: angle(a, b).mean().expand(len(a)))
    ),
    "the angle is that of the directions; yours is in degrees.": (
        of_angle(lambda a, b: angle(a, b).rad2deg())
    ),
    "an obtuse angle stays as it is: do not turn b round.": lambda a, b, t: arc(
        a, b.where((a * b).sum(dim=1, keepdim=True) >= 0, -b), t
    ),
    "an obtuse angle stays as it is: no absolute value.": (
        of_angle(lambda a, b: cosine_similarity(a, b).abs().arccos())
    ),
    "take the sine of the whole product (1 - t) ω.": with_weights(
        lambda w, t: ((1 - t).sin() * w / w.sin(), t.sin() * w / w.sin())
    ),
    "the bracket is missing in the first term: sin((1 - t) ω).": with_weights(
        lambda w, t: ((1 - t).sin() * w / w.sin(), sine(t, w))
    ),
    "the first term has the weight 1 - t, the second t.": with_weights(
        lambda w, t: (sine(t, w), sine(t, w))
    ),
    "only the second term is divided by sin ω.": with_weights(
        lambda w, t: (((1 - t) * w).sin(), sine(t, w))
    ),
    "only the first term is divided by sin ω.": with_weights(
        lambda w, t: (sine(1 - t, w), (t * w).sin())
    ),
    "take the sine, not the cosine.": with_weights(
        lambda w, t: (((1 - t) * w).cos() / w.cos(), (t * w).cos() / w.cos())
    ),
    "the straight line is only scaled to the norm of a: the speed is not constant.": (
        lambda a, b, t: nlerp(a, b, t, a.norm(dim=1, keepdim=True))
    ),
    "the straight line is only scaled to unit norm: the speed is not constant.": nlerp,
    "the straight line is only scaled to a mean norm: the speed is not constant.": (
        lambda a, b, t: nlerp(a, b, t, norms(a, b, t))
    ),
    "the formula takes a and b as they are; yours mixes directions and norms apart.": (
        lambda a, b, t: arc(normalize(a), normalize(b), t) * norms(a, b, t)
    ),
    "t belongs to the rows: t[:, None].": lambda a, b, t: (
        sine(1 - t, angle(a, b)[:, None]) * a + sine(t, angle(a, b)[:, None]) * b
    ),
    "ω and t belong to the rows: ω[:, None] and t[:, None].": lambda a, b, t: (
        sine(1 - t, angle(a, b)) * a + sine(t, angle(a, b)) * b
    ),
    "all rows get the first t; each has its own.": lambda a, b, t: arc(a, b, t[:1].expand_as(t)),
}
