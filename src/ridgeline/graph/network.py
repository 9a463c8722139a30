"""From a module to a graph of tensor operations."""

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.autograd import forward_ad
from torch.func import functional_call
from torch.fx.experimental.proxy_tensor import make_fx
from torch.nn.utils.stateless import _reparametrize_module  # what functional_call is made of

from ridgeline.errors import UsageError, WrongKind
from ridgeline.graph.calls import Forward, call, check_outputs, take_apart
from ridgeline.graph.checks import check_constants, check_same, check_sizes
from ridgeline.graph.copies import duplicate, named_tensors, places, private_copy
from ridgeline.graph.grouped import Ungrouped
from ridgeline.graph.memory import transformed
from ridgeline.graph.modes import Caller, modes_of
from ridgeline.graph.refusals import quiet, refusing
from ridgeline.graph.rewriting import make_functional
from ridgeline.graph.standins import branching, with_standins
from ridgeline.rng import untouched

__all__ = ["Network", "Trace"]


class Network:
    """A model as a function of its tensors: ``network(tensors, inputs) -> outputs``.

    Args:
        model: Any module; left as it is.
        forward: How it is called; `call` by default.

    Raises:
        UsageError: If the model is no module.
    """

    def __init__(self, model: nn.Module, forward: Forward | None = None) -> None:
        if not isinstance(model, nn.Module):
            raise WrongKind(
                "A model is an instance of torch.nn.Module.",
                model,
                name="model",
                remedy="It comes first, then what it is called with.",
            )
        self.module = private_copy(model)
        """Shares its weights with the caller's model; in evaluation mode, or put there by each
        call if that computes something of the weights."""
        self.modes = modes_of(self.module)
        if not self.modes.settles:
            self.module.eval()
        self.forward = forward or call
        """``(model, inputs) -> outputs``."""
        self.emptied: list[tuple[str, str, Any]] = []
        """Part, attribute and what stands there now, of what was computed of the weights."""
        self.blank_classes: list[tuple[type, str]] = []
        """Classes and attributes of theirs that are None when a call begins."""
        self._caller = self._caller_of(self.module)
        self.tensors = named_tensors(self.module)
        """Tensors that a state must hold: each shared tensor under its first name."""
        self.places = places(self.module)
        """Every place of a tensor in the module, by its name."""

    def __call__(self, tensors: Mapping[str, Tensor], inputs: Any) -> Any:
        """Outputs for one batch, with the given tensors in place of the model's own.

        Raises:
            UsageError: If a derivative is asked for that the model's own `eval()` hides.
        """
        if self.modes.settles and (torch.is_grad_enabled() or _forward_mode()):
            self._check_derivatives(tensors)
        return functional_call(
            self._caller, self._everywhere(tensors), (inputs,), tie_weights=False
        )

    def _check_derivatives(self, tensors: Mapping[str, Tensor]) -> None:
        moving = next((n for n, x in tensors.items() if _has_derivative(x)), None)
        if moving is not None:
            raise UsageError(
                "Derivatives by weights need a network that computes nothing of them in `eval()`, "
                "where they are lost.",
                got=f"{type(self.module).__name__} and a derivative by {moving}",
                remedy="Give the network as it is trained, with that switched off: "
                "`merge_weights=False`, or without the cache.",
            )

    def __getstate__(self) -> dict[str, Any]:
        return {k: x for k, x in vars(self).items() if k != "_caller"}

    def __deepcopy__(self, memo: dict[int, Any]) -> "Network":
        made = copy.copy(self)  # functions over the module are to be over its copy: see `rebind`
        made.module, made.emptied = duplicate(self.module), list(self.emptied)
        made.tensors = named_tensors(made.module)
        made.renew()
        memo[id(self)] = made
        return made

    def __setstate__(self, held: dict[str, Any]) -> None:
        vars(self).update(held)
        self.renew()

    def class_attributes(self) -> list[tuple[type, str, Any]]:
        """Attributes of the user's classes, which all modules of a class share."""
        kinds = self._caller.holders.classes
        return [(kind, key, x) for kind in kinds for key, x in vars(kind).items()]

    def renew(self) -> None:
        """Look again at what the module holds, after attributes of it were set."""
        self._caller = self._caller_of(self.module)

    def watched(self, tensors: Mapping[str, Tensor], inputs: Any, look: Callable[[], None]) -> Any:
        """Outputs as by a call, with a look at the module before it is as it was again.

        Args:
            tensors: As for a call.
            inputs: The same.
            look: Called when the outputs are there.
        """
        self._caller.look = look
        try:
            return self(tensors, inputs)
        finally:
            self._caller.look = None

    def train(self) -> None:
        """Bring the module to training mode, for who trains it.

        Raises:
            UsageError: If that, or `eval()`, computes something of the weights.
        """
        if self.modes.settles:
            raise UsageError(
                "What is trained in a stack has modes that are flags.",
                got=f"{type(self.module).__name__}, whose train() or eval() changes more",
                remedy="Train it with a loop of your own.",
            )
        self.module.train()

    def _caller_of(self, module: nn.Module) -> Caller:
        return Caller(module, self.forward, self.modes.settles, self.blank_classes)

    def _everywhere(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        # A module that is registered twice has one place for its tensor, not two: torch's own
        # tying puts a tensor in twice and the first of the two back, so that it never leaves.
        placed = {
            f"inner.{place}": x
            for name, x in tensors.items()
            for place in self.places.get(name, (name,))
        }
        own = {f"inner.{place}" for place in self.modes.written}
        copies = {id(placed[place]): placed[place].clone() for place in own & placed.keys()}
        return {place: copies.get(id(x), x) for place, x in placed.items()} if copies else placed

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
        if self.modes.settles:
            yield lambda inputs: self(tensors, inputs)
            return
        with _reparametrize_module(self._caller, self._everywhere(tensors)):
            yield self._caller

    def trace(
        self,
        inputs: Any,
        tensors: Mapping[str, Tensor] | None = None,
        *,
        check: bool = True,
        sized: bool = False,
        standins: bool = False,
    ) -> "Trace":
        """Trace the network at the shapes of one batch.

        Args:
            tensors: Of the device and types to trace with; the model's own by default.
            inputs: One batch. Its shapes, the number of samples among them, are those of the
                graph; so is what stands there besides tensors (None, numbers, flags, words).
            check: Compare what the graph gives with what the model gives, on this batch; twice
                the time of a forward pass. Without, only for who compares later.
            sized: Refuse sizes that depend on values, as those of ``x[x > 0]`` do.
            standins: Say a number in place of each such size, for who follows shapes alone.

        Returns:
            A functional graph with a single output.

        Raises:
            NotTraceable: If the module branches on values, mutates what cannot be followed,
                or uses something that the tracer does not know; or if the graph gives something
                else than the model. The reason is in the message.
        """
        tensors = self.tensors if tensors is None else tensors
        names = list(tensors)
        data, rebuild = take_apart(inputs)
        # What a module keeps of the run, in attributes of its own, goes with this copy.
        caller = self._caller_of(private_copy(self.module))

        def run(held: list[Tensor], data: list[Tensor]) -> Any:
            placed = self._everywhere(dict(zip(names, held, strict=True)))
            outputs = functional_call(caller, placed, (rebuild(data),), tie_weights=False)
            check_outputs(outputs)
            return outputs

        held = list(tensors.values())
        traced = _graph_of(branching(run) if standins else run, held, data, inputs)
        if transformed(traced.graph):
            caller = self._caller_of(private_copy(self.module))
            traced = _graph_of(run, held, data, inputs, whole=False)
        nodes = [node for node in traced.graph.nodes if node.op == "placeholder"]
        make_functional(traced.graph, nodes[len(names) :])
        traced.graph.eliminate_dead_code()
        check_constants(traced)
        if sized:
            check_sizes(traced.graph)
        valued = with_standins(traced.graph) if standins else frozenset()
        if check:
            # Of this one `run` makes its calls now: the first copy bears marks of the tracing.
            caller = self._caller_of(private_copy(self.module))
            check_same(traced, run, held, data)
        return Trace(
            graph=traced.graph,
            owner=traced,
            tensors=dict(zip(names, nodes, strict=False)),
            data=tuple(nodes[len(names) :]),
            valued=valued,
        )


def _forward_mode() -> bool:
    return forward_ad._current_level >= 0


def _has_derivative(x: Tensor) -> bool:
    if x.requires_grad and torch.is_grad_enabled():
        return True
    return _forward_mode() and forward_ad.unpack_dual(x).tangent is not None


def _graph_of(
    run: Callable[[list[Tensor], list[Tensor]], Any],
    held: list[Tensor],
    data: list[Tensor],
    inputs: Any,
    *,
    whole: bool = True,
) -> fx.GraphModule:
    """The graph of a function of tensors.

    Args:
        run: The function.
        held: Tensors of the state.
        data: Tensors of the data.
        inputs: What the network is called with, for the words of a refusal.
        whole: Whether operations stay as large as they were written. Under a transform of
            `torch.func` they are taken apart, as what it makes of them is not seen before.
    """
    with refusing(inputs), untouched(), torch.no_grad(), quiet(), Ungrouped():
        return make_fx(run, tracing_mode="fake", pre_dispatch=whole, _allow_non_fake_inputs=True)(
            held, data
        )


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
    valued: frozenset[fx.Node] = frozenset()
    """Nodes whose sizes depend on values, if numbers were asked for in their place."""
