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

from course_utils.publishing import editions
from course_utils.publishing.trees import MARKER, course_files

ROOT = pathlib.Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A copy of the course in which the editions were made; its Python files may be run there."""
    root = tmp_path_factory.mktemp("course")
    for name in course_files(ROOT):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, root / name)
    slides = root / "build/slides/notebooks"
    slides.mkdir(parents=True)
    (slides / "01.html").write_text("<h1>Slides</h1>")
    assert editions.main([], root) == 0
    return root


@pytest.fixture(scope="module")
def student(course):
    return course / "build/editions/student"


@pytest.fixture
def small(tmp_path):
    """The least that is a course, in a folder of its own."""
    root = tmp_path / "course"
    for name in ("pyproject.toml", "README.md", "Makefile", "notebooks/00_start_here.ipynb", "course_utils/files.py"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, root / name)
    readme = (root / "README.md").read_text(encoding="utf-8")
    (root / "README.md").write_text(re.sub(r"\]\((?!http)[^)]*\)", "](Makefile)", readme), encoding="utf-8")
    first = root / "notebooks/00_start_here.ipynb"
    text = re.sub(r"\]\((?!http|solutions/)[^)]*\)", "](../README.md)", first.read_text(encoding="utf-8"))
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


def test_the_student_edition_has_every_lesson_and_no_solution(student):
    lessons = [file.name for file in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))]
    assert [file.name for file in sorted(student.glob("notebooks/**/*.ipynb"))] == lessons
    assert not (student / "notebooks/solutions").exists() and not (student / "tests/wrong_answers").exists()


def lines(file, tagged=""):
    """The lines of a text file, or of the cells of a notebook that have a tag with this beginning, without indentation."""
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".ipynb":
        cells = json.loads(text)["cells"]
        text = "\n".join("".join(cell["source"]) for cell in cells
                         if any(tag.startswith(tagged) for tag in cell["metadata"].get("tags", [""]) or [""]))
    return {line.strip() for line in text.splitlines()}


def test_no_line_of_a_solution_reaches_the_students_by_way_of_a_test_or_a_text(student):
    """What lessons and checks have in common with the solutions is theirs: a check holds a reference."""
    taught = {line for pattern in ("notebooks/*.ipynb", "course_utils/**/*.py") for file in ROOT.glob(pattern) for line in lines(file)}
    answers = {line for file in ROOT.glob("notebooks/solutions/*.ipynb") for line in lines(file, "exercise-") if len(line) > 25}
    assert len(answers - taught) > 50
    for file in student.rglob("*"):
        if file.suffix in {".py", ".md", ".ipynb"}:
            assert lines(file) & (answers - taught) == set(), file


def test_the_contracts_on_texts_and_exercises_hold_in_the_student_edition(student):
    kept = (contracts.links_to_files_lead_somewhere, contracts.badges_open_this_very_file, contracts.the_setup_cell_is_the_one_of_the_course,
            contracts.every_exercise_is_a_card_and_a_stub_that_is_checked, contracts.the_closing_looks_back_and_gives_references)
    lessons = contracts.Course(student).lessons
    found = [f"{lesson.path}: {problem}" for lesson in lessons for contract in kept for problem in contract(lesson)]
    assert found == []


def test_no_link_of_either_edition_is_dead(course):
    for edition in ("student", "teacher"):
        assert editions.dead_links(course / "build/editions" / edition) == []


def test_the_student_edition_differs_from_the_lessons_only_where_they_point_to_solutions(student):
    changed = 0
    for file in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb")):
        before, after = (json.loads((root / "notebooks" / file.name).read_text(encoding="utf-8")) for root in (ROOT, student))
        assert len(before["cells"]) == len(after["cells"])
        for old, new in zip(before["cells"], after["cells"]):
            if old != new:
                changed += 1
                assert "solutions/" in "".join(old["source"]) and "solutions/" not in "".join(new["source"])
                assert old | {"source": 0} == new | {"source": 0}
    assert changed >= len(list(student.glob("notebooks/*.ipynb")))


def imported(file):
    """Dotted names of all modules and things that a Python file imports from the course."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("course_utils"))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("course_utils"):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_everything_that_programs_of_the_student_edition_import_from_the_course_is_there(student):
    assert len(list(student.glob("tests/test_*.py"))) > 15
    for file in [*student.glob("tests/*.py"), *student.glob("course_utils/**/*.py")]:
        assert [name for name in imported(file) if not contracts.exists(name, student)] == [], file


@pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
def test_the_makefile_of_the_student_edition_promises_only_what_it_can_do(student):
    text = (student / "Makefile").read_text(encoding="utf-8")
    promised = re.findall(r"^# make (\w+)", text, re.MULTILINE)
    assert {"lab", "test", "run", "clean"} <= set(promised) and "editions" not in promised
    for target in promised:
        said = subprocess.run(["make", "-n", target, f"PYTHON={sys.executable}"], cwd=student, capture_output=True, text=True)
        assert said.returncode == 0 and not re.search("publishing|benchmarks/", said.stdout)
    for target in editions.TARGETS:
        assert subprocess.run(["make", "-n", target], cwd=student, capture_output=True).returncode


def test_the_readme_of_the_student_edition_names_the_teacher_and_no_folder_of_solutions(student):
    readme = (student / "README.md").read_text(encoding="utf-8")
    assert readme.count(editions.SOLUTIONS) == 1 and "For teachers" not in readme
    assert not re.search(r"(?i)\bsolution", readme.replace(editions.SOLUTIONS, ""))


# ------------------------------------------------------------------ the teacher's edition, the archives


def test_the_teachers_edition_is_the_whole_course_with_the_slides_and_says_where_they_are(course):
    teacher = course / "build/editions/teacher"
    for name in course_files(ROOT):
        assert (teacher / name).read_bytes() == (ROOT / name).read_bytes()
    assert (teacher / "slides/notebooks/01.html").is_file()
    index = (teacher / "TEACHING.md").read_text(encoding="utf-8")
    for what in ("[slides](slides)", "notebooks/solutions", "tests/wrong_answers", "make editions", "make pack"):
        assert what in index


def test_an_edition_made_from_the_teachers_edition_is_the_same(course, student, tmp_path):
    again = tmp_path / "teacher"
    shutil.copytree(course / "build/editions/teacher", again)
    editions.write_student(again, tmp_path / "student")
    ours = {file.relative_to(student): file.read_bytes() for file in student.rglob("*") if file.is_file()}
    assert ours == {file.relative_to(tmp_path / "student"): file.read_bytes()
                    for file in (tmp_path / "student").rglob("*") if file.is_file()}


def test_an_archive_holds_its_edition_in_one_folder(course, student):
    with zipfile.ZipFile(course / "build/editions/sparse-to-image-course-student.zip") as archive:
        names = archive.namelist()
        assert archive.testzip() is None
    top = "sparse-to-image-course-student/"
    assert sorted(names) == sorted(top + f.relative_to(student).as_posix() for f in student.rglob("*") if f.is_file())


def test_the_slides_are_promised_where_they_are_not_made_yet(small):
    editions.write_teacher(small, small / "build/teacher")
    assert "`make slides`" in (small / "build/teacher/TEACHING.md").read_text(encoding="utf-8")


# ------------------------------------------------------------------ what is refused


def test_a_folder_that_is_not_the_course_is_refused(tmp_path, capsys):
    said = refused(tmp_path, capsys)
    assert "is not the repository of the course: it has no pyproject.toml" in said and "Clone" in said


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


@pytest.mark.parametrize("spoil, words", [
    (lambda text: text.replace("; solutions/ beside them", ""), "rewrites the passage"),
    (lambda text: text + "\nThe solutions are elsewhere.\n", 'would say "The solutions are elsewhere."'),
    (lambda text: text + "\n[gone](notebooks/gone.ipynb)\n", "dead links:\n  README.md: notebooks/gone.ipynb"),
])
def test_a_text_that_no_longer_fits_is_named_and_nothing_is_left_behind(small, capsys, spoil, words):
    readme = small / "README.md"
    readme.write_text(spoil(readme.read_text(encoding="utf-8")), encoding="utf-8")
    assert words in refused(small, capsys)


def without_rights(command, **options):
    """Run a command as an owner who may not pass over permissions, as root else may; skip where that cannot be."""
    wrapped = command if os.name == "posix" and os.geteuid() else ["unshare", "-U", *command]
    try:
        subprocess.run(wrapped[:-len(command)] + ["true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this system does not take root's rights away")
    return subprocess.run(wrapped, capture_output=True, text=True, **options)


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_a_folder_that_cannot_be_written_is_named(small):
    (small / "build").mkdir()
    (small / "build").chmod(0o555)
    program = f"import sys, pathlib; sys.path.insert(0, {str(ROOT)!r}); from course_utils.publishing import editions\n" \
              f"editions.main([], pathlib.Path({str(small)!r}))"
    result = without_rights([sys.executable, "-c", program])
    assert result.returncode == 2 and "build/editions cannot be written (Permission denied)" in result.stderr
    assert list((small / "build").iterdir()) == []


def test_a_walk_without_git_passes_over_what_git_ignores(small):
    for name in (".venv/pyvenv.cfg", "build/x", "course_utils/__pycache__/x.pyc", "data/downloads/cifar10.npz",
                 "data/cifar10.npz", "notebooks/.ipynb_checkpoints/00.ipynb", "a.egg-info/x", "x.part", MARKER):
        (small / name).parent.mkdir(parents=True, exist_ok=True)
        (small / name).write_text("x")
    (small / "data/own.npz").write_text("x")
    assert course_files(small) == [
        "Makefile", "README.md", "course_utils/files.py", "data/own.npz", "notebooks/00_start_here.ipynb", "pyproject.toml",
    ]
