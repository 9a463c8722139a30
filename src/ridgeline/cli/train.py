"""``ridgeline train``: a population, trained at once and kept in a store."""

import argparse
import json
import signal
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from ridgeline.cli.consoles import stderr_console, stdout_console
from ridgeline.cli.live import shortened, watcher
from ridgeline.cli.setting import device_of
from ridgeline.cli.signals import Terminated, terminable
from ridgeline.cli.streams import tell_json
from ridgeline.numerals import duration
from ridgeline.report.summary import envelope
from ridgeline.report.terminal import print_table
from ridgeline.study.config import DataConfig
from ridgeline.study.describe import describe, plan_summary
from ridgeline.study.executors import Failure
from ridgeline.study.members import Sources, samples_of
from ridgeline.study.plan import Machine, Plan, closure, plan_for
from ridgeline.study.populations import Population, populate
from ridgeline.study.spec import Spec, load_spec
from ridgeline.study.store import Store

__all__ = ["complain", "run"]

FAILED = 3
COLUMNS = ("run", "hash", "steps", "train loss", "train error", "test error", "time", "")


def run(chosen: argparse.Namespace) -> int:
    """See the options."""
    stderr_console()
    spec = load_spec(chosen.spec, overrides=chosen.set, seeds=chosen.seeds)
    if chosen.help:
        about = describe(spec)
        tell_json(about) if chosen.json else print(about)
        return 0
    device_of(chosen.device)
    machine = Machine(
        device=chosen.device,
        workers=chosen.workers,
        threads=chosen.threads,
        together=chosen.together,
    )
    sources = Sources(root=chosen.data_root, download=chosen.download)
    store = Store(chosen.store)
    if chosen.dry_run:
        return _dry(spec, store, machine, sources, as_json=chosen.json)
    try:
        with terminable(), watcher() as shown:
            found = populate(spec.runs, store, machine=machine, sources=sources, watcher=shown)
    except KeyboardInterrupt as ended:
        print(
            "ridgeline: stopped; finished runs are in the store, and the same command goes on "
            "with the others from their last snapshot.",
            file=sys.stderr,
        )
        return 128 + (signal.SIGTERM if isinstance(ended, Terminated) else signal.SIGINT)
    told = _told(spec, store, found)
    if chosen.json:
        tell_json(told)
    else:
        _render(told)
    for failure in found.failures:
        complain(failure)
    return FAILED if found.failures else 0


# --- what would be done ----------------------------------------------------------------------


def _dry(spec: Spec, store: Store, machine: Machine, sources: Sources, *, as_json: bool) -> int:
    runs = closure(spec.runs)
    samples: dict[DataConfig | str, int] = {
        data: samples_of(data, sources)
        for config in runs
        for data in (config.data, config.trained_on)
    }
    summary = plan_summary(spec, samples=samples)
    plan = plan_for(runs, store, machine, sources=sources, record=False)
    there = store.find_all(config.hash for config in runs)
    missing = [config for config in runs if config.hash not in there]
    if as_json:
        about = {"spec": dict(summary), "store": store.place.url}
        about |= {"in_store": len(runs) - len(missing), **asdict(plan)}
        tell_json(envelope("plan", **about))
        return 0
    print(summary)
    for line in _planned(plan, len(runs), len(missing)):
        print(line)
    return 0


def _planned(plan: Plan, runs: int, missing: int) -> Iterator[str]:
    yield f"in the store: {runs - missing} of {runs} runs"
    if not missing:
        return
    sizes = sorted({len(group.runs) for group in plan.groups})
    sized = f"{sizes[0]}" if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
    yield (
        f"groups: {len(plan.groups)} of {sized} runs, in {len(plan.waves)} wave(s), "
        f"{plan.workers} worker(s) with {plan.threads} thread(s) each"
    )
    yield from (f"  {reason}" for reason in plan.reasons)
    steps = sum(group.steps for group in plan.groups)
    time = "not measured" if plan.seconds is None else duration(plan.seconds)
    yield f"estimated time: {time}, for {steps} steps"


# --- what was done ---------------------------------------------------------------------------


def _told(spec: Spec, store: Store, found: Population) -> dict[str, Any]:
    rows = []
    there = store.find_all(config.hash for config in found.runs)
    for config in found.runs:
        stored = there.get(config.hash)
        how = "trained" if config.hash in found.trained else "found"
        rows.append(
            {
                "name": found.names[config.hash],
                "hash": config.hash,
                "how": how if stored is not None else "failed",
                "summary": dict(stored.summary) if stored is not None else None,
            }
        )
    count = {how: sum(r["how"] == how for r in rows) for how in ("found", "trained", "failed")}
    return envelope(
        "population",
        spec=spec.name,
        store=store.place.url,
        **count,
        steps=found.steps,
        seconds=found.seconds,
        plan=found.plan.key,
        runs=rows,
        failures=[
            {"runs": f.task["names"], "configs": f.task["configs"], "kind": f.kind, "text": f.text}
            for f in found.failures
        ],
    )


def _render(told: Mapping[str, Any]) -> None:
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    console = stdout_console()
    table = Table(
        box=box.SIMPLE_HEAD if console.is_terminal else None, pad_edge=False, header_style="dim"
    )
    for i, column in enumerate(COLUMNS):
        side = "right" if 2 <= i < len(COLUMNS) - 1 else "left"
        table.add_column(column, justify=side, overflow="fold")
    short = shortened([row["name"] for row in told["runs"]])
    for row in told["runs"]:
        table.add_row(escape(short[row["name"]]), *_cells(row))
    print_table(table, console)
    print(
        f"{told['found']} found in the store, {told['trained']} trained"
        + (f", {told['failed']} failed" if told["failed"] else "")
        + f"; {told['steps']} steps in {duration(told['seconds'])}"
        + (f", {told['steps'] / told['seconds']:.0f} a second" if told["steps"] else "")
    )
    print(f"store: {told['store']}")


def _cells(row: Mapping[str, Any]) -> list[str]:
    summary = row["summary"]
    if summary is None:
        return [row["hash"][:8], *[""] * (len(COLUMNS) - 3), "failed"]
    train, test = (summary["final"].get(split, {}) for split in ("train", "test"))
    numbers = (train.get("loss"), train.get("error"), test.get("error"))
    said = [what for what in ("diverged", "stopped") if summary[what]]
    return [
        row["hash"][:8],
        f"{summary['steps']}",
        *("-" if number is None else f"{number:.4g}" for number in numbers),
        duration(summary["seconds"]) if summary["seconds"] is not None else "-",
        " ".join(said),
    ]


def complain(failure: Failure) -> None:
    """Say which group failed, why, and with which config."""
    names = failure.task["names"]
    print(
        f"ridgeline: failed: {', '.join(names)}\n  {failure.kind}: {failure.text}\n"
        f"  config of {names[0]}: {json.dumps(failure.task['configs'][0])}",
        file=sys.stderr,
    )
