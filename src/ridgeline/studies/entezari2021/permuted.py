"""E3: "real world" beside "our model": independent networks and permutations of one (figure 5)."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ridgeline.charts import Mark, Panel, Panels, Series, Table
from ridgeline.measures import Array
from ridgeline.studies.common import mean_sd
from ridgeline.studies.matched import symmetry_of
from ridgeline.studies.pairs import Pair, cells, hidden, judged, width
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim, Mean
from ridgeline.study.keys import versioned
from ridgeline.study.papers import Finding, Item
from ridgeline.study.subjects import Subject
from ridgeline.theory.sameness import PermutationTest, random_permutation_test

__all__ = ["ITEMS", "excess"]

LIKE = 0.2
"""Share by which barriers may differ and count as alike: ours; the paper says similar."""
Found = dict[str, list[tuple[Pair, dict[str, Array]]]]


def real_and_permuted(bench: Bench) -> Finding:
    """Are barriers between independent networks those between permutations of one?"""
    found: Found = {}
    wide = bench.runs("widths")
    known = {run.hash for run in wide}
    deep = [run for run in bench.runs("depths") if run.hash not in known]
    for value, pairs in cells(wide, width).items():
        found[f"{value:g} units"] = [(p, _test(bench, p)) for p in _told(bench, pairs)]
    for value, pairs in cells(deep, hidden).items():
        found[f"{value:g} layers"] = [(p, _test(bench, p)) for p in _told(bench, pairs)]
    by_pair: dict[str, list[float]] = {}
    for rows in found.values():
        pairs = [pair for pair, _ in rows]
        apart = judged(pairs, (abs(excess(test)) for _, test in rows))
        for pair, share in zip(pairs, apart, strict=True):
            by_pair.setdefault(pair.group, []).append(share)
    means = [float(np.mean(values)) for values in by_pair.values()]
    return Finding(
        charts=[_chart(found)],
        tables=[_table(found)],
        cases={"E3a": means},
        words=[
            f"Each network is permuted {bench.setting('draws')} times. The verdict is on pairs of "
            "seeds: how far both barriers of a network are apart, whichever is higher, and then "
            "the mean over a pair's widths and depths; a network in both counts once. The chance "
            "of draws is in it. Alike barriers do not "
            "prove that networks are permutations of each other; unlike ones speak against it."
        ],
    )


def excess(test: Mapping[str, Array]) -> float:
    """Share by which a pair's barrier is above the mean of those to permutations of its two."""
    return float(test["real"] / np.mean(test["permuted"]) - 1)


def _told(bench: Bench, pairs: Sequence[Pair]) -> Sequence[Pair]:
    bench.tell("real and permuted", 0, len(pairs))
    return pairs


def _test(bench: Bench, pair: Pair) -> dict[str, Array]:
    asked = {"draws": int(bench.setting("draws")), "points": bench.setting("points")}
    return bench.kept(_barriers, [pair.a, pair.b], **asked)


@versioned("real and permuted", "1")
def _barriers(a: Subject, b: Subject, *, draws: int, points: Any) -> dict[str, Any]:
    found: PermutationTest = random_permutation_test(
        [a.final, b.final],
        symmetry_of(a),
        a.objective(),
        seed=a.seed,
        draws=draws,
        points=points,
    )
    return {"real": found.pairs[0], "permuted": found.permuted.ravel()}


def _chart(found: Found) -> Panels:
    series, top = [], 0.0
    for i, (label, rows) in enumerate(found.items()):
        x = [float(np.mean(test["permuted"])) for _, test in rows]
        y = [float(test["real"]) for _, test in rows]
        top = max(top, *x, *y)
        series.append(Series(label=label, x=x, y=y, points=True, dash=i % 4))
    line = Series(label="alike", x=[0, top], y=[0, top], faint=True)
    return Panels(
        name="real-and-permuted",
        title="Independent networks beside permutations of one",
        caption="Training-loss barriers over the chord, in nats; one point a pair.",
        panels=[
            Panel(
                x="mean barrier to permutations of its two networks (nats)",
                y="barrier of the pair (nats)",
                series=[*series, line],
                marks=[Mark(0.0, axis="y")],
            )
        ],
    )


def _table(found: Found) -> Table:
    rows = [
        [
            label,
            mean_sd(float(test["real"]) for _, test in rows),
            mean_sd(float(b) for _, test in rows for b in test["permuted"]),
            mean_sd(excess(test) for _, test in rows),
            mean_sd(abs(excess(test)) for _, test in rows),
        ]
        for label, rows in found.items()
    ]
    columns = [
        *("networks", "independent", "permutations of one"),
        *("excess (share)", "apart (share)"),
    ]
    return Table(
        title="Training-loss barriers (nats)",
        columns=columns,
        rows=rows,
        note="Mean ± standard deviation (number of lines); the excess is each pair's, "
        "and they are apart by it whatever its sign.",
    )


ITEMS = (
    Item(
        name="real-and-permuted",
        id="E3",
        title="Independent networks beside permutations of one",
        asks="Are barriers between independent networks those between permutations of one?",
        measure=real_and_permuted,
        settings=("points", "draws"),
        populations=("widths", "depths"),
        reported="Barriers of both kinds are similar over widths, depths and data sets, which "
        "supports the conjecture that solutions are one, but for permutations.",
        claims=(
            Claim(
                id="E3a",
                text="Barriers between independent networks are like those between permutations "
                "of one, at every width and depth",
                place="figure 5; the threshold is ours",
                test=Mean(
                    "excess over permutations of one, without its sign, by pair (share)",
                    "below",
                    LIKE,
                ),
            ),
        ),
    ),
)
