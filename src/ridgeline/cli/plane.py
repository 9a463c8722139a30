"""``ridgeline plane``: the plane through three checkpoints, or around one."""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from ridgeline import report
from ridgeline.cli.consoles import progress_bar, stderr_console, stdout_console
from ridgeline.cli.points import load_points
from ridgeline.cli.results import Contents, Result, finish
from ridgeline.cli.setting import Setting, words
from ridgeline.cli.signals import interruptible
from ridgeline.cli.writing import check_out
from ridgeline.errors import UsageError
from ridgeline.paths import Plane
from ridgeline.profiles import Surface, surface

__all__ = ["run"]


def run(chosen: argparse.Namespace) -> int:
    """See the options."""
    stderr_console()
    if len(chosen.states) not in (1, 3):
        raise UsageError(
            "A plane goes through three checkpoints, or through one along two random directions.",
            got=f"{len(chosen.states)} checkpoints",
        )
    lines = dict(_trajectory(text) for text in chosen.trajectory)
    check_out(chosen)
    setting = Setting(chosen)
    states = load_points(setting, chosen.states)
    plane = Plane(*states) if len(states) == 3 else Plane.random(states[0], seed=chosen.seed)
    drawn = {
        name: [plane.project(state) for state in load_points(setting, paths)]
        for name, paths in lines.items()
    }
    with interruptible() as came, progress_bar() as tell:
        found = surface(
            plane,
            setting.objectives,
            points=chosen.points,
            margin=chosen.margin,
            strategy=chosen.strategy,
            progress=lambda split, done, of: tell(f"samples of {split}", done, of),
            interrupted=came,
        )
    found = replace(found, provenance=setting.about(chosen) | found.provenance)
    names = [Path(state).stem for state in chosen.states]
    result = Result(
        told=lambda: report.summarise_surface(found) | {"trajectories": drawn},
        show=lambda: _say(found),
        notes=found.provenance["notes"],
        contents=lambda: Contents(
            page=report.surface_page(found, names, drawn),
            tables={"surface": report.surface_rows(found)},
            values={"surface": report.summarise_surface(found)},
        ),
        code=came.code,
    )
    return finish(chosen, result)


def _say(found: Surface) -> None:
    """Lines that say where each metric is lowest and highest."""
    console = stdout_console()
    for split, metrics in found.values.items():
        for name, values in metrics.items():
            told = []
            for word, index in (
                ("lowest", np.nanargmin(values)),
                ("highest", np.nanargmax(values)),
            ):
                row, column = np.unravel_index(int(index), values.shape)
                x, y = found.x[column], found.y[row]
                told.append(f"{word} {values[row, column]:.4g} at ({x:.3g}, {y:.3g})")
            console.print(f"{split} {name}: {', '.join(told)}", highlight=False)


def _trajectory(text: str) -> tuple[str, list[str]]:
    name, sign, paths = text.partition("=")
    found = words(paths)
    if not sign or not name or not found:
        raise UsageError("--trajectory is NAME=CKPT,CKPT,...", got=repr(text))
    return name, found
