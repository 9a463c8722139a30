"""N9: how long the path is between neuron-sparse minima: theorem 14 and why it fails."""

import numpy as np

from ridgeline.charts import Panel, Panels, Series, Table, band
from ridgeline.frame import Frame, correlation, mean
from ridgeline.frame.show import mean_sd
from ridgeline.studies.lin2024.lengths import TEACHERS, exponents, rows_of
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim
from ridgeline.study.papers import Item
from ridgeline.theory.minima import least_ratio_limit, ratio_limit

__all__ = ["ITEMS"]

FAST = -0.25
"""Exponent of m below which NGD - 1 is said to fall as theorem 14 says, like m^(-1/2)."""
CLASH = 0.3, 0.6
"""Shares of zeros of the claims on theorem 14."""


def sparse(bench: Bench) -> Frame:
    """Lengths by the width at several shares of zeros, and a bound below all paths."""
    shares, widths = bench.setting("zeros"), bench.setting("widths")
    rows = []
    for i, r in enumerate(shares):
        bench.tell("shares of zeros", i, len(shares))
        for m in widths:
            rows += [row | {"r": float(r)} for row in rows_of(bench, float(r), TEACHERS, m)]
    above, below = (
        ", ".join(f"{limit(TEACHERS, r):.3f} (r = {r:g})" for r in shares)
        for limit in (ratio_limit, least_ratio_limit)
    )
    return (
        Frame.of(rows, cluster="pair")
        .derive(over=lambda ratio: ratio - 1, under=lambda least: least - 1)
        .noted(
            "Theorem 14 says that at a fixed share of zeros r the path is longer than the straight "
            "line by a part that falls like one over the square root of m. It does not. At a share "
            "of the neurons that does not depend on m, (1 - r)² (1 - 1/M), the two minima have "
            "different types; there a common neighbour is zero, and both pieces pay for what they "
            "switch off. The proof takes the mean of (a_i - b_i)² for a constant, though entries "
            f"are of order 1/m. As m grows the shortest path of two pieces tends to {above} "
            "[derived].",
            "Nor does another path do: a neuron that changes its type passes through zero, so no "
            "path of minima, of any number of pieces, is shorter than a bound that tends to "
            f"{below} [derived]. What is true: with more zeros the path becomes straight.",
        )
    )


def _why(frame: Frame) -> Panels:
    shares = list(frame.by("r"))
    lines: dict[str, list[Series]] = {"over": [], "under": [], "clash": []}
    for i, r in enumerate(shares):
        rows = frame.where(r=r)
        whole = rows.where(over=lambda over: over is not None).balanced("pair", "m")
        shade = i / max(len(shares) - 1, 1)
        for column, series in lines.items():
            of = whole if column == "over" else rows
            if len(of):
                at = list(of.by("m"))
                values = [one[column] for one in of.sorted("m").by("pair").values()]
                series.append(band(f"r = {r:g}", at, values, ordered=shade))
    m = np.array(sorted(frame.by("m")))
    claimed = Series(
        label="claimed slope", x=m, y=0.4 * (m / m[0]) ** -0.5, guide=True, name="like m^(-1/2)"
    )
    said = {
        "over": "NGD - 1, two pieces",
        "under": "NGD - 1, bound below any path",
        "clash": "neurons of two types (share)",
    }
    return Panels(
        name="sparse-lengths",
        title="At a fixed share of zeros the path stays longer than the line",
        caption=f"M = {TEACHERS}; mean over pairs that have a path at each width, band of one "
        "standard deviation. The dashed line falls as theorem 14 says.",
        columns=2,
        panels=[
            Panel(
                x="neurons m",
                y=label,
                series=[*lines[column], *([claimed] if column != "clash" else [])],
                log_x=True,
                log_y=column != "clash",
            )
            for column, label in said.items()
        ],
    )


def _limits(frame: Frame) -> Table:
    rows = []
    widest = max(frame.values("m"))
    for r, group in frame.where(m=widest).by("r").items():
        reached = [x for x in group.values("ratio") if x is not None]
        rows.append(
            [
                *(r, mean_sd(reached), f"{ratio_limit(TEACHERS, r):.3f}"),
                *(mean_sd(group["least"]), f"{least_ratio_limit(TEACHERS, r):.3f}"),
            ]
        )
    return Table(
        f"Lengths at m = {widest} and their limits",
        ["share of zeros", "two pieces", "limit", "bound below any path", "its limit"],
        rows,
        note="Mean ± standard deviation over pairs (number of pairs).",
    )


def _falls(id: str, r: float) -> Claim:
    def rows(frame: Frame) -> Frame:
        return exponents("m", lambda over: over)(frame.where(r=r))

    return Claim(
        id,
        f"At a share of zeros of {r:g} the excess over the straight line falls with m",
        "theorem 14; the threshold is ours",
        mean("exponent", f"exponent of m of NGD - 1, M = {TEACHERS}, r = {r:g}", rows=rows) < FAST,
    )


def _stays(frame: Frame) -> Frame:
    return exponents("m", lambda under: under)(frame.where(r=CLASH[0]))


ITEMS = (
    Item(
        name="sparse-lengths",
        id="N9",
        title="Length of the path between neuron-sparse minima",
        asks="At a fixed share of zeros, does the path become straight as students get wider?",
        measure=sparse,
        settings=("pairs", "widths", "zeros"),
        reported="Theorem 14: at most 1 + c / (r √m), by a path of two pieces.",
        show=(_why, _limits),
        claims=(
            _falls("N9a", CLASH[0]),
            _falls("N9b", CLASH[1]),
            Claim(
                "N9c",
                "For no path at all: the bound from below does not fall like that either",
                "our bound",
                mean(
                    "exponent",
                    f"exponent of m of the bound less 1, M = {TEACHERS}, r = {CLASH[0]:g}",
                    rows=_stays,
                )
                > FAST,
                "derived",
            ),
            Claim(
                "N9d",
                "With more zeros the path becomes straight",
                "our limit formula",
                correlation("r", "over", "share of zeros and NGD - 1", cluster="pair") < 0,
                "derived",
            ),
        ),
    ),
)
