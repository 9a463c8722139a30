"""A profile in plain sentences with numbers and intervals."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ridgeline.charts import Table
from ridgeline.numerals import number, plus_minus, position
from ridgeline.report.summary import summarise

if TYPE_CHECKING:
    from ridgeline.profiles import Profile

__all__ = ["headline", "measures_table", "sentences"]


def sentences(
    profile: "Profile | Mapping[str, Any]", *, metric: str | None = None, split: str | None = None
) -> list[str]:
    """Sentences of a profile: barrier, monotonicity and plateau of each metric of each split.

    Args:
        profile: A profile or its summary.
        metric: Only this one.
        split: Only this one.

    Returns:
        Plain sentences; intervals are of 95 %.
    """
    summary = _summary(profile)
    found: list[str] = []
    for s, metrics in summary["measures"].items():
        for m, said in metrics.items():
            if metric in (None, m) and split in (None, s):
                found += _about(summary, s, m, said)
    return found


def headline(
    profile: "Profile | Mapping[str, Any]", *, metric: str = "loss", split: str | None = None
) -> str:
    """The main sentence: the barrier, or what stands in its way.

    Args:
        profile: A profile or its summary.
        metric: Of which metric.
        split: Of which split; the first by default.

    Returns:
        One sentence.
    """
    summary = _summary(profile)
    split = split or next(iter(summary["measures"]))
    return _about(summary, split, metric, summary["measures"][split][metric])[0]


def measures_table(
    profiles: "Mapping[str, Profile | Mapping[str, Any]]", title: str = "Measures"
) -> Table:
    """The numbers of one or more profiles, one line for each metric of each split.

    Args:
        profiles: Profiles or their summaries, by the name of their path.
        title: Of the table.

    Returns:
        Columns path, split, metric, at a, at b, barrier (chord, with the half-width of its 95 %
        interval), at t, monotone (if not, or if that is unclear, the largest rise) and plateau end.
    """
    summaries = {name: _summary(profile) for name, profile in profiles.items()}
    lines = [
        [name, split, metric, *_line(summary, split, metric, said)]
        for name, summary in summaries.items()
        for split, metrics in summary["measures"].items()
        for metric, said in metrics.items()
    ]
    tops = [
        said["barrier"]
        for summary in summaries.values()
        for metrics in summary["measures"].values()
        for said in metrics.values()
    ]
    note = "Barriers are against the chord between the ends"
    if any(top and top["kind"] == "layer" for top in tops):
        note += "; where one layer moves, at t = 1/2 against the mean of the two whole networks"
    return Table(
        title,
        ["path", "split", "metric", "at a", "at b", "barrier", "at t", "monotone", "plateau end"],
        lines,
        note=f"{note}, ± half of a 95 % interval.",
    )


def _line(
    summary: Mapping[str, Any], split: str, metric: str, said: Mapping[str, Any]
) -> list[str]:
    t, means = summary["t"], summary["splits"][split][metric]
    ends = [number(means[t.index(end)]) if end in t else "-" for end in (0.0, 1.0)]
    top = said["barrier"]
    height = top and (0 if _is_rounding(top) else top["height"])
    barrier = plus_minus(height, top["stderr"] if height else 0) if top else "-"
    there = position(top["at"]) if top and height != 0 else "-"
    rise = said["monotonicity"]
    word = {"monotone": "yes", "undecided": "unclear"}.get(rise["verdict"], "no")
    monotone = "yes" if word == "yes" else f"{word} (+{number(rise['largest_rise'])})"
    if rise["largest_rise"] is None:
        monotone = "no"
    flat = position(said["plateau"]["end"]) if _leaves_a_plateau(said) else "-"
    return [*ends, barrier, there, monotone, flat]


def _is_rounding(barrier: Mapping[str, Any]) -> bool:
    """True if a barrier is no more than the rounding of the numbers it is of."""
    return barrier["height"] is not None and 0 < barrier["height"] <= barrier["rounding"]


def _leaves_a_plateau(said: Mapping[str, Any]) -> bool:
    """True if there is a plateau that says something: a path that only rises has none."""
    level = said["plateau"]
    falls = level and (level["half"] is not None or said["monotonicity"]["holds"])
    return bool(falls) and level["length"] > 0 and level["end"] < 1


def _summary(profile: "Profile | Mapping[str, Any]") -> Mapping[str, Any]:
    return profile if isinstance(profile, Mapping) else summarise(profile)


def _about(
    summary: Mapping[str, Any], split: str, metric: str, said: Mapping[str, Any]
) -> list[str]:
    what = f"The {metric} on {split}"
    broken = summary["nonfinite"][split][metric]
    means = summary["splits"][split][metric]
    found = [_barrier(what, said)]
    holes = [spot for spot, mean in zip(summary["t"], means, strict=True) if mean is None]
    if holes:
        found.insert(
            0,
            f"{what} is not finite at {len(holes)} of {len(means)} positions, "
            f"first at t = {position(holes[0])}.",
        )
    elif broken:
        found.append(
            f"{what} has samples that are not finite at {len(broken)} of {len(means)} positions."
        )
    if not holes:
        found.append(_monotonicity(what, said))
        found += _plateau(what, said)
    return found


def _barrier(what: str, said: Mapping[str, Any]) -> str:
    barrier = said["barrier"]
    layer = bool(barrier) and barrier["kind"] == "layer"
    against = "the mean of the two whole networks" if layer else "the chord between the ends"
    kind = "layer against whole networks" if layer else "chord"
    if barrier is None:
        return f"{what} has no barrier to speak of: the positions lack an end of the path."
    height, at = barrier["height"], position(barrier["at"])
    if height is None:
        return f"{what} has a barrier without bound: it is not finite at t = {at}."
    side = "below" if said["higher_is_better"] else "above"
    if _is_rounding(barrier):
        return f"{what} has no barrier beyond the rounding of its numbers: {number(height)}."
    if height <= 0:
        return f"{what} has no barrier: it never lies {side} {against}."
    stderr = barrier["stderr"]
    shown = plus_minus(height, stderr)
    if not stderr:
        return f"{what} has a barrier of {shown} ({kind}) at t = {at}."
    if barrier["verdict"] == "undecided":
        return (
            f"{what} has no clear barrier: {shown} (95 %, {kind}) at t = {at}, which includes zero."
        )
    return f"{what} has a barrier of {shown} (95 %, {kind}) at t = {at}."


def _monotonicity(what: str, said: Mapping[str, Any]) -> str:
    rise = said["monotonicity"]
    verb = "falls" if said["higher_is_better"] else "rises"
    if rise["strict"]:
        return f"{what} is monotone: it never {verb}."
    tolerance = number(rise["tolerance"])
    if rise["holds"]:
        return f"{what} is monotone: it never {verb} by more than {tolerance}."
    if rise["verdict"] == "monotone":
        return f"{what} is monotone: it never {verb} by more than the rounding of its numbers."
    low, high = (position(t) for t in rise["between"])
    by = plus_minus(rise["largest_rise"], rise["stderr"])
    if rise["verdict"] == "undecided":
        return (
            f"{what} has no clear {verb.removesuffix('s')}: it {verb} by {by} (95 %) between "
            f"t = {low} and t = {high}, which includes zero; these samples do not say whether it "
            "is monotone."
        )
    return f"{what} is not monotone: it {verb} by {by} between t = {low} and t = {high}."


def _plateau(what: str, said: Mapping[str, Any]) -> list[str]:
    if not _leaves_a_plateau(said):
        return []
    level, chance = said["plateau"], said["chance"]
    if chance is not None and level["reference"] == chance:
        where = f"stays at chance ({number(chance)}) until"
    else:
        where = f"stays above {number(100 * (1 - level['threshold']))} % of its start until"
    half = f", and is first half of that at t = {position(level['half'])}" if level["half"] else ""
    return [f"{what} {where} t = {position(level['end'])}{half}."]
