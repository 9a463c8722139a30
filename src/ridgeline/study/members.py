"""From a run's config to what training takes: data, a network, and where a child goes on."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from torch import Tensor

from ridgeline import data
from ridgeline.data import DataSet, Split
from ridgeline.data.corruption import noisy_labels, skewed
from ridgeline.errors import DataError, UsageError
from ridgeline.state import State, capture
from ridgeline.study.config import RunConfig
from ridgeline.training import Duration, Library, Member, Origin

__all__ = ["Parents", "Prepared", "Sources", "prepare"]

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
        UsageError: If a child goes on beyond its parent's end.
    """
    held, split, test = _data(config, sources or Sources())
    targets = None
    if config.data.label_noise:
        seed = config.data.noise_seed
        targets = noisy_labels(
            split.targets,
            config.data.label_noise,
            _classes(held, "Label noise"),
            config.seed if seed is None else seed,
        )
    model = config.net.build(config.seed)
    member = Member(
        model,
        config.training,
        seed=config.seed if config.spawn is None else config.spawn.seed,
        rows=_rows(config, split, held),
        targets=targets,
        origin=_origin(config, parents, capture(model), split, held),
    )
    key = (config.data.set, config.data.targets)
    return Prepared(member, split, test, key, held.fingerprint)


def _origin(
    config: RunConfig, parents: Parents | None, like: State, split: Split, held: DataSet
) -> Origin | None:
    spawn, parent = config.spawn, config.parent
    if spawn is None or parent is None:
        return None
    at = _spawned_at(config, split, held)
    kept = spawn.optimiser == "kept"
    remembered = _remembered(parent) if kept else ()
    if parents is not None:
        state, slots = parents(parent, at, bool(remembered))
    else:
        state, slots = like, dict.fromkeys(remembered, like)
    return Origin(
        state=state,
        slots=slots,
        step=at if spawn.length == "fixed" else 0,
        count=_seen(parent, at, split, held) if kept else 0,
    )


def _spawned_at(config: RunConfig, split: Split, held: DataSet) -> int:
    """The step, on the parent's clock and in the parent's epochs."""
    assert config.spawn is not None
    assert config.parent is not None
    per_epoch = _per_epoch(config.parent, split, held)
    at = Duration.parse(config.spawn.at).count(per_epoch)
    end = Duration.parse(config.parent.training.length).count(per_epoch)
    if at > end:
        raise UsageError(
            f"A child is spawned between the first step of its parent and the last, {end}.",
            got=f"{config.spawn.at}, which is step {at}, in {config.name}",
        )
    return at


def _seen(config: RunConfig, step: int, split: Split, held: DataSet) -> int:
    """Steps that the slots of a run have seen when its clock shows `step`."""
    if config.spawn is None or config.parent is None:
        return step
    at = _spawned_at(config, split, held)
    begun = at if config.spawn.length == "fixed" else 0
    before = _seen(config.parent, at, split, held) if config.spawn.optimiser == "kept" else 0
    return step - begun + before


def _remembered(config: RunConfig) -> tuple[str, ...]:
    optimiser = config.training.optimiser
    return ("library",) if isinstance(optimiser, Library) else optimiser.remembered()


def _per_epoch(config: RunConfig, split: Split, held: DataSet) -> int:
    rows = _rows(config, split, held)
    samples = len(split) if rows is None else len(rows)
    return math.ceil(samples / config.training.batch_size)


def _rows(config: RunConfig, split: Split, held: DataSet) -> Tensor | None:
    """Which samples a run trains on; None for all."""
    skew = config.data.skew
    if skew is None:
        return None
    _classes(held, "A skew of the classes")
    parts = skewed(split.targets, skew.share, skew.seed)
    return parts["ab".index(skew.part)]


def _classes(held: DataSet, what: str) -> int:
    targets = held["train"].targets
    if targets.is_floating_point() or targets.ndim != 1:
        raise DataError(
            f"{what} needs targets that are classes.", got=f"{held.name}, {targets.dtype}"
        )
    return held.classes if held.classes is not None else int(targets.max()) + 1


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
