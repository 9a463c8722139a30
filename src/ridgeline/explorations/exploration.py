"""The verb: lines between networks measured into a frame."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import combinations
from typing import Any, cast

import numpy as np

from ridgeline.engine import StrategyName
from ridgeline.errors import UsageError, WrongKind
from ridgeline.explorations.columns import standard
from ridgeline.explorations.frames import Exploration
from ridgeline.explorations.measuring import Setting, Task, fingerprint
from ridgeline.explorations.networks import By, Network, networks_of, objectives_for
from ridgeline.explorations.working import measured
from ridgeline.matching import Strategy
from ridgeline.objective import Objective
from ridgeline.paths import Grid, Line, grid
from ridgeline.profiles import profile
from ridgeline.study.keys import Key
from ridgeline.study.measured import Measurements, profile_of
from ridgeline.study.members import Sources
from ridgeline.study.store import Store
from ridgeline.symmetry import Symmetry, symmetries

__all__ = ["explore", "pairs"]

Progress = Callable[[str, int, int], None]
Lines = Callable[[Sequence[Network]], Sequence[tuple[Network, Network]]]
"""Chooses lines among networks that can have one between them."""


def pairs(networks: Sequence[Network]) -> list[tuple[Network, Network]]:
    """Return all pairs of networks, each once."""
    return list(combinations(networks, 2))


def explore(
    networks: Any,
    objective: Objective | Mapping[str, Objective] | Callable[[Network], Any] | None = None,
    *,
    lines: Lines = pairs,
    align: Strategy | Sequence[Strategy | None] | Mapping[str, Strategy | None] | None = None,
    by: Mapping[str, By] | None = None,
    columns: Mapping[str, Any] | None = None,
    points: Grid = 11,
    splits: Sequence[str] = ("train",),
    symmetry: Symmetry | None = None,
    folder: str | os.PathLike[str] | Store | None = None,
    workers: int = 1,
    progress: Progress | None = None,
    seed: int = 0,
    sources: Sources | None = None,
) -> Exploration:
    """Measure the lines between networks: a frame with a row for each line.

    Networks with other tensors, or of runs with another network or other data, have no line
    between them. Rows are clustered by network: intervals draw networks, for pairs that share one
    are not independent.

    Args:
        networks: A list, or a mapping of names, of states, paths to checkpoints, modules, or
            trained runs; or a `Store` or its runs. Runs that diverged are left out.
        objective: What is measured, one or several by split; or a function that makes it for a
            network, where networks differ in their shapes. Runs of a store have their own.
        lines: Chooses pairs of networks; all of them by default.
        align: What carries b to a before the line is laid: a strategy, None for nothing, or
            several of these, in a list or by name: every line is measured with each.
        by: Column to a dotted path into a run's config (``"net.widths"``) or to a function of the
            network (`Network`: name, state, run). Both ends of a line agree in them.
        columns: Name to a function of ``profile``, ``a_state``, ``b_state``, ``objective`` and the
            columns before it, named by its parameters; a `Column` is kept. By default the barrier
            of the loss and of the error, both ends' mean, and the distance.
        points: As in `profile`.
        splits: Of the objectives of runs of a store.
        symmetry: Of the networks; found and proved by default, where it is needed.
        folder: Where what is measured is kept, so that the same call goes on after a kill and
            measures nothing twice: a folder, or a `Store`. A store that is explored keeps its own.
        workers: Processes that measure.
        progress: Told (what is done, how much of it, of how much).
        seed: Of whatever matching draws.
        sources: Of the data of stored runs.

    Returns:
        A frame with the columns ``a``, ``b``, those of `by`, ``align``, ``profile``, and `columns`.

    Raises:
        UsageError: If there are fewer than two networks, or no line between any; if checkpoints
            have no objective.
        StateMismatch: If an objective is of other networks.
    """
    by = by or {}
    _check_names([*by, *(columns or {})])
    if folder is None and isinstance(networks, Store):
        folder = networks
    kept = None
    if folder is not None:
        kept = Measurements(folder if isinstance(folder, Store) else Store(folder))
    found = networks_of(networks, by, sources)
    ways = _ways(align)
    tasks: list[Task] = []
    for group in _kinds(found):
        chosen = lines(group)
        if not chosen:
            continue
        setting = _setting(
            group,
            objective,
            points=points,
            splits=splits,
            columns=columns,
            kept=kept,
            seed=seed,
            symmetry=symmetry,
            first=chosen[0],
        )
        tasks += [Task(a, b, name, by, setting) for a, b in chosen for name, by in ways.items()]
    if not tasks:
        raise UsageError(
            "Lines are between networks that share their tensors and agree in `by`.",
            got=f"{len(found)} networks, and no line that is asked for",
        )
    tell = progress or (lambda *_: None)
    arrays = measured(tasks, workers, lambda done: tell("lines", done, len(tasks)))
    rows = [_row(task, one) for task, one in zip(tasks, arrays, strict=True)]
    frame = Exploration.of(rows, cluster=("a", "b"), factors=(*by, "align"))
    for name, column in tasks[0].setting.columns.items():
        if name not in frame:
            frame = frame.derive(**{name: column})
    frame = frame.select("a", "b", *by, "align", "profile", *tasks[0].setting.columns)
    apart = len({network.name for network in found}) - len(
        {network.name for task in tasks for network in (task.a, task.b)}
    )
    return frame.noted(f"{apart} networks have no line to any other.") if apart else frame


def _check_names(names: Sequence[str]) -> None:
    taken = ("a", "b", "align", "profile", "row")
    if twice := sorted({n for n in names if n in taken or names.count(n) > 1}):
        raise UsageError(
            "Every column has a name of its own.",
            got=f"{', '.join(twice)}, beside {', '.join(taken[:-1])}",
        )


def _ways(align: Any) -> dict[str, Strategy | None]:
    if isinstance(align, Mapping):
        return {str(name): one for name, one in align.items()}
    several = list(align) if isinstance(align, list | tuple) else [align]
    for one in several:
        if one is not None and (isinstance(one, type) or not hasattr(one, "match")):
            raise WrongKind(
                "A strategy is an instance, such as `rl.WeightMatching()`.", one, name="align"
            )
    found = {"none" if one is None else type(one).__name__: one for one in several}
    if len(found) < len(several) or not found:
        raise UsageError(
            "Every way to align has a name of its own.",
            got=f"{len(several)} ways, named {', '.join(found) or 'nothing'}",
            remedy='Name them: align={"none": None, "weights": rl.WeightMatching()}.',
        )
    return found


def _kinds(networks: Sequence[Network]) -> Iterator[list[Network]]:
    """Networks between which there can be lines, together."""
    found: dict[Any, list[Network]] = {}
    for one in networks:
        kin: Any = None
        if one.run is not None:
            config = one.run.config
            kin = (config.net.kind, repr(config.net.complete()), repr(config.data))
        values = tuple(repr(value) for value in one.values.values())
        found.setdefault((one.shapes, kin, values), []).append(one)
    yield from (group for group in found.values() if len(group) > 1)


def _setting(
    group: Sequence[Network],
    objective: Any,
    *,
    points: Grid,
    splits: Sequence[str],
    columns: Mapping[str, Any] | None,
    kept: Measurements | None,
    seed: int,
    symmetry: Symmetry | None,
    first: tuple[Network, Network],
) -> Setting:
    goals = objectives_for(group[0], objective, splits)
    goal = next(iter(goals.values()))

    @cache
    def found() -> Symmetry:
        if symmetry is not None:
            return symmetry
        network = goal.network
        return symmetries(network.module, goal.samples[:2].inputs, forward=network.forward)

    setting = Setting(
        objectives=goals,
        identity=fingerprint(goals, group[0].state) if kept is not None else None,
        points=grid(points),
        seed=seed,
        columns=standard(goal.metrics) if columns is None else columns,
        kept=kept,
        strategy="auto",
        symmetry=found,
    )
    return setting if kept is None else replace(setting, strategy=_strategy(setting, first))


def _strategy(setting: Setting, first: tuple[Network, Network]) -> StrategyName:
    """The engine's for all lines: one that is chosen anew would give other last digits."""
    key = Key(
        name="explored engine",
        version="1",
        line={"t": setting.points.tolist()},
        objective=setting.identity,
    )

    def measure() -> dict[str, Any]:
        line = Line(first[0].state, first[1].state)
        found = profile(line, setting.objectives, points=setting.points)
        splits = found.provenance["splits"]
        return {"strategy": np.array(next(iter(splits.values()))["strategy"])}

    return cast(StrategyName, str(setting.keep(key, measure)["strategy"]))


def _row(task: Task, arrays: Mapping[str, Any]) -> dict[str, Any]:
    columns = {
        name: float(arrays[f"columns/{name}"])
        for name in task.setting.columns
        if f"columns/{name}" in arrays
    }
    kept = {name: x for name, x in arrays.items() if not name.startswith("columns/")}
    ends = {"a": task.a.name, "b": task.b.name, **task.a.values, "align": task.align}
    return {**ends, "profile": profile_of(kept), **columns}
