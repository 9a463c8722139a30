"""Check that a state that was carried computes what it computed, by the network itself.

A symmetry is proved at random weights. What an alignment gives back is one state, of trained
weights, rounded to the type that it is kept in; it is compared with the one it was made of at
inputs that neither the proof nor the matching has seen, in float64 where the network takes it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from ridgeline.errors import NotASymmetry, UsageError
from ridgeline.graph import Network
from ridgeline.rng import seed_of
from ridgeline.state import State, is_statistic
from ridgeline.symmetry.changes import change_of, finite
from ridgeline.symmetry.evaluation import drawn, far, large, outputs_of
from ridgeline.symmetry.transform import Transform
from ridgeline.symmetry.widening import narrow
from ridgeline.symmetry.words import made_in

__all__ = ["Witness", "check_carried", "witnessed"]

BATCHES = 3
"""Batches at which functions are compared, besides one that lies far from the example."""

TOLERANCE = 1e-9
"""Tolerance of a permutation in float64; see `ridgeline.symmetry.residual`."""

EXPLAINED = 1e3
"""Times the change that the last digits of the weights make: larger ones are no rounding."""


@dataclass(frozen=True, eq=False)
class Witness:
    """A network, and a batch that it takes.

    Args:
        network: The network, with the outputs that count.
        example: The batch.
        seed: Of inputs near the example.
    """

    network: Network
    example: Any
    seed: int = 0

    def changed(
        self, before: Mapping[str, Tensor], after: Mapping[str, Tensor], *, permuted: bool
    ) -> float | None:
        """The change of an output over its size, as far as rounding does not explain it.

        Args:
            before: A state.
            after: Another, which should compute the same.
            permuted: It holds the same numbers elsewhere, so that none of them was rounded.

        Returns:
            0 where all outputs are the same up to rounding; None if nothing could be compared,
            because the network fails at these states or nothing that it gives is finite.
        """
        for wide, kept in ((True, True), (True, False), (False, False)):
            try:
                return self._changed(before, after, wide, permuted, kept)
            except Exception:  # a user's network may refuse float64 in any way
                continue
        return None

    def _changed(
        self,
        before: Mapping[str, Tensor],
        after: Mapping[str, Tensor],
        wide: bool,
        exact: bool,
        kept: bool,
    ) -> float | None:
        one, other = self._held(before, wide, kept), self._held(after, wide, kept)
        last = max((_last(x) for x in before.values()), default=0.0)
        compared, most = False, 0.0
        for inputs, want in self._batches(one, wide, kept):
            compared = True
            change = change_of(want, self._outputs(other, inputs, kept))
            if change <= TOLERANCE:
                continue
            # What was permuted alone is summed in another order; all else was rounded besides.
            digits = 4e-16 if wide and exact else last
            shaken = _shaken(one, digits, kept)
            rounding = change_of(want, self._outputs(shaken, inputs, kept, digits))
            if not change <= EXPLAINED * rounding:
                most = max(most, change)
        return most if compared else None

    def _batches(self, state: State, wide: bool, kept: bool) -> Iterator[tuple[Any, list[Tensor]]]:
        """Inputs, and what a state gives at them."""
        for k in range(BATCHES):
            inputs = self._typed(drawn(self.example, seed_of(self.seed, "compared", k)), wide)
            if finite(want := self._outputs(state, inputs, kept)):
                yield inputs, want
        for other in far(drawn(self.example, self.seed)):
            try:
                want = self._outputs(state, inputs := self._typed(other, wide), kept)
            except Exception:  # it may not take another batch size, or numbers of that size
                continue
            if finite(want):
                yield inputs, want
                return

    def _typed(self, inputs: Any, wide: bool) -> Any:
        if wide:
            return inputs
        return pytree.tree_map(
            lambda x, like: x.to(like.dtype) if isinstance(x, Tensor) else x, inputs, self.example
        )

    def _held(self, state: Mapping[str, Tensor], wide: bool, kept: bool) -> State:
        """A state's tensors as doubles; large parameters as they are, if they are kept so.

        Of these a part at a time becomes doubles where it is used: two states of a large network
        would take four times its memory.
        """
        held = {n: state.get(n, x).detach().cpu() for n, x in self.network.tensors.items()}
        if not wide:
            return {n: x.clone() for n, x in held.items()}
        own = {n for n, _ in self.network.module.named_parameters()} if kept else set()
        return {
            n: x if n in own and (large(x) or _wide(x) == x.dtype) else x.to(_wide(x), copy=True)
            for n, x in held.items()
        }

    @torch.no_grad()
    def _outputs(self, state: State, inputs: Any, kept: bool, shaken: float = 0.0) -> list[Tensor]:
        given = {"shaken": shaken, "rounded": _refuse, "frozen": True} if kept else {}
        return outputs_of(self.network, state, inputs, seed=self.seed, **given)


def witnessed(network: Network, example: Any, seed: int = 0) -> Witness:
    """A witness whose batch is its own, whatever becomes of the caller's.

    Args:
        network: The network.
        example: A batch that it takes.
        seed: Of inputs near it.
    """
    own = pytree.tree_map(lambda x: x.detach().clone() if isinstance(x, Tensor) else x, example)
    return Witness(network, own, seed)


class _Witnessed(Protocol):
    """A `Symmetry`, of which the witness alone is asked."""

    @property
    def witness(self) -> Witness | None: ...


def check_carried(
    symmetry: _Witnessed,
    before: Mapping[str, Tensor],
    element: Transform,
    after: Mapping[str, Tensor],
) -> bool | None:
    """Compare the function of a carried state with that of the state it was made of.

    Args:
        symmetry: Of the network; without a witness nothing can be compared.
        before: What was carried.
        element: By what.
        after: What came of it.

    Returns:
        True if outputs were compared and are the same; None if they could not be.

    Raises:
        NotASymmetry: If an output changes; it names the groups that change it alone.
    """
    witness = symmetry.witness
    if witness is None:
        return None
    change = witness.changed(before, after, permuted=element.permutes)
    if not change:
        return None if change is None else True
    wrong, groups = {}, {}
    for action in element.actions:
        alone = Transform((action,), element.ties)
        if found := witness.changed(before, alone(before), permuted=alone.permutes):
            wrong[action.group.name], groups[action.group.name] = found, action.group
    wrong = wrong or {"all groups together": change}
    where = {n: made_in(g) for n, g in groups.items()}
    raise NotASymmetry(wrong, TOLERANCE, where=where, groups=list(groups))


def _last(x: Tensor) -> float:
    """The last digit of a tensor's numbers."""
    return torch.finfo(x.dtype).eps if x.is_floating_point() or x.is_complex() else 0.0


def _refuse() -> None:
    raise UsageError("Weights are written to in their own type.", got="a number that is rounded")


def _shaken(state: State, last: float, kept: bool) -> State:
    """A state whose weights differ in their last digits, but for those kept in another type."""
    found = dict(state)
    for name, x in state.items():
        if kept and narrow(x):
            continue  # where they become doubles
        if (x.is_floating_point() or x.is_complex()) and not is_statistic(name):
            signs = torch.arange(x.numel()).reshape(x.shape) % 2
            found[name] = x * (1 + last * signs).to(x.dtype)
    return found


def _wide(x: Tensor) -> torch.dtype:
    if x.is_complex():
        return torch.complex128
    return torch.float64 if x.is_floating_point() else x.dtype
