"""pyproject.toml, environment.yml and the imports name the same packages."""

import ast
import importlib.metadata
import pathlib
import re
import sys

import pytest
from environment import course_packages, lab_extensions, readers_prefix

from course_tools.project_file import project

ROOT = pathlib.Path(__file__).resolve().parent.parent
CONDA_NAMES = {"torch": "pytorch"}  # others have one name in both worlds
IMPORT_NAMES = {
    "pywavelets": "pywt",
    "scikit-image": "skimage",
    "scikit-learn": "sklearn",
    "pillow": "PIL",
}


def pyproject(table: dict) -> dict[str, str]:
    """Lower bounds by package, Python among them."""
    return dict(map(requirement, table["dependencies"])) | {"python": table["requires-python"]}


def environment(text: str) -> dict[str, str]:
    """Lower bounds by package, those that pip installs among them."""
    block = text.split("\ndependencies:\n")[1]
    found = dict(
        requirement(line) for line in re.findall(r"^(?:  |    )- ([^:\n]*)$", block, re.MULTILINE)
    )
    found.pop("pip", None)  # pip itself
    return found | {"python": re.search(r"^  - python(\S+)", block, re.MULTILINE)[1]}


def requirement(text: str) -> tuple[str, str]:
    name, bound = re.fullmatch(r"([\w.-]+)\s*(.*)", text).groups()
    return name.lower(), bound


def differences(pip: dict[str, str], conda: dict[str, str]) -> list[str]:
    """Packages that only one of the two has, bounds that differ or are not loose."""
    wanted = {CONDA_NAMES.get(name, name): bound for name, bound in pip.items() if name != "python"}
    conda = {name: bound for name, bound in conda.items() if name != "python"}
    found = [f"only in one: {name}" for name in wanted.keys() ^ conda.keys()]
    found += [
        f"{n}: {wanted[n]} and {conda[n]}"
        for n in wanted.keys() & conda.keys()
        if wanted[n] != conda[n]
    ]
    return found + [
        f"{n} {b}: one lower bound, please"
        for n, b in wanted.items()
        if not re.fullmatch(r">=[\d.]+", b)
    ]


PIP = pyproject(project()["project"])
CONDA = environment((ROOT / "environment.yml").read_text(encoding="utf-8"))


def test_conda_and_pip_install_the_same_packages_with_the_same_lower_bounds():
    assert len(PIP) > 15
    assert differences(PIP, CONDA) == []


def test_conda_names_one_python_that_is_new_enough():
    """Binder's builder takes its own default, an old one, where the version is not given with `=`."""
    least, chosen = (
        tuple(map(int, re.fullmatch(rf"{sign}(\d+)\.(\d+)", bound["python"]).groups()))
        for sign, bound in ((">=", PIP), ("=", CONDA))
    )
    assert chosen >= least


@pytest.mark.parametrize(
    "pip, conda",
    [
        ({"torch": ">=2.4"}, {"pytorch": ">=2.3"}),
        ({"torch": ">=2.4"}, {"torch": ">=2.4"}),
        ({"torch": ">=2.4", "numpy": ">=1"}, {"pytorch": ">=2.4"}),
        ({"numpy": ">=1"}, {"numpy": ">=1", "pandas": ">=2"}),
        ({"numpy": "==1.26"}, {"numpy": "==1.26"}),
        ({"numpy": ">=1,<3"}, {"numpy": ">=1,<3"}),
        ({"numpy": ""}, {"numpy": ""}),
    ],
)
def test_a_mismatching_pair_is_noticed(pip, conda):
    assert differences(pip, conda)


def test_conda_uses_conda_forge_alone_and_pip_for_two_packages():
    text = (ROOT / "environment.yml").read_text(encoding="utf-8")
    assert re.search(r"^channels:\n  - conda-forge\ndependencies:", text, re.MULTILINE)
    assert re.findall(r"^    - ([\w-]+)", text.split("  - pip:")[1], re.MULTILINE) == [
        "constriction",
        "lightning-fabric",
    ]


def test_every_imported_package_is_in_the_list():
    known = {IMPORT_NAMES.get(name, name).replace("-", "_") for name in PIP}
    known |= set(sys.stdlib_module_names) | {
        "course_tools",
        "course_utils",
        "IPython",
        "selenium",
    }  # IPython comes with ipykernel
    known |= {
        "bs4",
        "jinja2",
        "nbconvert",
        "tomli",
        "tomllib",
        "traitlets",
    }  # with jupyterlab and myst-nb
    known |= {
        "docutils",
        "myst_nb",
        "nbgrader",
        "packaging",
        "repo2docker",
        "sphinx",
    }  # of the extras, imported where they are needed
    files = [
        file
        for folder in ("course_*/**", "tests", "benchmarks")
        for file in ROOT.glob(f"{folder}/*.py")
    ]
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                first = name.split(".")[0]
                beside = any(
                    (folder / f"{first}.py").is_file()
                    for folder in (file.parent, ROOT / "benchmarks")
                )
                assert first in known or beside, f"{file.name} imports {name}"


def test_only_packages_of_the_course_change_the_readers_jupyterlab():
    """`make test` installs more than the course needs; nbgrader, for one, would put a menu into the lab."""
    prefix, ours, foreign = readers_prefix(), course_packages(), {}
    shown = {(prefix / name).resolve() for name in lab_extensions(prefix)}
    for package in importlib.metadata.distributions(
        path=[path for path in sys.path if path.startswith(str(prefix))]
    ):
        if package.metadata["Name"].lower().replace("_", "-") not in ours:
            found = [
                file
                for file in package.files or []
                if pathlib.Path(file.locate()).resolve() in shown
            ]
            foreign |= {package.metadata["Name"]: found} if found else {}
    assert shown and foreign == {}
