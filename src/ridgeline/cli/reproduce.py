"""``ridgeline reproduce``: papers asked again, with a verdict for every claim."""

import argparse
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ridgeline import io, report
from ridgeline.cli.consoles import progress_bar, stderr_console, stdout_console
from ridgeline.cli.listed import list_papers
from ridgeline.cli.live import watcher
from ridgeline.cli.setting import device_of
from ridgeline.cli.signals import Terminated, terminable
from ridgeline.cli.streams import tell_json
from ridgeline.cli.writing import check_out
from ridgeline.errors import UsageError
from ridgeline.numerals import duration
from ridgeline.studies import catalogue
from ridgeline.study.fitting import check_runs
from ridgeline.study.members import Sources
from ridgeline.study.papers import Item, Paper
from ridgeline.study.plan import Machine, closure, plan_for
from ridgeline.study.preflight import check_named, check_scale, missing
from ridgeline.study.reproduction import Reproduction, needed, reproduce
from ridgeline.study.scales import Scale
from ridgeline.study.store import Store

__all__ = ["run"]

FAILED = 3


@dataclass(frozen=True)
class Asked:
    """Items of a paper, at a scale."""

    paper: Paper
    scale: Scale
    items: tuple[Item, ...]

    @property
    def runs(self) -> list[Any]:
        """Runs that they are measured on, parents among them."""
        return closure(needed(self.items, self.scale))


def run(chosen: argparse.Namespace) -> int:
    """See the options."""
    stderr_console()
    if chosen.list or not chosen.what:
        return list_papers(chosen)
    asked = list(_asked(chosen))
    if chosen.dry_run:
        return _dry(chosen, asked)
    check_out(chosen)
    device_of(chosen.device)
    found: list[Reproduction] = []
    try:
        with terminable():
            for one in asked:
                found.append(_reproduced(chosen, one))
                _say(found[-1], as_json=chosen.json)
    except KeyboardInterrupt as ended:
        print(
            "ridgeline: stopped; what was finished is in the store: runs and measurements. The "
            "same command goes on; a run in training does so from its last snapshot, at most a "
            "minute old.",
            file=sys.stderr,
        )
        return 128 + (signal.SIGTERM if isinstance(ended, Terminated) else signal.SIGINT)
    if chosen.json:
        tell_json(report.summarise_reproductions(found))
    if chosen.out is not None:
        for page in _written(chosen, found):
            print(f"written: {page}", file=sys.stderr)
    return FAILED if any(map(_failed, found)) else 0


def _failed(found: Reproduction) -> bool:
    """True if training failed, an item refused what it is given, or nothing was measured."""
    refused = any(answer.refused for answer in found.answers)
    return bool(found.failures) or refused or all(a.rows is None for a in found.answers)


def _asked(chosen: argparse.Namespace) -> Iterator[Asked]:
    """Papers in the order in which they are named; several items of one are asked together."""
    wanted: dict[str, list[str]] = {}
    names = catalogue.PAPERS if "all" in chosen.what else chosen.what
    for word in names:
        name, item = catalogue.parted(word)
        wanted.setdefault(name, []).append(item)
    if len(wanted) > 1 and chosen.scale.endswith(".toml"):
        raise UsageError("A scale of your own is for one paper.", got=f"{len(wanted)} papers")
    for name, items in wanted.items():
        paper = catalogue.paper(name)
        scale = catalogue.scale(name, chosen.scale, chosen.set, chosen.seeds)
        named = tuple({x.name: x for item in items if item for x in paper.find(item)}.values())
        # The whole paper may be asked for, whatever else; an item by its name has to be there.
        some = paper.items if "" in items else named
        check_scale(paper, some, scale)
        check_named(paper, named or some, scale)
        yield Asked(paper, scale, some)


def _reproduced(chosen: argparse.Namespace, asked: Asked) -> Reproduction:
    machine = Machine(device=chosen.device, workers=chosen.workers, threads=chosen.threads)
    with watcher() as shown, progress_bar() as tell:
        return reproduce(
            asked.paper,
            asked.scale,
            Store(chosen.store),
            items=asked.items,
            machine=machine,
            sources=Sources(root=chosen.data_root, download=chosen.download),
            watcher=shown,
            progress=tell,
        )


# --- what would be done --------------------------------------------------------------------------


def _dry(chosen: argparse.Namespace, asked: Sequence[Asked]) -> int:
    """Tell which runs would be trained, and how long that would take."""
    store = Store(chosen.store)
    machine = Machine(device=chosen.device, workers=chosen.workers, threads=chosen.threads)
    sources = Sources(root=chosen.data_root, download=chosen.download)
    listed: list[dict[str, Any]] = []
    for one in asked:
        check_runs(one.runs, store, sources)
        there = store.find_all(config.hash for config in one.runs)
        lacking = [config for config in one.runs if config.hash not in there]
        plan = plan_for(one.runs, store, machine, sources=sources, record=False)
        listed.append(
            {
                "paper": one.paper.name,
                "scale": one.scale.name,
                "items": [item.name for item in one.items],
                "left_out": {
                    i.name: missing(i, one.scale) for i in one.items if missing(i, one.scale)
                },
                "runs": len(one.runs),
                "in_store": len(one.runs) - len(lacking),
                "steps": sum(group.steps for group in plan.groups) if lacking else 0,
                "training_seconds": plan.seconds if lacking else 0.0,
            }
        )
    if chosen.json:
        tell_json(listed)
        return 0
    for one in listed:
        seconds = one["training_seconds"]
        takes = "not estimated" if seconds is None else f"about {duration(seconds)}"
        others = f"; training the others: {one['steps']} steps, {takes}" if one["steps"] else ""
        print(
            f"{one['paper']} at scale {one['scale']}: {len(one['items'])} items; "
            f"{one['in_store']} of {one['runs']} runs are in the store{others}"
        )
        for item, lacks in one["left_out"].items():
            print(f"  left out: {item} (this scale has no population {', '.join(lacks)})")
    return 0


# --- what was found ----------------------------------------------------------------------------


def _say(found: Reproduction, *, as_json: bool) -> None:
    from ridgeline.cli.train import complain

    for failure in found.failures:  # whose traceback is not above
        text = failure.text.partition(" The traceback above")[0]
        complain(replace(failure, text=text.partition("\nThe traceback above")[0]))
    for answer in found.answers:
        if answer.left_out:
            print(f"ridgeline: left out: {answer.item.name}: {answer.left_out}", file=sys.stderr)
    if as_json:
        return
    console = stdout_console()
    for line in report.reproduction_header(found):
        print(line)
    for verdicts in filter(None, (found.measured, found.constructed)):
        report.render_verdicts(verdicts, console)
    for warning in report.reproduction_warnings(found):
        print(f"warning: {warning}", file=sys.stderr)


def _written(chosen: argparse.Namespace, found: Sequence[Reproduction]) -> list[Path]:
    """A page for each paper, with its figures, tables and verdicts."""
    several = len(found) > 1
    pages = []
    with io.fresh_directory(chosen.out, overwrite=chosen.overwrite) as folder:
        for one in found:
            own, command = folder / one.paper.name if several else folder, _command(chosen, one)
            report.to_json(report.summarise_reproductions([one]), own / "verdicts.json")
            if rows := one.rows():
                report.write_csv(rows, own / "verdicts.csv")
            with io.atomic_path(own / "verdicts.md") as temporary:
                text = report.reproduction_markdown(one, command)
                temporary.write_text(text, encoding="utf-8")
            store = Store(chosen.store).place.url
            report.write_page(report.reproduction_page(one, command, store), own)
            pages.append(own.relative_to(folder) / "report.html")
    return [Path(chosen.out) / page for page in pages]


def _command(chosen: argparse.Namespace, found: Reproduction) -> str:
    paper, asked = found.paper, [answer.item for answer in found.answers]
    names = [paper.name]
    if len(asked) < len(paper.items):
        names = [f"{paper.name}/{item.name}" for item in asked]
    words = ["ridgeline reproduce", *names, "--scale", chosen.scale]
    words += [f"--set '{given}'" for given in chosen.set]
    words += [f"--seeds {chosen.seeds}"] if chosen.seeds is not None else []
    words += [f"--data-root {chosen.data_root}"] if chosen.data_root else []
    return " ".join(words)
