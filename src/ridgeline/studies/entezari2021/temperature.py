"""E5: wide networks are connected as they are, once outputs have their best temperature.

Not of the paper, but an answer to it: Ito et al. 2025, "Do we really need permutations?" (arXiv
2510.08023, known in summary). Between two networks logits shrink; the order of classes stays.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ridgeline.charts import Panels, Table
from ridgeline.measures import Array, Curve, barrier
from ridgeline.paths import Line
from ridgeline.repairs import calibrated
from ridgeline.studies.common import mean_sd
from ridgeline.studies.pairs import Pair, against, by_seeds, cells, judged, width
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim, Correlation, Mean
from ridgeline.study.keys import versioned
from ridgeline.study.papers import Finding, Item
from ridgeline.study.subjects import Subject

__all__ = ["ITEMS"]


def tempered_widths(bench: Bench) -> Finding:
    """The barrier without any permutation, before and after calibration."""
    by_width = cells(bench.runs("widths"), width)
    found: dict[float, list[dict[str, Array]]] = {}
    for units, pairs in by_width.items():
        bench.tell(f"width {units:g}", 0, len(pairs))
        found[units] = [_measured(bench, pair) for pair in pairs]
    names = {"as they are": "before", "best temperature": "loss"}
    heights = {
        label: {u: [_height(m, name) for m in every] for u, every in found.items()}
        for label, name in names.items()
    }
    drawn = {label: by_seeds(by_width, values) for label, values in heights.items()}
    rows = [
        (units, left, pair.group)
        for units, pairs in by_width.items()
        if units >= bench.setting("threshold")
        for pair, left in zip(pairs, judged(pairs, heights["best temperature"][units]), strict=True)
    ]
    widest = max(found)
    return Finding(
        charts=[
            Panels(
                name="temperature",
                title="Barriers without permutation, outputs at their best temperature",
                caption="Test loss over the chord. Mean over pairs of seeds that are sound "
                "everywhere, band of one sd.",
                panels=[against("hidden units", "test-loss barrier (nats)", drawn, log_x=True)],
            )
        ],
        tables=[_table(found)],
        cases={
            "E5a": {name: [row[i] for row in rows] for i, name in enumerate(("x", "y", "group"))},
            "E5b": judged(
                by_width[widest],
                (_height(m, "loss") - _height(m, "before") for m in found[widest]),
            ),
        },
        words=[
            "The temperature is fitted on the test set itself at each position, ends included, "
            "so that a barrier compares like with like. The correlation with width is over those "
            f"from the interpolation threshold on, {bench.setting('threshold'):g} units; what "
            "calibration does is asked of the widest alone."
        ],
    )


def _measured(bench: Bench, pair: Pair) -> dict[str, Array]:
    return bench.kept(_calibrated, [pair.a, pair.b], points=bench.setting("points"))


@versioned("calibrated line", "1")
def _calibrated(a: Subject, b: Subject, *, points: Any) -> dict[str, Any]:
    found = calibrated(Line(a.final, b.final), a.objective("test"), points=points)
    return {
        "t": found.t,
        "temperature": found.temperature,
        "loss": found.loss,
        "before": found.before,
    }


def _height(measured: dict[str, Array], name: str) -> float:
    return barrier(Curve.exact(measured["t"], measured[name])).height


def _table(found: dict[float, Sequence[dict[str, Array]]] | Any) -> Table:
    rows = [
        [
            units,
            mean_sd(_height(m, "before") for m in every),
            mean_sd(_height(m, "loss") for m in every),
            mean_sd(float(m["temperature"][np.argmin(abs(m["t"] - 0.5))]) for m in every),
            mean_sd(float(m["temperature"][[0, -1]].mean()) for m in every),
        ]
        for units, every in found.items()
    ]
    columns = [
        *("hidden units", "barrier as they are", "barrier at the best temperature"),
        *("temperature halfway", "temperature of the ends"),
    ]
    return Table(
        title="Test-loss barriers without permutation (nats)",
        columns=columns,
        rows=rows,
        note="Mean ± standard deviation over pairs (number of pairs).",
    )


ITEMS = (
    Item(
        name="temperature",
        id="E5",
        title="Temperature in place of permutation",
        asks="Are wide networks connected without permutation, outputs at their best temperature?",
        measure=tempered_widths,
        settings=("points", "threshold"),
        populations=("widths",),
        reported="Of Ito et al. 2025, known in summary: wide networks are connected without any "
        "permutation once their outputs are calibrated.",
        claims=(
            Claim(
                id="E5a",
                text="At its best temperature the barrier falls with width",
                place="our specification, 7.2, of Ito et al. 2025, known in summary",
                source="derived",
                test=Correlation(
                    "width and calibrated test-loss barrier, from the threshold on", "below"
                ),
            ),
            Claim(
                id="E5b",
                text="Calibration lowers the barrier of the widest networks",
                place="our specification, 6.21, of Ito et al. 2025, known in summary",
                source="derived",
                test=Mean("calibrated less plain test-loss barrier (nats)", "below", 0.0),
            ),
        ),
    ),
)
