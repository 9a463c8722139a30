"""``ridgeline layers``: the line between two checkpoints, one layer at a time."""

import argparse
from functools import partial

from ridgeline import report
from ridgeline.cli.consoles import progress_bar, stderr_console, stdout_console
from ridgeline.cli.points import load_points
from ridgeline.cli.profile import grid_of
from ridgeline.cli.results import Contents, Result, finish
from ridgeline.cli.setting import Setting, words
from ridgeline.cli.signals import interruptible
from ridgeline.cli.writing import check_out
from ridgeline.errors import UsageError
from ridgeline.paths import Line
from ridgeline.profiles import layerwise, profile

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
    told = partial(report.summarise_layers, found, whole, about)
    result = Result(
        told=told,
        show=lambda: report.render_layers(found, stdout_console(), whole=whole),
        notes=about["notes"],
        contents=lambda: Contents(
            page=report.layers_page(found, whole, (chosen.a, chosen.b), about),
            tables={"layers": [r for n, x in found.items() for r in report.rows(x, layer=n)]},
            values={"layers": told()},
        ),
        code=came.code,
    )
    return finish(chosen, result)
