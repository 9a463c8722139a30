"""L1: how many runs are not monotone, by learning rate, optimiser and batch normalisation."""

from collections.abc import Callable
from typing import Any

from ridgeline.charts import Table
from ridgeline.frame import Frame, correlation, difference, share
from ridgeline.frame.show import Lines, Summary, tidy
from ridgeline.studies.lucas2021.counting import (
    CELL,
    lines,
    lost,
    mean_risen,
    released_rise,
    runs,
    share_risen,
)
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim
from ridgeline.study.papers import Item

__all__ = ["ITEMS", "shares"]

GRID: dict[str, Any] = {"of": "grid"}


def shares(bench: Bench) -> Frame:
    """Table A: the share of runs whose line rises."""
    calm, tolerance = bench.setting("calm"), bench.setting("tolerance")
    few = runs(bench, "calm", **CELL).where(lambda rate, kind: rate <= calm and kind == "SGD")
    every = runs(bench, "grid", **CELL).derive(of="grid") + few.derive(of="calm")
    few = few.where(counts=True)
    return (
        lines(bench, every)
        .derive(
            released=released_rise,
            unseen=lambda rises, released: rises and released <= tolerance,
            norm=lambda normalised: "batch normalisation" if normalised else "no normalisation",
        )
        .noted(
            f"{len(every.where(of='grid'))} runs; counted are those whose final training loss is "
            f"at most {bench.setting('threshold'):g}, as in the released code. A run is not "
            f"monotone if its training loss rises by more than {tolerance:g}. Comparisons "
            "of optimisers and of normalisation are over all runs that count: high rates at "
            "which one kind never reaches the threshold count for the other. Runs of one seed "
            "share their first weights and are one group in intervals of shares; runs of one "
            "setting are one in correlations with the rate.",
            f"SGD without normalisation at rates of at most {calm:g} has further seeds: "
            f"{len(few)} runs of {len(set(few.values('seed')))} seeds reached the threshold.",
        )
    )


def _by_rate(title: str, note: str, said: Callable[[Frame], str]) -> Callable[[Frame], Table]:
    def show(frame: Frame) -> Table:
        found = frame.where(**GRID)
        rates = sorted(set(found.values("rate")), reverse=True)
        rows = [
            [kind, *(said(at[rate]) if rate in at else "" for rate in rates)]
            for kind, of in found.by("kind").items()
            for at in (of.by("rate"),)
        ]
        return Table(title=title, columns=["runs", *map(tidy, rates)], rows=rows, note=note)

    return show


def _count(column: str) -> Callable[[Frame], int]:
    return lambda rows: len(rows.where(**{column: True}))


def _sides(column: str, more: Any, less: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    return {column: more}, {column: less}


def _trend(id: str, optimiser: str) -> Claim:
    said = "learning rate and min Δ"
    asked = correlation("rate", "rise", said, cluster="setting", optimiser=optimiser, **GRID)
    return Claim(
        id, f"Larger learning rates give larger rises ({optimiser})", "section 4", asked > 0
    )


SAID = "share that is not monotone"
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
        show=(
            Lines(
                "lines",
                "Training loss on the line, every run that reached the threshold",
                "One line a run; the loss is on a logarithmic scale.",
                y=("curve", "loss (nats)"),
                line="norm",
                each="optimiser",
                log_y=True,
                where=GRID,
            ),
            _by_rate(
                "Share of runs that are not monotone, by learning rate",
                "p (n): n runs reached the threshold; - if none did.",
                share_risen,
            ),
            _by_rate(
                "Runs that diverged, by learning rate",
                "Their loss stopped being finite; they are in no share.",
                lost,
            ),
            Summary(
                "Runs that are not monotone, over all learning rates",
                by={"runs": "kind"},
                of={
                    "trained": len,
                    "diverged": _count("diverged"),
                    "reached the threshold": _count("counts"),
                    "not monotone": _count("rises"),
                    "of these by the last step alone": _count("unseen"),
                    "mean min Δ of these": mean_risen,
                },
                note="The released metric misses a rise that begins at the last step. The mean is "
                "over the runs that are not monotone, in nats.",
                where=GRID,
            ),
        ),
        claims=(
            Claim(
                *("L1a", "The loss falls monotonically for most networks and optimisers"),
                "abstract",
                share("falls", "monotone runs", cluster="seed", **GRID) > 0.5,
            ),
            Claim(
                *("L1b", "With SGD, no normalisation and small rates hardly a run is not monotone"),
                "tables of the released code",
                share("rises", "runs that are not monotone", cluster="seed", of="calm") < 0.1,
                "memory",
            ),
            Claim(
                *("L1c", "Adam raises the share that is not monotone (no normalisation)"),
                "abstract and section 4",
                difference(
                    *("rises", f"{SAID}, Adam less SGD", *_sides("kind", "Adam", "SGD")),
                    cluster="seed",
                    **GRID,
                )
                > 0,
            ),
            Claim(
                *("L1d", "Batch normalisation raises the share that is not monotone"),
                "abstract and section 4",
                difference(
                    *("rises", f"{SAID}, with less without", *_sides("normalised", True, False)),
                    cluster="seed",
                    **GRID,
                )
                > 0,
            ),
            _trend("L1e", "SGD"),
            _trend("L1f", "Adam"),
        ),
    ),
)
