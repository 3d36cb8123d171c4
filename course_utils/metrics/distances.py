"""How near is a set of generated images to a set of real ones? Both given as features.

Features (N, d) are d numbers of each image, made by a network (`course_utils.metrics.features`).
A value means nothing without their name, the numbers of images, and the value that other
real images get: `course_utils.metrics.evaluator` says all three. The Fréchet distance is
called FID, the kernel distance KID, for features of Inception alone.

All compute in float64 on the CPU, and raise ValueError for features that are not (N, d),
not of one d, not finite, or too few. A set that meets many others is best made a
`FeatureSet` once: it keeps what depends on it alone. Built in notebook 09.
"""

from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from course_utils.arguments import check_floats, check_int

__all__ = [
    "FeatureSet",
    "density_coverage",
    "frechet_distance",
    "kernel_distance",
    "prdc",
    "precision_recall",
]

ROWS = 250  # of a matrix of distances at a time
LARGEST = 1e40  # of a feature: the kernel has sixth powers


class FeatureSet:
    """Features (N, d) of a set of images, with cached statistics.

    The functions below take it in place of a tensor. `name` is for errors: TypeError and
    ValueError for what is no tensor or array of floats (N, d), or not finite.
    """

    def __init__(self, features: Tensor, name: str = "features") -> None:
        if isinstance(features, np.ndarray):
            features = torch.as_tensor(features)
        check_floats(features, name)
        if features.ndim != 2 or features.shape[1] == 0:
            raise ValueError(
                f"{name} has shape {tuple(features.shape)}; expected features (N, d): "
                "give the images to a network of course_utils.metrics.feature_network first."
            )
        if not torch.isfinite(features).all():
            raise ValueError(f"{name} holds NaN or infinite features: look at their images.")
        self.features = features.detach().cpu().double()
        if len(self) and self.features.abs().max() > LARGEST:
            largest = f"{self.features.abs().max():.3g}"
            raise ValueError(f"{name} has values up to {largest}: divide both sets by one number.")
        self._radii: dict[int, Tensor] = {}

    def __len__(self) -> int:
        return len(self.features)

    @cached_property
    def mean(self) -> Tensor:
        """(d,)."""
        return self.features.mean(dim=0)

    @cached_property
    def centred(self) -> Tensor:
        """The features minus their mean, (N, d): more digits for covariance and distances."""
        return self.features - self.mean

    @cached_property
    def covariance(self) -> Tensor:
        """Unbiased, (d, d)."""
        return self.centred.T @ self.centred / (len(self) - 1)

    @cached_property
    def root(self) -> Tensor:
        """The symmetric square root of the covariance, (d, d)."""
        values, vectors = torch.linalg.eigh(self.covariance)
        return (vectors * values.clamp_min(0).sqrt()) @ vectors.T

    @cached_property
    def kernel(self) -> float:
        """Mean of the kernel of `kernel_distance` over all pairs of different features."""
        own = (self.features.square().mean(dim=1) + 1).pow(3).sum()  # of each with itself
        total = _kernel_sum(self.features, self.features) - own
        return (total / (len(self) * (len(self) - 1))).item()

    def radii(self, k: int) -> Tensor:
        """Squared distance of each to its k-th nearest other, (N,)."""
        if k not in self._radii:  # each is its own nearest: the k + 1 smallest
            parts = (_squared_distances(part, self.centred) for part in self.centred.split(ROWS))
            smallest = [part.topk(k + 1, largest=False).values for part in parts]
            self._radii[k] = torch.cat(smallest).amax(dim=1)
        return self._radii[k]


Features = Tensor | FeatureSet


def frechet_distance(real: Features, generated: Features) -> float:
    """Squared Fréchet distance of the two Gaussians that have the sets' means and covariances.

    real: (N, d), generated: (M, d), both N, M > d, else a covariance would be singular. |m - m'|² +
    tr(S + S' - 2 (S^½ S' S^½)^½), at least 0; unit: that of the features, squared. It falls with N
    and M, also for sets of equal quality. Heusel et al. 2017; the formula: Dowson & Landau 1982.
    """
    real, generated = _checked(real, generated, None, "covariances that are not singular")
    squares = torch.linalg.eigvalsh(real.root @ generated.covariance @ real.root)
    overlap = squares.clamp_min(0).sqrt().sum()
    apart = (real.mean - generated.mean).square().sum()
    spread = apart + real.covariance.trace() + generated.covariance.trace()
    return max(0.0, (spread - 2 * overlap).item())


def kernel_distance(real: Features, generated: Features) -> float:
    """Squared maximum mean discrepancy with the kernel k(x, y) = (x·y / d + 1)³, unbiased.

    real: (N, d), generated: (M, d), N, M >= 2. Around 0, also below it, for two samples of
    one source, whatever their sizes. Here over all pairs at once; torchmetrics and others
    average over random subsets of, say, 1000. Bińkowski et al. 2018.
    """
    real, generated = _checked(real, generated, 1, "pairs of different images")
    between = _kernel_sum(real.features, generated.features).item() / (len(real) * len(generated))
    return real.kernel + generated.kernel - 2 * between


def precision_recall(real: Features, generated: Features, k: int = 5) -> tuple[float, float]:
    """Share of generated images near a real one, and of real images near a generated one.

    real: (N, d), generated: (M, d), N, M > k. Near an image: not farther than its k-th nearest
    neighbour in its own set. Precision asks for quality, recall for variety; other real images
    get less than 1 in both. Kynkäänniemi et al. 2019 (there k = 3).
    """
    return prdc(real, generated, k)[:2]


def density_coverage(real: Features, generated: Features, k: int = 5) -> tuple[float, float]:
    """How many real images a generated one is near to, over k; share of real ones with one near.

    real: (N, d), generated: (M, d), N, M > k. Only balls around real images count, so that
    an outlier among the generated ones, whose ball is huge, cannot raise the coverage. Density
    is about 1 for other real images and may exceed it. Naeem et al. 2020.
    """
    return prdc(real, generated, k)[2:]


def prdc(real: Features, generated: Features, k: int = 5) -> tuple[float, float, float, float]:
    """Precision, recall, density and coverage, all from one matrix of distances."""
    k = check_int("k", k, at_least=1)
    real, generated = _checked(real, generated, k, f"the {k} nearest others of each image")
    centres, points = real.centred, generated.features - real.mean
    # equal images are near, however they were rounded
    real_radii = real.radii(k) + 1e-12 * centres.square().sum(dim=1).amax()
    radii = generated.radii(k) + 1e-12 * points.square().sum(dim=1).amax()
    precise = torch.zeros(len(generated), dtype=torch.bool)
    pairs = recalled = covered = 0
    for part, part_radii in zip(centres.split(ROWS), real_radii.split(ROWS)):
        squares = _squared_distances(part, points)
        recalled += int((squares <= radii).any(dim=1).sum())
        near = squares <= part_radii[:, None]
        precise |= near.any(dim=0)
        covered += int(near.any(dim=1).sum())
        pairs += int(near.count_nonzero())
    precision, density = precise.double().mean().item(), pairs / len(generated) / k
    return precision, recalled / len(real), density, covered / len(real)


def _checked(
    real: Features, generated: Features, more_than: int | None, purpose: str
) -> tuple[FeatureSet, FeatureSet]:
    """Both as sets, or ValueError; `purpose`: what more than so many (None: d) rows are for."""
    real = real if isinstance(real, FeatureSet) else FeatureSet(real, "real")
    if not isinstance(generated, FeatureSet):
        generated = FeatureSet(generated, "generated")
    numbers, others = real.features.shape[1], generated.features.shape[1]
    if numbers != others:
        raise ValueError(f"real has {numbers} features, generated {others}; use one network.")
    least = (numbers if more_than is None else more_than) + 1
    if min(len(real), len(generated)) < least:
        raise ValueError(
            f"There are {len(real)} real and {len(generated)} generated images; at least {least} "
            f"are needed, for {purpose}: give more images."
        )
    return real, generated


def _kernel_sum(a: Tensor, b: Tensor) -> Tensor:
    """Sum of the kernel over all pairs of rows."""
    roots = ((part @ b.T).div_(b.shape[1]).add_(1) for part in a.split(ROWS))
    return sum((root * root).mul_(root).sum() for root in roots)


def _squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """(N, d), (M, d) -> (N, M)."""
    return (a @ b.T).mul_(-2).add_(a.square().sum(dim=1, keepdim=True)).add_(b.square().sum(dim=1))
