"""pytest for tests/ and notebooks/: nbval runs notebooks, tests/nbval_numbers.py compares them."""

pytest_plugins = ["nbval_numbers"]
