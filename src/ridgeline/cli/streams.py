"""Standard output and standard error: closed, full, read by nobody, or kept for JSON alone."""

import ctypes
import json
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ridgeline.errors import RidgelineWarning

__all__ = ["json_alone", "silence_broken", "stand_in", "tell_json", "told_once"]

_KEPT: list[Any] = []
"""Where JSON goes while standard output is kept for it: a file descriptor, or a stream."""


@contextmanager
def told_once() -> Iterator[None]:
    """Show each of Ridgeline's warnings once, as a sentence without a line of code."""
    seen: set[str] = set()
    with warnings.catch_warnings():
        warnings.simplefilter("always", RidgelineWarning)
        other = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *where: Any) -> None:
            if not issubclass(category, RidgelineWarning):
                other(message, category, *where)
            elif str(message) not in seen:
                seen.add(str(message))
                print(f"ridgeline: {message}", file=sys.stderr)

        warnings.showwarning = show
        yield


def stand_in() -> None:
    """Put a stream that leads nowhere in the place of one that was closed from the start."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            # For as long as the process.
            nowhere = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
            setattr(sys, name, nowhere)


def silence_broken() -> None:
    """Lead a stream that cannot be written to nowhere.

    The interpreter flushes both once more when it ends; what fails there would be told on
    standard error and change the exit code.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            try:
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, stream.fileno())
                os.close(nowhere)
            except (OSError, ValueError):  # a stream without a descriptor
                continue


@contextmanager
def json_alone(*, for_good: bool = False) -> Iterator[None]:
    """Keep standard output for `tell_json`: what else is written there goes to standard error.

    A network, a loss or data of the user's may print as they are imported and as they run, also
    from libraries in C, which know the file descriptor alone.

    Args:
        for_good: Whether it stays so until the process ends, as its last words are printed
            then.
    """
    own, kept = sys.stdout, -1
    own.flush()
    with suppress(OSError):  # closed from the start
        kept = os.dup(1)
        os.dup2(2, 1)
    _KEPT.append(kept if kept >= 0 and _descriptor(own) == 1 else own)
    sys.stdout = sys.stderr
    try:
        yield
    finally:
        if not for_good:
            _KEPT.pop()
            sys.stdout = own
            if kept >= 0:
                with suppress(OSError, AttributeError):  # what C holds back would follow later
                    ctypes.CDLL(None).fflush(None)
                os.dup2(kept, 1)
                os.close(kept)


def _descriptor(stream: Any) -> int | None:
    try:
        return stream.fileno()
    except (OSError, ValueError):  # a stream in memory
        return None


def tell_json(value: Any) -> None:
    """Print a value as JSON to standard output."""
    text = json.dumps(value, allow_nan=False, default=str) + "\n"
    to = _KEPT[-1] if _KEPT else sys.stdout
    if not isinstance(to, int):
        to.write(text)
        to.flush()
        return
    left = memoryview(text.encode())
    while left:
        left = left[os.write(to, left) :]
