"""Badges, set-up cells and addresses follow pyproject.toml."""

import json
import pathlib
import shutil
import subprocess
import sys
import urllib.parse

import nbformat
import pytest

from course_tools import links
from course_tools.course_files import write_manifest
from course_tools.lessons import lessons
from course_tools.setup_cell import setup_cell

ROOT = pathlib.Path(__file__).resolve().parent.parent
OLD, NEW = "jane/course", "joe-2/sparse.course"
PATH = "notebooks/01_sparse_representation.ipynb"
RENAMED = "notebooks/02_sparse_coding.ipynb"
DOCS = f"git@github.com:{OLD}\n[hub](https://h.org/git-pull?repo=https%3A%2F%2Fgithub.com%2Fjane%2Fcourse)"
ADDRESS = f"https://github.com/{OLD}"
README = f"git clone {ADDRESS}.git\n| [01]({PATH}) | {links.badges(OLD, PATH)} |\n[o]({ADDRESS}s)\n"


@pytest.fixture
def course(tmp_path):
    """A course of one notebook, living at OLD."""
    header = f"# λ\n{links.badges(OLD, PATH)}\n\nText, see {ADDRESS}/issues."
    cells = [
        nbformat.v4.new_markdown_cell(header),
        nbformat.v4.new_code_cell(setup_cell(ADDRESS, "main"), metadata={"tags": ["setup"]}),
        nbformat.v4.new_code_cell("x = 'é'"),
    ]
    (tmp_path / "notebooks").mkdir()
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / PATH)
    (tmp_path / "pyproject.toml").write_text(f'[project.urls]\nRepository = "{ADDRESS}"\n')
    (tmp_path / "CITATION.cff").write_text(f'repository-code: "{ADDRESS}"\n')
    (tmp_path / "README.md").write_text(README)
    for name, text in {"guide/server.md": DOCS, "data/a.pt": "\udcff"}.items():
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(text, encoding="utf-8", errors="surrogateescape")
    names = ["CITATION.cff", "README.md", "data/a.pt", "guide/server.md", "pyproject.toml"]
    write_manifest(tmp_path, [*names, PATH, RENAMED])
    return tmp_path


def everything(course):
    return {file: file.read_bytes() for file in course.rglob("*.*") if file.is_file()}


def test_a_move_rewrites_every_address_and_a_move_back_restores_every_byte(course):
    before = everything(course)
    assert links.outdated(course) == []
    changed = links.rewrite(NEW, course)
    assert changed == ["CITATION.cff", "README.md", "guide/server.md", "pyproject.toml", PATH]
    assert links.repository(course) == NEW and links.outdated(course) == []
    files = everything(course)
    assert files.pop(course / "data/a.pt") == b"\xff"
    everywhere = b"".join(files.values()).decode()
    assert f"github.com%2F{NEW.replace('/', '%2F')})" in everywhere and "jane%2F" not in everywhere
    assert everywhere.count(OLD) == 1 and f"{ADDRESS}s" in everywhere  # another repository
    cells = json.loads((course / PATH).read_text(encoding="utf-8"))["cells"]
    assert "".join(cells[1]["source"]) == setup_cell(f"https://github.com/{NEW}", "main")
    links.rewrite(OLD, course)
    assert everything(course) == before


def test_a_release_is_cloned_and_opened_at_its_tag_and_a_later_version_at_the_branch(course):
    project = (course / "pyproject.toml").read_text()
    before = everything(course)
    (course / "pyproject.toml").write_text(f'[project]\nversion = "2.1"\n{project}')
    assert links.rewrite(OLD, course) == ["README.md", PATH]
    text = (course / PATH).read_text(encoding="utf-8")
    assert f'REPOSITORY, VERSION = \\"{ADDRESS}\\", \\"v2.1\\"' in text
    assert f"/{OLD}/blob/v2.1/{PATH}" in text and f"/{OLD}/v2.1?urlpath" in text
    (course / "pyproject.toml").write_text(f'[project]\nversion = "2.2.dev0"\n{project}')
    links.rewrite(OLD, course)
    (course / "pyproject.toml").write_text(project)
    assert everything(course) == before


def run_setup(folder, cell, missing):
    """Run the set-up cell in a folder where the packages `missing` are not found."""
    code = f"""
import sys, importlib.abc, importlib.util
class Missing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name in {missing!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
find = importlib.util.find_spec
importlib.util.find_spec = lambda name: None if name in {missing!r} else find(name)
sys.meta_path.insert(0, Missing())
{cell}"""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_a_folder_of_ones_own_called_course_stays_and_is_named(tmp_path):
    (tmp_path / "course").mkdir()
    (tmp_path / "course/setup.py").write_text("raise SystemExit('run')")
    said = run_setup(tmp_path, setup_cell(ADDRESS, "main"), ["course_utils"]).stderr
    assert f"{tmp_path / 'course'} is not the course. Rename that folder" in said
    assert "git" not in said.splitlines()[-1] and (tmp_path / "course/setup.py").exists()


def test_a_pip_that_refuses_is_not_taken_for_a_missing_network(tmp_path):
    """As an environment that the system manages does (PEP 668); here the course has no project."""
    (tmp_path / "course/course_utils").mkdir(parents=True)
    (tmp_path / "course/course_utils/session.py").touch()
    said = run_setup(tmp_path, setup_cell(ADDRESS, "main"), ["course_utils"]).stderr
    assert f"pip cannot install the course here: run `make lab` in {tmp_path / 'course'}" in said
    assert "needs git" not in said and "pyproject.toml" in said  # what pip says


def test_a_missing_package_is_named_with_the_command_that_starts_the_course(tmp_path):
    said = run_setup(ROOT / "tests", setup_cell(ADDRESS, "main"), ["torch"]).stderr
    last = said.strip().splitlines()[-1]
    assert "No module named 'torch': start Jupyter by `make lab` (README: Begin)" in last


@pytest.mark.skipif(not shutil.which("git"), reason="git is not installed")
@pytest.mark.parametrize("folder, said", [("nowhere", "does not "), ("there", "v9.9 not found")])
def test_a_course_that_cannot_be_fetched_is_explained(tmp_path, folder, said):
    """No repository, as without a network, and one without the tag."""
    author = ["-c", "user.name=a", "-c", "user.email=a@b.org"]
    subprocess.run(["git", "init", "-q", tmp_path / "there"], check=True)
    commit = ["git", *author, "commit", "-q", "--allow-empty", "-m", "x"]
    subprocess.run(commit, cwd=tmp_path / "there", check=True)
    cell = setup_cell((tmp_path / folder).as_uri(), "v9.9")
    code = f"import sys\nsys.path.insert(0, {str(tmp_path)!r})\nimport importlib.util as u\n"
    code += "find = u.find_spec\nu.find_spec = lambda n: None if n == 'course_utils' else find(n)\n"
    result = subprocess.run(
        [sys.executable, "-c", code + cell], cwd=tmp_path, capture_output=True, text=True
    )
    assert "Fetching the course (v9.9) needs git and a network. Run again." in result.stderr
    assert said in result.stderr and not (tmp_path / "course").exists()


def test_a_renamed_notebook_gets_its_own_badges(course):
    new = (course / PATH).rename(course / RENAMED)
    assert links.outdated(course) == [RENAMED]
    links.rewrite(OLD, course)
    text = new.read_text(encoding="utf-8")
    assert links.badges(OLD, RENAMED) in text and PATH not in text


def test_a_changed_setup_cell_is_noticed_and_mended(course):
    before = (course / PATH).read_text(encoding="utf-8")
    (course / PATH).write_text(before.replace("seed=0", "seed=1"), encoding="utf-8")
    assert links.outdated(course) == [PATH]
    links.rewrite(OLD, course)
    assert (course / PATH).read_text(encoding="utf-8") == before


@pytest.mark.parametrize("name", ["course", "https://github.com/a/b", "a/b.git"])
def test_a_name_that_is_no_repository_is_refused_and_nothing_is_changed(course, name):
    before = everything(course)
    with pytest.raises(ValueError, match="expected OWNER/NAME"):
        links.rewrite(name, course)
    assert everything(course) == before


def test_a_pyproject_without_an_address_is_explained(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    with pytest.raises(ValueError, match="expected a line Repository"):
        links.repository(tmp_path)


def test_the_command_checks_rewrites_and_explains_bad_arguments(course, capsys, monkeypatch):
    assert links.main([]) == 0  # this repository is up to date
    assert links.repository() in capsys.readouterr().out
    monkeypatch.setattr(links, "outdated", lambda: links.updated(NEW, course))
    assert links.main([]) == 1 and "To mend: python -m" in capsys.readouterr().out
    monkeypatch.setattr(links, "rewrite", lambda name: [name])
    assert links.main(["--repository", NEW]) == 0
    assert f"rewritten: {NEW}" in capsys.readouterr().out
    both = ["--hub", "https://hub.example.org", "--repository", "a/b"]
    for arguments, message in [(["--hub", "hub"], "expected the address"), (both, "not allowed")]:
        with pytest.raises(SystemExit):
            links.main(arguments)
        assert message in capsys.readouterr().err


def test_a_link_for_a_hub_names_repository_branch_and_lesson():
    hub = "https://hub.example.org/jupyter/"
    parts = urllib.parse.urlsplit(links.hub_link(hub, "jane/sparse", PATH, "spring & summer"))
    assert parts.netloc == "hub.example.org"
    assert parts.path == "/jupyter/hub/user-redirect/git-pull"
    assert dict(urllib.parse.parse_qsl(parts.query)) == {
        "repo": "https://github.com/jane/sparse",
        "branch": "spring & summer",
        "depth": "1",
        "urlpath": f"lab/tree/sparse/{PATH}",
    }


def test_the_table_for_a_hub_has_a_link_to_every_lesson(capsys):
    assert links.main(["--hub", "https://hub.example.org", "--branch", "autumn"]) == 0
    rows = capsys.readouterr().out.splitlines()[2:]
    for file, row in zip(lessons(), rows, strict=True):
        assert (
            file.name in row and "(https://hub.example.org/hub/" in row and "branch=autumn" in row
        )


@pytest.mark.parametrize("hub", ["hub.example.org", "ftp://hub", "https://hub.example.org/?next=x"])
def test_an_address_that_is_no_hub_is_explained(hub):
    with pytest.raises(ValueError, match="expected the address of a JupyterHub"):
        links.hub_link(hub, OLD, PATH)
