"""Ctrl-C and SIGTERM: asking work to stop, or ending it."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["Interruption", "Terminated", "interruptible", "terminable"]


class Interruption:
    """True if Ctrl-C or SIGTERM came; the first asks to stop, a second stops at once."""

    def __init__(self) -> None:
        self.signal: int | None = None

    def __call__(self) -> bool:
        """True if a signal came."""
        return self.signal is not None

    @property
    def code(self) -> int:
        """The exit code: 130 or 143, or 0 if nothing came."""
        return 0 if self.signal is None else 128 + self.signal


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """Turn the first signal into a question that the engine asks between chunks."""
    came = Interruption()

    def first(number: int, _: FrameType | None) -> None:
        if came.signal is not None:
            raise KeyboardInterrupt
        came.signal = number
        print(
            "\nridgeline: stopping after this chunk; what is done will be kept. "
            "Once more to stop at once.",
            file=sys.stderr,
        )

    old = {number: signal.signal(number, first) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield came
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


class Terminated(KeyboardInterrupt):
    """SIGTERM, treated like Ctrl-C: claims are released, workers stopped."""


@contextmanager
def terminable() -> Iterator[None]:
    """Turn SIGTERM into `Terminated` within the block; only the main thread can."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_: int, __: FrameType | None) -> None:
        raise Terminated

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
