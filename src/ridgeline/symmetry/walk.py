"""Walking through a network's trace: the labels of every value, from input to output."""

import operator
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx
from torch.fx.node import map_arg

from ridgeline.graph import Trace, arguments, operation
from ridgeline.symmetry.confined import by_position, by_run, cut_into
from ridgeline.symmetry.labels import Value, combine, move, varies
from ridgeline.symmetry.moves import FACTORIES, MOVES, moved, pointwise
from ridgeline.symmetry.reach import unreached
from ridgeline.symmetry.rules import RULES, Walk, chosen, unknown
from ridgeline.symmetry.settling import settle
from ridgeline.symmetry.units import Labels, Units

__all__ = ["Tracing"]

UNREACHED = "not reached by this example"
"""Reason for positions that a longer input may reach."""


class Tracing(Walk):
    """The labels of all values of a trace.

    Args:
        trace: Of the network, at an example.
        apart: Tensors whose other axes have units of their own at each position of one: which.
    """

    def __init__(self, trace: Trace, apart: Mapping[str, int] | None = None) -> None:
        self.units = Units()
        self.trace = trace
        self.apart = apart or {}
        self.names = {node: name for name, node in trace.tensors.items()}
        self.values: dict[fx.Node, Any] = {}
        self.constants: dict[fx.Node, Any] = {}
        self.pointers: dict[fx.Node, Labels] = {}
        self.counts: dict[fx.Node, Labels] = {}
        self.seen: list[tuple[str, int, Labels]] = []
        """Sightings of units along one axis of a value: its name, the axis, the labels."""
        self.unused: list[str] = []
        """Tensors of the state that the network does not use."""
        self._axes: dict[tuple[str, int], Labels] = {}
        self._data = set(trace.data)
        for node in trace.graph.nodes:
            if node.op == "output":
                self._finish(node)
            else:
                self._step(node)
        self.partly: set[str] = set()
        """Tensors of which the example does not reach all."""
        for name, axis, positions in unreached(trace, self.constants):
            self.partly.add(name)
            self.units.fix(self.units.at(name, axis, positions), UNREACHED)
        settle(self.units)

    # --- what rules ask for ------------------------------------------------------------------

    def value(self, of: Any) -> Value:
        """The labels of an argument; a number has none."""
        if not isinstance(of, fx.Node):
            return Value(()) if not isinstance(of, Tensor) else Value.of(of.shape)
        return self.values[of]

    def leading(self, of: Any, axes: int) -> Value:
        """A value's first axes."""
        if of in self.names:
            shape = self.shape(of)[:axes]
            return Value(shape, tuple(self._layers(of, range(axes))))
        value = self.value(of)
        kept = [f for f in value.layers if max(varies(f)) < axes]
        for layer in value.layers:
            if max(varies(layer)) >= axes:
                self.units.fix(layer, "positions of a kernel")
        at = (slice(None),) * axes
        return Value(value.shape[:axes], tuple(f.reshape(f.shape[:axes])[at] for f in kept))

    def blockwise(self, of: Any, blocks: int) -> Value | None:
        """A weight whose second axis is another one for each block of its first."""
        if of not in self.names or len(of.users) > 1:
            return None
        name, shape = self.names[of], self.shape(of)
        where = np.arange(shape[0]).reshape(blocks, -1)
        rows = self._axis(name, 0, shape[0]).reshape(blocks, -1, 1)
        columns = self.units.of_blocks(name, 1, shape[1], where).reshape(blocks, 1, -1)
        self._in_blocks(blocks, rows, columns)
        layers = [f for f in (rows, columns) if f.size > 1]
        return Value((blocks, shape[0] // blocks, shape[1]), tuple(layers))

    def stacked(self, of: Any) -> Value | None:
        """A stack of matrices, each with rows and columns of its own."""
        if of not in self.names or len(of.users) > 1:
            return None
        name, shape = self.names[of], self.shape(of)
        blocks = self._axis(name, 0, shape[0])
        self.units.forget(name, (1, 2))  # units that are the same in all of the stack
        return Value(shape, by_position(self.units, name, shape, 0, blocks, "a stack"))

    def _in_blocks(self, count: int, *layers: Labels) -> None:
        blocks = self.units.fresh(count).reshape(-1, 1, 1)
        for layer in layers:
            self.units.relate(layer, blocks, "blocks of a weight")

    # --- the walk ----------------------------------------------------------------------------

    def _step(self, node: fx.Node) -> None:
        if node in self.names:
            if node.users:
                self.values[node] = self._tensor(node)
            else:
                self.unused.append(self.names[node])
        elif node in self._data:
            data = node.meta.get("val")  # a number, a name or None is part of the trace
            shape = data.shape if isinstance(data, Tensor) else ()
            self.values[node] = Value.of(shape, inputs=True)
        elif node.op == "get_attr":
            self.constants[node] = _attribute(self.trace.owner, str(node.target))
            self.values[node] = _of_constant(self.constants[node])
        elif node.op == "call_function":
            self._fold(node)
            if node in self.constants:
                self.values[node] = _of_constant(self.constants[node])
            else:
                self.values[node] = self._follow(node)
                self._look(node)

    def _tensor(self, node: fx.Node) -> Value:
        # Kernels of convolutions ask for their leading axes; others have units along each axis.
        kernel = len(self.shape(node)) > 2
        if kernel and node.users and all("conv" in operation(user) for user in node.users):
            return Value(self.shape(node))
        name, shape = self.names[node], self.shape(node)
        if name in self.apart:
            across = self.apart[name]
            rows = self._axis(name, across, shape[across])
            return Value(shape, by_position(self.units, name, shape, across, rows, "its rows"))
        if len(runs := cut_into(node, shape)) > 1:
            return by_run(self.units, name, shape, self._axis(name, 0, shape[0]), runs)
        return Value(shape, tuple(self._layers(node, range(len(shape)))))

    def _layers(self, node: fx.Node, axes: Any) -> list[Labels]:
        name, shape = self.names[node], self.shape(node)
        size = len(axes)
        return [
            self._axis(name, k, shape[k]).reshape([-1 if j == k else 1 for j in range(size)])
            for k in axes
            if shape[k] > 1
        ]

    def _axis(self, tensor: str, axis: int, size: int) -> Labels:
        if (tensor, axis) not in self._axes:
            self._axes[tensor, axis] = self.units.of_axis(tensor, axis, size)
        return self._axes[tensor, axis]

    def _fold(self, node: fx.Node) -> None:
        """Compute what depends on no tensor of the state and no data, if it is small."""
        if any(n not in self.constants for n in node.all_input_nodes):
            return
        given, kwargs = map_arg((node.args, node.kwargs), lambda n: self.constants[n])
        with torch.no_grad():
            self.constants[node] = node.target(*given, **kwargs)  # type: ignore[operator]  # an operation

    def _follow(self, node: fx.Node) -> Any:
        name = operation(node)
        if node.target is operator.getitem:
            return self.values[node.args[0]][node.args[1]]  # type: ignore[index]  # of several results
        given = arguments(node) if hasattr(node.target, "_schema") else {}
        why = f"cannot be followed through {node.name}"
        if name in RULES:
            return RULES[name](self, node, given)
        if name in ("to", "type_as"):  # of another tensor its type alone
            return self.value(node.args[0])
        if pointwise(node, name):
            return combine(self.units, [self.value(of) for of in _tensors(node)], why)
        if name in MOVES or name == "index":
            return self._moved(node, why)
        if name in FACTORIES:
            return Value(self.shape(node))
        return unknown(self, node)

    def _moved(self, node: fx.Node, why: str) -> Any:
        source, *others = node.all_input_nodes  # an argument that comes twice is listed once
        if operation(node) in ("reshape_as", "view_as", "expand_as"):  # of the other, its shape
            return move(
                self.units,
                self.value(source),
                lambda f: (
                    f.expand(self.shape(node))
                    if operation(node) == "expand_as"
                    else f.reshape(self.shape(node))
                ),
                why,
            )
        if node.args[0] is not source or any(n not in self.constants for n in others):
            by_data = operation(node) in ("index", "index_select")
            return chosen(self, node) if by_data else unknown(self, node)
        value = self.value(source)

        def run(labels: Tensor, part: int | None = None) -> Tensor:
            made = moved(node, source, labels, self.constants)
            return made if part is None else made[part]

        made = node.meta["val"]
        if isinstance(made, (tuple, list)):
            return [
                move(self.units, value, lambda f, k=k: run(f, k), why) for k in range(len(made))
            ]
        return move(self.units, value, run, why)

    def _look(self, node: fx.Node) -> None:
        value = self.values[node]
        # Rows that are taken by value are others, and not as many, in another network.
        if not isinstance(value, Value) or node in self.trace.valued:
            return
        for layer in value.layers:
            along = varies(layer)
            if len(along) == 1 and (layer > 0).all() and 0 not in along:
                self.seen.append((node.name, along.copy().pop(), layer.ravel()))

    def _finish(self, node: fx.Node) -> None:
        for given in node.all_input_nodes:
            value = self.values[given]
            for one in value if isinstance(value, list) else [value]:
                for layer in one.layers:
                    self.units.fix(layer, "outputs of the network")


def _tensors(node: fx.Node) -> list[Any]:
    found: list[Any] = []
    map_arg((node.args, node.kwargs), lambda n: found.append(n) or n)
    return found


def _attribute(owner: Any, path: str) -> Any:
    for part in path.split("."):
        owner = getattr(owner, part)
    return owner


def _of_constant(constant: Any) -> Any:
    """Labels of a constant: coordinates along the axes along which it differs."""
    if isinstance(constant, (tuple, list)):
        return [_of_constant(one) for one in constant]
    if not isinstance(constant, Tensor):
        return Value(())
    shape = [
        n if n > 1 and not bool((constant == constant.narrow(k, 0, 1)).all()) else 1
        for k, n in enumerate(constant.shape)
    ]
    return Value(tuple(constant.shape), Value.of(shape).layers)
