"""The layer index: how many layers stand between a bias and the input."""

from collections.abc import Mapping
from typing import Any

from torch import fx, nn

from ridgeline.errors import NoLayerIndex
from ridgeline.graph.calls import Forward
from ridgeline.graph.network import Network
from ridgeline.graph.operations import arguments, operation

__all__ = ["layer_index"]

_LAYERS = {"linear", "conv1d", "conv2d", "conv3d", "addmm", "convolution"}
_KEEPS_INDEX = {
    *("relu", "leaky_relu", "tanh", "sigmoid", "gelu", "silu", "hardtanh", "relu6", "dropout"),
    *("max_pool1d", "max_pool2d", "max_pool3d", "avg_pool1d", "avg_pool2d", "avg_pool3d"),
    *("adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool2d"),
    *("view", "reshape", "flatten", "unflatten", "permute", "transpose", "squeeze", "unsqueeze"),
    *("contiguous", "clone", "detach", "alias", "mean", "sum", "select", "slice", "expand"),
    *("constant_pad_nd", "getitem", "_to_copy", "to", "neg", "max_pool2d_with_indices"),
}


def layer_index(model: nn.Module, example: Any, forward: Forward | None = None) -> dict[str, int]:
    """The layer, counted from 1 at the input, that each bias belongs to.

    A value's index is the number of weight layers between it and the input. It exists when
    every route from the input to a value crosses equally many.

    Args:
        model: Any module; left as it is.
        example: A batch of inputs.
        forward: How the model is called.

    Returns:
        Name of each bias to the index of its layer.

    Raises:
        NoLayerIndex: If a value has no single index, or an operation (normalisation,
            attention, recurrence) is not homogeneous.
        NotTraceable: If the model cannot be traced.
    """
    traced = Network(model, forward).trace(example)
    names = {node: name for name, node in traced.tensors.items()}
    index: dict[fx.Node, int] = dict.fromkeys(traced.data, 0)
    found: dict[str, int] = {}

    def refuse(node: fx.Node, why: str) -> NoLayerIndex:
        return NoLayerIndex(
            "A bias has a homogeneous exponent only in a network with a single layer index.",
            got=f"{why} at operation {operation(node)!r} ({node.name})",
            remedy="Give the rates yourself: rates={'fc1.bias': Power(1), ...}.",
        )

    for node in traced.graph.nodes:
        if node.op != "call_function":
            continue
        inputs = [n for n in node.all_input_nodes if n in index]
        own = [names[n] for n in node.all_input_nodes if n in names]
        name = operation(node)
        if not inputs and not own:
            continue
        if name in _LAYERS and len(inputs) == 1:
            index[node] = index[inputs[0]] + 1
            found |= dict.fromkeys((n for n in own if _is_bias(node, names, n)), index[node])
        elif name == "embedding" and own:
            index[node] = 1
        elif name in ("add", "add_") and len(inputs) == 1 and len(own) == 1:
            index[node] = index[inputs[0]]
            found[own[0]] = index[node]
        elif name in ("add", "cat") and not own and len({index[n] for n in inputs}) == 1:
            index[node] = index[inputs[0]]
        elif name in ("add", "cat"):
            raise refuse(node, f"values of indices {sorted({index[n] for n in inputs})} meet")
        elif name in _KEEPS_INDEX and not own and len(inputs) == 1:
            index[node] = index[inputs[0]]
        elif any(index[n] for n in inputs) or own:
            raise refuse(node, "an operation that is not homogeneous")
        else:
            index[node] = 0
    return found


def _is_bias(node: fx.Node, names: Mapping[fx.Node, str], name: str) -> bool:
    held = arguments(node)
    bias = held.get("self") if operation(node) == "addmm" else held.get("bias")
    return isinstance(bias, fx.Node) and names.get(bias) == name
