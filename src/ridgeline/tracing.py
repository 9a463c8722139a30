"""From a module to a graph of tensor operations, and what the graph says of its layers.

The graph is taken with `make_fx` before dispatch, on fake tensors: operations stay as large as
the user wrote them (`linear`, `conv2d`), no arithmetic is done, and a branch on a tensor's
value cannot be frozen into the graph, because a fake tensor has none: it raises. Tensors of
the state are inputs of the graph. In-place operations are replaced by their functional twins,
so that a value of the graph, once computed, can be kept and used again (`ridgeline.functional`).
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
from ridgeline.functional import arguments, make_functional, operation
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
        self._places = _places(self.module)

    def __call__(self, tensors: Mapping[str, Tensor], inputs: Any) -> Any:
        """Outputs for one batch, with the given tensors in place of the model's own."""
        return functional_call(
            self._caller, self._everywhere(tensors), (inputs,), tie_weights=False
        )

    def _everywhere(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        # A module that is registered twice has one place for its tensor, not two: torch's own
        # tying puts a tensor in twice and the first of the two back, so that it never leaves.
        return {
            f"inner.{place}": x
            for name, x in tensors.items()
            for place in self._places.get(name, (name,))
        }

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
        with _reparametrize_module(self._caller, self._everywhere(tensors)):
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
        # What a module keeps of the run, in attributes of its own, goes with this copy.
        caller = _Caller(private_copy(self.module), self.forward)

        def run(held: list[Tensor], data: Any) -> Any:
            placed = self._everywhere(dict(zip(names, held, strict=True)))
            return functional_call(caller, placed, (data,), tie_weights=False)

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
                remedy=_remedy(f"{type(error).__name__} {error}"),
            ) from error
        nodes = [node for node in traced.graph.nodes if node.op == "placeholder"]
        make_functional(traced.graph, nodes[len(names) :])
        traced.graph.eliminate_dead_code()
        return Trace(
            graph=traced.graph,
            owner=traced,
            tensors=dict(zip(names, nodes, strict=False)),
            data=tuple(nodes[len(names) :]),
        )


def _remedy(text: str) -> str:
    """What to do about a network that could not be traced."""
    if any(sign in text for sign in ("DataDependent", "numpy", "data-dependent", ".item()")):
        return (
            "Something depends on the values of the data or of the weights: a branch, a loop, a "
            "number taken out of a tensor. Give `forward=`, a function (model, inputs) -> outputs "
            "that goes one way whatever the values, or change it to `torch.where` or a mask."
        )
    return (
        "Check that the model takes the example as it is given; if it must be called in another "
        "way, give `forward=`, a function (model, inputs) -> outputs."
    )


class _Caller(nn.Module):
    """Lets `functional_call` reach a module that is called in the user's own way.

    Some modules keep what they computed of their weights, for the next call in evaluation mode;
    that call may be with other weights, so dicts and lists are emptied of it again.
    """

    def __init__(self, inner: nn.Module, forward: Forward) -> None:
        super().__init__()
        self.inner, self.call_inner = inner, forward
        self._kept = [
            (held, type(held)(held))
            for module in inner.modules()
            for name, held in vars(module).items()
            if type(held) in (dict, list) and name not in _OWN
        ]

    def forward(self, data: Any) -> Any:
        try:
            return self.call_inner(self.inner, data)
        finally:
            for held, before in self._kept:
                if len(held) != len(before):
                    held.clear()
                    held.update(before) if isinstance(held, dict) else held.extend(before)


_OWN = {*vars(nn.Module()), "_flat_weights", "_flat_weights_names", "_all_weights"}
"""What torch's modules keep themselves."""


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


def _places(module: nn.Module) -> dict[str, list[str]]:
    """Every place of a tensor, each once, by the tensor's first name."""
    first: dict[int, str] = {}
    found: dict[str, list[str]] = {}
    for kind in ("_parameters", "_buffers"):  # the order of `named_tensors`
        for prefix, part in module.named_modules():
            for key, x in getattr(part, kind).items():
                if x is not None:
                    name = f"{prefix}.{key}" if prefix else key
                    found.setdefault(first.setdefault(id(x), name), []).append(name)
    return found


def flatten(data: Any) -> list[Tensor]:
    """The tensors of a batch, in the order of a trace's data inputs."""
    return [x for x in pytree.tree_leaves(data) if isinstance(x, Tensor)]
