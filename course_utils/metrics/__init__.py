"""How good is an image, how sparse is a code, how near are two sets of images?

images     one number for each image or code (built in notebook 01)
features   networks whose features measure images
distances  between two sets of features
evaluator  all distances at once, with their noise floor (notebook 09)
"""

from course_utils.arguments import renamed
from course_utils.metrics.distances import (
    density_coverage,
    frechet_distance,
    kernel_distance,
    precision_recall,
)
from course_utils.metrics.evaluator import Evaluator, Scores, fashion_evaluator, fashion_scores
from course_utils.metrics.features import FeatureError, FeatureNetwork, feature_network
from course_utils.metrics.images import l0, psnr, ssim

__all__ = [
    "FeatureError",
    "FeatureNetwork",
    "Evaluator",
    "Scores",
    "density_coverage",
    "fashion_evaluator",
    "fashion_scores",
    "feature_network",
    "frechet_distance",
    "kernel_distance",
    "l0",
    "precision_recall",
    "psnr",
    "ssim",
]

__getattr__ = renamed(__name__, {"Judge": "Evaluator", "fashion_judge": "fashion_evaluator"})
