"""What keeps the course: nobody who reads a lesson needs it, and no lesson imports it.

lessons           the list of lessons; course_files: which files belong to the course
run_notebooks     execute notebooks, refresh their outputs, seconds and memory (make run)
record_gpu_cells  run the GPU cells and record their results
links, setup_cell the repository's address in badges, links and the set-up cell
grading           run a class's notebooks apart and mark them
publishing        website, slides, editions, offline pack (make site, slides, editions, pack)

It imports `course_utils`, never the other way round (tests/test_layers.py), and is not installed
with the course: its commands run from the root of the repository.
"""

import sys

__all__ = []

if hasattr(sys.stdout, "reconfigure"):  # a name such as 李雷 must not end a command on Windows
    sys.stdout.reconfigure(errors="backslashreplace")
