"""Plausible wrong answers: check -> [(answer, words that the message must hold)]."""

import random

import numpy as np
import torch


def seeded(x, sigma, seed):
    return x + sigma * torch.randn(x.shape, generator=torch.Generator().manual_seed(seed))


def global_seed(x, sigma, seed):
    torch.manual_seed(seed)
    return x + sigma * torch.randn(x.shape)


def uniform(x, sigma, seed):
    return x + sigma * torch.rand(x.shape, generator=torch.Generator().manual_seed(seed))


def numpy_seed(x, sigma, seed):
    np.random.seed(seed)
    return x + sigma * torch.from_numpy(np.random.standard_normal(x.shape)).float()


def python_seed(x, sigma, seed):
    random.seed(seed)
    return x + sigma * torch.tensor([random.gauss(0, 1) for _ in range(x.numel())]).view(x.shape)


WRONG = {
    "to_unit_range": [
        (lambda p: p[:, None].float() / 256, "255, not 256"),
        (lambda p: p[:, None].float(), "divide by 255"),
        (lambda p: p.float() / 255, "channel axis is missing"),
        (lambda p: p[None].float() / 255, "stands first"),
        (lambda p: p[:, None].float() / p.max(), "largest value of the batch"),
        (lambda p: p[:, None] // 255, "convert to float"),
        (lambda p: p[:, None].float() / 127.5 - 1, "[-1, 1]"),
        (lambda p: p[:, None].numpy() / 255, "expected a torch tensor"),
    ],
    "share_of_zeros": [
        (lambda x: (x == 0).float().mean(), "each image has its own"),
        (lambda x: (x == 0).float().mean().item(), "each image has its own"),
        (lambda x: (x == 0).flatten(1).sum(dim=1), "number of zeros"),
        (lambda x: (x != 0).float().flatten(1).mean(dim=1), "not zero"),
        (lambda x: 100 * (x == 0).float().flatten(1).mean(dim=1), "between 0 and 1"),
        (lambda x: (x == 0).flatten(1).sum(dim=1) / (x.shape[2] * x.shape[3]), "divided by H·W"),
        (lambda x: (x == 0).float().mean(dim=(2, 3)), "each channel"),
        (lambda x: (x == 0).mean(dim=(1, 2, 3)), "raised"),
        (lambda x: x.flatten(1).log().mean(dim=1) * 0, "NaN"),
    ],
    "add_noise": [
        (global_seed, "global random state"),
        (numpy_seed, "global random state"),
        (python_seed, "global random state"),
        (lambda x, sigma, seed: seeded(x, 0.2, seed), "is sigma used"),
        (lambda x, sigma, seed: x + (seeded(x, sigma, seed) - x)[:1], "same noise"),
        (lambda x, sigma, seed: seeded(x, sigma, seed) - x, "do not return it alone"),
        (lambda x, sigma, seed: x + sigma + (seeded(x, 1, seed) - x), "not a shift"),
        (uniform, "uniform from 0 to 1"),
        (
            lambda x, sigma, seed: x + sigma * torch.randn(x.shape),
            "two calls with the same seed differ",
        ),
        (lambda x, sigma, seed: seeded(x, sigma, 0), "the seed is not used"),
        (lambda x, sigma, seed: seeded(x, sigma**2, seed), "standard deviation"),
        (lambda x, sigma, seed: seeded(x, sigma, seed).clamp(0, 1), "do not clip"),
        (lambda x, sigma, seed: seeded(x, sigma, seed)[0], "has shape"),
        (lambda x, sigma, seed: x.add_(seeded(x, sigma, seed) - x), "changed its input"),
    ],
}
