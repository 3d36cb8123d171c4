"""Plausible wrong answers: check -> [(answer, words that the message must hold)]."""

import torch
from torch.nn import functional as F

from course_utils.sparse_coding import soft_threshold


def by_autograd(a, x):
    a = a.clone().requires_grad_()
    return torch.autograd.grad(F.binary_cross_entropy_with_logits(a, x), a)[0]


@torch.no_grad()
def frozen(x, z, D, W, theta):
    return soft_threshold(z + (x - z @ D.T) @ W, theta)


def fixed_threshold(x, z, D, W, theta):
    return soft_threshold(z + (x - z @ D.T) @ W, theta.detach())


WRONG = {
    "bce_gradient": [(by_autograd, "without autograd: derive")],
    "lista_layer": [
        (frozen, "no gradient comes through the layer to W"),
        (fixed_threshold, "no gradient comes through the layer to theta"),
    ],
}
