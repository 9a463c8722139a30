"""Summaries, sentences, tables, figures, terminal output and pages of what was measured.

Names are imported when they are first used: plotting costs nothing to those who do not plot. They
are listed once, in the stub beside this file, which type checkers read too.
"""

import ast
import importlib
import pkgutil
from typing import Any

_WHERE = {
    name.name: node.module or ""
    for node in ast.parse(pkgutil.get_data(__name__, "__init__.pyi") or b"").body
    if isinstance(node, ast.ImportFrom)
    for name in node.names
}
__all__ = [*_WHERE]  # noqa: PLE0604 (all are strings)


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'ridgeline.report' has no attribute {name!r}")
    value = getattr(importlib.import_module(_WHERE[name]), name)
    globals()[name] = value
    return value
