"""Elements that were found in many steps, in as few actions as say the same."""

from ridgeline.symmetry.stacking import orders_of
from ridgeline.symmetry.symmetry import Symmetry
from ridgeline.symmetry.transform import Action, Transform

__all__ = ["shortened"]


def shortened(element: Transform, symmetry: Symmetry) -> Transform:
    """The same element in fewer actions.

    Permutations alone become one for each group. Of other actions, one that can say what it is
    after another, by a method ``after(first)``, is joined with the one before it.

    Args:
        element: Of the symmetry.
        symmetry: Whose groups.
    """
    if element.permutes:
        return symmetry.transform(orders_of(element, symmetry))
    found: list[Action] = []
    for action in element.actions:
        after = getattr(action, "after", None)
        last = found[-1] if found else None
        same = last is not None and type(last) is type(action)
        one = after(last) if after is not None and same else None
        found[len(found) - (one is not None) :] = [action if one is None else one]
    return Transform(tuple(found), element.ties)
