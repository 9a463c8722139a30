"""Transforms: elements of a symmetry, that carry states to others with the same function."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol, Self

import numpy as np
from torch import Tensor

from ridgeline.errors import StateMismatch, UsageError
from ridgeline.state import State, tie
from ridgeline.symmetry.group import Group, Order
from ridgeline.symmetry.permuting import Step, moved_in_place, permuted, steps_by_tensor

__all__ = ["Acting", "Action", "Permutation", "Transform"]


class Acting(Protocol):
    """Owner of an action, which is an element of it: a group, an exchange, a generator."""

    @property
    def name(self) -> str:
        """Its name in the symmetry."""
        ...

    def tensors(self) -> Iterator[str]:
        """Names of the tensors that actions change, each once."""
        ...


class Action(Protocol):
    """One thing that a transform does, to the units of one group."""

    @property
    def group(self) -> Acting:
        """The group whose units it acts on."""
        ...

    def changed(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The tensors that it changes, as they are afterwards."""
        ...

    def inverse(self) -> "Action":
        """The action that undoes it."""
        ...


@dataclass(frozen=True, eq=False)
class Permutation:
    """Puts the units of a group into another order.

    Args:
        group: The group.
        order: Of shape (fibres, size): unit i of the result is unit ``order[f, i]`` of before.
    """

    group: Group
    order: Order

    def __post_init__(self) -> None:
        object.__setattr__(self, "order", self.group.check(self.order))

    def changed(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The tensors that it changes, as they are afterwards."""
        return self.group.permute(state, self.order)

    def inverse(self) -> "Permutation":
        """The permutation back."""
        return Permutation(self.group, np.argsort(self.order, 1))

    @property
    def moved(self) -> int:
        """Units that do not stay where they were."""
        return int((self.order != np.arange(self.group.size)).sum())


@dataclass(frozen=True, eq=False)
class Transform:
    """An element of a symmetry: ``transform(state) -> state`` with the same function.

    Args:
        actions: What it does, first to last.
        ties: Other names of tensors, to the names that the actions use: a tied tensor is
            carried once.
    """

    actions: tuple[Action, ...]
    ties: Mapping[str, str]

    def __call__(self, state: Mapping[str, Tensor]) -> State:
        """The state after the transform; what it was made from is left as it was.

        Args:
            state: Names to tensors. Tensors that the symmetry does not know are passed on.

        Raises:
            StateMismatch: If a tensor is missing.
        """
        names = {n: None for action in self.actions for n in action.group.tensors()}
        if missing := [n for n in names if n not in state]:
            raise StateMismatch(
                missing=dict.fromkeys(missing, "of the symmetry"),
                a="the symmetry",
                b="the state",
            )
        result = dict(state)
        for permuting, run in groupby(self.actions, lambda x: isinstance(x, Permutation)):
            if permuting:
                for name, steps in steps_by_tensor(_steps(run)).items():
                    result[name] = permuted(result[name], steps)
                continue
            for action in run:
                result.update(action.changed(result))
        return tie(result, self.ties)

    def in_place(self, state: State) -> None:
        """Carry a state of one's own, with no second one beside it.

        Args:
            state: Written to, its tensors too.

        Raises:
            UsageError: If the transform does something other than permute.
        """
        if not self.permutes:
            raise UsageError("Permutations alone are done in place.", got="another action")
        for name, steps in steps_by_tensor(_steps(self.actions)).items():
            state[name] = moved_in_place(state[name], steps)

    @property
    def permutes(self) -> bool:
        """True if it does nothing but permute."""
        return all(isinstance(a, Permutation) for a in self.actions)

    def inverse(self) -> Self:
        """The transform that undoes it."""
        return type(self)(tuple(a.inverse() for a in reversed(self.actions)), self.ties)

    def __matmul__(self, first: "Transform") -> "Transform":
        """One after the other: ``(g @ h)(state) == g(h(state))``."""
        return Transform((*first.actions, *self.actions), {**first.ties, **self.ties})

    def orders(self) -> dict[str, Order]:
        """The permutation of each group that it acts on, composed where there are several.

        Raises:
            UsageError: If several permutations act one after another and one is of a group inside
                another: the outer one moves the inner one's fibres, which
                `ridgeline.symmetry.orders_of` follows.
        """
        found: dict[str, Order] = {}
        permutations = [a for a in self.actions if isinstance(a, Permutation)]
        for action in permutations:
            name = action.group.name
            before = found.get(name, action.group.identity())
            found[name] = np.take_along_axis(before, action.order, 1)
        nested = [a.group.name for a in permutations if a.group.inside is not None]
        if nested and not _plain(permutations):
            raise UsageError(
                "Orders of a composition need the symmetry, where groups stand inside of others.",
                got=f"{len(permutations)} permutations, of {nested[0]!r} among others",
                remedy="Use `ridgeline.symmetry.orders_of(transform, symmetry)`.",
            )
        return found

    @property
    def moved(self) -> dict[str, int]:
        """Units that do not stay where they were, by group; see `orders`."""
        return {
            name: int((order != np.arange(order.shape[1])).sum())
            for name, order in self.orders().items()
        }


def _steps(actions: Iterable[Action]) -> Iterator[Step]:
    for action in actions:
        assert isinstance(action, Permutation)
        for place in action.group.places:
            yield place, action.order


def _plain(permutations: Sequence[Permutation]) -> bool:
    """True if each group acts once, and none after one that it stands inside of."""
    done: set[str] = set()
    for action in permutations:
        if action.group.name in done or action.group.inside in done:
            return False
        done.add(action.group.name)
    return True
