"""L5 to L7: rises against the distance that training goes, and against bending of the outputs."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from ridgeline.charts import Panels, Series, Table
from ridgeline.frame import Asked, Frame, correlation, difference
from ridgeline.frame.show import Scatter, mean_sd
from ridgeline.measures import Array
from ridgeline.studies.lucas2021.counting import CELL, bent, gone, lines, plain, runs, strayed
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim
from ridgeline.study.papers import Item

__all__ = ["ITEMS", "bends", "fit", "moved", "rises"]

LENGTHS = {
    "Gauss length, differentiated (rad)": "ad",
    "Gauss length, turning (rad)": "turning",
}
STRAYING = {**LENGTHS, "linearity integral (squared logits)": "linear"}
RATIO = "|θ(T) - θ(0)| / |θ(0)|"
FAR = {"|θ(T) - θ(0)|": "distance", RATIO: "ratio"}
RISE = {"min Δ (nats)": "seen"}


def moved(bench: Bench) -> Frame:
    """L5: min Delta against the distance in weight space."""
    return _counted(bench, gone(bench, lines(bench, runs(bench, "grid", **CELL))))


def bends(bench: Bench) -> Frame:
    """L6: Gauss length against normalised distance, a fit for each way of measuring it."""
    found = gone(bench, plain(bench, "grid", "depths", **CELL)).where(counts=True)
    return bent(bench, found, "ad", "turning").noted(
        "The two lengths are different quantities: only that by turning counts kinks."
    )


def rises(bench: Bench) -> Frame:
    """L7: min Delta against Gauss length and the linearity integral."""
    found = lines(bench, plain(bench, "grid", "depths", **CELL))
    return _counted(bench, strayed(bench, bent(bench, found, "ad", "turning")))


def _counted(bench: Bench, frame: Frame) -> Frame:
    floor = bench.setting("tolerance")
    return frame.where(counts=True).noted(f"Rises below {floor:g} are drawn at {floor:g}.")


# --- what is shown ---------------------------------------------------------------------------


def fit(x: Sequence[float] | Array, y: Sequence[float] | Array) -> tuple[float, float, float]:
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


def _cloud(name: str, title: str, x: dict[str, str], y: dict[str, str], more: str = "") -> Scatter:
    said = f"Runs that reached the threshold{more}."
    return Scatter(name, title, said, x=x, y=y, line="kind", log_x=True, log_y=True)


def _fitted(frame: Frame) -> Panels:
    title = "Gauss length against how far training went"
    more = ", without normalisation"
    drawn = _cloud("length-against-distance", title, {RATIO: "ratio"}, LENGTHS, more)(frame)
    panels = []
    for panel, method in zip(drawn.panels, LENGTHS.values(), strict=True):
        slope, start, _ = fit(frame["ratio"], frame[method])
        if np.isfinite(slope):
            ends = np.array([frame["ratio"].min(), frame["ratio"].max()])
            line = Series(label="fit", x=ends, y=np.exp(start) * ends**slope)
            panel = replace(panel, series=[*panel.series, line])  # noqa: PLW2901
        panels.append(panel)
    return replace(drawn, panels=panels)


def _laws(frame: Frame) -> Table:
    rows = []
    for method in LENGTHS.values():
        slope, _, share = fit(frame["ratio"], frame[method])
        stood = max(frame[f"{method}_still"], default=float("nan"))
        rows.append([method, len(frame), f"{slope:.3f}", f"{share:.3f}", f"{stood:.3g}"])
    return Table(
        title="Power laws of Gauss length in normalised distance",
        columns=["method", "runs", "slope", "R²", "largest share still"],
        rows=rows,
        note="Least squares on logarithms. Last, of the run with most of them: the share "
        "of steps at which a sample's outputs do not move and count as not turning.",
    )


def _bending(frame: Frame) -> Table:
    sides = [frame.where(falls=falls) for falls in (True, False)]
    return Table(
        title="Bending of the outputs, monotone runs and others",
        columns=["measure", "monotone", "not monotone"],
        rows=[
            [name, *(mean_sd(side[column]) for side in sides)] for name, column in STRAYING.items()
        ],
        note="Mean ± standard deviation (runs).",
    )


# --- what is claimed -------------------------------------------------------------------------


def _claims(
    id: str,
    text: str,
    place: str,
    tests: dict[str, Asked],
    source: Literal["paper", "memory"] = "memory",
) -> tuple[Claim, ...]:
    return tuple(
        Claim(f"{id}{letter}", text.format(name), place, test, source)
        for letter, (name, test) in zip("abc", tests.items(), strict=False)
    )


def _goes_with(x: str, y: str, said: str) -> Asked:
    return correlation(x, y, said, cluster="setting") > 0


def _more(column: str, said: str) -> Asked:
    words = f"mean log {said}, not monotone less monotone"
    return difference(column, words, {"falls": False}, {"falls": True}, cluster="seed") > 0


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
        show=(_cloud("rise-against-distance", "Rises against how far training went", FAR, RISE),),
        claims=_claims(
            *("L5", "The farther training goes, the larger the rise ({})", "abstract"),
            {
                name: _goes_with(column, "rise", f"{name} and min Δ")
                for name, column in (
                    ("weight distance", "distance"),
                    ("normalised distance", "ratio"),
                )
            },
            "paper",
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
        show=(_fitted, _laws),
        claims=_claims(
            *("L6", "Gauss length grows with normalised distance ({})"),
            "figure of the released code",
            {
                method: _goes_with(
                    "ratio", method, f"normalised distance and Gauss length ({method})"
                )
                for method in LENGTHS.values()
            },
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
        show=(
            _cloud(
                *("rise-against-length", "Rises against how the outputs bend", STRAYING, RISE),
                ", without normalisation",
            ),
            _bending,
        ),
        claims=_claims(
            *("L7", "Outputs bend more in runs that are not monotone ({})"),
            "section 4, figure of the released code",
            {
                name: _more(f"{column}_log", name)
                for name, column in (
                    ("ad Gauss length", "ad"),
                    ("turning Gauss length", "turning"),
                    ("linearity integral", "linear"),
                )
            },
        ),
    ),
)
