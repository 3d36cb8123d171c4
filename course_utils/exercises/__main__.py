"""The command of the first edition, which says where grading is now."""

import sys

__all__ = []

if __name__ == "__main__":
    sys.exit(
        "Grading has moved. In the root of the repository, run: "
        f"python -m course_tools.grading {' '.join(sys.argv[1:])}".rstrip()
    )
