"""What every notebook of the course promises, as pure functions on parsed notebooks.

A contract takes a notebook (or the whole course) and gives the list of its problems.
tests/test_contracts.py applies them to the repository,
tests/test_the_contracts_themselves.py shows each of them a notebook that breaks it.
"""

import ast
import functools
import json
import pathlib
import re
import symtable

from course_tools.course_files import course_files
from course_tools.lessons import lessons, notebooks
from course_tools.links import badges, repository
from course_tools.run_notebooks import COST, KEPT, LANGUAGE

NOTEBOOK_CONTRACTS, COURSE_CONTRACTS = [], []
WIDGETS = r"\b(image_slider|before_after)\("  # the interactive figures of course_utils.display


class Notebook:
    """A parsed notebook: path below `root`, cells as dicts with joined source."""

    def __init__(self, file: pathlib.Path, root: pathlib.Path):
        self.file, self.root, self.path = file, root, file.relative_to(root).as_posix()
        self.size = file.stat().st_size
        content = json.loads(file.read_text(encoding="utf-8"))
        self.metadata, self.cells = content["metadata"], content["cells"]
        for cell in self.cells:
            cell["source"] = "".join(cell["source"])
            cell["tags"] = cell["metadata"].get("tags", [])
        self.code = [cell for cell in self.cells if cell["cell_type"] == "code"]
        self.text = [cell for cell in self.cells if cell["cell_type"] == "markdown"]
        self.lesson = file.parent.name == "notebooks"
        self.number = file.name[:2]

    def header(self) -> str:
        """The text before the first code cell."""
        first = self.cells.index(self.code[0]) if self.code else len(self.cells)
        return "\n".join(cell["source"] for cell in self.cells[:first])

    def program(self) -> str:
        """All code, without IPython's magics."""
        code = "\n".join(cell["source"] for cell in self.code)
        return re.sub(r"^(\s*)[%!].*", r"\1pass", code, flags=re.MULTILINE)


class Course:
    """All notebooks below a root, lessons and solutions in order."""

    def __init__(self, root: pathlib.Path):
        self.root = root
        listed, every = lessons(root), notebooks(root)
        self.lessons = [Notebook(file, root) for file in listed]
        self.solutions = [Notebook(file, root) for file in every[len(listed) :]]

    def pairs(self) -> list[tuple[Notebook, Notebook]]:
        """Each lesson that has solutions, with them."""
        found = {s.file.name.replace("_solutions.ipynb", ".ipynb"): s for s in self.solutions}
        return [(x, found[x.file.name]) for x in self.lessons if x.file.name in found]


def about(contracts: list):
    """Register a contract."""
    return lambda function: contracts.append(function) or function


# ------------------------------------------------------------------ outputs and format


def output_text(output: dict) -> str:
    """What a reader reads of one output."""
    data = output.get("data", {})
    parts = [output.get("text", ""), data.get("text/plain", ""), data.get("text/html", "")]
    return "\n".join("".join(part) for part in parts)


def outputs(notebook: Notebook):
    """Pairs (number of the code cell, output)."""
    for number, cell in enumerate(notebook.code, 1):
        for output in cell["outputs"]:
            yield number, output


@about(NOTEBOOK_CONTRACTS)
def outputs_are_those_of_one_run_from_top_to_bottom(notebook):
    counts = [cell["execution_count"] for cell in notebook.code]
    if counts != list(range(1, len(counts) + 1)):
        yield f"execution counts are {counts}; run the notebook with: make run ARGS={notebook.path}"
    for number, output in outputs(notebook):
        if output["output_type"] == "execute_result" and output["execution_count"] != number:
            yield f"the result of code cell {number} is of execution {output['execution_count']}"


@about(NOTEBOOK_CONTRACTS)
def no_cell_shows_an_error_or_a_warning(notebook):
    for number, output in outputs(notebook):
        if output["output_type"] == "error":
            yield f"code cell {number} stores an error: {output['ename']}"
        if output.get("name") == "stderr" and re.search("Warning|ERROR", output_text(output)):
            yield f"code cell {number} stores a warning: {output_text(output)[:100]}"


@about(NOTEBOOK_CONTRACTS)
def nothing_names_the_machine_it_was_written_on(notebook):
    unix = re.compile(r"(?<![\w.:/-])/(home|root|work|tmp|Users|content|mnt|private/var)/\S*")
    windows = re.compile(r"\b[A-Z]:\\+\w[^\s'\"]*")
    memory = re.compile(r"\bat 0x[0-9A-Fa-f]{6,}")
    for cell in notebook.text:
        if found := unix.search(cell["source"]):
            yield f"the text names {found[0]}"
    for number, cell in enumerate(notebook.code, 1):
        shown = "\n".join([cell["source"], *map(output_text, cell["outputs"])])
        for pattern in (unix, windows, memory):
            if found := pattern.search(shown):
                yield f"code cell {number} or its output names {found[0]}"


@about(NOTEBOOK_CONTRACTS)
def the_file_is_small_and_plain(notebook):
    if notebook.size >= 1_500_000:
        yield f"{notebook.size} bytes; 1.5 MB is the most. Draw smaller or fewer pictures."
    if notebook.metadata.get("kernelspec", {}).get("name") != "python3":
        yield "the kernel is not python3"
    if notebook.metadata.get("language_info") != LANGUAGE:
        yield "the language is not that of make run; nbconvert would not write a .py file"
    if "widgets" in notebook.metadata:
        yield "widget state is stored; clear it with: make run"
    if len({cell.get("id") for cell in notebook.cells} - {None}) != len(notebook.cells):
        yield "cells without an id of their own"
    for number, cell in enumerate(notebook.cells, 1):
        if extra := set(cell["metadata"]) - set(KEPT):
            yield f"cell {number} has metadata {sorted(extra)}"


@about(NOTEBOOK_CONTRACTS)
def every_figure_is_a_png_and_has_words_for_it(notebook):
    """Metadata "alt" of its cell: a text for each stored image; website and slides use it."""
    seen = set()
    for number, cell in enumerate(notebook.code, 1):
        kinds = [kind for output in cell["outputs"] for kind in output.get("data", {})]
        if "image/svg+xml" in kinds:
            yield f"code cell {number} stores an SVG"
        texts, figures = cell["metadata"].get("alt", []), kinds.count("image/png")
        if len(texts) != figures:
            yield f'code cell {number} shows {figures} figures; "alt" has {len(texts)} texts'
        for text in texts:
            title = re.match(r"(?i)(an?|the) (figure|image|picture|plot)\b", text)
            if title or not 40 <= len(text) <= 500 or not text.endswith("."):
                yield (
                    f'code cell {number}: "{text[:60]}" should say in one to three sentences '
                    "(40 to 500 characters) what is seen"
                )
            if text in seen:
                yield f"code cell {number}: two figures have the same words, {text[:60]}"
            seen.add(text)


@about(NOTEBOOK_CONTRACTS)
def images_in_the_text_have_words_for_them(notebook):
    bare = re.compile(r"!\[\s*\]\([^)]*\)|<img(?![^>]*\balt=\"[^\"]+\")[^>]*>")
    for cell in notebook.text:
        if found := bare.search(cell["source"]):
            yield f"no alternative text: {found[0][:80]}"


# ------------------------------------------------------------------ shape of a notebook


@about(NOTEBOOK_CONTRACTS)
def cells_are_short_and_their_number_is_bearable(notebook):
    total = 0  # lines to read: without blank ones, the set-up cell and the stubs of exercises
    for number, cell in enumerate(notebook.code, 1):
        lines = len(cell["source"].splitlines())
        if not any(tag == "setup" or tag.startswith("exercise-") for tag in cell["tags"]):
            total += sum(1 for line in cell["source"].splitlines() if line.strip())
        most = 40 if re.search(r"^class ", cell["source"], re.MULTILINE) else 30
        if lines > most:
            yield f"code cell {number} has {lines} lines; {most} is the most"
        if not lines:
            yield f"code cell {number} is empty"
    if total > 400:
        yield f"{total} lines of code; 400 is the most"
    if notebook.lesson and not 20 <= len(notebook.cells) <= 80:
        yield f"{len(notebook.cells)} cells; 20 to 80 is a lesson"


@about(NOTEBOOK_CONTRACTS)
def a_lesson_has_a_header_and_a_closing(notebook):
    if not notebook.lesson:
        return
    if not COST.search(notebook.cells[0]["source"]):
        yield "the first cell has no line **Reading** … · **Computing** … · **Memory** …"
    if "In this notebook you will" not in notebook.header():
        yield 'no "In this notebook you will" before the first code cell'
    if badges(repository(notebook.root), notebook.path) not in notebook.header():
        yield "the header has not its own badges; mend: .venv/bin/python -m course_tools.links"
    text = "\n".join(cell["source"] for cell in notebook.text)
    for wanted in ("What we did", "Exercises", "References"):
        if not re.search(rf"^## .*{wanted}", text, re.MULTILINE):
            yield f"no heading ## {wanted}"


@about(NOTEBOOK_CONTRACTS)
def a_lesson_can_be_shown_as_slides(notebook):
    if not notebook.lesson:
        return
    shown = [cell for cell in notebook.cells if {"slide", "slide-output"} & set(cell["tags"])]
    if not 12 <= len(shown) <= 45:
        yield f"{len(shown)} cells are tagged slide or slide-output; 12 to 45 make a session"
    if "slide" not in notebook.cells[0]["tags"]:
        yield "the title is not tagged slide"
    for cell in shown:
        if "setup" in cell["tags"]:
            yield "the set-up cell is no slide"
        if "slide-output" in cell["tags"] and not cell.get("outputs"):
            yield f"a cell tagged slide-output has no output: {cell['source'][:60]}"


@about(NOTEBOOK_CONTRACTS)
def a_lesson_has_something_to_move(notebook):
    if notebook.lesson and "01" <= notebook.number <= "12":
        if not re.search(WIDGETS, notebook.program()):
            yield f"no interactive figure ({WIDGETS})"


@about(NOTEBOOK_CONTRACTS)
def the_first_code_cell_is_the_setup_cell(notebook):
    """What stands in a cell with this tag is a test of tests/test_links.py."""
    if not notebook.code or "setup" not in notebook.code[0]["tags"]:
        yield "the first code cell is not tagged setup"


@about(NOTEBOOK_CONTRACTS)
def badges_open_this_very_file(notebook):
    wanted = badges(repository(notebook.root), notebook.path)
    hosts = r"\((https://(?:colab\.research\.google\.com/github|mybinder\.org/v2)/[^)]*)\)"
    for cell in notebook.text:
        for link in re.findall(hosts, cell["source"]):
            if link not in wanted:
                yield f"a badge opens {link}"


@about(NOTEBOOK_CONTRACTS)
def links_to_files_lead_somewhere(notebook):
    for cell in notebook.text:
        for link in re.findall(r"\]\(([^)\s]+)\)", without_code(cell["source"])):
            file = link.split("#")[0]
            if ":" not in file and not (notebook.file.parent / file).exists():
                yield f"a link leads to {link}, which is not there"


# ------------------------------------------------------------------ code of a notebook


@about(NOTEBOOK_CONTRACTS)
def no_cell_installs_packages(notebook):
    for number, cell in enumerate(notebook.code, 1):
        if re.search(r"^\s*[%!]\s*(pip|conda|mamba|uv)\b", cell["source"], re.MULTILINE):
            yield f"code cell {number} installs with a magic, whose failure goes unnoticed"


@about(NOTEBOOK_CONTRACTS)
def every_helper_that_is_imported_or_named_exists(notebook):
    """Imports in functions, too, which a run on a CPU may not reach."""
    names = set()
    for node in ast.walk(ast.parse(notebook.program())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    for cell in notebook.text:
        names.update(re.findall(r"`[^`\n]*?\b(course_utils(?:\.\w+)+)[^`\n]*`", cell["source"]))
    for name in sorted(names):
        if name.startswith("course_") and not exists(name, notebook.root):
            yield f"there is no {name}"


@functools.cache
def exists(name: str, root: pathlib.Path) -> bool:
    """Whether a dotted name is a module of the course in `root`, or stands in one."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        place = root.joinpath(*parts[:end])
        for file in (place.with_suffix(".py"), place / "__init__.py"):
            if file.is_file():
                return end == len(parts) or parts[end] in top_level(file)
    return False


def top_level(module: pathlib.Path) -> set[str]:
    """The names that a module defines or imports at its top level."""
    table = symtable.symtable(module.read_text(encoding="utf-8"), str(module), "exec")
    return {s.get_name() for s in table.get_symbols() if s.is_assigned() or s.is_imported()}


# ------------------------------------------------------------------ truth of the text


@about(NOTEBOOK_CONTRACTS)
def a_lesson_compares_outputs(notebook):
    if notebook.lesson and not any("nbval-check-output" in cell["tags"] for cell in notebook.code):
        yield "no cell is tagged nbval-check-output"


@about(NOTEBOOK_CONTRACTS)
def no_cell_prints_true_or_false(notebook):
    """A reader wants the numbers; what must hold is a claim in the metadata."""
    for number, output in outputs(notebook):
        if found := re.search(r"\b(True|False)\b", output_text(output)):
            yield f"code cell {number} prints {found[0]}; put the condition into its claims"


@about(NOTEBOOK_CONTRACTS)
def every_quoted_number_is_printed_by_a_compared_cell(notebook):
    if not notebook.lesson:
        return
    printed = set()
    for cell in notebook.code:
        if "nbval-check-output" in cell["tags"]:
            for output in cell["outputs"]:
                data = output.get("data", {})
                plain = "".join([*output.get("text", ""), "\n", *data.get("text/plain", "")])
                printed.update(re.findall(r"\d+(?:\.\d+)?", without_thousands(plain)))
    for cell in notebook.text[1:]:
        if "published" in cell["tags"] or cell["source"].startswith("### Exercise"):
            continue
        text = re.split(r"^## References", cell["source"], flags=re.MULTILINE)[0]
        for number in quoted_numbers(text):
            if number not in printed:
                yield f"the text says {number}; no cell tagged nbval-check-output prints it"


def quoted_numbers(text: str) -> list[str]:
    """The numbers of a text that have a decimal point or a unit, as strings without sign."""
    space = "[ \u00a0\u202f]"
    with_or_without = rf"{space}?(?:%|×(?!{space}?\d))|{space}?(?:dB|kB|MB|GB)\b"
    unit = rf"{with_or_without}|{space}(?:bytes|ms|s|times)\b"
    number = re.compile(rf"(?<![\w.])\d+(?:\.\d+)?(?=(?P<unit>{unit})?)(?!\.?[\w])")
    plain = without_thousands(prose(text))
    return [m[0] for m in number.finditer(plain) if "." in m[0] or m["unit"]]


def without_thousands(text: str) -> str:
    """12,345 and 12 345 (thin or fixed space) as 12345."""
    return re.sub(r"(?<=\d)[,\u00a0\u2009\u202f](?=\d{3}(?!\d))", "", text)


def without_code(text: str) -> str:
    """Markdown without code and formulas."""
    text = re.sub(r"```.*?```|~~~.*?~~~|\$\$.*?\$\$", " ", text, flags=re.DOTALL)
    text = re.sub(r"(`+).+?\1|(?<!\\)\$(?!\s)[^$\n]+?(?:\n[^$\n]+?)*\$", " ", text)
    return re.sub(r"\\\(.*?\\\)|\\\[.*?\\\]", " ", text, flags=re.DOTALL)


def prose(text: str) -> str:
    """Markdown without code, formulas, HTML tags and the targets of links."""
    return re.sub(r"\]\([^)]*\)|<[^>\n]+>|https?://\S+", "] ", without_code(text))


# ------------------------------------------------------------------ exercises


def exercise_cells(notebook: Notebook) -> dict[str, str]:
    """The code of each exercise, by its number, from the tags exercise-NN.k."""
    found = {}
    for cell in notebook.code:
        for tag in cell["tags"]:
            if tag.startswith("exercise-"):
                number = tag.removeprefix("exercise-")
                found[number] = f"{found.get(number, '')}{cell['source']}\n"
    return found


def check_call(source: str) -> str | None:
    """The name in the last line `check.name(...)` of an exercise cell."""
    found = re.search(r"^(?:\w+ = )?check\.(\w+)\(.*\)\s*\Z", source, re.MULTILINE)
    return found and found[1]


@about(NOTEBOOK_CONTRACTS)
def every_exercise_is_a_card_and_a_stub_that_is_checked(notebook):
    if not notebook.lesson:
        return
    cells = [*notebook.cells, {"source": "", "tags": []}]
    cards = [i for i, cell in enumerate(cells) if cell["source"].startswith("### Exercise")]
    least = 1 if notebook.number == "00" else 3
    if not least <= len(cards) <= 6:
        yield f"{len(cards)} exercises; {least} to 6 is right"
    for position, index in enumerate(cards, 1):
        card, stub = cells[index]["source"], cells[index + 1]
        wanted = f"{notebook.number}.{position}"
        if not re.match(rf"### Exercise {wanted} · \S", card):
            yield f'"{card.splitlines()[0]}" should begin: ### Exercise {wanted} · Title'
        if not re.search(r"[★☆]", card) or not re.search(r"\b\d+ min", card):
            yield f"exercise {wanted}: the card has no difficulty (★) or no minutes"
        if f"exercise-{wanted}" not in stub["tags"]:
            yield f"exercise {wanted}: no code cell tagged exercise-{wanted} follows the card"
            continue
        name = check_call(stub["source"])
        module = f"course_utils.exercises.notebook_{notebook.number}"
        if not name or not exists(f"{module}.{name}", notebook.root):
            yield f"exercise {wanted}: its last line calls no check of {module}"
    if len(exercise_cells(notebook)) != len(cards):
        yield f"{len(exercise_cells(notebook))} tagged exercise cells, but {len(cards)} cards"


@about(NOTEBOOK_CONTRACTS)
def solutions_are_compared(notebook):
    if notebook.lesson:
        return
    for number, cell in enumerate(notebook.code, 1):
        if "check." in cell["source"] and "nbval-check-output" not in cell["tags"]:
            yield f"code cell {number} calls a check and is not tagged nbval-check-output"


@about(COURSE_CONTRACTS)
def stubs_and_solutions_belong_together(course):
    paired = [lesson for lesson, _ in course.pairs()]
    for lesson in course.lessons:
        if exercise_cells(lesson) and lesson not in paired:
            yield f"{lesson.path} has no solutions"
    for lesson, solution in course.pairs():
        stubs, answers = exercise_cells(lesson), exercise_cells(solution)
        if list(stubs) != list(answers):
            yield f"{solution.path}: exercises {list(answers)}, but the lesson has {list(stubs)}"
        for number in stubs.keys() & answers.keys():
            stub, answer = stubs[number], answers[number]
            if check_call(stub) != check_call(answer):
                yield f"exercise {number}: stub and solution call different checks"
            for name, promise in functions(stub).items():
                if functions(answer).get(name) != promise:
                    yield f"exercise {number}: {name}{promise} is another one in the solution"


def functions(source: str) -> dict[str, tuple]:
    """Arguments, result and docstring of each function and method of a cell."""
    return {
        node.name: (
            ast.unparse(node.args),
            node.returns and ast.unparse(node.returns),
            ast.get_docstring(node),
        )
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef)
    }


# ------------------------------------------------------------------ the course as a whole


@about(COURSE_CONTRACTS)
def notebooks_are_numbered_without_gaps(course):
    for position, lesson in enumerate(course.lessons):
        if not re.fullmatch(rf"{position:02d}_[a-z0-9_]+\.ipynb", lesson.file.name):
            yield f"{lesson.path} stands at place {position:02d}"
    lessons = {lesson.file.name for lesson in course.lessons}
    for solution in course.solutions:
        if solution.file.name.replace("_solutions.ipynb", ".ipynb") not in lessons:
            yield f"{solution.path} belongs to no lesson"
    listed = {notebook.path for notebook in course.lessons + course.solutions}
    for name in course_files(course.root):
        if name.startswith("notebooks/") and name.endswith(".ipynb") and name not in listed:
            yield f"{name} belongs to no lesson of course_tools/lessons.py"


@about(COURSE_CONTRACTS)
def each_notebook_leads_on_and_back(course):
    for lesson, following in zip(course.lessons, [*course.lessons[1:], None]):
        end = lesson.text[-1]["source"] if lesson.text else ""
        links = re.findall(r"\]\(([^)]+)\)", end)
        if not {"../README.md", "00_start_here.ipynb"} & set(links):
            yield f"{lesson.path}: the last text links neither to the README nor to the start"
        if following and following.file.name not in links:
            yield f"{lesson.path}: the last text does not link to {following.file.name}"
    for lesson, solution in course.pairs():
        if f"](../{lesson.file.name})" not in "".join(cell["source"] for cell in solution.text):
            yield f"{solution.path}: no link back to its lesson"


@about(COURSE_CONTRACTS)
def readme_and_headers_agree(course):
    readme = (course.root / "README.md").read_text(encoding="utf-8")
    for lesson in course.lessons:
        link = rf"\[[^\]]*\]\({re.escape(lesson.path)}\)"
        costs = r"\| (\d+) \| (\d+) \| (\d+) \|([^|\n]*)\|$"
        row = re.search(rf"^\| {link} \|[^|\n]*{costs}", readme, re.MULTILINE)
        cost = COST.search(lesson.cells[0]["source"])
        if not row:
            yield f"README has no row for {lesson.path}"
        elif not cost or row.groups()[:3] != (cost[2], cost[3], cost[5]):
            yield f"README and header of {lesson.path} have different costs; make run"
        elif badges(repository(course.root), lesson.path) not in row[4]:
            yield f"README has not the badges of {lesson.path}; mend: python -m course_tools.links"
