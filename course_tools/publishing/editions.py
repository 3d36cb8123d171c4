"""The course for students, without the solutions, and for teachers, with everything (`make editions`).

    python -m course_tools.publishing.editions

writes both, as folders and as zip files, to build/editions:

- the student edition runs and tests itself like the course. Left out are the solutions and the
  wrong answers, what only teachers and contributors use, and the tests of all that. Texts that lead
  to it are rewritten;
- the teacher's edition is the whole course, with the slides where `make slides` has made them, and
  TEACHING.md, which says where everything is.
"""

import argparse
import json
import re
import shutil
from pathlib import Path

from course_tools.links import address
from course_tools.project_file import project_name
from course_tools.publishing.trees import (
    copy_files,
    course_files,
    explained,
    new_folder,
    walk,
    write_zip,
)
from course_utils.files import ROOT, write_text

__all__ = ["dead_links", "make_editions", "student_files", "student_notebook"]

ANSWERS = ("notebooks/solutions/", "tests/wrong_answers/")
TOOLS = (  # of those who teach with the course or keep it
    "benchmarks/",
    "course_tools/grading/",
    "course_tools/publishing/",
    "course_tools/links.py",
    "course_tools/record_gpu_cells.py",
    "docs/",
    "slides/",
    ".ci/",
    ".github/",
    ".pre-commit-config.yaml",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "TEACHING.md",
    "tests/notebook_contracts.py",
)
NAMED = re.compile(  # a test that names one of these is a test of something that is left out
    r"notebooks/solutions|wrong_answers|notebook_contracts|course_tools(?:\.| import )(?:grading|publishing|links|record_gpu_cells)"
    r"|benchmarks|CONTRIBUTING|\bdocs\b"
)
TARGETS = (
    "bench",
    "record",
    "site",
    "slides",
    "editions",
    "pack",
)  # of the Makefile, for these tools
SOLUTIONS = "Your teacher has the solutions."
README = [  # regular expression of a passage about what is left out, what takes its place
    (r"\A(# .*\n)", rf"\1\n*The student edition: all lessons, all exercises. {SOLUTIONS}*\n"),
    (
        r", the rules that every notebook\s+keeps, and each lesson and solution\b",
        " and each lesson",
    ),
    (r", and solutions in a folder of their own", ""),
    (r"; solutions/ beside them", ""),
    (r", with a worked report", ""),
    (r", rules for the notebooks", ""),
    (r"(?m)^ *(?:publishing|grading|docs|benchmarks)/ .*\n", ""),
    (r"(?ms)^## (?:For teachers|Read it, teach with it)\n.*?(?=^## )", ""),
    (
        r"(?ms)^## For contributors\n.*?(?=^## )",
        "## Found a mistake?\n\nPlease tell us: <ADDRESS/issues>.\n\n",
    ),
]
LESSON = [  # the same for the text cells of the lessons
    (r"Solutions are in \[[^\]]*\]\(solutions/[^)]*\)\.", SOLUTIONS),
    (r"\[([^\]]*)\]\(solutions/[^)]*\)", r"\1"),
    (
        r"\b(stands|waits) in the solutions(?:, behind the exercises)?",
        r"\1 in your teacher's solutions",
    ),
]
README_LEFT = re.compile(
    rf"(?i)\bsolutions?\b|make (?:{'|'.join(TARGETS)})\b|\b(?:publishing|grading|docs|benchmarks)/"
)
LESSON_LEFT = re.compile(r"(?i)solutions/|\b(?:in|see) the solutions\b|_solutions\b")
INDEX = """# Teacher's edition

This folder is the whole course. Start with [README.md](README.md); `make lab` opens it.

| what | where |
|---|---|
| lessons, with their exercises | [notebooks](notebooks) |
| solutions, one notebook for each lesson | [notebooks/solutions](notebooks/solutions) |
| typical wrong answers, and what the checks say to them | [tests/wrong_answers](tests/wrong_answers) |
| the checks of the exercises | [course_utils/exercises](course_utils/exercises) |
| slides | SLIDES |
| marks for what students hand in | `python -m course_tools.grading grade submissions/ --csv marks.csv` |
| the edition for your students | `make editions` writes it to `build/editions` |
| a pack for machines without a network | `make pack` writes it to `build/pack` |
"""


def student_files(root: Path) -> list[str]:
    """Paths of the files of the course that the student edition has."""
    kept = [name for name in course_files(root) if not name.startswith(ANSWERS + TOOLS)]
    return [
        name
        for name in kept
        if not (
            re.fullmatch(r"tests/test_\w+\.py", name)
            and NAMED.search((root / name).read_text(encoding="utf-8"))
        )
    ]


def rewritten(name: str, text: str, passages: list[tuple[str, str]], left: re.Pattern) -> str:
    """A text with its `passages` replaced. Raises ValueError where what is `left` names what students do not have."""
    for pattern, new in passages:
        text = re.sub(pattern, new, text)
    for line in text.replace(SOLUTIONS, "").splitlines():
        if left.search(line):
            raise ValueError(
                f'{name}: the student edition would say "{line.strip()[:80]}", but that is left out there. '
                "Change the sentence, or add the passage to the lists in course_tools/publishing/editions.py."
            )
    return text


def student_notebook(name: str, text: str) -> str:
    """The JSON text of a lesson without what leads to solutions, else unchanged. Raises ValueError like `rewritten`."""
    notebook = json.loads(text)
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            cell["source"] = rewritten(
                name, "".join(cell["source"]), LESSON, LESSON_LEFT
            ).splitlines(keepends=True)
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def student_makefile(text: str) -> str:
    """The Makefile without the targets whose programs are left out."""
    gone = "|".join(TARGETS)
    text = re.sub(rf"^# make (?:{gone})\b.*\n", "", text, flags=re.MULTILINE)
    text = re.sub(
        r"^\.PHONY:.*$",
        lambda line: re.sub(rf" (?:{gone})\b", "", line[0]),
        text,
        flags=re.MULTILINE,
    )
    text = re.sub(r"^(PEERS|SITE) +:=.*\n", "", text, flags=re.MULTILINE)
    rule = re.compile(rf"^(?:(?:{gone})(?: (?:{gone}))*|\$\((?:PEERS|SITE)\)):", re.MULTILINE)
    return (
        "\n\n".join(part for part in text.split("\n\n") if not rule.search(part)).rstrip("\n")
        + "\n"
    )


def dead_links(root: Path) -> list[str]:
    """The relative links of README, other Markdown and lessons below `root` that lead nowhere, as "file: link"."""
    found = []
    for file in sorted(
        [*root.glob("*.md"), *root.glob("data/*.md"), *root.glob("notebooks/**/*.ipynb")]
    ):
        text = file.read_text(encoding="utf-8")
        if file.suffix == ".ipynb":
            text = "\n".join(
                "".join(c["source"])
                for c in json.loads(text)["cells"]
                if c["cell_type"] == "markdown"
            )
        for link in re.findall(r"\]\(([^)\s#]+)[^)]*\)", re.sub(r"\$.*?\$|`.*?`", "", text)):
            if ":" not in link and not (file.parent / link).exists():
                found.append(f"{file.relative_to(root).as_posix()}: {link}")
    return found


def write_student(root: Path, folder: Path) -> None:
    """Write the student edition of the course in `root`. Raises ValueError where a text in it would lead nowhere."""
    copy_files(root, student_files(root), folder)
    readme = [(pattern, new.replace("ADDRESS", address(root))) for pattern, new in README]
    for file in [folder / "README.md", folder / "Makefile", *folder.glob("notebooks/*.ipynb")]:
        name, text = file.relative_to(folder).as_posix(), file.read_text(encoding="utf-8")
        if name == "Makefile":
            text = student_makefile(text)
        else:
            lesson = file.suffix == ".ipynb"
            text = (
                student_notebook(name, text)
                if lesson
                else rewritten(name, text, readme, README_LEFT)
            )
        write_text(file, text)
    if dead := dead_links(folder):
        raise ValueError(
            "The student edition would have dead links:\n  "
            + "\n  ".join(dead)
            + "\nMend them in the course, or in course_tools/publishing/editions.py."
        )


def write_teacher(root: Path, folder: Path) -> None:
    """Write the teacher's edition of the course in `root`."""
    copy_files(root, course_files(root), folder)
    slides = root / "build" / "slides"
    if slides.is_dir():
        shutil.copytree(slides, folder / "slides")
    where = (
        "[slides](slides/index.html)"
        if slides.is_dir()
        else "`make slides` writes them to `build/slides`"
    )
    write_text(folder / "TEACHING.md", INDEX.replace("SLIDES", where) + pages(folder))


def pages(folder: Path) -> str:
    """The list of the pages in docs/, by their titles, without the landing page; "" where there are none."""
    titles = {
        file: re.search(r"^# (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
        for file in sorted(folder.glob("docs/**/*.md"))
        if file.name != "index.md"
    }
    lines = [
        f"- [{title[1]}]({file.relative_to(folder).as_posix()})"
        for file, title in titles.items()
        if title
    ]
    head = "\nPlans and guides, as pages (`make site` makes a website of them):\n\n"
    return head + "\n".join(lines) + "\n" if lines else ""


def make_editions(root: Path = ROOT) -> list[Path]:
    """Write both editions to build/editions and return the two archives.

    Raises ValueError where `root` is not the course, or build/editions is not ours; OSError where
    it cannot be written.
    """
    course_files(root)  # is it the course?
    folder = root / "build" / "editions"
    archives = []
    with new_folder(folder) as part:
        for edition, write in (("student", write_student), ("teacher", write_teacher)):
            write(root, part / edition)
            name, tree = f"{project_name(root)}-{edition}", part / edition
            files = {
                f"{name}/{file.relative_to(tree).as_posix()}": file for file in sorted(walk(tree))
            }
            write_zip(part / f"{name}.zip", files)
            archives.append(folder / f"{name}.zip")
    return archives


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """The command line; returns the exit status."""
    about = __doc__.split("\n")[0]
    parser = argparse.ArgumentParser(
        prog="python -m course_tools.publishing.editions", description=about
    )
    parser.parse_args(arguments)
    try:
        archives = make_editions(root)
    except ValueError as error:
        parser.error(str(error))
    except OSError as error:
        parser.error(explained(error, root / "build" / "editions"))
    for archive in archives:
        tree = archive.parent / archive.stem.split("-")[-1]
        print(
            f"{archive.relative_to(root)}  {archive.stat().st_size / 1e6:.1f} MB, unpacked: {tree.relative_to(root)}"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
