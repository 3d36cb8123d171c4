"""Dictionary learning: seconds until 5 atoms per patch, chosen by our OMP, give 32.0 dB."""

import time

import pytest
from figures import BUDGET, ENOUGH, LEARNED
from peers import LEARNING, dense, spams_learn, spams_omp, unit
from problems import PER_PATCH, SIGNALS, centred, coded_psnr, decibels, first_atoms

GROUP = f"{LEARNED}, {SIGNALS:,} natural patches"


@pytest.mark.parametrize("solver", LEARNING)
def test_learning(clock, record, solver):
    run, name, ladder = LEARNING[solver]
    x, start = centred(SIGNALS), first_atoms()
    settings = (s for s in ladder[:-1] if coded_psnr(x, unit(run(x, start, s))) >= ENOUGH)
    report(clock, record, solver, run, name, next(settings, ladder[-1]))


def test_spams_with_the_seconds_it_is_known_for(clock, record):
    x, start = centred(SIGNALS), first_atoms()
    spams_learn(x, start, 100)
    begin = time.perf_counter()
    spams_learn(x, start, 100)
    iterations = int(80 / (time.perf_counter() - begin))
    report(clock, record, BUDGET, spams_learn, "iterations", iterations)


def report(clock, record, solver, run, name, setting):
    """Time one setting and put it on the board; those of many seconds run once."""
    x, start = centred(SIGNALS), first_atoms()
    rounds = 1 if solver.startswith(("scikit-learn", "dictlearn")) else 3
    D, seconds, rounds = clock(run, (x, start, setting), (x[:1000], start, 1), rounds)
    D = unit(D)
    psnr = coded_psnr(x, D)
    remark = f"{psnr:.2f} dB, {name} {setting}"
    if solver.startswith("SPAMS"):
        own = decibels(x, dense(spams_omp(x, D, PER_PATCH), D) @ D.T)
        remark += f"; {own:.2f} dB by SPAMS's own omp"
    record(GROUP, solver, seconds, len(x), rounds, psnr, remark, psnr >= ENOUGH)
