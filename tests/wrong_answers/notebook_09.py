"""Plausible wrong answers: check -> [(answer, words that the message must hold)]."""

import torch


def parts(real, generated):
    return (real.mean(0) - generated.mean(0)).square(), real.std(0), generated.std(0)


def near(points, centres, k):
    return (
        torch.cdist(points, centres) <= torch.cdist(centres, centres).kthvalue(k + 1, dim=1).values
    )


def mixed(mean, value, share):
    return {
        key: (share * mean[key] + (1 - share) * part if part.is_floating_point() else part)
        for key, part in value.items()
    }


def warm(decay, step):
    return min(decay, (1 + step) / (10 + step))


def in_place(mean, value, decay, step):
    for key, part in value.items():
        if part.is_floating_point():
            mean[key].lerp_(part, 1 - warm(decay, step))
    return mean


def parameters_only(mean, value, decay, step):
    share = warm(decay, step)
    return {
        key: share * mean[key] + (1 - share) * part if key == "weight" else part
        for key, part in value.items()
    }


def arc(a, b, t, omega):
    t, omega = t[:, None], omega[:, None]
    return (torch.sin((1 - t) * omega) * a + torch.sin(t * omega) * b) / torch.sin(omega)


def angle(a, b):
    return torch.nn.functional.cosine_similarity(a, b).clamp(-1, 1).arccos()


def unit(a):
    return torch.nn.functional.normalize(a, dim=1)


def stretched(a, b, t):
    length = torch.lerp(a.norm(dim=1), b.norm(dim=1), t)
    return unit(torch.lerp(a, b, t[:, None])) * length[:, None]


def lengths_between(a, b, t):
    length = torch.lerp(a.norm(dim=1), b.norm(dim=1), t)
    return unit(arc(unit(a), unit(b), t, angle(a, b))) * length[:, None]


def ends_only(n, y):
    ends = torch.stack([n.argmin(), n.argmax()])
    return line(1 / n[ends], y[ends])[1]


def line(x, y):
    x, y = x.double(), y.double()
    rise = ((x - x.mean()) * (y - y.mean())).sum() / (x - x.mean()).square().sum()
    return rise, y.mean() - rise * x.mean()


WRONG = {
    "diagonal_frechet": [
        (lambda r, g: parts(r, g)[0].sum(), "spreads are missing"),
        (lambda r, g: (r.std(0) - g.std(0)).square().sum(), "means are missing"),
        (lambda r, g: (parts(r, g)[0] + (r.var(0) - g.var(0)).square()).sum(), "roots"),
        (
            lambda r, g: (
                parts(r, g)[0]
                + (r.var(0, correction=0).sqrt() - g.var(0, correction=0).sqrt()) ** 2
            ).sum(),
            "N - 1",
        ),
        (lambda r, g: (parts(r, g)[0] + (r.std(0) - g.std(0)) ** 2).mean(), "do not average"),
        (
            lambda r, g: (parts(r, g)[0] + (r.std(0) - g.std(0)) ** 2).sum().sqrt(),
            "squared distance",
        ),
        (lambda r, g: parts(r, g)[0] + (r.std(0) - g.std(0)) ** 2, "one number"),
        (lambda r, g: (r.mean() - g.mean()) ** 2 + (r.std() - g.std()) ** 2, "dim 0"),
        (lambda r, g: (parts(r, g)[0] + (r.std(0) + g.std(0)) ** 2).sum(), "minus"),
    ],
    "coverage": [
        (lambda r, g, k: near(r, g, min(k, len(g) - 1)).any(dim=1).double().mean(), "recall"),
        (lambda r, g, k: near(g, r, k).any(dim=1).double().mean(), "precision"),
        (lambda r, g, k: near(g, r, k - 1).any(dim=0).double().mean(), "its own nearest"),
        (lambda r, g, k: near(g, r, k).sum() / (k * len(g)), "density"),
        (lambda r, g, k: near(g, r, k).any(dim=0), "one number"),
        (lambda r, g, k: near(g, r, k).sum() / len(r), "once"),
        (lambda r, g, k: (near(g, r, k).sum(dim=0) >= k).double().mean(), "is enough"),
    ],
    "warm_average": [
        (lambda m, v, decay, step: mixed(m, v, decay), "smaller one"),
        (
            lambda m, v, decay, step: mixed(m, v, max(decay, (1 + step) / (10 + step))),
            "smaller one",
        ),
        (lambda m, v, decay, step: mixed(m, v, 1 - warm(decay, step)), "other way round"),
        (lambda m, v, decay, step: mixed(m, v, (1 + step) / (10 + step)), "never grows"),
        (lambda m, v, decay, step: mixed(m, v, min(decay, step / (10 + step))), "1 + step"),
        (in_place, "changed what it was given"),
        (parameters_only, "buffers"),
        (
            lambda m, v, decay, step: {
                k: torch.lerp(m[k].float(), v[k].float(), 1 - warm(decay, step)) for k in m
            },
            "counter",
        ),
        (lambda m, v, decay, step: list(m.values()), "expected a dictionary"),
    ],
    "slerp": [
        (lambda a, b, t: torch.lerp(a, b, t[:, None]), "straight way"),
        (stretched, "uneven speed"),
        (lambda a, b, t: arc(b, a, t, angle(a, b)), "swapped"),
        (lambda a, b, t: arc(unit(a), unit(b), t, angle(a, b)), "directions"),
        (
            lambda a, b, t: arc(a, b, t, (a * b).sum(dim=1).clamp(-1, 1).arccos()),
            "before the product",
        ),
        (
            lambda a, b, t: arc(a, b, t, angle(a, b)) * torch.sin(angle(a, b))[:, None],
            "sin ω is missing",
        ),
        (lambda a, b, t: arc(a, b, t, angle(a, b).rad2deg()), "radians"),
        (lambda a, b, t: arc(a, b, t, angle(a, b).cos()), "arccos"),
        (lengths_between, "not asked"),
    ],
    "without_bias": [
        (lambda n, y: line(n, y)[1], "not against n"),
        (lambda n, y: line(1 / n, y)[0], "slope"),
        (lambda n, y: y[n.argmax()], "largest n"),
        (lambda n, y: line(n.log(), y)[1], "log n"),
        (lambda n, y: y.mean(), "mean"),
        (lambda n, y: line(n.rsqrt(), y)[1], "root"),
        (ends_only, "smallest and the largest"),
    ],
}
