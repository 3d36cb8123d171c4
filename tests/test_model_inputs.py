"""Each public network, loss and training loop: right numbers for a good input, words for others.

What is drawn: batches of one and more, non-contiguous and channels-last tensors, other types of
numbers, NumPy arrays and lists, empty, huge, tiny and NaN values, other shapes.
"""

import importlib
import inspect
import pkgutil

import numpy as np
import pytest
import torch
from torch import nn

import course_utils
from course_utils import autoencoders as ae
from course_utils import gans as g
from course_utils import sparse_gans as sg
from course_utils import vaes
from course_utils.autoencoders.unrolled import analyse, enlarge, shrink_half, synthesise
from course_utils.checkpoints import Checkpoint, load_state, save_state
from course_utils.classifiers import FashionClassifier
from course_utils.data import ImageSet
from course_utils.session import seed_everything
from course_utils.training import TrainingError, fit

hypothesis = pytest.importorskip("hypothesis")
st = pytest.importorskip("hypothesis.strategies")
few = hypothesis.settings(derandomize=True, deadline=None, max_examples=4, database=None)

ATOMS = nn.functional.normalize(
    torch.randn(6, 9, generator=torch.Generator().manual_seed(0)), dim=0
)
FILTERS = torch.ones(3, 1, 6, 6)


def sparse(sparsity=None):
    parts = nn.Linear(6, 9), ae.UnitNormDecoder(9, 6)
    return ae.SparseAutoencoder(*parts, sparsity or ae.TopK(2), 9)


def trained_batch_top_k():
    model = ae.BatchTopK(2)
    model(torch.rand(4, 9))
    return model


def fitted(x):
    model = ae.LinearAutoencoder(6, 2)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    history = fit(model, lambda epoch: [x], mse, optimizer, 1, progress=False)
    return torch.tensor(history[0]["loss"])


def mse(model, x):
    return (model(x) - x).square().mean()


def points(**settings):
    return g.Gan(g.PointGenerator(2, 4, 6), g.PointDiscriminator(4, 6), **settings)


def game(x):
    return torch.tensor(g.train_gan(points(), lambda epoch: [x], 1, progress=False)[0]["generator"])


def anchored(x):
    model = ae.SparseAutoencoder(ae.ConvEncoder(5, 2), ae.ConvDecoder(5, 2), ae.TopK(2), 5)
    generator = sg.CodeGenerator(sg.CodePrior(1, 5), model.decoder)
    return sg.reconstruction_anchor(generator, model)(x, x)


def vae():
    encoder, decoder = ae.ConvEncoder(6, 2, size=8), ae.ConvDecoder(3, 2, size=8)
    return vaes.VariationalAutoencoder(encoder, decoder, 3)


def pair(f):
    return lambda: lambda x: f(x, x)


def prior(x):
    return sg.CodePrior.fit(x, 1).means


def penalised(f):
    critic = g.PointDiscriminator(4, 6)
    return lambda: lambda x: f(critic, x)


# For each public name: what makes a function of a batch (called for each example), the shape of a
# sample, and the number that the size of a batch is a multiple of.
IMAGE, ROW = (1, 8, 8), (6,)
CASES = {
    "autoencoders.convolutional.ConvEncoder": (lambda: ae.ConvEncoder(5, 2, size=8), IMAGE, 1),
    "autoencoders.convolutional.ConvDecoder": (lambda: ae.ConvDecoder(6, 2, size=8), ROW, 1),
    "autoencoders.convolutional.LinearAutoencoder": (lambda: ae.LinearAutoencoder(6, 2), ROW, 1),
    "autoencoders.lista.Lista": (lambda: ae.Lista(ATOMS, 0.1, 2), ROW, 1),
    "autoencoders.sparse.SparseAutoencoder": (sparse, ROW, 1),
    "autoencoders.sparse.UnitNormDecoder": (lambda: ae.UnitNormDecoder(6, 4), ROW, 1),
    "autoencoders.sparse.share_alive": (lambda: ae.share_alive, ROW, 1),
    "autoencoders.sparse.sparse_loss": (lambda: lambda x: ae.sparse_loss(sparse(), x), ROW, 1),
    "autoencoders.sparsity.BatchTopK": (trained_batch_top_k, ROW, 1),
    "autoencoders.sparsity.KL": (lambda: ae.KL(0.1, 1.0), ROW, 1),
    "autoencoders.sparsity.L1": (lambda: ae.L1(0.1), ROW, 1),
    "autoencoders.sparsity.NoSparsity": (ae.NoSparsity, ROW, 1),
    "autoencoders.sparsity.TopK": (lambda: ae.TopK(2), ROW, 1),
    "autoencoders.sparsity.kl_sparsity": (lambda: lambda x: ae.kl_sparsity(x, 0.05), ROW, 1),
    "autoencoders.stages.FourStageAutoencoder": (
        lambda: ae.FourStageAutoencoder(code=5, maps=2, channels=1, size=8), IMAGE, 1
    ),
    "autoencoders.stages.Shrinkage": (lambda: ae.Shrinkage(3), (3, 4, 4), 1),
    "autoencoders.unrolled.SparseSuperResolution": (
        lambda: ae.SparseSuperResolution(4, 6, 2, 1), IMAGE, 1
    ),
    "autoencoders.unrolled.UnrolledSparseCoder": (
        lambda: lambda x: ae.UnrolledSparseCoder(4, 6, 2, 2)(x, 0.1), IMAGE, 1
    ),
    "autoencoders.unrolled.analyse": (lambda: lambda x: analyse(x, FILTERS, 2), IMAGE, 1),
    "autoencoders.unrolled.synthesise": (lambda: lambda z: synthesise(z, FILTERS, 2), (3, 4, 4), 1),
    "autoencoders.unrolled.enlarge": (lambda: enlarge, IMAGE, 1),
    "autoencoders.unrolled.shrink_half": (lambda: shrink_half, IMAGE, 1),
    "classifiers.FashionClassifier": (FashionClassifier, (1, 28, 28), 1),
    "gans.losses.gradient_penalty": (
        penalised(lambda critic, x: g.gradient_penalty(critic, x, x)), ROW, 1
    ),
    "gans.losses.r1_penalty": (penalised(g.r1_penalty), ROW, 1),
    "gans.networks.Generator": (lambda: g.Generator(6, 2, size=8), ROW, 1),
    "gans.networks.Discriminator": (lambda: g.Discriminator(2, size=8), IMAGE, 1),
    "gans.networks.MinibatchStd": (g.MinibatchStd, ROW, 2),
    "gans.networks.Packed": (lambda: g.Packed(g.PointDiscriminator(4, 12), 2), ROW, 2),
    "gans.networks.PointGenerator": (lambda: g.PointGenerator(6, 4), ROW, 1),
    "gans.networks.PointDiscriminator": (lambda: g.PointDiscriminator(4, 6), ROW, 1),
    "gans.networks.with_spectral_norm": (
        lambda: g.with_spectral_norm(g.Discriminator(2, size=8)), IMAGE, 1
    ),
    "gans.training.Gan": (lambda: points().step, ROW, 1),
    "gans.training.train_gan": (lambda: game, ROW, 1),
    "gans.training.to_gan_range": (lambda: g.to_gan_range, IMAGE, 1),
    "gans.training.from_gan_range": (lambda: g.from_gan_range, IMAGE, 1),
    "sparse_gans.generators.CodeGenerator": (
        lambda: sg.CodeGenerator(sg.CodePrior(2, 5), ae.ConvDecoder(5, 2)), ROW, 1
    ),
    "sparse_gans.generators.DictionaryGenerator": (
        lambda: sg.DictionaryGenerator(6, 4, 9, 4), ROW, 1
    ),
    "sparse_gans.priors.CodePrior": (lambda: prior, ROW, 7),
    "sparse_gans.training.encode": (lambda: lambda x: sg.encode(sparse(), x), ROW, 1),
    "sparse_gans.training.reconstruction_anchor": (lambda: anchored, (1, 28, 28), 1),
    "sparse_gans.training.train_code_gan": (
        lambda: lambda x: sg.train_code_gan(x, nn.ReLU(), 1)[-2].bias, ROW, 2
    ),
    "training.fit": (lambda: fitted, ROW, 1),
    "vaes.VariationalAutoencoder": (vae, IMAGE, 1),
    "vaes.active_units": (lambda: vaes.active_units, ROW, 2),
    "vaes.elbo_terms": (lambda: lambda x: vaes.elbo_terms(vae(), x), IMAGE, 1),
    "vaes.kl_standard_normal": (pair(vaes.kl_standard_normal), ROW, 1),
    "vaes.reparameterise": (pair(vaes.reparameterise), ROW, 1),
}  # fmt: skip
# Names that take no batch of numbers, and where they are tested
ELSEWHERE = {
    "test_training": ("checkpoints.", "training.TrainingError", "training.gradient_norm"),
    "test_distributed": ("distributed.",),
    "test_pretrained": ("pretrained.",),
    "test_gpu_cells": ("gpu_cell.",),
    "test_session": ("session.",),
    "test_gans": ("gans.losses.GanLoss", "layers.Layers"),
    "test_model_inputs": ("layers.", "sparse_gans.training.train_"),
    "test_autoencoders": ("autoencoders.stages.Stages",),
}
AREA = ("autoencoders", "checkpoints", "classifiers", "distributed", "gans", "gpu_cell", "layers")
AREA += ("pretrained", "session", "sparse_gans", "training", "vaes")


def public_names():
    for module in pkgutil.walk_packages(course_utils.__path__, "course_utils."):
        if module.name.split(".")[1] in AREA:
            loaded = importlib.import_module(module.name)
            for name in getattr(loaded, "__all__", []):
                thing = getattr(loaded, name)
                if getattr(thing, "__module__", "") == module.name:
                    if inspect.isfunction(thing) or inspect.isclass(thing):
                        yield f"{module.name}.{name}".removeprefix("course_utils.")


def test_every_public_name_has_its_inputs_here_or_stands_elsewhere():
    names = set(public_names())
    known = tuple(start for starts in ELSEWHERE.values() for start in starts)
    assert {name for name in names - set(CASES) if not name.startswith(known)} == set()
    assert set(CASES) <= names


def made(name):
    """The function of a case, the same in each call; a network in evaluation mode."""
    torch.manual_seed(0)
    f = CASES[name][0]()
    return f.eval() if isinstance(f, nn.Module) else f


def called(name, x):
    """All numbers of a result as one float64 vector; the first Exception is raised."""
    f = made(name)
    torch.manual_seed(1)
    result = f(x)
    values = result.values() if isinstance(result, dict) else [result]
    return torch.cat([torch.as_tensor(value).detach().double().flatten() for value in values])


def batch(name, blocks, seed=0, scale=1.0):
    """A good batch, values in [0, scale]."""
    _, shape, multiple = CASES[name]
    draws = torch.Generator().manual_seed(seed)
    return scale * torch.rand(blocks * multiple, *shape, generator=draws)


LAYOUTS = {
    "contiguous": lambda x: x,
    "every second": lambda x: x.repeat_interleave(2, dim=-1)[..., ::2],
    "transposed": lambda x: x.transpose(0, -1).contiguous().transpose(0, -1),
    "channels last": lambda x: x.contiguous(
        memory_format=torch.channels_last if x.ndim == 4 else torch.contiguous_format
    ),
    "with a gradient": lambda x: x.clone().requires_grad_(),
}


@pytest.mark.parametrize("name", CASES)
@few
@hypothesis.given(st.integers(1, 3), st.integers(0, 9), st.sampled_from(list(LAYOUTS)))
def test_a_good_batch_gives_finite_numbers_whatever_its_layout_and_stays_as_it_was(
    name, blocks, seed, layout
):
    x = batch(name, blocks, seed)
    expected = called(name, x.clone())
    assert expected.isfinite().all()
    laid = LAYOUTS[layout](x)
    before = laid.detach().clone()
    result = called(name, laid)
    if name not in DRAWS:
        torch.testing.assert_close(result, expected, rtol=1e-4, atol=1e-5)
    assert torch.equal(laid, before)


REFUSED = {
    "NumPy": (lambda x: x.numpy(), TypeError, r"ndarray.*torch.from_numpy"),
    "list": (list, TypeError, r"list.*torch.stack"),
    "uint8": (lambda x: (255 * x).byte(), TypeError, r"uint8.*\.float\(\) / 255"),
    "int64": (lambda x: x.long(), TypeError, r"int64.*\.float\(\)"),
    "bool": (lambda x: x > 0.5, TypeError, r"bool.*\.float\(\)"),
    "complex": (lambda x: x + 1j, TypeError, r"complex64.*\.real"),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_tensor_of_floats_is_a_type_error_with_the_remedy(name, kind):
    change, error, message = REFUSED[kind]
    with pytest.raises(error, match=message):
        called(name, change(batch(name, 2)))


TYPES = (torch.float16, torch.bfloat16, torch.float64)


@pytest.mark.parametrize("name", CASES)
@few
@hypothesis.given(st.sampled_from(TYPES), st.integers(0, 9))
def test_another_type_of_floats_gives_the_same_number_or_a_type_error(name, dtype, seed):
    x = batch(name, 2, seed).to(dtype)
    try:
        result = called(name, x)
    except TypeError as error:
        assert f"holds {dtype}" in str(error) and "to(torch.float32)" in str(error)
        result = called(name, x.to(torch.float32))  # the remedy
    expected = called(name, x.float())
    wide = 2e-2 if dtype != torch.float64 else 1e-4
    if name not in DRAWS:
        torch.testing.assert_close(result, expected, rtol=wide, atol=wide)


SLOPES = ("gans.losses.gradient_penalty", "gans.losses.r1_penalty")  # the same at each sample
DRAWS = ("vaes.reparameterise",)  # in another layout or type other random numbers
CHANGES = {
    "none at all": lambda x: x[:0],
    "one sample": lambda x: x[:1],
    "no batch": lambda x: x[0],
    "one axis more": lambda x: x[None],
    "a number": lambda x: x.sum(),
    "wider": lambda x: torch.cat([x, x[..., :1]], dim=-1),
    "narrower": lambda x: x[..., :-1],
    "empty rows": lambda x: x[..., :0],
    "channels as the last axis": lambda x: x.movedim(1, -1),
    "two channels": lambda x: torch.cat([x, x], dim=1),
    "NaN": lambda x: x * float("nan"),
    "infinite": lambda x: x * float("inf"),
    "negative": lambda x: -x,
    "all the same": lambda x: torch.ones_like(x),
    "zeros": lambda x: torch.zeros_like(x),
    "huge": lambda x: x * 1e30,
    "tiny": lambda x: x * 1e-30,
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("change", CHANGES)
def test_a_batch_of_another_kind_gives_numbers_or_words_that_say_what_was_given(name, change):
    x = CHANGES[change](batch(name, 2))
    try:
        result = called(name, x)
    except (TypeError, ValueError, TrainingError) as error:
        message = str(error)
        assert len(message) > 30 and not message.startswith(("mat1", "min()", "shape '["))
    else:
        # what is not a number does not become one
        if change == "NaN" and name not in SLOPES:
            assert not result.isfinite().all()


def test_half_precision_keeps_its_sums():
    code = torch.zeros(4, 1000, dtype=torch.float16)
    exact = 1000 * (0.05 * np.log(0.05 / 1e-6) + 0.95 * np.log(0.95 / (1 - 1e-6)))
    assert ae.kl_sparsity(code, 0.05).item() == pytest.approx(exact, rel=1e-4)
    assert ae.L1(1.0).penalty(code + 100).item() == pytest.approx(1e5)
    assert ae.Shrinkage(4, lam=1.0).penalty(code[None] + 300).item() == pytest.approx(300)
    mean = torch.full((1, 1000), 20.0, dtype=torch.bfloat16)
    assert vaes.kl_standard_normal(mean, 0 * mean).item() == pytest.approx(2e5)
    x = torch.zeros(4, 3, dtype=torch.float16, requires_grad=True)
    g.MinibatchStd()(x).sum().backward()
    assert x.grad.isfinite().all()


def test_before_training_batch_top_k_keeps_what_top_k_keeps():
    a = torch.randn(5, 9)
    sparsity = ae.BatchTopK(3).eval()
    assert torch.equal(sparsity(a), ae.TopK(3)(a))
    sparsity.train()(a)
    assert sparsity.batches == 1
    sparsity(a * float("nan"))
    assert sparsity.threshold.isfinite() and sparsity.batches == 1


def test_what_draws_or_looks_leaves_each_part_in_its_mode():
    model = vae()
    model.encoder.eval()
    model.sample(2)
    assert model.decoder.training and not model.encoder.training
    sparsity, autoencoder = ae.BatchTopK(2), sparse(ae.BatchTopK(2))
    sg.CodeGenerator(sg.CodePrior(2, 5), ae.ConvDecoder(5, 2), sparsity)
    sg.encode(autoencoder, torch.rand(3, 6))
    assert sparsity.batches == autoencoder.sparsity.batches == 0
    assert sparsity.training and autoencoder.training


def test_a_learners_global_state_does_no_harm():
    gan, model = points(penalty="gradient"), vae()
    torch.set_default_dtype(torch.float64)
    try:
        with torch.no_grad():
            gan.step(torch.rand(4, 6, dtype=torch.float32))
            assert gan.sample(2).dtype == model.sample(2).dtype == torch.float32
    finally:
        torch.set_default_dtype(torch.float32)
    with torch.device("meta"):
        draws = torch.Generator("cpu").manual_seed(0)
        assert gan.sample(2, draws).device.type == model.sample(2).device.type == "cpu"


def test_players_that_do_not_fit_are_named():
    gan = g.Gan(g.Generator(size=8, width=2), g.Discriminator(2, size=28))
    with pytest.raises(ValueError, match=r"\(4, 1, 28, 28\), the generated one \(4, 1, 8, 8\)"):
        gan.step(torch.zeros(4, 1, 28, 28))
    with pytest.raises(ValueError, match=r"\(4, 2\), the generated one \(4, 6\)"):
        points().step(torch.zeros(4, 2))
    with pytest.raises(ValueError, match="generator.noise is None"):
        g.Gan(nn.Linear(2, 2), g.PointDiscriminator()).step(torch.zeros(4, 2))
    gan = points()
    gan.discriminator.requires_grad_(False)
    with pytest.raises(ValueError, match=r"depends on no weight.*discriminator.requires_grad_"):
        gan.step(torch.zeros(4, 6))
    for wrong in ({"lr": (1, 2, 3)}, {"lr": -1}, {"total_steps": 0}, {"ema_decay": 1}):
        with pytest.raises(ValueError, match=f"{next(iter(wrong))} is "):
            points(**wrong)


def test_steps_of_training_are_at_least_one():
    pixels = torch.zeros(70, 1, 28, 28, dtype=torch.uint8)
    images = ImageSet("x", "train", pixels, torch.zeros(70).long(), ("a",), "")
    for train in (
        lambda: sg.train_autoencoder(images, 5, ae.TopK(2), 0),
        lambda: sg.train_gan_steps(g.Generator(width=2), images, 0),
        lambda: sg.train_code_gan(torch.rand(9, 3), nn.ReLU(), 0),
    ):
        with pytest.raises(ValueError, match="steps is 0; expected a whole number"):
            train()


SIZES = {
    "code": lambda n: ae.ConvEncoder(n),
    "width": lambda n: ae.ConvDecoder(5, n),
    "maps": lambda n: ae.Shrinkage(n),
    "channels": lambda n: ae.FourStageAutoencoder(channels=n),
    "noise": lambda n: g.Generator(n),
    "dimensions": lambda n: g.PointGenerator(dimensions=n),
    "atoms": lambda n: sg.DictionaryGenerator(atoms=n),
    "scale": lambda n: ae.UnrolledSparseCoder(4, 6, 2, scale=n),
    "patch": lambda n: sg.DictionaryGenerator(patch=n),
    "units": lambda n: ae.UnitNormDecoder(n, 3),
    "latent": lambda n: vaes.VariationalAutoencoder(nn.Identity(), nn.Identity(), n),
    "components": lambda n: sg.CodePrior(n, 3),
}


@pytest.mark.parametrize("name", SIZES)
@few
@hypothesis.given(st.sampled_from([0, -1, 2.5, "3", None, True, float("nan")]))
def test_a_size_that_is_no_whole_number_above_zero_is_named(name, size):
    with pytest.raises(ValueError, match=f"{name} is .*expected a whole number"):
        SIZES[name](size)


PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
NUMPY = st.floats(allow_nan=False).map(np.float64) | st.integers(-9, 9).map(np.int32)
NESTED = st.recursive(
    PLAIN | NUMPY,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@hypothesis.settings(few, max_examples=40)
@hypothesis.given(st.dictionaries(st.text(), NESTED, max_size=3))
def test_settings_of_plain_values_and_numpys_are_found_again(tmp_path_factory, settings):
    file = Checkpoint(tmp_path_factory.mktemp("settings") / "state.pt", settings)
    save_state({"history": []}, file)
    assert load_state(file)["settings"] == settings


@few
@hypothesis.given(st.integers(0, 2**32 - 1), st.sampled_from([-1, 2**32, 1.5, "1", None, True]))
def test_a_seed_gives_the_same_numbers_and_another_is_refused(seed, wrong):
    seed_everything(seed)
    first = torch.rand(3), np.random.rand()
    seed_everything(np.int64(seed))
    assert torch.equal(first[0], torch.rand(3)) and first[1] == np.random.rand()
    with pytest.raises(ValueError, match="seed is .*expected a whole number"):
        seed_everything(wrong)
