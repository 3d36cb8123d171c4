"""The l1 solvers: at the minimum of scikit-learn, with right gradients and errors that help."""

import math
import warnings

import numpy as np
import pytest
import torch
from scipy.optimize import linprog
from sklearn.linear_model import Lasso

from course_utils.sparse_coding import (
    active_set,
    basis_pursuit,
    coordinate_descent,
    duality_gap,
    fista,
    ista,
    lasso,
    lasso_objective,
    normalise_atoms,
    omp,
)

DICTIONARIES = ["gaussian", "common part", "repeated atoms", "nearly repeated", "few directions"]
EXACT = {
    "ista": lambda x, D, lam: ista(x, D, lam, 5000),
    "fista": lambda x, D, lam: fista(x, D, lam, 20_000 if x.dtype == torch.float64 else 2000, 1e-7),
    "coordinate_descent": lambda x, D, lam: coordinate_descent(x, D, lam, 600),
    "active_set": lambda x, D, lam: active_set(x, D, lam, 1e-7),
    "lasso": lambda x, D, lam: lasso(x, D, lam, 1e-7),
}


@pytest.fixture(autouse=True)
def one_thread():
    """Small tensors: waiting for other threads on a busy machine takes longer than computing."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def random(*shape, seed=0, dtype=torch.float64):
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(shape, dtype=torch.float64, generator=draw).to(dtype)


def dictionary(kind, n, K, seed=0, dtype=torch.float64):
    D = random(n, K, seed=seed)
    if kind == "common part":
        D = D + 3 * random(n, 1, seed=seed + 100)
    elif kind == "repeated atoms":
        D[:, K // 2 : 2 * (K // 2)] = D[:, : K // 2]
    elif kind == "nearly repeated":
        D[:, K // 2 : 2 * (K // 2)] = D[:, : K // 2] + 0.01 * random(n, K // 2, seed=seed + 100)
    elif kind == "few directions":
        D = random(n, 3, seed=seed) @ random(3, K, seed=seed + 100) + 0.1 * D
    return normalise_atoms(D).to(dtype)


def objective(x, D, z, lam):
    x, D, z = x.double(), D.double(), z.detach().double()
    return 0.5 * (x - z @ D.T).square().sum(dim=1) + lam * z.abs().sum(dim=1)


def excess(x, D, z, lam):
    """How far the objective is above the minimum of scikit-learn, relative, at the worst signal."""
    solver = Lasso(lam / x.shape[1], fit_intercept=False, tol=1e-13, max_iter=50_000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        codes = [solver.fit(D.double(), signal).coef_.copy() for signal in x.double()]
    least = objective(x, D, torch.from_numpy(np.stack(codes)), lam)
    return (objective(x, D, z, lam) / least - 1).max()


def problem(kind="gaussian", n=12, K=24, N=4, fraction=0.1, dtype=torch.float64, seed=0):
    D, x = dictionary(kind, n, K, seed, dtype), random(N, n, seed=seed + 1, dtype=dtype)
    return x, D, fraction * (x @ D).abs().max().item()


@pytest.mark.parametrize("solver", ["fista", "active_set", "lasso"])
@pytest.mark.parametrize("kind", DICTIONARIES)
def test_every_signal_reaches_the_minimum_of_scikit_learn(kind, solver):
    for dtype, fractions in [(torch.float64, [0.01, 0.1, 0.9]), (torch.float32, [0.05, 0.5])]:
        for fraction in fractions:
            x, D, lam = problem(kind, fraction=fraction, dtype=dtype)
            z = EXACT[solver](x, D, lam)
            assert excess(x, D, z, lam) < 1e-5 and z.dtype == dtype


@pytest.mark.parametrize("solver", EXACT)
@pytest.mark.parametrize("n, K", [(12, 24), (20, 8), (6, 1), (1, 1)])
def test_tall_wide_and_tiny_problems_reach_the_minimum(n, K, solver):
    for N in (1, 3):
        x, D, lam = problem("gaussian", n, K, N, 0.2)
        assert excess(x, D, EXACT[solver](x, D, lam), lam) < 1e-5


@pytest.mark.parametrize("scale", [1e-4, 1e4])
def test_a_scaled_signal_has_the_scaled_code(scale):
    x, D, lam = problem("common part", dtype=torch.float32)
    for solver in (fista, active_set, lasso):
        z = solver(scale * x, D, scale * lam, tolerance=1e-5)
        assert excess(x, D, z / scale, lam) < 5e-5


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", ["nearly repeated", "few directions"])
def test_active_sets_finish_where_coordinate_descent_crawls(kind, dtype):
    x, D, lam = problem(kind, 16, 40, 4, 0.01, dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        z = active_set(x, D, lam, 1e-5)
    assert excess(x, D, z, lam) < 2e-5  # scikit-learn crawls here as well: ours may be lower
    crawled = coordinate_descent(x, D, lam, 100)
    assert objective(x, D, crawled, lam).sum() > objective(x, D, z, lam).sum()


@pytest.mark.parametrize("solver", EXACT)
def test_above_the_largest_lambda_the_code_is_exactly_zero_and_below_it_is_not(solver):
    x, D, _ = problem("gaussian", N=2, dtype=torch.float32)
    for signal, lam in zip(x.split(1), (x @ D).abs().amax(dim=1).tolist()):
        assert EXACT[solver](signal, D, 1.001 * lam).count_nonzero() == 0
        assert EXACT[solver](signal, D, 0.9 * lam).count_nonzero() > 0
    assert EXACT[solver](torch.zeros(2, 12), D, 0.1).count_nonzero() == 0


def test_each_step_of_ista_lowers_the_objective_and_momentum_lowers_it_more():
    x, D, lam = problem("common part")
    z, before = None, torch.full((4,), math.inf, dtype=torch.float64)
    for _ in range(60):
        z = ista(x, D, lam, 1, z)
        now = lasso_objective(x, D, z, lam)
        assert (now <= before + 1e-12).all()
        before = now
    assert torch.allclose(z, ista(x, D, lam, 60), atol=1e-12)
    for restart in (True, False):
        assert (lasso_objective(x, D, fista(x, D, lam, 60, 0, restart), lam) < now).all()


@pytest.mark.parametrize("kind", DICTIONARIES)
def test_the_duality_gap_bounds_the_distance_to_the_minimum_and_vanishes(kind):
    x, D, lam = problem(kind)
    best = objective(x, D, active_set(x, D, lam, 1e-12), lam)
    for z in (torch.zeros(4, 24).double(), ista(x, D, lam, 50), random(4, 24, seed=3)):
        true = lasso_objective(x, D, z, lam) - best
        assert (duality_gap(x, D, z, lam) >= true - 1e-10).all()
    gap = duality_gap(x, D, active_set(x, D, lam, 1e-12), lam)
    assert (gap < 1e-11 * best).all()


@pytest.mark.parametrize("tolerance", [1e-1, 1e-3, 1e-6])
@pytest.mark.parametrize("solver", [fista, active_set])
def test_a_solver_stops_at_the_gap_that_was_asked_for(solver, tolerance):
    x, D, lam = problem("gaussian", N=30)
    z = solver(x, D, lam, tolerance=tolerance)
    gap, value = duality_gap(x, D, z, lam), lasso_objective(x, D, z, lam)
    assert (gap <= 1.001 * tolerance * value).all()
    if tolerance > 1e-2:  # and not much further
        assert gap.mean() > 1e-4 * value.mean()


def test_a_masked_signal_gets_the_code_of_its_known_numbers():
    """The rows of D and x where the mask is 1 make a lasso problem of their own."""
    x, D, lam = problem("gaussian", N=1)
    known = torch.ones(1, 12, dtype=torch.float64)
    known[0, [1, 4, 5]] = 0
    rows = known[0] > 0
    z = fista(x, D, lam, 5000, 1e-10, mask=known)
    assert excess(x[:, rows], D[rows], z, lam) < 1e-6
    hidden = torch.where(rows, x, 1e6)
    assert torch.equal(fista(hidden, D, lam, 5000, 1e-10, mask=known > 0), z)
    assert fista(x, D, lam, mask=torch.zeros_like(x)).count_nonzero() == 0


@pytest.mark.parametrize("n, K", [(6, 20), (8, 8), (1, 5)])
def test_basis_pursuit_finds_the_smallest_l1_norm_of_linear_programming(n, K):
    D, x = dictionary("gaussian", n, K), random(5, n, seed=2)
    z = basis_pursuit(x, D, 20_000)
    assert (z @ D.T - x).abs().max() < 1e-9
    for signal, code in zip(x, z):
        program = linprog(np.ones(2 * K), A_eq=torch.hstack([D, -D]).numpy(), b_eq=signal.numpy())
        assert code.abs().sum().item() == pytest.approx(program.fun, rel=1e-4)
    assert basis_pursuit(torch.zeros_like(x), D).count_nonzero() == 0


DIFFERENTIABLE = {
    "ista": lambda x, D, lam: ista(x, D, lam, 7),
    "fista": lambda x, D, lam: fista(x, D, lam, 9, tolerance=0),
    "masked fista": lambda x, D, lam: fista(x, D, lam, 9, 0, mask=random(*x.shape) > -1),
    "omp": lambda x, D, lam: omp(x, D, k=2),
    "omp by error": lambda x, D, lam: omp(x, D, error=1.0),
    "active_set": lambda x, D, lam: active_set(x, D, lam, 1e-13),
    "lasso": lambda x, D, lam: lasso(x, D, lam, 1e-11),
}


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_gradients_with_respect_to_signals_and_atoms_are_right(name):
    x, D, lam = problem("gaussian", 6, 10, 3, 0.3)
    code = lambda x, D: DIFFERENTIABLE[name](x, normalise_atoms(D), lam)
    assert torch.autograd.gradcheck(code, (x.requires_grad_(), (2 * D).requires_grad_()))


FAST = [lambda x, D, lam: active_set(x, D, lam), lambda x, D, lam: omp(x, D, 6)]


@pytest.mark.parametrize("solve", FAST)
@pytest.mark.parametrize("kind", DICTIONARIES)
def test_asking_for_gradients_does_not_change_the_code(kind, solve):
    for dtype in (torch.float32, torch.float64):
        x, D, lam = problem(kind, N=50, fraction=0.02, dtype=dtype)
        signals = x.clone().requires_grad_()
        followed = solve(signals, D, lam)
        assert torch.equal(followed, solve(x, D, lam))
        followed.square().sum().backward()
        assert torch.isfinite(signals.grad).all() and signals.grad.abs().sum() > 0


def test_a_zero_code_has_a_zero_gradient():
    x, D, lam = problem(fraction=2)
    x.requires_grad_()
    for z in (active_set(x, D, lam), fista(x, D, lam), omp(x, D, error=1e3)):
        (gradient,) = torch.autograd.grad(z.sum() + 0 * x.sum(), x)
        assert gradient.count_nonzero() == 0


def test_normalised_atoms_have_length_one_and_keep_their_direction():
    D = 5 * random(4, 6)
    assert torch.allclose(normalise_atoms(D).norm(dim=0), torch.ones(6, dtype=torch.float64))
    assert torch.allclose(normalise_atoms(D) * D.norm(dim=0), D)


@pytest.mark.parametrize("solve", [*FAST, fista])
def test_codes_do_not_depend_on_threads_or_on_the_run(solve):
    x, D, lam = problem("gaussian", 16, 40, 200, 0.2, torch.float32)
    codes = []
    for count in (1, 2, 2):
        torch.set_num_threads(count)
        codes.append(solve(x, D, lam))
    assert torch.equal(codes[1], codes[2])
    assert torch.equal(codes[0] != 0, codes[1] != 0)
    assert torch.allclose(codes[0], codes[1], atol=1e-5)


X, D = random(3, 4, seed=1, dtype=torch.float32), dictionary("gaussian", 4, 6, dtype=torch.float32)
SOLVERS = {
    "ista": ista,
    "fista": fista,
    "coordinate_descent": coordinate_descent,
    "active_set": active_set,
    "lasso": lasso,
    "lasso_objective": lambda x, D, lam: lasso_objective(x, D, torch.zeros(3, 6), lam),
    "duality_gap": lambda x, D, lam: duality_gap(x, D, torch.zeros(3, 6), lam),
    "basis_pursuit": lambda x, D, lam: basis_pursuit(x, D),
    "omp": lambda x, D, lam: omp(x, D, 2),
}
BAD = [
    ({"D": torch.cat([D, torch.zeros(4, 1)], dim=1)}, ValueError, "Column 6 of D is zero"),
    ({"D": 2 * D}, ValueError, "normalise_atoms"),
    ({"D": normalise_atoms(random(6, 4).float())}, ValueError, "D looks transposed, try D.T"),
    ({"D": normalise_atoms(random(5, 7).float())}, ValueError, "Signals have 4 numbers.*have 5\\."),
    ({"D": D / 0}, ValueError, "D holds NaN or infinite"),
    ({"D": D.double()}, TypeError, "not of one dtype.*: x.to.D.dtype"),
    ({"D": D[:, 0]}, ValueError, "atoms as columns"),
    ({"x": X[0]}, ValueError, "signals as rows.*x\\[None\\]"),
    ({"x": X.view(3, 1, 2, 2)}, ValueError, "x.flatten\\(1\\)"),
    ({"x": X[:0]}, ValueError, "no signal"),
    ({"x": X.numpy()}, TypeError, "x is a ndarray; expected a tensor"),
    ({"x": X.int()}, TypeError, "x holds torch.int32; expected floats"),
]


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize("given, error, message", BAD)
def test_a_bad_signal_or_dictionary_gets_an_error_that_says_what_to_do(name, given, error, message):
    with pytest.raises(error, match=message):
        SOLVERS[name](**{"x": X, "D": D, "lam": 0.1} | given)


@pytest.mark.parametrize("name", list(SOLVERS)[:7])
@pytest.mark.parametrize("lam", [-0.1, math.nan])
def test_a_weight_that_is_negative_or_not_finite_is_refused(name, lam):
    with pytest.raises(ValueError, match="lam is .* at least 0"):
        SOLVERS[name](X, D, lam)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: normalise_atoms(torch.zeros(3, 2)), "Column 0 of D is zero"),
        (lambda: ista(X, D, 0.1, steps=-1), "steps is -1"),
        (lambda: fista(X, D, 0.1, steps=1.5), "steps is 1.5; expected a whole number"),
        (lambda: basis_pursuit(X, D[:, :3]), "rows of D are not independent"),
        (lambda: active_set(X, D, 0), "lstsq"),
        (lambda: active_set(X, D, 0.1, math.nan), "tolerance is nan"),
        (lambda: lasso(X, D, 0.1, -1.0), "tolerance is -1"),
        (lambda: fista(X, D, 0.1, mask=torch.full((3, 4), 0.5)), "other numbers than 0 and 1"),
    ],
)
def test_other_bad_input_gets_an_error_that_says_what_was_expected(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("scale", [1e20, 1e-20])
@pytest.mark.parametrize("name", [*list(SOLVERS)[:5], "omp", "basis_pursuit"])
def test_signals_whose_squares_leave_the_range_are_refused_and_the_remedy_helps(name, scale):
    x, lam = scale * X, 0.1 * scale
    with pytest.raises(ValueError, match="squares (overflow|vanish)"):
        SOLVERS[name](x, D, lam)
    largest = x.abs().max().item()
    codes = SOLVERS[name](x / largest, D, lam / largest) * largest
    expected = SOLVERS[name](X.double(), D.double(), 0.1)
    assert (codes.double() / scale - expected).abs().max() < 1e-3 * expected.abs().max()


def test_a_signal_that_does_not_get_there_is_told(monkeypatch):
    monkeypatch.setattr("course_utils.sparse_coding.coordinates._ROUNDS", 2)
    with pytest.warns(UserWarning, match="4 signals did not reach"):
        active_set(*problem(fraction=0.01), 1e-8)
