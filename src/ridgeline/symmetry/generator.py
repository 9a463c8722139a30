"""Generators: kinds of elements that leave a network's function unchanged, a class for each.

A symmetry is an ordered tuple of them. Whoever proves a symmetry, draws from it or brings a state
nearer to another asks each generator for elements and knows nothing else of it: permutations of a
group's units, exchanges of whole modules, factors and signs of units are four of them, and one
more is a class of one's own, in a file of one's own, that goes through proof, alignment, files and
words as these do. An element is an `Action`; elements compose as the actions of a `Transform`.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import lgamma
from typing import Any, ClassVar, Self

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from ridgeline.errors import UsageError
from ridgeline.rng import seed_of
from ridgeline.symmetry.exchange import Exchange, Exchanged
from ridgeline.symmetry.group import Group, Order
from ridgeline.symmetry.scaling import Rescalable, Scaling
from ridgeline.symmetry.transform import Action, Permutation
from ridgeline.symmetry.turns import SMALL, cycles

__all__ = ["Exchanges", "Generator", "Permutations", "Scalings"]

SPREADS = (1.0, 7.0)
"""Logarithms to base 2 of the largest factors at the example of a proof, and far from it."""


class Generator(ABC):
    """A kind of element, of which a symmetry holds any number.

    Elements of one generator that act on parts of their own, as on the channels inside of each
    head, have a fibre for each part.
    """

    kind: ClassVar[str] = ""
    """Tells generators of one's own apart in a file."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Its name, as no other of its symmetry is."""

    @property
    def of(self) -> str:
        """The generator without which it is none: the group whose units it scales; else itself."""
        return self.name

    @property
    def fibres(self) -> int:
        """Parts that are acted on each on its own."""
        return 1

    @property
    def units(self) -> int:
        """Things that it moves, over all fibres."""
        return self.fibres

    @property
    def elements(self) -> float:
        """The natural logarithm of the number of elements; 0 where they are no finite number."""
        return 0.0

    @property
    def apart(self) -> bool:
        """True if a proof must tell fibres apart: two may be turned alike by chance."""
        return self.fibres > 1

    @abstractmethod
    def tensors(self) -> Iterator[str]:
        """Names of the tensors that elements change, each once."""

    @abstractmethod
    def identity(self) -> Action:
        """The element that changes nothing."""

    @abstractmethod
    def random(self, seed: int) -> Action:
        """An element at random.

        Args:
            seed: Of a stream of the generator's own.
        """

    @abstractmethod
    def moving(self, seed: int, turn: int, fibres: np.ndarray | None = None) -> Action:
        """An element that a proof tries: it moves every unit.

        Args:
            seed: Of what is drawn.
            turn: 0 at the example and 1 far from it. The two elements generate all others,
                together with those of the generator that this one is `of`.
            fibres: Which fibres to act on; all by default.
        """

    @abstractmethod
    def best(self, a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> Action:
        """The element g of largest ``<a, g(b)>`` over the tensors that it changes, or near it.

        Args:
            a: A state.
            b: Another.
        """

    @abstractmethod
    def words(self) -> str:
        """Its effect and where it acts, for a line of a description."""

    def joined(self, others: Sequence["Generator"]) -> "Generator | None":
        """This generator and others as one, whose `best` is the best of all of them together.

        Args:
            others: Of the same symmetry.

        Returns:
            None by default: they are matched in turn.
        """
        del others
        return None

    def contains(self, group: Group) -> bool:
        """True if the permutations of a group are among its elements.

        Args:
            group: As it was derived from a trace; it is not needed beside this generator.
        """
        del group
        return False

    def canonical(self, state: Mapping[str, Tensor]) -> Action:
        """The element that brings a state into the form that stands for all it leads to.

        Args:
            state: Of the network.

        Returns:
            The identity by default: the generator has no form of its own.
        """
        del state
        return self.identity()

    def plain(self) -> Mapping[str, Any]:
        """Its form in a file, in plain values of JSON; `given` takes it back.

        Raises:
            UsageError: If it has no such form.
        """
        raise UsageError(
            "A generator that is saved says in plain values what it is.",
            got=f"{type(self).__name__}, which does not",
            remedy="Give it a `kind` and the methods `plain` and `given`.",
        )

    @classmethod
    def given(cls, tree: Mapping[str, Any]) -> Self:
        """The generator that was written.

        Args:
            tree: As `plain` gave.
        """
        return cls(**tree)


class _Orders(Generator):
    """Orders of what is alike, fibre by fibre: units of a group, or whole modules."""

    @property
    @abstractmethod
    def ordered(self) -> Group | Exchange:
        """Description of what is ordered, and where it stands."""

    @abstractmethod
    def by(self, order: Order) -> Action:
        """The element of an order.

        Args:
            order: Shape (fibres, units): unit i becomes what unit ``order[f, i]`` was.
        """

    @property
    def name(self) -> str:
        """That of what is ordered."""
        return self.ordered.name

    @property
    def fibres(self) -> int:
        """Those of what is ordered."""
        return self.ordered.fibres

    @property
    def units(self) -> int:
        """Those of all fibres."""
        return self.ordered.fibres * self.ordered.size

    @property
    def elements(self) -> float:
        """The natural logarithm of the number of orders."""
        return self.ordered.fibres * lgamma(self.ordered.size + 1)

    @property
    def apart(self) -> bool:
        """True of small fibres: cycles of many units are not alike by chance."""
        return self.ordered.size <= SMALL

    def tensors(self) -> Iterator[str]:
        """Names of the tensors that change."""
        return self.ordered.tensors()

    def identity(self) -> Action:
        """The order as it is."""
        return self.by(self.ordered.identity())

    def random(self, seed: int) -> Action:
        """A uniformly random order of each fibre."""
        draws = np.random.default_rng(seed_of(seed, "symmetry", self.name))
        return self.by(draws.permuted(self.ordered.identity(), axis=1))

    def moving(self, seed: int, turn: int, fibres: np.ndarray | None = None) -> Action:
        """A cycle through all units, or the same with two neighbours exchanged."""
        order = cycles(self.ordered, seed)[turn]
        chosen = True if fibres is None else fibres[:, None]
        return self.by(np.where(chosen, order, np.arange(order.shape[1])))


@dataclass(frozen=True, eq=False)
class Permutations(_Orders):
    """Permutations of the units of a group, fibre by fibre."""

    group: Group

    @property
    def ordered(self) -> Group:
        """The group."""
        return self.group

    def by(self, order: Order) -> Permutation:
        """The permutation by an order."""
        return Permutation(self.group, order)

    def best(self, a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> Permutation:
        """The assignment of largest overlap, all places together; linearised where two cross."""
        places = [p for p in self.group.places if a[p.tensor].is_floating_point()]
        pairs = [(p.units(a[p.tensor]).double(), p.units(b[p.tensor]).double()) for p in places]
        total = sum((x @ y.mT for x, y in pairs), torch.zeros((), dtype=torch.float64))
        gains = np.broadcast_to(total.numpy(), (self.group.fibres, *2 * (self.group.size,)))
        orders = [linear_sum_assignment(-gain)[1] for gain in gains]
        return Permutation(self.group, np.stack(orders))

    def words(self) -> str:
        """The number of units that change places."""
        return f"permutations of {self.group.fibres} x {self.group.size} units"


@dataclass(frozen=True, eq=False)
class Exchanges(_Orders):
    """Exchanges of whole modules, whose weights are tensors of their own."""

    exchange: Exchange

    @property
    def ordered(self) -> Exchange:
        """The exchange."""
        return self.exchange

    def by(self, order: Order) -> Exchanged:
        """The exchange by an order."""
        return Exchanged(self.exchange, order)

    def best(self, a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> Exchanged:
        """The assignment of modules of largest overlap, as their units stand now."""
        tensors = self.exchange.members.tensors
        gains = np.array([[_overlap(a, x, b, y) for y in tensors] for x in tensors])
        for place in self.exchange.places:
            x, y = (place.units(state[place.tensor])[0].double() for state in (a, b))
            gains = gains + (x @ y.T).numpy()
        return Exchanged(self.exchange, linear_sum_assignment(-gains)[1][None])

    def words(self) -> str:
        """The number of modules that change places."""
        return f"exchanges of {self.exchange.size} modules"


@dataclass(frozen=True, eq=False)
class Scalings(Generator):
    """Positive factors, or signs, of a group's units."""

    group: Group
    member: Rescalable

    @property
    def name(self) -> str:
        """The member's."""
        return self.member.name

    @property
    def of(self) -> str:
        """The group whose units are multiplied."""
        return self.group.name

    @property
    def fibres(self) -> int:
        """The group's."""
        return self.group.fibres

    @property
    def units(self) -> int:
        """Those of all fibres."""
        return self.group.fibres * self.group.size

    def tensors(self) -> Iterator[str]:
        """Names of the tensors that are multiplied."""
        places = zip(self.group.places, self.member.powers, strict=True)
        yield from dict.fromkeys(p.tensor for p, power in places if power)

    def identity(self) -> Scaling:
        """Factors of 1."""
        return self._by(np.ones((self.group.fibres, self.group.size)))

    def random(self, seed: int) -> Scaling:
        """Signs at random, or factors between 1/2 and 2."""
        return self.member.random(self.group, seed)

    def moving(self, seed: int, turn: int, fibres: np.ndarray | None = None) -> Scaling:
        """Factors away from 1, or an odd number of signs in each fibre."""
        return self.member.moving(self.group, seed + turn, SPREADS[turn], fibres)

    def best(self, a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> Scaling:
        """The signs of largest overlap; of factors, those that give units the norms that a's have.

        The overlap grows without bound with a factor, so that these make the parts that units
        hold where they are made as long as a's.
        """
        inner = norm_a = norm_b = 0.0
        for place, power in zip(self.group.places, self.member.powers, strict=True):
            if power % 2 if self.member.signs else power > 0:
                x, y = (place.units(s[place.tensor]).double() for s in (a, b))
                inner = inner + (x * y).sum(-1).numpy()
                norm_a, norm_b = (n + v.square().sum(-1).numpy()
                                  for n, v in ((norm_a, x), (norm_b, y)))  # fmt: skip
        if self.member.signs:
            return self._by(np.where(np.asarray(inner) < 0, -1.0, 1.0))
        live = (np.asarray(norm_a) > 0) & (np.asarray(norm_b) > 0)
        ratio = np.divide(norm_a, norm_b, out=np.ones(live.shape), where=live)
        return self._by(np.sqrt(ratio) ** (1 / max(1, *self.member.powers)))

    def words(self) -> str:
        """Signs or factors."""
        return "signs of units" if self.member.signs else "positive factors of units"

    def _by(self, factors: np.ndarray) -> Scaling:
        return Scaling(self.group, self.member, factors)


def _overlap(
    a: Mapping[str, Tensor], x: tuple[str, ...], b: Mapping[str, Tensor], y: tuple[str, ...]
) -> float:
    pairs = zip(x, y, strict=True)
    return sum(float((a[n].double() * b[m].double()).sum()) for n, m in pairs)
