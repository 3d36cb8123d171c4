"""Generators that draw sparse codes and decode them, and their training.

Built in notebook 12. They are fed with noise like the generators of `course_utils.gans`, so the
same game (`Gan`) trains them and the same judge scores them.
"""

from course_utils.arguments import renamed
from course_utils.sparse_gans.generators import CodeGenerator, DictionaryGenerator
from course_utils.sparse_gans.priors import CodePrior
from course_utils.sparse_gans.training import (
    encode,
    reconstruction_anchor,
    train_autoencoder,
    train_code_gan,
    train_gan_steps,
)

__all__ = [
    "CodeGenerator",
    "CodePrior",
    "DictionaryGenerator",
    "encode",
    "reconstruction_anchor",
    "train_autoencoder",
    "train_code_gan",
    "train_gan_steps",
]

__getattr__ = renamed(
    __name__,
    {
        "hold": "reconstruction_anchor",
        "play": "train_gan_steps",
        "play_codes": "train_code_gan",
        "batches": "ImageSet.stream",
    },
)
