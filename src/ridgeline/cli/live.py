"""How far a population is: one live table on a terminal, plain lines elsewhere."""

import math
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from ridgeline.cli.consoles import stderr_console
from ridgeline.numerals import duration
from ridgeline.study.executors import Failure
from ridgeline.study.plan import Plan
from ridgeline.study.populations import Watcher

__all__ = ["Lines", "Table", "shortened", "watcher"]

ROWS = 20
"""Runs in the table; of more, those that run now are shown and the others counted."""
EVERY = 5.0
"""Seconds between the plain lines of a group."""
COLUMNS = ("run", "step", "loss", "error", "test error", "rate", "steps/s", "left")


def watcher() -> "Lines":
    """A table if standard error is a terminal, lines if not."""
    return Table() if stderr_console().is_terminal else Lines()


def shortened(names: Collection[str]) -> dict[str, str]:
    """Names without the words that all of them begin with; a single name stays whole."""
    if len(names) < 2:
        return {name: name for name in names}
    pairs = zip(min(names), max(names), strict=False)
    shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    cut = min(names)[:shared].rfind("-") + 1
    return {name: name[cut:] for name in names}


class Lines(Watcher):
    """A line on standard error for each thing worth one, and now and then for each group."""

    def __init__(self) -> None:
        self.told: dict[str, float] = {}
        self.short: dict[str, str] = {}
        self.waited: tuple[str, ...] = ()

    def __enter__(self) -> "Lines":
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def say(self, text: str) -> None:
        """A line."""
        print(text, file=sys.stderr, flush=True)

    def group(self, names: Sequence[str]) -> str:
        """Some runs in a few words."""
        first = self.short.get(names[0], names[0])
        return first if len(names) == 1 else f"{first} and {len(names) - 1} more"

    def planned(self, plan: Plan, names: Mapping[str, str], found: int) -> None:
        """See `Watcher`."""
        missing = len(names) - found
        self.short = shortened(names.values())
        self.say(f"{_count(len(names), 'run')}: {found} in the store, {missing} to train")
        for reason in plan.reasons if missing else ():
            self.say(f"  {reason}")

    def progress(self, names: Sequence[str], said: Mapping[str, Any]) -> None:
        """See `Watcher`."""
        now, ended = time.monotonic(), said["step"] >= said["planned"] or all(said["finished"])
        if now - self.told.get(names[0], -math.inf) < EVERY and not ended:
            return
        self.told[names[0]] = now
        out = [what for what in said["finished"] if what == "diverged"]
        self.say(
            f"{self.group(names)}: step {said['step']} of {said['planned']}, "
            f"loss {_span(said['loss'])}, error {_span(said['error'])}, "
            f"test error {_span(said['test_error'])}, rate {_span(said['learning_rate'])}, "
            f"{said['rate']:.0f} steps/s, {duration(_left(said))} left"
            + (f", {len(out)} diverged" if out else "")
        )

    def ended(self, names: Sequence[str], failure: Failure | None) -> None:
        """See `Watcher`."""
        if failure is not None:
            self.say(f"{self.group(names)}: failed: {failure.kind}: {failure.text}")

    def waiting(self, names: Sequence[str], who: str) -> None:
        """See `Watcher`."""
        if self.waited != tuple(names):
            self.waited = tuple(names)
            self.say(f"{self.group(names)}: waiting, {who} is at work on it")


@dataclass
class Row:
    """Row of the table on one run."""

    run: str
    state: str = "waiting"
    """`waiting`, `running`, `in the store`, `failed`, or how training ended."""
    cells: tuple[str, ...] = ()


class Table(Lines):
    """A table that is drawn anew some times a second."""

    def __init__(self) -> None:
        super().__init__()
        from rich.live import Live

        self.rows: dict[str, Row] = {}
        self.note = ""
        self.live = Live(
            console=stderr_console(), refresh_per_second=4, get_renderable=self.draw, transient=True
        )

    def __enter__(self) -> "Table":
        self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.live.stop()

    def say(self, text: str) -> None:
        """A line above the table."""
        self.live.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def planned(self, plan: Plan, names: Mapping[str, str], found: int) -> None:
        """See `Watcher`."""
        super().planned(plan, names, found)
        self.rows = {names[run]: Row(names[run]) for group in plan.groups for run in group.runs}

    def progress(self, names: Sequence[str], said: Mapping[str, Any]) -> None:
        """See `Watcher`."""
        self.note = ""
        for i, name in enumerate(names):
            numbers = [said[what][i] for what in ("loss", "error", "test_error", "learning_rate")]
            left = said["finished"][i] or duration(_left(said))
            self.rows[name] = Row(
                name,
                said["finished"][i] or "running",
                (
                    f"{said['step']}/{said['planned']}",
                    *map(_number, numbers),
                    f"{said['rate']:.0f}",
                    left,
                ),
            )

    def ended(self, names: Sequence[str], failure: Failure | None) -> None:
        """See `Watcher`."""
        super().ended(names, failure)
        for name in names:
            row = self.rows.setdefault(name, Row(name))
            row.state = "failed" if failure is not None else "in the store"

    def waiting(self, names: Sequence[str], who: str) -> None:
        """See `Watcher`."""
        self.note = f"{self.group(names)}: waiting, {who} is at work on it"

    def draw(self) -> Any:
        """The table as it is now."""
        from rich import box
        from rich.markup import escape
        from rich.table import Table as Drawn

        rows = sorted(self.rows.values(), key=lambda row: row.state != "running")
        counts: dict[str, int] = {}
        for row in rows:
            counts[row.state] = counts.get(row.state, 0) + 1
        caption = ", ".join(f"{n} {state}" for state, n in counts.items())
        table = Drawn(
            box=box.SIMPLE_HEAD,
            caption="; ".join(filter(None, (caption, self.note))),
            caption_justify="left",
            header_style="dim",
            pad_edge=False,
        )
        for i, column in enumerate(COLUMNS):
            table.add_column(column, justify="right" if i else "left", no_wrap=True)
        for row in rows[:ROWS]:
            cells = row.cells or ("",) * (len(COLUMNS) - 2) + (row.state,)
            table.add_row(escape(self.short.get(row.run, row.run)), *cells)
        return table


def _count(n: int, what: str) -> str:
    return f"{n} {what}" + ("" if n == 1 else "s")


def _number(value: float) -> str:
    return f"{value:.3g}" if math.isfinite(value) else "-"


def _span(values: Sequence[float]) -> str:
    """From the smallest to the largest that is finite."""
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return "-"
    low, high = _number(min(finite)), _number(max(finite))
    return low if low == high else f"{low} to {high}"


def _left(said: Mapping[str, Any]) -> float:
    return (said["planned"] - said["step"]) / said["rate"] if said["rate"] > 0 else math.nan
