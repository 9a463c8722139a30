"""Many networks in one frame, and how far pairwise maps are from agreeing with each other.

If every network is carried into a common *universe*, the map from one to another goes through it,
``P_ab = P_a^-1 P_b``, so that every cycle of maps composes to the identity. Maps that were found
pair by pair need not (`cycles.cycle_error`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload

from torch import Tensor

from ridgeline import state as states
from ridgeline.matching.contract import (
    ManyStrategy,
    MatchedMany,
    check_groups,
    check_strategy,
    spread,
)
from ridgeline.matching.fitted import E, are_fitted, states_in_one, symmetry_of
from ridgeline.matching.trees import TreeWeightMatching
from ridgeline.matching.universe import MergeMany
from ridgeline.progress import Progress
from ridgeline.state import State
from ridgeline.symmetry import Symmetry, Transform
from ridgeline.symmetry.shortened import shortened
from ridgeline.symmetry.witness import check_carried

__all__ = ["AlignedMany", "align_many"]


@dataclass(frozen=True, eq=False)
class AlignedMany:
    """Many states, carried into one frame."""

    states: tuple[State, ...]
    """Each after its transform: the same function, other coordinates."""
    transforms: tuple[Transform, ...]
    symmetry: Symmetry
    by: ManyStrategy
    matched: MatchedMany
    before: float
    """The spread of the states as they were given; see `spread`."""
    after: float
    """The spread in the common frame."""

    @property
    def history(self) -> tuple[float, ...]:
        """The objective that the strategy followed, after each round."""
        return self.matched.history

    @property
    def mean(self) -> State:
        """The mean in the common frame; labels are those of the first state."""
        return states.mean(self.states)

    def map(self, to: int, of: int) -> Transform:
        """Return the transform that carries state `of` to state `to`, through the common frame.

        Maps so made compose exactly: ``map(a, b) @ map(b, c)`` is ``map(a, c)``.
        """
        through = self.transforms[to].inverse() @ self.transforms[of]
        return shortened(through, self.symmetry)

    def summary(self) -> dict[str, Any]:
        """The record in plain values."""
        return {
            "by": type(self.by).__name__,
            "states": len(self.states),
            "spread": {"before": self.before, "after": self.after},
            "objective": dict(self.matched.objective),
            "measure": self.matched.measure,
            "history": list(self.history),
            "notes": list(self.matched.notes),
        }

    def __str__(self) -> str:
        return (
            f"{len(self.states)} states aligned by {type(self.by).__name__}: "
            f"spread {self.before:.4g} -> {self.after:.4g} (root mean square distance of the "
            "states from their mean)"
        )


@overload
def align_many(
    given: Sequence[Mapping[str, Tensor]],
    symmetry: Symmetry,
    *,
    by: ManyStrategy | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> AlignedMany: ...
@overload
def align_many(
    given: Sequence[E],
    symmetry: Symmetry | None = None,
    *,
    by: ManyStrategy | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> tuple[E, ...]: ...
def align_many(
    given: Any,
    symmetry: Symmetry | None = None,
    *,
    by: ManyStrategy | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Any:
    """Carry many states into a common frame, near to each other.

    Fitted estimators of soft trees give fitted estimators, all in the scaling of the first.

    Args:
        given: Two states or more of one network; or estimators.
        symmetry: What leaves the network's function unchanged; of estimators found by default.
        by: The strategy; `MergeMany` by default, of estimators by `TreeWeightMatching`.
        seed: Of whatever the strategy draws.
        progress: Told how far the work is.

    Returns:
        The carried states, their transforms and mean, and the spread before and after; or the
        carried estimators, with that as their ``aligned_``. Functions are compared as `align` does.

    Raises:
        NotASymmetry: If a carried state computes something else than it did.
        UsageError: If an argument is of another kind, if there are fewer than two states, or the
            symmetry has no groups.
        StateMismatch: If the states differ in their tensors, or the symmetry is of others.
        NonFinite: If a state holds NaN or infinity.
    """
    if isinstance(given, Sequence) and are_fitted(given):
        symmetry = symmetry_of(given[0]) if symmetry is None else symmetry
        by = MergeMany(by=TreeWeightMatching()) if by is None else by
        held = states_in_one(given)
        found = align_many(held, symmetry, by=by, seed=seed, progress=progress)
        made = tuple(given[0].with_state(x) for x in found.states)
        for one in made:
            one.aligned_ = found  # pyright: ignore[reportAttributeAccessIssue] (fitted)
        return made
    by = MergeMany() if by is None else by
    check_strategy(by, "match_many", "MergeMany")
    given = states.check_states(given, least=2, stacklevel=2)
    symmetry = check_groups(symmetry)
    for x in given:
        symmetry.check(x)
    matched = by.match_many(given, symmetry, seed=seed, progress=progress)
    carried = tuple(t(x) for t, x in zip(matched.transforms, given, strict=True))
    for x, transform, y in zip(given, matched.transforms, carried, strict=True):
        check_carried(symmetry, x, transform, y)
    return AlignedMany(
        states=carried,
        transforms=matched.transforms,
        symmetry=symmetry,
        by=by,
        matched=matched,
        before=spread(given),
        after=spread(carried),
    )
