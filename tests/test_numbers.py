"""Every public numerical function gives the right number for any kind of input, or a clear error.

CASES says for each function how to draw its input, in double precision. Hypothesis (`hypothesis`)
chooses number types, memory layouts, sizes and faults: the result must be that of double precision,
or a TypeError or ValueError which the course itself raises; what the caller gave stays as it was.
"""

import importlib
import inspect
import itertools
import math
import traceback
from dataclasses import dataclass, field

import matplotlib.pyplot as plt
import numpy as np
import pytest
import pywt
import scipy.fft
import scipy.linalg
import torch
from skimage.metrics import structural_similarity
from torch import nn

from course_utils.arguments import check_floats, check_images
from course_utils.compression import decode as decompress
from course_utils.compression import encode as compressed
from course_utils.metrics.features import FeatureNetwork
from course_utils.sparse_coding import normalise_atoms

pytest.importorskip("hypothesis", reason="hypothesis: pip install -e '.[test]'")
from hypothesis import Phase, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

MODULES = """activations compression dictionary_learning display losses metrics.distances
metrics.evaluator metrics.features metrics.images patches project sparse_coding.coordinates
sparse_coding.problem sparse_coding.proximal sparse_coding.pursuit sparse_coding.thresholds
wavelets""".split()
# No numbers go in (networks, files, records), or they are of CASES in another form.
LEFT_OUT = """activations.replaced compression.DecodeError metrics.distances.FeatureSet
metrics.evaluator.Scores metrics.evaluator.fashion_evaluator metrics.evaluator.fashion_scores
metrics.features.FeatureError metrics.features.feature_network project.Comparison
project.load_folder project.save_results""".split()
FEW = settings(
    max_examples=8, deadline=None, derandomize=True, database=None, phases=[Phase.generate]
)
HALF = torch.float16, torch.bfloat16


class Draw:
    """Inputs of a function, in double precision, from a seed; n is the size of the batch."""

    def __init__(self, seed, n):
        self.n, self.generator = n, torch.Generator().manual_seed(seed)

    def rand(self, *shape):
        return torch.rand(shape, generator=self.generator, dtype=torch.float64)

    def images(self, height=16, width=24, channels=1):
        return self.rand(self.n, channels, height, width)

    def pair(self, *shape):
        return self.rand(self.n, *shape), self.rand(self.n, *shape)

    def problem(self):
        return self.rand(self.n, 6) - 0.5, self.atoms()

    def atoms(self):
        return normalise_atoms(self.rand(6, 9) - 0.5)

    def code(self):
        return self.rand(self.n, 9) - 0.5

    def sparse(self):
        return self.rand(self.n, 9).argsort(dim=1)[:, :2], self.rand(self.n, 2)


@dataclass
class Case:
    """draw: the tensors, from a Draw. call: how to call f on them. formula: the same in NumPy.

    tolerance: of float32, relative; None where a rounding error may grow, as in learning. numbers:
    keyword arguments that must be numbers. whole: tensors of these places may hold whole numbers.
    """

    draw: object
    call: object = lambda f, *given, **numbers: f(*given, **numbers)
    formula: object = None
    tolerance: float | None = 1e-4
    numbers: dict = field(default_factory=dict)


def problem(**numbers):
    return Case(lambda d: d.problem(), numbers=numbers, tolerance=1e-3)


def learning(**numbers):
    def call(f, x, D, **given):
        return f(x, D, k=2, **given)

    return Case(lambda d: (Draw(0, 30).rand(30, 6) - 0.5, d.atoms()), call, None, None, numbers)


def coded(draw=lambda d: (*d.problem(), *d.sparse())):
    return Case(draw, tolerance=None)


def loss(formula=None, *shape):
    return Case(lambda d: d.pair(*(shape or (1, 12, 13))), formula=formula)


def sets(formula=None):
    return Case(lambda d: (d.rand(12, 3), d.rand(11, 3) + 0.2), formula=formula, tolerance=1e-3)


def drawn(f, *given, **options):
    """The pixels that a function of display draws."""
    axes = f(*given, **options)
    figure = plt.gcf()
    pictures = [picture.get_array() / 255 for ax in figure.axes for picture in ax.images]
    lines = [line.get_ydata() for ax in figure.axes for line in ax.lines]
    plt.close("all")
    return [torch.as_tensor(np.array(values)).double() for values in pictures + lines], axes is None


def figure(draw=lambda d: (d.images(),), call=drawn, **numbers):
    return Case(draw, call, numbers=numbers, tolerance=1 / 200)


def count(x):
    """The number of images, also of what has none."""
    return len(x) if getattr(x, "ndim", 0) else 6


def mean_squared(x_hat, x):
    return ((x_hat - x) ** 2).mean()


def entropy(x_hat, x):
    return -(x * np.log(x_hat) + (1 - x) * np.log(1 - x_hat)).mean()


def similarity(a, b):
    window = dict(gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1)
    return [structural_similarity(x[0], y[0], **window) for x, y in zip(a, b)]


def soft(z, threshold):
    return np.sign(z) * np.maximum(np.abs(z) - threshold, 0)


def largest(z, k):
    return [np.where(np.abs(row) >= np.sort(np.abs(row))[-k], row, 0) for row in z]


def frechet(a, b):
    C, D = np.cov(a.T), np.cov(b.T)
    overlap = scipy.linalg.sqrtm(C @ D).real
    return ((a.mean(axis=0) - b.mean(axis=0)) ** 2).sum() + np.trace(C + D - 2 * overlap)


def wavelets(x, levels):
    theirs = pywt.wavedec2(x, "haar", mode="periodization", level=levels)
    return pywt.coeffs_to_array(theirs, axes=(-2, -1))[0]


def noise(x):
    diagonal = pywt.dwt2(x, "db4", mode="periodization")[1][2]
    sizes = np.sort(np.abs(diagonal).reshape(len(x), -1), axis=1)
    return sizes[:, (sizes.shape[1] - 1) // 2] / 0.6745


def dense(atoms, weights, D):
    return np.stack([(D[:, a] * w).sum(axis=1) for a, w in zip(atoms.astype(int), weights)])


def objective(x, D, z, lam):
    return 0.5 * ((x - z @ D.T) ** 2).sum(axis=1) + lam * np.abs(z).sum(axis=1)


class Ruler(nn.Module):
    """Stands for a classifier."""

    def maps(self, x):
        return [x, x.square()]


def network(f, images):
    means = lambda x: x.flatten(1)[:, :4]
    return f("means", 4, 1, means)(images)


def judged(f, real, other, images):
    means = lambda x: x.flatten(1)[:, :2]
    scores = f(FeatureNetwork("means", 2, 1, means), real, other)(images)
    return scores.frechet, scores.kernel


def parts(f, *given):
    parts = f(*given)
    return parts.train, parts.validation, parts.open_test()


def small_model():
    return nn.Conv2d(1, 1, 3, padding=1)


def brighter(x, generator=None):
    return x * 0.9 + 0.05


def layer(f, x):
    return f(nn.Sequential(nn.Identity(), last := nn.Identity()), last, x)


def pieces(x, size, stride):
    """Patches by hand, of (N, 1, H, W)."""
    rows, columns = (range(0, side - size + 1, stride) for side in x.shape[2:])
    places = itertools.product(x, rows, columns)
    return np.stack([image[:, i : i + size, j : j + size].ravel() for image, i, j in places])


CASES = {
    "activations.from_positions": Case(
        lambda d: (d.rand(6 * d.n, 5),),
        numbers={"height": 3, "width": 2},
        formula=lambda x, height, width: x.reshape(-1, height, width, 5).transpose(0, 3, 1, 2),
    ),
    "activations.record": Case(lambda d: (d.images(),), layer),
    "activations.steer": Case(
        lambda d: (d.rand(d.n, 5, 3, 3), d.rand(5)),
        lambda f, maps, direction: f(maps, direction, 2.0),
        lambda maps, direction: maps + 2 * direction[:, None, None],
    ),
    "activations.to_positions": Case(
        lambda d: (d.rand(d.n, 5, 3, 2),),
        formula=lambda x: x.transpose(0, 2, 3, 1).reshape(-1, 5),
    ),
    "compression.dct_atoms": Case(lambda d: (), numbers={"size": 4}),
    "compression.decode": Case(
        lambda d: (normalise_atoms(d.rand(64, 3) - 0.5),),
        lambda f, D: f(compressed(torch.rand(1, 1, 8, 8), 20.0, D), D),
        tolerance=0.02,
    ),
    "compression.encode": Case(
        lambda d: (d.rand(1, 1, 8, 16),),
        lambda f, x, **numbers: decompress(f(x, **numbers)),
        lambda x, step: x,
        tolerance=0.05,
        numbers={"step": 2.0},
    ),
    "compression.quantise": Case(
        lambda d: (d.code(),),
        numbers={"step": 0.13, "rounding": 0.4},
        formula=lambda x, step, rounding: np.sign(x) * np.floor(np.abs(x) / step + rounding),
    ),
    "compression.sparse_integers": Case(lambda d: (d.rand(1, 1, 8, 16),), numbers={"step": 20.0}),
    "dictionary_learning.denoise": Case(
        lambda d: (d.images(10, 9),), tolerance=None, numbers={"sigma": 0.1, "steps": 1, "seed": 0}
    ),
    "dictionary_learning.initial_atoms": Case(
        lambda d: (d.rand(20, 6),), numbers={"atoms": 5, "seed": 0}
    ),
    "dictionary_learning.ksvd": learning(rounds=1),
    "dictionary_learning.ksvd_update": coded(),
    "dictionary_learning.mod": learning(rounds=1),
    "dictionary_learning.mod_update": coded(),
    "dictionary_learning.online_learning": learning(steps=2, batch=10, seed=0),
    "dictionary_learning.online_update": coded(lambda d: (d.atoms(), torch.eye(9), d.rand(6, 9))),
    "dictionary_learning.overcomplete_dct": Case(
        lambda d: (), numbers={"size": 4, "frequencies": 6}
    ),
    "dictionary_learning.replace_unused": coded(),
    "dictionary_learning.sparse_code": problem(lam=0.1),
    "display.before_after": figure(lambda d: (d.images()[:1], d.images()[:1]), drawn, zoom=1),
    "display.compare": figure(
        lambda d: (d.images()[:1], d.images()[:1]), lambda f, x, y: drawn(f, x, {"other": y})
    ),
    "display.image_slider": figure(
        call=lambda f, x, **numbers: drawn(f, x, ["a"] * count(x), **numbers),
        rows=1,
        zoom=1,
        start=0,
    ),
    "display.show_curves": figure(
        lambda d: (d.rand(d.n, 4),),
        lambda f, y: drawn(f, range(4), {"y": y}, "x", "y"),
    ),
    "display.show_filters": figure(columns=2),
    "display.show_images": figure(columns=2),
    "display.show_rows": figure(call=lambda f, x: drawn(f, {"a": x})),
    "losses.FeatureLoss": Case(
        lambda d: d.pair(1, 4, 4),
        lambda f, x_hat, x: f(Ruler())(x_hat, x),
        lambda x_hat, x: (
            (mean_squared(x_hat, x) / (x**2).mean() + mean_squared(x_hat**2, x**2) / (x**4).mean())
            / 2
        ),
    ),
    "losses.binary_cross_entropy": loss(entropy),
    "losses.decoding_loss": loss(mean_squared),
    "losses.encoding_decoding_loss": Case(
        lambda d: (*d.pair(5), d.rand(d.n, 5)), numbers={"encoding": 1.0, "decoding": 0.5}
    ),
    "losses.encoding_loss": loss(mean_squared),
    "losses.l1": loss(lambda x_hat, x: np.abs(x_hat - x).mean()),
    "losses.mse": loss(mean_squared),
    "losses.ssim_loss": loss(lambda x_hat, x: 1 - np.mean(similarity(x_hat, x))),
    "metrics.distances.density_coverage": sets(),
    "metrics.distances.frechet_distance": sets(frechet),
    "metrics.distances.kernel_distance": sets(),
    "metrics.distances.prdc": sets(),
    "metrics.distances.precision_recall": sets(),
    "metrics.evaluator.Evaluator": Case(
        lambda d: tuple(d.rand(9, 1, 2, 2) for _ in range(3)), judged, tolerance=1e-2
    ),
    "metrics.features.FeatureNetwork": Case(lambda d: (d.images(),), network),
    "metrics.images.l0": Case(
        lambda d: (d.code(),),
        numbers={"tolerance": 0.1},
        formula=lambda z, tolerance: (np.abs(z) > tolerance).sum(axis=1),
    ),
    "metrics.images.psnr": loss(lambda a, b: -10 * np.log10(((a - b) ** 2).mean(axis=(1, 2, 3)))),
    "metrics.images.ssim": loss(similarity),
    "patches.average_patches": Case(
        lambda d: (d.rand(6 * d.n, 16),), lambda f, x: f(x, (count(x) // 6, 1, 8, 6), 4, 2)
    ),
    "patches.extract_patches": Case(
        lambda d: (d.images(8, 6),), numbers={"size": 4, "stride": 2}, formula=pieces
    ),
    "project.Parts": Case(lambda d: tuple(d.images() for _ in range(3)), parts),
    "project.compare": Case(
        lambda d: (d.rand(3, 5), d.rand(3, 5)),
        lambda f, a, b: torch.tensor(f(a, b).per_seed),
        lambda a, b: (b - a).mean(axis=1),
    ),
    "project.noise_floor": Case(
        lambda d: (d.rand(4, 5),),
        formula=lambda x: max(
            abs(x[list(half)].mean() * 2 - x.mean() * 2)
            for half in itertools.combinations(range(4), 2)
        ),
    ),
    "project.score": Case(lambda d: (d.images(),), lambda f, x: f(lambda y: y, x, brighter)),
    "project.three_parts": Case(lambda d: (d.rand(10, 1, 4, 4),), parts, numbers={}),
    "project.train_model": Case(
        lambda d: (d.images(6, 6),),
        lambda f, x, **numbers: list(
            f(lambda: small_model().to(x.dtype), x, brighter, **numbers).parameters()
        ),
        tolerance=None,
        numbers={"steps": 1, "seed": 0, "rate": 0.01},
    ),
    "sparse_coding.coordinates.active_set": problem(lam=0.1, tolerance=1e-4),
    "sparse_coding.coordinates.coordinate_descent": problem(lam=0.1, sweeps=3),
    "sparse_coding.problem.decode": Case(lambda d: (*d.sparse(), d.atoms()), formula=dense),
    "sparse_coding.problem.duality_gap": Case(
        lambda d: (*d.problem(), d.code()), numbers={"lam": 0.1}
    ),
    "sparse_coding.problem.lasso_objective": Case(
        lambda d: (*d.problem(), d.code()), numbers={"lam": 0.1}, formula=objective
    ),
    "sparse_coding.problem.normalise_atoms": Case(
        lambda d: (d.rand(6, 9) - 0.5,), formula=lambda D: D / np.sqrt((D**2).sum(axis=0))
    ),
    "sparse_coding.proximal.basis_pursuit": problem(steps=3),
    "sparse_coding.proximal.fista": problem(lam=0.1, steps=20, tolerance=1e-4),
    "sparse_coding.proximal.ista": problem(lam=0.1, steps=5),
    "sparse_coding.proximal.lasso": problem(lam=0.1, tolerance=1e-4),
    "sparse_coding.pursuit.omp": problem(k=2, error=0.01),
    "sparse_coding.pursuit.omp_atoms": problem(k=2, error=0.01),
    "sparse_coding.thresholds.hard_threshold": Case(
        lambda d: (d.code(),),
        numbers={"threshold": 0.2},
        formula=lambda z, threshold: np.where(np.abs(z) > threshold, z, 0),
    ),
    "sparse_coding.thresholds.keep_largest": Case(
        lambda d: (d.code(),), numbers={"k": 3}, formula=largest
    ),
    "sparse_coding.thresholds.soft_threshold": Case(
        lambda d: (d.code(),), numbers={"threshold": 0.2}, formula=soft
    ),
    "wavelets.bayes_shrink": Case(
        lambda d: (d.images(),), numbers={"sigma": 0.1, "levels": 2}, tolerance=1e-3
    ),
    "wavelets.blocks_to_image": Case(
        lambda d: (d.rand(d.n, 2, 3, 4, 4),),
        formula=lambda x: x.transpose(0, 1, 3, 2, 4).reshape(len(x), 8, 12),
    ),
    "wavelets.cycle_spin": Case(
        lambda d: (d.images(),),
        lambda f, x, **numbers: f(lambda y: y / 2, x, **numbers),
        lambda x, shifts: x / 2,
        numbers={"shifts": 2},
    ),
    "wavelets.dct2": Case(
        lambda d: (d.images(5, 7),),
        formula=lambda x: scipy.fft.dctn(x, axes=(-2, -1), norm="ortho"),
    ),
    "wavelets.dct_matrix": Case(
        lambda d: (),
        numbers={"n": 5},
        formula=lambda n: scipy.fft.dct(np.eye(n), axis=0, norm="ortho"),
    ),
    "wavelets.idct2": Case(
        lambda d: (d.images(5, 7),),
        formula=lambda x: scipy.fft.idctn(x, axes=(-2, -1), norm="ortho"),
    ),
    "wavelets.image_to_blocks": Case(
        lambda d: (d.images(),),
        numbers={"size": 8},
        formula=lambda x, size: x.reshape(len(x), 1, 2, 8, 3, 8).transpose(0, 1, 2, 4, 3, 5),
    ),
    "wavelets.inverse_wavelet2": Case(lambda d: (d.images(),), numbers={"levels": 2}),
    "wavelets.noise_level": Case(lambda d: (d.images(),), formula=noise),
    "wavelets.subbands": Case(lambda d: (d.images(),), numbers={"levels": 2}),
    "wavelets.wavelet2": Case(lambda d: (d.images(),), numbers={"levels": 2}, formula=wavelets),
    "wavelets.wavelet_matrix": Case(lambda d: (), numbers={"n": 6}),
}


def public_names():
    """Public functions and classes of the modules, by the module that makes them."""
    for module in MODULES:
        loaded = importlib.import_module(f"course_utils.{module}")
        for name in loaded.__all__:
            thing = getattr(loaded, name)
            if inspect.isfunction(thing) or inspect.isclass(thing):
                yield f"{module}.{name}"


def function(name):
    module, _, last = name.rpartition(".")
    return getattr(importlib.import_module(f"course_utils.{module}"), last)


def result(name, given, numbers=None):
    """What a function gives, as tensors in double precision."""
    torch.manual_seed(0)
    case = CASES[name]
    found = case.call(function(name), *given, **(case.numbers if numbers is None else numbers))
    return tensors(found)


def tensors(found):
    if isinstance(found, dict):
        found = list(found.values())
    if isinstance(found, (list, tuple)):
        return [tensor for part in found for tensor in tensors(part)]
    if not isinstance(found, torch.Tensor):
        found = torch.tensor(found, dtype=torch.float64)
    return [found.double()]


def raised_by_the_course(error):
    """A TypeError or ValueError of a `raise` statement of course_utils, with something to read."""
    *_, last = traceback.extract_tb(error.__traceback__)
    ours = "course_utils" in last.filename and last.line.startswith("raise ")
    return isinstance(error, (TypeError, ValueError)) and ours and len(str(error)) > 30


def attempt(name, given, numbers=None):
    """The result, or None where the course refuses; any other error fails the test."""
    try:
        return result(name, given, numbers)
    except Exception as error:
        if raised_by_the_course(error):
            return None
        raise AssertionError(f"{name} lets {type(error).__name__} through: {error}") from error


def near(found, expected, tolerance):
    """Whether two results agree, with regard to the largest of each tensor."""
    pairs = [(a.reshape(-1), b.reshape(-1)) for a, b in zip(found, expected, strict=True)]
    return all(
        a.shape == b.shape
        and torch.allclose(
            a, b, 0, tolerance * (1e-6 + b.detach().abs().max().item()), equal_nan=True
        )
        for a, b in pairs
        if len(b) or len(a)
    )


def whole(tensor):
    return tensor.dtype == torch.int64


def in_another_layout(x, layout):
    """The same numbers, stored in another way."""
    if layout == "turned":
        return x.mT.contiguous().mT if x.ndim > 1 else x
    if layout == "channels last":
        return x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x
    if layout == "every second":
        return x.repeat_interleave(2, dim=-1)[..., ::2]
    return x.requires_grad_() if layout == "with gradient" and not whole(x) else x


LAYOUTS = ["plain", "turned", "channels last", "every second", "with gradient"]
TYPES = [torch.float64, torch.float32, *HALF]


def test_every_public_function_has_its_case():
    names = set(public_names())
    assert names - set(CASES) - set(LEFT_OUT) == set()
    assert set(CASES) | set(LEFT_OUT) <= names | {"project.load_folder"}


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.formula])
@FEW
@given(seed=st.integers(0, 99), n=st.integers(1, 3))
def test_the_result_is_that_of_another_formula(name, seed, n):
    case, given = CASES[name], CASES[name].draw(Draw(seed, n))
    expected = case.formula(*(x.numpy() for x in given), **case.numbers)
    tolerance = case.tolerance if case.tolerance > 1e-4 else 1e-5
    assert near(result(name, given), [torch.as_tensor(np.array(expected)).double()], tolerance)


@pytest.mark.parametrize("name", CASES)
@FEW
@given(
    seed=st.integers(0, 99),
    n=st.integers(1, 3),
    dtype=st.sampled_from(TYPES),
    layout=st.sampled_from(LAYOUTS),
)
def test_other_types_and_layouts_give_the_same_and_nothing_given_changes(
    name, seed, n, dtype, layout
):
    case = CASES[name]
    given = [x if whole(x) else x.to(dtype) for x in case.draw(Draw(seed, n))]
    exact = [x if whole(x) else x.double() for x in given]
    stored = [in_another_layout(x.clone(), layout) for x in given]
    found = attempt(name, stored)
    assert all(torch.equal(x, before) for x, before in zip(stored, given))
    assert found is not None or dtype in HALF, "refused"
    if found is not None and case.tolerance:
        tolerance = 2e-2 if dtype in HALF else case.tolerance
        assert near(ordered(name, found), ordered(name, result(name, exact)), tolerance)
    assert found is None or all(torch.isfinite(values).all() for values in found)
    followed = [values.sum() for values in found or [] if values.requires_grad]
    if followed and layout == "with gradient":
        sum(followed).backward()
        assert all(x.grad is None or torch.isfinite(x.grad).all() for x in stored)


def ordered(name, found):
    """Among equals, keep_largest may keep others."""
    return [x.sort().values for x in found] if name.endswith("keep_largest") else found


def spoiled(x, entry):
    """x with NaN or infinity at the end."""
    x = x.clone()
    x.view(-1)[-1] = entry
    return x


FAULTS = {
    "bytes": lambda x: (x.abs() * 255).to(torch.uint8),
    "whole numbers": lambda x: (10 * x).long(),
    "mask": lambda x: x > 0.5,
    "complex": lambda x: x + 1j,
    "array": lambda x: x.numpy(),
    "list": lambda x: x.tolist(),
    "text": lambda x: "image.png",
    "nothing": lambda x: None,
    "empty": lambda x: x[:0],
    "flat": lambda x: x.flatten(),
    "one number": lambda x: x.flatten()[0],
    "one axis more": lambda x: x[None],
    "other sides": lambda x: x[..., :-1],
    "NaN": lambda x: spoiled(x, math.nan),
    "infinite": lambda x: spoiled(x, math.inf),
    "huge": lambda x: 1e20 * x,
    "tiny": lambda x: 1e-30 * x,
    "negative": lambda x: -x,
}


@pytest.mark.parametrize("name", [name for name in CASES if CASES[name].draw(Draw(0, 2))])
@settings(FEW, max_examples=2)
@given(seed=st.integers(0, 99))
def test_a_fault_is_refused_by_the_course_or_gives_the_right_number(name, seed):
    case = CASES[name]
    given = [x if whole(x) else x.float() for x in case.draw(Draw(seed, 2))]
    places = [i for i, x in enumerate(given) if not whole(x)]
    for place, (fault, make) in itertools.product(places, FAULTS.items()):
        bad = [make(x) if i == place else x for i, x in enumerate(given)]
        found = attempt(name, bad)
        if found is None or (name, fault) == ("compression.decode", "nothing"):  # D may be None
            continue
        finite = all(torch.isfinite(values).all() for values in found)
        assert finite != (fault in ("NaN", "infinite")), fault
        if case.tolerance and finite and torch.as_tensor(bad[place]).numel():
            exact = [x if whole(x) else x.double() for x in map(torch.as_tensor, bad)]
            assert near(found, result(name, exact), case.tolerance), fault


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.numbers])
def test_what_is_no_number_or_out_of_range_is_refused(name):
    case, bad = CASES[name], [math.nan, math.inf, -1, "many", [1, 2], 1 + 2j]
    for number, value in itertools.product(case.numbers, bad):
        found = attempt(name, case.draw(Draw(0, 2)), case.numbers | {number: value})
        assert found is None or (number, value) == ("threshold", math.inf), (number, value)


@pytest.mark.parametrize("kind", ["bytes", "whole numbers", "mask", "array", "list"])
@pytest.mark.parametrize("check", [check_floats, check_images])
def test_the_command_in_the_message_makes_it_right(check, kind):
    images = FAULTS[kind](torch.rand(2, 1, 4, 4))
    for _ in range(2):  # a list of bytes would need two
        try:
            check(images, "images")
        except TypeError as error:
            command = str(error).rpartition(": ")[2].rstrip(".")
            images = eval(command, {"torch": torch, "images": images})
    assert check(images, "images").dtype == torch.float32


@pytest.mark.parametrize("sigma", [(3,), (3, 1, 1, 1)])
@FEW
@given(seed=st.integers(0, 99))
def test_each_image_is_denoised_with_its_own_sigma(sigma, seed):
    bayes_shrink = function("wavelets.bayes_shrink")
    images, levels = Draw(seed, 3).images(), torch.tensor([0.05, 0.1, 0.3]).double()
    alone = [bayes_shrink(x[None], s.item(), levels=2) for x, s in zip(images, levels)]
    together = bayes_shrink(images, levels.view(sigma), levels=2)
    assert torch.allclose(together, torch.cat(alone), atol=1e-9)
    for wrong in (levels[:2], levels.view(3, 1)):
        with pytest.raises(ValueError, match=r"one for each of the 3 images, \(3,\)"):
            bayes_shrink(images, wrong, levels=2)


def test_images_or_a_sigma_on_the_scale_of_255_are_refused():
    bayes_shrink, x = function("wavelets.bayes_shrink"), Draw(0, 1).images()
    for images, sigma in ((255 * x, 25), (x, 25), (255 * x, 25 / 255)):
        with pytest.raises(ValueError, match="/ 255"):
            bayes_shrink(images, sigma, levels=2)


@pytest.mark.parametrize("dtype", [*HALF, torch.float32])
def test_images_that_hardly_differ_have_a_finite_psnr(dtype):
    psnr = function("metrics.images.psnr")
    for step in (6e-5, 1e-7) if dtype == torch.float16 else (6e-5, 1e-25, 1e-38):
        black = torch.zeros(1, 1, 8, 8, dtype=dtype)
        exact = -20 * math.log10((black + step).double().max())
        assert psnr(black + step, black).item() == pytest.approx(exact, abs=1e-3)


def test_a_denoiser_of_other_shapes_is_told():
    cycle_spin, x = function("wavelets.cycle_spin"), Draw(0, 2).images()
    with pytest.raises(ValueError, match="must be equal"):
        cycle_spin(lambda y: y[:1], x)
