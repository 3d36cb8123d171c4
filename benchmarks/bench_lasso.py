"""Lasso at equal objective: each solver's loosest setting within 1e-4 of the minimum."""

import pytest
from figures import lasso_group
from peers import LASSO, dense
from problems import gaussian, least_objective, objective, unit_patches

CASES = {"Gaussian signals": gaussian, "natural patches": unit_patches}
EQUAL = 1e-4  # relative, of the objectives' sum
TRIED = 2000  # signals on which settings are tried


@pytest.mark.parametrize("solver", LASSO)
@pytest.mark.parametrize("case", CASES)
def test_lasso(clock, record, case, solver):
    problem = CASES[case]
    x, D = problem()
    if solver.startswith("LARS"):  # slow
        x = x[:TRIED]
    run, name, ladder = LASSO[solver]

    def gap(found, signals):
        return objective(signals, D, dense(found, D)) / least_objective(problem, len(signals)) - 1

    part = x[:TRIED]  # a little stricter there, so that it holds for all
    settings = (s for s in ladder[:-1] if gap(run(part, D, s), part) < 0.9 * EQUAL)
    setting = next(settings, ladder[-1])
    found, seconds, rounds = clock(run, (x, D, setting), (x[:500], D, setting))
    excess = gap(found, x)
    fair = excess <= EQUAL
    chosen = f"{name} {setting:g}" if setting else name
    remark = f"gap {max(excess, 0):.0e}, {chosen}" + (not fair) * ", TOO FAR"
    record(lasso_group(case), solver, seconds, len(x), rounds, excess, remark, fair)
