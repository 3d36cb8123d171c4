"""An import goes one way: the layers of course_utils, and who may import course_tools."""

import ast
import graphlib
import importlib.util
import pathlib
import re
import subprocess
import sys

import pytest

from course_tools.lessons import notebooks

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
PICTURE = re.search(r"## The layers.*?```text\n(.*?)```", PAGE, re.DOTALL)[1]
# From below; behind two spaces each line of the picture has its words.
LAYERS = [line.split("  ")[0].split() for line in reversed(PICTURE.splitlines())]
LAYER_OF = {name: level for level, names in enumerate(LAYERS) for name in names}


def modules_of(package: str) -> dict[str, pathlib.Path]:
    """The files of a package, by dotted name."""
    files = {f.relative_to(ROOT): f for f in (ROOT / package).rglob("*.py")}
    dotted = {".".join(name.with_suffix("").parts): file for name, file in files.items()}
    return {name.removesuffix(".__init__"): file for name, file in dotted.items()}


def imports_of(code: str) -> set[str]:
    """Dotted names that a program imports, inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"a relative import in line {node.lineno}: write the whole name"
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


MODULES = modules_of("course_utils")
GRAPH = {
    name: (imports_of(file.read_text(encoding="utf-8")) & MODULES.keys()) - {name, "course_utils"}
    for name, file in MODULES.items()
}


def layer(module: str) -> int:
    return LAYER_OF[module.split(".")[1]]


def upward(graph: dict[str, set[str]]) -> list[str]:
    """The imports of a graph that go to a later layer."""
    edges = [(a, b) for a, found in graph.items() for b in sorted(found)]
    return [f"{a} imports {b}" for a, b in edges if layer(b) > layer(a)]


def test_every_module_has_its_layer():
    assert {name.split(".")[1] for name in MODULES if "." in name} == LAYER_OF.keys()


def test_a_module_imports_only_from_its_layer_and_those_before():
    assert upward({name: found for name, found in GRAPH.items() if "." in name}) == []
    wrong = {"course_utils.data.sources": {"course_utils.gans"}}
    assert upward(wrong) == ["course_utils.data.sources imports course_utils.gans"]


def test_no_modules_import_each_other_in_a_circle():
    graphlib.TopologicalSorter(GRAPH).prepare()  # raises CycleError, which names the circle
    with pytest.raises(graphlib.CycleError):
        graphlib.TopologicalSorter(GRAPH | {"course_utils.files": {"course_utils.data"}}).prepare()


def test_imports_inside_functions_count():
    assert "course_utils.gans" in imports_of("def f():\n    from course_utils import gans\n")


def test_no_helper_reads_notebooks():
    for file in MODULES.values():
        assert not {"nbformat", "nbclient"} & imports_of(file.read_text(encoding="utf-8")), file


def test_every_module_says_what_it_exports():
    for name, file in (MODULES | modules_of("course_tools")).items():
        assert re.search("^__all__ = ", file.read_text(encoding="utf-8"), re.MULTILINE), name


def test_a_module_is_small():
    for name, file in (MODULES | modules_of("course_tools")).items():
        lines = len(file.read_text(encoding="utf-8").splitlines())
        small = 20 <= lines <= 250 or file.stem in ("__init__", "__main__")
        assert small, f"{name} has {lines} lines; 20 to 250 is a module"


def test_no_helper_and_no_lesson_imports_the_tools():
    """A learner on Colab does not have them."""
    line = re.compile(r"""^[\s"]*(?:from|import) course_tools\b""", re.MULTILINE)
    files = [*MODULES.values(), *notebooks()]
    assert [file.name for file in files if line.search(file.read_text(encoding="utf-8"))] == []
    assert line.search('    "import course_tools.links\\n",')


def test_the_page_names_every_variable_of_the_environment_and_where_it_is_read():
    named = dict(re.findall(r"^\| `(COURSE_\w+)` \|.*\| `([\w/.]+)` \|$", PAGE, re.MULTILINE))
    read = re.compile(r"""environ(?:\.get\(|\()?[^\n]*["'](COURSE_[A-Z_]+)["']""")
    folders = ("course_utils", "course_tools", "tests")
    texts = [file.read_text(encoding="utf-8") for f in folders for file in (ROOT / f).rglob("*.py")]
    assert {name for text in texts for name in read.findall(text)} == named.keys()
    for name, file in named.items():
        assert name in (ROOT / file).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "module, most", [("course_utils.metrics.features", 15), ("course_utils", 1)]
)
def test_one_part_does_not_load_the_whole_course(module, most):
    count = "sum(name.split('.')[0] == 'course_utils' for name in sys.modules)"
    command = [sys.executable, "-c", f"import sys, {module}; print({count})"]
    assert int(subprocess.check_output(command, cwd=ROOT)) <= most


@pytest.mark.parametrize(
    "line, now",
    [
        ("import course_utils.features", "course_utils.features is course_utils.metrics since"),
        ("import course_utils.publishing.site", "course_utils.publishing is course_tools.publish"),
        ("from course_utils.autoencoders import Atoms", "Atoms is UnitNormDecoder since"),
        ("from course_utils.sparse_gans import play", "play is train_gan_steps since"),
        ("from course_utils.session import gpu_cell", "gpu_cell is course_utils.gpu_cell.gpu_cell"),
    ],
)
def test_a_name_of_the_first_edition_says_the_new_one(line, now):
    with pytest.raises(ImportError, match=re.escape(now)):
        exec(line)


def test_other_names_are_missing_as_usual():
    with pytest.raises(ImportError, match="No module named 'course_utils.nothing'"):
        exec("import course_utils.nothing")
    with pytest.raises(ImportError, match="cannot import name 'nothing'"):
        exec("from course_utils.metrics import nothing")


def test_the_tools_are_not_installed_with_the_course():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert 'include = ["course_utils*"]' in text and importlib.util.find_spec("course_tools")
