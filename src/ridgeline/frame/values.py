"""Values of a table: when two are the same, and columns of them as arrays."""

import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from inspect import Parameter, signature
from typing import Any

import numpy as np

from ridgeline.errors import UsageError

__all__ = ["array_of", "asked_for", "is_missing", "key_of", "plain_of"]


def key_of(value: Any) -> Hashable:
    """Return what tells a value from others: True is not 1, and NaN is NaN.

    Raises:
        UsageError: If values of this kind cannot be told apart, as arrays and profiles cannot.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, list | tuple):
        return tuple(key_of(part) for part in value)
    if isinstance(value, bool):
        return ("bool", value)
    if isinstance(value, float) and math.isnan(value):
        return ("nan",)
    try:
        hash(value)
    except TypeError as error:
        raise UsageError(
            "Rows are grouped by numbers, texts, truth values, or tuples of them.",
            got=type(value).__name__,
        ) from error
    return value


def is_missing(value: Any) -> bool:
    """True of None, which stands where nothing was measured."""
    return value is None


def array_of(values: Sequence[Any]) -> np.ndarray:
    """Return a column as an array.

    Args:
        values: Of one column, in the order of the rows.

    Returns:
        Shape (rows,): of truth values if all are, of float64 or int64 if all are numbers, where a
        missing one is NaN; else of objects.
    """
    present = [value for value in values if not is_missing(value)]
    if present and len(present) == len(values):
        if all(isinstance(value, bool | np.bool_) for value in values):
            return np.array(values, dtype=bool)
        if all(_is_number(value, int, np.integer) for value in values):
            return np.array(values, dtype=np.int64)
    if present and all(_is_number(value, int | float, np.number | np.bool_) for value in present):
        return np.array([math.nan if is_missing(v) else float(v) for v in values])
    found = np.empty(len(values), dtype=object)
    found[:] = values
    return found


def _is_number(value: Any, kind: Any, of_numpy: Any) -> bool:
    return isinstance(value, kind | of_numpy) and np.ndim(value) == 0


def plain_of(value: Any) -> Any:
    """Return a value for a file: numbers, texts and truth values as they are, others as text."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value)


def asked_for(function: Callable[..., Any], known: Iterable[str] | None = None) -> list[str]:
    """Return the columns that a function asks for: the names of its parameters.

    Args:
        function: Parameters with a default are left at it.
        known: Names of columns, to which ``row`` is added; None for any.

    Raises:
        UsageError: If a parameter is no column.
    """
    names = [
        name
        for name, parameter in signature(function).parameters.items()
        if parameter.default is Parameter.empty
        and parameter.kind in (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
    ]
    if known is None:
        return names
    known = [*known, "row"]
    if unknown := [name for name in names if name not in known]:
        raise UsageError(
            "A function of columns names them by its parameters.",
            got=f"{getattr(function, '__name__', function)!s}({', '.join(names)}); no column "
            f"{', '.join(map(repr, unknown))} among {', '.join(known[:-1]) or 'none'}",
        )
    return names
