"""pyproject.toml, read in one place: the course's name, version, repository, packages."""

import sys
from pathlib import Path

from course_utils.files import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # comes with JupyterLab there

__all__ = ["project", "project_name", "reference", "repository"]


def project(root: Path = ROOT) -> dict:
    """All tables of pyproject.toml. ValueError names the line where it is no TOML."""
    file = root / "pyproject.toml"
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{file} cannot be read: {error}. Mend that line.") from error


def project_name(root: Path = ROOT) -> str:
    """The name of the distribution. Raises ValueError where there is none."""
    name = project(root).get("project", {}).get("name")
    if not name:
        raise ValueError(
            f'{root / "pyproject.toml"}: expected a line name = "..." below [project].'
        )
    return name


def repository(root: Path = ROOT) -> str:
    """OWNER/NAME of the repository on GitHub. Raises ValueError where there is none."""
    address = project(root).get("project", {}).get("urls", {}).get("Repository", "")
    owner_and_name = address.removeprefix("https://github.com/")
    if owner_and_name == address or len([part for part in owner_and_name.split("/") if part]) != 2:
        raise ValueError(
            f"{root / 'pyproject.toml'}: expected a line "
            'Repository = "https://github.com/OWNER/NAME" below [project.urls].'
        )
    return owner_and_name


def reference(root: Path = ROOT) -> str:
    """The tag of this version, such as v2.0.0; between releases (2.1.dev0) the branch main."""
    version = project(root).get("project", {}).get("version", "dev")
    return "main" if "dev" in version else f"v{version}"
