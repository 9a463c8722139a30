"""L10 and L14: held-out curves, and a slice of the landscape through two initialisations."""

import numpy as np

from ridgeline.charts import Landscape, Panel, Panels, Series, Table
from ridgeline.measures import Array
from ridgeline.paths import Line, Path, Plane
from ridgeline.profiles import surface
from ridgeline.state import capture
from ridgeline.studies.common import POSITION, drawn_surface, sound, tidy
from ridgeline.studies.lucas2021.counting import falls, kind, rate, reached, rise
from ridgeline.studies.lucas2021.starts import OTHERS
from ridgeline.study.bench import Bench
from ridgeline.study.keys import versioned
from ridgeline.study.papers import Finding, Item
from ridgeline.study.subjects import Subject

__all__ = ["ITEMS", "held_out", "plane"]

SPLITS = ("train", "test")


# --- L10: held-out curves --------------------------------------------------------------------


def held_out(bench: Bench) -> Finding:
    """Training and test curves of the best run and of the run whose line rises most."""
    runs = reached(bench, bench.runs("grid"))
    if not runs:
        return Finding(words=["No run reached the threshold."])
    lines = dict(zip((s.hash for s in runs), bench.profiles(runs, told="lines"), strict=True))
    best = min(runs, key=lambda s: s.test_error)
    worst = max(runs, key=lambda s: rise(lines[s.hash]))
    panels, rows = [], []
    for title, run in (("least test error", best), ("largest rise", worst)):
        both = bench.profile(run, splits=SPLITS)
        named = f"{title}: {kind(run)}, rate {tidy(rate(run))}"
        for metric, unit in (("loss", "loss (nats)"), ("error", "error (share of samples)")):
            curves = [(split, both.curve(metric, split)) for split in SPLITS]
            series = [Series(label=split, x=c.t, y=c.mean) for split, c in curves]
            panels.append(Panel(x=POSITION, y=unit, series=series, title=named))
        together = np.corrcoef(np.stack([both.curve("loss", split).mean for split in SPLITS]))
        apart = float(np.asarray(together)[0, 1])
        risen = [f"{rise(both, split=split):.3g}" for split in SPLITS]
        rows.append([named, *risen, f"{apart:.4f}"])
    return Finding(
        charts=[
            Panels(
                name="held-out",
                title="Training and held-out curves on the line",
                caption="One run each, on all training and test samples.",
                panels=panels,
            )
        ],
        tables=[
            Table(
                title="Training and held-out loss on the line",
                columns=["run", "min Δ, train", "min Δ, test", "correlation of the curves"],
                rows=rows,
            )
        ],
    )


# --- L14: a slice ----------------------------------------------------------------------------


def plane(bench: Bench) -> Finding:
    """The plane through an initialisation, another one, and the minimum."""
    runs = sound(bench.runs("slice"))
    if not runs:
        return Finding(words=["The run diverged."])
    run = runs[0]
    own, other = bench.profile(run), bench.profile(run, _other_line)
    points = bench.setting("side")
    arrays = bench.kept(_sliced, [run], points=points)
    route = [(float(x), float(y)) for x, y, _ in arrays["route"]]
    corners = arrays["corners"]
    names = ("initialisation", "another initialisation", "minimum")
    at = {name: (float(x), float(y)) for name, (x, y) in zip(names, corners, strict=True)}
    ways = {
        "training, projected": route,
        "line": [at["initialisation"], at["minimum"]],
        "line from another": [at["another initialisation"], at["minimum"]],
    }
    return Finding(
        charts=[
            Landscape(
                name="slice",
                title="Training loss on the plane of two initialisations and a minimum",
                caption=f"{points} x {points} points; axes count distance in weight space. "
                f"Training leaves the plane by up to {arrays['route'][:, 2].max():.3g}.",
                surface=drawn_surface(arrays),
                points=at,
                trajectories=ways,
            )
        ],
        tables=[
            Table(
                title="The two lines to the minimum",
                columns=["from", "min Δ (nats)", "monotone"],
                rows=[
                    [name, f"{rise(p):.3g}", "yes" if falls(p, bench) else "no"]
                    for name, p in (("its initialisation", own), ("another", other))
                ],
            )
        ],
    )


@versioned("from an initialisation", "1", seed=OTHERS)
def _other_line(subject: Subject) -> Path:
    return Line(capture(subject.model(OTHERS)), subject.final)


def _plane(subject: Subject) -> Plane:
    return Plane(subject.initial, capture(subject.model(OTHERS)), subject.final)


@versioned("slice", "1", seed=OTHERS)
def _sliced(subject: Subject, *, points: int) -> dict[str, Array]:
    seen = _plane(subject)
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
        settings=("points", "threshold"),
        populations=("grid",),
        reported="Training and held-out curves are compared; the outcome could not be obtained.",
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
    ),
)
