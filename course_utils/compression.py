"""A small image format: sparse codes of 8x8 blocks, quantised and entropy-coded.

A file is a head of 17 bytes and the output of a range coder (package constriction). Block by block
the image is its mean and a sparse code of the rest. Whole numbers are coded atom by atom, from slow
to fast: where it is used (yes or no for each block), then the values. How likely a use is, and how
large, is predicted from what the decoder knows already: similar atoms in the same block and in its
four neighbours. Both sides must compute the same probabilities, so the bytes are for one kind of
machine, not for an archive. Built in notebook 07.
"""

import math
import struct
import zlib

import constriction
import numpy as np
import torch
from torch import Tensor

from course_utils.arguments import (
    check_finite,
    check_images,
    check_int,
    check_nonnegative,
    check_positive,
    single,
)
from course_utils.sparse_coding import omp, problem
from course_utils.wavelets import blocks_to_image, dct2, dct_matrix, image_to_blocks

__all__ = ["DecodeError", "decode", "dct_atoms", "encode", "quantise", "sparse_integers"]

SIZE = 8
HEAD = struct.Struct("<4sI")  # name, checksum of all that follows
FACTS = struct.Struct("<HHfB")  # rows of blocks, columns of blocks, step, coding scale of the means
NAME = b"SPC1"
LARGEST = 2**20  # a coder needs a range; no number of an image gets near
# Weight of a neighbouring block; added to the activity, so that no use is impossible
NEIGHBOURS, FLOOR = 0.25, 0.1
# The scales that an atom chooses from: for its uses, for its values
CHANCES = 2.0 ** (np.arange(-16, 16) / 2)
POSITION = constriction.stream.model.Bernoulli(perfect=False)
VALUE = constriction.stream.model.QuantizedLaplace(-LARGEST, LARGEST)


class DecodeError(ValueError):
    """The bytes are not a whole file of this format, or of another dictionary."""


def dct_atoms(size: int = SIZE) -> Tensor:
    """The 2-D DCT's cosines without the constant: unit columns (size², size² - 1)."""
    check_int("size", size, at_least=2)
    return torch.kron(dct_matrix(size), dct_matrix(size)).T[:, 1:].contiguous()


def quantise(weights: Tensor, step: float, rounding: float = 1 / 3) -> Tensor:
    """Whole numbers q, as floats, with weights ≈ q·step: sign · floor(|weight|/step + rounding).

    rounding = 1/2 rounds to the nearest; less widens the dead zone, |weight| < (1 - rounding)·step,
    where q is 0: zeros cost hardly any bits. For half precision q is float32.
    """
    weights, step = single(check_finite(weights, "weights")), check_positive("step", step)
    if check_nonnegative("rounding", rounding) > 1:
        raise ValueError(f"rounding is {rounding}; expected a number from 0 to 1.")
    q = weights.sign() * (weights.abs() / step + rounding).floor()
    if not torch.isfinite(q).all():
        raise ValueError(f"step is {step}, too small for weights of {weights.abs().max():.3g}.")
    return q


def sparse_integers(image: Tensor, step: float, D: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Integer means (h, w) and codes (h, w, K) of the blocks of an image (1, 1, 8h, 8w).

    `step` is the quantiser's, in grey levels of 255. D (64, K) with unit columns of mean zero;
    without it the DCT. Orthonormal atoms are coded by a product, others by OMP up to the error of a
    quantiser. Errors as `encode`.
    """
    check_image(image, step)
    image = single(image)
    D, orthonormal = check_atoms(D)
    D = D.to(image)
    blocks = image_to_blocks(image * 255 - 128, SIZE)[0, 0].flatten(2)
    means = (blocks.mean(dim=2) * SIZE / step).round()
    rest = (blocks - blocks.mean(dim=2, keepdim=True)).flatten(0, 1)
    z = rest @ D if orthonormal else omp(rest, D, error=0.75 * step * SIZE / math.sqrt(12))
    return means.int(), quantise(z, step).int().unflatten(0, means.shape)


def encode(image: Tensor, step: float, D: Tensor | None = None) -> bytes:
    """A grey image (1, 1, H, W) in [0, 1], sides multiples of 8, as bytes; a larger step, fewer.

    `step` is in grey levels of 255; D (64, K) as in `sparse_integers`: the decoder needs the same,
    it is not in the file. Raises TypeError or ValueError for inputs that do not fit. Built in
    notebook 07.
    """
    check_image(image, step)
    step = float(np.float32(step))  # as the decoder will read it
    means, codes = (values.numpy() for values in sparse_integers(image.cpu().float(), step, D))
    coder = constriction.stream.queue.RangeEncoder()
    change = np.diff(means.flatten(), prepend=0)
    spread = int(np.abs(CHANCES - max(np.abs(change).mean(), 0.01)).argmin())
    put(coder, change, 0, CHANCES[spread])
    before = (0, 0)
    for j, activity in atom_by_atom(D, codes):
        values = codes[:, :, j].flatten()
        used = values != 0
        now = best_chances(used, values, activity) if used.any() else (0, 0)
        put(coder, np.subtract(now, before), 0, 2)
        before = now
        if not used.any():
            continue
        coder.encode(used.astype(np.int32), POSITION, likely(activity, now[0]))
        # 1, 2, ... become 0, 1, ...: without the zero no number is missing
        shifted = values[used] - (values[used] > 0)
        put(coder, shifted, -0.5, sizes(activity[used], now[1]))
    body = FACTS.pack(*means.shape, step, spread) + coder.get_compressed().astype("<u4").tobytes()
    return HEAD.pack(NAME, checksum(body, D)) + body


def decode(data: bytes, D: Tensor | None = None) -> Tensor:
    """The image (1, 1, H, W) in [0, 1] that `encode` wrote, with the same D.

    Raises DecodeError, a ValueError, for bytes that are cut off, damaged, of another format or
    another dictionary.
    """
    if not isinstance(data, (bytes, bytearray)):
        raise TypeError(f"data is a {type(data).__name__}; expected bytes, as from encode.")
    check_atoms(D)
    if len(data) < HEAD.size or data[:4] != NAME:
        raise DecodeError("The bytes do not begin like a file of `encode`: is it another format?")
    body = data[HEAD.size :]
    if checksum(body, D) != HEAD.unpack(data[: HEAD.size])[1]:
        raise DecodeError("The checksum differs: damaged or cut off, or another dictionary D?")
    D, _ = check_atoms(D)
    height, width, step, spread = FACTS.unpack(body[: FACTS.size])
    words = np.frombuffer(body[FACTS.size :], dtype="<u4").astype(np.uint32)
    coder = constriction.stream.queue.RangeDecoder(words)
    scales = np.full(height * width, CHANCES[spread])
    means = take(coder, 0, scales).cumsum().reshape(height, width)
    codes, now = np.zeros((height, width, D.shape[1]), dtype=np.int32), np.zeros(2, dtype=int)
    for j, activity in atom_by_atom(D, codes):
        now += take(coder, 0, np.full(2, 2.0))
        if not now.any():
            continue
        used = coder.decode(POSITION, likely(activity, now[0])).astype(bool)
        shifted = take(coder, -0.5, sizes(activity[used], now[1]))
        codes[used.reshape(height, width), j] = shifted + (shifted >= 0)
    blocks = torch.from_numpy(codes).float() @ D.T + torch.from_numpy(means)[:, :, None] / SIZE
    image = blocks_to_image((blocks * step).unflatten(2, (SIZE, SIZE)))
    return ((image + 128) / 255).clamp(0, 1)[None, None]


def put(coder, values: np.ndarray, centre: float, scale: float | np.ndarray) -> None:
    """Encode whole numbers by Laplace distributions."""
    ones = np.ones(values.size)
    coder.encode(values.astype(np.int32), VALUE, centre * ones, scale * ones)


def take(coder, centre: float, scale: np.ndarray) -> np.ndarray:
    """Decode as many whole numbers as there are scales."""
    return coder.decode(VALUE, np.full(scale.size, float(centre)), scale)


def atom_by_atom(D: Tensor | None, codes: np.ndarray):
    """Pairs (atom, activity (blocks,)), slow atoms first; `codes` may be filled in while this runs.

    The activity: mean |code| of the atoms before, those of nearly the same frequency counting most,
    in the block and in its neighbours.
    """
    D, _ = check_atoms(D)
    energy = dct2(D.T.reshape(-1, SIZE, SIZE)).square()
    i = torch.arange(SIZE, dtype=D.dtype)  # place: an atom's mean frequency
    frequency = torch.stack([energy.sum(dim=2) @ i, energy.sum(dim=1) @ i], dim=1)
    place = frequency.round(decimals=3).numpy()
    order = np.argsort(place.sum(axis=1), kind="stable")
    seen = np.zeros((codes.shape[0] * codes.shape[1], len(order)))
    for t, j in enumerate(order):
        near = np.exp(-1.5 * np.abs(place[order[:t]] - place[j]).sum(axis=1))
        yield int(j), seen[:, :t] @ near / max(near.sum(), 1e-3) + FLOOR
        seen[:, t] = surroundings(np.abs(codes[:, :, j])).flatten()


def surroundings(sizes: np.ndarray) -> np.ndarray:
    """Weighted mean of each place of (h, w) and its four neighbours; borders are replicated."""
    wide = np.pad(sizes, 1, mode="edge")
    around = wide[:-2, 1:-1] + wide[2:, 1:-1] + wide[1:-1, :-2] + wide[1:-1, 2:]
    return (sizes + NEIGHBOURS * around) / (1 + 4 * NEIGHBOURS)


def likely(activity: np.ndarray, choice: int) -> np.ndarray:
    """Probability that an atom is used: of |value| > 1/2 under a Laplace distribution."""
    return np.clip(np.exp(-0.5 / (CHANCES[choice] * activity)), 1e-4, 1 - 1e-4)


def sizes(activity: np.ndarray, choice: int) -> np.ndarray:
    """The scale of the Laplace distribution of the values, proportional to the activity."""
    return np.clip(CHANCES[choice] * activity, 0.1, 1e4)


def best_chances(used: np.ndarray, values: np.ndarray, activity: np.ndarray) -> tuple[int, int]:
    """The two choices with the fewest bits; never (0, 0), which marks an unused atom."""
    p = np.stack([likely(activity, c) for c in range(len(CHANCES))])
    position = np.log(np.where(used, p, 1 - p)).sum(axis=1).argmax()
    s = np.stack([sizes(activity[used], c) for c in range(len(CHANCES))])
    value = (np.log1p(-np.exp(-1 / s)) - (np.abs(values[used]) - 1) / s).sum(axis=1).argmax()
    return int(position), max(1, int(value))


def check_image(image: Tensor, step: float) -> None:
    """Raise unless it is one grey image (1, 1, 8h, 8w) in [0, 1], and the step is usual."""
    check_images(image, "image", clipped=True)
    if image.shape[:2] != (1, 1) or image.shape[2] % SIZE or image.shape[3] % SIZE:
        raise ValueError(
            f"image has shape {tuple(image.shape)}; expected one grey image (1, 1, H, W) with "
            f"sides that are multiples of {SIZE}: choose a channel, and crop or pad the image."
        )
    if not 0.1 <= check_positive("step", step) <= 1000:
        raise ValueError(f"step is {step}; expected grey levels of 255, from 0.1 to 1000.")


def checksum(body: bytes, D: Tensor | None) -> int:
    """CRC-32 of facts, coded bytes and dictionary."""
    atoms = b"" if D is None else D.detach().cpu().float().contiguous().numpy().tobytes()
    return zlib.crc32(body, zlib.crc32(atoms))


def check_atoms(D: Tensor | None) -> tuple[Tensor, bool]:
    """The atoms (the DCT's for None) and whether they are orthonormal."""
    if D is None:
        return dct_atoms(), True
    problem.check_atoms(D)
    if len(D) != SIZE**2:
        turned = ", and looks transposed: D.T" if D.shape[1] == SIZE**2 else ""
        raise ValueError(f"D has shape {tuple(D.shape)}; expected ({SIZE**2}, K){turned}.")
    D = D.detach().cpu().float()
    return D, D.shape[1] <= len(D) and torch.allclose(D.T @ D, torch.eye(D.shape[1]), atol=1e-4)
