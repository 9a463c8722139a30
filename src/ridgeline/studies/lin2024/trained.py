"""N10 to N13: trained networks: stars of them, their centre, and short chains of two pieces."""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np

from ridgeline import state
from ridgeline.charts import Panel, Panels, Series, band
from ridgeline.connecting import Descent, StarFinding, geodesic, star, star_domain
from ridgeline.errors import UsageError
from ridgeline.frame import Frame, mean, share
from ridgeline.frame.show import POSITION, Summary
from ridgeline.measures import Array
from ridgeline.paths import Line
from ridgeline.studies.connected import POINTS, circle, levels, measured, networks, removed
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim
from ridgeline.study.keys import versioned
from ridgeline.study.papers import Item
from ridgeline.study.subjects import Subject
from ridgeline.training import Adam

__all__ = ["ITEMS"]

SHORT = 1.05
"""Length over the straight distance up to which a chain is short; of table 2's last."""
REMOVED = 0.9
"""Share of the line's training barrier."""
SETTINGS = ("steps", "batch")


def _descent(steps: int, batch: int) -> Descent:
    """The paper's: Adam at 0.01 and three positions a step."""
    adam = Adam(learning_rate=0.01)
    return Descent(length=f"{steps}it", batch_size=batch, positions=3, optimiser=adam, looks=2)


# --- N10, N12, N13: stars --------------------------------------------------------------------


@versioned("line between minima", "1")
def _line(a: Subject, b: Subject) -> dict[str, Any]:
    return measured(Line(a.final, b.final), a)


@versioned("star of minima", "1")
def _star(*runs: Subject, feet: int, seed: int, steps: int, batch: int) -> dict[str, Any]:
    """A star of the first of the runs; the others are held out."""
    goal = runs[0].objective("train")
    by = StarFinding(descent=_descent(steps, batch))
    found = star([run.final for run in runs[:feet]], goal, by=by, seed=seed)
    domain = star_domain(
        found,
        [run.final for run in runs[feet:]],
        {"train": goal, "test": runs[0].objective("test")},
        points=POINTS,
    )
    arms = [levels(one) for one in domain.feet]
    others = [levels(one) for one in domain.held_out]
    losses = np.array([one.curve("loss", "train").mean for one in domain.feet])
    return {
        **{f"arm_{name}": [arm[name] for arm in arms] for name in arms[0]},
        **{f"held_{name}": np.array([one[name] for one in others]) for name in arms[0]},
        "loss": losses,
        "centre": losses[0, -1],
        "foot": losses[:, 0].max(),
        "diverged": found.diverged is not None,
    }


def stars(bench: Bench) -> Frame:
    """Stars of three and of five, of consecutive seeds in a circle; a row each."""
    asked = {name: int(bench.setting(name)) for name in SETTINGS}
    rows: list[dict[str, Any]] = []
    for network, runs in networks(bench):
        for r in map(int, bench.setting("feet")):
            if len(runs) < r:
                raise UsageError(
                    "A star has as many feet as are asked for.",
                    got=f"{len(runs)} sound runs of {network}, {r} feet",
                    remedy="Give the population more seeds.",
                )
            for i in range(len(runs)):
                bench.tell(f"stars of {r}, {network}", i, len(runs))
                turned = [*runs[i:], *runs[:i]]
                feet = sorted(turned[:r], key=lambda run: run.seed)
                lines = [bench.kept(_line, two) for two in combinations(feet, 2)]
                found = bench.kept(_star, turned, feet=r, seed=i, **asked)
                rows.append(
                    {"network": network, "feet": r, "star": i, "found": found, "lines": lines}
                )
    return (
        Frame.of(rows, cluster="star")
        .derive(
            line=lambda lines: float(np.mean([one["barrier"] for one in lines])),
            left=lambda found: float(found["arm_barrier"].max()),
            removed=removed,
            raised=lambda found: float(found["centre"] - found["foot"]),
            held=lambda found: (
                float(found["held_barrier"].mean()) if len(found["held_barrier"]) else None
            ),
            beyond=lambda held, found: held - float(found["arm_barrier"].mean()),
            line_top=lambda lines: float(np.mean([one["top"] for one in lines])),
            arm_top=lambda found: float(found["arm_top"].mean()),
            line_least=lambda lines: float(np.mean([one["least"] for one in lines])),
            arm_least=lambda found: float(found["arm_least"].mean()),
        )
        .noted(
            "Feet are as given, not aligned. The centre starts at their mean; Adam at 0.01 with "
            "three positions a step, as in the paper; its length and batches are ours. Lines and "
            f"arms are measured at {POINTS} positions, ends included, on all data. The share is "
            "one less the worst arm's training barrier over the mean barrier of the lines between "
            "its feet. Stars of one network share feet: cases are stars, averaged over networks."
        )
    )


def _folds(frame: Frame) -> Panels:
    """Losses on the line and on the chains through the centre."""
    panels = []
    for (network, r), rows in frame.by("network", "feet").items():
        lines = [one["loss"] for lines in rows.values("lines") for one in lines]
        arms = [arm for found in rows.values("found") for arm in found["loss"]]
        t = np.linspace(0, 1, POINTS)
        chain = [np.concatenate((arm, arm[-2::-1])) for arm in arms]
        half: Array = np.concatenate((0.5 * t, 1 - 0.5 * t[-2::-1]))
        series: list[Series] = [
            band("foot to foot", t, lines),
            band("foot to centre and back", half, chain),
        ]
        panels.append(
            Panel(x=POSITION, y="training loss", series=series, title=f"{network}, {r} feet")
        )
    return Panels(
        name="trained-stars",
        title="Lines between feet, and arms to a learned centre",
        caption="Mean over lines, and over arms, which are drawn to the centre in the middle and "
        "back; bands of one standard deviation.",
        panels=panels,
        columns=2,
    )


# --- N11: short chains -----------------------------------------------------------------------


@versioned("geodesic between minima", "1")
def _geodesic(
    a: Subject, b: Subject, *, penalties: Sequence[float], steps: int, batch: int
) -> dict[str, Any]:
    goal = a.objective("train")
    by = _descent(steps, batch)
    found = geodesic(a.final, b.final, goal, penalties=penalties, by=by, points=POINTS)
    rows = found.rows()
    return {name: np.array([row[name] for row in rows]) for name in rows[0]} | {
        "line": np.array(found.line.barrier().height),
        "distance": np.array(state.distance(a.final, b.final)),
    }


def geodesics(bench: Bench) -> Frame:
    """Chains of two pieces at each penalty, between neighbours in a circle of seeds."""
    asked: dict[str, Any] = {name: int(bench.setting(name)) for name in SETTINGS}
    asked["penalties"] = [float(x) for x in bench.setting("penalties")]
    rows = []
    for network, runs in networks(bench):
        for i, (a, b) in enumerate(circle(runs)):
            bench.tell(f"geodesics, {network}", i, len(runs))
            found = bench.kept(_geodesic, [a, b], **asked)
            rows.append({"network": network, "pair": i, "found": found})
    return (
        Frame.of(rows, cluster="pair")
        .derive(
            able=lambda found: found["removed"] >= REMOVED,
            length=lambda found, able: (
                float(found["length"][able].min()) if able.any() else float("inf")
            ),
            short=lambda length: length <= SHORT,
            barrier=lambda found: float(found["line"]),
        )
        .noted(
            "Ends are as given, not aligned: the length is that of these weights and no invariant "
            "of the function. Chains have one bend; its penalty is the mean squared distance to "
            "both ends over that of the ends, so that penalties are losses. The paper states none."
        )
    )


def _trade(frame: Frame) -> Panels:
    panels = []
    for network, rows in frame.by("network").items():
        found = rows.values("found")
        series = [
            Series(
                label=f"penalty {strength:g}",
                x=[one["length"][k] for one in found],
                y=[one["removed"][k] for one in found],
                points=True,
                ordered=k / max(len(found[0]["penalty"]) - 1, 1),
            )
            for k, strength in enumerate(found[0]["penalty"])
        ]
        panels.append(
            Panel(
                x="length over the straight distance",
                y="share of the barrier removed",
                series=series,
                title=network,
            )
        )
    return Panels(
        name="trained-chains",
        title="Length against the barrier that is left",
        caption=f"One point a pair and penalty, {len(frame)} pairs; colour: penalty on length.",
        panels=panels,
    )


def _at(k: int, name: str) -> Any:
    def number(frame: Frame) -> str:
        values = np.array([one[name][k] for one in frame.values("found")])
        return f"{values.mean():.4g}"

    return number


def _table(frame: Frame) -> Any:
    strengths = frame.values("found")[0]["penalty"]
    heads: dict[str, Any] = {"pairs": len, "line's barrier": "barrier"}
    for k, strength in enumerate(strengths):
        heads |= {
            f"{strength:g}: length": _at(k, "length"),
            f"{strength:g}: removed": _at(k, "removed"),
        }
    return Summary(
        "Length and barrier by penalty",
        by={"network": "network"},
        of=heads,
        count=False,
        note="Means over pairs: length over the straight distance, share of the training barrier.",
    )(frame)


def _gone(id: str, r: int) -> Claim:
    said = f"share of the lines' training barrier that is gone on the worst arm, {r} feet"
    return Claim(
        id,
        f"Through one learned centre of {r} there is no barrier",
        "table 1; the threshold is ours",
        mean("removed", said, per="star", feet=r) > REMOVED,
    )


ITEMS = (
    Item(
        name="trained-stars",
        id="N10",
        title="Stars of trained networks",
        asks="Is one learned centre linearly connected to three networks, and to five, and is it "
        "as good as they are?",
        measure=stars,
        populations=("minima",),
        settings=("feet", *SETTINGS),
        reported="Table 1, five networks 784-500-300-10 on MNIST: largest loss 1.25 on the line "
        "and 1.1e-3 through the centre, least accuracy 68.1 and 99.96 %.",
        show=(
            _folds,
            Summary(
                "Stars",
                by={"network": "network", "feet": "feet"},
                of={
                    "stars": len,
                    "line's barrier": "line",
                    "worst arm": "left",
                    "removed": "removed",
                    "centre above worst foot": "raised",
                    "held-out arms": "held",
                    "held out less trained on": "beyond",
                },
                count=False,
                note="Training barriers above the chord, nats. The last columns are of networks "
                "that the centre was not trained on, as they are: the check of Sonthalia et al. "
                "(2024), who align them first.",
            ),
            Summary(
                "Levels on lines and arms",
                by={"network": "network", "feet": "feet"},
                of={
                    "largest loss, lines": "line_top",
                    "largest loss, arms": "arm_top",
                    "least accuracy, lines": "line_least",
                    "least accuracy, arms": "arm_least",
                },
                count=False,
                note="As table 1 has them: the largest training loss and least training accuracy "
                "on a path, means over paths.",
            ),
        ),
        claims=(
            _gone("N10a", 3),
            _gone("N10b", 5),
            Claim(
                *("N12", "The centre is itself a minimum", "table 1; the threshold is ours"),
                mean("raised", "training loss of the centre less the worst foot's", per="star")
                < 0.05,
            ),
        ),
    ),
    Item(
        name="trained-chains",
        id="N11",
        title="Short chains between trained networks",
        asks="Is there a chain of two pieces, hardly longer than the line, without its barrier?",
        measure=geodesics,
        populations=("minima",),
        settings=("penalties", *SETTINGS),
        reported="Table 2: lengths of 1.003 (784-500-300-10 on MNIST), 1.001, 1.051 and 1.003, at "
        "training accuracies above 99.2 % on the chain.",
        show=(_trade, _table),
        claims=(
            Claim(
                *("N11", "Some chain is short and without the barrier", "table 2; widths decide"),
                share(
                    "short",
                    f"pairs with a chain of length {SHORT:g} at most and {REMOVED:g} removed",
                    cluster="pair",
                )
                > 0.5,
            ),
        ),
    ),
)
