"""Optimal transport: each unit of a drawn from those of b, group after group.

Reference: Singh & Jaggi (2020), "Model Fusion via Optimal Transport" [memory; not reread]. Layer
by layer, units are compared by their incoming weights, which the layer before has already
carried; a plan of transport between uniform weights is found; b is carried by it. Exact
transport between equally many units is an assignment, so that the result is a transform; with
entropy the plan is soft, a unit of the result is a mean of b's, and the result is a state that
is no longer b's function. Differs in: turns follow the order of the symmetry's groups, which is
mostly that of the state's tensors and need not be that of computation; what units are compared
by is all that is known when a group's turn comes, the tensors in which every other group was
carried before (for the last group that is its outgoing weights too); and groups inside of groups
are always carried by an assignment.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ridgeline import state as states
from ridgeline.errors import UsageError
from ridgeline.matching.blocks import solve
from ridgeline.matching.contract import Matched
from ridgeline.matching.overlap import Overlap
from ridgeline.matching.products import units
from ridgeline.matching.relaxed import soft_place
from ridgeline.matching.sinkhorn import doubly_stochastic
from ridgeline.progress import Progress
from ridgeline.state import State
from ridgeline.symmetry import Place, Symmetry, Transform
from ridgeline.symmetry.frame import Orders, compose

__all__ = ["OptimalTransport", "plan"]


@dataclass(frozen=True)
class OptimalTransport:
    """Optimal transport between the units of each group, one pass in the order of groups.

    Args:
        soft: Mix units by an entropic plan, rather than assign one to one.
        regularisation: Of the soft plan: its entropy's weight, as a share of the mean cost.
        iterations: Of Sinkhorn's algorithm, at most.

    Raises:
        UsageError: If a number is not positive.
    """

    soft: bool = False
    regularisation: float = 0.05
    iterations: int = 1000

    def __post_init__(self) -> None:
        if not self.regularisation > 0:
            raise UsageError("A regularisation is positive.", got=str(self.regularisation))
        if self.iterations < 1:
            raise UsageError("iterations is at least 1.", got=str(self.iterations))

    def match(
        self,
        a: Mapping[str, Tensor],
        b: Mapping[str, Tensor],
        symmetry: Symmetry,
        *,
        seed: int = 0,  # noqa: ARG002 (nothing is drawn)
        progress: Progress | None = None,
    ) -> Matched:
        """The transform, or the mixed state, of one pass; see the class."""
        carried: State = dict(b)
        whole = Overlap(a, b, symmetry)
        orders = whole.identities()
        left = {g.name for g in symmetry.groups}
        costs, notes = [], []
        for done, name in enumerate(_turns(symmetry)):
            block = {name, *whole.below(name)}
            left -= block
            known = [t for t, held in whole.stands.items()
                     if not any(s.group in left for s in held)]  # fmt: skip
            known = [t for t in known if any(s.group in block for s in whole.stands[t])]
            if not known:
                notes.append(f"{name}: left as it is, nothing it holds was known in its turn")
            else:
                part = Overlap(a, carried if self.soft else b, symmetry, only=known)
                if self.soft and len(block) == 1:
                    carried, cost = self._mixed(part, name, carried)
                else:
                    orders, cost = _assigned(part, name, block, orders)
                    if self.soft:
                        carried = _alone(orders, block, symmetry)(carried)
                        orders = whole.identities()
                costs.append(cost)
            if progress is not None:
                progress("optimal transport", done + 1, len(symmetry.groups))
        transform = None if self.soft else compose(orders, symmetry)
        result = carried if transform is None else transform(b)
        before, after = states.distance(a, b) ** 2, states.distance(a, result) ** 2
        if transform is not None and after > before:
            transform, result, after = symmetry.identity(), dict(b), before
            notes.append("the pass led farther than the identity, which is given instead")
        return Matched(
            transform=transform,
            state=result if transform is None else None,
            objective={"before": before, "after": after, "cost": float(sum(costs))},
            goal="none",
            measure="squared distance (transport minimises its part known in each turn)",
            sweeps=1,
            notes=tuple(notes),
        )

    def _mixed(self, part: Overlap, name: str, carried: State) -> tuple[State, float]:
        """The state with a group's units mixed by their plan, and the plan's cost."""
        cost = _costs(part, name, part.identities())
        plans = np.stack([plan(c, self.regularisation, self.iterations) for c in cost])
        spent = float((plans * cost).sum() / plans.shape[1])
        after = dict(carried)
        for place in part.groups[name].places:
            x = after[place.tensor]
            if x.is_floating_point():
                after[place.tensor] = mix(place, x, torch.from_numpy(plans))
        return states.tie(after, part.symmetry.ties), spent


def plan(cost: np.ndarray, regularisation: float, iterations: int = 1000) -> np.ndarray:
    """Sinkhorn's plan between uniform weights, in logarithms.

    Args:
        cost: Shape (n, n).
        regularisation: Weight of the entropy, as a share of the mean cost.
        iterations: At most.

    Returns:
        Shape (n, n): n times the plan, so that rows sum to 1, and columns nearly.
    """
    heat = regularisation * max(float(np.mean(cost)), np.finfo(float).tiny)
    # Scaling ends with the columns, and it is the rows that must sum to 1.
    scaled = torch.from_numpy(-np.asarray(cost - cost.min(), np.float64).T / heat)
    return doubly_stochastic(scaled, iterations=iterations, tolerance=1e-7).T.numpy()


def mix(place: Place, x: Tensor, plans: Tensor) -> Tensor:
    """A tensor whose units are means of its units.

    Args:
        place: Where the units stand.
        x: The tensor.
        plans: Shape (fibres, size, size): row i holds the shares that make unit i.
    """
    return soft_place(place, x.double(), plans).to(x.dtype)


def _turns(symmetry: Symmetry) -> list[str]:
    """Groups that stand in no other, in the order of the symmetry."""
    known = {g.name for g in symmetry.groups}
    return [g.name for g in symmetry.groups if g.inside not in known]


def _costs(part: Overlap, name: str, orders: Orders) -> np.ndarray:
    """Squared distances of what units hold: shape (fibres, size, size), float64."""
    group = part.groups[name]
    total = -2.0 * part.gains(name, orders).astype(np.float64)
    for s in part.of[name]:
        tensor = s.place.tensor
        mine = units(s.place, part.a[tensor]).double().square().sum(-1)
        theirs = units(s.place, part.carried(tensor, orders, s)).double().square().sum(-1)
        total += (mine[:, :, None] + theirs[:, None, :]).cpu().numpy()
    return np.maximum(total, 0.0).reshape(group.fibres, group.size, group.size)


def _assigned(part: Overlap, name: str, block: set[str], orders: Orders) -> tuple[Orders, float]:
    """Orders with a block's solved, and the squared distance of what was known."""
    found = solve(part, name, orders)
    names = {t for n in block for t in part.tensors(n)}
    aa = sum(states.dot(part.a, part.a, names=[t]) for t in names)
    bb = sum(states.dot(part.b, part.b, names=[t]) for t in names)
    return found, aa + bb - 2 * part.value(found, names)


def _alone(orders: Orders, block: set[str], symmetry: Symmetry) -> Transform:
    rest = {g.name: g.identity() for g in symmetry.groups if g.name not in block}
    return compose(orders | rest, symmetry)
