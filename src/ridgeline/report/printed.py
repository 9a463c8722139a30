"""Tables of reports on a terminal."""

from typing import TYPE_CHECKING

from ridgeline.charts import Table
from ridgeline.numerals import number
from ridgeline.report.terminal import ASCII, fancy, plain_text, print_table, text_table

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["render_table"]


def render_table(table: Table, console: "Console") -> None:
    """Print a table of a report, and the note below it.

    Args:
        table: Any.
        console: Where to.

    Raises:
        MissingExtra: If rich is not installed.
    """
    rich = fancy(console)
    made = text_table(table.columns, rich)
    for row in table.rows:
        shown = (number(cell, 4) if isinstance(cell, float) else str(cell) for cell in row)
        made.add_row(*(plain_text(cell if rich else cell.translate(ASCII)) for cell in shown))
    print_table(made, console)
