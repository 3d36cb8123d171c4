"""Denoising of photographs at sigma 25 of 255: a dictionary learned on each against wavelets."""

import pytest
import torch
from figures import DENOISED, WAVELET
from problems import PART
from skimage.restoration import denoise_wavelet
from torch import Tensor

from course_utils.arguments import generator
from course_utils.data import photographs
from course_utils.dictionary_learning import denoise
from course_utils.metrics import psnr

NAMES = ("astronaut", "camera", "coffee", "chelsea", "motorcycle", "coins", "brick", "grass")
SIGMA = 25 / 255


def wavelets(noisy: Tensor) -> Tensor:
    options = dict(wavelet="db4", method="BayesShrink", mode="soft", rescale_sigma=True)
    return torch.tensor(denoise_wavelet(noisy[0, 0].numpy(), **options))[None, None]


METHODS = {"ours: denoise": lambda noisy: denoise(noisy, SIGMA), f"{WAVELET}, db4": wavelets}


@pytest.mark.parametrize("method", METHODS)
def test_denoising(benchmark, record, method):
    names = NAMES[: max(1, round(len(NAMES) * PART))]
    images = photographs(size=256, names=names)
    queue, levels = list(images.values()), []
    METHODS[method](queue[0][..., :64, :64])  # the first call, not counted

    def next_noisy():
        noise = torch.randn(1, 1, 256, 256, generator=generator(len(queue)))
        clean = queue.pop()
        return ((clean + SIGMA * noise).clamp(0, 1), clean), {}

    def run(noisy, clean):
        levels.append(psnr(METHODS[method](noisy), clean).item())

    benchmark.pedantic(run, setup=next_noisy, rounds=len(names))
    stats, level = benchmark.stats.stats, sum(levels) / len(levels)
    remark = f"{level:.2f} dB on average, {stats.max:.2f} s at most"
    group = f"{DENOISED}, {len(names)} photographs of 256x256"
    record(group, method, stats.mean, 1, len(names), level, remark)
