"""L5 to L7: rises against the distance that training goes, and against bending of the outputs."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ridgeline.charts import Panel, Panels, Series, Table
from ridgeline.studies.common import mean_sd
from ridgeline.studies.lucas2021 import counting
from ridgeline.studies.lucas2021.counting import distances, gauss, kind, reached, rise, setting
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim, Correlation, Difference
from ridgeline.study.papers import Finding, Item
from ridgeline.study.subjects import Subject
from ridgeline.theory.gauss import GaussMethod

__all__ = ["ITEMS", "bends", "fit", "moved", "rises"]

GL: dict[GaussMethod, str] = {
    "ad": "Gauss length, differentiated (rad)",
    "turning": "Gauss length, turning (rad)",
}
FAR = {
    "weight distance": "|θ(T) - θ(0)|",
    "normalised distance": "|θ(T) - θ(0)| / |θ(0)|",
}


def _clouds(runs: Sequence[Subject], x: Any, y: Any) -> list[Series]:
    """One cloud of points for each optimiser and normalisation."""
    found: dict[str, list[int]] = {}
    for i, run in enumerate(runs):
        found.setdefault(kind(run), []).append(i)
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    return [Series(label=k, x=x[at], y=y[at], points=True) for k, at in found.items()]


def _seen(values: Sequence[float], floor: float) -> list[float]:
    """Values for a logarithmic axis: what is below the tolerance is drawn at it."""
    return [max(v, floor) for v in values]


# --- L5: distance ----------------------------------------------------------------------------


def moved(bench: Bench) -> Finding:
    """Min Delta against the distance in weight space."""
    runs = reached(bench, bench.runs("grid"))
    heights = [rise(p) for p in bench.profiles(runs, told="lines")]
    far = list(zip(*(distances(bench, s) for s in runs), strict=True)) or [(), ()]
    floor = bench.setting("tolerance")
    clouds = [_clouds(runs, x, _seen(heights, floor)) for x in far]
    panels = [
        Panel(x=unit, y="min Δ (nats)", series=series, log_x=True, log_y=True)
        for unit, series in zip(FAR.values(), clouds, strict=True)
    ]
    letters, cells = zip("ab", far, strict=True), [setting(s) for s in runs]
    return Finding(
        charts=[
            Panels(
                name="rise-against-distance",
                title="Rises against how far training went",
                caption=f"One point a run, {len(runs)} runs that reached the threshold; rises "
                f"below {floor:g} are drawn at {floor:g}.",
                panels=panels,
            )
        ],
        cases={f"L5{n}": {"x": list(x), "y": heights, "group": cells} for n, x in letters},
    )


# --- L6: Gauss length and distance -----------------------------------------------------------


def fit(x: Sequence[float], y: Sequence[float]) -> tuple[float, float, float]:
    """The line through the logarithms: slope, intercept (of natural logarithms) and R squared.

    NaN with fewer than three points, or if the distances are all equal.
    """
    a, b = np.log(np.asarray(x, dtype=float)), np.log(np.asarray(y, dtype=float))
    none = float("nan")
    if len(a) < 3 or np.ptp(a) == 0 or not np.isfinite([a, b]).all():
        return none, none, none
    slope, start = np.polyfit(a, b, 1)
    share = np.corrcoef(a, b)[0, 1] ** 2 if np.ptp(b) else none
    return float(slope), float(start), float(share)


def bends(bench: Bench) -> Finding:
    """Gauss length against normalised distance, a fit for each way of measuring it."""
    runs = reached(bench, counting.plain(bench))
    far = [distances(bench, s)[1] for s in runs]
    panels, rows, cases = [], [], {}
    for letter, method in zip("ab", GL, strict=True):
        lengths = _lengths(bench, runs, method)
        slope, start, share = fit(far, lengths)
        ends = np.array([min(far, default=1.0), max(far, default=1.0)])
        fitted = Series(label="fit", x=ends, y=np.exp(start) * ends**slope)
        series = [*_clouds(runs, far, lengths), *([fitted] if np.isfinite(slope) else [])]
        panels.append(
            Panel(x=FAR["normalised distance"], y=GL[method], series=series, log_x=True, log_y=True)
        )
        stood = max((counting.still(bench, s, method) for s in runs), default=float("nan"))
        rows.append([method, len(runs), f"{slope:.3f}", f"{share:.3f}", f"{stood:.3g}"])
        cells = [setting(s) for s in runs]
        cases[f"L6{letter}"] = {"x": far, "y": lengths, "group": cells}
    return Finding(
        charts=[
            Panels(
                name="length-against-distance",
                title="Gauss length against how far training went",
                caption=f"One point a run without normalisation, {len(runs)} runs. The two "
                "lengths are different quantities: only the right one counts kinks.",
                panels=panels,
            )
        ],
        tables=[
            Table(
                title="Power laws of Gauss length in normalised distance",
                columns=["method", "runs", "slope", "R²", "largest share still"],
                rows=rows,
                note="Least squares on logarithms. Last, of the run with most of them: the share "
                "of steps at which a sample's outputs do not move and count as not turning.",
            )
        ],
        cases=cases,
    )


def _lengths(bench: Bench, runs: Sequence[Subject], method: GaussMethod) -> list[float]:
    found = []
    for i, run in enumerate(runs):
        bench.tell(f"Gauss length, {method}", i, len(runs))
        found.append(gauss(bench, run, method))
    return found


# --- L7: Gauss length and rises --------------------------------------------------------------


def rises(bench: Bench) -> Finding:
    """Min Delta against Gauss length and the linearity integral."""
    runs = reached(bench, counting.plain(bench))
    profiles = bench.profiles(runs, told="lines")
    heights = [rise(p) for p in profiles]
    monotone = np.array([counting.falls(p, bench) for p in profiles], dtype=bool)
    straying = {"linearity integral (squared logits)": [counting.strays(bench, s) for s in runs]}
    found = {GL[m]: _lengths(bench, runs, m) for m in GL} | straying
    floor = bench.setting("tolerance")
    panels, rows, cases = [], [], {}
    for letter, (name, values) in zip("abc", found.items(), strict=True):
        x = np.asarray(values, dtype=float)
        clouds = _clouds(runs, x, _seen(heights, floor))
        panels.append(Panel(x=name, y="min Δ (nats)", series=clouds, log_x=True, log_y=True))
        rows.append([name, mean_sd(x[monotone]), mean_sd(x[~monotone])])
        cases[f"L7{letter}"] = {}
        for side, at in {"more": ~monotone, "less": monotone}.items():
            cases[f"L7{letter}"][side] = np.log(x[at]).tolist()
            cases[f"L7{letter}"][f"{side}_group"] = np.array(counting.seeds(runs))[at].tolist()
    return Finding(
        charts=[
            Panels(
                name="rise-against-length",
                title="Rises against how the outputs bend",
                caption=f"One point a run without normalisation, {len(runs)} runs; rises below "
                f"{floor:g} are drawn at {floor:g}.",
                panels=panels,
            )
        ],
        tables=[
            Table(
                title="Bending of the outputs, monotone runs and others",
                columns=["measure", "monotone", "not monotone"],
                rows=rows,
                note="Mean ± standard deviation (runs).",
            )
        ],
        cases=cases,
    )


def _claims(number: int, text: str, place: str, source: Any, tests: dict[str, Any]) -> Any:
    return tuple(
        Claim(id=f"L{number}{letter}", text=text.format(what), place=place, source=source, test=t)
        for letter, (what, t) in zip("abc", tests.items(), strict=False)
    )


ITEMS = (
    Item(
        name="distance",
        id="L5",
        title="Rises and the distance that training goes",
        asks="Do lines rise where training went far?",
        measure=moved,
        settings=("points", "threshold", "tolerance"),
        populations=("grid",),
        reported="Large movement in weight space goes with lines that are not monotone.",
        claims=_claims(
            5,
            "The farther training goes, the larger the rise ({})",
            "abstract",
            "paper",
            {name: Correlation(f"{name} and min Δ") for name in FAR},
        ),
    ),
    Item(
        name="gauss-length",
        id="L6",
        title="Gauss length and distance",
        asks="Do outputs bend more where training went farther?",
        measure=bends,
        settings=("points", "samples", "threshold"),
        populations=("grid", "depths"),
        reported="Gauss length grows like a power of the normalised distance; slope and R² are "
        "in the figure and could not be obtained.",
        claims=_claims(
            6,
            "Gauss length grows with normalised distance ({})",
            "figure of the released code",
            "memory",
            {m: Correlation(f"normalised distance and Gauss length ({m})") for m in GL},
        ),
    ),
    Item(
        name="rises-and-length",
        id="L7",
        title="Rises and Gauss length",
        asks="Do lines rise where outputs bend?",
        measure=rises,
        settings=("points", "samples", "threshold", "tolerance"),
        populations=("grid", "depths"),
        reported="Runs that are monotone have small Gauss lengths.",
        claims=_claims(
            7,
            "Outputs bend more in runs that are not monotone ({})",
            "section 4, figure of the released code",
            "memory",
            {
                name: Difference(f"mean log {name}, not monotone less monotone")
                for name in ("ad Gauss length", "turning Gauss length", "linearity integral")
            },
        ),
    ),
)
