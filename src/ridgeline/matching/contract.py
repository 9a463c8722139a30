"""Contracts of matching: strategies for two networks and for many, and what they give back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from ridgeline import state as states
from ridgeline.errors import UsageError, WrongKind
from ridgeline.progress import Progress
from ridgeline.state import State
from ridgeline.symmetry import Symmetry, Transform

__all__ = [
    "ManyStrategy",
    "Matched",
    "MatchedMany",
    "Strategy",
    "check_groups",
    "check_strategy",
    "spread",
]

SLACK = 1e-6
"""Share of an objective by which rounding may make it worse."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Matched:
    """Result of a strategy.

    Args:
        transform: The element of the symmetry; None for a strategy that mixes units (soft
            optimal transport), whose state is no transform of b.
        objective: ``before`` and ``after``: what the strategy maximises or minimises, exactly,
            for the identity and for what was found. More numbers may stand beside them.
        goal: Which way is better, or ``"none"`` if the strategy follows no single objective.
        measure: What the objective is, in words.
        sweeps: Rounds over the groups, or steps.
        history: The objective after each.
        notes: What a reader should know.
        state: The state, only where `transform` is None.

    Raises:
        UsageError: If neither or both of transform and state are given.
    """

    transform: Transform | None
    objective: Mapping[str, float] = field(default_factory=dict)
    goal: str = "maximise"
    measure: str = ""
    sweeps: int = 0
    history: tuple[float, ...] = ()
    notes: tuple[str, ...] = ()
    state: State | None = None

    def __post_init__(self) -> None:
        if (self.transform is None) == (self.state is None):
            raise UsageError("A match is either a transform or a state.", got="both or neither")
        if self.goal not in ("maximise", "minimise", "none"):
            raise UsageError("A goal is maximise, minimise or none.", got=repr(self.goal))

    @property
    def worse(self) -> bool:
        """True if the objective is worse than the identity's by more than rounding."""
        if self.goal == "none" or not {"before", "after"} <= set(self.objective):
            return False
        before, after = self.objective["before"], self.objective["after"]
        loss = before - after if self.goal == "maximise" else after - before
        return not loss <= SLACK * max(abs(before), abs(after))


class Strategy(Protocol):
    """Strategy by which a transform is found.

    A strategy that can never end worse than the identity says so with a class attribute
    ``never_worse = True``, and `align` holds it to that.
    """

    def match(
        self,
        a: Mapping[str, Tensor],
        b: Mapping[str, Tensor],
        symmetry: Symmetry,
        *,
        seed: int,
        progress: Progress | None,
    ) -> Matched:
        """The transform that carries b towards a, by this strategy's objective."""
        ...


@dataclass(frozen=True, eq=False, kw_only=True)
class MatchedMany:
    """Result of a strategy for many networks.

    Args:
        transforms: Into the common frame, one for each state.
        objective: ``before`` and ``after``, as in `Matched`: what the strategy follows, for
            the identities and for what was found; empty where that is the spread alone.
        history: The spread, or what else the strategy follows, after each round.
        measure: What the history holds, in words.
        notes: What a reader should know.
    """

    transforms: tuple[Transform, ...]
    objective: Mapping[str, float] = field(default_factory=dict)
    history: tuple[float, ...] = ()
    measure: str = ""
    notes: tuple[str, ...] = ()


class ManyStrategy(Protocol):
    """Strategy by which transforms of many states into a common frame are found."""

    def match_many(
        self,
        given: Sequence[Mapping[str, Tensor]],
        symmetry: Symmetry,
        *,
        seed: int,
        progress: Progress | None,
    ) -> MatchedMany:
        """A transform for each state."""
        ...


def check_groups(symmetry: Symmetry | None) -> Symmetry:
    """Return a symmetry, and refuse one with nothing to search.

    Raises:
        UsageError: If it is none, or has no generator.
    """
    if not isinstance(symmetry, Symmetry):
        raise WrongKind(
            "A symmetry is what `rl.symmetries(model, example)` gives.",
            symmetry,
            name="symmetry",
            remedy="It comes after the states: `rl.align(a, b, symmetry)`.",
        )
    if not symmetry.generators:
        raise UsageError(
            "Alignment needs a symmetry with one group of units at least.",
            got=f"none, and {len(symmetry.fixed)} axes that are fixed",
            remedy="`print(symmetry)` says why: each fixed axis bears its reason.",
        )
    return symmetry


def check_strategy(by: object, verb: str, example: str) -> None:
    """Refuse what is no strategy.

    Args:
        by: What was given as one.
        verb: The method that it must have.
        example: Name of one that has it.

    Raises:
        UsageError: If it is a class, or has no such method.
    """
    if isinstance(by, type) or not hasattr(by, verb):
        raise WrongKind(f"A strategy is an instance, such as `rl.{example}()`.", by, name="by")


def spread(given: Sequence[Mapping[str, Tensor]]) -> float:
    """The root mean square distance of states from their mean, over coordinates.

    The mean squared distance between two of k states is ``2 k / (k - 1)`` times its square.
    """
    total = 0.0
    for n in states.coordinates(given[0]):
        stack = torch.stack([g[n].double() for g in given])
        # From the first state, so that equal ones have no rounding.
        away = stack - stack[:1]
        total += float((away - away.mean(0)).square().sum())
    return (total / len(given)) ** 0.5
