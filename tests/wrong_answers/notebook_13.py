"""Plausible wrong answers to the exercises of notebook 13, with words their message must hold."""

import statistics

import torch


def timed(step, clock, warm_up, runs):
    for _ in range(warm_up):
        step()
    seconds = []
    for _ in range(runs):
        begin = clock()
        step()
        seconds.append(clock() - begin)
    return seconds


def pieces(x, y, w, size):
    return [(len(a), 2 * a.T @ (a @ w - b) / len(a)) for a, b in zip(x.split(size), y.split(size))]


def average(values, decay, first=0.0):
    means = []
    for value in values.tolist():
        first = decay * first + (1 - decay) * value
        means.append(first)
    return torch.tensor(means)


WRONG = {
    "images_per_second": [
        (lambda s, c, n, w, r: n / statistics.mean(timed(s, c, w, r)), "the median"),
        (lambda s, c, n, w, r: n / min(timed(s, c, w, r)), "the shortest"),
        (
            lambda s, c, n, w, r: n / statistics.median(timed(s, c, 0, w + r)),
            "warm-up must not count",
        ),
        (lambda s, c, n, w, r: n / statistics.median(timed(s, c, 0, r)), "step() was called"),
        (lambda s, c, n, w, r: statistics.median(timed(s, c, w, r)) / n, "the other way round"),
        (lambda s, c, n, w, r: 1 / statistics.median(timed(s, c, w, r)), "steps per second"),
    ],
    "accumulated_gradient": [
        (lambda *a: sum(g for _, g in pieces(*a)), "added, not averaged"),
        (lambda *a: torch.stack([g for _, g in pieces(*a)]).mean(dim=0), "last piece is smaller"),
        (lambda *a: pieces(*a)[-1][1], "only the last piece"),
        (lambda *a: sum(n * g for n, g in pieces(*a)), "of the sum"),
    ],
    "rate_at": [
        (
            lambda step, base, batch, warm_up: base * batch / 32 * min(1, step / max(1, warm_up)),
            "does nothing",
        ),
        (
            lambda step, base, batch, warm_up: base * batch / 32 * (step + 1) / max(1, warm_up),
            "goes on rising",
        ),
        (
            lambda step, base, batch, warm_up: base * min(1, (step + 1) / max(1, warm_up)),
            "does not scale",
        ),
        (
            lambda step, base, batch, warm_up: (
                base * (batch / 32) ** 0.5 * min(1, (step + 1) / max(1, warm_up))
            ),
            "root",
        ),
        (lambda step, base, batch, warm_up: base * batch / 32, "no warm-up"),
        (
            lambda step, base, batch, warm_up: base * batch / 32 * min(1, (step + 1) / warm_up),
            "ZeroDivisionError",
        ),
    ],
    "corrected_average": [
        (average, "still starts too small"),
        (
            lambda v, d: average(v, d) / (1 - d ** torch.arange(len(v))).clamp_min(1e-12),
            "1 after the first",
        ),
        (lambda v, d: average(v, d, v[0].item()), "weighs too much"),
        (lambda v, d: average(v, 1 - d) / (1 - (1 - d) ** torch.arange(1, len(v) + 1)), "swapped"),
    ],
}
