"""A7: the mean of many networks (A.10), by several ways into one frame."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ridgeline.errors import UsageError
from ridgeline.frame import Frame, Question, mean
from ridgeline.frame.show import Summary, Trend, mean_sd
from ridgeline.matching.contract import ManyStrategy
from ridgeline.matching.cycles import cycle_error, pairwise
from ridgeline.matching.many import align_many
from ridgeline.matching.universe import CycleConsistent, MergeMany, ToReference
from ridgeline.merging import merge
from ridgeline.state import State
from ridgeline.studies.pairs import learned, of_learned
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim
from ridgeline.study.keys import versioned
from ridgeline.study.papers import Item
from ridgeline.study.subjects import Subject

__all__ = ["ITEMS", "parties"]

STRATEGIES: dict[str, ManyStrategy | None] = {
    "plain mean": None,
    "to one of them": ToReference(),
    "MergeMany": MergeMany(),
    "C2M3": CycleConsistent(settle=0),  # as the paper: no rounds of MergeMany after it
}
NETWORKS = "networks"


def many(bench: Bench) -> Frame:
    """The mean of more and more networks."""
    counts = [int(n) for n in bench.setting("counts")]
    every = parties(bench.frame("many").values("run"), max(counts))
    rows = []
    for n in counts:
        bench.tell(f"means of {n}", 0, len(every))
        for i, party in enumerate(every):
            found = bench.kept(_means, party[:n])
            row = {"merged": n, "party": i, "learned": learned(*party)}
            astray = 100 * float(found["cycle"][0]) if n > 2 else None
            rows += [
                {
                    **row,
                    "mean": name,
                    "astray": astray,
                    **dict(zip(("accuracy", "loss"), map(float, found[name]), strict=True)),
                }
                for name in (NETWORKS, *STRATEGIES)
            ]
    most = max(counts)
    return (
        Frame.of(rows)
        .derive(judged=of_learned("accuracy"), most=lambda merged: merged == most)
        .noted(
            f"{len(every)} parties of {most} networks each, no network in two; of smaller "
            "numbers the first of each party. Maps through a common frame compose around every "
            "cycle; the table shows how far maps that are found pair by pair do not. The paper "
            "merges 32 networks, each of a random half of MNIST. C2M3 ends at its own "
            "permutations, as in its paper: no rounds of MergeMany follow."
        )
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
    objective, symmetry = party[0].objective("test"), party[0].symmetry
    given = [run.final for run in party]
    states: dict[str, list[State]] = {"networks": given}
    for name, by in STRATEGIES.items():
        merged = merge(given).state if by is None else align_many(given, symmetry, by=by).mean
        states[name] = [merged]
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


def _accuracies(name: str) -> Callable[[Frame], str]:
    return lambda rows: mean_sd(rows.where(mean=name)["accuracy"])


def _gain(said: str, one: str, other: str) -> Question:
    """Accuracy of one mean less that of another, by party of the largest number."""

    def gains(frame: Frame) -> Frame:
        pairs = frame.where(most=True).paired("judged", "mean", "party")
        return pairs.derive(gain=lambda row: row[one] - row[other])

    return mean("gain", f"accuracy after {said} (points)", rows=gains)


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
        show=(
            Trend(
                "merge-many",
                "The mean of many networks",
                "Mean over parties of networks, band of one standard deviation; “networks” is the "
                "mean of the networks' own numbers.",
                x=("merged", "networks merged"),
                y={
                    "test accuracy of the mean (%)": "accuracy",
                    "test loss of the mean (nats)": "loss",
                },
                unit="party",
                line="mean",
            ),
            Summary(
                "Test accuracy of the mean (%)",
                by={"networks merged": "merged"},
                of={
                    "themselves": _accuracies(NETWORKS),
                    **{name: _accuracies(name) for name in STRATEGIES},
                    "units astray around cycles (%)": lambda rows: mean_sd(
                        x for x in rows.where(mean=NETWORKS).values("astray") if x is not None
                    ),
                },
                note="Mean ± standard deviation over parties (number of parties). Units astray: "
                "those that maps found pair by pair do not bring back to their place around cycles "
                "of three.",
            ),
        ),
        claims=(
            Claim(
                *("A7a", "The mean of many networks is better after MergeMany than as they are"),
                "our specification, 7.2, of A.10",
                _gain("MergeMany less that of the plain mean", "MergeMany", "plain mean") > 0,
                "derived",
            ),
            Claim(
                "A7b",
                "Matching each to the mean of the others is better than matching all to one",
                "our specification, 6.17, of Crisostomi et al. 2024",
                _gain("MergeMany less that to one of them", "MergeMany", "to one of them") > 0,
                "memory",
            ),
            Claim(
                *("A7c", "The mean of many networks is better after C2M3 than after MergeMany"),
                "our specification, 6.17 and 7.2, of Crisostomi et al. 2024, figure 7",
                _gain("C2M3 less that after MergeMany", "C2M3", "MergeMany") > 0,
                "memory",
            ),
        ),
    ),
)
