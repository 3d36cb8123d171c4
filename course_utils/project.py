"""A small comparison that is honest by construction, and images of your own (notebook 15).

Three parts of the data, the last one sealed; both methods trained for the same steps, on the same
batches; several seeds; pairs of scores; a noise floor; and a file that says what was run.
"""

import datetime
import itertools
import json
import os
import platform
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy
import torch
from scipy import stats
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils.arguments import (
    check_alike,
    check_finite,
    check_floats,
    check_images,
    check_int,
    check_nonnegative,
    check_positive,
    check_squares,
    check_tensor,
    generator,
    single,
)
from course_utils.data import load_folder
from course_utils.files import write_text
from course_utils.metrics import psnr

__all__ = [
    "Comparison",
    "Parts",
    "compare",
    "load_folder",
    "noise_floor",
    "save_results",
    "score",
    "three_parts",
    "train_model",
]

SCORE_SEED = 2**31 - 1  # of the noise all methods are scored with; no training run uses it


class Parts:
    """Images for training and validation, and a test part that counts how often it was opened.

    All three (N, C, H, W) in [0, 1]. Errors as check_images; ValueError for parts whose images
    have other channels or sides.
    """

    def __init__(self, train: Tensor, validation: Tensor, test: Tensor) -> None:
        for name, images in {"train": train, "validation": validation, "test": test}.items():
            if check_images(images, name, clipped=True).shape[1:] != train.shape[1:]:
                shapes = f"{tuple(images.shape[1:])}, train of {tuple(train.shape[1:])}"
                raise ValueError(f"{name} has images of {shapes}: make them equal.")
        self.train, self.validation, self._test, self.openings = train, validation, test, 0

    def open_test(self) -> Tensor:
        """The test images. Once, at the end."""
        self.openings += 1
        return self._test

    def __repr__(self) -> str:
        train, validation, test = map(len, (self.train, self.validation, self._test))
        sizes = f"{train} train, {validation} validation, {test} test"
        return f"{sizes}, opened {self.openings} times"


def three_parts(
    images: Tensor, groups: Tensor | None = None, shares: tuple = (0.6, 0.2), seed: int = 0
) -> Parts:
    """Deal images (N, C, H, W) to train, validation and test, all images of a group to one part.

    groups (N,) holds a whole number per image (the photograph it was cut from, the person who took
    it); without it each image is a group. shares are those of the groups for train and validation,
    the rest is test. Raises ValueError unless all three parts get a group.
    """
    check_images(images, clipped=True)
    groups = torch.arange(len(images)) if groups is None else check_tensor(groups, "groups").cpu()
    if groups.ndim != 1 or len(groups) != len(images):
        found = f"{groups.numel()} numbers for {len(images)} images"
        raise ValueError(f"groups has {found}; give one for each, (N,).")
    names = groups.unique()
    order = names[torch.randperm(len(names), generator=generator(seed))]
    first, second = (round(share * len(names)) for share in shares)
    second += first
    if not 0 < first < second < len(names):
        found = f"shares {shares} of {len(names)} groups leave a part without a group"
        raise ValueError(f"{found}: take more groups or other shares.")
    dealt = order[:first], order[first:second], order[second:]
    return Parts(*(images[torch.isin(groups, part)] for part in dealt))


def train_model(
    make: Callable, images: Tensor, degrade: Callable, steps: int, seed: int, rate: float = 3e-3
) -> nn.Module:
    """A model of make(), trained to give images (N, C, H, W) back from degrade(images, generator).

    Squared error, Adam whose rate falls to zero, batches of 64 with replacement. Batches and
    degradations depend on the seed only, so that two methods with one seed see the same.
    Raises ValueError for steps < 1.
    """
    check_squares(check_images(images), "images")
    check_positive("rate", rate)
    steps, chance = check_int("steps", steps, at_least=1), generator(seed)
    torch.manual_seed(seed)  # the first weights
    model = make().train()
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = rate * (1 - step / steps)
        x = images[torch.randint(len(images), (64,), generator=chance)]
        estimate = model(degrade(x, chance))
        check_alike("the model's answer", estimate, "the batch of images", x)
        loss = F.mse_loss(estimate, x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()


def score(model: Callable[[Tensor], Tensor], images: Tensor, degrade: Callable) -> Tensor:
    """PSNR in dB (N,) of each image (N, C, H, W) restored, from the same degraded images always."""
    with torch.no_grad():
        check_images(images, clipped=True)
        return psnr(model(degrade(images, generator(SCORE_SEED))).clamp(0, 1), images)


@dataclass(frozen=True)
class Comparison:
    """Candidate minus baseline in the unit of the scores.

    difference: the mean. per_seed: the mean of each seed. over_seeds, over_images: intervals of
    95 % for other seeds (t distribution) and for other images with these networks (bootstrap).
    """

    difference: float
    per_seed: tuple[float, ...]
    over_seeds: tuple[float, float]
    over_images: tuple[float, float]

    def verdict(self, floor: float) -> str:
        """ "better" or "worse" if neither interval holds 0 and the difference exceeds the floor."""
        check_nonnegative("floor", floor)
        for word, sign in {"better": 1, "worse": -1}.items():
            ends = [sign * end for end in (*self.over_seeds, *self.over_images)]
            if min(ends) > 0 and sign * self.difference > floor:
                return word
        return "no difference shown"

    def __str__(self) -> str:
        seeds, images = (
            f"[{low:+.2f}, {high:+.2f}]" for low, high in (self.over_seeds, self.over_images)
        )
        return f"{self.difference:+.2f}, other seeds {seeds}, other images {images}"


def compare(baseline: Tensor, candidate: Tensor) -> Comparison:
    """Compare scores (seeds, N) of two methods, same seeds and same images in the same order.

    Raises ValueError for unequal shapes, fewer than 2 seeds or 2 images, and scores that are not
    finite.
    """
    check_floats(baseline, "baseline")
    check_floats(candidate, "candidate")
    if baseline.shape != candidate.shape or baseline.ndim != 2 or min(baseline.shape) < 2:
        shapes = f"{tuple(baseline.shape)} and {tuple(candidate.shape)}"
        raise ValueError(
            f"the scores have shapes {shapes}; expected (seeds, images) twice, with at least 2 of "
            "each: score both methods with the same seeds on the same images."
        )
    pairs = (single(candidate) - single(baseline)).double().detach().cpu().numpy()
    if not np.isfinite(pairs).all():
        cause = "an infinite PSNR comes from an image restored exactly"
        raise ValueError(f"the differences are not all finite: {cause}.")
    per_seed, per_image = pairs.mean(axis=1), pairs.mean(axis=0)
    half = stats.t.ppf(0.975, len(per_seed) - 1) * per_seed.std(ddof=1) / len(per_seed) ** 0.5
    settings = {"n_resamples": 2000, "method": "percentile", "random_state": 0}
    low, high = stats.bootstrap((per_image,), np.mean, **settings).confidence_interval
    mean = float(pairs.mean())
    over_seeds = float(mean - half), float(mean + half)
    over_images = float(low), float(high)
    return Comparison(mean, tuple(map(float, per_seed)), over_seeds, over_images)


def noise_floor(scores: Tensor) -> float:
    """The largest difference of a method to itself: scores (seeds, N) in two halves, all ways.

    Raises ValueError for an odd number of seeds, and for fewer than 4.
    """
    if check_finite(scores, "scores").ndim != 2 or not scores.shape[1]:
        raise ValueError(f"scores has shape {tuple(scores.shape)}; expected (seeds, N).")
    means = single(scores).mean(dim=1)
    n = len(means)
    if n < 4 or n % 2:
        needed = "two equal halves need an even number of at least 4"
        raise ValueError(f"scores has {n} seeds; {needed}: add runs.")
    hands = itertools.combinations(range(n), n // 2)
    return max(abs(2 * means[list(hand)].sum() - means.sum()).item() for hand in hands) / (n // 2)


def save_results(file: str | os.PathLike, **entries: object) -> None:
    """Write entries (numbers, texts, lists, dicts of them) with date, versions and threads as JSON.

    Raises TypeError for an entry that JSON cannot hold, such as a tensor: use .tolist().
    """
    versions = {module.__name__: module.__version__ for module in (torch, np, scipy)}
    machine = {"date": datetime.date.today().isoformat(), "python": platform.python_version()}
    machine |= versions | {"threads": torch.get_num_threads()}
    write_text(file, json.dumps(entries | {"machine": machine}, indent=1) + "\n")
