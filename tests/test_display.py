"""Pictures: the right pixels, the right captions, a widget where widgets run."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from course_tools.lessons import lessons
from course_utils import display
from course_utils.course_map import PARTS, course_map


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def shown(ax):
    return ax.images[0].get_array()


def test_a_grid_shows_each_image_with_its_caption_and_hides_empty_places():
    images = torch.rand(5, 1, 4, 6)
    axes = display.show_images(images, list("abcde"), columns=3)
    assert axes.shape == (2, 3)
    assert [ax.get_title() for ax in axes.flat] == list("abcde") + [""]
    assert np.array_equal(shown(axes[1, 0])[..., 0], (images[3, 0] * 255).round().byte().numpy())
    assert not axes[1, 2].axison


def test_a_picture_stands_upright_whatever_the_style():
    with plt.rc_context({"image.origin": "lower"}):
        ax = display.show_images(torch.rand(1, 1, 4, 6))[0, 0]
    assert ax.images[0].origin == "upper" and ax.yaxis_inverted()


def test_a_weak_filter_is_shown_as_clearly_as_a_strong_one():
    strong = torch.tensor([-2.0, 0.0, 2.0]).view(1, 1, 1, 3)
    for scale in (1, 1e-20, 1e20):
        ax = display.show_filters(scale * strong)[0, 0]
        assert shown(ax)[0, :, 0].tolist() == [0, 128, 255]


def test_values_outside_the_range_are_clipped_and_colour_is_kept():
    image = torch.tensor([-1.0, 0.5, 2.0]).view(1, 3, 1, 1)
    assert shown(display.show_images(image)[0, 0])[0, 0].tolist() == [0, 128, 255]


def test_rows_have_their_names_at_the_left_and_as_many_images_as_the_shortest(monkeypatch):
    monkeypatch.setattr(plt, "show", lambda: None)
    few, many = torch.rand(3, 1, 4, 4), torch.rand(5, 1, 4, 4)
    display.show_rows({"few": few, "many": many}, size=0.5)
    axes = plt.gcf().axes
    assert [ax.get_ylabel() for ax in axes] == ["few", "", "", "many", "", ""]
    assert np.array_equal(shown(axes[5])[..., 0], (many[2, 0] * 255).round().byte().numpy())
    assert plt.gcf().get_size_inches().tolist() == [1.5, 1.0]


def test_zero_is_mid_grey_in_a_filter():
    axes = display.show_filters(torch.tensor([[-2.0, 0.0, 2.0], [-0.1, 0.0, 0.1]]).view(2, 1, 1, 3))
    assert [shown(ax)[0, :, 0].tolist() for ax in axes.flat] == [[0, 128, 255]] * 2


def test_curves_are_means_with_bands_and_labels_that_do_not_overlap():
    many = torch.tensor([[0.0, 1], [2, 3]])
    ax = display.show_curves([1, 2], {"one": [3.0, 2.0], "many": many, "too": [0, 2]}, "x", "y")
    assert ax.lines[1].get_ydata().tolist() == [1, 2]
    assert len(ax.collections) == 1
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("x", "y")
    assert {text.get_text() for text in ax.texts} == {"one", "many", "too"}
    assert min(np.diff(sorted(text.xy[1] for text in ax.texts))) > 0.05


def test_a_cropped_comparison_shows_the_part_with_the_psnr_of_the_whole():
    truth = torch.full((1, 1, 8, 8), 0.5)
    estimate = truth.clone()
    estimate[..., 4:] += 0.1
    axes = display.compare(truth, {"right half": estimate}, crop=(slice(2, 5), slice(4, 8)))
    assert axes[0, 1].get_title() == "right half\n23.0 dB"
    assert shown(axes[0, 1]).shape[:2] == (3, 4)


def test_the_slider_changes_the_frame_in_the_kernel():
    frames = [b"one", b"two", b"three"]
    choice, picture = display.slider_widget(frames, list("abc"), "k", 1).children
    assert bytes(picture.value) == b"two"
    choice.value = 2
    assert bytes(picture.value) == b"three"


@pytest.fixture
def outputs(monkeypatch):
    """What is displayed besides figures, in a notebook whose widgets run."""
    displayed = []
    monkeypatch.setattr(display, "display", lambda data, raw: displayed.append(data))
    monkeypatch.delenv("COURSE_WIDGETS", raising=False)
    return displayed


def test_a_live_slider_is_one_output_with_widget_and_picture(outputs):
    display.image_slider(torch.rand(2, 1, 4, 4), ["a", "b"])
    assert {"application/vnd.jupyter.widget-view+json", "image/png"} <= set(outputs[0])
    assert len(outputs) == 1 and not plt.get_fignums()


def test_without_widgets_sliders_draw_figures(outputs, monkeypatch):
    monkeypatch.setenv("COURSE_WIDGETS", "0")
    display.image_slider(torch.rand(9, 1, 4, 4), list("abcdefghi"))
    assert [ax.get_title() for ax in plt.gcf().axes] == list("acegi")
    display.image_slider(torch.rand(9, 1, 4, 40 * 40), list("abcdefghi"), columns=2, rows=2)
    axes = plt.gcf().axes
    assert [ax.get_title() for ax in axes] == list("adfi")
    assert axes[0].get_subplotspec().get_gridspec().get_geometry() == (2, 2)
    assert axes[0].images[0].get_interpolation() == "antialiased"
    display.before_after(torch.zeros(1, 1, 4, 4), torch.ones(1, 1, 4, 4), ("old", "new"))
    assert [ax.get_title() for ax in plt.gcf().axes] == ["old", "new"] and outputs == []


def test_before_and_after_share_one_frame_with_a_moving_border(monkeypatch):
    monkeypatch.delenv("COURSE_WIDGETS", raising=False)
    seen = []
    monkeypatch.setattr(display, "image_slider", lambda *given, **_: seen.extend(given))
    display.before_after(torch.zeros(1, 1, 4, 40), torch.ones(1, 1, 4, 40), ("old", "new"))
    images, captions = seen
    assert images[0].mean() == 1 and images[-1].mean() == 0
    assert captions[10] == "old 50%" and images[10].mean() == 0.5


def test_the_map_names_every_notebook():
    ax = course_map()
    drawn = {number for *_, boxes in PARTS for number in boxes}
    numbers = {file.name[:2] for file in lessons()}
    assert drawn | {"00"} == numbers  # 00 draws it
    assert drawn <= {text.get_text() for text in ax.texts} and len(ax.patches) == len(drawn)


def test_bad_input_is_refused_with_what_was_expected():
    two = torch.zeros(2, 1, 4, 4)
    with pytest.raises(ValueError, match=r"expected \(N, C, H, W\)"):
        display.show_images(torch.zeros(4, 4))
    with pytest.raises(TypeError, match="torch tensor"):
        display.show_images([[0]])
    for draw in (display.show_images, display.image_slider):
        with pytest.raises(ValueError, match="1 captions for 2 images"):
            draw(two, ["one"])
    with pytest.raises(ValueError, match="must be equal"):
        display.before_after(two[:1], torch.zeros(1, 1, 4, 5))
    with pytest.raises(ValueError, match=r"before holds 2 images; expected one, as before\[:1\]"):
        display.before_after(two, two)
    with pytest.raises(ValueError, match="no finite value at its end"):
        display.show_curves([1, 2], {"a": [1.0, float("inf")]}, "x", "y")
    with pytest.raises(ValueError, match="2 points, x has 3"):
        display.show_curves([1, 2, 3], {"a": [1.0, 2.0]}, "x", "y")
