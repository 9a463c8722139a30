"""A paper's questions: items, each a figure or a table with its claims."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ridgeline.charts import Chart, Table
from ridgeline.errors import UnknownName
from ridgeline.frame import Frame
from ridgeline.frame.show import Show
from ridgeline.study.claims import Claim

if TYPE_CHECKING:
    from ridgeline.study.bench import Bench

__all__ = ["Item", "Paper"]


@dataclass(frozen=True, kw_only=True)
class Item:
    """One figure or table."""

    name: str
    """Lower case with hyphens, unique in its paper."""
    id: str
    """In the table of experiments of our specification: ``W2``. Several items may share one."""
    title: str
    asks: str
    """The question, in a sentence."""
    measure: "Callable[[Bench], Frame]"
    """Gives the rows that claims are questions to and that figures and tables show."""
    show: tuple[Show, ...] = ()
    """Figures and tables of the rows."""
    populations: tuple[str, ...] = ()
    """Which of the scale's it needs; at a scale that lacks one it is left out. Without any, it uses
    neither a scale's data nor its networks."""
    settings: tuple[str, ...] | None = None
    """Which values under the scale's ``measure`` it asks for; None if that is not declared, and a
    value that is missing is then found out only when the item asks."""
    claims: tuple[Claim, ...] = ()
    reported: str = ""
    """What the paper reports, as far as it is known, with how sure that is."""

    def shown(self, rows: Frame) -> list[Chart | Table]:
        """Make what is shown of the rows."""
        made = (show(rows) for show in self.show)
        return [
            one for some in made for one in ([some] if isinstance(some, Chart | Table) else some)
        ]

    def asked(self, rows: Frame) -> list[Claim]:
        """Return the claims that ask something of these rows."""
        return [claim for claim in self.claims if claim.test.asks(rows)]


@dataclass(frozen=True, kw_only=True)
class Paper:
    """Paper with its items: what it asks, and how that is asked again."""

    name: str
    """Author and year: ``wang2023``."""
    title: str
    authors: str
    where: str
    """Venue, year and number in arXiv."""
    items: tuple[Item, ...]
    about: str = ""
    """What is known of the paper's own settings, and what is not."""

    @property
    def populations(self) -> tuple[str, ...]:
        """All that some item needs."""
        return tuple(dict.fromkeys(name for item in self.items for name in item.populations))

    @property
    def settings(self) -> tuple[str, ...] | None:
        """All that some item asks for; None if an item does not declare its own."""
        found: dict[str, None] = {}
        for item in self.items:
            if item.settings is None:
                return None
            found |= dict.fromkeys(item.settings)
        return tuple(found)

    def item(self, name: str) -> Item:
        """The first of the items that a name or an identifier stands for.

        Raises:
            UnknownName: If it has none of this name.
        """
        return self.find(name)[0]

    def find(self, name: str) -> tuple[Item, ...]:
        """The item of a name, or all items of an identifier.

        Raises:
            UnknownName: If it has none of this name.
        """
        found = tuple(item for item in self.items if name in (item.name, item.id))
        if not found:
            raise UnknownName(f"item of {self.name}", name, [item.name for item in self.items])
        return found
