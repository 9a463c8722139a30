"""Canonical forms: the one state that stands for all those with the same function.

``canonical(g(x))`` is ``canonical(x)`` for every element g of a symmetry, so that a distance
between canonical forms never counts symmetry. Factors first, then signs, then the order of units.

[derived] ``"balanced"`` takes from all states that positive factors reach the one of least norm.
The squared norm is ``sum over units and places of n_p^2 exp(2 e_p h)``, with n_p the norm of what
a unit holds at place p, convex in the logarithms h of all factors together: it has one minimum,
where ``sum of e_p n_p^2`` is zero for each unit. For powers 1 and -1 this says that a unit's
norm where it is made is its norm where it is used.
"""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ridgeline.errors import UnknownName, UsageError
from ridgeline.state import State
from ridgeline.symmetry.exchange import Exchange, Exchanged
from ridgeline.symmetry.group import Group
from ridgeline.symmetry.scaling import Rescalable, Scaling
from ridgeline.symmetry.symmetry import Symmetry
from ridgeline.symmetry.transform import Action, Permutation, Transform
from ridgeline.symmetry.witness import check_carried

__all__ = ["canonical", "canonically"]

Norm = Literal["balanced", "unit"]

SWEEPS = 200
"""Most rounds over the scalings."""

REST = 1e-12
"""A round in which no factor differs from 1 by more is the last one."""


def canonical(
    state: Mapping[str, Tensor],
    symmetry: Symmetry,
    *,
    norm: Norm = "balanced",
    sort: bool = False,
) -> State:
    """The canonical form of a state; see `canonically`.

    Raises:
        NotASymmetry: If it computes something else, where the symmetry bears its network.
    """
    element = canonically(state, symmetry, norm=norm, sort=sort)
    found = element(state)
    check_carried(symmetry, state, element, found)
    return found


def canonically(
    state: Mapping[str, Tensor],
    symmetry: Symmetry,
    *,
    norm: Norm = "balanced",
    sort: bool = False,
) -> Transform:
    """The element of a symmetry that brings a state into its canonical form.

    Args:
        state: Of the network.
        symmetry: With its `scalings`, as `rescalable` finds.
        norm: ``"balanced"``: the least norm of the whole, where each unit's norm is the same where
            it is made and where it is used. ``"unit"``: each unit has norm 1 where it is made. A
            unit that is zero where it is made, or for ``"balanced"`` where it is used, is left
            as it is.
        sort: Put units in falling order of norm at the first place of their group, then the next,
            and whole modules that may be exchanged in that of their tensors.

    Returns:
        The transform; the function is unchanged. The sign of a unit is such that, of what it holds
        at the first place that its sign changes, the largest number is positive.

    Raises:
        UnknownName: If there is no such norm.
        UsageError: If the rounds do not come to rest.
    """
    if norm not in ("balanced", "unit"):
        raise UnknownName("norm of canonical forms", norm, ["balanced", "unit"])
    symmetry.check(state)
    held = {n: x.double() if x.is_floating_point() else x for n, x in state.items()}
    actions: list[Action] = []
    for signs in (False, True):
        members = [m for m in symmetry.scalings if m.signs is signs]
        actions += _settled(held, symmetry, members, norm)
    if sort:
        for group in symmetry.groups:
            order = _falling(held, group)
            actions.append(Permutation(group, order))
            held.update(actions[-1].changed(held))
        for exchange in sorted(symmetry.exchanges, key=_inner_first):
            actions.append(Exchanged(exchange, _falling_modules(held, exchange)))
            held.update(actions[-1].changed(held))
    for generator in symmetry.more:
        actions.append(generator.canonical(held))
        held.update(actions[-1].changed(held))
    return Transform(tuple(actions), symmetry.ties)


def _settled(
    held: State, symmetry: Symmetry, members: list[Rescalable], norm: Norm
) -> list[Scaling]:
    """Rounds over the members until nothing changes; the state is brought along."""
    total = {m.name: np.ones(symmetry.group(m.group).identity().shape) for m in members}
    moved = 0.0
    for _ in range(SWEEPS):
        moved = 0.0
        for member in members:
            group = symmetry.group(member.group)
            factors = _signs(held, group, member) if member.signs else _wanted(
                held, group, member, norm
            )  # fmt: skip
            held.update(Scaling(group, member, factors).changed(held))
            total[member.name] *= factors
            moved = max(moved, float(np.abs(np.log(np.abs(factors))).max()), -factors.min())
        if moved <= REST:
            return [Scaling(symmetry.group(m.group), m, total[m.name]) for m in members]
    raise UsageError(
        f"Canonical factors come to rest within {SWEEPS} rounds.",
        got=f"factors that still change by {moved:.1e}",
        remedy="Units that are all but silent do this: leave their groups out, with "
        "`symmetry.without(name)`.",
    )


def squares(held: Mapping[str, Tensor], group: Group) -> np.ndarray:
    """Squared norms of what each unit holds at each place: shape (places, fibres, size)."""
    parts = [p.units(held[p.tensor]).abs().double().square().sum(-1) for p in group.places]
    return torch.stack(parts).numpy()


def _wanted(held: Mapping[str, Tensor], group: Group, member: Rescalable, norm: Norm) -> np.ndarray:
    powers = np.array(member.powers, np.float64)[:, None, None]
    norms = squares(held, group)
    if norm == "unit":
        made = np.where(powers > 0, norms, 0.0)
        largest = max(member.powers) if max(member.powers) > 0 else 1
        size = made.sum(0)
        return np.where(size > 0, np.where(size > 0, size, 1.0) ** (-0.5 / largest), 1.0)
    made, used = (np.where(s * powers > 0, norms, 0.0).sum(0) for s in (1, -1))
    live = (made > 0) & (used > 0)
    logs = np.zeros(made.shape)
    if set(member.powers) <= {-1, 0, 1}:
        ratio = np.where(live, used, 1.0) / np.where(live, made, 1.0)
        return ratio**0.25
    for _ in range(100):  # Newton's method, held back: the function is convex
        terms = norms * np.exp(2 * powers * logs)
        slope, bend = (powers * terms).sum(0), (2 * powers**2 * terms).sum(0)
        step = np.where(live, slope / np.where(bend > 0, bend, 1.0), 0.0)
        logs -= np.clip(step, -1, 1)
        if np.abs(step).max() < REST:
            break
    return np.exp(logs)


def _signs(held: Mapping[str, Tensor], group: Group, member: Rescalable) -> np.ndarray:
    for place, power in zip(group.places, member.powers, strict=True):
        if power % 2:
            rows = place.units(held[place.tensor])
            at = rows.abs().argmax(-1, keepdim=True)
            if bool((rows != 0).any()):
                largest = rows.gather(-1, at)[..., 0].real.numpy()
                return np.where(largest < 0, -1.0, 1.0)
    return np.ones((group.fibres, group.size))


def _falling(held: Mapping[str, Tensor], group: Group) -> np.ndarray:
    """The order in which norms fall, at the first place before the next."""
    norms = np.sqrt(squares(held, group))
    rough = np.round(norms / np.maximum(norms.max((1, 2), keepdims=True), 1e-300), 9)
    return np.stack([np.lexsort(-rough[::-1, f]) for f in range(group.fibres)])


def _inner_first(exchange: Exchange) -> int:
    """Number of the tensors of a module: those of one inside of another are fewer."""
    return len(exchange.members.tensors[0])


def _falling_modules(held: Mapping[str, Tensor], exchange: Exchange) -> np.ndarray:
    """The order in which modules' norms fall, of their first tensors before the next."""
    norms = np.array(
        [[float(held[n].abs().double().norm()) for n in one] for one in exchange.members.tensors]
    ).T
    rough = np.round(norms / np.maximum(norms.max(1, keepdims=True), 1e-300), 9)
    return np.lexsort(-rough[::-1])[None]
