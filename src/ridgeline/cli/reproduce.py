"""``ridgeline reproduce``: papers asked again, with a verdict for every claim."""

import argparse
import json
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ridgeline.cli.live import duration, watcher
from ridgeline.cli.reproduced import summary, told, written
from ridgeline.cli.setting import (
    Terminated,
    check_out,
    device_of,
    progress_bar,
    stderr_console,
    stdout_console,
    terminable,
)
from ridgeline.errors import UsageError
from ridgeline.studies import catalogue
from ridgeline.study.members import Sources
from ridgeline.study.papers import Item, Paper
from ridgeline.study.plan import Machine, closure, plan_for
from ridgeline.study.reproduction import Reproduction, missing, needed, reproduce
from ridgeline.study.scales import Scale
from ridgeline.study.store import Store

if TYPE_CHECKING:
    pass

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
        """What they are measured on, parents among them."""
        return closure(needed(self.items, self.scale))


def run(chosen: argparse.Namespace) -> int:
    """See the options."""
    stderr_console()
    if chosen.list or not chosen.what:
        return _list(chosen)
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
            "ridgeline: stopped; what was trained and measured is in the store, and the same "
            "command goes on.",
            file=sys.stderr,
        )
        return 128 + (signal.SIGTERM if isinstance(ended, Terminated) else signal.SIGINT)
    if chosen.json:
        print(json.dumps(told(found), allow_nan=False))
    if chosen.out is not None:
        for page in written(chosen, found):
            print(f"written: {page}", file=sys.stderr)
    wrong = any(one.failures or any(a.refused for a in one.answers) for one in found)
    return FAILED if wrong else 0


def _asked(chosen: argparse.Namespace) -> Iterator[Asked]:
    """Papers in the order in which they are named; several items of one are asked together."""
    wanted: dict[str, list[str]] = {}
    names = catalogue.PAPERS if "all" in chosen.what else chosen.what
    for word in names:
        name, _, item = word.partition("/")
        wanted.setdefault(name, []).append(item)
    if len(wanted) > 1 and chosen.scale.endswith(".toml"):
        raise UsageError("A scale of your own is for one paper.", got=f"{len(wanted)} papers")
    for name, items in wanted.items():
        paper = catalogue.paper(name)
        scale = catalogue.scale(name, chosen.scale, chosen.set, chosen.seeds)
        if "" in items:  # the whole paper was asked for, whatever else
            yield Asked(paper, scale, paper.items)
            continue
        some = dict.fromkeys(one for item in items for one in paper.find(item))
        yield Asked(paper, scale, tuple(some))


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
            tell=tell,
        )


# --- what there is -----------------------------------------------------------------------------


def _list(chosen: argparse.Namespace) -> int:
    """Papers, their items, what each needs at each scale."""
    named = {word.partition("/")[0] for word in chosen.what if word != "all"}
    papers = [catalogue.paper(name) for name in catalogue.PAPERS if not named or name in named]
    for name in named:
        catalogue.paper(name)  # refuses one that is not known
    listed = [_listed(paper) for paper in papers]
    if chosen.json:
        print(json.dumps(listed, allow_nan=False))
        return 0
    for one in listed:
        print(f"{one['name']}: {one['title']}\n  {one['authors']}; {one['where']}")
        for scale in one["scales"]:
            minutes = scale["minutes"]
            takes = f"{minutes:g} min measured" if minutes is not None else "not measured"
            print(f"  scale {scale['name']}: {scale['runs']} runs, {takes}; {scale['about']}")
        for item in one["items"]:
            at = ", ".join(f"{n} runs at {s}" for s, n in item["runs"].items() if n is not None)
            claims = f"{len(item['claims'])} claims"
            print(f"    {one['name']}/{item['name']} ({item['id']}): {item['asks']}")
            print(f"        {claims}; {at or 'no runs needed'}")
        print()
    return 0


def _listed(paper: Paper) -> dict[str, Any]:
    scales = {name: catalogue.scale(paper.name, name) for name in catalogue.scales(paper.name)}

    def runs(items: Sequence[Item], scale: Scale) -> int:
        return len(closure(needed(items, scale)))

    return {
        "name": paper.name,
        "title": paper.title,
        "authors": paper.authors,
        "where": paper.where,
        "about": paper.about,
        "scales": [
            {
                "name": name,
                "about": " ".join(scale.about.split()),
                "minutes": scale.minutes,
                "runs": runs(paper.items, scale),
            }
            for name, scale in scales.items()
        ],
        "items": [
            {
                "name": item.name,
                "id": item.id,
                "title": item.title,
                "asks": item.asks,
                "populations": list(item.populations),
                "claims": [claim.id for claim in item.claims],
                "runs": {
                    name: None if missing(item, scale) else runs([item], scale)
                    for name, scale in scales.items()
                },
            }
            for item in paper.items
        ],
    }


def _dry(chosen: argparse.Namespace, asked: Sequence[Asked]) -> int:
    """What would be trained, and how long that would take."""
    store = Store(chosen.store)
    machine = Machine(device=chosen.device, workers=chosen.workers, threads=chosen.threads)
    sources = Sources(root=chosen.data_root, download=chosen.download)
    listed: list[dict[str, Any]] = []
    for one in asked:
        lacking = [config for config in one.runs if store.find(config.hash) is None]
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
        print(json.dumps(listed, allow_nan=False))
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
    from ridgeline import report
    from ridgeline.cli.train import complain

    for failure in found.failures:
        complain(failure)
    for answer in found.answers:
        if answer.left_out:
            print(f"ridgeline: left out: {answer.item.name}: {answer.left_out}", file=sys.stderr)
    if as_json:
        return
    console = stdout_console(wide=True)
    print(f"{found.paper.name} at scale {found.scale.name}: {summary(found)}")
    report.render_verdicts(found.verdicts, console)
