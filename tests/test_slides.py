"""Slides for a class: what is shown and what is said, no network, nothing cut off."""

import pathlib
import re
import shutil
import subprocess

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from course_tools.lessons import lessons
from course_tools.publishing import slides

LESSONS = lessons()
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
HEADINGS = ["h1", "h2", "h3", "h4"]


def text(source: str, *tags: str):
    return new_markdown_cell(source, metadata={"tags": list(tags)})


def code(source: str, *tags: str, prints: str = ""):
    outputs = [new_output("stream", text=prints)] * bool(prints)
    return new_code_cell(source, metadata={"tags": tags}, outputs=outputs, execution_count=1)


LINKS = "[05](05_sparse.ipynb), [code](../course_tools/x.py), [site](https://x.org/)"
BADGE = "[![Open in Colab](https://c.org/badge.svg)](https://c.org/x.ipynb)"
TABLE = "| a | b |\n|---|---|\n| cell | 2 |"
BLOCKS = ["## 1. Blocks", "Spoken words.", "$$x = 1$$", "- a point", TABLE, "> quoted"]
LEADS = ["## 5. Traps", "Speech.", "**A trap.** It is deep.", "**Not** a lead.", "**Another: $x$**"]
EXERCISE = "### Exercise 1 · Do it\n\nAs follows.\n\n## References\n\n- A paper"
ANSWER = code("quiet_code = 3", "slide-output", prints="answer 42")
ANSWER.metadata["alt"] = ['It says "a < b".']
ANSWER.outputs += [
    new_output("stream", name="stderr", text="a warning"),
    new_output("display_data", {slides.WIDGET: {}, "text/plain": "a widget"}),
    new_output("display_data", {"image/png": "iVBORw0KGgo="}),
]
CELLS = [
    text(f"# 01 · A lesson\n\n{BADGE}\n\nWhat it is about: {LINKS}", "slide"),
    code("secret_setup = 1", "setup", prints="unseen"),
    text("\n\n".join(BLOCKS), "slide"),
    text("It reads the table.\n\n## 2. Hidden\n\nOf two.\n\n## 3. Not tagged\n\nOf three."),
    code("shown_code = 2", "slide", prints="x < y & z"),
    text("It reads the output."),
    text("## 4. Ask\n\nEarlier.\n\nOf two things.\n\n**Predict** which one?", "slide"),
    ANSWER,
    text("\n\n".join(LEADS), "slide"),
    text("## 6. On a GPU\n\nSpeech.", "slide"),
    text(EXERCISE, "slide"),
]


def page_of(file: pathlib.Path) -> BeautifulSoup:
    return BeautifulSoup(slides.slides_page(slides.lesson_slides(file)), "html.parser")


@pytest.fixture(scope="module")
def deck(tmp_path_factory):
    """Slides of the cells above by their title: what is shown, what is said, the element."""
    file, deck = tmp_path_factory.mktemp("deck") / "01_lesson.ipynb", {}
    nbformat.write(new_notebook(cells=CELLS), file)
    for section in page_of(file).find_all("section"):
        said = " ".join(notes.extract().get_text() for notes in section.find_all("aside"))
        deck[section.find(HEADINGS).get_text()] = section.get_text(), said, section
    return deck


def test_tagged_cells_are_shown_and_others_are_not(deck):
    page = " ".join(shown for shown, _, _ in deck.values())
    assert all(piece in page for piece in ("What it is", "shown_code", "x < y & z", "answer 42"))
    assert not re.search("secret|unseen|Hidden|quiet_code|warning|widget|GPU|References", page)
    assert deck["4. Ask"][2].img["alt"] == 'It says "a < b".'


def test_paragraphs_are_said_on_the_slide_of_their_section_and_the_rest_is_shown(deck):
    shown, said, _ = deck["1. Blocks"]
    assert all(piece in shown for piece in ("x = 1", "a point", "cell", "quoted"))
    assert "Spoken" not in shown and said == "Spoken words. It reads the table."
    assert deck["3. Not tagged"][1] == "Of three. It reads the output."
    assert "As follows." in deck["Exercise 1 · Do it"][0]
    assert deck["5. Traps"][0].strip() == "5. Traps" and deck["5. Traps"][1] == "Speech."
    assert "It is deep." in deck["A trap"][0] and deck["A trap"][1] == "Not a lead."
    assert "Another: $x$" in deck


def test_the_question_is_on_the_slide_and_the_answer_comes_at_a_click(deck):
    shown, said, section = deck["4. Ask"]
    assert section.find(class_="predict").get_text() == "Predict which one?"
    assert "Of two things." in shown  # without it the question would not be understood
    assert "Earlier." in said and "Earlier." not in shown
    assert section.find(class_="fragment").get_text().strip() == "answer 42"


def test_links_lead_to_slides_to_the_repository_and_to_colab(deck):
    section = deck["01 · A lesson"][2]
    colab, lesson, program, site = section.find_all("a")
    assert colab.get_text() == "Open in Colab" and not section.find("img")
    assert lesson["href"] == "05_sparse.html" and site["href"] == "https://x.org/"
    assert re.fullmatch(r"https://github\.com/\S+/blob/main/course_tools/x\.py", program["href"])


@pytest.mark.parametrize("file", LESSONS, ids=lambda file: file.stem)
def test_every_tagged_cell_of_the_lessons_is_in_its_deck_and_no_other(file):
    cells = nbformat.read(file, as_version=4).cells
    tagged = [c for c in cells if {"slide", "slide-output"} & set(c.metadata.get("tags", []))]
    outputs = [output for cell in tagged for output in cell.get("outputs", [])]
    pictures = {o.data["image/png"].replace("\n", "") for o in outputs if "data" in o}
    page = page_of(file)
    images = page.find_all("img")
    assert {image["src"].partition("base64,")[2] for image in images} == pictures
    assert all(len(image["alt"]) > 30 for image in images)


def test_a_notebook_without_tags_or_outputs_is_told_apart(tmp_path):
    faults = {
        "no cell with the tag slide or slide-output": code("x", prints="1"),
        "cell 2, is tagged slide-output, but prints and draws nothing": code("x", "slide-output"),
        "cell 2, has no stored output: make run": new_code_cell(metadata={"tags": ["slide"]}),
    }
    for message, cell in faults.items():
        nbformat.write(new_notebook(cells=[text("# T"), cell]), tmp_path / "x.ipynb")
        with pytest.raises(ValueError, match=message):
            slides.lesson_slides(tmp_path / "x.ipynb")


def test_every_file_that_is_no_notebook_is_named_and_nothing_is_written(tmp_path, capsys):
    files = [tmp_path / f"{number}.ipynb" for number in range(4)]
    for file, content in zip(files, ["{", "[]", '{"nbformat": 4}']):
        file.write_text(content)
    with pytest.raises(SystemExit):
        slides.main([str(file) for file in files], root=tmp_path)
    message = capsys.readouterr().err
    assert all(f"{file} cannot be read as a notebook" in message for file in files)
    assert not (tmp_path / "build").exists()


def test_a_folder_that_cannot_be_written_is_an_error_of_one_line(tmp_path, capsys):
    (tmp_path / "build").write_text("a file stands in the way")
    with pytest.raises(SystemExit):
        slides.main([str(LESSONS[0])], root=tmp_path)
    assert "the slides cannot be written" in capsys.readouterr().err


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Two lessons as the command writes them, one after the other."""
    pytest.importorskip("sphinx_revealjs")
    folder = tmp_path_factory.mktemp("slides")
    for file in LESSONS:
        if file.stem in ("04_autoencoders", "12_sparse_codes_meet_gan"):
            assert slides.main([str(file)], root=folder) == 0
    return folder / "build/slides"


def test_the_list_has_all_decks_and_nothing_is_fetched_from_a_network(written):
    names = re.findall(r'href="([^"?]+)">', (written / "index.html").read_text("utf-8"))
    assert [name[:2] for name in names] == ["04", "12"]
    for name in [*names, "index.html"]:
        page = (written / name).read_text("utf-8")
        assert not re.search(r"@import|url\((?!data:)", page)
        for tag in BeautifulSoup(page, "html.parser").find_all(["script", "link", "img"]):
            place = tag.get("src") or tag.get("href") or "index.html"
            assert place.startswith("data:") or (written / place).is_file(), place


MEASURE = """<script>setTimeout(() => {
  document.querySelector(".reveal .slides").classList.add("measured");
  for (const slide of document.querySelectorAll(".reveal .slides section")) {
    const texts = [...slide.querySelectorAll(":is(p, li, td, pre):not(aside *)")];
    slide.dataset.over = slide.scrollHeight > 720 || slide.scrollWidth > 1280;
    slide.dataset.least = Math.min(99, ...texts.map(e => parseFloat(getComputedStyle(e).fontSize)));
  }
}, 50000)</script>"""


@pytest.mark.skipif(not CHROMIUM, reason="Chromium is not installed")
@pytest.mark.parametrize("name", ["04_autoencoders", "12_sparse_codes_meet_gan"])
def test_no_slide_overflows_or_is_too_small_to_read_in_chromium(written, name):
    page = (written / f"{name}.html").read_text("utf-8")
    file = written / f"measured_{name}.html"
    file.write_text(page.replace("</body>", MEASURE + "</body>"), "utf-8")
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    command += ["--virtual-time-budget=60000", "--dump-dom", file.as_uri()]
    output = subprocess.run(command, capture_output=True, text=True, timeout=300).stdout
    seen = BeautifulSoup(output, "html.parser")
    found = seen.select(".slides section")
    assert len(found) > page.count("<section")  # what does not fit goes on the next slide
    for number, slide in enumerate(found, 1):
        assert slide["data-over"] == "false" and float(slide["data-least"]) >= 14, number
    assert seen.find("mjx-container") and not seen.find("mjx-merror")
