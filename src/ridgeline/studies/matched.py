"""The line between a pair of runs, the second carried to the first before."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ridgeline.errors import UsageError
from ridgeline.frame import Frame
from ridgeline.matching import Strategy, WeightMatching, align
from ridgeline.matching.activations import ActivationMatching
from ridgeline.matching.straight_through import StraightThrough
from ridgeline.measures import Array
from ridgeline.paths import Line, Path
from ridgeline.profiles import Profile
from ridgeline.state import State
from ridgeline.studies.pairs import Pair
from ridgeline.study.bench import Bench
from ridgeline.study.keys import versioned
from ridgeline.study.subjects import Subject
from ridgeline.symmetry.stacking import orders_of

__all__ = [
    "ACTIVATIONS",
    "NAIVE",
    "STRAIGHT_THROUGH",
    "WEIGHTS",
    "Way",
    "between",
    "carried",
    "fingerprint",
    "lines",
    "matched_orders",
]


@dataclass(frozen=True, kw_only=True)
class Way:
    """Method of alignment: how the second of a pair is carried to the first."""

    name: str
    make: Callable[[Pair, Bench], Strategy] | None
    """The strategy for a pair; None leaves the second where it is."""
    settings: tuple[str, ...] = ()
    """Of the scale, on which the strategy depends."""
    version: str = "1"
    """Raised if the strategy, or `align`, finds other permutations."""


def _by_weights(_: Pair, __: Bench) -> Strategy:
    return WeightMatching(renewals=0)  # coordinate descent, as the paper's


def _by_activations(pair: Pair, bench: Bench) -> Strategy:
    return ActivationMatching(
        model=pair.a.model(), data=pair.a.train.inputs[: bench.setting("activation_samples")]
    )


def _straight_through(pair: Pair, bench: Bench) -> Strategy:
    return StraightThrough(
        objective=pair.a.objective(),
        steps=bench.setting("straight_through_steps"),
        rate=bench.setting("straight_through_rate"),
        # As algorithm 2: from weight matching on it could hardly end worse than that does.
        init="identity",
    )


NAIVE = Way(name="naive", make=None)
WEIGHTS = Way(name="weight matching", make=_by_weights)
ACTIVATIONS = Way(
    name="activation matching", make=_by_activations, settings=("activation_samples",)
)
STRAIGHT_THROUGH = Way(
    name="straight-through",
    make=_straight_through,
    settings=("straight_through_steps", "straight_through_rate"),
)


# --- matching and measuring ------------------------------------------------------------------


def matched_orders(bench: Bench, pair: Pair, way: Way) -> dict[str, Array]:
    """The permutation that was found, an order for each group, and the distance left."""
    make = way.make
    if make is None:
        return {}

    @versioned(f"matched by {way.name}", way.version)
    def measure(*_: Subject, **__: Any) -> dict[str, Any]:
        symmetry = pair.a.symmetry
        found = align(*pair.states, symmetry, by=make(pair, bench))
        if found.transform is None:
            raise UsageError("Pairs are matched by permutations.", got=f"{way.name}, that mixes")
        orders = orders_of(found.transform, symmetry)
        return {**orders, "distance": [found.before, found.after]}

    told = {name: bench.setting(name) for name in way.settings}
    return bench.kept(measure, [pair.a, pair.b], step=pair.step, **told)


def fingerprint(found: Mapping[str, Array]) -> str:
    """A permutation in a key: its digest, however it was found; ``"nothing"`` if there is none."""
    text = hashlib.blake2b(digest_size=8)
    for name in sorted(found):
        text.update(name.encode() + np.ascontiguousarray(found[name]).tobytes())
    return text.hexdigest() if found else "nothing"


def carried(pair: Pair, found: Mapping[str, Array]) -> State:
    """The second of a pair, carried to the first by what `matched_orders` found."""
    orders = {name: order for name, order in found.items() if name != "distance"}
    b = pair.states[1]
    return pair.a.symmetry.transform(orders)(b) if orders else b


def between(
    bench: Bench,
    pair: Pair,
    way: Way = NAIVE,
    *,
    points: Any = None,
    splits: Sequence[str] = ("train", "test"),
) -> Profile:
    """The profile of the line from the first of a pair to the second, matched before, kept.

    It is the first one's objective.
    """
    found = matched_orders(bench, pair, way)

    @versioned("matched pair", "1", step=pair.step, moved=fingerprint(found))
    def along(_: Subject) -> Path:
        return Line(pair.states[0], carried(pair, found))

    return bench.profile(pair.a, along, others=[pair.b], points=points, splits=splits)


def lines(bench: Bench, pairs: Frame, ways: Sequence[Way], **options: Any) -> Frame:
    """Pairs once for each way, with the ``profile`` of the line between them; see `between`.

    Args:
        bench: Measures.
        pairs: As `ridgeline.studies.pairs.rows` makes them.
        ways: How the second is carried to the first: the column ``way`` has their names.
        **options: Of `between`.
    """
    found = Frame(cluster=pairs.cluster)
    for way in ways:
        for value, group in pairs.by("at").items():
            bench.tell(f"{way.name} at {value:g}", 0, len(group))
            found += group.derive(
                way=way.name, profile=lambda pair, way=way: between(bench, pair, way, **options)
            )
    return found
