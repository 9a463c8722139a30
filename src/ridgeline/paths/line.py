"""The straight line, with rates and with layers."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ridgeline.errors import UnknownName, UsageError
from ridgeline.paths.base import Path, check_moving, check_points
from ridgeline.paths.combination import Combination, Table
from ridgeline.paths.rates import Curved, Power, Rate, TwoPowers
from ridgeline.state import (
    State,
    is_continuous,
    layers,
    place,
    spectral_vectors,
    subtract,
    ties,
    warn_of_identical,
    wide,
)

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
        QuantisedWeights: If weights that move are kept as codes beside scales.
        UnknownName: If a rate or a layer names nothing.
    """

    a: State
    b: State
    rates: Mapping[str, Rate] = field(default_factory=dict)
    layers: Sequence[str] | None = None
    hold: Literal["a", "b"] = "a"
    _moving: frozenset[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        a, b = check_points((self.a, self.b), ("a", "b"), stacklevel=3)
        for name in self.rates:
            if name not in a:
                raise UnknownName("tensor with a rate", name, a)
        if self.hold not in ("a", "b"):
            raise UsageError("`hold` is 'a' or 'b'.", got=repr(self.hold))
        rates = dict(self.rates)
        for tied in ties(a):  # one tensor under several names moves as one
            for name in set(tied) & set(self.rates):
                rates.update(dict.fromkeys(tied, self.rates[name]))
        moving = _select(a, self.layers)
        check_moving((a, b), [n for n in a if n in moving], stacklevel=3)
        warn_of_identical(a, b, stacklevel=3)
        settled = {"a": a, "b": b, "rates": rates, "_moving": moving}
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
        """The line at K positions; the basis is (a, b), and zero if a rate is `TwoPowers`."""
        rates, follows = self._schedule()
        fading = {n for n, k in follows.items() if isinstance(rates[k], TwoPowers)}
        basis = (self.a, self.b, _zero(self.a, fading)) if fading else (self.a, self.b)
        tables = [self._table(rate, t, len(basis)) for rate in rates]
        return Combination(basis, tuple(tables), follows)

    def _table(
        self, rate: Rate | None, t: Sequence[float] | NDArray[np.floating], columns: int
    ) -> Table:
        """The coefficients of a tensor that moves at a rate, or stands still."""
        held = 0.0 if self.hold == "a" else 1.0
        table = np.zeros((len(t), columns))
        table[:, 1] = [rate(float(s)) if rate else held for s in t]
        table[:, 0] = 1 - table[:, 1]
        if isinstance(rate, TwoPowers):
            table[:, 0] = [rate.rest(1 - float(s)) for s in t]
            table[:, 2] = 1 - table[:, 0] - table[:, 1]
        return table

    def tangent(self, t: float) -> State:
        """r'(t) (b - a), for floating tensors only."""
        return self._derivative(lambda rate: rate.slope(t), lambda rate: -rate.rest.slope(1 - t))

    def acceleration(self, t: float) -> State:
        """The second derivative by t, r''(t) (b - a), for floating tensors only.

        Raises:
            UsageError: If a tensor that moves has a rate whose second derivative is not known.
        """
        for rate in self._schedule()[0]:
            if rate is not None and not isinstance(rate, Curved):
                raise UsageError(
                    "The second derivative of a line needs that of each of its rates.",
                    got=f"{type(rate).__name__} without `curvature`",
                    remedy="Use Power, or give the rate a method curvature(t).",
                )
        return self._derivative(
            lambda rate: rate.curvature(t),  # type: ignore[attr-defined]  # all are Curved, as just checked
            lambda rate: rate.rest.curvature(1 - t),
        )

    def _derivative(
        self, end: Callable[[Rate], float], start: Callable[[TwoPowers], float]
    ) -> State:
        """A derivative of the line from those of the coefficients of b and, where told, of a."""
        rates, follows = self._schedule()
        found: State = {}
        vectors = spectral_vectors(self.a)
        for name, x in self.a.items():
            if not is_continuous(x) or name in vectors:
                continue
            rate = rates[follows[name]]
            to = end(rate) if rate else 0.0
            if isinstance(rate, TwoPowers):
                moved = start(rate) * wide(x) + to * wide(self.b[name])
            else:
                moved = subtract({name: wide(self.b[name])}, {name: wide(x)})[name] * to
            found[name] = moved.to(x.dtype)
        return found


def _zero(like: State, names: Collection[str]) -> State:
    """The state with some tensors zero; ties stay, and a zero takes no memory of its own."""
    made: dict[object, Tensor] = {}
    for name in names:
        x = like[name]
        if is_continuous(x) and place(x) not in made:
            made[place(x)] = torch.zeros((), dtype=x.dtype, device=x.device).expand(x.shape)
    return {n: made.get(place(x), x) if n in names else x for n, x in like.items()}


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
