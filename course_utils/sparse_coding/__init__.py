"""Sparse coding: signals x (N, n) as few atoms of a dictionary D (n, K), codes z (N, K).

Thresholds, the l1 problem (lasso) by proximal steps and by coordinates, greedy pursuit.
All batched over signals, float32 or float64, on any device. Built in notebooks 01 and 02.
"""

from course_utils.sparse_coding.coordinates import active_set, coordinate_descent
from course_utils.sparse_coding.problem import decode, duality_gap, lasso_objective, normalise_atoms
from course_utils.sparse_coding.proximal import basis_pursuit, fista, ista, lasso
from course_utils.sparse_coding.pursuit import omp, omp_atoms
from course_utils.sparse_coding.thresholds import hard_threshold, keep_largest, soft_threshold

__all__ = [
    "active_set",
    "basis_pursuit",
    "coordinate_descent",
    "decode",
    "duality_gap",
    "fista",
    "hard_threshold",
    "ista",
    "keep_largest",
    "lasso",
    "lasso_objective",
    "normalise_atoms",
    "omp",
    "omp_atoms",
    "soft_threshold",
]
