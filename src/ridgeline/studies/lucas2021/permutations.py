"""L9: hidden units in another order, and lines between all points of several runs."""

from collections.abc import Callable, Sequence
from itertools import combinations, permutations

from ridgeline.charts import Table
from ridgeline.paths import Line, Path, permuted
from ridgeline.profiles import Profile
from ridgeline.state import State, layers
from ridgeline.studies.common import mean_sd
from ridgeline.studies.lucas2021.counting import falls, reached, rise
from ridgeline.studies.lucas2021.starts import banded
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim, Mean, Share
from ridgeline.study.keys import versioned
from ridgeline.study.papers import Finding, Item
from ridgeline.study.subjects import Subject

__all__ = ["ITEMS", "among", "permuted_ends"]

Pair = tuple[Subject, Subject]
Ends = Callable[[Subject, Subject], tuple[State, State]]
KINDS: dict[str, Ends] = {
    "init to init": lambda a, b: (a.initial, b.initial),
    "minimum to minimum": lambda a, b: (a.final, b.final),
    "init to another's minimum": lambda a, b: (a.initial, b.final),
}


# --- permuted ends ---------------------------------------------------------------------------


def permuted_ends(bench: Bench) -> Finding:
    """Lines from a permuted initialisation, and to a permuted minimum."""
    runs = reached(bench, bench.runs("chosen"))[: bench.setting("shown")]
    if not runs:
        return Finding(words=["No run reached the threshold."])
    seeds = range(bench.setting("permutations"))
    found: dict[str, list[list[Profile]]] = {}
    for which in ("initialisation", "minimum"):
        found[f"permuted {which}"] = [[_moved(bench, s, which, k) for k in seeds] for s in runs]
    own = bench.profiles(runs, told="as trained")
    lines = {name: every[0] for name, every in found.items()} | {"as trained": own[:1]}
    rows = [
        [
            *(name, len(runs), mean_sd(_share(bench, lines) for lines in every)),
            mean_sd(rise(p) for lines in every for p in lines),
        ]
        for name, every in found.items()
    ]
    return Finding(
        charts=[
            banded(
                "permuted-ends",
                "Hidden units in another order at one end",
                f"Training loss and error; the first of {len(runs)} runs.",
                lines,
            )
        ],
        tables=[
            Table(
                title="Lines with hidden units permuted at one end",
                columns=["line", "runs", "share monotone, by run", "min Δ, by line"],
                rows=rows,
                note=f"{len(seeds)} permutations a run; mean ± standard deviation (number).",
            )
        ],
        words=[
            "Permuting the start by an order, or the end by its inverse, gives the same losses: "
            "the two rows differ by the draw of the orders alone."
        ],
    )


def _moved(bench: Bench, run: Subject, which: str, seed: int) -> Profile:
    @versioned("permuted end", "1", which=which, seed=seed)
    def along(subject: Subject) -> Path:
        ends = {"initialisation": subject.initial, "minimum": subject.final}
        ends[which] = permuted(ends[which], list(layers(ends[which])), seed)
        return Line(ends["initialisation"], ends["minimum"])

    return bench.profile(run, along)


def _share(bench: Bench, lines: Sequence[Profile]) -> float:
    return sum(falls(p, bench) for p in lines) / len(lines)


# --- among several runs ----------------------------------------------------------------------


def among(bench: Bench) -> Finding:
    """Lines between initialisations, between minima, and from one to another's."""
    runs = reached(bench, bench.runs("chosen"))
    first = runs[: bench.setting("shown")]
    shown = {name: [_between(bench, pair, name) for pair in _pairs(first, name)] for name in KINDS}
    # Each run in one pair alone, so that the cases of the claims are independent.
    apart = list(zip(runs[::2], runs[1::2], strict=False))
    tested = {name: [_between(bench, pair, name) for pair in apart] for name in KINDS}
    rows = [
        [
            *(name, len(lines), mean_sd(p.barrier().height for p in lines)),
            *(mean_sd(rise(p) for p in lines), _share(bench, lines) if lines else "-"),
        ]
        for name, lines in shown.items()
    ]
    return Finding(
        charts=[
            banded(
                "among-runs",
                "Lines among the ends of several runs",
                f"Training loss and error; all pairs of {len(first)} runs.",
                shown,
            )
        ],
        tables=[
            Table(
                title="Lines among the ends of several runs",
                columns=["line", "lines", "barrier over the chord", "min Δ", "share monotone"],
                rows=rows,
                note="Mean ± standard deviation (lines), training loss in nats.",
            )
        ],
        cases={
            "L9a": [falls(p, bench) for p in tested["init to another's minimum"]],
            "L9b": [p.barrier().height for p in tested["minimum to minimum"]],
        },
        words=[f"Claims are decided on {len(apart)} pairs, each run in one of them."],
    )


def _pairs(runs: Sequence[Subject], name: str) -> list[Pair]:
    directed = name == "init to another's minimum"
    return list(permutations(runs, 2) if directed else combinations(runs, 2))


def _between(bench: Bench, pair: Pair, name: str) -> Profile:
    one, other = pair

    @versioned("among ends", "1", ends=name)
    def along(subject: Subject) -> Path:
        return Line(*KINDS[name](subject, other))

    return bench.profile(one, along, others=[other])


ITEMS = (
    Item(
        name="permuted-ends",
        id="L9",
        title="Permuted ends",
        asks="Does the line need the order of hidden units that training had?",
        measure=permuted_ends,
        settings=("points", "permutations", "shown", "threshold", "tolerance"),
        populations=("chosen",),
        reported="Ten permutations of each end are drawn; the outcome could not be obtained.",
    ),
    Item(
        name="among-runs",
        id="L9",
        title="Among several runs",
        asks="What is on the lines between initialisations, between minima, and across?",
        measure=among,
        settings=("points", "shown", "threshold", "tolerance"),
        populations=("chosen",),
        reported="Bands for initialisations, minima and both; monotone across, a barrier between "
        "minima (recalled, not read).",
        claims=(
            Claim(
                id="L9a",
                text="Most lines from one run's initialisation to another's minimum are monotone",
                place="figures of the released code",
                source="memory",
                test=Share("monotone lines", "above", 0.5),
            ),
            Claim(
                id="L9b",
                text="There is a barrier between two independent minima",
                place="figure of the released code",
                source="memory",
                test=Mean("barrier of training loss over the chord (nats)", "above", 0.1),
            ),
        ),
    ),
)
