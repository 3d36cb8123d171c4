"""Stored and new outputs of a notebook's cell, compared: words exactly, numbers with a tolerance.

A code cell tagged `nbval-check-output` may say in its metadata how far its numbers may move:

    "compare": {
        "tolerance": 0.1,                all numbers; without it, DEFAULT (integers: exact)
        "lines": {"TopK": 0.3},          numbers on printed lines that contain "TopK"
        "columns": {"seconds": "free"},  numbers under the heading "seconds" of a printed table
        "exact": ["of \\d+"],            numbers inside a match of this pattern
        "free": ["on .* cores"]          whatever a match of this pattern says, words too
    },
    "claims": ["printed('db4')[0] > printed('Haar')[0]", "len(modes) == 25"]

A tolerance is a number (relative: 0.1 is 10 %), {"relative": 0.1, "absolute": 2} (the larger
counts), "exact", or "free" (any finite number). One unit of the last printed digit is always
allowed, except by "exact" and 0. The most specific rule wins: exact, columns, lines, tolerance; of
several lines or columns, that with the longest words. A column ends at an empty line.

A claim is an expression, evaluated in the kernel after its cell. It sees the names of the notebook,
and `printed("words")`: the numbers on the first printed line that contains the words.
"""

import math
import re
from dataclasses import dataclass
from functools import partial

DEFAULT = 0.02  # how far a number with a decimal point may move where the metadata says nothing
RULES = {"tolerance": object, "lines": dict, "columns": dict, "exact": list, "free": list}
DIGITS = r"(?:\d{1,3}(?:[,\u202f\u2009]\d{3})+(?!\d)|\d+)(?:\.\d+)?(?:e[-+]?\d+)?(?!\d|\.\d)"
NUMBER = re.compile(rf"(?<![\w.])[-+\u2212]?(?:{DIGITS}|(?:nan|inf)(?!\w))", re.IGNORECASE)
BLANK = "\u00b7"  # stands for freed text


@dataclass(frozen=True)
class Number:
    """A number as printed: where it stands in its line, its value, one unit of its last digit."""

    text: str
    start: int
    end: int
    value: float
    unit: float

    @property
    def integer(self) -> bool:
        return self.unit == 1 and "e" not in self.text.lower() and math.isfinite(self.value)


def numbers_of(line: str) -> list[Number]:
    """The numbers of a line, from left to right; nan is a number, 2.14.1 and float32 are words."""
    found = []
    for match in NUMBER.finditer(line):
        plain = re.sub("[,\u202f\u2009]", "", match[0]).replace("\u2212", "-").lower()
        mantissa, _, exponent = plain.partition("e")
        decimals = len(mantissa.partition(".")[2]) if math.isfinite(float(plain)) else 0
        unit = 10.0 ** (int(exponent or 0) - decimals)
        found.append(Number(match[0], match.start(), match.end(), float(plain), unit))
    return found


# ------------------------------------------------------------------ metadata


def metadata_problems(cell: dict) -> list[str]:
    """What is wrong with "compare", "claims" and the stored output of a cell; [] if nothing."""
    metadata = cell["metadata"]
    if cell["cell_type"] != "code":
        return [
            f'a text cell has "{key}" in its metadata; only code cells are compared'
            for key in ("compare", "claims")
            if key in metadata
        ]
    rules, claims = metadata.get("compare", {}), metadata.get("claims", [])
    if not isinstance(rules, dict) or rules.keys() - RULES:
        return [f'"compare" must be an object with the keys {[*RULES]}, not {rules!r}']
    for key, value in (rules | {"claims": claims}).items():
        kind = RULES.get(key, list)
        if not isinstance(value, kind):
            return [f'"{key}" must be {"an object" if kind is dict else "a list"}, not {value!r}']
    problems, text = [], "\n".join(output_texts(cell.get("outputs", [])))
    compared = "nbval-check-output" in metadata.get("tags", [])
    if compared and not text.strip():
        problems.append("nbval-check-output, but no output is stored; store one with `make run`")
    if rules and not compared:
        problems.append('"compare" without the tag nbval-check-output: nothing would be compared')
    tolerances = [rules.get("tolerance", 0)]
    for key in ("lines", "columns"):
        tolerances += rules.get(key, {}).values()
    problems += [
        f'the tolerance {tolerance!r} must be a number of at least 0, "exact", "free", '
        'or {"relative": number, "absolute": number}'
        for tolerance in tolerances
        if not is_tolerance(tolerance)
    ]
    parsers = [(re.compile, rules.get(key, [])) for key in ("exact", "free")]
    for parse, texts in [*parsers, (partial(compile, filename="claim", mode="eval"), claims)]:
        for words in texts:
            try:
                parse(words)
            except (re.error, SyntaxError, TypeError, ValueError) as error:
                problems.append(f"{words!r} does not parse: {error}")
    return problems or unused_rules(rules, text)


def is_tolerance(tolerance) -> bool:
    """Whether it is "exact", "free", a number, or an object of numbers."""
    parts = tolerance if isinstance(tolerance, dict) else {"relative": tolerance}
    if not parts or parts.keys() - {"relative", "absolute"}:
        return False
    return tolerance in ("exact", "free") or all(
        type(part) in (int, float) and math.isfinite(part) and part >= 0 for part in parts.values()
    )


def unused_rules(rules: dict, text: str) -> list[str]:
    """Rules that meet nothing in the stored output, after words were changed in one place only."""
    lines = text.splitlines()

    def meets(key: str, words: str) -> bool:
        if key == "columns":
            return any(
                stands_under(number, words, lines[:place])
                for place, line in enumerate(lines)
                for number in numbers_of(line)
            )
        return words in text if key == "lines" else bool(re.search(words, text))

    return [
        f'"{key}" names {words!r}, which meets nothing in the stored output'
        for key in ("lines", "columns", "exact", "free")
        for words in rules.get(key, [])
        if not meets(key, words)
    ]


# ------------------------------------------------------------------ comparison


def output_texts(outputs: list[dict]) -> list[str]:
    """What is compared of a cell's outputs: printed text, then results; no stderr, no pictures."""
    texts = ["".join(o["text"]) for o in outputs if o.get("name") == "stdout"]
    return texts + ["".join(o["data"].get("text/plain", "")) for o in outputs if "data" in o]


def differences(stored: str, found: str, rules: dict) -> list[str]:
    """How a new text differs from the stored one by more than the rules allow; [] if not."""
    lines, new_lines = freed(stored, rules).splitlines(), freed(found, rules).splitlines()
    problems = []
    for place, (line, new_line) in enumerate(zip(lines, new_lines)):
        where = f"line {place + 1}"
        if words_of(line) != words_of(new_line):  # a number counts as one word, whatever it is
            problems.append(
                f"{where} has other words, or more or fewer numbers:\n"
                f"    expected {line}\n    found    {new_line}"
            )
            continue
        for number, new in zip(numbers_of(line), numbers_of(new_line)):
            tolerance = tolerance_of(number, place, lines, rules)
            if not agrees(number, new, tolerance):
                finite = "" if math.isfinite(new.value) else "; a number must stay finite"
                problems.append(
                    f"{where}: expected {number.text}, found {new.text}, "
                    f"tolerance {tolerance}{finite}:\n    {line}\n    {new_line}"
                )
    missing, added = lines[len(new_lines) :], new_lines[len(lines) :]
    if missing or added:
        problems.append(
            f"{len(new_lines)} lines instead of {len(lines)}; "
            f"{'missing' if missing else 'not stored'}:\n    {(missing or added)[0]}"
        )
    return problems


def freed(text: str, rules: dict) -> str:
    """The text with the matches of "free" patterns blanked, everything else in its place."""
    for pattern in rules.get("free", []):
        text = re.sub(pattern, lambda match: re.sub(r"[^\n]", BLANK, match[0]), text)
    return text


def words_of(line: str) -> str:
    """A line without its numbers, the padding around them, and freed text."""
    line = re.sub(f"{BLANK}+", BLANK, NUMBER.sub("\0", line)).rstrip()
    return re.sub(rf"[ \t]*([\0{BLANK}])[ \t]*", r"\1", line)


def tolerance_of(number: Number, place: int, lines: list[str], rules: dict):
    """The tolerance for a number of the stored line lines[place]."""
    line = lines[place]
    for pattern in rules.get("exact", []):
        for match in re.finditer(pattern, line):
            if match.start() <= number.start and number.end <= match.end():
                return "exact"
    for heading, tolerance in longest_first(rules.get("columns", {})):
        if stands_under(number, heading, lines[:place]):
            return tolerance
    for words, tolerance in longest_first(rules.get("lines", {})):
        if words in line:
            return tolerance
    return rules.get("tolerance", "exact" if number.integer else DEFAULT)


def longest_first(rules: dict) -> list[tuple]:
    """The rules, the longest words first (nbformat sorts metadata: the order says nothing)."""
    return sorted(rules.items(), key=lambda rule: -len(rule[0]))


def stands_under(number: Number, heading: str, above: list[str]) -> bool:
    """Whether the nearest heading above stands over the number; an empty line ends a table."""
    for line in reversed(above):
        if not line.strip():
            return False
        if heading in line:
            start = line.index(heading)
            return number.start < start + len(heading) and start < number.end
    return False


def agrees(number: Number, new: Number, tolerance) -> bool:
    """Whether a new number is within the tolerance; nan and inf only agree with themselves."""
    if number.value == new.value or math.isnan(number.value) and math.isnan(new.value):
        return True
    if not math.isfinite(number.value) or not math.isfinite(new.value) or tolerance in ("exact", 0):
        return False
    if tolerance == "free":
        return True
    parts = tolerance if isinstance(tolerance, dict) else {"relative": tolerance}
    most = max(parts.get("relative", 0) * abs(number.value), parts.get("absolute", 0), number.unit)
    return abs(new.value - number.value) <= most * (1 + 1e-9)


# ------------------------------------------------------------------ claims


def check_claims(claims: list[str], names: dict, lines: list[tuple[str, list[str]]]) -> list[str]:
    """The claims that do not hold, with their values. Runs in the kernel, without this module.

    names: the notebook's; lines: what the cell printed, each line with its numbers as strings.
    """
    import ast
    import sys

    def printed(words):
        for line, numbers in lines:
            if words in line:
                return [float(number) for number in numbers]
        raise LookupError(f"no printed line contains {words!r}")

    def values_in(claim):
        kinds = ast.Attribute, ast.BinOp, ast.Call, ast.Name, ast.Subscript
        parts = [n for n in ast.walk(ast.parse(claim, mode="eval")) if isinstance(n, kinds)]
        for expression in dict.fromkeys(map(ast.unparse, parts)):
            try:
                value = eval(expression, scope)
            except Exception:  # a variable of a comprehension has no value outside it
                continue
            if not hasattr(value, "__name__"):  # no function, class or module
                yield f"    {expression} = {repr(value)[:120]}"

    scope = names | {"printed": printed}
    torch, problems = sys.modules.get("torch"), []
    state = torch.get_rng_state() if torch else None
    for claim in claims:
        try:
            value = eval(claim, scope)
            dtype = str(getattr(value, "dtype", ""))
            if not isinstance(value, bool) and dtype not in ("bool", "torch.bool"):
                kind = type(value).__name__
                problems.append(f"the claim {claim} is not True or False but of type {kind}")
            elif not value:
                values = "\n".join(values_in(claim))
                problems.append(f"the claim does not hold: {claim}\n{values}")
        except Exception as error:
            problems.append(f"the claim {claim} raised {type(error).__name__}: {error}")
    if torch:
        torch.set_rng_state(state)
    return problems
