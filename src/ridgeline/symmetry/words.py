"""A symmetry in words: a line for each group, then what is left fixed and why."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ridgeline.symmetry.symmetry import Symmetry

__all__ = ["describe"]


def describe(symmetry: "Symmetry") -> str:
    """The symmetry as text.

    Args:
        symmetry: Any.
    """
    total = sum(g.fibres * g.size for g in symmetry.groups)
    lines = [
        f"{len(symmetry.groups)} groups of {total} units; they stand in "
        f"{symmetry.covered():.0%} of the numbers of the state; "
        f"10^{symmetry.elements / np.log(10):.0f} elements"
    ]
    for g in symmetry.groups:
        size = f"{g.size}" if g.fibres == 1 else f"{g.fibres} x {g.size}"
        inside = f" (inside {g.inside})" if g.inside else ""
        where = ", ".join(
            f"{p.tensor}[{p.axis}]" + (f" x{p.width}" if p.width > 1 else "") for p in g.places
        )
        lines.append(f"  {g.name}: {size}{inside}  {where}")
    for m in symmetry.scalings:
        places = zip(symmetry.group(m.group).places, m.powers, strict=True)
        parts = [f"{p.tensor}[{p.axis}]^{e}" for p, e in places if e]
        lines.append(f"  {m.name}, {'sign' if m.signs else 'positive factor'}: {', '.join(parts)}")
    if symmetry.fixed:
        lines.append("left fixed:")
        for why in dict.fromkeys(f.why for f in symmetry.fixed):
            named = [f"{f.tensor}[{f.axis}]" for f in symmetry.fixed if f.why == why]
            more = f" and {len(named) - 6} more" if len(named) > 6 else ""
            lines.append(f"  {why}: {', '.join(named[:6])}{more}")
    return "\n".join(lines)
