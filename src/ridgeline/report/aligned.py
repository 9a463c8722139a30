"""What an alignment did, in sentences, tables and a figure: the line before and after it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ridgeline.numerals import number, plus_minus
from ridgeline.report.figures import Figure
from ridgeline.report.panels import profile_figure
from ridgeline.report.summary import plain, summarise
from ridgeline.report.tables import Table

if TYPE_CHECKING:
    from ridgeline.matching import Aligned
    from ridgeline.profiles import Profile

__all__ = [
    "aligned_sentences",
    "alignment_figure",
    "alignment_headline",
    "alignment_tables",
    "barrier_table",
    "summarise_alignment",
]

FORMAT = "ridgeline-alignment"
VERSION = 1
Profiles = Mapping[str, "Profile"]


def aligned_sentences(found: "Aligned", profiles: Profiles) -> list[str]:
    """What an alignment did to distance, units and barriers.

    Args:
        found: From `ridgeline.align`.
        profiles: Name of a line to its profile, the one before first; none without data.
    """
    share = 1 - found.after / found.before if found.before else 0.0
    way = "nearer" if share >= 0 else "farther"
    moved = [m for m in found.moved.values() if m]
    said = [
        f"{type(found.by).__name__} brings b {abs(share):.0%} {way}: from distance "
        f"{number(found.before)} to {number(found.after)}."
    ]
    objective = found.matched.objective
    if {"before", "after"} <= set(objective):
        said.append(
            f"Its objective ({found.matched.measure or found.matched.goal}) goes from "
            f"{number(objective['before'])} to {number(objective['after'])}."
        )
    said.append(
        f"Units move in {len(moved)} of {len(found.moved)} groups; the function of b stays."
        if found.transform is not None
        else "Units were mixed: the function is not that of b."
    )
    return [*said, *found.matched.notes, *_barriers(profiles)]


def _barriers(profiles: Profiles) -> list[str]:
    if not profiles:
        return []
    first = next(iter(profiles.values()))
    said = []
    for split, metrics in first.curves.items():
        for metric in metrics:
            heights = [
                f"{_height(one, metric, split)} ({name})"
                for name, one in profiles.items()
                if split in one.curves
            ]
            said.append(f"Barrier of the {metric} on {split}: {', '.join(heights)}.")
    return said


def _height(one: "Profile", metric: str, split: str) -> str:
    barrier = one.barrier(metric=metric, split=split)
    return plus_minus(barrier.height, barrier.stderr)


def alignment_headline(profiles: Profiles) -> str:
    """The main sentence: the barrier of the loss on the first split, line by line."""
    first = next(iter(profiles.values())).splits[0]
    heights = [f"{_height(one, 'loss', first)} {name}" for name, one in profiles.items()]
    return f"The barrier of the loss on {first}: {', '.join(heights)}."


def barrier_table(profiles: Profiles, title: str = "Barriers") -> Table:
    """The barrier of every line, split and metric, with the ends and the middle."""
    rows = []
    for name, one in profiles.items():
        for split, metrics in one.curves.items():
            for metric, curve in metrics.items():
                barrier = one.barrier(metric=metric, split=split)
                first, last = curve.ends()
                middle = int(abs(curve.t - 0.5).argmin())
                values = [float(curve.mean[k]) for k in (first, middle, last)]
                rows.append([name, split, metric, *values, plus_minus(barrier.height,
                             barrier.stderr), barrier.at])  # fmt: skip
    columns = ["line", "split", "metric", "at a", "half way", "at b", "barrier (95 %)", "at t"]
    return Table(title, columns, rows, "Against the chord between the ends; intervals are paired.")


def alignment_tables(found: "Aligned", profiles: Profiles) -> list[Table]:
    """The barriers, and how many units of each group moved."""
    tables = [barrier_table(profiles)] if profiles else []
    if found.moved:
        rows = [[name, f"{share:.0%}"] for name, share in found.moved.items()]
        note = "Units inside of others (channels of a head) count as moved among their own."
        tables.append(Table("Units that moved", ["group", "moved"], rows, note))
    return tables


def alignment_figure(profiles: Profiles) -> Figure:
    """The lines before and after, on one pair of axes for each metric."""
    metrics = tuple(next(iter(next(iter(profiles.values())).curves.values())))
    return profile_figure(
        profiles, metrics=metrics, name="aligned", title="The line before and after"
    )


def summarise_alignment(found: "Aligned", profiles: Profiles) -> dict[str, Any]:
    """An alignment in plain values: strict JSON, of a stated format.

    Returns:
        ``format``, ``version``, what `Aligned.summary` says (by, measure, objective, distance
        {before, after}, moved, notes), ``said`` and ``profiles.<line>`` as `summarise` gives.
    """
    return {
        "format": FORMAT,
        "version": VERSION,
        **plain(found.summary()),
        "said": aligned_sentences(found, profiles),
        "profiles": {name: summarise(one) for name, one in profiles.items()},
    }
