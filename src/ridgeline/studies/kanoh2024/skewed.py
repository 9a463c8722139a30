"""K13: ensembles of unlike halves of a table, averaged."""

from ridgeline.frame import Frame, Question, difference, mean
from ridgeline.frame.show import Curves, Summary
from ridgeline.studies.kanoh2024.pairs import LABELS, between, over_tables
from ridgeline.studies.pairs import Pair
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim
from ridgeline.study.papers import Item

__all__ = ["ITEMS"]

WAYS = ("naive", "weight matching: trees", "weight matching: all")
GAIN = "test accuracy halfway less that of the better end (points)"


def skewed(bench: Bench) -> Frame:
    """A row a pair and way: the first has four fifths of one class, the second of the other."""
    halves = [
        {(r.config.trained_on.set, r.at("net.architecture"), r.seed // 2): r for r in runs}
        for runs in map(bench.runs, ("skewed-a", "skewed-b"))
    ]
    pairs = [Pair(halves[0][key], halves[1][key]) for key in halves[0] if key in halves[1]]
    return between(bench, pairs, WAYS).derive(gain=lambda middle, better: middle - better)


def _gains(kind: str) -> Question:
    return mean(
        "gain",
        f"{GAIN}, {LABELS[kind]}, all matched",
        rows=over_tables(),
        architecture=kind,
        way="weight matching: all",
    )


KINDS = {"p": "perfect", "o": "oblivious"}
ITEMS = (
    Item(
        name="skewed",
        id="K13",
        title="Ensembles of unlike halves of a table",
        asks="Does the mean of two ensembles know what either has seen?",
        measure=skewed,
        populations=("skewed-a", "skewed-b"),
        settings=("points", "samples"),
        reported="The middle is better than both ends, the more so when all is matched (figure).",
        show=(
            Curves(
                "skewed-{}",
                "Between ensembles of unlike halves, {}",
                line="way",
                each="architecture",
                split="test",
            ),
            Summary(
                "Halfway between ensembles of unlike halves",
                by={"architecture": "architecture", "table": "table", "matched": "way"},
                of={
                    "better end (%)": "better",
                    "halfway (%)": "middle",
                    "gain (points)": "gain",
                },
                note="Test accuracy, mean ± standard deviation (number of pairs).",
            ),
        ),
        claims=(
            *(
                Claim(
                    f"K13{k}",
                    f"Halfway between {LABELS[kind]} of unlike halves, all matched, is better than "
                    "both ends",
                    "figure 9",
                    _gains(kind) > 0,
                )
                for k, kind in KINDS.items()
            ),
            *(
                Claim(
                    f"K13{k}-all",
                    f"Matching all symmetries of {LABELS[kind]} gains more than trees alone",
                    "figure 9",
                    difference(
                        "gain",
                        f"{GAIN}, {LABELS[kind]}, all matched less trees alone",
                        {"way": "weight matching: all"},
                        {"way": "weight matching: trees"},
                        cluster="group",
                        paired=True,
                        rows=over_tables(),
                        architecture=kind,
                    )
                    > 0,
                )
                for k, kind in KINDS.items()
            ),
        ),
    ),
)
