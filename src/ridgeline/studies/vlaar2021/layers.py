"""V3: the line on which one layer moves and all others stay at the end, or at the start."""

from collections.abc import Callable, Sequence
from typing import Literal

from ridgeline.charts import Table
from ridgeline.paths import Line, Path
from ridgeline.profiles import Profile
from ridgeline.state import State, layers
from ridgeline.studies.common import area, curves_chart, mean_sd, sound
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim, Mean
from ridgeline.study.keys import versioned
from ridgeline.study.papers import Finding, Item
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


def layerwise(bench: Bench) -> Finding:
    """V3: one curve a layer."""
    runs = sound(bench.runs("base"))
    of = blocks(runs[0].initial) if runs else {}
    first, last = (next(iter(of), ""), next(reversed(of), ""))
    charts, rows, cases = [], [], {}
    for claim, (hold, where) in zip(("V3a", "V3b"), HELD.items(), strict=True):
        found = {
            layer: bench.profiles(
                runs,
                alone(names, hold),
                told=f"{layer}, others at the {where}",
            )
            for layer, names in of.items()
        }
        charts.append(
            curves_chart(
                f"layers-{where}",
                f"One layer moves, the others stay at the {where}",
                "Training loss and error; each layer with the normalisation that follows it.",
                found,
            )
        )
        rows += [[where, layer, *_row(profiles)] for layer, profiles in found.items()]
        cases[claim] = _apart(found.get(first, []), found.get(last, []))
    columns = ["others at", "layer", "error at t = 0", "error at t = 1", "error area", "loss area"]
    note = "Mean ± standard deviation over runs (number of runs), on the training data."
    return Finding(
        charts=charts,
        tables=[Table(title="Layers one at a time", columns=columns, rows=rows, note=note)],
        cases=cases,
        words=[
            "With the others at the end, t = 0 is the trained network with one layer put back to "
            "its initialisation. With the others at the start, t = 1 is the untrained network "
            "with one layer trained."
        ],
    )


def _row(profiles: Sequence[Profile]) -> list[str]:
    return [
        mean_sd(float(p.curve("error").mean[0]) for p in profiles),
        mean_sd(float(p.curve("error").mean[-1]) for p in profiles),
        mean_sd(area(p) for p in profiles),
        mean_sd(area(p, "loss") for p in profiles),
    ]


def _apart(one: Sequence[Profile], other: Sequence[Profile]) -> list[float]:
    """Return how far the error areas of two layers of a network are apart."""
    return [abs(area(a) - area(b)) for a, b in zip(one, other, strict=True)]


def _unequal(id: str, where: str) -> Claim:
    return Claim(
        id=id,
        text="The error areas of the first and the last layer's paths are apart, the others "
        f"at the {where}",
        place="layer-wise paths",
        source="memory",
        test=Mean("distance of the error areas of the first and the last layer", "above", 0.05),
    )


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
        claims=(_unequal("V3a", "end"), _unequal("V3b", "start")),
    ),
)
