"""What only a GPU can run in minutes: the experiments behind the GPU cells, one module per subject.

`python -m course_tools.record_gpu_cells` runs and records them; without a GPU the notebooks show the records.
"""
__all__ = []
