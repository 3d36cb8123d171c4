"""Our solvers and those of others behind one call each, torch tensors in, own results out.

What has to be turned is turned without a copy (signals), or is small (atoms).
"""

import importlib
from functools import partial

import numpy as np
import pytest
import torch
from problems import ATOMS, LAM, PER_PATCH, THREADS
from sklearn.decomposition import MiniBatchDictionaryLearning, sparse_encode
from sklearn.linear_model import Lasso
from torch import Tensor

from course_utils.dictionary_learning import ksvd, mod, online_learning
from course_utils.sparse_coding import active_set, fista, lasso, normalise_atoms, omp, omp_atoms


def peer(name: str):
    """The module of an optional peer; skips the benchmark where there is none."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        pytest.skip(f"{name} cannot be used here ({error}); make bench installs it where it can")


def columns(D: Tensor) -> np.ndarray:
    """Atoms as SPAMS wants them."""
    return np.asfortranarray(D.numpy())


def encode(x: Tensor, D: Tensor, algorithm: str, jobs: int = 1, **options) -> np.ndarray:
    """Codes by scikit-learn, whose atoms are rows."""
    atoms = np.ascontiguousarray(D.T)
    return sparse_encode(x.numpy(), atoms, algorithm=algorithm, n_jobs=jobs, **options)


def spams_omp(x: Tensor, D: Tensor, k: int):
    """Codes (K, N), sparse. Without eps SPAMS stops at what happens to be in its memory."""
    return peer("spams").omp(x.numpy().T, columns(D), L=k, eps=0.0, numThreads=THREADS)


def spams_lasso(x: Tensor, D: Tensor):
    return peer("spams").lasso(x.numpy().T, columns(D), lambda1=LAM, numThreads=THREADS)


def multi_lasso(x: Tensor, D: Tensor, tolerance: float) -> np.ndarray:
    """Coordinate descent of scikit-learn with a tolerance, which sparse_encode does not pass on."""
    atoms = D.numpy()
    options = dict(fit_intercept=False, precompute=atoms.T @ atoms, tol=tolerance)
    return Lasso(LAM / len(atoms), **options).fit(atoms, x.numpy().T).coef_


def spams_learn(x: Tensor, D: Tensor, iterations: int) -> Tensor:
    train = peer("spams").trainDL  # mode 3: k atoms per signal
    options = dict(mode=3, lambda1=PER_PATCH, batchsize=256, numThreads=THREADS, verbose=False)
    start = columns(D).copy(order="F")
    return torch.tensor(train(x.numpy().T, D=start, iter=iterations, **options))


def sklearn_learn(x: Tensor, D: Tensor, epochs: int, jobs: int) -> Tensor:
    options = dict(alpha=0.2, batch_size=256, max_iter=epochs, random_state=0, n_jobs=jobs)
    start = np.ascontiguousarray(D.T)
    learner = MiniBatchDictionaryLearning(ATOMS, dict_init=start, **options)
    return torch.tensor(learner.fit(x.numpy()).components_.T)


def dictlearn_learn(x: Tensor, D: Tensor, rounds: int, method: str) -> Tensor:
    options = dict(fit_algorithm=method, n_nonzero_coefs=PER_PATCH, max_iter=rounds, random_state=0)
    start = D.T.double().numpy()
    learner = peer("dictlearn").DictionaryLearning(ATOMS, dict_init=start, **options)
    return torch.tensor(learner.fit(x.numpy()).components_.T)


def dense(found, D: Tensor) -> Tensor:
    """Codes (N, K) from what a solver returned."""
    if isinstance(found, tuple):
        atoms, weights = found
        return weights.new_zeros(len(weights), D.shape[1]).scatter_add_(1, atoms, weights)
    return torch.as_tensor(found.toarray().T if hasattr(found, "toarray") else found).to(D)


def unit(D: Tensor) -> Tensor:
    """A learned dictionary as ours: float32, unit columns, unused atoms of length zero left out."""
    return normalise_atoms(D[:, torch.linalg.vector_norm(D, dim=0) > 0].float())


def encoder(algorithm: str, jobs: int, option: str, **options):
    """`encode` as a function of (x, D, setting), where the setting is called `option`."""
    return lambda x, D, setting: encode(x, D, algorithm, jobs, **{option: setting}, **options)


OMP = {  # (x, D, k)
    "ours: omp": omp,
    "ours: omp_atoms": omp_atoms,
    "scikit-learn: omp, 1 job": encoder("omp", 1, "n_nonzero_coefs"),
    f"scikit-learn: omp, {THREADS} jobs": encoder("omp", THREADS, "n_nonzero_coefs"),
    "SPAMS: omp": spams_omp,
}

# (x, D, setting), the name of the setting, its ladder from loose to tight (None: there is nothing
# to set).
TOLERANCES = (0.1, 0.05, 0.03, 0.02, 0.015, 0.01, 0.007, 0.005, 0.003, 0.002, 0.001, 1e-4, 1e-5)
SWEEPS = (3, 5, 7, 10, 15, 20, 30, 40, 50, 70, 100, 200, 1000)
LASSO = {
    "ours: lasso": (lambda x, D, t: lasso(x, D, LAM, t), "tolerance", TOLERANCES),
    "ours: fista": (lambda x, D, t: fista(x, D, LAM, 5000, t), "tolerance", TOLERANCES),
    "ours: active_set": (lambda x, D, t: active_set(x, D, LAM, t), "tolerance", TOLERANCES),
    "scikit-learn: Lasso, one fit for all": (multi_lasso, "tol", TOLERANCES),
    "SPAMS: lasso (LARS)": (lambda x, D, _: spams_lasso(x, D), "exact", (None,)),
}
for jobs, words in ((1, "1 job"), (THREADS, f"{THREADS} jobs")):
    descent = encoder("lasso_cd", jobs, "max_iter", alpha=LAM)
    LASSO[f"scikit-learn: lasso_cd, {words}"] = descent, "max_iter", SWEEPS
    lars = lambda x, D, _, jobs=jobs: encode(x, D, "lasso_lars", jobs, alpha=LAM)
    LASSO[f"LARS of scikit-learn, {words}"] = lars, "exact", (None,)

STEPS = (20, 30, 40, 50, 60, 70, 80, 100, 120)
SKLEARN_JOBS = partial(sklearn_learn, jobs=THREADS)
LEARNING = {
    "ours: online_learning": (partial(online_learning, k=PER_PATCH), "steps", STEPS),
    "ours: ksvd": (partial(ksvd, k=PER_PATCH), "rounds", (5, 10, 15, 20)),
    "ours: mod": (partial(mod, k=PER_PATCH), "rounds", (5, 10, 15, 20)),
    "SPAMS: trainDL": (spams_learn, "iterations", (40, 80, 120, 160, 240, 320, 480, 640, 960)),
    "scikit-learn: MiniBatch, 1 job": (partial(sklearn_learn, jobs=1), "epochs", (1, 3)),
    f"scikit-learn: MiniBatch, {THREADS} jobs": (SKLEARN_JOBS, "epochs", (1, 3)),
    "dictlearn: K-SVD": (partial(dictlearn_learn, method="ksvd"), "rounds", (5,)),
    "dictlearn: approximate K-SVD": (partial(dictlearn_learn, method="aksvd"), "rounds", (10,)),
}
