"""Padding and receptive fields, with the mistakes made about them (exercises 04.1 and 04.2)."""

import math
from collections.abc import Callable
from functools import partial

__all__ = ["NO_PADDING", "SIZE_MISTAKES", "WHOLE", "WIDTH_MISTAKES", "padding", "width"]

WHOLE = "return an int: // divides."


def padding(kernel: int, dilation: int = 1) -> int:
    """Pixels at each side that keep the size at stride 1; rounded down where none does."""
    return dilation * (kernel - 1) // 2


NO_PADDING = "raise a ValueError where no padding keeps the size: for an odd d(k - 1)."
SIZE_MISTAKES: dict[str, Callable] = {
    "that is the padding of both sides; half of it goes to each side.": lambda k, d: d * (k - 1),
    "the dilation is not used: the kernel spans d(k - 1) + 1 pixels.": lambda k, d: (k - 1) // 2,
    "take half of d(k - 1), not d times half of k.": lambda k, d: d * (k // 2),
    "take half of d(k - 1), not d times the half of k - 1, rounded down.": (
        lambda k, d: d * ((k - 1) // 2)
    ),
    "the kernel spans d(k - 1) + 1 pixels, not d k.": lambda k, d: d * k // 2,
    "the kernel spans d(k - 1) + 1 pixels; you took d k - 1.": lambda k, d: (d * k - 1) // 2,
    "weights d pixels apart have d - 1 pixels between them; you took d.": (
        lambda k, d: (d + 1) * (k - 1) // 2
    ),
    "the k weights have k - 1 gaps of d pixels; you took k + 1.": lambda k, d: d * (k + 1) // 2,
    "one pixel too much at each side.": lambda k, d: padding(k, d) + 1,
    "do not add the dilation: multiply the k - 1 gaps by it.": lambda k, d: (k - 1 + d - 1) // 2,
    "that is the size of the kernel, not the padding.": lambda k, d: d * (k - 1) + 1,
    WHOLE: lambda k, d: d * (k - 1) / 2,
    NO_PADDING: padding,
}


def width(layers: list[tuple[int, int]], overlap: int = 1, jumps: Callable = math.prod) -> int:
    """The receptive field; `jumps` makes a layer's step from the strides before it."""
    strides = [stride for _, stride in layers]
    sizes = [(kernel - overlap) * jumps(strides[:i]) for i, (kernel, _) in enumerate(layers)]
    return 1 + sum(sizes)


def own(layers: list[tuple[int, int]]) -> int:
    """A mistake: a layer's own stride counts for its kernel too."""
    strides = [stride for _, stride in layers]
    return 1 + sum((k - 1) * math.prod(strides[: i + 1]) for i, (k, _) in enumerate(layers))


def touched(layers: list[tuple[int, int]]) -> int:
    """How many pixels have influence, those in the holes left out."""
    places = {0}
    for kernel, stride in layers[::-1]:
        places = {place * stride + i for place in places for i in range(kernel)}
    return len(places)


def folded(layers: list[tuple[int, int]], first: int = 0) -> int:
    """A mistake: w s + k, last layer first."""
    for kernel, stride in layers[::-1]:
        first = first * stride + kernel
    return first


WIDTH_MISTAKES: dict[str, Callable] = {
    "the strides are missing: behind a stride of s a step is s times as long.": (
        partial(width, jumps=lambda before: 1)
    ),
    "a layer's own stride counts only behind it.": own,
    "the strides that count are those of the layers before.": lambda layers: width(layers[::-1]),
    "only the stride of the layer just before counts; multiply all strides before.": (
        partial(width, jumps=lambda before: (before or [1])[-1])
    ),
    "multiply the strides; yours are added.": partial(width, jumps=lambda b: sum(b) or 1),
    "multiply the strides; yours are added to 1.": partial(width, jumps=lambda b: 1 + sum(b)),
    "a stride counts from the very next layer on; yours counts one layer later.": (
        partial(width, jumps=lambda before: math.prod(before[:-1]))
    ),
    "the stride of the first layer counts, too.": (
        partial(width, jumps=lambda before: math.prod(before[1:]))
    ),
    "kernels overlap: each adds k - 1 steps, not k.": partial(width, overlap=0),
    "from the last layer on the width is (w - 1) s + k, not w s + k.": folded,
    "from the last layer on the width is (w - 1) s + k, not w s + k; without layers it is 1.": (
        lambda layers: max(folded(layers), 1)
    ),
    "from the last layer on the width is (w - 1) s + k; yours starts with w s + k for w = 1.": (
        partial(folded, first=1)
    ),
    "count the holes, too: from the first pixel to the last.": touched,
    "a kernel of even size adds k - 1 steps as well, not 2 (k // 2).": (
        lambda layers: width([(k // 2 * 2 + 1, s) for k, s in layers])
    ),
    "each layer adds (k - 1) steps, not half of them.": (
        lambda layers: width([((k - 1) // 2 + 1, s) for k, s in layers])
    ),
    "a pair is (kernel, stride); you exchanged the two.": (
        lambda layers: width([(s, k) for k, s in layers])
    ),
    "start with 1 pixel, the output itself, not with 0.": lambda layers: width(layers) - 1,
    "without layers the field is 1 pixel.": lambda layers: width(layers) if layers else 0,
    "that is the number of pixels in the square; return its width.": (
        lambda layers: width(layers) ** 2
    ),
    "that is the step between neighbouring outputs; return the width of one field.": (
        lambda layers: math.prod(stride for _, stride in layers)
    ),
    **{
        f"fields wider than {size} pixels are cut off: compute without an image.": (
            lambda layers, size=size: min(width(layers), size)
        )
        for size in (31, 32, 63, 64, 99, 100, 101, 127, 128, 199, 200, 201, 224, 256, 512, 1000)
    },
    WHOLE: lambda layers: float(width(layers)),
}
