"""Autoencoders: shapes, sparsity, what keeps units alive, and clear errors."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from course_utils.autoencoders import (
    KL,
    L1,
    BatchTopK,
    ConvDecoder,
    ConvEncoder,
    FourStageAutoencoder,
    LinearAutoencoder,
    NoSparsity,
    Shrinkage,
    SparseAutoencoder,
    TopK,
    UnitNormDecoder,
    kl_sparsity,
    share_alive,
    sparse_loss,
)
from course_utils.training import fit


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def patch_model(sparsity, n=20, units=30):
    return SparseAutoencoder(nn.Linear(n, units), UnitNormDecoder(units, n), sparsity, units)


# The networks


@pytest.mark.parametrize("channels, size", [(1, 28), (3, 32), (1, 4), (3, 20)])
def test_the_convolutional_pair_gives_codes_and_images_of_the_size_that_went_in(channels, size):
    encoder, decoder = ConvEncoder(10, 4, channels, size), ConvDecoder(10, 4, channels, size)
    x = torch.rand(5, channels, size, size)
    code = encoder(x)
    x_hat = decoder(code)
    assert code.shape == (5, 10) and x_hat.shape == x.shape
    assert 0 <= x_hat.min() and x_hat.max() <= 1


@pytest.mark.parametrize("network", [ConvEncoder, ConvDecoder, FourStageAutoencoder])
def test_a_size_that_the_strides_do_not_divide_is_refused_with_the_nearest_that_they_do(network):
    words = "size is 30; expected a multiple of 4.*crop the images to 28"
    with pytest.raises(ValueError, match=words):
        network(8, size=30)


@pytest.mark.parametrize("model", [ConvEncoder(8, channels=3, size=32), FourStageAutoencoder(8)])
def test_images_that_do_not_fit_the_model_are_refused_with_what_to_do(model):
    words = "x has 1 channels; expected .N, 3, 32, 32.: make the model with channels=1"
    with pytest.raises(ValueError, match=words):
        model(torch.rand(2, 1, 32, 32))


def test_the_linear_autoencoder_is_two_affine_maps_through_a_smaller_code():
    model = LinearAutoencoder(12, 3)
    x = torch.randn(7, 12)
    assert model.encode(x).shape == (7, 3) and model(x).shape == x.shape
    torch.testing.assert_close(model(2 * x) - model(x), model(x) - model(0 * x))
    with pytest.raises(ValueError, match="code is 13; expected a whole number from 1 to 12"):
        LinearAutoencoder(12, 13)


def test_the_four_stages_are_reached_by_name_and_compose_to_the_whole():
    model = FourStageAutoencoder(40, TopK(5), maps=6).eval()
    x = torch.rand(4, 3, 32, 32)
    s, c, d, x_hat = model.stages(x)
    assert s.shape == d.shape == (4, 6, 16, 16) and c.shape == (4, 40) and x_hat.shape == x.shape
    torch.testing.assert_close(model(x), x_hat)
    torch.testing.assert_close(model.encode(x), c)
    torch.testing.assert_close(model.f4(model.f3(model.sparsity(model.f2(model.f1(x))))), x_hat)
    assert ((c != 0).sum(dim=1) <= 5).all()


def test_a_larger_threshold_gives_a_sparser_representation_and_a_price_raises_it_in_training():
    model = FourStageAutoencoder(16, maps=4)
    x = torch.rand(8, 3, 32, 32)
    before = (model.stages(x).s == 0).float().mean()
    with torch.no_grad():
        model.f1[1].threshold.fill_(0.3)
    assert (model.stages(x).s == 0).float().mean() > before

    shrinkage = Shrinkage(4, lam=1.0)
    a = torch.randn(6, 4, 5, 5)
    assert torch.equal(shrinkage(a), a.sign() * (a.abs() - 0.05).clamp(min=0))
    shrinkage.penalty(shrinkage(a)).backward()
    assert (shrinkage.threshold.grad < 0).all()  # a step of descent raises the threshold


# The sparsity


def test_topk_keeps_the_k_largest_positive_numbers():
    a = torch.randn(50, 30)
    code = TopK(4)(a)
    for row, kept in zip(a, code):
        largest = row.sort(descending=True).values[:4].clamp(min=0)
        torch.testing.assert_close(kept.sort(descending=True).values[:4], largest)
        assert (kept != 0).sum() <= 4 and torch.equal(kept[kept != 0], row[kept != 0])
    assert torch.equal(TopK(30)(a), a.relu())
    assert TopK(4)(-a.abs()).abs().sum() == 0


def test_topk_of_maps_counts_all_places_of_a_signal():
    code = TopK(7)(torch.rand(3, 4, 5, 5))
    assert code.shape == (3, 4, 5, 5) and ((code != 0).flatten(1).sum(dim=1) == 7).all()


def test_batchtopk_keeps_k_per_signal_on_average_and_more_where_more_is_needed():
    a = torch.randn(20, 30)
    a[0] += 5
    sparsity = BatchTopK(4)
    code = sparsity(a)
    assert (code != 0).sum() == 4 * 20 and (code[0] != 0).sum() == 30
    smallest = code[code != 0].min()
    assert (a[code == 0] <= smallest).all()


def test_batchtopk_in_evaluation_mode_does_not_depend_on_the_neighbours():
    sparsity = BatchTopK(4)
    for _ in range(300):
        sparsity(torch.randn(64, 30))
    sparsity.eval()
    a = torch.randn(500, 30)
    together, alone = sparsity(a), torch.cat([sparsity(row[None]) for row in a])
    assert torch.equal(together, alone)
    assert (together != 0).sum(dim=1).float().mean().item() == pytest.approx(4, abs=0.3)


def test_l1_is_the_price_of_the_sum_of_a_code():
    code = L1(0.1)(torch.tensor([[1.0, -2.0, 3.0], [0.0, 1.0, -1.0]]))
    assert torch.equal(code, torch.tensor([[1.0, 0.0, 3.0], [0.0, 1.0, 0.0]]))
    assert L1(0.1).penalty(code).item() == pytest.approx(0.1 * (4 + 1) / 2)


def test_kl_is_zero_at_rho_and_grows_on_both_sides_with_the_known_value():
    def at(mean):
        return kl_sparsity(torch.full((5, 2), mean), 0.1).item()

    by_hand = 2 * (0.1 * math.log(0.1 / 0.3) + 0.9 * math.log(0.9 / 0.7))
    assert at(0.1) == pytest.approx(0, abs=1e-6) and at(0.3) == pytest.approx(by_hand, rel=1e-5)
    assert math.inf > at(0.0) > at(0.05) > 0 and math.inf > at(1.0) > at(0.3)
    assert KL(0.1, 3).penalty(torch.full((5, 2), 0.3)).item() == pytest.approx(3 * at(0.3))


def test_the_gradient_of_kl_agrees_with_finite_differences():
    a = torch.randn(6, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda a: kl_sparsity(a.sigmoid(), 0.05), a)


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: TopK(0), "k is 0"),
        (lambda: BatchTopK(2.5), "k is 2.5"),
        (lambda: TopK(31)(torch.rand(2, 30)), "the code has 30 numbers; choose a k of at most 30"),
        (lambda: BatchTopK(31)(torch.rand(2, 30)), "k is 31, but the code has 30 numbers"),
        (lambda: L1(-0.1), "lam is -0.1; expected a finite number of at least 0"),
        (lambda: Shrinkage(3, lam=-1), "lam is -1"),
        (lambda: KL(0, 1), "rho is 0; expected a number strictly between 0 and 1"),
        (lambda: KL(0.1, -3), "beta is -3"),
        (lambda: kl_sparsity(torch.rand(3, 2), 1.5), "rho is 1.5"),
        (lambda: kl_sparsity(torch.randn(30, 2), 0.1), "use code.sigmoid"),
        (lambda: sparse_loss(patch_model(TopK(2)), torch.randn(3, 20), revive=-1), "revive is -1"),
    ],
)
def test_bad_settings_are_refused_by_name(make, words):
    with pytest.raises(ValueError, match=words):
        make()


# Atoms and dead units


def test_atoms_have_length_one_whatever_the_weights_and_the_gradient_along_them_vanishes():
    decoder = UnitNormDecoder(30, 20)
    with torch.no_grad():
        decoder.weight.mul_(torch.rand(30) * 10 + 0.1)
    torch.testing.assert_close(decoder.D.norm(dim=0), torch.ones(30))
    code = torch.randn(7, 30)
    torch.testing.assert_close(decoder(code), code @ decoder.D.T + decoder.bias)
    decoder(code).square().sum().backward()
    assert (decoder.weight.grad * decoder.weight).sum(dim=0).abs().max() < 1e-4


def test_the_terms_of_the_loss_add_up_and_every_sparsity_trains():
    x = torch.randn(16, 20)
    for sparsity in (NoSparsity(), TopK(3), BatchTopK(3), L1(0.01), KL(0.05, 0.1)):
        model = patch_model(sparsity)
        terms = sparse_loss(model, x)
        torch.testing.assert_close(terms["loss"], terms["error"] + terms["penalty"])
        assert terms["error"].item() == pytest.approx(F.mse_loss(model(x), x).item())
        optimizer = torch.optim.Adam(model.parameters(), 1e-2)
        history = fit(model, lambda _: [x], sparse_loss, optimizer, 40, progress=False)
        assert history[-1]["loss"] < 0.8 * history[0]["loss"]


def test_units_are_counted_as_silent_while_training_until_they_are_used():
    model = patch_model(TopK(3))
    with torch.no_grad():
        model.encoder.bias[:10] = -100
    for _ in range(5):
        sparse_loss(model, torch.randn(40, 20))
    assert (model.silent[:10] == 5).all() and model.silent[10:].max() < 5
    before = model.silent.clone()
    sparse_loss(model.eval(), torch.randn(40, 20))
    assert torch.equal(model.silent, before)


def test_revival_reaches_only_dead_units_and_brings_them_back():
    x = torch.randn(256, 20) @ torch.randn(20, 20)
    alive = {}
    for revive in (0.0, 0.25):
        torch.manual_seed(0)
        model = patch_model(TopK(3))
        with torch.no_grad():
            model.encoder.bias[:15] = -4  # nearly dead from the start
        optimizer = torch.optim.Adam(model.parameters(), 3e-2)
        loss = lambda model, x: sparse_loss(model, x, revive)
        fit(model, lambda _: x.split(64), loss, optimizer, 100, progress=False)
        alive[revive] = share_alive(model.encode(x)[:, :15])
    assert alive[0.0] < 0.4 < 0.8 < alive[0.25]

    model.silent.fill_(0)
    model.silent[2] = 100
    with torch.no_grad():
        model.encoder.bias[2] = -100
    model.zero_grad()
    sparse_loss(model, x, 1.0)["revival"].backward()
    moved = model.encoder.weight.grad.abs().sum(dim=1) > 0
    assert not moved[torch.arange(30) != 2].any()


def test_share_alive_counts_units_that_any_signal_uses():
    assert share_alive(torch.tensor([[0.0, 1.0, 0.0, -1.0], [0.0, 0.0, 0.0, 2.0]])) == 0.5
