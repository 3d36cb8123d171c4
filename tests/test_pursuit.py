"""OMP: the atoms and weights of scikit-learn, batches and chunks, edge cases."""

import math

import numpy as np
import pytest
import torch
from sklearn.linear_model import orthogonal_mp
from test_sparse_coding import one_thread, random  # noqa: F401 (a fixture for every test here)

from course_utils.sparse_coding import normalise_atoms, omp, omp_atoms

TYPES = [torch.float32, torch.float64]


def planted(N, n, K, atoms, dtype=torch.float64, seed=0):
    """Signals of a few atoms with weights from 1 to 2, their codes, and the dictionary."""
    D = normalise_atoms(random(n, K, seed=seed)).to(dtype)
    places = random(N, K, seed=seed + 1).argsort(dim=1)[:, :atoms]
    weights = random(N, atoms, seed=seed + 2)
    weights = (weights.sign() * (1 + weights.abs().clamp_max(1))).to(dtype)
    z = torch.zeros(N, K, dtype=dtype).scatter(1, places, weights)
    return z @ D.T, D, z


def theirs(x, D, **stop):
    codes = orthogonal_mp(D.double().numpy(), x.double().numpy().T, **stop)
    return torch.from_numpy(np.asarray(codes).reshape(D.shape[1], len(x)).T).to(x)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("k", [1, 8])
def test_k_atoms_are_those_of_scikit_learn_with_their_weights(k, dtype):
    D, x = normalise_atoms(random(20, 50)).to(dtype), random(30, 20, seed=5, dtype=dtype)
    z, expected = omp(x, D, k), theirs(x, D, n_nonzero_coefs=k)
    assert torch.equal(z != 0, expected != 0)
    assert torch.allclose(z, expected, atol=1e-4 if dtype == torch.float32 else 1e-10)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("error", [0.3, 3.0])
def test_stopping_by_error_is_that_of_scikit_learn(error, dtype):
    D, x = normalise_atoms(random(20, 50)).to(dtype), random(30, 20, seed=5, dtype=dtype)
    z, expected = omp(x, D, error=error), theirs(x, D, tol=error**2)
    expected[x.norm(dim=1) <= error] = 0  # theirs takes one atom at least
    assert torch.equal(z != 0, expected != 0)
    assert torch.allclose(z, expected, atol=1e-3 if dtype == torch.float32 else 1e-9)
    assert ((x - z @ D.T).norm(dim=1) <= error * (1 + 1e-5)).all()
    both = omp(x, D, 3, error)
    assert (both != 0).sum(dim=1).tolist() == (z != 0).sum(dim=1).clamp_max(3).tolist()


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("scale", [1e-4, 1, 1e4])
def test_planted_atoms_are_found_at_every_scale_and_nothing_else(scale, dtype):
    x, D, z = planted(40, 64, 96, 3, dtype)
    for found in (omp(scale * x, D, 3), omp(scale * x, D, 10), omp(scale * x, D, error=0)):
        assert torch.allclose(found, scale * z, atol=2e-4 * scale)
        assert torch.equal(found != 0, z != 0)


@pytest.mark.parametrize("stop", [{"k": 3}, {"error": 1.0}])
def test_a_signal_gets_the_same_code_alone_and_in_a_batch_of_many_chunks(stop):
    D, x = normalise_atoms(random(8, 4096)), random(600, 8, seed=5)
    x[250:270] *= 0.1  # around the border of the first chunk: other numbers of atoms
    together = omp(x, D, **stop)
    for i in (0, 100, 255, 256, 260, 511, 512, 599):
        assert torch.allclose(omp(x[i : i + 1], D, **stop)[0], together[i], atol=1e-10)


@pytest.mark.parametrize("dtype", TYPES)
def test_flat_signals_take_no_atom_whether_alone_or_among_others(dtype):
    D = normalise_atoms(random(8, 12)).to(dtype)
    assert omp(torch.zeros(3, 8, dtype=dtype), D, 4).count_nonzero() == 0
    assert omp_atoms(torch.zeros(3, 8, dtype=dtype), D, error=0)[0].shape == (3, 0)
    x = random(6, 8, seed=1, dtype=dtype)
    x[[1, 4]] = 0
    z = omp(x, D, 4)
    assert (z != 0).sum(dim=1).tolist() == [4, 0, 4, 4, 0, 4]
    assert torch.equal(omp(x[[0]], D, 4) != 0, z[[0]] != 0)


@pytest.mark.parametrize("dtype", TYPES)
def test_an_atom_that_is_repeated_is_taken_once(dtype):
    half, x = normalise_atoms(random(8, 6)).to(dtype), random(10, 8, seed=3, dtype=dtype)
    z = omp(x, torch.cat([half, half, -half], dim=1), 10)
    assert torch.isfinite(z).all()
    assert ((z != 0).view(10, 3, 6).sum(dim=1) <= 1).all()
    expected = torch.linalg.lstsq(half.double(), x.double().T).solution.T  # all six: the best
    assert torch.allclose((z[:, :6] + z[:, 6:12] - z[:, 12:]).double(), expected, atol=1e-4)


@pytest.mark.parametrize("n, K", [(3, 20), (20, 3), (1, 1)])
def test_more_atoms_than_numbers_end_in_an_exact_or_best_fit(n, K):
    D, x = normalise_atoms(random(n, K)), random(7, n, seed=3)
    z = omp(x, D, K)
    assert ((z != 0).sum(dim=1) <= min(n, K)).all()
    best = torch.linalg.lstsq(D, x.T).solution.T
    assert ((x - z @ D.T).norm(dim=1) <= (x - best @ D.T).norm(dim=1) + 1e-6).all()


@pytest.mark.parametrize(
    "stop, message",
    [
        ({}, "Say when to stop"),
        ({"k": 13}, "k is 13; expected a whole number from 1 to 12"),
        ({"k": 2.0}, "k is 2.0; expected a whole number"),
        ({"k": 2, "error": -0.1}, "error is -0.1"),
        ({"error": math.nan}, "error is nan"),
    ],
)
def test_a_stop_that_makes_no_sense_is_refused(stop, message):
    with pytest.raises(ValueError, match=message):
        omp(random(3, 8), normalise_atoms(random(8, 12)), **stop)
