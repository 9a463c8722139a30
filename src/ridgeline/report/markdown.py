"""A profile's summary as Markdown, for issues, notebooks and logs."""

from collections.abc import Mapping, Sequence
from typing import Any

from ridgeline.report.words import measures_table, sentences

__all__ = ["escaped", "markdown_table", "to_markdown"]


def to_markdown(summary: Mapping[str, Any], *, title: str = "Profile") -> str:
    """Write a profile's summary as Markdown (CommonMark with tables).

    Args:
        summary: From `summarise`.
        title: Of the heading.

    Returns:
        Heading, sentences, table of measures and where the numbers come from.
    """
    t = summary["t"]
    parts = [f"# {title}", "\n".join(f"- {escaped(said)}" for said in sentences(summary))]
    table = measures_table({"": summary})
    cells = [[_cell(c) for c in row[1:]] for row in table.rows]
    parts.append(markdown_table([_cell(c) for c in table.columns[1:]], cells))
    parts.append(table.note)
    seen = [
        f"{split}: {s['evaluated']} of {s['of']} samples (standard errors of the {s['scope']})"
        for split, s in summary["samples"].items()
    ]
    parts.append(f"{len(t)} positions from t = {t[0]:g} to t = {t[-1]:g}; {'; '.join(seen)}.")
    path = summary["provenance"].get("path")
    if isinstance(path, Mapping):
        parts.append("Path: " + ", ".join(f"{escaped(k)} {_cell(v)}" for k, v in path.items()))
    return "\n\n".join(parts) + "\n"


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; its cells are Markdown already."""
    rule = "|" + "|".join(" --- " for _ in columns) + "|"
    lines = ["| " + " | ".join(cells) + " |" for cells in (columns, *rows)]
    return "\n".join([lines[0], rule, *lines[1:]])


def _cell(value: Any) -> str:
    return escaped(f"{value:.6g}" if isinstance(value, float) else str(value))


def escaped(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    text = " ".join(text.split())
    for mark in ("\\", "|", "*", "_", "<", "`"):
        text = text.replace(mark, f"\\{mark}")
    return text
