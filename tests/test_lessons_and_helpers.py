"""What a notebook builds is what course_utils holds: the two against each other."""
import ast
import pathlib

import nbformat
import numpy as np
import pytest
import pywt
import torch

from course_utils import metrics, sparse_coding, wavelets

ROOT = pathlib.Path(__file__).resolve().parent.parent


def functions_of(name):
    """The functions that a notebook defines, by name, without running anything else of it."""
    notebook = nbformat.read(ROOT / "notebooks" / name, as_version=4)
    program = ast.parse("\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code"))
    space = {"torch": torch, "np": np, "pywt": pywt, "subbands": wavelets.subbands}
    for node in program.body:
        if isinstance(node, ast.FunctionDef):
            exec(compile(ast.Module([node], []), name, "exec"), space)
    return space


LESSON = functions_of("01_sparse_representation.ipynb")
X = torch.rand(3, 1, 32, 32, generator=torch.Generator().manual_seed(0))
Z = torch.randn(3, 1, 8, 8, generator=torch.Generator().manual_seed(1))
PAIRS = {
    "dct_matrix": (lambda f: f(16).float(), wavelets.dct_matrix),
    "wavelet_matrix": (lambda f: f(24, "db4", torch.float32), wavelets.wavelet_matrix),
    "wavelet2": (lambda f: f(X, "db4", 3), wavelets.wavelet2),
    "inverse_wavelet2": (lambda f: f(X, "db4", 3), wavelets.inverse_wavelet2),
    "keep_largest": (lambda f: f(Z, 10), sparse_coding.keep_largest),
    "hard_threshold": (lambda f: f(Z, 0.5), sparse_coding.hard_threshold),
    "soft_threshold": (lambda f: f(Z, 0.5), sparse_coding.soft_threshold),
    "psnr": (lambda f: f(X, X.flip(0)), metrics.psnr),
    "bayes_shrink": (lambda f: f(X, 0.1), wavelets.bayes_shrink),
    "cycle_spin": (lambda f: f(lambda y: wavelets.bayes_shrink(y, 0.1), X, 3), wavelets.cycle_spin),
}


@pytest.mark.parametrize("name", PAIRS)
def test_the_lesson_and_the_helper_compute_the_same(name):
    call, helper = PAIRS[name]
    assert torch.allclose(call(LESSON[name]), call(helper), atol=1e-6)


def test_every_helper_built_in_notebook_01_is_held_against_it():
    modules = (wavelets, sparse_coding, metrics)
    built = {n for m in modules for n in m.__all__ if n in LESSON and callable(LESSON[n])}
    assert built - {"subbands"} == set(PAIRS)


def test_the_haar_transform_of_the_lesson_is_the_deepest_wavelet_transform():
    x = torch.rand(5, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    W = torch.eye(16, dtype=torch.float64)
    for level in range(4):
        n = 16 >> level
        step = torch.eye(16, dtype=torch.float64)
        step[:n, :n] = wavelets.wavelet_matrix(n, "haar", torch.float64)
        W = step @ W
    assert torch.allclose(LESSON["haar"](x), x @ W.T)
