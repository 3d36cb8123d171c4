"""How good is an image, how sparse is a code, how near are two sets of images?

`images`: one number for each image or code (built in notebook 01). `sets`: distances between
two sets of features; `judge`: all of them at once, with their noise floor (notebook 09).
The features come from `course_utils.features`.
"""
from course_utils.metrics.images import hoyer, l0, psnr, ssim
from course_utils.metrics.judge import Judge, Scores
from course_utils.metrics.sets import density_coverage, frechet_distance, kernel_distance, precision_recall

__all__ = [
    "Judge", "Scores", "density_coverage", "frechet_distance", "hoyer", "kernel_distance", "l0", "precision_recall",
    "psnr", "ssim",
]
