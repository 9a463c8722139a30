"""Verdicts on claims: as a table, as Markdown, on a terminal, and summed up."""

from collections.abc import Iterable, Mapping, Sequence
from textwrap import shorten
from typing import TYPE_CHECKING, Any

from ridgeline.charts import Row, Table
from ridgeline.report.estimates import estimate_words, interval_words
from ridgeline.report.markdown import escaped, markdown_table

if TYPE_CHECKING:
    from rich.console import Console

    from ridgeline.study.claims import Verdict

__all__ = [
    "OUTCOMES",
    "SOURCES",
    "render_verdicts",
    "tally",
    "verdict_records",
    "verdict_table",
    "verdicts_markdown",
]

OUTCOMES = {"holds": "✓", "fails": "✗", "undecided": "?"}
"""Outcomes with their signs, which tell them apart without colour."""
LONGEST = 60
"""Characters of a claim's sentence on a terminal."""
_PLURAL = {"holds": "hold", "fails": "fail", "undecided": "undecided"}
SOURCES = {
    "paper": "read in the paper or its code",
    "derived": "derived here, not said by the paper",
    "memory": "recalled, not checked against the paper",
}
"""How sure it is that the paper says so."""


def tally(outcomes: Iterable[str]) -> str:
    """Outcomes counted: ``7 hold, 2 fail, 1 undecided``; ``no claims`` if there is none.

    Args:
        outcomes: Each holds, fails or undecided.
    """
    counts = dict.fromkeys(OUTCOMES, 0)
    for outcome in outcomes:
        counts[outcome] += 1
    said = [
        f"{n} {'holds' if n == 1 and o == 'holds' else 'fails' if n == 1 and o == 'fails' else p}"
        for (o, n), p in zip(counts.items(), _PLURAL.values(), strict=True)
        if n
    ]
    return ", ".join(said) or "no claims"


def verdict_records(verdicts: Sequence["Verdict"], **more: Any) -> list[Row]:
    """Verdicts as flat rows, for files.

    Args:
        verdicts: Any number.
        **more: Columns that come first and are the same in every row.
    """
    return [{**more, **verdict.row()} for verdict in verdicts]


def verdict_table(verdicts: Sequence["Verdict"], *, title: str = "Claims") -> Table:
    """Verdicts as a table for reading.

    Args:
        verdicts: Any number.
        title: Of the table.

    Returns:
        Claim, sentence, place, source, test, estimate, 95 % interval, n, scale, verdict; the note
        says why those are undecided that lack cases.
    """
    rows = []
    for verdict in verdicts:
        claim, m = verdict.claim, verdict.measured
        estimate, _, _ = estimate_words(m.estimate, m.low, m.high).partition(" ")
        rows.append(
            [
                *(claim.id, claim.text, claim.place, claim.source, claim.test.words),
                *(estimate, interval_words(m.low, m.high) or "-", m.n, verdict.scale, m.outcome),
            ]
        )
    columns = ("claim", "sentence", "place", "source", "what was tested", "estimate")
    why = [f"{v.claim.id}: {v.measured.why}" for v in verdicts if v.measured.why]
    note = f"{'; '.join(why)}." if why else ""
    return Table(title, [*columns, "95 % interval", "n", "scale", "verdict"], rows, note)


def verdicts_markdown(
    paper_title: str, rows: Sequence[Mapping[str, Any]], command: str, about: str = ""
) -> str:
    """Verdicts as a Markdown page (CommonMark with tables), to be kept with the code.

    Args:
        paper_title: Of the heading.
        rows: As from `Verdict.row`, null where a number is not finite.
        command: What makes these numbers again.
        about: A paragraph on how they were measured.

    Returns:
        Heading, `about`, the command, the count of outcomes, and a table of claim, what was
        tested, estimate with interval, n and verdict. The same rows give the same text.
    """
    scales = list(dict.fromkeys(str(row["scale"]) for row in rows))
    shares = list(dict.fromkeys(f"{100 * row['confidence']:g} %" for row in rows))
    parts = [f"# {escaped(paper_title)}"]
    parts += [about.strip()] if about.strip() else []
    parts.append(f"Made by:\n\n```console\n$ {command}\n```")
    if rows:
        parts.append(
            f"At scale {', '.join(map(escaped, scales))}: {tally(r['verdict'] for r in rows)}. "
            f"Intervals are of {', '.join(shares)}; n is the number of cases."
        )
    lines = [_markdown_row(row, several=len(scales) > 1) for row in rows]
    columns = ["claim", "what was tested", "estimate [interval]", "n", "verdict"]
    parts.append(markdown_table(columns, lines) if lines else "No claim was measured.")
    marks = dict.fromkeys(str(row["source"]) for row in rows if row["source"] != "paper")
    parts += [f"- *{mark}*: {SOURCES[mark]}" for mark in marks]
    return "\n\n".join(parts) + "\n"


def _markdown_row(row: Mapping[str, Any], *, several: bool) -> list[str]:
    source = "" if row["source"] == "paper" else f"; *{escaped(str(row['source']))}*"
    place = f" ({escaped(str(row['place']))}{source})" if row["place"] else ""
    verdict = f"{OUTCOMES[row['verdict']]} **{row['verdict']}**"
    verdict += f": {escaped(str(row['why']))}" if row["why"] else ""
    scale = f" ({escaped(str(row['scale']))})" if several else ""
    return [
        f"**{escaped(str(row['claim']))}** {escaped(str(row['text']))}{place}",
        escaped(str(row["test"])),
        escaped(estimate_words(row["estimate"], row["low"], row["high"])),
        f"{row['n']}{scale}",
        verdict,
    ]


def render_verdicts(verdicts: Sequence["Verdict"], console: "Console") -> None:
    """Print verdicts: claim, verdict, estimate with interval, n, its sentence, what was tested.

    Plain ASCII without colours where the console is not a terminal or cannot show more.

    Args:
        verdicts: Any number.
        console: Where to.

    Raises:
        MissingExtra: If rich is not installed.
    """
    from ridgeline.report.terminal import fancy, plain_text, print_table, say, text_table

    rich = fancy(console)
    columns = ["claim", "verdict", "estimate", "n", "what it says", "what was tested"]
    table = text_table(columns, rich)
    colours = {"holds": "green", "fails": "red", "undecided": "yellow"}
    for verdict in verdicts:
        m = verdict.measured
        shown = f"{OUTCOMES[m.outcome]} {m.outcome}" if rich else m.outcome
        shown = f"[{colours[m.outcome]}]{shown}[/]" if rich else shown
        estimate = estimate_words(m.estimate, m.low, m.high)
        why = f" ({m.why})" if m.why else ""
        tested = plain_text(verdict.claim.test.words + why)
        says = plain_text(shorten(verdict.claim.text, LONGEST, placeholder=" ..."))
        row = [plain_text(verdict.claim.id), shown, plain_text(estimate), str(m.n), says, tested]
        table.add_row(*row)
    print_table(table, console)
    scales = ", ".join(dict.fromkeys(v.scale for v in verdicts))
    at = f" at scale {scales}" if scales else ""
    say(console, f"{tally(v.outcome for v in verdicts)}{at}; intervals are of 95 %")
