"""The starter of the project: honest comparisons, and a folder of one's own pictures."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from course_utils.project import (
    Parts,
    compare,
    load_folder,
    noise_floor,
    save_results,
    score,
    three_parts,
    train_model,
)


def draw(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def noise(x, chance):
    return x + 0.1 * torch.randn(x.shape, generator=chance)


def tiny():
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 16), nn.Unflatten(1, (1, 4, 4)))


IMAGES = draw(40, 1, 4, 4)


def picture(file, width, height, colour=(200, 10, 10)):
    file.parent.mkdir(exist_ok=True)
    Image.new("RGB", (width, height), colour).save(file)


def test_the_test_part_counts_how_often_it_was_opened():
    parts = Parts(IMAGES[:20], IMAGES[20:30], IMAGES[30:])
    assert "opened 0 times" in str(parts)
    assert torch.equal(parts.open_test(), IMAGES[30:]) and parts.openings == 1


def test_parts_of_different_shapes_are_refused():
    with pytest.raises(ValueError, match="validation has images of .1, 5, 4."):
        Parts(IMAGES, draw(3, 1, 5, 4), IMAGES)


def test_a_group_goes_to_one_part_as_a_whole():
    groups = torch.arange(40) // 4
    marked = (groups / 10).view(-1, 1, 1, 1).expand(40, 1, 4, 4)
    parts = three_parts(marked, groups, seed=3)
    seen = [
        set(part[:, 0, 0, 0].tolist())
        for part in (parts.train, parts.validation, parts.open_test())
    ]
    assert [len(part) for part in seen] == [6, 2, 2] and len(set.union(*seen)) == 10
    assert len(three_parts(marked).train) == 24


@pytest.mark.parametrize(
    "groups, words",
    [(torch.arange(3), "3 numbers for 40"), (torch.arange(40) // 20, "without a group")],
)
def test_groups_that_cannot_be_dealt_are_refused(groups, words):
    with pytest.raises(ValueError, match=words):
        three_parts(IMAGES, groups)


def test_a_seed_fixes_weights_batches_and_noise():
    one, again, other = (train_model(tiny, IMAGES, noise, 5, seed)[1].weight for seed in (0, 0, 1))
    assert torch.equal(one, again) and not torch.equal(one, other)


def test_methods_with_one_seed_see_the_same_batches_whatever_their_weights_draw():
    seen = {}

    def watch(name):
        class Watching(nn.Sequential):
            def forward(self, x):
                seen.setdefault(name, []).append(x.clone())
                return super().forward(x)

        def make():
            torch.randn(7 if name == "long" else 1)
            return Watching(*tiny())

        return make

    for name in ("long", "short"):
        train_model(watch(name), IMAGES, noise, 3, 0)
    assert all(torch.equal(a, b) for a, b in zip(seen["long"], seen["short"], strict=True))


def test_training_improves_the_score_and_scoring_repeats():
    def scored(model):
        return score(model, IMAGES, noise)

    assert (
        scored(train_model(tiny, IMAGES, noise, 150, 0)).mean()
        > scored(train_model(tiny, IMAGES, noise, 1, 0)).mean() + 1
    )
    assert torch.equal(scored(lambda x: x), scored(lambda x: x))


def test_no_steps_are_refused():
    with pytest.raises(ValueError, match="steps is 0"):
        train_model(tiny, IMAGES, noise, 0, 0)


def test_a_known_difference_is_found_and_its_sign_is_candidate_minus_baseline():
    base = draw(4, 50) + draw(1, 50, seed=2) * 5
    result = compare(base, base + 0.5 + 0.01 * draw(4, 50, seed=1))
    assert 0.5 < result.difference < 0.51 and len(result.per_seed) == 4
    assert (
        result.verdict(0.1) == "better"
        and compare(base + 0.5 + 0.01 * draw(4, 50, seed=1), base).verdict(0.1) == "worse"
    )
    assert result.verdict(0.6) == "no difference shown", "below the floor nothing is shown"
    assert "+0.5" in str(result) and "other seeds" in str(result)


def test_one_interval_around_zero_is_enough_for_no_verdict():
    base = draw(3, 200)
    swinging = base + torch.tensor([[-0.5], [0.1], [0.9]])
    result = compare(base, swinging)
    assert result.over_images[0] > 0 > result.over_seeds[0]
    assert result.verdict(0.0) == "no difference shown"


def test_the_interval_over_seeds_covers_the_truth_as_often_as_it_says():
    chance = torch.Generator().manual_seed(0)
    hits = 0
    for _ in range(200):
        base = torch.zeros(3, 2)
        result = compare(base, 1 + torch.randn(3, 1, generator=chance).expand(3, 2))
        hits += result.over_seeds[0] <= 1 <= result.over_seeds[1]
    assert 180 <= hits <= 199


@pytest.mark.parametrize(
    "a, b", [((3, 5), (3, 6)), ((1, 5), (1, 5)), ((3, 1), (3, 1)), ((5,), (5,))]
)
def test_scores_without_pairs_are_refused(a, b):
    with pytest.raises(ValueError, match="same seeds on the same images"):
        compare(draw(*a), draw(*b))


def test_an_infinite_score_is_refused():
    base = draw(2, 3)
    with pytest.raises(ValueError, match="not all finite"):
        compare(base, base + torch.tensor([1.0, float("inf"), 0.0]))


def test_the_floor_is_the_largest_difference_of_two_halves():
    assert noise_floor(torch.tensor([[1.0], [2.0], [3.0], [5.0]])) == pytest.approx(
        (3 + 5 - 1 - 2) / 2
    )
    assert noise_floor(torch.ones(6, 3)) == 0


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_a_floor_of_too_few_or_odd_seeds_is_refused(seeds):
    with pytest.raises(ValueError, match=f"{seeds} seeds"):
        noise_floor(draw(seeds, 4))


def test_the_results_file_holds_entries_and_versions(tmp_path):
    save_results(tmp_path / "a.json", seeds=[0, 1], verdict="worse")
    kept = json.loads((tmp_path / "a.json").read_text())
    assert kept["seeds"] == [0, 1] and kept["machine"]["torch"] == torch.__version__
    with pytest.raises(TypeError):
        save_results(tmp_path / "b.json", scores=torch.ones(2))


def test_a_folder_of_pictures_becomes_images_with_subfolders_as_classes(tmp_path):
    picture(tmp_path / "cats" / "b.png", 6, 4)
    picture(tmp_path / "cats" / "a.JPG", 6, 4)
    picture(tmp_path / "dogs" / "c.png", 6, 4, (0, 255, 0))
    (tmp_path / "notes.txt").write_text("not a picture")
    found = load_folder(tmp_path)
    assert (
        found.pixels.shape == (3, 3, 4, 6)
        and found.classes == ("cats", "dogs")
        and found.labels.tolist() == [0, 0, 1]
    )
    assert found.pixels[2, :, 0, 0].tolist() == [0, 255, 0]
    assert load_folder(tmp_path, size=4, grey=True).pixels.shape == (3, 1, 4, 4)


def test_pictures_turned_by_a_note_of_the_camera_stand_upright(tmp_path):
    image = Image.fromarray(np.zeros((4, 6, 3), np.uint8))
    note = image.getexif()
    note[0x0112] = 6  # a quarter turn
    image.save(tmp_path / "a.jpg", exif=note)
    assert load_folder(tmp_path).pixels.shape == (1, 3, 6, 4)


def test_the_centre_is_what_remains_of_a_wide_picture(tmp_path):
    pixels = np.zeros((8, 24, 3), np.uint8)
    pixels[:, 8:16] = 255
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert load_folder(tmp_path, size=8).pixels.min() == 255


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda folder: None, "holds no picture"),
        (
            lambda folder: (picture(folder / "a.png", 6, 4), picture(folder / "b.png", 5, 4)),
            "2 sizes .*give size=64",
        ),
        (lambda folder: (folder / "a.png").write_bytes(b"not a picture"), "a.png cannot be read"),
    ],
)
def test_a_folder_that_cannot_be_used_says_why(tmp_path, make, words):
    make(tmp_path)
    with pytest.raises(ValueError, match=words):
        load_folder(tmp_path)


def test_pictures_of_sixteen_bits_and_of_floats_keep_their_greys(tmp_path):
    ramp = np.linspace(0, 1, 256).reshape(16, 16)
    Image.fromarray((65535 * ramp).round().astype(np.uint16)).save(tmp_path / "a.png")
    Image.fromarray(ramp.astype(np.float32)).save(tmp_path / "b.tif")
    Image.fromarray((255 * ramp).round().astype(np.uint8)).save(tmp_path / "c.png")
    sixteen, floats, eight = load_folder(tmp_path, grey=True).pixels
    assert torch.equal(sixteen, eight) and torch.equal(floats, eight)
    Image.fromarray(300 * ramp.astype(np.float32)).save(tmp_path / "d.tif")
    with pytest.raises(ValueError, match="d.tif .*pixels go from 0 to 300; expected 0"):
        load_folder(tmp_path)


def test_hidden_folders_are_left_out_and_linked_ones_are_a_class(tmp_path):
    shown, elsewhere = tmp_path / "shown", tmp_path / "elsewhere"
    for folder in (shown, shown / ".ipynb_checkpoints", shown / "cats", elsewhere):
        folder.mkdir(exist_ok=True)
        if folder != shown:
            picture(folder / "a.png", 4, 4)
    try:
        (shown / "dogs").symlink_to(elsewhere)
    except OSError:
        pytest.skip("no links here")
    assert load_folder(shown).classes == ("cats", "dogs")


def test_a_missing_folder_and_a_size_of_zero_are_refused(tmp_path):
    with pytest.raises(ValueError, match="is not a folder"):
        load_folder(tmp_path / "nowhere")
    picture(tmp_path / "a.png", 6, 4)
    with pytest.raises(ValueError, match="size is 0"):
        load_folder(tmp_path, size=0)
