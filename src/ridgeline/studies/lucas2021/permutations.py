"""L9: hidden units in another order, and lines between all points of several runs."""

from collections.abc import Callable, Iterable
from itertools import combinations, permutations
from typing import Any

from ridgeline.frame import Frame, mean, share
from ridgeline.frame.show import Curves, Summary, mean_sd
from ridgeline.paths import Line, Path, permuted
from ridgeline.profiles import Profile
from ridgeline.state import State, layers
from ridgeline.studies.lucas2021.counting import judged, lines, runs
from ridgeline.studies.lucas2021.starts import first
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim
from ridgeline.study.keys import versioned
from ridgeline.study.papers import Item
from ridgeline.study.subjects import Subject

__all__ = ["ITEMS", "among", "permuted_ends"]

Ends = Callable[[Subject, Subject], tuple[State, State]]
ACROSS = "init to another's minimum"
KINDS: dict[str, Ends] = {
    "init to init": lambda a, b: (a.initial, b.initial),
    "minimum to minimum": lambda a, b: (a.final, b.final),
    ACROSS: lambda a, b: (a.initial, b.final),
}


# --- permuted ends ---------------------------------------------------------------------------


def permuted_ends(bench: Bench) -> Frame:
    """Lines from a permuted initialisation, and to a permuted minimum."""
    found = first(bench, runs(bench, "chosen"), "shown")
    draws = range(bench.setting("permutations"))
    moved = found.each(which=("initialisation", "minimum")).each(draw=draws)
    moved = judged(
        bench,
        moved.derive(profile=lambda run, which, draw: bench.profile(run, _moved(which, draw))),
    )
    own = lines(bench, found, told="as trained")
    leading = set(found.values("seed")[:1])
    every = moved.derive(line=lambda which: f"permuted {which}") + own.derive(line="as trained")
    return every.derive(drawn=lambda seed: seed in leading).noted(
        "Permuting the start by an order, or the end by its inverse, gives the same losses: "
        "the two rows differ by the draw of the orders alone."
    )


def _moved(which: str, seed: int) -> Callable[[Subject], Path]:
    @versioned("permuted end", "1", which=which, seed=seed)
    def along(subject: Subject) -> Path:
        ends = {"initialisation": subject.initial, "minimum": subject.final}
        ends[which] = permuted(ends[which], list(layers(ends[which])), seed)
        return Line(ends["initialisation"], ends["minimum"])

    return along


def _monotone(rows: Frame) -> str:
    return mean_sd(float(run["falls"].mean()) for run in rows.by("seed").values())


# --- among several runs ----------------------------------------------------------------------


def among(bench: Bench) -> Frame:
    """Lines between initialisations, between minima, and from one to another's."""
    found = runs(bench, "chosen").where(counts=True)
    every, some = (list(rows.values("run")) for rows in (found, first(bench, found, "shown")))
    # Each run in one pair alone, so that the cases of the claims are independent.
    apart = list(zip(every[::2], every[1::2], strict=False))
    rows: list[dict[str, Any]] = []
    for ends in KINDS:
        shown: Iterable[Any] = (permutations if ends == ACROSS else combinations)(some, 2)
        rows += [{"ends": ends, "pair": pair, "shown": True} for pair in shown]
        rows += [{"ends": ends, "pair": pair, "shown": False} for pair in apart]
    columns = {name: [row[name] for row in rows] for name in ("ends", "pair", "shown")}
    drawn = Frame(columns).derive(profile=lambda pair, ends: _between(bench, pair, ends))
    return (
        judged(bench, drawn)
        .derive(barrier=lambda profile: profile.barrier().height)
        .noted(f"Claims are decided on {len(apart)} pairs, each run in one of them.")
    )


def _between(bench: Bench, pair: tuple[Subject, Subject], ends: str) -> Profile:
    one, other = pair

    @versioned("among ends", "1", ends=ends)
    def along(subject: Subject) -> Path:
        return Line(*KINDS[ends](subject, other))

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
        show=(
            Curves(
                "permuted-ends",
                "Hidden units in another order at one end",
                "Training loss and error; the first of the runs.",
                line="line",
                unit="lines",
                where={"drawn": True},
            ),
            Summary(
                "Lines with hidden units permuted at one end",
                by={"line": "line"},
                of={
                    "runs": lambda rows: len(rows.by("seed")),
                    "share monotone, by run": _monotone,
                    "min Δ, by line": "rise",
                },
                note="Mean ± standard deviation (number).",
                where={"which": bool},
            ),
        ),
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
        show=(
            Curves(
                "among-runs",
                "Lines among the ends of several runs",
                "Training loss and error; all pairs of the first runs.",
                line="ends",
                unit="lines",
                where={"shown": True},
            ),
            Summary(
                "Lines among the ends of several runs",
                by={"line": "ends"},
                of={
                    "lines": len,
                    "barrier over the chord": "barrier",
                    "min Δ": "rise",
                    "share monotone": lambda rows: float(rows["falls"].mean()),
                },
                note="Mean ± standard deviation (lines), training loss in nats.",
                where={"shown": True},
            ),
        ),
        claims=(
            Claim(
                *(
                    "L9a",
                    "Most lines from one run's initialisation to another's minimum are monotone",
                ),
                "figures of the released code",
                share("falls", "monotone lines", ends=ACROSS, shown=False) > 0.5,
                "memory",
            ),
            Claim(
                *("L9b", "There is a barrier between two independent minima"),
                "figure of the released code",
                mean(
                    *("barrier", "barrier of training loss over the chord (nats)"),
                    ends="minimum to minimum",
                    shown=False,
                )
                > 0.1,
                "memory",
            ),
        ),
    ),
)
