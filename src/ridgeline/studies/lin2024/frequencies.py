"""N2: how often minima drawn at random have a centre."""

from typing import Any

import numpy as np

from ridgeline.charts import Panel, Panels, Series
from ridgeline.frame import Frame, every
from ridgeline.frame.intervals import share as share_interval
from ridgeline.frame.show import Summary
from ridgeline.studies.lin2024.streams import generator
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim
from ridgeline.study.keys import versioned
from ridgeline.study.papers import Item
from ridgeline.theory.minima import LAWS, draw_types, has_centre, star_bound

__all__ = ["ITEMS"]


@versioned("frequency of centres", "1")
def _frequency(*, law: str, teachers: int, neurons: int, feet: int, draws: int) -> dict[str, Any]:
    rng = generator("frequency", law, teachers, neurons, feet)
    shape = (draws, feet, neurons)
    types = draw_types(law, teachers=teachers, neurons=neurons, size=draws * feet, rng=rng)  # type: ignore[arg-type]  # a name of LAWS
    return {"hits": np.array(has_centre(types.reshape(shape), teachers).sum())}


def frequencies(bench: Bench) -> Frame:
    """Share of draws that have a centre, with exact intervals, against the bound."""
    draws, rows = int(bench.setting("draws")), []
    cells = [tuple(map(int, cell)) for cell in bench.setting("stars")]
    for i, (M, k, m) in enumerate(cells):
        bench.tell("stars", i, len(cells))
        for law in LAWS:
            asked = {"law": law, "teachers": M, "neurons": m, "feet": k, "draws": draws}
            hits = int(bench.kept(_frequency, [], **asked)["hits"])
            low, high = share_interval(hits, draws)
            rows.append(
                {"law": law, "M": M, "k": k, "m": m, "share": hits / draws, "low": low}
                | {"high": high, "bound": star_bound(M, m, k), "of": f"M = {M}, {k} feet"}
            )
    return (
        Frame.of(rows)
        .derive(kept=lambda high, bound: high >= bound)
        .noted(
            f"{draws} draws of each; *uniform* over the minima is read in three ways, since the "
            "proofs use two: each neuron's type uniform on 1..M (`types`), uniform by volume "
            "(`volume`), each neuron's type uniform on 0..M (`with_zeros`). Minima lack no type."
        )
    )


def _shares(frame: Frame) -> Panels:
    panels = []
    for of, rows in frame.by("of").items():
        series = [
            Series(label=law, x=r["m"], y=r["share"], low=r["low"], high=r["high"], points=True)
            for law, r in rows.by("law").items()
        ]
        one = rows.where(law="types")
        series.append(Series(label="bound", x=one["m"], y=one["bound"], strong=True))
        panels.append(Panel(x="neurons m", y="share with a centre", series=series, title=of))
    return Panels(
        name="frequencies",
        title="How often minima drawn at random have a centre",
        caption="Two feet: they are 2-PL. Bars: exact binomial intervals of 95 %. The line is the "
        "bound of theorems 8 and 10.",
        panels=panels,
    )


ITEMS = (
    Item(
        name="frequencies",
        id="N2",
        title="Stars of minima drawn at random",
        asks="Do two minima, or three, have a centre as often as the theorems say?",
        measure=frequencies,
        settings=("draws", "stars"),
        reported="Proved: with probability 1 - M ((M^k - 1) / M^k)^(m - kM) at least.",
        show=(
            _shares,
            Summary(
                "Frequencies and bounds",
                by={"M": "M", "feet": "k", "neurons": "m", "law": "law"},
                of={
                    "share [95 %]": lambda rows: (
                        f"{rows['share'][0]:.3f} [{rows['low'][0]:.3f}, {rows['high'][0]:.3f}]"
                    ),
                    "bound": lambda rows: f"{rows['bound'][0]:.3f}",
                },
            ),
        ),
        claims=(
            Claim(
                *("N2a", "Two minima are 2-PL as often as theorem 8 says", "theorem 8"),
                every("kept", "the interval's upper end is at least the bound", k=2),
            ),
            Claim(
                *("N2b", "More feet have a centre as often as theorem 10 says", "theorem 10"),
                every("kept", "the interval's upper end is at least the bound", k=lambda k: k > 2),
            ),
        ),
    ),
)
