"""From a run's config to what training takes: data, a network, and where a child goes on."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from torch import Tensor, nn

from ridgeline import data
from ridgeline.data import DataSet, Split
from ridgeline.data.corruption import noisy_labels, skewed
from ridgeline.rng import seed_of
from ridgeline.state import State, capture
from ridgeline.study.config import RunConfig, SpawnConfig
from ridgeline.training import Duration, Library, Member, Origin

__all__ = ["Parents", "Prepared", "Sources", "prepare", "samples_of"]

HELD = 4
"""Data sets that a process holds on to."""


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Where data sets come from."""

    root: str | None = None
    """A folder of data sets."""
    download: bool = False


@dataclass(frozen=True, eq=False)
class Prepared:
    """A run, ready to be trained."""

    member: Member
    data: Split
    test: Split | None
    key: tuple[str, str]
    """Equal for runs that share their data."""
    fingerprint: str
    """Of the data set, before any labels were moved."""


Parents = Callable[[RunConfig, int, bool], tuple[State, dict[str, State]]]
"""From a parent and a number of steps to its state then and, if asked for, to what its optimiser
remembered."""


def prepare(
    config: RunConfig, *, parents: Parents | None = None, sources: Sources | None = None
) -> Prepared:
    """Make what training takes of a config.

    Args:
        config: Of a run.
        parents: Where a child's parent is looked up. Without it, a child starts from a stand-in
            of the right shapes, which is enough to plan with.
        sources: Of data.

    Returns:
        The run to be. Data are loaded once in a process and shared by all members.

    Raises:
        DataError: If the data are missing, labels are to be moved that are no classes, or a
            child's parent is not in the store.
    """
    held, split, test = _data(config, sources or Sources())
    targets = None
    if config.data.label_noise:
        seed = config.seed if config.data.noise_seed is None else config.data.noise_seed
        classes = held.classes or int(split.targets.max()) + 1
        targets = noisy_labels(split.targets, config.data.label_noise, classes, seed)
    rows = _rows(config, held["train"].targets)
    model = config.net.build(config.seed)
    origin, order, draws = None, config.seed, config.seed
    if config.spawn is not None and config.parent is not None:
        samples = len(split) if rows is None else len(rows)
        per_epoch = math.ceil(samples / config.training.batch_size)
        origin = _origin(config.spawn, config.parent, per_epoch, parents, model)
        own = seed_of(config.seed, "child", config.spawn.seed)
        order = own if config.spawn.differ in ("both", "order") else order
        draws = own if config.spawn.differ in ("both", "augmentation") else draws
    member = Member(
        model,
        config.recipe,
        seed=order,
        draws=draws,
        rows=rows,
        targets=targets,
        origin=origin,
    )
    return Prepared(member, split, test, (config.data.set, config.data.targets), held.fingerprint)


def samples_of(config: RunConfig, sources: Sources | None = None) -> int:
    """How many samples a run trains on."""
    held, split, _ = _data(config, sources or Sources())
    rows = _rows(config, held["train"].targets)
    return len(split) if rows is None else len(rows)


def _origin(
    spawn: SpawnConfig,
    parent: RunConfig,
    per_epoch: int,
    parents: Parents | None,
    model: nn.Module,
) -> Origin:
    """Where a child goes on; its data and its batches are its parent's, so the clock is too."""
    at = Duration.parse(spawn.at).count(per_epoch)
    kept = spawn.optimiser == "kept"
    remembered = _remembered(parent) if kept else ()
    if parents is not None:
        state, slots = parents(parent, at, bool(remembered))
    else:
        state = capture(model)
        # Of a library's optimiser only its own state would do: none, to plan with.
        slots = {} if remembered == ("library",) else dict.fromkeys(remembered, state)
    return Origin(
        state=state,
        slots=slots,
        step=at if spawn.length == "fixed" else 0,
        count=at if kept else 0,
    )


def _remembered(config: RunConfig) -> tuple[str, ...]:
    optimiser = config.training.optimiser
    return ("library",) if isinstance(optimiser, Library) else optimiser.remembered()


def _rows(config: RunConfig, labels: Tensor) -> Tensor | None:
    """Which samples a run trains on; None for all."""
    skew = config.data.skew
    return skewed(labels, skew.share, skew.seed)["ab".index(skew.part)] if skew else None


@lru_cache(maxsize=HELD)
def _load(name: str, root: str | None, download: bool) -> DataSet:
    return data.load(name, root=root, download=download)


def _data(config: RunConfig, sources: Sources) -> tuple[DataSet, Split, Split | None]:
    held = _load(config.data.set, sources.root, sources.download)
    split, test = held["train"], held.splits.get("test")
    if config.data.targets == "inputs":
        split = _doubled(split)
        test = _doubled(test) if test is not None else None
    return held, split, test


def _doubled(split: Split) -> Split:
    """Inputs as their own targets, for an autoencoder."""
    return Split(split.inputs, split.inputs)
