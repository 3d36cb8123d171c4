"""Whose a hand-in is: names of platforms, second attempts, groups, whole course folders."""

import shutil
from pathlib import Path

import nbformat
import pytest

from course_tools.grading.marks import name_clashes
from course_tools.grading.nbgrader import export_course
from course_tools.grading.submissions import exercise_of, find, lessons, submission
from course_tools.lessons import lesson_files
from course_utils.files import ROOT

LESSON = "00_start_here"
CLASS = lessons()[:2]


def write(file, lesson=CLASS[0].file):
    file.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(lesson, file)
    return file


def handed_in(folder, names):
    """{name: submission} of a folder with copies of lesson 00 under these names."""
    for name in names:
        write(folder / name)
    found = [submission(file, folder, CLASS) for file in find(folder)[0]]
    name_clashes(found)
    return {one.name: one for one in found}


def students(folder, names):
    """{name: student}."""
    return {name: one.student for name, one in handed_in(folder, names).items()}


@pytest.mark.parametrize(
    "first, second, student",
    [
        (f"ada_{LESSON}", f"ada_{LESSON} (1)", "ada"),
        (f"ada_{LESSON}", f"ada_{LESSON}-Copy1", "ada"),
        (f"ada_{LESSON}", f"ada_{LESSON} - Copy (2)", "ada"),
        (f"ada_{LESSON}", f"Copy of ada_{LESSON}", "ada"),
        ("ada 00", "ada 00 (1)", "ada"),
        ("00", "00 (1)", "00"),
        (LESSON, f"Copy of {LESSON}", LESSON),
        (f"Ada Lovelace - {LESSON}", f"Ada Lovelace - Copy of {LESSON}", "Ada Lovelace"),
        (f"ada@b.org_{LESSON}", f"ada@b.org_{LESSON} copy 2", "ada@b.org"),
        (f"李雷_{LESSON}", f"李雷_{LESSON} - 副本", "李雷"),
        (f"doe_12345_678_{LESSON}", f"doe_LATE_12345_691_{LESSON}-1", "doe_12345"),
        (
            f"Home_work 1_jdoe_attempt_2025-01-01-10-00-00_{LESSON}",
            f"Home_work 1_jdoe_attempt_2025-01-02-08-30-00_final {LESSON}",
            "jdoe",
        ),
        (f"ada/{LESSON}", f"ada/{LESSON} (1)", "ada"),
        (f"ada/{LESSON}", f"ada (1)/{LESSON}", "ada"),
        (f"ada/attempt 1/{LESSON}", f"ada/attempt 2/{LESSON}", "ada"),
        (
            f"Ann Smith_4711_assignsubmission_file_/{LESSON}",
            f"Ann Smith_4711_assignsubmission_file_/{LESSON}-Copy1",
            "Ann Smith",
        ),
    ],
)
def test_a_second_hand_in_is_noticed_as_the_same_student_and_lesson(
    first, second, student, tmp_path
):
    found = handed_in(tmp_path, [f"{first}.ipynb", f"{second}.ipynb"])
    assert [one.student for one in found.values()] == [student] * 2
    for one in found.values():
        assert one.notes[-1].startswith("same student and notebook as")


@pytest.mark.parametrize(
    "names",
    [
        ["section1/ada/x", "section1/grace/x", "section2/alan/x"],
        ["section1/ada/x", "section2/ada/x"],  # namesakes
        ["monday/ada/x", "monday/grace/x", "friday/alan/x", "friday/mary/x"],
        ["doe_12345_678_x", "doe_54321_679_x"],
        ["Ann Lee_11_assignsubmission_file_/x", "Ann Lee_12_assignsubmission_file_/x"],
        ["hw_jdoe_attempt_2025-01-01-10-00-00_x", "hw_asmith_attempt_2025-01-01-10-00-00_x"],
        ["lab_2025_01_ada", "lab_2025_01_grace"],
        ["ps1/ada/x", "ps1/grace/x", "ps2/ada/y"],
    ],
)
def test_two_students_are_never_taken_for_one(names, tmp_path):
    for name in names:
        write(tmp_path / f"{name}.ipynb", CLASS[name.endswith("y")].file)
    found = [submission(file, tmp_path, CLASS) for file in find(tmp_path)[0]]
    name_clashes(found)
    assert not [note for one in found for note in one.notes if "same student" in note]


def test_layouts_of_platforms_name_the_student(tmp_path):
    places = {
        f"ada/ps1/{LESSON}.ipynb": "ada",  # nbgrader, in its folder submitted
        f"grace/ps1/{LESSON}.ipynb": "grace",
        f"submitted/alan/ps1/{LESSON}.ipynb": "alan",
        f"ps1-submissions/ps1-mary/notebooks/{LESSON}.ipynb": "ps1-mary",  # GitHub Classroom
        f"ps1-submissions/ps1-emmy/notebooks/{LESSON}.ipynb": "ps1-emmy",
        f"section1/sonja/{LESSON}.ipynb": "section1/sonja",
        f"4711/my work/{LESSON}.ipynb": "4711",
        f"ps1/carl/{LESSON}.ipynb": "carl",
    }
    assert students(tmp_path, places) == places


def test_of_a_whole_course_folder_the_lessons_are_marked_and_its_solutions_left_aside(tmp_path):
    course = tmp_path / "ada/course-main"
    solutions = [f"ada/course-main/notebooks/solutions/{LESSON}_solutions.ipynb"]
    write(course / f"notebooks/{LESSON}.ipynb")
    write(tmp_path / solutions[0])
    for name in (".venv/lib/x.ipynb", "env/lib/site-packages/x.ipynb", ".git/x.ipynb"):
        write(course / name)
    files, others = find(tmp_path)
    assert files == [course / f"notebooks/{LESSON}.ipynb"] and others == solutions
    assert submission(files[0], tmp_path, CLASS).student == "ada"
    alone = write(tmp_path / f"bob/{LESSON}_solutions.ipynb")
    assert "own solutions" in submission(alone, tmp_path, CLASS).notes[-1]


STRANGERS = [
    f"{LESSON}-Copy1.ipynb",
    f"{LESSON} (1).ipynb",
    f"Copy of {LESSON}.ipynb",
    f"~{LESSON}.ipynb",
    f".#{LESSON}.ipynb",
    f"{LESSON}.IPYNB.bak",
    "00_notes.ipynb",
    "16_my_notes.ipynb",
    "Untitled.ipynb",
    f".ipynb_checkpoints/{LESSON}-checkpoint.ipynb",
    "solutions/16_my_notes_solutions.ipynb",
]


def test_no_file_that_lies_beside_a_lesson_becomes_one(tmp_path):
    official = tmp_path / "notebooks"
    for lesson in CLASS:
        write(official / lesson.file.name, lesson.file)
        solved = f"solutions/{lesson.file.stem}_solutions.ipynb"
        write(official / solved, ROOT / "notebooks" / solved)
    for name in STRANGERS:
        notebook = nbformat.read(CLASS[0].file, as_version=4)
        for cell in filter(exercise_of, notebook.cells):
            cell.metadata.tags = ["exercise-00.1"]
        (official / name).parent.mkdir(exist_ok=True)
        nbformat.write(notebook, official / name)
    assert lessons(official) == [
        type(one)(one.number, official / one.file.name, one.title, one.sources, one.exercises)
        for one in CLASS
    ]
    assert [file.stem for file in lesson_files(official)] == [one.file.stem for one in CLASS]
    written = export_course(tmp_path / "source", official)
    assert [file.name for file in written] == [one.file.name for one in CLASS]


def test_what_is_missing_or_changed_in_the_course_is_named(tmp_path):
    file = write(tmp_path / f"{LESSON}.ipynb")
    with pytest.raises(ValueError, match=f"{LESSON}_solutions.ipynb is missing"):
        export_course(tmp_path / "source", tmp_path)
    notebook = nbformat.read(file, as_version=4)
    next(filter(exercise_of, notebook.cells)).source = "solved = 1"
    nbformat.write(notebook, file)
    with pytest.raises(ValueError, match=r"exercise 00.1 does not end in its check.*was changed"):
        lessons(Path(tmp_path))
