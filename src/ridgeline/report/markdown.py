"""A profile's summary as Markdown, for issues, notebooks and logs."""

from collections.abc import Mapping, Sequence
from typing import Any

from ridgeline.report.tables import Table
from ridgeline.report.words import measures_table, sentences

__all__ = ["to_markdown"]


def to_markdown(summary: Mapping[str, Any], *, title: str = "Profile") -> str:
    """Write a profile's summary as Markdown (CommonMark with tables).

    Args:
        summary: From `summarise`.
        title: Of the heading.

    Returns:
        Heading, sentences, table of measures and where the numbers come from.
    """
    t = summary["t"]
    parts = [f"# {title}", "\n".join(f"- {_escaped(said)}" for said in sentences(summary))]
    table = measures_table({"": summary})
    parts.append(_table(Table(table.title, table.columns[1:], [r[1:] for r in table.rows])))
    parts.append(table.note)
    seen = [
        f"{split}: {s['evaluated']} of {s['of']} samples (standard errors of the {s['scope']})"
        for split, s in summary["samples"].items()
    ]
    parts.append(f"{len(t)} positions from t = {t[0]:g} to t = {t[-1]:g}; {'; '.join(seen)}.")
    path = summary["provenance"].get("path")
    if isinstance(path, Mapping):
        parts.append("Path: " + ", ".join(f"{_escaped(k)} {_cell(v)}" for k, v in path.items()))
    return "\n\n".join(parts) + "\n"


def _table(table: Table) -> str:
    def line(cells: Sequence[Any]) -> str:
        return "| " + " | ".join(_cell(c) for c in cells) + " |"

    rule = "|" + "|".join(" --- " for _ in table.columns) + "|"
    return "\n".join([line(table.columns), rule, *(line(row) for row in table.rows)])


def _cell(value: Any) -> str:
    return _escaped(f"{value:.6g}" if isinstance(value, float) else str(value))


def _escaped(text: str) -> str:
    for mark in ("\\", "|", "*", "_", "<", "`"):
        text = text.replace(mark, f"\\{mark}")
    return text
