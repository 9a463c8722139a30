"""Two children of one parent: the error between them, and how far apart they are."""

from collections.abc import Mapping
from typing import Any

from ridgeline import state as states
from ridgeline.frame import Frame
from ridgeline.studies.pairs import learned
from ridgeline.study.bench import Bench
from ridgeline.study.keys import versioned
from ridgeline.study.lines import to
from ridgeline.study.subjects import Subject
from ridgeline.training import Duration

__all__ = ["NETWORKS", "STABLE", "siblings", "steps_of"]

STABLE = 0.02
"""Instability in error below which two networks count as linearly connected (section 2)."""
NETWORKS = {"LeNet-300-100": "lenet", "ResNet-20": "resnet"}
"""Label to population; each has children at several steps."""


def steps_of(run: Subject, time: str) -> int:
    """A time in steps."""
    return Duration.parse(time).count(-(-len(run.train) // run.config.training.batch_size))


def siblings(bench: Bench, networks: Mapping[str, str]) -> Frame:
    """The first two children of every parent, by the step at which they parted.

    A pair of which one diverged is left out, as is one that learned nothing: two networks at
    chance are connected whatever lies between them.

    Args:
        bench: To measure with.
        networks: Label to population.

    Returns:
        Columns ``network``, ``step``, ``seed`` (the parent's), ``profile``; ``apart``, the
        distance between both, ``travelled``, their mean distance from the initialisation, and
        ``share``, the one over the other; ``train`` and ``test``, how much higher the error is
        between them than at their ends, as a share of samples. Rows of a network by step.
    """
    rows = []
    for label, population in networks.items():
        pairs = _pairs(bench, population)
        for i, (parent, one, other) in enumerate(pairs):
            bench.tell(label, i, len(pairs))
            rows.append({"network": label, **_measured(bench, parent, one, other)})
    order = {label: i for i, label in enumerate(networks)}
    rows.sort(key=lambda row: (order[row["network"]], row["step"]))
    return Frame.of(rows, cluster="seed").derive(
        share=lambda apart, travelled: apart / travelled,
        train=lambda profile: profile.instability(split="train").height,
        test=lambda profile: profile.instability(split="test").height,
        stable=lambda test: test < STABLE,
    )


def _pairs(bench: Bench, population: str) -> list[tuple[Subject, Subject, Subject]]:
    runs = bench.runs(population, parents=True)
    parents = {run.hash: run for run in runs if run.config.parent is None}
    families: dict[tuple[str, str], list[Subject]] = {}
    for run in runs:
        if run.config.parent is not None:
            key = (str(run.at("spawn.at")), run.config.parent.hash)
            families.setdefault(key, []).append(run)
    pairs = [(parents[parent], *children[:2]) for (_, parent), children in families.items()]
    return [
        (parent, one, other)
        for parent, one, other in pairs
        if not one.diverged and not other.diverged and learned(one, other)
    ]


def _measured(bench: Bench, parent: Subject, one: Subject, other: Subject) -> dict[str, Any]:
    line = bench.profile(one, to(other), others=[other], splits=("train", "test"))
    found = bench.kept(_distances, [parent, one, other])
    step = steps_of(one, str(one.at("spawn.at")))
    far = {name: float(value) for name, value in found.items()}
    return {"step": step, "seed": one.seed, "profile": line, **far}


@versioned("distance of siblings", "1")
def _distances(parent: Subject, one: Subject, other: Subject) -> dict[str, float]:
    ends = one.final, other.final
    far = [states.distance(parent.initial, end) for end in ends]
    return {"apart": states.distance(*ends), "travelled": sum(far) / 2}
