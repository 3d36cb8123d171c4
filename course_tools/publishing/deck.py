"""Slides in order, how much fits on one, and code with its outputs on them (course_tools.publishing.slides)."""

import base64
import html
import math
import re
import struct
from dataclasses import dataclass, field

__all__ = ["ROOM", "SIZE", "Deck", "Slide", "add_code", "add_outputs", "preformatted"]

SIZE, ROOM = 28, 14.5  # px of the text; rows of text that fit below a heading, 1 row = 40 px
WIDTH, LETTER = 1130, 0.602  # px of a line of code; width of one of its letters in em
ALONE = re.compile(r"(\d+\. )?On a GPU")  # left out where nothing else of the section is shown


@dataclass
class Slide:
    """One slide: heading, pieces of HTML, the speaker's notes; the rows that are taken, and what the last piece is."""

    title: str
    kind: str = ""
    section: str = ""
    parts: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    rows: float = 0
    last: str = ""


class Deck:
    """Slides in order. A piece goes on the last one, or on one more with the same heading where it does not fit.

    section is the notebook's heading that we are below, shown or not, waiting what is to be said on
    its first slide, said the last paragraph that is not on a slide, after what is shown below bold
    words if nothing else comes.
    """

    def __init__(self):
        self.slides: list[Slide] = []
        self.section, self.waiting, self.said, self.after = "", [], "", ""

    @property
    def name(self) -> str:
        """The title of the first slide, as plain text."""
        return re.sub(r"<[^>]+>", "", self.slides[0].title) if self.slides else ""

    def open(self, title: str, kind: str = "") -> None:
        """Begin a slide."""
        self.close()
        self.slides.append(Slide(title, kind, self.section, notes=self.waiting))
        self.waiting = []

    def enter(self, section: str) -> None:
        """Go on to another section of the notebook."""
        self.section, self.waiting, self.said = section, [], ""

    def close(self) -> None:
        """Finish the last slide: below mere bold words goes what comes after them, a heading that says nothing goes."""
        slide, after, self.after = self.slides[-1] if self.slides else Slide(""), self.after, ""
        if after and (not slide.parts or slide.last == "lead" and len(slide.parts) == 1):
            slide.parts.append(f"<p>{after}</p>")
        elif self.slides and not slide.parts and ALONE.fullmatch(slide.title):
            self.slides.pop()

    def note(self, text: str) -> None:
        """Something to say about the last slide, or about the section's first, where none is shown yet."""
        notes = (
            self.slides[-1].notes
            if self.slides and self.slides[-1].section == self.section
            else self.waiting
        )
        notes.append(text)

    def lead(self, words: str) -> None:
        """Bold words that open a paragraph: a slide's heading, or a line below a heading with nothing else yet."""
        slide = self.slides[-1] if self.slides else None
        if slide is None or slide.kind == "title" or slide.last not in ("", "lead"):
            self.open(words.rstrip(".:"))
        else:
            self.show(f'<p class="lead">{words}</p>', 1.5, "lead")

    def show(self, piece: str, rows: float, what: str = "text") -> None:
        """Put HTML that takes so many rows on a slide; `what` it is: lead, text, code or output.

        After an output only another output stands on the same slide, and code has no other code
        above it.
        """
        slide = self.slides[-1] if self.slides else Slide("", "title")
        apart = slide.last == "output" and what != "output" or slide.last == what == "code"
        if slide.kind == "title" or slide.parts and (apart or slide.rows + rows > ROOM):
            self.open("" if slide.kind == "title" else slide.title, "continued")
            slide = self.slides[-1]
        if what == "output" and slide.parts:
            piece = f'<div class="fragment">{piece}</div>'
        slide.parts.append(piece)
        slide.rows, slide.last = slide.rows + rows, what


def preformatted(text: str, inner: str, kind: str) -> tuple[str, float]:
    """<pre> whose letters are as large as its longest line allows, and its rows."""
    lines = text.rstrip().splitlines() or [""]
    columns = kind == "output" and sum(bool(re.search(r"\S {2,}\S", line)) for line in lines) > 1
    least = (
        15 if columns or len(lines) > 14 else 18 if kind == "code" else 22
    )  # rather break a line than make it small
    size = min(24, max(least, WIDTH / LETTER / max(map(len, lines))))
    count = sum(math.ceil(max(len(line), 1) * size * LETTER / WIDTH) for line in lines)
    height = 1.3 if count < 20 else 1.15
    style = f"font-size: {size / SIZE:.3f}em; line-height: {height}"
    return f'<pre class="{kind}" style="{style}">{inner}</pre>', (count * size * height + 30) / 40


def add_code(deck: Deck, source: str) -> None:
    """Put the code of a cell on a slide."""
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    inner = highlight(source, PythonLexer(), HtmlFormatter(nowrap=True)).rstrip()
    deck.show(*preformatted(source, inner, "code"), "code")


def add_outputs(deck: Deck, cell: dict) -> None:
    """Put what a cell printed and drew on slides: at a click, where something stands there already."""
    words = iter(cell["metadata"].get("alt", []))
    for output in cell["outputs"]:
        data = output.get("data", {})
        text = "".join(output.get("text") or data.get("text/plain", "")).rstrip()
        if "image/png" in data:
            picture = "".join(data["image/png"]).replace("\n", "")
            width, height = struct.unpack(">II", base64.b64decode(picture[:64])[16:24])
            scale = min(2.0, 1170 / width, 560 / height)
            style = f"width: {scale * width / SIZE:.2f}em; aspect-ratio: {width} / {height}"
            alt = html.escape(next(words, ""), quote=True)
            piece = f'<img alt="{alt}" style="{style}" src="data:image/png;base64,{picture}">'
            deck.show(piece, scale * height / 40, "output")
        elif (
            text
            and output.get("name") != "stderr"
            and "application/vnd.jupyter.widget-view+json" not in data
        ):
            deck.show(*preformatted(text, html.escape(text), "output"), "output")
