"""V4: starts that training has been at before: random labels, or some layers trained."""

from typing import Any

from ridgeline.frame import Frame, difference
from ridgeline.studies.vlaar2021.shapes import claims, measured, show
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim
from ridgeline.study.papers import Item

__all__ = ["ITEMS"]

ORDINARY = "none"
LABELS, LAYERS = "pre-training on random labels", "pre-trained layers"


def starts(bench: Bench) -> Frame:
    """V4: an ordinary start, one from random labels, and ones with single trained layers."""
    ordinary = bench.frame("base", diverged=True).derive(value=ORDINARY)
    labels = bench.frame("adversarial", diverged=True, value=lambda run: str(run.at("spawn.at")))
    layers = bench.frame(
        "partial", diverged=True, value=lambda run: " + ".join(run.at("spawn.layers"))
    )
    return measured(
        bench,
        (ordinary + labels).derive(factor=LABELS) + (ordinary + layers).derive(factor=LAYERS),
        "Each path is from the start that clean training had: after random labels, or with some "
        "layers of a trained network and fresh first weights elsewhere. Every run then trains for "
        "the whole length on clean labels.",
        "Runs of one seed come from one initialisation and are not independent: V4a and V4b "
        "compare each seed with its ordinary run, and n counts seeds.",
    )


def _worse(id: str, text: str, place: str, factor: str, said: str, source: Any) -> Claim:
    sides = ({"value": lambda value: value != ORDINARY}, {"value": ORDINARY})
    asked = difference(
        *("test", f"test error, {said} less from an ordinary start"),
        *sides,
        factor=factor,
        cluster="seed",
    )
    return Claim(id, text, place, asked > 0, source)


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
        show=show("V4"),
        claims=(
            _worse(
                *("V4a", "Pre-training on random labels worsens the test error"),
                *("choice of initialisation", LABELS, "after random labels", "memory"),
            ),
            _worse(
                *("V4b", "Pre-training some of the layers worsens the test error"),
                *("partial pre-training", LAYERS, "some layers pre-trained", "paper"),
            ),
            *claims("V4", "c", "ordinary, adversarial and partly pre-trained starts"),
        ),
    ),
)
