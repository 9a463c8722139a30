"""``ridgeline geodesic``: short chains of low loss between two checkpoints."""

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
    saved,
)
from ridgeline.cli.consoles import progress_bar, say, stderr_console, stdout_console
from ridgeline.cli.matching import check_written
from ridgeline.cli.points import load_points
from ridgeline.cli.results import Contents, Result, finish
from ridgeline.cli.setting import Setting, words
from ridgeline.connecting import PENALTIES, geodesic
from ridgeline.errors import UsageError

__all__ = ["run"]


def run(chosen: argparse.Namespace) -> int:
    """See the options."""
    stderr_console()
    check_written(chosen, report=chosen.report)
    penalties = _penalties(chosen.penalties)
    check_places(chosen, chosen.bends)
    setting = Setting(chosen)
    given = load_points(setting, [chosen.a, chosen.b])
    objective = descended_on(chosen, setting)
    with progress_bar() as tell:
        a, b = aligned(chosen, setting, given, tell)
        found = geodesic(
            a,
            b,
            objective,
            penalties=penalties,
            bends=chosen.bends,
            by=descent_of(chosen),
            measured=setting.objectives,
            points=chosen.points,
            seed=chosen.seed,
            progress=tell,
            keep=chosen.keep,
        )
        lowest = min(found.chains, key=lambda c: c.profile.barrier().height)
        short = found.shortest(chosen.removing) or lowest
        bends = short.path.points[1:-1]
        plane = on_plane(chosen, setting, (a, b, bends[len(bends) // 2]), tell)
    about = about_of(chosen, setting)
    told = report.summarise_geodesic(found, chosen.removing, aligned=chosen.align)
    told |= {"provenance": about}
    result = Result(
        told=lambda: told,
        show=lambda: (
            say(told["said"]),
            report.render_table(report.geodesic_table(found), stdout_console()),
        )[0],
        notes=about["notes"],
        files=places_of(chosen, len(bends)),
        contents=lambda: Contents(
            page=report.geodesic_page(
                found, short, plane, (chosen.a, chosen.b), about, told["said"]
            ),
            tables={"chains": found.rows()},
            values={"geodesic": told},
        ),
        save=lambda: saved(
            chosen,
            setting,
            chosen.a,
            bends,
            {"bend between": [chosen.a, chosen.b], "penalty": short.penalty},
        ),
    )
    return finish(chosen, result)


def _penalties(text: str | None) -> list[float]:
    if text is None:
        return list(PENALTIES)
    try:
        return [float(x) for x in words(text) or []]
    except ValueError:
        raise UsageError("--penalties are numbers with commas.", got=repr(text)) from None
