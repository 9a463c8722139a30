"""Two ensembles, and the line between them: as they are, and with the second carried along."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from ridgeline.charts import Chart, Table
from ridgeline.frame import Frame, Question, difference, mean
from ridgeline.frame.show import Show
from ridgeline.matching import (
    Strategy,
    TreeActivationMatching,
    TreeWeightMatching,
    WeightMatching,
    align,
)
from ridgeline.matching.trees import Over
from ridgeline.paths import Line
from ridgeline.profiles import profile
from ridgeline.studies.pairs import Pair, apart, height, points_of
from ridgeline.study.bench import Bench
from ridgeline.study.keys import versioned
from ridgeline.study.measured import arrays_of, profile_of
from ridgeline.study.subjects import Subject

__all__ = ["BARRIERS", "LABELS", "averaged", "between", "level", "lines", "over_tables", "won"]

Make = Callable[[Subject, int], Strategy]


def _weights(over: Over, _: Subject, __: int, *, weighted: bool = True) -> Strategy:
    return TreeWeightMatching(over=over, weighted=weighted)


def _activations(over: Over, run: Subject, samples: int) -> Strategy:
    return TreeActivationMatching(
        model=run.model(), data=run.train.inputs, over=over, samples=samples
    )


MAKE: Mapping[str, Make | None] = {
    "naive": None,
    "weight matching: trees": partial(_weights, "permutation"),
    "weight matching: trees, orders": partial(_weights, "permutation+order"),
    "weight matching: trees, flips": partial(_weights, "permutation+flip"),
    "weight matching: all": partial(_weights, "all"),
    "weight matching: all, nodes alike": partial(_weights, "all", weighted=False),
    "activation matching: trees": partial(_activations, "permutation"),
    "activation matching: all": partial(_activations, "all"),
    "weight matching: units": lambda _, __: WeightMatching(),
}
"""How the second of a pair is carried to the first; of all that the ensemble has."""
TREES = ("naive", "weight matching: trees", "activation matching: trees")
FLIPPED = ("weight matching: all", "weight matching: all, nodes alike", "activation matching: all")
WAYS: Mapping[str, Sequence[str]] = {
    "perfect": (*TREES, *FLIPPED),
    "oblivious": (
        *TREES,
        "weight matching: trees, orders",
        "weight matching: trees, flips",
        *FLIPPED,
    ),
    "list": (*TREES, *FLIPPED),
    "modified-list": TREES,
    "perceptron": ("naive", "weight matching: units"),
}
"""Those that differ, by architecture: all that modified lists have is the order of their trees."""
BARRIERS = {
    "test": "test accuracy barrier (points)",
    "train": "train accuracy barrier (points)",
    "loss": "train loss barrier (nats)",
}
LABELS = {"perfect": "perfect trees", "oblivious": "oblivious trees", "list": "decision lists"}
LABELS |= {"modified-list": "modified decision lists", "perceptron": "perceptrons"}


def lines(bench: Bench, *populations: str, ways: Sequence[str] | None = None) -> Frame:
    """Measure neighbouring seeds of populations, each run in one pair alone; see `between`.

    Args:
        bench: Has the runs.
        *populations: Their names in the scale.
        ways: As for `between`.
    """
    cells: dict[Any, list[Subject]] = {}
    for name in populations:
        for run in bench.runs(name):
            of = (run.config.trained_on.set, run.config.net.kind, str(run.config.net.options))
            cells.setdefault(of, []).append(run)
    return between(bench, [pair for some in cells.values() for pair in apart(some)], ways)


def _architecture(run: Subject) -> str:
    return run.at("net.architecture") if run.config.net.kind == "soft_trees" else "perceptron"


def between(bench: Bench, pairs: Iterable[Pair], ways: Sequence[str] | None = None) -> Frame:
    """Measure the lines of pairs, a row a pair and way.

    Args:
        bench: Has the settings ``points`` and ``samples``.
        pairs: Of runs that differ in their seeds.
        ways: Of those that the architecture has; all by default.

    Returns:
        Columns ``table``, ``architecture``, ``depth``, ``trees``, ``group`` (the pair's seeds),
        ``way``, ``profile``; ``test``, ``train`` and ``loss`` as in `BARRIERS`, ``accuracy``, the
        mean of the ends on test data, ``middle`` the accuracy halfway and ``better`` that of the
        better end, all in percent; ``seconds`` that matching took.
    """
    rows: list[dict[str, Any]] = []
    pairs = list(pairs)
    for i, pair in enumerate(pairs):
        bench.tell("lines", i, len(pairs))
        own = WAYS[_architecture(pair.a)]
        chosen = [way for way in own if ways is None or way in ways]
        found = bench.kept(
            _measured,
            [pair.a, pair.b],
            ways=chosen,
            points=bench.setting("points"),
            samples=bench.setting("samples"),
        )
        rows += [_row(pair, way, found) for way in chosen]
    return Frame.of(rows, cluster="group").derive(
        test=points_of,
        train=lambda profile: points_of(profile, "train"),
        loss=height,
        accuracy=lambda profile: _accuracy(profile, (0, -1)).mean(),
        better=lambda profile: _accuracy(profile, (0, -1)).max(),
        middle=lambda profile: _accuracy(profile, (len(profile.t) // 2,))[0],
    )


@versioned("matched ensembles", "1")
def _measured(
    a: Subject, b: Subject, *, ways: Sequence[str], points: int, samples: int
) -> dict[str, Any]:
    objectives = {"train": a.objective("train"), "test": a.objective("test")}
    found: dict[str, Any] = {}
    for way in ways:
        make, end, begun = MAKE[way], b.final, time.perf_counter()
        if make is not None:
            end = align(a.final, b.final, a.symmetry, by=make(a, samples)).state
        found[f"{way}|seconds"] = time.perf_counter() - begun
        arrays = arrays_of(profile(Line(a.final, end), objectives, points=points))
        found |= {f"{way}|{name}": x for name, x in arrays.items()}
    return found


def _row(pair: Pair, way: str, found: Mapping[str, Any]) -> dict[str, Any]:
    own = {k.partition("|")[2]: x for k, x in found.items() if k.startswith(f"{way}|")}
    run = pair.a
    ensemble = run.config.net.kind == "soft_trees"
    return {
        "table": run.config.trained_on.set.partition("?")[0],
        "architecture": _architecture(run),
        "depth": run.at("net.depth") if ensemble else len(run.at("net.widths")) - 2,
        "trees": run.at("net.trees") if ensemble else run.at("net.widths")[1],
        "group": pair.group,
        "way": way,
        "seconds": float(own.pop("seconds")),
        "profile": profile_of(own),
    }


def _accuracy(line: Any, at: Sequence[int]) -> np.ndarray:
    return 100 * (1 - line.curve("error", "test").mean[list(at)])


# --- questions -------------------------------------------------------------------------------


def over_tables(*also: str) -> Callable[[Frame], Frame]:
    """Rows averaged over tables: one a pair of seeds, way, and value of further columns.

    The paper's numbers are means over data sets, which are chosen and not drawn; pairs of seeds are
    what is drawn.

    Args:
        *also: Columns that tell rows apart besides.
    """
    names = ("group", "way", "architecture", *also)
    numbers = (*BARRIERS, "gain")

    def rows(frame: Frame) -> Frame:
        return Frame.of(
            (
                dict(zip(names, key, strict=True))
                | {n: float(g[n].mean()) for n in numbers if n in frame.columns}
                | {"line": f"{LABELS[g.values('architecture')[0]]}, {g.values('way')[0]}"}
                for key, g in frame.by(*names).items()
            ),
            cluster="group",
        )

    return rows


def averaged(show: Show, *also: str) -> Show:
    """Draw rows averaged over tables; see `over_tables`.

    Args:
        show: Draws them.
        *also: As there.
    """

    def shown(frame: Frame) -> Chart | Table | Sequence[Chart | Table]:
        return show(over_tables(*also)(frame))

    return shown


def won(said: str, column: str, more: Mapping[str, Any], less: Mapping[str, Any]) -> Question:
    """Ask by how much a barrier on one side exceeds that on the other, by pair of seeds.

    Args:
        said: Which sides.
        column: One of `BARRIERS`.
        more: Rows of the one side.
        less: Rows of the other.
    """
    words = f"{BARRIERS[column]}, {said}"
    return difference(column, words, more, less, cluster="group", paired=True, rows=over_tables())


def level(column: str, said: str, **where: Any) -> Question:
    """Ask for a mean barrier over pairs of seeds.

    Args:
        column: One of `BARRIERS`.
        said: Of what.
        **where: Of which rows.
    """
    return mean(column, f"{BARRIERS[column]}, {said}", rows=over_tables(), **where)
