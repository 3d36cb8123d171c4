"""Text cells on slides: what of them is shown, and what is said (course_tools.publishing.slides says which)."""

import functools
import html
import math
import posixpath
import re
from collections.abc import Iterator

from course_tools.links import BRANCH, address
from course_tools.publishing.deck import ROOM, Deck, Slide, preformatted
from course_tools.run_notebooks import COST

__all__ = ["add_notes", "add_text", "inline"]

SHOWN = {
    "math_block": 2,
    "math_block_label": 2,
    "blockquote_open": 0,
}  # shown; rows they take beside their lines
LEFT_OUT = re.compile(r"References|Next\b|Further reading")  # sections for readers at home
PREDICT = re.compile(r"\*\*Predict[.:]?\*\*")
SENTENCE = re.compile(r"(?<=[.:?!])\s+(?=[A-Z*$`(])")  # between two
LEAD = re.compile(
    r"\*\*[^*\n]+(?:[.:?!]\*\*|\*\*(?=:|\s*\Z))"
)  # bold words that end with a stop, or are all there is


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
            tokens[index].attrs["href"] = (
                f"{address()}/blob/{BRANCH}/{posixpath.normpath('notebooks/' + target)}"
            )
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
    return more + sum(
        math.ceil(len(plain(line)) / 84) + 0.25 for line in source.splitlines() if line.strip()
    )


def add_table(deck: Deck, source: str) -> None:
    """A table; a long one goes on over several slides, each with the headings of its columns."""
    head, body = source.splitlines()[:2], source.splitlines()[2:]
    rows = [
        0.75 * math.ceil(len(plain(line)) * (8 + line.count("|")) / 900) + 0.25 for line in body
    ]
    pieces = math.ceil(
        (sum(rows) + 1.5) / (1.2 * ROOM)
    )  # a little too long is shown a little smaller
    each = math.ceil(len(body) / max(pieces, 1))
    for begin in range(0, len(body), each):
        part = "\n".join(head + body[begin : begin + each])
        deck.show(markdown().render(part), min(ROOM, sum(rows[begin : begin + each]) + 1.5))


def add_list(deck: Deck, source: str) -> None:
    """A list; a long one goes on over several slides."""
    items = re.split(r"\n(?=(?:[-*+]|\d+[.)]) )", source)
    taken = [rows_of(item, 0.1) for item in items]
    pieces = math.ceil(sum(taken) / (1.15 * ROOM))
    share = [
        int(pieces * (sum(taken[:n]) + taken[n] / 2) / sum(taken)) for n in range(len(items))
    ]  # the slide of each
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
            deck.enter(words)
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
            colab = re.search(
                r"\]\((https://colab\.research\.google\.com/github/[^)\s]*)\)", source
            )
            slide.parts += (
                [f'<p><a href="{colab[1]}">Open this lesson in Colab</a></p>'] if colab else []
            )
        else:
            add_paragraph(deck, source, shown)


def add_notes(deck: Deck, text: str) -> None:
    """Let the speaker say what the paragraphs of a text cell say that is not shown."""
    for kind, source, shown in blocks(text):
        if kind == "heading_open":
            deck.enter(re.sub(r"</?h\d>\s*", "", shown))
        elif not COST.search(source):
            deck.note(shown)


def few_sentences(said: str, dropped: int) -> str:
    """As many sentences as are read at a glance: the others are dropped from the beginning (0) or the end (-1)."""
    sentences = re.split(SENTENCE, said.strip())
    while len(sentences) > 1 and len(plain(" ".join(sentences))) > 260:
        sentences.pop(dropped)
    return " ".join(sentences) if len(plain(" ".join(sentences))) <= 420 else ""


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
            rest = few_sentences(before[lead.end() :].lstrip(": "), -1)
            deck.after = inline(rest[:1].upper() + rest[1:])
        if before.strip() and (lead is None or lead[0] != before.strip()):
            deck.said = before.strip()
            deck.note(f"<p>{inline(deck.said)}</p>")
        if question:
            short = (
                len(plain(question)) <= 110
            )  # not to be understood without the end of the paragraph before
            if around := few_sentences(deck.said, 0) if short else "":
                deck.show(f"<p>{inline(around)}</p>", rows_of(around, 0.25))
            deck.said = ""
            deck.show(f'<p class="predict">{inline(question)}</p>', rows_of(question, 0.5))
