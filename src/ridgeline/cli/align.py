"""``ridgeline align``: the second checkpoint carried to where it is nearest the first."""

import argparse
import json
from typing import cast

from ridgeline import report
from ridgeline.cli.consoles import progress_bar, say, stderr_console, stdout_console
from ridgeline.cli.fitted import fitted_aligned, read_estimators
from ridgeline.cli.matching import check_written, fitting
from ridgeline.cli.points import in_format_of, load_points, save_like
from ridgeline.cli.results import Contents, Result, finish
from ridgeline.cli.setting import Setting
from ridgeline.cli.strategies import MIXED, check_strategy, prepared
from ridgeline.errors import NotTraceable, UsageError
from ridgeline.matching import align
from ridgeline.paths import Line
from ridgeline.profiles import Profile, profile
from ridgeline.progress import Progress
from ridgeline.repairs import Repair, RepairKind
from ridgeline.state import State

__all__ = ["repair_of", "run"]

BEFORE, AFTER, REPAIRED = "as they are", "aligned", "aligned and repaired"
MIX = {AFTER: "mixed", REPAIRED: "mixed and repaired"}
"""Names of the lines to a checkpoint whose units were mixed: it is not b, in other coordinates."""


def run(chosen: argparse.Namespace) -> int:
    """See the options."""
    stderr_console()
    if estimators := read_estimators([chosen.a, chosen.b]):
        return fitted_aligned(chosen, estimators)
    check_written(chosen, report=chosen.report)
    check_strategy(chosen, chosen.by)
    setting = Setting(chosen)
    a, b = load_points(setting, [chosen.a, chosen.b])
    said: list[str] = []
    notes = setting.notes()
    with progress_bar() as tell:
        symmetry, by = prepared(chosen, setting, chosen.by, tell, said)
        found = align(a, b, symmetry, by=by, seed=chosen.seed, progress=tell)
        profiles = _profiles(chosen, setting, (a, b, found.state), tell, notes)
    if found.transform is None:
        profiles = {MIX.get(name, name): one for name, one in profiles.items()}
        ends = (
            " Barriers of the lines called mixed are against that loss, at b." if profiles else ""
        )
        notes.append(f"{MIXED}{ends}")
    about = setting.about(chosen) | {"notes": [*said, *notes]}
    told = report.summarise_alignment(found, profiles) | {"provenance": about}

    def save() -> None:
        carried = in_format_of(chosen.b, found.state, setting.model)
        header = {"to": str(chosen.a), "from": str(chosen.b), "by": chosen.by}
        header |= {"mixed": True} if found.transform is None else {}
        made = {"ridgeline.aligned": json.dumps(header)}
        save_like(chosen.b, carried, setting, chosen, made)

    def show() -> None:
        say([str(found), *said])
        if profiles:
            report.render_table(report.barrier_table(profiles), stdout_console())

    result = Result(
        told=lambda: told,
        show=show,
        notes=notes,
        contents=lambda: Contents(
            page=report.alignment_page(found, profiles, (chosen.a, chosen.b), about),
            tables={"profiles": [r for n, x in profiles.items() for r in report.rows(x, path=n)]},
            values={"alignment": told},
        ),
        save=save,
    )
    return finish(chosen, result)


def _profiles(
    chosen: argparse.Namespace,
    setting: Setting,
    states: tuple[State, State, State],
    tell: Progress,
    notes: list[str],
) -> dict[str, Profile]:
    """The line before, after, and repaired if that can be done."""
    if not setting.objectives:
        return {}
    a, b, carried = states

    def measured(name: str, end: State, repair: Repair | None = None) -> Profile:
        return profile(
            Line(a, end),
            setting.objectives,
            points=chosen.points,
            strategy=chosen.strategy,
            seed=chosen.seed,
            repair=repair,
            progress=lambda split, done, of: tell(f"{name} ({split})", done, of),
        )

    found = {BEFORE: measured(BEFORE, b), AFTER: measured(AFTER, carried)}
    if chosen.repair != "none":
        try:
            repair = repair_of(chosen, setting)
            found[REPAIRED] = measured(REPAIRED, carried, repair)
        except (NotTraceable, UsageError) as refused:
            notes.append(f"Not repaired: {refused}")
    return found


def repair_of(chosen: argparse.Namespace, setting: Setting) -> Repair:
    """The repair that the options name, on the inputs that strategies look at."""
    samples = fitting(chosen, setting, "--repair").samples
    return Repair(data=samples, kind=cast(RepairKind, chosen.repair))
