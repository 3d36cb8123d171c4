"""The GANs of CIFAR-10 behind the GPU cells of notebooks 09 and 12: toy images, a toy clock."""

import math

import matplotlib.pyplot as plt
import pytest
import torch
from torch import nn

from course_utils.autoencoders import NoSparsity, TopK
from course_utils.data.datasets import CLASSES, ImageSet
from course_utils.experiments import cifar_gans, joined_cifar
from course_utils.experiments.residual_networks import Augment, Fast, discriminator, layers_up
from course_utils.gans import LOSSES
from course_utils.metrics import FeatureError, FeatureNetwork

CPU = torch.device("cpu")
COLOURS = FeatureNetwork("mean colour", 3, 3, lambda x: x.mean(dim=(2, 3)))
SMALL = {"images": 12, "width": 4, "batch": 8, "network": COLOURS}


def toy(name, split="train"):
    """Sixty coloured noises, other ones in the test part."""
    assert name == "cifar10"
    generator = torch.Generator().manual_seed(len(split))
    pixels = torch.randint(256, (60, 3, 32, 32), generator=generator, dtype=torch.uint8)
    return ImageSet(name, split, pixels, torch.arange(60) % 10, CLASSES[name], "Noise.")


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Toy images, and a clock that goes on by one second whenever somebody looks at it."""
    now = iter(range(10**6))
    monkeypatch.setattr("time.perf_counter", lambda: float(next(now)))
    for module in (cifar_gans, joined_cifar):
        monkeypatch.setattr(module, "load", toy)
    codes = {"dense": (8, NoSparsity), "TopK": (16, lambda: TopK(4))}
    monkeypatch.setattr(joined_cifar, "CODES", codes)
    yield
    plt.close("all")


def numbers(result):
    """The result without its figure, whose numbers are all finite."""
    assert result["figure"].axes
    kept = {key: value for key, value in result.items() if key != "figure"}
    assert all(math.isfinite(value) for value in kept.values() if not isinstance(value, str))
    return kept


@pytest.mark.parametrize("name", cifar_gans.RECIPES)
def test_a_recipe_gives_scores_for_equal_seconds_and_a_second_run_gives_the_same(name):
    first, second = (numbers(cifar_gans.trained(name, CPU, seconds=5, **SMALL)) for _ in range(2))
    assert first == second
    scores = {"Fréchet distance", "kernel distance", "precision", "recall"}
    assert {"images/s", "Fréchet, floor", "kernel, floor", *scores} <= first.keys()
    assert first["features"] == "mean colour, 12 pictures" and first["training, s"] == 5
    assert first["steps"] == 3  # two looks at the clock for each step


def test_an_unknown_recipe_is_named_with_those_there_are():
    words = "recipe 'biggan' is unknown; choose one of dcgan, sngan, ours"
    with pytest.raises(ValueError, match=words):
        cifar_gans.trained("biggan", CPU)


@pytest.mark.parametrize(
    "name, batch, loss, rates",
    [
        ("dcgan", 128, "non-saturating", (2e-4, 2e-4)),
        ("sngan", 128, "hinge", (2e-4, 2e-4)),
        ("ours", 256, "hinge", (2e-4, 4e-4)),
    ],
)
def test_the_recipes_play_by_their_rules(name, batch, loss, rates):
    game = cifar_gans.RECIPES[name](4)
    assert (game.batch, game.gan.lr, game.gan.critic_steps) == (batch, rates, 1)
    assert game.gan.loss is LOSSES[loss]
    assert game.gan.discriminator(game.gan.generator(game.gan.noise(2))).shape == (2,)


# Counted by hand from the published tables, weights and biases: generator, discriminator
WEIGHTS = {
    "dcgan": (
        100 * 256 * 16 + 2 * (256 + 128 + 64) + 16 * (256 * 128 + 128 * 64 + 64 * 3),
        16 * (3 * 64 + 64 * 128 + 128 * 256 + 256) + 2 * (128 + 256),
    ),
    "sngan": (
        129 * 8192 + 16 * (512 * 256 + 256 * 128 + 128 * 64) + 3 * 448 + 27 * 64 + 3 + 1024,
        (28 + 1025) * 64 + (577 + 2049) * 128 + (1153 + 4097) * 256 + 2305 * 512 + 8193,
    ),
}


@pytest.mark.parametrize("name", WEIGHTS)
def test_the_copied_recipes_have_as_many_weights_as_their_tables(name):
    gan = cifar_gans.RECIPES[name]().gan
    players = gan.generator, gan.discriminator
    assert tuple(sum(p.numel() for p in player.parameters()) for player in players) == WEIGHTS[name]


def test_the_rate_falls_with_the_clock_to_zero_where_the_recipe_says_so():
    for name, ends in (("sngan", 0.0), ("dcgan", 1.0)):
        game = cifar_gans.RECIPES[name](4)._replace(batch=8)
        cifar_gans.train_by_the_clock(game, toy("cifar10"), 10)
        last = game.gan.optimizers["generator"].param_groups[0]["lr"]
        assert last == pytest.approx(ends * 2e-4, abs=1e-9)


def test_there_is_a_step_even_when_there_is_no_time():
    game = cifar_gans.RECIPES["dcgan"](4)._replace(batch=8)
    assert cifar_gans.train_by_the_clock(game, toy("cifar10"), 1e-9)["steps"] == 1


def test_no_test_image_is_trained_on(monkeypatch):
    seen, step = [], cifar_gans.Gan.step

    def watched(gan, real, *rest):
        seen.append(real)
        return step(gan, real, *rest)

    monkeypatch.setattr(cifar_gans.Gan, "step", watched)
    cifar_gans.trained("ours", CPU, seconds=9, **SMALL)
    joined_cifar.compared(CPU, 0, seconds=30, **SMALL)
    own = {tuple(x[0, 0].tolist()) for x in cifar_gans.to_gan_range(toy("cifar10").images())}
    assert {tuple(x[0, 0].tolist()) for x in torch.cat(seen)} <= own


def test_augmented_images_are_moved_and_mirrored_copies_padded_with_zero():
    x = torch.zeros(400, 1, 16, 16)
    x[:, :, 7, 5] = 1
    places = Augment()(x).nonzero()
    assert len(places) == 400 and Augment()(x).sum() == 400  # nearest pixel: nothing is smeared
    assert set(places[:, 2].tolist()) == {5, 6, 7, 8, 9}  # two pixels, an eighth of sixteen
    assert set(places[:, 3].tolist()) == {3, 4, 5, 6, 7} | {8, 9, 10, 11, 12}  # 5 mirrored is 10
    grey = Augment()(torch.ones(200, 1, 16, 16))
    assert set(grey.unique().tolist()) == {0.0, 1.0}


def test_gradients_go_through_the_augmentation_to_each_pixel_that_is_kept():
    x = torch.rand(50, 3, 16, 16, requires_grad=True)
    y = Augment()(x)
    y.sum().backward()
    assert torch.equal(x.grad.unique(), torch.tensor([0.0, 1.0]))
    assert x.grad.sum() == (y != 0).sum()
    assert isinstance(discriminator(4)[0], Augment)


def test_a_fast_network_on_the_cpu_is_the_network_and_its_layers_are_normalised():
    network = layers_up(6, 4)
    z = torch.randn(5, 6)
    copy = layers_up(6, 4)
    copy.load_state_dict(network.state_dict())
    assert torch.allclose(Fast(network)(z), copy(z), atol=1e-5) and Fast(network).noise == 6
    critic = discriminator(4)
    for _ in range(60):  # the power method comes nearer with each pass
        critic(torch.rand(2, 3, 32, 32))
    critic.requires_grad_(False)
    weights = [m.weight for m in critic.eval().modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    norms = [torch.linalg.matrix_norm(weight.flatten(1), 2).item() for weight in weights]
    assert norms == pytest.approx([1] * (1 + 4 * 3 + 1), abs=0.05)


def test_inception_is_left_out_where_it_cannot_be_had_and_asked_for_with_enough_images(monkeypatch):
    def missing(name, device):
        raise FeatureError("no weights")

    monkeypatch.setattr(cifar_gans, "feature_network", missing)
    assert cifar_gans.real_fid(CPU, torch.rand(3000, 3, 2, 2)) == {}
    few = lambda *_: pytest.fail("too few images for it")
    monkeypatch.setattr(cifar_gans, "feature_network", few)
    assert cifar_gans.real_fid(CPU, torch.rand(2048, 3, 2, 2)) == {}


def test_the_comparison_is_of_equal_seconds_and_equal_seeds_give_equal_results(monkeypatch):
    spent, play = [], joined_cifar.train_by_the_clock

    def watched(game, images, seconds):
        spent.append(seconds)
        return play(game, images, seconds)

    monkeypatch.setattr(joined_cifar, "train_by_the_clock", watched)
    runs = [numbers(joined_cifar.compared(CPU, seed, seconds=20, **SMALL)) for seed in (0, 0, 1)]
    assert runs[0] == runs[1] != runs[2]
    for name in ("plain", "dense", "TopK"):
        assert {f"{name}: steps", f"{name}: Fréchet distance", f"{name}: recall"} <= runs[0].keys()
    assert runs[0]["dense: not zero"] == 8 and runs[0]["TopK: not zero"] <= 4
    assert spent[0] == 20 and max(spent[1:3]) <= 16  # a fifth of the time is the autoencoder's
    for name, seconds in zip(("dense", "TopK"), spent[1:3]):
        assert 20 <= runs[0][f"{name}: before the game, s"] + seconds + 2


def test_the_layers_behind_the_codes_are_those_of_the_plain_generator():
    model = joined_cifar.describe(toy("cifar10"), "TopK", 6, 4, 8)
    decoder, generator = model.decoder[0].network, layers_up(128, 4)
    assert [type(a) for a in decoder] == [type(b) for b in generator]
    x_hat = model(toy("cifar10").images([0, 1]))
    assert 0 <= x_hat.min() <= x_hat.max() <= 1
