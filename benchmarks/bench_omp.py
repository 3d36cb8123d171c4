"""Orthogonal matching pursuit: signals per second at the same number of atoms.

SPAMS's omp is a forward selection (orthogonal least squares): it takes the atom that leaves
the smallest residual after refitting, so its atoms differ and it leaves slightly less.
"""

import pytest
from figures import omp_group
from peers import OMP, dense
from problems import gaussian, patches

CASES = {
    "Gaussian signals, 5 atoms": (gaussian, 5),
    "Gaussian signals, 10 atoms": (gaussian, 10),
    "natural patches, 5 atoms": (patches, 5),
}


@pytest.mark.parametrize("solver", OMP)
@pytest.mark.parametrize("case", CASES)
def test_omp(clock, record, case, solver):
    problem, k = CASES[case]
    x, D = problem()
    found, seconds, rounds = clock(OMP[solver], (x, D, k), (x[:1000], D, k))
    z = dense(found, D)
    assert (z != 0).sum(dim=1).max() <= k
    left = ((x - z @ D.T).square().sum() / x.square().sum()).item()
    other = ", by other atoms (forward selection)" if "SPAMS" in solver else ""
    remark = f"leaves {left:.2%} of the energy{other}"
    record(omp_group(case), solver, seconds, len(x), rounds, left, remark)
