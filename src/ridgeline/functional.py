"""Graphs without in-place operations: what is written to is made anew.

A value that was written to is followed by what it has become. If it is a view, what it is a view
of is made anew around it (`slice_scatter` and its like), and the other views of that are taken
again. Which values share memory is told by the fake tensors that the graph was traced with.
"""

import operator
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, fx
from torch.fx.node import map_arg
from torch.utils import _pytree as pytree

from ridgeline.errors import NotTraceable

__all__ = ["arguments", "make_functional", "operation"]

aten = torch.ops.aten

SCATTERS = {"slice": "slice_scatter", "select": "select_scatter", "diagonal": "diagonal_scatter"}
"""Views of a part, with what puts a part back."""

RESHAPES = {
    *("view", "reshape", "_unsafe_view", "_reshape_alias", "flatten", "unflatten", "view_as"),
    *("squeeze", "unsqueeze", "alias", "detach", "contiguous", "lift_fresh", "to", "expand_as"),
    *("dropout", "expand", "reshape_as", "type_as", "clone", "real"),
}
"""Views whose elements, if there are as many, are those of the whole in the same order."""


def operation(node: fx.Node) -> str:
    """The plain name of a node's operation, such as ``linear``; empty for inputs and outputs."""
    if node.op != "call_function":
        return ""
    packet = getattr(node.target, "overloadpacket", node.target)
    return getattr(packet, "__name__", str(packet))


def arguments(node: fx.Node) -> dict[str, Any]:
    """All arguments of an operation by their names in the schema, defaults left out."""
    names = [argument.name for argument in node.target._schema.arguments]  # type: ignore[union-attr]  # call_function on aten
    return dict(zip(names, node.args, strict=False)) | dict(node.kwargs)


def make_functional(graph: fx.Graph, data: Iterable[fx.Node]) -> None:
    """Replace in-place operations by functional ones.

    Args:
        graph: Of operations before dispatch, with fake tensors; changed.
        data: Its inputs that are data.

    Raises:
        NotTraceable: If an operation writes to data, to a tensor of the state, or to a view that
            cannot be put back; or if a normalisation layer is in training mode.
    """
    moving = set(data)
    for node in graph.nodes:
        if any(given in moving for given in node.all_input_nodes):
            moving.add(node)
    views: set[fx.Node] = set()
    for node in graph.nodes:
        # One of several results is a view if what gives them gives views, as `chunk` does.
        one = node.target is operator.getitem
        if node.op == "call_function" and (node.args[0] in views if one else _shares(node)):
            views.add(node)
    for node in list(graph.nodes):
        schema = getattr(node.target, "_schema", None)
        if node.op != "call_function" or schema is None:
            continue
        name, given = operation(node), arguments(node)
        if name == "batch_norm" and given.get("training"):
            _standardise(graph, node, given, moving)
        if schema.is_mutable and name.endswith("dropout_") and not given.get("train", True):
            node.replace_all_uses_with(node.args[0])  # type: ignore[arg-type]  # a node
            graph.erase_node(node)
        elif schema.is_mutable:
            _replace(graph, node, views)


def _standardise(
    graph: fx.Graph, node: fx.Node, given: dict[str, Any], moving: set[fx.Node]
) -> None:
    """Spell out a normalisation by statistics of what it is given, which must be of weights."""
    x = given["input"]
    if x in moving or any(given.get(n) is not None for n in ("running_mean", "running_var")):
        raise NotTraceable(
            "A normalisation layer is in training mode.",
            got=node.name,
            remedy="Its statistics must be buffers: track_running_stats=True, and model.eval().",
        )
    size = x.meta["val"].ndim
    over = [k for k in range(size) if k != 1]
    with graph.inserting_before(node):

        def do(target: Any, *args: Any, **kwargs: Any) -> fx.Node:
            return _compute(graph.call_function(target, args, kwargs))

        spread = do(aten.var.correction, x, over, correction=0, keepdim=True)
        spread = do(aten.rsqrt.default, do(aten.add.Scalar, spread, given["eps"]))
        made = do(aten.sub.Tensor, x, do(aten.mean.dim, x, over, True))
        made = do(aten.mul.Tensor, made, spread)
        for target, name in ((aten.mul.Tensor, "weight"), (aten.add.Tensor, "bias")):
            if given.get(name) is not None:
                shape = [-1 if k == 1 else 1 for k in range(size)]
                made = do(target, made, do(aten.reshape.default, given[name], shape))
    node.replace_all_uses_with(made)
    graph.erase_node(node)


def _refuse(name: str) -> NotTraceable:
    return NotTraceable(
        "An in-place operation writes to a tensor that other values share.",
        got=name,
        remedy="Write it with the operation that returns a new tensor.",
    )


def _replace(graph: fx.Graph, node: fx.Node, views: set[fx.Node]) -> None:
    """Make one in-place operation functional, and what shares memory with its result anew."""
    name, target = operation(node), node.args[0] if node.args else None
    twin = getattr(aten, name.removesuffix("_"), None) if name.endswith("_") else None
    overload = getattr(node.target, "_overloadname", "default")
    if twin is None or overload not in twin.overloads() or not isinstance(target, fx.Node):
        raise _refuse(name)
    root = _root(target, views)
    if root.op != "call_function":
        raise _refuse(name)
    earlier = [n for n in _until(graph, node) if n is not node]
    before = {*earlier, node}
    aliases = [n for n in earlier if n in views and _root(n, views) is root]
    _write(node, name, twin, overload)
    views.discard(node)
    made = {root: _whole(graph, root, target, node)}
    at = made[root]
    for alias in aliases:  # in order: what it is a view of was taken before
        if any(user not in before for user in alias.users):
            at = _again(graph, alias, made, views, at)
    before |= {n for n in _until(graph, at) if n not in before}
    for old, new in [*made.items(), (node, made.get(target, node))]:
        old.replace_all_uses_with(new, delete_user_cb=lambda user: user not in before)


def _shares(node: fx.Node) -> bool:
    """Whether a node's result lies in the memory of one of its inputs."""
    return any(_memory(node) & _memory(given) for given in node.all_input_nodes)


def _root(node: fx.Node, views: set[fx.Node]) -> fx.Node:
    """What a value is a view of, or a view of a view."""
    while node in views:
        if not isinstance(node.args[0], fx.Node):
            raise _refuse(operation(node))
        node = node.args[0]
    return node


def _until(graph: fx.Graph, last: fx.Node) -> Iterator[fx.Node]:
    for node in graph.nodes:
        yield node
        if node is last:
            break


def _memory(node: fx.Node) -> set[int]:
    """What memory a node's results lie in."""
    leaves = pytree.tree_leaves(node.meta.get("val"))
    return {x.untyped_storage()._cdata for x in leaves if isinstance(x, Tensor)}


def _write(node: fx.Node, name: str, twin: Any, overload: str) -> None:
    """Turn a node that writes into one that gives what would be written."""
    node.target = getattr(twin, overload)
    if name == "copy_":
        source, val = node.args[1], node.args[0].meta["val"]  # type: ignore[union-attr]  # nodes
        if isinstance(source, fx.Node) and source.meta["val"].dtype == val.dtype:
            node.target, node.args, node.kwargs = aten.expand.default, (source, [*val.shape]), {}
    _compute(node)


def _compute(node: fx.Node) -> fx.Node:
    """Say what a node gives, on fake tensors."""
    args, kwargs = map_arg((node.args, node.kwargs), lambda n: n.meta["val"])
    leaves = [x for x in pytree.tree_leaves((args, kwargs)) if hasattr(x, "fake_mode")]
    with leaves[0].fake_mode, torch.no_grad():
        node.meta["val"] = node.target(*args, **kwargs)  # type: ignore[operator]  # an operation
    return node


def _insert(graph: fx.Graph, target: Any, *args: Any, after: fx.Node, **kwargs: Any) -> fx.Node:
    with graph.inserting_after(after):
        return _compute(graph.call_function(target, args, kwargs))


def _whole(graph: fx.Graph, root: fx.Node, part: fx.Node, new: fx.Node) -> fx.Node:
    """What a value has become of which a view is made anew."""
    while part is not root:
        parent = part.args[0]
        assert isinstance(parent, fx.Node)  # or `_root` had refused
        new = _back(graph, part, parent, new)
        part = parent
    return new


def _back(graph: fx.Graph, part: fx.Node, parent: fx.Node, new: fx.Node) -> fx.Node:
    """The parent with a part put back."""
    name, rest = operation(part), list(part.args[1:])
    whole = parent.meta["val"]
    if name in SCATTERS:
        target = getattr(aten, SCATTERS[name]).default
        return _insert(graph, target, parent, new, *rest, after=new, **part.kwargs)
    if name in ("transpose", "t", "numpy_T", "mT", "swapaxes"):
        return _insert(graph, part.target, new, *rest, after=new)
    if name == "permute":
        dims: Any = rest[0]
        order = sorted(range(len(dims)), key=lambda k: dims[k] % len(dims))
        return _insert(graph, part.target, new, order, after=new)
    if name in RESHAPES and new.meta["val"].numel() == whole.numel():
        return _insert(graph, aten.reshape.default, new, [*whole.shape], after=new)
    raise _refuse(f"{operation(new)} to a view by {name}")


def _again(
    graph: fx.Graph,
    alias: fx.Node,
    made: dict[fx.Node, fx.Node],
    views: set[fx.Node],
    after: fx.Node,
) -> fx.Node:
    """Take a view again, of what it is a view of as that has become; returns the last node."""
    if alias in made:
        return after
    parent = alias.args[0]
    if parent not in made:
        after = _again(graph, parent, made, views, after)  # type: ignore[arg-type]  # a node
    with graph.inserting_after(after):
        made[alias] = _compute(graph.node_copy(alias, lambda n: made.get(n, n)))
    views.add(made[alias])
    return made[alias]
