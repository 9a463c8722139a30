"""The user's own code, named on the command line: ``my_project.nets:build(width=64)``.

Naming a function this way runs it, and importing its module runs that module. Arguments are
Python literals and are never evaluated.
"""

import ast
import importlib
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from ridgeline.errors import RidgelineError, UnknownName, UsageError

__all__ = ["resolve", "resolve_function"]

FORM = "Write module:function or module:function(3, width=64)"


def resolve(
    spec: str,
    *,
    kind: str,
    offered: Mapping[str, Any] | None = None,
    ready: Callable[[Any], bool] | None = None,
) -> Any:
    """Import a function by its name, call it, and give what it returns.

    The current directory is searched first, as `python script.py` would.

    Args:
        spec: ``module:function``, or ``module:attribute.function(argument, key=value)`` whose
            arguments are Python literals.
        kind: What the function shall make, for messages: ``"model"``, ``"data set"``.
        offered: Keywords that are passed too, if the function has parameters of these names and
            the spec does not give them.
        ready: Tells what is given as it is, if the spec has no arguments: an object of the user's
            in place of a function that makes one.

    Returns:
        Whatever the function returns, or the object.

    Raises:
        UsageError: If the form is wrong, the module cannot be imported, an argument is not a
            literal, or the function raises (the original error is the cause).
        UnknownName: If the module has no such attribute; the nearest come first.
    """
    module_name, colon, rest = spec.strip().partition(":")
    if not colon or not rest.strip():
        raise UsageError(
            f"A {kind} of your own is named by a module and a function.",
            got=repr(spec),
            remedy=f"{FORM}.",
        )
    dotted = re.fullmatch(r"[^\W\d]\w*(\.[^\W\d]\w*)*", module_name)
    if not dotted or module_name.endswith(".py"):
        stem = module_name.removesuffix(".py").strip("./").replace("/", ".")
        raise UsageError(
            f"The module of a {kind} is a dotted name, not a file's.",
            got=repr(module_name),
            remedy=f"Write {stem}:{rest}, from the folder in which `import {stem}` works.",
        )
    names, args, kwargs = _parse(rest.strip(), spec, kind)
    with _current_directory():
        found: Any = _import(module_name, kind)
        trail = module_name
        for name in names:
            if not hasattr(found, name):
                raise UnknownName(f"name in {trail!r} (for the {kind})", name, _offered(found))
            found, trail = getattr(found, name), f"{trail}.{name}"
        if ready is not None and not rest.rstrip().endswith(")") and ready(found):
            return found
        if not callable(found):
            raise UsageError(
                f"A {kind} of your own is made by a function.",
                got=f"{trail}, which is {type(found).__name__}",
                remedy="Name a function or a class; it is called, and its result is used.",
            )
        kwargs = {k: v for k, v in (offered or {}).items() if _takes(found, k)} | kwargs
        try:
            return found(*args, **kwargs)
        except RidgelineError:
            raise
        except Exception as error:
            raise UsageError(
                f"The function that makes the {kind} must return without raising.",
                got=f"{type(error).__name__}: {error}",
                remedy=f"{spec} raised it; the cause shows the line. Check the arguments.",
            ) from error


def resolve_function(spec: str, *, kind: str, also: tuple[type, ...] = ()) -> Any:
    """A function of the user's own, or an object that is called as one; a class is instantiated.

    Args:
        spec: ``module:function``; ``module:Class`` and ``module:make(arguments)`` are called, and
            what they give is the function.
        kind: What it is for, for messages: ``"loss"``, ``"metric"``.
        also: What may stand in place of a function, as a dict of several.

    Returns:
        The function, or what is in its place.

    Raises:
        UsageError: As `resolve` does; also if what is made is not callable.
        UnknownName: If the module has no such attribute.
    """

    def ready(found: Any) -> bool:
        return isinstance(found, also) or (callable(found) and not isinstance(found, type))

    made = resolve(spec, kind=kind, ready=ready)
    if not callable(made) and not isinstance(made, also):
        raise UsageError(
            f"A {kind} of your own is a function (outputs, targets).",
            got=f"{type(made).__name__} from {spec}",
            remedy=f"Name the function itself, as in my_project.losses:focal; with arguments it is "
            f"called, and what it returns is the {kind}.",
        )
    return made


def _offered(owner: Any) -> list[str]:
    """Functions and classes that an owner exports or defines, not what it imports for itself."""
    exported = getattr(owner, "__all__", None)
    names = exported or [n for n in dir(owner) if not n.startswith("_")]
    made = {n: x for n in names if callable(x := getattr(owner, n, None))}
    root = _root(getattr(owner, "__module__", None) or owner.__name__)
    return [n for n, x in made.items() if exported or _root(getattr(x, "__module__", "")) == root]


def _root(module: str | None) -> str:
    return (module or "").partition(".")[0]


def _takes(function: Callable[..., Any], name: str) -> bool:
    try:
        return name in inspect.signature(function).parameters
    except (TypeError, ValueError):  # a builtin that does not tell
        return False


def _parse(text: str, spec: str, kind: str) -> tuple[list[str], list[Any], dict[str, Any]]:
    """Split ``a.b(1, c=2)`` into names and literal arguments."""
    try:
        node = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError):
        node = None
    call = node if isinstance(node, ast.Call) else None
    target = call.func if call else node
    names: list[str] = []
    while isinstance(target, ast.Attribute):
        names.insert(0, target.attr)
        target = target.value
    if not isinstance(target, ast.Name):
        raise UsageError(
            f"A {kind} of your own is named by a module and a function.",
            got=repr(spec),
            remedy=f"{FORM}.",
        )
    names.insert(0, target.id)
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    for argument in call.args if call else ():
        args.append(_literal(argument, kind))
    for keyword in call.keywords if call else ():
        if keyword.arg is None:
            raise _not_literal(f"**{ast.unparse(keyword.value)}", kind)
        kwargs[keyword.arg] = _literal(keyword.value, kind)
    return names, args, kwargs


def _literal(node: ast.expr, kind: str) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        raise _not_literal(ast.unparse(node), kind) from None


def _not_literal(text: str, kind: str) -> UsageError:
    return UsageError(
        f"Arguments of the function that makes the {kind} are Python literals.",
        got=text,
        remedy="Numbers, strings in quotes, True, False, None, and lists, tuples or dicts of "
        "them. Anything else belongs into a function of your own without arguments.",
    )


def _import(name: str, kind: str) -> ModuleType:
    importlib.invalidate_caches()  # the file may have been written a moment ago
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or name
        if name == missing or name.startswith(f"{missing}."):
            raise UsageError(
                f"The module of the {kind} must be importable from here.",
                got=f"{name!r}; there is no module {missing!r}",
                remedy=f"It is looked for in {Path.cwd()} and in this Python's packages: run in "
                "the folder that holds it, or install it.",
            ) from error
        raise _import_raised(name, kind, error) from error
    except (Exception, SystemExit) as error:
        raise _import_raised(name, kind, error) from error


def _import_raised(name: str, kind: str, error: BaseException) -> UsageError:
    return UsageError(
        f"The module of the {kind} must import without raising.",
        got=f"{type(error).__name__}: {error}",
        remedy=f"`import {name}` raised it; the cause shows the line.",
    )


@contextmanager
def _current_directory() -> Iterator[None]:
    """Search the current directory first, as long as the user's code is imported and called."""
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        yield
    finally:
        if here in sys.path:
            sys.path.remove(here)
