"""``ridgeline star``: a centre that is linearly connected to several checkpoints."""

import argparse

from ridgeline import report
from ridgeline.cli.bridges import (
    about_of,
    aligned,
    check_places,
    descended_on,
    descent_of,
    on_plane,
    profiled,
    saved,
)
from ridgeline.cli.consoles import progress_bar, say, stderr_console, stdout_console
from ridgeline.cli.matching import check_written
from ridgeline.cli.points import load_points
from ridgeline.cli.results import Contents, Result, finish
from ridgeline.cli.setting import Setting, words
from ridgeline.connecting import StarFinding, star
from ridgeline.errors import UsageError
from ridgeline.paths import Line

__all__ = ["run"]


def run(chosen: argparse.Namespace) -> int:
    """See the options."""
    stderr_console()
    check_written(chosen, report=chosen.report)
    if len(chosen.feet) < 2:
        raise UsageError("A star has two feet at least.", got=f"{len(chosen.feet)} checkpoint")
    by = StarFinding(
        start=chosen.start,
        sampling=chosen.sampling,
        feet=chosen.feet_per_step,
        descent=descent_of(chosen),
    )
    check_places(chosen, 1)
    setting = Setting(chosen)
    others = words(chosen.held_out) or []
    given = load_points(setting, [*chosen.feet, *others])
    objective = descended_on(chosen, setting)
    count = len(chosen.feet)
    with progress_bar() as tell:
        states = aligned(chosen, setting, given, tell)
        found = star(
            states[:count], objective, by=by, seed=chosen.seed, progress=tell, keep=chosen.keep
        )
        first, second = states[:2]
        lines = {"foot 1 to foot 2": Line(first, second)}
        lines |= {f"arm of foot {i + 1}": found.arm(i) for i in range(count)}
        lines |= {f"held out {i + 1}": Line(x, found.centre) for i, x in enumerate(states[count:])}
        profiles = profiled(chosen, setting, lines, tell)
        plane = on_plane(chosen, setting, (first, second, found.centre), tell)
    about = about_of(chosen, setting)
    told = report.summarise_star(found, profiles) | {"provenance": about}
    result = Result(
        told=lambda: told,
        show=lambda: (
            say(told["said"]),
            report.render_table(report.barrier_table(profiles), stdout_console()),
        )[0],
        notes=about["notes"],
        contents=lambda: Contents(
            page=report.star_page(found, profiles, plane, chosen.feet, about),
            tables={"profiles": [r for n, x in profiles.items() for r in report.rows(x, path=n)]},
            values={"star": told},
        ),
        save=lambda: saved(
            chosen, setting, chosen.feet[0], [found.centre], {"centre of": chosen.feet}
        ),
    )
    return finish(chosen, result)
