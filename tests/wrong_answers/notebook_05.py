"""Plausible wrong answers: check -> [(answer, words that the message must hold)]."""

import torch
from torch.nn.functional import normalize


def kept(a, by, k):
    places = by.argsort(dim=1, descending=True)[:, :k]
    return torch.zeros_like(a).scatter(1, places, a.gather(1, places))


def of_batch(a, number):
    flat = a.relu().flatten()
    places = flat.argsort(descending=True)[:number]
    return torch.zeros_like(flat).scatter(0, places, flat[places]).view_as(a)


def by_threshold(a, k):
    return torch.where(a >= a.sort(dim=1, descending=True).values[:, k - 1 : k], a, 0.0).relu()


def batch_code(a, k, threshold, training):
    return of_batch(a, k * len(a)) if training else torch.where(a > threshold, a, 0.0)


def smallest(a, k):
    code = of_batch(a, k * len(a))
    return code[code > 0].min()


def without_relu(a, k):
    flat = a.flatten()
    places = flat.argsort(descending=True)[: k * len(a)]
    return torch.zeros_like(flat).scatter(0, places, flat[places]).view_as(a)


def all_from(a, k):
    return torch.where(
        a >= a.relu().flatten().sort(descending=True).values[k * len(a) - 1], a, 0.0
    ).relu()


def right_threshold(a, k, threshold, training):
    return threshold.lerp(smallest(a, k), 0.01) if training else threshold


def along(g, D):
    return D * (g * D).sum(dim=0)


def used(batches):
    return torch.stack([(batch != 0).any(dim=0) for batch in batches])


def force(code, rho, sign=1.0):
    m = code.mean(dim=0)
    return (-rho / m + sign * (1 - rho) / (1 - m)).expand_as(code)


WRONG = {
    "topk_by_sort": [
        (lambda a, k: kept(a, a, k), "never active"),
        (lambda a, k: kept(a, a.abs(), k), "largest magnitudes"),
        (lambda a, k: kept(a, a.abs(), k).relu(), "taken their places"),
        (lambda a, k: kept(a, -a, k), "k smallest"),
        (lambda a, k: kept(a, -a, k).relu(), "k smallest"),
        (lambda a, k: of_batch(a, k * len(a)), "within each row"),
        (lambda a, k: kept(a, a, k - 1).relu(), "one too few"),
        (lambda a, k: kept(a, a, k + 1).relu(), "one too many"),
        (lambda a, k: a.relu(), "ReLU"),
        (lambda a, k: (kept(a, a, k) > 0).float(), "do not become 1"),
        (by_threshold, "more than k"),
        (lambda a, k: kept(a, a, k).relu().detach(), "no gradient"),
        (lambda a, k: a.sort(dim=1, descending=True).values[:, :k], "has shape"),
    ],
    "batch_topk": [
        (
            lambda a, k, t, training: (kept(a, a, k).relu() if training else a.relu(), t),
            "that is TopK",
        ),
        (
            lambda a, k, t, training: (of_batch(a, k * len(a)), right_threshold(a, k, t, True)),
            "must not depend on its neighbours",
        ),
        (
            lambda a, k, t, training: (torch.where(a > t, a, 0.0), t),
            "the threshold is for evaluation",
        ),
        (lambda a, k, t, training: (of_batch(a, k), t), "keep k * N"),
        (lambda a, k, t, training: (batch_code(a, k, t, training), t), "did not move"),
        (
            lambda a, k, t, training: (batch_code(a, k, t, training), t.lerp(smallest(a, k), 0.01)),
            "must not change",
        ),
        (
            lambda a, k, t, training: (
                batch_code(a, k, t, training),
                smallest(a, k) if training else t,
            ),
            "1 % of the way",
        ),
        (
            lambda a, k, t, training: (
                batch_code(a, k, t, training),
                0.99 * t + 0.01 * batch_code(a, k, t, training).min(),
            ),
            "zeros of the code",
        ),
        (
            lambda a, k, t, training: (batch_code(a, k, t, training), t.lerp(a.max(), 0.01)),
            "not the largest",
        ),
        (
            lambda a, k, t, training: (batch_code(a, k, t, training), t.lerp(smallest(a, k), 0.99)),
            "99 %",
        ),
        (
            lambda a, k, t, training: (
                of_batch(a, k * len(a)) if training else (a - t).relu(),
                right_threshold(a, k, t, training),
            ),
            "subtracted",
        ),
        (lambda a, k, t, training: batch_code(a, k, t, training), "return two things"),
        (
            lambda a, k, t, training: (
                batch_code(a, k, t, training).detach(),
                right_threshold(a, k, t, training),
            ),
            "no gradient",
        ),
        (
            lambda a, k, t, training: (
                without_relu(a, k) if training else batch_code(a, k, t, False),
                right_threshold(a, k, t, training),
            ),
            ".relu()",
        ),
        (
            lambda a, k, t, training: (
                all_from(a, k) if training else batch_code(a, k, t, False),
                right_threshold(a, k, t, training),
            ),
            "more than k * N",
        ),
    ],
    "keep_perpendicular": [
        (along, "what is left"),
        (lambda g, D: g + along(g, D), "subtract it"),
        (lambda g, D: g - D * (g * D).sum(dim=1, keepdim=True), "dim=0"),
        (lambda g, D: g - D * (g * D).sum(), "its own"),
        (lambda g, D: g - (g * D).sum(dim=0), "without the direction"),
        (lambda g, D: g - D @ (D.T @ g), "mixes the atoms"),
        (lambda g, D: g, "nothing was removed"),
        (lambda g, D: normalize(g - along(g, D), dim=0), "length 1"),
    ],
    "dead_share": [
        (lambda batches: (~used(batches)).float().mean(), "all* batches"),
        (lambda batches: used(batches).any(dim=0).float().mean(), "the living"),
        (lambda batches: (~used(batches).all(dim=0)).float().mean(), "silent in any batch"),
        (lambda batches: (~used(batches)[-1]).float().mean(), "last batch"),
        (lambda batches: (torch.cat(batches).sum(dim=0) == 0).float().mean(), "cancel"),
        (lambda batches: (~(torch.cat(batches) > 0).any(dim=0)).float().mean(), "negative number"),
        (lambda batches: (~used(batches).any(dim=0)).float().sum(), "a share from 0 to 1"),
        (lambda batches: (torch.cat(batches) == 0).float().mean(), "share of zeros"),
        (lambda batches: ~used(batches).any(dim=0), "one number"),
        (
            lambda batches: (torch.stack(batches) == 0).all(dim=0).all(dim=0).float().mean(),
            "tensor of shape (3, 40)",
        ),
        (
            lambda batches: (torch.cat(batches).abs() < 1e-3).all(dim=0).float().mean(),
            "zero itself",
        ),
        (lambda batches: (torch.cat(batches) == 0).all(dim=1).float().mean(), "dim=0"),
        (lambda batches: 100 * (~used(batches).any(dim=0)).float().mean(), "percentage"),
    ],
    "kl_gradient": [
        (lambda code, rho: force(code, rho), "divide by the number"),
        (lambda code, rho: -force(code, rho) / len(code), "sign is wrong"),
        (lambda code, rho: force(code, rho, -1.0) / len(code), "second term"),
        (lambda code, rho: (-rho / code.mean(dim=0)).expand_as(code) / len(code), "is missing"),
        (
            lambda code, rho: (-rho / code + (1 - rho) / (1 - code)) / len(code),
            "same gradient for all",
        ),
        (lambda code, rho: -rho / code + (1 - rho) / (1 - code), "each activity is 1/N"),
        (lambda code, rho: force(code, rho)[0] / len(code), "has shape"),
        (
            lambda code, rho: (
                rho * (rho / code.mean(dim=0)).log()
                + (1 - rho) * ((1 - rho) / (1 - code.mean(dim=0))).log()
            ).expand_as(code),
            "penalty itself",
        ),
        (
            lambda code, rho: (
                (rho / code.mean(dim=0) + (1 - rho) / (1 - code.mean(dim=0))).expand_as(code)
                / len(code)
            ),
            "first term",
        ),
        (lambda code, rho: force(code.mean().expand_as(code), rho) / len(code), "dim=0"),
        (lambda code, rho: force(code, rho) / len(code) * code * (1 - code), "sigmoid's slope"),
    ],
}
