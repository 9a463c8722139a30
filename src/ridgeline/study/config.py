"""Definition of a run: its network, data, recipe and seed, and the parent of a child.

Two configs that say the same in other words are equal and have one hash. Device, number of
workers, folders and names are no part of it.
"""

import re
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from ridgeline.study.canonical import canonical, digest, plain
from ridgeline.study.parts import DataConfig, NetConfig, SpawnConfig, check_seed
from ridgeline.study.parts import SkewConfig as SkewConfig
from ridgeline.study.validation import made
from ridgeline.training import Grafted, Optimiser, Recipe

__all__ = ["DataConfig", "NetConfig", "RunConfig", "SkewConfig", "SpawnConfig"]

LONGEST = 80
"""Characters of a name."""
LAYERS_TOLD = 24
"""Characters of the layers that a child takes; of more only the number is told."""


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """All that defines a run.

    Values are brought into their canonical form: ``1`` is ``1.0`` where a float is meant and
    ``"020ep"`` is ``"20ep"``. Where a seed is None the run's seed takes its place, so runs that
    differ in their seed differ in it too.
    """

    net: NetConfig
    data: DataConfig
    training: Recipe
    """A child's is its parent's; `recipe` is what it trains by."""
    seed: int = 0
    """Of the first weights, of the order of batches, of augmentation. A child's is its parent's."""
    spawn: SpawnConfig | None = None
    """Makes this the child of the run without it."""

    def __post_init__(self) -> None:
        check_seed(self.seed)
        for name in ("net", "data", "training", "spawn"):
            object.__setattr__(self, name, canonical(getattr(self, name), Any, name))
        if self.spawn is not None:
            # The parent keeps what the child starts from.
            keep = self.training.keep
            keep = canonical(replace(keep, spawn=(*keep.spawn, self.spawn.at)), Any, "keep")
            object.__setattr__(self, "training", replace(self.training, keep=keep))

    def __hash__(self) -> int:
        return int(self.hash, 16)

    def defining(self) -> dict[str, Any]:
        """As JSON values, without the fields at their default: what the hash is made of."""
        return deepcopy(plain(self, full=False))

    def full(self) -> dict[str, Any]:
        """As JSON values, every field: rebuilds the run even after a default has moved."""
        shown = deepcopy(plain(self, full=True))
        shown["net"]["options"] = plain(self.net.complete(), full=True)
        return shown

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "RunConfig":
        """The config that `defining` or `full` was taken of.

        Raises:
            SpecError: If a name is unknown or missing, or a value is refused; it says where.
        """
        return made(cls, values)

    from_full = from_dict

    @cached_property
    def hash(self) -> str:
        """16 hex digits over all that defines the run; a child's covers its parent."""
        return digest(plain(self, full=False))

    @cached_property
    def parent(self) -> "RunConfig | None":
        """The run that this one is a child of."""
        return None if self.spawn is None else replace(self, spawn=None)

    @property
    def recipe(self) -> Recipe:
        """Return what the run trains by: the parent's recipe, with a child's own augmentation."""
        recipe = self.training
        if self.spawn is None:
            return recipe
        if self.spawn.augment is not None:
            recipe = replace(recipe, augment=self.spawn.augment)
        if self.spawn.data is not None:
            # The parent's spawn points are in epochs of the parent's data.
            recipe = replace(recipe, keep=replace(recipe.keep, spawn=()))
        return recipe

    @property
    def trained_on(self) -> DataConfig:
        """Return what the run trains on: `data`, unless it is a child with its own."""
        own = None if self.spawn is None else self.spawn.data
        return self.data if own is None else own

    @cached_property
    def name(self) -> str:
        """A few values that matter, for people and file systems; not unique, the hash is."""
        rule = self.training.optimiser
        net = [self.net.kind, *_told(self.net.options)]
        parts = [*net, *_rule_told(rule)]
        head = _slug("-".join([*parts, self.data.set]))
        tail = [f"noise{self.data.label_noise:g}"] if self.data.label_noise else []
        tail += [f"part-{self.data.skew.part}"] if self.data.skew else []
        tail += [f"seed{self.seed}"]
        if self.spawn is not None:
            tail += [f"at{self.spawn.at}"]
            tail += ["other-data"] if self.spawn.data is not None else []
            if self.spawn.layers is not None:
                tail += ["only", _layers_told(self.spawn.layers)]
            tail += [f"child{self.spawn.seed}"]
        end = "-".join(tail)
        return f"{head[: max(8, LONGEST - len(end) - 1)].rstrip('-.')}-{end}"[:LONGEST]


def _told(options: Mapping[str, Any]) -> list[str]:
    """Sizes as they are, other values with their names, longer ones not at all."""
    told = (
        ["-".join(map(str, options["widths"]))] if isinstance(options.get("widths"), list) else []
    )
    for name, value in options.items():
        if isinstance(value, bool):
            told.append(name if value else f"no-{name}")
        elif isinstance(value, int | float | str):
            told.append(f"{name}-{value}")
    return told


def _rule_told(rule: Optimiser) -> list[str]:
    kind = str(getattr(rule, "kind", ""))
    if isinstance(rule, Grafted):
        return [kind, *_rule_told(rule.length), *_rule_told(rule.direction)]
    return [kind, f"{rule.learning_rate:g}"]


def _layers_told(layers: tuple[str, ...]) -> str:
    named = _slug("-".join(layers))
    return (named or "none") if len(named) <= LAYERS_TOLD else f"{len(layers)}-layers"


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9.]+", "-", text).strip("-.")
