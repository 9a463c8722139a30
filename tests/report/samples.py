"""A page as a study makes it, with invented numbers: every kind of chart, and ten claims."""

import numpy as np

from ridgeline.charts import Grid, Landscape, Mark, Panel, Panels, Series, Table, band
from ridgeline.frame import Asked
from ridgeline.frame.demands import Correlation, Difference, Every, Mean, Share
from ridgeline.report import Page, Section, chart_figure, verdict_card
from ridgeline.study.claims import Claim

T = np.linspace(0, 1, 41)
BUMP = np.exp(-(((T - 0.5) / 0.16) ** 2))


def paths() -> Panels:
    """Two panels: bands, dashes, faint runs, level and upright marks."""
    rng = np.random.default_rng(0)
    runs = [2.1 * BUMP * (1 + 0.15 * rng.standard_normal()) + 0.05 for _ in range(6)]
    loss = [
        *[Series(label="SGD, lr 0.1", x=T, y=run, faint=True) for run in runs],
        band("SGD, lr 0.1", T, runs),
        band("SGD, lr 0.1, aligned", T, [0.2 * run + 0.03 for run in runs], dash=1),
        Series(label="chord", x=[0, 1], y=[0.05, 0.05], dash=2),
    ]
    error = [Series(label="SGD, lr 0.1", x=T, y=0.6 * BUMP + 0.02)]
    return Panels(
        name="paths",
        title="Along the straight path",
        caption="Mean over 6 pairs of runs, n = 1000 samples each; bands: one standard deviation.",
        panels=[
            Panel(
                x="t (position on the path)",
                y="loss (nats per sample)",
                series=loss,
                title="train",
                marks=[Mark(0.5, "midpoint"), Mark(2.3, "chance", "y"), Mark(0.55, "peak")],
            ),
            Panel(
                x="t (position on the path)",
                y="error (share of samples)",
                series=error,
                title="test",
                marks=[Mark(0.6, "largest", "y"), Mark(0.02, "at the ends", "y")],
                y_range=(0, 1),
            ),
        ],
    )


def scatter() -> Panels:
    """One panel on logarithms' scales: clouds with error bars, a fit, nothing for one label."""
    rng = np.random.default_rng(1)
    sizes = np.array([16, 32, 64, 128, 256, 512.0])
    low = 3 / sizes * np.exp(0.2 * rng.standard_normal(6))
    series = [
        Series(label="width 64", x=sizes, y=low, low=low * 0.7, high=low * 1.4, points=True),
        Series(label="width 512", x=sizes, y=low * 4, low=low, high=low * 6, points=True, dash=1),
        Series(label="fit, slope -1", x=sizes, y=3 / sizes, dash=1),
        Series(label="width 4096", x=[], y=[], points=True),
    ]
    panel = Panel(
        x="batch size (samples)",
        y="barrier (nats)",
        series=series,
        log_x=True,
        log_y=True,
        marks=[Mark(100, "critical batch"), Mark(0.1, "noise floor", "y")],
    )
    return Panels(name="scatter", title="Batch size", caption="5 runs each.", panels=[panel])


def ordered(count: int = 4) -> Panels:
    """Panels in two rows: values in an order on a ramp, gaps, one panel without data."""
    rates = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0]
    panels = []
    for k in range(count):
        series = []
        for i, rate in enumerate(rates):
            y = (1 + i / 3) * np.exp(-3 * T * (k + 1)) + 0.01 * i
            y = np.where((i == 2) & (np.abs(T - 0.4) < 0.1), np.nan, y)
            y = np.full_like(y, np.nan) if k == 3 else y
            name = f"learning rate {rate:g}"
            series.append(Series(label=name, x=200 * T, y=y, ordered=i / 6))
        title = f"{2**k} hidden layers" if k else "one hidden layer"
        marks = [Mark(62, "learning rate falls")] if k < 2 else []
        panels.append(
            Panel(x="epoch", y="loss (nats)", series=series, title=title, log_y=k == 1, marks=marks)
        )
    caption = "One run for each learning rate, n = 1000 samples."
    return Panels(name=f"ordered-{count}", title="Learning rates", caption=caption, panels=panels)


def crowd() -> Panels:
    """Three panels, more labels than colours, points without order."""
    rng = np.random.default_rng(3)
    names = ["conv1", "conv2", "layer1.0", "layer1.1", "layer2.0", "layer2.1", "fc1", "fc2", "head"]
    panels = [
        Panel(
            x="layer index",
            y=what,
            series=[
                Series(label=n, x=[1, 2, 3, 4], y=rng.random(4) * (i + 1), points=p)
                for i, n in enumerate(names)
            ],
        )
        for what, p in (("barrier (nats)", False), ("distance", True), ("cosine", False))
    ]
    return Panels(name="crowd", title="Layers", caption="3 runs.", panels=panels)


def grid(*, log: bool = False, rows: int = 5, columns: int = 6) -> Grid:
    """A heatmap with holes."""
    rng = np.random.default_rng(4)
    across, down = np.arange(columns), np.arange(rows)[:, None]
    values = np.exp(-0.6 * across + 0.5 * down) * np.exp(0.1 * rng.standard_normal((rows, columns)))
    values[0, -1] = values[-1, 0] = np.nan
    return Grid(
        name="grid-log" if log else f"grid-{columns}",
        title="Learning rate and width",
        caption="Mean barrier over runs, n = 1000 samples.",
        rows=[f"{0.001 * 10 ** (i / 2):.2g}" for i in range(rows)],
        columns=[f"{16 * 2**j}" for j in range(columns)],
        values=values,
        counts=np.where(np.isfinite(values), 3 + (across + down) % 3, 0),
        x="width (units)",
        y="learning rate",
        unit="barrier (nats)",
        log=log,
    )


def landscape(surface) -> Landscape:
    """A surface with states and two trajectories."""
    steps = np.linspace(0, 1, 12)
    return Landscape(
        name="landscape",
        title="The ridge",
        caption="Loss on 400 training samples; lines: two runs from one branch point.",
        surface=surface,
        points={"branch point": (0.0, 0.0), "child 1": (10.0, 0.0), "child 2": (4.0, 8.0)},
        trajectories={
            "run 1": [(10 * s, 1.5 * np.sin(3 * s)) for s in steps],
            "run 2": [(4 * s, 8 * s**2) for s in steps],
        },
    )


def tabular() -> Table:
    """A table with words and numbers."""
    rows = [["plain", 1.2345678, 5, "no barrier at all after the two were aligned, in most runs"]]
    return Table(title="Kinds", columns=["kind", "barrier", "n", "remark"], rows=rows, note="Why")


def verdicts(count: int = 10) -> list:
    """Claims of all sources and tests, with all outcomes."""
    rng = np.random.default_rng(5)
    x = rng.standard_normal(12)
    about = [
        ("The loss falls monotonically along the straight path from initialisation to minimum.",
         Share("runs without a rise", "above", 0.5), [True] * 11 + [False]),
        ("Two runs from one branch point are linearly connected after the first epoch.",
         Mean("barrier (nats)", "below", 0.05), 0.2 + 0.02 * x),
        ("Alignment removes the barrier of wide networks.",
         Mean("share of the barrier that is left", "below", 0.1), 0.1 + 0.05 * x),
        ("Larger learning rates give longer plateaus.",
         Correlation("learning rate and plateau length"), {"x": x, "y": x + 0.5 * x[::-1]}),
        ("Without biases the plateau vanishes.",
         Difference("plateau length, with less without biases", "above", 0.1),
         {"more": 0.5 + 0.1 * x, "less": 0.2 + 0.1 * x}),
        ("The bound holds.", Every("measured length above the bound"), [True] * 12),
        ("The path stays on the sphere.", Every("radius within 1 %"), [True] * 10 + [False] * 2),
        ("Batch size matters little.", Mean("slope (nats a step)", "below", 0.01), [0.001, 2]),
        ("Barriers diverge.", Mean("barrier (nats)", "above", 1.0), [1.0, np.inf, 2.0, 3.0, 5.0]),
        ("Every gap is small.", Mean("gap (nats)", "below", 1e-4), 2e-5 + 1e-6 * x),
    ]  # fmt: skip
    sources = ("paper", "derived", "memory")
    return [
        Claim(
            id=f"W{i + 1}a", text=text, place=f"section 4.{i}, fig. {i + 2}",
            source=sources[i % 3], test=Asked(test, lambda cases: cases),
        ).decide(cases, "laptop")
        for i, (text, test, cases) in enumerate(about[:count])
    ]  # fmt: skip


def page(surface) -> Page:
    """Six sections."""
    found = verdicts()
    sections = [
        Section(
            "The straight path",
            ["Is the straight path between two minima a barrier? Six pairs of runs say so."],
            [chart_figure(paths())],
            [],
            found[:3],
            "The loss at the middle is 2.3 nats for networks that were trained apart (fig. 2).",
        ),
        Section("Batch sizes", [], [chart_figure(scatter())], [], found[3:4]),
        Section("Learning rates", [], [chart_figure(ordered())], [], found[4:6], "Longer ones."),
        Section("Layers", ["One at a time."], [chart_figure(crowd())], [tabular()]),
        Section(
            "Settings",
            [],
            [chart_figure(grid()), chart_figure(grid(log=True, columns=14))],
            [],
            found[6:8],
        ),
        Section("The ridge", [], [chart_figure(landscape(surface))], [], found[8:]),
    ]
    return Page(
        "Wang 2023 asked again",
        "Barriers vanish after alignment in 11 of 12 pairs.",
        sections,
        {"scale": "laptop", "seconds": 12.5},
        [verdict_card(found)],
    )
