"""Runs that a spec's tables stand for: every point of the grid, every seed, every child."""

import copy
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from ridgeline.dotted import put_at
from ridgeline.errors import RidgelineError, SpecError, UsageError
from ridgeline.nets import catalogue
from ridgeline.study.config import DataConfig, NetConfig, RunConfig, SpawnConfig
from ridgeline.study.parts import check_start
from ridgeline.study.validation import NONE, made, without_none
from ridgeline.training import Augment, Recipe

__all__ = ["Axis", "Children", "Table", "axes_of", "expand", "points"]


@dataclass(frozen=True, kw_only=True)
class Children:
    """Children of every run: one for each time and each seed."""

    at: str | tuple[str, ...]
    """Durations from the parent's start."""
    children: int | tuple[int, ...] = 2
    """How many, with seeds from 0; or their seeds."""
    optimiser: Literal["kept", "reset"] = "kept"
    """True if they go on with what the parent's optimiser remembered."""
    length: Literal["fixed", "full"] = "fixed"
    """True if they end with the parent, or train for the whole length."""
    augment: Augment | None = None
    """In place of the parent's, if given."""
    differ: Literal["both", "order", "augmentation"] = "both"
    """What the child's seed names; for the rest it goes on with its parent's."""
    data: DataConfig | None = None
    """What they train on, if not on the parent's data; with length "full", optimiser "reset"."""
    layers: tuple[str, ...] | None = None
    """The only layers that they take from the parent's state, by their names; all others are
    first weights of the child's seed. With length "full", optimiser "reset"."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "at", (self.at,) if isinstance(self.at, str) else tuple(self.at))
        if not self.at:
            raise UsageError("`at` names at least one time.", got="none")
        layers = check_start(self.optimiser, self.length, self.data, self.layers)
        object.__setattr__(self, "layers", layers)
        object.__setattr__(self, "children", seeds_of("children", self.children))

    def of(self, parent: RunConfig) -> list[RunConfig]:
        """The children of a run that keeps what they start from."""
        return [
            replace(
                parent,
                spawn=SpawnConfig(
                    at=time,
                    seed=seed,
                    optimiser=self.optimiser,
                    length=self.length,
                    augment=self.augment,
                    differ=self.differ,
                    data=self.data,
                    layers=self.layers,
                ),
            )
            for time in self.at
            for seed in seeds_of("children", self.children)
        ]

    def keeper(self, parent: RunConfig) -> RunConfig:
        """The run that keeps what all of these children start from."""
        recipe = parent.training
        keep = replace(recipe.keep, spawn=(*recipe.keep.spawn, *self.at))
        return replace(parent, training=replace(recipe, keep=keep))


@dataclass(frozen=True, kw_only=True)
class Table:
    """A spec's tables at one point of its grid."""

    name: str
    about: str = ""
    """A line or more for readers."""
    seeds: int | tuple[int, ...] = 1
    """How many, from 0; or which."""
    net: NetConfig
    data: DataConfig
    training: Recipe
    spawn: Children | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "seeds", seeds_of("seeds", self.seeds))


@dataclass(frozen=True)
class Axis:
    """Values that one place of the tables takes, or several places together."""

    paths: tuple[str, ...]
    values: tuple[tuple[Any, ...], ...]
    """For each position on the axis, a value for each path."""


def seeds_of(name: str, given: int | Sequence[int]) -> tuple[int, ...]:
    """The seeds 0 to n - 1 for a number, or those that are listed, each once."""
    seeds = tuple(range(given)) if isinstance(given, int) else tuple(dict.fromkeys(given))
    if not seeds or min(seeds) < 0:
        raise UsageError(
            f"`{name}` is how many, at least 1, or a list of numbers from 0.", got=repr(given)
        )
    return seeds


def axes_of(grid: Any, overridden: Iterable[str] = ()) -> list[Axis]:
    """Read the grid table.

    Args:
        grid: Dotted path, or several with commas between, to a list; with several paths each
            element is a list of as many values.
        overridden: Paths that are fixed and leave their axis.

    Raises:
        SpecError: If an axis is no list, is empty, or names a path that another names.
    """
    problems: list[tuple[str, RidgelineError]] = []
    axes: list[Axis] = []
    fixed, taken = set(overridden), set[str]()
    for key, given in grid.items() if isinstance(grid, Mapping) else {"": grid}.items():
        paths = tuple(part.strip() for part in key.split(","))
        refused = _refused(paths, given, taken)
        if refused is not None:
            problems.append((f"grid.{key!r}" if key else "grid", refused))
            continue
        taken |= set(paths)
        rows = [tuple(row) for row in given] if len(paths) > 1 else [(value,) for value in given]
        left = [i for i, path in enumerate(paths) if path not in fixed]
        if left:
            values = tuple(tuple(row[i] for i in left) for row in rows)
            axes.append(Axis(tuple(paths[i] for i in left), values))
    if problems:
        raise SpecError(problems)
    return axes


def _refused(paths: Sequence[str], given: Any, taken: set[str]) -> RidgelineError | None:
    if not isinstance(given, list) or not given:
        return UsageError(
            "An axis of the grid is a list of values for a dotted path in quotes.",
            got=repr(given),
            remedy='Write "training.optimiser.learning_rate" = [0.01, 0.1].',
        )
    if twice := sorted(path for path in paths if path in taken or paths.count(path) > 1):
        return UsageError("A path stands on one axis only.", got=twice[0])
    for path in paths:
        if path.split(".")[0] not in ("net", "data", "training", "spawn"):
            return UsageError(
                "An axis moves values of net, data, training or spawn.",
                got=repr(path),
                remedy="Seeds are listed in `seeds`." if path in ("seed", "seeds") else "",
            )
    if len(paths) > 1 and any(not isinstance(x, list) or len(x) != len(paths) for x in given):
        return UsageError(
            f"Each element of an axis of {len(paths)} paths is a list of {len(paths)} values.",
            got=repr(given),
        )
    return None


def points(
    base: Mapping[str, Any], axes: Sequence[Axis], fixed: Mapping[str, Any]
) -> Iterable[dict[str, Any]]:
    """The tables at each point of the grid, the last axis fastest; `fixed` are put last."""
    for rows in itertools.product(*(axis.values for axis in axes)):
        table = copy.deepcopy(dict(base))
        for axis, row in zip(axes, rows, strict=True):
            for path, value in zip(axis.paths, row, strict=True):
                put_at(table, path, copy.deepcopy(value))
        for path, value in fixed.items():
            put_at(table, path, copy.deepcopy(value))
        yield table


def expand(tables: Iterable[Mapping[str, Any]]) -> tuple[RunConfig, ...]:
    """Every run that the tables stand for, each once: parents first, then children.

    Raises:
        SpecError: With every value, of any point, that cannot be taken.
    """
    parents: dict[str, RunConfig] = {}
    children: dict[str, RunConfig] = {}
    problems: dict[str, tuple[str, RidgelineError]] = {}
    for table in tables:
        try:
            one = _table(table)
            first = RunConfig(net=one.net, data=one.data, training=one.training)
            first = first if one.spawn is None else one.spawn.keeper(first)
            for seed in seeds_of("seeds", one.seeds):
                run = replace(first, seed=seed)
                parents.setdefault(run.hash, run)
                for child in one.spawn.of(run) if one.spawn is not None else ():
                    children.setdefault(child.hash, child)
        except SpecError as error:
            problems |= {f"{path}: {e}": (path, e) for path, e in error.problems}
        except UsageError as error:  # of the whole config; it says where
            problems[str(error)] = ("", error)
    if problems:
        raise SpecError(list(problems.values()))
    return (*parents.values(), *children.values())


def _table(table: Mapping[str, Any]) -> Table:
    nested = without_none(Table, table)
    if isinstance(net := nested.get("net"), Mapping):
        own = ("kind", "seed")
        options = {key: value for key, value in net.items() if key not in own}
        for key, default in _defaults(net).items():
            if default is None and options.get(key) == NONE:
                options[key] = None
        nested["net"] = {key: net[key] for key in own if key in net} | {"options": options}
    try:
        return made(Table, nested)
    except SpecError as error:
        problems = [(path.replace("net.options", "net"), e) for path, e in error.problems]
        raise SpecError(problems) from error.__cause__


def _defaults(net: Mapping[str, Any]) -> Mapping[str, Any]:
    kind = net.get("kind", "fcn")
    known = isinstance(kind, str) and kind in catalogue.KINDS
    return catalogue.options_of(kind) if known else {}
