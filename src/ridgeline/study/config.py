"""What defines a run: its network, data, recipe and seed, and the parent of a child.

Two configs that say the same in other words are equal and have one hash. Device, number of
workers, folders and names are no part of it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

from torch import nn

from ridgeline import data
from ridgeline.errors import UnknownName, UsageError
from ridgeline.nets import catalogue
from ridgeline.study.canonical import canonical, digest, plain, rebuilt, text_of
from ridgeline.training import Augment, Duration, Recipe

__all__ = ["DataConfig", "NetConfig", "RunConfig", "SkewConfig", "SpawnConfig"]

LONGEST = 80
"""Characters of a name."""


@dataclass(frozen=True, kw_only=True)
class NetConfig:
    """Which network, and how large."""

    kind: str = "fcn"
    """One of `ridgeline.nets`, or ``module:function`` of your own."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Of that kind, without those at their default. Those of your own function are all kept,
    because a hash never runs your code."""
    seed: int | None = None
    """Of the first weights. None for the run's seed; a number for the same weights in all runs."""

    def __post_init__(self) -> None:
        given = canonical(dict(self.options), Any, "options")
        if ":" not in self.kind:
            given = self._elided(given)
        if "seed" in given:
            raise UsageError("`seed` is a field of its own, no option.", got=repr(given["seed"]))
        object.__setattr__(self, "options", given)
        _check_seed(self.seed)

    def build(self, run_seed: int) -> nn.Module:
        """The network at its first weights.

        Args:
            run_seed: For a net without a seed of its own.
        """
        seed = run_seed if self.seed is None else self.seed
        return catalogue.build(self.kind, seed, **self.options)

    def complete(self) -> dict[str, Any]:
        """The options, those at their default among them; of your own function those given."""
        return {**self._defaults(), **self.options}

    def _defaults(self) -> dict[str, Any]:
        options = catalogue.options_of(self.kind)
        return {k: canonical(v, Any, k) for k, v in options.items() if v is not catalogue.REQUIRED}

    def _elided(self, given: dict[str, Any]) -> dict[str, Any]:
        if self.kind not in catalogue.KINDS:
            remedy = "Or name a function of yours, as in my_project.nets:build."
            raise UnknownName("kind of network", self.kind, catalogue.KINDS, remedy)
        known, defaults = catalogue.options_of(self.kind), self._defaults()
        for name in given:
            if name not in known:
                raise UnknownName("network option", name, [*known, "seed"])
        for name in known:
            if name not in defaults and name not in given:
                raise UsageError(f"`{name}` must be given for a network of kind {self.kind}.")
        return {
            name: value
            for name, value in given.items()
            if name not in defaults or text_of(value) != text_of(defaults[name])
        }


@dataclass(frozen=True, kw_only=True)
class SkewConfig:
    """One of two parts of the training data with unlike classes, for the two parents of a path.

    As Ainsworth et al. 2022, section 5.4, and Kanoh & Sugiyama 2024 split theirs; see
    `ridgeline.data.corruption.skewed`.
    """

    part: Literal["a", "b"]
    """Part b has what part a has not."""
    share: float = 0.8
    """Of the first half of the classes that is in part a; 1 - share of the others is."""
    seed: int = 0
    """Of the split; the same for both parts."""

    def __post_init__(self) -> None:
        _check_share("share", self.share)
        _check_seed(self.seed)


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Which data, and what is done to the training labels."""

    set: str
    """As `ridgeline.data.load` takes it: ``"fashion-mnist?train=5000"``."""
    targets: Literal["labels", "inputs"] = "labels"
    """What outputs are compared with; inputs for an autoencoder."""
    label_noise: float = 0.0
    """Probability with which a training label is replaced by a uniform one, perhaps itself."""
    noise_seed: int | None = None
    """Of the noise. None for the run's seed. Without noise it says nothing and is dropped."""
    skew: SkewConfig | None = None

    def __post_init__(self) -> None:
        _check_share("label_noise", self.label_noise)
        _check_seed(self.noise_seed)
        if self.label_noise and self.targets == "inputs":
            raise UsageError("`label_noise` is for targets that are labels.", got="inputs")
        object.__setattr__(self, "set", _canonical_set(self.set))
        if not self.label_noise:
            object.__setattr__(self, "noise_seed", None)


@dataclass(frozen=True, kw_only=True)
class SpawnConfig:
    """How a child goes on from its parent."""

    at: str
    """A duration from the parent's start."""
    seed: int
    """The child's: of the order of its batches and of its augmentation. The parent's seed is mixed
    in, so child 0 of two parents are two."""
    optimiser: Literal["kept", "reset"] = "kept"
    """Whether it goes on with what the parent's optimiser remembered."""
    length: Literal["fixed", "full"] = "fixed"
    """Whether both end at the same step, or the child trains for the whole length."""
    augment: Augment | None = None
    """In place of the parent's, if given."""
    differ: Literal["both", "order", "augmentation"] = "both"
    """What the child's seed names; for the rest it goes on with its parent's. Augmentation
    includes whatever the model draws, as dropout does."""

    def __post_init__(self) -> None:
        Duration.parse(self.at)
        _check_seed(self.seed)


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
        _check_seed(self.seed)
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
        return plain(self, full=False)

    def full(self) -> dict[str, Any]:
        """As JSON values, every field: rebuilds the run even after a default has moved."""
        shown = plain(self, full=True)
        shown["net"]["options"] = plain(self.net.complete(), full=True)
        return shown

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "RunConfig":
        """The config that `defining` or `full` was taken of.

        Raises:
            SpecError: If a name is unknown or missing, or a value is refused; it says where.
        """
        return rebuilt(cls, values)

    from_full = from_dict

    @cached_property
    def hash(self) -> str:
        """16 hex digits over all that defines the run; a child's covers its parent."""
        return digest(self.defining())

    @property
    def parent(self) -> "RunConfig | None":
        """The run that this one is a child of."""
        return None if self.spawn is None else replace(self, spawn=None)

    @property
    def recipe(self) -> Recipe:
        """What the run trains by: the parent's recipe, with a child's own augmentation."""
        if self.spawn is None or self.spawn.augment is None:
            return self.training
        return replace(self.training, augment=self.spawn.augment)

    @cached_property
    def name(self) -> str:
        """A few values that matter, for people and file systems; not unique, the hash is."""
        rule = self.training.optimiser
        net = [self.net.kind, *_told(self.net.options)]
        parts = [*net, rule.kind if hasattr(rule, "kind") else "", f"{rule.learning_rate:g}"]  # type: ignore[attr-defined]  # every rule that a spec can name has one
        head = _slug("-".join([*parts, self.data.set]))
        tail = [f"noise{self.data.label_noise:g}"] if self.data.label_noise else []
        tail += [f"part-{self.data.skew.part}"] if self.data.skew else []
        tail += [f"seed{self.seed}"]
        if self.spawn is not None:
            tail += [f"at{self.spawn.at}", f"child{self.spawn.seed}"]
        end = "-".join(tail)
        return f"{head[: max(8, LONGEST - len(end) - 1)].rstrip('-.')}-{end}"[:LONGEST]


def _canonical_set(text: str) -> str:
    """Options of a set that has a name in one order, without the seed's default."""
    name, _, options = text.strip().partition("?")
    if name not in data.known() or not options:
        return text.strip()
    parts = sorted(part for part in options.split("&") if part != "seed=0")
    return f"{name}?{'&'.join(parts)}" if parts else name


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


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9.]+", "-", text).strip("-.")


def _check_seed(seed: int | None) -> None:
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int) or seed < 0):
        raise UsageError("A seed is a whole number, not negative.", got=repr(seed))


def _check_share(name: str, share: float) -> None:
    if not 0 <= share <= 1:
        raise UsageError(f"`{name}` is a share, from 0 to 1.", got=repr(share))
