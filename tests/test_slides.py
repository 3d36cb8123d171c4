"""Slides for a classroom: what the tags choose, what is said and what is shown, no network, nothing cut off."""

import base64
import io
import json
import pathlib
import re
import shutil
import time

import matplotlib.image
import numpy as np
import pytest

pytest.importorskip("markdown_it")
pytest.importorskip("mdit_py_plugins")
pytest.importorskip("sphinx_revealjs")
from course_tools.publishing import slides
from course_tools.publishing.slides import index_page, lesson_slides, slides_page

ROOT = pathlib.Path(__file__).resolve().parent.parent
LESSONS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
CHROMIUM = next(
    filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None
)
DRIVER = shutil.which("chromedriver")


def picture() -> str:
    file = io.BytesIO()
    matplotlib.image.imsave(file, np.zeros((30, 40)))
    return base64.b64encode(file.getvalue()).decode()


def text(source: str, *tags: str) -> dict:
    return {"cell_type": "markdown", "metadata": {"tags": list(tags)}, "source": source}


def code(
    source: str, *tags: str, prints: str = "", draws: bool = False, alt: str = "A black picture."
) -> dict:
    outputs = [{"output_type": "stream", "name": "stdout", "text": prints}] if prints else []
    if draws:
        outputs.append(
            {
                "output_type": "display_data",
                "data": {"image/png": picture(), "text/plain": "<Figure>"},
            }
        )
    metadata = {"tags": list(tags)} | ({"alt": [alt]} if draws else {})
    return {
        "cell_type": "code",
        "metadata": metadata,
        "source": source,
        "outputs": outputs,
        "execution_count": 1,
    }


TITLE = text("# 01 · A lesson\n\nWhat it is about.", "slide")


@pytest.fixture
def deck_of(tmp_path):
    """The deck of a notebook of these cells."""

    def make(*cells: dict):
        file = tmp_path / "01_lesson.ipynb"
        file.write_text(
            json.dumps({"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5}),
            "utf-8",
        )
        return lesson_slides(file)

    return make


def on(slide) -> str:
    """Title and pieces of a slide."""
    return slide.title + "".join(slide.parts)


def test_tagged_cells_are_shown_and_others_are_not(deck_of):
    page = slides_page(
        deck_of(
            TITLE,
            code("secret_setup = 1", "setup", prints="unseen output"),
            text("## Hidden heading\n\n$$h$$"),
            text("## Shown\n\n$$s = 1$$", "slide"),
            code("shown_code = 2", "slide", prints="seen output"),
            code("quiet_code = 3", "slide-output", prints="answer 42"),
        )
    )
    for shown in [
        "A lesson",
        "What it is about",
        "Shown",
        "s = 1",
        "shown_code",
        "seen output",
        "answer 42",
    ]:
        assert shown in page, shown
    for hidden in ["secret_setup", "unseen output", "Hidden heading", "quiet_code"]:
        assert hidden not in page, hidden


@pytest.mark.parametrize("file", LESSONS, ids=lambda file: file.stem)
def test_every_tagged_cell_of_the_lessons_is_in_its_deck_and_no_other(file):
    cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
    tagged = [c for c in cells if {"slide", "slide-output"} & set(c["metadata"].get("tags", []))]
    page = slides_page(lesson_slides(file))

    def pictures(of):
        return {
            "".join(o["data"]["image/png"]).replace("\n", "")
            for c in of
            if c["cell_type"] == "code"
            for o in c["outputs"]
            if "image/png" in o.get("data", {})
        }

    assert set(re.findall(r"data:image/png;base64,([^\"]+)", page)) == pictures(tagged)
    headings = [
        h
        for c in tagged
        if c["cell_type"] == "markdown"
        for h in re.findall(r"^#{1,3} ([\w .,]+)$", "".join(c["source"]), re.MULTILINE)
    ]
    for heading in headings:
        if not re.match(r"References|Next\b|Further reading|(\d+\. )?On a GPU", heading):
            assert heading in page, heading
    alts = re.findall(r'<img alt="([^"]*)"', page)
    assert len(alts) == len(re.findall("<img", page)) and all(len(alt) > 30 for alt in alts)


def test_paragraphs_are_said_and_the_rest_is_shown(deck_of):
    deck = deck_of(
        TITLE,
        text(
            "## 1. First\n\nSpoken words.\n\n$$x = 1$$\n\n- a point\n\n"
            "| a | b |\n|---|---|\n| cell | 2 |\n\n> quoted",
            "slide",
        ),
        text(
            "It reads the slide before.\n\n## 2. Second\n\nMore speech.\n\n**Predict** the *sign*.",
            "slide",
        ),
    )
    first, second = deck.slides[1], deck.slides[2]
    assert all(piece in on(first) for piece in ["1. First", "x = 1", "a point", "cell", "quoted"])
    assert "Spoken" not in on(first) and "Spoken words." in "".join(first.notes)
    assert "It reads the slide before." in "".join(first.notes) and "2. Second" in on(second)
    assert "More speech." in "".join(second.notes)
    page = slides_page(deck)
    assert (
        page.index("1. First")
        < page.index('<aside class="notes"><p>Spoken words.')
        < page.index("2. Second")
    )


@pytest.mark.parametrize(
    "predict",
    [
        "**Predict.** Which one?",
        "**Predict:** which one?",
        "**Predict**: which one?",
        "**Predict** which one.",
    ],
)
def test_the_question_is_on_the_slide_and_the_answer_comes_at_a_click(deck_of, predict):
    question = text(f"## Ask\n\nSpoken.\n\n{predict}", "slide")
    deck = deck_of(TITLE, question, code("x", "slide-output", prints="the answer"))
    slide = deck.slides[-1]
    assert slide.parts[0] == "<p>Spoken.</p>"  # the question is too short to be understood alone
    assert '<p class="predict">' in slide.parts[1] and "hich one" in slide.parts[1]
    assert slide.parts[2].startswith('<div class="fragment">') and "the answer" in slide.parts[2]


def test_bold_words_that_would_stand_alone_have_the_next_sentences_below_them(deck_of):
    alone, followed = "**A trap.** It is deep. " + "Mind it! " * 40, "**A cure.** It is cheap."
    two = "## End\n\n**One.** x\n\n**Two.** y"
    trap, cure, end = (
        deck_of(TITLE, text(t, "slide")).slides[-1] for t in (alone, f"{followed}\n\n- a list", two)
    )
    assert "It is deep. Mind it!" in on(trap) and len(on(trap)) < 400
    assert "a list" in on(cure) and "cheap" not in on(cure)
    assert "One." in on(end) and "Two." in on(end) and "<p>y" not in on(end)


def test_a_long_question_stands_alone_and_a_long_paragraph_is_shown_from_its_last_sentences_on(
    deck_of,
):
    long = (
        "**Predict.** "
        + "Which of the two will win, and by how much, if the noise is as strong as it was before? "
        * 2
    )
    said = "A first sentence that is long. " * 9 + "The last one."
    alone, with_context = (
        deck_of(TITLE, text(f"## Ask\n\n{said}\n\n{question}", "slide")).slides[-1]
        for question in (long, "**Predict.** Which?")
    )
    assert alone.parts[0].startswith('<p class="predict">')
    assert (
        with_context.parts[0].endswith("The last one.</p>")
        and 30 < len(with_context.parts[0]) < 300
    )
    assert "A first sentence" in "".join(with_context.notes)


def test_text_that_is_not_shown_is_said_on_the_slide_of_its_section_and_nowhere_else(deck_of):
    deck = deck_of(
        TITLE,
        text("## 1. One\n\n$$x$$", "slide"),
        text("It reads the formula.\n\n## 2. Two\n\nOf two.\n\n## 3. Three\n\nOf three."),
        code("x", "slide", prints="y"),
        text("It reads the output.\n\n## 4. Four\n\nOf four."),
        text("## 5. Five\n\n- a", "slide"),
    )
    one, three, five = ("".join(slide.notes) for slide in deck.slides[1:])
    assert "reads the formula" in one and "Of three" in three and "reads the output" in three
    assert "Of two" not in one + three + five and "Of four" not in one + three + five


def test_the_link_of_the_title_opens_the_notebook_in_colab(deck_of):
    badges = "[![Open in Colab](https://colab.research.google.com/assets/b.svg)](https://colab.research.google.com/github/a/b/blob/main/x.ipynb)"
    deck = deck_of(text(f"# Title\n\n{badges}", "slide"), text("## 1. One\n\n- a", "slide"))
    assert 'href="https://colab.research.google.com/github/a/b/blob/main/x.ipynb"' in on(
        deck.slides[0]
    )


def test_one_deck_made_anew_leaves_the_others_in_the_list(tmp_path, monkeypatch):
    for name in ("01_one", "02_two"):
        (tmp_path / f"{name}.html").write_text(f"<title>{name}</title><section a>x</section>")
    assert all(name in index_page(tmp_path) for name in ("01_one", "02_two"))


def test_a_heading_of_an_untagged_cell_names_the_slide_it_belongs_to(deck_of):
    hidden = text("## 2. Two\n\nSpeech.")
    deck = deck_of(
        TITLE, text("## 1. One\n\n$$x$$", "slide"), hidden, code("x", "slide", prints="y")
    )
    assert [slide.title for slide in deck.slides] == ["01 · A lesson", "1. One", "2. Two"]


def test_a_heading_alone_is_a_section_title_but_not_on_a_gpu_and_references(deck_of):
    deck = deck_of(
        TITLE,
        text(
            "## 1. A part\n\nSpeech.\n\n### Detail\n\n$$x$$\n\n## 2. On a GPU\n\nSpeech.", "slide"
        ),
        text("## References\n\n- A paper\n\n## What we did\n\n- We did it.", "slide"),
    )
    assert [slide.title for slide in deck.slides] == [
        "01 · A lesson",
        "1. A part",
        "Detail",
        "What we did",
    ]
    page = slides_page(deck)
    assert '<section class="section">\n<h2>1. A part</h2>' in page and "A paper" not in page


def test_long_lists_tables_and_codes_do_not_share_a_slide(deck_of):
    points = "\n".join(f"- point {n} " + "word " * 50 for n in range(8))
    rows = "\n".join(f"| row {n} | " + "word " * 20 + "|" for n in range(40))
    table = f"## Table\n\n| a | b |\n|---|---|\n{rows}"
    deck = deck_of(TITLE, text(f"## List\n\n{points}", "slide"), text(table, "slide"))
    titles = [slide.title for slide in deck.slides]
    assert titles.count("List") >= 2 and titles.count("Table") >= 3
    shown = "".join(map(on, deck.slides))
    assert [int(n) for n in re.findall(r"point (\d+)", shown)] == list(range(8))
    assert [int(n) for n in re.findall(r"row (\d+)", shown)] == list(range(40))
    assert shown.count("<th>a</th>") == titles.count("Table")


def test_a_long_printed_line_is_broken_and_a_wide_table_is_made_smaller(deck_of):
    line, table = "word " * 60, f"{'column':16}" * 9 + "\n" + f"{1:<16}" * 9
    deck = deck_of(
        TITLE, code("x", "slide-output", prints=line), code("x", "slide-output", prints=table)
    )
    sizes = [
        28 * float(size)
        for size in re.findall(r'class="output" style="font-size: ([\d.]+)em', slides_page(deck))
    ]
    assert sizes[0] >= 21.9 and 14.9 <= sizes[1] < 16


def test_words_of_a_picture_and_texts_are_escaped(deck_of):
    page = slides_page(
        deck_of(
            TITLE, code("a < b", "slide", draws=True, prints="x < y & z", alt='It says "a < b".')
        )
    )
    assert 'alt="It says &quot;a &lt; b&quot;."' in page and "x &lt; y &amp; z" in page


def test_warnings_and_widgets_are_left_out(deck_of):
    cell = code("x", "slide", prints="shown")
    widget = {"application/vnd.jupyter.widget-view+json": {}, "text/plain": "a widget"}
    cell["outputs"] += [
        {"output_type": "stream", "name": "stderr", "text": "a warning"},
        {"output_type": "display_data", "data": widget},
    ]
    page = slides_page(deck_of(TITLE, cell))
    assert "shown" in page and "a warning" not in page and "a widget" not in page


def test_nothing_is_fetched_from_a_network(written):
    for file in written.glob("*.html"):
        page = file.read_text(encoding="utf-8")
        for tag in re.findall(r"<(?!a\b)[^>]+>", page):
            assert not re.search(r"(src|href|srcset|data)=\"?(https?:)?//|url\(", tag), (
                f"{file.name}: {tag[:200]}"
            )
        for place in re.findall(r"<(?:script|link)[^>]+(?:src|href)=\"([^\"]+)\"", page):
            assert (written / place).is_file(), place
        assert not re.search(r"@import|url\((?!data:)", page)
    assert (written / "mathjax/tex-svg.js").stat().st_size > 1_000_000


def test_links_between_lessons_lead_to_their_slides_and_others_to_the_repository(deck_of):
    links = "## S\n\n- [05](05_sparse.ipynb), [code](../course_tools/run_notebooks.py), [site](https://x.org/)"
    page = slides_page(deck_of(TITLE, text(links, "slide")))
    assert 'href="05_sparse.html"' in page and 'href="https://x.org/"' in page
    assert re.search(
        r'href="https://github\.com/[^"]+/blob/main/course_tools/run_notebooks\.py"', page
    )


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ([text("# T"), code("x", prints="1")], "no cell with the tag slide or slide-output"),
        (
            [TITLE, code("x", "slide-output")],
            "cell 2, is tagged slide-output, but prints and draws nothing",
        ),
        (
            [TITLE, code("x", "slide") | {"execution_count": None}],
            "cell 2, has no stored output. Run: make run ARGS=",
        ),
    ],
)
def test_a_notebook_without_tags_or_outputs_is_told_apart(deck_of, cells, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        deck_of(*cells)


@pytest.mark.parametrize("content", ["{broken", "[]", '{"nbformat": 4}', None])
def test_a_file_that_is_no_notebook_is_named(tmp_path, content):
    file = tmp_path / "x.ipynb"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ValueError, match="x.ipynb cannot be read as a notebook"):
        lesson_slides(file)


def test_the_command_names_every_notebook_that_cannot_be_shown_and_writes_nothing(tmp_path, capsys):
    bad = tmp_path / "01_bad.ipynb"
    bad.write_text("{")
    with pytest.raises(SystemExit) as stopped:
        slides.main([str(bad), str(tmp_path / "02_none.ipynb")], root=tmp_path)
    said = capsys.readouterr().err
    assert stopped.value.code == 2 and "01_bad.ipynb" in said and "02_none.ipynb" in said
    assert not (tmp_path / "build").exists()


def test_a_folder_that_cannot_be_written_is_an_error_of_one_line(tmp_path, capsys):
    (tmp_path / "build").write_text("a file stands in the way")
    with pytest.raises(SystemExit):
        slides.main([str(LESSONS[0])], root=tmp_path)
    assert "the slides cannot be written" in capsys.readouterr().err


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The slides of two lessons as the command writes them."""
    folder = tmp_path_factory.mktemp("slides")
    chosen = [str(file) for file in LESSONS if file.name[:2] in ("04", "12")]
    assert slides.main(chosen, root=folder) == 0
    return folder / "build/slides"


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    """A Chromium with a window of the slides' size."""
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
        "disable-dev-shm-usage",
        "disable-background-networking",
        "no-proxy-server",
        "hide-scrollbars",
        f"user-data-dir={tmp_path_factory.mktemp('chromium')}",
    ]:
        options.add_argument(f"--{flag}")
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


MEASURE = """
const all = document.querySelector('.reveal .slides'), found = [];
all.classList.add('measured');
for (const slide of all.querySelectorAll('section')) {
  const texts = [...slide.querySelectorAll('p, li, td, pre')].filter(e => !e.closest('aside'));
  const box = slide.getBoundingClientRect(), scale = box.width / 1280;
  const inside = [...slide.children].filter(e => e.tagName != 'ASIDE').map(e => e.getBoundingClientRect());
  found.push({
    over: slide.scrollHeight > 720 || slide.scrollWidth > 1280
      || inside.some(r => r.bottom > box.bottom + 1 || r.right > box.right + 1),
    least: Math.min(99, ...texts.map(e => parseFloat(getComputedStyle(e).fontSize))),
  });
}
all.classList.remove('measured');
const count = what => document.querySelectorAll(what).length;
return {found, formulas: count('mjx-container'), errors: count('mjx-merror')};
"""


def test_no_slide_overflows_or_is_too_small_to_read_in_chromium(written, chromium):
    window = {"width": 1280, "height": 720, "deviceScaleFactor": 1, "mobile": False}
    chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", window)
    for file in sorted(written.glob("[01]*.html")):
        chromium.get(file.as_uri())
        end = time.monotonic() + 150
        while not chromium.execute_script(
            "return window.Reveal && Reveal.isReady && Reveal.isReady()"
        ):
            assert time.monotonic() < end, f"{file.name} is not ready after 150 seconds"
            time.sleep(0.2)
        seen = chromium.execute_script(MEASURE)
        assert seen["formulas"] > 0 and seen["errors"] == 0
        assert len(seen["found"]) == file.read_text(encoding="utf-8").count("<section ")
        for number, slide in enumerate(seen["found"], 1):
            assert not slide["over"] and slide["least"] >= 14, (
                f"{file.name}, slide {number}: {slide}"
            )
        assert chromium.get_log("browser") == []
