"""J3: variance collapse, layer by layer."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ridgeline.charts import Panel, Panels, Series, Table, band
from ridgeline.measures import Array
from ridgeline.studies.common import mean_sd
from ridgeline.studies.jordan2022.pairs import WAYS, Pair, cells
from ridgeline.studies.jordan2022.sweeps import hidden
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim, Correlation, Difference, Mean
from ridgeline.study.papers import Finding, Item

__all__ = ["ITEMS"]


def collapsed(bench: Bench) -> Finding:
    """Share of each layer's variance left at the midpoint, and how much of it is constant."""
    found = {hidden(w): p for w, p in cells(bench, "depths", "net.widths").items()}
    some = found[bench.setting("deep")]
    layers = np.arange(1, bench.setting("deep") + 1)  # the last layer's logits are shown no more
    last = {way: [float(p.ratio[way][len(layers) - 1]) for p in some] for way in WAYS}
    groups = [pair.group for pair in some]
    return Finding(
        charts=[
            Panels(
                name="variance-collapse",
                title="Variance of preactivations at the midpoint",
                caption=f"Networks of {len(layers)} hidden layers, on their training data; mean "
                f"over {len(some)} pairs, band of one standard deviation.",
                panels=[
                    Panel(
                        x="hidden layer",
                        y="variance over the ends' mean",
                        series=_series(some, layers, "ratio"),
                    ),
                    Panel(
                        x="hidden layer",
                        y="share of the second moment that is constant",
                        series=_series(some, layers, "share"),
                    ),
                ],
            )
        ],
        tables=[_table(some, len(layers))],
        cases={
            "J3a": _falling(some, "aligned", len(layers)),
            "J3b": last["aligned"],
            "J3c": {
                "more": last["aligned"],
                "less": last["naive"],
                "more_group": groups,
                "less_group": groups,
            },
        },
        words=[
            "The variance of a layer is the sum over its units. Repairing gives every unit the "
            "mean of its deviations, whose square is a little below the mean of the variances "
            "where the two networks differ: that it then lies near 1 is so by construction.",
        ],
    )


def _of(pair: Pair, way: str, what: str, layers: int) -> Array:
    return (pair.ratio if what == "ratio" else pair.share)[way][:layers]


def _series(some: Sequence[Pair], layers: Array, what: str) -> list[Series]:
    return [band(way, layers, [_of(p, way, what, len(layers)) for p in some]) for way in WAYS]


def _falling(some: Sequence[Pair], way: str, layers: int) -> dict[str, list[Any]]:
    """Number of a layer and what is left of its variance, for all layers of all pairs."""
    return {
        "x": [layer for _ in some for layer in range(layers)],
        "y": [float(x) for pair in some for x in pair.ratio[way][:layers]],
        "group": [pair.group for pair in some for _ in range(layers)],
    }


def _table(some: Sequence[Pair], layers: int) -> Table:
    shown = sorted({0, layers // 2, layers - 1})
    rows = [
        [
            way,
            *(mean_sd((float(p.ratio[way][i]) for p in some), count=False) for i in shown),
            mean_sd((float(p.share[way][layers - 1]) for p in some), count=False),
        ]
        for way in WAYS
    ]
    return Table(
        title="Variance left at the midpoint",
        columns=["", *(f"hidden layer {i + 1}" for i in shown), "constant share, last"],
        rows=rows,
        note=f"Over the mean of the ends' variances; mean ± standard deviation over {len(some)} "
        "pairs.",
    )


ITEMS = (
    Item(
        name="variance-collapse",
        id="J3",
        title="Variance collapse",
        asks="What becomes of the variance of preactivations between two networks?",
        measure=collapsed,
        settings=("deep",),
        populations=("depths",),
        reported="It collapses with depth, less so between aligned networks; after repairing it "
        "is that of the ends.",
        claims=(
            Claim(
                id="J3a",
                text="Between aligned networks variance falls with depth",
                place="our specification 6.4",
                source="derived",
                test=Correlation("layer and variance left", "below"),
            ),
            Claim(
                id="J3b",
                text="In the last hidden layer of deep aligned networks it has collapsed",
                place="our specification 6.4; threshold ours",
                source="derived",
                test=Mean("variance left in the last hidden layer", "below", 0.5),
            ),
            Claim(
                id="J3c",
                text="Alignment lessens the collapse",
                place="our specification 6.4",
                source="derived",
                test=Difference("variance left there, aligned less naive"),
            ),
        ),
    ),
)
