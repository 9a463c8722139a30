"""L12: training is made to go far, in four ways."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ridgeline.charts import Panel, Panels, Series, Table
from ridgeline.studies.common import mean_sd, sound
from ridgeline.studies.lucas2021.counting import (
    distances,
    not_monotone,
    reached,
    rise,
    seeds,
)
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim, Correlation, Difference, Measured
from ridgeline.study.papers import Finding, Item
from ridgeline.study.subjects import Subject

__all__ = ["FAR", "ITEMS", "MoreOften", "forced"]

WAYS = {
    "chosen": "as usual",
    "radius": "drawn to a radius",
    "fast": "large learning rate",
    "relabelled": "random labels first",
    "grafted": "grafted steps",
}
"""Population to what is done in it."""


FAR = 1.5
"""How many times as far as the usual run of its seed a run must have gone to have been forced."""


@dataclass(frozen=True)
class MoreOften(Difference):
    """A difference of shares, forced less usual, in seeds whose forced run did go far.

    The usual run of a seed is its pair; both are of one group. Runs that did not go `far` times
    as far as theirs, and seeds without a usual run that counts, are left out.
    """

    far: float = FAR

    @property
    def words(self) -> str:
        """Return what is demanded."""
        return f"{super().words}, of forced runs that went {self.far:g} times as far or farther"

    def decide(self, cases: Mapping[str, Sequence[Any]]) -> Measured:
        """The verdict.

        Args:
            cases: ``forced``, ``forced_seed`` and ``forced_distance``, a value a run in each, and
                ``usual``, ``usual_seed`` and ``usual_distance``: one run a seed.
        """
        usual = dict(
            zip(
                cases["usual_seed"],
                zip(cases["usual"], cases["usual_distance"], strict=True),
                strict=True,
            )
        )
        runs = list(
            zip(cases["forced"], cases["forced_seed"], cases["forced_distance"], strict=True)
        )
        far = [(is_so, s) for is_so, s, d in runs if s in usual and d >= self.far * usual[s][1]]
        pairs = list(dict.fromkeys(s for _, s in far))
        found = super().decide(
            {
                "more": [is_so for is_so, _ in far],
                "more_group": [s for _, s in far],
                "less": [usual[s][0] for s in pairs],
                "less_group": pairs,
            }
        )
        if len(pairs) >= self.needs:
            return found
        why = (
            f"{len(far)} of {len(runs)} runs, of {len(pairs)} seeds, went {self.far:g} times as "
            f"far as the usual run of their seed; at least {self.needs} seeds wanted"
        )
        return replace(found, why=why)


def forced(bench: Bench) -> Finding:
    """Min Delta against weight distance, usual runs and runs that are made to go far."""
    every = _runs(bench)
    found = {way: reached(bench, runs) for way, runs in every.items()}
    heights = {
        way: [rise(p) for p in bench.profiles(runs, told=way)] for way, runs in found.items()
    }
    far = {way: [distances(bench, s)[0] for s in runs] for way, runs in found.items()}
    usual, *others = WAYS.values()

    def told(side: str, way: str) -> dict[str, list[Any]]:
        risen = [not x <= bench.setting("tolerance") for x in heights[way]]
        return {
            side: risen,
            f"{side}_seed": seeds(found[way]),
            f"{side}_distance": far[way],
        }

    cases: dict[str, Any] = {
        "L12a": {
            "x": _joined(far),
            "y": _joined(heights),
            "group": [seed for runs in found.values() for seed in seeds(runs)],
        },
        **{
            f"L12{letter}": told("forced", way) | told("usual", usual)
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
            "of SGD's and the reverse. Runs are compared with the usual run of their seed, and "
            f"only if they went {FAR:g} times as far from the same first weights."
        ],
    )


def _runs(bench: Bench) -> dict[str, list[Subject]]:
    """The runs of each way; of the usual ones those of seeds that were forced as well."""
    usual, *others = ((way, bench.runs(population)) for population, way in WAYS.items())
    chosen = {seed for _, runs in others for seed in seeds(runs)}
    return {usual[0]: [s for s in usual[1] if s.seed in chosen], **dict(others)}


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
) -> Table:
    return Table(
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
                not_monotone(heights[way], floor),
                mean_sd(heights[way]),
            ]
            for way, runs in every.items()
        ],
        note="Mean ± standard deviation (runs).",
    )


def _breaks(letter: str, what: str) -> Claim:
    return Claim(
        id=f"L12{letter}",
        text=f"Forced to go far by {what}, training breaks monotonicity",
        place="abstract; options of the released code, whose outcomes are not known",
        source="memory",
        test=MoreOften("share that is not monotone, forced less usual"),
    )


ITEMS = (
    Item(
        name="forced",
        id="L12",
        title="Making training go far",
        asks="Is monotonicity lost if training is forced to go far?",
        measure=forced,
        settings=("points", "threshold", "tolerance"),
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
