"""From options to what is descended, and what is made of it: shared by verbs of paths."""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ridgeline.cli.matching import discovered
from ridgeline.cli.points import in_format_of, save_like
from ridgeline.cli.setting import Setting
from ridgeline.cli.writing import check_file
from ridgeline.connecting import Descent
from ridgeline.errors import UsageError
from ridgeline.matching import align
from ridgeline.objective import Objective
from ridgeline.paths import Path as StatePath
from ridgeline.paths import Plane
from ridgeline.profiles import Profile, Surface, profile, surface
from ridgeline.progress import Progress
from ridgeline.state import State
from ridgeline.training import SGD, Adam, AdamW

__all__ = [
    "about_of",
    "aligned",
    "check_places",
    "descended_on",
    "descent_of",
    "on_plane",
    "places_of",
    "profiled",
    "saved",
]

RATES = {"sgd": 0.03, "adam": 0.01, "adamw": 0.01}
PLANE = 15
"""Points of a plane along each axis."""
SEEN = 1000
"""Samples that it is measured on."""
AS_GIVEN = "The checkpoints are taken as given; --align carries them to the first before."


def descent_of(chosen: argparse.Namespace) -> Descent:
    """The descent that the options name."""
    rate = RATES[chosen.optimiser] if chosen.learning_rate is None else chosen.learning_rate
    made = {
        "sgd": lambda: SGD(learning_rate=rate, momentum=0.9),
        "adam": lambda: Adam(learning_rate=rate),
        "adamw": lambda: AdamW(learning_rate=rate),
    }
    return Descent(
        length=chosen.length,
        batch_size=chosen.batch_size,
        positions=chosen.positions,
        optimiser=made[chosen.optimiser](),
        decay=chosen.decay,
        clip=chosen.clip,
    )


def about_of(chosen: argparse.Namespace, setting: Setting) -> dict[str, Any]:
    """Origin of the numbers, with a note where the checkpoints were not aligned before."""
    about = setting.about(chosen)
    return about | {"notes": [*about["notes"], *([] if chosen.align else [AS_GIVEN])]}


def descended_on(chosen: argparse.Namespace, setting: Setting) -> Objective:
    """The objective that is descended: all training data, where the data set has them.

    Raises:
        UsageError: If there are several splits and none of them is of training data.
    """
    assert setting.data is not None
    splits = setting.data.splits
    if "train" not in splits and len(splits) > 1:
        raise UsageError(
            "A path is trained on the split called train, or on the only one there is.",
            got=f"splits {', '.join(splits)} of {setting.data.name}",
            remedy="Call the one to train on `train`.",
        )
    return setting.objective(chosen, "train" if "train" in splits else next(iter(splits)))


def aligned(
    chosen: argparse.Namespace, setting: Setting, given: Sequence[State], tell: Progress
) -> list[State]:
    """The states, the others carried to the first if ``--align`` is given."""
    if not chosen.align:
        return list(given)
    symmetry = discovered(chosen, setting, tell)
    first, *others = given
    carried = [align(first, x, symmetry, seed=chosen.seed, progress=tell).state for x in others]
    return [first, *carried]


def profiled(
    chosen: argparse.Namespace, setting: Setting, paths: Mapping[str, StatePath], tell: Progress
) -> dict[str, Profile]:
    """Profiles of paths on all splits."""
    return {
        name: profile(
            path,
            setting.objectives,
            points=chosen.points,
            strategy=chosen.strategy,
            seed=chosen.seed,
            progress=lambda split, done, of, name=name: tell(f"{name} ({split})", done, of),
        )
        for name, path in paths.items()
    }


def on_plane(
    chosen: argparse.Namespace,
    setting: Setting,
    corners: tuple[State, State, State],
    tell: Progress,
) -> tuple[Plane, Surface] | None:
    """The loss on the plane through three states, on some training samples.

    Returns:
        None if no report is asked for, or the three lie on one line.
    """
    if chosen.report is None or setting.data is None:
        return None
    try:
        plane = Plane(*corners)
    except UsageError:
        return None
    split = "train" if "train" in setting.data.splits else next(iter(setting.data.splits))
    seen = {split: setting.objective(chosen, split, samples=SEEN)}
    found = surface(
        plane, seen, points=PLANE, progress=lambda _, done, of: tell("the plane", done, of)
    )
    return plane, found


def places_of(chosen: argparse.Namespace, count: int) -> list[str]:
    """Files for so many states: ``--out`` itself for one, numbered for more; none without."""
    if chosen.out is None:
        return []
    file = Path(chosen.out)
    if count == 1:
        return [str(file)]
    return [str(file.with_name(f"{file.stem}-{k}{file.suffix}")) for k in range(1, count + 1)]


def check_places(chosen: argparse.Namespace, count: int) -> None:
    """Refuse, before any work, files that cannot be written."""
    for place in places_of(chosen, count):
        check_file(place, chosen)


def saved(
    chosen: argparse.Namespace,
    setting: Setting,
    like: str,
    made: Sequence[State],
    about: Mapping[str, Any],
) -> None:
    """Write states to where `places_of` says, nested and typed as a checkpoint is."""
    for place, state in zip(places_of(chosen, len(made)), made, strict=True):
        named = argparse.Namespace(**vars(chosen) | {"out": place})
        kept = in_format_of(like, state, setting.model)
        save_like(like, kept, setting, named, {"ridgeline.path": json.dumps(dict(about))})
