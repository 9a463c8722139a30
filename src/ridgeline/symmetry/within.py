"""A generator of a module's own tensors, in a network in which the module stands."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from ridgeline.symmetry.generator import Generator
from ridgeline.symmetry.group import Group, Place
from ridgeline.symmetry.transform import Action

__all__ = ["Inside", "Within", "bare"]


@dataclass(frozen=True, eq=False)
class Within(Generator):
    """A generator whose tensors are those of a module of a network.

    Args:
        inner: The generator, by the module's own names of tensors.
        prefix: Name of the module in the network; empty for the network itself.
        called: Its name in the network's symmetry; by default the module's before its own.
    """

    inner: Generator
    prefix: str
    called: str = ""

    kind = "within"

    @property
    def name(self) -> str:
        """The module's name and the generator's."""
        return self.called or _outer(self.prefix, self.inner.name)

    @property
    def of(self) -> str:
        """As that of the inner generator."""
        inner = self.inner
        return self.name if inner.of == inner.name else _outer(self.prefix, inner.of)

    @property
    def fibres(self) -> int:
        """Those of the inner generator."""
        return self.inner.fibres

    @property
    def units(self) -> int:
        """Those of the inner generator."""
        return self.inner.units

    @property
    def elements(self) -> float:
        """As of the inner generator."""
        return self.inner.elements

    @property
    def apart(self) -> bool:
        """As of the inner generator."""
        return self.inner.apart

    def tensors(self) -> Iterator[str]:
        """Names in the network."""
        yield from (_outer(self.prefix, name) for name in self.inner.tensors())

    def identity(self) -> "Inside":
        """The element that changes nothing."""
        return Inside(self, self.inner.identity())

    def random(self, seed: int) -> "Inside":
        """A random element of the inner generator."""
        return Inside(self, self.inner.random(seed))

    def moving(self, seed: int, turn: int, fibres: np.ndarray | None = None) -> "Inside":
        """An element of the inner generator that moves every unit."""
        return Inside(self, self.inner.moving(seed, turn, fibres))

    def best(self, a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> "Inside":
        """The best element of the inner generator for the module's tensors."""
        return Inside(self, self.inner.best(self.own(a), self.own(b)))

    def joined(self, others: Sequence[Generator]) -> "Within | None":
        """The inner generators as one, where all are of one module and can be so."""
        if not all(isinstance(g, Within) and g.prefix == self.prefix for g in others):
            return None
        inner = self.inner.joined([g.inner for g in others if isinstance(g, Within)])
        return None if inner is None else Within(inner, self.prefix)

    def contains(self, group: Group) -> bool:
        """True if the inner generator contains it, by the names within the module."""
        start = f"{self.prefix}." if self.prefix else ""
        if not all(p.tensor.startswith(start) for p in group.places):
            return False
        places = [Place(p.tensor[len(start) :], p.axis, p.index, p.within) for p in group.places]
        return self.inner.contains(Group(group.name, tuple(places), group.inside))

    def canonical(self, state: Mapping[str, Tensor]) -> "Inside":
        """The element to the inner generator's canonical form."""
        return Inside(self, self.inner.canonical(self.own(state)))

    def words(self) -> str:
        """Those of the inner generator."""
        return self.inner.words()

    def plain(self) -> Mapping[str, Any]:
        """The inner generator by its kind, and where it stands."""
        inner = {"kind": self.inner.kind, "given": dict(self.inner.plain())}
        return {"prefix": self.prefix, "called": self.called, "inner": inner}

    def own(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The tensors of a state that are the module's, by its own names."""
        start = f"{self.prefix}." if self.prefix else ""
        return {n.removeprefix(start): x for n, x in state.items() if n.startswith(start)}


@dataclass(frozen=True, eq=False)
class Inside:
    """An element of a generator within a module.

    Args:
        group: The generator in the network.
        action: The inner generator's element.
    """

    group: Within
    action: Action

    @property
    def how(self) -> tuple[str, ...]:
        """In words, if the inner element says so."""
        return tuple(getattr(self.action, "how", ()))

    def changed(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The tensors that it changes, as they are afterwards."""
        found = self.action.changed(self.group.own(state))
        return {_outer(self.group.prefix, name): x for name, x in found.items()}

    def inverse(self) -> "Inside":
        """The element that undoes it."""
        return Inside(self.group, self.action.inverse())

    def after(self, first: object) -> "Inside | None":
        """The element that does another, and then this; None where they do not compose to one."""
        after = getattr(self.action, "after", None)
        if (
            after is None
            or not isinstance(first, Inside)
            or first.group.prefix != self.group.prefix
        ):
            return None
        action = after(first.action)
        return None if action is None else Inside(self.group, action)


def bare(generator: Generator) -> tuple[str, Generator]:
    """Return the module that a generator stands in, and the generator by its names of tensors.

    Args:
        generator: Any; one that stands in no module is of the network itself, ``""``.
    """
    if isinstance(generator, Within):
        return generator.prefix, generator.inner
    return "", generator


def _outer(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name
