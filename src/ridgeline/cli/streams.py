"""Standard output and standard error where they are closed, full, or nobody reads them."""

import os
import sys
from pathlib import Path

__all__ = ["silence_broken", "stand_in"]


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
