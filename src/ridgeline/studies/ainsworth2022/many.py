"""A7: the mean of many networks (A.10), by several ways into one frame."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ridgeline.charts import Panel, Panels, Table, band
from ridgeline.errors import UsageError
from ridgeline.matching.contract import ManyStrategy
from ridgeline.matching.cycles import cycle_error, pairwise
from ridgeline.matching.many import align_many
from ridgeline.matching.universe import CycleConsistent, MergeMany, ToReference
from ridgeline.merging import merge
from ridgeline.state import State
from ridgeline.studies.common import mean_sd, sound
from ridgeline.studies.matched import symmetry_of
from ridgeline.studies.pairs import learned
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim, Mean
from ridgeline.study.keys import versioned
from ridgeline.study.papers import Finding, Item
from ridgeline.study.subjects import Subject

__all__ = ["ITEMS", "parties"]

STRATEGIES: dict[str, ManyStrategy | None] = {
    "plain mean": None,
    "to one of them": ToReference(),
    "MergeMany": MergeMany(),
    "C2M3": CycleConsistent(settle=0),  # as the paper: no rounds of MergeMany after it
}
Scores = Mapping[str, Sequence[float]]


def many(bench: Bench) -> Finding:
    """The mean of more and more networks."""
    counts = [int(n) for n in bench.setting("counts")]
    every = parties(sound(bench.runs("many")), max(counts))
    found = {}
    for n in counts:
        bench.tell(f"means of {n}", 0, len(every))
        found[n] = [bench.kept(_means, party[:n]) for party in every]

    def gains(one: str, other: str) -> list[float]:
        return [
            _accuracy(m, one) - _accuracy(m, other) if learned(*party) else np.nan
            for party, m in zip(every, found[max(counts)], strict=True)
        ]

    return Finding(
        charts=[_chart(found)],
        tables=[_table(found)],
        cases={
            "A7a": gains("MergeMany", "plain mean"),
            "A7b": gains("MergeMany", "to one of them"),
            "A7c": gains("C2M3", "MergeMany"),
        },
        words=[
            f"{len(every)} parties of {max(counts)} networks each, no network in two; of smaller "
            "numbers the first of each party. Maps through a common frame compose around every "
            "cycle; the table shows how far maps that are found pair by pair do not. The paper "
            "merges 32 networks, each of a random half of MNIST. C2M3 ends at its own "
            "permutations, as in its paper: no rounds of MergeMany follow."
        ],
    )


def parties(runs: Sequence[Subject], size: int) -> list[list[Subject]]:
    """Runs in parties of a size, in the order of their seeds; a rest is left out.

    Raises:
        UsageError: If there are fewer runs than one party has.
    """
    runs = sorted(runs, key=lambda run: run.seed)
    found = [list(runs[i : i + size]) for i in range(0, len(runs) - size + 1, size)]
    if not found:
        raise UsageError("There are runs for one party at least.", got=f"{len(runs)} of {size}")
    return found


@versioned("means of many", "1")
def _means(*party: Subject) -> dict[str, Any]:
    """Test accuracy and loss of each mean, of the networks themselves, and the cycle error."""
    objective, symmetry = party[0].objective("test"), symmetry_of(party[0])
    given = [run.final for run in party]
    states: dict[str, list[State]] = {"networks": given}
    for name, by in STRATEGIES.items():
        mean = merge(given).state if by is None else align_many(given, symmetry, by=by).mean
        states[name] = [mean]
    scores: dict[str, Any] = {}
    for name, these in states.items():
        values = [objective(state) for state in these]
        scores[name] = [
            100 * (1 - float(np.mean([float(v["error"].double().mean()) for v in values]))),
            float(np.mean([float(v["loss"].double().mean()) for v in values])),
        ]
    moved = np.nan
    if len(given) > 2:
        moved = cycle_error(pairwise(given, symmetry), symmetry).moved
    return {**scores, "cycle": [moved]}


def _accuracy(measured: Scores, name: str) -> float:
    return float(measured[name][0])


def _chart(found: Mapping[int, Sequence[Scores]]) -> Panels:
    labels = ["networks", *STRATEGIES]
    measures = {"test accuracy of the mean (%)": 0, "test loss of the mean (nats)": 1}
    panels = [
        Panel(
            x="networks merged",
            y=y,
            series=[
                band(
                    label,
                    list(found),
                    np.array([[m[label][i] for m in f] for f in found.values()]).T,
                )
                for label in labels
            ],
        )
        for y, i in measures.items()
    ]
    parties = len(next(iter(found.values())))
    return Panels(
        name="merge-many",
        title="The mean of many networks",
        caption=f"Mean over {parties} parties of networks, band of one standard deviation; "
        "“networks” is the mean of the networks' own numbers.",
        panels=panels,
    )


def _table(found: Mapping[int, Sequence[Scores]]) -> Table:
    rows = [
        [
            n,
            *(mean_sd(m[name][0] for m in measured) for name in ("networks", *STRATEGIES)),
            "-" if n < 3 else mean_sd(100 * m["cycle"][0] for m in measured),
        ]
        for n, measured in found.items()
    ]
    return Table(
        title="Test accuracy of the mean (%)",
        columns=["networks merged", "themselves", *STRATEGIES, "units astray around cycles (%)"],
        rows=rows,
        note="Mean ± standard deviation over parties (number of parties). Units astray: those that "
        "maps found pair by pair do not bring back to their place around cycles of three.",
    )


ITEMS = (
    Item(
        name="merge-many",
        id="A7",
        title="The mean of many networks",
        asks="Can many networks be merged into one?",
        measure=many,
        settings=("counts",),
        populations=("many",),
        reported="The paper merges 32 networks, each of a random half of MNIST; its numbers could "
        "not be obtained. From memory of Crisostomi et al. 2024: of five networks and more, C2M3 "
        "makes a better mean than MergeMany, and that a better one than matching all to one.",
        claims=(
            Claim(
                id="A7a",
                text="The mean of many networks is better after MergeMany than as they are",
                place="our specification, 7.2, of A.10",
                source="derived",
                test=Mean(
                    "accuracy after MergeMany less that of the plain mean (points)", "above", 0.0
                ),
            ),
            Claim(
                id="A7b",
                text="Matching each to the mean of the others is better than matching all to one",
                place="our specification, 6.17, of Crisostomi et al. 2024",
                source="memory",
                test=Mean(
                    "accuracy after MergeMany less that to one of them (points)", "above", 0.0
                ),
            ),
            Claim(
                id="A7c",
                text="The mean of many networks is better after C2M3 than after MergeMany",
                place="our specification, 6.17 and 7.2, of Crisostomi et al. 2024, figure 7",
                source="memory",
                test=Mean("accuracy after C2M3 less that after MergeMany (points)", "above", 0.0),
            ),
        ),
    ),
)
