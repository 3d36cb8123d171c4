"""From cells to slides: what of a text cell stands on a slide and what is said, and how much fits on one.

Used by course_utils.publishing.slides, which says what the tags mean.
"""
import base64
import functools
import html
import math
import posixpath
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from course_utils.links import BRANCH, address
from course_utils.run import COST

__all__ = ["SIZE", "Deck", "Slide", "add_code", "add_outputs", "add_text", "inline"]

SIZE, ROOM = 28, 14.5  # px of the text; rows of text that fit below a heading, 1 row = 40 px
WIDTH, LETTER = 1130, 0.602  # px of a line of code; width of one of its letters in em
SHOWN = {"math_block": 2, "math_block_label": 2, "blockquote_open": 0}  # shown; rows they take beside their lines
LEFT_OUT = re.compile(r"References|Next\b|Further reading")  # sections for readers at home
ALONE = re.compile(r"(\d+\. )?On a GPU")  # left out where nothing else of the section is shown
PREDICT = re.compile(r"\*\*Predict[.:]?\*\*")
LEAD = re.compile(r"\*\*[^*\n]+(?:[.:?!]\*\*|\*\*(?=:|\s*\Z))")  # bold words that end with a stop, or are all there is


@dataclass
class Slide:
    """One slide: heading, pieces of HTML, the speaker's notes; the rows that are taken, and what the last piece is."""

    title: str
    kind: str = ""
    parts: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    rows: float = 0
    last: str = ""


class Deck:
    """Slides in order. A piece goes on the last one, or on one more with the same heading where it does not fit."""

    def __init__(self):
        self.slides: list[Slide] = []

    @property
    def name(self) -> str:
        """The title of the first slide, as plain text."""
        return re.sub(r"<[^>]+>", "", self.slides[0].title) if self.slides else ""

    def open(self, title: str, kind: str = "") -> None:
        """Begin a slide."""
        self.close()
        self.slides.append(Slide(title, kind))

    def close(self) -> None:
        """Take the last slide away if it would be a heading that says nothing by itself."""
        if self.slides and not self.slides[-1].parts and ALONE.fullmatch(self.slides[-1].title):
            self.slides.pop()

    def note(self, text: str) -> None:
        """Something to say about the last slide."""
        if self.slides:
            self.slides[-1].notes.append(text)

    def lead(self, words: str) -> None:
        """Bold words that open a paragraph: a slide's heading, or a line below a heading with nothing else yet."""
        slide = self.slides[-1] if self.slides else None
        if slide is None or slide.kind == "title" or slide.last not in ("", "lead"):
            self.open(words.rstrip(".:"))
        else:
            self.show(f'<p class="lead">{words}</p>', 1.5, "lead")

    def show(self, piece: str, rows: float, what: str = "text") -> None:
        """Put HTML that takes so many rows on a slide; `what` it is: lead, text, code or output.

        After an output only another output stands on the same slide, and code has no other code above it.
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


@functools.cache
def markdown():
    """The parser of text cells; formulas as MathJax reads them, links as they work from build/slides."""
    from markdown_it import MarkdownIt
    from mdit_py_plugins.dollarmath import dollarmath_plugin

    def formula(content: str, options: dict) -> str:
        left, right = (r"\[", r"\]") if options["display_mode"] else (r"\(", r"\)")
        return left + html.escape(content) + right

    def link(self, tokens, index, options, env) -> str:
        target = tokens[index].attrs["href"]
        if re.fullmatch(r"\d\d_\w+\.ipynb", target):
            tokens[index].attrs["href"] = target.replace(".ipynb", ".html")
        elif "://" not in target:
            tokens[index].attrs["href"] = f"{address()}/blob/{BRANCH}/{posixpath.normpath('notebooks/' + target)}"
        return self.renderToken(tokens, index, options, env)

    parser = MarkdownIt("commonmark").enable("table").use(dollarmath_plugin, renderer=formula)
    parser.add_render_rule("link_open", link)
    return parser


def blocks(text: str) -> Iterator[tuple[str, str, str]]:
    """The blocks of a text cell in order: (kind, its Markdown, its HTML)."""
    tokens, lines, begin, depth = markdown().parse(text), text.splitlines(), 0, 0
    for index, token in enumerate(tokens):
        depth += token.nesting
        if depth == 0:
            first, part = tokens[begin], tokens[begin : index + 1]
            shown = markdown().renderer.render(part, markdown().options, {})
            yield first.type, "\n".join(lines[slice(*first.map)]), shown
            begin = index + 1


def inline(text: str) -> str:
    """One paragraph of Markdown as HTML without its <p>."""
    return markdown().renderInline(text)


def plain(text: str) -> str:
    """Markdown without what takes no room."""
    return re.sub(r"\]\([^)]*\)|[*`$]|\\[a-z]+", "", text)


def rows_of(source: str, more: float = 0) -> float:
    """About how many rows of text the lines of a block take, and `more`."""
    return more + sum(math.ceil(len(plain(line)) / 84) + 0.25 for line in source.splitlines() if line.strip())


def add_table(deck: Deck, source: str) -> None:
    """A table; a long one goes on over several slides, each with the headings of its columns."""
    head, body = source.splitlines()[:2], source.splitlines()[2:]
    rows = [0.75 * math.ceil(len(plain(line)) * (8 + line.count("|")) / 900) + 0.25 for line in body]
    pieces = math.ceil((sum(rows) + 1.5) / (1.2 * ROOM))  # a little too long is shown a little smaller
    each = math.ceil(len(body) / max(pieces, 1))
    for begin in range(0, len(body), each):
        part = "\n".join(head + body[begin : begin + each])
        deck.show(markdown().render(part), min(ROOM, sum(rows[begin : begin + each]) + 1.5))


def add_list(deck: Deck, source: str) -> None:
    """A list; a long one goes on over several slides."""
    items = re.split(r"\n(?=(?:[-*+]|\d+[.)]) )", source)
    taken = [rows_of(item, 0.1) for item in items]
    pieces = math.ceil(sum(taken) / (1.15 * ROOM))
    share = [int(pieces * (sum(taken[:n]) + taken[n] / 2) / sum(taken)) for n in range(len(items))]  # the slide of each
    for piece in sorted(set(share)):
        chosen = [n for n in range(len(items)) if share[n] == piece]
        part = "\n".join(items[n] for n in chosen)
        deck.show(markdown().render(part), min(ROOM, sum(taken[n] for n in chosen)))


def add_text(deck: Deck, text: str) -> None:
    """Put a text cell on slides."""
    skip = False
    for kind, source, shown in blocks(text):
        slide = deck.slides[-1] if deck.slides else Slide("")
        if kind == "heading_open":
            words = re.sub(r"</?h\d>\s*", "", shown)
            if not (skip := bool(LEFT_OUT.match(words))):
                exercise = "exercise" if words.startswith("Exercise ") else ""
                deck.open(words, "title" if shown.startswith("<h1") else exercise)
        elif skip:
            continue
        elif kind == "table_open":
            add_table(deck, source)
        elif kind in ("bullet_list_open", "ordered_list_open"):
            add_list(deck, source)
        elif kind == "fence":
            program = "\n".join(source.splitlines()[1:-1])
            deck.show(*preformatted(program, html.escape(program), "code"))
        elif kind in SHOWN:
            deck.show(shown, rows_of(source, SHOWN[kind]))
        elif kind != "paragraph_open" or COST.search(source):
            deck.note(shown)
        elif source.startswith("[![Open in Colab]"):
            colab = re.search(r"\]\((https://colab[^)\s]*)\)", source)
            slide.parts += [f'<p><a href="{colab[1]}">Open this lesson in Colab</a></p>'] if colab else []
        else:
            add_paragraph(deck, source, shown)


def add_paragraph(deck: Deck, source: str, shown: str) -> None:
    """A paragraph: to the notes, all but its bold first words and what begins with **Predict**."""
    asked = PREDICT.search(source)
    before, question = (source[: asked.start()], source[asked.start() :]) if asked else (source, "")
    lead = LEAD.match(before)
    slide = deck.slides[-1] if deck.slides else Slide("")
    if slide.kind == "title" and not lead and not question:
        slide.parts.insert(0, shown)
    elif slide.kind == "exercise":
        deck.show(shown, rows_of(source))
    else:
        if lead:
            deck.lead(inline(lead[0].strip("*")))
        if before.strip() and (lead is None or lead[0] != before.strip()):
            deck.note(f"<p>{inline(before.strip())}</p>")
        if question:
            deck.show(f'<p class="predict">{inline(question)}</p>', rows_of(question, 0.5))


def preformatted(text: str, inner: str, kind: str) -> tuple[str, float]:
    """<pre> whose letters are as large as its longest line allows, and its rows."""
    lines = text.rstrip().splitlines() or [""]
    columns = kind == "output" and sum(bool(re.search(r"\S {2,}\S", line)) for line in lines) > 1
    least = 15 if columns or len(lines) > 14 else 18 if kind == "code" else 22  # rather break a line than make it small
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
        elif text and output.get("name") != "stderr" and "application/vnd.jupyter.widget-view+json" not in data:
            deck.show(*preformatted(text, html.escape(text), "output"), "output")
