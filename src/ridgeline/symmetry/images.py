"""Images of a network's values under an exchange of modules: what each of them becomes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Along", "Image", "Lost", "Of", "Pointer", "Several", "Stays"]


@dataclass(frozen=True)
class Along:
    """A value whose positions on an axis are those of members: it is put in their order.

    Args:
        axis: Which axis.
        order: The member at each position; -1 for none of them.
    """

    axis: int
    order: tuple[int, ...]


@dataclass(frozen=True)
class Pointer:
    """Integers that are numbers of members."""


@dataclass(frozen=True)
class Of:
    """A value of one member: it becomes what the same operations make of another one.

    Args:
        member: Which.
        made: A number for how, the same for values of other members that are made so.
        apart: True of a mask that is true nowhere where another member's is.
    """

    member: int
    made: int
    apart: bool = False


@dataclass(frozen=True)
class Several:
    """A value that a commutative operation has made of some of the members so far.

    Args:
        kind: The operation.
        rest: What else it was given.
        parts: For each member what it was given of it.
    """

    kind: Any
    rest: tuple[Any, ...]
    parts: Mapping[int, tuple[Any, ...]]


@dataclass(frozen=True)
class Stays:
    """A value that stays as it is, though it is made of some that do not."""


@dataclass(frozen=True)
class Lost:
    """A value that cannot be followed."""


Image = Any
"""One of these, None for a value that stays as it is, or a list for several results."""
