"""A network as a chain of weight layers: what the theory of the plateau is stated for.

The theory needs more than a layer index (`ridgeline.graph.layer_index`): outputs must be
exactly homogeneous in the weights, and a bound on their size needs every operation between
two layers to leave norms no larger. Both are read off the traced graph.
"""

from dataclasses import dataclass
from typing import Any

from torch import fx, nn

from ridgeline.errors import NoLayerIndex
from ridgeline.graph import Forward, Network, Trace, arguments, layer_index, operation

__all__ = ["AVERAGES", "LAYERS", "VIEWS", "Chain", "Layer", "read_chain"]

_CONVOLUTIONS = {"conv1d", "conv2d", "conv3d"}
LAYERS = {"linear", "addmm", *_CONVOLUTIONS}
VIEWS = {
    *("view", "reshape", "flatten", "unflatten", "permute", "transpose", "t", "squeeze"),
    *("unsqueeze", "contiguous", "clone", "detach", "alias", "getitem", "_to_copy", "to"),
}
AVERAGES = {"mean", "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d"}
_POOLS = {
    *("max_pool1d", "max_pool2d", "max_pool3d", "max_pool2d_with_indices"),
    *("avg_pool1d", "avg_pool2d", "avg_pool3d"),
}
# f(c x) = c f(x) for every c >= 0.
_HOMOGENEOUS = {
    *("relu", "leaky_relu", "dropout", "neg", "sum", "select", "slice", "expand"),
    *("constant_pad_nd", "adaptive_max_pool2d"),
    *(VIEWS | AVERAGES | _POOLS),
}
# |f(x)| <= |x| whatever the arguments; others are looked at one by one.
_SHRINKING = {"relu", "dropout", "neg", "select", "slice", "mean", "constant_pad_nd", *VIEWS}


@dataclass(frozen=True)
class Layer:
    """One weight layer of a chain."""

    weight: str
    """Name of the weight in the state."""
    bias: str | None
    """Name of what is added to its values, if anything is."""
    operation: str
    """``linear``, ``addmm``, ``conv1d``, ``conv2d`` or ``conv3d``."""
    groups: int = 1
    """Groups of a convolution."""


@dataclass(frozen=True)
class Chain:
    """Weight layers from input to output, joined by homogeneous functions."""

    layers: tuple[Layer, ...]
    stretching: str = ""
    """An operation that may make norms larger, with its place; empty if there is none."""

    @property
    def depth(self) -> int:
        """The number of weight layers, r: outputs without biases are of degree r in the weights."""
        return len(self.layers)

    @property
    def bias(self) -> str:
        """The last layer's bias, where it is the only one.

        Raises:
            NoLayerIndex: If another layer has a bias, or the last has none.
        """
        elsewhere = [layer.bias for layer in self.layers[:-1] if layer.bias]
        last = self.layers[-1].bias
        if elsewhere or last is None:
            got = f"{', '.join(elsewhere)} too" if elsewhere else "no bias on the last layer"
            raise NoLayerIndex(
                "The theory of the plateau is that of networks with a bias on the last layer only.",
                got=got,
                remedy="Train without the other biases, as `fcn(..., bias='last')` does, or "
                "measure the signal and the bias along the path with `decompose`.",
            )
        return last


def read_chain(model: nn.Module, example: Any, forward: Forward | None = None) -> Chain:
    """The chain of weight layers that a network is.

    Args:
        model: Linear or convolutional layers one after another, joined by ReLU, leaky ReLU,
            pooling, reshaping; left as it is.
        example: A batch of inputs.
        forward: How the model is called.

    Returns:
        The layers in order, each with the names of its weight and bias.

    Raises:
        NoLayerIndex: If the network is no such chain (normalisation, residual sums, branches,
            saturating activations, computed weights), saying where.
        NotTraceable: If the model cannot be traced.
    """
    layer_index(model, example, forward)  # refuses normalisation, attention, unequal routes
    return _Reader(Network(model, forward).trace(example)).read()


class _Reader:
    """Walks a graph from the data to the output and gathers weight layers."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.names = {node: name for name, node in trace.tensors.items()}
        self.layers: list[Layer] = []
        self.stretching = ""

    def read(self) -> Chain:
        reached: set[fx.Node] = set(self.trace.data)
        for node in self.trace.graph.nodes:
            moved = [n for n in node.all_input_nodes if n in reached]
            if node.op == "call_function" and moved:
                self._take(node, moved)
                reached.add(node)
        if not self.layers:
            raise _no_chain("a network without a weight layer")
        return Chain(tuple(self.layers), self.stretching)

    def _take(self, node: fx.Node, moved: list[fx.Node]) -> None:
        """Account for one operation on values that depend on the data."""
        name = operation(node)
        own = [self.names[n] for n in node.all_input_nodes if n in self.names]
        if len(moved) > 1:
            raise _no_chain(f"two values meet at operation {name!r} ({node.name})")
        if name in LAYERS:
            self.layers.append(self._layer(node))
        elif name == "add" and len(own) == 1 and self.layers:
            self._add(own[0], node)
        elif name not in _HOMOGENEOUS or not _plain(node):
            raise _no_chain(f"operation {name!r} ({node.name}), which is not homogeneous")
        elif not _shrinks(node) and not self.stretching:
            self.stretching = f"operation {name!r} ({node.name})"

    def _layer(self, node: fx.Node) -> Layer:
        held = arguments(node)
        kind = operation(node)
        keys = ("mat2", "self") if kind == "addmm" else ("weight", "bias")
        weight, bias = (self._name(held.get(key), node) for key in keys)
        if weight is None:
            raise _no_chain(f"a layer without a weight at {node.name}")
        return Layer(weight, bias, kind, int(held.get("groups", 1)))

    def _name(self, value: object, node: fx.Node) -> str | None:
        """The name of a layer's tensor in the state; None for a bias that is not there."""
        value = _source(value)
        if value is None:
            return None
        if not isinstance(value, fx.Node) or value not in self.names:
            raise _no_chain(
                f"a weight or bias that is not a tensor of the state at {node.name} (it is fixed, "
                "or computed from others)"
            )
        return self.names[value]

    def _add(self, name: str, node: fx.Node) -> None:
        """A tensor of the state that is added to a layer's values is that layer's bias."""
        last = self.layers[-1]
        if last.bias is not None:
            raise _no_chain(f"a second bias {name!r} of one layer ({node.name})")
        self.layers[-1] = Layer(last.weight, name, last.operation, last.groups)


def _source(node: object) -> object:
    """Return what a transposed or reshaped tensor is a view of."""
    while isinstance(node, fx.Node) and operation(node) in VIEWS:
        node = node.args[0]
    return node


def _plain(node: fx.Node) -> bool:
    """True if an operation that is homogeneous by its name is so by its arguments too."""
    return operation(node) != "constant_pad_nd" or not arguments(node).get("value")


def _shrinks(node: fx.Node) -> bool:
    """True if an operation never makes the Euclidean norm larger."""
    held, name = arguments(node), operation(node)
    if name in _SHRINKING:
        return True
    if name == "leaky_relu":
        return abs(float(held.get("negative_slope", 0.01))) <= 1
    if name in _POOLS:  # windows that do not overlap
        kernel = _numbers(held.get("kernel_size"))
        stride = _numbers(held.get("stride")) or kernel
        dilation = _numbers(held.get("dilation")) or [1]
        return min(stride) >= max(kernel) and set(dilation) == {1}
    return name in AVERAGES and set(_numbers(held.get("output_size"))) == {1}


def _numbers(value: object) -> list[int]:
    if isinstance(value, int):
        return [value]
    return [int(v) for v in value] if isinstance(value, list | tuple) else []


def _no_chain(got: str) -> NoLayerIndex:
    return NoLayerIndex(
        "The theory of the plateau is that of a chain of linear or convolutional layers joined "
        "by functions that are homogeneous (ReLU, pooling), without normalisation.",
        got=got,
        remedy="For other networks measure the signal and the bias along the path: `decompose`.",
    )
