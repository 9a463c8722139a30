"""A merged state, and how it came to be."""

from dataclasses import dataclass

from ridgeline.merging.pool import Strategy
from ridgeline.numerals import several
from ridgeline.state import State

__all__ = ["Merged"]


@dataclass(frozen=True, eq=False)
class Merged:
    """A merged state, and how it came to be."""

    state: State
    by: Strategy
    """The strategy, with its settings."""
    count: int
    """States that were merged."""
    weights: tuple[float, ...] | None
    """As they were given."""
    merged: tuple[str, ...]
    """Floating tensors that were merged; all others are the first state's."""
    averaged: tuple[str, ...] = ()
    """Running statistics that are means of the states', and so those of no network."""
    remarks: tuple[str, ...] = ()
    """What else must be known before the state is used."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Return what must be known before the state is used."""
        if not self.averaged:
            return self.remarks
        note = (
            f"{len(self.averaged)} running statistics were averaged; they are those of no network: "
            "recompute them on data before use."
        )
        return (note, *self.remarks)

    def __str__(self) -> str:
        kept = sum(x.is_floating_point() for x in self.state.values()) - len(self.merged)
        held = f"; {kept} as in the first" if kept else ""
        states, tensors = several(self.count, "state"), several(len(self.merged), "tensor")
        lines = [f"{states} merged by {self.by}: {tensors}{held}"]
        return "\n".join([*lines, *(f"  {note}" for note in self.notes)])
