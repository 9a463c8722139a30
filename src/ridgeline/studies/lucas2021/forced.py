"""L12: training is made to go far, in four ways."""

from collections.abc import Sequence
from typing import Any

from ridgeline.studies.common import mean_sd, sound
from ridgeline.studies.lucas2021.counting import distances, falls, reached, rise
from ridgeline.study.bench import Bench
from ridgeline.study.charts import Panel, Panels, Series, Tabular
from ridgeline.study.claims import Claim, Correlation, Difference
from ridgeline.study.papers import Finding, Item
from ridgeline.study.subjects import Subject

__all__ = ["ITEMS", "forced"]

WAYS = {
    "chosen": "as usual",
    "radius": "drawn to a radius",
    "fast": "large learning rate",
    "relabelled": "random labels first",
    "grafted": "grafted steps",
}
"""Population to what is done in it."""


def forced(bench: Bench) -> Finding:
    """Min Delta against weight distance, usual runs and runs that are made to go far."""
    every = {way: bench.runs(population) for population, way in WAYS.items()}
    found = {way: reached(bench, runs) for way, runs in every.items()}
    heights = {
        way: [rise(p) for p in bench.profiles(runs, told=way)] for way, runs in found.items()
    }
    far = {way: [distances(bench, s)[0] for s in runs] for way, runs in found.items()}
    usual, *others = WAYS.values()

    def risen(way: str) -> list[bool]:
        return [not falls(bench.profile(s), bench) for s in found[way]]

    cases: dict[str, Any] = {
        "L12a": {
            "x": _joined(far),
            "y": _joined(heights),
            "group": [s.seed for runs in found.values() for s in runs],
        },
        **{
            f"L12{letter}": {"more": risen(way), "less": risen(usual)}
            for letter, way in zip("bcde", others, strict=True)
        },
    }
    return Finding(
        charts=[_chart(far, heights, bench.setting("tolerance"))],
        tables=[_table(every, far, heights, bench.setting("tolerance"))],
        cases=cases,
        words=[
            "Four ways to make training go far: a penalty that draws the norm of every tensor to "
            "a radius; a large learning rate; random labels for the first part of training and "
            "clean ones afterwards; and grafting, the length of Adam's steps on the direction "
            "of SGD's and the reverse."
        ],
    )


def _joined(values: dict[str, list[float]]) -> list[float]:
    return [value for group in values.values() for value in group]


def _chart(far: dict[str, list[float]], heights: dict[str, list[float]], floor: float) -> Panels:
    series = [
        Series(label=way, x=x, y=[max(v, floor) for v in heights[way]], points=True)
        for way, x in far.items()
        if x
    ]
    return Panels(
        name="forced",
        title="Rises of runs that are made to go far",
        caption=f"One point a run that reached the threshold; rises below {floor:g} are drawn "
        f"at {floor:g}.",
        panels=[Panel(x="|θ(T) - θ(0)|", y="min Δ (nats)", series=series, log_x=True, log_y=True)],
    )


def _table(
    every: dict[str, list[Subject]],
    far: dict[str, list[float]],
    heights: dict[str, list[float]],
    floor: float,
) -> Tabular:
    return Tabular(
        title="Runs that are made to go far",
        columns=[
            *("training", "trained", "reached the threshold"),
            *("distance", "not monotone", "min Δ"),
        ],
        rows=[
            [
                way,
                f"{len(runs)} ({len(runs) - len(sound(runs, required=False))} diverged)",
                len(far[way]),
                mean_sd(far[way]),
                _share(heights[way], floor),
                mean_sd(heights[way]),
            ]
            for way, runs in every.items()
        ],
        note="Mean ± standard deviation (runs).",
    )


def _share(heights: Sequence[float], floor: float) -> str:
    over = sum(x > floor for x in heights)
    return f"{over / len(heights):.2f} ({len(heights)})" if heights else "-"


def _breaks(letter: str, what: str) -> Claim:
    return Claim(
        id=f"L12{letter}",
        text=f"Forced to go far by {what}, training breaks monotonicity",
        place="abstract; options of the released code, whose outcomes are not known",
        source="memory",
        test=Difference("share that is not monotone, forced less usual"),
    )


ITEMS = (
    Item(
        name="forced",
        id="L12",
        title="Making training go far",
        asks="Is monotonicity lost if training is forced to go far?",
        measure=forced,
        populations=tuple(WAYS),
        reported="Violations can be produced systematically by encouraging the weights to move "
        "far from the initialisation.",
        claims=(
            Claim(
                id="L12a",
                text="The farther runs are made to go, the larger the rise",
                place="abstract",
                test=Correlation("weight distance and min Δ"),
            ),
            _breaks("b", "a radius penalty"),
            _breaks("c", "a large learning rate"),
            _breaks("d", "random labels first"),
            _breaks("e", "grafted steps"),
        ),
    ),
)
