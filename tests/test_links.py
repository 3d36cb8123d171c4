"""Badges, set-up cells and addresses follow pyproject.toml."""

import json
import pathlib
import urllib.parse

import nbformat
import pytest

from course_tools import links
from course_tools.setup_cell import setup_cell

ROOT = pathlib.Path(__file__).resolve().parent.parent
OLD, NEW = "jane/course", "joe-2/sparse.course"


@pytest.fixture
def course(tmp_path):
    """A course of one notebook, living at OLD."""
    address = f"https://github.com/{OLD}"
    path = "notebooks/01_x.ipynb"
    notebook = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_markdown_cell(
                f"# λ\n{links.badges(OLD, path)}\n\nText, see {address}/issues."
            ),
            nbformat.v4.new_code_cell(setup_cell(address), metadata={"tags": ["setup"]}),
            nbformat.v4.new_code_cell("x = 'é'"),
        ]
    )
    (tmp_path / "notebooks").mkdir()
    nbformat.write(notebook, tmp_path / path)
    (tmp_path / "pyproject.toml").write_text(f'[project.urls]\nRepository = "{address}"\n')
    (tmp_path / "CITATION.cff").write_text(f'repository-code: "{address}"\n')
    (tmp_path / "README.md").write_text(
        f"git clone {address}.git\n| [01]({path}) | {links.badges(OLD, path)} |\n[other]({address}s)\n"
    )
    return tmp_path


def everything(course):
    return {file: file.read_bytes() for file in course.rglob("*.*") if file.is_file()}


def test_this_repository_is_up_to_date():
    assert links.outdated() == []


def test_a_move_rewrites_every_address_and_a_move_back_restores_every_byte(course):
    before = everything(course)
    assert links.outdated(course) == []
    changed = links.rewrite(NEW, course)
    assert changed == ["CITATION.cff", "README.md", "pyproject.toml", "notebooks/01_x.ipynb"]
    assert links.repository(course) == NEW and links.outdated(course) == []
    everywhere = b"".join(everything(course).values()).decode()
    assert (
        everywhere.count(OLD) == 1 and f"https://github.com/{OLD}s" in everywhere
    )  # another repository
    cells = json.loads((course / "notebooks/01_x.ipynb").read_text(encoding="utf-8"))["cells"]
    assert "".join(cells[1]["source"]) == setup_cell(f"https://github.com/{NEW}")
    links.rewrite(OLD, course)
    assert everything(course) == before


def test_a_renamed_notebook_gets_its_own_badges(course):
    (course / "notebooks/01_x.ipynb").rename(course / "notebooks/02_y.ipynb")
    assert links.outdated(course) == ["notebooks/02_y.ipynb"]
    links.rewrite(OLD, course)
    text = (course / "notebooks/02_y.ipynb").read_text(encoding="utf-8")
    assert links.badges(OLD, "notebooks/02_y.ipynb") in text and "01_x" not in text


def test_a_changed_setup_cell_is_noticed_and_mended(course):
    file = course / "notebooks/01_x.ipynb"
    before = file.read_text(encoding="utf-8")
    file.write_text(before.replace("seed=0", "seed=1"), encoding="utf-8")
    assert links.outdated(course) == ["notebooks/01_x.ipynb"]
    links.rewrite(OLD, course)
    assert file.read_text(encoding="utf-8") == before


@pytest.mark.parametrize(
    "name", ["", "course", "https://github.com/a/b", "a/b/c", "a b/c", "a/b.git", "-a/b"]
)
def test_a_name_that_is_no_repository_is_refused_and_nothing_is_changed(course, name):
    before = everything(course)
    with pytest.raises(ValueError, match="expected OWNER/NAME"):
        links.rewrite(name, course)
    assert everything(course) == before


def test_the_command_line_explains_a_bad_name(capsys):
    with pytest.raises(SystemExit) as stop:
        links.main(["--repository", "course"])
    assert stop.value.code == 2 and "expected OWNER/NAME" in capsys.readouterr().err


def test_the_command_line_says_where_the_links_lead(capsys):
    assert links.main([]) == 0
    assert links.repository() in capsys.readouterr().out


def test_a_pyproject_without_an_address_is_explained(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    with pytest.raises(ValueError, match="expected a line Repository"):
        links.repository(tmp_path)


def test_badges_name_the_file_for_colab_and_binder():
    markdown = links.badges("jane/course", "notebooks/01_x.ipynb")
    assert (
        "(https://colab.research.google.com/github/jane/course/blob/main/notebooks/01_x.ipynb)"
        in markdown
    )
    assert (
        "(https://mybinder.org/v2/gh/jane/course/main?urlpath=lab%2Ftree%2Fnotebooks%2F01_x.ipynb)"
        in markdown
    )


def test_the_setup_cell_is_short_enough_to_read():
    cell = setup_cell(links.address())
    assert len(cell.splitlines()) <= 30 and max(map(len, cell.splitlines())) <= 100


def test_a_link_for_a_hub_names_repository_branch_and_lesson():
    link = links.hub_link(
        "https://hub.example.org/", "jane/sparse", "notebooks/01_x.ipynb", "spring & summer"
    )
    parts = urllib.parse.urlsplit(link)
    assert (parts.netloc, parts.path) == ("hub.example.org", "/hub/user-redirect/git-pull")
    assert dict(urllib.parse.parse_qsl(parts.query)) == {
        "repo": "https://github.com/jane/sparse",
        "branch": "spring & summer",
        "depth": "1",
        "urlpath": "lab/tree/sparse/notebooks/01_x.ipynb",
    }
    below = links.hub_link("http://10.0.0.7:8000/jupyter", "jane/sparse", "notebooks/01_x.ipynb")
    assert (
        below.startswith("http://10.0.0.7:8000/jupyter/hub/user-redirect/git-pull?repo=")
        and "branch=main&" in below
    )


def test_the_table_for_a_hub_has_a_link_to_every_lesson(capsys):
    assert links.main(["--hub", "https://hub.example.org", "--branch", "autumn"]) == 0
    rows = capsys.readouterr().out.splitlines()[2:]
    lessons = sorted(file.name for file in (ROOT / "notebooks").glob("*.ipynb"))
    assert len(rows) == len(lessons) and all(
        name in row for name, row in zip(lessons, rows, strict=True)
    )
    assert all("(https://hub.example.org/hub/" in row and "branch=autumn" in row for row in rows)


@pytest.mark.parametrize(
    "hub", ["hub.example.org", "", "ftp://hub", "https://", "https://hub.example.org/?next=x"]
)
def test_an_address_that_is_no_hub_is_explained(hub):
    with pytest.raises(ValueError, match="expected the address of a JupyterHub"):
        links.hub_link(hub, OLD, "notebooks/01_x.ipynb")


def test_the_command_line_explains_a_bad_hub_and_does_one_thing_at_a_time(capsys):
    both = ["--hub", "https://hub.example.org", "--repository", "a/b"]
    for arguments, message in [(["--hub", "hub"], "expected the address"), (both, "not allowed")]:
        with pytest.raises(SystemExit):
            links.main(arguments)
        assert message in capsys.readouterr().err
