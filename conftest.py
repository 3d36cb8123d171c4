"""pytest for tests/ and notebooks/: nbval runs the notebooks, tests/nbval_numbers.py compares their numbers."""

pytest_plugins = ["nbval_numbers"]
