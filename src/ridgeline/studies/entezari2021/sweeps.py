"""E1 and E2: barriers between independent networks by width and by depth (figure 2)."""

from collections.abc import Mapping, Sequence

from ridgeline.charts import Panels, Table
from ridgeline.profiles import Profile
from ridgeline.studies.common import curves_chart, mean_sd
from ridgeline.studies.matched import between
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
from ridgeline.study.claims import Cases, Claim, Correlation
from ridgeline.study.papers import Finding, Item

__all__ = ["ITEMS", "sides"]

Cells = Mapping[float, Sequence[Pair]]
Lines = Mapping[float, Sequence[Profile]]


def widths(bench: Bench) -> Finding:
    """Wider networks of one hidden layer."""
    by_width = cells(bench.runs("widths"), width)
    lines = _lines(bench, by_width, "width")
    threshold = float(bench.setting("threshold"))
    narrow, wide = sides(_trend(by_width, lines), threshold)
    return Finding(
        charts=[
            _chart("widths", "hidden units", by_width, lines, log_x=True),
            _curves("width", lines),
        ],
        tables=[_table("Barriers by width", "hidden units", by_width, lines)],
        cases={"E1a": narrow, "E1b": wide},
        words=[
            f"The interpolation threshold is taken to be at {threshold:g} units, where a network "
            "has about as many parameters as there are samples times classes: said before "
            "measuring, and on both sides of the comparison."
        ],
    )


def depths(bench: Bench) -> Finding:
    """More hidden layers of one width."""
    by_depth = cells(bench.runs("depths"), hidden)
    lines = _lines(bench, by_depth, "depth")
    return Finding(
        charts=[_chart("depths", "hidden layers", by_depth, lines), _curves("depth", lines)],
        tables=[_table("Barriers by depth", "hidden layers", by_depth, lines)],
        cases={"E2a": _trend(by_depth, lines)},
    )


def sides(cases: Mapping[str, Sequence[float]], at: float) -> tuple[Cases, Cases]:
    """Cases up to a value of x, and from it on; those at it are on both sides."""
    rows = list(zip(cases["x"], cases["y"], cases["group"], strict=True))

    def kept(rows: Sequence[tuple[float, float, float]]) -> dict[str, list[float]]:
        return {name: [row[i] for row in rows] for i, name in enumerate(("x", "y", "group"))}

    return kept([r for r in rows if r[0] <= at]), kept([r for r in rows if r[0] >= at])


def _lines(bench: Bench, by_value: Cells, what: str) -> dict[float, list[Profile]]:
    found = {}
    for value, pairs in by_value.items():
        bench.tell(f"{what} {value:g}", 0, len(pairs))
        found[value] = [between(bench, pair) for pair in pairs]
    return found


def _trend(by_value: Cells, lines: Lines) -> dict[str, list]:
    """The barrier against the setting; a pair of seeds is a group."""
    rows = [
        (value, barrier, pair.group)
        for value, pairs in by_value.items()
        for pair, barrier in zip(pairs, judged(pairs, map(height, lines[value])), strict=True)
    ]
    return {name: [row[i] for row in rows] for i, name in enumerate(("x", "y", "group"))}


def _chart(name: str, x: str, by_value: Cells, lines: Lines, *, log_x: bool = False) -> Panels:
    splits = {"training set": "train", "test set": "test"}
    measures = {"loss barrier (nats)": height, "accuracy barrier (points)": points_of}
    return Panels(
        name=f"barriers-{name}",
        title=f"Barriers between independent networks, against {x}",
        caption="Over the chord. Mean over pairs of seeds that are sound everywhere, band of one "
        "standard deviation.",
        panels=[
            against(
                x,
                y,
                {
                    label: by_seeds(
                        by_value, {at: [of(p, split) for p in found] for at, found in lines.items()}
                    )
                    for label, split in splits.items()
                },
                log_x=log_x,
            )
            for y, of in measures.items()
        ],
    )


def _curves(what: str, lines: Lines) -> Panels:
    return curves_chart(
        f"lines-by-{what}",
        f"Between independent networks, by {what}",
        "Training loss and error.",
        {f"{value:g}": found for value, found in lines.items()},
        ordered=True,
    )


def _table(title: str, first: str, by_value: Cells, lines: Lines) -> Table:
    rows = [
        [
            value,
            mean_sd(height(p) for p in lines[value]),
            mean_sd(height(p, "test") for p in lines[value]),
            mean_sd(points_of(p, "train") for p in lines[value]),
            mean_sd(points_of(p) for p in lines[value]),
            mean_sd(run.loss for pair in pairs for run in (pair.a, pair.b)),
        ]
        for value, pairs in by_value.items()
    ]
    columns = [
        *(first, "loss barrier, train", "loss barrier, test"),
        *("accuracy barrier, train (points)", "accuracy barrier, test (points)"),
        "training loss of the runs",
    ]
    note = "Mean ± standard deviation over pairs, or runs (their number); losses in nats."
    return Table(title=title, columns=columns, rows=rows, note=note)


ITEMS = (
    Item(
        name="width",
        id="E1",
        title="Width",
        asks="How does the barrier between independent networks change with width?",
        measure=widths,
        settings=("points", "threshold"),
        populations=("widths",),
        reported="It rises and then falls; its peak is near the interpolation threshold.",
        claims=(
            Claim(
                id="E1a",
                text="Up to the interpolation threshold the barrier rises with width",
                place="figure 2",
                test=Correlation("width and train-loss barrier, up to the threshold", "above"),
            ),
            Claim(
                id="E1b",
                text="From the interpolation threshold on the barrier falls with width",
                place="figure 2",
                test=Correlation("width and train-loss barrier, from the threshold on", "below"),
            ),
        ),
    ),
    Item(
        name="depth",
        id="E2",
        title="Depth",
        asks="How does the barrier between independent networks change with depth?",
        measure=depths,
        settings=("points",),
        populations=("depths",),
        reported="It grows fast with depth.",
        claims=(
            Claim(
                id="E2a",
                text="The deeper, the higher the barrier",
                place="figure 2",
                test=Correlation("hidden layers and train-loss barrier", "above"),
            ),
        ),
    ),
)
