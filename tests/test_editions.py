"""The student edition has no solutions and works; the teacher's edition has everything."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import zipfile

import notebook_contracts as contracts
import pytest

from course_tools.course_files import course_files, write_manifest
from course_tools.lessons import lessons
from course_tools.publishing import editions

ROOT = pathlib.Path(__file__).resolve().parent.parent
NAME = "sparse-to-image-course"
pytestmark = pytest.mark.skipif(not shutil.which("git"), reason="git is not installed")


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A copy of the course in which the editions were made."""
    root = tmp_path_factory.mktemp("course")
    editions.copy_course(ROOT, root)
    (root / "build/slides").mkdir(parents=True)
    (root / "build/slides/index.html").write_text("<h1>Slides</h1>")
    assert editions.main([], root) == 0
    return root


@pytest.fixture(scope="module")
def student(course):
    return course / "build/editions" / f"{NAME}-student"


@pytest.fixture(scope="module")
def teacher(course):
    return course / "build/editions" / f"{NAME}-teacher"


@pytest.fixture
def small(tmp_path):
    """The least that is a course."""
    for name in ("pyproject.toml", ".gitignore", ".gitattributes"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "notebooks/solutions").mkdir(parents=True)
    (tmp_path / "notebooks/solutions/00_solutions.ipynb").write_text("{}")
    listed = [".gitattributes", ".gitignore", "notebooks/solutions/00_solutions.ipynb"]
    write_manifest(tmp_path, [*listed, "pyproject.toml", "deleted.txt"])
    return tmp_path


def contents(folder):
    """{path: bytes} of all files below a folder."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


# ------------------------------------------------------------------ the student edition


def test_the_student_edition_has_every_lesson_and_no_solution(course, student):
    names = [file.name for file in lessons(course)]
    assert [file.name for file in sorted(student.glob("notebooks/**/*.ipynb"))] == names
    for readme in (course / "README.md", student / "README.md"):
        listed = re.findall(r"^\| \[\d\d .*?/(.*?)\)", readme.read_text("utf-8"), re.MULTILINE)
        assert listed == names and len(names) > 2
    assert not (student / "tests/wrong_answers").exists()


def lines(file, tagged=""):
    """The lines of a text file, or of the cells of a notebook with a tag of this beginning."""
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".ipynb":
        cells = contracts.Notebook(file, file.parent).cells
        chosen = [c for c in cells if any(t.startswith(tagged) for t in c["tags"] or [""])]
        text = "\n".join(cell["source"] for cell in chosen)
    return {line.strip() for line in text.splitlines()}


def test_no_line_of_a_solution_reaches_the_students_by_way_of_a_test_or_a_text(course, student):
    """What lessons and checks share with the solutions is theirs: checks have references."""
    taught, answers = set(), set()
    for file in [*lessons(course), *course.glob("course_utils/**/*.py")]:
        taught |= lines(file)
    for file in course.glob("notebooks/solutions/*.ipynb"):
        answers |= {line for line in lines(file, "exercise-") if len(line) > 25} - taught
    assert len(answers) > 50
    for file in student.rglob("*"):
        if file.suffix in {".py", ".md", ".ipynb"}:
            assert lines(file) & answers == set(), file


def test_lessons_differ_only_where_they_link_to_solutions_and_have_no_dead_link(course, student):
    for before, after in zip(contracts.Course(course).lessons, contracts.Course(student).lessons):
        assert list(contracts.links_to_files_lead_somewhere(after)) == []
        changed = [(a, b) for a, b in zip(before.cells, after.cells, strict=True) if a != b]
        assert bool(changed) == ("](solutions/" in before.file.read_text(encoding="utf-8"))
        for old, new in changed:
            assert old["cell_type"] == "markdown" and editions.NO_SOLUTION in new["source"]
            assert old | {"source": 0} == new | {"source": 0}


def test_a_link_to_a_solution_becomes_words_with_or_without_an_article():
    text = "See [it](solutions/x.ipynb), the [report](solutions/y.ipynb), [z](z.md)."
    instead = editions.NO_SOLUTION
    assert editions.SOLUTION.sub(instead, text) == f"See {instead}, {instead}, [z](z.md)."


def test_no_test_in_the_student_edition_needs_what_is_left_out(student, tmp_path):
    """Mark a test that does as `teacher` in .gitattributes."""
    left_out = re.compile(
        r"notebooks/solutions|wrong_answers|docs/|benchmarks|notebook_contracts( as|$)"
        r"|course_tools(\.| import .*)(grading|publishing|record_gpu_cells)"
    )
    for file in student.glob("tests/*.py"):
        assert not left_out.search(file.read_text(encoding="utf-8")), file
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    environment = os.environ | {"PYTHONPATH": str(student), "PYTHONDONTWRITEBYTECODE": "1"}
    environment["HYPOTHESIS_STORAGE_DIRECTORY"] = str(tmp_path)  # the edition stays as it is
    said = subprocess.run(command, cwd=student, env=environment, capture_output=True, text=True)
    assert said.returncode == 0 and "tests/test_wavelets.py::" in said.stdout, said.stdout[-2000:]


@pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
def test_a_target_for_the_whole_course_says_so_in_the_student_edition(student):
    for target in ("record", "bench", "site", "slides", "editions", "pack"):
        said = subprocess.run(["make", target], cwd=student, capture_output=True, text=True)
        assert said.returncode and f"make {target} needs the whole course" in said.stdout
    assert not (student / ".venv").exists()


def test_no_link_of_a_text_in_the_editions_is_dead(student, teacher):
    for file in [*student.glob("*.md"), *teacher.glob("*.md"), student / "data/README.md"]:
        text = re.sub(r"\$.*?\$|`.*?`", "", file.read_text(encoding="utf-8"))
        for link in re.findall(r"\]\(([^)\s#]+)[^)]*\)", text):
            assert ":" in link or (file.parent / link).exists(), f"{file}: {link}"


# ------------------------------------------------------------------ the teacher's edition, archives


def test_the_teachers_edition_is_the_whole_course_with_slides_and_a_guide(course, teacher):
    files = contents(teacher)
    assert files.pop("slides/index.html") == b"<h1>Slides</h1>"
    assert b"make editions" in files.pop("TEACHING.md")
    ours = contents(course)
    assert files == {name: ours[name] for name in ours if not name.startswith("build/")}


def test_an_edition_made_from_the_teachers_archive_is_the_same(student, teacher, tmp_path):
    with zipfile.ZipFile(f"{teacher}.zip") as archive:
        archive.extractall(tmp_path)
    editions.copy_course(tmp_path / teacher.name, tmp_path / "student", student=True)
    assert contents(tmp_path / "student") == contents(student)


def test_an_edition_is_made_anew_and_what_lies_beside_it_stays(small):
    student, *_ = (path.with_suffix("") for path in editions.make_editions(small))
    for file in (student / "stale.txt", student.parent / "marks.csv"):
        file.write_text("of last year")
    editions.make_editions(small)
    assert not (student / "stale.txt").exists() and (student.parent / "marks.csv").exists()


# ------------------------------------------------------------------ the files of the course


OWN = [
    "submissions/ada/00_start_here.ipynb",
    "marks.csv",
    ".env",
    "env311/lib/site.py",
    "build/x",
    "docs/class.md",
    "notebooks/00_start_here-Copy1.ipynb",
    "notebooks/.ipynb_checkpoints/00_start_here-checkpoint.ipynb",
    "data/downloads/cifar10.npz",
    "data/own.npz",
    ".vscode/settings.json",
    "成绩.csv",
]


@pytest.mark.parametrize("installed", [True, False])
def test_an_unpacked_archive_has_the_files_of_its_list_and_nothing_of_its_owner(
    small, installed, monkeypatch
):
    for name in OWN:
        (small / name).parent.mkdir(parents=True, exist_ok=True)
        (small / name).write_text("x", encoding="utf-8")
    if not installed:
        monkeypatch.setenv("PATH", "")
    rest, solution = [".gitattributes", ".gitignore", "MANIFEST"], "notebooks/solutions"
    files = course_files(small)
    assert files == [*rest, f"{solution}/00_solutions.ipynb", "pyproject.toml"]
    if installed:
        assert editions.student_files(small, files) == [*rest, "pyproject.toml"]
        for archive in editions.make_editions(small):
            names = [name.partition("/")[2] for name in zipfile.ZipFile(archive).namelist()]
            assert "pyproject.toml" in names and not set(names) & set(OWN)


def test_without_a_clone_and_without_the_list_nothing_is_guessed(small, capsys):
    (small / "MANIFEST").unlink()
    with pytest.raises(SystemExit):
        editions.main([], small)
    said = capsys.readouterr().err
    assert f"{small} is no clone" in said and "MANIFEST" in said and "Copy" in said
    assert not list(small.glob("build/editions/*/*"))


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="no clone")
def test_the_list_of_an_archive_is_what_git_knows():
    """After `git add`: python -m course_tools.course_files"""
    listed = (ROOT / "MANIFEST").read_text(encoding="utf-8").splitlines()
    assert [name for name in listed if (ROOT / name).is_file()] == course_files(ROOT)


def test_a_clone_has_the_files_that_git_knows_as_they_are_now(small):
    def git(*words):
        subprocess.run(["git", "-C", small, *words], check=True, capture_output=True)

    git("init")
    git("add", "pyproject.toml", ".gitignore")
    (small / ".gitignore").unlink()
    (small / "letter.txt").write_text("mine, and not of the course")
    assert course_files(small) == ["pyproject.toml"]


def test_what_git_says_is_shown_where_it_cannot_list_the_files(small, capsys):
    (small / ".git").write_text("gitdir: /nowhere")
    with pytest.raises(SystemExit) as error:
        editions.main([], small)
    assert error.value.code == 2 and "not a git repository" in capsys.readouterr().err
