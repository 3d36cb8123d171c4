"""Each function and training step of the course that takes tensors, rehearsed on another device."""

import importlib
import inspect
import pkgutil

import pytest
import torch
from rehearsal import DEVICE, Elsewhere, rehearsal
from torch import nn

import course_utils
from course_utils import autoencoders as ae
from course_utils import gans as g
from course_utils import sparse_coding, vaes
from course_utils.classifiers import FashionClassifier
from course_utils.compression import encode as compressed
from course_utils.metrics.evaluator import Evaluator
from course_utils.metrics.features import FeatureNetwork
from course_utils.sparse_gans import CodeGenerator, CodePrior
from course_utils.training import fit

# The figures, what only calls the others, and what runs whole experiments.
LEFT_OUT = ("arguments.", "checkpoints.", "display.", "distributed.", "experiments.", "layers.")
LEFT_OUT += ("recipes.", "metrics.evaluator.fashion_scores")
LEFT_OUT += ("sparse_gans.training.train_autoencoder", "sparse_gans.training.train_gan_steps")


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


def trained(model, x, loss=lambda model, x: model(x).square().mean()):
    """The model after two training steps on the batch x of the other device."""
    model = model.to(DEVICE)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3, fused=True)
    fit(model, lambda epoch: [x, x], loss, optimizer, epochs=1)
    return model


def sparse(sparsity):
    model = ae.SparseAutoencoder(nn.Linear(16, 30), ae.UnitNormDecoder(30, 16), sparsity, units=30)
    return trained(model, draw(12, 16), lambda model, x: ae.sparse_loss(model, x, revive=0.03))


def gan(generator=None, discriminator=None, real=None, **settings):
    """The generator of an adversarial pair after two training steps."""
    generator = generator or g.Generator(width=8)
    pair = g.Gan(generator, discriminator or g.Discriminator(width=8), **settings).to(DEVICE)
    real = 2 * images(8) - 1 if real is None else real
    g.train_gan(pair, lambda epoch: [real, real], epochs=1)
    return pair.generator


def points():
    return gan(g.PointGenerator(), g.PointDiscriminator(), draw(8, 2))


def code_gan():
    return gan(CodeGenerator(CodePrior(12, 20), ae.ConvDecoder(20), ae.TopK(5)))


def vae():
    model = vaes.VariationalAutoencoder(ae.ConvEncoder(12), ae.ConvDecoder(6), latent=6)
    return trained(model, images(), vaes.elbo_terms)


def convolutional():
    return trained(nn.Sequential(ae.ConvEncoder(9), ae.ConvDecoder(9)), images())


def linear():
    return trained(ae.LinearAutoencoder(16, 3), draw(8, 16))


def stages():
    model = ae.FourStageAutoencoder(code=20, sparsity=ae.L1(0.1), maps=4, lam=0.1)
    return trained(model, images(4, 3, 32))


def with_layer(call):
    network = nn.Sequential(nn.Conv2d(1, 5, 3), nn.ReLU()).to(DEVICE)
    return call(network, network[0], images())


def replaced(f):
    def call(network, layer, x):
        with f(network, layer, lambda maps: maps + draw(5, 1, 1)):
            return network(x)

    return with_layer(call)


def half_noise(x, generator=None):
    return x / 2


def convolution():
    return nn.Conv2d(1, 1, 3, padding=1).to(DEVICE)


def of_two_images(f):
    return f(images(), images())


def of_two_sets(f):
    return f(draw(30, 4), draw(30, 4))


# For each public name what is called, given the function or class of that name
CALLS = {
    "activations.from_positions": lambda f: f(draw(18, 5), 3, 3),
    "activations.to_positions": lambda f: f(draw(2, 5, 3, 3)),
    "activations.record": with_layer,
    "activations.replaced": replaced,
    "activations.steer": lambda f: f(draw(2, 5, 3, 3), draw(5), 2.0),
    "autoencoders.convolutional.ConvEncoder": lambda f: convolutional(),
    "autoencoders.convolutional.ConvDecoder": lambda f: convolutional(),
    "autoencoders.convolutional.LinearAutoencoder": lambda f: linear(),
    "autoencoders.lista.Lista": lambda f: trained(f(atoms(), 0.1, 3), draw(8, 16)),
    "autoencoders.stages.FourStageAutoencoder": lambda f: stages(),
    "autoencoders.stages.Shrinkage": lambda f: stages(),
    "autoencoders.sparse.SparseAutoencoder": lambda f: sparse(ae.TopK(3)),
    "autoencoders.sparse.UnitNormDecoder": lambda f: sparse(ae.TopK(3)),
    "autoencoders.sparse.sparse_loss": lambda f: sparse(ae.TopK(3)),
    "autoencoders.sparse.share_alive": lambda f: f(draw(5, 9)),
    "autoencoders.sparsity.BatchTopK": lambda f: sparse(f(3)),
    "autoencoders.sparsity.KL": lambda f: sparse(f(0.05, 1.0)),
    "autoencoders.sparsity.L1": lambda f: sparse(f(0.1)),
    "autoencoders.sparsity.NoSparsity": lambda f: sparse(f()),
    "autoencoders.sparsity.TopK": lambda f: sparse(f(3)),
    "autoencoders.sparsity.kl_sparsity": lambda f: f(draw(5, 9), 0.05),
    "autoencoders.unrolled.UnrolledSparseCoder": lambda f: trained(
        f(atoms=9, size=6, stride=2, steps=2), images(2, 1, 32), lambda m, x: m(x, 0.1).mean()
    ),
    "autoencoders.unrolled.SparseSuperResolution": lambda f: trained(f(9), images(2, 1, 16)),
    "autoencoders.unrolled.analyse": lambda f: f(images(2, 1, 16), draw(5, 1, 6, 6), 2),
    "autoencoders.unrolled.synthesise": lambda f: f(draw(2, 5, 7, 7), draw(5, 1, 6, 6), 2),
    "autoencoders.unrolled.enlarge": lambda f: f(images(2, 1, 8)),
    "autoencoders.unrolled.shrink_half": lambda f: f(images(2, 1, 8)),
    "classifiers.FashionClassifier": lambda f: f().to(DEVICE)(images()),
    # Codes on the CPU, wherever the image is
    "compression.encode": lambda f: f(draw(1, 1, 16, 16), 20, atoms(64, 70)),
    "compression.decode": lambda f: f(compressed(draw(1, 1, 16, 16), 20)),
    "compression.quantise": lambda f: f(draw(5), 0.1),
    "compression.sparse_integers": lambda f: f(torch.rand(1, 1, 16, 16), 20.0),
    "dictionary_learning.denoise": lambda f: f(images(1, 1, 24), 0.1, steps=2),
    "dictionary_learning.initial_atoms": lambda f: f(draw(90, 16), 20),
    "dictionary_learning.ksvd": lambda f: f(draw(90, 16), atoms(), rounds=1, k=2),
    "dictionary_learning.ksvd_update": lambda f: f(*codes()),
    "dictionary_learning.mod": lambda f: f(draw(90, 16), atoms(), rounds=1, error=0.3),
    "dictionary_learning.mod_update": lambda f: f(*codes()),
    "dictionary_learning.online_learning": lambda f: f(draw(90, 16), atoms(), 2, batch=30, lam=0.1),
    "dictionary_learning.online_update": lambda f: f(
        atoms(), torch.eye(40, device=DEVICE), draw(16, 40)
    ),
    "dictionary_learning.replace_unused": lambda f: f(*codes(1)),
    "dictionary_learning.sparse_code": lambda f: f(draw(9, 16), atoms(), lam=0.1),
    "gans.losses.gradient_penalty": lambda f: gan(penalty="gradient", loss="wasserstein"),
    "gans.losses.r1_penalty": lambda f: gan(penalty="r1"),
    "gans.training.Gan": lambda f: gan(),
    "gans.training.train_gan": lambda f: gan(ema_decay=0.9),
    "gans.training.from_gan_range": lambda f: f(2 * images() - 1),
    "gans.training.to_gan_range": lambda f: f(images()),
    "gans.networks.Generator": lambda f: gan()(draw(3, 64)),
    "gans.networks.Discriminator": lambda f: gan(None, f(width=8, norm="none")),
    "gans.networks.MinibatchStd": lambda f: gan(None, g.Discriminator(width=8, minibatch_std=True)),
    "gans.networks.Packed": lambda f: gan(None, f(g.Discriminator(width=8, channels=2), 2)),
    "gans.networks.PointGenerator": lambda f: points(),
    "gans.networks.PointDiscriminator": lambda f: points(),
    "gans.networks.with_spectral_norm": lambda f: gan(None, f(g.Discriminator(width=8))),
    "losses.FeatureLoss": lambda f: of_two_images(f(FashionClassifier()).to(DEVICE)),
    "losses.encoding_decoding_loss": lambda f: f(images(), images(), images()),
    "losses.binary_cross_entropy": of_two_images,
    "losses.decoding_loss": of_two_images,
    "losses.encoding_loss": of_two_images,
    "losses.l1": of_two_images,
    "losses.mse": of_two_images,
    "losses.ssim_loss": of_two_images,
    "metrics.distances.density_coverage": of_two_sets,
    "metrics.distances.frechet_distance": of_two_sets,
    "metrics.distances.kernel_distance": of_two_sets,
    "metrics.distances.prdc": of_two_sets,
    "metrics.distances.precision_recall": of_two_sets,
    "metrics.images.l0": lambda f: f(draw(4, 9)),
    "metrics.images.psnr": of_two_images,
    "metrics.images.ssim": of_two_images,
    "patches.average_patches": lambda f: f(draw(25, 16), (1, 1, 8, 8), 4),
    "patches.extract_patches": lambda f: f(images(1, 1, 8), 4),
    "project.compare": lambda f: f(draw(2, 9), draw(2, 9)),
    "project.noise_floor": lambda f: f(draw(4, 5)),
    "project.score": lambda f: f(lambda x: x, images(), half_noise),
    "project.three_parts": lambda f: f(images(30)),
    "project.train_model": lambda f: f(convolution, images(30), half_noise, 2, 0),
    "sparse_coding.coordinates.active_set": lambda f: f(draw(9, 16), atoms(), 0.1),
    "sparse_coding.coordinates.coordinate_descent": lambda f: f(draw(9, 16), atoms(), 0.1),
    "sparse_coding.problem.decode": lambda f: f(*codes()[2:], atoms()),
    "sparse_coding.problem.duality_gap": lambda f: f(draw(9, 16), atoms(), draw(9, 40), 0.1),
    "sparse_coding.problem.lasso_objective": lambda f: f(draw(9, 16), atoms(), draw(9, 40), 0.1),
    "sparse_coding.problem.normalise_atoms": lambda f: f(draw(16, 40)),
    "sparse_coding.proximal.basis_pursuit": lambda f: f(draw(9, 16), atoms(), steps=3),
    "sparse_coding.proximal.fista": lambda f: f(
        draw(9, 16), atoms(), 0.1, mask=draw(9, 16).round()
    ),
    "sparse_coding.proximal.ista": lambda f: f(draw(9, 16), atoms(), 0.1, steps=3),
    "sparse_coding.proximal.lasso": lambda f: (
        f(draw(9, 16).requires_grad_(), atoms(), 0.1).sum().backward()
    ),
    "sparse_coding.pursuit.omp": lambda f: f(draw(9, 16), atoms(), 3),
    "sparse_coding.pursuit.omp_atoms": lambda f: f(draw(9, 16), atoms(), error=0.1),
    "sparse_coding.thresholds.hard_threshold": lambda f: f(draw(9), 0.5),
    "sparse_coding.thresholds.keep_largest": lambda f: f(draw(3, 9), 2),
    "sparse_coding.thresholds.soft_threshold": lambda f: f(draw(9), draw(9)),
    "sparse_gans.generators.CodeGenerator": lambda f: code_gan(),
    "sparse_gans.generators.DictionaryGenerator": lambda f: gan(f(atoms=16, k=40, width=8)),
    "sparse_gans.priors.CodePrior": lambda f: code_gan(),
    "sparse_gans.training.encode": lambda f: f(sparse(ae.TopK(3)), draw(5, 16)),
    "sparse_gans.training.train_code_gan": lambda f: f(draw(60, 20), ae.TopK(5), 2),
    "training.fit": lambda f: linear(),
    "vaes.VariationalAutoencoder": lambda f: vae(),
    "vaes.elbo_terms": lambda f: vae(),
    "vaes.reparameterise": lambda f: vae(),
    "vaes.active_units": lambda f: f(draw(9, 4)),
    "vaes.kl_standard_normal": lambda f: f(draw(9, 4), draw(9, 4)),
    "wavelets.bayes_shrink": lambda f: f(images(1, 1, 32), 0.1),
    "wavelets.blocks_to_image": lambda f: f(draw(2, 2, 8, 8)),
    "wavelets.cycle_spin": lambda f: f(lambda x: x, images(1, 1, 8), 2),
    "wavelets.dct2": lambda f: f(images(1, 1, 8)),
    "wavelets.idct2": lambda f: f(images(1, 1, 8)),
    "wavelets.image_to_blocks": lambda f: f(images(1, 1, 8), 4),
    "wavelets.inverse_wavelet2": lambda f: f(images(1, 1, 16)),
    "wavelets.noise_level": lambda f: f(images()),
    "wavelets.subbands": lambda f: f(images(1, 1, 16), 2)[0],
    "wavelets.wavelet2": lambda f: f(images(1, 1, 16)),
}


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
    module, _, last = name.rpartition(".")
    public = getattr(importlib.import_module(f"course_utils.{module}"), last)
    with rehearsal():
        result = CALLS[name](public)
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
