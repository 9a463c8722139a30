"""E4: permutations sought by simulated annealing in shallow networks (figure 7)."""

from collections.abc import Mapping

import torch
from torch import Tensor

from ridgeline.data import Split
from ridgeline.frame import Frame, difference, mean
from ridgeline.frame.show import Summary, Trend
from ridgeline.matching import SimulatedAnnealing, Strategy
from ridgeline.objective import Objective
from ridgeline.paths import Line
from ridgeline.studies.matched import NAIVE, WEIGHTS, Way, lines
from ridgeline.studies.pairs import Pair, cells, height, hidden, of_learned, rows
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim
from ridgeline.study.papers import Item

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


def annealing(bench: Bench) -> Frame:
    """Return what annealing leaves of the barrier, by depth."""
    depths = [float(depth) for depth in bench.setting("depths")]
    pairs = rows(cells(bench.runs("depths"), hidden)).where(at=depths)
    found = lines(bench, pairs, WAYS)
    low, high = min(found.values("at")), max(found.values("at"))
    return found.derive(
        train=height,
        test=lambda profile: height(profile, "test"),
        judged=of_learned("train"),
        shallow=lambda at: at == low,
        deepest=lambda at: at == high,
    ).noted(
        f"Annealing of the loss tries {bench.setting('steps')} swaps of two units, each judged "
        f"by the loss halfway on {bench.setting('samples')} training images, at temperatures "
        f"from {bench.setting('initial_temperature')} to {bench.setting('final_temperature')} "
        "nats. The paper tries 50,000 at temperatures from 25,000 to 2.5, at which nearly every "
        "swap is taken: a walk at random that keeps the best it saw."
    )


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
        show=(
            Trend(
                "annealing",
                "Barriers after annealing, against depth",
                "Over the chord. Mean over pairs of seeds that are sound everywhere, band of one "
                "standard deviation.",
                x=("at", "hidden layers"),
                y={"train-loss barrier (nats)": "train"},
                unit="group",
                line="way",
            ),
            Summary(
                "Loss barriers after annealing (nats)",
                by={"hidden layers": "at", "permutation": "way"},
                of={"train": "train", "test": "test"},
                note="Mean ± standard deviation over pairs (number of pairs).",
            ),
        ),
        claims=(
            Claim(
                *("E4a", "Annealing lowers the barrier between networks of one hidden layer"),
                "figure 7",
                difference(
                    *("judged", f"train-loss barrier as they are less {ANNEALED} (nats)"),
                    {"way": NAIVE.name},
                    {"way": BY_BARRIER.name},
                    cluster="group",
                    shallow=True,
                )
                > 0,
            ),
            Claim(
                *("E4b", "Annealing finds no barrier in networks of one hidden layer"),
                "figure 7; the threshold is ours",
                mean(
                    *("judged", f"{ANNEALED}, one hidden layer (nats)"),
                    way=BY_BARRIER.name,
                    shallow=True,
                )
                < NONE_LEFT,
            ),
            Claim(
                *("E4c", "Annealing leaves a barrier in the deepest networks"),
                "figure 7; the threshold is ours",
                mean(
                    *("judged", f"{ANNEALED}, deepest networks (nats)"),
                    way=BY_BARRIER.name,
                    deepest=True,
                )
                > NONE_LEFT,
            ),
            Claim(
                *("E4d", "Weight matching leaves less than annealing of the distance it minimises"),
                "our specification, 6.2 and 6.3",
                difference(
                    "judged",
                    "train-loss barrier after annealing of the distance less that after weight "
                    "matching, one hidden layer (nats)",
                    {"way": BY_DISTANCE.name},
                    {"way": WEIGHTS.name},
                    cluster="group",
                    shallow=True,
                )
                > 0,
                "derived",
            ),
        ),
    ),
)
