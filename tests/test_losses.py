"""Losses: at equal images, by hand or by another library, their gradients and errors."""

import copy
import math

import pytest
import torch
from skimage.metrics import structural_similarity
from torch import nn

from course_utils.classifiers import FashionClassifier
from course_utils.data import load
from course_utils.losses import (
    FeatureLoss,
    binary_cross_entropy,
    decoding_loss,
    encoding_decoding_loss,
    encoding_loss,
    l1,
    mse,
    ssim_loss,
)
from course_utils.pretrained import pretrained


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def images(n=2, channels=1, size=28, dtype=torch.float32):
    return torch.rand(n, channels, size, size, dtype=dtype)


@pytest.fixture(scope="module")
def feature_loss():
    torch.manual_seed(0)
    return FeatureLoss(FashionClassifier())


@pytest.mark.parametrize("loss", [mse, l1, ssim_loss, decoding_loss, encoding_loss])
def test_a_loss_is_zero_for_equal_images_and_positive_and_symmetric_otherwise(loss):
    x, y = images(channels=3), images(channels=3)
    assert loss(x, x.clone()).item() == pytest.approx(0, abs=1e-6)
    assert loss(x, y) > 0.01
    torch.testing.assert_close(loss(x, y), loss(y, x))


def test_the_feature_loss_is_zero_for_equal_images_and_grows_with_the_noise(feature_loss):
    x, noise = images(), torch.randn(2, 1, 28, 28)
    assert feature_loss(x, x.clone()) == 0
    assert 0 < feature_loss(x + 0.05 * noise, x) < feature_loss(x + 0.2 * noise, x)


def test_mse_and_l1_are_means_over_all_numbers():
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert mse(x, torch.zeros(2, 2)).item() == pytest.approx(30 / 4)
    assert l1(-x, torch.zeros(2, 2)).item() == pytest.approx(10 / 4)


def test_cross_entropy_is_smallest_at_the_image_itself_where_it_is_the_entropy():
    x = images(dtype=torch.float64)
    entropy = -(x * x.log() + (1 - x) * (1 - x).log()).mean()
    torch.testing.assert_close(binary_cross_entropy(x, x), entropy)
    for other in (images(dtype=torch.float64), (x + 0.01).clamp_max(1), (x - 0.01).clamp_min(0)):
        assert binary_cross_entropy(other, x) > entropy
    grey = torch.full((3,), 0.5)
    assert binary_cross_entropy(grey, grey).item() == pytest.approx(math.log(2))
    black_and_white = (x > 0.5).double()
    assert binary_cross_entropy(black_and_white, black_and_white) == 0
    assert binary_cross_entropy(1 - black_and_white, black_and_white) == 100  # finite, not infinite


@pytest.mark.parametrize("channels, size", [(3, 32), (1, 11)])
def test_ssim_agrees_with_scikit_image(channels, size):
    x = images(3, channels, size)
    y = (x + 0.2 * torch.randn_like(x)).clamp(0, 1)
    settings = {"data_range": 1.0, "channel_axis": 0, "gaussian_weights": True, "sigma": 1.5}
    settings["use_sample_covariance"] = False
    theirs = [structural_similarity(a.numpy(), b.numpy(), **settings) for a, b in zip(x, y)]
    assert ssim_loss(y, x).item() == pytest.approx(1 - sum(theirs) / 3, abs=1e-5)


def test_ssim_of_constant_images_has_only_the_luminance_term():
    a = torch.full((1, 1, 20, 20), 0.3, dtype=torch.float64)
    b = 2 * a
    by_hand = (2 * 0.3 * 0.6 + 1e-4) / (0.3**2 + 0.6**2 + 1e-4)
    assert ssim_loss(a, b).item() == pytest.approx(1 - by_hand, abs=1e-7)


@pytest.mark.parametrize(
    "loss", [mse, l1, binary_cross_entropy, ssim_loss, decoding_loss, encoding_loss]
)
def test_gradients_agree_with_finite_differences(loss):
    x = images(2, 2, 12, torch.float64)
    y = (0.1 + 0.8 * images(2, 2, 12, torch.float64)).requires_grad_()
    assert torch.autograd.gradcheck(lambda y: loss(y, x), y)


def test_the_gradient_of_the_feature_loss_agrees_with_finite_differences(feature_loss):
    loss = FeatureLoss(copy.deepcopy(feature_loss.classifier).double())
    x, y = images(1, dtype=torch.float64), images(1, dtype=torch.float64).requires_grad_()
    (gradient,) = torch.autograd.grad(loss(y, x), y)
    for _ in range(3):
        direction = torch.randn_like(x)
        step = 1e-6 * direction
        slope = (loss(y + step, x) - loss(y - step, x)) / 2e-6
        assert (gradient * direction).sum().item() == pytest.approx(slope.item(), rel=1e-4)


def test_the_classifier_of_the_feature_loss_stays_as_it_was():
    classifier = FashionClassifier().train()
    loss = FeatureLoss(classifier)
    model = nn.ModuleList([nn.Conv2d(1, 1, 3, padding=1), loss]).train()
    before = {name: value.clone() for name, value in loss.state_dict().items()}
    loss(model[0](images()), images()).backward()
    assert not loss.training and not loss.classifier.training and classifier.training
    assert all(p.grad is None and not p.requires_grad for p in loss.parameters())
    assert all(torch.equal(value, before[name]) for name, value in loss.state_dict().items())
    assert model[0].weight.grad.abs().sum() > 0
    assert all(p.requires_grad for p in classifier.parameters())


def test_a_feature_loss_needs_feature_maps_and_images_of_its_size(feature_loss):
    with pytest.raises(ValueError, match=r"Linear has no maps.x.; use .*pretrained..classifier"):
        FeatureLoss(nn.Linear(3, 3))
    with pytest.raises(ValueError, match=r"expected \(N, 1, 28, 28\)"):
        feature_loss(images(size=32), images(size=32))


def test_encoding_and_decoding_losses_are_added_with_their_weights():
    x, s, x_hat = images(), images(), images()
    terms = encoding_decoding_loss(x, s, x_hat, encoding=0.3, decoding=2)
    assert set(terms) == {"loss", "encoding", "decoding"}
    torch.testing.assert_close(terms["encoding"], (x - s).square().mean())
    expected = 0.3 * (x - s).square().mean() + 2 * (x - x_hat).square().mean()
    torch.testing.assert_close(terms["loss"], expected)
    with pytest.raises(ValueError, match="decoding is -1; expected a finite number of at least 0"):
        encoding_decoding_loss(x, s, x_hat, decoding=-1)


@pytest.mark.parametrize("s", [(2, 32, 14, 14), (2, 256)])
def test_an_encoding_that_does_not_live_where_the_image_does_is_refused_with_the_two_repairs(s):
    words = "has no meaning. Make s a sparse image .* compare s with a code: the optimal one"
    with pytest.raises(ValueError, match=words):
        encoding_loss(images(), torch.rand(s))


@pytest.mark.parametrize(
    "loss", [mse, l1, binary_cross_entropy, ssim_loss, decoding_loss, encoding_loss]
)
@pytest.mark.parametrize(
    "bad, error, words",
    [
        (lambda x: x[:1], ValueError, "has shape"),
        (lambda x: x / 0, ValueError, "NaN or infinite"),
        (lambda x: (x * 255).byte(), TypeError, "expected floats"),
    ],
)
def test_shapes_nan_and_whole_numbers_are_refused_by_every_loss_on_either_side(
    loss, bad, error, words
):
    x = images()
    for pair in [(bad(x), x), (x, bad(x))]:
        with pytest.raises(error, match=words):
            loss(*pair)


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: binary_cross_entropy(images() - 0.5, images()), "x_hat has .* a sigmoid"),
        (lambda: binary_cross_entropy(images(), 255 * images()), "x has .*: divide by 255"),
        (lambda: ssim_loss(images(size=10), images(size=10)), "at least 11 x 11"),
    ],
)
def test_ranges_and_sizes_are_refused_with_what_to_do(call, words):
    with pytest.raises(ValueError, match=words):
        call()


# The classifier behind the feature loss


def test_the_classifier_gives_scores_features_and_maps_of_the_stated_shapes():
    classifier, x = FashionClassifier().eval(), images(3)
    assert [tuple(maps.shape) for maps in classifier.maps(x)] == [(3, 32, 14, 14), (3, 64, 7, 7)]
    assert classifier.features(x).shape == (3, 64) and classifier(x).shape == (3, 10)
    torch.testing.assert_close(classifier(x), classifier.scores(classifier.features(x).relu()))


def test_the_shipped_classifier_names_nine_of_ten_test_images_and_uses_all_its_features():
    classifier, test = pretrained("classifier"), load("fashion_mnist", "test")
    with torch.no_grad():
        features = torch.cat([classifier.features(x) for x in test.images().split(1000)])
    named = classifier.scores(features.relu()).argmax(dim=1)
    assert (named == test.labels).float().mean() > 0.89
    assert (features.std(dim=0) > 0.1).all()
    assert torch.linalg.eigvalsh(torch.cov(features.T.double())).min() > 0
