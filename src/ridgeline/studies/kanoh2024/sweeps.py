"""K8, K9 and K12: the depth of trees, their number, and perceptrons of the same size."""

from ridgeline.frame import Frame, Question, correlation
from ridgeline.frame.show import Show, Summary, Trend
from ridgeline.studies.kanoh2024.pairs import BARRIERS, LABELS, averaged, lines, over_tables, won
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim
from ridgeline.study.papers import Item

__all__ = ["ITEMS"]

TREES = ("naive", "weight matching: trees", "weight matching: all")
UNITS = ("naive", "weight matching: units")
KINDS = {"p": "perfect", "o": "oblivious"}


def depths(bench: Bench) -> Frame:
    """A row a pair, depth and way; perceptrons of as many hidden layers beside them."""
    return lines(bench, "depths", "perceptrons", ways=(*TREES, *UNITS)).noted(
        "A perceptron has as many hidden layers of rectified units as trees are deep, each as wide "
        "as there are trees. Trees of depth 1 are the same in both architectures.",
    )


def numbers(bench: Bench) -> Frame:
    """A row a pair, number of trees and way."""
    return lines(bench, "numbers", ways=TREES)


def _trend(name: str, title: str, column: str, label: str) -> Show:
    return averaged(
        Trend(
            name,
            title,
            "Mean over pairs of seeds, each the mean over tables; band of one standard deviation.",
            x=(column, label),
            y={BARRIERS[c]: c for c in ("test", "train")},
            unit="group",
            line="line",
            log_x=column == "trees",
        ),
        column,
    )


def _summary(title: str, column: str) -> Show:
    return averaged(
        Summary(
            title,
            by={"architecture": "architecture", column: column, "matched": "way"},
            of={said: name for name, said in BARRIERS.items()},
            note="Mean ± standard deviation over pairs of seeds (pairs), each the mean over "
            "tables.",
        ),
        column,
    )


def _rises(column: str, kind: str) -> Question:
    return correlation(
        column,
        "train",
        f"{column} and train accuracy barrier, {LABELS[kind]}, all matched by weights",
        cluster="group",
        rows=over_tables(column),
        architecture=kind,
        way="weight matching: all",
    )


ITEMS = (
    Item(
        name="depth",
        id="K8",
        title="Depth, and perceptrons of the same size",
        asks="What becomes of the barrier as trees grow deeper?",
        measure=depths,
        populations=("depths", "perceptrons"),
        settings=("points", "samples"),
        reported="Test barrier after matching, points, depths 1, 2, 3: perfect 0.2, 0.5, 0.7; "
        "oblivious 0.2, 0.3, 0.5; perceptrons 0.5, 3.0, 5.9.",
        show=(
            _trend("depth", "Barriers by depth", "depth", "depth of trees, hidden layers"),
            _summary("Barriers by depth", "depth"),
        ),
        claims=(
            *(
                Claim(
                    f"K8{k}",
                    f"Deeper {LABELS[kind]} keep more of a barrier when all is matched",
                    "figure 7, table 2",
                    _rises("depth", kind) > 0,
                )
                for k, kind in KINDS.items()
            ),
            *(
                Claim(
                    f"K12{k}",
                    f"{LABELS[kind].capitalize()} have less of a barrier than perceptrons of their "
                    "width and depth",
                    "table 2",
                    won(
                        f"perceptrons, units matched, less {LABELS[kind]}, all matched",
                        "test",
                        {"architecture": "perceptron", "way": "weight matching: units"},
                        {"architecture": kind, "way": "weight matching: all"},
                    )
                    > 0,
                )
                for k, kind in KINDS.items()
            ),
        ),
    ),
    Item(
        name="number",
        id="K9",
        title="Number of trees",
        asks="What becomes of the barrier as there are more trees?",
        measure=numbers,
        populations=("numbers",),
        settings=("points", "samples"),
        reported="It falls, from 64 to 256 to 1,024 trees (figure).",
        show=(
            _trend("number", "Barriers by number of trees", "trees", "trees"),
            _summary("Barriers by number of trees", "trees"),
        ),
        claims=tuple(
            Claim(
                f"K9{k}",
                f"The more {LABELS[kind]} there are, the less of a barrier is left",
                "figure 7",
                _rises("trees", kind) < 0,
            )
            for k, kind in KINDS.items()
        ),
    ),
)
