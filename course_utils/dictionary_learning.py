"""Dictionary learning from signals: MOD, K-SVD, online learning; denoising.

Each turn codes the signals with the present dictionary, then mends the dictionary. How
they are coded is said by one of: k (atoms per signal, OMP), error (length of the residual,
OMP), lam (l1 weight, lasso). Built in notebook 03.
"""

import math

import torch
from torch import Tensor

from course_utils.arguments import check_images, check_int, check_positive, generator, single
from course_utils.patches import average_patches, extract_patches
from course_utils.sparse_coding import decode, lasso, normalise_atoms, omp_atoms, problem

__all__ = [
    "denoise",
    "initial_atoms",
    "ksvd",
    "ksvd_update",
    "mod",
    "mod_update",
    "online_learning",
    "online_update",
    "overcomplete_dct",
    "replace_unused",
    "sparse_code",
]

GAIN = 1.1  # the residual allowed, as a multiple of what the noise alone leaves on average


def overcomplete_dct(size: int = 8, frequencies: int = 16) -> Tensor:
    """The overcomplete DCT: unit atoms (size², frequencies²).

    With more frequencies than pixels they overlap in frequency, unlike those of the DCT.
    All but the first have mean zero along their axis (Elad and Aharon 2006). Built in notebook 02.
    """
    check_int("frequencies", frequencies, at_least=1)
    i = torch.arange(check_int("size", size, at_least=1), dtype=torch.float64)
    waves = torch.cos(torch.pi * i[:, None] * torch.arange(frequencies) / frequencies)
    waves[:, 1:] -= waves[:, 1:].mean(dim=0)
    return normalise_atoms(torch.kron(waves, waves)).float()


def initial_atoms(x: Tensor, atoms: int, seed: int = 0) -> Tensor:
    """A first dictionary (n, atoms): random signals of x (N, n), unit norm, none constant.

    Raises ValueError when x has fewer usable signals than that.
    """
    problem.check_matrix("x", x, problem.SIGNALS)
    lengths = torch.linalg.vector_norm(x, dim=1)
    usable = (lengths > 0.1 * lengths.mean()).nonzero()[:, 0]
    check_int("atoms", atoms, at_least=1, at_most=len(usable))
    chosen = torch.randperm(len(usable), generator=generator(seed))[:atoms]
    return normalise_atoms(x[usable[chosen.to(x.device)]].T)


def sparse_code(
    x: Tensor, D: Tensor, k: int | None = None, error: float | None = None, lam: float | None = None
) -> tuple[Tensor, Tensor]:
    """Codes of x (N, n) as atoms (N, m) and weights (N, m): lasso if `lam` is given, else OMP."""
    if lam is None:
        return omp_atoms(x, D, k, error)
    if k is not None or error is not None:
        raise ValueError("lam asks for lasso, k and error for OMP: give one of them.")
    z = lasso(x, D, lam, tolerance=1e-2)
    width = max(1, int((z != 0).sum(dim=1).max()))
    atoms = z.abs().topk(width, dim=1).indices
    return atoms, z.gather(1, atoms)


def mod(x: Tensor, D: Tensor, rounds: int = 10, **coding) -> Tensor:
    """Dictionary (n, K) after `rounds` of: code all of x (N, n), take the D that fits best.

    The method of optimal directions (Engan, Aase and Husøy 1999). Starts from D; unused
    atoms are replaced. `coding` is one of k, error, lam. Raises ValueError for inputs that
    do not fit. Built in notebook 03.
    """
    problem.check_problem(x, D)
    for _ in range(check_int("rounds", rounds)):
        atoms, weights = sparse_code(x, D, **coding)
        D = replace_unused(x, mod_update(x, D, atoms, weights), atoms, weights)
    return D


def mod_update(x: Tensor, D: Tensor, atoms: Tensor, weights: Tensor) -> Tensor:
    """The least-squares dictionary for these codes, normalised; unused atoms stay."""
    problem.check_coded(x, D, atoms, weights)
    zz, xz = second_moments(x, atoms, weights, D.shape[1])
    used = zz.diagonal() > 0
    ridge = 1e-6 * zz.diagonal().mean().clamp_min(torch.finfo(x.dtype).tiny)
    best = torch.linalg.solve(zz + ridge * torch.eye(len(zz)).to(zz), xz.T).T
    lengths = torch.linalg.vector_norm(best, dim=0)
    good = used & (lengths > 0)
    return torch.where(good, best / torch.where(good, lengths, 1.0), D)


def ksvd(x: Tensor, D: Tensor, rounds: int = 10, **coding) -> Tensor:
    """Dictionary (n, K) after `rounds` of coding x (N, n) and updating atom by atom.

    Approximate K-SVD: one power step instead of each SVD (Aharon, Elad and Bruckstein 2006;
    Rubinstein, Zibulevsky and Elad 2008). Arguments and errors as `mod`. Built in notebook 03.
    """
    problem.check_problem(x, D)
    for _ in range(check_int("rounds", rounds)):
        atoms, weights = sparse_code(x, D, **coding)
        D, weights = ksvd_update(x, D, atoms, weights)
        D = replace_unused(x, D, atoms, weights)
    return D


def ksvd_update(x: Tensor, D: Tensor, atoms: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Each atom and its weights refitted to the residual: D (n, K) and weights (N, k)."""
    problem.check_coded(x, D, atoms, weights)
    residual = (x - decode(atoms, weights, D)).detach()
    by_row, flat = D.detach().T.clone(), weights.detach().flatten().clone()
    users = atoms.flatten().masked_fill(flat == 0, len(by_row)).argsort(stable=True)
    counts = torch.bincount(atoms.flatten()[flat != 0], minlength=len(by_row)).tolist()
    for j, mine in enumerate(users[: sum(counts)].split(counts)):
        if not len(mine):
            continue
        rows, w, old = mine // atoms.shape[1], flat[mine], by_row[j].clone()
        without = residual[rows] + w[:, None] * old  # what this atom has to explain
        new = w @ without
        length = torch.linalg.vector_norm(new)
        if length > 0:
            by_row[j] = new / length
        flat[mine] = without @ by_row[j]
        residual[rows] = without - flat[mine, None] * by_row[j]
    return by_row.T.contiguous(), flat.view_as(weights)


@torch.no_grad()
def online_learning(
    x: Tensor, D: Tensor, steps: int = 80, batch: int = 1000, seed: int = 0, **coding
) -> Tensor:
    """Dictionary (n, K) after `steps` minibatches of x (N, n), fitted to all codes so far.

    Only the sums of zzᵀ and xzᵀ are kept, the early ones fading by (1 - 1/t)⁴, so memory does not
    grow with N (Mairal et al. 2010). No gradients. Arguments, errors: `mod`. Built in notebook 03.
    """
    problem.check_problem(x, D)
    batch = min(check_int("batch", batch, at_least=1), len(x))
    draw = generator(seed)
    zz, xz = D.new_zeros(D.shape[1], D.shape[1]), torch.zeros_like(D)
    order = torch.empty(0, dtype=torch.long)
    for t in range(1, check_int("steps", steps) + 1):
        if len(order) < batch:
            order = torch.randperm(len(x), generator=draw)
        part, order = x[order[:batch].to(x.device)], order[batch:]
        atoms, weights = sparse_code(part, D, **coding)
        new_zz, new_xz = second_moments(part, atoms, weights, D.shape[1])
        fade = (1 - 1 / t) ** 4
        zz, xz = fade * zz + new_zz, fade * xz + new_xz
        D = online_update(D, zz, xz)
        if t % 10 == 0:
            uses = zz.diagonal()
            D = replace_unused(part, D, atoms, weights, used=uses > 1e-4 * uses.mean())
    return D


def online_update(D: Tensor, zz: Tensor, xz: Tensor) -> Tensor:
    """One pass of block coordinate descent over the atoms of D (n, K): zz (K, K), xz (n, K)."""
    problem.check_moments(D, zz, xz)
    uses = zz.diagonal()
    used = (uses > 1e-4 * uses.mean()).nonzero()[:, 0]
    by_row = D.T.clone(memory_format=torch.contiguous_format)
    wanted, others = xz.T[used] / uses[used, None], zz[used] / uses[used, None]
    others.scatter_(1, used[:, None], 0)  # D_j + (b_j - D a_j) / a_jj: d_j itself cancels
    for j, target, overlap in zip(used.tolist(), wanted, others):
        new = torch.addmv(target, by_row.T, overlap, alpha=-1)
        by_row[j] = new / torch.linalg.vector_norm(new).clamp_min(torch.finfo(D.dtype).tiny)
    return by_row.T.contiguous()


def replace_unused(
    x: Tensor, D: Tensor, atoms: Tensor, weights: Tensor, used: Tensor | None = None
) -> Tensor:
    """D (n, K) with each unused atom replaced by a signal of x (N, n) that is coded badly.

    Unused: no signal has a weight on it, unless `used` (K,) says otherwise. Where all signals are
    coded exactly, the atoms stay.
    """
    problem.check_coded(x, D, atoms, weights)
    if used is None:
        used = torch.bincount(atoms[weights != 0], minlength=D.shape[1]) > 0
    unused = (~used).nonzero()[:, 0]
    if not len(unused):
        return D
    left = torch.linalg.vector_norm(x - decode(atoms, weights, D), dim=1)
    worst = left.topk(min(len(unused), len(x))).indices
    worst = worst[left[worst] > torch.finfo(x.dtype).eps ** 0.5 * left.mean()]
    D = D.clone()
    D[:, unused[: len(worst)]] = normalise_atoms(x[worst].T)
    return D


def second_moments(x: Tensor, atoms: Tensor, weights: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Sums of zzᵀ (count, count) and xzᵀ (n, count), a few thousand signals at a time."""
    zz, xz = x.new_zeros(count, count), x.new_zeros(x.shape[1], count)
    for part, a, w in zip(x.split(4096), atoms.split(4096), weights.split(4096)):
        z = x.new_zeros(len(part), count).scatter_add_(1, a, w)
        zz += z.T @ z
        xz += part.T @ z
    return zz, xz


def denoise(
    noisy: Tensor, sigma: float, D: Tensor | None = None, steps: int = 60, seed: int = 0
) -> Tensor:
    """Denoise images (N, C, H, W) with Gaussian noise of standard deviation sigma.

    Each 8x8 patch, its mean taken off, is coded by OMP to the error that the noise alone
    would leave; where patches overlap they are averaged. D (64 C, K) codes the patches;
    without it one is learned in `steps` on the noisy image itself, starting from overcomplete
    cosines (Elad and Aharon 2006; colour: Mairal, Elad and Sapiro 2008). Raises ValueError
    for sigma <= 0 and inputs that do not fit. Built in notebook 03.
    """
    check_images(noisy, "noisy")
    sigma = check_positive("sigma", sigma)  # one, for the patches of all images
    channels, height, width = noisy.shape[1:]
    if min(height, width) < 8:
        given = f"noisy has images of {height} x {width}; the patch size is 8"
        raise ValueError(f"{given}: pad or enlarge the images to at least 8 x 8.")
    x = extract_patches(single(noisy)).unflatten(1, (channels, -1))
    means = x.mean(dim=2, keepdim=True)
    x = x.sub_(means).flatten(1)
    error = GAIN * sigma * math.sqrt(x.shape[1])
    if D is None:
        start = cosine_atoms(channels).to(x)
        D = online_learning(x, start, steps, batch=2000, seed=seed, error=error)
    else:
        problem.check_atoms(D)
        D = D.to(x)
    atoms, weights = omp_atoms(x, D, error=error)
    shape = (len(noisy), 1, *noisy.shape[2:])
    del x  # large; the rest is done channel by channel for the same reason
    parts = zip(D.split(64), means.unbind(1))
    clean = [average_patches(decode(atoms, weights, part) + mean, shape) for part, mean in parts]
    return torch.cat(clean, dim=1).to(noisy.dtype)


def cosine_atoms(channels: int) -> Tensor:
    """Overcomplete DCT without the constant: grey (64, 255), colour (192, 360)."""
    if channels == 1:
        return overcomplete_dct(8, 16)[:, 1:]
    colours = normalise_atoms(torch.tensor([[1.0, 1.0, 1.0], [1.0, 0.0, -1.0], [1.0, -2.0, 1.0]]))
    return torch.kron(colours, overcomplete_dct(8, 11)[:, 1:])
