"""PSNR and SSIM against scikit-image, sparsity measures, and images that are refused."""

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio

from course_utils.arguments import check_images
from course_utils.metrics import l0, psnr, ssim


@pytest.fixture
def pair():
    draw = torch.Generator().manual_seed(0)
    truth = torch.rand(3, 3, 32, 40, generator=draw)
    return (truth + 0.1 * torch.randn(truth.shape, generator=draw)).clamp(0, 1), truth


def test_psnr_agrees_with_scikit_image_for_each_image(pair):
    expected = [peak_signal_noise_ratio(t.numpy(), e.numpy(), data_range=1) for e, t in zip(*pair)]
    assert psnr(*pair).tolist() == pytest.approx(expected, abs=1e-4)


def test_psnr_of_a_known_error_is_known():
    truth = torch.zeros(1, 1, 8, 8)
    assert psnr(truth + 0.1, truth).item() == pytest.approx(20.0, abs=1e-4)
    assert psnr(truth, truth).item() == float("inf")


def test_ssim_is_one_for_equal_images_follows_the_formula_and_falls_with_noise(pair):
    estimate, truth = pair
    assert ssim(truth, truth).tolist() == pytest.approx([1, 1, 1])
    flat = torch.full((1, 1, 16, 16), 0.5)  # of constants only the luminance term is left
    expected = (2 * 0.5 * 0.7 + 1e-4) / (0.5**2 + 0.7**2 + 1e-4)
    assert ssim(flat, flat + 0.2).item() == pytest.approx(expected, abs=1e-4)
    assert (ssim(estimate, truth) > ssim((estimate + estimate.roll(1, dims=0)) / 2, truth)).all()


def test_l0_counts_what_is_above_the_tolerance():
    assert l0(torch.tensor([[1.0, 1, 1, 1], [0, 0, -5, 0], [0, 0, 0, 0]])).tolist() == [4, 1, 0]
    assert l0(torch.tensor([[0.5, 0.01]]), tolerance=0.1).tolist() == [1]


@pytest.mark.parametrize(
    "images, error, message",
    [
        (np.zeros((4, 4)), TypeError, "torch.from_numpy"),
        (torch.zeros(4, 4), ValueError, r"shape \(4, 4\)"),
        (torch.zeros(1, 4, 4, 3), ValueError, "permute"),
        (torch.zeros(1, 1, 4, 4, dtype=torch.uint8), TypeError, "/ 255"),
        (torch.full((1, 1, 4, 4), float("nan")), ValueError, "NaN"),
        (torch.full((1, 1, 4, 4), 200.0), ValueError, "divide by 255"),
    ],
)
def test_images_of_the_wrong_kind_are_refused_with_what_to_do(images, error, message):
    with pytest.raises(error, match=message):
        check_images(images, clipped=True)


def test_unequal_shapes_and_tiny_images_are_refused():
    with pytest.raises(ValueError, match="must be equal"):
        psnr(torch.zeros(1, 1, 8, 8), torch.zeros(2, 1, 8, 8))
    with pytest.raises(ValueError, match="truth has values from 0 to 255; .*divide by 255"):
        psnr(torch.zeros(1, 1, 1, 2), torch.tensor([[[[0.0, 255.0]]]]))
    with pytest.raises(ValueError, match="at least 11x11"):
        ssim(torch.zeros(1, 1, 8, 8), torch.zeros(1, 1, 8, 8))
