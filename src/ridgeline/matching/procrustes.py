"""Procrustes matching: residual streams rotated, heads and hidden units permuted.

Reference: Theus, Cabodi, Anagnostidis, Orvieto, Singh & Boeva (2025), "Generalized Linear Mode
Connectivity for Transformers": the rotation of the residual stream by singular values, hidden
units by linear assignment, heads by the products of their weights. Differs in: gains are
absorbed in both networks while they are compared, and then b is given a's gains, so that it
stays a state of the same network; LayerNorm is not rewritten (see `ridgeline.symmetry.streams`);
all are solved in turn until nothing changes, from several starts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor

from ridgeline import state as states
from ridgeline.errors import UsageError
from ridgeline.matching.circuits import match_heads, within
from ridgeline.matching.contract import Matched, Strategy
from ridgeline.matching.search import alternate
from ridgeline.matching.weights import WeightMatching
from ridgeline.progress import Progress
from ridgeline.state import State
from ridgeline.symmetry import Symmetry, Transform
from ridgeline.symmetry.streams import Stream, orthogonal

__all__ = ["Procrustes", "gram", "hidden_of"]

NOTHING = 1e-9
"""Share of the first distance below which no other start is tried."""


@dataclass(frozen=True, kw_only=True)
class Procrustes:
    """Rotation of the residual stream, with permutations and circuits, each given the others.

    Args:
        stream: As `ridgeline.symmetry.streams` finds.
        by: Finds permutations of hidden units.
        circuits: Mix the channels inside heads, too.
        rounds: Most turns.
        tolerance: Relative change of the distance that counts as none.
    """

    stream: Stream
    by: Strategy = field(default_factory=lambda: WeightMatching(renewals=0))
    circuits: bool = True
    rounds: int = 30
    tolerance: float = 1e-7

    never_worse: ClassVar[bool] = True

    def match(
        self,
        a: Mapping[str, Tensor],
        b: Mapping[str, Tensor],
        symmetry: Symmetry,
        *,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> Matched:
        """The transform that brings b nearest to a, with gains absorbed in both.

        Starts are: a rotation from tensors in which no other unit stands (embeddings and heads of
        the network); the permutation that `by` finds; nothing.

        Raises:
            UsageError: If a gain is zero, or the symmetry has not the stream's group.
        """
        symmetry.group(self.stream.group.name)
        absorb_a, absorb_b = self.stream.absorb(a), self.stream.absorb(b)
        fixed, moving = _wide(absorb_a(_wide(a))), absorb_b(_wide(b))
        best, history = symmetry.identity(), [states.distance(fixed, moving)]
        before = history[0]
        anchored = self._rotated(fixed, moving, symmetry, anchors=True)
        permuted = self.by.match(fixed, moving, symmetry, seed=seed, progress=None).transform
        for start in (anchored, permuted, symmetry.identity()):
            if start is None:
                raise UsageError("Procrustes matching follows a permutation.", got=str(self.by))
            found, distances = self._turns(fixed, moving, symmetry, start, seed, progress)
            if distances[-1] < history[-1]:
                best, history = found, distances
            if history[-1] <= NOTHING * before:
                break
        return Matched(
            transform=absorb_a.inverse() @ best @ absorb_b,
            objective={"before": before, "after": history[-1]},
            goal="minimise",
            measure="distance |a - g(b)| with gains absorbed",
            sweeps=len(history) - 1,
            history=tuple(history),
        )

    def _turns(
        self,
        a: State,
        b: State,
        symmetry: Symmetry,
        start: Transform,
        seed: int,
        progress: Progress | None,
    ) -> tuple[Transform, list[float]]:
        """Each part solved in turn, and kept if b is nearer: the distance never grows."""
        hidden = hidden_of(symmetry, self.stream)
        parts = [
            partial(self._part, part, a, symmetry=symmetry, hidden=hidden, seed=seed)
            for part in ("hidden", "heads", "stream")
        ]
        return alternate(
            a, b, start, parts,
            rounds=self.rounds, tolerance=self.tolerance,
            what="procrustes matching", progress=progress,
        )  # fmt: skip

    def _part(
        self, part: str, a: State, at: State, symmetry: Symmetry, hidden: Symmetry, seed: int
    ) -> Transform:
        if part == "stream":
            return self._rotated(a, at, symmetry)
        if part == "hidden":
            if not hidden.groups:
                return symmetry.identity()
            found = self.by.match(a, at, hidden, seed=seed, progress=None).transform
            return found if found is not None else symmetry.identity()
        step = match_heads(a, at, symmetry, self.stream.circuits)
        for circuit in self.stream.circuits if self.circuits else ():
            step = Transform((within(a, step(at), circuit),), symmetry.ties) @ step
        return step

    def _rotated(
        self, a: State, b: State, symmetry: Symmetry, *, anchors: bool = False
    ) -> Transform:
        total = gram(a, b, self.stream, _still(symmetry, self.stream) if anchors else None)
        return self.stream.rotation(orthogonal(total, centred=self.stream.centred))


def gram(
    a: Mapping[str, Tensor],
    b: Mapping[str, Tensor],
    stream: Stream,
    only: set[str] | None = None,
) -> Tensor:
    """``A B^T`` over all that the stream's coordinates hold, gains apart: (width, width).

    Args:
        a: A state, its gains absorbed.
        b: Another.
        stream: Whose coordinates.
        only: Tensors that count; all by default.
    """
    total = torch.zeros(stream.group.size, stream.group.size, dtype=torch.float64)
    for place, power in zip(stream.group.places, stream.powers, strict=True):
        if power and (only is None or place.tensor in only):
            x, y = (place.units(s[place.tensor].double())[0] for s in (a, b))
            total += x @ y.T
    return total


def hidden_of(symmetry: Symmetry, stream: Stream) -> Symmetry:
    """The symmetry of hidden units alone: less the stream, heads with circuits, their channels."""
    heads = {str(c.group.inside) for c in stream.circuits}
    gone = [
        g.name for g in symmetry.groups
        if g.name == stream.group.name or g.name in heads or g.inside in heads
    ]  # fmt: skip
    return symmetry.without(*gone)


def _still(symmetry: Symmetry, stream: Stream) -> set[str]:
    """Tensors in which no unit stands but those of the stream."""
    others = {n for g in symmetry.groups if g.name != stream.group.name for n in g.tensors()}
    return set(stream.group.tensors()) - others


def _wide(state: Mapping[str, Tensor]) -> State:
    return {n: x.double() if x.is_floating_point() else x for n, x in state.items()}
