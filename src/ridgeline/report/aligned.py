"""What an alignment did, in sentences, tables and a figure: the line before and after it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ridgeline.charts import Table
from ridgeline.numerals import number, plus_minus
from ridgeline.report.figures import Figure
from ridgeline.report.panels import profile_figure
from ridgeline.report.summary import envelope, plain, summarise

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

Profiles = Mapping[str, "Profile"]


def aligned_sentences(found: "Aligned", profiles: Profiles) -> list[str]:
    """What an alignment did to distance, units and barriers.

    Args:
        found: From `ridgeline.align`.
        profiles: Name of a line to its profile, the one before first; none without data.
    """
    share = 1 - found.after / found.before if found.before else 0.0
    way = "nearer" if share >= 0 else "farther"
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
    said.append(_acted(found))
    return [*said, *found.matched.notes, *_barriers(profiles)]


def _acted(found: "Aligned") -> str:
    """How many groups were acted on, and how."""
    if found.transform is None:
        return "Units were mixed: the function is not that of b."
    counts: dict[str, int] = {}
    for moved in found.moved.values():
        for how in (["permuted"] if moved.share else []) + list(moved.how):
            counts[how] = counts.get(how, 0) + 1
    told = ", ".join(f"{count} {how}" for how, count in counts.items()) or "none acted on"
    return f"Of {len(found.moved)} groups of units {told}; the function of b stays."


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
    """The barrier of every line, split and metric, with the ends and t = 1/2, if it is there."""
    rows, tidy = [], []
    for name, one in profiles.items():
        for split, metrics in one.curves.items():
            for metric, curve in metrics.items():
                barrier = one.barrier(metric=metric, split=split)
                first, last = curve.ends()
                start, end = (float(curve.mean[k]) for k in (first, last))
                half = "-" if curve.middle is None else float(curve.mean[curve.middle])
                at = barrier.at if barrier.height else "-"
                rows.append([name, split, metric, start, half, end, plus_minus(barrier.height,
                             barrier.stderr), at])  # fmt: skip
                low, high = barrier.interval()
                tidy.append({
                    "line": name, "split": split, "metric": metric, "at a": start,
                    "half way": None if half == "-" else half, "at b": end,
                    "barrier": barrier.height, "low": low, "high": high, "at t": barrier.at,
                })  # fmt: skip
    columns = ["line", "split", "metric", "at a", "half way", "at b", "barrier (95 %)", "at t"]
    note = "Against the chord between the ends; intervals are paired."
    if any(row[4] == "-" for row in rows):
        note += " Where nothing stands half way, t = 1/2 was not among the points."
    return Table(title, columns, rows, note, tidy)


def alignment_tables(found: "Aligned", profiles: Profiles) -> list[Table]:
    """The barriers, and what was done to the units of each group."""
    tables = [barrier_table(profiles)] if profiles else []
    if found.moved:
        columns = ["group", "moved", "besides"]
        tidy = [[n, x.share, ", ".join(x.how) or None] for n, x in found.moved.items()]
        rows = [[name, f"{share:.0%}", how] for name, share, how in tidy]
        note = (
            "Share of the units that do not stay in their place; those inside of others (channels "
            "of a head) count among their own."
        )
        records = [dict(zip(columns, row, strict=True)) for row in tidy]
        tables.append(Table("Units that moved", columns, rows, note, records))
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
    return envelope(
        "alignment",
        **plain(found.summary()),
        said=aligned_sentences(found, profiles),
        profiles={name: summarise(one) for name, one in profiles.items()},
    )
