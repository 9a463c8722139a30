"""Pages of one measurement: a line, layers, a plane, an alignment, a merge, an explanation."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ridgeline.explanations.words import explained
from ridgeline.numerals import several
from ridgeline.report.aligned import (
    aligned_sentences,
    alignment_figure,
    alignment_headline,
    alignment_tables,
)
from ridgeline.report.dots import scores_figure
from ridgeline.report.explained import explanation_figures, explanation_tables
from ridgeline.report.layers import layers_figure
from ridgeline.report.merged import Scores, score_sentence, score_table
from ridgeline.report.page import Page, Section
from ridgeline.report.panels import profile_figure
from ridgeline.report.planes import surface_figure
from ridgeline.report.words import headline, measures_table, sentences

if TYPE_CHECKING:
    from ridgeline.explanations import Explanation
    from ridgeline.matching import Aligned
    from ridgeline.profiles import Profile, Surface

__all__ = [
    "alignment_page",
    "explanation_page",
    "layers_page",
    "merge_page",
    "profile_page",
    "surface_page",
]

Ends = tuple[str, str]
"""Paths or names of both checkpoints."""
About = Mapping[str, Any]
"""Origin of the numbers; its ``notes`` are read with them."""


def profile_page(found: "Profile", ends: Ends) -> Page:
    """The line between two checkpoints.

    Args:
        found: From `ridgeline.profile`, with its origin.
        ends: Names of the checkpoints.
    """
    said = [
        " ".join(sentences(found, metric=metric, split=split))
        for split, metrics in found.curves.items()
        for metric in metrics
    ]
    section = Section(
        "Along the line",
        text=said + found.provenance["notes"],
        figures=[profile_figure({"a to b": found}, metrics=_metrics(found))],
        tables=[measures_table({"a to b": found})],
    )
    return Page(_between(ends), headline(found), [section], found.provenance)


def layers_page(found: "Mapping[str, Profile]", whole: "Profile", ends: Ends, about: About) -> Page:
    """The line between two checkpoints, one layer at a time.

    Args:
        found: Profiles of the layers, from `ridgeline.layerwise`.
        whole: The profile on which every layer moves.
        ends: Names of the checkpoints.
        about: Origin of the numbers.
    """
    section = Section(
        "One layer at a time",
        text=[
            "Each curve moves one layer from a to b and holds all others. Bars are the layer-wise "
            "barrier of Adilova et al. (2023): what averaging that layer alone costs, against the "
            "mean of the two whole networks.",
            *about["notes"],
        ],
        figures=[
            layers_figure(found, whole),
            profile_figure({"all layers": whole}, metrics=_metrics(whole)),
        ],
        tables=[measures_table({"all layers": whole, **found})],
    )
    return Page(f"{_between(ends)}, layer by layer", headline(whole), [section], dict(about))


def surface_page(
    found: "Surface",
    names: Sequence[str],
    trajectories: Mapping[str, Sequence[tuple[float, float, float]]],
) -> Page:
    """The plane through three checkpoints, or about one, with trajectories on it.

    Args:
        found: From `ridgeline.surface`, with its origin.
        names: Of the checkpoints.
        trajectories: By name: positions on the plane, and distances from it.
    """
    points = dict(zip(names, [(float(x), float(y)) for x, y in found.corners], strict=False))
    lines = {name: [(x, y) for x, y, _ in line] for name, line in trajectories.items()}
    figures = [
        surface_figure(
            found,
            metric=metric,
            split=split,
            trajectories=lines,
            points=points,
            name=f"surface-{split}-{metric}" if len(found.values) > 1 else f"surface-{metric}",
            title=f"The {metric} on {split} over the plane",
        )
        for split, metrics in found.values.items()
        for metric in metrics
    ]
    text = ["Distances on the plane are distances in weight space."]
    if found.provenance["plane"]["centred"]:
        text = [
            f"The plane is about {names[0]}, along two random directions. At 1 each filter has "
            "moved by as much as it is long (Li et al. 2018); biases and the gains of norms stay."
        ]
    if trajectories:
        off = [f"up to {max(o for *_, o in x):.3g} ({name})" for name, x in trajectories.items()]
        text.append(
            "A trajectory is drawn at the nearest points of the plane; its states lie off it by "
            f"{'; '.join(off)}."
        )
    return Page(
        title="The plane of " + ", ".join(names),
        lead=f"Loss over {found.x.size} by {found.y.size} states.",
        sections=[Section("Over the plane", [*text, *found.provenance["notes"]], figures)],
        provenance=found.provenance,
    )


def alignment_page(
    found: "Aligned", profiles: "Mapping[str, Profile]", ends: Ends, about: About
) -> Page:
    """The line before and after an alignment, and what moved.

    Args:
        found: From `ridgeline.align`.
        profiles: Name of a line to its profile, the one before first.
        ends: Names of the checkpoints.
        about: Origin of the numbers.
    """
    barriers, *moved = alignment_tables(found, profiles)
    before = Section(
        "The line before and after",
        text=about["notes"],
        figures=[alignment_figure(profiles)],
        tables=[barriers],
    )
    return Page(
        title=f"{Path(ends[1]).name}, aligned to {Path(ends[0]).name}",
        lead=alignment_headline(profiles),
        sections=[before, Section("What moved", aligned_sentences(found, {}), tables=moved)],
        provenance=about,
    )


def merge_page(scores: Scores, by: str, said: Sequence[str], about: About) -> Page:
    """Checkpoints beside what was made of them.

    Args:
        scores: Loss and metrics of all.
        by: How they were merged.
        said: Sentences on what was done.
        about: Origin of the numbers.
    """
    section = Section("Before and after", said, [scores_figure(scores)], [score_table(scores)])
    title = f"{several(len(scores.given), 'checkpoint')} merged by {by}"
    return Page(title, score_sentence(scores), [section], about)


def explanation_page(found: "Explanation", ends: Ends, about: About) -> Page:
    """Reasons for the shape of the loss along a line: its variants, and its layers.

    Args:
        found: From `ridgeline.explain`.
        ends: Names of start and minimum.
        about: Origin of the numbers.
    """
    said = explained(found)
    paths, *layers = explanation_figures(found)
    shapes, *table = explanation_tables(found)
    text = [f"{heading}. {' '.join(x)}" for heading, x in said.items() if heading != "Layers"]
    sections = [Section("The line", [*text, *about["notes"]], [paths], [shapes])]
    if layers:
        sections.append(Section("Layer by layer", said["Layers"], layers, table))
    lead = " ".join(said["Monotone or not"])
    return Page(f"{_between(ends)}, explained", lead, sections, about)


def _between(ends: Ends) -> str:
    return f"{Path(ends[0]).name} to {Path(ends[1]).name}"


def _metrics(found: "Profile") -> tuple[str, ...]:
    return tuple(next(iter(found.curves.values())))
