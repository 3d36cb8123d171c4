"""The experiments on speed: the copied autoencoder (notebook 05) and the roofline (notebook 13)."""

import itertools
import math

import pytest
import torch
from matplotlib import pyplot as plt
from torch import nn

from course_utils.data import ImageSet
from course_utils.experiments import cifar_autoencoder_speed as listing
from course_utils.experiments import roofline as limits

CPU = torch.device("cpu")


def pictures(n, seed=0):
    """A set of n small smooth colour pictures, so that there is something to learn."""
    coarse = torch.rand(n, 3, 2, 2, generator=torch.Generator().manual_seed(seed))
    pixels = (255 * nn.functional.interpolate(coarse, size=16, mode="bilinear")).to(torch.uint8)
    labels = torch.zeros(n, dtype=torch.int64)
    return ImageSet("toy", "train", pixels, labels, ("one",), "Drawn by chance.")


@pytest.fixture(scope="module")
def toy():
    torch.set_num_threads(1)
    return pictures(130), pictures(40, seed=1).images()


@pytest.fixture
def small_batches(monkeypatch):
    monkeypatch.setattr(listing, "LARGE", 32)


# ------------------------------------------------------------------ the listing


def test_the_mended_model_gives_the_picture_its_size_back_and_a_code_of_64_maps():
    x_hat, code = listing.Listing()(torch.rand(2, 3, 32, 32))
    assert x_hat.shape == (2, 3, 32, 32) and code.shape == (2, 64, 8, 8) and code.min() == 0


def test_the_objective_is_the_error_plus_a_tenth_of_the_mean_code():
    model, x = listing.Listing(4), torch.rand(3, 3, 8, 8)
    x_hat, code = model(x)
    expected = (x_hat - x).square().mean() + 0.1 * code.mean()
    torch.testing.assert_close(listing.objective(model, x), expected)


def test_the_per_item_data_are_the_same_pictures(toy):
    data = listing.OneByOne(toy[0])
    one_by_one = torch.stack([data[i][0] for i in range(5)])
    assert len(data) == 130 and torch.equal(one_by_one, toy[0].images(slice(5)))


def test_the_plain_loop_ends_with_its_epochs_or_with_its_seconds_but_not_before_one_epoch(toy):
    assert len(listing.plain(CPU, *toy, seconds=100, epochs=2)[1]) == 3
    assert len(listing.plain(CPU, *toy, seconds=0, epochs=100)[1]) == 2


def test_both_loops_start_from_the_same_weights_and_learn(toy, small_batches):
    slow = listing.plain(CPU, *toy, seconds=100, epochs=8)[1]
    fast = listing.ours(CPU, *toy, target=slow[-1][1], seconds=20)[1]
    assert fast[0][1] == pytest.approx(slow[0][1], rel=1e-5) and slow[-1][1] < slow[0][1] / 2


def test_ours_ends_with_the_first_epoch_that_is_as_good_as_the_target(toy, small_batches):
    seconds, losses = zip(*listing.ours(CPU, *toy, target=0.05, seconds=20)[1])
    assert losses[-1] <= 0.05 < min(losses[:-1]) and list(seconds) == sorted(seconds)
    again = [loss for _, loss in listing.ours(CPU, *toy, target=0.05, seconds=20)[1]]
    assert again == pytest.approx(losses, rel=1e-4)  # equal seeds


def test_ours_gives_up_when_its_seconds_are_over(toy, small_batches):
    curve = listing.ours(CPU, *toy, target=0.0, seconds=0.01)[1]
    assert curve[-1][1] > 0 and len(curve) == 2


def test_the_rate_falls_along_cosines_of_doubling_length(toy, small_batches, monkeypatch):
    rates, made = [], listing.recorded_step

    def watched(model, optimizer, pixels, index):
        step, how = made(model, optimizer, pixels, index)
        return lambda: (rates.append(float(optimizer.param_groups[0]["lr"])), step()), how

    def judged(model, x, calls=itertools.count()):
        return 0.0 if next(calls) == 6 else 1.0

    monkeypatch.setattr(listing, "recorded_step", watched)
    monkeypatch.setattr(listing, "judge", judged)
    listing.ours(CPU, *toy, target=0.5, seconds=100)
    highest = max(rates)
    assert len(rates) == 6 * 4 and [i for i, rate in enumerate(rates) if rate == highest] == [0, 8]
    assert rates[4] == pytest.approx(highest / 2) and rates[16] == pytest.approx(highest / 2)


def test_pictures_per_second_leave_out_the_first_epoch_where_there_are_more():
    assert listing.per_second([(0.0, 1), (10.0, 1), (11.0, 1), (12.0, 1)], 100) == 100
    assert listing.per_second([(0.0, 1), (10.0, 1)], 100) == 10


def test_the_result_is_finite_draws_and_compares_seconds_at_equal_loss_only(
    small_batches, monkeypatch
):
    monkeypatch.setattr(listing, "workers_per_second", lambda device, train: 1234.0)
    result = listing.listing(CPU, pictures(130), pictures(40, seed=1), seconds=1, epochs=2)
    assert all(math.isfinite(value) for value in result.values() if isinstance(value, (int, float)))
    assert {"plain, images/s", "ours, seconds for 2 epochs by rule of three"} <= result.keys()
    assert result["pictures"] == "130 to learn from, 40 to judge"
    assert result["plain with 8 workers, images/s"] == 1200
    labels = [line.get_label() for line in result["figure"].axes[0].lines]
    assert labels[:2] == ["plain", "ours"] and result["figure"].axes[0].get_xscale() == "log"
    plt.close(result["figure"])
    ratio = result["seconds to equal loss, plain over ours"]
    assert (ratio == "not reached") == (result["ours, test loss"] > result["plain, test loss"])


def test_a_loader_with_workers_can_be_measured(toy):
    assert listing.workers_per_second(CPU, toy[0], workers=1) > 0


# ------------------------------------------------------------------ the limits


def test_operations_of_a_convolution_are_those_of_the_formula():
    layers = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 3, 3, padding=1))
    forward = 2 * 16 * 16 * 9 * (3 * 8 + 8 * 3)
    backward = 2 * forward - 2 * 16 * 16 * 9 * 3 * 8  # nobody asks for the gradient of the picture
    assert limits.operations(layers, torch.rand(1, 3, 16, 16)) == forward + backward
    assert limits.operations(layers, torch.rand(5, 3, 16, 16)) == 5 * (forward + backward)
    assert all(p.grad is None for p in layers.parameters())


def test_least_bytes_are_those_of_the_formula_and_half_precision_halves_the_activations():
    layers = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 1, 3, padding=1))
    weights, outputs, x = 40 + 37, 5 * 64 * 2, torch.rand(2, 1, 8, 8)
    assert limits.least_bytes(layers, x, 4) == 5 * 4 * outputs + 4 * (3 * 128 + 10 * weights)
    assert limits.least_bytes(layers, x, 4) - limits.least_bytes(layers, x, 2) == 5 * 2 * outputs


def test_limits_are_measured_and_the_precision_is_left_as_it_was():
    before = torch.get_float32_matmul_precision()
    found = limits.device_limits(CPU, 64, 10_000)
    assert found.keys() == {"float32", "bfloat16", "bytes"} and min(found.values()) > 0
    assert torch.get_float32_matmul_precision() == before


def test_shares_are_the_rate_times_what_a_picture_costs():
    layers, x = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1)), torch.rand(2, 1, 8, 8)
    peaks = {"float32": 1e6, "tf32": 2e6, "bfloat16": 4e6, "bytes": 1e6}
    rungs = [limits.Rung("r", 2, half=half) for half in (False, True)]
    single, half = (limits.shares(rung, 10.0, layers, x, peaks) for rung in rungs)
    assert single["operations"] == pytest.approx(10 * limits.operations(layers, x) / 2 / 2e6)
    assert half["operations"] == pytest.approx(single["operations"] / 2)
    assert single["bytes"] == pytest.approx(5 * limits.least_bytes(layers, x, 4) / 1e6)
    assert half["bytes"] < single["bytes"]


def climb(monkeypatch, compiler):
    """The ladder at toy size with a stand-in for torch.compile."""
    monkeypatch.setattr(torch, "compile", compiler)
    loader = itertools.repeat((torch.rand(4, 1, 8, 8), torch.rand(4, 1, 8, 8)))
    toys, by_chance = torch.rand(20, 1, 8, 8), lambda clean: clean.flip(3)
    network = lambda: nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 1, 3, padding=1))
    sizes = {"batches": (4, 8), "steps": 2, "side": 32, "numbers": 1000}
    return limits.ladder(CPU, network, toys, loader, by_chance, **sizes)


def test_every_rung_has_a_rate_both_shares_and_the_nearer_limit(monkeypatch):
    found = climb(monkeypatch, lambda network: network)
    names = [rung.name for rung in limits.rungs(4, 8)]
    assert names[0] == "plain loop" and names[-1] == "compiled"
    assert all("pictures/s" in found[name] and "nearer: " in found[name] for name in names)
    assert found["figure"].axes and found["limit, bytes: GB/s of a copy"] > 0
    plt.close(found["figure"])


def test_each_rung_changes_one_thing():
    steps = limits.rungs(32, 1024)
    fields = [(r.batch, r.here, r.layout, r.half, r.compiled) for r in steps]
    assert [sum(a != b for a, b in zip(x, y)) for x, y in zip(fields, fields[1:])] == [1] * 5


def test_a_compiler_that_fails_is_said_and_the_other_rungs_stay(monkeypatch):
    def broken(network):
        raise RuntimeError("no compiler")

    found = climb(monkeypatch, broken)
    assert found["compiled"] == "not possible here (RuntimeError)"
    assert "pictures/s" in found["bfloat16"]
    plt.close(found["figure"])


def test_batches_from_the_tensor_leave_the_default_device_alone():
    source = limits.from_tensor(torch.rand(10, 1, 8, 8, device="meta"), 4, lambda clean: clean)
    next(source)
    assert torch.rand(1).device == CPU
