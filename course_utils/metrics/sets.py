"""How near is a set of generated images to a set of real ones? Both given as features.

Features (N, d) are d numbers of each image, made by a network (`course_utils.features`).
A value means nothing without their name, the numbers of images, and the value that other
real images get: `course_utils.metrics.judge` says all three. The Fréchet distance is
called FID, the kernel distance KID, for features of Inception alone.

All compute in float64 on the CPU, and raise ValueError for features that are not (N, d),
not of one d, not finite, or too few. Built in notebook 09.
"""
import torch
from torch import Tensor

from course_utils.arguments import check_floats, whole_number

__all__ = ["density_coverage", "frechet_distance", "kernel_distance", "precision_recall"]

ROWS = 250  # of a matrix of distances at a time


def frechet_distance(real: Tensor, generated: Tensor) -> float:
    """Squared Fréchet distance of the two Gaussians that have the sets' means and covariances.

    real: (N, d), generated: (M, d), both N, M > d, else a covariance would be singular.
    |m - m'|² + tr(S + S' - 2 (S^½ S' S^½)^½), at least 0; unit: that of the features, squared.
    It falls with N and M, also for sets of equal quality. Heusel et al. 2017; the formula:
    Dowson & Landau 1982.
    """
    real, generated = _checked(real, generated, None, "covariances that are not singular")
    mean, covariance = _moments(real)
    other_mean, other_covariance = _moments(generated)
    values, vectors = torch.linalg.eigh(covariance)
    root = (vectors * values.clamp_min(0).sqrt()) @ vectors.T
    overlap = torch.linalg.eigvalsh(root @ other_covariance @ root).clamp_min(0).sqrt().sum()
    apart = (mean - other_mean).square().sum()
    return max(0.0, (apart + covariance.trace() + other_covariance.trace() - 2 * overlap).item())


def kernel_distance(real: Tensor, generated: Tensor) -> float:
    """Squared maximum mean discrepancy with the kernel k(x, y) = (x·y / d + 1)³, unbiased.

    real: (N, d), generated: (M, d), N, M >= 2. Around 0, also below it, for two samples of
    one source, whatever their sizes. Here over all pairs at once; torchmetrics and others
    average over random subsets of, say, 1000. Bińkowski et al. 2018.
    """
    real, generated = _checked(real, generated, 1, "pairs of different images")
    n, m = len(real), len(generated)
    within_real = (_kernel_sum(real, real) - _own_kernels(real)) / (n * (n - 1))
    within_generated = (_kernel_sum(generated, generated) - _own_kernels(generated)) / (m * (m - 1))
    return (within_real + within_generated - 2 * _kernel_sum(real, generated) / (n * m)).item()


def precision_recall(real: Tensor, generated: Tensor, k: int = 5) -> tuple[float, float]:
    """Share of generated images near a real one, and of real images near a generated one.

    real: (N, d), generated: (M, d), N, M > k. Near an image: not farther than its k-th nearest
    neighbour in its own set. Precision asks for quality, recall for variety; other real images
    get less than 1 in both. Kynkäänniemi et al. 2019 (there k = 3).
    """
    real, generated, k = _neighbours(real, generated, k)
    precision = _near(generated, real, _radii(real, k)).any(dim=1)
    recall = _near(real, generated, _radii(generated, k)).any(dim=1)
    return precision.double().mean().item(), recall.double().mean().item()


def density_coverage(real: Tensor, generated: Tensor, k: int = 5) -> tuple[float, float]:
    """How many real images a generated one is near to, over k; share of real ones with one near.

    real: (N, d), generated: (M, d), N, M > k. Only balls around real images count, so that
    an outlier among the generated ones, whose ball is huge, cannot raise the coverage. Density
    is about 1 for other real images and may exceed it. Naeem et al. 2020.
    """
    real, generated, k = _neighbours(real, generated, k)
    near = _near(generated, real, _radii(real, k))
    return near.sum(dim=1).double().mean().item() / k, near.any(dim=0).double().mean().item()


def _checked(real: Tensor, generated: Tensor, more_than: int | None, purpose: str) -> tuple[Tensor, Tensor]:
    """Both as float64 on the CPU, or ValueError; `purpose`: what more than so many (None: d) rows are for."""
    for name, features in {"real": real, "generated": generated}.items():
        if not isinstance(features, Tensor):
            raise TypeError(f"{name} is a {type(features).__name__}; expected a torch tensor: torch.as_tensor({name})")
        if features.ndim != 2 or features.shape[1] == 0:
            raise ValueError(
                f"{name} has shape {tuple(features.shape)}; expected features (N, d): give the images "
                "to a network of course_utils.features first."
            )
        check_floats(features, name)
        if not torch.isfinite(features).all():
            raise ValueError(f"{name} holds NaN or infinite features: look at the images they were made of.")
    if real.shape[1] != generated.shape[1]:
        raise ValueError(
            f"real has {real.shape[1]} features, generated {generated.shape[1]}; use one network for both."
        )
    more_than = real.shape[1] if more_than is None else more_than
    for name, features in {"real": real, "generated": generated}.items():
        if len(features) <= more_than:
            raise ValueError(
                f"{name} holds the features of {len(features)} images; at least {more_than + 1} are needed, "
                f"for {purpose}: give more images."
            )
    return real.detach().cpu().double(), generated.detach().cpu().double()


def _moments(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (d,) and unbiased covariance (d, d)."""
    mean = features.mean(dim=0)
    return mean, (features - mean).T @ (features - mean) / (len(features) - 1)


def _kernel_sum(a: Tensor, b: Tensor) -> Tensor:
    """Sum of the kernel over all pairs of rows."""
    roots = ((part @ b.T).div_(b.shape[1]).add_(1) for part in a.split(ROWS))
    return sum((root * root).mul_(root).sum() for root in roots)


def _own_kernels(a: Tensor) -> Tensor:
    """Sum of the kernel of each row with itself."""
    return (a.square().mean(dim=1) + 1).pow(3).sum()


def _neighbours(real: Tensor, generated: Tensor, k: int) -> tuple[Tensor, Tensor, int]:
    """Checked features, moved so that the real ones have mean 0 (more digits for the distances)."""
    k = whole_number("k", k, at_least=1)
    real, generated = _checked(real, generated, k, f"the {k} nearest others of each image")
    return real - real.mean(dim=0), generated - real.mean(dim=0), k


def _squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """(N, d), (M, d) -> (N, M)."""
    return (a @ b.T).mul_(-2).add_(a.square().sum(dim=1, keepdim=True)).add_(b.square().sum(dim=1))


def _radii(points: Tensor, k: int) -> Tensor:
    """Squared distance of each point to its k-th nearest other point: (N, d) -> (N,)."""
    parts = points.split(ROWS)  # each point is its own nearest: the k + 1 smallest
    return torch.cat([_squared_distances(p, points).topk(k + 1, largest=False).values.amax(dim=1) for p in parts])


def _near(points: Tensor, centres: Tensor, radii: Tensor) -> Tensor:
    """Whether each point lies in the ball around each centre: (N, d), (M, d), (M,) -> bool (N, M)."""
    rounding = 1e-12 * centres.square().sum(dim=1).amax()  # equal images are near, however they were rounded
    return torch.cat([_squared_distances(part, centres) <= radii + rounding for part in points.split(ROWS)])
