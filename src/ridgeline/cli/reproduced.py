"""What a reproduction says and leaves: a summary, JSON, and a page for each paper."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ridgeline import io
from ridgeline.cli.live import duration
from ridgeline.study.reproduction import Ended, Reproduction
from ridgeline.study.store import Store

if TYPE_CHECKING:
    from ridgeline import report

__all__ = ["header", "summary", "told", "warnings", "written"]

TRIAL = "smoke"
CONSTRUCTED = "A construction: it uses neither the scale's data nor its networks."
TRIED = "Scale smoke says whether it runs, not what is true."


def summary(found: Reproduction) -> str:
    """How many claims hold, fail and are undecided, over how many runs, in what time."""
    from ridgeline.report.ended import verdicts_said

    counts = verdicts_said(found.measured, found.constructed)
    return f"{counts}; {found.runs} runs, {duration(found.seconds)}"


def header(found: Reproduction) -> list[str]:
    """What is said above the verdicts: on what they are, and at what the networks ended."""
    from ridgeline.report.ended import ended_said

    lines = [f"{found.paper.name} at scale {found.scale.name}: {summary(found)}"]
    if found.scale.name == TRIAL:
        lines.append(f"  {TRIED}")
    elif not found.scale.about:
        lines.append(f"  {found.scale.described}")
    lines += [f"  {a.item.name}: {ended_said(a.ended)}" for a in found.answers if a.ended]
    return lines


def warnings(found: Reproduction) -> list[str]:
    """Of networks that are far from a minimum; items whose networks ended alike are told once."""
    from ridgeline.report.ended import untrained_said

    said: dict[str, list[str]] = {}
    for answer in found.answers:
        if answer.ended is not None and (text := untrained_said(answer.ended)):
            said.setdefault(text, []).append(answer.item.name)
    return [f"{', '.join(items)}: {text}" for text, items in said.items()]


def told(found: Sequence[Reproduction]) -> dict[str, Any]:
    """Papers and verdicts as JSON values, of a stated format."""
    return {
        "format": "ridgeline-reproduction",
        "version": 1,
        "papers": [
            {
                "paper": one.paper.name,
                "scale": one.scale.name,
                "about": one.scale.described,
                "overrides": dict(one.scale.overrides),
                "runs": one.runs,
                "ended": {a.item.name: _ended(a.ended) for a in one.answers if a.ended},
                "constructed": [verdict.claim.id for verdict in one.constructed],
                "seconds": one.seconds,
                "verdicts": one.rows(),
                "left_out": {a.item.name: a.left_out for a in one.answers if a.left_out},
            }
            for one in found
        ],
    }


def _in_short(found: Reproduction) -> list[str]:
    """The warnings as one sentence: each is said in full beside its item."""
    said = warnings(found)
    if len(said) < 2:
        return [f"Warning: {warning}" for warning in said]
    from ridgeline.report.ended import errors_said

    far = [answer for answer in found.answers if answer.ended and answer.ended.wrong]
    wrong = [error for answer in far if answer.ended for error in answer.ended.wrong]
    with_runs = sum(answer.ended is not None for answer in found.answers)
    return [
        f"Warning: in {len(far)} of {with_runs} items with trained networks, some still "
        f"misclassify {errors_said(wrong)} of their training data; each item says how many."
    ]


def _ended(ended: Ended) -> dict[str, Any]:
    return {
        "runs": ended.runs,
        "loss": list(ended.loss) if ended.loss else None,
        "error": list(ended.error) if ended.error else None,
        "diverged": ended.diverged,
        "far_from_a_minimum": len(ended.wrong),
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
    from ridgeline.report.ended import ended_said

    about = f"Scale `{found.scale.name}`: {found.scale.described.rstrip('.')}. {found.runs} runs."
    about += f" {TRIED}" if found.scale.name == TRIAL and "not what is true" not in about else ""
    left = [f"- {a.item.name}: {ended_said(a.ended)}" for a in found.answers if a.ended]
    left = ["At the end of training, on training data:\n\n" + "\n".join(left)] if left else []
    left += [f"**Warning.** {warning}" for warning in warnings(found)]
    if ids := [verdict.claim.id for verdict in found.constructed]:
        left.append(f"Of constructions, without this scale's data and networks: {', '.join(ids)}.")
    left += [f"Left out: {a.item.name}: {a.left_out}" for a in found.answers if a.left_out]
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
    from ridgeline.report.ended import ended_said, untrained_said

    counted = found.measured or found.verdicts
    apart = len(found.verdicts) - len(counted)
    note = f"of {len(counted)} claims" + (f"; {apart} of constructions apart" if apart else "")
    cards = [
        report.Card(name, str(sum(v.outcome == outcome for v in counted)), note)
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
            text += [f"Trained networks: {ended_said(answer.ended)}."] if answer.ended else []
            far = untrained_said(answer.ended) if answer.ended else ""
            text += [f"Warning: {far}"] if far else []
            text += [] if item.populations else [CONSTRUCTED]
            unasked = [c.id for c in item.claims if c.id not in finding.cases]
            text += [f"Not measured at this scale: {', '.join(unasked)}."] if unasked else []
        sections.append(
            report.Section(
                f"{item.id} {item.title}",
                text=text,
                figures=[report.chart_figure(c) for c in finding.charts] if finding else [],
                tables=finding.tables if finding else (),
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
    said = [TRIED] if found.scale.name == TRIAL else []
    said += [f"Measured on {found.scale.described.rstrip('.')}."] if not found.scale.about else []
    said += _in_short(found)
    lead = " ".join([*said, lead]) if said else lead
    return report.Page(
        title=found.paper.title, lead=lead, sections=sections, provenance=about, cards=cards
    )
