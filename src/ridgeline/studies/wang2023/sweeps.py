"""W4 and W5: plateaus against the scale of the initialisation and against depth."""

from ridgeline.charts import Panel, Panels, Series
from ridgeline.studies.common import area, curves_chart, plateau_end, shapes_table, sound
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim, Correlation
from ridgeline.study.papers import Finding, Item
from ridgeline.study.subjects import Subject

__all__ = ["ITEMS"]


def init_scale(bench: Bench) -> Finding:
    """Smaller first weights."""
    return _sweep(bench, "scales", "net.scale", "initialisation scale", "W4")


def depth(bench: Bench) -> Finding:
    """More layers."""
    return _sweep(bench, "depths", "depth", "layers", "W5")


def _sweep(bench: Bench, population: str, path: str, name: str, claim: str) -> Finding:
    def of(subject: Subject) -> float:
        return len(subject.at("net.widths")) - 1 if path == "depth" else subject.at(path)

    runs = sorted(sound(bench.runs(population)), key=lambda s: (of(s), s.seed))
    cells: dict[float, list[Subject]] = {}
    for run in runs:
        cells.setdefault(of(run), []).append(run)
    found = {
        f"{value:g}": bench.profiles(r, told=f"{name} {value:g}") for value, r in cells.items()
    }
    every = [p for profiles in found.values() for p in profiles]
    x, seeds = [of(run) for run in runs], [run.seed for run in runs]
    measures = {
        "error area": [area(p) for p in every],
        "loss plateau end": [plateau_end(p, "loss") for p in every],
        "loss area / L(0)": [p.plateau().relative_area for p in every],
    }
    against = Panels(
        name=f"{population}-against",
        title=f"Plateaus against {name}",
        caption=f"One point a run, {len(every)} runs.",
        panels=[
            Panel(x=name, y=y, series=[Series(label="runs", x=x, y=values, points=True)])
            for y, values in measures.items()
        ],
    )
    curves = curves_chart(population, f"By {name}", "Training loss and error.", found, ordered=True)
    letters = dict(zip("abc", measures.values(), strict=True))
    return Finding(
        charts=[curves, against],
        tables=[shapes_table(f"Plateaus by {name}", name, found)],
        cases={
            f"{claim}{letter}": {"x": x, "y": y, "group": seeds} for letter, y in letters.items()
        },
    )


def _trend(id: str, what: str, path: str, side: str, text: str) -> Claim:
    return Claim(
        id=id,
        text=text,
        place="section 5",
        test=Correlation(f"{path} and {what}", side),  # type: ignore[arg-type]  # above or below
    )


ITEMS = (
    Item(
        name="init-scale",
        id="W4",
        title="The scale of the initialisation",
        asks="Are plateaus longer from smaller first weights?",
        measure=init_scale,
        settings=("points",),
        populations=("scales",),
        reported="A smaller initialisation gives longer plateaus of both error and loss.",
        claims=(
            _trend("W4a", "error area", "scale", "below", "Smaller init, longer error plateau"),
            _trend(
                "W4b",
                "loss plateau end",
                "scale",
                "below",
                "Smaller init, later end of the loss plateau",
            ),
            _trend("W4c", "loss area", "scale", "below", "Smaller init, larger loss area"),
        ),
    ),
    Item(
        name="depth",
        id="W5",
        title="Depth",
        asks="Are plateaus longer in deeper networks?",
        measure=depth,
        settings=("points",),
        populations=("depths",),
        reported="Deeper networks have longer plateaus of both error and loss.",
        claims=(
            _trend("W5a", "error area", "depth", "above", "Deeper, longer error plateau"),
            _trend(
                "W5b",
                "loss plateau end",
                "depth",
                "above",
                "Deeper, later end of the loss plateau",
            ),
            _trend("W5c", "loss area", "depth", "above", "Deeper, larger loss area"),
        ),
    ),
)
