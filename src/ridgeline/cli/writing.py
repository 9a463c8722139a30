"""What ``--out`` holds: tables, figures, JSON and one page, all or nothing; and where it may be."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ridgeline import io, report
from ridgeline.cli.points import exists, place_of
from ridgeline.errors import OutputError, UsageError
from ridgeline.profiles import Profile, Surface

__all__ = [
    "check_file",
    "check_folder",
    "check_out",
    "write_layers",
    "write_profile",
    "write_surface",
]


def write_profile(found: Profile, chosen: argparse.Namespace) -> None:
    """Write a profile's tables, figures and page."""
    summary = report.summarise(found)
    section = report.Section(
        "Along the line",
        text=[
            " ".join(report.sentences(found, metric=metric, split=split))
            for split, metrics in found.curves.items()
            for metric in metrics
        ]
        + found.provenance["notes"],
        figures=[report.profile_figure({"a to b": found}, metrics=_metrics(found))],
        tables=[report.measures_table({"a to b": found})],
    )
    page = report.Page(
        title=f"{Path(chosen.a).name} to {Path(chosen.b).name}",
        lead=report.headline(found),
        sections=[section],
        provenance=found.provenance,
    )
    with io.fresh_directory(chosen.out, overwrite=chosen.overwrite) as folder:
        report.to_json(summary, folder / "profile.json")
        report.write_parquet(report.rows(found), folder / "profile.parquet")
        report.write_page(page, folder)
    _told(chosen.out)


def write_layers(
    found: Mapping[str, Profile],
    whole: Profile,
    about: Mapping[str, Any],
    chosen: argparse.Namespace,
) -> None:
    """Write the tables, figures and page of all layers."""
    rows = [row for n, one in found.items() for row in report.rows(one, layer=n)]
    section = report.Section(
        "One layer at a time",
        text=[
            "Each curve moves one layer from a to b and holds all others. Bars are the layer-wise "
            "barrier of Adilova et al. (2023): what averaging that layer alone costs, against the "
            "mean of the two whole networks.",
            *about["notes"],
        ],
        figures=[
            report.layers_figure(found, whole),
            report.profile_figure({"all layers": whole}, metrics=_metrics(whole)),
        ],
        tables=[report.measures_table({"all layers": whole, **found})],
    )
    page = report.Page(
        title=f"{Path(chosen.a).name} to {Path(chosen.b).name}, layer by layer",
        lead=report.headline(whole),
        sections=[section],
        provenance=dict(about),
    )
    summary = {
        "format": "ridgeline-layers",
        "version": 1,
        "whole": report.summarise(whole),
        "layers": {name: report.summarise(one) for name, one in found.items()},
        "provenance": dict(about),
    }
    with io.fresh_directory(chosen.out, overwrite=chosen.overwrite) as folder:
        report.to_json(summary, folder / "layers.json")
        report.write_parquet(rows, folder / "layers.parquet")
        report.write_page(page, folder)
    _told(chosen.out)


def write_surface(
    found: Surface,
    drawn: Mapping[str, Sequence[tuple[float, float, float]]],
    chosen: argparse.Namespace,
) -> None:
    """Write a surface's tables, figures and page."""
    names = [Path(state).stem for state in chosen.states]
    points = {
        name: (float(x), float(y)) for name, (x, y) in zip(names, found.corners, strict=False)
    }
    lines = {name: [(x, y) for x, y, _ in line] for name, line in drawn.items()}
    several = len(found.values) > 1
    figures = [
        report.surface_figure(
            found,
            metric=metric,
            split=split,
            trajectories=lines,
            points=points,
            name=f"surface-{split}-{metric}" if several else f"surface-{metric}",
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
    if drawn:
        off = [f"up to {max(o for *_, o in line):.3g} ({name})" for name, line in drawn.items()]
        text.append(
            "A trajectory is drawn at the nearest points of the plane; its states lie off it by "
            + "; ".join(off)
            + "."
        )
    text += found.provenance["notes"]
    page = report.Page(
        title="The plane of " + ", ".join(names),
        lead=f"Loss over {found.x.size} by {found.y.size} states.",
        sections=[report.Section("Over the plane", text=text, figures=figures)],
        provenance=found.provenance,
    )
    with io.fresh_directory(chosen.out, overwrite=chosen.overwrite) as folder:
        report.to_json(report.summarise_surface(found), folder / "surface.json")
        report.write_parquet(report.surface_rows(found), folder / "surface.parquet")
        report.write_page(page, folder)
    _told(chosen.out)


def _metrics(found: Profile) -> tuple[str, ...]:
    return tuple(next(iter(found.curves.values())))


def _told(out: str) -> None:
    print(f"written: {Path(out) / 'report.html'}", file=sys.stderr)


def check_out(chosen: argparse.Namespace) -> None:
    """Refuse a folder that cannot be written to before any work, not after."""
    if chosen.out is None:
        if chosen.overwrite:
            raise UsageError("--overwrite is about --out.", got="--overwrite alone")
        return
    check_folder(chosen.out, chosen)


def check_folder(path: str, chosen: argparse.Namespace) -> None:
    """Refuse a folder that cannot be written to, or that holds what the command reads.

    Args:
        path: Where the folder shall be.
        chosen: Parsed options.

    Raises:
        OutputError: If it cannot be made there.
    """
    folder = Path(path).resolve()
    for text, file in _inputs(chosen):
        if file.resolve().is_relative_to(folder):
            raise _of_an_input(path, text)
    with suppress(_Undone), io.fresh_directory(path, overwrite=chosen.overwrite):
        raise _Undone


def check_file(path: str, chosen: argparse.Namespace) -> None:
    """Refuse a file that cannot be written, that the command reads, or that is somebody else's.

    Args:
        path: Where the file shall be.
        chosen: Parsed options.

    Raises:
        OutputError: If it cannot be written there.
    """
    with suppress(_Undone), io.atomic_path(path, overwrite=chosen.overwrite):
        raise _Undone
    final = Path(path)
    if not final.exists():
        return
    for text, file in _inputs(chosen):
        if file.samefile(final) or (file.is_dir() and final.resolve().is_relative_to(file)):
            raise _of_an_input(path, text)
    if not io.is_made_here(final):
        raise OutputError(
            "--overwrite replaces what Ridgeline wrote, and nothing else.",
            got=f"'{path}', which it did not write",
            remedy="Choose another name, or remove the file yourself.",
        )


def _inputs(chosen: argparse.Namespace) -> list[tuple[str, Path]]:
    """Files and folders that the command reads, each with the word that named it."""
    found: list[str] = []
    for name in ("a", "b", "states", "base", "symmetry"):
        value = getattr(chosen, name, None) or []
        found += [value] if isinstance(value, str) else value
    for text in getattr(chosen, "trajectory", None) or []:
        found += text.partition("=")[2].split(",")
    paths = [(text, Path(place_of(text)[0])) for text in found]
    return [(text, path.resolve()) for text, path in paths if exists(str(path))]


def _of_an_input(path: str, text: str) -> OutputError:
    return OutputError(
        "A result does not take the place of what it is made from.",
        got=f"'{path}', where {text!r} is read from",
        remedy="Choose another name.",
    )


class _Undone(Exception):
    """Leaves a trial of writing without its result."""
