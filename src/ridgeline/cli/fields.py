"""Fields of the library's dataclasses, read out of its sources.

An option sets a field, so its type, its choices and its default are the field's. Sources are read
rather than imported: help is instant and loads no torch.
"""

import ast
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

__all__ = ["REQUIRED", "Field", "fields_of"]

REQUIRED = object()
"""In place of a default, where a field has none."""
KINDS = {"int": int, "float": float, "str": str, "bool": bool}


@dataclass(frozen=True)
class Field:
    """A field of a dataclass.

    Args:
        name: Its name.
        kind: Type of a plain one, which an option can give; None for others.
        choices: Of a `Literal`.
        default: `REQUIRED` without one, None where it is no literal.
    """

    name: str
    kind: type | None
    choices: tuple[str, ...]
    default: Any


@cache
def fields_of(where: str) -> dict[str, Field]:
    """The fields of a dataclass, by name, those of its bases in the same file left out.

    Args:
        where: Module and name, as ``"ridgeline.matching.weights:WeightMatching"``.
    """
    module, _, name = where.partition(":")
    tree = _source(module)
    body = next(n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == name).body
    found = {}
    for node in body:
        if not (isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)):
            continue
        if "ClassVar" in ast.unparse(node.annotation):
            continue
        kind, choices = _type(node.annotation, module)
        found[node.target.id] = Field(node.target.id, kind, choices, _default(node.value))
    return found


@cache
def _source(module: str) -> ast.Module:
    package, *rest = module.split(".")
    for tail in (".py", "/__init__.py"):
        try:
            text = pkgutil.get_data(package, "/".join(rest) + tail)
        except OSError:
            continue
        return ast.parse(text or b"")
    raise LookupError(module)


def _type(node: ast.expr, module: str) -> tuple[type | None, tuple[str, ...]]:
    """A plain type and its choices; an alias is followed, and ``| None`` is left out."""
    if isinstance(node, ast.BinOp) and isinstance(node.right, ast.Constant):
        return _type(node.left, module)
    if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "Literal":
        values = ast.literal_eval(node.slice)
        return str, values if isinstance(values, tuple) else (values,)
    if not isinstance(node, ast.Name):
        return None, ()
    if node.id in KINDS:
        return KINDS[node.id], ()
    return next((_type(alias, home) for alias, home in _aliases(node.id, module)), (None, ()))


def _aliases(name: str, module: str) -> Iterator[tuple[ast.expr, str]]:
    """Right side of a name's assignment, in its module or in that it is imported from."""
    for node in _source(module).body:
        if isinstance(node, ast.Assign) and [ast.unparse(t) for t in node.targets] == [name]:
            yield node.value, module
        elif isinstance(node, ast.ImportFrom) and str(node.module).startswith("ridgeline"):
            for found in node.names:
                if (found.asname or found.name) == name:
                    yield from _aliases(found.name, str(node.module))


def _default(node: ast.expr | None) -> Any:
    if node is None:
        return REQUIRED
    try:
        return ast.literal_eval(node)
    except ValueError:
        return None
