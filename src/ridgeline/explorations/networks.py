"""The networks of an exploration: states, checkpoints, trained runs, a store."""

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from ridgeline import io
from ridgeline.errors import UsageError, WrongKind
from ridgeline.objective import Objective
from ridgeline.state import State
from ridgeline.study.config import RunConfig
from ridgeline.study.members import Sources
from ridgeline.study.store import Store, StoredRun
from ridgeline.study.subjects import Subject
from ridgeline.training import Run

__all__ = ["By", "Network", "digest_of", "networks_of", "objectives_for"]

By = str | Callable[["Network"], Any]


@dataclass(frozen=True, eq=False)
class Network:
    """One of the networks that are explored."""

    name: str
    """Unique among them: a checkpoint's file, a run's name, or its number."""
    source: Callable[[], State]
    run: Subject | None = None
    """The run of a store that it is the end of."""
    values: Mapping[str, Any] = field(default_factory=dict)
    """Values of the columns that `by` asks for."""

    @cached_property
    def state(self) -> State:
        """Its tensors."""
        return self.source()

    @cached_property
    def shapes(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """Names and shapes of its tensors: networks between which there is a line share them."""
        return tuple((name, tuple(x.shape)) for name, x in sorted(self.state.items()))

    @cached_property
    def identity(self) -> str:
        """Text by which it is found again."""
        return self.run.identity if self.run is not None else digest_of(self.state)


def digest_of(state: Mapping[str, Tensor]) -> str:
    """Return 32 hexadecimal digits of a state's names, types, shapes and values."""
    found = hashlib.blake2b(digest_size=16)
    for name, x in sorted(state.items()):
        found.update(f"{name} {x.dtype} {tuple(x.shape)}".encode())
        raw = x.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
        found.update(np.ascontiguousarray(raw.numpy()).tobytes())
    return found.hexdigest()


def networks_of(given: Any, by: Mapping[str, By], sources: Sources | None) -> list[Network]:
    """Read what is to be explored.

    Args:
        given: A store; or states, paths to checkpoints, modules, trained or stored runs: a list
            of them, or a mapping with their names.
        by: Column to a dotted path into a run's config, or to a function of the network.
        sources: Of the data of stored runs.

    Raises:
        UsageError: If there are fewer than two, or something is neither of these.
    """
    if isinstance(given, Store):
        given = given.runs()
    if isinstance(given, Mapping):
        if given and all(isinstance(x, Tensor) for x in given.values()):
            raise UsageError(
                "Networks are explored in a list, or in a mapping of their names.",
                got="one state, which maps names to tensors",
                remedy="Give several: `rl.explore([a, b, c], objective)`.",
            )
        named = [(str(name), one) for name, one in given.items()]
    else:
        if isinstance(given, str | os.PathLike | nn.Module) or not isinstance(given, Iterable):
            rule = "Networks are explored in a list, or in a mapping of their names."
            raise WrongKind(rule, given, name="networks")
        named = _named(list(given))
    found = [_network(name, one, by, sources) for name, one in named]
    found = [one for one in found if one.run is None or not one.run.diverged]
    if len(found) < 2:
        raise UsageError("There are two networks at least.", got=f"{len(found)} of {len(named)}")
    return found


def _named(given: Sequence[Any]) -> list[tuple[str, Any]]:
    """Files by the parts of their paths that tell them apart, runs by name, others by number."""
    paths = [Path(one) if isinstance(one, str | os.PathLike) else None for one in given]
    names = [_name(i, one) for i, one in enumerate(given)]
    depth = 1
    while len(set(names)) < len(names) and depth < 8:
        depth += 1
        names = [
            "/".join(p.with_suffix("").parts[-depth:]) if p is not None else f"{_name(i, given[i])}"
            for i, p in enumerate(paths)
        ]
    twice = {name for name in names if names.count(name) > 1}
    return [(f"{n} ({i})" if n in twice else n, given[i]) for i, n in enumerate(names)]


def _name(i: int, one: Any) -> str:
    if isinstance(one, str | os.PathLike):
        return Path(one).stem
    if isinstance(one, StoredRun):
        return one.identity.name
    return one.config.name if isinstance(one, Subject) else str(i)


def _network(name: str, one: Any, by: Mapping[str, By], sources: Sources | None) -> Network:
    if isinstance(one, StoredRun):
        one = Subject(RunConfig.from_full(one.full), one, sources or Sources())
    run = one if isinstance(one, Subject) else None
    made = Network(name, _source(one), run)
    values = {column: _value(made, column, of) for column, of in by.items()}
    return Network(name, made.source, run, values)


def _source(one: Any) -> Callable[[], State]:
    if isinstance(one, str | os.PathLike):
        return lambda: io.load(one)
    if isinstance(one, nn.Module):
        return lambda: {n: x.detach().clone() for n, x in one.state_dict().items()}
    if isinstance(one, Subject | Run):
        return lambda: one.final
    if isinstance(one, Mapping) and one and all(isinstance(x, Tensor) for x in one.values()):
        return lambda: cast(State, dict(one))
    raise WrongKind(
        "What is explored are states, paths to checkpoints, modules, or runs.", one, name="networks"
    )


def _value(network: Network, column: str, of: By) -> Any:
    if callable(of):
        return of(network)
    if network.run is None:
        raise UsageError(
            "A dotted path is into the config of a run; of a checkpoint a function says it.",
            got=f"by={{{column!r}: {of!r}}} for {network.name}",
            remedy=f'by={{"{column}": lambda network: network.state[...].shape[0]}}',
        )
    value = network.run.at(of)
    return tuple(value) if isinstance(value, list) else value


def objectives_for(network: Network, given: Any, splits: Sequence[str]) -> Mapping[str, Objective]:
    """Return the objectives by split that a network is measured by.

    Args:
        network: Which.
        given: An objective, several by split, a function of the network that gives these, or None
            for a run's own.
        splits: Of a run's own.

    Raises:
        UsageError: If a checkpoint has no objective.
    """
    if callable(given) and not isinstance(given, Objective):
        given = given(network)
    if isinstance(given, Mapping):
        return given
    if isinstance(given, Objective):
        return {"data": given}
    if given is not None:
        raise WrongKind("An objective is an `rl.Objective`.", given, name="objective")
    if network.run is None:
        raise UsageError(
            "Checkpoints are measured by an objective; only runs of a store have one of their own.",
            got=f"none for {network.name}",
            remedy="`rl.explore(checkpoints, rl.Objective(model, data))`.",
        )
    run = network.run
    return {split: run.objective(cast(Any, split)) for split in splits}
