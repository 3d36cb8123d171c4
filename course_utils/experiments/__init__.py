"""What only a GPU can run in minutes: the experiments behind the GPU cells, one module per subject.

`make record` runs and records them; the notebooks show the records (`course_utils.gpu_cell`).
"""

__all__ = []
