"""L13: what is proved of wide networks and of two-layer linear ones."""

from ridgeline.charts import Panel, Panels, Series, Table
from ridgeline.studies.common import POSITION, groups, mean_sd, sound
from ridgeline.studies.lucas2021.counting import gauss, rise
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim, Correlation, Every
from ridgeline.study.papers import Finding, Item

__all__ = ["ITEMS", "ROUNDING", "linear", "width"]

ROUNDING = 1e-5
"""Of a rise, as a share of the first loss: outputs are computed in float32."""


# --- width -----------------------------------------------------------------------------------


def width(bench: Bench) -> Finding:
    """Gauss length against the width of the hidden layers."""
    runs = sound(bench.runs("sizes"))
    sizes = [int(s.at("net.widths")[1]) for s in runs]
    found: dict[str, list[float]] = {"ad": [], "turning": []}
    for i, run in enumerate(runs):
        bench.tell("Gauss length", i, len(runs))
        found["ad"].append(gauss(bench, run, "ad"))
        found["turning"].append(gauss(bench, run, "turning"))
    panels = [
        Panel(
            x="width of hidden layers",
            y=f"Gauss length, {method} (rad)",
            series=[Series(label="runs", x=sizes, y=values, points=True)],
            log_x=True,
        )
        for method, values in found.items()
    ]
    rows = []
    for size in dict.fromkeys(sizes):
        at = [i for i, other in enumerate(sizes) if other == size]
        lengths = [mean_sd(values[i] for i in at) for values in found.values()]
        heights = mean_sd(rise(bench.profile(runs[i])) for i in at)
        rows.append([size, *lengths, mean_sd(runs[i].loss for i in at), heights])
    letters, seeds = zip("ab", found.values(), strict=True), [run.seed for run in runs]
    return Finding(
        charts=[
            Panels(
                name="length-by-width",
                title="Gauss length by width",
                caption=f"One point a run, {len(runs)} runs; the two ways are not compared.",
                panels=panels,
            )
        ],
        tables=[
            Table(
                title="Gauss length by width",
                columns=["width", "length, ad", "length, turning", "final loss", "min Δ"],
                rows=rows,
                note="Mean ± standard deviation (runs).",
            )
        ],
        cases={f"L13{n}": {"x": sizes, "y": values, "group": seeds} for n, values in letters},
    )


# --- two-layer linear networks ---------------------------------------------------------------


def linear(bench: Bench) -> Finding:
    """Two-layer linear networks from small first weights, at several ranks of the target."""
    cells = groups(sound(bench.runs("linear")), "data.set")
    lines = {name: bench.profiles(runs, told="lines") for name, runs in cells.items()}
    relative = {
        name: [rise(p) / float(p.curve().mean[0]) for p in every] for name, every in lines.items()
    }
    series = [
        Series(label=_rank(name), x=p.t, y=p.curve().mean, faint=i > 0)
        for name, every in lines.items()
        for i, p in enumerate(every)
    ]
    return Finding(
        charts=[
            Panels(
                name="linear",
                title="Two-layer linear networks from small first weights",
                caption="Squared error on the line, one line a run.",
                panels=[Panel(x=POSITION, y="squared error", series=series)],
            )
        ],
        tables=[
            Table(
                title="Two-layer linear networks",
                columns=["target", "runs", "final loss", "largest min Δ / L(0)"],
                rows=[
                    [
                        _rank(name),
                        len(cells[name]),
                        mean_sd(s.loss for s in cells[name]),
                        f"{max(of):.3g}",
                    ]
                    for name, of in relative.items()
                ],
            )
        ],
        cases={"L13c": [x <= ROUNDING for of in relative.values() for x in of]},
    )


def _rank(name: str) -> str:
    """``rank 1`` of a teacher's name in a spec."""
    return f"rank {name.rpartition('rank=')[2].strip(' )')}"


ITEMS = (
    Item(
        name="width",
        id="L13",
        title="Wide networks",
        asks="Do the outputs of wider networks bend less?",
        measure=width,
        settings=("points", "samples"),
        populations=("sizes",),
        reported="Networks in the linear regime have a Gauss length of zero.",
        claims=tuple(
            Claim(
                id=f"L13{letter}",
                text=f"The wider a network, the smaller its Gauss length ({method})",
                place="theory, wide networks",
                source="derived",
                test=Correlation("width and Gauss length", "below"),
            )
            for letter, method in (("a", "ad"), ("b", "turning"))
        ),
    ),
    Item(
        name="linear",
        id="L13",
        title="Two-layer linear networks",
        asks="Are two-layer linear networks from small first weights monotone?",
        measure=linear,
        settings=("points",),
        populations=("linear",),
        reported="Proved.",
        claims=(
            Claim(
                id="L13c",
                text="Two-layer linear networks from small first weights are monotone",
                place="theorem on two-layer linear networks",
                test=Every(f"min Δ is at most {ROUNDING:g} L(0)"),
            ),
        ),
    ),
)
