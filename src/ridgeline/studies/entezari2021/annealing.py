"""E4: permutations sought by simulated annealing in shallow networks (figure 7)."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ridgeline.charts import Panels, Table
from ridgeline.data import Split
from ridgeline.matching import SimulatedAnnealing, Strategy
from ridgeline.objective import Objective
from ridgeline.paths import Line
from ridgeline.profiles import Profile
from ridgeline.studies.common import mean_sd
from ridgeline.studies.matched import NAIVE, WEIGHTS, Way, between
from ridgeline.studies.pairs import Pair, against, by_seeds, cells, height, hidden, judged
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim, Difference, Mean
from ridgeline.study.papers import Finding, Item

__all__ = ["ITEMS", "Halfway"]


class Halfway:
    """The loss halfway between a network and another that is carried, on some samples.

    Its ends are the same whatever the permutation, so that it orders permutations as the barrier
    does.

    Args:
        pair: Whose first network stays.
        samples: Training samples of the first, counted from the front.
    """

    def __init__(self, pair: Pair, samples: int) -> None:
        data = pair.a.train
        self.a = pair.states[0]
        self.objective: Objective = pair.a.objective(
            Split(data.inputs[:samples], data.targets[:samples])
        )

    def __call__(self, state: Mapping[str, Tensor]) -> float:
        """In nats."""
        with torch.no_grad():
            found = self.objective(Line(self.a, dict(state))(0.5))
        return float(found["loss"].double().mean())


def _by_barrier(pair: Pair, bench: Bench) -> Strategy:
    return SimulatedAnnealing(
        settle=False,  # as the paper: a walk alone
        energy=Halfway(pair, bench.setting("samples")),
        steps=bench.setting("steps"),
        initial_temperature=bench.setting("initial_temperature"),
        final_temperature=bench.setting("final_temperature"),
    )


def _by_distance(_: Pair, bench: Bench) -> Strategy:
    return SimulatedAnnealing(
        settle=False,  # as the paper: a walk alone
        steps=bench.setting("distance_steps"),
        initial_temperature=bench.setting("distance_initial_temperature"),
        final_temperature=bench.setting("distance_final_temperature"),
    )


BY_BARRIER = Way(
    name="annealing of the loss",
    make=_by_barrier,
    settings=("samples", "steps", "initial_temperature", "final_temperature"),
)
BY_DISTANCE = Way(
    name="annealing of the distance",
    make=_by_distance,
    settings=("distance_steps", "distance_initial_temperature", "distance_final_temperature"),
)
WAYS = (NAIVE, BY_BARRIER, BY_DISTANCE, WEIGHTS)
Found = dict[str, dict[float, list[Profile]]]


def annealing(bench: Bench) -> Finding:
    """Return what annealing leaves of the barrier, by depth."""
    depths = [float(depth) for depth in bench.setting("depths")]
    by_depth = {d: p for d, p in cells(bench.runs("depths"), hidden).items() if d in depths}
    found: Found = {}
    for way in WAYS:
        for depth, pairs in by_depth.items():
            bench.tell(f"{way.name} at depth {depth:g}", 0, len(pairs))
            found.setdefault(way.name, {})[depth] = [between(bench, pair, way) for pair in pairs]
    shallow, deepest = by_depth[min(by_depth)], by_depth[max(by_depth)]
    groups = [pair.group for pair in shallow]
    naive, barrier, distance, weights = (
        judged(shallow, map(height, line[min(by_depth)])) for line in found.values()
    )
    deep = judged(deepest, map(height, found[BY_BARRIER.name][max(by_depth)]))
    both = {"more_group": groups, "less_group": groups}
    return Finding(
        charts=[_chart(by_depth, found)],
        tables=[_table(found)],
        cases={
            "E4a": {"more": naive, "less": barrier, **both},
            "E4b": barrier,
            "E4c": deep,
            "E4d": {"more": distance, "less": weights, **both},
        },
        words=[
            f"Annealing of the loss tries {bench.setting('steps')} swaps of two units, each judged "
            f"by the loss halfway on {bench.setting('samples')} training images, at temperatures "
            f"from {bench.setting('initial_temperature')} to "
            f"{bench.setting('final_temperature')} nats. The paper tries "
            "50,000 at temperatures from 25,000 to 2.5, at which nearly every swap is taken: a "
            "walk at random that keeps the best it saw."
        ],
    )


def _chart(by_depth: Mapping[float, Sequence[Pair]], found: Found) -> Panels:
    lines = {
        way: by_seeds(by_depth, {at: map(height, profiles) for at, profiles in line.items()})
        for way, line in found.items()
    }
    return Panels(
        name="annealing",
        title="Barriers after annealing, against depth",
        caption="Over the chord. Mean over pairs of seeds that are sound everywhere, band of one "
        "standard deviation.",
        panels=[against("hidden layers", "train-loss barrier (nats)", lines)],
    )


def _table(found: Found) -> Table:
    rows = [
        [depth, way, mean_sd(map(height, profiles)), _test(profiles)]
        for way, line in found.items()
        for depth, profiles in line.items()
    ]
    return Table(
        title="Loss barriers after annealing (nats)",
        columns=["hidden layers", "permutation", "train", "test"],
        rows=rows,
        note="Mean ± standard deviation over pairs (number of pairs).",
    )


def _test(profiles: Sequence[Profile]) -> str:
    return mean_sd(height(p, "test") for p in profiles)


ANNEALED = "train-loss barrier after annealing of the loss"
NONE_LEFT = 0.1
"""Nats below which a barrier counts as none: ours."""

ITEMS = (
    Item(
        name="annealing",
        id="E4",
        title="Simulated annealing",
        asks="Does annealing find a permutation without a barrier?",
        measure=annealing,
        settings=(
            "points",
            "depths",
            "samples",
            "steps",
            "initial_temperature",
            "final_temperature",
            "distance_steps",
            "distance_initial_temperature",
            "distance_final_temperature",
        ),
        populations=("depths",),
        reported="It does for networks of one hidden layer on MNIST, and for those of two and four "
        "at width 1024; for no VGG or ResNet.",
        claims=(
            Claim(
                id="E4a",
                text="Annealing lowers the barrier between networks of one hidden layer",
                place="figure 7",
                test=Difference(f"train-loss barrier as they are less {ANNEALED} (nats)"),
            ),
            Claim(
                id="E4b",
                text="Annealing finds no barrier in networks of one hidden layer",
                place="figure 7; the threshold is ours",
                test=Mean(f"{ANNEALED}, one hidden layer (nats)", "below", NONE_LEFT),
            ),
            Claim(
                id="E4c",
                text="Annealing leaves a barrier in the deepest networks",
                place="figure 7; the threshold is ours",
                test=Mean(f"{ANNEALED}, deepest networks (nats)", "above", NONE_LEFT),
            ),
            Claim(
                id="E4d",
                text="Weight matching leaves less than annealing of the distance it minimises",
                place="our specification, 6.2 and 6.3",
                source="derived",
                test=Difference(
                    "train-loss barrier after annealing of the distance less that after weight "
                    "matching, one hidden layer (nats)"
                ),
            ),
        ),
    ),
)
