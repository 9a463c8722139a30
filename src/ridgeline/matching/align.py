"""Alignment: carry b by a symmetry to where it lies nearest to a.

What "nearest" means is a strategy's: the overlap of weights, the agreement of activations, the
loss halfway. Every strategy gives back what it was after, before and after, so that a result
can be told from a failure.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, overload

from torch import Tensor

from ridgeline import state as states
from ridgeline.errors import UsageError
from ridgeline.matching.contract import Matched, Strategy, check_groups, check_strategy
from ridgeline.matching.fitted import E, are_fitted, states_in_one, symmetry_of
from ridgeline.matching.moved import Moved, moved_by
from ridgeline.matching.together import match_together
from ridgeline.matching.trees import TreeWeightMatching
from ridgeline.matching.weights import WeightMatching
from ridgeline.numerals import several
from ridgeline.progress import Progress
from ridgeline.state import State
from ridgeline.symmetry import Symmetry, Transform
from ridgeline.symmetry.witness import check_carried
from ridgeline.symmetry.words import outputs_left_out

__all__ = ["Aligned", "align"]


@dataclass(frozen=True, eq=False)
class Aligned:
    """b, carried to a."""

    state: State
    """b after the transform: the same function, other coordinates."""
    transform: Transform | None
    """The transform that carried it; None if units were mixed and the function is another one."""
    by: Strategy
    matched: Matched
    """Notes of the strategy about it."""
    before: float
    """The distance of a and b over their coordinates."""
    after: float
    """The distance of a and `state`."""
    moved: Mapping[str, Moved]
    """Group name to what was done to its units; empty if units were mixed by no transform."""
    same_function: bool | None = None
    """True if `state` computes what b did: outputs of both were compared and are the same,
    False if units were mixed, None if there was nothing to compare them by."""

    def summary(self) -> dict[str, Any]:
        """The record in plain values."""
        return {
            "by": type(self.by).__name__,
            "measure": self.matched.measure,
            "objective": dict(self.matched.objective),
            "goal": self.matched.goal,
            "distance": {"before": self.before, "after": self.after},
            "sweeps": self.matched.sweeps,
            "history": list(self.matched.history),
            "moved": {name: moved.summary() for name, moved in self.moved.items()},
            "permutation": self.transform is not None
            and not any(moved.how for moved in self.moved.values()),
            "same_function": self.same_function,
            "notes": list(self.matched.notes),
        }

    def __str__(self) -> str:
        share = 1 - self.after / self.before if self.before else 0.0
        way = f"{abs(share):.0%} {'nearer' if share >= 0 else 'farther'}"
        lines = [
            f"Aligned by {type(self.by).__name__}: distance {self.before:.4g} -> {self.after:.4g}"
            f" ({way})"
        ]
        if {"before", "after"} <= set(self.matched.objective):
            o = self.matched.objective
            name = self.matched.measure or "objective"
            rounds = several(self.matched.sweeps, "round")
            lines.append(f"  {name}: {o['before']:.6g} -> {o['after']:.6g}, {rounds}")
        if self.transform is None:
            lines.append("  units were mixed: the function is not that of b")
        elif self.same_function is None:
            lines.append("  the function was not compared with that of b: no network to ask")
        lines += [f"  {name}: {moved}" for name, moved in self.moved.items()]
        return "\n".join([*lines, *(f"  {note}" for note in self.matched.notes)])


@overload
def align(
    a: Mapping[str, Tensor],
    b: Mapping[str, Tensor],
    symmetry: Symmetry,
    *,
    by: Strategy | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Aligned: ...
@overload
def align(
    a: E,
    b: E,
    symmetry: Symmetry | None = None,
    *,
    by: Strategy | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> E: ...
def align(
    a: Any,
    b: Any,
    symmetry: Symmetry | None = None,
    *,
    by: Strategy | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Any:
    """Carry b by an element of a symmetry to where it lies nearest to a.

    Two fitted estimators of soft trees give a fitted estimator: what b predicts, in the scaling of
    a, with its trees where they lie nearest to those of a. The record is its ``aligned_``.

    Args:
        a: A state, which stays; or a fitted estimator.
        b: Another of the same network.
        symmetry: What leaves the network's function unchanged; of estimators found by default.
        by: The strategy; weight matching by default, of estimators `TreeWeightMatching`.
        seed: Of whatever the strategy draws.
        progress: Told how far the work is.

    Returns:
        The carried state, the transform, and what both did to distance and objective; or the
        carried estimator. Where the
        symmetry bears its network, as that of `symmetries` does, outputs of b and of the carried
        state are compared at inputs near the example and far from it.

    Raises:
        NotASymmetry: If the carried state computes something else than b; it names the groups.
        StateMismatch: If the states differ in their tensors, or the symmetry is of others.
        NonFinite: If a state holds NaN or infinity.
        UsageError: If an argument is of another kind, if the symmetry has no groups, or a strategy
            that promises never to be worse than the identity was.
    """
    if are_fitted(pair := (a, b)):
        symmetry = symmetry_of(pair[0]) if symmetry is None else symmetry
        one, other = states_in_one(pair)
        by = TreeWeightMatching() if by is None else by
        found = align(one, other, symmetry, by=by, seed=seed, progress=progress)
        made = pair[0].with_state(found.state)
        made.aligned_ = found  # pyright: ignore[reportAttributeAccessIssue] (fitted, by its name)
        return made
    by = WeightMatching() if by is None else by
    check_strategy(by, "match", "WeightMatching")
    a, b = states.in_one_type((states.detached(a, "a"), states.detached(b, "b")), stacklevel=2)
    states.check_same(a, b)
    symmetry = check_groups(symmetry)
    for name, x, other in (("a", a, b), ("b", b, a)):
        symmetry.check(x)
        rest = {n: v for n, v in x.items() if not states.is_mask(n, v)}
        states.check_finite(rest, f"state {name}", among=[other])
    evaluates = any(getattr(by, name, None) is not None for name in ("objective", "model"))
    held = (a, b) if evaluates else (states.bounded(a), states.bounded(b))
    matched = match_together(by, *held, symmetry, seed=seed, progress=progress)
    if matched.worse and getattr(by, "never_worse", False):
        raise UsageError(
            f"{type(by).__name__} promises to be no worse than the identity.",
            got=f"{matched.measure or 'objective'} "
            f"{matched.objective['before']:.9g} -> {matched.objective['after']:.9g}",
            remedy="This is a fault of the strategy: please report it.",
        )
    if symmetry.left_out:  # of these the function may be another one
        said = outputs_left_out(symmetry.left_out)
        matched = replace(matched, notes=(*matched.notes, *said))
    if symmetry.exchanges and not getattr(by, "exchanges", False):
        names = ", ".join(e.name for e in symmetry.exchanges)
        said = f"whole modules stay in their order, {names}: `WeightMatching` exchanges them"
        matched = replace(matched, notes=(*matched.notes, said))
    element = matched.transform
    carried = matched.state if element is None else element(b)
    assert carried is not None  # Matched holds one of the two
    return Aligned(
        state=carried,
        transform=matched.transform,
        by=by,
        matched=matched,
        before=states.distance(states.bounded(a), states.bounded(b)),
        after=states.distance(states.bounded(a), states.bounded(carried)),
        moved=moved_by(matched.transform, symmetry),
        same_function=False if element is None else check_carried(symmetry, b, element, carried),
    )
