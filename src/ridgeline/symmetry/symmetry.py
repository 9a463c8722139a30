"""The symmetry of a network: its groups of units, and the transforms that they make."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import prod

import torch
from torch import Tensor

from ridgeline.errors import StateMismatch, UnknownName, UsageError
from ridgeline.symmetry.exchange import Exchange, Exchanged
from ridgeline.symmetry.generator import Exchanges, Generator, Permutations, Scalings
from ridgeline.symmetry.group import Group, Order
from ridgeline.symmetry.scaling import Rescalable
from ridgeline.symmetry.transform import Action, Permutation, Transform
from ridgeline.symmetry.witness import Witness
from ridgeline.symmetry.words import describe

__all__ = ["Fixed", "Symmetry"]


@dataclass(frozen=True)
class Fixed:
    """An axis whose units are left where they are.

    Args:
        tensor: Name in the state.
        axis: Which axis of it.
        count: Positions on it that are left fixed.
        why: The reason.
    """

    tensor: str
    axis: int
    count: int
    why: str


@dataclass(frozen=True, eq=False)
class Symmetry:
    """Permutations of units that leave a network's function unchanged.

    Args:
        groups: Its groups, inner ones before those they stand inside of.
        shapes: The tensors of the network's state.
        fixed: What is left where it is, with the reason.
        ties: Other names of shared tensors, to their first names.
        scalings: Which groups' units may be multiplied, as `rescalable` finds; none by default.
        derived: What to say of how it was found: the shapes of the example, what was dropped.
        left_out: Outputs of the network that do not count, and may change.
        exchanges: Whole modules that may change places: experts, branches.
        witness: The network and an example, by which states that were carried are compared with
            what they were; not part of a copy or a pickle.
        more: Generators of one's own, not proved: `prove` them.
    """

    groups: tuple[Group, ...]
    shapes: Mapping[str, tuple[int, ...]]
    fixed: tuple[Fixed, ...] = ()
    ties: Mapping[str, str] = None  # type: ignore[assignment]  # an empty one, below
    scalings: tuple[Rescalable, ...] = ()
    derived: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    exchanges: tuple[Exchange, ...] = ()
    witness: Witness | None = None
    more: tuple[Generator, ...] = ()

    def __getstate__(self) -> dict[str, object]:
        return {**vars(self), "witness": None}  # a network may hold what cannot be pickled

    def __post_init__(self) -> None:
        object.__setattr__(self, "ties", dict(self.ties or {}))
        names = [g.name for g in (*self.groups, *self.exchanges, *self.more)]
        if twice := sorted({n for n in names if names.count(n) > 1}):
            raise UsageError("Groups bear different names.", got=", ".join(twice))
        for group in (*self.groups, *self.exchanges):
            self._check(group)
        for generator in self.more:
            self._check_tensors(generator)

    def _check_tensors(self, of: Group | Exchange | Generator) -> None:
        for name in of.tensors():
            if name not in self.shapes:
                raise UnknownName("tensor", name, list(self.shapes))

    def _check(self, group: Group | Exchange) -> None:
        self._check_tensors(group)
        members = group.members.tensors if isinstance(group, Exchange) else ()
        for several in zip(*members, strict=True):
            if len({tuple(self.shapes[name]) for name in several}) > 1:
                raise UsageError(
                    "Modules that change places have tensors of the same shapes.",
                    got=f"{group.name!r} with {several[0]!r} and others",
                )
        for place in group.places:
            shape = self.shapes[place.tensor]
            if not -len(shape) <= place.axis < len(shape) or place.index.max() >= shape[place.axis]:
                raise UsageError(
                    "The places of a group lie inside its tensors.",
                    got=f"{group.name!r}: axis {place.axis} of {place.tensor!r}, shape {shape}, "
                    f"position {int(place.index.max())}",
                )

    def group(self, name: str) -> Group:
        """A group by its name.

        Raises:
            UnknownName: If there is none; it names the nearest.
        """
        for group in self.groups:
            if group.name == name:
                return group
        raise UnknownName("group", name, [g.name for g in self.groups])

    @property
    def generators(self) -> tuple[Generator, ...]:
        """All of its generators in the order in which an element acts, inner ones first."""
        return (
            *map(Permutations, self.groups),
            *map(Exchanges, self.exchanges),
            *(Scalings(self.group(m.group), m) for m in self.scalings),
            *self.more,
        )

    def named(self, name: str) -> Group | Exchange | Generator:
        """A group, an exchange or a generator of one's own by its name.

        Raises:
            UnknownName: If there is none; it names the nearest.
        """
        self._known(name)
        return next(g for g in (*self.groups, *self.exchanges, *self.more) if g.name == name)

    def _known(self, *names: str) -> None:
        known = [g.name for g in (*self.groups, *self.exchanges, *self.more)]
        for name in names:
            if name not in known:
                raise UnknownName("group", name, known)

    def without(self, *names: str) -> "Symmetry":
        """The symmetry with some groups forbidden, and what stands inside them kept.

        Args:
            names: Of groups, exchanges and generators of one's own.
        """
        self._known(*names)
        kept = tuple(
            replace(g, inside=None) if g.inside in names else g
            for g in self.groups
            if g.name not in names
        )
        scalings = tuple(m for m in self.scalings if m.group not in names)
        exchanges = tuple(e for e in self.exchanges if e.name not in names)
        more = tuple(g for g in self.more if not {g.name, g.of} & set(names))
        return replace(self, groups=kept, scalings=scalings, exchanges=exchanges, more=more)

    def only(self, *names: str) -> "Symmetry":
        """The symmetry with no groups and exchanges but these."""
        self._known(*names)
        every = (*self.groups, *self.exchanges, *self.more)
        return self.without(*(g.name for g in every if g.name not in names))

    def adding(self, *parts: Group | Generator) -> "Symmetry":
        """The symmetry with groups and generators of one's own, not proved: `prove` them."""
        groups = tuple(g for g in parts if isinstance(g, Group))
        more = tuple(g for g in parts if isinstance(g, Generator))
        return replace(self, groups=(*self.groups, *groups), more=(*self.more, *more))

    def transform(self, orders: Mapping[str, Order]) -> Transform:
        """The element with given orders, inner groups first.

        Args:
            orders: Name of a group, or of an exchange, to its order; those that are left out
                stay as they are.

        Raises:
            UnknownName: If a name is of no group.
            UsageError: If an order is no permutation of its group.
        """
        self._known(*orders)
        actions: list[Action] = [
            Permutation(g, orders[g.name]) for g in self.groups if g.name in orders
        ]
        actions += [Exchanged(e, orders[e.name]) for e in self.exchanges if e.name in orders]
        return Transform(tuple(actions), self.ties)

    def identity(self) -> Transform:
        """The element that changes nothing."""
        return Transform((), self.ties)

    def scaling(self, member: Rescalable, *, seed: int, spread: float = 1.0) -> Transform:
        """The element that multiplies by random factors, or flips random signs.

        Args:
            member: One of `scalings`.
            seed: Of the stream ``scaling``, one for each member.
            spread: Factors lie between 2 to the power of minus this and of this.
        """
        return Transform((member.random(self.group(member.group), seed, spread),), self.ties)

    def random(
        self,
        seed: int,
        *,
        groups: Iterable[str] | None = None,
        scalings: bool = False,
        spread: float = 1.0,
    ) -> Transform:
        """A uniformly random permutation of units.

        Args:
            seed: Of the stream ``symmetry``, one for each group.
            groups: Names of those to act on, exchanges and generators of one's own among them; all
                by default.
            scalings: Multiply units by random factors and signs too, where they may be.
            spread: Of the factors; see `scaling`.
        """
        every = [g for g in self.generators if scalings or not isinstance(g, Scalings)]
        if groups is not None:
            groups = list(groups)
            self._known(*groups)
            every = [g for g in every if g.of in groups]
        actions = [
            g.member.random(g.group, seed, spread) if isinstance(g, Scalings) else g.random(seed)
            for g in every
        ]
        return Transform(tuple(actions), self.ties)

    def check(self, state: Mapping[str, Tensor]) -> None:
        """Refuse a state that the symmetry is not of.

        Raises:
            StateMismatch: If tensors differ in name or shape, or names of one tensor of the
                network hold different values; with a diff.
        """
        shapes = {n: tuple(x.shape) for n, x in state.items()}
        wanted = {n: s for n, s in self.shapes.items() if n not in self.ties}
        missing = {n: s for n, s in wanted.items() if n not in shapes}
        changed: dict[str, tuple[object, object]] = {
            n: (s, shapes[n]) for n, s in wanted.items() if n in shapes and shapes[n] != s
        }
        if missing or changed:
            raise StateMismatch(
                missing=missing,
                changed=changed,
                a="the symmetry",
                b="the state",
                remedy="A symmetry is of one architecture: discover it for this one, with "
                "`ridgeline.symmetries(model, example)`.",
            )
        apart: dict[str, tuple[object, object]] = {
            other: ("tied to " + first, "another value")
            for other, first in self.ties.items()
            if other in state and not torch.equal(state[first], state[other])
        }
        if apart:
            raise StateMismatch(
                changed=apart,
                a="the symmetry",
                b="the state",
                remedy="The network shares one tensor under both names; untie it there, or make "
                "the state's two tensors equal.",
            )

    @property
    def elements(self) -> float:
        """The natural logarithm of the number of elements."""
        return float(sum(g.elements for g in self.generators))

    def covered(self) -> float:
        """The share of the state's numbers in tensors that some group touches.

        It says nothing of how many of a network's symmetries were found: all tensors are touched
        where the hidden units of each expert move and whole experts do not. The number of
        `elements` does, where that of the architecture is known.
        """
        every = (*self.groups, *self.exchanges, *self.more)
        touched = {name for group in every for name in group.tensors()}
        sizes = {n: prod(s) for n, s in self.shapes.items() if n not in self.ties}
        return sum(sizes[n] for n in touched if n in sizes) / max(sum(sizes.values()), 1)

    def __repr__(self) -> str:
        return f"Symmetry(of {', '.join(g.name for g in self.groups) or 'nothing'})"

    def __str__(self) -> str:
        return describe(self)
