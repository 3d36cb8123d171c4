"""Plausible wrong answers: check -> [(answer, words that the message must hold)]."""

import random

import numpy as np
import torch


def noise(x, seed):
    return torch.randn(x.shape, generator=torch.Generator().manual_seed(seed))


def global_seed(x, sigma, seed):
    torch.manual_seed(seed)
    return x + sigma * torch.randn(x.shape)


def numpy_seed(x, sigma, seed):
    np.random.seed(seed)
    return x + sigma * torch.from_numpy(np.random.standard_normal(x.shape)).float()


def python_seed(x, sigma, seed):
    random.seed(seed)
    return x + sigma * torch.tensor([random.gauss(0, 1) for _ in range(x.numel())]).view(x.shape)


def uniform(x, sigma, seed):
    return x + sigma * torch.rand(x.shape, generator=torch.Generator().manual_seed(seed))


WRONG = {
    "add_noise": [
        (global_seed, "global random state"),
        (numpy_seed, "global random state"),
        (python_seed, "global random state"),
        (lambda x, sigma, seed: x + sigma * torch.randn(x.shape), "two calls with the same seed"),
        (lambda x, sigma, seed: x + sigma * noise(x, 0), "use the seed"),
        (lambda x, sigma, seed: x + 0.2 * noise(x, seed), "use sigma"),
        (lambda x, sigma, seed: x + sigma**2 * noise(x, seed), "standard deviation"),
        (lambda x, sigma, seed: x + sigma + noise(x, seed), "sigma multiplies"),
        (lambda x, sigma, seed: x + sigma * noise(x, seed)[:1], "same noise"),
        (lambda x, sigma, seed: sigma * noise(x, seed), "x plus noise"),
        (lambda x, sigma, seed: (x + sigma * noise(x, seed)).clamp(0, 1), "do not clip"),
        (lambda x, sigma, seed: (x + sigma * noise(x, seed))[0], "the shape of x"),
        (lambda x, sigma, seed: x.add_(sigma * noise(x, seed)), "changed its input"),
        (uniform, "not torch.rand"),
    ],
}
