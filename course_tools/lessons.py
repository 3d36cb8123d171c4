"""The list of lessons: tools and tests take them from here, not from what a folder holds.

A copy that JupyterLab makes of a lesson, or notes of a reader's own, stay what they are. Who adds a
lesson adds its name; tests/test_contracts.py holds the list equal to the course.
"""

from pathlib import Path

from course_utils.files import ROOT

__all__ = ["LESSONS", "lesson_files", "lessons", "notebooks", "solution_of"]

LESSONS = (
    "00_start_here",
    "01_sparse_representation",
    "02_sparse_coding",
    "03_dictionary_learning",
    "04_autoencoders",
    "05_sparse_autoencoder",
    "06_loss_functions",
    "07_image_restoration",
    "08_gan_fundamentals",
    "09_image_gan",
    "10_mode_collapse",
    "11_variational_autoencoder",
    "12_sparse_codes_meet_gan",
    "13_efficient_training",
    "14_reading_a_generator",
    "15_project",
)


def lesson_files(folder: Path = ROOT / "notebooks") -> list[Path]:
    """The lessons that lie in a folder of notebooks, in order."""
    files = (folder / f"{name}.ipynb" for name in LESSONS)
    return [file for file in files if file.is_file()]


def solution_of(lesson: Path) -> Path:
    """Where the solutions of a lesson belong."""
    return lesson.parent / "solutions" / f"{lesson.stem}_solutions.ipynb"


def lessons(root: Path = ROOT) -> list[Path]:
    """All lessons of the course in `root`, in order."""
    return lesson_files(root / "notebooks")


def notebooks(root: Path = ROOT) -> list[Path]:
    """All lessons in order, then all solutions."""
    solved = (solution_of(root / "notebooks" / f"{name}.ipynb") for name in LESSONS)
    return lessons(root) + [file for file in solved if file.is_file()]
