"""A folder of one's own pictures: each is read right or named, and nothing else becomes a class."""

import numpy as np
import pytest
from PIL import Image

from course_utils.data import load_folder

RAMP = np.linspace(0, 65535, 256, dtype=np.uint16).reshape(16, 16)


def first(folder, **options):
    """The first picture of a folder, numbers from 0 to 255 by channel, row and column."""
    return load_folder(folder, **options).pixels[0].numpy()


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bits_become_eight_without_turning_white(tmp_path, suffix):
    Image.fromarray(RAMP).save(tmp_path / f"ramp.{suffix}")
    for grey in (True, False):
        assert np.array_equal(first(tmp_path, grey=grey)[0].ravel(), np.arange(256))


def test_decimal_numbers_from_0_to_1_are_read_and_others_named(tmp_path):
    levels = np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16)
    Image.fromarray(levels).save(tmp_path / "a.tif")
    assert np.array_equal(first(tmp_path, grey=True).ravel(), np.arange(256))
    for wrong in (levels * 200, levels - 1, levels * np.nan):
        Image.fromarray(wrong).save(tmp_path / "a.tif")
        with pytest.raises(ValueError, match=r"a.tif cannot be read .*expected 0 for black to 1"):
            load_folder(tmp_path)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "RGB"])
def test_behind_transparent_pixels_is_white_whatever_colour_they_hide(tmp_path, mode):
    options = {"transparency": 0} if mode == "P" else {}
    if mode == "RGB":
        options = {"transparency": (0, 0, 0)}
    image = Image.new(mode, (4, 4), 0)
    image.save(tmp_path / "a.png", **options)
    assert first(tmp_path).min() == 255 and first(tmp_path, grey=True).min() == 255


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "YCbCr"])
def test_opaque_pictures_of_every_mode_keep_their_colour(tmp_path, mode):
    Image.new("RGB", (4, 4), (255, 255, 255)).convert(mode).save(tmp_path / "a.tif")
    assert first(tmp_path).min() == 255


def test_only_pictures_of_the_reader_become_classes(tmp_path):
    for name in ["cats/a.PNG", "狗/b.png", ".ipynb_checkpoints/a.png", "__MACOSX/cats/._a.png"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4)).save(tmp_path / name)
    for name in ["cats/Thumbs.db", "cats/.DS_Store", "cats/._a.png", "cats/.ipynb_checkpoints"]:
        (tmp_path / name).touch()
    assert load_folder(tmp_path).classes == ("cats", "狗") and len(load_folder(tmp_path)) == 2


def test_a_linked_class_is_read_and_a_link_in_a_circle_is_named(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    Image.new("RGB", (4, 4)).save(tmp_path / "elsewhere/a.png")
    (tmp_path / "all/cats").mkdir(parents=True)
    Image.new("RGB", (4, 4)).save(tmp_path / "all/cats/a.png")
    try:
        (tmp_path / "all/dogs").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    except OSError:
        pytest.skip("links are not allowed here")
    assert load_folder(tmp_path / "all").classes == ("cats", "dogs")
    (tmp_path / "all/cats/again").symlink_to(tmp_path / "all", target_is_directory=True)
    with pytest.raises(ValueError, match="again is a link to a folder that holds it"):
        load_folder(tmp_path / "all")
    (tmp_path / "all/cats/again").unlink()
    (tmp_path / "all/cats/lost.png").symlink_to(tmp_path / "nowhere.png")
    with pytest.raises(ValueError, match="lost.png cannot be read"):
        load_folder(tmp_path / "all")


def test_an_empty_class_is_left_out_with_a_word(tmp_path):
    (tmp_path / "empty").mkdir()
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    with pytest.warns(UserWarning, match="empty holds no picture"):
        assert load_folder(tmp_path).classes == (".",)


def test_a_truncated_picture_and_one_of_a_foreign_kind_are_named(tmp_path):
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)).save(
        tmp_path / "a.png"
    )
    whole = (tmp_path / "a.png").read_bytes()
    for length in (9, 40, len(whole) // 2):
        (tmp_path / "a.png").write_bytes(whole[:length])
        with pytest.raises(ValueError, match="a.png cannot be read as a picture"):
            load_folder(tmp_path)
    (tmp_path / "a.png").rename(tmp_path / "photo.HEIC")
    with pytest.raises(ValueError, match="photo.HEIC is of a kind that is not read"):
        load_folder(tmp_path)


def test_of_pictures_of_several_sizes_one_is_named(tmp_path):
    for name, side in [("a", 4), ("b", 4), ("odd", 5)]:
        Image.new("RGB", (side, side)).save(tmp_path / f"{name}.png")
    with pytest.raises(ValueError, match=r"2 sizes .*odd.png.*give size=64"):
        load_folder(tmp_path)


def test_of_an_animation_the_first_picture_is_read(tmp_path):
    pages = [Image.new("RGB", (4, 4), colour) for colour in ("white", "black")]
    pages[0].save(tmp_path / "a.gif", save_all=True, append_images=pages[1:])
    assert len(load_folder(tmp_path)) == 1 and first(tmp_path).min() == 255
