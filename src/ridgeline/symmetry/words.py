"""A symmetry in words: a line for each group, then what is left fixed and why."""

import re
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from torch import Tensor, fx
from torch.utils import _pytree as pytree

from ridgeline.graph import Trace, operation
from ridgeline.symmetry.exchange import Exchange
from ridgeline.symmetry.generator import Generator
from ridgeline.symmetry.group import Group, Place
from ridgeline.symmetry.scaling import Rescalable
from ridgeline.symmetry.transform import Acting

__all__ = ["describe", "made_in", "outputs_left_out", "shapes_of", "told"]

SHOWN = 6
"""Places that are named of those left fixed for one reason, and values of an example."""


class _Left(Protocol):
    """An axis that is left where it is, as `Fixed`."""

    @property
    def tensor(self) -> str: ...
    @property
    def axis(self) -> int: ...
    @property
    def why(self) -> str: ...


class _Symmetry(Protocol):
    """The parts of a `Symmetry` that are told."""

    @property
    def groups(self) -> Sequence[Group]: ...
    @property
    def exchanges(self) -> Sequence[Exchange]: ...
    @property
    def scalings(self) -> Sequence[Rescalable]: ...
    @property
    def more(self) -> Sequence[Generator]: ...
    @property
    def fixed(self) -> Sequence[_Left]: ...
    @property
    def derived(self) -> Sequence[str]: ...
    @property
    def left_out(self) -> Sequence[str]: ...
    @property
    def elements(self) -> float: ...
    def covered(self) -> float: ...
    def group(self, name: str) -> Group: ...


def describe(symmetry: _Symmetry) -> str:
    """The symmetry as text.

    Args:
        symmetry: Any.
    """
    every = (*symmetry.groups, *symmetry.exchanges, *symmetry.more)
    total = sum(g.units if isinstance(g, Generator) else g.fibres * g.size for g in every)
    count = len(every)
    lines = [
        f"{count} group{'' if count == 1 else 's'} of {total} units, of order "
        f"10^{symmetry.elements / np.log(10):.1f}; the tensors that they touch hold "
        f"{_floored(symmetry.covered())} of the state's numbers",
        *symmetry.derived,
        *outputs_left_out(symmetry.left_out),
    ]
    for g in symmetry.groups:
        size = f"{g.size}" if g.fibres == 1 else f"{g.fibres} x {g.size}"
        inside = f" (inside {g.inside})" if g.inside else ""
        lines.append(f"  {g.name}: {size}{inside}  {', '.join(_merged(g.places))}")
    for e in symmetry.exchanges:
        rows = "".join(f", {r}" for r in _merged(e.places))
        lines.append(f"  {e.name}: {e.size} whole modules  {', '.join(e.members.slots)}{rows}")
    for g in symmetry.more:
        lines.append(f"  {g.name}: {g.words()}  {', '.join(g.tensors())}")
    for m in symmetry.scalings:
        places = zip(symmetry.group(m.group).places, m.powers, strict=True)
        parts = dict.fromkeys(f"{p.tensor}[{p.axis}]^{e}" for p, e in places if e)
        lines.append(f"  {m.name}, {'sign' if m.signs else 'positive factor'}: {', '.join(parts)}")
    if symmetry.fixed:
        lines.append("left fixed:")
        for why in dict.fromkeys(f.why for f in symmetry.fixed):
            named = [f"{f.tensor}[{f.axis}]" for f in symmetry.fixed if f.why == why]
            named = list(dict.fromkeys(named))
            more = f" and {len(named) - SHOWN} more" if len(named) > SHOWN else ""
            lines.append(f"  {why}: {', '.join(named[:SHOWN])}{more}")
    return "\n".join(lines)


def _floored(share: float) -> str:
    """A share in percent, rounded down: 100 % is said of the whole only."""
    return f"{int(1000 * share) / 10:g}%"


def _merged(places: Sequence[Place]) -> list[str]:
    """Each axis of a tensor once, with the positions that a unit takes up there."""
    width: dict[str, int] = {}
    for p in places:
        named = f"{p.tensor}[{p.axis}]"
        width[named] = width.get(named, 0) + p.width
    return [named + (f" x{n}" if n > 1 else "") for named, n in width.items()]


def made_in(group: Acting) -> str:
    """Return where the units of a group are made: a module, a tensor of it, an operation."""
    if isinstance(group, Exchange):
        return f"modules {group.name!r}"
    if not isinstance(group, Group):
        return next(group.tensors(), group.name)
    place = next((p for p in group.places if p.axis == 0), group.places[0])
    module = place.tensor.rpartition(".")[0]
    inside = f"module {module!r}, " if module else ""
    seen = f", seen in {group.sightings[0].value!r}" if group.sightings else ""
    return f"{inside}{place.tensor}[{place.axis}]{seen}"


def shapes_of(example: Any) -> str:
    """Return what a symmetry was derived at: the shapes of a batch."""
    shapes = [tuple(x.shape) for x in pytree.tree_leaves(example) if isinstance(x, Tensor)]
    more = f" and {len(shapes) - SHOWN} more" if len(shapes) > SHOWN else ""
    listed = ", ".join(str(s) for s in shapes[:SHOWN]) or "none"
    return f"derived at inputs of shape {listed}{more}"


def outputs_left_out(names: Sequence[str]) -> tuple[str, ...]:
    """Return what to say of outputs that do not count.

    Args:
        names: Of their tensors.
    """
    if not names:
        return ()
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return (
        f"outputs left out, not proved: {', '.join(names[:SHOWN])}{more}; "
        "`outputs=` says which count",
    )


def told(why: str, trace: Trace) -> str:
    """A reason in which the node of a graph is called by the module that it is of.

    Args:
        why: A reason, such as ``cannot be followed through conv2d_2``.
        trace: Of the network.
    """
    nodes = {n.name: n for n in trace.graph.nodes}

    def name(found: re.Match[str]) -> str:
        node = nodes.get(found[1])
        return f"through {_called(node, trace)}" if node is not None else found[0]

    return re.sub(r"\bthrough (\w+)", name, why)


def _called(node: fx.Node, trace: Trace) -> str:
    """An operation: the module whose weights it takes, or that it comes after."""
    own = _module(node, trace)
    name = operation(node)
    if own:
        return f"{own} ({name})"
    waiting, known = list(node.all_input_nodes), set[fx.Node]()
    while waiting:
        before = waiting.pop(0)
        if before in known:
            continue
        known.add(before)
        if module := _module(before, trace):
            return f"{name} after {module} ({operation(before)})"
        waiting += before.all_input_nodes
    return name


def _module(node: fx.Node, trace: Trace) -> str:
    tensors = {n: t for t, n in trace.tensors.items()}
    own = [tensors[n] for n in node.all_input_nodes if n in tensors]
    return next((t.rpartition(".")[0] or t for t in own), "")
