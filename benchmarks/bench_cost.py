"""Seconds and memory grow as they should: up to a million patches, coded and decoded in chunks."""

import os
from itertools import count

import pytest
from figures import MANY
from problems import PART, PER_PATCH, centred, patches

from course_tools.peak_memory import PeakMemory
from course_utils.sparse_coding import decode, omp_atoms

CHUNK = 100_000


@pytest.mark.parametrize("signals", [10_000, 30_000, 100_000, 300_000, 1_000_000])
def test_cost(benchmark, record, signals):
    signals = int(signals * PART)
    size = min(signals, CHUNK)
    chunks = -(-signals // size)
    D, seeds = patches()[1], count()

    def code(x):
        return decode(*omp_atoms(x, D, PER_PATCH), D)

    code(centred(size))
    before, memory = PeakMemory(os.getpid()), PeakMemory(os.getpid(), interval=0.01)
    before.stopped.set()
    before.run()  # one sample
    memory.start()
    rounds = max(chunks, 5)
    benchmark.pedantic(code, setup=lambda: ((centred(size, next(seeds)),), {}), rounds=rounds)
    memory.stopped.set()
    memory.join()
    peak = (memory.bytes - before.bytes) / 1e6
    remark = f"{peak:.0f} MB at the peak, above the start"
    seconds = benchmark.stats.stats.median * chunks
    name = f"ours: {signals:,} in {chunks} x {size:,}"
    record(MANY, name, seconds, chunks * size, rounds, peak, remark)
