"""One page that tells a story: sentences, figures, tables, and where the numbers come from.

The page is one file that loads nothing. Each figure is in it as an SVG, which is what is read
without JavaScript and what is printed; a small script says the values that are pointed at.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ridgeline.charts import Table, slug
from ridgeline.errors import UsageError
from ridgeline.io.writing import atomic_path, version
from ridgeline.report.figures import Figure, Format
from ridgeline.report.filters import flat
from ridgeline.report.style import DARK, LIGHT
from ridgeline.report.summary import plain
from ridgeline.report.tables import write_csv
from ridgeline.report.templating import template
from ridgeline.report.verdicts import OUTCOMES, SOURCES, tally, verdict_records

if TYPE_CHECKING:
    from ridgeline.study.claims import Verdict

__all__ = ["Card", "Page", "Section", "verdict_card", "write_page"]


@dataclass(frozen=True)
class Card:
    """One number at the top of a page."""

    label: str
    value: str
    note: str = ""


def verdict_card(verdicts: Sequence["Verdict"], label: str = "Claims") -> Card:
    """How many claims hold, fail and are undecided, as a card.

    Args:
        verdicts: Any number.
        label: Of the card.
    """
    scales = ", ".join(dict.fromkeys(v.scale for v in verdicts))
    note = f"of {len(verdicts)}" + (f", at scale {scales}" if scales else "")
    return Card(label, tally(v.outcome for v in verdicts), note)


@dataclass(frozen=True, eq=False)
class Section:
    """One question and its answer."""

    title: str
    text: Sequence[str] = ()
    """Paragraphs."""
    figures: Sequence[Figure] = ()
    tables: Sequence[Table] = ()
    verdicts: Sequence["Verdict"] = ()
    """Of the claims that it asks about."""
    reported: str = ""
    """What the paper reports."""

    @property
    def anchor(self) -> str:
        """For links within the page."""
        return slug(self.title)


@dataclass(frozen=True, eq=False)
class Page:
    """A page; `html` makes it."""

    title: str
    lead: str
    """The sentence with the main number."""
    sections: Sequence[Section]
    provenance: Mapping[str, Any] = field(default_factory=dict)
    cards: Sequence[Card] = ()

    def __post_init__(self) -> None:
        for what, names in (
            ("figure", [f.name for f in self.figures()]),
            ("section", [s.anchor for s in self.sections]),
        ):
            twice = sorted({n for n in names if names.count(n) > 1})
            if twice:
                raise UsageError(
                    f"Every {what} of a page has a name of its own.",
                    got=f"twice: {', '.join(twice)}",
                )

    def figures(self) -> list[Figure]:
        """All figures, in order."""
        return [figure for section in self.sections for figure in section.figures]

    def verdicts(self) -> list["Verdict"]:
        """All verdicts, in order."""
        return [verdict for section in self.sections for verdict in section.verdicts]

    def html(self) -> str:
        """The page as one self-contained file; the same page is the same bytes.

        Returns:
            HTML with styles, data and pictures inside; nothing is loaded.

        Raises:
            MissingExtra: If jinja2 or matplotlib is not installed.
        """
        return template("page.html.j2").render(
            page=self,
            version=version(),
            light=LIGHT,
            dark=DARK,
            signs=OUTCOMES,
            sources=SOURCES,
            provenance=list(flat(plain(self.provenance))),
        )


def write_page(
    page: Page,
    directory: str | os.PathLike[str],
    *,
    formats: Sequence[Format] = ("png", "pdf", "svg"),
    overwrite: bool = False,
) -> Path:
    """Write a page with its figures for papers and the tables that they are drawn from.

    Each file appears whole or not at all, ``report.html`` last. To have all or nothing of the
    folder too, write within `ridgeline.io.writing.fresh_directory`.

    Args:
        page: What to write.
        directory: Gets ``report.html``, ``figures/`` and ``tables/``; made if it is missing.
        formats: Of the figures.
        overwrite: Whether existing files may be replaced.

    Returns:
        The page's file.

    Raises:
        MissingExtra: If a package of the extra `report` is not installed.
        OutputError: If a file exists or cannot be written.
    """
    text = page.html()  # first: what cannot be rendered leaves no files behind
    folder = Path(directory)
    for figure in page.figures():
        figure.save(folder / "figures", formats, overwrite=overwrite)
    taken = {"verdicts"} if page.verdicts() else set[str]()
    for section in page.sections:
        for table in section.tables:
            name = table.name if table.name not in taken else f"{section.anchor}-{table.name}"
            taken.add(name)
            write_csv(table.records(), folder / "tables" / f"{name}.csv", overwrite=overwrite)
    records = [
        row
        for section in page.sections
        for row in verdict_records(section.verdicts, section=section.title)
    ]
    if records:
        write_csv(records, folder / "tables" / "verdicts.csv", overwrite=overwrite)
    with atomic_path(folder / "report.html", overwrite=overwrite) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return folder / "report.html"
