"""From a module to a graph of tensor operations, and what the graph says of its layers.

The graph is taken with `make_fx` before dispatch, on fake tensors: operations stay as large as
the user wrote them (`linear`, `conv2d`), no arithmetic is done, and a branch on a tensor's
value cannot be frozen into the graph, because a fake tensor has none: it raises. Tensors of
the state are inputs of the graph. In-place operations are replaced by their functional twins,
so that a value of the graph, once computed, can be kept and used again.
"""

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.func import functional_call
from torch.fx.experimental.proxy_tensor import make_fx
from torch.nn.utils.stateless import _reparametrize_module  # what functional_call is made of
from torch.utils import _pytree as pytree

from ridgeline.errors import NoLayerIndex, NotTraceable
from ridgeline.rng import untouched

__all__ = [
    "Forward",
    "Network",
    "Trace",
    "arguments",
    "call",
    "flatten",
    "layer_index",
    "operation",
    "private_copy",
]

Forward = Callable[[nn.Module, Any], Any]
"""How a model is called: ``(module, inputs) -> outputs``."""


def call(module: nn.Module, inputs: Any) -> Any:
    """The usual way to call a model: a dict by keywords, a tuple by position, a tensor alone.

    Of an output that is a mapping or has `logits` (as the models of `transformers` give) the
    logits are taken; of a tuple, the first.

    Args:
        module: Any module.
        inputs: A tensor, a tuple of tensors, or a dict of tensors.

    Returns:
        The tensor that losses and metrics are computed from.
    """
    if isinstance(inputs, Mapping):
        outputs = module(**inputs)
    elif isinstance(inputs, tuple):
        outputs = module(*inputs)
    else:
        outputs = module(inputs)
    if isinstance(outputs, Tensor):
        return outputs
    if isinstance(outputs, Mapping):
        return outputs.get("logits", outputs)
    if isinstance(outputs, tuple) and not hasattr(outputs, "logits"):
        return outputs[0]
    return getattr(outputs, "logits", outputs)


def private_copy(model: nn.Module) -> nn.Module:
    """A module of one's own, in evaluation mode, that shares its tensors with the caller's.

    Nothing is allocated for weights, and the caller's module keeps its mode, hooks and flags.
    The tensors must be replaced through `functional_call`, never written to.
    """
    memo: dict[int, Any] = {}
    for module in model.modules():
        held = {**module._parameters, **module._buffers, **vars(module)}
        memo |= {id(x): x for x in held.values() if isinstance(x, Tensor)}
    return copy.deepcopy(model, memo).eval()


class Network:
    """A model as a function of its tensors: ``network(tensors, inputs) -> outputs``.

    Args:
        model: Any module; left as it is.
        forward: How it is called; `call` by default.
    """

    def __init__(self, model: nn.Module, forward: Forward | None = None) -> None:
        self.module = private_copy(model)
        """Shares its tensors with the caller's model; in evaluation mode."""
        self.forward = forward or call
        """``(model, inputs) -> outputs``."""
        self._caller = _Caller(self.module, self.forward)
        self.tensors = named_tensors(self.module)
        """What a state must hold: each shared tensor under its first name."""

    def __call__(self, tensors: Mapping[str, Tensor], inputs: Any) -> Any:
        """Outputs for one batch, with the given tensors in place of the model's own."""
        return functional_call(
            self._caller, {f"inner.{name}": x for name, x in tensors.items()}, (inputs,)
        )

    @contextmanager
    def holding(self, tensors: Mapping[str, Tensor]) -> Iterator[Callable[[Any], Any]]:
        """The network with given tensors in place for many calls, not for one.

        `functional_call` puts tensors in and takes them out again at each call, which costs as
        much as a small network's arithmetic (6 ms of 33 for 51 positions of 64-64-64-10). The
        tensors may be written to between calls.

        Args:
            tensors: As for a call.

        Yields:
            ``inputs -> outputs``.
        """
        named = {f"inner.{name}": x for name, x in tensors.items()}
        with _reparametrize_module(self._caller, named, tie_weights=True):
            yield self._caller

    def trace(self, inputs: Any, tensors: Mapping[str, Tensor] | None = None) -> "Trace":
        """Trace the network at the shapes of one batch.

        Args:
            tensors: Of the device and types to trace with; the model's own by default.
            inputs: One batch. Its shapes, the number of samples among them, are those of the graph.

        Returns:
            A functional graph with a single output.

        Raises:
            NotTraceable: If the module branches on values, mutates what cannot be followed,
                or uses something that the tracer does not know. The reason is in the message.
        """
        tensors = self.tensors if tensors is None else tensors
        names = list(tensors)

        def run(held: list[Tensor], data: Any) -> Any:
            return self(dict(zip(names, held, strict=True)), data)

        try:
            with untouched(), torch.no_grad():
                traced = make_fx(
                    run, tracing_mode="fake", pre_dispatch=True, _allow_non_fake_inputs=True
                )(list(tensors.values()), inputs)
        except Exception as error:  # whatever a user's forward or the tracer may raise
            reason = str(error).strip().splitlines() or [""]
            raise NotTraceable(
                "The network could not be traced.",
                got=f"{type(error).__name__}: {reason[0][:200]}",
            ) from error
        _make_functional(traced.graph)
        traced.graph.eliminate_dead_code()
        nodes = [node for node in traced.graph.nodes if node.op == "placeholder"]
        return Trace(
            graph=traced.graph,
            owner=traced,
            tensors=dict(zip(names, nodes, strict=False)),
            data=tuple(nodes[len(names) :]),
        )


class _Caller(nn.Module):
    """Lets `functional_call` reach a module that is called in the user's own way."""

    def __init__(self, inner: nn.Module, forward: Forward) -> None:
        super().__init__()
        self.inner, self.call_inner = inner, forward

    def forward(self, data: Any) -> Any:
        return self.call_inner(self.inner, data)


@dataclass(frozen=True)
class Trace:
    """A graph whose first inputs are tensors of a state and whose others are data."""

    graph: fx.Graph
    owner: nn.Module
    """Holds constants that the graph refers to by name."""
    tensors: dict[str, fx.Node]
    """Name in the state to input node."""
    data: tuple[fx.Node, ...]
    """Input nodes of the flattened data."""


def operation(node: fx.Node) -> str:
    """The plain name of a node's operation, such as ``linear``; empty for inputs and outputs."""
    if node.op != "call_function":
        return ""
    packet = getattr(node.target, "overloadpacket", node.target)
    return getattr(packet, "__name__", str(packet))


# --- making a graph functional -------------------------------------------------------------


def _make_functional(graph: fx.Graph) -> None:
    """Replace in-place operations by functional ones, or refuse."""
    for node in list(graph.nodes):
        schema = getattr(node.target, "_schema", None)
        if node.op != "call_function" or schema is None:
            continue
        if operation(node) in ("batch_norm", "instance_norm") and _argument(node, "training"):
            raise NotTraceable("A normalisation layer is in training mode.", got=node.name)
        if schema.is_mutable:
            _replace_in_place(graph, node)


def _replace_in_place(graph: fx.Graph, node: fx.Node) -> None:
    target = node.args[0] if node.args else None
    name = operation(node)
    twin = getattr(torch.ops.aten, name.removesuffix("_"), None) if name.endswith("_") else None
    overload = getattr(node.target, "_overloadname", "default")
    if (
        twin is None
        or overload not in twin.overloads()
        or not isinstance(target, fx.Node)
        or target.op == "placeholder"
        or _aliased(target)
    ):
        raise NotTraceable(
            "An in-place operation writes to a tensor that other values share.", got=f"{name}"
        )
    node.target = getattr(twin, overload)
    before = {earlier for earlier in graph.nodes if earlier < node} | {node}
    target.replace_all_uses_with(node, delete_user_cb=lambda user: user not in before)


def _aliased(node: fx.Node) -> bool:
    """Whether a value is a view of another, or another is a view of it."""

    def is_view(candidate: fx.Node) -> bool:
        schema = getattr(candidate.target, "_schema", None)
        return schema is not None and any(
            r.alias_info is not None and not r.alias_info.is_write for r in schema.returns
        )

    return node.op != "call_function" or is_view(node) or any(is_view(u) for u in node.users)


def _argument(node: fx.Node, name: str) -> Any:
    """The value of one argument of an operation, by its name in the schema."""
    return arguments(node).get(name)


def arguments(node: fx.Node) -> dict[str, Any]:
    """All arguments of an operation by their names in the schema, defaults left out."""
    names = [argument.name for argument in node.target._schema.arguments]  # type: ignore[union-attr]  # call_function on aten
    return dict(zip(names, node.args, strict=False)) | dict(node.kwargs)


# --- the layer index -----------------------------------------------------------------------

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


def named_tensors(module: nn.Module) -> dict[str, Tensor]:
    """A module's parameters and persistent buffers, each shared tensor under its first name."""
    held = set(module.state_dict(keep_vars=True))
    found: dict[str, Tensor] = {}
    for name, x in [*module.named_parameters(), *module.named_buffers()]:
        if name in held:
            found[name] = x.detach()
    return found


def flatten(data: Any) -> list[Tensor]:
    """The tensors of a batch, in the order of a trace's data inputs."""
    return [x for x in pytree.tree_leaves(data) if isinstance(x, Tensor)]
