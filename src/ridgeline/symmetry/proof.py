"""Proof that transforms leave a function unchanged: by evaluation, in float64."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from ridgeline.errors import NotASymmetry
from ridgeline.rng import stream
from ridgeline.state import State
from ridgeline.symmetry.discovery import discover
from ridgeline.symmetry.symmetry import Symmetry
from ridgeline.symmetry.transform import Transform
from ridgeline.tracing import Forward, Network

__all__ = ["Proof", "Residual", "drawn", "outputs_of", "prove", "random_state", "symmetries"]

TOLERANCE = 1e-9
"""Largest relative change of an output in float64: rounding of sums in another order gave at
most 1e-12 in the networks of docs/symmetries-coverage.md."""

ROUNDED = 1e-4
"""The same for a network that computes some things in float32 or less whatever it is given, as
the normalisation layers of `transformers` do."""


@dataclass(frozen=True)
class Proof:
    """What the evaluation found.

    Args:
        residual: Largest change of an output over the largest output.
        tolerance: What it had to stay below.
        moved: Units that the random elements moved.
    """

    residual: float
    tolerance: float
    moved: int


def symmetries(
    model: nn.Module, example: Any, *, forward: Forward | None = None, seed: int = 0
) -> Symmetry:
    """Find which units of a network may be permuted, and prove it.

    The network is traced once. Every axis of every tensor begins as units of its own; what the
    operations tie together becomes one unit, and units that nothing tells apart become a group.
    What cannot be followed is left fixed and named, never guessed. Then a random element is
    applied to random weights and outputs are compared in float64, in evaluation mode.

    Args:
        model: Any module; left as it is.
        example: A batch of inputs, as the model takes them; one or two samples are enough.
        forward: How the model is called; ``model(inputs)`` by default.
        seed: Of the random weights and elements.

    Returns:
        Its groups, inner ones first, with what is left fixed and why. ``print`` reads well.

    Raises:
        NotTraceable: If the network branches on the values of its data, or does what the tracer
            cannot follow.
        NotASymmetry: If a group fails its proof; it is named, and can be forbidden with
            ``discover(...).without(name)``.
    """
    network = Network(model, forward)
    found = discover(network, example)
    prove(found, network, example, seed=seed)
    return found


def prove(symmetry: Symmetry, network: Network, example: Any, *, seed: int = 0) -> Proof:
    """Compare a network's outputs before and after a random element of a symmetry.

    The weights are random, so that no bias is zero and no channel like another by chance, and
    inputs have noise added, so that no two are alike. Rows of a table that the example's tokens
    do not choose are not tested.

    Args:
        symmetry: What to prove; groups of one's own among them.
        network: The network.
        example: A batch of inputs.
        seed: Of the weights and of the element.

    Raises:
        NotASymmetry: Naming each group that changes the outputs by itself.
    """
    residual = Residual(network, example, seed)
    element = symmetry.random(seed, scalings=True)
    found = residual(element)
    if not residual.small(found):
        alone = {g.name: residual(symmetry.random(seed, groups=[g.name])) for g in symmetry.groups}
        alone |= {m.name: residual(symmetry.scaling(m, seed=seed)) for m in symmetry.scalings}
        wrong = {name: r for name, r in alone.items() if not residual.small(r)}
        raise NotASymmetry(wrong or {"all groups together": found}, residual.tolerance)
    return Proof(found, residual.tolerance, sum(element.moved.values()))


class Residual:
    """How much a transform changes the outputs of a network at random weights, in float64.

    Args:
        network: The network.
        example: A batch of inputs.
        seed: Of the weights.
    """

    def __init__(self, network: Network, example: Any, seed: int) -> None:
        self.network = network
        self.state = random_state(network.tensors, seed)
        self._inputs = drawn(example, seed)
        with torch.no_grad():
            self._before = outputs_of(network, self.state, self._inputs)
        rounds = _rounds(network, self.state, self._inputs)
        self.tolerance = ROUNDED if rounds else TOLERANCE

    @torch.no_grad()
    def __call__(self, element: Transform) -> float:
        """The largest change of an output over the largest output; infinite if it is not finite."""
        after = outputs_of(self.network, element(self.state), self._inputs)
        size = max(float(x.abs().max()) for x in self._before if x.numel()) or 1.0
        changes = (float((x - y).abs().max()) for x, y in zip(self._before, after, strict=True))
        return max(c / size if c == c else float("inf") for c in changes)

    def small(self, residual: float) -> bool:
        """Whether a change is explained by rounding."""
        return residual < self.tolerance


def random_state(tensors: Mapping[str, Tensor], seed: int) -> State:
    """Random weights near a network's own, in float64; what is positive stays so."""
    found: State = {}
    for name, x in tensors.items():
        if not x.is_floating_point():
            found[name] = x
            continue
        noise = torch.randn(x.shape, generator=stream(seed, "proof", name), dtype=torch.float64)
        held = x.detach().cpu().double()
        positive = held.numel() > 0 and bool((held > 0).all())
        size = float(held.std()) if held.numel() > 1 else 0.0
        found[name] = (
            held * torch.exp(0.3 * noise) if positive else held + (0.3 * size or 0.1) * noise
        )
    return found


def _rounds(network: Network, state: State, inputs: Any) -> bool:
    """Whether a value on the way is of lower precision than the weights and data."""
    nodes = network.trace(inputs, state).graph.nodes
    values = [v for n in nodes if n.all_input_nodes for v in pytree.tree_leaves(n.meta.get("val"))]
    return any(
        isinstance(v, Tensor) and v.is_floating_point() and v.dtype != torch.float64 for v in values
    )


def drawn(example: Any, seed: int) -> Any:
    """A batch of inputs in float64, with noise added to whatever is not a label or a token.

    Args:
        example: The batch.
        seed: Of the noise.
    """

    def one(x: Any) -> Any:
        x = _wide(x)
        if not isinstance(x, Tensor) or not x.is_floating_point():
            return x
        noise = torch.randn(x.shape, generator=stream(seed, "proof", "inputs"), dtype=torch.float64)
        return x + 0.3 * noise.to(x.device)  # minus infinity of a mask stays

    return pytree.tree_map(one, example)


def _wide(x: Any) -> Any:
    return x.double() if isinstance(x, Tensor) and x.is_floating_point() else x


def outputs_of(network: Network, state: Mapping[str, Tensor], inputs: Any) -> Sequence[Tensor]:
    """The outputs of a network that are floating tensors."""
    made = [x for x in pytree.tree_leaves(network(state, inputs)) if isinstance(x, Tensor)]
    return [x for x in made if x.is_floating_point()]
