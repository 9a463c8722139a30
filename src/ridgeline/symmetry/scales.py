r"""Discovery of positive scalings: which powers of a unit's factor leave the outputs unchanged.

[derived] Let the units of a group be multiplied by ``exp(h)`` to the power ``e_p`` at each place p.
The outputs do not change to first order in h if and only if, for every unit u and every
direction r of the outputs,

    sum over p of  e_p <dL/dT_p, T_p> restricted to u  =  0,      L = <r, outputs>.

All units of a group are alike, so that the powers are the same for each, and each unit gives an
equation. One backward pass gives all of them, of all groups; the powers are the null space.
Where it holds at every state it holds for finite factors too, because they are reached by
following it. So that nothing rests on chance, finite factors are proved by `prove`. Thresholds
that the example does not reach change no output near it; what is compared with them must stay as
it is all the same, and joins the outputs (`ridgeline.symmetry.bends`).

Running statistics are left as they are: scaling what a BatchNorm layer reads, and its running
mean along, leaves the outputs unchanged in evaluation mode, but not once its statistics are
gathered anew, because of the small number that it adds to the variance.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ridgeline import state as states
from ridgeline.graph import Forward, Network, Trace, flatten
from ridgeline.graph.values import outputs_in, values_of
from ridgeline.rng import stream
from ridgeline.state import State
from ridgeline.symmetry.bases import ZERO, echelon, null_space
from ridgeline.symmetry.bends import conditions
from ridgeline.symmetry.evaluation import drawn, random_state, steadily
from ridgeline.symmetry.group import Group
from ridgeline.symmetry.outputs import Which, network_of
from ridgeline.symmetry.proof import Bench, prove
from ridgeline.symmetry.scaling import Rescalable
from ridgeline.symmetry.symmetry import Symmetry
from ridgeline.symmetry.witness import witnessed

__all__ = ["rescalable", "scales"]

SMALL = 1e-3
"""Tensors whose numbers are smaller, as those of a layer scale of 1e-6, are drawn larger: what a
symmetry is does not depend on it, and the branch that they hold back is seen."""

WHOLE = 1e-5
"""Largest difference of a power from a ratio of small numbers."""


def rescalable(
    symmetry: Symmetry,
    model: nn.Module,
    example: Any,
    *,
    forward: Forward | None = None,
    outputs: Which = None,
    seed: int = 0,
) -> Symmetry:
    """Find which units may be multiplied besides being permuted, and prove it.

    Args:
        symmetry: Of the network, as `symmetries` gives.
        model: The network; left as it is.
        example: A batch of inputs.
        forward: How the model is called.
        outputs: Which of several outputs count, as for `symmetries`.
        seed: Of random weights and elements.

    Returns:
        The symmetry with `scalings`: positive factors, and signs that these do not reach.

    Raises:
        NotTraceable: If the network cannot be traced.
        NotASymmetry: If a group of the symmetry that is given fails its proof. A scaling that does
            is left out, and named in `derived`.
    """
    from ridgeline.symmetry.signs import signs

    network = network_of(model, forward, outputs)
    found = scales(symmetry, network, example, seed=seed)
    found += signs(symmetry, network, example, seed=seed)
    witness = symmetry.witness or witnessed(network, example, seed)
    whole = replace(symmetry, scalings=_inmost(symmetry, found), witness=witness)
    wrong = {w.name: w for w in Bench(network, example, seed).wrong(whole)}
    kept = tuple(m for m in whole.scalings if m.name not in wrong)
    if not wrong:
        return whole
    if len(whole.scalings) - len(kept) < len(wrong):  # what was given is none
        prove(whole, network, example, seed=seed)
    names = ", ".join(f"{n!r} ({w.change:.1e})" for n, w in wrong.items())
    note = f"derived, but dropped because outputs change: {names}"
    return replace(whole, scalings=kept, derived=(*whole.derived, note))


def scales(
    symmetry: Symmetry, network: Network, example: Any, *, seed: int = 0
) -> tuple[Rescalable, ...]:
    """The positive scalings of a network's units, a basis for each group; not yet proved.

    Args:
        symmetry: Whose groups.
        network: The network.
        example: A batch of inputs.
        seed: Of random weights, inputs and directions of the outputs.
    """
    equations = _equations(symmetry, network, example, seed)
    found: list[Rescalable] = []
    for group in symmetry.groups:
        for powers in _members(group, equations[group.name]):
            leader = group.places[next(i for i, e in enumerate(powers) if e)].tensor
            name = f"{group.name} scaled at {leader}"
            found.append(Rescalable(name, group.name, powers))
    return tuple(found)


def _inmost(symmetry: Symmetry, members: tuple[Rescalable, ...]) -> tuple[Rescalable, ...]:
    """The members less those that do to whole units what others do to each unit inside of them."""

    def does(member: Rescalable) -> tuple[bool, frozenset[tuple[str, int, int]]]:
        places = zip(symmetry.group(member.group).places, member.powers, strict=True)
        return member.signs, frozenset((p.tensor, p.axis, e) for p, e in places if e)

    def covered(member: Rescalable) -> bool:
        inner = {g.name for g in symmetry.groups if g.inside == member.group}
        return any(m.group in inner and does(m) == does(member) for m in members)

    return tuple(m for m in members if not covered(m))


def _equations(
    symmetry: Symmetry, network: Network, example: Any, seed: int
) -> Mapping[str, np.ndarray]:
    """For each group a row for every unit and pass, a column for every place."""
    rows: dict[str, list[np.ndarray]] = {g.name: [] for g in symmetry.groups}
    need = {g.name: 2 * len(g.places) + 8 for g in symmetry.groups}
    trace = network.trace(drawn(example, seed), random_state(network.tensors, seed))
    count = 0
    while any(sum(map(len, rows[n])) < need[n] for n in rows) or count < 2:
        small = {n for g in symmetry.groups for n in g.tensors()}
        state = _visible(random_state(network.tensors, seed + count), small)
        slopes = _slopes(state, trace, example, seed + count)
        for group in symmetry.groups:
            if count < 2 or sum(map(len, rows[group.name])) < need[group.name]:
                rows[group.name].append(_row(group, state, slopes))
        count += 1
    return {name: np.concatenate(parts) for name, parts in rows.items()}


def _row(group: Group, state: Mapping[str, Tensor], slopes: Mapping[str, Tensor]) -> np.ndarray:
    columns = []
    for place in group.places:
        weighed = (slopes[place.tensor].conj() * state[place.tensor]).real
        columns.append(place.units(weighed).sum(-1).reshape(-1))
    return torch.stack(columns, 1).numpy()


def _visible(state: State, names: Collection[str]) -> State:
    """A state whose named tensors have numbers of usual size."""

    def one(x: Tensor) -> Tensor:
        size = float(x.abs().square().mean().sqrt()) if x.numel() else 0.0
        return x * (0.1 / size) if 0 < size < SMALL else x

    usual = (torch.float64, torch.complex128)
    return {n: one(x) if n in names and x.dtype in usual else x for n, x in state.items()}


def _slopes(
    state: Mapping[str, Tensor], trace: Trace, example: Any, seed: int
) -> dict[str, Tensor]:
    """The derivative of a random direction of the outputs by the tensors of a state."""
    inputs = drawn(example, seed)
    names = [*states.coordinates(state), *(n for n, x in state.items() if x.is_complex())]
    with torch.enable_grad():  # statistics stay as they are
        held = {n: x.clone().requires_grad_(n in names) for n, x in state.items()}
        with steadily(seed):  # the trace has no writing in place, which has no derivative
            values = values_of(trace, [*held.values(), *flatten(inputs)], through=True)
        made = outputs_in(trace, values)
        slopes = {n: torch.zeros_like(x, dtype=torch.float64) for n, x in state.items()}
        if not made:  # integers alone
            return slopes
        draws = stream(seed, "scales", "direction")
        total = torch.stack([_directed(y, draws) for y in made]).sum()
        size = float(torch.stack([_spread(y.detach()) for y in made]).max())
        for condition in conditions(trace, values):
            total = total + size * _directed(condition, draws)
        given = torch.autograd.grad(total, [held[n] for n in names], allow_unused=True)
    slopes |= {n: g.detach() for n, g in zip(names, given, strict=True) if g is not None}
    return slopes


def _directed(y: Tensor, draws: torch.Generator) -> Tensor:
    """A value along a random direction; what is not finite is left out."""
    y = y[y.detach().isfinite()]
    return (torch.randn(y.shape, generator=draws, dtype=y.dtype) * y).sum().double()


def _spread(y: Tensor) -> Tensor:
    y = y[y.isfinite()].double()
    return y.square().mean().sqrt() if y.numel() else torch.zeros((), dtype=torch.float64)


def _members(group: Group, equations: np.ndarray) -> list[tuple[int, ...]]:
    """The powers of each scaling that a group has."""
    moving = [i for i, p in enumerate(group.places) if not states.is_statistic(p.tensor)]
    table = equations[:, moving]
    size = np.linalg.norm(table, axis=0)
    # What has no influence (a bias that softmax takes out again) goes along with its neighbour.
    void = size <= ZERO * (size.max() if size.size else 1.0)
    live = [k for k in range(len(moving)) if not void[k]]
    found: list[tuple[int, ...]] = []
    if not live:
        return found
    for scaled in echelon(null_space(table[:, live] / size[live]), size[live]):
        powers = dict.fromkeys(range(len(group.places)), Fraction(0))
        whole = [Fraction(float(x)).limit_denominator(4) for x in scaled]
        if any(abs(float(w) - x) > WHOLE for w, x in zip(whole, scaled, strict=True)):
            continue
        if not any(whole):
            continue
        powers |= {moving[k]: w for k, w in zip(live, whole, strict=True)}
        for k in np.flatnonzero(void):
            powers[moving[k]] = _neighbour(group, moving[k], [moving[j] for j in live], powers)
        least = max(w.denominator for w in powers.values())
        found.append(tuple(int(w * least) for w in powers.values()))
    return found


def _neighbour(
    group: Group, place: int, live: list[int], powers: Mapping[int, Fraction]
) -> Fraction:
    """The power of the live place in the same module as one without influence."""
    home = group.places[place].tensor.rpartition(".")[0]
    axis = group.places[place].axis
    near = [i for i in live if group.places[i].tensor.rpartition(".")[0] == home]
    near = [i for i in near if group.places[i].axis == axis] or near
    return powers[near[0]] if near else Fraction(0)
