"""``ridgeline layers``: the line between two checkpoints, one layer at a time."""

import argparse

from ridgeline.cli.consoles import progress_bar, say, stderr_console, stdout_console
from ridgeline.cli.points import load_points
from ridgeline.cli.profile import grid_of
from ridgeline.cli.setting import Setting, words
from ridgeline.cli.signals import interruptible
from ridgeline.cli.streams import tell_json
from ridgeline.cli.writing import check_out, write_layers
from ridgeline.errors import UsageError
from ridgeline.paths import Line
from ridgeline.profiles import layerwise, profile
from ridgeline.report import render_layers, summarise_layers

__all__ = ["run"]


def run(chosen: argparse.Namespace) -> int:
    """See the options."""
    stderr_console()
    points = grid_of(chosen)
    if chosen.extrapolate:
        raise UsageError("Layers are measured from a to b.", got="--extrapolate")
    check_out(chosen)
    setting = Setting(chosen)
    a, b = load_points(setting, [chosen.a, chosen.b])
    with interruptible() as came, progress_bar() as tell:
        whole = profile(
            Line(a, b),
            setting.objectives,
            points=points,
            strategy=chosen.strategy,
            progress=lambda split, done, of: tell(f"all layers ({split})", done, of),
            interrupted=came,
            seed=chosen.seed,
        )
        found = layerwise(
            a,
            b,
            setting.objectives,
            only=words(chosen.layers),
            hold=chosen.hold,
            points=points,
            strategy=chosen.strategy,
            progress=tell,
            interrupted=came,
        )
    about = setting.about(chosen)
    if chosen.out:
        write_layers(found, whole, about, chosen)
    if chosen.json:
        tell_json(summarise_layers(found, whole, about))
    else:
        render_layers(found, stdout_console(), whole=whole)
        say(about["notes"])
    return came.code
