"""``ridgeline minima``: many checkpoints, and the lowest known ways between them."""

import argparse
import math

from ridgeline import report
from ridgeline.cli.consoles import progress_bar, say, stderr_console
from ridgeline.cli.points import load_points
from ridgeline.cli.results import Contents, Result, finish
from ridgeline.cli.setting import Setting
from ridgeline.cli.writing import check_out
from ridgeline.connecting import ElasticBand, MinimaGraph, dendrogram, draxler, minima_graph
from ridgeline.errors import UsageError
from ridgeline.objective import Objective

__all__ = ["run"]


def run(chosen: argparse.Namespace) -> int:
    """See the options."""
    stderr_console()
    if len(chosen.states) < 2:
        raise UsageError(
            "A graph of minima has two checkpoints at least.", got=f"{len(chosen.states)}"
        )
    band = ElasticBand(
        cycles=draxler(chosen.share), batch_size=chosen.batch_size, evaluation="auto"
    )
    check_out(chosen)
    setting = Setting(chosen)
    states = load_points(setting, chosen.states)
    names = report.distinct([str(path) for path in chosen.states])
    with progress_bar() as tell:
        found = minima_graph(
            states,
            _descended(setting),
            by=band,
            names=names,
            budget=chosen.budget,
            seed=chosen.seed,
            progress=tell,
        )
    about = setting.about(chosen)
    told = {"graph": _values(found), "provenance": about}
    result = Result(
        told=lambda: told,
        show=lambda: say(str(found).splitlines()),
        notes=about["notes"],
        contents=lambda: Contents(
            page=_page(found, about), tables={"saddles": found.rows()}, values={"minima": told}
        ),
    )
    return finish(chosen, result)


def _descended(setting: Setting) -> Objective:
    """The objective of the training data, or the only one.

    Raises:
        UsageError: If there are several splits and none is called train.
    """
    known = setting.objectives
    if "train" not in known and len(known) > 1:
        raise UsageError(
            "Paths are found on the split called train, or on the only one there is.",
            got=f"splits {', '.join(known)}",
            remedy="Name one: --split.",
        )
    return known["train"] if "train" in known else next(iter(known.values()))


def _values(found: MinimaGraph) -> dict[str, object]:
    """The graph in plain values."""
    return {
        "names": list(found.names),
        "losses": list(found.losses),
        "tree": [[*(found.names[k] for k in e.pair), e.saddle] for e in found.tree],
        "saddles": [[_told(float(x)) for x in row] for row in found.saddles],
        "pairs": [{n: _told(x) for n, x in row.items()} for row in found.rows()],
        "notes": list(found.notes),
    }


def _told(x: object) -> object:
    """A number as JSON has it: none where a pair was not tried, or has no route."""
    return None if isinstance(x, float) and not math.isfinite(x) else x


def _page(found: MinimaGraph, about: dict[str, object]) -> report.Page:
    lead, *lines = str(found).splitlines()
    notes = about["notes"]
    assert isinstance(notes, list)
    section = report.Section(
        "Minima and passes",
        text=[
            "Two minima are joined at the highest loss on the lowest known way between them, over "
            "other minima where that is lower: a bound from above on the saddle.",
            *(line.strip() for line in lines),
            *notes,
        ],
        figures=[report.chart_figure(dendrogram(found))],
    )
    return report.Page(f"{len(found)} minima", f"{lead}.", [section], about)
