"""The straight line, with rates and with layers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ridgeline.errors import UnknownName, UsageError
from ridgeline.paths.base import Path, check_points
from ridgeline.paths.combination import Combination
from ridgeline.paths.rates import Power, Rate
from ridgeline.state import State, layers, ties, wide

__all__ = ["Line"]


@dataclass(frozen=True, eq=False)
class Line(Path):
    """The line from `a` to `b`: theta(t) = (1 - r(t)) a + r(t) b, tensor by tensor.

    With no rates and no layers this is linear interpolation (Goodfellow et al. 2014). With
    `rates`, each named tensor moves at its own rate (Wang et al. 2023). With `layers`, only
    those layers move and the others stay at one end (Adilova et al. 2023; Vlaar & Frankle
    2021); ``line(0)`` and ``line(1)`` are then the held state with those layers from `a`
    and from `b`.

    Names that share one tensor in `a` (a tied embedding and head) move together.

    Labels (integer and boolean tensors) take the value of the nearer end, `b`'s from r = 0.5.

    Args:
        a: State at t = 0.
        b: State at t = 1.
        rates: Tensor name to its rate; tensors not named move like t.
        layers: Names of layers (module prefixes) or of single tensors that move; all by default.
        hold: Which end the other layers stay at.

    Raises:
        StateMismatch: If the tensors of `a` and `b` differ.
        NonFinite: If either holds NaN or infinity.
        UnknownName: If a rate or a layer names nothing.
    """

    a: State
    b: State
    rates: Mapping[str, Rate] = field(default_factory=dict)
    layers: Sequence[str] | None = None
    hold: Literal["a", "b"] = "a"
    _moving: frozenset[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        a, b = check_points((self.a, self.b), ("a", "b"))
        for name in self.rates:
            if name not in a:
                raise UnknownName("tensor with a rate", name, a)
        if self.hold not in ("a", "b"):
            raise UsageError("`hold` is 'a' or 'b'.", got=repr(self.hold))
        rates = dict(self.rates)
        for tied in ties(a):  # one tensor under several names moves as one
            for name in set(tied) & set(self.rates):
                rates.update(dict.fromkeys(tied, self.rates[name]))
        settled = {"a": a, "b": b, "rates": rates, "_moving": _select(a, self.layers)}
        for name, value in settled.items():
            object.__setattr__(self, name, value)

    def _schedule(self) -> tuple[list[Rate | None], dict[str, int]]:
        """Distinct rates (None stands still) and which of them each tensor follows."""
        rates: list[Rate | None] = [Power(1.0)]
        follows: dict[str, int] = {}
        for name in self.a:
            rate = self.rates.get(name, rates[0]) if name in self._moving else None
            if rate not in rates:
                rates.append(rate)
            follows[name] = rates.index(rate)
        return rates, follows

    def combination(self, t: Sequence[float] | NDArray[np.floating]) -> Combination:
        """The line at K positions; the basis is (a, b)."""
        rates, follows = self._schedule()
        held = 0.0 if self.hold == "a" else 1.0
        tables = []
        for rate in rates:
            r = np.array([rate(float(s)) if rate else held for s in t], dtype=np.float64)
            tables.append(np.stack([1 - r, r], axis=1))
        return Combination((self.a, self.b), tuple(tables), follows)

    def tangent(self, t: float) -> State:
        """r'(t) (b - a), for floating tensors only."""
        rates, follows = self._schedule()
        slopes = [rate.slope(t) if rate else 0.0 for rate in rates]
        return {
            name: ((wide(self.b[name]) - wide(x)) * slopes[follows[name]]).to(x.dtype)
            for name, x in self.a.items()
            if x.is_floating_point()
        }


def _select(state: State, chosen: Sequence[str] | None) -> frozenset[str]:
    """Names of the tensors of the chosen layers; a layer also holds its sub-modules."""
    if chosen is None:
        return frozenset(state)
    picked: set[str] = set()
    for layer in chosen:
        inside = {n for n in state if n == layer or n.startswith(f"{layer}.")}
        if not inside:
            raise UnknownName("layer", layer, layers(state))
        picked |= inside
    for tied in ties(state):
        if picked & set(tied):
            picked |= set(tied)
    return frozenset(picked)
