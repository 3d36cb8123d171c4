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

__all__ = [
    "DEFAULT",
    "Number",
    "check_claims",
    "differences",
    "metadata_problems",
    "numbers_of",
    "output_texts",
]

DEFAULT = 0.02  # how far a number with a decimal point may move where the metadata says nothing
KEYS = {"tolerance", "lines", "columns", "exact", "free"}
NUMBER = re.compile(
    r"(?<![\w.])[-+\u2212]?(?:(?:\d{1,3}(?:[,\u202f\u2009]\d{3})+(?!\d)|\d+)(?:\.\d+)?(?:[eE][-+]?\d+)?(?!\d|\.\d)"
    r"|(?:nan|inf)(?!\w))",
    re.IGNORECASE,
)
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
    metadata, problems = cell["metadata"], []
    if cell["cell_type"] != "code":
        return [
            f'a text cell has "{key}" in its metadata; only code cells are compared'
            for key in ("compare", "claims")
            if key in metadata
        ]
    compared = "nbval-check-output" in metadata.get("tags", [])
    rules, claims = metadata.get("compare", {}), metadata.get("claims", [])
    if not isinstance(rules, dict) or set(rules) - KEYS:
        return [f'"compare" must be an object with the keys {sorted(KEYS)}, not {rules!r}']
    if compared and not any(map(str.strip, output_texts(cell.get("outputs", [])))):
        problems.append(
            "tagged nbval-check-output, but no output is stored; store one with `make run`"
        )
    if rules and not compared:
        problems.append('"compare" without the tag nbval-check-output: nothing would be compared')
    if "tolerance" in rules:
        problems += tolerance_problems(rules["tolerance"], "tolerance")
    for key in ("lines", "columns"):
        if not isinstance(rules.get(key, {}), dict):
            problems.append(f'"{key}" must be an object {{words: tolerance}}, not {rules[key]!r}')
            continue
        for words, tolerance in rules.get(key, {}).items():
            problems += tolerance_problems(tolerance, f'{key}: "{words}"')
    for key in ("exact", "free"):
        if not isinstance(rules.get(key, []), list):
            problems.append(f'"{key}" must be a list of patterns, not {rules[key]!r}')
            continue
        for pattern in rules.get(key, []):
            try:
                re.compile(pattern)
            except (re.error, TypeError) as error:
                problems.append(f'"{key}": {pattern!r} is no regular expression ({error})')
    if not isinstance(claims, list):
        return [*problems, f'"claims" must be a list of expressions, not {claims!r}']
    for claim in claims:
        try:
            compile(claim, "claim", "eval")
        except (SyntaxError, TypeError, ValueError) as error:
            problems.append(f"the claim {claim!r} does not parse: {error}")
    return problems or unused_rules(rules, "\n".join(output_texts(cell.get("outputs", []))))


def tolerance_problems(tolerance, where: str) -> list[str]:
    """Whether a tolerance is one."""
    parts = tolerance if isinstance(tolerance, dict) else {"relative": tolerance}
    numbers = all(type(t) in (int, float) and math.isfinite(t) and t >= 0 for t in parts.values())
    if (
        tolerance in ("exact", "free")
        or parts
        and set(parts) <= {"relative", "absolute"}
        and numbers
    ):
        return []
    return [
        f'{where}: the tolerance {tolerance!r} must be a number of at least 0, "exact", "free", '
        'or {"relative": number, "absolute": number}'
    ]


def unused_rules(rules: dict, text: str) -> list[str]:
    """Rules that meet nothing in the stored output, after words were changed in one place only."""
    lines = text.splitlines()
    unused = [("lines", words) for words in rules.get("lines", {}) if words not in text]
    unused += [
        ("columns", heading)
        for heading in rules.get("columns", {})
        if not any(
            stands_under(number, heading, lines[:place])
            for place, line in enumerate(lines)
            for number in numbers_of(line)
        )
    ]
    unused += [
        (key, pattern)
        for key in ("exact", "free")
        for pattern in rules.get(key, [])
        if not re.search(pattern, text)
    ]
    where = {"columns": "which stands over no number of the stored output"}
    return [
        f'"{key}" names {words!r}, {where.get(key, "which the stored output does not have")}'
        for key, words in unused
    ]


# ------------------------------------------------------------------ comparison


def output_texts(outputs: list[dict]) -> list[str]:
    """What is compared of a cell's outputs: printed text, then results; no stderr, no pictures."""
    texts = [
        "".join(o["text"])
        for o in outputs
        if o.get("output_type") == "stream" and o["name"] == "stdout"
    ]
    return texts + ["".join(o["data"].get("text/plain", "")) for o in outputs if "data" in o]


def differences(stored: str, found: str, rules: dict) -> list[str]:
    """How a new text differs from the stored one by more than the rules allow; [] if not."""
    lines, new_lines = freed(stored, rules).splitlines(), freed(found, rules).splitlines()
    problems = []
    for place, (line, new_line) in enumerate(zip(lines, new_lines), 1):
        numbers, new_numbers = numbers_of(line), numbers_of(new_line)
        if len(numbers) != len(new_numbers):
            more = "more" if len(new_numbers) > len(numbers) else "fewer"
            problems.append(
                f"line {place} has {more} numbers than stored, {len(new_numbers)} instead of "
                f"{len(numbers)}:\n    expected {line}\n    found    {new_line}"
            )
        elif words_of(line) != words_of(new_line):
            problems.append(
                f"line {place} has other words:\n    expected {line}\n    found    {new_line}"
            )
        else:
            for number, new in zip(numbers, new_numbers):
                tolerance = tolerance_of(number, place - 1, lines, rules)
                if not agrees(number, new, tolerance):
                    said = (
                        f"{tolerance:g}" if isinstance(tolerance, (int, float)) else f"{tolerance}"
                    )
                    if math.isnan(new.value) or math.isinf(new.value):
                        said += "; a number must stay finite"
                    problems.append(
                        f"line {place}: expected {number.text}, found {new.text}, "
                        f"tolerance {said}:\n"
                        f"    {line}\n    {new_line}"
                    )
    if len(lines) != len(new_lines):
        longer = lines if len(lines) > len(new_lines) else new_lines
        extra = longer[min(len(lines), len(new_lines))]
        problems.append(
            f"{len(new_lines)} lines instead of {len(lines)}; "
            f"{'missing' if longer is lines else 'not stored'}:\n    {extra}"
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
        if any(
            m.start() <= number.start and number.end <= m.end() for m in re.finditer(pattern, line)
        ):
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


def check_claims(claims: list[str], names: dict, lines: list[tuple[str, list[float]]]) -> list[str]:
    """The claims that do not hold, with their values. Runs in the kernel, without this module.

    names: the notebook's; lines: what the cell printed, each line with its numbers.
    """
    import ast
    import sys

    def printed(words):
        for line, numbers in lines:
            if words in line:
                return numbers
        raise LookupError(f"no printed line contains {words!r}")

    def value_of(expression):
        return eval(expression, scope)

    def values_in(tree):
        compared = [
            part
            for node in ast.walk(tree)
            if isinstance(node, ast.Compare)
            for part in (node.left, *node.comparators)
        ]
        named = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
        for expression in dict.fromkeys(
            ast.unparse(n) for n in compared + named if not isinstance(n, ast.Constant)
        ):
            try:
                value = value_of(expression)
            except Exception:  # a variable of a comprehension has no value outside it
                continue
            shown = repr(value)
            if not callable(value) and type(value).__name__ != "module":
                yield f"{expression} = {shown if len(shown) <= 120 else shown[:117] + '...'}"

    scope = names | {"printed": printed}
    torch, problems = sys.modules.get("torch"), []
    state = torch.get_rng_state() if torch else None
    for claim in claims:
        try:
            value = value_of(claim)
            truth = type(value).__name__ in ("bool", "bool_") or str(
                getattr(value, "dtype", "")
            ) in ("bool", "torch.bool")
            if not truth:
                problems.append(
                    f"the claim {claim} is not True or False but of type {type(value).__name__}"
                )
            elif not bool(value):
                values = "\n".join(
                    f"    {line}" for line in values_in(ast.parse(claim, mode="eval"))
                )
                problems.append(f"the claim does not hold: {claim}\n{values}")
        except Exception as error:
            problems.append(f"the claim {claim} raised {type(error).__name__}: {error}")
    if torch:
        torch.set_rng_state(state)
    return problems
