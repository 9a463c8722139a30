"""Choosing runs by what is known of them: ``training.optimiser.learning_rate>=0.1``."""

import json
import operator
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ridgeline.errors import UnknownName, UsageError
from ridgeline.study.store.query import flat
from ridgeline.study.store.records import StoredRun

__all__ = ["fields", "ordered", "select"]

COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "!=": operator.ne,
    "=": operator.eq,
    ">": operator.gt,
    "<": operator.lt,
}


def fields(run: StoredRun) -> dict[str, Any]:
    """All fields of a run by dotted paths: of its full configuration, its summary, and its name."""
    named = {"name": run.identity.name, "hash": run.identity.hash}
    return flat(run.full, joint=".") | flat(run.summary, joint=".") | named


def select(runs: Iterable[StoredRun], conditions: Sequence[str]) -> list[StoredRun]:
    """The runs for which all conditions hold.

    Args:
        runs: From which to choose.
        conditions: ``FIELD=VALUE``, or with ``!=``, ``<``, ``<=``, ``>``, ``>=``. A value is
            read as JSON if it can be, else as text. A run that lacks the field is not chosen.

    Returns:
        Those runs, in order.

    Raises:
        UsageError: If a condition is not of this form, or compares text with a number.
        UnknownName: If no run has such a field; the nearest come first.
    """
    held = [(run, fields(run)) for run in runs]
    for condition in conditions:
        name, compare, value = _parsed(condition)
        _check(name, [values for _, values in held])
        held = [
            (run, values)
            for run, values in held
            if name in values and _holds(compare, values[name], value, condition)
        ]
    return [run for run, _ in held]


def ordered(runs: Iterable[StoredRun], by: str) -> list[StoredRun]:
    """Runs sorted by a field, descending after a minus sign; those without it come last.

    Raises:
        UnknownName: If no run has such a field; the nearest come first.
    """
    held = [(run, fields(run)) for run in runs]
    name, falls = by.lstrip("-"), by.startswith("-")
    _check(name, [values for _, values in held])
    there = [(values[name], run) for run, values in held if values.get(name) is not None]
    text = any(isinstance(value, str) for value, _ in there)
    there.sort(key=lambda pair: str(pair[0]) if text else pair[0], reverse=falls)
    return [run for _, run in there] + [run for run, v in held if v.get(name) is None]


def _parsed(condition: str) -> tuple[str, Callable[[Any, Any], bool], Any]:
    found = re.fullmatch(r"\s*([\w.\-]+)\s*(>=|<=|!=|=|>|<)\s*(.*?)\s*", condition)
    if found is None:
        raise UsageError(
            "A condition is a field, a comparison and a value.",
            got=repr(condition),
            remedy="Write, for example, net.kind=fcn or final.test.error<0.1.",
        )
    try:
        value = json.loads(found[3])
    except ValueError:
        value = found[3]
    return found[1], COMPARISONS[found[2]], json.dumps(value) if isinstance(value, list) else value


def _check(name: str, known: Sequence[dict[str, Any]]) -> None:
    if known and not any(name in values for values in known):
        raise UnknownName("field of runs", name, dict.fromkeys(n for v in known for n in v))


def _holds(compare: Callable[[Any, Any], bool], own: Any, value: Any, condition: str) -> bool:
    if own is None:
        return False
    if isinstance(own, str) and not isinstance(value, str):
        value = json.dumps(value)
    try:
        return compare(own, value)
    except TypeError as error:
        raise UsageError(
            "A condition compares values of one kind.", got=f"{condition!r} of {own!r}"
        ) from error
