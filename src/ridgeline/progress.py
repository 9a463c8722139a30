"""How far work is: one callback, of one signature, everywhere."""

from collections.abc import Callable

__all__ = ["Progress", "silent", "under"]

Progress = Callable[[str, int, int], None]
"""Told (what is being done, how much is done, of how much in all; 0 if that is not known)."""


def silent(what: str, done: int, of: int) -> None:
    """Tell nobody."""


def under(progress: Progress | None, what: str) -> Progress | None:
    """The same callback for a part of the work, told of under one name.

    Args:
        progress: The callback; None stays None.
        what: What is being done, in place of what the part says of itself.
    """
    if progress is None:
        return None
    return lambda _, done, of: progress(what, done, of)
