"""What every notebook of the course promises, as pure functions on parsed notebooks.

A contract takes a notebook (or the whole course) and gives the list of its problems.
tests/test_contracts.py applies them to the repository,
tests/test_the_contracts_themselves.py shows each of them a notebook that breaks it.
"""

import ast
import functools
import importlib
import json
import pathlib
import re

import compared
from pyflakes import checker, messages

from course_tools.links import address, badges, repository
from course_tools.run_notebooks import COST, KEPT
from course_tools.setup_cell import setup_cell

NOTEBOOK_CONTRACTS, COURSE_CONTRACTS, MODULE_CONTRACTS = [], [], []
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
        folder = root / "notebooks"
        self.lessons = [Notebook(f, root) for f in sorted(folder.glob("*.ipynb"))]
        self.solutions = [Notebook(f, root) for f in sorted((folder / "solutions").glob("*.ipynb"))]

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
def the_file_is_small(notebook):
    if notebook.size >= 1_500_000:
        yield f"{notebook.size} bytes; 1.5 MB is the most. Draw smaller or fewer pictures."


@about(NOTEBOOK_CONTRACTS)
def metadata_is_plain(notebook):
    if notebook.metadata.get("kernelspec", {}).get("name") != "python3":
        yield "the kernel is not python3"
    if "widgets" in notebook.metadata:
        yield "widget state is stored; clear it with: make run"
    ids = [cell.get("id") for cell in notebook.cells]
    if None in ids or len(set(ids)) != len(ids):
        yield "cells without an id of their own"
    for number, cell in enumerate(notebook.cells, 1):
        if extra := set(cell["metadata"]) - set(KEPT):
            yield f"cell {number} has metadata {sorted(extra)}"


@about(NOTEBOOK_CONTRACTS)
def pictures_are_png(notebook):
    for number, output in outputs(notebook):
        if "image/svg+xml" in output.get("data", {}):
            yield f"code cell {number} stores an SVG"


@about(NOTEBOOK_CONTRACTS)
def every_figure_has_words_for_it(notebook):
    """Metadata "alt" of its cell: a list with one text per stored picture; website and slides use it."""
    seen = set()
    for number, cell in enumerate(notebook.code, 1):
        figures = sum("image/png" in output.get("data", {}) for output in cell["outputs"])
        texts = cell["metadata"].get("alt", [])
        if not isinstance(texts, list) or len(texts) != figures:
            yield f'code cell {number} shows {figures} figures; its metadata "alt" is {texts!r}, not a list of as many texts'
            continue
        for text in texts:
            if (
                not 40 <= len(text) <= 500
                or not text.endswith(".")
                or re.match(r"(?i)(an?|the) (figure|image|picture|plot)\b", text)
            ):
                yield f'code cell {number}: "{text[:60]}" should say in one to three sentences (40 to 500 characters) what is seen'
            if text in seen:
                yield f"code cell {number}: two figures have the same words, {text[:60]}"
            seen.add(text)


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
def the_header_says_what_it_costs_and_what_it_gives(notebook):
    if not notebook.lesson:
        return
    if not notebook.cells or not COST.search(notebook.cells[0]["source"]):
        yield "the first cell has no line **Reading** … · **Computing** … · **Memory** …"
    if "In this notebook you will" not in notebook.header():
        yield 'no "In this notebook you will" before the first code cell'


@about(NOTEBOOK_CONTRACTS)
def the_closing_looks_back_and_gives_references(notebook):
    if not notebook.lesson:
        return
    headings = re.findall(r"^## (.*)$", "\n".join(c["source"] for c in notebook.text), re.MULTILINE)
    for wanted in ("What we did", "Exercises", "References"):
        if not any(wanted in heading for heading in headings):
            yield f"no heading ## {wanted}"


@about(NOTEBOOK_CONTRACTS)
def a_lesson_can_be_shown_as_slides(notebook):
    shown = [cell for cell in notebook.cells if {"slide", "slide-output"} & set(cell["tags"])]
    if not notebook.lesson:
        yield from ("a solution is tagged as a slide" for _ in shown[:1])
        return
    if not 12 <= len(shown) <= 45:
        yield f"{len(shown)} cells are tagged slide or slide-output; 12 to 45 make a session"
    if notebook.cells and "slide" not in notebook.cells[0]["tags"]:
        yield "the title is not tagged slide"
    for cell in shown:
        if "setup" in cell["tags"]:
            yield "the set-up cell is no slide"
        if "slide-output" in cell["tags"] and not cell.get("outputs"):
            yield f"a cell tagged slide-output has no output: {cell['source'][:60]}"


@about(NOTEBOOK_CONTRACTS)
def a_lesson_has_something_to_move(notebook):
    if (
        notebook.lesson
        and "01" <= notebook.number <= "12"
        and not re.search(WIDGETS, notebook.program())
    ):
        yield f"no interactive figure ({WIDGETS})"


@about(NOTEBOOK_CONTRACTS)
def the_setup_cell_is_the_one_of_the_course(notebook):
    first = notebook.code[0] if notebook.code else {"source": "", "tags": []}
    if "setup" not in first["tags"] or first["source"] != setup_cell(address(notebook.root)):
        yield "the first code cell is not the tagged set-up cell; mend: .venv/bin/python -m course_tools.links"


@about(NOTEBOOK_CONTRACTS)
def badges_open_this_very_file(notebook):
    wanted = badges(repository(notebook.root), notebook.path)
    hosts = re.compile(
        r"\((https://(?:colab\.research\.google\.com/github|mybinder\.org/v2)/[^)]*)\)"
    )
    if notebook.lesson and wanted not in notebook.header():
        yield "the header has not its own badges; mend: .venv/bin/python -m course_tools.links"
    for cell in notebook.text:
        for link in hosts.findall(cell["source"]):
            if link not in wanted:
                yield f"a badge opens {link}"


@about(NOTEBOOK_CONTRACTS)
def links_to_files_lead_somewhere(notebook):
    for cell in notebook.text:
        for link in re.findall(r"\]\(([^)\s]+)\)", prose(cell["source"], keep_links=True)):
            file = link.split("#")[0]
            if file and "://" not in file and not file.startswith("attachment:"):
                if not (notebook.file.parent / file).exists():
                    yield f"a link leads to {link}, which is not there"


@about(NOTEBOOK_CONTRACTS)
def pictures_in_the_text_have_words_for_them(notebook):
    for cell in notebook.text:
        bare = re.findall(r"!\[\s*\]\([^)]*\)|<img(?![^>]*\balt=\"[^\"]+\")[^>]*>", cell["source"])
        if bare:
            yield f"no alternative text: {bare[0][:80]}"


# ------------------------------------------------------------------ code of a notebook


@about(NOTEBOOK_CONTRACTS)
def nothing_is_installed_or_asked_for_in_a_cell(notebook):
    for number, cell in enumerate(notebook.code, 1):
        if re.search(r"^\s*[%!]\s*(pip|conda|mamba|uv)\b", cell["source"], re.MULTILINE):
            yield f"code cell {number} installs with a magic, whose failure goes unnoticed"
        if re.search(r"(?<![\w.])input\(", cell["source"]):
            yield f"code cell {number} waits for input()"


@about(NOTEBOOK_CONTRACTS)
def no_import_is_unused_or_missing(notebook):
    try:
        tree = ast.parse(notebook.program())
    except SyntaxError as error:
        yield f"the code does not parse: {error}"
        return
    wanted = (
        messages.UnusedImport,
        messages.UndefinedName,
        messages.ImportStarUsed,
        messages.UndefinedLocal,
    )
    for message in checker.Checker(tree, builtins={"display", "get_ipython"}).messages:
        if isinstance(message, wanted):
            yield message.message % message.message_args


@about(NOTEBOOK_CONTRACTS)
def every_imported_name_exists(notebook):
    try:
        tree = ast.parse(notebook.program())
    except SyntaxError:
        return  # another contract's business
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (
            f"import of {name}, which does not exist"
            for name in names
            if not exists(name, notebook.root)
        )


@about(NOTEBOOK_CONTRACTS)
def every_helper_named_in_the_text_exists(notebook):
    for cell in notebook.text:
        for name in re.findall(r"`[^`\n]*?\b(course_utils(?:\.\w+)+)[^`\n]*`", cell["source"]):
            if not exists(name, notebook.root):
                yield f"the text names {name}, which does not exist"


@functools.cache
def exists(name: str, root: pathlib.Path) -> bool:
    """Whether a dotted name can be imported; names of the course are looked up in its files."""
    first, *rest = name.split(".")
    if first not in ("course_utils", "course_tools"):
        return importable(name)
    place = root / first
    for step, part in enumerate(rest):
        if (place / part).is_dir():
            place = place / part
        elif (place / f"{part}.py").is_file():
            return not rest[step + 1 :] or rest[step + 1] in top_level(place / f"{part}.py")
        else:
            return part in top_level(place / "__init__.py")
    return place.is_dir()


def importable(name: str) -> bool:
    """Whether `name` is a module or an attribute of one."""
    try:
        importlib.import_module(name)
    except ImportError:
        module, _, attribute = name.rpartition(".")
        try:
            return bool(module) and hasattr(importlib.import_module(module), attribute)
        except ImportError:
            return False
    return True


def top_level(module: pathlib.Path) -> set[str]:
    """The names a module defines or imports at its top level."""
    names = set()
    for node in ast.parse(module.read_text(encoding="utf-8")).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names.update(alias.asname or alias.name for alias in node.names)
        else:
            names.update(
                n.id
                for n in ast.walk(node)
                if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
            )
    return names


# ------------------------------------------------------------------ truth of the text


@about(NOTEBOOK_CONTRACTS)
def a_lesson_compares_outputs(notebook):
    if notebook.lesson and not any("nbval-check-output" in cell["tags"] for cell in notebook.code):
        yield "no cell is tagged nbval-check-output"


@about(NOTEBOOK_CONTRACTS)
def tolerances_and_claims_can_be_followed(notebook):
    for number, cell in enumerate(notebook.cells, 1):
        yield from (f"cell {number}: {problem}" for problem in compared.metadata_problems(cell))


@about(NOTEBOOK_CONTRACTS)
def no_cell_prints_true_or_false(notebook):
    """A reader wants the numbers; what must hold is a claim in the metadata."""
    for number, output in outputs(notebook):
        if found := re.search(r"\b(True|False)\b", output_text(output)):
            yield f"code cell {number} prints {found[0]}; print numbers, and put the condition into its claims"


@about(NOTEBOOK_CONTRACTS)
def every_quoted_number_is_printed_by_a_compared_cell(notebook):
    if not notebook.lesson:
        return
    printed = set()
    for cell in notebook.code:
        if "nbval-check-output" in cell["tags"]:
            for output in cell["outputs"]:
                plain = (
                    "".join(output.get("text", ""))
                    + "\n"
                    + "".join(output.get("data", {}).get("text/plain", ""))
                )
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
    number = re.compile(
        r"(?<![\w.])\d+(?:\.\d+)?"
        rf"(?=(?P<unit>{space}?(?:%|×(?!{space}?\d))|{space}?(?:dB|kB|MB|GB)\b|{space}(?:bytes|ms|s|times)\b)?)"
        r"(?!\.?[\w])"
    )
    plain = without_thousands(prose(text))
    return [m[0] for m in number.finditer(plain) if "." in m[0] or m["unit"]]


def without_thousands(text: str) -> str:
    """12,345 and 12 345 (thin or fixed space) as 12345."""
    return re.sub(r"(?<=\d)[,\u00a0\u2009\u202f](?=\d{3}(?!\d))", "", text)


def prose(text: str, keep_links: bool = False) -> str:
    """Markdown without code, formulas, HTML tags and the targets of links."""
    text = re.sub(r"```.*?```|~~~.*?~~~", " ", text, flags=re.DOTALL)
    text = re.sub(r"\$\$.*?\$\$", " ", text, flags=re.DOTALL)
    text = re.sub(r"(`+).+?\1|(?<!\\)\$(?!\s)[^$\n]+?(?:\n[^$\n]+?)*\$", " ", text)
    text = re.sub(r"\\\(.*?\\\)|\\\[.*?\\\]", " ", text, flags=re.DOTALL)
    if keep_links:
        return text
    return re.sub(r"\]\([^)]*\)|<[^>\n]+>|https?://\S+", "] ", text)


# ------------------------------------------------------------------ exercises

CARD = re.compile(r"^### Exercise (\d\d\.\d+) · \S.*$", re.MULTILINE)


def exercise_cells(notebook: Notebook) -> dict[str, list[dict]]:
    """Code cells by exercise number, from the tags exercise-NN.k."""
    found = {}
    for cell in notebook.code:
        for tag in cell["tags"]:
            if tag.startswith("exercise-"):
                found.setdefault(tag.removeprefix("exercise-"), []).append(cell)
    return found


def check_call(source: str) -> str | None:
    """The name in the last line `check.name(...)` of an exercise cell."""
    lines = source.strip().splitlines() or [""]
    found = re.match(r"(?:\w+ = )?check\.(\w+)\(.*\)$", lines[-1])
    return found[1] if found else None


@about(NOTEBOOK_CONTRACTS)
def every_exercise_is_a_card_and_a_stub_that_is_checked(notebook):
    if not notebook.lesson:
        return
    cards = [
        (i, cell)
        for i, cell in enumerate(notebook.cells)
        if cell["source"].startswith("### Exercise")
    ]
    least = 1 if notebook.number == "00" else 3
    if not least <= len(cards) <= 6:
        yield f"{len(cards)} exercises; {least} to 6 is right"
    for position, (index, card) in enumerate(cards, 1):
        wanted = f"{notebook.number}.{position}"
        title = CARD.match(card["source"])
        if not title or title[1] != wanted:
            yield f'"{card["source"].splitlines()[0]}" should begin: ### Exercise {wanted} · Title'
        if not re.search(r"[★☆]", card["source"]) or not re.search(r"\b\d+ min", card["source"]):
            yield f"exercise {wanted}: the card has no difficulty (★) or no minutes"
        stub = notebook.cells[index + 1] if index + 1 < len(notebook.cells) else {"tags": []}
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
        if (
            re.search(r"\bcheck\.\w+\(", cell["source"])
            and "nbval-check-output" not in cell["tags"]
        ):
            yield f"code cell {number} calls a check and is not tagged nbval-check-output"


@about(COURSE_CONTRACTS)
def stubs_and_solutions_belong_together(course):
    paired = {lesson.path for lesson, _ in course.pairs()}
    yield from (
        f"{x.path} has no solutions"
        for x in course.lessons
        if exercise_cells(x) and x.path not in paired
    )
    for lesson, solution in course.pairs():
        stubs, answers = exercise_cells(lesson), exercise_cells(solution)
        if list(stubs) != list(answers):
            yield f"{solution.path}: exercises {list(answers)}, but the lesson has {list(stubs)}"
        for number in stubs.keys() & answers.keys():
            stub, answer = (
                "\n".join(c["source"] for c in cells[number]) for cells in (stubs, answers)
            )
            if check_call(stub) != check_call(answer):
                yield f"exercise {number}: stub and solution call different checks"
            for name, (signature, docstring) in functions(stub).items():
                other = functions(answer).get(name)
                if other is None:
                    yield f"exercise {number}: the solution has no function {name}"
                elif other != (signature, docstring):
                    what = "signature" if other[0] != signature else "docstring"
                    yield f"exercise {number}: the {what} of {name} differs in the solution"


def functions(source: str) -> dict[str, tuple[str, str]]:
    """Signature and docstring of each function and method of a cell."""
    found = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef):
            returns = ast.unparse(node.returns) if node.returns else ""
            found[node.name] = (
                f"{ast.unparse(node.args)} -> {returns}",
                ast.get_docstring(node) or "",
            )
    return found


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


@about(COURSE_CONTRACTS)
def each_notebook_leads_on_and_back(course):
    for lesson, following in zip(course.lessons, [*course.lessons[1:], None]):
        end = lesson.text[-1]["source"] if lesson.text else ""
        links = re.findall(r"\]\(([^)]+)\)", end)
        if not {"../README.md", "00_start_here.ipynb"} & set(links):
            yield f"{lesson.path}: the last text does not link to ../README.md or 00_start_here.ipynb"
        if following and following.file.name not in links:
            yield f"{lesson.path}: the last text does not link to {following.file.name}"
        if not following and "next" not in end.lower():
            yield f"{lesson.path}: the last text does not name what comes next"
    for lesson, solution in course.pairs():
        if f"](../{lesson.file.name})" not in "".join(cell["source"] for cell in solution.text):
            yield f"{solution.path}: no link back to its lesson"


@about(COURSE_CONTRACTS)
def readme_and_headers_agree(course):
    readme = (course.root / "README.md").read_text(encoding="utf-8")
    for lesson in course.lessons:
        row = re.search(
            rf"^\| \[[^\]]*\]\({re.escape(lesson.path)}\) \|[^|\n]*\| (\d+) \| (\d+) \| (\d+) \|([^|\n]*)\|$",
            readme,
            re.MULTILINE,
        )
        cost = COST.search(lesson.cells[0]["source"])
        if not row:
            yield f"README has no row for {lesson.path}"
        elif not cost or row.groups()[:3] != (cost[2], cost[3], cost[5]):
            yield f"README says {row.groups()[:3]} of {lesson.path}, its header something else; make run"
        elif badges(repository(course.root), lesson.path) not in row[4]:
            yield f"README has not the badges of {lesson.path}; mend: .venv/bin/python -m course_tools.links"


# ------------------------------------------------------------------ the Python behind it


class Module:
    """A parsed module of course_utils or course_tools."""

    def __init__(self, file: pathlib.Path):
        self.file, self.name = file, file.stem
        text = file.read_text(encoding="utf-8")
        self.lines, self.tree = len(text.splitlines()), ast.parse(text)
        self.exported = None
        for node in self.tree.body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
                self.exported = ast.literal_eval(node.value)

    def imports(self) -> set[str]:
        """Dotted names of everything imported, at any depth."""
        names = set()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                names.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                names.update(
                    {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
                )
        return names


@about(MODULE_CONTRACTS)
def a_module_says_what_it_exports(module):
    if module.exported is None:
        yield "no __all__"
    else:
        yield from (
            f"__all__ names {n}, which is not there"
            for n in module.exported
            if n not in top_level(module.file)
        )


@about(MODULE_CONTRACTS)
def a_module_is_small(module):
    if module.name not in ("__init__", "__main__") and not 20 <= module.lines <= 250:
        yield f"{module.lines} lines; 20 to 250 is a module"


@about(MODULE_CONTRACTS)
def public_things_have_docstrings(module):
    if not ast.get_docstring(module.tree):
        yield "no docstring"
    for node in module.tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
            if not ast.get_docstring(node):
                yield f"{node.name} has no docstring"


@about(MODULE_CONTRACTS)
def a_helper_reads_no_notebooks(module):
    if "course_utils" in module.file.parts and {name.split(".")[0] for name in module.imports()} & {
        "nbformat",
        "nbclient",
    }:
        yield "a helper reads notebooks"
