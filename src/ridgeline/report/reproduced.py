"""A reproduction in words, as JSON, as Markdown and as a page."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ridgeline.io.writing import version
from ridgeline.numerals import duration
from ridgeline.report.charts import chart_figure
from ridgeline.report.ended import ended_said, errors_said, untrained_said, verdicts_said
from ridgeline.report.page import Card, Page, Section
from ridgeline.report.summary import envelope
from ridgeline.report.verdicts import verdicts_markdown

if TYPE_CHECKING:
    from ridgeline.study.reproduction import Answer, Ended, Reproduction

__all__ = [
    "reproduction_header",
    "reproduction_markdown",
    "reproduction_page",
    "reproduction_warnings",
    "summarise_reproductions",
]

TRIAL = "smoke"
CONSTRUCTED = "A construction: it uses neither the scale's data nor its networks."
TRIED = "Scale smoke says whether it runs, not what is true."


def reproduction_header(found: "Reproduction") -> list[str]:
    """Lines above the verdicts: how many hold, on what, and at what the networks ended.

    Args:
        found: A paper at a scale.
    """
    counts = verdicts_said(found.measured, found.constructed)
    took = f"{counts}; {found.runs} runs, {duration(found.seconds)}"
    lines = [f"{found.paper.name} at scale {found.scale.name}: {took}"]
    if found.scale.name == TRIAL:
        lines.append(f"  {TRIED}")
    elif not found.scale.about:
        lines.append(f"  {found.scale.described}")
    return [*lines, *(f"  {a.item.name}: {ended_said(a.ended)}" for a in found.answers if a.ended)]


def reproduction_warnings(found: "Reproduction") -> list[str]:
    """Warnings of networks far from a minimum; items whose networks ended alike are told once.

    Args:
        found: A paper at a scale.
    """
    said: dict[str, list[str]] = {}
    for answer in found.answers:
        if answer.ended is not None and (text := untrained_said(answer.ended)):
            said.setdefault(text, []).append(answer.item.name)
    return [f"{', '.join(items)}: {text}" for text, items in said.items()]


def summarise_reproductions(found: "Sequence[Reproduction]") -> dict[str, Any]:
    """Papers and verdicts in plain values: JSON, of a stated format.

    Args:
        found: Papers, each at a scale.
    """
    return envelope("reproduction", papers=[_paper(one) for one in found])


def _paper(one: "Reproduction") -> dict[str, Any]:
    return {
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


def _in_short(found: "Reproduction") -> list[str]:
    """The warnings as one sentence: each is said in full beside its item."""
    said = reproduction_warnings(found)
    if len(said) < 2:
        return [f"Warning: {warning}" for warning in said]
    far = [answer for answer in found.answers if answer.ended and answer.ended.wrong]
    wrong = [error for answer in far if answer.ended for error in answer.ended.wrong]
    with_runs = sum(answer.ended is not None for answer in found.answers)
    return [
        f"Warning: in {len(far)} of {with_runs} items with trained networks, some still "
        f"misclassify {errors_said(wrong)} of their training data; each item says how many."
    ]


def _ended(ended: "Ended") -> dict[str, Any]:
    return {
        "runs": ended.runs,
        "loss": list(ended.loss) if ended.loss else None,
        "error": list(ended.error) if ended.error else None,
        "diverged": ended.diverged,
        "far_from_a_minimum": len(ended.wrong),
    }


def reproduction_markdown(found: "Reproduction", command: str) -> str:
    """Verdicts as a Markdown page, to be kept with the code.

    Args:
        found: A paper at a scale.
        command: What makes these numbers again.
    """
    about = f"Scale `{found.scale.name}`: {found.scale.described.rstrip('.')}. {found.runs} runs."
    about += f" {TRIED}" if found.scale.name == TRIAL and "not what is true" not in about else ""
    left = [f"- {a.item.name}: {ended_said(a.ended)}" for a in found.answers if a.ended]
    left = ["At the end of training, on training data:\n\n" + "\n".join(left)] if left else []
    left += [f"**Warning.** {warning}" for warning in reproduction_warnings(found)]
    if ids := [verdict.claim.id for verdict in found.constructed]:
        left.append(f"Of constructions, without this scale's data and networks: {', '.join(ids)}.")
    left += [f"Left out: {a.item.name}: {a.left_out}" for a in found.answers if a.left_out]
    return verdicts_markdown(
        f"{found.paper.name}: {found.paper.title}",
        found.rows(),
        command=command,
        about="\n\n".join([about, *left]),
    )


def reproduction_page(found: "Reproduction", command: str, store: str) -> Page:
    """A page with a section for each item: figures, tables and a verdict for every claim.

    Args:
        found: A paper at a scale.
        command: What makes these numbers again.
        store: Where the runs are.
    """
    counted = found.measured or found.verdicts
    apart = len(found.verdicts) - len(counted)
    note = f"of {len(counted)} claims" + (f"; {apart} of constructions apart" if apart else "")
    cards = [
        Card(name, str(sum(v.outcome == outcome for v in counted)), note)
        for name, outcome in (("Hold", "holds"), ("Fail", "fails"), ("Undecided", "undecided"))
    ]
    cards.append(Card("Runs", str(found.runs), f"scale {found.scale.name}"))
    record = _paper(found)
    about = {
        "command": command,
        "store": store,
        "ridgeline": version(),
        **{k: record[k] for k in ("scale", "about", "overrides", "runs", "seconds")},
    }
    lead = f"{found.paper.authors}: {found.paper.where}. {found.paper.about}"
    said = [TRIED] if found.scale.name == TRIAL else []
    said += [f"Measured on {found.scale.described.rstrip('.')}."] if not found.scale.about else []
    said += _in_short(found)
    return Page(
        title=found.paper.title,
        lead=" ".join([*said, lead]),
        sections=[_section(answer) for answer in found.answers],
        provenance=about,
        cards=cards,
    )


def _section(answer: "Answer") -> Section:
    item, rows = answer.item, answer.rows
    text = [item.asks]
    if rows is None:
        text.append(f"Not measured: {answer.left_out}.")
    else:
        text += list(rows.notes)
        text += [f"Trained networks: {ended_said(answer.ended)}."] if answer.ended else []
        far = untrained_said(answer.ended) if answer.ended else ""
        text += [f"Warning: {far}"] if far else []
        text += [] if item.populations else [CONSTRUCTED]
        asked = {verdict.claim.id for verdict in answer.verdicts}
        unasked = [claim.id for claim in item.claims if claim.id not in asked]
        text += [f"Not measured at this scale: {', '.join(unasked)}."] if unasked else []
    return Section(
        f"{item.id} {item.title}",
        text=text,
        figures=[chart_figure(chart) for chart in answer.charts],
        tables=answer.tables,
        verdicts=answer.verdicts,
        reported=item.reported,
    )
