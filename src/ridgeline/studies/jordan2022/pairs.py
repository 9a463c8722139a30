"""Two networks, and what lies between them: as they are, aligned, repaired."""

from collections.abc import Callable, Mapping
from typing import Any

from ridgeline.frame import Frame, Question, difference
from ridgeline.matching import ActivationMatching, align
from ridgeline.measures import Array
from ridgeline.paths import Polygon
from ridgeline.profiles import profile
from ridgeline.repairs import Repair, collapse, midpoint
from ridgeline.state import State
from ridgeline.studies.jordan2022.networks import final, model, objective
from ridgeline.studies.pairs import apart, of_learned
from ridgeline.study.bench import Bench
from ridgeline.study.keys import versioned
from ridgeline.study.measured import arrays_of, profile_of
from ridgeline.study.subjects import Subject
from ridgeline.symmetry import symmetries

__all__ = ["RESET", "WAYS", "lifts", "midpoints"]

WAYS = {
    "naive": (False, None),
    "repaired alone": (False, "forward"),
    "aligned": (True, None),
    "aligned, repaired": (True, "forward"),
    "aligned, closed form": (True, "closed-form"),
}
"""Name to whether the second network is aligned to the first, and the kind of repair."""
RESET = {
    "naive": (False, None),
    "statistics recomputed": (False, "statistics"),
    "aligned": (True, None),
    "aligned, statistics recomputed": (True, "statistics"),
}
"""The same for networks with BatchNorm, whose running statistics are otherwise interpolated."""


def midpoints(
    bench: Bench,
    population: str,
    ways: Mapping[str, Any] = WAYS,
    at: Callable[[Subject], float] | None = None,
) -> Frame:
    """Measure what lies between neighbouring seeds, each run in one pair alone, kept.

    Statistics are taken on the training data, on which units are matched as well.

    Args:
        bench: Has the runs.
        population: Its name in the scale.
        ways: As `WAYS`.
        at: What was swept, of a run.

    Returns:
        A row a pair and way: ``at``, ``group``, the pair's first seed, ``way``; ``accuracy`` at
        the midpoint and ``ends``, the mean of the two networks', in percentage points, of the test
        data, and ``train`` and ``train_ends``; ``ratio``, the variance of each layer at the
        midpoint over the mean of the ends', shape (L,), and ``constant``, its squared mean over
        the second moment. For claims ``judged`` is the accuracy and ``lost`` what is lost of it:
        NaN, which decides nothing, if an end has learned nothing.
    """
    rows: list[dict[str, Any]] = []
    runs = bench.runs(population)
    cells: dict[Any, list[Subject]] = {}
    for run in runs:
        cells.setdefault(at(run) if at else 0, []).append(run)
    for value, some in cells.items():
        couples = apart(some)
        for i, pair in enumerate(couples):
            bench.tell(f"{population}, {value}", i, len(couples))
            arrays = bench.kept(_measured, [pair.a, pair.b], ways=dict(ways))
            row = {"at": value, "group": pair.a.seed, "learned": pair.learned}
            rows += [{**row, "way": way, **_row(_under(arrays, way))} for way in ways]
    return Frame.of(rows, cluster="group").derive(
        judged=of_learned("accuracy"), lost=lambda ends, judged: ends - judged
    )


def _row(arrays: Mapping[str, Array]) -> dict[str, Any]:
    line = profile_of({k: x for k, x in arrays.items() if k not in ("ratio", "share")})
    found = {"ratio": arrays["ratio"], "constant": arrays["share"]}
    for split, names in {"test": ("accuracy", "ends"), "train": ("train", "train_ends")}.items():
        mean = line.curve("error", split).mean
        middle, ends = float(mean[len(mean) // 2]), float(mean[0] + mean[-1]) / 2
        found |= dict(zip(names, (100 * (1 - middle), 100 * (1 - ends)), strict=True))
    return found


def lifts(said: str, more: str, less: str, **where: Any) -> Question:
    """Ask by how much the accuracy at the midpoint one way exceeds that another, by pair.

    Args:
        said: Which sides.
        more: The one way.
        less: The other.
        **where: Of which rows.
    """
    words = f"accuracy at the midpoint, {said} (points)"
    sides = ({"way": more}, {"way": less})
    return difference("judged", words, *sides, cluster="group", **where)


@versioned("repaired midpoints", "1")
def _measured(a: Subject, b: Subject, *, ways: Mapping[str, Any]) -> dict[str, Any]:
    objectives = {"train": objective(a, "train"), "test": objective(a, "test")}
    start, other = final(a), final(b)
    ends = {False: other, True: _aligned(a, start, other)}
    found = {}
    layers = {end: collapse(start, ends[end], objectives["train"], []).ends for end in ends}
    for way, (align_first, kind) in ways.items():
        repair = Repair(a.train.inputs, kind=kind) if kind is not None else None
        end = ends[align_first]
        # Repaired once, for all that is asked of it.
        middle = midpoint(start, end, objectives["train"], repair=repair)
        line = profile(Polygon(start, middle, end), objectives, points=[0.0, 0.5, 1.0])
        there = collapse(middle, middle, objectives["train"], [0.0])
        mean = layers[align_first].mean(0)
        found |= {f"{way}:{name}": x for name, x in arrays_of(line).items()}
        found |= {f"{way}:ratio": there.variance[0] / mean, f"{way}:share": there.bias_share[0]}
    return found


def _aligned(run: Subject, a: State, b: State) -> State:
    """b, with its units in the places of those of a that answer alike."""
    network, inputs = model(run), run.train.inputs
    by = ActivationMatching(model=network, data=inputs, by="correlation")
    return align(a, b, symmetries(network, inputs[:2]), by=by).state


def _under(arrays: Mapping[str, Array], way: str) -> dict[str, Array]:
    """The arrays of one way, as `arrays_of` named them."""
    return {k.removeprefix(f"{way}:"): x for k, x in arrays.items() if k.startswith(f"{way}:")}
