"""Proof that transforms leave a function unchanged: by evaluation, in float64."""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from ridgeline.errors import NonFinite, NotASymmetry, UsageError
from ridgeline.state import State, is_statistic
from ridgeline.symmetry.changes import change_of, finite
from ridgeline.symmetry.discovery import discover
from ridgeline.symmetry.evaluation import Carried, Precisions, drawn, far, outputs_of, random_state
from ridgeline.symmetry.symmetry import Symmetry
from ridgeline.symmetry.transform import Transform
from ridgeline.symmetry.words import left_out, made_in
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
        residual: Largest change of an output over its size.
        tolerance: What it had to stay below.
        moved: Units that the random elements moved.
    """

    residual: float
    tolerance: float
    moved: int


def symmetries(
    model: nn.Module,
    example: Any,
    *,
    forward: Forward | None = None,
    without: Sequence[str] = (),
    seed: int = 0,
) -> Symmetry:
    """Find which units of a network may be permuted, and prove it.

    The network is traced once. Every axis of every tensor begins as units of its own; what the
    operations tie together becomes one unit, and units that nothing tells apart become a group.
    What cannot be followed is left fixed and named, never guessed. Then a random element is
    applied to random weights and outputs are compared in float64, in evaluation mode.

    Args:
        model: Any module; left as it is.
        example: A batch of inputs, as the model takes them; one or two samples are enough. A dict
            is given to the model as keywords, a tuple by position.
        forward: How the model is called; ``model(inputs)`` by default, of whose outputs the first
            counts, or the logits.
        without: Names of groups to leave out, such as those that an error names.
        seed: Of the random weights and elements.

    Returns:
        Its groups, inner ones first, with what is left fixed and why. ``print`` reads well.

    Raises:
        NotTraceable: If the network branches on the values of its data, or does what the tracer
            cannot follow.
        NotASymmetry: If a group fails its proof; it is named, and `without` leaves it out.
        UnknownName: If a name in `without` is of no group.
        NonFinite: If a parameter or a statistic of the model is not finite.
        UsageError: If no output is a tensor, or none is finite.
    """
    network = Network(model, forward)
    found = discover(network, example).without(*without)
    if forward is None:
        notes = left_out(network, example)
        found = replace(found, derived=(*found.derived, *notes))
    prove(found, network, example, seed=seed)
    return found


def prove(symmetry: Symmetry, network: Network, example: Any, *, seed: int = 0) -> Proof:
    """Compare a network's outputs before and after a random element of a symmetry.

    The weights are random, so that no bias is zero and no channel like another by chance, and
    inputs have noise added, so that no two are alike. It is done again at inputs of another
    magnitude and, where the network takes it, of another batch size, with factors far from 1.
    Rows of a table that the example's tokens do not choose are not tested.

    Args:
        symmetry: What to prove; groups of one's own among them.
        network: The network.
        example: A batch of inputs.
        seed: Of the weights and of the element.

    Raises:
        NotASymmetry: Naming each group that changes the outputs by itself.
        UsageError: If no output is a tensor, or none is finite.
    """
    residual = Residual(network, example, seed)
    moved, found = 0, 0.0
    for here in (residual, residual.elsewhere()):
        if here is None:
            continue
        spread = 1.0 if here is residual else 7.0
        element = symmetry.random(seed, scalings=True, spread=spread)
        change = here(element)
        if not here.small(change):
            _refuse(symmetry, here, change, seed, spread)
        if here is residual:
            moved, found = sum(element.moved.values()), change
    return Proof(found, residual.tolerance, moved)


def _refuse(symmetry: Symmetry, residual: "Residual", found: float, seed: int, s: float) -> None:
    """Say which groups and scalings change the outputs by themselves."""
    alone = {g.name: (g.name, symmetry.random(seed, groups=[g.name])) for g in symmetry.groups}
    alone |= {
        m.name: (m.group, symmetry.scaling(m, seed=seed, spread=s)) for m in symmetry.scalings
    }
    wrong: dict[str, float] = {}
    where: dict[str, str] = {}
    for name, (group, element) in alone.items():
        change = residual(element)
        if not residual.small(change):
            wrong[name] = change
            where[name] = made_in(symmetry.group(group))
    groups = list(dict.fromkeys(alone[name][0] for name in wrong))
    wrong = wrong or {"all groups together": found}
    raise NotASymmetry(wrong, residual.tolerance, where=where, groups=groups)


class Residual:
    """How much a transform changes the outputs of a network at random weights, in float64.

    Args:
        network: The network.
        example: A batch of inputs.
        seed: Of the weights.

    Raises:
        NonFinite: If a parameter or a statistic of the network is not finite.
        UsageError: If no output is a tensor, or none is finite.
    """

    def __init__(self, network: Network, example: Any, seed: int) -> None:
        self.network, self.seed = network, seed
        _sound(network)
        self._inputs = drawn(example, seed)
        precisions = Precisions()
        for noise in (1.0, 0.1, 0.01):  # a logarithm may be undefined far from the weights
            self._carried = Carried(network, seed, noise)
            with precisions:
                self._before = self._outputs(self.state)
            if finite(self._before):
                break
        else:
            raise UsageError(
                "A symmetry is proved by outputs that are finite floating numbers, or integers.",
                got="NaN or infinity in all outputs at random weights near the model's own",
                remedy="Give an example at which the model is defined, with its weights as they "
                "are after training, or `forward=` a function that returns finite outputs.",
            )
        self.tolerance = ROUNDED if precisions.lower else TOLERANCE
        self._noisy = False

    @property
    def state(self) -> State:
        """The random weights; their tensors are written to when an element is tried."""
        return self._carried.by(None)

    def elsewhere(self) -> "Residual | None":
        """The same at other inputs: larger ones, in a batch of another size, if that goes."""
        there = copy(self)
        for inputs in far(self._inputs):
            there._inputs, there._noisy = inputs, True
            try:
                there._before = there._outputs(self.state)
            except Exception:  # a user's network may refuse them in any way
                continue
            if finite(there._before):
                return there
        return None

    @torch.no_grad()
    def _outputs(self, state: State) -> list[Tensor]:
        return outputs_of(self.network, state, self._inputs, seed=self.seed)

    def __call__(self, element: Transform) -> float:
        """The largest change of an output over its size; infinite where it becomes not finite.

        An output's size is that of its middle element, so that neither a huge output nor a huge
        element (what a mask adds) hides another. Of integers the share that changes counts.
        """
        return change_of(self._before, self._outputs(self._carried.by(element)))

    def small(self, residual: float) -> bool:
        """Whether a change is explained by rounding: far from the example, what that does there.

        Args:
            residual: The change.
        """
        if residual < self.tolerance:
            return True
        return self._noisy and residual < 1e3 * self._rounding()

    def _rounding(self) -> float:
        """How much outputs change if the last digits of weights do."""
        last = 4e-16 if self.tolerance == TOLERANCE else 2e-7
        shaken = {
            n: x * (1 + last * (torch.arange(x.numel(), device=x.device).reshape(x.shape) % 2))
            if x.is_floating_point() or x.is_complex()
            else x
            for n, x in self.state.items()
        }
        return change_of(self._outputs(self.state), self._outputs(shaken))


def _sound(network: Network) -> None:
    """Refuse weights that diverged; a buffer may hold the infinities of a mask."""
    parameters = {n for n, _ in network.module.named_parameters()}
    counts: dict[str, tuple[int, int]] = {}
    for name, x in network.tensors.items():
        if (x.is_floating_point() or x.is_complex()) and not bool(x.sum().isfinite()):
            nans, infinite = int(x.isnan().sum()), int(x.isinf().sum())
            counted = name in parameters or is_statistic(name)
            if nans or (infinite and counted):
                counts[name] = (nans, infinite)
    if counts:
        raise NonFinite("the model", counts)
