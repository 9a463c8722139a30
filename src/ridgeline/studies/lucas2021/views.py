"""L10 and L14: held-out curves, and a slice of the landscape through two initialisations."""

from collections.abc import Callable

import numpy as np

from ridgeline.charts import Landscape
from ridgeline.frame import Frame
from ridgeline.frame.show import Lines, Summary, tidy
from ridgeline.measures import Array
from ridgeline.paths import Plane
from ridgeline.profiles import surface
from ridgeline.state import capture
from ridgeline.studies.common import drawn_surface
from ridgeline.studies.lucas2021.counting import CELL, judged, lines, named, rise, runs
from ridgeline.studies.lucas2021.starts import OTHERS, from_seed
from ridgeline.study.bench import Bench, line
from ridgeline.study.keys import versioned
from ridgeline.study.papers import Item
from ridgeline.study.subjects import Subject

__all__ = ["ITEMS", "held_out", "plane"]

SPLITS = ("train", "test")


# --- L10: held-out curves --------------------------------------------------------------------


def held_out(bench: Bench) -> Frame:
    """Training and test curves of the best run and of the run whose line rises most."""
    found = lines(bench, runs(bench, "grid", **CELL)).where(counts=True)
    best = found.derive(error=lambda run: run.test_error).sorted("error").head(1)
    worst = found.sorted("rise", reverse=True).head(1)
    both = best.derive(which="least test error") + worst.derive(which="largest rise")
    return (
        bench.lines(both, told="test", into="both", splits=SPLITS)
        .derive(told=named)
        .each(split=SPLITS)
        .derive(
            loss=lambda both, split: both.curve("loss", split).mean,
            error=lambda both, split: both.curve("error", split).mean,
            rise=lambda both, split: rise(both, split=split),
        )
    )


def _risen(split: str) -> Callable[[Frame], str]:
    return lambda rows: f"{rows.where(split=split)['rise'][0]:.3g}"


def _together(rows: Frame) -> str:
    return f"{float(np.corrcoef(np.stack(rows.values('loss')))[0, 1]):.4f}"


# --- L14: a slice ----------------------------------------------------------------------------


def plane(bench: Bench) -> Frame:
    """The plane through an initialisation, another one, and the minimum."""
    run = bench.frame("slice").head(1)
    ways = {"its initialisation": line, "another": from_seed(OTHERS)}
    side = bench.setting("side")
    sliced = bench.lines(run, ways).derive(
        slice=lambda run: bench.kept(_sliced, [run], points=side), side=side
    )
    return judged(bench, sliced)


def _landscape(frame: Frame) -> Landscape:
    arrays, side = frame.values("slice")[0], frame.values("side")[0]
    route = [(float(x), float(y)) for x, y, _ in arrays["route"]]
    names = ("initialisation", "another initialisation", "minimum")
    ends = zip(names, arrays["corners"], strict=True)
    at = {name: (float(x), float(y)) for name, (x, y) in ends}
    return Landscape(
        name="slice",
        title="Training loss on the plane of two initialisations and a minimum",
        caption=f"{side} x {side} points; axes count distance in weight space. "
        f"Training leaves the plane by up to {arrays['route'][:, 2].max():.3g}.",
        surface=drawn_surface(arrays),
        points=at,
        trajectories={
            "training, projected": route,
            "line": [at["initialisation"], at["minimum"]],
            "line from another": [at["another initialisation"], at["minimum"]],
        },
    )


@versioned("slice", "1", seed=OTHERS)
def _sliced(subject: Subject, *, points: int) -> dict[str, Array]:
    seen = Plane(subject.initial, capture(subject.model(OTHERS)), subject.final)
    found = surface(seen, subject.objective("train"), points=points)
    route = [seen.project(subject.state(step)) for step in subject.steps]
    return {
        "x": found.x,
        "y": found.y,
        "loss": found.value("loss"),
        "stderr": next(iter(found.stderr.values()))["loss"],
        "corners": found.corners,
        "route": np.asarray(route, dtype=np.float64),
    }


ITEMS = (
    Item(
        name="held-out",
        id="L10",
        title="Held-out curves",
        asks="Has the held-out loss the shape of the training loss?",
        measure=held_out,
        settings=("points", "threshold", "tolerance"),
        populations=("grid",),
        reported="Training and held-out curves are compared; the outcome could not be obtained.",
        show=(
            *(
                Lines(
                    f"held-out-{metric}",
                    f"Training and held-out {metric} on the line",
                    "One run each, on all training and test samples.",
                    y=(metric, unit),
                    line="split",
                    each="told",
                )
                for metric, unit in (("loss", "loss (nats)"), ("error", "error (share of samples)"))
            ),
            Summary(
                "Training and held-out loss on the line",
                by={"run": "told"},
                of={
                    "min Δ, train": _risen("train"),
                    "min Δ, test": _risen("test"),
                    "correlation of the curves": _together,
                },
            ),
        ),
    ),
    Item(
        name="slice",
        id="L14",
        title="A slice through two initialisations",
        asks="What does the loss look like on the plane of two initialisations and the minimum?",
        measure=plane,
        settings=("points", "side", "tolerance"),
        populations=("slice",),
        reported="A contour; what it shows could not be obtained.",
        show=(
            _landscape,
            Summary(
                "The two lines to the minimum",
                by={"from": "along"},
                of={
                    "min Δ (nats)": lambda rows: f"{rows['rise'][0]:.3g}",
                    "monotone": lambda rows: tidy(bool(rows["falls"][0])),
                },
            ),
        ),
    ),
)
