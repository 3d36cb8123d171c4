"""Recording, replacing and steering what a layer gives."""

import pytest
import torch
from torch import nn

from course_utils.activations import from_positions, record, replaced, steer, to_positions
from course_utils.pretrained import pretrained


@pytest.fixture(scope="module")
def generator():
    return pretrained("fashion_gan")


Z = torch.randn(5, 64, generator=torch.Generator().manual_seed(0))


def test_a_layer_is_recorded_in_any_batches_and_the_network_goes_on_alone(generator):
    maps = record(generator, generator[3], Z)
    assert maps.shape == (5, 96, 7, 7) and not maps.requires_grad
    assert not generator[3]._forward_hooks
    torch.testing.assert_close(record(generator, generator[3], Z, batch=2), maps)
    torch.testing.assert_close(nn.Sequential(*list(generator)[4:])(maps), generator(Z))


def test_an_activation_replaced_by_itself_changes_nothing_and_by_another_all(generator):
    first = record(generator, generator[3], Z[:1])
    with torch.no_grad():
        images = generator(Z)
        with replaced(generator, generator[3], lambda maps: maps):
            assert torch.equal(generator(Z), images)
        with replaced(generator, generator[3], lambda maps: first.expand_as(maps)) as same:
            assert same is generator
            torch.testing.assert_close(generator(Z), images[:1].expand_as(images))
        assert torch.equal(generator(Z), images)


def test_what_a_later_layer_overwrites_is_recorded_as_it_was():
    network = nn.Sequential(nn.Identity(), nn.ReLU(inplace=True))
    x = torch.tensor([[-1.0, 2.0]])
    assert torch.equal(record(network, network[0], x), torch.tensor([[-1.0, 2.0]]))


def test_the_hook_is_gone_after_an_error(generator):
    with pytest.raises(ZeroDivisionError), replaced(generator, generator[3], lambda maps: 1 / 0):
        generator(Z)
    assert not generator[3]._forward_hooks


def test_gradients_go_through_what_is_put_in(generator):
    direction = torch.zeros(96, requires_grad=True)
    with replaced(generator, generator[3], lambda maps: steer(maps, direction, 1.0)):
        generator(Z).sum().backward()
    assert direction.grad.abs().sum() > 0


def test_positions_and_maps_are_each_others_inverse():
    maps = torch.arange(2 * 3 * 2 * 4.0).view(2, 3, 2, 4)
    vectors = to_positions(maps)
    assert vectors.shape == (16, 3) and torch.equal(vectors[5], maps[0, :, 1, 1])
    assert torch.equal(from_positions(vectors, 2, 4), maps)


def test_steering_adds_the_direction_where_and_as_much_as_asked():
    maps, direction = torch.randn(2, 3, 4, 4), torch.tensor([1.0, 0.0, -2.0])
    where = torch.zeros(2, 1, 4, 4)
    where[1, 0, 2, 3] = 1
    moved = steer(maps, direction, torch.tensor([5.0, 3.0]), where) - maps
    torch.testing.assert_close(moved[1, :, 2, 3], 3 * direction, atol=1e-6, rtol=1e-5)
    assert moved.count_nonzero() == 2
    each = steer(maps, torch.eye(3)[:2], 2.0) - maps
    torch.testing.assert_close(each.mean(dim=(2, 3)), 2 * torch.eye(3)[:2], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda g: record(g, nn.ReLU(), Z), "not part of the network"),
        (lambda g: record(g, g[3], Z[:0]), "at least one input"),
        (lambda g: to_positions(Z), r"expected \(N, C, H, W\)"),
        (lambda g: from_positions(Z, 2, 2), r"expected \(N\*2\*2, C\)"),
        (lambda g: steer(torch.zeros(2, 3, 4, 4), torch.zeros(4), 1.0), "direction has shape .4,"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_was_given(generator, call, words):
    with pytest.raises(ValueError, match=words):
        call(generator)


def test_a_layer_that_runs_twice_is_refused():
    layer = nn.Linear(3, 3)
    with pytest.raises(ValueError, match="ran 2 times in 1 batches"):
        record(nn.Sequential(layer, layer), layer, torch.zeros(4, 3))


def test_a_function_that_gives_another_shape_or_nothing_is_refused(generator):
    for function, words in ((lambda maps: maps[:1], "1, 96, 7, 7"), (lambda _: None, "NoneType")):
        with pytest.raises(ValueError, match=words), replaced(generator, generator[3], function):
            generator(Z)


def test_the_shipped_features_are_alive_and_explain_the_generator(generator):
    reader = pretrained("generator_features")
    z = torch.randn(300, 64, generator=torch.Generator().manual_seed(3))
    x = to_positions(record(generator, generator[3], z))
    with torch.no_grad():
        code = reader.encode(x)
        error = (reader.decoder(code) - x).square().sum() / (x - x.mean(dim=0)).square().sum()
    assert (code != 0).sum(dim=1).max() <= 8 and (code != 0).any(dim=0).float().mean() > 0.9
    assert error < 0.12
