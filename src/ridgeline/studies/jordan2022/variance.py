"""J3: variance collapse, layer by layer."""

from ridgeline.charts import Panel, Panels, Series, Table, band
from ridgeline.frame import Frame, correlation, difference, mean
from ridgeline.frame.show import mean_sd
from ridgeline.studies.jordan2022.pairs import WAYS, midpoints
from ridgeline.studies.jordan2022.sweeps import hidden
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim
from ridgeline.study.papers import Item

__all__ = ["ITEMS"]


def collapsed(bench: Bench) -> Frame:
    """Share of each layer's variance left at the midpoint, and how much of it is constant."""
    deep = bench.setting("deep")
    found = midpoints(bench, "depths", at=lambda run: hidden(run.at("net.widths")))
    return Frame.of(
        (
            {"group": row["group"], "way": row["way"], "layer": layer, "last": layer == deep - 1}
            | {name: float(row[name][layer]) for name in ("ratio", "constant")}
            for row in found.where(at=deep)
            for layer in range(deep)  # the last layer's logits are shown no more
        ),
        cluster="group",
    ).noted(
        "The variance of a layer is the sum over its units. Repairing gives every unit the "
        "mean of its deviations, whose square is a little below the mean of the variances "
        "where the two networks differ: that it then lies near 1 is so by construction.",
    )


def _chart(frame: Frame) -> Panels:
    ys = {
        "variance over the ends' mean": "ratio",
        "share of the second moment that is constant": "constant",
    }
    layers, pairs = len(frame.by("layer")), len(frame.by("group"))
    return Panels(
        name="variance-collapse",
        title="Variance of preactivations at the midpoint",
        caption=f"Networks of {layers} hidden layers, on their training data; mean over {pairs} "
        "pairs, band of one standard deviation.",
        panels=[Panel(x="hidden layer", y=y, series=_series(frame, of)) for y, of in ys.items()],
    )


def _series(frame: Frame, column: str) -> list[Series]:
    series = []
    for way, rows in frame.by("way").items():
        at = [layer + 1 for layer in rows.by("layer")]
        series.append(band(way, at, [pair[column] for pair in rows.by("group").values()]))
    return series


def _table(frame: Frame) -> Table:
    layers, pairs = len(frame.by("layer")), len(frame.by("group"))
    shown = sorted({0, layers // 2, layers - 1})
    rows = []
    for way in WAYS:
        found = frame.where(way=way).by("layer")
        left = [mean_sd(found[layer]["ratio"], count=False) for layer in shown]
        rows.append([way, *left, mean_sd(found[layers - 1]["constant"], count=False)])
    return Table(
        title="Variance left at the midpoint",
        columns=["", *(f"hidden layer {i + 1}" for i in shown), "constant share, last"],
        rows=rows,
        note=f"Over the mean of the ends' variances; mean ± standard deviation over {pairs} pairs.",
    )


PLACE = "our specification 6.4"
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
        show=(_chart, _table),
        claims=(
            Claim(
                *("J3a", "Between aligned networks variance falls with depth", PLACE),
                correlation(
                    *("layer", "ratio", "layer and variance left"), cluster="group", way="aligned"
                )
                < 0,
                "derived",
            ),
            Claim(
                *("J3b", "In the last hidden layer of deep aligned networks it has collapsed"),
                f"{PLACE}; threshold ours",
                mean("ratio", "variance left in the last hidden layer", way="aligned", last=True)
                < 0.5,
                "derived",
            ),
            Claim(
                *("J3c", "Alignment lessens the collapse", PLACE),
                difference(
                    *("ratio", "variance left there, aligned less naive"),
                    {"way": "aligned"},
                    {"way": "naive"},
                    cluster="group",
                    last=True,
                )
                > 0,
                "derived",
            ),
        ),
    ),
)
