"""Plausible slips in a function's source: one small change each, at one place."""

import ast
import random
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Function", "Slip", "functions", "slips"]

COMPARED = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
COMPUTED = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Div,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
NAMED = {"min": "max", "max": "min", "any": "all", "all": "any", "argmax": "argmin"}
UNSEEN = {"strict", "stacklevel"}
"""Keywords whose loss or change alters nothing that a right program shows."""
STREAMS = {"stream", "seed_of"}
"""Functions whose strings name a stream of random numbers: another name is as good."""


@dataclass(frozen=True)
class Function:
    """A function or method, with where it stands."""

    name: str
    first: int
    last: int


@dataclass(frozen=True)
class Slip:
    """Source with one change, told in a line."""

    line: int
    said: str
    source: str


def functions(source: str, least: int = 3) -> list[Function]:
    """The functions of a module whose body has some lines, in its order.

    Args:
        source: Of the module.
        least: Lines of a body, its docstring not counted.
    """
    found = []
    for path, node in _definitions(ast.parse(source), ""):
        body = node.body[1:] if ast.get_docstring(node) else node.body
        lines = body[-1].end_lineno - body[0].lineno + 1 if body else 0
        if lines >= least:
            found.append(Function(path, node.lineno, node.end_lineno or node.lineno))
    return found


def _definitions(tree: ast.AST, above: str) -> Iterator[tuple[str, ast.FunctionDef]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            path = f"{above}.{node.name}".lstrip(".")
            if isinstance(node, ast.FunctionDef):
                yield path, node
            else:
                yield from _definitions(node, path)


def slips(source: str, function: Function, seed: int) -> Iterator[Slip]:
    """Slips in a function, in a random order: kinds first, so that none crowds out the others.

    Args:
        source: Of the module.
        function: One of its `functions`.
        seed: Of the order.
    """
    draws = random.Random(f"{seed} {function.name} {function.first}")
    tree = ast.parse(source)
    places = _places(next(n for p, n in _definitions(tree, "") if _is(p, n, function)))
    by_kind: dict[str, list[int]] = {}
    for k, (kind, _) in enumerate(places):
        by_kind.setdefault(kind, []).append(k)
    order: list[int] = []
    for held in by_kind.values():
        draws.shuffle(held)
    while any(by_kind.values()):
        kinds = [kind for kind, held in by_kind.items() if held]
        order.append(by_kind[draws.choice(kinds)].pop())
    for k in order:
        fresh = ast.parse(source)
        node = next(n for p, n in _definitions(fresh, "") if _is(p, n, function))
        kind, change = _places(node)[k]
        at, said = change()
        changed = ast.unparse(ast.fix_missing_locations(fresh))
        yield Slip(at, f"{kind}: {said}", changed)


def _is(path: str, node: ast.FunctionDef, function: Function) -> bool:
    return path == function.name and node.lineno == function.first


def _places(function: ast.FunctionDef) -> list:
    """Kind of each slip that can be made, and what makes it and tells line and words."""
    found: list = []
    docstring = ast.get_docstring(function, clean=False) is not None
    for statement in function.body[1:] if docstring else function.body:
        calls = [x for x in ast.walk(statement) if isinstance(x, ast.Call)]
        unseen = {id(x) for call in calls if _name(call.func) in STREAMS for x in call.args}
        unseen |= {id(k.value) for call in calls for k in call.keywords if k.arg == "strict"}
        for parent in ast.walk(statement):
            if isinstance(parent, ast.Assert | ast.AnnAssign) or id(parent) in unseen:
                continue
            found += _of(parent)
        found += _left_out(function, statement)
    for parent in ast.walk(function):
        for block in ("body", "orelse"):
            held = getattr(parent, block, None)
            if parent is not function and isinstance(held, list) and len(held) > 1:
                for statement in held:
                    found += _left_out(parent, statement, block)
    return found


def _of(node: ast.AST) -> Iterator:
    if isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARED:
        yield "comparison", lambda: _swap(node, node.ops, COMPARED)
    elif isinstance(node, ast.BinOp) and type(node.op) in COMPUTED:
        if not any(isinstance(x, ast.Constant | ast.JoinedStr) and not _number(x)
                   for x in (node.left, node.right)):  # fmt: skip
            yield "arithmetic", lambda: _operator(node)
    elif isinstance(node, ast.BoolOp):
        yield "and, or", lambda: _boolean(node)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield "not", lambda: _negated(node)
    elif isinstance(node, ast.If | ast.IfExp | ast.While) and not isinstance(node, ast.While):
        yield "condition", lambda: _turned(node)
    elif isinstance(node, ast.Call):
        if isinstance(node.func, ast.Name | ast.Attribute) and _name(node.func) in NAMED:
            yield "function", lambda: _renamed(node.func)
        for k, keyword in enumerate(node.keywords):
            if keyword.arg not in UNSEEN and keyword.arg is not None:
                yield "argument", lambda k=k: _dropped(node, k)
    elif _number(node):
        yield "number", lambda: _number_changed(node)
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield "flag", lambda: _flag_changed(node)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.strip():
        yield "words", lambda: _words_changed(node)
    elif isinstance(node, ast.Continue | ast.Break):
        pass


def _left_out(parent: ast.AST, statement: ast.stmt, block: str = "body") -> Iterator:
    """Leaving out a call, a step of a sum, or a refusal."""
    called = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)
    refusal = isinstance(statement, ast.If) and isinstance(statement.body[-1], ast.Raise)
    if called or isinstance(statement, ast.AugAssign) or (refusal and not statement.orelse):

        def change() -> tuple[int, str]:
            held = getattr(parent, block)
            held[held.index(statement)] = ast.Pass()
            return statement.lineno, ast.unparse(statement).splitlines()[0] + " left out"

        yield "statement", change


def _number(node: ast.AST) -> bool:
    plain = isinstance(node, ast.Constant) and isinstance(node.value, int | float)
    return plain and not isinstance(node.value, bool)


def _name(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")


def _told(node: ast.AST, before: str) -> tuple[int, str]:
    return node.lineno, f"{before} -> {ast.unparse(node)}"


def _swap(node: ast.Compare, ops: list, by: dict) -> tuple[int, str]:
    before = ast.unparse(node)
    ops[0] = by[type(ops[0])]()
    return _told(node, before)


def _operator(node: ast.BinOp) -> tuple[int, str]:
    before = ast.unparse(node)
    node.op = COMPUTED[type(node.op)]()
    return _told(node, before)


def _boolean(node: ast.BoolOp) -> tuple[int, str]:
    before = ast.unparse(node)
    node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    return _told(node, before)


def _negated(node: ast.UnaryOp) -> tuple[int, str]:
    before = ast.unparse(node)
    node.op, node.operand = ast.Not(), ast.UnaryOp(ast.Not(), node.operand)
    return _told(node, before)


def _turned(node: ast.If | ast.IfExp) -> tuple[int, str]:
    before = ast.unparse(node.test)
    node.test = ast.UnaryOp(ast.Not(), node.test)
    return node.lineno, f"if {before} -> if not"


def _renamed(node: ast.expr) -> tuple[int, str]:
    before = _name(node)
    if isinstance(node, ast.Name):
        node.id = NAMED[before]
    else:
        node.attr = NAMED[before]  # type: ignore[attr-defined]  # an attribute
    return node.lineno, f"{before} -> {NAMED[before]}"


def _dropped(node: ast.Call, k: int) -> tuple[int, str]:
    left = node.keywords.pop(k)
    return node.lineno, f"{ast.unparse(left)} left out of {ast.unparse(node.func)}"


def _number_changed(node: ast.Constant) -> tuple[int, str]:
    before = node.value
    node.value = before + 1 if isinstance(before, int) else before * 2 or 1.0
    return node.lineno, f"{before} -> {node.value}"


def _flag_changed(node: ast.Constant) -> tuple[int, str]:
    node.value = not node.value
    return node.lineno, f"{not node.value} -> {node.value}"


def _words_changed(node: ast.Constant) -> tuple[int, str]:
    before = node.value
    node.value = " " if before.strip() != before else ""
    return node.lineno, f"{before[:60]!r} -> nothing"
