"""Mutants of a right answer: each makes one of the field's usual mistakes, mechanically.

    python tests/mutants.py 05      the mutants of lesson 05 that its checks let pass

A mutant that survives is a case that the check lacks, or it is right as well: then
tests/equivalent_mutants.toml says why. Mistakes within the code are made on its syntax tree,
mistakes about inputs and outputs by a function around the answer.
"""

import ast
import copy
import functools
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

__all__ = ["around", "mutants"]

# Names of functions and methods that are taken for each other
SWAPS = [
    ("mean", "sum"),
    ("mean", "median"),
    ("max", "min"),
    ("amax", "amin"),
    ("maximum", "minimum"),
    ("argmax", "argmin"),
    ("floor", "ceil"),
    ("round", "floor"),
    ("any", "all"),
    ("std", "var"),
    ("log", "log2"),
    ("zeros", "ones"),
    ("zeros_like", "ones_like"),
    ("cumsum", "cumprod"),
    ("cos", "sin"),
    ("rand", "randn"),
    ("argsort", "sort"),
    ("sigmoid", "tanh"),
]
# Steps that are forgotten: x.step() -> x, step(x) -> x
DROPPED = (
    "abs square sqrt exp log relu clamp clamp_min clamp_max clip detach clone sigmoid flip "
    "float double sort floor round conj t contiguous sorted unique tolist zero_grad eval"
).split()
FORGOTTEN_KEYWORDS = (
    "keepdim dim descending correction unbiased dtype generator reduction largest reverse key "
    "minlength weights padding stride"
).split()
BINARY = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult}
COMPARED = {
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.GtE),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.LtE),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
}


def mutants(source: str) -> Iterator[tuple[str, str]]:
    """(description, source) of every mutant of a program, none twice."""
    tree, seen = ast.parse(source), {ast.unparse(ast.parse(source))}
    for place, node in enumerate(ast.walk(tree)):
        for changed in changes(node):
            mutant = copy.deepcopy(tree)
            replace(mutant, place, changed)
            text = ast.unparse(ast.fix_missing_locations(mutant))
            if text not in seen:
                seen.add(text)
                yield f"{shown(node)} -> {shown(changed)}", text


def shown(node: ast.AST | None) -> str:
    """The code of a node, in one line."""
    text = ast.unparse(node) if node else "(nothing)"
    return " ".join(text.split())[:70]


def replace(tree: ast.AST, place: int, changed: ast.AST | None) -> None:
    """Put a node in the place of the one that ast.walk meets as number `place`."""
    old = next(node for i, node in enumerate(ast.walk(tree)) if i == place)
    for parent in ast.walk(tree):
        for name, value in ast.iter_fields(parent):
            if value is old:
                setattr(parent, name, changed)
            elif isinstance(value, list) and any(each is old for each in value):
                at = next(i for i, each in enumerate(value) if each is old)
                value[at : at + 1] = changed.body if isinstance(changed, ast.Module) else [changed]


def changes(node: ast.AST) -> Iterator[ast.AST]:
    """What may stand in the place of a node by mistake."""
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        for other in COMPARED.get(type(node.ops[0]), ()):
            yield changed(node, ops=[other()])
    elif isinstance(node, ast.BinOp):
        if type(node.op) in BINARY:
            yield changed(node, op=BINARY[type(node.op)]())
        if isinstance(node.op, (ast.Sub, ast.Div, ast.MatMult, ast.Pow)):
            yield changed(node, left=node.right, right=node.left)
        if isinstance(node.op, (ast.Add, ast.Sub, ast.Mult, ast.Div)):
            yield node.left
            yield node.right
        if isinstance(node.op, ast.FloorDiv):
            yield changed(node, op=ast.Div())
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.Not)):
        yield node.operand
    elif isinstance(node, ast.Constant):
        yield from (ast.Constant(value) for value in other_constants(node.value))
    elif isinstance(node, ast.Attribute):
        for name in swapped(node.attr):
            yield changed(node, attr=name)
        if node.attr in ("T", "mT", "real"):
            yield node.value
    elif isinstance(node, ast.Call):
        yield from changed_calls(node)
    elif isinstance(node, ast.Slice) and (node.lower or node.upper):
        yield ast.Slice()
    elif isinstance(node, ast.IfExp):
        yield node.body
        yield node.orelse
    elif isinstance(node, ast.With) or (isinstance(node, ast.If) and not node.orelse):
        yield ast.Module(node.body, [])
    elif isinstance(node, ast.AugAssign):
        yield ast.Assign([node.target], node.value)
        yield ast.Pass()
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        yield ast.Pass()


def changed(node: ast.AST, **fields: object) -> ast.AST:
    """A copy of a node with other fields."""
    result = copy.copy(node)
    for name, value in fields.items():
        setattr(result, name, value)
    return result


def other_constants(value: object) -> list:
    """A constant that is off: by one, twice as large, the other truth value."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1, value - 1]
    return [2 * value] if isinstance(value, float) else []


def swapped(name: str) -> list[str]:
    """The names that a function's name is taken for."""
    return [b for pair in SWAPS for a, b in (pair, pair[::-1]) if a == name]


def changed_calls(node: ast.Call) -> Iterator[ast.AST]:
    """A call with a forgotten step, keyword or axis, or with its first two arguments swapped."""
    name = getattr(node.func, "attr", getattr(node.func, "id", ""))
    if isinstance(node.func, ast.Name):
        for other in swapped(name):
            yield changed(node, func=ast.Name(other))
    if name in DROPPED:
        module = isinstance(node.func, ast.Name) or getattr(node.func.value, "id", "") in (
            "torch",
            "F",
            "math",
            "np",
        )
        if not module:
            yield node.func.value
        elif node.args:
            yield node.args[0]
    for keyword in node.keywords:
        others = [each for each in node.keywords if each is not keyword]
        if keyword.arg in FORGOTTEN_KEYWORDS:
            yield changed(node, keywords=others)
        if isinstance(keyword.value, ast.Tuple) and len(keyword.value.elts) > 1:
            fewer = changed(keyword, value=changed(keyword.value, elts=keyword.value.elts[1:]))
            yield changed(node, keywords=[*others, fewer])
    if len(node.args) == 2:
        yield changed(node, args=node.args[::-1])


def of_tensors(change: Callable[[Tensor], Tensor], which: Callable = lambda x: True) -> Callable:
    """A mutant whose answer sees its float tensors changed; `differs` once one of them was."""

    def mutate(answer: Callable) -> Callable:
        @functools.wraps(answer)
        def mutant(*given: object, **named: object) -> object:
            return answer(*altered(mutant, given, change, which), **named)

        mutant.differs = False
        return mutant

    return mutate


def of_result(change: Callable[[Tensor], Tensor]) -> Callable:
    """A mutant that returns its tensors changed; `differs` once one of them was."""

    def mutate(answer: Callable) -> Callable:
        @functools.wraps(answer)
        def mutant(*given: object, **named: object) -> object:
            return altered(mutant, answer(*given, **named), change)

        mutant.differs = False
        return mutant

    return mutate


def altered(mutant: Callable, value: object, change: Callable, which=lambda x: True) -> object:
    """The value with its float tensors changed, those in lists and tuples too."""
    if isinstance(value, Tensor) and value.is_floating_point() and which(value):
        before = value.clone()
        new = change(value)
        mutant.differs |= not torch.equal(new, before)
        return new
    if type(value) is float and which is numbers_too:
        mutant.differs = True
        return change(value)
    if type(value) in (list, tuple):
        return type(value)(altered(mutant, each, change, which) for each in value)
    return value


def changing_inputs(answer: Callable) -> Callable:
    """A mutant that leaves the tensors it was given changed, those in lists too."""

    @functools.wraps(answer)
    def mutant(*given: object, **named: object) -> object:
        result = answer(*given, **named)
        with torch.no_grad():
            altered(mutant, given, lambda tensor: tensor.add_(1))
        return result

    mutant.differs = False
    return mutant


def differing(answer: Callable) -> Callable:
    """A mutant whose second call gives something else."""

    @functools.wraps(answer)
    def mutant(*given: object, **named: object) -> object:
        mutant.calls += 1
        return altered(mutant, answer(*given, **named), second, numbers_too)

    def second(y: Tensor | float) -> Tensor | float:
        return y + (mutant.calls == 2)

    mutant.calls, mutant.differs = 0, False
    return mutant


def numbers_too(x: Tensor) -> bool:
    """All tensors, and Python's floats as well."""
    return True


# {description: answer -> mutant}, for answers that are functions
around = {
    "negative inputs lose their sign": of_tensors(torch.abs),
    "inputs are clipped to [0, 1]": of_tensors(lambda x: x.clamp(0, 1)),
    "small inputs become zero": of_tensors(lambda x: x * (x.abs() > 0.05)),
    "inputs in half precision": of_tensors(lambda x: x.half().to(x.dtype)),
    "only the first channel is read": of_tensors(
        lambda x: x[:, :1].expand_as(x), lambda x: x.ndim == 4
    ),
    "only the first row is read": of_tensors(
        lambda x: x[:1].expand_as(x), lambda x: x.ndim > 1 and len(x) > 0
    ),
    "the result in half precision": of_result(lambda y: y.half().to(y.dtype)),
    "axes of size one are squeezed away": of_result(torch.squeeze),
    "the inputs are changed": changing_inputs,
    "a second call gives another result": differing,
}


if __name__ == "__main__":
    import sys

    from test_mutants import report

    report(sys.argv[1:])
