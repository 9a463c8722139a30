"""The verb: a paper asked again. Train what is needed, measure, and decide every claim."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ridgeline.charts import Chart, Table
from ridgeline.errors import RidgelineError
from ridgeline.frame import Frame
from ridgeline.progress import Progress
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Verdict
from ridgeline.study.config import RunConfig
from ridgeline.study.executors import Failure
from ridgeline.study.fitting import check_runs
from ridgeline.study.members import Sources
from ridgeline.study.papers import Item, Paper
from ridgeline.study.plan import Machine
from ridgeline.study.populations import Population, Watcher, populate
from ridgeline.study.preflight import check_scale, missing
from ridgeline.study.scales import Scale
from ridgeline.study.store import Store

__all__ = ["UNTRAINED", "Answer", "Ended", "Reproduction", "missing", "needed", "reproduce"]

UNTRAINED = 0.05
"""Training error above which a network is said to be far from a minimum."""


@dataclass(frozen=True, kw_only=True)
class Ended:
    """Final metrics of an item's runs, on the data they were trained on."""

    runs: int
    loss: tuple[float, float] | None = None
    """Smallest and largest final training loss of those that are finite."""
    error: tuple[float, float] | None = None
    """The same of the error; None where no error is measured."""
    wrong: tuple[float, ...] = ()
    """The errors above `UNTRAINED`."""
    diverged: int = 0


@dataclass(frozen=True, eq=False)
class Answer:
    """Outcome of an item."""

    item: Item
    rows: Frame | None = None
    """Rows that were measured; None if it was not."""
    shown: tuple[Chart | Table, ...] = ()
    """Figures and tables of the rows."""
    verdicts: tuple[Verdict, ...] = ()
    seconds: float = 0.0
    """Spent on measuring; runs are shared and not counted."""
    left_out: str = ""
    """Why it was not measured, if it was not."""
    refused: bool = False
    """True if it was left out because of an error, and not because the scale is without it."""
    ended: Ended | None = None
    """What its runs ended at; None for an item without runs."""

    @property
    def charts(self) -> list[Chart]:
        """The figures among what is shown."""
        return [one for one in self.shown if isinstance(one, Chart)]

    @property
    def tables(self) -> list[Table]:
        """The tables among what is shown."""
        return [one for one in self.shown if isinstance(one, Table)]


@dataclass(frozen=True, eq=False)
class Reproduction:
    """A paper at a scale."""

    paper: Paper
    scale: Scale
    answers: tuple[Answer, ...]
    population: Population | None
    """What was trained; None if nothing had to be."""
    seconds: float = 0.0
    runs: int = 0
    """How many runs the items are measured on."""
    failures: tuple[Failure, ...] = field(default=())

    @property
    def verdicts(self) -> list[Verdict]:
        """Verdicts of all items."""
        return [verdict for answer in self.answers for verdict in answer.verdicts]

    @property
    def constructed(self) -> list[Verdict]:
        """Those of items without populations, which use neither data nor networks of the scale."""
        return [
            v for answer in self.answers if not answer.item.populations for v in answer.verdicts
        ]

    @property
    def measured(self) -> list[Verdict]:
        """Those on networks that were trained at this scale."""
        return [v for answer in self.answers if answer.item.populations for v in answer.verdicts]

    def count(self, outcome: str) -> int:
        """Return how many verdicts are of this outcome."""
        return sum(verdict.outcome == outcome for verdict in self.verdicts)

    def rows(self) -> list[dict[str, Any]]:
        """One flat record for each verdict."""
        return [
            {"paper": self.paper.name, "item": answer.item.name, **verdict.row()}
            for answer in self.answers
            for verdict in answer.verdicts
        ]


def needed(items: Sequence[Item], scale: Scale) -> list[RunConfig]:
    """The runs that items are measured on, each once."""
    able = [item for item in items if not missing(item, scale)]
    names = dict.fromkeys(name for item in able for name in item.populations)
    return list({run.hash: run for name in names for run in scale.populations[name].runs}.values())


def reproduce(
    paper: Paper,
    scale: Scale,
    store: Store,
    *,
    items: Sequence[Item] | None = None,
    machine: Machine | None = None,
    sources: Sources | None = None,
    watcher: Watcher | None = None,
    progress: Progress | None = None,
) -> Reproduction:
    """Train what a paper's items need, measure them, and decide their claims.

    Runs and measurements are kept in the store: what is there is not done again, and the same
    call after a kill goes on.

    Args:
        paper: Which.
        scale: How large.
        store: Where runs and measurements are kept.
        items: Which of the paper's; all by default.
        machine: What to train on.
        sources: Of data.
        watcher: Told about training.
        progress: Told about measuring.

    Returns:
        Rows, figures, tables and verdicts. An item whose runs failed, or that refuses what it is
        given, says so in `Answer.left_out` and stops no other.

    Raises:
        SpecError: If the scale has names that no item of the paper knows, or lacks a setting.
        DataError: If data are missing, or a network cannot take them; before any training.
        RidgelineError: If a network cannot be built.
    """
    begun = time.perf_counter()
    items = list(paper.items if items is None else items)
    check_scale(paper, items, scale)
    runs = needed(items, scale)
    check_runs(runs, store, sources)
    machine = machine or Machine()
    trained = (
        populate(runs, store, machine=machine, sources=sources, watcher=watcher) if runs else None
    )
    bench = Bench(scale, store, sources=sources, device=machine.device, progress=progress)
    answers = tuple(_answer(item, bench) for item in items)
    return Reproduction(
        paper=paper,
        scale=scale,
        answers=answers,
        population=trained,
        seconds=time.perf_counter() - begun,
        runs=len(runs),
        failures=trained.failures if trained is not None else (),
    )


def _answer(item: Item, bench: Bench) -> Answer:
    if lacking := missing(item, bench.scale):
        names = ", ".join(lacking)
        return Answer(item, left_out=f"scale {bench.scale.name} has no population {names}")
    begun = time.perf_counter()
    ended = _ended(item, bench)
    try:
        rows = item.measure(bench.at(item.name))
        shown = tuple(item.shown(rows))
        verdicts = tuple(claim.decide(rows, bench.scale.name) for claim in item.asked(rows))
    except RidgelineError as error:
        return Answer(item, left_out=str(error), refused=True, ended=ended)
    return Answer(item, rows, shown, verdicts, time.perf_counter() - begun, ended=ended)


def _ended(item: Item, bench: Bench) -> Ended | None:
    """From the records of the item's runs; runs that are not in the store are left out."""
    stored = bench.store.find_all(run.hash for run in needed([item], bench.scale))
    found = [one.summary for one in stored.values()]
    if not found:
        return None
    loss, error = _finals(found, "loss"), _finals(found, "error")
    return Ended(
        runs=len(found),
        loss=(min(loss), max(loss)) if loss else None,
        error=(min(error), max(error)) if error else None,
        wrong=tuple(x for x in error if x > UNTRAINED),
        diverged=sum(bool(one["diverged"]) for one in found),
    )


def _finals(summaries: Sequence[Mapping[str, Any]], metric: str) -> list[float]:
    """Final values on training data; null, which stands for what is not finite, is left out."""
    values = [one["final"].get("train", {}).get(metric) for one in summaries]
    return [value for value in values if value is not None]
