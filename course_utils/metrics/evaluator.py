"""A judge of generated images: every distance at once, and what other real images get.

A distance alone says little: it depends on the features and on how many images there are. So the
judge holds generated images against real ones, then as many other real images against the same
ones: their values are the noise floor, the best that can be hoped for. Built in notebook 09.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from course_utils.arguments import check_images, check_int, generator, single
from course_utils.data import load
from course_utils.metrics.distances import FeatureSet, frechet_distance, kernel_distance, prdc
from course_utils.metrics.features import FeatureNetwork, feature_network

__all__ = ["Evaluator", "Scores", "fashion_evaluator", "fashion_scores"]

NEIGHBOURS = 5
SHARED = 0.05  # the share of images that two parts of a data set may have in common


@dataclass(frozen=True)
class Scores:
    """What a judge found; print it to see all, with features, numbers of images and noise floor.

    frechet, kernel: distances, small is good. precision, recall, density, coverage: see
    `course_utils.metrics.distances`. samples, reference: how many generated and real images.
    features, numbers: name of the network and how many features it gives. real: the scores of
    as many other real images, None in scores that are such themselves.
    """

    frechet: float
    kernel: float
    precision: float
    recall: float
    density: float
    coverage: float
    samples: int
    reference: int
    features: str
    numbers: int
    real: Scores | None = None

    @property
    def floor(self) -> float:
        """The Fréchet distance of as many other real images: the noise floor."""
        return (self.real or self).frechet

    def __str__(self) -> str:
        said = []
        for name in ("frechet", "kernel", "precision", "recall", "density", "coverage"):
            title = {"frechet": "Fréchet distance", "kernel": "kernel distance"}.get(name, name)
            said.append(f"{title} {_number(getattr(self, name))}")
            if self.real:
                word = "noise floor " if name == "frechet" else ""
                said[-1] += f" ({word}{_number(getattr(self.real, name))})"
        given, note = f"{self.samples:,} other real images", ""
        if self.real:
            given, note = f"{self.samples:,} generated", f"; in brackets {given}"
        return (
            f"{', '.join(said)}\n| features {self.features} ({self.numbers} numbers), "
            f"{given} against {self.reference:,} real{note}"
        )


class Evaluator:
    """Holds images against `reference`, real ones, in the features of a network.

    network: of `course_utils.metrics.features`. reference, other: real images (N, C, H, W) in [0,
    1], none of them in both; `other` gives the noise floor, so it must hold as many images as are
    judged. All sets need more images than the network has features, and more than 5. The course's
    protocol: the 5,000 test images of Fashion-MNIST, 5,000 training images as `other`, 5,000
    generated (`fashion_evaluator` makes this judge). Raises ValueError for too few images and for a
    common part.
    """

    def __init__(self, network: FeatureNetwork, reference: Tensor, other: Tensor) -> None:
        self.network = network
        self._enough("reference", reference)
        self._enough("other", other)
        known, others = (single(part.detach()).cpu().numpy() for part in (reference, other))
        seen = {image.tobytes() for image in known}
        common = sum(image.tobytes() in seen for image in others)
        if common > SHARED * len(other):
            raise ValueError(
                f"{common} of the {len(other)} images of other are in reference too, so that the "
                "noise floor would be too low: take them from another split."
            )
        self.reference = FeatureSet(network(reference))
        mixed = torch.randperm(len(other), generator=generator(0))  # a data set may be sorted
        self.others = network(other)[mixed]
        self._floors: dict[int, Scores] = {}

    def __call__(self, images: Tensor) -> Scores:
        """The scores of generated images (M, C, H, W) in [0, 1], with the floor for M images.

        Raises ValueError for too few images, more than `other` holds, or another kind of images.
        """
        self._enough("images", images)
        real = self.floor(len(images))
        return self._scores(self.network(images), real)

    def floor(self, samples: int) -> Scores:
        """The scores of so many of `other`; computed once for each number."""
        if not self._least <= check_int("samples", samples) <= len(self.others):
            raise ValueError(
                f"{samples} images are to be judged, and `other` gives a noise floor for "
                f"{self._least} to {len(self.others)}: give as many, or an Evaluator with more "
                "other images."
            )
        if samples not in self._floors:
            self._floors[samples] = self._scores(self.others[:samples])
        return self._floors[samples]

    @property
    def _least(self) -> int:
        return max(self.network.numbers, NEIGHBOURS) + 1

    def _enough(self, name: str, images: Tensor) -> None:
        check_images(images, name)
        if len(images) < self._least:
            network = self.network
            raise ValueError(
                f"{name} holds {len(images)} images; the {network.numbers} features of "
                f"{network.name} need at least {self._least}: give more images, or a network with "
                "fewer features."
            )

    def _scores(self, features: Tensor, real: Scores | None = None) -> Scores:
        found = FeatureSet(features)
        return Scores(
            frechet_distance(self.reference, found),
            kernel_distance(self.reference, found),
            *prdc(self.reference, found, NEIGHBOURS),
            samples=len(features),
            reference=len(self.reference),
            features=self.network.name,
            numbers=self.network.numbers,
            real=real,
        )


def _number(value: float) -> str:
    """As 128, 48.2, 0.71 or 0.0003: never more decimals than mean something."""
    limits = {100: 0, 10: 1, 0.1: 2}
    digits = next((digits for limit, digits in limits.items() if abs(value) >= limit), 4)
    return f"{value:.{digits}f}"


def fashion_evaluator(images: int = 5000) -> Evaluator:
    """The judge of the course's protocol: Fashion-MNIST in the features "fashion_classifier".

    As many test images are the reference, as many training images give the noise floor, both
    even over the classes. Raises ValueError unless 65 <= images <= 5000.
    """
    parts = [load("fashion_mnist", split).subset(images) for split in ("test", "train")]
    return Evaluator(feature_network("fashion_classifier"), *(part.images() for part in parts))


def fashion_scores(images: Tensor) -> dict[str, float]:
    """Its scores of images (5000, 1, 28, 28) in [0, 1], by name and rounded."""
    scores = fashion_evaluator()(images)
    return {
        "Fréchet distance, fashion_classifier, 5000 against 5000": round(scores.frechet, 1),
        "noise floor": round(scores.floor, 1),
        "precision": round(scores.precision, 2),
        "recall": round(scores.recall, 2),
    }
