"""J1 and J2: accuracy halfway between two networks, by their depth and by their width."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from ridgeline.charts import Panel, Panels, Table, band
from ridgeline.studies.common import mean_sd
from ridgeline.studies.jordan2022.pairs import WAYS, Pair, cells, compared
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim, Correlation, Difference, Mean
from ridgeline.study.papers import Finding, Item

__all__ = ["ITEMS", "hidden", "lost"]

ENDS = "mean of the ends"


def hidden(widths: Sequence[int]) -> int:
    """Return how many hidden layers a network has, by its widths from inputs to outputs."""
    return len(widths) - 2


def depth(bench: Bench) -> Finding:
    """Networks of one width and more and more hidden layers."""
    found = {hidden(w): p for w, p in cells(bench, "depths", "net.widths").items()}
    deep = found[bench.setting("deep")]
    shallow = found[min(found)]
    (plain,) = cells(bench, "plain", "net.widths").values()
    every = [(layers, pair) for layers, some in found.items() for pair in some]
    shown = {**found, f"{bench.setting('deep')}, never normalised": plain}
    return Finding(
        charts=[_chart("depth", "hidden layers", found)],
        tables=[_table("Accuracy halfway, by depth", "hidden layers", shown)],
        cases={
            "J1a": lost(deep, "naive"),
            "J1b": _correlated(every, lambda p: p.barrier("aligned")),
            "J1c": compared(deep, "aligned, repaired", "aligned"),
            "J1d": [_kept(pair) for pair in deep],
            "J1e": compared(deep, "aligned, repaired", "aligned, closed form"),
            "J1f": compared(shallow, "aligned, repaired", "aligned"),
            "J1g": compared(deep, "aligned, repaired", "repaired alone"),
            "J1h": compared(plain, "aligned, repaired", "aligned"),
        },
        words=[
            f"Claims on deep networks are of {bench.setting('deep')} hidden layers. Networks are "
            "matched and repaired on their training data, and measured on the test data. As the "
            "authors' do, they train with BatchNorm, which is fused into their layers before "
            "anything is matched; those of the last row of the table never had any.",
        ],
    )


def width(bench: Bench) -> Finding:
    """Deep networks that are wider and wider."""
    found = {w[1]: p for w, p in cells(bench, "widths", "net.widths").items()}
    every = [(units, pair) for units, some in found.items() for pair in some]
    wide = found[max(found)]
    return Finding(
        charts=[_chart("width", "units in each hidden layer", found)],
        tables=[_table("Accuracy halfway, by width", "units", found)],
        cases={
            "J2a": _correlated(every, lambda p: p.barrier("aligned, repaired")),
            "J2b": compared(wide, "aligned, repaired", "aligned"),
        },
    )


# --- numbers ---------------------------------------------------------------------------------


def lost(some: Sequence[Pair], way: str) -> list[float]:
    """Accuracy that each pair loses at the midpoint, in percentage points."""
    return [pair.barrier(way) for pair in some]


def _kept(pair: Pair) -> float:
    """The share of what alignment leaves of the barrier that repairing removes."""
    return 1 - pair.barrier("aligned, repaired") / max(pair.barrier("aligned"), 1e-9)


def _correlated(
    every: Sequence[tuple[int, Pair]], number: Callable[[Pair], float]
) -> dict[str, list[Any]]:
    return {
        "x": [x for x, _ in every],
        "y": [number(pair) for _, pair in every],
        "group": [pair.group for _, pair in every],
    }


# --- what is shown ---------------------------------------------------------------------------


def _chart(name: str, axis: str, found: Mapping[int, Sequence[Pair]]) -> Panels:
    count = min(len(some) for some in found.values())
    lines = {way: [[p.accuracy(way) for p in some] for some in found.values()] for way in WAYS}
    lines[ENDS] = [[pair.ends() for pair in some] for some in found.values()]
    series = [
        band(
            way,
            list(found),
            [[cell[i] for cell in of] for i in range(count)],
            dash=int(way == ENDS),
        )
        for way, of in lines.items()
    ]
    return Panels(
        name=f"midpoint-{name}",
        title=f"Accuracy halfway between two networks, by {name}",
        caption=f"Test accuracy at the midpoint. Mean over {count} pairs of each {name}, band of "
        "one standard deviation.",
        panels=[Panel(x=axis, y="accuracy (%)", series=series, log_x=name == "width")],
    )


def _table(title: str, first: str, found: Mapping[Any, Sequence[Pair]]) -> Table:
    rows = [
        [
            *(value, len(some), mean_sd((p.ends() for p in some), count=False)),
            *(mean_sd((p.accuracy(way) for p in some), count=False) for way in WAYS),
        ]
        for value, some in found.items()
    ]
    return Table(
        title=title,
        columns=[first, "pairs", ENDS, *WAYS],
        rows=rows,
        note="Test accuracy in %, mean ± standard deviation over pairs.",
    )


def _difference(
    id: str,
    text: str,
    place: str,
    sides: str,
    at: float,
    side: Literal["above", "below"] = "above",
    source: Literal["paper", "derived"] = "paper",
) -> Claim:
    of, place = f"accuracy at the midpoint, {sides} (points)", f"{place}; threshold ours"
    return Claim(id=id, text=text, place=place, source=source, test=Difference(of, side, at))


ITEMS = (
    Item(
        name="depth",
        id="J1",
        title="Depth",
        asks="How much accuracy is left halfway between two networks, and does repairing bring it "
        "back where alignment fails?",
        measure=depth,
        settings=("deep",),
        populations=("depths", "plain"),
        reported="Ten hidden layers of 128 on MNIST: 9.7 % as they are, 81.2 % aligned, 95.3 % "
        "repaired, 94.7 % in closed form; ends 98 %. One hidden layer: 96.8 % aligned, 97.5 % "
        "repaired.",
        claims=(
            Claim(
                id="J1a",
                text="Deep networks that are not aligned lose nearly all at the midpoint",
                place="figure of depth, authors' data; threshold ours",
                test=Mean("accuracy lost at the midpoint (points)", "above", 50),
            ),
            Claim(
                id="J1b",
                text="The deeper the networks, the more alignment leaves of the barrier",
                place="figure of depth, authors' data",
                test=Correlation("hidden layers and accuracy lost once aligned"),
            ),
            _difference(
                "J1c",
                "Repairing lifts deep aligned networks far above alignment alone",
                "figure of depth, authors' data",
                "repaired less aligned alone, deep networks",
                5,
            ),
            Claim(
                id="J1d",
                text="Repairing removes 60 to 100 % of the barrier that alignment leaves",
                place="abstract",
                test=Mean("share of the barrier removed, deep networks", "above", 0.6),
            ),
            _difference(
                "J1e",
                "The closed form is nearly as good",
                "figure of depth, authors' data: 0.1 to 0.7 points up to ten hidden layers",
                "measured less closed form, deep networks",
                2,
                "below",
            ),
            _difference(
                "J1f",
                "The shallowest networks gain little",
                "figure of depth, authors' data: 0.7 points",
                "repaired less aligned alone, one hidden layer",
                2,
                "below",
            ),
            _difference(
                "J1g",
                "Repairing does not do without alignment",
                "table of VGGs, authors' data: 30 to 38 % without, 88 to 90 % with",
                "repaired after alignment less repaired alone, deep networks",
                5,
                source="derived",
            ),
            _difference(
                "J1h",
                "Repairing lifts deep networks that were never normalised, too",
                "our specification 6.4",
                "repaired less aligned alone, never normalised",
                5,
                source="derived",
            ),
        ),
    ),
    Item(
        name="width",
        id="J2",
        title="Width",
        asks="Does width do without repairing?",
        measure=width,
        settings=(),
        populations=("widths",),
        reported="Ten hidden layers on Fashion-MNIST, widths 32 to 2048: 28, 34, 27, 15, 15, 72, "
        "73 % aligned; 46, 66, 70, 72, 74, 83, 83 % repaired; ends 84 to 90 %.",
        claims=(
            Claim(
                id="J2a",
                text="The wider the networks, the less repairing leaves of the barrier",
                place="figure of width, authors' data",
                test=Correlation("units and accuracy lost once repaired", "below"),
            ),
            _difference(
                "J2b",
                "Repairing lifts the widest deep networks far above alignment alone",
                "figure of width, authors' data",
                "repaired less aligned alone, widest networks",
                5,
            ),
        ),
    ),
)
