"""Transforms as in PyWavelets and SciPy, and inverted; denoising at reference level."""

import numpy as np
import pytest
import pywt
import torch
from scipy.fft import dctn
from skimage.restoration import denoise_wavelet

from course_utils.data import photographs
from course_utils.metrics import psnr
from course_utils.sparse_coding import hard_threshold, keep_largest, soft_threshold
from course_utils.wavelets import (
    bayes_shrink,
    blocks_to_image,
    cycle_spin,
    dct2,
    dct_matrix,
    idct2,
    image_to_blocks,
    inverse_wavelet2,
    noise_level,
    subbands,
    wavelet2,
    wavelet_matrix,
)

WAVELETS = ["haar", "db2", "db4", "sym8", "coif2"]


def images(*shape):
    return torch.rand(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("wavelet", [*WAVELETS, "dct"])
@pytest.mark.parametrize("n", [2, 6, 64])
def test_a_transform_is_orthonormal_even_when_the_filter_is_longer_than_the_signal(wavelet, n):
    dct = wavelet == "dct"
    W = dct_matrix(n, torch.float64) if dct else wavelet_matrix(n, wavelet, torch.float64)
    assert torch.allclose(W @ W.T, torch.eye(n, dtype=torch.float64), atol=1e-10)


@pytest.mark.parametrize("wavelet", WAVELETS)
@pytest.mark.filterwarnings("ignore:Level value")
def test_wavelet2_agrees_with_pywavelets(wavelet):
    x = images(2, 3, 32, 64)
    theirs = pywt.wavedec2(x.numpy(), wavelet, mode="periodization", level=3)
    expected = torch.from_numpy(pywt.coeffs_to_array(theirs, axes=(-2, -1))[0])
    assert (wavelet2(x, wavelet, 3) - expected).abs().max() < 1e-10


@pytest.mark.parametrize("wavelet", WAVELETS)
@pytest.mark.parametrize("levels", [1, 5])
def test_the_inverse_transform_gives_the_image_back_and_energy_is_kept(wavelet, levels):
    x = images(2, 1, 32, 64)
    z = wavelet2(x, wavelet, levels)
    assert (inverse_wavelet2(z, wavelet, levels) - x).abs().max() < 1e-9
    assert z.square().sum().item() == pytest.approx(x.square().sum().item())


def test_the_two_dimensional_dct_agrees_with_scipy_and_is_inverted():
    x = images(2, 3, 16, 24)
    expected = dctn(x.numpy(), axes=(-2, -1), norm="ortho")
    assert np.abs(dct2(x).numpy() - expected).max() < 1e-12
    assert (idct2(dct2(x)) - x).abs().max() < 1e-12


def test_blocks_are_cut_in_reading_order_and_put_back():
    x = images(2, 1, 16, 24)
    blocks = image_to_blocks(x, 8)
    assert blocks.shape == (2, 1, 2, 3, 8, 8)
    assert torch.equal(blocks[1, 0, 1, 2], x[1, 0, 8:, 16:])
    assert torch.equal(blocks_to_image(blocks), x)
    with pytest.raises(ValueError, match="do not tile"):
        image_to_blocks(x, 5)


def test_the_detail_bands_are_views_that_cover_all_but_the_coarse_image():
    z = torch.zeros(1, 1, 32, 16)
    for band in subbands(z, 3):
        band += 1
    assert z[..., :4, :2].eq(0).all()
    assert z.sum() == z.numel() - 8


def test_the_last_band_of_a_level_is_the_diagonal_one():
    checkerboard = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).repeat(4, 4)[None, None]
    sizes = [band.abs().sum().item() for band in subbands(wavelet2(checkerboard, "haar", 1), 1)]
    assert sizes == pytest.approx([0, 0, 32], abs=1e-5)


def noisy_photographs(sigma):
    names = ["astronaut", "camera", "coffee", "chelsea"]
    x = torch.cat(list(photographs(size=256, names=names).values()))
    return x, x + sigma * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("sigma", [5, 15, 25])
def test_the_noise_level_of_photographs_is_found(sigma):
    _, noisy = noisy_photographs(sigma / 255)
    assert (255 * noise_level(noisy) - sigma).abs().max() < 0.1 * sigma + 1


def test_denoising_is_as_good_as_scikit_images_and_shifts_gain_what_the_reference_gains():
    """Set12 at sigma 25: noisy 20.35, BayesShrink 26.82, 16 shifts 27.69 dB."""
    sigma = 25 / 255
    x, noisy = noisy_photographs(sigma)
    noisy = noisy.clamp(0, 1)
    spun = cycle_spin(lambda y: bayes_shrink(y, sigma), noisy)
    steps = torch.stack([psnr(y, x) for y in (noisy, bayes_shrink(noisy, sigma), spun)]).mean(dim=1)
    assert steps[1] - steps[0] >= 26.82 - 20.35 and steps[2] - steps[0] >= 27.69 - 20.35
    method = dict(sigma=sigma, wavelet="db4", method="BayesShrink")
    theirs = np.stack([denoise_wavelet(image[0].numpy(), **method) for image in noisy])
    assert steps[1] > psnr(torch.tensor(theirs)[:, None].clamp(0, 1), x).mean() - 0.1


def test_cycle_spinning_with_one_shift_is_the_denoiser_itself_and_a_linear_one_is_unchanged():
    x = images(1, 1, 16, 16)
    assert torch.equal(cycle_spin(lambda y: y.square(), x, shifts=1), x.square())
    assert torch.allclose(cycle_spin(lambda y: y, x, shifts=3), x)
    moved = []
    cycle_spin(lambda y: moved.append(y) or y, x, shifts=2)
    assert torch.equal(moved[3], x.roll((1, 1), dims=(-2, -1)))


def test_soft_thresholding_solves_its_minimisation():
    grid = torch.linspace(-4, 4, 8001, dtype=torch.float64)
    for z in (-3.0, -0.4, 0.0, 0.9, 2.5):
        objective = 0.5 * (grid - z) ** 2 + 1.0 * grid.abs()
        best = grid[objective.argmin()].item()
        assert soft_threshold(torch.tensor(z), 1.0).item() == pytest.approx(best, abs=1e-3)


def test_hard_thresholding_keeps_or_kills():
    z = torch.tensor([-2.0, -1.0, 0.5, 1.0, 1.1])
    assert hard_threshold(z, 1.0).tolist() == pytest.approx([-2.0, 0, 0, 0, 1.1])


def test_exactly_k_are_kept_also_among_equals():
    assert keep_largest(torch.ones(3, 2, 5), 4).count_nonzero(dim=(1, 2)).tolist() == [4, 4, 4]
    assert keep_largest(torch.tensor([[1.0, -3.0, 2.0]]), 2).tolist() == [[0.0, -3.0, 2.0]]
    assert keep_largest(torch.ones(2, 3), 0).count_nonzero() == 0


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: wavelet2(images(1, 1, 20, 32), "haar", 3), "2\\*\\*levels must divide"),
        (lambda: wavelet2(images(1, 1, 32, 32), "haar", 0), "at least 1"),
        (lambda: wavelet2(images(1, 1, 32, 32), "bior2.2", 1), "orthogonal"),
        (lambda: wavelet_matrix(8, "dmey"), "orthogonal"),
        (lambda: wavelet_matrix(3), "even number"),
        (lambda: cycle_spin(lambda y: y, images(1, 1, 8, 8), 0), "shifts is 0"),
        (lambda: soft_threshold(torch.ones(2), -0.1), "zero or more"),
        (lambda: hard_threshold(torch.ones(2), float("nan")), "zero or more"),
        (lambda: keep_largest(torch.ones(1, 4), 5), "from 0 to 4"),
        (lambda: bayes_shrink(torch.ones(4, 4), 0.1), "expected \\(N, C, H, W\\)"),
    ],
)
def test_bad_input_gets_an_error_that_says_what_was_expected(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("transform", [dct2, idct2, wavelet2, inverse_wavelet2])
def test_an_integer_image_is_refused_with_the_command_that_converts_it(transform):
    with pytest.raises(TypeError, match="float\\(\\) / 255"):
        transform(torch.ones(1, 1, 8, 8, dtype=torch.uint8))
