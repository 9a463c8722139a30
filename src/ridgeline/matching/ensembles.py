"""Ensembles of soft trees in a symmetry, by the generators that are theirs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from ridgeline.errors import UsageError
from ridgeline.symmetry import Action, Generator, Symmetry
from ridgeline.symmetry.trees import Ensemble, LeafOffsets, TreeMoves
from ridgeline.symmetry.trees.moves import Moves, OfTrees
from ridgeline.symmetry.within import Inside, Within, bare

__all__ = ["Trees", "ensembles_of"]

NEEDED = {"orders": "orders of splits", "flips": "turned subtrees"}


@dataclass(frozen=True, eq=False)
class Trees:
    """One ensemble of a network, and what of its symmetry is searched.

    Args:
        prefix: Name of its module in the network.
        moves: What is searched, as one generator.
        offsets: Of its leaves, if they may have some.
        names: Of its generators that are searched, in the network's symmetry.
    """

    prefix: str
    moves: TreeMoves
    offsets: LeafOffsets | None
    names: tuple[str, ...]

    @property
    def ensemble(self) -> Ensemble:
        """The trees."""
        return self.moves.ensemble

    @property
    def parts(self) -> tuple[str, ...]:
        """Kinds of elements that are searched: ``"permutation"``, ``"flips"``, ``"orders"``."""
        return self.moves.parts

    @property
    def name(self) -> str:
        """In words."""
        return f"{self.prefix!r} ({self.ensemble})" if self.prefix else str(self.ensemble)

    def own(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The tensors of a network's state that are the ensemble's, by its own names."""
        found = Within(self.moves, self.prefix).own(state)
        self.ensemble.check(found)
        return found

    def carried(self, action: Action) -> Action:
        """An action on the ensemble as one on the network."""
        group = action.group
        if not self.prefix or not isinstance(group, Generator):
            return action
        return Inside(Within(group, self.prefix), action)


def ensembles_of(symmetry: Symmetry, parts: Sequence[str]) -> list[Trees]:
    """The ensembles of a symmetry, with those of their generators that are searched.

    Args:
        symmetry: Of a network.
        parts: What is searched: ``"permutation"``, ``"flips"``, ``"orders"``; an ensemble without
            one of them goes without it.

    Raises:
        UsageError: If there is no ensemble, or none that has a pattern which is asked for alone.
    """
    found: dict[tuple[str, Ensemble], Trees] = {}
    for generator in symmetry.more:
        prefix, own = bare(generator)
        if not isinstance(own, OfTrees):
            continue
        key = prefix, own.ensemble
        trees = found.setdefault(key, Trees(prefix, TreeMoves(own.ensemble), None, ()))
        if isinstance(own, LeafOffsets):
            found[key] = replace(trees, offsets=own)
        elif isinstance(own, Moves) and set(own.parts) <= set(parts):
            moves = TreeMoves(own.ensemble, (*trees.moves.each, own))
            found[key] = replace(trees, moves=moves, names=(*trees.names, generator.name))
    if not found:
        raise UsageError(
            "Trees are matched in a symmetry that has ensembles of soft trees.",
            got=f"generators {', '.join(g.name for g in symmetry.generators) or 'of none'}",
            remedy="`rl.symmetries` finds those of `ridgeline.nets.SoftTrees`; `WeightMatching` "
            "matches any network.",
        )
    had = {part for trees in found.values() for part in trees.parts}
    wanted = [p for p in parts if p in NEEDED and p not in had]
    if wanted and len(parts) == 2:  # one pattern beside the permutation, and it is not there
        raise UsageError(
            f"The trees have {NEEDED[wanted[0]]}, where those are searched.",
            got=", ".join(trees.name for trees in found.values()),
            remedy="Search 'permutation', or 'all' that they have.",
        )
    return list(found.values())
