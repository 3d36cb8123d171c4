"""Plausible wrong answers: check -> [(answer, words that the message must hold)]."""

import torch

from course_utils.autoencoders.sparsity import kl_sparsity


def by_topk(a, k):
    values, places = a.topk(k, dim=1)
    return torch.zeros_like(a).scatter(1, places, values.relu())


def without_ties(a, k):
    """Keeps what is above the largest number that goes: of equal ones none."""
    ordered = a.sort(dim=1, descending=True).values
    limit = ordered[:, k : k + 1].clamp_min(0) if k < a.shape[1] else 0
    return torch.where(a > limit, a, 0.0)


def by_autograd(code, rho):
    code = code.clone().requires_grad_()
    return torch.autograd.grad(kl_sparsity(code, rho), code)[0]


WRONG = {
    "topk_by_sort": [
        (by_topk, "without topk: sort the numbers"),
        (without_ties, "of equal numbers too few stay"),
    ],
    "kl_gradient": [(by_autograd, "without autograd: derive")],
}
