"""Defaults that have moved under a stored run."""

from collections.abc import Mapping
from typing import Any

from ridgeline.dotted import leaves
from ridgeline.study.canonical import text_of
from ridgeline.study.config import RunConfig

__all__ = ["moved_defaults"]


def moved_defaults(
    full: Mapping[str, Any], defining: Mapping[str, Any]
) -> dict[str, tuple[Any, Any]]:
    """The defaults that have moved since a run was stored.

    Args:
        full: Every value as it was, `RunConfig.full` of then.
        defining: What defined the run, `RunConfig.defining` of then.

    Returns:
        Dotted path to (then, now), for values that were left to their default. Empty if the
        definition still means what it meant. Fields that did not exist then are not listed.
    """
    then, now = dict(leaves(full)), dict(leaves(RunConfig.from_dict(defining).full()))
    both = [path for path in then if path in now]
    return {
        path: (then[path], now[path]) for path in both if text_of(then[path]) != text_of(now[path])
    }
