"""A2 to A4: what is left after matching, against width, depth and time of training."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from ridgeline.charts import Panels, Table
from ridgeline.measures import BarrierKind
from ridgeline.profiles import Profile
from ridgeline.studies.common import mean_sd
from ridgeline.studies.matched import NAIVE, WEIGHTS, between
from ridgeline.studies.pairs import (
    Pair,
    against,
    by_seeds,
    cells,
    height,
    hidden,
    judged,
    points_of,
    width,
)
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Cases, Claim, Correlation, Difference
from ridgeline.study.papers import Finding, Item
from ridgeline.study.subjects import Subject

__all__ = ["ITEMS"]

WAYS = (NAIVE, WEIGHTS)
Cells = Mapping[float, Sequence[Pair]]
Found = dict[str, dict[float, list[Profile]]]


def widths(bench: Bench) -> Finding:
    """Wider networks."""
    runs = [*bench.runs("widths"), *bench.runs("interpolation")]
    return _sweep(bench, runs, width, "units in each hidden layer", "A2a")


def depths(bench: Bench) -> Finding:
    """Deeper networks."""
    return _sweep(bench, bench.runs("depths"), hidden, "hidden layers", "")


def epochs(bench: Bench) -> Finding:
    """States of training: from when on are two runs connected?"""
    (pairs,) = cells(
        [run for run in bench.runs("widths") if width(run) == bench.setting("width")], width
    ).values()
    a = pairs[0].a
    steps = -(-len(a.train) // a.config.training.batch_size)
    by_epoch = {step / steps: [replace(pair, step=step) for pair in pairs] for step in a.steps}
    found = _profiles(bench, by_epoch)
    matched = found[WEIGHTS.name]
    first, last = min(matched), max(matched)
    groups = [pair.group for pair in pairs]
    later = {epoch: pairs for epoch, pairs in by_epoch.items() if epoch > 0}
    return Finding(
        charts=[_chart("epochs", "epoch", by_epoch, found, "chord")],
        tables=[_table("Barriers against time of training", "epoch", found, "chord")],
        cases={
            "A4a": {
                "more": judged(pairs, map(height, matched[first])),
                "less": judged(pairs, map(height, matched[last])),
                "more_group": groups,
                "less_group": groups,
            },
            "A4b": _trend(later, matched, "chord"),
        },
        words=[
            "Both runs are taken at the same epoch and matched anew there. Barriers are over the "
            "chord: over the mean of the ends, as elsewhere in this paper, two networks that have "
            "not learned and are unlike in their loss would have one, whatever is between them. "
            "Nor need a line between them have any: see the ends' loss in the table. A barrier is "
            f"the highest of {bench.setting('points')} positions, the ends among them, so never "
            "below zero; of three positions only t = 1/2 can have one."
        ],
    )


def _sweep(
    bench: Bench,
    runs: Sequence[Subject],
    of: Callable[[Subject], float],
    name: str,
    claim: str,
) -> Finding:
    by_value = cells(runs, of)
    found = _profiles(bench, by_value)
    population = "widths" if claim else "depths"
    return Finding(
        charts=[_chart(population, name, by_value, found, log_x=bool(claim))],
        tables=[_table(f"Barriers by {name}", name, found)],
        cases={claim: _trend(by_value, found[WEIGHTS.name])} if claim else {},
    )


def _profiles(bench: Bench, by_value: Cells) -> Found:
    found: Found = {}
    for way in WAYS:
        for value, pairs in by_value.items():
            bench.tell(f"{way.name} at {value:g}", 0, len(pairs))
            profiles = [between(bench, pair, way) for pair in pairs]
            found.setdefault(way.name, {})[value] = profiles
    return found


def _trend(
    by_value: Cells, found: Mapping[float, Sequence[Profile]], kind: BarrierKind = "mean"
) -> Cases:
    """The barrier against the setting; a pair of seeds is a group."""
    rows = [
        (value, barrier, pair.group)
        for value, pairs in by_value.items()
        for pair, barrier in zip(
            pairs, judged(pairs, (height(p, kind=kind) for p in found[value])), strict=True
        )
    ]
    return {name: [row[i] for row in rows] for i, name in enumerate(("x", "y", "group"))}


def _chart(
    name: str,
    x: str,
    by_value: Cells,
    found: Found,
    kind: BarrierKind = "mean",
    *,
    log_x: bool = False,
) -> Panels:
    measures = {"train-loss barrier (nats)": height, "test accuracy barrier (points)": points_of}
    panels = [
        against(
            x,
            y,
            {
                way: by_seeds(
                    by_value,
                    {at: [of(p, kind=kind) for p in profiles] for at, profiles in line.items()},
                )
                for way, line in found.items()
            },
            log_x=log_x,
        )
        for y, of in measures.items()
    ]
    return Panels(
        name=f"barriers-{name}",
        title=f"Barriers against {x}",
        caption="Mean over pairs of seeds that are sound everywhere, band of one standard "
        "deviation.",
        panels=panels,
    )


def _table(title: str, first: str, found: Found, kind: BarrierKind = "mean") -> Table:
    rows = [
        [
            value,
            way,
            mean_sd(height(p, kind=kind) for p in profiles),
            mean_sd(height(p, "test", kind) for p in profiles),
            mean_sd(points_of(p, kind=kind) for p in profiles),
            mean_sd(float(p.curve().mean[[0, -1]].mean()) for p in profiles),
        ]
        for way, line in found.items()
        for value, profiles in line.items()
    ]
    columns = [
        *(first, "line", "loss barrier, train", "loss barrier, test"),
        *("accuracy barrier, test (points)", "training loss of the ends"),
    ]
    note = "Mean ± standard deviation over pairs (number of pairs); losses in nats."
    return Table(title=title, columns=columns, rows=rows, note=note)


ITEMS = (
    Item(
        name="width",
        id="A2",
        title="Width",
        asks="Is less left after matching in wider networks?",
        measure=widths,
        settings=("points",),
        populations=("widths", "interpolation"),
        reported="For ResNet-20 and VGG-16 on CIFAR-10 the barrier after weight matching falls as "
        "networks widen.",
        claims=(
            Claim(
                id="A2a",
                text="The wider, the lower the barrier after weight matching",
                place="figure 4, of convolutional networks; that it is so of this one is ours",
                source="derived",
                test=Correlation("width and train-loss barrier after weight matching", "below"),
            ),
        ),
    ),
    Item(
        name="depth",
        id="A3",
        title="Depth",
        asks="How much is left after matching in deeper networks?",
        measure=depths,
        settings=("points",),
        populations=("depths",),
        reported="The paper varies no depth: this is reported and not judged.",
    ),
    Item(
        name="epoch",
        id="A4",
        title="Time of training",
        asks="From when on are two runs connected after matching?",
        measure=epochs,
        settings=("points", "width"),
        populations=("widths",),
        reported="There is no linear connectivity at initialisation; it emerges during training.",
        claims=(
            Claim(
                id="A4a",
                text="After matching the barrier is higher at initialisation than at the end",
                place="figure 3",
                test=Difference(
                    "train-loss barrier over the chord, after weight matching, at initialisation "
                    "less at the end (nats)"
                ),
            ),
            Claim(
                id="A4b",
                text="From the first epoch on, the longer training, the lower what matching leaves",
                place="our specification, 6.3, of figure 3: connectivity emerges during training",
                source="derived",
                test=Correlation(
                    "epoch and train-loss barrier over the chord, after weight matching", "below"
                ),
            ),
        ),
    ),
)
