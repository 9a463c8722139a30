"""Activation matching: units that answer alike are put in each other's place.

Two measures of likeness between unit i of a and unit j of b, over all samples and positions:

    covariance    E[x_i y_j], uncentred           Ainsworth et al. 2023, "Git Re-Basin", eq. 1
    correlation   cov(x_i, y_j) / (s_i s_j + 1e-4)    Jordan et al. 2022, "REPAIR", code, after
                                                      Li et al. 2015

Each group is one assignment, independent of the others, and so exact. Units that stand inside of
others are matched for every pair of outer units; how well the two then agree decides where the
outer ones go [derived].
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np
import torch
from torch import Tensor, nn

from ridgeline.errors import UnknownName, UsageError
from ridgeline.graph import Forward
from ridgeline.matching.assignment import assign, value
from ridgeline.matching.contract import Matched
from ridgeline.matching.cross_products import Products, cross_products
from ridgeline.objective import Objective
from ridgeline.progress import Progress
from ridgeline.symmetry import Sighting, Symmetry
from ridgeline.symmetry.frame import Orders, children, compose, identities

__all__ = ["ActivationMatching", "Likeness", "check_seen_through", "settled"]

Likeness = Literal["covariance", "correlation"]
UNSEEN = (
    "not seen, and left in place: {}; what a fused operation (as of recurrent layers) computes "
    "inside is no value of the trace: match by weights, which sees all"
)
FLOOR = 1e-4


@dataclass(frozen=True, kw_only=True)
class ActivationMatching:
    """Match units by what they answer to data.

    With an objective, normalisation layers use the statistics that its policy sets at each state;
    with a model, those that each state holds.

    Args:
        objective: Gives model, data, device and the policy for statistics.
        model: In place of an objective: the network that the symmetry was found on.
        data: With a model: what `ridgeline.objective.collect` reads; targets are not looked at.
        forward: With a model: how it is called.
        by: The measure; see the module.
        at: Where units are seen: in the ``"last"`` value that they are seen in, mostly after the
            nonlinearity, or in the ``"first"``, before normalisation and nonlinearity.
        rows: Samples that are run at a time.
        device: With a model: where to compute.

    Raises:
        UnknownName: If `by` or `at` is not known.
        UsageError: If there is neither an objective nor a model with data, or both.
    """

    objective: Objective | None = None
    model: nn.Module | None = None
    data: Any = None
    forward: Forward | None = None
    by: Likeness = "covariance"
    at: Literal["last", "first"] = "last"
    rows: int = 500
    device: str | torch.device = "cpu"

    never_worse: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_seen_through(self.objective, self.model, self.data)
        if self.by not in get_args(Likeness):
            raise UnknownName("likeness of units", self.by, get_args(Likeness))
        if self.at not in ("last", "first"):
            raise UnknownName("place to see units at", self.at, ["last", "first"])
        if self.rows < 1:
            raise UsageError("At least one sample is run at a time.", got=str(self.rows))

    def match(
        self,
        a: Mapping[str, Tensor],
        b: Mapping[str, Tensor],
        symmetry: Symmetry,
        *,
        seed: int = 0,  # noqa: ARG002 (nothing is drawn)
        progress: Progress | None = None,
    ) -> Matched:
        """The transform that puts units of b in the place of those that answer alike.

        See `Strategy`.

        Raises:
            UsageError: If no group of the symmetry has a sighting.
            NotTraceable: If the network cannot be traced.
            UnknownName: If a sighting is of no value in the network's trace.
        """
        inside = children(symmetry.groups)
        seen = {
            g.name: g.sightings[-1 if self.at == "last" else 0]
            for g in symmetry.groups
            if g.sightings
        }
        if not seen:
            raise UsageError(
                "Matching by activations needs groups whose units are seen in some value.",
                got=f"{len(symmetry.groups)} groups without sightings",
                remedy="Discover the symmetry by tracing, or match by weights.",
            )
        inner = {child for below in inside.values() for child in below}
        found = self._products((a, b), seen, inner, progress)
        likeness = {n: _likeness(p, self.by) for n, p in found.items()}
        search = _Search(symmetry, inside, likeness)
        orders = search.solved()
        missed = [g.name for g in symmetry.groups if not search.known(g.name)]
        notes = (UNSEEN.format(", ".join(missed)),) if missed else ()
        return Matched(
            transform=compose(orders, symmetry),
            objective={"before": search.before, "after": search.after},
            measure=f"{self.by} of matched units, summed",
            sweeps=1,
            notes=notes,
        )

    def _products(
        self,
        pair: tuple[Mapping[str, Tensor], Mapping[str, Tensor]],
        seen: Mapping[str, Sighting],
        across: Collection[str],
        progress: Progress | None,
    ) -> dict[str, Products]:
        if (goal := self.objective) is None:
            assert self.model is not None  # as asked when this was made
            return cross_products(
                self.model, self.forward, self.data, pair, seen,
                across=across, rows=self.rows, device=self.device, progress=progress,
            )  # fmt: skip
        a, b = (settled(goal, state) for state in pair)
        return cross_products(
            goal.network.module, goal.network.forward, goal.samples, (a, b), seen,
            across=across, rows=self.rows, device=goal.device, progress=progress,
        )  # fmt: skip


def check_seen_through(objective: Objective | None, model: nn.Module | None, data: Any) -> None:
    """Refuse a strategy that looks at data through nothing, or through both.

    Args:
        objective: Gives both.
        model: In place of an objective.
        data: With a model.

    Raises:
        UsageError: If there is neither an objective nor a model with data, or both.
    """
    own = model is not None, data is not None
    if own != (objective is None,) * 2:
        raise UsageError(
            "Units are seen through an objective, or through a model on data.",
            got=f"objective: {objective is not None}, model: {own[0]}, data: {own[1]}",
        )


def settled(objective: Objective, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state's tensors with statistics as the objective's policy sets them."""
    tensors = objective.tensors(state)
    with torch.no_grad():
        return {**tensors, **objective.recomputed(tensors)}


def _likeness(p: Products, by: Likeness) -> np.ndarray:
    """Shape (blocks, rows of a, rows of b)."""
    if by == "covariance":
        return p.products / p.count
    spread_a = np.sqrt(np.maximum(p.squares_a / p.count - (p.sums_a / p.count) ** 2, 0))
    spread_b = np.sqrt(np.maximum(p.squares_b / p.count - (p.sums_b / p.count) ** 2, 0))
    means = (p.sums_a / p.count)[:, :, None] * (p.sums_b / p.count)[:, None, :]
    return (p.products / p.count - means) / (spread_a[:, :, None] * spread_b[:, None, :] + FLOOR)


class _Search:
    """The best orders for given likenesses: from the innermost groups outwards."""

    def __init__(
        self,
        symmetry: Symmetry,
        inside: Mapping[str, list[str]],
        likeness: Mapping[str, np.ndarray],
    ) -> None:
        self.groups = {g.name: g for g in symmetry.groups}
        self.symmetry, self.inside, self.likeness = symmetry, inside, likeness
        self.inner = {child for below in inside.values() for child in below}
        self.before = self.after = 0.0

    def known(self, name: str) -> bool:
        """True if its units, or units inside of them, were seen."""
        return name in self.likeness or any(self.known(n) for n in self.inside[name])

    def solved(self) -> Orders:
        """The orders of all groups, in the frame where outer groups act first."""
        orders = identities(self.symmetry)
        for name, group in self.groups.items():
            if name in self.inner or not self.known(name):
                continue
            for fibre in range(group.fibres):
                self.after += self._place(orders, name, fibre, fibre)
                self.before += self._identity(name, fibre)
        return orders

    def _gain(self, name: str, at: int, of: int) -> np.ndarray:
        """Gain of the units of fibre `of` of b in the places of those of fibre `at` of a."""
        group = self.groups[name]
        below = [child for child in self.inside[name] if self.known(child)]
        if not below:  # a unit's own positions are then taken to be in one order in a and b
            return self._own(name, at, of)
        gain = np.zeros((group.size, group.size))
        for i in range(group.size):
            for j in range(group.size):
                for child in below:
                    one = self._gain(child, at * group.size + i, of * group.size + j)
                    gain[i, j] += value(one[None], assign(one[None]))
        return gain

    def _own(self, name: str, at: int, of: int) -> np.ndarray:
        whole, size = self.likeness[name], self.groups[name].size
        if name not in self.inner:
            return whole[at]
        return whole[0, at * size : (at + 1) * size, of * size : (of + 1) * size]

    def _place(self, orders: Orders, name: str, at: int, of: int) -> float:
        """Settle the order of a fibre, and of all inside of it; what it gains."""
        size = self.groups[name].size
        gain = self._gain(name, at, of)
        order = assign(gain[None], np.arange(size)[None])
        orders[name][at] = order[0]
        below = [child for child in self.inside[name] if self.known(child)]
        if not below:
            return value(gain[None], order)
        return sum(
            self._place(orders, child, at * size + i, of * size + int(order[0, i]))
            for child in below
            for i in range(size)
        )

    def _identity(self, name: str, fibre: int) -> float:
        """Return what the units of a fibre gain where they stand."""
        below = [child for child in self.inside[name] if self.known(child)]
        size = self.groups[name].size
        if not below:
            return float(np.trace(self._own(name, fibre, fibre)))
        units = range(fibre * size, (fibre + 1) * size)
        return sum(self._identity(child, unit) for child in below for unit in units)
