"""The map of the course, drawn in notebook 00."""

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

from course_utils.session import COLORS

__all__ = ["course_map"]

PARTS = [  # title, colour, {notebook: name}
    (
        "Sparse representation",
        COLORS["reconstructed"],
        {"01": "Sparse\nrepresentation", "02": "Sparse\ncoding", "03": "Dictionary\nlearning"},
    ),
    (
        "Sparse autoencoder",
        COLORS["good"],
        {
            "04": "Auto-\nencoders",
            "05": "Sparse\nautoencoder",
            "06": "Loss\nfunctions",
            "07": "Image\nrestoration",
        },
    ),
    (
        "Generation",
        COLORS["generated"],
        {
            "08": "GAN\nfundamentals",
            "09": "Image\nGAN",
            "10": "Mode\ncollapse",
            "11": "Variational\nautoencoder",
        },
    ),
    (
        "Both together",
        COLORS["other"],
        {
            "12": "Sparse codes\nmeet GAN",
            "13": "Efficient\ntraining",
            "14": "Reading a\ngenerator",
            "15": "Project",
        },
    ),
]
# Needed beside the notebook before: from a place on the lower edge to one on the upper edge.
NEEDS = [
    ("01", 0.9, "04", 0.9),
    ("04", 0.9, "08", 0.9),
    ("03", 0.9, "05", 1.4),
    ("05", -0.02, "12", 1.25),
    ("09", 0.9, "12", 1.5),
]
WIDTH, HEIGHT, STEP, ROW = 1.7, 0.8, 2.2, 1.35


def course_map(ax: Axes | None = None) -> Axes:
    """Draw the notebooks as boxes, one row per part, with arrows for what needs what."""
    if ax is None:
        _, ax = plt.subplots(figsize=(9, 5))
    place = {}
    for row, (title, color, boxes) in enumerate(PARTS):
        y = -ROW * row
        middle = y + HEIGHT / 2
        words = title.replace(" ", "\n")
        ax.text(-0.2, middle, words, ha="right", va="center", color=color, weight="bold")
        for column, (number, name) in enumerate(boxes.items()):
            x = STEP * column + (0.7 if row == 3 else 0)
            place[number] = (x, y)
            box = FancyBboxPatch((x, y), WIDTH, HEIGHT, "round,pad=0.05", fc=color, ec=color)
            ax.add_patch(box)
            white = {"va": "center", "color": "white"}
            ax.text(x + 0.05, middle, number, weight="bold", **white)
            ax.text(x + 1.05, middle, name, ha="center", fontsize=9, **white)
            if column:
                arrow(ax, (x - STEP + WIDTH + 0.05, middle), (x - 0.05, middle))
    for start, leaves, end, arrives in NEEDS:
        (x1, y1), (x2, y2) = place[start], place[end]
        arrow(ax, (x1 + leaves, y1 - 0.05), (x2 + arrives, y2 + HEIGHT + 0.05))
    ax.set(xlim=(-2.3, 9.2), ylim=(-3 * ROW - 0.3, HEIGHT + 0.3))
    ax.axis("off")
    return ax


def arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    """A thin grey arrow behind the boxes."""
    ax.annotate("", end, start, arrowprops={"arrowstyle": "->", "color": "0.5", "lw": 1}, zorder=0)
