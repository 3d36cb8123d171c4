"""What a notebook builds is what course_utils holds: the two against each other."""

import ast
import functools
import itertools
import math
import pathlib
from contextlib import contextmanager

import nbformat
import numpy as np
import pytest
import pywt
import torch
from scipy import stats
from torch import nn
from torch.nn import functional as F
from torch.nn.functional import fold, normalize, unfold

from course_utils import (
    activations,
    autoencoders,
    compression,
    dictionary_learning,
    distributed,
    gans,
    losses,
    metrics,
    patches,
    project,
    sparse_coding,
    sparse_gans,
    vaes,
    wavelets,
)

ROOT = pathlib.Path(__file__).resolve().parent.parent


@functools.cache
def functions_of(name):
    """The functions and classes that a notebook defines, by name, without running anything else of it."""
    notebook = nbformat.read(ROOT / "notebooks" / name, as_version=4)
    program = ast.parse(
        "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    )
    space = {
        "torch": torch,
        "np": np,
        "pywt": pywt,
        "subbands": wavelets.subbands,
        "fold": fold,
        "unfold": unfold,
        "normalize": normalize,
        "soft_threshold": sparse_coding.soft_threshold,
        "extract_patches": patches.extract_patches,
        "average_patches": patches.average_patches,
        "omp_atoms": sparse_coding.omp_atoms,
        "decode": sparse_coding.decode,
        "online_learning": dictionary_learning.online_learning,
        "nn": nn,
        "F": F,
        "math": math,
        "itertools": itertools,
        "stats": stats,
        "contextmanager": contextmanager,
        "psnr": metrics.psnr,
        "TopK": autoencoders.TopK,
        "Parts": project.Parts,
        "Comparison": project.Comparison,
        "to_gan_range": gans.to_gan_range,
        "from_gan_range": gans.from_gan_range,
    }
    given = set(space)
    for node in program.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            try:
                exec(compile(ast.Module([node], []), name, "exec"), space)
            except (
                NameError
            ):  # a default value, or a class it is made from, that other cells would have set
                continue
            given.discard(node.name)
    return {key: value for key, value in space.items() if key not in given}


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


X = torch.rand(3, 1, 32, 32, generator=torch.Generator().manual_seed(0))
Z = torch.randn(3, 1, 8, 8, generator=torch.Generator().manual_seed(1))
D = sparse_coding.normalise_atoms(draw(12, 20))
SIGNALS = draw(30, 12, seed=1)
ATOMS, WEIGHTS = sparse_coding.omp_atoms(SIGNALS, D, 3)
CODES = sparse_coding.omp(SIGNALS, D, 3)
MASK = (draw(30, 12, seed=2) > 0).double()
ZZ, XZ = CODES.T @ CODES, SIGNALS.T @ CODES
MORE = sparse_coding.decode(draw(300, 20, seed=3).argsort(dim=1)[:, :4], draw(300, 4, seed=4), D)
MORE_ATOMS, MORE_WEIGHTS = sparse_coding.omp_atoms(MORE, D, 3)
MORE_CODES = sparse_coding.omp(MORE, D, 3)
NOISY = (X + 0.1 * Z.repeat(1, 1, 4, 4)).clamp(0, 1)
COSINES = dictionary_learning.cosine_atoms(1)


def seeded(function, *arguments):
    """The result of a function that draws random weights, always the same ones."""
    torch.manual_seed(0)
    return function(*arguments)


def made(module, *settings, x=SIGNALS.float()):
    """What a module with these settings makes of x, its weights drawn with a seed."""
    return seeded(module, *settings)(x)


def sparse_terms(sparse_autoencoder, atoms, topk, loss):
    """The three terms of a sparse autoencoder of which most units are dead."""
    model = seeded(lambda: sparse_autoencoder(nn.Linear(12, 40), atoms(40, 12), topk(3), 40))
    model.silent += 40
    return torch.stack([value.detach() for value in loss(model, SIGNALS.float(), 0.5).values()])


def curved(x):
    """A score that is not linear."""
    return x.square().sum(dim=1).sin()


def bound(autoencoder, terms):
    """The terms of a variational autoencoder with seeded weights and draws."""
    model = seeded(lambda: autoencoder(nn.Linear(12, 6), nn.Linear(3, 12), 3, 0.2))
    return torch.stack(
        [value.detach() for value in seeded(terms, model, SIGNALS.float(), 0.5).values()]
    )


class Prior(sparse_gans.CodePrior):
    """A mixture whose numbers are not those of a new one."""

    def __init__(self):
        super().__init__(3, 6)
        self.shares.copy_(torch.tensor([0.2, 0.3, 0.5]))
        self.means.copy_(draw(3, 6, seed=8))
        self.factors.copy_(draw(3, 6, 6, seed=9).tril())


def loaded(prior, model):
    """A new prior with the numbers of `model`."""
    copied = prior(3, 6)
    copied.load_state_dict(model.state_dict())
    return copied


def held(hold):
    """The price of a decoder that plays, where another autoencoder made the code."""
    model = seeded(
        lambda: autoencoders.SparseAutoencoder(
            autoencoders.ConvEncoder(6, 4), DECODER, autoencoders.NoSparsity(), 6
        )
    ).eval()
    return hold(sparse_gans.CodeGenerator(PRIOR, DECODER), model, 30.0)(
        None, 2 * X[:, :, :28, :28] - 1
    )


def doubled(replaced):
    """A network whose first layer gives twice what it would."""
    network = seeded(lambda: nn.Sequential(nn.Linear(40, 5), nn.Tanh()))
    with replaced(network, network[0], lambda output: 2 * output):
        return network(A)


def darker(x, generator):
    """A degradation with chance in it."""
    return x * torch.rand(len(x), 1, 1, 1, generator=generator)


def tiny():
    return nn.Sequential(nn.Flatten(), nn.Linear(1024, 1024), nn.Unflatten(1, (1, 32, 32)))


def numbers_of(comparison):
    return torch.tensor(
        [
            comparison.difference,
            *comparison.per_seed,
            *comparison.over_seeds,
            *comparison.over_images,
        ]
    )


A = draw(30, 40, seed=5).float()
PRIOR, NOISE = Prior(), draw(50, 7, seed=10).float()
DECODER = seeded(lambda: autoencoders.ConvDecoder(6, 4)).eval()
MANY, GROUPS, SCORES = (
    draw(40, 1, 32, 32, seed=11).float().sigmoid(),
    torch.arange(40) // 4,
    draw(4, 50, seed=12).float(),
)
IMAGE_FILTERS = draw(4, 1, 4, 4, seed=7).float()
LIBRARY = (
    autoencoders.SparseAutoencoder,
    autoencoders.UnitNormDecoder,
    autoencoders.TopK,
    autoencoders.sparse_loss,
)
MAPS = draw(6, 4, 5, 5, seed=6).float()
ACTIVITY = A.sigmoid()

# notebook -> (how to call the function of the lesson, how to get what the helper gives)
PAIRS = {
    "01_sparse_representation.ipynb": {
        "dct_matrix": (lambda f: f(16).float(), lambda: wavelets.dct_matrix(16)),
        "wavelet_matrix": (
            lambda f: f(24, "db4", torch.float32),
            lambda: wavelets.wavelet_matrix(24, "db4"),
        ),
        "wavelet2": (lambda f: f(X, "db4", 3), lambda: wavelets.wavelet2(X, "db4", 3)),
        "inverse_wavelet2": (
            lambda f: f(X, "db4", 3),
            lambda: wavelets.inverse_wavelet2(X, "db4", 3),
        ),
        "keep_largest": (lambda f: f(Z, 10), lambda: sparse_coding.keep_largest(Z, 10)),
        "hard_threshold": (lambda f: f(Z, 0.5), lambda: sparse_coding.hard_threshold(Z, 0.5)),
        "soft_threshold": (lambda f: f(Z, 0.5), lambda: sparse_coding.soft_threshold(Z, 0.5)),
        "psnr": (lambda f: f(X, X.flip(0)), lambda: metrics.psnr(X, X.flip(0))),
        "bayes_shrink": (lambda f: f(X, 0.1), lambda: wavelets.bayes_shrink(X, 0.1)),
        "cycle_spin": (
            lambda f: f(lambda y: wavelets.bayes_shrink(y, 0.1), X, 3),
            lambda: wavelets.cycle_spin(lambda y: wavelets.bayes_shrink(y, 0.1), X, 3),
        ),
    },
    "02_sparse_coding.ipynb": {
        "lasso_objective": (
            lambda f: f(SIGNALS, D, CODES, 0.2),
            lambda: sparse_coding.lasso_objective(SIGNALS, D, CODES, 0.2),
        ),
        "duality_gap": (
            lambda f: f(SIGNALS, D, CODES, 0.2),
            lambda: sparse_coding.duality_gap(SIGNALS, D, CODES, 0.2),
        ),
        "ista": (lambda f: f(SIGNALS, D, 0.2, 30), lambda: sparse_coding.ista(SIGNALS, D, 0.2, 30)),
        "fista": (
            lambda f: f(SIGNALS * MASK, D, 0.2, 30, mask=MASK),
            lambda: sparse_coding.fista(SIGNALS, D, 0.2, 30, tolerance=0, mask=MASK),
        ),
        "coordinate_descent": (
            lambda f: f(SIGNALS, D, 0.2, 6),
            lambda: sparse_coding.coordinate_descent(SIGNALS, D, 0.2, 6),
        ),
        "omp_one": (
            lambda f: torch.stack([f(x, D, 4) for x in SIGNALS]),
            lambda: sparse_coding.omp(SIGNALS, D, 4),
        ),
        "basis_pursuit": (lambda f: f(SIGNALS, D), lambda: sparse_coding.basis_pursuit(SIGNALS, D)),
        "overcomplete_dct": (
            lambda f: f(8, 12),
            lambda: dictionary_learning.overcomplete_dct(8, 12),
        ),
        "extract_patches": (lambda f: f(X, 8, 4), lambda: patches.extract_patches(X, 8, 4)),
        "average_patches": (
            lambda f: f(patches.extract_patches(X, 8, 4).square(), X.shape, 8, 4),
            lambda: patches.average_patches(
                patches.extract_patches(X, 8, 4).square(), X.shape, 8, 4
            ),
        ),
    },
    "03_dictionary_learning.ipynb": {
        "mod_update": (
            lambda f: f(MORE, MORE_CODES),
            lambda: dictionary_learning.mod_update(MORE, D, MORE_ATOMS, MORE_WEIGHTS),
        ),
        "ksvd_update": (
            lambda f: f(MORE, D, MORE_CODES)[0],
            lambda: dictionary_learning.ksvd_update(MORE, D, MORE_ATOMS, MORE_WEIGHTS)[0],
        ),
        "online_update": (
            lambda f: f(D, ZZ, XZ),
            lambda: dictionary_learning.online_update(D, ZZ, XZ),
        ),
        "denoise_patches": (
            lambda f: f(NOISY[:1], COSINES, 0.1),
            lambda: dictionary_learning.denoise(NOISY[:1], 0.1, COSINES),
        ),
        "learn_on": (
            lambda f: patches_denoised(f(NOISY[:1], 0.1, COSINES)),
            lambda: dictionary_learning.denoise(NOISY[:1], 0.1),
        ),
    },
    "04_autoencoders.ipynb": {
        "LinearAutoencoder": (
            lambda f: made(f, 12, 3),
            lambda: made(autoencoders.LinearAutoencoder, 12, 3),
        ),
        "ConvEncoder": (
            lambda f: made(f, 5, 4, 1, 32, x=X),
            lambda: made(autoencoders.ConvEncoder, 5, 4, 1, 32, x=X),
        ),
        "ConvDecoder": (
            lambda f: made(f, 12, 4, 3, 32),
            lambda: made(autoencoders.ConvDecoder, 12, 4, 3, 32),
        ),
        "conv2d": (
            lambda f: f(X, IMAGE_FILTERS, torch.ones(4), 2, 1),
            lambda: F.conv2d(X, IMAGE_FILTERS, torch.ones(4), 2, 1),
        ),
    },
    "05_sparse_autoencoder.ipynb": {
        "UnitNormDecoder": (
            lambda f: made(f, 12, 7),
            lambda: made(autoencoders.UnitNormDecoder, 12, 7),
        ),
        "SparseAutoencoder": (
            lambda f: sparse_terms(
                f, autoencoders.UnitNormDecoder, autoencoders.TopK, autoencoders.sparse_loss
            ),
            lambda: sparse_terms(*LIBRARY),
        ),
        "sparse_loss": (lambda f: sparse_terms(*LIBRARY[:3], f), lambda: sparse_terms(*LIBRARY)),
        "kl_sparsity": (
            lambda f: f(ACTIVITY, 0.1),
            lambda: autoencoders.kl_sparsity(ACTIVITY, 0.1),
        ),
        "TopK": (lambda f: f(5)(A), lambda: autoencoders.TopK(5)(A)),
        "BatchTopK": (lambda f: f(5)(A), lambda: autoencoders.BatchTopK(5)(A)),
        "Shrinkage": (
            lambda f: f(4, 1.0, 0.3)(MAPS),
            lambda: autoencoders.Shrinkage(4, 1.0, 0.3)(MAPS),
        ),
        "share_alive": (
            lambda f: torch.tensor(f(A.relu()[:2])),
            lambda: torch.tensor(autoencoders.share_alive(A.relu()[:2])),
        ),
    },
    "06_loss_functions.ipynb": {
        "ssim_loss": (lambda f: f(NOISY, X), lambda: losses.ssim_loss(NOISY, X)),
        "Lista": (
            lambda f: f(D.float(), 0.2, 3)(SIGNALS.float()),
            lambda: autoencoders.Lista(D.float(), 0.2, 3)(SIGNALS.float()),
        ),
    },
    "07_image_restoration.ipynb": {
        "quantise": (lambda f: f(A, 0.2), lambda: compression.quantise(A, 0.2)),
    },
    "08_gan_fundamentals.ipynb": {
        "PointGenerator": (lambda f: made(f, 12), lambda: made(gans.PointGenerator, 12)),
        "PointDiscriminator": (
            lambda f: made(f, 16, 12),
            lambda: made(gans.PointDiscriminator, 16, 12),
        ),
        "discriminator_loss": (
            lambda f: f(A, -A),
            lambda: gans.LOSSES["minimax"].discriminator(A, -A),
        ),
        "minimax": (lambda f: f(A), lambda: gans.LOSSES["minimax"].generator(A)),
        "non_saturating": (lambda f: f(A), lambda: gans.LOSSES["non-saturating"].generator(A)),
    },
    "09_image_gan.ipynb": {
        "Generator": (lambda f: made(f, 12), lambda: made(gans.Generator, 12)),
        "Discriminator": (
            lambda f: made(f, x=X[..., 2:30, 2:30]),
            lambda: made(gans.Discriminator, x=X[..., 2:30, 2:30]),
        ),
        "to_gan_range": (lambda f: f(X), lambda: gans.to_gan_range(X)),
        "from_gan_range": (lambda f: f(Z), lambda: gans.from_gan_range(Z)),
        "frechet_distance": (
            lambda f: torch.tensor(f(SIGNALS, 1 + SIGNALS)),
            lambda: torch.tensor(metrics.frechet_distance(SIGNALS, 1 + SIGNALS)),
        ),
        "precision_recall": (
            lambda f: torch.tensor(f(SIGNALS, 1 + SIGNALS)),
            lambda: torch.tensor(metrics.precision_recall(SIGNALS, 1 + SIGNALS)),
        ),
    },
    "10_mode_collapse.ipynb": {
        "MinibatchStd": (lambda f: f()(A), lambda: gans.MinibatchStd()(A)),
        "Packed": (lambda f: f(nn.Identity(), 3)(A), lambda: gans.Packed(nn.Identity(), 3)(A)),
        "gradient_penalty": (
            lambda f: seeded(f, curved, A, -A),
            lambda: seeded(gans.gradient_penalty, curved, A, -A),
        ),
        "r1_penalty": (lambda f: f(curved, A), lambda: gans.r1_penalty(curved, A)),
    },
    "11_variational_autoencoder.ipynb": {
        "reparameterise": (lambda f: seeded(f, A, -A), lambda: seeded(vaes.reparameterise, A, -A)),
        "kl_standard_normal": (lambda f: f(A, -A), lambda: vaes.kl_standard_normal(A, -A)),
        "active_units": (lambda f: torch.tensor(f(A)), lambda: torch.tensor(vaes.active_units(A))),
        "VariationalAutoencoder": (
            lambda f: bound(f, vaes.elbo_terms),
            lambda: bound(vaes.VariationalAutoencoder, vaes.elbo_terms),
        ),
        "elbo_terms": (
            lambda f: bound(vaes.VariationalAutoencoder, f),
            lambda: bound(vaes.VariationalAutoencoder, vaes.elbo_terms),
        ),
    },
    "12_sparse_codes_meet_gan.ipynb": {
        "CodePrior": (lambda f: loaded(f, PRIOR)(NOISE), lambda: PRIOR(NOISE)),
        "CodeGenerator": (
            lambda f: f(PRIOR, DECODER, autoencoders.TopK(2))(NOISE),
            lambda: sparse_gans.CodeGenerator(PRIOR, DECODER, autoencoders.TopK(2))(NOISE),
        ),
        "DictionaryGenerator": (
            lambda f: made(f, 12),
            lambda: made(sparse_gans.DictionaryGenerator, 12),
        ),
        "reconstruction_anchor": (
            lambda f: held(f),
            lambda: held(sparse_gans.reconstruction_anchor),
        ),
    },
    "14_reading_a_generator.ipynb": {
        "steer": (
            lambda f: f(MAPS, MAPS[0, :, 0, 0], 0.7),
            lambda: activations.steer(MAPS, MAPS[0, :, 0, 0], 0.7),
        ),
        "replaced": (lambda f: doubled(f), lambda: doubled(activations.replaced)),
    },
    "15_project.ipynb": {
        "three_parts": (
            lambda f: f(MANY, GROUPS, seed=2).train,
            lambda: project.three_parts(MANY, GROUPS, seed=2).train,
        ),
        "train_model": (
            lambda f: f(tiny, X, darker, 4, 3)[1].weight,
            lambda: project.train_model(tiny, X, darker, 4, 3)[1].weight,
        ),
        "score": (
            lambda f: f(lambda x: x, X, darker),
            lambda: project.score(lambda x: x, X, darker),
        ),
        "compare": (
            lambda f: numbers_of(f(SCORES, SCORES.flip(1))),
            lambda: numbers_of(project.compare(SCORES, SCORES.flip(1))),
        ),
        "noise_floor": (
            lambda f: torch.tensor(f(SCORES)),
            lambda: torch.tensor(project.noise_floor(SCORES)),
        ),
    },
}
# Other than their namesakes among the helpers: they return, or take, something else.
OTHER = {
    "01_sparse_representation.ipynb": {"decode", "denoise", "encode"},
    "04_autoencoders.ipynb": {"SparseAutoencoder", "train_autoencoder"},
    "08_gan_fundamentals.ipynb": {"Gan"},
    "10_mode_collapse.ipynb": {"Dense"},
    "11_variational_autoencoder.ipynb": {"batches"},
    "14_reading_a_generator.ipynb": {"encode"},
}


def patches_denoised(D):
    return dictionary_learning.denoise(NOISY[:1], 0.1, D)


@pytest.mark.parametrize(
    "notebook, name", [(notebook, name) for notebook, pairs in PAIRS.items() for name in pairs]
)
def test_the_lesson_and_the_helper_compute_the_same(notebook, name):
    call, expected = PAIRS[notebook][name]
    assert torch.allclose(call(functions_of(notebook)[name]), expected(), atol=1e-5)


@pytest.mark.parametrize("notebook", PAIRS)
def test_every_helper_built_in_a_notebook_is_held_against_it(notebook):
    modules = (
        wavelets,
        sparse_coding,
        metrics,
        dictionary_learning,
        patches,
        autoencoders,
        losses,
        compression,
        gans,
        vaes,
        sparse_gans,
        activations,
        project,
        distributed,
    )
    built = {
        name for module in modules for name in module.__all__ if name in functions_of(notebook)
    }
    assert built - OTHER.get(notebook, set()) <= set(PAIRS[notebook])


def test_the_haar_transform_of_the_lesson_is_the_deepest_wavelet_transform():
    x = torch.rand(5, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    W = torch.eye(16, dtype=torch.float64)
    for level in range(4):
        n = 16 >> level
        step = torch.eye(16, dtype=torch.float64)
        step[:n, :n] = wavelets.wavelet_matrix(n, "haar", torch.float64)
        W = step @ W
    assert torch.allclose(functions_of("01_sparse_representation.ipynb")["haar"](x), x @ W.T)
