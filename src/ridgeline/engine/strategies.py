"""Ways to get the outputs of K states on one chunk of samples; all give the same numbers.

Each is an object with a name and ``outputs(inputs, positions)``, which yields the model's
outputs position by position. `Loop` is the obvious one: move the one resident state, run the
network. `Batched` runs several positions in one call on stacked states. `Shared` runs the
network's constant and affine parts once and J times, and only the rest at every position, one
by one or stacked.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, fx
from torch.utils import _pytree as pytree

from ridgeline.engine.degrees import CONSTANT, GENERAL, Degree, degrees
from ridgeline.engine.programs import Programs, cut
from ridgeline.engine.residents import Resident
from ridgeline.errors import NotTraceable
from ridgeline.graph import Trace, flatten
from ridgeline.graph.looping import looping_quietly
from ridgeline.objective import Objective
from ridgeline.state import cast, is_continuous, matching

__all__ = ["Batched", "Loop", "Shared", "Strategy", "trace_for"]


class Strategy(Protocol):
    """A way to compute outputs at many positions."""

    name: str
    group: int
    """Positions that are computed in one call."""

    def outputs(self, inputs: Any, positions: Sequence[int]) -> Iterator[Any]:
        """The model's outputs on one chunk, in the order of positions."""
        ...


class Loop:
    """One position after another, on the resident state."""

    name = "loop"
    group = 1

    def __init__(self, objective: Objective, resident: Resident) -> None:
        self.network, self.resident = objective.network, resident

    def outputs(self, inputs: Any, positions: Sequence[int]) -> Iterator[Any]:
        """See `Strategy`."""
        with self.network.holding(self.resident.tensors) as call:
            for k in positions:
                self.resident.move(k)
                yield call(inputs)


class Batched:
    """Several positions in one call, by `torch.vmap` over stacked states."""

    name = "batched"

    def __init__(self, objective: Objective, resident: Resident, group: int) -> None:
        self.network, self.resident, self.group = objective.network, resident, group
        self.fixed = {n: x for n, x in resident.tensors.items() if n not in resident.moving}

    def outputs(self, inputs: Any, positions: Sequence[int]) -> Iterator[Any]:
        """See `Strategy`."""

        def run(moving: dict[str, Tensor]) -> Any:
            return self.network({**self.fixed, **moving}, inputs)

        for at in _groups(positions, self.group):
            stacked = self.resident.stack(self.resident.moving, at)
            with looping_quietly():
                out = torch.vmap(run)(stacked)
            yield from _unstack(out, len(at))


class Shared:
    """Do what does not move once, what is affine J times, the rest at each position.

    Args:
        objective: What is evaluated.
        resident: The working state.
        rows: Samples per chunk; the trace is made for that many, shorter chunks are padded.
        group: Positions per call of the general part; more than one stacks them.

    Raises:
        NotTraceable: If the network cannot be traced, or nothing of it can be shared.
    """

    def __init__(self, objective: Objective, resident: Resident, rows: int, group: int = 1) -> None:
        self.name = "shared" if group == 1 else "shared+batched"
        self.objective, self.resident, self.rows, self.group = objective, resident, rows, group
        self.used = [j for j in range(len(resident.combination.basis)) if self._is_used(j)]
        trace = trace_for(objective, rows)
        programs = cut(trace, degrees(trace, self._degrees()))
        if programs is None:
            raise NotTraceable("Nothing of the network stands still or is affine.")
        if len(resident.combination) <= len(self.used):
            raise NotTraceable("There are no more positions than basis states.")
        self.programs: Programs = programs
        names = programs.names
        self.moved = {n: names[n] for n in programs.general.takes if n in names}
        self.moved = {n: name for n, name in self.moved.items() if name in resident.moving}
        gives = programs.affine.gives
        self.combined = [n for n in (*programs.general.takes, programs.output) if n in gives]
        self.combined = list(dict.fromkeys(self.combined))

    def _is_used(self, j: int) -> bool:
        return any(table[:, j].any() for table in self.resident.combination.tables)

    def _degrees(self) -> dict[str, Degree]:
        """The motion of each tensor of the state."""
        resident, found = self.resident, {}
        for name in resident.moving:
            table = resident.combination.table_of.get(name, 0)
            linear = is_continuous(resident.tensors[name]) and not (
                name in resident.combination.spectral or name in resident.combination.infinite
            )
            affine = linear and name not in resident.overrides
            found[name] = Degree("affine", table) if affine else GENERAL
        return found

    def outputs(self, inputs: Any, positions: Sequence[int]) -> Iterator[Any]:
        """See `Strategy`."""
        short = len(flatten(inputs)[0])
        once, parts = self._once(_padded(inputs, self.rows))
        for at in _groups(positions, self.group):
            run = self._one if self.group == 1 else self._stacked
            for out in run(once, parts, at):
                yield out if short == self.rows else out[:short]

    def _once(self, inputs: Any) -> tuple[dict[fx.Node, Any], list[dict[fx.Node, Any]]]:
        """Constant values, and affine values at each basis state."""
        programs, names, resident = self.programs, self.programs.names, self.resident
        values: dict[fx.Node, Any] = dict(zip(programs.trace.data, flatten(inputs), strict=True))
        for node, name in names.items():
            if name not in resident.moving:
                values[node] = resident.tensors[name]
        programs.constant(values)
        parts = []
        for j in self.used if programs.affine.gives else []:
            held = dict(values)
            for node in programs.affine.takes:
                if node in names and names[node] in resident.moving:
                    basis = resident.combination.basis[j][names[node]]
                    kind = matching(resident.dtype, basis)
                    held[node] = basis.to(device=resident.device, dtype=kind)
            programs.affine(held)
            parts.append({n: held[n] for n in self.combined})
        return values, parts

    def _coefficients(self, node: fx.Node, k: int) -> list[float]:
        table = self.resident.combination.tables[self.programs.degrees[node].table]
        return [float(table[k, j]) for j in self.used]

    def _one(self, once: dict, parts: list[dict], at: Sequence[int]) -> Iterator[Any]:
        (k,) = at
        values = dict(once)
        for node in self.combined:
            values[node] = _mix([p[node] for p in parts], self._coefficients(node, k))
        tensors = self.resident.move(k, self.moved.values())
        values |= {node: tensors[name] for node, name in self.moved.items()}
        self.programs.general(values)
        yield values[self.programs.output]

    def _stacked(self, once: dict, parts: list[dict], at: Sequence[int]) -> Iterator[Any]:
        values, general = dict(once), self.programs.general
        stacked = set(self.combined) | set(self.moved)
        for node in self.combined:
            mixed = [_mix([p[node] for p in parts], self._coefficients(node, k)) for k in at]
            values[node] = torch.stack(mixed)
        moving = self.resident.stack(self.moved.values(), at)
        values |= {node: moving[name] for node, name in self.moved.items()}
        if self.programs.output in general.gives:
            axes = tuple(0 if n in stacked else None for n in general.takes)
            with looping_quietly():
                (out,) = torch.vmap(general.run, in_dims=axes)(*[values[n] for n in general.takes])
        else:
            out = values[self.programs.output]
            if self.programs.degrees[self.programs.output] == CONSTANT:
                out = out.expand(len(at), *out.shape)
        yield from _unstack(out, len(at))


def trace_for(objective: Objective, rows: int) -> Trace:
    """The trace of an objective's network at a number of samples; made once and kept.

    Raises:
        NotTraceable: Each time, once it was found so.
    """
    kept = objective.traces
    if rows not in kept:
        try:
            example = _padded(objective.samples[: min(rows, len(objective))].inputs, rows)
            tensors = cast(objective.network.tensors, objective.dtype, objective.device)
            kept[rows] = objective.network.trace(example, tensors, check=False)
        except NotTraceable as reason:
            kept[rows] = reason
    if isinstance(found := kept[rows], NotTraceable):
        raise found
    return found


def _padded(inputs: Any, rows: int) -> Any:
    """Inputs with their last sample repeated up to `rows`."""

    def pad(x: Tensor) -> Tensor:
        missing = rows - len(x)
        return torch.cat([x, x[-1:].expand(missing, *x.shape[1:])]) if missing else x

    return pytree.tree_map_only(Tensor, pad, inputs)


def _mix(values: Sequence[Tensor], coefficients: Sequence[float]) -> Tensor:
    """The affine combination of values; at a vertex the value itself, of two a fused lerp."""
    terms = [(v, c) for v, c in zip(values, coefficients, strict=True) if c]
    if len(terms) == 1:
        return terms[0][0]
    if len(terms) == 2:
        return torch.lerp(terms[0][0], terms[1][0], terms[1][1])
    total = terms[0][0] * terms[0][1]
    for value, coefficient in terms[1:]:
        total.add_(value, alpha=coefficient)
    return total


def _groups(positions: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(positions), size):
        yield positions[start : start + size]


def _unstack(outputs: Any, count: int) -> Iterator[Any]:
    for i in range(count):
        yield pytree.tree_map_only(Tensor, lambda x, i=i: x[i], outputs)
