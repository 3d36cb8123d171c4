"""Unrolled sparse coding: formula, adjoint, noise level, and what the shipped weights reach."""

import pytest
import torch
from torch.nn import functional as F

from course_utils.arguments import generator
from course_utils.autoencoders import SparseSuperResolution, UnrolledSparseCoder
from course_utils.autoencoders.unrolled import analyse, enlarge, shrink_half, synthesise
from course_utils.data import photographs
from course_utils.metrics import psnr
from course_utils.pretrained import pretrained
from course_utils.sparse_coding import soft_threshold


@pytest.fixture
def coder():
    return UnrolledSparseCoder(atoms=16, size=6, stride=2, steps=3).eval()


def images(*shape, seed=0):
    return torch.rand(shape, generator=generator(seed))


def close(a, b):
    torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("stride, size", [(1, 3), (4, 12), (2, 10)])
def test_analysis_is_the_strided_convolution_and_synthesis_its_adjoint(stride, size):
    x = images(2, 1, 8 * stride, 12 * stride)
    atoms = torch.randn(5, 1, size, size, generator=generator(1))
    z = analyse(x, atoms, stride)
    close(z, F.conv2d(x, atoms, stride=stride, padding=(size - stride) // 2))
    codes = torch.randn(z.shape, generator=generator(2))
    picture = synthesise(codes, atoms, stride)
    close(picture, F.conv_transpose2d(codes, atoms, stride=stride, padding=(size - stride) // 2))
    close((codes * z).sum(), (picture * x).sum())


def test_one_coefficient_paints_its_atom_around_its_square():
    atoms = torch.randn(3, 1, 12, 12, generator=generator(0))
    z = torch.zeros(1, 3, 8, 8)
    z[0, 1, 3, 5] = 2.0
    picture = synthesise(z, atoms, 4)
    close(picture[0, 0, 8:20, 16:28], 2 * atoms[1, 0])
    assert picture.square().sum() == pytest.approx(4 * atoms[1].square().sum().item(), rel=1e-5)


def test_the_start_is_a_frame_whose_filters_are_the_transposed_dictionary(coder):
    assert torch.equal(coder.analysis[0], coder.atoms)
    assert torch.equal(coder.residual[1], coder.atoms)
    x = images(1, 1, 32, 32)
    assert 0.3 * x.norm() < analyse(x, coder.atoms, 2).norm() <= 1.001 * x.norm()


def test_steps_are_the_formula_written_by_hand(coder):
    with torch.no_grad():
        for weight in coder.parameters():
            weight += 0.01 * torch.randn(weight.shape, generator=generator(weight.numel()))
    noisy, sigma = images(2, 1, 16, 20), torch.tensor([0.1, 0.3])
    x = noisy - noisy.mean(dim=(2, 3), keepdim=True)
    z = torch.zeros(2, 16, 8, 10)
    for k in range(3):
        rest = x - (F.conv_transpose2d(z, coder.residual[k - 1], stride=2, padding=2) if k else 0)
        threshold = coder.theta[k].clamp_min(0)[:, None, None] * sigma[:, None, None, None]
        z = soft_threshold(z + F.conv2d(rest, coder.analysis[k], stride=2, padding=2), threshold)
    code, mean = coder.encode(noisy, sigma)
    close(code, z)
    assert 0.02 < (code != 0).float().mean() < 0.98
    close(coder(noisy, sigma), F.conv_transpose2d(z, coder.atoms, stride=2, padding=2) + mean)


def test_thresholds_follow_the_noise_level(coder):
    x = images(2, 1, 24, 24)
    z, _ = coder.encode(x, 0.1)
    close(coder.encode(5 * x, 0.5)[0], 5 * z)
    close(coder(5 * x, 0.5), 5 * coder(x, 0.1))
    close(coder(1 - x, 0.1), 1 - coder(x, 0.1))
    close(coder(x, 0.1), coder(x, torch.tensor([0.1, 0.1])))
    shares = [(coder.encode(x, sigma)[0] != 0).float().mean() for sigma in (0.0, 0.05, 0.2, 5.0)]
    assert shares == sorted(shares, reverse=True) and shares[0] > 0.9 and shares[-1] == 0
    close(coder(x, 5.0), x.mean(dim=(2, 3), keepdim=True).expand_as(x))


@pytest.mark.parametrize("shape", [(1, 1, 6, 6), (3, 1, 31, 33)])
def test_any_size_from_that_of_the_filters_works(coder, shape):
    x = images(*shape)
    z, mean = coder.encode(x, 0.1)
    assert z.shape == (shape[0], 16, -(-shape[2] // 2), -(-shape[3] // 2))
    assert mean.shape == (shape[0], 1, 1, 1) and coder(x, 0.1).shape == x.shape
    finer = SparseSuperResolution(atoms=16)(x)
    assert finer.shape == (*shape[:2], 2 * shape[2], 2 * shape[3])


def test_an_image_does_not_depend_on_the_others_of_its_batch(coder):
    x, sigma = images(3, 1, 15, 18), torch.tensor([0.05, 0.1, 0.4])
    alone = torch.cat([coder(x[i : i + 1], sigma[i].item()) for i in range(3)])
    close(coder(x, sigma), alone)


@pytest.mark.parametrize("model", [UnrolledSparseCoder(16, 6, 2, 3), SparseSuperResolution(16)])
def test_unit_atoms_change_the_code_and_not_the_result(model):
    x = images(1, 1, 20, 20)
    arguments = (x,) if isinstance(model, SparseSuperResolution) else (x, 0.1)
    with torch.no_grad():
        model.atoms *= torch.linspace(0.5, 2, 16)[:, None, None, None]
    before = model(*arguments)
    model.unit_atoms_()
    close(model.atoms.flatten(1).norm(dim=1), torch.ones(16))
    close(model(*arguments), before)


def test_every_weight_learns(coder):
    x = images(2, 1, 16, 16)
    noisy = x + 0.1 * torch.randn(x.shape, generator=generator(3))
    F.mse_loss(coder(noisy, 0.1), x).backward()
    assert all(weight.grad.abs().sum() > 0 for weight in coder.parameters())


def test_multiply_adds_count_each_filter_at_each_position(coder):
    filters = 3 + 2 + 1  # of the analyses, the residuals and the synthesis
    assert coder.multiply_adds(15, 20) == 8 * 10 * filters * 16 * 36
    assert SparseSuperResolution(16, 6, 2, 2).multiply_adds(8, 8) == 16 * 16 * (3 * 36 + 144)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((images(1, 3, 16, 16), 0.1), "one channel"),
        ((images(1, 1, 5, 16), 0.1), "at least 6, the size of the filters"),
        ((images(1, 1, 16, 16), -0.1), "sigma is -0.1"),
        ((images(2, 1, 16, 16), torch.full((3,), 0.1)), "or one for each of 2 images"),
    ],
)
def test_input_that_does_not_fit_is_named(coder, arguments, message):
    with pytest.raises(ValueError, match=message):
        coder(*arguments)


def test_odd_sides_and_networks_that_cannot_be_made_are_refused():
    with pytest.raises(ValueError, match="even sides"):
        shrink_half(images(1, 1, 15, 16))
    with pytest.raises(ValueError, match="atoms is 200; expected a square number"):
        UnrolledSparseCoder(atoms=200)
    with pytest.raises(ValueError, match="odd multiple of the stride, such as 12"):
        UnrolledSparseCoder(size=8)


def test_shrinking_and_enlarging_keep_means_and_flat_images():
    x = images(2, 1, 20, 24)
    assert shrink_half(x).shape == (2, 1, 10, 12)
    close(shrink_half(torch.full((1, 1, 8, 8), 0.3)), torch.full((1, 1, 4, 4), 0.3))
    close(enlarge(torch.full((1, 1, 8, 8), 0.3)), torch.full((1, 1, 16, 16), 0.3))


@pytest.fixture(scope="module")
def pictures():
    return torch.cat([*photographs(size=256, names=["camera", "chelsea", "coffee"]).values()])


@pytest.mark.parametrize("level, least", [(15, 32.5), (25, 30.1), (50, 26.8)])
def test_the_shipped_denoiser_comes_up_to_a_dictionary_learned_on_each_picture(
    pictures, level, least
):
    # dictionary_learning.denoise on the same noisy pictures: 32.56, 30.19 and 26.99 dB
    noisy = pictures + level / 255 * torch.randn(pictures.shape, generator=generator(0))
    model = pretrained("denoiser")
    with torch.no_grad():
        z, mean = model.encode(noisy, level / 255)
        clean = model.decode(z, mean, (256, 256)).clamp(0, 1)
    assert psnr(clean, pictures).mean() > least
    assert (z != 0).float().mean() < 0.2
    assert (model.atoms.flatten(1).norm(dim=1) - 1).abs().max() < 1e-3  # stored in half precision
    assert model.multiply_adds(256, 256) < 1e9


def test_the_shipped_super_resolution_beats_bicubic_enlargement_on_each_picture(pictures):
    small = shrink_half(pictures)
    with torch.no_grad():
        finer = pretrained("super_resolution")(small).clamp(0, 1)
    gain = psnr(finer, pictures) - psnr(enlarge(small), pictures)
    assert (gain > 0.8).all() and gain.mean() > 1.5
