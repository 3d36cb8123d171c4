"""Shared helpers of the course "From sparse codes to generated images".

One module per subject; notebooks import helpers, helpers never import notebooks.
"""
import os
import sys

if sys.version_info < (3, 10):
    raise ImportError(
        "The course needs Python 3.10 or newer; this is Python {}.{}. Install a newer "
        "Python and run `make lab` again (or create the conda environment of "
        "environment.yml).".format(*sys.version_info[:2])
    )

# Before torch is imported: a thread that waits spins for some microseconds, not milliseconds,
# before it sleeps. As fast alone, and several times as fast when two notebooks run at once.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")

__all__ = []
