"""Make the environment of the tests, .venv/tests, which stands on the course's .venv (`make test`).

    .venv/bin/python tests/environment.py test        the extra `test` of pyproject.toml
    .venv/bin/python tests/environment.py test,site   with options of pip behind it, if need be

What the course needs is found in .venv; only what the tests need besides is installed, out of the
sight of the reader's JupyterLab: packages such as nbgrader would put their menus into it.
"""

import importlib.metadata
import os
import pathlib
import subprocess
import sys
import sysconfig
import venv

ROOT = pathlib.Path(__file__).resolve().parent.parent
# Below a prefix: what changes JupyterLab and its server.
EXTENSIONS = ["share/jupyter/labextensions", "share/jupyter/nbextensions", "etc/jupyter"]


def interpreter(home: pathlib.Path) -> pathlib.Path:
    """The Python of an environment."""
    return home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def make(home: pathlib.Path, extras: str, options: list[str]) -> int:
    """Make the environment `home` on the running one and install the extras; pip's exit status."""
    venv.EnvBuilder(clear=True, symlinks=os.name != "nt").create(home)
    below = dict.fromkeys([sysconfig.get_path("purelib"), sysconfig.get_path("platlib")])
    site = sysconfig.get_path("purelib", vars={"base": str(home), "platbase": str(home)})
    course = pathlib.Path(site) / "course.pth"
    course.write_text("\n".join(below) + "\n", encoding="utf-8")
    pip = [interpreter(home), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    return subprocess.run([*pip, *options, "-e", f"{ROOT}[{extras}]"]).returncode


def readers_prefix() -> pathlib.Path:
    """The environment of `make lab`: the one below that of the tests, else the running one."""
    here = pathlib.Path(sys.prefix)
    return here.parent if here.name == "tests" and (here.parent / "pyvenv.cfg").is_file() else here


def lab_extensions(prefix: pathlib.Path) -> set[str]:
    """The files below a prefix that change JupyterLab, its menus and its server."""
    found = [file for folder in EXTENSIONS for file in (prefix / folder).rglob("*.json")]
    return {file.relative_to(prefix).as_posix() for file in found if "labconfig" not in file.parts}


def course_packages() -> set[str]:
    """The distributions that the course needs, directly or not, as far as they are installed."""
    # here: perhaps not there where this is a program
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    from course_tools.project_file import project

    waiting, found = list(map(Requirement, project()["project"]["dependencies"])), set()
    while waiting:
        wanted = waiting.pop()
        key = canonicalize_name(wanted.name), *sorted(wanted.extras)
        if key in found:
            continue
        found.add(key)
        try:
            needs = importlib.metadata.requires(wanted.name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        for need in map(Requirement, needs):
            extras = [{"extra": extra} for extra in ("", *wanted.extras)]
            if not need.marker or any(map(need.marker.evaluate, extras)):
                waiting.append(need)
    return {name for name, *_ in found}


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    raise SystemExit(make(pathlib.Path(sys.prefix) / "tests", sys.argv[1], sys.argv[2:]))
