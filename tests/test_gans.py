"""The adversarial networks: shapes, losses against their definitions, a step, and bad input."""

import math

import pytest
import torch
from torch import nn
from torch.autograd import gradcheck
from torch.nn import functional as F

from course_utils.checkpoints import CheckpointError
from course_utils.gans import (
    LOSSES,
    Discriminator,
    Gan,
    Generator,
    MinibatchStd,
    Packed,
    PointDiscriminator,
    PointGenerator,
    from_gan_range,
    gradient_penalty,
    r1_penalty,
    to_gan_range,
    train_gan,
    with_spectral_norm,
)
from course_utils.training import TrainingError


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def points(**options):
    return Gan(PointGenerator(width=16), PointDiscriminator(width=16), **options)


def circle(n=32):
    return F.normalize(torch.randn(n, 2))


def circles(epoch):
    return [circle()] * 3


@pytest.mark.parametrize("channels, size, blocks", [(1, 28, 2), (3, 64, 4), (1, 8, 1)])
def test_a_generator_draws_images_that_the_discriminator_scores(channels, size, blocks):
    generator = Generator(noise=5, width=4, channels=channels, size=size, blocks=blocks)
    discriminator = Discriminator(4, channels, size, blocks, minibatch_std=True)
    images = generator(torch.randn(3, 5))
    assert images.shape == (3, channels, size, size) and images.abs().max() <= 1
    assert discriminator(images).shape == (3,)


def test_without_norm_each_score_depends_on_its_own_image_only():
    discriminator, x = Discriminator(4, norm="none"), torch.rand(4, 1, 28, 28)
    assert torch.allclose(discriminator(x)[:2], discriminator(x[:2]), atol=1e-6)


def test_the_minibatch_feature_is_the_mean_standard_deviation():
    x = torch.randn(6, 3, 4, 4)
    y = MinibatchStd()(x)
    assert torch.equal(y[:, :3], x) and y.shape == (6, 4, 4, 4)
    assert torch.allclose(y[:, 3], x.std(dim=0, correction=0).mean().expand(6, 4, 4), atol=1e-4)
    same = torch.ones(4, 3, requires_grad=True)
    MinibatchStd()(same).sum().backward()
    assert torch.isfinite(same.grad).all()


def test_packing_joins_neighbours():
    x, seen = torch.arange(12.0).view(6, 2), []
    scores = Packed(nn.Sequential(nn.Linear(6, 1), nn.Flatten(0)), 3)
    scores.discriminator.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    assert scores(x).shape == (2,)
    assert seen[0].tolist() == [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]]


def test_spectral_norm_bounds_each_layer():
    network = with_spectral_norm(PointDiscriminator(width=32))
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Linear)]
    with torch.no_grad():
        for layer in layers:
            layer.parametrizations.weight.original.mul_(7)
        for _ in range(100):
            network(torch.randn(2, 2))  # a power step each
    norms = [torch.linalg.matrix_norm(layer.weight, 2).item() for layer in layers]
    assert norms == pytest.approx([1, 1, 1], abs=1e-3)


def test_the_losses_are_their_definitions():
    real, fake = torch.randn(50, dtype=torch.float64), torch.randn(50, dtype=torch.float64)
    value = real.sigmoid().log().mean() + (1 - fake.sigmoid()).log().mean()  # V(G, D)
    for name in ("minimax", "non-saturating"):
        assert torch.isclose(LOSSES[name].discriminator(real, fake), -value)
    assert torch.isclose(LOSSES["minimax"].generator(fake), (1 - fake.sigmoid()).log().mean())
    assert torch.isclose(LOSSES["non-saturating"].generator(fake), -fake.sigmoid().log().mean())
    assert torch.isclose(LOSSES["wasserstein"].discriminator(real, fake), fake.mean() - real.mean())
    hinge = (1 - real).clamp_min(0).mean() + (1 + fake).clamp_min(0).mean()
    assert torch.isclose(LOSSES["hinge"].discriminator(real, fake), hinge)


@pytest.mark.parametrize("name", LOSSES)
def test_losses_stay_finite_and_pull_a_fake_score_in_opposite_directions(name):
    scores = torch.tensor([-1e4, 1e4], requires_grad=True)
    total = LOSSES[name].discriminator(scores, scores) + LOSSES[name].generator(scores)
    total.backward()
    assert torch.isfinite(total) and torch.isfinite(scores.grad).all()
    fake = torch.zeros(3, requires_grad=True)
    (down,) = torch.autograd.grad(LOSSES[name].discriminator(torch.zeros(3), fake), fake)
    (up,) = torch.autograd.grad(LOSSES[name].generator(fake), fake)
    assert (down > 0).all() and (up < 0).all()


def test_the_penalties_know_the_slope_of_a_linear_score():
    weight = torch.tensor([[3.0, 4.0]])
    critic = lambda x: (x @ weight.T)[:, 0]
    x, y = torch.randn(7, 2), torch.randn(7, 2)
    assert torch.isclose(r1_penalty(critic, x), torch.tensor(25.0))
    assert torch.isclose(gradient_penalty(critic, x, y), torch.tensor(16.0))


def test_the_penalties_can_be_differentiated():
    weight = torch.randn(2, 1, dtype=torch.float64, requires_grad=True)
    x = torch.randn(4, 2, dtype=torch.float64)
    assert gradcheck(lambda w: r1_penalty(lambda p: torch.tanh(p @ w)[:, 0], x), weight)


def test_the_ranges_are_inverse_to_each_other():
    assert to_gan_range(torch.tensor([0.0, 1.0])).tolist() == [-1, 1]
    assert from_gan_range(torch.tensor([-1.0, 1.0])).tolist() == [0, 1]


def test_a_step_moves_the_discriminator_first_and_the_generator_against_the_new_one():
    gan, twin = points(lr=1e-2), points(lr=1e-2)
    twin.load_state_dict(gan.state_dict())
    real = circle()
    torch.manual_seed(1)
    gan.step(real)
    torch.manual_seed(1)
    generator, discriminator = twin.generator, twin.discriminator
    fake = generator(twin.noise(len(real)))
    rules = {"lr": 1e-2, "betas": (0.5, 0.99)}
    losses = F.softplus(-discriminator(real)) + F.softplus(discriminator(fake.detach()))
    losses.mean().backward()
    torch.optim.Adam(discriminator.parameters(), **rules).step()
    F.softplus(-discriminator(fake)).mean().backward()
    torch.optim.Adam(generator.parameters(), **rules).step()
    for name, weight in gan.state_dict().items():
        if not name.startswith("generator_ema"):
            assert torch.allclose(weight, twin.state_dict()[name], atol=1e-6), name


def test_the_generator_moves_in_every_nth_step_only():
    gan = points(critic_steps=3)
    moved = []
    for _ in range(6):
        before = gan.generator[0].weight.clone()
        gan.step(circle())
        moved.append(not torch.equal(before, gan.generator[0].weight))
    assert moved == [True, False, False, True, False, False]


def test_the_average_follows_the_generator():
    gan = points(ema_decay=0.9)
    start = gan.generator_ema[0].weight.clone()
    gan.step(circle())
    expected = 0.9 * start + 0.1 * gan.generator[0].weight
    assert torch.allclose(gan.generator_ema[0].weight, expected, atol=1e-6)


def test_the_rate_falls_to_zero():
    gan = points(total_steps=4, lr=(1e-2, 2e-2))
    for share in (1.0, 0.75, 0.5, 0.25, 0.0, 0.0):
        gan.step(circle())
        rates = [optimizer.param_groups[0]["lr"] for optimizer in gan.optimizers.values()]
        assert rates == pytest.approx([share * 1e-2, share * 2e-2])


def test_a_gan_with_r1_learns_where_a_gaussian_lies():
    gan = points(penalty="r1", penalty_weight=0.1, lr=5e-3, ema_decay=0.98, total_steps=600)
    centre = torch.tensor([2.0, -1.0])
    batches = lambda epoch: (centre + 0.5 * torch.randn(64, 2) for _ in range(600))
    train_gan(gan, batches, 1, progress=False)
    drawn = gan.sample(2000)
    assert (drawn.mean(dim=0) - centre).norm() < 0.3
    assert ((drawn.std(dim=0) - 0.5).abs() < 0.3).all()


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("penalty", ["none", "gradient", "r1"])
def test_every_loss_goes_with_every_penalty(loss, penalty):
    gan = points(loss=loss, penalty=penalty)
    before = gan.generator[0].weight.clone()
    assert all(math.isfinite(value) for value in gan.step(circle()).values())
    assert not torch.equal(before, gan.generator[0].weight)


@pytest.mark.parametrize("player", ["generator", "discriminator"])
def test_nan_stops_names_player_and_step_and_keeps_the_last_good_weights(player):
    gan = points()
    gan.step(circle())
    before = {name: value.clone() for name, value in gan.state_dict().items()}
    broken = {player: lambda *scores: sum(s.sum() for s in scores) * math.nan}
    gan.loss = gan.loss._replace(**broken)
    with pytest.raises(TrainingError, match=f"The {player} .*step 2"):
        gan.step(circle())
    for name, value in gan.state_dict().items():
        assert torch.isfinite(value).all()
        assert torch.equal(value, before[name]) or not name.startswith((player, "generator_ema"))


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: points(loss="nonsaturating"), "The loss 'nonsaturating' is unknown"),
        (lambda: points(penalty="r2"), "The penalty 'r2' is unknown"),
        (lambda: points().step(torch.rand(4, 1, 8, 8) * 255), r"expected \[-1, 1\].*to_gan_range"),
        (lambda: MinibatchStd()(torch.randn(1, 3)), "need at least 2"),
        (lambda: Discriminator(norm="layer"), "The norm 'layer' is unknown"),
        (lambda: Generator(size=30), "size is 30; expected a multiple of 4"),
        (lambda: Generator(4, 2)(torch.randn(2, 5)), r"z has shape \(2, 5\); expected \(N, 4\)"),
        (lambda: Packed(nn.Identity(), 3)(torch.randn(4, 2)), "expected a multiple of pack = 3"),
        (lambda: points(critic_steps=0), "critic_steps is 0"),
        (lambda: points(ema_decay=1.5), "ema_decay is 1.5"),
        (lambda: points(penalty_weight=-1.0, penalty="r1"), "penalty_weight is -1.0"),
        (lambda: train_gan(points(), lambda epoch: [], 1), "gave no batch"),
    ],
)
def test_bad_input_says_what_is_wrong(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_an_interrupted_training_goes_on_where_it_was(tmp_path):
    def batches(epoch):
        generator = torch.Generator().manual_seed(epoch)
        return [torch.randn(16, 2, generator=generator) for _ in range(5)]

    kept = {"checkpoint": tmp_path / "state", "progress": False}
    torch.manual_seed(3)
    whole = points(total_steps=20)
    history = train_gan(whole, batches, 4, progress=False)
    torch.manual_seed(3)
    train_gan(points(total_steps=20), batches, 2, **kept)
    second = points(total_steps=20)
    assert train_gan(second, batches, 4, **kept) == history
    for name, value in whole.state_dict().items():
        assert torch.equal(value, second.state_dict()[name]), name
    with pytest.raises(CheckpointError):
        train_gan(Gan(PointGenerator(width=8), PointDiscriminator()), batches, 4, **kept)


def test_a_slice_of_a_network_is_a_row_of_its_layers():
    network, given = Discriminator().eval(), torch.randn(2, 1, 28, 28)
    torch.testing.assert_close(network[3:](network[:3](given)), network(given))
    assert type(network[:3]) is nn.Sequential and network[::2][1] is network[2]
    names = [name for name in network.state_dict() if int(name.split(".")[0]) >= 2]
    assert list(network[2:].state_dict()) == names  # its layers keep their numbers


def test_what_comes_in_evaluation_mode_inside_the_generator_is_trained_in_it():
    """The decoder of an evaluated autoencoder keeps its running means; the rest does not."""
    decoder = nn.Sequential(nn.Linear(4, 2), nn.BatchNorm1d(2)).eval()
    generator = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), decoder)
    generator.noise = 2
    gan = Gan(generator, PointDiscriminator())
    norms = generator[1], decoder[1]
    before = [norm.running_mean.clone() for norm in norms]
    gan.eval()  # as a drawing function may do
    train_gan(gan, circles, 1, progress=False)
    modes = [part.training for part in (generator, *norms, gan.generator_ema)]
    assert modes == [True, True, False, False]
    kept = [torch.equal(norm.running_mean, mean) for norm, mean in zip(norms, before)]
    assert kept == [False, True]
    whole = Gan(PointGenerator().eval(), PointDiscriminator())
    assert whole.train().generator.training


def test_a_function_is_called_before_each_step():
    gan, seen = points(total_steps=20), []
    train_gan(gan, circles, 2, each_step=lambda: seen.append(gan.steps), progress=False)
    assert seen == [0, 1, 2, 3, 4, 5]


def test_training_ends_after_the_seconds_given():
    batches = lambda epoch: (circle() for _ in range(10**6))
    history = train_gan(points(), batches, 1, seconds=0.2, progress=False)
    assert 1 <= history[0]["steps"] < 10**5
