"""A density on the codes of a trained autoencoder, to draw new codes from.

The second stage of a two-stage model (Dai and Wipf 2019), here a mixture of Gaussians as in
Ghosh et al. 2020. Built in notebook 12.
"""

from __future__ import annotations

import warnings

import torch
from torch import Tensor, nn

from course_utils.arguments import check_floats, check_int, check_not_empty, single
from course_utils.layers import check_rows

__all__ = ["CodePrior"]


class CodePrior(nn.Module):
    """Noise (N, 1 + code) ~ N(0, I) to codes (N, code) drawn from a mixture of Gaussians.

    The first number of the noise chooses the component, through its normal distribution function;
    the others are stretched and moved as that component wants. shares (components,), means
    (components, code) and factors (components, code, code), lower Cholesky factors of the
    covariances, are buffers; as made here the mixture is N(0, I).
    """

    shares: Tensor
    means: Tensor
    factors: Tensor

    def __init__(self, components: int, code: int) -> None:
        super().__init__()
        components = check_int("components", components, at_least=1)
        self.noise = 1 + check_int("code", code, at_least=1)
        self.register_buffer("shares", torch.full((components,), 1 / components))
        self.register_buffer("means", torch.zeros(components, code))
        self.register_buffer("factors", torch.eye(code).repeat(components, 1, 1))

    def forward(self, z: Tensor) -> Tensor:
        z = check_rows(z, self.means, self.noise, "z")  # one number more than a code
        u = torch.special.ndtr(z[:, 0])
        part = torch.searchsorted(self.shares.cumsum(0), u).clamp_max(len(self.shares) - 1)
        return self.means[part] + (self.factors[part] @ z[:, 1:, None])[..., 0]

    @classmethod
    def fit(cls, codes: Tensor, components: int = 50, seed: int = 0) -> CodePrior:
        """The mixture fitted to codes (M, code) by scikit-learn's EM, at most 15 rounds.

        Raises ValueError for codes of another shape, not finite, so small that the 1e-3 which
        are added to each variance would drown them, and for fewer than components * (code + 1): a
        covariance needs more codes than numbers.
        """
        # here: scikit-learn takes seconds to import
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.mixture import GaussianMixture

        components = check_int("components", components, at_least=1)
        if check_not_empty(check_floats(codes, "codes"), "codes").ndim != 2:
            raise ValueError(
                f"codes has shape {tuple(codes.shape)}; expected (M, code), a row for each image."
            )
        count, code = codes.shape
        if count < components * (code + 1):
            most = count // (code + 1)
            remedy = (
                f"fit at most {most}, or give more codes"
                if most
                else "give more codes, or shorter ones"
            )
            raise ValueError(
                f"{count} codes are too few for {components} Gaussians of {code} numbers, which "
                f"need {components * (code + 1)}: {remedy}."
            )
        if not codes.isfinite().all():
            raise ValueError("codes hold NaN or infinite values: has training diverged?")
        codes, spread = single(codes.detach()).cpu(), single(codes.detach()).std().item()
        if not 1e-2 <= spread <= 1e6:
            raise ValueError(
                f"codes have a standard deviation of {spread:.3g}; expected one near 1: divide "
                "them by codes.std(), and multiply what the prior draws by it."
            )
        seed = check_int("seed", seed, at_most=2**32 - 1)
        mixture = GaussianMixture(components, reg_covar=1e-3, max_iter=15, random_state=seed)
        # The last rounds change little and cost as much as the first
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            mixture.fit(codes.numpy())
        prior = cls(components, code)
        prior.shares.copy_(torch.as_tensor(mixture.weights_))
        prior.means.copy_(torch.as_tensor(mixture.means_))
        prior.factors.copy_(torch.linalg.cholesky(torch.as_tensor(mixture.covariances_)))
        return prior
