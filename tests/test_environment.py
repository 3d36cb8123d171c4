"""pyproject.toml, environment.yml and the imports name the same packages."""

import importlib.metadata
import pathlib
import re
import sys

import pytest
from environment import course_packages, lab_extensions, readers_prefix
from test_layers import imports_of

from course_tools.project_file import project

ROOT = pathlib.Path(__file__).resolve().parent.parent
CONDA_NAMES = {"torch": "pytorch"}  # others have one name in both worlds
IMPORT_NAMES = {
    "pywavelets": "pywt",
    "scikit-image": "skimage",
    "scikit-learn": "sklearn",
    "pillow": "PIL",
}
# Not in the list: what comes with ipykernel, JupyterLab and myst-nb, and what the extras install.
WITH_OTHERS = {"IPython", "bs4", "jinja2", "nbconvert", "tomli", "tomllib", "traitlets"}
OF_EXTRAS = {
    "hypothesis",
    "docutils",
    "myst_nb",
    "nbgrader",
    "packaging",
    "repo2docker",
    "selenium",
    "sphinx",
}


def requirement(text: str) -> tuple[str, str]:
    """The package, in small letters, and its bounds."""
    name, bound = re.fullmatch(r"([\w.-]+)\s*(.*)", text).groups()
    return name.lower(), bound


def pyproject(table: dict) -> dict[str, str]:
    """Lower bounds by package."""
    return dict(map(requirement, table["dependencies"]))


def environment(text: str) -> dict[str, str]:
    """Lower bounds by package, those that pip installs among them; pip's own names."""
    block = text.split("\ndependencies:\n")[1]
    lines = re.findall(r"^(?:  |    )- ([^:\n]*)$", block, re.MULTILINE)
    found = dict(map(requirement, lines))
    found = {name: bound for name, bound in found.items() if name not in ("pip", "python")}
    names = {conda: pip for pip, conda in CONDA_NAMES.items()}
    return {names.get(name, name): bound for name, bound in found.items()}


def differences(pip: dict[str, str], conda: dict[str, str]) -> list[str]:
    """Packages that only one of the two has, bounds that differ or are not loose."""
    found = [f"{name} {bound}" for name, bound in pip.items() ^ conda.items()]
    loose = re.compile(r">=[\d.]+")
    return found + [f"{n} {b}: one lower bound" for n, b in pip.items() if not loose.fullmatch(b)]


PIP = pyproject(project()["project"])
CONDA_FILE = (ROOT / "environment.yml").read_text(encoding="utf-8")


def test_conda_and_pip_install_the_same_packages_with_the_same_lower_bounds():
    assert len(PIP) > 15
    assert differences(PIP, environment(CONDA_FILE)) == []


@pytest.mark.parametrize(
    "pip, conda",
    [
        ({"torch": ">=2.4"}, "pytorch>=2.3"),
        ({"torch": ">=2.4", "numpy": ">=1"}, "pytorch>=2.4"),
        ({"numpy": ">=1"}, "numpy>=1\n  - pandas>=2"),
        ({"numpy": "==1.26"}, "numpy==1.26"),
        ({"numpy": ""}, "numpy"),
    ],
)
def test_a_mismatching_pair_is_noticed(pip, conda):
    text = f"\ndependencies:\n  - python=3.12\n  - pip\n  - {conda}\n"
    assert differences(pip, environment(text))


def test_conda_uses_conda_forge_alone_and_pip_for_two_packages():
    assert re.search(r"^channels:\n  - conda-forge\ndependencies:", CONDA_FILE, re.MULTILINE)
    by_pip = re.findall(r"^    - ([\w-]+)", CONDA_FILE, re.MULTILINE)
    assert by_pip == ["constriction", "lightning-fabric"]


def test_every_imported_package_is_in_the_list():
    known = {IMPORT_NAMES.get(name, name).replace("-", "_") for name in PIP}
    known |= {*sys.stdlib_module_names, "course_tools", "course_utils", *WITH_OTHERS, *OF_EXTRAS}
    known |= {file.stem for file in ROOT.glob("benchmarks/*.py")}
    for folder in ("course_*/**", "tests", "benchmarks"):
        for file in ROOT.glob(f"{folder}/*.py"):
            imported = {name.split(".")[0] for name in imports_of(file.read_text(encoding="utf-8"))}
            beside = {other.stem for other in file.parent.glob("*.py")}
            assert imported <= known | beside, file.name


def test_only_packages_of_the_course_change_the_readers_jupyterlab():
    """`make test` installs more than the course needs; nbgrader would put a menu into the lab."""
    prefix, ours, foreign = readers_prefix(), course_packages(), {}
    shown = {(prefix / name).resolve() for name in lab_extensions(prefix)}
    below = [path for path in sys.path if path.startswith(str(prefix))]
    for package in importlib.metadata.distributions(path=below):
        name = package.metadata["Name"]
        if name.lower().replace("_", "-") not in ours:
            files = {pathlib.Path(file.locate()).resolve() for file in package.files or []}
            foreign |= {name: files & shown} if files & shown else {}
    assert shown and foreign == {}
