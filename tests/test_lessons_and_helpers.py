"""What a notebook builds is what course_utils holds: the two against each other."""

import ast
import functools
import importlib

import nbformat
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from course_tools.lessons import lessons
from course_utils import (
    autoencoders,
    dictionary_learning,
    gans,
    patches,
    sparse_coding,
    sparse_gans,
    vaes,
    wavelets,
)

MODULES = """
    activations autoencoders compression dictionary_learning distributed gans losses metrics
    patches project sparse_coding sparse_gans vaes wavelets
""".split()
HELPERS = {}
for module in [importlib.import_module(f"course_utils.{name}") for name in MODULES]:
    HELPERS |= {name: getattr(module, name) for name in module.__all__}


@functools.cache
def functions_of(name):
    """The functions and classes that a notebook defines; of the rest, only its imports are run."""
    (file,) = (file for file in lessons() if file.name.startswith(f"{name}_"))
    cells = nbformat.read(file, as_version=4).cells
    program = ast.parse("\n".join(cell.source for cell in cells if cell.cell_type == "code")).body
    imports = [node for node in program if isinstance(node, (ast.Import, ast.ImportFrom))]
    space, found = {}, {}
    exec(compile(ast.Module(imports, []), name, "exec"), space)
    for node in program:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            try:
                exec(compile(ast.Module([node], []), name, "exec"), space)
            except NameError:  # a default value or a class that other cells would have set
                continue
            found[node.name] = space[node.name]
    return found


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


X = torch.rand(3, 1, 32, 32, generator=torch.Generator().manual_seed(0))
Z = torch.randn(3, 1, 8, 8, generator=torch.Generator().manual_seed(1))
D = sparse_coding.normalise_atoms(draw(12, 20))
SIGNALS = draw(30, 12, seed=1)
CODES = sparse_coding.omp(SIGNALS, D, 3)
MASK = (draw(30, 12, seed=2) > 0).double()
MORE = sparse_coding.decode(draw(300, 20, seed=3).argsort(dim=1)[:, :4], draw(300, 4, seed=4), D)
MORE_OMP = sparse_coding.omp_atoms(MORE, D, 3)
MORE_CODES = sparse_coding.omp(MORE, D, 3)
NOISY = (X + 0.1 * Z.repeat(1, 1, 4, 4)).clamp(0, 1)
PATCHES = patches.extract_patches(X, 8, 4).square()
COSINES = dictionary_learning.cosine_atoms(1)


def seeded(function, *arguments):
    """The result of a function that draws random weights, always the same ones."""
    torch.manual_seed(0)
    return function(*arguments)


def made(module, *settings, x=SIGNALS.float()):
    """What a module with these settings makes of x, its weights drawn with a seed."""
    return seeded(module, *settings)(x)


def sparse_terms(sparse_autoencoder, loss):
    """The three terms of a sparse autoencoder of which most units are dead."""
    torch.manual_seed(0)
    parts = nn.Linear(12, 40), autoencoders.UnitNormDecoder(40, 12), autoencoders.TopK(3)
    model = sparse_autoencoder(*parts, 40)
    model.silent += 40
    return {name: value.detach() for name, value in loss(model, SIGNALS.float(), 0.5).items()}


def curved(x):
    """A score that is not linear."""
    return x.square().sum(dim=1).sin()


def bound(autoencoder, terms):
    """The terms of a variational autoencoder with seeded weights and draws."""
    torch.manual_seed(0)
    model = autoencoder(nn.Linear(12, 6), nn.Linear(3, 12), 3, 0.2)
    found = seeded(terms, model, SIGNALS.float(), 0.5)
    return {name: value.detach() for name, value in found.items()}


def prior(kind):
    """A mixture whose numbers are not those of a new one."""
    model = kind(3, 6)
    model.shares.copy_(torch.tensor([0.2, 0.3, 0.5]))
    model.means.copy_(draw(3, 6, seed=8))
    model.factors.copy_(draw(3, 6, 6, seed=9).tril())
    return model


def anchored(anchor):
    """The reconstruction term of a decoder, where another autoencoder made the code."""
    torch.manual_seed(0)
    parts = autoencoders.ConvEncoder(6, 4), DECODER, autoencoders.NoSparsity()
    model = autoencoders.SparseAutoencoder(*parts, 6).eval()
    generator = sparse_gans.CodeGenerator(PRIOR, DECODER)
    return anchor(generator, model, 30.0)(None, 2 * X[:, :, :28, :28] - 1)


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


A = draw(30, 40, seed=5).float()
PRIOR, NOISE = prior(sparse_gans.CodePrior), draw(50, 7, seed=10).float()
DECODER = seeded(lambda: autoencoders.ConvDecoder(6, 4)).eval()
MANY, GROUPS = draw(40, 1, 32, 32, seed=11).float().sigmoid(), torch.arange(40) // 4
SCORES = draw(4, 50, seed=12).float()
FILTERS = draw(4, 1, 4, 4, seed=7).float()
MAPS = draw(6, 4, 5, 5, seed=6).float()

# Notebook -> the name of its function, which is that of the helper -> what is asked of both.
SAME = {
    "01": {
        "dct_matrix": lambda f: f(16),
        "wavelet_matrix": lambda f: f(24, "db4", torch.float32),
        "wavelet2": lambda f: f(X, "db4", 3),
        "inverse_wavelet2": lambda f: f(X, "db4", 3),
        "keep_largest": lambda f: f(Z, 10),
        "hard_threshold": lambda f: f(Z, 0.5),
        "soft_threshold": lambda f: f(Z, 0.5),
        "psnr": lambda f: f(X, X.flip(0)),
        "bayes_shrink": lambda f: f(X, 0.1),
        "cycle_spin": lambda f: f(lambda y: wavelets.bayes_shrink(y, 0.1), X, 3),
    },
    "02": {
        "lasso_objective": lambda f: f(SIGNALS, D, CODES, 0.2),
        "duality_gap": lambda f: f(SIGNALS, D, CODES, 0.2),
        "ista": lambda f: f(SIGNALS, D, 0.2, 30),
        "coordinate_descent": lambda f: f(SIGNALS, D, 0.2, 6),
        "basis_pursuit": lambda f: f(SIGNALS, D),
        "overcomplete_dct": lambda f: f(8, 12),
        "extract_patches": lambda f: f(X, 8, 4),
        "average_patches": lambda f: f(PATCHES, X.shape, 8, 4),
    },
    "03": {"online_update": lambda f: f(D, CODES.T @ CODES, SIGNALS.T @ CODES)},
    "04": {
        "LinearAutoencoder": lambda f: made(f, 12, 3),
        "ConvEncoder": lambda f: made(f, 5, 4, 1, 32, x=X),
        "ConvDecoder": lambda f: made(f, 12, 4, 3, 32),
    },
    "05": {
        "UnitNormDecoder": lambda f: made(f, 12, 7),
        "SparseAutoencoder": lambda f: sparse_terms(f, autoencoders.sparse_loss),
        "sparse_loss": lambda f: sparse_terms(autoencoders.SparseAutoencoder, f),
        "kl_sparsity": lambda f: f(A.sigmoid(), 0.1),
        "TopK": lambda f: f(5)(A),
        "BatchTopK": lambda f: f(5)(A),
        "Shrinkage": lambda f: f(4, 1.0, 0.3)(MAPS),
        "share_alive": lambda f: f(A.relu()[:2]),
    },
    "06": {
        "ssim_loss": lambda f: f(NOISY, X),
        "Lista": lambda f: f(D.float(), 0.2, 3)(SIGNALS.float()),
    },
    "07": {"quantise": lambda f: f(A, 0.2)},
    "08": {
        "PointGenerator": lambda f: made(f, 12),
        "PointDiscriminator": lambda f: made(f, 16, 12),
    },
    "09": {
        "Generator": lambda f: made(f, 12),
        "Discriminator": lambda f: made(f, x=X[..., 2:30, 2:30]),
        "to_gan_range": lambda f: f(X),
        "from_gan_range": lambda f: f(Z),
        "frechet_distance": lambda f: f(SIGNALS, 1 + SIGNALS),
        "precision_recall": lambda f: f(SIGNALS, 1 + SIGNALS),
    },
    "10": {
        "MinibatchStd": lambda f: f()(A),
        "Packed": lambda f: f(nn.Identity(), 3)(A),
        "gradient_penalty": lambda f: seeded(f, curved, A, -A),
        "r1_penalty": lambda f: f(curved, A),
    },
    "11": {
        "reparameterise": lambda f: seeded(f, A, -A),
        "kl_standard_normal": lambda f: f(A, -A),
        "active_units": lambda f: f(A),
        "VariationalAutoencoder": lambda f: bound(f, vaes.elbo_terms),
        "elbo_terms": lambda f: bound(vaes.VariationalAutoencoder, f),
    },
    "12": {
        "CodePrior": lambda f: prior(f)(NOISE),
        "CodeGenerator": lambda f: f(PRIOR, DECODER, autoencoders.TopK(2))(NOISE),
        "DictionaryGenerator": lambda f: made(f, 12),
        "reconstruction_anchor": anchored,
    },
    "14": {
        "steer": lambda f: f(MAPS, MAPS[0, :, 0, 0], 0.7),
        "replaced": doubled,
    },
    "15": {
        "three_parts": lambda f: f(MANY, GROUPS, seed=2).train,
        "train_model": lambda f: f(tiny, X, darker, 4, 3)[1].weight,
        "score": lambda f: f(lambda x: x, X, darker),
        "compare": lambda f: vars(f(SCORES, SCORES.flip(1))),
        "noise_floor": lambda f: f(SCORES),
    },
}
# Notebook -> a function whose helper has another name or other arguments -> what both give.
PAIRS = {
    "02": {
        "fista": (
            lambda f: f(SIGNALS * MASK, D, 0.2, 30, mask=MASK),
            lambda: sparse_coding.fista(SIGNALS, D, 0.2, 30, tolerance=0, mask=MASK),
        ),
        "omp_one": (
            lambda f: torch.stack([f(x, D, 4) for x in SIGNALS]),
            lambda: sparse_coding.omp(SIGNALS, D, 4),
        ),
    },
    "03": {
        "mod_update": (
            lambda f: f(MORE, MORE_CODES),
            lambda: dictionary_learning.mod_update(MORE, D, *MORE_OMP),
        ),
        "ksvd_update": (
            lambda f: f(MORE, D, MORE_CODES)[0],
            lambda: dictionary_learning.ksvd_update(MORE, D, *MORE_OMP)[0],
        ),
        "denoise_patches": (
            lambda f: f(NOISY[:1], COSINES, 0.1),
            lambda: dictionary_learning.denoise(NOISY[:1], 0.1, COSINES),
        ),
        "learn_on": (
            lambda f: dictionary_learning.denoise(NOISY[:1], 0.1, f(NOISY[:1], 0.1, COSINES)),
            lambda: dictionary_learning.denoise(NOISY[:1], 0.1),
        ),
    },
    "04": {
        "conv2d": (
            lambda f: f(X, FILTERS, torch.ones(4), 2, 1),
            lambda: F.conv2d(X, FILTERS, torch.ones(4), 2, 1),
        ),
    },
    "08": {
        "discriminator_loss": (
            lambda f: f(A, -A),
            lambda: gans.LOSSES["minimax"].discriminator(A, -A),
        ),
        "minimax": (lambda f: f(A), lambda: gans.LOSSES["minimax"].generator(A)),
        "non_saturating": (lambda f: f(A), lambda: gans.LOSSES["non-saturating"].generator(A)),
    },
}
# Other than their namesakes among the helpers: they return, or take, something else.
OTHER = {
    "01": {"decode", "denoise", "encode"},
    "04": {"SparseAutoencoder", "train_autoencoder"},
    "08": {"Gan"},
    "10": {"Dense"},
    "11": {"batches"},
    "14": {"encode"},
}
same = functools.partial(torch.testing.assert_close, rtol=1e-5, atol=1e-5, check_dtype=False)


@pytest.mark.parametrize("notebook, name", [(k, name) for k, row in SAME.items() for name in row])
def test_the_lesson_and_the_helper_compute_the_same(notebook, name):
    ask = SAME[notebook][name]
    same(ask(functions_of(notebook)[name]), ask(HELPERS[name]))


@pytest.mark.parametrize("notebook, name", [(k, name) for k, row in PAIRS.items() for name in row])
def test_the_lesson_computes_what_a_helper_gives(notebook, name):
    ask, expected = PAIRS[notebook][name]
    same(ask(functions_of(notebook)[name]), expected())


@pytest.mark.parametrize("notebook", SAME)
def test_every_helper_built_in_a_notebook_is_held_against_it(notebook):
    built = HELPERS.keys() & functions_of(notebook).keys()
    held = SAME[notebook].keys() | PAIRS.get(notebook, {}).keys()
    assert built - OTHER.get(notebook, set()) <= held


def test_the_haar_transform_of_the_lesson_is_the_deepest_wavelet_transform():
    x, W = draw(5, 16), torch.eye(16, dtype=torch.float64)
    for n in (16, 8, 4, 2):
        step = torch.eye(16, dtype=torch.float64)
        step[:n, :n] = wavelets.wavelet_matrix(n, "haar", torch.float64)
        W = step @ W
    same(functions_of("01")["haar"](x), x @ W.T)
