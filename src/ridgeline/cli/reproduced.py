"""What a reproduction says and leaves: a summary, JSON, and a page for each paper."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ridgeline import io
from ridgeline.cli.live import duration
from ridgeline.study.reproduction import Reproduction
from ridgeline.study.store import Store

if TYPE_CHECKING:
    from ridgeline import report

__all__ = ["summary", "told", "written"]


def summary(found: Reproduction) -> str:
    """How many claims hold, fail and are undecided, over how many runs, in what time."""
    from ridgeline.report.verdicts import tally

    counts = tally(verdict.outcome for verdict in found.verdicts)
    return f"{counts}; {found.runs} runs, {duration(found.seconds)}"


def told(found: Sequence[Reproduction]) -> dict[str, Any]:
    """Papers and verdicts as JSON values, of a stated format."""
    return {
        "format": "ridgeline-reproduction",
        "version": 1,
        "papers": [
            {
                "paper": one.paper.name,
                "scale": one.scale.name,
                "about": one.scale.about,
                "overrides": dict(one.scale.overrides),
                "runs": one.runs,
                "seconds": one.seconds,
                "verdicts": one.rows(),
                "left_out": {a.item.name: a.left_out for a in one.answers if a.left_out},
            }
            for one in found
        ],
    }


def written(chosen: argparse.Namespace, found: Sequence[Reproduction]) -> list[Path]:
    """A page for each paper, with its figures, tables and verdicts."""
    from ridgeline import report

    several = len(found) > 1
    pages = []
    with io.fresh_directory(chosen.out, overwrite=chosen.overwrite) as folder:
        for one in found:
            own = folder / one.paper.name if several else folder
            rows = one.rows()
            report.to_json(told([one]), own / "verdicts.json")
            if rows:
                report.write_csv(rows, own / "verdicts.csv")
            with io.atomic_path(own / "verdicts.md") as temporary:
                temporary.write_text(_markdown(chosen, one), encoding="utf-8")
            report.write_page(_page(chosen, one), own)
            pages.append(own.relative_to(folder) / "report.html")
    return [Path(chosen.out) / page for page in pages]


def _markdown(chosen: argparse.Namespace, found: Reproduction) -> str:
    from ridgeline import report

    said = " ".join(found.scale.about.split()).rstrip(".")
    about = f"Scale `{found.scale.name}`: {said}. {found.runs} runs."
    left = [f"Left out: {a.item.name}: {a.left_out}" for a in found.answers if a.left_out]
    return report.verdicts_markdown(
        f"{found.paper.name}: {found.paper.title}",
        found.rows(),
        command=_command(chosen, found),
        about="\n\n".join([about, *left]),
    )


def _command(chosen: argparse.Namespace, found: Reproduction) -> str:
    paper, asked = found.paper, [answer.item for answer in found.answers]
    names = [paper.name]
    if len(asked) < len(paper.items):
        names = [f"{paper.name}/{item.name}" for item in asked]
    words = ["ridgeline reproduce", *names, "--scale", chosen.scale]
    words += [f"--set '{given}'" for given in chosen.set]
    words += [f"--seeds {chosen.seeds}"] if chosen.seeds is not None else []
    words += [f"--data-root {chosen.data_root}"] if chosen.data_root else []
    return " ".join(words)


def _page(chosen: argparse.Namespace, found: Reproduction) -> "report.Page":
    from ridgeline import report

    cards = [
        report.Card(name, str(found.count(outcome)), f"of {len(found.verdicts)} claims")
        for name, outcome in (("Hold", "holds"), ("Fail", "fails"), ("Undecided", "undecided"))
    ]
    cards.append(report.Card("Runs", str(found.runs), f"scale {found.scale.name}"))
    sections = []
    for answer in found.answers:
        item, finding = answer.item, answer.finding
        text = [item.asks]
        if finding is None:
            text.append(f"Not measured: {answer.left_out}.")
        else:
            text += list(finding.words)
            unasked = [c.id for c in item.claims if c.id not in finding.cases]
            text += [f"Not measured at this scale: {', '.join(unasked)}."] if unasked else []
        sections.append(
            report.Section(
                f"{item.id} {item.title}",
                text=text,
                figures=[report.chart_figure(c) for c in finding.charts] if finding else [],
                tables=[report.chart_table(t) for t in finding.tables] if finding else [],
                verdicts=answer.verdicts,
                reported=item.reported,
            )
        )
    record = told([found])["papers"][0]
    about = {
        "command": _command(chosen, found),
        "store": Store(chosen.store).place.url,
        "ridgeline": io.version(),
        **{k: record[k] for k in ("scale", "about", "overrides", "runs", "seconds")},
    }
    lead = f"{found.paper.authors}: {found.paper.where}. {found.paper.about}"
    return report.Page(
        title=found.paper.title, lead=lead, sections=sections, provenance=about, cards=cards
    )
