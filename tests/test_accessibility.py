"""Colours that everyone can tell apart, words and lines that can be seen on white.

Contrast as in WCAG 2.2 (1.4.3: words 4.5 : 1, 1.4.11: lines 3 : 1). Colour vision deficiencies are
simulated with the matrices of Machado, Oliveira and Fernandes (2009), severity 1. Words for figures
are a contract of tests/notebook_contracts.py; the pages of the website are checked in
tests/test_site.py.
"""

import itertools
import json
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex, to_rgb
from matplotlib.text import Annotation
from skimage.color import deltaE_ciede2000, rgb2lab

from course_tools.lessons import lessons
from course_utils import display
from course_utils.course_map import course_map
from course_utils.session import COLORS, set_style

VISIONS = {
    "normal": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
NOT_FOR_WORDS = {"noisy", "light", "warm"}
WORDS = re.compile(r"\.(text|annotate)\(")


def linear(color):
    """sRGB to linear light."""
    rgb = np.array(to_rgb(color))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def contrast(one, other="white"):
    """Contrast of two colours, 1 to 21."""
    dark, bright = sorted(linear(color) @ (0.2126, 0.7152, 0.0722) for color in (one, other))
    return (bright + 0.05) / (dark + 0.05)


def seen(color, vision):
    """The colour as CIELAB, as somebody with this colour vision sees it."""
    light = (np.array(VISIONS[vision]) @ linear(color)).clip(0, 1)
    return rgb2lab(np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055))


def closest(colors, vision):
    """The two colours that are hardest to tell apart: CIEDE2000 difference and their names."""
    return min(
        (deltaE_ciede2000(seen(colors[a], vision), seen(colors[b], vision)), a, b)
        for a, b in itertools.combinations(colors, 2)
    )


@pytest.mark.parametrize("vision", VISIONS)
def test_any_two_colours_of_the_course_can_be_told_apart(vision):
    assert closest(COLORS, vision)[0] > 9


def test_red_and_green_of_the_same_lightness_would_be_noticed():
    pair = {"red": "#B84300", "green": "#6B7A00"}
    assert closest(pair, "normal")[0] > 20 and closest(pair, "deuteranopia")[0] < 9


def test_lines_in_every_colour_can_be_seen_on_white_and_words_in_all_that_words_have():
    assert min(map(contrast, COLORS.values())) >= 3
    words = [color for name, color in COLORS.items() if name not in NOT_FOR_WORDS]
    assert min(map(contrast, words)) >= 4.5


def test_curves_have_the_colours_of_the_course():
    set_style()
    cycle = plt.rcParams["axes.prop_cycle"].by_key()["color"]
    assert {to_hex(color).upper() for color in cycle} <= set(COLORS.values())


@pytest.mark.parametrize("color", [*COLORS.values(), "yellow", "white", "0.8"])
def test_ink_is_dark_enough_and_no_darker_than_it_must_be(color):
    assert contrast(display.ink(color)) >= 4.5
    assert contrast(display.ink(color)) < 5.5 or to_hex(display.ink(color)) == to_hex(color)


def test_names_at_the_ends_of_curves_can_be_read():
    set_style()
    ax = display.show_curves(range(3), {str(i): torch.arange(3) * i for i in range(8)}, "x", "y")
    names = [artist for artist in ax.get_children() if isinstance(artist, Annotation)]
    assert len(names) == 8 and min(contrast(name.get_color()) for name in names) >= 4.5
    plt.close("all")


def test_a_dark_style_of_the_reader_does_not_reach_the_figures_of_the_course():
    with plt.style.context("dark_background"):
        set_style()
        ax = display.show_curves([0, 1], {"real": [0.0, 1.0]}, "x", "y", color=COLORS["real"])
        grounds = ax.get_facecolor(), ax.figure.get_facecolor()
        words = ax.texts[0].get_color(), ax.xaxis.label.get_color(), ax.title.get_color()
    plt.close("all")
    for ground, word in itertools.product(grounds, (COLORS["real"], *words)):
        assert contrast(word, ground) >= 4.5


@pytest.mark.parametrize("color", COLORS.values())
def test_names_of_curves_can_be_read_on_a_dark_ground_that_somebody_chose(color):
    with plt.style.context("dark_background"):
        ax = display.show_curves([0, 1], {"curve": [0.0, 1.0]}, "x", "y", color=color)
    assert contrast(ax.texts[0].get_color(), ax.get_facecolor()) >= 4.5
    plt.close("all")
    assert display.ink(color, (0, 0, 0, 0)) == display.ink(color), "nothing: the paper is white"


def test_words_on_the_map_of_the_course_can_be_read():
    ax = course_map()
    boxes = [patch for patch in ax.patches if hasattr(patch, "get_boxstyle")]
    words = [word for word in ax.texts if word.get_text()]
    assert len(words) > 30
    for word in words:
        x, y = ax.transData.transform(word.get_position())
        below = [box.get_facecolor()[:3] for box in boxes if box.get_extents().contains(x, y)]
        assert contrast(word.get_color(), [*below, "white"][0]) >= 4.5, word.get_text()
    plt.close("all")


def test_words_in_the_figures_of_lessons_have_colours_for_words():
    too_light = re.compile(r"""COLORS\["(?:noisy|light|warm)"\]|color="(0?\.\d+)\"""")
    for lesson in lessons():
        for cell in json.loads(lesson.read_text(encoding="utf-8"))["cells"]:
            for line in cell["source"] if cell["cell_type"] == "code" else []:
                for found in too_light.finditer(line) if WORDS.search(line) else []:
                    assert found[1] and float(found[1]) < 0.47, f"{lesson.name}: {line}"
