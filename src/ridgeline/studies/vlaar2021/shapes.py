"""Whether the shape of a path foretells the test error: the question of every sweep.

The paper says that it does not. As a test: each shape's rank correlation with the test error, over
all runs, is below 0.5 and above -0.5, two claims that can each fail. The threshold is ours. Whole
settings are drawn for the intervals: the claim is about settings, and those are what was chosen.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

from ridgeline.charts import Panel, Panels, Series, Table
from ridgeline.frame import intervals
from ridgeline.profiles import Profile
from ridgeline.studies.common import area, curves_chart, mean_sd, plateau_end, sound
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim, Correlation
from ridgeline.study.papers import Finding
from ridgeline.study.subjects import Subject

__all__ = ["SHAPES", "Arms", "asked", "claims"]


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
Arms = Mapping[str, Mapping[str, Sequence[Subject]]]
"""What is varied, then to which value, then the runs."""


def claims(id: str, first: str, what: str) -> tuple[Claim, ...]:
    """Two claims for each shape: no strong correlation, of either sign.

    Args:
        id: Of the item.
        first: Letter of the first claim.
        what: The runs that differ: ``"runs on different data"``.
    """
    made = []
    for i, name in enumerate(SHAPES):
        for j, (side, at) in enumerate((("below", STRONG), ("above", -STRONG))):
            sign = "rises" if side == "below" else "falls"
            made.append(
                Claim(
                    id=f"{id}{_letter(first, 2 * i + j)}",
                    text=f"Over {what}, no test error that reliably {sign} with the {name}",
                    place="abstract",
                    test=Correlation(f"{name} and test error", side, at),  # type: ignore[arg-type]  # above or below
                )
            )
    return tuple(made)


def asked(bench: Bench, id: str, first: str, arms: Arms, words: Sequence[str] = ()) -> Finding:
    """Measure all runs, each once, and ask every shape.

    Args:
        bench: To measure with.
        id: Of the item.
        first: Letter of the first of its `claims`.
        arms: The runs. One that stands in several arms counts once.
        words: Further paragraphs.
    """
    good = {
        factor: {value: sound(runs, required=False) for value, runs in values.items()}
        for factor, values in arms.items()
    }
    found = {
        factor: {
            value: bench.profiles(runs, told=f"{factor} {value}")
            for value, runs in values.items()
            if runs
        }
        for factor, values in good.items()
    }
    cells = _cells(good)
    shapes = {hash: _shape(bench.profile(run)) for hash, run in _each(cells).items()}
    charts = [
        curves_chart(
            f"{id.lower()}-{_slug(factor)}", f"By {factor}", "Training loss and error.", values
        )
        for factor, values in found.items()
    ]
    return Finding(
        charts=[*charts, _against(id, good, shapes)],
        tables=[_settings(arms, good, shapes), _correlations(cells, shapes)],
        cases=_cases(id, first, cells, shapes),
        words=[
            f"{len(shapes)} runs; those whose loss stopped being finite are left out. Seeds of one "
            "setting are not independent evidence about settings, so whole settings are drawn for "
            "the verdicts' intervals; the table has both correlations.",
            *_power(len(cells)),
            *_still(cells, shapes),
            *words,
        ],
    )


def _shape(profile: Profile) -> dict[str, float]:
    return {name: of(profile) for name, of in SHAPES.items()}


def _cells(good: Arms) -> list[list[Subject]]:
    """The runs of each setting; a setting that stands in several arms is here once."""
    made: dict[frozenset[str], list[Subject]] = {}
    for values in good.values():
        for runs in values.values():
            if runs:
                made.setdefault(frozenset(run.hash for run in runs), list(runs))
    return list(made.values())


def _each(cells: Sequence[Sequence[Subject]]) -> dict[str, Subject]:
    return {run.hash: run for runs in cells for run in runs}


def _cases(
    id: str, first: str, cells: Sequence[Sequence[Subject]], shapes: Mapping[str, dict[str, float]]
) -> dict[str, Any]:
    errors = [run.test_error for run in _each(cells).values()]
    setting = {run.hash: i for i, cell in enumerate(cells) for run in cell}
    group = [setting[hash] for hash in _each(cells)]
    cases: dict[str, Any] = {}
    for i, name in enumerate(SHAPES):
        x = [shapes[hash][name] for hash in _each(cells)]
        asked: dict[str, Any] = {"x": x, "y": errors, "group": group}
        if not _told_apart(cells, {hash: of[name] for hash, of in shapes.items()}):
            # A correlation of ties is near 0 whatever is true.
            asked["why"] = "the shape is the same in more than half of the settings"
        for j in range(2):
            cases[f"{id}{_letter(first, 2 * i + j)}"] = asked
    return cases


def _told_apart(cells: Sequence[Sequence[Subject]], of: Mapping[str, float]) -> bool:
    """True if a shape tells at least half of the settings from the most frequent value."""
    means = [float(np.mean([of[run.hash] for run in cell])) for cell in cells]
    return 2 * max(map(means.count, means), default=0) <= len(means) + 1


def _still(cells: Sequence[Sequence[Subject]], shapes: Mapping[str, dict[str, float]]) -> list[str]:
    """Return why claims about a shape that hardly varies are undecided."""
    still = [
        name
        for name in SHAPES
        if not _told_apart(cells, {hash: of[name] for hash, of in shapes.items()})
    ]
    said = "The same in more than half of the settings, so without any rank correlation to test"
    return [f"{said}: {', '.join(still)}."] * bool(still)


def _power(count: int) -> list[str]:
    """True if so many settings could tell the absence of a correlation from a strong one.

    The rank correlation of n unrelated pairs has the standard deviation 1 / sqrt(n - 1).
    """
    if count < 2:
        return []
    chance = 1 / np.sqrt(count - 1)
    span = chance * stats.t.ppf(0.5 + intervals.CONFIDENCE / 2, count - 1)
    if span < STRONG:
        return []
    return [
        f"Rank correlations of {count} settings that have nothing to do with each other spread by "
        f"{chance:.2f} (standard deviation): so few settings can rarely show that a correlation "
        f"is not above {STRONG:g}, and undecided is to be expected where there is none."
    ]


def _settings(arms: Arms, good: Arms, shapes: Mapping[str, dict[str, float]]) -> Table:
    rows = []
    for factor, values in good.items():
        for value, runs in values.items():
            errors = mean_sd(run.test_error for run in runs)
            of = [mean_sd(shapes[run.hash][name] for run in runs) for name in SHAPES]
            lost = len(arms[factor][value]) - len(runs)
            rows.append([factor, value, errors, *of, lost])
    columns = ["varied", "value", "test error", *SHAPES, "diverged"]
    note = "Mean ± standard deviation over runs (number of runs); paths of the training data."
    return Table(title="Test error and path shape", columns=columns, rows=rows, note=note)


def _correlations(
    cells: Sequence[Sequence[Subject]], shapes: Mapping[str, dict[str, float]]
) -> Table:
    runs = _each(cells)
    errors = [run.test_error for run in runs.values()]
    means = [float(np.mean([run.test_error for run in cell])) for cell in cells]
    rows = []
    for name in SHAPES:
        over_runs = [shapes[hash][name] for hash in runs]
        over_cells = [float(np.mean([shapes[run.hash][name] for run in cell])) for cell in cells]
        rows.append([name, *_told(over_runs, errors), *_told(over_cells, means)])
    columns = ["shape", "over runs", "interval", "over settings", "interval over settings"]
    note = f"Spearman's, with the test error; {len(runs)} runs of {len(cells)} settings; 95 %."
    title = "Rank correlation of path shape and test error"
    return Table(title=title, columns=columns, rows=rows, note=note)


def _told(x: Sequence[float], y: Sequence[float]) -> tuple[str, str]:
    middle, (low, high) = intervals.spearman(np.asarray(x), np.asarray(y))
    if np.isnan(middle):
        return "-", "-"
    return f"{middle:.2f}", f"{low:.2f} to {high:.2f}"


def _against(id: str, good: Arms, shapes: Mapping[str, dict[str, float]]) -> Panels:
    panels = []
    for name in SHAPES:
        series = []
        for factor, values in good.items():
            runs = [run for of in values.values() for run in of]
            x = [shapes[run.hash][name] for run in runs]
            y = [run.test_error for run in runs]
            series.append(Series(label=factor, x=x, y=y, points=True))
        panels.append(Panel(x=name, y="test error (share of samples)", series=series))
    return Panels(
        name=f"{id.lower()}-against",
        title="Test error against path shape",
        caption="One point a run; a run at the common setting is in every series.",
        panels=panels,
    )


def _letter(first: str, by: int) -> str:
    return chr(ord(first) + by)


def _slug(text: str) -> str:
    return "-".join("".join(c if c.isalnum() else " " for c in text.lower()).split())
