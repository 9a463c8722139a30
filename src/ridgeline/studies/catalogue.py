"""Which papers can be asked again, and at which scales."""

import importlib
from collections.abc import Sequence
from pathlib import Path

from ridgeline.errors import UnknownName, UsageError
from ridgeline.studies.asked import declared
from ridgeline.study.papers import Paper
from ridgeline.study.scales import Scale, load_scale

__all__ = ["PAPERS", "paper", "scale", "scales"]

PAPERS = (
    "goodfellow2014",
    "frankle2020",
    "frankle2020revisiting",
    "lucas2021",
    "vlaar2021",
    "entezari2021",
    "ainsworth2022",
    "jordan2022",
    "wang2023",
    "lim2024",
    "tao2024",
)
"""Modules of `ridgeline.studies`, in the order of years; each has a `PAPER`."""
FOLDER = Path(__file__).parent / "scales"


def paper(name: str) -> Paper:
    """A paper by its name, its items with the settings that they ask for.

    Raises:
        UnknownName: If there is none.
    """
    if name not in PAPERS:
        raise UnknownName("paper", name, PAPERS)
    return declared(importlib.import_module(f"ridgeline.studies.{name}").PAPER)


def scales(name: str) -> dict[str, Path]:
    """The scales of a paper that come with Ridgeline: name to file, from small to large."""
    order = ("smoke", "laptop", "paper")
    found = {file.stem: file for file in sorted((FOLDER / name).glob("*.toml"))}
    place = {scale: order.index(scale) if scale in order else len(order) for scale in found}
    return {scale: found[scale] for scale in sorted(found, key=lambda s: place[s])}


def scale(name: str, which: str, overrides: Sequence[str] = (), seeds: int | None = None) -> Scale:
    """A paper's scale.

    Args:
        name: Of the paper.
        which: The scale's name, or a TOML file of your own.
        overrides: As `load_scale` takes them.
        seeds: Of every population, in place of the file's.

    Raises:
        UnknownName: If there is no scale of this name.
        UsageError: If the file is for another paper.
    """
    known = scales(name)
    if which in known:
        return load_scale(known[which], overrides, seeds)
    if not which.endswith(".toml"):
        raise UnknownName(f"scale of {name}", which, known, "Or give a TOML file of your own.")
    found = load_scale(which, overrides, seeds)
    if found.paper != name:
        raise UsageError("A scale is for the paper it names.", got=f"{found.paper!r}, not {name!r}")
    return found
