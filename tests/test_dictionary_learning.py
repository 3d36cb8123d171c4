"""Patches in and out, three ways to learn a dictionary, denoising with one."""

import math

import pytest
import torch
from skimage.restoration import denoise_wavelet
from sklearn.feature_extraction.image import extract_patches_2d, reconstruct_from_patches_2d

from course_utils import dictionary_learning as dl
from course_utils.data import natural_patches, photographs
from course_utils.metrics import psnr
from course_utils.patches import average_patches, extract_patches
from course_utils.sparse_coding import decode, lasso, lasso_objective, normalise_atoms, omp_atoms

LEARNERS = {
    "mod": lambda x, D, turns=3, **coding: dl.mod(x, D, turns, **coding),
    "ksvd": lambda x, D, turns=3, **coding: dl.ksvd(x, D, turns, **coding),
    "online": lambda x, D, turns=12, **coding: dl.online_learning(x, D, turns, 400, **coding),
}


def noise(*shape, seed=0, dtype=torch.float32):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@pytest.fixture(scope="module")
def x():
    patches = natural_patches(3000, 8, seed=0).flatten(1)
    return patches - patches.mean(dim=1, keepdim=True)


def planted(number=2000, n=16, count=24, k=2):
    D = normalise_atoms(noise(n, count, seed=1, dtype=torch.float64))
    atoms = noise(number, count, seed=2).argsort(dim=1)[:, :k]
    return decode(atoms, noise(number, k, seed=3, dtype=torch.float64), D), D


def share_found(D, true_atoms):
    return ((D.T @ true_atoms).abs().amax(dim=0) > 0.99).double().mean().item()


def decibels(x, D, k=5):
    return -10 * math.log10((x - decode(*omp_atoms(x, D, k), D)).square().mean())


@pytest.mark.parametrize("height, width, size", [(12, 9, 4), (16, 17, 8)])
def test_patches_are_those_of_scikit_learn(height, width, size):
    image = noise(1, 1, height, width)
    theirs = extract_patches_2d(image[0, 0].numpy(), (size, size)).reshape(-1, size**2)
    ours = extract_patches(image, size)
    assert torch.equal(ours, torch.tensor(theirs))
    changed = ours * noise(len(ours), 1, seed=1)
    theirs = reconstruct_from_patches_2d(changed.reshape(-1, size, size).numpy(), (height, width))
    ours = average_patches(changed, image.shape, size)[0, 0]
    assert torch.allclose(ours, torch.tensor(theirs).float(), atol=1e-5)


@pytest.mark.parametrize("shape, size, stride", [((2, 3, 12, 16), 4, 2), ((1, 3, 8, 8), 8, 8)])
def test_averaged_patches_give_the_image_back(shape, size, stride):
    image = noise(*shape).double()
    patches = extract_patches(image, size, stride)
    first = extract_patches(image[:1], size, stride)
    assert torch.equal(first, patches[: len(first)])  # image by image
    assert torch.allclose(average_patches(patches, shape, size, stride), image, atol=1e-12)


@pytest.mark.parametrize(
    "call, error, words",
    [
        (lambda: extract_patches(torch.zeros(8, 8)), ValueError, "images\\[None\\]"),
        (lambda: extract_patches(torch.zeros(1, 1, 8, 8).byte()), TypeError, "float"),
        (lambda: extract_patches(torch.zeros(1, 1, 8, 8), 9), ValueError, "size is 9"),
        (lambda: extract_patches(torch.zeros(1, 1, 8, 8), 3, 2), ValueError, "do not end at"),
        (lambda: average_patches(torch.zeros(3, 16), (1, 1, 8, 8), 4), ValueError, "have .25, 16"),
    ],
)
def test_patches_that_do_not_fit_are_refused(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_overcomplete_cosines_are_unit_atoms_and_hold_the_constant_first():
    D = dl.overcomplete_dct(8, 16)
    assert D.shape == (64, 256)
    assert torch.allclose(D.norm(dim=0), torch.ones(256), atol=1e-6)
    assert torch.allclose(D[:, 0], torch.full((64,), 1 / 8))
    assert D[:, 1:].sum(dim=0).abs().max() < 1e-5


def test_first_atoms_are_signals_and_no_flat_ones():
    signals = noise(50, 6)
    signals[::2] *= 1e-6
    D = dl.initial_atoms(signals, 20, seed=3)
    cosine = (D.T @ signals[1::2].T / signals[1::2].norm(dim=1)).amax(dim=1)
    assert torch.allclose(cosine, torch.ones(20), atol=1e-5)
    assert torch.equal(D, dl.initial_atoms(signals, 20, seed=3))
    with pytest.raises(ValueError, match="from 1 to 25"):
        dl.initial_atoms(signals, 26)


def test_mod_finds_the_least_squares_dictionary():
    signals, D = planted(300)
    atoms, weights = omp_atoms(signals, D, 2)
    z = torch.zeros(300, 24, dtype=torch.float64).scatter_(1, atoms, weights)
    best = torch.linalg.lstsq(z, signals + 0).solution.T
    found = dl.mod_update(signals, D, atoms, weights)
    assert torch.allclose(found, best / best.norm(dim=0), atol=1e-4)


def test_ksvd_never_raises_the_error_and_keeps_the_zeros(x):
    D = dl.initial_atoms(x, 100)
    atoms, weights = omp_atoms(x, D, 5)
    errors, zero = [(x - decode(atoms, weights, D)).square().sum()], weights == 0
    for _ in range(3):
        D, weights = dl.ksvd_update(x, D, atoms, weights)
        errors.append((x - decode(atoms, weights, D)).square().sum())
        assert errors[-1] <= errors[-2] * (1 + 1e-6)
        assert (weights[zero] == 0).all()
        assert torch.allclose(D.norm(dim=0), torch.ones(100), atol=1e-5)
    assert errors[-1] < 0.95 * errors[0]


def test_online_update_never_raises_the_error_of_the_sums():
    signals, D = planted(500)
    D = normalise_atoms(D + 0.3 * noise(16, 24, seed=9, dtype=torch.float64))
    atoms, weights = omp_atoms(signals, D, 2)
    z = torch.zeros(500, 24, dtype=torch.float64).scatter_(1, atoms, weights)
    levels = []
    for _ in range(6):
        levels.append((signals - z @ D.T).square().sum().item())
        D = dl.online_update(D, z.T @ z, signals.T @ z)
    assert levels[-1] < levels[0]
    assert all(b <= a + 1e-6 * a for a, b in zip(levels[1:], levels[2:]))


@pytest.mark.parametrize("name", LEARNERS)
def test_planted_atoms_are_found_again(name):
    signals, D = planted()
    turns = 200 if name == "online" else 40
    for start in (dl.initial_atoms(signals, 32, seed) for seed in range(3)):
        assert share_found(LEARNERS[name](signals, start, turns, k=2), D) > 0.85
    assert share_found(start, D) < 0.5


@pytest.mark.parametrize("name", LEARNERS)
@pytest.mark.parametrize("coding", [{"k": 8, "error": 0.2}, {"lam": 0.05}])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_learning_makes_codes_better(x, name, coding, dtype):
    x = x[:1000].to(dtype)
    start = dl.initial_atoms(x, 80)
    D = LEARNERS[name](x, start, **coding)
    assert D.shape == start.shape and D.dtype == dtype
    assert torch.allclose(D.norm(dim=0), torch.ones(80, dtype=dtype), atol=1e-5)
    if "lam" in coding:
        lam = coding["lam"]
        before, after = (lasso_objective(x, A, lasso(x, A, lam), lam).sum() for A in (start, D))
        assert after < 0.97 * before
    else:
        assert decibels(x, D, 4) > decibels(x, start, 4) + 0.15


@pytest.mark.parametrize("name", LEARNERS)
def test_learning_is_repeatable_and_leaves_its_input_alone(x, name):
    start, kept = dl.initial_atoms(x, 80), dl.initial_atoms(x, 80)
    first = LEARNERS[name](x, start, k=3)
    assert torch.equal(first, LEARNERS[name](x, start, k=3))
    assert torch.equal(start, kept)


def test_unused_atoms_become_the_worst_signals():
    signals = torch.eye(6)[:4] * torch.tensor([1.0, 5.0, 3.0, 2.0])[:, None]
    D = torch.eye(6)
    atoms, weights = torch.tensor([[0], [0], [0], [0]]), torch.tensor([[1.0], [0.0], [0.0], [0.0]])
    new = dl.replace_unused(signals, D, atoms, weights)
    assert torch.equal(new[:, 0], D[:, 0])
    assert new[:, 1:4].T.argmax(dim=1).tolist() == [1, 2, 3]  # worst first
    assert torch.equal(new[:, 4:], D[:, 4:])  # the first is coded exactly, there is no fifth


@pytest.mark.parametrize("name", LEARNERS)
def test_flat_signals_do_no_harm(name):
    start = normalise_atoms(noise(16, 20))
    assert torch.equal(LEARNERS[name](torch.zeros(50, 16), start, k=2), start)
    mixed = torch.cat([torch.zeros(50, 16), noise(50, 16, seed=4)])
    D = LEARNERS[name](mixed, start, k=2)
    assert torch.isfinite(D).all() and torch.allclose(D.norm(dim=0), torch.ones(20), atol=1e-5)


@pytest.mark.parametrize("name", LEARNERS)
@pytest.mark.parametrize(
    "given, words",
    [
        ({"D": normalise_atoms(noise(30, 16))}, "transposed"),
        ({"k": None}, "when to stop"),
        ({"k": 31}, "k is 31"),
        ({"k": 3, "lam": 0.1}, "one of them"),
    ],
)
def test_learners_refuse_what_does_not_fit(name, given, words):
    with pytest.raises(ValueError, match=words):
        LEARNERS[name](**{"x": noise(40, 16), "D": normalise_atoms(noise(16, 30)), "k": 2} | given)


def test_a_dictionary_learned_on_the_noisy_picture_beats_bayes_shrink_of_scikit_image():
    sigma, method = 25 / 255, dict(wavelet="db4", method="BayesShrink", rescale_sigma=True)
    for image in photographs(size=256, names=["camera", "coins"]).values():
        noisy = (image + sigma * noise(*image.shape, seed=5)).clamp(0, 1)
        theirs = torch.tensor(denoise_wavelet(noisy[0, 0].numpy(), **method))[None, None]
        assert psnr(dl.denoise(noisy, sigma), image) > psnr(theirs.float(), image) + 2


def test_colour_is_denoised_together_better_than_channel_by_channel():
    sigma, image = 25 / 255, photographs(False, 128, ["motorcycle"])["motorcycle"]
    noisy = (image + sigma * noise(*image.shape, seed=5)).clamp(0, 1)
    together = psnr(dl.denoise(noisy, sigma), image)
    apart = psnr(dl.denoise(noisy.transpose(0, 1), sigma).transpose(0, 1), image)
    assert together > apart + 0.3 > psnr(noisy, image)


def test_denoising_is_repeatable_keeps_a_constant_and_takes_a_given_dictionary():
    image = torch.full((2, 1, 24, 20), 0.5)
    noisy = image + 0.1 * noise(*image.shape)
    D = dl.cosine_atoms(1)
    first = dl.denoise(noisy, 0.1, D)
    assert torch.equal(first, dl.denoise(noisy, 0.1, D))
    assert (first - image).square().mean().sqrt() < 0.03
    assert torch.allclose(dl.denoise(image, 0.1), image, atol=1e-6)
    almost_clean = dl.denoise(noisy, 1e-4, D)  # hardly any noise: nothing to take away
    assert (almost_clean - noisy).abs().max() < 1e-3


@pytest.mark.parametrize(
    "noisy, sigma, error, words",
    [
        (torch.zeros(1, 1, 16, 16), 0, ValueError, "sigma is 0"),
        (torch.zeros(1, 1, 7, 16), 0.1, ValueError, "size is 8"),
        (torch.zeros(16, 16), 0.1, ValueError, "N, C, H, W"),
        (torch.zeros(1, 1, 16, 16).long(), 0.1, TypeError, "float"),
    ],
)
def test_denoise_refuses_what_is_no_noisy_image(noisy, sigma, error, words):
    with pytest.raises(error, match=words):
        dl.denoise(noisy, sigma)
