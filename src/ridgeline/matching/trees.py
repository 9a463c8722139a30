"""Matching of soft trees by their parameters, by what they answer to data, or by both.

Reference: Kanoh & Sugiyama (2025), "Linear Mode Connectivity in Differentiable Tree Ensembles",
algorithms 1 and 2. A pattern u of a tree turns its subtrees and reorders its splits; p permutes
trees. The assignment is solved once, not once for each pattern:

    by weights       S[i, j] = max_u <a_i, u b_j>      p maximises sum_i S[i, p(i)], u is the best
    by activations   S[i, j] = <tree i of a, tree j of b>, uncentred, over samples and outputs;
                     p maximises as before, then u_i = argmax_u <a_i, u b_p(i)>, of weights

Inner products of weights are weighted: a node counts as many times as it has leaves below it, a
leaf once (their appendix A). Differs in: the best pattern of a pair of perfect trees is found level
by level in place of by enumeration, which gives the same; of equal elements the one that
leaves trees in place counts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np
import torch
from torch import Tensor, nn

from ridgeline.errors import UnknownName, UsageError
from ridgeline.graph import Forward
from ridgeline.matching.activations import check_seen_through
from ridgeline.matching.assignment import assign
from ridgeline.matching.contract import Matched
from ridgeline.matching.ensembles import Trees, ensembles_of
from ridgeline.matching.tree_outputs import output_products
from ridgeline.objective import Objective
from ridgeline.progress import Progress
from ridgeline.symmetry import Action, Symmetry, Transform
from ridgeline.symmetry.trees import Half, Patterns, fit
from ridgeline.symmetry.trees.moves import half_of, placed
from ridgeline.symmetry.trees.offsets import centred

__all__ = ["Over", "TreeActivationMatching", "TreeWeightMatching"]

Over = Literal["naive", "permutation", "permutation+order", "permutation+flip", "all"]
"""Which symmetries are searched: the rows of the paper's figures."""

PARTS: Mapping[Over, tuple[str, ...]] = {
    "naive": (),
    "permutation": ("permutation",),
    "permutation+order": ("permutation", "orders"),
    "permutation+flip": ("permutation", "flips"),
    "all": ("permutation", "orders", "flips"),
}
HEURISTIC = "orders of splits of {} were searched, not enumerated: better ones may exist"


@dataclass(frozen=True, kw_only=True)
class TreeWeightMatching:
    """Algorithm 2: trees are matched by their parameters, all patterns of all pairs.

    The optimum is exact but for oblivious trees deeper than 5, whose orders of splits are searched;
    the result's notes then say so. Groups beside the trees stay: `WeightMatching` matches both
    in turn, trees without weights of nodes.

    Args:
        over: Which symmetries are searched.
        weighted: Weight nodes by the number of leaves below them.
        centre: Take the mean leaf from the leaves of each tree before they are compared, and
            give b's trees the means of a's afterwards, as far as the function allows.

    Raises:
        UnknownName: If there is no such row.
    """

    over: Over = "all"
    weighted: bool = True
    centre: bool = False

    never_worse: ClassVar[bool] = True
    generators: ClassVar[bool] = True
    """Generators of trees are matched by the strategy itself."""

    def __post_init__(self) -> None:
        check_over(self.over)

    def match(
        self,
        a: Mapping[str, Tensor],
        b: Mapping[str, Tensor],
        symmetry: Symmetry,
        *,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> Matched:
        """The transform that carries trees of b onto those of a; see `Strategy`.

        Raises:
            UsageError: If the symmetry has no trees, or none with what is to be searched.
        """
        every = ensembles_of(symmetry, PARTS[self.over])
        actions, before, after, notes = list[Action](), 0.0, 0.0, list[str]()
        for k, trees in enumerate(every):
            one, other = self.halves(trees, a, b)
            weights = trees.ensemble.node_weights if self.weighted else None
            found = fit(trees.ensemble, one, other, weights=weights, over=trees.parts, seed=seed)
            order = np.arange(trees.ensemble.trees)
            if "permutation" in trees.parts:
                order = assign(found.values[None], order[None])[0]
            actions += self.placed(trees, found.chosen(order), order, a, b)
            before += overlap(one, other, weights)
            after += float(found.values[np.arange(len(order)), order].sum())
            notes += [] if found.exact else [HEURISTIC.format(trees.name)]
            if progress:
                progress("trees", k + 1, len(every))
        return Matched(
            transform=Transform(tuple(actions), symmetry.ties),
            objective={"before": before, "after": after},
            measure=f"{'weighted ' if self.weighted else ''}overlap <a, g(b)> of trees",
            sweeps=1,
            notes=(*notes, *_left(symmetry, every)),
        )

    def halves(
        self, trees: Trees, a: Mapping[str, Tensor], b: Mapping[str, Tensor]
    ) -> tuple[Half, Half]:
        """Parameters of both ensembles, as they are compared."""
        found = [half_of(trees.ensemble, trees.own(x)) for x in (a, b)]
        if not self.centre:
            return found[0], found[1]
        if trees.ensemble.kind == "modified-list":
            raise UsageError(
                "Leaves are centred where a tree may have an offset.",
                got=f"{trees.ensemble}, one leaf of which is empty",
                remedy="Leave `centre` out.",
            )
        one, other = (Half(x.splits, centred(x.leaves)) for x in found)
        return one, other

    def placed(
        self,
        trees: Trees,
        patterns: Patterns,
        order: np.ndarray,
        a: Mapping[str, Tensor],
        b: Mapping[str, Tensor],
    ) -> list[Action]:
        """Actions of patterns by place and an order of trees, and offsets where leaves are centred.

        Args:
            trees: Of both.
            patterns: By the place to which each tree comes.
            order: Which tree comes to each place.
            a: The state that stays.
            b: The state that is carried.
        """
        action = placed(trees.moves, patterns, order)
        found = [trees.carried(action)] if trees.parts else []
        if self.centre and trees.offsets is not None:
            own = trees.own(b)
            found.append(
                trees.carried(trees.offsets.best(trees.own(a), {**own, **action.changed(own)}))
            )
        return found


@dataclass(frozen=True, kw_only=True)
class TreeActivationMatching:
    """Algorithm 1: trees are matched by what they answer to data, their patterns by weights.

    Turned subtrees and reordered splits change no answer of a tree, so that data say nothing of
    them.

    Args:
        objective: Gives model, data, device and the policy for statistics.
        model: In place of an objective: the network that the symmetry was found on.
        data: With a model: what `ridgeline.objective.collect` reads; targets are not looked at.
        forward: With a model: how it is called.
        over: Which symmetries are searched.
        weighted: As in `TreeWeightMatching`, of the patterns.
        centre: As in `TreeWeightMatching`, of the patterns.
        samples: Samples that are looked at, drawn from the data; all if there are fewer.
        device: With a model: where to compute.

    Raises:
        UnknownName: If there is no such row.
        UsageError: If there is neither an objective nor a model with data, or both.
    """

    objective: Objective | None = None
    model: nn.Module | None = None
    data: Any = None
    forward: Forward | None = None
    over: Over = "all"
    weighted: bool = True
    centre: bool = False
    samples: int = 512
    device: str | torch.device = "cpu"

    never_worse: ClassVar[bool] = True
    generators: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_over(self.over)
        check_seen_through(self.objective, self.model, self.data)
        if self.samples < 1:
            raise UsageError("At least one sample is looked at.", got=str(self.samples))

    def match(
        self,
        a: Mapping[str, Tensor],
        b: Mapping[str, Tensor],
        symmetry: Symmetry,
        *,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> Matched:
        """The transform that carries trees of b onto those of a; see `Strategy`.

        Raises:
            UsageError: If the symmetry has no trees, or none with what is to be searched; if a
                module of trees has no method `by_tree`.
        """
        weights = TreeWeightMatching(over=self.over, weighted=self.weighted, centre=self.centre)
        every = ensembles_of(symmetry, PARTS[self.over])
        products = output_products(self, [t.prefix for t in every], (a, b), seed, progress)
        actions, before, after, notes = list[Action](), 0.0, 0.0, list[str]()
        for trees, gain in zip(every, products, strict=True):
            order = np.arange(trees.ensemble.trees)
            if "permutation" in trees.parts:
                order = assign(gain[None], order[None])[0]
            one, other = weights.halves(trees, a, b)
            nodes = trees.ensemble.node_weights if self.weighted else None
            found = fit(trees.ensemble, one, other, weights=nodes, over=trees.parts, seed=seed)
            actions += weights.placed(trees, found.chosen(order), order, a, b)
            before += float(np.trace(gain))
            after += float(gain[np.arange(len(order)), order].sum())
            notes += [] if found.exact else [HEURISTIC.format(trees.name)]
        return Matched(
            transform=Transform(tuple(actions), symmetry.ties),
            objective={"before": before, "after": after},
            measure="inner products of matched trees' outputs, summed",
            sweeps=1,
            notes=(*notes, *_left(symmetry, every)),
        )


def check_over(over: str) -> None:
    """Refuse what is no row.

    Raises:
        UnknownName: If it is none.
    """
    if over not in get_args(Over):
        raise UnknownName("set of trees' symmetries", over, get_args(Over))


def overlap(a: Half, b: Half, weights: Tensor | None) -> float:
    """The inner product of two ensembles, tree by tree.

    Args:
        a: The one.
        b: The other.
        weights: Of nodes; 1 by default.
    """
    splits = (a.splits * b.splits).sum((0, 2))
    return float((splits if weights is None else splits * weights).sum()) + float(
        (a.leaves * b.leaves).sum()
    )


def _left(symmetry: Symmetry, every: list[Trees]) -> tuple[str, ...]:
    """Return what to say of groups and generators that stay as they are."""
    tried = {n for t in every for n in t.names}
    left = [g.name for g in symmetry.generators if g.name not in tried]
    if not left:
        return ()
    return (f"stay as they are: {', '.join(left)}; `WeightMatching` matches all in turn",)
