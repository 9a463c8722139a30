"""The last layer's bias of any network, found by tracing."""

from collections.abc import Mapping
from typing import Any

from torch import fx, nn

from ridgeline.errors import NoLayerIndex
from ridgeline.graph import Forward, Network, Trace, arguments, operation
from ridgeline.theory.chain import AVERAGES, LAYERS, VIEWS

__all__ = ["bias_of", "last_bias"]


def last_bias(model: nn.Module, example: Any, *, forward: Forward | None = None) -> str:
    """The name of the last layer's bias.

    Unlike `read_chain` it takes any network whose outputs are a layer's values, perhaps
    averaged or reshaped: what comes before that layer does not matter.

    Args:
        model: Any module; left as it is.
        example: A batch of inputs.
        forward: How the model is called.

    Returns:
        A name in the state.

    Raises:
        NoLayerIndex: If outputs do not come straight from a layer with a bias.
        NotTraceable: If the model cannot be traced.
    """
    return bias_of(Network(model, forward).trace(example))


def bias_of(trace: Trace) -> str:
    """The name of the last layer's bias in a traced network; see `last_bias`."""
    names: Mapping[object, str] = {node: name for name, node in trace.tensors.items()}
    (output,) = (node for node in trace.graph.nodes if node.op == "output")
    node: object = output.all_input_nodes[0] if output.all_input_nodes else None
    while isinstance(node, fx.Node):
        name = operation(node)
        if name in LAYERS or name == "add":
            found = [names[n] for n in _addends(node) if n in names]
            if len(found) == 1:
                return found[0]
            break
        if name not in VIEWS | AVERAGES:
            break
        node = node.args[0]
    raise NoLayerIndex(
        "Outputs must be the values of a layer that has a bias.",
        got=f"outputs from {node}" if isinstance(node, fx.Node) else "outputs of nothing",
        remedy="Networks without a bias on the last layer have no such plateau to explain.",
    )


def _addends(node: fx.Node) -> list[Any]:
    """The arguments of a layer or of a sum that are added, not multiplied."""
    held = arguments(node)
    keys: dict[str, tuple[str, ...]] = {"add": ("self", "other"), "addmm": ("self",)}
    return [held.get(key) for key in keys.get(operation(node), ("bias",))]
