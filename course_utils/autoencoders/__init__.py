"""Autoencoders: an encoder makes a code of an image, a decoder an image of the code.

Built in notebooks 04 (linear, convolutional), 05 (sparse, four stages) and 06 (learned
sparse coding). All are torch modules; images are (N, C, H, W).
"""

from course_utils.arguments import renamed
from course_utils.autoencoders.convolutional import ConvDecoder, ConvEncoder, LinearAutoencoder
from course_utils.autoencoders.lista import Lista
from course_utils.autoencoders.sparse import (
    SparseAutoencoder,
    UnitNormDecoder,
    share_alive,
    sparse_loss,
)
from course_utils.autoencoders.sparsity import KL, L1, BatchTopK, NoSparsity, TopK, kl_sparsity
from course_utils.autoencoders.stages import FourStageAutoencoder, Shrinkage, Stages
from course_utils.autoencoders.unrolled import SparseSuperResolution, UnrolledSparseCoder

__all__ = [
    "KL",
    "L1",
    "UnitNormDecoder",
    "BatchTopK",
    "ConvDecoder",
    "ConvEncoder",
    "NoSparsity",
    "FourStageAutoencoder",
    "LinearAutoencoder",
    "Lista",
    "Shrinkage",
    "SparseAutoencoder",
    "SparseSuperResolution",
    "Stages",
    "TopK",
    "UnrolledSparseCoder",
    "kl_sparsity",
    "share_alive",
    "sparse_loss",
]

__getattr__ = renamed(__name__, {"Dense": "NoSparsity", "Atoms": "UnitNormDecoder"})
