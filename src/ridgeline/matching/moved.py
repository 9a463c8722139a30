"""Account of what a transform did to the units of each group."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ridgeline.errors import UsageError
from ridgeline.symmetry import Action, Mixing, Permutation, Scaling, Symmetry, Transform
from ridgeline.symmetry.exchange import Exchanged
from ridgeline.symmetry.stacking import orders_of

__all__ = ["Moved", "moved_by"]

CLOSE = 1e-6
"""Up to this a matrix is the identity, or orthogonal, and a factor is 1."""


@dataclass(frozen=True)
class Moved:
    """Movement of the units of one group."""

    share: float = 0.0
    """Of its units, those that do not stay in their place."""
    how: tuple[str, ...] = ()
    """What acted on them besides: ``scaled``, ``sign-flipped``, ``rotated`` (by an orthogonal
    matrix), ``mixed`` (by another)."""

    def __bool__(self) -> bool:
        return bool(self.share or self.how)

    def __str__(self) -> str:
        moved = [f"{self.share:.0%} of its units moved"] if self.share or not self.how else []
        return ", ".join([*moved, *self.how])

    def summary(self) -> dict[str, Any]:
        """In plain values."""
        return {"share": self.share, "how": list(self.how)}


def moved_by(transform: Transform | None, symmetry: Symmetry) -> dict[str, Moved]:
    """Return what a transform did, by group.

    Args:
        transform: Of the symmetry; None moves nothing as a whole.
        symmetry: Whose groups; a unit counts as moved among its own fibre.
    """
    if transform is None:
        return {}
    how: dict[str, dict[str, None]] = {}
    for action in transform.actions:
        how.setdefault(action.group.name, {}).update(dict.fromkeys(_how(action)))
    for names in how.values():
        if "mixed" in names:
            names.pop("rotated", None)
    shares = _shares(transform, symmetry)
    return {n: Moved(shares.get(n, 0.0), tuple(how.get(n, ()))) for n in {**shares, **how}}


def _how(action: Action) -> list[str]:
    """Return what an action does beside permuting."""
    if isinstance(action, Scaling):
        scaled = (abs(abs(action.factors) - 1) > CLOSE).any()
        return ["scaled"] * bool(scaled) + ["sign-flipped"] * bool((action.factors < 0).any())
    if isinstance(action, (Permutation, Exchanged)):
        return []
    if isinstance(action, Mixing):
        still = torch.eye(action.group.size, dtype=action.matrices.dtype)
        if float((action.matrices - still).abs().max()) <= CLOSE:
            return []
        turned = float((action.matrices @ action.matrices.mT - still).abs().max()) <= CLOSE
        return ["rotated" if turned else "mixed"]
    return list(getattr(action, "how", ()))  # of a generator of one's own, if it says so


def _shares(transform: Transform, symmetry: Symmetry) -> dict[str, float]:
    """The share of units that are put elsewhere; scalings and mixings leave them in place."""
    kept = tuple(x for x in transform.actions if isinstance(x, (Permutation, Exchanged)))
    transform = Transform(kept, transform.ties)
    try:
        orders = orders_of(transform, symmetry)
    except UsageError:  # groups of another symmetry
        sizes = {a.group.name: a.order.size for a in kept}
        return {name: n / sizes[name] for name, n in transform.moved.items()}
    return {
        name: float((order != np.arange(order.shape[1])).mean())
        for name, order in orders.items()
        if order.size
    }
