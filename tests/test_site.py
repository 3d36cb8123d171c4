"""The website: its pages and links, what it says of a fault, and that everybody can read it."""

import importlib
import pathlib
import pkgutil
import re
import shutil
import time
from types import SimpleNamespace

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

import course_utils
from course_tools.course_files import write_manifest
from course_tools.lessons import notebooks
from course_tools.links import address
from course_tools.publishing import pages, site
from course_tools.publishing.lesson_pages import INTERACTIVE, lesson_page
from course_utils import course_map

ROOT = pathlib.Path(__file__).resolve().parent.parent
LESSON = "notebooks/01_sparse_representation"
DOCS = ROOT / "docs"
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
PICTURE = new_output("display_data", {"image/png": PNG, "text/plain": "<Figure>"})


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder of the site, built without a warning."""
    pytest.importorskip("myst_nb", reason="Sphinx is not installed (extra: site)")
    target = tmp_path_factory.mktemp("build") / "site"
    assert site.build(target) == 0
    return target


def parsed(folder, name):
    from bs4 import BeautifulSoup  # comes with the theme

    return BeautifulSoup((folder / name).read_text(encoding="utf-8"), "html.parser")


def test_no_link_is_dead_and_nothing_is_fetched_from_a_network(built):
    files = [file for file in built.rglob("*.html") if "_static" not in file.parts]
    text = {file: file.read_text(encoding="utf-8") for file in files}
    anchors = {file: {"", *re.findall(r'\sid="([^"]+)"', text[file])} for file in files}
    assert len(files) > 90
    for file in files:
        loaded = re.findall(r'<(?:script|img|link)\b[^>]* (?:src|href)="([^"]+)"', text[file])
        assert not [target for target in loaded if re.match(r"(https?:)?//", target)], file
        for target in {*loaded, *re.findall(r'<a\b[^>]*\shref="([^"]+)"', text[file])}:
            path, _, anchor = re.sub(r"\?\w+=\w+", "", target).partition("#")
            there = (file.parent / path).resolve() if path else file
            if not re.match(r"\w+:", target):
                assert there.is_file() and anchor in anchors.get(there, {""}), (file, target)
    for file in built.rglob("*.css"):
        assert not re.search(r"(url\(|@import )[\"']?(https?:)?//", file.read_text("utf-8")), file


def test_a_lesson_has_launch_buttons_folded_set_up_words_of_pictures_and_solutions(built):
    cells = nbformat.read(ROOT / f"{LESSON}.ipynb", as_version=4).cells
    lesson = parsed(built, f"{LESSON}.html")
    links = {tag["href"] for tag in lesson.select("a[href]")}
    repository = address().removeprefix("https://github.com/")
    colab = f"https://colab.research.google.com/github/{repository}/blob/main/{LESSON}.ipynb"
    binder = f"https://mybinder.org/v2/gh/{repository}/main?urlpath=lab/tree/{LESSON}.ipynb"
    assert {colab, binder, f"{address()}/blob/main/{LESSON}.ipynb"} <= links
    (folded,) = lesson.select("article details")
    assert "Set-up" in folded.summary.text and "importlib" in folded.text
    assert "natural_patches" not in folded.text
    words = [text for cell in cells for text in cell.metadata.get("alt", [])]
    assert [image["alt"] for image in lesson.select("article img")] == words and len(words) > 10
    solutions = "solutions/01_sparse_representation_solutions.html"
    solved = parsed(built, f"notebooks/{solutions}")
    assert {solutions, f"{solutions}#solution-01-1"} <= links
    assert solved.select('a[href="../01_sparse_representation.html#exercise-01-1"]')
    assert "NotImplementedError" in lesson.text and "NotImplementedError" not in solved.text


def test_the_landing_page_has_minutes_and_seconds_and_lessons_in_parts(built):
    home = parsed(built, "index.html")
    header = nbformat.read(ROOT / f"{LESSON}.ipynb", as_version=4).cells[0].source
    cost = re.search(r"Reading\*\* (\d+ min) · \*\*Computing\*\* (\d+ s)", header).groups()
    row = home.select_one(f'td a[href="{LESSON}.html"]').find_parent("tr")
    assert [cell.text for cell in row("td")[2:]] == [*cost]
    titles = ["Start here", *(title for title, _, _ in course_map.PARTS)]
    parts = [caption.text for caption in home.select("nav .caption-text")]
    assert parts == [*titles, "Doors and words", "Solutions"]


def test_docstrings_and_glossary_become_pages_with_anchors_and_links(built):
    page = parsed(built, "api/wavelets.html").article
    assert page.find(id="course_utils.wavelets.wavelet2") and "Raises ValueError" in page.text
    assert page.select(f'a[href^="{address()}/blob/main/course_utils/wavelets.py#L"]')
    assert page.select(f'a[href="../{LESSON}.html"]') and "`" not in page.text
    page = parsed(built, "glossary.html")
    chinese = {term.text for term in page.select('[lang^="zh"]')}
    assert len(chinese) >= 60 and {"稀疏表示", "编码损失", "生成对抗网络"} <= chinese
    assert page.find(id="mode-collapse") and page.select(f'a[href="{LESSON}.html"]')


@pytest.fixture
def course(tmp_path):
    """A course with the settings of the website and one notebook, LESSON; it has no texts."""
    shutil.copytree(ROOT / "docs", tmp_path / "docs", ignore=shutil.ignore_patterns("*.md"))
    (tmp_path / "notebooks").mkdir()
    names = [f"docs/{file.relative_to(DOCS).as_posix()}" for file in DOCS.rglob("*.*")]
    write_manifest(tmp_path, [*names, f"{LESSON}.ipynb", "docs/index.md"])
    return tmp_path


def test_a_notebook_that_cannot_be_shown_is_named_and_the_old_site_stays(course, capsys):
    old, file = course / "build/site/old.html", course / f"{LESSON}.ipynb"
    old.parent.mkdir(parents=True)
    old.touch()
    error = new_output("error", ename="E", evalue="", traceback=[])
    failed = new_code_cell("1", execution_count=1, outputs=[error])
    for text, message in [
        (nbformat.writes(new_notebook(cells=[new_code_cell("2")])), "has no stored outputs"),
        (nbformat.writes(new_notebook(cells=[failed])), "stores an error in code cell 1"),
        ("", "cannot be read as a notebook"),
        ('{"cells": 3}', "cannot be read as a notebook"),
    ]:
        file.write_text(text, encoding="utf-8")
        with pytest.raises(ValueError, match=f"^{LESSON}.ipynb {message}"):
            site.build(old.parent, course)
    assert old.exists()


@pytest.mark.parametrize("found, said", [(None, "make site"), (True, "cannot be read as a")])
def test_the_command_explains_itself(course, capsys, monkeypatch, found, said):
    (course / f"{LESSON}.ipynb").touch()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: found)
    assert site.main(course) == 1 and said in capsys.readouterr().out


TEXT = """# T

[a](../README.md) [b](../course_utils/wavelets.py) [c](../data) `[d](../data)` [e](none.md)

| | x |
|---|---|
| 1 | 2 |

```{toctree}
notebooks/01_sparse_representation
```
"""


def test_faults_are_warnings_and_the_rest_is_right(course, capfd):
    pytest.importorskip("myst_nb", reason="Sphinx is not installed (extra: site)")
    outputs = [PICTURE, new_output("stream", text="between"), PICTURE]
    drawn = new_code_cell("1", execution_count=1, metadata={"alt": ["one"]}, outputs=outputs)
    cells = [new_markdown_cell("# A\n\n### B"), drawn, new_markdown_cell("# C")]
    for name in (f"{LESSON}.ipynb", f"{LESSON}-Copy1.ipynb"):  # JupyterLab's Duplicate
        nbformat.write(new_notebook(cells=cells), course / name)
    (course / "docs/index.md").write_text(TEXT, encoding="utf-8")
    for name in (".ipynb_checkpoints/index-checkpoint.md", "notes of my own.md"):
        (course / "docs" / name).parent.mkdir(exist_ok=True)
        (course / "docs" / name).write_text("# Mine", encoding="utf-8")
    assert site.main(course) == 1
    said = capfd.readouterr()
    assert re.search(r"index.md:3: WARNING: .* not found: 'none.md'", said.err)
    assert re.search(rf"{LESSON}.ipynb:2\d*: WARNING: a picture without words", said.err)
    assert said.err.count("without words") == 1 and "3 pages, with warnings" in said.out
    home = parsed(course / "build/site", "index.html").article
    links = [tag["href"] for tag in home.select("p a.reference")]
    there = ["blob/main/course_utils/wavelets.py", "tree/main/data"]
    assert links[:3] == ["#", *(f"{address()}/{path}" for path in there)]
    assert "[d](../data)" in home.text and home.th.text.strip() == "row"
    lesson = parsed(course / "build/site", "notebooks/01_sparse_representation.html").article
    assert [title.text[0] for title in lesson.select("h1, h2")] == ["A", "B", "C"]
    assert len(lesson("h1")) == 1 and lesson.img["alt"] == "one"


def test_a_progress_bar_leaves_nothing_and_a_still_picture_says_that_it_can_move():
    from notebook_contracts import WIDGETS

    bar = new_output("display_data", {"application/vnd.jupyter.widget-view+json": {}})
    slider = new_code_cell("image_slider(x)", metadata={"alt": ["words"]}, outputs=[bar, PICTURE])
    plain = new_code_cell("from course_utils.display import image_slider")
    cells = lesson_page(f"{LESSON}.ipynb", new_notebook(cells=[slider, plain])).cells
    assert len(cells) == 3 and len(cells[0].outputs) == 1 and "you can move it" in cells[1].source
    for name in re.findall(r"\w{4,}", WIDGETS):
        assert INTERACTIVE.search(f"    {name}(x)"), name


def test_hours_are_summed_from_headers_and_cards():
    text = "**Reading** 45 min · **Computing** 99 s on 2 CPU cores · **Memory** 9990 MB"
    same = new_notebook(cells=[new_markdown_cell(f"{text}\n\n★★☆ · 20 minutes. Do.")])
    paths = [file.relative_to(ROOT).as_posix() for file in notebooks()]
    table = pages.time_table(dict.fromkeys(paths, same))
    assert "| Start here | 00 | 45 min | 20 min | 1 h 05 |" in table
    assert "| **All** |  | 12 h 00 | 5 h 20 | 17 h 20 |" in table


def test_plain_docstrings_become_restructured_text():
    pytest.importorskip("sphinx", reason="Sphinx is not installed (extra: site)")
    from course_tools.publishing.extension import docstring

    app = SimpleNamespace(env=SimpleNamespace(found_docs={"notebooks/01_sparse_representation"}))
    lines = ["2 * a_ of `x_hat`, |z|:", "", "    a * b", "", "Built in notebooks 01 and 99.", "  b"]
    docstring(app, "", "", None, None, lines)
    links = "Built in notebooks :doc:`01 </notebooks/01_sparse_representation>` and 99."
    expected = [r"2 \* a\_ of ``x_hat``, \|z\|:", "::", "    a * b", links, "  b"]
    assert [line for line in lines if line] == expected


def test_every_helper_with_public_names_has_a_page_but_no_check_of_an_exercise():
    listed = re.findall(r"^   (\w[\w.]*)$", (ROOT / "docs/api/index.md").read_text("utf-8"), re.M)
    public = {"": set()}
    for module in pkgutil.walk_packages(course_utils.__path__, "course_utils."):
        name = module.name.removeprefix("course_utils.")
        public[name] = set(getattr(importlib.import_module(module.name), "__all__", []))
        check = re.search(r"exercises\.(notebook_|mistakes)|__main__$", name)
        shown = public[name] <= public[name.rpartition(".")[0]]  # on the page of its package
        assert name not in listed if check else name in listed or shown, name
    assert len(listed) == len(set(listed)) and set(listed) <= set(public)


# ------------------------------------------------------------------ in a browser


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium that reads the site from the disk."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="extra: browser")
    options, driver = webdriver.ChromeOptions(), shutil.which("chromedriver")
    options.binary_location = shutil.which("chromium") or shutil.which("google-chrome") or ""
    if not (options.binary_location and driver):
        pytest.skip("Chromium or its chromedriver is not installed")
    for flag in ["headless=new", "no-sandbox", "disable-dev-shm-usage", "no-proxy-server"]:
        options.add_argument(f"--{flag}")
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    browser.set_script_timeout(120)
    yield browser
    browser.quit()


def show(browser, file: pathlib.Path, theme: str = "light", width: int = 1300, query: str = ""):
    """Open a page in a theme and at a width; wait for its formulas."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    choice = {"source": f"localStorage.mode = localStorage.theme = '{theme}'"}
    script = browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", choice)
    browser.get(file.as_uri() + query)
    browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", script)
    browser.execute_async_script("""const done = arguments[0];
        (window.MathJax?.startup ? MathJax.startup.promise : Promise.resolve())
        .then(() => setTimeout(done, 300))""")
    assert browser.execute_script("return document.documentElement.dataset.theme") == theme


def check_access(browser, file: pathlib.Path, theme: str) -> None:
    """axe-core objects to nothing, and a phone shows the page without scrolling sideways."""
    axe = importlib.util.find_spec("selenium_axe_python")
    if axe is None:
        pytest.skip("selenium-axe-python is not installed (extra: browser)")
    show(browser, file, theme)
    script = next(pathlib.Path(axe.origin).parent.rglob("axe.min.js"))
    browser.execute_script(script.read_text(encoding="utf-8"))
    found = browser.execute_async_script("axe.run(document).then(arguments[0])")
    faults = [(rule["id"], node["html"]) for rule in found["violations"] for node in rule["nodes"]]
    assert not faults and len(found["passes"]) > 10, file
    show(browser, file, theme, 390)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 390, file


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nobody_is_shut_out(built, browser, theme):
    for name in ["index", "glossary", "api/index", "api/wavelets", "notebooks/00_start_here"]:
        check_access(browser, built / f"{name}.html", theme)


@pytest.mark.every_lesson
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nobody_is_shut_out_of_any_page(built, browser, theme):
    for file in built.rglob("*.html"):
        if "_static" not in file.parts:  # templates of the theme
            check_access(browser, file, theme)


def test_formulas_are_drawn_from_the_disk(built, browser):
    show(browser, built / f"{LESSON}.html")
    formulas = "[...document.querySelectorAll('mjx-container')].map(formula => formula.offsetWidth)"
    drawn = browser.execute_script(f"return {formulas}")
    assert len(drawn) > 20 and min(drawn) > 2
    assert not browser.execute_script("return document.querySelectorAll('mjx-merror').length")
    loaded = "performance.getEntriesByType('resource').map(resource => resource.name)"
    assert not [name for name in browser.execute_script(f"return {loaded}") if "http" in name]


def test_the_search_finds_words_in_english_and_chinese(built, browser):
    results = "return [...document.querySelectorAll('#search-results a')].map(link => link.href)"
    for word, there in [("PyWavelets", "01_sparse_representation"), ("模式崩溃", "glossary")]:
        show(browser, built / "search.html", query=f"?q={word}")
        end = time.monotonic() + 100
        while not (found := browser.execute_script(results)):
            assert time.monotonic() < end, f"nothing found for {word}"
            time.sleep(0.2)
        assert any(there in address for address in found), (word, found)
