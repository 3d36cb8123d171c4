"""Shared helpers of the course "From sparse codes to generated images".

One module per subject; notebooks import helpers, helpers never import notebooks.
"""
import sys

if sys.version_info < (3, 10):
    raise ImportError(
        "The course needs Python 3.10 or newer; this is Python {}.{}. Install a newer "
        "Python and run `make lab` again (or create the conda environment of "
        "environment.yml).".format(*sys.version_info[:2])
    )

__all__ = []
