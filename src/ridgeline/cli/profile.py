"""``ridgeline profile``: the line between two checkpoints."""

import argparse
from dataclasses import replace

from ridgeline import report
from ridgeline.cli.consoles import progress_bar, stderr_console, stdout_console
from ridgeline.cli.points import load_points
from ridgeline.cli.results import Contents, Result, finish
from ridgeline.cli.setting import Setting, words
from ridgeline.cli.signals import interruptible
from ridgeline.cli.writing import check_out
from ridgeline.errors import UsageError
from ridgeline.paths import Grid, Line, homogeneous_biases
from ridgeline.profiles import Precision, profile

__all__ = ["grid_of", "run"]


def run(chosen: argparse.Namespace) -> int:
    """See the options."""
    stderr_console()
    points, precision = grid_of(chosen), _precision(chosen.precision)
    check_out(chosen)
    setting = Setting(chosen)
    a, b = load_points(setting, [chosen.a, chosen.b])
    rates = {}
    if chosen.rates == "homogeneous-biases":
        example = next(iter(setting.objectives.values())).samples[:2].inputs
        rates = homogeneous_biases(setting.model.to(setting.device), example)
    line = Line(a, b, rates=rates, layers=words(chosen.layers), hold=chosen.hold)
    with interruptible() as came, progress_bar() as tell:
        found = profile(
            line,
            setting.objectives,
            points=points,
            extrapolate=chosen.extrapolate,
            strategy=chosen.strategy,
            precision=precision,
            progress=lambda split, done, of: tell(f"samples of {split}", done, of),
            interrupted=came,
            seed=chosen.seed,
        )
    path = {"path": found.provenance["path"] | line.geometry()}
    found = replace(found, provenance=setting.about(chosen) | found.provenance | path)

    def show() -> None:
        console = stdout_console()
        report.render_profile(found, console)
        for split, about in found.provenance["splits"].items():
            took = f"{about['samples_evaluated']:,} of {about['samples']:,} samples"
            console.print(f"{split}: {took}; {about['stopped']}", highlight=False)

    result = Result(
        told=lambda: report.summarise(found),
        show=show,
        notes=found.provenance["notes"],
        contents=lambda: Contents(
            page=report.profile_page(found, (chosen.a, chosen.b)),
            tables={"profile": report.rows(found)},
            values={"profile": report.summarise(found)},
        ),
        code=came.code,
    )
    return finish(chosen, result)


def grid_of(chosen: argparse.Namespace) -> Grid:
    """The positions that `--points` or `--grid` name.

    Raises:
        UsageError: If `--grid` holds something that is no number.
    """
    if not chosen.grid:
        return chosen.points
    try:
        return [float(word) for word in words(chosen.grid) or []]
    except ValueError as error:
        raise UsageError(
            "--grid is a list of numbers with commas between them.", got=repr(chosen.grid)
        ) from error


def _precision(text: str | None) -> Precision | None:
    """``0.01`` is in the loss' units; ``5%`` is a share of the barrier."""
    if text is None:
        return None
    try:
        value = float(text.removesuffix("%"))
    except ValueError as error:
        raise UsageError(
            "--precision is a number, or a number with a percent sign.", got=repr(text)
        ) from error
    share = text.endswith("%")
    return Precision(half_width=value / 100 if share else value, relative=share)
