"""Wrong answers that no mistake of a check covers: check -> [(answer, words of the message)]."""

import torch


def in_place(mean, value, decay, step):
    for key, part in value.items():
        if part.is_floating_point():
            mean[key].lerp_(part, 1 - min(decay, (1 + step) / (10 + step)))
    return mean


def as_floats(mean, value, decay, step):
    share = 1 - min(decay, (1 + step) / (10 + step))
    return {
        key: torch.lerp(mean[key], part, share) if part.is_floating_point() else part.float()
        for key, part in value.items()
    }


WRONG = {
    "warm_average": [
        (in_place, "changed its input"),
        (as_floats, "counter"),
        (lambda mean, value, decay, step: list(mean.values()), "expected a dictionary"),
    ],
}
