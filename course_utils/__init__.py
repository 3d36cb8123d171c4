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

MOVED = {  # modules of the first edition, and where their content is now
    "course_utils.downloads": "course_utils.data.downloads",
    "course_utils.features": "course_utils.metrics",
    "course_utils.full_size": "course_utils.experiments",
    "course_utils.gpu_cells": "course_tools.record_gpu_cells",
    "course_utils.grading": "course_tools.grading",
    "course_utils.links": "course_tools.links",
    "course_utils.photographs": "course_utils.data",
    "course_utils.publishing": "course_tools.publishing",
    "course_utils.run": "course_tools.run_notebooks",
    "course_utils.setup_cell": "course_tools.setup_cell",
    "course_utils.small_machine": "course_tools.small_machine",
    "course_utils.sources": "course_utils.data.sources",
}


class FirstEdition:
    """The last finder of modules: it is asked only for those that are not there."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:
        """Raise ModuleNotFoundError that names the new place of a first-edition module."""
        if name in MOVED:
            raise ModuleNotFoundError(
                f"{name} is {MOVED[name]} since the second edition (CHANGELOG.md).", name=name
            )


if not any(getattr(finder, "__name__", "") == "FirstEdition" for finder in sys.meta_path):
    sys.meta_path.append(FirstEdition)
