"""The student edition has no answers and still runs; the teacher's has everything; nobody's folder is overwritten."""

import ast
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import zipfile

import notebook_contracts as contracts
import pytest

from course_tools.publishing import editions
from course_tools.publishing.trees import MARKER, course_files

ROOT = pathlib.Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A copy of the course in which the editions were made; its Python files may be run there."""
    root = tmp_path_factory.mktemp("course")
    for name in course_files(ROOT):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, root / name)
    slides = root / "build/slides"
    slides.mkdir(parents=True)
    (slides / "index.html").write_text("<h1>Slides</h1>")
    assert editions.main([], root) == 0
    return root


@pytest.fixture(scope="module")
def student(course):
    return course / "build/editions/student"


@pytest.fixture
def small(tmp_path):
    """The least that is a course, in a folder of its own."""
    root = tmp_path / "course"
    for name in (
        "pyproject.toml",
        "README.md",
        "Makefile",
        "notebooks/00_start_here.ipynb",
        "course_utils/files.py",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, root / name)
    readme = (root / "README.md").read_text(encoding="utf-8")
    (root / "README.md").write_text(
        re.sub(r"\]\((?!http)[^)]*\)", "](Makefile)", readme), encoding="utf-8"
    )
    first = root / "notebooks/00_start_here.ipynb"
    text = re.sub(
        r"\]\((?!http|solutions/)[^)]*\)", "](../README.md)", first.read_text(encoding="utf-8")
    )
    first.write_text(text, encoding="utf-8")
    return root


def refused(root, capsys, *, left=()):
    """What main says when it refuses; nothing but `left` may be in build then."""
    with pytest.raises(SystemExit) as error:
        editions.main([], root)
    build = root / "build"
    assert error.value.code == 2 and sorted(f.name for f in build.glob("*")) == sorted(left)
    return capsys.readouterr().err


# ------------------------------------------------------------------ the student edition


def test_the_student_edition_has_every_lesson_and_no_solution(course, student):
    lessons = [file.name for file in sorted((course / "notebooks").glob("[0-9]*.ipynb"))]
    assert len(lessons) > 2
    assert [file.name for file in sorted(student.glob("notebooks/**/*.ipynb"))] == lessons
    assert (
        not (student / "notebooks/solutions").exists()
        and not (student / "tests/wrong_answers").exists()
    )


def lines(file, tagged=""):
    """The lines of a text file, or of the cells of a notebook that have a tag with this beginning, without indentation."""
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".ipynb":
        cells = json.loads(text)["cells"]
        text = "\n".join(
            "".join(cell["source"])
            for cell in cells
            if any(tag.startswith(tagged) for tag in cell["metadata"].get("tags", [""]) or [""])
        )
    return {line.strip() for line in text.splitlines()}


def test_no_line_of_a_solution_reaches_the_students_by_way_of_a_test_or_a_text(course, student):
    """What lessons and checks have in common with the solutions is theirs: a check holds a reference."""
    taught = {
        line
        for pattern in ("notebooks/*.ipynb", "course_utils/**/*.py")
        for file in course.glob(pattern)
        for line in lines(file)
    }
    answers = {
        line
        for file in course.glob("notebooks/solutions/*.ipynb")
        for line in lines(file, "exercise-")
        if len(line) > 25
    }
    assert len(answers - taught) > 50
    for file in student.rglob("*"):
        if file.suffix in {".py", ".md", ".ipynb"}:
            assert lines(file) & (answers - taught) == set(), file


def test_no_contract_is_broken_in_the_student_edition_that_the_lessons_keep(course, student):
    kept = contracts.NOTEBOOK_CONTRACTS
    for before, after in zip(contracts.Course(course).lessons, contracts.Course(student).lessons):
        assert [(after.path, p) for contract in kept for p in contract(after)] == [
            (before.path, p) for contract in kept for p in contract(before)
        ]


def test_no_link_of_either_edition_is_dead(course):
    for edition in ("student", "teacher"):
        assert editions.dead_links(course / "build/editions" / edition) == []


def test_the_student_edition_differs_from_the_lessons_only_where_they_point_to_solutions(
    course, student
):
    changed = 0
    for file in sorted((course / "notebooks").glob("[0-9]*.ipynb")):
        before, after = (
            json.loads((root / "notebooks" / file.name).read_text(encoding="utf-8"))
            for root in (course, student)
        )
        assert len(before["cells"]) == len(after["cells"])
        for old, new in zip(before["cells"], after["cells"]):
            if old != new:
                changed += 1
                old_text, new_text = "".join(old["source"]), "".join(new["source"])
                assert re.search(r"solutions/|in the solutions", old_text) and "teacher" in new_text
                assert not re.search(r"solutions/|in the solutions", new_text)
                assert old | {"source": 0} == new | {"source": 0}
    assert changed >= len(list(student.glob("notebooks/*.ipynb")))


def imported(file):
    """Dotted names of all modules and things that a Python file or a notebook imports from the course."""
    code = (
        contracts.Notebook(file, file.parent).program()
        if file.suffix == ".ipynb"
        else file.read_text(encoding="utf-8")
    )
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            yield from (
                alias.name
                for alias in node.names
                if alias.name.startswith(("course_utils", "course_tools"))
            )
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(
            ("course_utils", "course_tools")
        ):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_everything_that_the_student_edition_imports_from_the_course_is_there_as_in_the_course(
    course, student
):
    assert len(list(student.glob("tests/test_*.py"))) > 15
    for file in [
        *student.glob("tests/*.py"),
        *student.glob("course_*/**/*.py"),
        *student.glob("notebooks/*.ipynb"),
    ]:
        missing = [
            name
            for name in imported(file)
            if contracts.exists(name, course) and not contracts.exists(name, student)
        ]
        assert missing == [], file


@pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
def test_the_makefile_of_the_student_edition_promises_only_what_it_can_do(student):
    text = (student / "Makefile").read_text(encoding="utf-8")
    promised = re.findall(r"^# make (\w+)", text, re.MULTILINE)
    assert {"lab", "test", "run", "clean"} <= set(promised) and "editions" not in promised
    for target in promised:
        said = subprocess.run(
            ["make", "-n", target, f"PYTHON={sys.executable}"],
            cwd=student,
            capture_output=True,
            text=True,
        )
        assert said.returncode == 0 and not re.search("publishing|benchmarks/", said.stdout)
    for target in editions.TARGETS:
        assert subprocess.run(["make", "-n", target], cwd=student, capture_output=True).returncode


def test_the_readme_of_the_student_edition_names_the_teacher_and_no_folder_of_solutions(student):
    readme = (student / "README.md").read_text(encoding="utf-8")
    assert readme.count(editions.SOLUTIONS) == 1 and not re.search(
        "(?i)teach with it|for teachers|worked report", readme
    )
    assert not re.search(r"(?i)\bsolution", readme.replace(editions.SOLUTIONS, ""))


# ------------------------------------------------------------------ the teacher's edition, the archives


def test_the_teachers_edition_is_the_whole_course_with_the_slides_and_says_where_they_are(course):
    teacher = course / "build/editions/teacher"
    for name in course_files(course):
        assert (teacher / name).read_bytes() == (course / name).read_bytes()
    assert (teacher / "slides/index.html").is_file()
    index = (teacher / "TEACHING.md").read_text(encoding="utf-8")
    for what in (
        "[slides](slides/index.html)",
        "grading grade",
        "notebooks/solutions",
        "tests/wrong_answers",
        "make editions",
        "make pack",
    ):
        assert what in index


def test_an_edition_made_from_the_teachers_edition_is_the_same(course, student, tmp_path):
    again = tmp_path / "teacher"
    shutil.copytree(course / "build/editions/teacher", again)
    editions.write_student(again, tmp_path / "student")
    ours = {
        file.relative_to(student): file.read_bytes()
        for file in student.rglob("*")
        if file.is_file()
    }
    assert ours == {
        file.relative_to(tmp_path / "student"): file.read_bytes()
        for file in (tmp_path / "student").rglob("*")
        if file.is_file()
    }


def test_an_archive_holds_its_edition_in_one_folder(course, student):
    with zipfile.ZipFile(course / "build/editions/sparse-to-image-course-student.zip") as archive:
        names = archive.namelist()
        assert archive.testzip() is None
    top = "sparse-to-image-course-student/"
    assert sorted(names) == sorted(
        top + f.relative_to(student).as_posix() for f in student.rglob("*") if f.is_file()
    )


def test_the_slides_are_promised_where_they_are_not_made_yet(small):
    editions.write_teacher(small, small / "build/teacher")
    assert "`make slides`" in (small / "build/teacher/TEACHING.md").read_text(encoding="utf-8")


# ------------------------------------------------------------------ what is refused


def test_a_folder_that_is_not_the_course_is_refused(tmp_path, capsys):
    said = refused(tmp_path, capsys)
    assert (
        "is not the repository of the course: it has no pyproject.toml" in said and "Clone" in said
    )


@pytest.mark.parametrize("content", ["marks.csv", None])
def test_an_output_that_is_not_ours_is_left_alone(small, capsys, content):
    folder = small / "build/editions"
    folder.mkdir(parents=True)
    if content:
        (folder / content).write_text("precious")
    else:
        folder.rmdir()
        folder.write_text("precious")  # a file of that name
    assert "was not made by this command" in refused(small, capsys, left=["editions"])
    assert (folder / content if content else folder).read_text() == "precious"


def test_our_own_output_is_made_anew(small):
    editions.make_editions(small)
    stale = small / "build/editions/student/stale.txt"
    stale.write_text("of last year")
    editions.make_editions(small)
    assert not stale.exists() and (small / "build/editions" / MARKER).is_file()


@pytest.mark.parametrize(
    "spoil, words",
    [
        (
            lambda text: text + "\nThe solutions are elsewhere.\n",
            'README.md: the student edition would say "The solutions are elsewhere."',
        ),
        (lambda text: text + "\nThen `make site`.\n", 'would say "Then `make site`."'),
        (
            lambda text: text + "\n[gone](notebooks/gone.ipynb)\n",
            "dead links:\n  README.md: notebooks/gone.ipynb",
        ),
    ],
)
def test_a_text_that_no_longer_fits_is_named_and_nothing_is_left_behind(
    small, capsys, spoil, words
):
    readme = small / "README.md"
    readme.write_text(spoil(readme.read_text(encoding="utf-8")), encoding="utf-8")
    assert words in refused(small, capsys)


def test_a_lesson_that_leads_to_solutions_in_new_words_is_named(small, capsys):
    first = small / "notebooks/00_start_here.ipynb"
    notebook = json.loads(first.read_text(encoding="utf-8"))
    notebook["cells"].append(
        {
            "cell_type": "markdown",
            "metadata": {},
            "source": ["Stuck? Look it up\n", "in the solutions."],
        }
    )
    first.write_text(json.dumps(notebook), encoding="utf-8")
    assert (
        'notebooks/00_start_here.ipynb: the student edition would say "in the solutions."'
        in refused(small, capsys)
    )


def test_a_readme_of_ones_own_needs_none_of_the_passages(small):
    (small / "README.md").write_text("# My course\n\nHello.\n", encoding="utf-8")
    editions.make_editions(small)
    said = (small / "build/editions/student/README.md").read_text(encoding="utf-8")
    assert said.startswith("# My course\n\n*The student edition") and said.endswith("Hello.\n")


def without_rights(command, **options):
    """Run a command as an owner who may not pass over permissions, as root else may; skip where that cannot be."""
    wrapped = command if os.name == "posix" and os.geteuid() else ["unshare", "-U", *command]
    try:
        subprocess.run(wrapped[: -len(command)] + ["true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this system does not take root's rights away")
    return subprocess.run(wrapped, capture_output=True, text=True, **options)


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_a_folder_that_cannot_be_written_is_named(small):
    (small / "build").mkdir()
    (small / "build").chmod(0o555)
    program = (
        f"import sys, pathlib; sys.path.insert(0, {str(ROOT)!r}); from course_tools.publishing import editions\n"
        f"editions.main([], pathlib.Path({str(small)!r}))"
    )
    result = without_rights([sys.executable, "-c", program])
    assert (
        result.returncode == 2
        and "build/editions cannot be written (Permission denied)" in result.stderr
    )
    assert list((small / "build").iterdir()) == []


def test_a_walk_without_git_passes_over_what_git_ignores(small):
    for name in (
        ".venv/pyvenv.cfg",
        "build/x",
        "course_utils/__pycache__/x.pyc",
        "data/downloads/cifar10.npz",
        "data/cifar10.npz",
        "notebooks/.ipynb_checkpoints/00.ipynb",
        "a.egg-info/x",
        "x.part",
        MARKER,
    ):
        (small / name).parent.mkdir(parents=True, exist_ok=True)
        (small / name).write_text("x")
    (small / "data/own.npz").write_text("x")
    assert course_files(small) == [
        "Makefile",
        "README.md",
        "course_utils/files.py",
        "data/own.npz",
        "notebooks/00_start_here.ipynb",
        "pyproject.toml",
    ]
