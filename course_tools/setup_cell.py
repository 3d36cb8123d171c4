"""The set-up cell, the first code cell of every notebook.

It finds the course above the notebook's folder (a clone, Binder) or installed (a copied
notebook). Elsewhere, as on Colab, it fetches and installs the course beside the notebook:

- it takes the version that the notebook belongs to, so that a saved notebook keeps working;
- torch, torchvision and numpy stay at the versions that are there;
- an interrupted clone leaves only `course.part`, which the next run replaces;
- an interrupted installation is noticed, for pip puts the course in place last;
- git, pip, a folder of one's own and missing packages have each their own advice.
"""

__all__ = ["setup_cell"]

TEMPLATE = """\
# Set-up, the same cell in every notebook: find the course, or fetch it (Colab).
import importlib.metadata, importlib.util, pathlib, shutil, subprocess, sys
REPOSITORY, VERSION = "{address}", "{version}"
here = pathlib.Path.cwd()
home = next((f for f in [here, *here.parents] if (f / "course_utils/session.py").is_file()), None)
if home is None and importlib.util.find_spec("course_utils") is None:
    home, part = here / "course", here / "course.part"
    fetch = ["git", "clone", "-q", "--depth", "1", "-b", VERSION, REPOSITORY, str(part)]
    there = [p for p in ["torch", "torchvision", "numpy"] if importlib.util.find_spec(p)]
    keep = [f"{{p}}=={{importlib.metadata.version(p)}}" for p in there]  # stay as they are
    install = [sys.executable, "-m", "pip", "install", "-q", *keep, "-e", str(home)]
    if home.exists() and not (home / "course_utils/session.py").is_file():
        raise FileExistsError(f"{{home}} is not the course. Rename that folder, then run again.")
    said = f"Fetching the course ({{VERSION}}) needs git and a network. Run again."
    try:
        if not home.exists():
            shutil.rmtree(part, ignore_errors=True)
            subprocess.run(fetch, check=True, capture_output=True, text=True, errors="replace")
            part.rename(home)
        said = f"pip cannot install the course here: run `make lab` in {{home}}, or see its README."
        subprocess.run(install, check=True, capture_output=True, text=True, errors="replace")
    except (OSError, subprocess.CalledProcessError) as error:
        raise RuntimeError(f"{{said}}\\n{{error}}\\n{{getattr(error, 'stderr', '')}}") from error
sys.path[:0] = [] if home is None else [str(home)]
try:
    from course_utils.session import start
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(f"{{error}}: start Jupyter by `make lab` (README: Begin)") from error
session = start(seed=0)
session"""


def setup_cell(address: str, version: str) -> str:
    """The source of the set-up cell that fetches a branch or tag of the course from `address`."""
    return TEMPLATE.format(address=address, version=version)
