"""The overlap <a, g(b)> of two states, as a function of each group's order.

With all orders but one held it is linear in that one: unit j of b in the place of unit i of a
gains ``G[i, j]``, the sum over the group's places of the inner product of what the two units hold
there, b carried by the other groups. That is one matrix product per place, and a place's product
stays right until a group that stands in the same tensor moves; so each is kept (`products`).
"""

from collections.abc import Collection, Iterable, Mapping

import numpy as np
import torch
from torch import Tensor

from ridgeline import state as states
from ridgeline.errors import UsageError
from ridgeline.matching.products import Product, Standing, units
from ridgeline.symmetry import Symmetry
from ridgeline.symmetry.frame import Orders, children, depth

__all__ = ["Overlap"]


class Overlap:
    """The inner product over the coordinates that stand in a group.

    Args:
        a: A state.
        b: Another.
        symmetry: Its groups act on b.
        statistics: Count running statistics too; they are carried in any case.
        only: Names of tensors to count; all by default.

    Raises:
        UsageError: If no counted tensor stands in a group.
    """

    def __init__(
        self,
        a: Mapping[str, Tensor],
        b: Mapping[str, Tensor],
        symmetry: Symmetry,
        *,
        statistics: bool = False,
        only: Iterable[str] | None = None,
    ) -> None:
        self.symmetry = symmetry
        self.groups = {g.name: g for g in symmetry.groups}
        self.inside = children(symmetry.groups)
        chosen = None if only is None else set(only)
        self.stands: dict[str, list[Standing]] = {}
        for g in sorted(symmetry.groups, key=lambda g: depth(g, self.groups)):
            for place in g.places:
                name = place.tensor
                counts = a[name].is_floating_point() and (chosen is None or name in chosen)
                if counts and (statistics or not states.is_statistic(name)):
                    self.stands.setdefault(name, []).append(Standing(g.name, place))
        if not self.stands and chosen is None:
            raise UsageError(
                "Matching by weights needs coordinates that stand in a group.",
                got=f"a symmetry of {len(symmetry.groups)} groups",
            )
        self.a = {name: states.wide(a[name].detach()) for name in self.stands}
        self.b = {name: states.wide(b[name].detach()) for name in self.stands}
        self.of: dict[str, list[Standing]] = {name: [] for name in self.groups}
        for held in self.stands.values():
            for standing in held:
                self.of[standing.group].append(standing)
        self.scale = states.norm(self.a, names=self.a) * states.norm(self.b, names=self.b)
        self._products = {
            s: Product(s.place, self.a[n], self.b[n], tuple(o for o in held if o is not s))
            for n, held in self.stands.items()
            for s in held
        }
        self._still = {name: g.identity() for name, g in self.groups.items()}

    # --- what depends on what ----------------------------------------------------------

    def tensors(self, name: str) -> list[str]:
        """Counted tensors that a group stands in, each once."""
        return list(dict.fromkeys(s.place.tensor for s in self.of[name]))

    def below(self, name: str) -> list[str]:
        """All groups that stand inside a group, at any depth."""
        found = []
        for child in self.inside[name]:
            found += [child, *self.below(child)]
        return found

    def twice(self, name: str) -> bool:
        """True if a group stands more than once in some tensor, so that the gain is not linear."""
        return len(self.of[name]) > len(self.tensors(name))

    def neighbours(self, name: str) -> list[str]:
        """Groups on whose orders a group's best order depends, itself if it stands twice."""
        own = {name, *self.below(name)}
        shared = [s.group for n in own for t in self.tensors(n) for s in self.stands[t]]
        known = [n for n in dict.fromkeys(shared) if n not in own]
        return [*known, name] if self.twice(name) else known

    # --- values ------------------------------------------------------------------------

    def identities(self) -> Orders:
        """Orders that change nothing; always the same arrays."""
        return dict(self._still)

    def carried(self, name: str, orders: Orders, skip: Standing | None = None) -> Tensor:
        """A tensor of b, carried by all places but one."""
        x = self.b[name]
        for s in self.stands[name]:
            if s is not skip and orders[s.group] is not self._still[s.group]:
                x = s.place.permute(x, orders[s.group])
        return x

    def value(self, orders: Orders, tensors: Iterable[str] | None = None) -> float:
        """The overlap, in float64.

        Args:
            orders: Of every group, in the frame.
            tensors: Sum over these only.
        """
        names = list(self.stands if tensors is None else tensors)
        if not names:
            return 0.0
        return states.dot(self.a, {n: self.carried(n, orders) for n in names}, names=names)

    def perfect(self, orders: Orders) -> bool:
        """True if b, carried, is a to the last bit in all that counts: nothing overlaps more.

        Args:
            orders: Of every group, in the frame.
        """
        return all(torch.equal(self.a[n], self.carried(n, orders)) for n in self.stands)

    def gains(self, name: str, orders: Orders, only: Collection[str] | None = None) -> np.ndarray:
        """Return what each unit of b gains in each place; linearised where a group stands twice.

        Args:
            name: A group's.
            orders: Of every group, in the frame.
            only: Names of tensors to count; all by default.

        Returns:
            Shape (fibres, size, size); i, j is for unit j of b, carried by all other groups,
            in the place of unit i of a.
        """
        group = self.groups[name]
        total = np.zeros((group.fibres, group.size, group.size), self._type(name))
        for standing in self._among(name, only):
            total += self._products[standing](orders)
        return total

    def _type(self, name: str) -> type:
        doubles = any(self.a[t].dtype == torch.float64 for t in self.tensors(name))
        return np.float64 if doubles else np.float32

    def _among(self, name: str, only: Collection[str] | None) -> list[Standing]:
        return [s for s in self.of[name] if only is None or s.place.tensor in only]

    def held(self, name: str, orders: Orders, only: Collection[str] | None = None) -> np.ndarray:
        """Return what each unit of the result overlaps with a's, over all that it holds.

        Returns:
            Shape (fibres, size), float64.
        """
        group = self.groups[name]
        total = np.zeros((group.fibres, group.size))
        for s in self._among(name, only):
            tensor = s.place.tensor
            mine, theirs = (units(s.place, x) for x in (self.a[tensor],
                                                        self.carried(tensor, orders)))  # fmt: skip
            total += (mine * theirs).sum(-1, dtype=torch.float64).cpu().numpy()
        return total
