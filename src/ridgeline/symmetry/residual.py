"""How much a transform changes the outputs of a network, at random weights, in float64."""

import re
import warnings
from collections.abc import Callable
from copy import copy
from typing import Any

import torch
from torch import Tensor

from ridgeline.errors import NonFinite, UsageError
from ridgeline.graph import Network
from ridgeline.state import State, is_statistic
from ridgeline.symmetry import lengths
from ridgeline.symmetry.changes import change_of, finite
from ridgeline.symmetry.evaluation import Carried, drawn, far, outputs_of, widened
from ridgeline.symmetry.transform import Transform

__all__ = ["Residual"]

TOLERANCE = 1e-9
"""Largest relative change of an output in float64: rounding of sums in another order gave at
most 1e-12 in the networks of docs/symmetries-coverage.md."""

TYPES = re.compile("type|float|double|assert", re.IGNORECASE)
"""Words of an error that may be about the type of a weight."""

LAST = 4e-16
"""What the last digit of a double may change, over its size."""


class Residual:
    """Change of a network's outputs by a transform, at random weights, in float64.

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
        self._noisy = False
        self._inputs = drawn(example, seed)
        for noise in (1.0, 0.1, 0.01):  # a logarithm may be undefined far from the weights
            self._carried = Carried(network, seed, noise)
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
        self.tolerance = TOLERANCE

    @property
    def state(self) -> State:
        """The random weights; their tensors are written to when an element is tried."""
        return self._carried.by(None)

    def elsewhere(self) -> "Residual | None":
        """The same at other inputs: larger ones, in a batch of another size, if that goes."""
        there = copy(self)
        for inputs in far(self._inputs):
            there._inputs, there._noisy = inputs, True
            if there._taken():
                return there
        return None

    def at(self, example: Any) -> "Residual | None":
        """The same at another batch, if there is one and outputs are finite there."""
        there = copy(self)
        there._inputs = None if example is None else drawn(example, self.seed)
        return there if example is not None and there._taken() else None

    def longer(self, example: Any) -> "tuple[Any, Residual] | None":
        """A longer batch that the network takes, and this there; see `lengths`."""
        return self._resized(lengths.longer, example)

    def shorter(self, example: Any) -> "tuple[Any, Residual] | None":
        """A shorter batch that the network takes, and this there."""
        return self._resized(lengths.shorter, example)

    def _resized(
        self, resize: Callable[[Any, Callable[[Any], bool]], Any], example: Any
    ) -> "tuple[Any, Residual] | None":
        taken: list[Residual] = []

        def accepts(batch: Any) -> bool:
            there = self.at(batch)
            taken.extend([] if there is None else [there])
            return there is not None

        made = resize(example, accepts)
        return None if made is None else (made, taken[-1])

    def _taken(self) -> bool:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of sizes that do not fit, most of them
                self._before = self._outputs(self.state)
        except Exception:  # a user's network may refuse inputs in any way
            return False
        return finite(self._before)

    def _outputs(self, state: State, *, shaken: float = 0.0) -> list[Tensor]:
        rounded: list[bool] = []

        def made() -> list[Tensor]:
            given = {"seed": self.seed, "shaken": shaken}
            return outputs_of(
                self.network, state, self._inputs, **given, rounded=lambda: rounded.append(True)
            )

        with torch.no_grad():
            try:
                found = made()
            except Exception as error:  # a user's own check that inputs are of the weights' type
                if not (self._carried.narrow and TYPES.search(f"{type(error).__name__} {error}")):
                    raise
                rounded.append(True)
                found = []
            if not rounded:
                return found
            self._carried.widen()
            state = {n: widened(x) for n, x in state.items()}
            return made()

    def __call__(self, element: Transform) -> float:
        """The largest change of an output over its size; infinite where it becomes not finite.

        An output's size is that of its middle element, so that neither a huge output nor a huge
        element (what a mask adds) hides another. Of integers the share that changes counts.
        """
        return self.changed(self.carried(element))

    def carried(self, element: Transform) -> State:
        """The random weights after an element; they hold until the next one."""
        return self._carried.by(element)

    def changed(self, state: State) -> float:
        """The same for a state that an element has made.

        Args:
            state: Of which outputs are taken.
        """
        return change_of(self._before, self._outputs(state))

    def small(self, residual: float) -> bool:
        """True if a change is explained by rounding: far from the example, what that does there.

        Args:
            residual: The change.
        """
        if residual < self.tolerance:
            return True
        return self._noisy and residual < 1e3 * self._rounding()

    def _rounding(self) -> float:
        """Return how much outputs change if the last digits of weights do."""
        shaken = {
            n: x * (1 + LAST * (torch.arange(x.numel(), device=x.device).reshape(x.shape) % 2))
            if x.dtype in (torch.float64, torch.complex128)
            else x
            for n, x in self.state.items()
        }
        return change_of(self._outputs(self.state), self._outputs(shaken, shaken=LAST))


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
