"""The website: what it says when it cannot be built, its pages, its links, and that everybody can read it."""

import importlib.util
import pathlib
import re
import shutil
import time

import nbformat
import pytest

from course_tools.links import address
from course_tools.publishing import api, html_checks, pages, site
from course_tools.publishing.lesson_pages import INTERACTIVE, lesson_page
from course_tools.publishing.site_links import SiteLinks
from course_utils import course_map

ROOT = pathlib.Path(__file__).resolve().parent.parent
LESSONS = ["notebooks/00_start_here.ipynb", "notebooks/01_sparse_representation.ipynb"]
CHOSEN = [*LESSONS, "notebooks/solutions/01_sparse_representation_solutions.ipynb"]
CHROMIUM = next(
    filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None
)
DRIVER = shutil.which("chromedriver")
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
LINKS = SiteLinks(["docs/index.md", "docs/contributors.md", "docs/glossary.md"], CHOSEN, ROOT)


# ------------------------------------------------------------------ a site of three notebooks


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """The site of three notebooks and two helpers: its folder and its problems."""
    if missing := [
        package
        for module, package in site.NEEDED.items()
        if importlib.util.find_spec(module) is None
    ]:
        pytest.skip(f"not installed: {', '.join(missing)} (extra: site)")
    target = tmp_path_factory.mktemp("build") / "site"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(api, "modules", lambda: ["wavelets", "run"])
        return target, site.build(CHOSEN, target)


def page(small, name):
    return (small[0] / name).read_text(encoding="utf-8")


def test_the_site_is_built_without_a_warning_a_dead_link_a_wordless_picture_or_a_request_to_a_network(
    small,
):
    assert small[1] == {
        kind: []
        for kind in (
            "warnings",
            "broken links",
            "pictures without words",
            "remote",
            "figures without words",
        )
    }


def test_every_figure_of_a_notebook_has_its_own_words(small):
    notebook = nbformat.read(ROOT / CHOSEN[1], as_version=4)
    words = [text for cell in notebook.cells for text in cell.metadata.get("alt", [])]
    shown = re.findall(
        r'<img alt="([^"]*)" src="\.\./_images',
        page(small, "notebooks/01_sparse_representation.html"),
    )
    plain = [re.sub(r"&\w+;|&#\d+;|[\"'<>&]", "", text) for text in shown]
    assert plain == [re.sub(r"[\"'<>&]", "", text) for text in words] and len(words) > 10


def test_stubs_are_shown_and_lead_to_their_solutions_and_back(small):
    lesson = page(small, "notebooks/01_sparse_representation.html")
    solved = page(small, "notebooks/solutions/01_sparse_representation_solutions.html")
    assert 'href="solutions/01_sparse_representation_solutions.html#solution-01-1"' in lesson
    assert (
        'href="../01_sparse_representation.html#exercise-01-1"' in solved
        and 'id="solution-01-1"' in solved
    )
    assert "NotImplementedError" in lesson and "NotImplementedError" not in solved


def test_the_set_up_cell_is_folded_and_nothing_of_a_progress_bar_is_left(small):
    lesson = page(small, "notebooks/01_sparse_representation.html")
    assert '<details class="setup">' in lesson and "widget-view" not in lesson
    code = lesson.index("importlib")
    assert lesson.rindex("<details", 0, code) == lesson.index('<details class="setup">')
    assert code < lesson.index("</details>", code) < lesson.index("natural_patches")


def test_badges_are_local_buttons_to_colab_and_binder(small):
    lesson = page(small, "notebooks/00_start_here.html")
    assert "badge.svg" not in lesson and "badge_logo" not in lesson
    for host in ("colab.research.google.com/github", "mybinder.org/v2/gh"):
        assert re.search(rf'class="launch[^"]*" href="https://{host}[^"]*00_start_here', lesson), (
            host
        )


def test_the_landing_page_has_minutes_and_seconds_of_the_headers(small):
    for path in LESSONS:
        header = nbformat.read(ROOT / path, as_version=4).cells[0].source
        minutes, seconds = re.search(
            r"Reading\*\* (\d+) min · \*\*Computing\*\* (\d+) s", header
        ).groups()
        row = re.search(
            rf"<tr[^>]*><td>.*?{pathlib.Path(path).stem}.*?</tr>",
            page(small, "index.html"),
            re.DOTALL,
        )[0]
        assert f"{minutes} min" in row and f"{seconds} s" in row


def test_solutions_are_a_section_of_their_own_behind_the_lessons(small):
    captions = re.findall(
        r'role="heading"><span class="caption-text">([^<]+)<', page(small, "index.html")
    )
    assert captions[-1] == "Solutions" and captions[:2] == ["Start here", "Sparse representation"]


def test_docstrings_become_pages_with_signatures(small):
    text = page(small, "api/wavelets.html")
    assert 'id="course_utils.wavelets.wavelet2"' in text and "Raises ValueError" in text
    assert f'href="{address()}/blob/main/course_utils/wavelets.py#L' in text


def test_the_glossary_has_both_languages_anchors_and_links(small):
    text = page(small, "glossary.html")
    for word in ("稀疏表示", "稀疏自编码", "编码损失", "解码损失", "生成对抗网络", "模式崩溃"):
        assert re.search(rf'<span[^>]*lang="zh[^"]*"[^>]*>{word}', text), word
    assert 'id="mode-collapse"' in text and 'href="notebooks/01_sparse_representation.html"' in text
    assert text.count('lang="zh') >= 60


# ------------------------------------------------------------------ bad input


@pytest.fixture
def course(tmp_path):
    """A course of one notebook, without a website's settings: nothing of it can be built by Sphinx."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/index.md").write_text("# T\n", encoding="utf-8")
    (tmp_path / "notebooks").mkdir()
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def written(course, *cells):
    nbformat.write(nbformat.v4.new_notebook(cells=list(cells)), course / "notebooks/01_x.ipynb")
    return [str(course / "notebooks/01_x.ipynb")]


def test_a_notebook_without_stored_outputs_is_named_with_the_command_that_runs_it(
    course, capsys, monkeypatch
):
    monkeypatch.setattr(site, "NEEDED", {})
    (course / "build/site").mkdir(parents=True)
    (course / "build/site/old.html").touch()
    code = nbformat.v4.new_code_cell
    assert site.main(written(course, code("1", execution_count=1), code("print(2)")), course) == 1
    said = capsys.readouterr().out
    assert "notebooks/01_x.ipynb has no stored outputs: code cell 2" in said
    assert "make run ARGS=notebooks/01_x.ipynb" in said
    assert (course / "build/site/old.html").exists()  # the old site stays


def test_a_stored_error_and_a_broken_file_are_named(course, capsys, monkeypatch):
    monkeypatch.setattr(site, "NEEDED", {})
    error = nbformat.v4.new_output("error", ename="E", evalue="", traceback=[])
    assert (
        site.main(
            written(course, nbformat.v4.new_code_cell("1", execution_count=1, outputs=[error])),
            course,
        )
        == 1
    )
    assert "stores an error in code cell 1" in capsys.readouterr().out
    file = course / "notebooks/01_x.ipynb"
    for broken in ("", "{", "[]", '{"cells": 3}'):
        file.write_text(broken, encoding="utf-8")
        assert site.main([str(file)], course) == 1
        assert "notebooks/01_x.ipynb cannot be read as a notebook" in capsys.readouterr().out


def test_missing_packages_are_named_with_the_extra(capsys, monkeypatch):
    monkeypatch.setattr(site, "NEEDED", {"no_such_module": "no-such-package"})
    with pytest.raises(SystemExit):
        site.main([CHOSEN[0]])
    said = capsys.readouterr().err
    assert "no-such-package" in said and "pip install -e .[site]" in said and "make site" in said


def test_a_file_that_is_no_notebook_of_the_course_is_refused(capsys, tmp_path):
    (tmp_path / "x.ipynb").touch()
    for name in ("notebooks/99_none.ipynb", "README.md", str(tmp_path / "x.ipynb")):
        with pytest.raises(SystemExit):
            site.main([name])
        assert "is not a notebook of the course" in capsys.readouterr().err


def test_a_warning_of_sphinx_is_counted_and_a_failure_told(course, monkeypatch):
    pytest.importorskip("myst_nb", reason="myst-nb is not installed (extra: site)")
    monkeypatch.setattr(api, "modules", lambda: [])
    conf = course / "docs/conf.py"
    conf.write_text('extensions = ["myst_nb"]\nexclude_patterns = ["api"]\n', encoding="utf-8")
    (course / "docs/index.md").write_text("# T\n\n### No second level\n", encoding="utf-8")
    found = site.build([], course / "build/site", course)
    assert len(found["warnings"]) == 1 and "H1 to H3" in found["warnings"][0]
    conf.write_text("1 / 0\n", encoding="utf-8")
    with pytest.raises(RuntimeError, match="(?s)Sphinx failed.*ZeroDivisionError|division by zero"):
        site.build([], course / "build/site", course)


# ------------------------------------------------------------------ parts


def test_links_lead_to_pages_or_to_the_repository():
    lesson, solution = CHOSEN[1], CHOSEN[2]
    home = address()
    for source, target, there in [
        (lesson, "00_start_here.ipynb", "00_start_here.ipynb"),
        (lesson, solution.removeprefix("notebooks/"), solution.removeprefix("notebooks/")),
        (solution, "../01_sparse_representation.ipynb", "../01_sparse_representation.ipynb"),
        (lesson, "../README.md", "../index.md"),
        ("CONTRIBUTING.md", "notebooks/00_start_here.ipynb", "notebooks/00_start_here.ipynb"),
        ("docs/glossary.md", "../notebooks/00_start_here.ipynb", "notebooks/00_start_here.ipynb"),
        (lesson, "../course_utils/wavelets.py", home + "/blob/main/course_utils/wavelets.py"),
        (lesson, "../data/README.md", home + "/blob/main/data/README.md"),
        (lesson, "../data", home + "/tree/main/data"),
        (
            lesson,
            "15_project.ipynb",
            home + "/blob/main/notebooks/15_project.ipynb",
        ),  # not in this site
    ]:
        assert LINKS.link(source, target) == there


def test_links_in_code_stay_as_they_are_and_anchors_are_kept():
    for before, after in [
        ("[a](../README.md#begin)", "[a](../index.md#begin)"),
        ("`[b](../README.md)`", "`[b](../README.md)`"),
        ("```\n[c](../README.md)\n```\n", "```\n[c](../README.md)\n```\n"),
        (
            "```{note}\n[d](../README.md)\n```\n[e](../README.md)",
            "```{note}\n[d](../index.md)\n```\n[e](../index.md)",
        ),
        ("[f](#here) [g](https://x.org)", "[f](#here) [g](https://x.org)"),
    ]:
        assert LINKS.rewritten(CHOSEN[0], before) == after


def picture():
    return nbformat.v4.new_output("display_data", {"image/png": PNG, "text/plain": "<Figure>"})


def paged(*cells):
    return lesson_page(CHOSEN[1], nbformat.v4.new_notebook(cells=list(cells)), LINKS)


def test_two_pictures_of_a_cell_become_two_cells_each_with_its_words():
    text = nbformat.v4.new_output("stream", text="between")
    cell = nbformat.v4.new_code_cell(
        "draw()", outputs=[picture(), text, picture()], metadata={"alt": ["one", "two"]}
    )
    new, wordless = paged(cell)
    assert (
        len(new.cells) == 2
        and new.cells[0].source == "draw()"
        and new.cells[1].source
        and not wordless
    )
    assert [c.metadata.mystnb.image.alt for c in new.cells] == ["one", "two"]
    assert "remove-input" in new.cells[1].metadata.tags and len(new.cells[0].outputs) == 2
    assert "alt" in cell.metadata and len(cell.outputs) == 3  # the notebook itself stays


def test_a_picture_without_words_is_named():
    _, wordless = paged(
        nbformat.v4.new_code_cell(
            "draw()", outputs=[picture(), picture()], metadata={"alt": ["one"]}
        )
    )
    assert wordless == ["notebooks/01_sparse_representation.ipynb, cell 1"]


def test_a_progress_bar_leaves_nothing_and_a_still_picture_says_that_it_can_move():
    bar = nbformat.v4.new_output(
        "display_data", {"application/vnd.jupyter.widget-view+json": {}, "text/plain": "0%"}
    )
    slider = nbformat.v4.new_code_cell(
        "image_slider(x, y)", outputs=[bar, picture()], metadata={"alt": ["words"]}
    )
    new, _ = paged(slider)
    assert len(new.cells[0].outputs) == 1 and "you can move it" in new.cells[1].source
    new, _ = paged(
        nbformat.v4.new_code_cell("from course_utils.display import image_slider", outputs=[])
    )
    assert len(new.cells) == 1


def test_the_site_knows_every_interactive_figure_of_the_contracts():
    from notebook_contracts import WIDGETS

    for name in re.findall(r"\w{4,}", WIDGETS):
        assert INTERACTIVE.search(f"    {name}(x)"), name


def test_headings_leave_no_level_out_and_a_page_has_one_title():
    text = nbformat.v4.new_markdown_cell
    new, _ = paged(text("# A\n\n### B\n\n```\n# no heading\n```"), text("# C\n\n## D"))
    assert [c.source for c in new.cells] == [
        "# A\n\n## B\n\n```\n# no heading\n```",
        "## C\n\n### D",
    ]


def test_every_notebook_is_in_a_part_of_the_navigation():
    numbers = [number for _, numbers in pages.parts() for number in numbers]
    assert (
        numbers == [f"{i:02}" for i in range(16)]
        and len(pages.parts()) == len(course_map.PARTS) + 1
    )


def test_hours_are_summed_from_headers_and_cards():
    cell = nbformat.v4.new_markdown_cell
    header = (
        "# 01 · T\n\n**Reading** 45 min · **Computing** 99 s on 2 CPU cores · **Memory** 9990 MB"
    )
    card = "### Exercise 01.1 · E\n\n★★☆ · 20 minutes. Do."
    notebook = nbformat.v4.new_notebook(cells=[cell(header), cell(card)])
    table = pages.time_table({CHOSEN[1]: notebook}, ROOT)
    assert (
        "| Sparse representation | 01 | 45 min | 20 min | 1 h 05 |" in table
        and "| **All** |" in table
    )


def test_plain_docstrings_become_restructured_text():
    lines = [
        "2 * a_ of `x_hat`, |z|:",
        "",
        "    python -m x  # as it stands *",
        "",
        "Built in notebooks 01 and 99.",
        "- a",
        "  b",
    ]
    assert api.to_rst(lines, {"01": "notebooks/01_x"}) == [
        r"2 \* a\_ of ``x_hat``, \|z\|:",
        "",
        "::",
        "",
        "    python -m x  # as it stands *",
        "",
        "",
        "Built in notebooks :doc:`01 </notebooks/01_x>` and 99.",
        "- a",
        "  b",
    ]


def test_every_helper_with_public_names_has_a_page_but_no_check_of_an_exercise():
    found = [name for names in api.groups().values() for name in names]
    assert len(found) == len(set(found)) and set(sum(api.GROUPS.values(), [])) <= set(found)
    assert {"wavelets", "training", "autoencoders"} <= set(found) and not [
        name for name in found if "notebook_" in name
    ]


def test_the_checks_of_a_built_site_find_what_is_wrong(tmp_path):
    (tmp_path / "good.html").write_text(
        '<h1 id="top-of-it">T</h1><a href="#top-of-it">1</a><a href="https://x.org">2'
    )
    (tmp_path / "bad.html").write_text(
        '<a href="none.html">1</a><a href="good.html#none">2</a><a href="good.html#top-of-it">3</a>'
        '<img src="none.png" alt=""><script src="https://cdn.org/x.js"></script>'
        '<link rel="stylesheet" href="//cdn.org/x.css"><link rel="canonical" href="https://x.org">'
    )
    (tmp_path / "x.css").write_text(
        '@font-face { src: url("https://fonts.org/a.woff") } a { background: url(data:x) }'
    )
    found = html_checks.problems(tmp_path)
    assert found["broken links"] == [
        "bad.html: none.html",
        "bad.html: good.html#none",
        "bad.html: none.png",
    ]
    assert found["pictures without words"] == ["bad.html: none.png"]
    assert found["remote"] == [
        "bad.html: https://cdn.org/x.js",
        "bad.html: //cdn.org/x.css",
        "x.css: https://fonts.org/a.woff",
    ]


# ------------------------------------------------------------------ in a browser


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """A headless Chromium that reads the site from the disk."""
    webdriver = pytest.importorskip(
        "selenium.webdriver", reason="selenium is not installed (extra: browser)"
    )
    if not (CHROMIUM and DRIVER):
        pytest.skip("Chromium or its chromedriver is not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in [
        "headless=new",
        "no-sandbox",
        "disable-gpu",
        "no-first-run",
        "disable-dev-shm-usage",
        "disable-sync",
        "disable-background-networking",
        "disable-component-update",
        "no-proxy-server",
        "hide-scrollbars",
        f"user-data-dir={tmp_path_factory.mktemp('chromium')}",
    ]:
        options.add_argument(f"--{flag}")
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    driver.set_script_timeout(120)
    yield driver
    driver.quit()


def show(browser, file: pathlib.Path, theme: str, width: int, query: str = "") -> None:
    """Open a page in a theme and at a width; wait for its formulas."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    choice = {"source": f"localStorage.mode = localStorage.theme = '{theme}'"}
    script = browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", choice)
    browser.get(file.as_uri() + query)
    browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", script)
    browser.execute_async_script("""const done = arguments[0];
        (window.MathJax?.startup ? MathJax.startup.promise : Promise.resolve()).then(() => setTimeout(done, 300))""")
    assert browser.execute_script("return document.documentElement.dataset.theme") == theme


def html(path: str) -> str:
    return path.replace(".ipynb", ".html")


def barriers(browser, file: pathlib.Path, theme: str) -> list[tuple[str, str]]:
    """What axe-core objects to on a page: rule and element."""
    package = importlib.util.find_spec("selenium_axe_python")
    if package is None:
        pytest.skip("selenium-axe-python is not installed (extra: browser)")
    show(browser, file, theme, 1300)
    browser.execute_script(
        next(pathlib.Path(package.origin).parent.rglob("axe.min.js")).read_text(encoding="utf-8")
    )
    found = browser.execute_async_script("axe.run(document).then(arguments[0])")
    assert len(found["passes"]) > 10, file
    return [
        (rule["id"], node["html"][:200]) for rule in found["violations"] for node in rule["nodes"]
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nobody_is_shut_out(small, browser, theme):
    for name in [
        "index.html",
        "api/wavelets.html",
        html(CHOSEN[0]),
    ]:  # the long pages are for the next test
        assert barriers(browser, small[0] / name, theme) == [], (name, theme)


@pytest.mark.every_lesson
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(
    "file",
    html_checks.pages_of(ROOT / "build/site"),
    ids=lambda file: getattr(file, "stem", "none"),
)
def test_nobody_is_shut_out_of_any_page_that_make_site_built(browser, file, theme):
    assert barriers(browser, file, theme) == []
    show(browser, file, theme, 390)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_phone_shows_a_page_without_scrolling_sideways(small, browser, theme):
    for name in ["index.html", "glossary.html", "api/wavelets.html", html(CHOSEN[1])]:
        show(browser, small[0] / name, theme, 390)
        assert browser.execute_script("return document.documentElement.scrollWidth") <= 390, name


def test_formulas_are_drawn_from_the_disk(small, browser):
    show(browser, small[0] / html(CHOSEN[1]), "light", 1300)
    drawn = browser.execute_script(
        "return [...document.querySelectorAll('mjx-container')].map(formula => formula.getBoundingClientRect().width)"
    )
    assert len(drawn) > 20 and min(drawn) > 2
    assert not browser.execute_script("return document.querySelectorAll('mjx-merror').length")
    loaded = browser.execute_script(
        "return performance.getEntriesByType('resource').map(resource => resource.name)"
    )
    assert not [name for name in loaded if name.startswith("http")]


def test_the_search_finds_words_of_a_notebook_in_english_and_of_the_glossary_in_chinese(
    small, browser
):
    for word, there in [("PyWavelets", "01_sparse_representation"), ("模式崩溃", "glossary")]:
        show(browser, small[0] / "search.html", "light", 1300, f"?q={word}")
        end = time.monotonic() + 100
        results = (
            "return [...document.querySelectorAll('#search-results a')].map(link => link.href)"
        )
        while not (found := browser.execute_script(results)):
            assert time.monotonic() < end, f"nothing found for {word}"
            time.sleep(0.2)
        assert any(there in address for address in found), (word, found)


def test_the_command_prints_pages_warnings_and_links(small, capsys, monkeypatch):
    monkeypatch.setattr(
        site, "build", lambda chosen, target, root: {"warnings": ["w1"], "broken links": []}
    )
    assert site.main([CHOSEN[0]]) == 1
    said = capsys.readouterr().out
    assert "warnings: w1" in said and re.search(
        r"\d+ pages, 1 warnings, 0 broken links, \d+ s", said
    )
