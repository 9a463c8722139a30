"""V4: starts that training has been at before: random labels, or some layers trained."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ridgeline.studies.common import sound
from ridgeline.studies.vlaar2021.shapes import asked, claims
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim, Difference
from ridgeline.study.papers import Finding, Item
from ridgeline.study.subjects import Subject

__all__ = ["ITEMS"]


def starts(bench: Bench) -> Finding:
    """V4: an ordinary start, one from random labels, and ones with single trained layers."""
    ordinary = bench.runs("base")
    labels: dict[str, list[Subject]] = {"none": list(ordinary)}
    for run in bench.runs("adversarial"):
        labels.setdefault(str(run.at("spawn.at")), []).append(run)
    layers: dict[str, list[Subject]] = {"none": list(ordinary)}
    for run in bench.runs("partial"):
        layers.setdefault(" + ".join(run.at("spawn.layers")), []).append(run)
    arms = {"pre-training on random labels": labels, "pre-trained layers": layers}
    words = [
        "Each path is from the start that clean training had: after random labels, or with some "
        "layers of a trained network and fresh first weights elsewhere. Every run then trains for "
        "the whole length on clean labels.",
        "Runs of one seed come from one initialisation and are not independent: V4a and V4b "
        "compare each seed with its ordinary run, and n counts seeds.",
    ]
    finding = asked(bench, "V4", "c", arms, words)
    worse = {
        "V4a": _worse(bench.runs("adversarial"), ordinary),
        "V4b": _worse(bench.runs("partial"), ordinary),
    }
    return replace(finding, cases={**worse, **finding.cases})


def _worse(runs: Iterable[Subject], ordinary: Iterable[Subject]) -> dict[str, list[Any]]:
    """Test errors of runs from other starts, and of ordinary ones, in pairs by seed."""
    more, less = sound(runs, required=False), sound(ordinary, required=False)
    return {
        "more": [run.test_error for run in more],
        "less": [run.test_error for run in less],
        "more_group": [("seed", run.seed) for run in more],
        "less_group": [("seed", run.seed) for run in less],
    }


ITEMS = (
    Item(
        name="starts",
        id="V4",
        title="Adversarial initialisation and partial pre-training",
        asks="Do starts that worsen the test error show in the path?",
        measure=starts,
        settings=("points",),
        populations=("base", "adversarial", "partial"),
        reported="Partial pre-training worsens test accuracy, with effects on the path that are "
        "not correlated with it. That adversarial starts are made by random labels is from memory.",
        claims=(
            Claim(
                id="V4a",
                text="Pre-training on random labels worsens the test error",
                place="choice of initialisation",
                source="memory",
                test=Difference("test error, after random labels less from an ordinary start"),
            ),
            Claim(
                id="V4b",
                text="Pre-training some of the layers worsens the test error",
                place="partial pre-training",
                test=Difference("test error, some layers pre-trained less from an ordinary start"),
            ),
            *claims("V4", "c", "ordinary, adversarial and partly pre-trained starts"),
        ),
    ),
)
