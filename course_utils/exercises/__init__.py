"""Checks for the exercises, one module per notebook.

    from course_utils.exercises import notebook_01 as check
    check.haar_step(haar_step)

prints ✓, ✗ with the likely mistake, or ○ when the exercise was not attempted, and
returns a `Result` that a grader can use. A check never raises.
"""

from course_utils.exercises.core import Mistake, Result, exercise, expect, expect_close

__all__ = ["Mistake", "Result", "exercise", "expect", "expect_close"]
