"""Exchange of whole modules: experts, branches, members, whose weights are tensors of their own.

No axis of a tensor holds such modules, so that they are no units of a group. What is exchanged is
whole tensors, along with the rows of a router that belong to them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from ridgeline.errors import UsageError
from ridgeline.symmetry.group import Group, Order, Place
from ridgeline.symmetry.members import Members

__all__ = ["Exchange", "Exchanged"]


@dataclass(frozen=True)
class Exchange:
    """Modules that may change places.

    Args:
        members: The modules, each with its tensors.
        rows: Tensors beside them, with an axis of each, and how many positions each module has
            there, one module after the other.
    """

    members: Members
    rows: tuple[tuple[str, int, int], ...] = ()

    @property
    def name(self) -> str:
        """That of the modules, with ``*`` in place of their number."""
        return self.members.name

    @property
    def size(self) -> int:
        """Number of modules."""
        return self.members.count

    @property
    def fibres(self) -> int:
        """One: they are exchanged among all of them."""
        return 1

    @property
    def places(self) -> tuple[Place, ...]:
        """Places of the rows that are exchanged along."""
        return tuple(
            Place(tensor, axis, np.arange(self.size * width).reshape(1, self.size, width))
            for tensor, axis, width in self.rows
        )

    def identity(self) -> Order:
        """The order that changes nothing."""
        return np.arange(self.size)[None]

    def check(self, order: Order) -> Order:
        """The order as integers of shape (1, size), if it is one.

        Raises:
            UsageError: If it is no permutation of the modules.
        """
        given = np.atleast_2d(np.asarray(order))
        if given.shape != (1, self.size) or sorted(given[0].tolist()) != list(range(self.size)):
            raise UsageError(
                f"An order of {self.name!r} is a permutation of {self.size} modules.",
                got=f"shape {given.shape}, {str(given.tolist())[:100]}",
            )
        return given.astype(np.int64)

    def tensors(self) -> Iterator[str]:
        """Names of the tensors that change, each once."""
        yield from (name for tensors in self.members.tensors for name in tensors)
        yield from dict.fromkeys(tensor for tensor, *_ in self.rows)


@dataclass(frozen=True, eq=False)
class Exchanged:
    """Puts modules into another order.

    Args:
        group: Which modules.
        order: Of shape (1, size): module i of the result is module ``order[0, i]`` of before.
    """

    group: Exchange
    order: Order

    def __post_init__(self) -> None:
        object.__setattr__(self, "order", self.group.check(self.order))

    def changed(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The tensors that it changes, as they are afterwards."""
        tensors, result = self.group.members.tensors, dict[str, Tensor]()
        for to, source in enumerate(self.order[0].tolist()):
            pairs = zip(tensors[to], tensors[source], strict=True)
            result.update((name, state[before]) for name, before in pairs if to != source)
        if self.group.rows:
            rows = Group(self.group.name, self.group.places)
            result.update(rows.permute(state, self.order))
        return result

    def inverse(self) -> "Exchanged":
        """The exchange back."""
        return Exchanged(self.group, np.argsort(self.order, 1))
