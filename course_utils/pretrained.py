"""The shipped models: for each name its architecture, and its weights from data/pretrained.

`course_utils.pretrain` trains them again.
"""

from torch import nn

from course_utils import checkpoints
from course_utils.arguments import check_choice
from course_utils.files import PRETRAINED

__all__ = ["ARCHITECTURES", "pretrained"]


def pretrained(name: str) -> nn.Module:
    """The shipped model `name`, on the CPU, in evaluation mode.

    Raises ValueError for an unknown name, CheckpointError when the file is missing,
    damaged or of another model: it names the file and the commands that bring it back.
    """
    check_choice("model", name, tuple(ARCHITECTURES))
    file = PRETRAINED / f"{name}.safetensors"
    mend = f"git checkout -- data/pretrained (or: python -m course_utils.pretrain {name})"
    model = ARCHITECTURES[name]()
    weights = checkpoints.load_weights(file, mend)
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise checkpoints.CheckpointError(
            f"{file} belongs to another model than {name!r}. Run: {mend}"
        ) from error
    return model.eval()


# Imports stand in the functions, so that who asks for one model does not load the code of all.


def classifier() -> nn.Module:
    """The classifier of Fashion-MNIST, whose features notebooks 06 and 09 to 12 measure with."""
    from course_utils.classifiers import FashionClassifier

    return FashionClassifier()


def colour() -> nn.Module:
    """The four-stage autoencoder of notebook 05: 64 of 320 units active, 16 maps in s and d."""
    from course_utils.autoencoders import FourStageAutoencoder, TopK

    return FourStageAutoencoder(code=320, sparsity=TopK(64), maps=16, lam=0.01)


def denoiser() -> nn.Module:
    """The denoiser of notebook 07: unrolled sparse coding."""
    from course_utils.autoencoders import UnrolledSparseCoder

    return UnrolledSparseCoder(atoms=256, size=12, stride=4, steps=3)


def super_resolution() -> nn.Module:
    """Super-resolution of notebook 07: coupled dictionaries as a network."""
    from course_utils.autoencoders import SparseSuperResolution

    return SparseSuperResolution(atoms=256, size=6, stride=2, steps=2)


def fashion_gan() -> nn.Module:
    """The generator of notebook 09, wider: noise (N, 64) to images (N, 1, 28, 28) in [-1, 1]."""
    from course_utils.gans import Generator

    return Generator(width=48)


def dictionary_gan() -> nn.Module:
    """The dictionary generator of notebook 12: noise (N, 64) to images in [-1, 1]."""
    from course_utils.sparse_gans import DictionaryGenerator

    return DictionaryGenerator()


def gallery() -> nn.Module:
    """The joined model of the gallery in notebook 00: codes of 128 units, 32 active."""
    from course_utils.autoencoders import ConvDecoder, TopK
    from course_utils.sparse_gans import CodeGenerator, CodePrior

    return CodeGenerator(CodePrior(components=40, code=128), ConvDecoder(128), TopK(32))


def generator_features() -> nn.Module:
    """The sparse autoencoder of notebook 14 on 96 maps of `fashion_gan`: 8 of 512 units active."""
    from course_utils.autoencoders import SparseAutoencoder, TopK, UnitNormDecoder

    return SparseAutoencoder(nn.Linear(96, 512), UnitNormDecoder(512, 96), TopK(8), 512)


FASHION = (classifier, dictionary_gan, fashion_gan, gallery, generator_features)
CIFAR = (colour, denoiser, super_resolution)
ARCHITECTURES = {make.__name__: make for make in FASHION + CIFAR}
