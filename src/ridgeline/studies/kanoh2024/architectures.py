"""K2 to K7, K10, K11 and K14 to K16: which symmetries must be matched, by architecture."""

from ridgeline.charts import Table
from ridgeline.frame import Asked, Frame
from ridgeline.frame.show import Curves, Summary, mean_sd
from ridgeline.studies.kanoh2024.pairs import BARRIERS, LABELS, level, lines, over_tables, won
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim
from ridgeline.study.papers import Item

__all__ = ["ITEMS"]


def architectures(bench: Bench) -> Frame:
    """A row a pair and way of matching, of all four architectures on all tables."""
    return lines(bench, "architectures").noted(
        "Means are over tables first, then over pairs of seeds: tables are chosen, seeds drawn. "
        "Where an architecture has nothing but the order of its trees, matching all is matching "
        "trees. The seconds are those of one alignment, beside whatever else the machine did.",
    )


def _means(frame: Frame) -> Table:
    return Summary(
        "Barriers",
        by={"architecture": "architecture", "matched": "way"},
        of={said: column for column, said in BARRIERS.items()},
        note="Mean ± standard deviation over pairs of seeds (pairs), each the mean over tables.",
    )(over_tables()(frame))


def _by_table(frame: Frame) -> Table:
    names = list(frame.by("table"))
    rows = []
    for (architecture, way), group in frame.by("architecture", "way").items():
        found = group.by("table")
        rows.append([LABELS[architecture], way, *(mean_sd(found[n]["test"]) for n in names)])
    return Table(
        title="Test accuracy barrier (points), table by table",
        columns=["architecture", "matched", *names],
        rows=rows,
        note="Mean ± standard deviation (number of pairs).",
    )


def _ends(frame: Frame) -> Table:
    found = frame.where(way="naive").by("table", "architecture")
    rows = [
        [table, LABELS[architecture], mean_sd(group["accuracy"])]
        for (table, architecture), group in found.items()
    ]
    return Table(
        title="Test accuracy of the trained ensembles (%)",
        columns=["table", "architecture", "accuracy"],
        rows=rows,
        note="Mean ± standard deviation (number of pairs; of each the mean of both).",
    )


def _of(architecture: str, way: str) -> dict[str, str]:
    return {"architecture": architecture, "way": way}


def _less(id: str, text: str, architecture: str, sides: tuple[str, str], column: str) -> Claim:
    """A barrier is lower one way than another, in one architecture."""
    high, low = sides
    said = f"{LABELS[architecture]}, {high} less {low}"
    test = won(said, column, _of(architecture, high), _of(architecture, low)) > 0
    return Claim(id, text, "figure 6, tables 3 and 4", test)


def _derived(id: str, text: str, test: Asked) -> Claim:
    return Claim(id, text, "our specification, section 7", test, "derived")


NAIVE, TREES, ALL, ALIKE = (
    "naive",
    "weight matching: trees",
    "weight matching: all",
    "weight matching: all, nodes alike",
)
ANSWERS, ANSWERS_ALL = "activation matching: trees", "activation matching: all"
PERFECT = {"p": "perfect", "o": "oblivious"}
EVERY = {**PERFECT, "l": "list", "m": "modified-list"}
POINT = 1.0
"""Points: "nearly zero" in the paper, whose means are 0.35 and 0.46; ours."""

ITEMS = (
    Item(
        name="architectures",
        id="K2",
        title="What must be matched, by architecture",
        asks="Which symmetries must be matched before the barrier is gone?",
        measure=architectures,
        populations=("architectures",),
        settings=("points", "samples"),
        reported="Test accuracy barrier, points, mean over 16 data sets, M = 256, D = 2: naive 6.8 "
        "(perfect), 7.9 (oblivious), 7.5 (list), 6.7 (modified list); matched by weights, trees "
        "alone 0.8, 0.9, 0.4, 0.5, all 0.5, 0.3; by activations, trees alone 8.6, 10.3, 7.5, 2.1, "
        "all 0.9, 0.4. On training data trees alone leave 4.7 and 4.8, all 3.3 and 2.9.",
        show=(
            _means,
            _by_table,
            _ends,
            Summary(
                "Seconds of one alignment",
                by={"architecture": "architecture", "matched": "way"},
                of={"seconds": "seconds"},
                note="Mean ± standard deviation (number of pairs). The paper gives none.",
                where={"way": lambda way: way != NAIVE},
            ),
            Curves(
                "lines-{}",
                "Between two ensembles, {}",
                "Training and test data of all tables.",
                line="way",
                each="architecture",
                split="test",
            ),
        ),
        claims=(
            *(
                Claim(
                    f"K2{k}",
                    f"Naive interpolation of {LABELS[kind]} has a barrier",
                    "figure 1, table 3; threshold ours",
                    level("test", f"{LABELS[kind]}, naive", **_of(kind, NAIVE)) > POINT,
                )
                for k, kind in EVERY.items()
            ),
            *(
                _less(
                    f"K3{k}",
                    f"Matching the trees of {LABELS[kind]} by weights lowers it",
                    *(kind, (NAIVE, TREES), "test"),
                )
                for k, kind in EVERY.items()
            ),
            *(
                _less(
                    f"K4{k}{c}",
                    f"Flips and orders lower the {BARRIERS[column].partition(' (')[0]} of "
                    f"{LABELS[kind]} further",
                    *(kind, (TREES, ALL), column),
                )
                for k, kind in PERFECT.items()
                for c, column in (("", "train"), ("-loss", "loss"))
            ),
            *(
                Claim(
                    f"K5{k}",
                    f"With all symmetries matched the barrier of {LABELS[kind]} is nearly zero",
                    "table 3; threshold ours",
                    level("test", f"{LABELS[kind]}, {ALL}", **_of(kind, ALL)) < POINT,
                )
                for k, kind in PERFECT.items()
            ),
            *(
                Claim(
                    f"K6{k}",
                    f"Matching the trees of {LABELS[kind]} by activations alone does not help",
                    "table 4",
                    won(
                        f"{LABELS[kind]}, {NAIVE} less {ANSWERS}",
                        *("test", _of(kind, NAIVE), _of(kind, ANSWERS)),
                    )
                    < 0,
                )
                for k, kind in PERFECT.items()
            ),
            *(
                _less(
                    f"K7{k}",
                    f"With flips and orders matched, too, it does help in {LABELS[kind]}",
                    *(kind, (ANSWERS, ANSWERS_ALL), "test"),
                )
                for k, kind in PERFECT.items()
            ),
            *(
                Claim(
                    f"K7{k}-level",
                    f"Little of the barrier of {LABELS[kind]} is left then",
                    "table 4; threshold ours",
                    level("test", f"{LABELS[kind]}, {ANSWERS_ALL}", **_of(kind, ANSWERS_ALL)) < 2,
                )
                for k, kind in PERFECT.items()
            ),
            *(
                Claim(
                    f"K10{k}-{way[0]}",
                    "With trees alone matched, modified lists have less of a barrier than "
                    f"{LABELS[kind]}",
                    "tables 3 and 4",
                    won(
                        f"{LABELS[kind]} less modified lists, {way}",
                        *("train", _of(kind, way), _of("modified-list", way)),
                    )
                    > 0,
                )
                for k, kind in (("o", "oblivious"), ("l", "list"))
                for way in (TREES, ANSWERS)
            ),
            Claim(
                "K11",
                "Oblivious trees with all symmetries matched stay below modified lists",
                "table 3",
                won(
                    "modified lists less oblivious trees, all matched by weights",
                    *("train", _of("modified-list", TREES), _of("oblivious", ALL)),
                )
                > 0,
            ),
            *(
                _derived(
                    f"K14{k}",
                    f"The trees that activation matching pairs are right in {LABELS[kind]}: with "
                    "the same pairs patterns alone take the training barrier away",
                    won(
                        f"{LABELS[kind]}, {ANSWERS} less {ANSWERS_ALL}",
                        *("train", _of(kind, ANSWERS), _of(kind, ANSWERS_ALL)),
                    )
                    > 0,
                )
                for k, kind in PERFECT.items()
            ),
            _derived(
                "K15",
                "The flip of its last split lowers the training barrier of decision lists",
                won(
                    "decision lists, trees alone less all",
                    *("train", _of("list", TREES), _of("list", ALL)),
                )
                > 0,
            ),
            *(
                _derived(
                    f"K16{k}",
                    f"The weights of nodes make no difference to {LABELS[kind]}",
                    abs(
                        won(
                            f"{LABELS[kind]}, nodes alike less weighted",
                            *("test", _of(kind, ALIKE), _of(kind, ALL)),
                        )
                    )
                    < 0.5,
                )
                for k, kind in PERFECT.items()
            ),
        ),
    ),
)
