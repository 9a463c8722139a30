"""L1: how many runs are not monotone, by learning rate, optimiser and batch normalisation."""

from collections.abc import Callable, Sequence
from typing import Any

from ridgeline.charts import Chart, Panel, Panels, Series, Table
from ridgeline.studies.common import POSITION, groups, tidy
from ridgeline.studies.lucas2021.counting import (
    Cell,
    cell,
    falls,
    kind,
    rate,
    reached,
    rise,
    seeds,
    setting,
)
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim, Correlation, Difference, Share
from ridgeline.study.papers import Finding, Item
from ridgeline.study.subjects import Subject

__all__ = ["ITEMS", "shares"]

RATE = "training.optimiser.learning_rate"


def shares(bench: Bench) -> Finding:
    """Table A: the share of runs whose line rises."""
    runs = bench.runs("grid")
    bench.profiles(reached(bench, runs), told="lines")
    kinds: dict[str, list[Subject]] = {}
    for run in runs:
        kinds.setdefault(kind(run), []).append(run)
    return Finding(
        charts=_curves(bench, kinds),
        tables=[*_by_rate(bench, kinds), _in_all(bench, kinds)],
        cases=_cases(bench, runs),
        words=[
            f"{len(runs)} runs; counted are those whose final training loss is at most "
            f"{bench.setting('threshold'):g}, as in the released code. A run is not monotone if "
            f"its training loss rises by more than {bench.setting('tolerance'):g}. Comparisons "
            "of optimisers and of normalisation are over all runs that count: high rates at "
            "which one kind never reaches the threshold count for the other. Runs of one seed "
            "share their first weights and are one group in intervals of shares; runs of one "
            "setting are one in correlations with the rate.",
            _calm_words(bench),
        ],
    )


def _by_rate(bench: Bench, kinds: dict[str, list[Subject]]) -> list[Table]:
    rates = sorted({rate(s) for runs in kinds.values() for s in runs}, reverse=True)
    head = ["runs", *(tidy(x) for x in rates)]

    def rows(words: Callable[[Cell], str]) -> list[list[Any]]:
        found = []
        for label, runs in kinds.items():
            at = groups(runs, RATE)
            found.append([label, *(words(cell(bench, at[x])) if x in at else "" for x in rates)])
        return found

    return [
        Table(
            title="Share of runs that are not monotone, by learning rate",
            columns=head,
            rows=rows(lambda c: c.words),
            note="p (n): n runs reached the threshold; - if none did.",
        ),
        Table(
            title="Runs that diverged, by learning rate",
            columns=head,
            rows=rows(lambda c: f"{c.diverged} of {c.of}"),
            note="Their loss stopped being finite; they are in no share.",
        ),
    ]


def _in_all(bench: Bench, kinds: dict[str, list[Subject]]) -> Table:
    cells = {label: cell(bench, runs) for label, runs in kinds.items()}
    return Table(
        title="Runs that are not monotone, over all learning rates",
        columns=[
            *("runs", "trained", "diverged", "reached the threshold", "not monotone"),
            *("of these by the last step alone", "mean min Δ of these"),
        ],
        rows=[
            [label, c.of, c.diverged, c.n, len(c.risen), c.unseen, c.mean]
            for label, c in cells.items()
        ],
        note="The released metric misses a rise that begins at the last step. The mean is over "
        "the runs that are not monotone, in nats.",
    )


def _curves(bench: Bench, kinds: dict[str, list[Subject]]) -> list[Chart]:
    panels = []
    for name in dict.fromkeys(label.split(",")[0] for label in kinds):
        series: list[Series] = []
        for label, runs in kinds.items():
            if label.split(",")[0] != name:
                continue
            norm = "batch normalisation" if label.endswith("BN") else "no normalisation"
            for i, run in enumerate(reached(bench, runs)):
                curve = bench.profile(run).curve()
                series.append(Series(label=norm, x=curve.t, y=curve.mean, faint=i > 0))
        if series:
            panels.append(Panel(x=POSITION, y="loss (nats)", series=series, title=name, log_y=True))
    if not panels:
        return []
    return [
        Panels(
            name="lines",
            title="Training loss on the line, every run that reached the threshold",
            caption="One line a run; the loss is on a logarithmic scale.",
            panels=panels,
        )
    ]


def _cases(bench: Bench, runs: Sequence[Subject]) -> dict[str, Any]:
    good = reached(bench, runs)

    def of(*labels: str) -> list[Subject]:
        return [s for s in good if kind(s) in labels]

    def risen(chosen: Sequence[Subject]) -> list[bool]:
        return [not falls(bench.profile(s), bench) for s in chosen]

    def trend(chosen: Sequence[Subject]) -> dict[str, list[Any]]:
        x = [rate(s) for s in chosen]
        heights = [rise(bench.profile(s)) for s in chosen]
        return {"x": x, "y": heights, "group": [setting(s) for s in chosen]}

    def sides(more: Sequence[Subject], less: Sequence[Subject]) -> dict[str, list[Any]]:
        told = {"more": more, "less": less}
        outcomes = {side: risen(runs) for side, runs in told.items()}
        return {**outcomes, **{f"{side}_group": seeds(runs) for side, runs in told.items()}}

    return {
        "L1a": {"is": [not x for x in risen(good)], "group": seeds(good)},
        "L1b": {"is": risen(_calm(bench)), "group": seeds(_calm(bench))},
        "L1c": sides(of("Adam"), of("SGD")),
        "L1d": sides(of("SGD, BN", "Adam, BN"), of("SGD", "Adam")),
        "L1e": trend(of("SGD", "SGD, BN")),
        "L1f": trend(of("Adam", "Adam, BN")),
    }


def _calm(bench: Bench) -> list[Subject]:
    """Runs with SGD, no normalisation and small rates, of more seeds than the grid has."""
    runs = [s for s in bench.runs("calm") if rate(s) <= bench.setting("calm")]
    return [s for s in reached(bench, runs) if kind(s) == "SGD"]


def _calm_words(bench: Bench) -> str:
    runs = _calm(bench)
    return (
        f"SGD without normalisation at rates of at most {bench.setting('calm'):g} has further "
        f"seeds: {len(runs)} runs of {len(set(seeds(runs)))} seeds reached the threshold."
    )


ITEMS = (
    Item(
        name="shares",
        id="L1",
        title="How many runs are not monotone",
        asks="At which learning rates, with which optimiser, with or without batch normalisation, "
        "does the training loss rise on the line?",
        measure=shares,
        settings=("points", "calm", "threshold", "tolerance"),
        populations=("grid", "calm"),
        reported="Monotone for most networks and optimisers; large learning rates, Adam and "
        "batch normalisation each raise the share that is not. The table's cells could not be "
        "obtained.",
        claims=(
            Claim(
                id="L1a",
                text="The loss falls monotonically for most networks and optimisers",
                place="abstract",
                test=Share("monotone runs", "above", 0.5),
            ),
            Claim(
                id="L1b",
                text="With SGD, no normalisation and small rates hardly a run is not monotone",
                place="tables of the released code",
                source="memory",
                test=Share("runs that are not monotone", "below", 0.1),
            ),
            Claim(
                id="L1c",
                text="Adam raises the share that is not monotone (no normalisation)",
                place="abstract and section 4",
                test=Difference("share that is not monotone, Adam less SGD"),
            ),
            Claim(
                id="L1d",
                text="Batch normalisation raises the share that is not monotone",
                place="abstract and section 4",
                test=Difference("share that is not monotone, with less without"),
            ),
            Claim(
                id="L1e",
                text="Larger learning rates give larger rises (SGD)",
                place="section 4",
                test=Correlation("learning rate and min Δ"),
            ),
            Claim(
                id="L1f",
                text="Larger learning rates give larger rises (Adam)",
                place="section 4",
                test=Correlation("learning rate and min Δ"),
            ),
        ),
    ),
)
