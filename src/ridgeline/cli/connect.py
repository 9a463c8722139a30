"""``ridgeline connect``: a curve of low loss between two checkpoints."""

import argparse

from ridgeline import report
from ridgeline.cli.bridges import (
    about_of,
    aligned,
    check_places,
    descended_on,
    descent_of,
    on_plane,
    places_of,
    profiled,
    saved,
)
from ridgeline.cli.consoles import progress_bar, say, stderr_console, stdout_console
from ridgeline.cli.matching import check_written
from ridgeline.cli.points import load_points
from ridgeline.cli.results import Contents, Result, finish
from ridgeline.cli.setting import Setting
from ridgeline.connecting import CurveFinding, ElasticBand, Strategy, connect, draxler
from ridgeline.errors import UsageError
from ridgeline.paths import Line

__all__ = ["run"]


def run(chosen: argparse.Namespace) -> int:
    """See the options."""
    stderr_console()
    check_written(chosen, report=chosen.report)
    by = _strategy(chosen)
    check_places(chosen, chosen.bends)
    setting = Setting(chosen)
    given = load_points(setting, [chosen.a, chosen.b])
    objective = descended_on(chosen, setting)
    with progress_bar() as tell:
        a, b = aligned(chosen, setting, given, tell)
        found = connect(a, b, objective, by=by, seed=chosen.seed, progress=tell, keep=chosen.keep)
        profiles = profiled(chosen, setting, {"line": Line(a, b), "curve": found.path}, tell)
        bends = found.path.points[1:-1]  # type: ignore[attr-defined]  # a curve by its points
        plane = on_plane(chosen, setting, (a, b, bends[len(bends) // 2]), tell)
    about = about_of(chosen, setting)
    told = report.summarise_connection(found, profiles) | {"provenance": about}
    result = Result(
        told=lambda: told,
        show=lambda: (
            say(told["said"]),
            report.render_table(report.barrier_table(profiles), stdout_console()),
        )[0],
        notes=about["notes"],
        files=places_of(chosen, len(bends)),
        contents=lambda: Contents(
            page=report.connection_page(found, profiles, plane, (chosen.a, chosen.b), about),
            tables={"profiles": [r for n, x in profiles.items() for r in report.rows(x, path=n)]},
            values={"connection": told},
        ),
        save=lambda: saved(
            chosen,
            setting,
            chosen.a,
            bends,
            {"bend between": [chosen.a, chosen.b], "by": chosen.by},
        ),
    )
    return finish(chosen, result)


def _strategy(chosen: argparse.Namespace) -> Strategy:
    """The strategy that the options name.

    Raises:
        UsageError: If an option is of another one.
    """
    if chosen.by != "band":
        if chosen.share is not None:
            raise UsageError(
                "--share is of --by band.",
                got=f"--share {chosen.share:g} with {chosen.by}",
                remedy="Give --length, or --by band.",
            )
        return CurveFinding(kind=chosen.by, bends=chosen.bends, descent=descent_of(chosen))
    of_curves = {"learning_rate": None, "clip": None, "decay": 0.0, "bends": 1}
    for name, default in of_curves.items():
        if getattr(chosen, name) != default:
            raise UsageError(
                f"--{name.replace('_', '-')} is of --by bezier and polygon.",
                got=f"{getattr(chosen, name):g} with band",
                remedy="Leave it out: a band has the rates of Draxler et al., and inserts bends.",
            )
    share = 0.05 if chosen.share is None else chosen.share
    return ElasticBand(cycles=draxler(share), batch_size=chosen.batch_size)
