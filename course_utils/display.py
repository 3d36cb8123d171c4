"""Pictures: image grids, filters, curves with bands, comparisons, sliders.

Drawing functions draw and return the axes; rows and sliders show themselves. Used from notebook 00.
"""

import base64
import io
import os
from collections.abc import Sequence
from typing import Any

import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.display import display
from matplotlib.axes import Axes
from PIL import Image
from torch import Tensor

from course_utils.arguments import check_alike, check_images, check_int, renamed, single
from course_utils.metrics import psnr
from course_utils.session import ink

__all__ = [
    "before_after",
    "compare",
    "image_slider",
    "show_curves",
    "show_filters",
    "show_images",
    "show_rows",
]

__getattr__ = renamed(__name__, {"gpu_result": "part of course_utils.gpu_cell.gpu_cell"})


def show_images(
    images: Tensor,
    captions: Sequence[str] = (),
    columns: int = 8,
    size: float = 1.0,
    title: str = "",
) -> np.ndarray:
    """Draw images (N, C, H, W), values in [0, 1] (outside is clipped), in rows of `columns`.

    `captions` has one text per image or is empty; `size` is the width of one image in
    inches. Returns the axes, shape (rows, columns). Errors as check_images, and
    ValueError for a wrong number of captions.
    """
    check_images(images)
    if len(captions) not in (0, len(images)):
        raise ValueError(f"{len(captions)} captions for {len(images)} images: give one for each.")
    columns = min(check_int("columns", columns, at_least=1), len(images))
    rows = -(-len(images) // columns)
    high = size * images.shape[-2] / images.shape[-1]
    if len(captions):
        high += 0.25 * (str(captions[0]).count("\n") + 1)
    inches = (size * columns, high * rows + (0.3 if title else 0))
    figure, axes = plt.subplots(rows, columns, figsize=inches, squeeze=False)
    for ax in axes.flat[len(images) :]:
        ax.axis("off")
    for i, (ax, image) in enumerate(zip(axes.flat, images)):
        ax.imshow(pixels(image), origin="upper")
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set(visible=True, color="0.8", linewidth=0.5)  # so that white has an edge
        ax.set_title(captions[i] if len(captions) else "", fontsize=10)
    figure.suptitle(title)
    return axes


def show_rows(rows: dict[str, Tensor], size: float = 0.9) -> None:
    """Show a row for each {name: images (N, C, H, W)}, values in [0, 1], its name at the left.

    Of each as many are shown as the shortest row has, `size` inches wide. Errors as show_images.
    """
    if not rows:
        raise ValueError("rows is empty; expected {name: images (N, C, H, W)}.")
    for name, images in rows.items():
        check_images(images, f"rows[{name!r}]")
    columns = min(map(len, rows.values()))
    images = torch.cat([images[:columns] for images in rows.values()])
    axes = show_images(images, columns=columns, size=size)
    for ax, name in zip(axes[:, 0], rows):
        ax.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=10)
    plt.show()


def show_filters(
    filters: Tensor, columns: int = 8, size: float = 0.8, title: str = ""
) -> np.ndarray:
    """Draw filters (N, 1 or 3, H, W) of any range; zero is mid-grey, each has its own scale."""
    filters = single(check_images(filters, "filters").detach())
    scale = filters.abs().amax(dim=(1, 2, 3), keepdim=True)
    scale = scale.clamp_min(torch.finfo(scale.dtype).tiny)
    return show_images(0.5 + 0.5 * filters / scale, columns=columns, size=size, title=title)


def show_curves(
    x: Sequence[float],
    curves: dict[str, Tensor],
    xlabel: str,
    ylabel: str,
    ax: Axes | None = None,
    **line,
) -> Axes:
    """Draw each curve with its name at its end instead of a legend.

    A curve is (points,) or (runs, points): several runs give the mean and a band of one
    standard deviation. Raises ValueError when a curve and x differ in length, and for a last value
    that is not finite; other NaNs leave gaps.
    """
    if ax is None:
        _, ax = plt.subplots()
    ends = {}
    for name, curve in curves.items():
        if curve is None or isinstance(curve, str):
            raise TypeError(f"curve {name!r} is {curve!r}; expected numbers, one for each x.")
        runs = torch.as_tensor(curve, dtype=torch.float64).detach().cpu()
        runs = runs.reshape(-1, runs.shape[-1] if runs.ndim else 1)
        if runs.shape[1] != len(x):
            raise ValueError(f"curve {name!r} has {runs.shape[1]} points, x has {len(x)}.")
        if not (runs.numel() and torch.isfinite(runs[:, -1]).all()):
            raise ValueError(f"curve {name!r} has no finite value at its end, where its name goes.")
        mean = runs.mean(dim=0)
        (drawn,) = ax.plot(x, mean, **line)
        if len(runs) > 1:
            spread = runs.std(dim=0)
            ax.fill_between(x, mean - spread, mean + spread, color=drawn.get_color(), alpha=0.2)
        ends[name] = (mean[-1].item(), drawn.get_color())
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.get_ylim()  # sets the limits
    up = ax.transScale + ax.transLimits  # to shares of the height, on a logarithmic axis too
    height = -float("inf")
    for name, (end, color) in sorted(ends.items(), key=lambda item: item[1][0]):
        height = max(up.transform((x[-1], end))[1], height + 0.06)  # labels keep this distance
        place = (x[-1], up.inverted().transform((0, height))[1])
        beside: dict[str, Any] = {"xytext": (8, 0), "textcoords": "offset points", "va": "center"}
        words = ink(color, ax.get_facecolor())
        ax.annotate(name, place, color=words, annotation_clip=False, **beside)
    return ax


def compare(
    truth: Tensor,
    estimates: dict[str, Tensor],
    size: float = 2.2,
    crop: tuple[slice, slice] = (slice(None),) * 2,
) -> np.ndarray:
    """Draw an image (1, C, H, W) and estimates of it side by side, each with its PSNR in dB.

    With `crop`, slices of rows and columns, only that part is drawn; the PSNR is of the whole.
    """
    check_one(truth, "truth")
    captions = ["original"]
    for name, estimate in estimates.items():
        captions.append(f"{name}\n{psnr(estimate, truth).item():.1f} dB")
    images = torch.cat([truth, *estimates.values()])
    return show_images(images[..., crop[0], crop[1]], captions, columns=len(images), size=size)


def image_slider(
    images: Tensor,
    captions: Sequence[str],
    description: str = "",
    zoom: int = 1,
    start: int = 0,
    columns: int | None = None,
    rows: int = 1,
) -> None:
    """Show a slider that chooses one of the images (N, C, H, W), values in [0, 1].

    Where widgets do not run (COURSE_WIDGETS=0: tests, stored outputs) some of the images are
    drawn in `rows` of `columns`, by default one row of five, or three if they are wide.
    Raises ValueError for a wrong number of captions.
    """
    check_images(images)
    if len(captions) != len(images):
        raise ValueError(f"{len(captions)} captions for {len(images)} images: give one for each.")
    check_int("start", start, at_most=len(images) - 1)
    for name, number in {"zoom": zoom, "rows": rows, "columns": columns or 1}.items():
        check_int(name, number, at_least=1)
    if os.environ.get("COURSE_WIDGETS") == "0":
        columns = columns or (3 if images.shape[-1] > images.shape[-2] else 5)
        size, last = 8 / columns, len(images) - 1
        chosen = np.linspace(0, last, min(rows * columns, last + 1)).round().astype(int)
        axes = show_images(images[chosen], [captions[i] for i in chosen], columns, size)
        if images.shape[-1] > size * plt.rcParams["figure.dpi"]:  # shrunk: keep words readable
            for picture in (picture for ax in axes.flat for picture in ax.images):
                picture.set_interpolation("antialiased")
        return
    frames = [png(image, zoom) for image in images]
    widget = slider_widget(frames, captions, description, start)._repr_mimebundle_()
    still = base64.b64encode(frames[start]).decode()  # for pages that cannot run the widget
    display(widget | {"image/png": still}, raw=True)


def slider_widget(
    frames: Sequence[bytes], captions: Sequence[str], description: str, start: int
) -> widgets.VBox:
    """A slider over PNG frames; the frame changes in the kernel, without redrawing a figure."""
    choice = widgets.SelectionSlider(
        options=[(caption, i) for i, caption in enumerate(captions)],
        value=start,
        description=description,
        layout={"width": "560px"},
        style={"description_width": "initial"},
    )
    picture = widgets.Image(value=frames[start], format="png")
    choice.observe(lambda change: setattr(picture, "value", frames[change["new"]]), names="value")
    return widgets.VBox([choice, picture], layout={"align_items": "flex-start"})  # not stretched


def before_after(
    before: Tensor, after: Tensor, names: tuple[str, str] = ("before", "after"), zoom: int = 1
) -> None:
    """Show a slider that moves the border between two images (1, C, H, W) laid over each other.

    Where widgets do not run, the two are drawn side by side. ValueError for unequal shapes.
    """
    check_one(before, "before")
    check_alike("before", before, "after", check_images(after, "after"))
    check_int("zoom", zoom, at_least=1)
    if os.environ.get("COURSE_WIDGETS") == "0":
        show_images(torch.cat([before, after]), names, columns=2, size=2.2)
        return
    before, after, width = before.cpu(), after.cpu(), before.shape[-1]
    borders = np.linspace(0, width, 21).round().astype(int)
    frames = [torch.where(torch.arange(width) < border, before, after) for border in borders]
    captions = [f"{names[0]} {border / width:.0%}" for border in borders]
    image_slider(torch.cat(frames), captions, zoom=zoom, start=10)


def check_one(images: Tensor, name: str) -> None:
    """Raise ValueError unless the batch holds one image."""
    if len(check_images(images, name)) != 1:
        raise ValueError(f"{name} holds {len(images)} images; expected one, as {name}[:1].")


def pixels(image: Tensor) -> np.ndarray:
    """(C, H, W) in [0, 1] to uint8 (H, W) or (H, W, 3)."""
    values = (single(image.detach()).cpu().clamp(0, 1) * 255).round().to(torch.uint8)
    return (values.expand(3, -1, -1) if len(values) == 1 else values).permute(1, 2, 0).numpy()


def png(image: Tensor, zoom: int) -> bytes:
    """Encode (C, H, W) as PNG, each pixel `zoom` times as large."""
    buffer = io.BytesIO()
    Image.fromarray(pixels(image).repeat(zoom, axis=0).repeat(zoom, axis=1)).save(buffer, "PNG")
    return buffer.getvalue()
