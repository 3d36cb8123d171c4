"""Images to learn from: data sets as tensors, photographs, natural-image patches.

Built for notebook 01 and used by all later ones. Nothing here is fetched unless a whole data set
is asked for by name.

datasets        a data set as an `ImageSet`, its batches
natural_images  photographs of installed packages, patches cut from them
folder          images of one's own
sources         where a data set is looked for, and how it is verified and kept
downloads       how it is fetched
"""

from course_utils.data.datasets import DATASETS, ImageSet, load
from course_utils.data.folder import load_folder
from course_utils.data.natural_images import (
    COLOUR_PHOTOGRAPHS,
    NATURAL_PHOTOGRAPHS,
    PHOTOGRAPHS,
    natural_patches,
    photograph,
    photographs,
)
from course_utils.data.sources import DataError

__all__ = [
    "COLOUR_PHOTOGRAPHS",
    "DATASETS",
    "NATURAL_PHOTOGRAPHS",
    "PHOTOGRAPHS",
    "DataError",
    "ImageSet",
    "load",
    "load_folder",
    "natural_patches",
    "photograph",
    "photographs",
]
