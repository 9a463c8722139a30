"""``ridgeline runs``: what is in a store, whether it is sound, and freeing its space."""

import argparse
import datetime
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ridgeline import io
from ridgeline.cli.consoles import stderr_console, stdout_console
from ridgeline.cli.setting import words
from ridgeline.cli.streams import tell_json
from ridgeline.errors import UsageError
from ridgeline.numerals import duration
from ridgeline.report.terminal import print_table
from ridgeline.study.store import Store, StoredRun
from ridgeline.study.store.selection import fields, ordered, select

__all__ = ["run"]

ACTIONS = ("verify", "prune")
FINAL = ("final.train.loss", "final.train.error", "final.test.error")
SHOWN = 100
"""Rows of a table for reading; JSON has all."""
UNSOUND = 3
COLUMNS = (
    *("run", "hash", "steps", "train loss", "train error", "test error"),
    *("states", "size", "made", ""),
)


def run(chosen: argparse.Namespace) -> int:
    """See the options."""
    stderr_console()
    action, where = _parted(chosen.words)
    store = Store(where)
    if chosen.overwrite and chosen.curves is None:
        raise UsageError("--overwrite is about --curves.", got="--overwrite alone")
    if action == "verify":
        return _verify(store, deep=not chosen.shallow, as_json=chosen.json)
    if chosen.sql is not None:
        return _query(store, chosen.sql, as_json=chosen.json)
    runs = select(store.runs(), chosen.where)
    runs = ordered(runs, chosen.sort) if chosen.sort else runs
    if action == "prune":
        return _prune(store, runs, chosen)
    if chosen.curves is not None:
        return _draw(runs, chosen)
    if chosen.json:
        tell_json([_record(one) for one in runs])
    else:
        _show(store, runs)
    return 0


def _parted(given: Sequence[str]) -> tuple[str, str]:
    """Action and store; a store called like an action is written ``./verify``."""
    action = given[0] if given and given[0] in ACTIONS else ""
    rest = list(given[bool(action) :])
    if len(rest) > 1:
        raise UsageError(
            "One store is looked at at a time.",
            got=" ".join(given),
            remedy=f"Write ridgeline runs [{'|'.join(ACTIONS)}] STORE.",
        )
    return action, rest[0] if rest else "runs"


def _record(one: StoredRun) -> dict[str, Any]:
    return {
        "name": one.identity.name,
        "hash": one.identity.hash,
        "path": one.path,
        "bytes": one.size,
        "states": one.states,
        "pruned": one.pruned,
        "summary": one.summary,
        "config": one.config,
    }


def _show(store: Store, runs: Sequence[StoredRun]) -> None:
    console = stdout_console()
    if not runs:
        there = len(store)
        print(f"{store.place.url}: " + ("no run is chosen" if there else "no runs yet"))
        return
    table = _table(COLUMNS, numbers=range(2, 8), console=console)
    for one in runs[:SHOWN]:
        known = fields(one)
        said = [what for what in ("diverged", "stopped") if known.get(what)]
        said += ["pruned"] if one.pruned else []
        table.add_row(
            one.identity.name,
            one.identity.hash[:8],
            str(known.get("steps", "-")),
            *(
                _number(known.get(f"final.{n}"))
                for n in ("train.loss", "train.error", "test.error")
            ),
            str(len(one.states)),
            _bytes(one.size),
            _age(one.provenance.get("ended")),
            " ".join(said),
        )
    print_table(table, console)
    more = f", the first {SHOWN} shown (--json has all)" if len(runs) > SHOWN else ""
    print(f"{store.place.url}: {len(runs)} runs{more}, {_bytes(sum(one.size for one in runs))}")


def _draw(runs: Sequence[StoredRun], chosen: argparse.Namespace) -> int:
    from ridgeline.report import learning_figure

    figure = learning_figure({f"{r.identity.name} ({r.identity.hash[:8]})": r.log() for r in runs})
    with io.fresh_directory(chosen.curves, overwrite=chosen.overwrite) as folder:
        names = [path.name for path in figure.save(folder)]
    for name in names:
        print(Path(chosen.curves) / name)
    print(figure.caption)
    return 0


def _verify(store: Store, *, deep: bool, as_json: bool) -> int:
    problems = store.verify(deep=deep)
    unsound = [p for p in problems if p.kind != "leftover"]
    if as_json:
        tell_json([vars(problem) for problem in problems])
        return UNSOUND if unsound else 0
    for problem in problems:
        print(f"{problem.kind}: {problem.folder}: {problem.text}")
    checked = "every byte was read" if deep else "names and sizes only"
    said = f"{len(unsound)} problems" if unsound else "sound"
    print(f"{store.place.url}: {len(store)} runs, {said} ({checked})")
    return UNSOUND if unsound else 0


def _prune(store: Store, runs: Sequence[StoredRun], chosen: argparse.Namespace) -> int:
    if not (chosen.yes or chosen.dry_run):
        raise UsageError(
            "Pruning deletes states for good.",
            got=f"{len(runs)} runs and neither --yes nor --dry-run",
            remedy="See what it would free with --dry-run, then say --yes.",
        )
    keep = [int(word) if word.isdigit() else word for word in words(chosen.keep) or []]
    freed = store.prune(runs, keep=keep, dry_run=chosen.dry_run)
    if chosen.json:
        tell_json(vars(freed) | {"dry_run": chosen.dry_run})
        return 0
    verb = "would free" if chosen.dry_run else "freed"
    print(f"{verb} {_bytes(freed.bytes)}: {freed.states} states of {freed.runs} runs")
    return 0


def _query(store: Store, sql: str, *, as_json: bool) -> int:
    found = store.query(sql)
    rows = found.to_pylist()
    if as_json:
        tell_json([{k: _plain(v) for k, v in row.items()} for row in rows])
        return 0
    console = stdout_console()
    table = _table(found.column_names, numbers=(), console=console)
    for row in rows[:SHOWN]:
        table.add_row(*(_cell(value) for value in row.values()))
    print_table(table, console)
    if len(rows) > SHOWN:
        print(f"{len(rows)} rows, the first {SHOWN} shown (--json has all)")
    return 0


def _table(columns: Sequence[str], *, numbers: Sequence[int] | range, console: Any) -> Any:
    from rich import box
    from rich.table import Table

    table = Table(
        box=box.SIMPLE_HEAD if console.is_terminal else None, pad_edge=False, header_style="dim"
    )
    for i, column in enumerate(columns):
        right = i in numbers
        table.add_column(
            column, justify="right" if right else "left", overflow="fold", no_wrap=right
        )
    return table


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _cell(value: Any) -> str:
    return _number(value) if isinstance(value, float) or value is None else str(value)


def _number(value: Any) -> str:
    return "-" if value is None else f"{value:.4g}"


def _bytes(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def _age(ended: str | None) -> str:
    if not ended:
        return "-"
    since = datetime.datetime.now(datetime.UTC) - datetime.datetime.fromisoformat(ended)
    return f"{duration(max(0.0, since.total_seconds()))} ago"
