"""Wrong answers that no mistake of a check covers: check -> [(answer, words of the message)]."""

import torch


def group_std(x, size, root):
    variance = x.reshape(-1, size, x.shape[1]).var(dim=1, unbiased=False)
    return torch.cat([x, root(variance).mean(dim=1).repeat_interleave(size)[:, None]], dim=1)


def still_first(forward, transpose, x, steps):
    """One step too few: with steps = 1 the vector is as it was given."""
    for _ in range(steps - 1):
        x = transpose(forward(x))
        x = x / x.norm()
    return forward(x).norm() / x.norm()


WRONG = {
    "group_std": [
        (lambda x, size: group_std(x, size, lambda v: v.sqrt() + 1e-8), "under the root"),
    ],
    "largest_stretch": [
        (still_first, "one step too few"),
        (
            lambda forward, transpose, x, steps: forward(transpose(x)).norm(),
            "transpose(forward(x))",
        ),
    ],
}
