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

__all__ = ["Proof", "prove", "symmetries"]

TOLERANCE = 1e-9
"""Largest relative change of an output in float64: rounding of sums in another order is below
1e-12 in every network that was tried, and one wrong unit of thousands above 1e-5."""

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

    The weights are random, so that no bias is zero and no channel like another by chance.

    Args:
        symmetry: What to prove; groups of one's own among them.
        network: The network.
        example: A batch of inputs.
        seed: Of the weights and of the element.

    Raises:
        NotASymmetry: Naming each group that changes the outputs by itself.
    """
    state = _random(network.tensors, seed)
    inputs = pytree.tree_map(_wide, example)
    with torch.no_grad():
        before = _outputs(network, state, inputs)
        tolerance = ROUNDED if _rounds(network, state, inputs) else TOLERANCE

        def residual(element: Transform) -> float:
            after = _outputs(network, element(state), inputs)
            size = max(float(x.abs().max()) for x in before if x.numel()) or 1.0
            changes = (float((x - y).abs().max()) for x, y in zip(before, after, strict=True))
            return max(c / size if c == c else float("inf") for c in changes)

        element = symmetry.random(seed)
        found = residual(element)
        if not found < tolerance:
            alone = {
                g.name: residual(symmetry.random(seed, groups=[g.name])) for g in symmetry.groups
            }
            wrong = {name: r for name, r in alone.items() if not r < tolerance}
            raise NotASymmetry(wrong or {"all groups together": found}, tolerance)
    return Proof(found, tolerance, sum(element.moved.values()))


def _random(tensors: Mapping[str, Tensor], seed: int) -> State:
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


def _wide(x: Any) -> Any:
    return x.double() if isinstance(x, Tensor) and x.is_floating_point() else x


def _outputs(network: Network, state: Mapping[str, Tensor], inputs: Any) -> Sequence[Tensor]:
    made = [x for x in pytree.tree_leaves(network(state, inputs)) if isinstance(x, Tensor)]
    return [x for x in made if x.is_floating_point()]
