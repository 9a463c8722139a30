"""Graphs without in-place operations: what is written to is made anew.

A value is a tensor as its user holds it: a whole, or a view of another value. The graph is walked
through once, and for every value the node that holds its elements now is kept. A write makes a
new node for the value, and for all that it is a view of (`slice_scatter` and its like); other
views of those are out of date, and taken again where they are next read. Which values share
memory is told by the fake tensors that the graph was traced with.
"""

import operator
from collections import Counter
from collections.abc import Iterable

import torch
from torch import Tensor, fx
from torch.fx.node import map_arg

from ridgeline.graph.memory import layout, shared, storages
from ridgeline.graph.normalisation import spell_out
from ridgeline.graph.operations import arguments, operation
from ridgeline.graph.parts import put_back
from ridgeline.graph.writes import give, only_first, recompute, twin_of, view_of

__all__ = ["make_functional"]

RENAMES = {"t_", "transpose_", "swapaxes_", "swapdims_", "squeeze_", "unsqueeze_", "detach_"}
"""Names of operations that write nothing: the value goes on as a view of what it was."""


def make_functional(graph: fx.Graph, data: Iterable[fx.Node]) -> None:
    """Replace in-place operations by functional ones.

    Args:
        graph: Of operations before dispatch, with fake tensors; changed.
        data: Its inputs that are data.

    Raises:
        NotTraceable: If an operation writes to data, to a tensor of the state, or to a view that
            cannot be put back; or if a normalisation layer is in training mode.
    """
    for node in list(graph.nodes):
        if node.target is torch._C._set_grad_enabled:
            # Values are the same. What it severs or leaves behind is for the graph's reader to say:
            # traced without derivatives, the end of a `no_grad` would turn them off for the rest.
            graph.erase_node(node)
    rewriting = _Rewriting(graph)
    for node in list(graph.nodes):
        rewriting.step(node)
    for node in reversed(rewriting.gone):
        graph.erase_node(node)
    spell_out(graph, data)


class _Rewriting:
    """Nodes that hold each value now, while a graph is walked through."""

    def __init__(self, graph: fx.Graph) -> None:
        self.graph = graph
        # Of all nodes at once: a storage's number is used again when it is let go.
        self.memory = {node: storages(node) for node in graph.nodes}
        self.parent: dict[fx.Node, fx.Node] = {}
        """The value that a view is a view of."""
        self.loose: dict[fx.Node, int] = {}
        """Values that share memory in a way that is not followed, and the writes to it before."""
        self.called: dict[fx.Node, fx.Node] = {}
        """Another name of a value, as the result of writing to it is, to the value."""
        self.now: dict[fx.Node, fx.Node] = {}
        self.seen: dict[fx.Node, int] = {}
        """The writes to the whole that a value's node comes after."""
        self.writes: Counter[fx.Node] = Counter()
        self.touched: Counter[int] = Counter()
        """Writes to a storage."""
        self.restrided: set[fx.Node] = set()
        """Nodes whose results lie in memory otherwise than they were traced."""
        self.gone: list[fx.Node] = []
        """Writes that write nothing."""
        self.layouts = {
            node: layout(node.args[0].meta["val"])  # type: ignore[union-attr]  # a node
            for node in graph.nodes
            if operation(node) == "as_strided"
        }
        """Uses of values that are read as memory, not as elements."""

    def step(self, node: fx.Node) -> None:
        """Let a node read what its inputs have become, and follow what it writes to."""
        schema = getattr(node.target, "_schema", None)
        if node.op == "call_function" and schema is not None and schema.is_mutable:
            self._written(node)
            return
        if node.op == "call_function":
            self._enter(node)
        self._point(node)

    # --- values ------------------------------------------------------------------------------

    def _enter(self, node: fx.Node) -> None:
        """Note what a result is a view of."""
        first = node.args[0] if node.args else None
        shares = any(self.memory[node] & self.memory[n] for n in node.all_input_nodes)
        if node.target is operator.getitem:
            # One of several results is a view if what gives them gives views, as `chunk` does.
            shares = first in self.parent or first in self.loose
        if not shares:
            return
        if isinstance(first, fx.Node) and self.memory[node] & self.memory[first]:
            self.parent[node] = self._value(first)
            self.seen[node] = self.writes[self._whole(node)]
        else:
            self.loose[node] = self._times(node)

    def _value(self, node: fx.Node) -> fx.Node:
        while node in self.called:
            node = self.called[node]
        return node

    def _whole(self, value: fx.Node) -> fx.Node:
        while value in self.parent:
            value = self.parent[value]
        return value

    def _within(self, value: fx.Node) -> list[fx.Node]:
        """A value and what it is a part of, up to the whole; not what stands for several parts."""
        parts = [value]
        while value in self.parent:
            value = self.parent[value]
            if isinstance(value.meta["val"], Tensor):
                parts.append(value)
        return parts

    def _times(self, node: fx.Node) -> int:
        return sum(self.touched[m] for m in self.memory[node])

    def _fresh(self, value: fx.Node, at: fx.Node) -> fx.Node:
        """The node that holds a value now; a view that is out of date is taken again."""
        whole = self._whole(value)
        if whole in self.loose and self.loose[whole] != self._times(whole):
            raise shared(operation(whole))
        if self.seen.get(value, 0) < self.writes[whole]:
            parent = self._fresh(self.parent[value], at)
            with self.graph.inserting_before(at):
                rest = (parent, *value.args[1:])
                made = self.graph.call_function(value.target, rest, dict(value.kwargs))  # type: ignore[arg-type]  # an operation
            made.meta["val"] = value.meta["val"]
            recompute(made, self.layouts.get(value))
            self.now[value], self.seen[value] = made, self.writes[whole]
        return self.now.get(value, value)

    def _point(self, node: fx.Node) -> None:
        """Let a node's arguments be what they have become."""
        old = node.all_input_nodes

        def read(given: fx.Node) -> fx.Node:
            return self._fresh(self._value(given), node)

        node.args, node.kwargs = map_arg((node.args, node.kwargs), read)
        changed = node.all_input_nodes != old or any(n in self.restrided for n in old)
        if changed and node.op == "call_function" and isinstance(node.meta.get("val"), Tensor):
            before = node.meta["val"]
            recompute(node, self.layouts.get(node))
            if layout(before) != layout(node.meta["val"]):
                self.restrided.add(node)

    # --- writes ------------------------------------------------------------------------------

    def _written(self, node: fx.Node) -> None:
        """Follow a node that writes to its first argument."""
        name, target = operation(node), node.args[0] if node.args else None
        if not isinstance(target, fx.Node) or not only_first(node):
            raise shared(name)
        value = self._value(target)
        whole = self._whole(value)
        if whole.op != "call_function" or whole in self.loose:
            raise shared(name)
        if name in RENAMES:
            self.parent[node] = value
            self.seen[node] = self.writes[whole]
            node.target = view_of(node.target)
            self._point(node)
            self.called[value] = node
        elif name.endswith("dropout_") and not arguments(node).get("train", True):
            self.called[node] = value
            self.gone.append(node)
        else:
            self._write(node, value)

    def _write(self, node: fx.Node, value: fx.Node) -> None:
        """Turn a node that writes into one that gives what a value becomes."""
        name, whole = operation(node), self._whole(value)
        twin, overload = twin_of(name), node.target._overloadname  # type: ignore[union-attr]  # of aten
        if twin is None or overload not in twin.overloads():
            raise shared(name)
        node.target = getattr(twin, overload)  # first: what writes would do so to fake tensors
        self._point(node)
        parts = self._within(value)
        held = [self._fresh(part, node) for part in parts]
        before = layout(node.meta["val"])
        made = give(self.graph, node)
        if layout(node.meta["val"]) != before:
            self.restrided.add(node)
        self.called[node] = value
        self.writes[whole] += 1
        self.touched.update(self.memory[whole])
        for k, part in enumerate(parts):
            if k:
                back = put_back(self.graph, parts[k - 1], held[k], made)
                if back is None:
                    raise shared(f"{name} to a view by {_taken(parts[k - 1])}")
                made = back
            self.now[part], self.seen[part] = made, self.writes[whole]


def _taken(part: fx.Node) -> str:
    """Return the operation that takes a part."""
    one = part.target is operator.getitem
    return operation(part.args[0] if one else part)  # type: ignore[arg-type]  # a node
