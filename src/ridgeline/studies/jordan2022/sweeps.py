"""J1 and J2: accuracy halfway between two networks, by their depth and by their width."""

from collections.abc import Callable, Sequence
from typing import Literal

from ridgeline.charts import Panel, Panels, Table, band
from ridgeline.frame import Asked, Frame, correlation, mean
from ridgeline.frame.show import mean_sd
from ridgeline.studies.jordan2022.pairs import WAYS, lifts, midpoints
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim
from ridgeline.study.papers import Item

__all__ = ["ITEMS", "hidden"]

ENDS = "mean of the ends"
REPAIRED = "aligned, repaired"


def hidden(widths: Sequence[int]) -> int:
    """Return how many hidden layers a network has, by its widths from inputs to outputs."""
    return len(widths) - 2


def depth(bench: Bench) -> Frame:
    """Networks of one width and more and more hidden layers."""
    deep = bench.setting("deep")
    found = midpoints(bench, "depths", at=lambda run: hidden(run.at("net.widths")))
    plain = midpoints(bench, "plain")
    shallow = min(found.values("at"))
    swept = found.derive(
        label=lambda at: at,
        deep=lambda at: at == deep,
        shallow=lambda at: at == shallow,
        swept=True,
    )
    every = swept + plain.derive(label=f"{deep}, never normalised", plain=True, swept=False)
    return every.noted(
        f"Claims on deep networks are of {deep} hidden layers. Networks are "
        "matched and repaired on their training data, and measured on the test data. As the "
        "authors' do, they train with BatchNorm, which is fused into their layers before "
        "anything is matched; those of the last row of the table never had any.",
    )


def width(bench: Bench) -> Frame:
    """Deep networks that are wider and wider."""
    found = midpoints(bench, "widths", at=lambda run: run.at("net.widths")[1])
    widest = max(found.values("at"))
    return found.derive(label=lambda at: at, widest=lambda at: at == widest, swept=True)


def kept(rows: Frame) -> Frame:
    """The share of what alignment leaves of the barrier that repairing removes, by pair."""
    return rows.paired("lost", "way", "group").derive(
        removed=lambda row: 1 - row[REPAIRED] / max(row["aligned"], 1e-9)
    )


# --- what is shown ---------------------------------------------------------------------------


def _chart(name: str, axis: str) -> Callable[[Frame], Panels]:
    def show(frame: Frame) -> Panels:
        cells = frame.where(swept=True).by("at")
        count = min(len(cell.where(way="naive")) for cell in cells.values())

        def series(column: str, way: str) -> list[list[float]]:
            of = [cell.where(way=way).values(column)[:count] for cell in cells.values()]
            return [list(one) for one in zip(*of, strict=True)]

        lines = {way: series("accuracy", way) for way in WAYS} | {ENDS: series("ends", "naive")}
        at = list(cells)
        drawn = [band(way, at, of, dash=int(way == ENDS)) for way, of in lines.items()]
        return Panels(
            name=f"midpoint-{name}",
            title=f"Accuracy halfway between two networks, by {name}",
            caption=f"Test accuracy at the midpoint. Mean over {count} pairs of each {name}, band "
            "of one standard deviation.",
            panels=[Panel(x=axis, y="accuracy (%)", series=drawn, log_x=name == "width")],
        )

    return show


def _table(title: str, first: str) -> Callable[[Frame], Table]:
    def show(frame: Frame) -> Table:
        rows = []
        for label, cell in frame.by("label").items():
            ways = cell.by("way")
            ends = mean_sd(ways["naive"]["ends"], count=False)
            told = [mean_sd(ways[way]["accuracy"], count=False) for way in WAYS]
            rows.append([label, len(ways["naive"]), ends, *told])
        note = "Test accuracy in %, mean ± standard deviation over pairs."
        return Table(title, [first, "pairs", ENDS, *WAYS], rows, note)

    return show


def _lifts(
    id: str, text: str, place: str, test: Asked, source: Literal["paper", "derived"] = "paper"
) -> Claim:
    return Claim(id, text, f"{place}; threshold ours", test, source)


DEPTH, WIDTH = "figure of depth, authors' data", "figure of width, authors' data"
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
        show=(
            _chart("depth", "hidden layers"),
            _table("Accuracy halfway, by depth", "hidden layers"),
        ),
        claims=(
            Claim(
                *("J1a", "Deep networks that are not aligned lose nearly all at the midpoint"),
                f"{DEPTH}; threshold ours",
                mean(
                    *("lost", "accuracy lost at the midpoint (points)"),
                    way="naive",
                    deep=True,
                )
                > 50,
            ),
            Claim(
                *(
                    "J1b",
                    "The deeper the networks, the more alignment leaves of the barrier",
                    DEPTH,
                ),
                correlation(
                    *("at", "lost", "hidden layers and accuracy lost once aligned"),
                    cluster="group",
                    way="aligned",
                    swept=True,
                )
                > 0,
            ),
            _lifts(
                *("J1c", "Repairing lifts deep aligned networks far above alignment alone", DEPTH),
                lifts(
                    "repaired less aligned alone, deep networks",
                    *(REPAIRED, "aligned"),
                    deep=True,
                )
                > 5,
            ),
            Claim(
                *("J1d", "Repairing removes 60 to 100 % of the barrier that alignment leaves"),
                "abstract",
                mean(
                    *("removed", "share of the barrier removed, deep networks"),
                    rows=lambda rows: kept(rows.where(deep=True)),
                )
                > 0.6,
            ),
            _lifts(
                *("J1e", "The closed form is nearly as good"),
                f"{DEPTH}: 0.1 to 0.7 points up to ten hidden layers",
                lifts(
                    "measured less closed form, deep networks",
                    *(REPAIRED, "aligned, closed form"),
                    deep=True,
                )
                < 2,
            ),
            _lifts(
                *("J1f", "The shallowest networks gain little", f"{DEPTH}: 0.7 points"),
                lifts(
                    "repaired less aligned alone, one hidden layer",
                    *(REPAIRED, "aligned"),
                    shallow=True,
                )
                < 2,
            ),
            _lifts(
                *("J1g", "Repairing does not do without alignment"),
                "table of VGGs, authors' data: 30 to 38 % without, 88 to 90 % with",
                lifts(
                    "repaired after alignment less repaired alone, deep networks",
                    *(REPAIRED, "repaired alone"),
                    deep=True,
                )
                > 5,
                "derived",
            ),
            _lifts(
                *("J1h", "Repairing lifts deep networks that were never normalised, too"),
                "our specification 6.4",
                lifts(
                    "repaired less aligned alone, never normalised",
                    *(REPAIRED, "aligned"),
                    plain=True,
                )
                > 5,
                "derived",
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
        show=(
            _chart("width", "units in each hidden layer"),
            _table("Accuracy halfway, by width", "units"),
        ),
        claims=(
            Claim(
                *("J2a", "The wider the networks, the less repairing leaves of the barrier", WIDTH),
                correlation(
                    *("at", "lost", "units and accuracy lost once repaired"),
                    cluster="group",
                    way=REPAIRED,
                )
                < 0,
            ),
            _lifts(
                "J2b",
                "Repairing lifts the widest deep networks far above alignment alone",
                WIDTH,
                lifts(
                    "repaired less aligned alone, widest networks",
                    *(REPAIRED, "aligned"),
                    widest=True,
                )
                > 5,
            ),
        ),
    ),
)
