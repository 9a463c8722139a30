"""Consoles of a command: results on standard output, how far one is on standard error."""

import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from ridgeline.errors import MissingExtra
from ridgeline.progress import Progress as Callback

__all__ = ["progress_bar", "say", "stderr_console", "stdout_console"]


@contextmanager
def progress_bar() -> Iterator[Callback]:
    """A progress bar on a terminal; elsewhere one plain line at the start of each stage.

    Yields:
        Told (what, done, of).
    """
    console = stderr_console()
    if not console.is_terminal:
        seen: set[str] = set()

        def line(what: str, _: int, of: int) -> None:
            if what not in seen:
                seen.add(what)
                print(f"{what} ({of})", file=sys.stderr)

        yield line
        return
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    with Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeRemainingColumn(compact=True),
        console=console,
        transient=True,
    ) as bar:
        tasks: dict[str, Any] = {}

        def move(what: str, done: int, of: int) -> None:
            if what not in tasks:
                for task in tasks.values():
                    bar.update(task, visible=False)
                tasks[what] = bar.add_task(what, total=of)
            bar.update(tasks[what], completed=done, total=of)

        yield move


def stderr_console() -> Any:
    """A rich console on standard error.

    Raises:
        MissingExtra: If rich is not installed.
    """
    return _console(stderr=True)


def stdout_console() -> Any:
    """A rich console on standard output.

    Where it is not a terminal lines may be as long as they like, so that a table's row is one
    line for the programs that read it.
    """
    piped = not sys.stdout.isatty()
    return _console(soft_wrap=piped, width=1000 if piped else None)


def _console(**options: Any) -> Any:
    try:
        from rich.console import Console
    except ImportError as error:
        raise MissingExtra("rich", "cli", "The command line") from error

    if options.get("width") is None:
        # Not rich's own way, which takes COLUMNS=0 at its word and then shows nothing.
        options["width"] = shutil.get_terminal_size().columns or 80

    class Pipe(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # rich would end the process with code 1

    return Pipe(**options)


def say(sentences: Iterable[str]) -> None:
    """Print sentences to standard output, as they are."""
    console = stdout_console()
    for sentence in sentences:
        console.print(sentence, highlight=False, markup=False)
