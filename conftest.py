"""pytest and nbval for tests/ and notebooks/ (nbval collects notebooks only when asked to)."""


def pytest_collectstart(collector):
    """Progress bars and warnings go to stderr: they are no part of a compared output."""
    if hasattr(collector, "skip_compare"):
        collector.skip_compare += ("stderr",)
