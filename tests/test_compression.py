"""The small image format: what is coded comes back, few bytes for simple pictures, clear errors."""

import pytest
import torch

from course_utils import compression
from course_utils.compression import DecodeError, dct_atoms, decode, encode, quantise
from course_utils.data import photograph
from course_utils.metrics import psnr
from course_utils.sparse_coding import normalise_atoms
from course_utils.wavelets import blocks_to_image, dct2, image_to_blocks

IMAGE = photograph("camera", size=64)


def dictionary(atoms=90, seed=0):
    D = torch.randn(64, atoms, generator=torch.Generator().manual_seed(seed))
    return normalise_atoms(D - D.mean(dim=0))


def from_integers(image, step, D=None):
    """What the whole numbers say, without any bytes."""
    means, codes = compression.sparse_integers(image, step, D)
    blocks = step * (codes.float() @ (dct_atoms() if D is None else D).T + means[:, :, None] / 8)
    return ((blocks_to_image(blocks.unflatten(2, (8, 8))) + 128) / 255).clamp(0, 1)[None, None]


@pytest.mark.parametrize("D", [None, dictionary(200, 1), dictionary(10, 2)])
@pytest.mark.parametrize("step", [0.5, 20, 1000])
def test_the_bytes_hold_exactly_the_whole_numbers(D, step):
    back = decode(encode(IMAGE, step, D), D)
    assert torch.allclose(back, from_integers(IMAGE, step, D), atol=1e-5)


@pytest.mark.parametrize("shape", [(8, 8), (8, 64), (24, 16)])
@pytest.mark.parametrize("fill", [0.0, 1.0, None])
def test_any_size_of_whole_blocks_comes_back(shape, fill):
    noise = torch.rand(1, 1, *shape, generator=torch.Generator().manual_seed(1))
    image = noise if fill is None else torch.full_like(noise, fill)
    back = decode(encode(image, 2.0))
    assert back.shape == image.shape and back.dtype == torch.float32
    assert (back - image).abs().max() < 8 * 2.0 / 255


def test_a_smaller_step_costs_more_and_is_better():
    files = [encode(IMAGE, step) for step in (4, 10, 25, 60)]
    for measure in (len, lambda data: psnr(decode(data), IMAGE).item()):
        assert sorted(files, key=measure, reverse=True) == files
    assert psnr(decode(encode(IMAGE, 0.1)), IMAGE) > 60


def test_a_flat_image_takes_less_than_a_hundred_bytes():
    assert len(encode(torch.full((1, 1, 256, 256), 0.3), 20)) < 100


def test_it_needs_fewer_bytes_than_the_entropy_of_each_atom_alone():
    image = photograph("camera", size=256)
    means, codes = compression.sparse_integers(image, 20)
    bits = 0.0
    for plane in [means, *codes.unbind(2)]:
        share = torch.unique(plane, return_counts=True)[1] / plane.numel()
        bits -= plane.numel() * (share * share.log2()).sum().item()
    assert 8 * len(encode(image, 20)) < 0.95 * bits


def test_quantise_has_a_dead_zone_around_zero():
    weights = torch.tensor([0.0, 0.6, -0.6, 0.7, -0.7, 1.6, -2.7])
    assert quantise(weights, 1.0).tolist() == [0, 0, 0, 1, -1, 1, -3]
    assert quantise(weights, 1.0, rounding=0.5).tolist() == [0, 1, -1, 1, -1, 2, -3]
    assert torch.equal(quantise(10 * weights, 10.0), quantise(weights, 1.0))


def test_the_default_atoms_are_those_of_the_dct():
    blocks = image_to_blocks(IMAGE)[0, 0].flatten(0, 1)
    expected = dct2(blocks).flatten(1)[:, 1:]
    assert torch.allclose(blocks.flatten(1) @ dct_atoms(), expected, atol=1e-5)
    assert len(encode(IMAGE, 20, dct_atoms())) == len(encode(IMAGE, 20))


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:-1],
        lambda data: data + b"more",
        lambda data: b"RIFF" + data[4:],
        lambda data: data[:9] + bytes([data[9] ^ 1]) + data[10:],
        lambda data: data[:200] + bytes([data[200] ^ 1]) + data[201:],
    ],
    ids=["empty", "cut", "longer", "webp", "head", "bit"],
)
def test_damaged_or_foreign_bytes_are_refused(damage):
    with pytest.raises(DecodeError, match="another format|checksum"):
        decode(damage(encode(IMAGE, 20)))


@pytest.mark.parametrize("other", [None, dictionary(90, seed=5)])
def test_another_dictionary_is_noticed(other):
    with pytest.raises(DecodeError, match="another dictionary"):
        decode(encode(IMAGE, 20, dictionary()), other)


@pytest.mark.parametrize(
    "image, step, D, words",
    [
        (torch.zeros(1, 1, 60, 64), 20, None, "multiples of 8"),
        (torch.zeros(1, 3, 64, 64), 20, None, "grey"),
        (255 * torch.ones(1, 1, 64, 64), 20, None, "divide by 255"),
        (IMAGE, 0, None, "step is 0"),
        (IMAGE, 20, normalise_atoms(dictionary().T), "transposed"),
        (IMAGE, 20, torch.ones(16, 20) / 4, "64"),
    ],
)
def test_wrong_inputs_get_an_error_that_says_what_to_do(image, step, D, words):
    with pytest.raises(ValueError, match=words):
        encode(image, step, D)
