"""Discovery of signs: of which places of a unit the sign may change with the outputs unchanged.

A sign cannot be reached by small steps, so it is followed through the trace. Half the units of a
group are taken; the sign at each place of them is an unknown bit. A value of the network then
has, on some of its elements, a sign that is a sum (modulo 2) of these bits: its *form*. Each
operation is tried on real numbers with the signs of its inputs changed in every way. Where its
result is what it was up to signs, these are the forms of the result; other ways are excluded by a
linear equation in the bits (a ReLU's input keeps its sign; a sum's terms have the same). At the
outputs every form is zero. What the equations leave is the answer, and no table of operations is
needed.
"""

import operator
from collections.abc import Mapping
from contextlib import suppress
from itertools import product
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx

from ridgeline.graph import Network, Trace, flatten
from ridgeline.graph.values import run, values_of
from ridgeline.symmetry.bends import reaching
from ridgeline.symmetry.bits import Equations, forms_from, parity_space
from ridgeline.symmetry.evaluation import drawn, random_state, steadily
from ridgeline.symmetry.group import Group
from ridgeline.symmetry.lengths import many
from ridgeline.symmetry.proof import CHEAP, SAMPLES
from ridgeline.symmetry.scaling import Rescalable, multiplied
from ridgeline.symmetry.symmetry import Symmetry

__all__ = ["signs"]

Signed = list[tuple[Tensor, int]]
"""Parts of a value: a mask, and the form of the sign there, a bit for each place."""

MOST = 6
"""Forms that may meet in one operation; if there are more, they must all be the same."""

ROUNDING = 1e-10
"""Relative to the largest element that is no mask."""

PASSES = 3
"""Random states at which the signs of a small network are followed."""

NUMBERS = 4096
"""Numbers of a batch up to which it is made one of `SAMPLES` samples."""

MASKED = 1e30
"""What attention masks add is larger, and says nothing of the size of other elements."""


def signs(
    symmetry: Symmetry, network: Network, example: Any, *, seed: int = 0
) -> tuple[Rescalable, ...]:
    """The sign changes of a network's units, a basis for each group; not yet proved.

    Args:
        symmetry: Whose groups.
        network: The network.
        example: A batch of inputs.
        seed: Of the random weights.
    """
    passes: list[tuple[Trace, Mapping[fx.Node, Any]]] = []
    for k in range(PASSES if _small(network, example) else 1):
        state = random_state(network.tensors, seed + k)
        trace, inputs = _traced(network, example, state, seed + k)
        with torch.no_grad(), steadily(seed):
            passes.append((trace, values_of(trace, [*state.values(), *flatten(inputs)])))
    found: list[Rescalable] = []
    with torch.no_grad(), steadily(seed):
        for group in symmetry.groups:
            equations = Equations()
            followed = [_Followed(group, *one, equations) for one in passes]
            for powers in followed[-1].solutions():
                leader = group.places[powers.index(1)].tensor
                name = f"{group.name} signed at {leader}"
                found.append(Rescalable(name, group.name, powers, signs=True))
    return tuple(found)


def _small(network: Network, example: Any) -> bool:
    """True if it is cheap to follow signs at several states, and at more samples.

    The units that are taken may be silent at two samples (a ReLU's, of few), and then tell nothing.
    """
    held = flatten(example)
    most = max((x.numel() // max(1, len(x)) for x in held if x.ndim), default=NUMBERS)
    numbers = sum(x.numel() for x in network.tensors.values())
    return most * SAMPLES <= NUMBERS and numbers < CHEAP


def _traced(
    network: Network, example: Any, state: Mapping[str, Tensor], seed: int
) -> tuple[Trace, Any]:
    """A trace and its inputs: at more samples than the example's, if the network takes them."""
    if _small(network, example):
        inputs = drawn(many(example, SAMPLES), seed)
        with suppress(Exception):  # a user's network may refuse another batch size in any way
            return network.trace(inputs, state), inputs
    inputs = drawn(example, seed)
    return network.trace(inputs, state), inputs


class _Followed:
    """The signs of some units, followed through a trace.

    Args:
        group: Of whose units half are taken: one alone might be silent at the example.
        trace: Of the network.
        values: Of its nodes.
        equations: In the bits, of other passes; those of this one are added.
    """

    def __init__(
        self,
        group: Group,
        trace: Trace,
        values: Mapping[fx.Node, Any],
        equations: Equations,
    ) -> None:
        self.places = len(group.places)
        self.values = dict(values)
        self.changed: set[fx.Node] = set()
        self.equations = equations
        self.forms: dict[fx.Node, list[Signed]] = {}
        factors = np.ones((group.fibres, group.size))
        factors[:, : (group.size + 1) // 2] = -1.0
        for k, place in enumerate(group.places):
            node = trace.tensors[place.tensor]
            x = values[node]
            if not x.is_floating_point():
                self.equations.add(1 << k)
                continue
            mask = multiplied(torch.ones_like(x), place, factors) < 0
            self.forms.setdefault(node, [[]])[0].append((mask, 1 << k))
        for node in trace.graph.nodes:
            if node.op == "call_function":
                self._step(node)
            elif node.op == "output":
                for given in node.all_input_nodes:
                    for signed in self.forms.get(given, []):
                        for _, form in signed:
                            self.equations.add(form)

    def solutions(self) -> list[tuple[int, ...]]:
        """The bits of each independent solution, by place."""
        space = self.equations.solutions(self.places)
        return [tuple(s >> k & 1 for k in range(self.places)) for s in space]

    def _put(self, node: fx.Node, held: Mapping[fx.Node, Any]) -> None:
        """A value beyond a threshold: what follows must see it."""
        self.values[node] = run(node, held)
        self.changed.add(node)

    def _step(self, node: fx.Node) -> None:
        if any(n in self.changed for n in node.all_input_nodes):
            self._put(node, self.values)
        inputs = [n for n in node.all_input_nodes if n in self.forms]
        if not inputs:
            return
        forms = sorted({self.equations.reduce(f) for n in inputs for s in self.forms[n]
                        for _, f in s} - {0})  # fmt: skip
        if not forms:
            return
        if node.target is operator.getitem:
            which = node.args[1]
            assert isinstance(which, int)
            self.forms[node] = [self.forms[inputs[0]][which]]
            return
        if len(forms) > MOST:
            for form in forms[1:]:
                self.equations.add(form ^ forms[0])
            forms = [self.equations.reduce(forms[0])]
        held = reaching(node, self.values, self.forms)
        if held is not self.values:
            self._put(node, held)
        base = _leaves(self.values[node])
        ways: dict[int, list[Tensor]] = {}
        for bits in product((0, 1), repeat=len(forms)):
            way = sum(b << k for k, b in enumerate(bits))
            changed = (
                _changed(self._tried(node, held, inputs, forms, way), base) if way else _none(base)
            )
            if changed is not None:
                ways[way] = changed
        space = parity_space(ways)
        for equation in space.excluded(len(forms)):
            self.equations.add(forms_from(equation, forms))
        if parts := self._parts(space.basis, ways, forms, base):
            self.forms[node] = parts

    def _tried(
        self,
        node: fx.Node,
        held: Mapping[fx.Node, Any],
        inputs: list[fx.Node],
        forms: list[int],
        way: int,
    ) -> Any:
        """Return what an operation gives with some forms' signs changed."""
        known = {f: way >> k & 1 for k, f in enumerate(forms)}
        tried = dict.fromkeys(node.all_input_nodes)
        tried = {n: held[n] for n in tried}
        for n in inputs:
            leaves = [x.clone() if isinstance(x, Tensor) else x for x in _leaves(held[n])]
            for x, signed in zip(leaves, self.forms[n], strict=True):
                for mask, form in signed:
                    if known.get(self.equations.reduce(form)):
                        x[mask] = -x[mask]
            tried[n] = leaves if isinstance(held[n], (tuple, list)) else leaves[0]
        try:
            return _leaves(run(node, tried))
        except RuntimeError:  # an operation may refuse numbers that it never gets
            return []

    def _parts(
        self,
        basis: list[int],
        ways: Mapping[int, list[Tensor]],
        forms: list[int],
        base: list[Any],
    ) -> list[Signed]:
        """Masks and forms of each result."""
        found: list[Signed] = []
        for k, x in enumerate(base):
            if not isinstance(x, Tensor):
                found.append([])
                continue
            code = torch.zeros(x.shape, dtype=torch.int64)
            for i, way in enumerate(basis):
                code |= ways[way][k].long() << i
            signed: Signed = []
            for value in code.unique().tolist():
                if value:
                    combination = _combined(value, basis, len(forms))
                    signed.append((code == value, forms_from(combination, forms)))
            found.append(signed)
        return found if any(found) else []


def _leaves(made: Any) -> list[Any]:
    return list(made) if isinstance(made, (tuple, list)) else [made]


def _none(base: list[Any]) -> list[Tensor]:
    return [torch.zeros(x.shape, dtype=torch.bool) if isinstance(x, Tensor) else torch.tensor(0)
            for x in base]  # fmt: skip


def _changed(made: list[Any], base: list[Any]) -> list[Tensor] | None:
    """Return where signs changed, if nothing else did."""
    if len(made) != len(base):
        return None
    found = []
    for x, y in zip(made, base, strict=True):
        if not isinstance(y, Tensor):
            found.append(torch.tensor(0))
            continue
        if not y.is_floating_point():
            if not torch.equal(x, y):
                return None
            found.append(torch.zeros(y.shape, dtype=torch.bool))
            continue
        usual = y[y.abs() < MASKED].abs()
        slack = ROUNDING * float(usual.max()) if usual.numel() else 0.0
        same = (x == y) | ((x - y).abs() <= slack)
        turned = (x + y).abs() <= slack
        if not bool((same | turned).all()):
            return None
        found.append(turned & ~same)
    return found


def _combined(value: int, basis: list[int], count: int) -> int:
    """Forms that add up to a sign that the basis' ways change as the bits of a value say."""
    for candidate in range(1 << count):
        if all((candidate & way).bit_count() % 2 == value >> i & 1 for i, way in enumerate(basis)):
            return candidate
    raise AssertionError("every linear function on a space is a combination of coordinates")
