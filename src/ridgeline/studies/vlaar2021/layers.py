"""V3: the line on which one layer moves and all others stay at the end, or at the start."""

from collections.abc import Callable, Sequence
from typing import Literal

from ridgeline.frame import Frame, mean
from ridgeline.frame.show import Curves, Summary
from ridgeline.paths import Line, Path
from ridgeline.state import State, layers
from ridgeline.studies.common import area
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim
from ridgeline.study.keys import versioned
from ridgeline.study.papers import Item
from ridgeline.study.subjects import Subject

__all__ = ["ITEMS", "blocks"]

HELD: dict[Literal["a", "b"], str] = {"b": "end", "a": "start"}
"""Where the other layers stay."""


def blocks(state: State) -> dict[str, list[str]]:
    """Layers with what belongs to them: each one of weights, and the norm that follows it.

    Args:
        state: Of a network; its order is that of its layers.

    Returns:
        The first layer's name to the names of all.
    """
    found: dict[str, list[str]] = {}
    last = ""
    for layer in layers(state):
        tensors = [x for name, x in state.items() if name.startswith(f"{layer}.") or name == layer]
        if not last or any(x.ndim > 1 for x in tensors):
            last = layer
            found[last] = []
        found[last].append(layer)
    return found


def alone(names: Sequence[str], hold: Literal["a", "b"]) -> Callable[[Subject], Path]:
    """The line on which only these layers move."""

    @versioned("layers alone", "1", layers=list(names), hold=hold)
    def along(subject: Subject) -> Path:
        return Line(subject.initial, subject.final, layers=list(names), hold=hold)

    return along


def layerwise(bench: Bench) -> Frame:
    """V3: one curve a layer."""
    runs = bench.frame("base")
    of = blocks(runs.values("run")[0].initial)
    first, *_, last = of
    lines = {
        (layer, where): alone(names, hold)
        for hold, where in HELD.items()
        for layer, names in of.items()
    }
    named = {f"{layer}, others at the {where}": path for (layer, where), path in lines.items()}
    parts = dict(zip(named, lines, strict=True))
    rows = bench.lines(runs, named).derive(
        layer=lambda along: parts[along][0],
        others=lambda along: parts[along][1],
        end=lambda layer: {first: "first", last: "last"}.get(layer, ""),
        begins=lambda profile: float(profile.curve("error").mean[0]),
        ends=lambda profile: float(profile.curve("error").mean[-1]),
        area=area,
        loss_area=lambda profile: area(profile, "loss"),
    )
    return rows.noted(
        "With the others at the end, t = 0 is the trained network with one layer put back to "
        "its initialisation. With the others at the start, t = 1 is the untrained network "
        "with one layer trained."
    )


def between(rows: Frame) -> Frame:
    """How far the error areas of the first and the last layer of a network are apart."""
    areas = rows.paired("area", "end", ("others", "seed"))
    return areas.derive(apart=lambda first, last: abs(first - last))


def _unequal(id: str, where: str) -> Claim:
    said = "distance of the error areas of the first and the last layer"
    asked = mean("apart", said, rows=lambda frame: between(_ends(frame)), others=where)
    text = (
        "The error areas of the first and the last layer's paths are apart, the others "
        f"at the {where}"
    )
    return Claim(id, text, "layer-wise paths", asked > 0.05, "memory")


def _ends(frame: Frame) -> Frame:
    return frame.where(end=["first", "last"])


ITEMS = (
    Item(
        name="layer-wise",
        id="V3",
        title="Layer-wise paths",
        asks="If one layer moves and the others stay, does every layer have the same path?",
        measure=layerwise,
        settings=("points",),
        populations=("base",),
        reported="Layers differ in how sensitive they are to their initialisation. At which end "
        "the others are held is from memory, so both are measured; no number is known.",
        show=(
            Curves(
                "layers-{}",
                "One layer moves, the others stay at the {}",
                "Training loss and error; each layer with the normalisation that follows it.",
                line="layer",
                each="others",
            ),
            Summary(
                "Layers one at a time",
                by={"others at": "others", "layer": "layer"},
                of={
                    "error at t = 0": "begins",
                    "error at t = 1": "ends",
                    "error area": "area",
                    "loss area": "loss_area",
                },
                note="Mean ± standard deviation over runs (number of runs), on the training data.",
            ),
        ),
        claims=(_unequal("V3a", "end"), _unequal("V3b", "start")),
    ),
)
