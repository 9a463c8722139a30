"""Test error foretold by the shape of a path: the question of every sweep.

The paper says that it does not. As a test: each shape's rank correlation with the test error, over
all runs, is below 0.5 and above -0.5, two claims that can each fail. The threshold is ours. Whole
settings are drawn for the intervals: the claim is about settings, and those are what was chosen.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import stdtrit

from ridgeline.charts import Panels, Table
from ridgeline.frame import Frame, correlation, intervals
from ridgeline.frame.show import Curves, Scatter, Show, Summary
from ridgeline.profiles import Profile
from ridgeline.studies.common import area, plateau_end
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim

__all__ = ["SHAPES", "claims", "distinct", "measured", "settled", "show"]


def _rise(profile: Profile) -> float:
    """The largest rise of the loss; 0 within the tolerance below which rises do not count."""
    found = profile.monotonicity()
    return 0.0 if found.holds else found.largest_rise


SHAPES: dict[str, Callable[[Profile], float]] = {
    "error area": area,
    "largest rise": _rise,
    "error plateau end": plateau_end,
    "loss area / L(0)": lambda profile: profile.plateau().relative_area,
}
"""Each of the training loss or error, from initialisation to minimum."""
STRONG = 0.5
"""A rank correlation that would make a shape an indicator."""
STILL = "the shape is the same in more than half of the settings"


def claims(id: str, first: str, what: str) -> tuple[Claim, ...]:
    """Two claims for each shape: no strong correlation, of either sign.

    Args:
        id: Of the item.
        first: Letter of the first claim.
        what: The runs that differ: ``"runs on different data"``.
    """
    made = []
    for i, name in enumerate(SHAPES):
        asked = correlation(
            *(name, "test", f"{name} and test error"),
            cluster="setting",
            rows=distinct,
            # A correlation of ties is near 0 whatever is true.
            why=lambda rows, name=name: "" if told_apart(rows, name) else STILL,
        )
        for j, test in enumerate((asked < STRONG, asked > -STRONG)):
            sign = "falls" if j else "rises"
            text = f"Over {what}, no test error that reliably {sign} with the {name}"
            made.append(Claim(f"{id}{chr(ord(first) + 2 * i + j)}", text, "abstract", test))
    return tuple(made)


def show(id: str) -> tuple[Show, ...]:
    """Lines by what is varied, test error against each shape, and both tables."""
    by = {"varied": "factor", "value": "value"}
    of = {"test error": "test", **{name: name for name in SHAPES}, "diverged": _diverged}
    note = "Mean ± standard deviation over runs (number of runs); paths of the training data."
    return (
        Curves(f"{id.lower()}-{{}}", "By {}", line="value", each="factor"),
        lambda frame: _against(id, frame),
        Summary("Test error and path shape", by=by, of=of, note=note),
        correlations,
    )


def measured(bench: Bench, runs: Frame, *words: str) -> Frame:
    """Every run's line, its shapes and its setting.

    Args:
        bench: To measure with.
        runs: Rows ``run`` with what is varied, ``factor``, and its ``value``. A run that stands in
            several rows counts once: a setting is a set of runs, under whatever name.
        *words: Further paragraphs.

    Returns:
        The rows with the columns of `SHAPES`, ``test``, the test error, and ``setting``.
    """
    lines = bench.lines(runs).derive(
        **SHAPES, test=lambda run: None if run.diverged else run.test_error
    )
    rows = settled(lines)
    one = distinct(rows)
    return rows.noted(
        f"{len(one)} runs; those whose loss stopped being finite are left out. Seeds of one "
        "setting are not independent evidence about settings, so whole settings are drawn for "
        "the verdicts' intervals; the table has both correlations.",
        *power(len(one.by("setting")) if len(one) else 0),
        *still(one),
        *words,
    )


def settled(rows: Frame) -> Frame:
    """Rows with the number of the setting: runs of one factor and value, those that diverged aside.

    Settings of the same runs are one.
    """
    found: dict[frozenset[str], int] = {}
    of: dict[str, int] = {}
    for group in rows.where(diverged=False).by("factor", "value").values():
        hashes = frozenset(run.hash for run in group.values("run"))
        number = found.setdefault(hashes, len(found))
        of |= dict.fromkeys(hashes, number)
    return rows.derive(setting=lambda run: of.get(run.hash))


def distinct(rows: Frame) -> Frame:
    """Each sound run once, setting by setting."""
    first: dict[str, dict[str, Any]] = {}
    for group in rows.where(diverged=False).by("factor", "value").values():
        for row in group:
            first.setdefault(row["run"].hash, row)
    return Frame.of(first.values(), cluster="setting")


def told_apart(rows: Frame, shape: str) -> bool:
    """True if a shape tells at least half of the settings from the most frequent value."""
    means = [float(np.mean(group[shape])) for group in rows.by("setting").values()]
    return 2 * max(map(means.count, means), default=0) <= len(means) + 1


def still(rows: Frame) -> list[str]:
    """Return why claims about a shape that hardly varies are undecided."""
    found = [name for name in SHAPES if not told_apart(rows, name)]
    said = "The same in more than half of the settings, so without any rank correlation to test"
    return [f"{said}: {', '.join(found)}."] * bool(found)


def power(count: int) -> list[str]:
    """Return why so many settings could not tell the absence of a correlation from a strong one.

    The rank correlation of n unrelated pairs has the standard deviation 1 / sqrt(n - 1).
    """
    if count < 2:
        return []
    chance = 1 / np.sqrt(count - 1)
    span = chance * stdtrit(count - 1, 0.5 + intervals.CONFIDENCE / 2)
    if span < STRONG:
        return []
    return [
        f"Rank correlations of {count} settings that have nothing to do with each other spread by "
        f"{chance:.2f} (standard deviation): so few settings can rarely show that a correlation "
        f"is not above {STRONG:g}, and undecided is to be expected where there is none."
    ]


def _diverged(rows: Frame) -> int:
    return len(rows.where(diverged=True))


def correlations(frame: Frame) -> Table:
    """Each shape's rank correlation with the test error, over runs and over settings' means."""
    runs = distinct(frame).clustered(None)
    names = ("test", *SHAPES)
    means = runs.by("setting").reduce(**{n: lambda g, n=n: float(g[n].mean()) for n in names})
    rows = [[name, *_told(runs, name), *_told(means, name)] for name in SHAPES]
    columns = ["shape", "over runs", "interval", "over settings", "interval over settings"]
    note = f"Spearman's, with the test error; {len(runs)} runs of {len(means)} settings; 95 %."
    return Table("Rank correlation of path shape and test error", columns, rows, note)


def _told(rows: Frame, name: str) -> tuple[str, str]:
    found = rows.correlate(name, "test")
    if np.isnan(found.value):
        return "-", "-"
    return f"{found.value:.2f}", f"{found.low:.2f} to {found.high:.2f}"


def _against(id: str, frame: Frame) -> Panels:
    error = {"test error (share of samples)": "test"}
    made = [
        Scatter("against", name, x=(name, name), y=error, line="factor")(frame) for name in SHAPES
    ]
    return Panels(
        name=f"{id.lower()}-against",
        title="Test error against path shape",
        caption="One point a run; a run at the common setting is in every series.",
        panels=[panel for chart in made for panel in chart.panels],
    )
