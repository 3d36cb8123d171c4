"""Plausible wrong answers: check -> [(answer, words that the message must hold)]."""

import torch
from scipy.optimize import linear_sum_assignment


def shares(code):
    return (code != 0).float().mean(dim=0)


def dead(code):
    return (code == 0).all(dim=0).float().mean()


def length(x):
    return x.norm(dim=1, keepdim=True).clamp_min(1e-12)


def put(x, code, D, unit, value):
    code = code.clone()
    code[:, unit] = value
    return code @ D.T


def match(D, E, maximize=True):
    cosines = D.T @ E
    rows, columns = linear_sum_assignment(cosines.numpy(), maximize=maximize)
    return torch.as_tensor(columns), cosines[rows, columns]


def backwards(D, E):
    partners, cosines = match(E, D)
    return partners, cosines.mean()


def signless(D, E):
    cosines = (D.T @ E).abs()
    rows, columns = linear_sum_assignment(cosines.numpy(), maximize=True)
    return torch.as_tensor(columns), cosines[rows, columns].mean()


WRONG = {
    "usage": [
        (lambda code: ((code != 0).float().mean(dim=1), dead(code)), "dim=0"),
        (lambda code: (code.mean(dim=0), dead(code)), "how often"),
        (lambda code: ((code != 0).sum(dim=0), dead(code)), "divide by their number"),
        (lambda code: (shares(code), 1 - dead(code)), "living"),
        (lambda code: (shares(code), (code == 0).float().mean()), "off for every signal"),
        (
            lambda code: (shares(code), (code == 0).all(dim=0).sum()),
            "divide by the number of units",
        ),
        (lambda code: (shares(code), (code == 0).any(dim=0).float().mean()), "all, not any"),
        (lambda code: shares(code), "two things"),
        (lambda code: (100 * shares(code), dead(code)), "per cent"),
        (lambda code: (shares(code), (shares(code) < 0.01).float().mean()), "on once"),
    ],
    "same_length": [
        (lambda x, y: y / y.norm() * x.norm(), "whole batch"),
        (lambda x, y: y / y.norm(dim=1, keepdim=True) * length(x), "NaN"),
        (lambda x, y: y / length(y), "length 1"),
        (lambda x, y: x / length(x) * y.norm(dim=1, keepdim=True), "x is rescaled"),
        (lambda x, y: y * x.norm(dim=1, keepdim=True), "as a factor"),
        (lambda x, y: y / length(y).square() * x.square().sum(dim=1, keepdim=True), "its root"),
        (lambda x, y: y / y.norm(dim=0).clamp_min(1e-12) * x.norm(dim=0), "dim=0"),
    ],
    "clamp_feature": [
        (put, "is lost"),
        (lambda x, code, D, unit, value: x + value * D[:, unit], "already says"),
        (lambda x, code, D, unit, value: x - code[:, unit, None] * D[:, unit], "value is missing"),
        (
            lambda x, code, D, unit, value: x - (value - code[:, unit, None]) * D[:, unit],
            "the sign",
        ),
        (
            lambda x, code, D, unit, value: x + (value - 1) * code[:, unit, None] * D[:, unit],
            "multiplies",
        ),
        (
            lambda x, code, D, unit, value: x.add_((value - code[:, unit, None]) * D[:, unit]),
            "clone",
        ),
    ],
    "match_atoms": [
        (lambda D, E: ((D.T @ E).argmax(dim=1), (D.T @ E).amax(dim=1).mean()), "same partner"),
        (lambda D, E: (match(D, E, False)[0], match(D, E, False)[1].mean()), "worst match"),
        (backwards, "other direction"),
        (signless, "sign counts"),
        (lambda D, E: (match(D, E)[0], match(D, E)[1].sum()), "mean"),
        (lambda D, E: (match(D, E)[0], (D.T @ E).amax(dim=1).mean()), "share a partner"),
        (lambda D, E: match(D, E)[0], "two things"),
    ],
}
