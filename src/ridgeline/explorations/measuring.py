"""One line of an exploration: measured, or found where it was kept."""

import dataclasses
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ridgeline.engine import StrategyName
from ridgeline.errors import UsageError
from ridgeline.explorations.columns import Column, needs_states
from ridgeline.explorations.networks import Network, digest_of
from ridgeline.frame.values import asked_for
from ridgeline.matching import Strategy, align
from ridgeline.objective import Objective
from ridgeline.paths import Line
from ridgeline.profiles import profile
from ridgeline.state import State
from ridgeline.study.keys import Key
from ridgeline.study.measured import Measurements, arrays_of, profile_of
from ridgeline.symmetry import Symmetry

__all__ = ["PROFILE", "Setting", "Task", "described", "fingerprint"]

PROFILE = "1"
"""Version of the profiles that are kept: raised if the engine gives other numbers."""
DIGITS = 6
"""Significant digits of a mean by which an objective is told from others."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Setting:
    """Objectives, positions and columns that the lines between networks of one kind share."""

    objectives: Mapping[str, Objective]
    identity: Any
    """Plain values by which the objectives are found again; see `fingerprint`."""
    points: np.ndarray
    seed: int
    columns: Mapping[str, Any]
    kept: Measurements | None
    strategy: StrategyName
    symmetry: Callable[[], Symmetry]

    def keep(self, key: Key, measure: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
        """Return what was kept under a key, or measure it."""
        if self.kept is not None:
            return self.kept.kept(key, measure)
        return {name: np.asarray(value) for name, value in measure().items()}


@dataclass(frozen=True, eq=False)
class Task:
    """A line between two networks, the second of them aligned to the first or not."""

    a: Network
    b: Network
    align: str
    by: Strategy | None
    setting: Setting

    @cached_property
    def b_state(self) -> State:
        """The second network, carried to the first where that is asked for."""
        if self.by is None:
            return self.b.state
        setting = self.setting
        return align(
            self.a.state, self.b.state, setting.symmetry(), by=self.by, seed=setting.seed
        ).state

    def _key(self, name: str, version: str, **options: Any) -> Key:
        by = None if self.by is None else described(self.by)
        t = self.setting.points.tolist()
        return Key(
            name=f"explored {name}",
            version=version,
            runs=(self.a.identity, self.b.identity),
            line={"kind": "line", "aligned": by, "seed": self.setting.seed, "t": t},
            objective=self.setting.identity,
            options=options,
        )

    def arrays(self) -> dict[str, Any]:
        """Measure: the profile's arrays, and under ``columns/`` the numbers of states."""
        setting = self.setting

        def measure() -> dict[str, Any]:
            line = Line(self.a.state, self.b_state)
            strategy = setting.strategy
            return arrays_of(
                profile(line, setting.objectives, points=setting.points, strategy=strategy)
            )

        found = setting.keep(self._key("profile", PROFILE), measure)
        given = {"profile": profile_of(found)} if setting.columns else {}
        for name, column in setting.columns.items():
            if isinstance(column, Column) or needs_states(column):
                found[f"columns/{name}"] = np.asarray(self._number(name, column, given))
        return found

    def _number(self, name: str, column: Any, given: Mapping[str, Any]) -> float:
        function = column.function if isinstance(column, Column) else column
        options = dict(column.options) if isinstance(column, Column) else {}

        def measure() -> dict[str, Any]:
            told: dict[str, Any] = {}
            for asked in asked_for(function):
                if asked not in options:
                    told[asked] = self._given(asked, given)
            return {"value": np.float64(function(**told, **options))}

        if not isinstance(column, Column):
            return float(measure()["value"])
        key = self._key(name, column.version, function=_name(function), **options)
        return float(self.setting.keep(key, measure)["value"])

    def _given(self, name: str, given: Mapping[str, Any]) -> Any:
        if name in given:
            return given[name]
        if name == "objective":
            objectives = self.setting.objectives
            return next(iter(objectives.values())) if len(objectives) == 1 else objectives
        if name in ("a_state", "b_state"):
            return self.a.state if name == "a_state" else self.b_state
        raise UsageError(
            "A column that is kept, or of states, asks for what a line has.",
            got=f"parameter {name!r}",
            remedy="It may ask for profile, a_state, b_state and objective.",
        )


# --- what tells one measurement from another -----------------------------------------------------


def fingerprint(objectives: Mapping[str, Objective], state: State) -> dict[str, Any]:
    """Return what objectives are found again by: their settings, and their values at a state.

    The values tell a module, a loss or a metric whose code was changed from what it was.

    Args:
        objectives: By split.
        state: Of a network that they take.
    """
    found = {}
    for split, objective in objectives.items():
        values = {n: float(x.double().mean()) for n, x in objective(state).items()}
        found[split] = {
            "settings": _json(objective.provenance()),
            "module": _digest(repr(objective.network.module)),
            "values": {n: f"{x:.{DIGITS}g}" for n, x in values.items()},
        }
    return found


def described(value: Any) -> Any:
    """Return what tells a strategy from others, as JSON: its class and its fields.

    Raises:
        UsageError: If a field cannot be told, as a function without a name.
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if np.isfinite(value) else str(value)
    if isinstance(value, Tensor):
        return digest_of({"": value})
    if isinstance(value, np.ndarray):
        return digest_of({"": torch.as_tensor(np.ascontiguousarray(value))})
    if isinstance(value, nn.Module):
        return [_digest(repr(value)), digest_of(value.state_dict())]
    if isinstance(value, Objective):
        return _json(value.provenance())
    if isinstance(value, Mapping):
        return {str(name): described(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [described(one) for one in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: described(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"class": _name(type(value)), **fields}
    if isinstance(value, partial):
        return [described(value.func), described(value.args), described(value.keywords)]
    if callable(value) and "<" not in _name(value):
        return _name(value)
    raise UsageError(
        "What is kept is found again by its strategy's fields.",
        got=f"{type(value).__name__} {value!r}"[:200],
        remedy="Give no folder, or a strategy whose fields are numbers, texts, tensors or named "
        "functions.",
    )


def _name(value: Any) -> str:
    return f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', repr(value))}"


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _json(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _json(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_json(one) for one in value]
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
