"""The shipped models: for each name its architecture, and its weights from data/pretrained.

`course_utils.pretrain` trains them again.
"""

from collections.abc import Callable
from typing import Any

from torch import nn

from course_utils import autoencoders as ae
from course_utils import checkpoints
from course_utils.arguments import check_choice
from course_utils.classifiers import FashionClassifier
from course_utils.files import PRETRAINED, bring_back
from course_utils.gans import Generator
from course_utils.sparse_gans import CodeGenerator, CodePrior, DictionaryGenerator

__all__ = ["ARCHITECTURES", "pretrained"]

ARCHITECTURES: dict[str, Callable[[], Any]] = {
    # Of Fashion-MNIST, whose features notebooks 06 and 09 to 12 measure with
    "classifier": FashionClassifier,
    # Notebook 05: 64 of 320 units active, 16 maps in s and d
    "colour": lambda: ae.FourStageAutoencoder(code=320, sparsity=ae.TopK(64), maps=16, lam=0.01),
    # Notebook 07
    "denoiser": lambda: ae.UnrolledSparseCoder(atoms=256, size=12, stride=4, steps=3),
    "super_resolution": lambda: ae.SparseSuperResolution(atoms=256, size=6, stride=2, steps=2),
    # Notebook 12: noise (N, 64) to images (N, 1, 28, 28) in [-1, 1]
    "dictionary_gan": DictionaryGenerator,
    # The generator of notebook 09, wider
    "fashion_gan": lambda: Generator(width=48),
    # The joined model of the gallery in notebook 00: codes of 128 units, 32 active
    "gallery": lambda: CodeGenerator(CodePrior(40, 128), ae.ConvDecoder(128), ae.TopK(32)),
    # Notebook 14, on 96 maps of "fashion_gan": 8 of 512 units active
    "generator_features": lambda: ae.SparseAutoencoder(
        nn.Linear(96, 512), ae.UnitNormDecoder(512, 96), ae.TopK(8), 512
    ),
}


def pretrained(name: str) -> Any:
    """The shipped model `name`, an nn.Module of a class of its own, on the CPU, in evaluation mode.

    Raises ValueError for an unknown name, CheckpointError when the file is missing,
    damaged or of another model: it names the file and the commands that bring it back.
    """
    check_choice("model", name, tuple(ARCHITECTURES))
    file = PRETRAINED / f"{name}.safetensors"
    mend = f"{bring_back(file)}, or: python -m course_utils.pretrain {name}"
    model = ARCHITECTURES[name]()
    weights = checkpoints.load_weights(file, mend)
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise checkpoints.CheckpointError(
            f"{file} belongs to another model than {name!r}. {mend}"
        ) from error
    return model.eval()
