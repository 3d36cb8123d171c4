"""The signals and dictionaries that all solvers get: float32, the same in every run."""

import math
import os
from functools import cache

import torch
from torch import Tensor

from course_utils.arguments import generator
from course_utils.data import natural_patches
from course_utils.dictionary_learning import initial_atoms, online_learning
from course_utils.sparse_coding import (
    active_set,
    decode,
    lasso_objective,
    normalise_atoms,
    omp_atoms,
)

THREADS = int(os.environ["OMP_NUM_THREADS"])  # conftest.py sees to it
PART = float(os.environ.get("BENCH_PART", 1))  # of all sizes: a quick look, no figure to report
SIGNALS, ATOMS, PER_PATCH, LAM = max(3000, int(20_000 * PART)), 256, 5, 0.15


@cache
def gaussian() -> tuple[Tensor, Tensor]:
    """Gaussian signals (N, 64) and atoms (64, 200), both of unit length."""
    draw = generator(0)
    x, D = torch.randn(64, SIGNALS, generator=draw), torch.randn(64, 200, generator=draw)
    return normalise_atoms(x).T.contiguous(), normalise_atoms(D)


@cache
def patches() -> tuple[Tensor, Tensor]:
    """Natural 8x8 patches (N, 64), their means taken off, and 256 atoms learned from them."""
    x = centred(SIGNALS)
    return x, online_learning(x, first_atoms(), k=PER_PATCH)


@cache
def unit_patches() -> tuple[Tensor, Tensor]:
    """Natural patches (N, 64) of unit norm, without flat ones, and 256 atoms learned from them."""
    x = centred(2 * SIGNALS)
    x = x[torch.linalg.vector_norm(x, dim=1) > 0.05][:SIGNALS]
    x = normalise_atoms(x.T).T.contiguous()
    return x, online_learning(x, initial_atoms(x, ATOMS), k=PER_PATCH)


@cache
def first_atoms() -> Tensor:
    """Where all dictionaries start: 256 of the patches themselves."""
    return initial_atoms(centred(SIGNALS), ATOMS)


def centred(n: int, seed: int = 0) -> Tensor:
    """n natural patches (n, 64) without their means."""
    x = natural_patches(n, seed=seed).flatten(1)
    return x - x.mean(dim=1, keepdim=True)


def objective(x: Tensor, D: Tensor, z: Tensor) -> float:
    """The sum of the lasso objectives of all signals, in float64."""
    parts = zip(x.double().split(4096), z.double().split(4096))
    return sum(lasso_objective(a, D.double(), b, LAM).sum().item() for a, b in parts)


@cache
def least_objective(problem, n: int) -> float:
    """The least objective of the first n signals of a problem: float64, relative gap below 1e-8."""
    x, D = problem()
    x, D = x[:n].double(), D.double()
    return lasso_objective(x, D, active_set(x, D, LAM, 1e-8), LAM).sum().item()


def decibels(x: Tensor, found: Tensor) -> float:
    """PSNR in dB on [0, 1]."""
    return -10 * math.log10((x - found).square().mean().item())


def coded_psnr(x: Tensor, D: Tensor) -> float:
    """PSNR of the patches from 5 atoms each, chosen by our OMP."""
    return decibels(x, decode(*omp_atoms(x, D, PER_PATCH), D))
