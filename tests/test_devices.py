"""Each function and training step of the course that takes tensors, rehearsed on another device."""

import importlib
import inspect
import pkgutil

import pytest
import torch
from rehearsal import DEVICE, Elsewhere, rehearsal
from torch import nn

import course_utils
from course_utils import (
    activations,
    classifiers,
    compression,
    losses,
    metrics,
    patches,
    project,
    sparse_coding,
    training,
    vaes,
    wavelets,
)
from course_utils import autoencoders as ae
from course_utils import dictionary_learning as dl
from course_utils import gans as g
from course_utils import sparse_gans as sg
from course_utils.autoencoders import unrolled
from course_utils.metrics.evaluator import Evaluator
from course_utils.metrics.features import FeatureNetwork

# The figures, what only calls the others, and what runs whole experiments.
LEFT_OUT = (
    "arguments.",
    "checkpoints.",
    "display.",
    "distributed.",
    "experiments.",
    "layers.",
    "recipes.",
    "metrics.evaluator.fashion_scores",
    "sparse_gans.training.train_autoencoder",
    "sparse_gans.training.train_gan_steps",
)


def draw(*shape):
    return torch.rand(*shape, device=DEVICE)


def images(number=4, channels=1, size=28):
    return draw(number, channels, size, size)


def atoms(n=16, number=40):
    return sparse_coding.normalise_atoms(torch.randn(n, number, device=DEVICE))


def codes(k=3):
    """Signals, a dictionary, and atoms and weights of their codes."""
    x, D = draw(90, 16), atoms()
    return x, D, *sparse_coding.omp_atoms(x, D, k)


def trained(model, loss, x):
    """The model after two training steps on batches x of the other device."""
    model = model.to(DEVICE)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3, fused=True)
    training.fit(
        model, lambda epoch: [(x,), (x,)], lambda m, batch: loss(m, *batch), optimizer, epochs=1
    )
    return model


def sparse_autoencoder(sparsity):
    model = ae.SparseAutoencoder(nn.Linear(16, 30), ae.UnitNormDecoder(30, 16), sparsity, units=30)
    return trained(model, lambda m, x: ae.sparse_loss(m, x, revive=0.03), draw(12, 16))


def gan(points=False, generator=None, discriminator=None, **settings):
    """An adversarial pair after two training steps."""
    if points:
        generator, discriminator = g.PointGenerator(), g.PointDiscriminator()
    pair = g.Gan(
        generator or g.Generator(width=8), discriminator or g.Discriminator(width=8), **settings
    ).to(DEVICE)
    real = draw(8, 2) if points else 2 * images(8) - 1
    g.train_gan(pair, lambda epoch: [real, real], epochs=1)
    return pair.generator


def with_layer(call):
    network = nn.Sequential(nn.Conv2d(1, 5, 3), nn.ReLU()).to(DEVICE)
    return call(network, network[0], images())


CALLS = {}


def rehearse(*names):
    """Register a function that calls those of the course with these names."""

    def register(call):
        CALLS.update(dict.fromkeys(names, call))
        return call

    return register


def add(module, **calls):
    CALLS.update({f"{module}.{name}": call for name, call in calls.items()})


add(
    "activations",
    from_positions=lambda: activations.from_positions(draw(18, 5), 3, 3),
    to_positions=lambda: activations.to_positions(draw(2, 5, 3, 3)),
    record=lambda: with_layer(activations.record),
    steer=lambda: activations.steer(draw(2, 5, 3, 3), draw(5), 2.0),
)


@rehearse("activations.replaced")
def _replaced():
    def call(network, layer, x):
        with activations.replaced(network, layer, lambda maps: maps + draw(5, 1, 1)):
            return network(x)

    return with_layer(call)


def plain_loss(model, x):
    return (model(x) - x).square().mean()


@rehearse("autoencoders.convolutional.ConvEncoder", "autoencoders.convolutional.ConvDecoder")
def _convolutional():
    return trained(nn.Sequential(ae.ConvEncoder(9), ae.ConvDecoder(9)), plain_loss, images())


@rehearse("training.fit", "autoencoders.convolutional.LinearAutoencoder")
def _linear():
    return trained(ae.LinearAutoencoder(16, 3), plain_loss, draw(8, 16))


@rehearse("autoencoders.lista.Lista")
def _lista():
    model = ae.Lista(atoms(), 0.1, 3).to(DEVICE)
    return trained(model, lambda m, x: m(x).square().mean(), draw(8, 16))


@rehearse("autoencoders.stages.FourStageAutoencoder", "autoencoders.stages.Shrinkage")
def _stages():
    model = ae.FourStageAutoencoder(code=20, sparsity=ae.L1(0.1), maps=4, lam=0.1)
    return trained(model, lambda m, x: (m(x) - x).square().mean(), images(4, 3, 32))


for kind in ("KL", "L1", "BatchTopK", "NoSparsity", "TopK"):
    arguments = {"KL": (0.05, 1.0), "L1": (0.1,), "BatchTopK": (3,), "TopK": (3,)}.get(kind, ())
    add(
        "autoencoders.sparsity",
        **{kind: lambda kind=kind, a=arguments: sparse_autoencoder(getattr(ae, kind)(*a))},
    )
for name in ("SparseAutoencoder", "UnitNormDecoder", "sparse_loss"):
    add("autoencoders.sparse", **{name: lambda: sparse_autoencoder(ae.TopK(3))})
add("autoencoders.sparse", share_alive=lambda: ae.share_alive(draw(5, 9)))
add("autoencoders.sparsity", kl_sparsity=lambda: ae.kl_sparsity(draw(5, 9), 0.05))


@rehearse("autoencoders.unrolled.UnrolledSparseCoder")
def _unrolled():
    model = unrolled.UnrolledSparseCoder(atoms=9, size=6, stride=2, steps=2)
    return trained(model, lambda m, x: (m(x, 0.1) - x).square().mean(), images(2, 1, 32))


@rehearse("autoencoders.unrolled.SparseSuperResolution")
def _super_resolution():
    model = unrolled.SparseSuperResolution(atoms=9)
    return trained(model, lambda m, x: m(x).square().mean(), images(2, 1, 16))


add(
    "autoencoders.unrolled",
    analyse=lambda: unrolled.analyse(images(2, 1, 16), draw(5, 1, 4, 4), 2),
    synthesise=lambda: unrolled.synthesise(draw(2, 5, 7, 7), draw(5, 1, 4, 4), 2),
    enlarge=lambda: unrolled.enlarge(images(2, 1, 8)),
    shrink_half=lambda: unrolled.shrink_half(images(2, 1, 8)),
)
add("classifiers", FashionClassifier=lambda: classifiers.FashionClassifier().to(DEVICE)(images()))
add(
    "compression",  # codes on the CPU, wherever the image is
    encode=lambda: compression.encode(draw(1, 1, 16, 16), 20, atoms(64, 70)),
    decode=lambda: compression.decode(compression.encode(draw(1, 1, 16, 16), 20)),
    quantise=lambda: compression.quantise(draw(5), 0.1),
    sparse_integers=lambda: compression.sparse_integers(torch.rand(1, 1, 16, 16), 20.0),
)
add(
    "dictionary_learning",
    denoise=lambda: dl.denoise(images(1, 1, 24), 0.1, steps=2),
    initial_atoms=lambda: dl.initial_atoms(draw(90, 16), 20),
    ksvd=lambda: dl.ksvd(draw(90, 16), atoms(), rounds=1, k=2),
    ksvd_update=lambda: dl.ksvd_update(*codes()),
    mod=lambda: dl.mod(draw(90, 16), atoms(), rounds=1, error=0.3),
    mod_update=lambda: dl.mod_update(*codes()),
    online_learning=lambda: dl.online_learning(draw(90, 16), atoms(), steps=2, batch=30, lam=0.1),
    online_update=lambda: dl.online_update(atoms(), torch.eye(40, device=DEVICE), draw(16, 40)),
    replace_unused=lambda: dl.replace_unused(*codes(1)),
    sparse_code=lambda: dl.sparse_code(draw(9, 16), atoms(), lam=0.1),
)
add(
    "gans.losses",
    gradient_penalty=lambda: gan(penalty="gradient", loss="wasserstein"),
    r1_penalty=lambda: gan(penalty="r1"),
)
add(
    "gans.training",
    Gan=gan,
    train_gan=lambda: gan(ema_decay=0.9),
    from_gan_range=lambda: g.from_gan_range(2 * images() - 1),
    to_gan_range=lambda: g.to_gan_range(images()),
)
add(
    "gans.networks",
    Generator=lambda: gan()(draw(3, 64)),
    Discriminator=lambda: gan(discriminator=g.Discriminator(width=8, norm="none")),
    MinibatchStd=lambda: gan(discriminator=g.Discriminator(width=8, minibatch_std=True)),
    Packed=lambda: gan(discriminator=g.Packed(g.Discriminator(width=8, channels=2), 2)),
    PointGenerator=lambda: gan(points=True),
    PointDiscriminator=lambda: gan(points=True),
    with_spectral_norm=lambda: gan(discriminator=g.with_spectral_norm(g.Discriminator(width=8))),
)
add(
    "losses",
    FeatureLoss=lambda: losses.FeatureLoss(classifiers.FashionClassifier()).to(DEVICE)(
        images(), images()
    ),
    encoding_decoding_loss=lambda: losses.encoding_decoding_loss(images(), images(), images()),
    **{
        name: lambda name=name: getattr(losses, name)(images(), images())
        for name in (
            "binary_cross_entropy",
            "decoding_loss",
            "encoding_loss",
            "l1",
            "mse",
            "ssim_loss",
        )
    },
)


def feature_sets():
    return draw(30, 4), draw(30, 4)


add(
    "metrics.distances",
    **{
        name: lambda name=name: getattr(metrics.distances, name)(*feature_sets())
        for name in (
            "density_coverage",
            "frechet_distance",
            "kernel_distance",
            "prdc",
            "precision_recall",
        )
    },
)
add(
    "metrics.images",
    l0=lambda: metrics.l0(draw(4, 9)),
    psnr=lambda: metrics.psnr(images(), images()),
    ssim=lambda: metrics.ssim(images(), images()),
)


add(
    "patches",
    average_patches=lambda: patches.average_patches(draw(25, 16), (1, 1, 8, 8), 4),
    extract_patches=lambda: patches.extract_patches(images(1, 1, 8), 4),
)


def half_noise(x, generator=None):
    return x / 2


add(
    "project",
    compare=lambda: project.compare(draw(2, 9), draw(2, 9)),
    noise_floor=lambda: project.noise_floor(draw(4, 5)),
    score=lambda: project.score(lambda x: x, images(), half_noise),
    three_parts=lambda: project.three_parts(images(30)),
    train_model=lambda: project.train_model(
        lambda: nn.Conv2d(1, 1, 3, padding=1).to(DEVICE), images(30), half_noise, 2, 0
    ),
)
add(
    "sparse_coding.coordinates",
    active_set=lambda: sparse_coding.active_set(draw(9, 16), atoms(), 0.1),
    coordinate_descent=lambda: sparse_coding.coordinate_descent(draw(9, 16), atoms(), 0.1),
)
add(
    "sparse_coding.problem",
    decode=lambda: sparse_coding.decode(*codes()[2:], atoms()),
    duality_gap=lambda: sparse_coding.duality_gap(draw(9, 16), atoms(), draw(9, 40), 0.1),
    lasso_objective=lambda: sparse_coding.lasso_objective(draw(9, 16), atoms(), draw(9, 40), 0.1),
    normalise_atoms=atoms,
)
add(
    "sparse_coding.proximal",
    basis_pursuit=lambda: sparse_coding.basis_pursuit(draw(9, 16), atoms(), steps=3),
    fista=lambda: sparse_coding.fista(draw(9, 16), atoms(), 0.1, mask=draw(9, 16).round()),
    ista=lambda: sparse_coding.ista(draw(9, 16), atoms(), 0.1, steps=3),
    lasso=lambda: sparse_coding.lasso(draw(9, 16).requires_grad_(), atoms(), 0.1).sum().backward(),
)
add(
    "sparse_coding.pursuit",
    omp=lambda: sparse_coding.omp(draw(9, 16), atoms(), 3),
    omp_atoms=lambda: sparse_coding.omp_atoms(draw(9, 16), atoms(), error=0.1),
)
add(
    "sparse_coding.thresholds",
    hard_threshold=lambda: sparse_coding.hard_threshold(draw(9), 0.5),
    keep_largest=lambda: sparse_coding.keep_largest(draw(3, 9), 2),
    soft_threshold=lambda: sparse_coding.soft_threshold(draw(9), draw(9)),
)


@rehearse("sparse_gans.generators.CodeGenerator", "sparse_gans.priors.CodePrior")
def _code_generator():
    prior = sg.CodePrior(12, 20)
    return gan(generator=sg.CodeGenerator(prior, ae.ConvDecoder(20), ae.TopK(5)))


add(
    "sparse_gans.generators",
    DictionaryGenerator=lambda: gan(generator=sg.DictionaryGenerator(atoms=16, k=40, width=8)),
)
add(
    "sparse_gans.training",
    encode=lambda: sg.encode(sparse_autoencoder(ae.TopK(3)), draw(5, 16)),
    train_code_gan=lambda: sg.train_code_gan(draw(60, 20), ae.TopK(5), 2),
)


@rehearse("vaes.VariationalAutoencoder", "vaes.elbo_terms", "vaes.reparameterise")
def _vae():
    model = vaes.VariationalAutoencoder(ae.ConvEncoder(12), ae.ConvDecoder(6), latent=6)
    return trained(model, lambda m, x: vaes.elbo_terms(m, x), images())


add(
    "vaes",
    active_units=lambda: vaes.active_units(draw(9, 4)),
    kl_standard_normal=lambda: vaes.kl_standard_normal(draw(9, 4), draw(9, 4)),
)
add(
    "wavelets",
    bayes_shrink=lambda: wavelets.bayes_shrink(images(1, 1, 32), 0.1),
    blocks_to_image=lambda: wavelets.blocks_to_image(draw(2, 2, 8, 8)),
    cycle_spin=lambda: wavelets.cycle_spin(lambda x: x, images(1, 1, 8), 2),
    dct2=lambda: wavelets.dct2(images(1, 1, 8)),
    idct2=lambda: wavelets.idct2(images(1, 1, 8)),
    image_to_blocks=lambda: wavelets.image_to_blocks(images(1, 1, 8), 4),
    inverse_wavelet2=lambda: wavelets.inverse_wavelet2(images(1, 1, 16)),
    noise_level=lambda: wavelets.noise_level(images()),
    subbands=lambda: wavelets.subbands(images(1, 1, 16), 2)[0],
    wavelet2=lambda: wavelets.wavelet2(images(1, 1, 16)),
)


def public_functions():
    """Names of the public functions and modules of the course that take tensors or networks."""
    for module in pkgutil.walk_packages(course_utils.__path__, "course_utils."):
        if "exercises" in module.name or module.name.endswith("__main__"):
            continue
        loaded = importlib.import_module(module.name)
        for name in getattr(loaded, "__all__", []):
            thing = getattr(loaded, name)
            if getattr(thing, "__module__", "") != module.name:
                continue
            if inspect.isfunction(thing):
                given = str(inspect.signature(thing)).split("->")[0]
                wanted = "Tensor" in given or "Module" in given
            else:
                wanted = inspect.isclass(thing) and issubclass(thing, nn.Module)
            if wanted:
                yield f"{module.name}.{name}".removeprefix("course_utils.")


def test_every_function_that_takes_tensors_is_rehearsed():
    missing = {name for name in public_functions() if not name.startswith(LEFT_OUT)} - set(CALLS)
    assert not missing and set(CALLS) <= set(public_functions())


@pytest.mark.parametrize("name", CALLS)
def test_it_stays_on_the_device_of_its_tensors(name):
    torch.manual_seed(0)
    with rehearsal():
        result = CALLS[name]()
    if isinstance(result, nn.Module):
        assert all(isinstance(parameter, Elsewhere) for parameter in result.parameters())


def test_the_rehearsal_finds_a_tensor_on_the_wrong_device():
    with rehearsal():
        with pytest.raises(RuntimeError, match="same device"):
            images() + torch.ones(4, 1, 28, 28)
        with pytest.raises(RuntimeError, match="same device"):
            nn.Linear(16, 4)(draw(3, 16))
        assert torch.rand(3, device=DEVICE, generator=torch.Generator(DEVICE)).device == DEVICE
        x = torch.ones(3).to(DEVICE)
        x[0] = 5
        assert (x * 2).tolist() == [10, 2, 2] and x.cpu().device.type == "cpu"


def test_an_evaluator_takes_images_of_another_device():
    with rehearsal():

        def means(x):
            return x.mean(dim=(1, 2)).unflatten(1, (4, 7)).mean(dim=2)

        network = FeatureNetwork("means", 4, 1, means, DEVICE)
        assert Evaluator(network, images(40), images(40))(images(20)).samples == 20
