"""From a run's config to what training takes: data, a network, and where a child goes on."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from torch import Tensor, nn

from ridgeline import data
from ridgeline.data import DataSet, Split
from ridgeline.data.corruption import noisy_labels, skewed
from ridgeline.errors import UnknownName
from ridgeline.rng import seed_of
from ridgeline.state import State, capture, check_same, layers, ties
from ridgeline.study.config import DataConfig, RunConfig, SpawnConfig
from ridgeline.training import Duration, Library, Member, Origin, Recipe

__all__ = ["Parents", "Prepared", "Sources", "prepare", "samples_of"]

HELD = 4
"""Data sets that a process holds on to."""


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Source of data sets."""

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
        UnknownName: If a child is to take a layer that the network has not.
    """
    sources = sources or Sources()
    chosen = config.trained_on
    held, split, test = _data(chosen, sources)
    targets = None
    if chosen.label_noise:
        seed = config.seed if chosen.noise_seed is None else chosen.noise_seed
        classes = held.classes or int(split.targets.max()) + 1
        targets = noisy_labels(split.targets, chosen.label_noise, classes, seed)
    rows = _rows(chosen, train_of(held).targets)
    model = config.net.build(config.seed)
    origin, order, draws = None, config.seed, config.seed
    if config.spawn is not None and config.parent is not None:
        own = seed_of(config.seed, "child", config.spawn.seed)
        per_epoch = math.ceil(samples_of(config.data, sources) / config.training.batch_size)
        origin = _origin(config.spawn, config.parent, per_epoch, parents, model)
        if config.spawn.layers is not None:
            fresh = capture(config.net.build(own))
            origin = replace(origin, state=_mixed(fresh, origin.state, config.spawn.layers))
        order = own if config.spawn.differ in ("both", "order") else order
        draws = own if config.spawn.differ in ("both", "augmentation") else draws
    member = Member(
        model,
        _settled(config.recipe, config.seed, held.classes),
        seed=order,
        draws=draws,
        rows=rows,
        targets=targets,
        origin=origin,
    )
    return Prepared(member, split, test, (chosen.set, chosen.targets), held.fingerprint)


def samples_of(config: DataConfig | RunConfig, sources: Sources | None = None) -> int:
    """Number of training samples of the data; of a run, of its `data`, as its parent's."""
    chosen = config.data if isinstance(config, RunConfig) else config
    held, split, _ = _data(chosen, sources or Sources())
    rows = _rows(chosen, train_of(held).targets)
    return len(split) if rows is None else len(rows)


def _settled(recipe: Recipe, seed: int, classes: int | None) -> Recipe:
    """The recipe with the run's seed for labels that are replaced: a child's are its parent's."""
    how = recipe.relabel
    if how is None:
        return recipe
    seed = seed if how.seed is None else how.seed
    return replace(recipe, relabel=replace(how, seed=seed, classes=how.classes or classes))


def _mixed(fresh: State, trained: State, chosen: Sequence[str]) -> State:
    """A fresh state with the chosen layers of a trained one, and with what is tied to them."""
    check_same(fresh, trained, names=("a fresh network", "the parent"))
    taken: set[str] = set()
    for layer in chosen:
        inside = {name for name in fresh if name == layer or name.startswith(f"{layer}.")}
        if not inside:
            raise UnknownName("layer", layer, layers(fresh))
        taken |= inside
    for tied in ties(fresh):
        if taken & set(tied):
            taken |= set(tied)
    return {name: trained[name] if name in taken else x for name, x in fresh.items()}


def _origin(
    spawn: SpawnConfig,
    parent: RunConfig,
    per_epoch: int,
    parents: Parents | None,
    model: nn.Module,
) -> Origin:
    """Return where a child goes on; the time is in its parent's epochs."""
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


def _rows(config: DataConfig, labels: Tensor) -> Tensor | None:
    """Return which samples are trained on; None for all."""
    skew = config.skew
    return skewed(labels, skew.share, skew.seed)["ab".index(skew.part)] if skew else None


@lru_cache(maxsize=HELD)
def _load(name: str, root: str | None, download: bool) -> DataSet:
    return data.load(name, root=root, download=download)


def _data(config: DataConfig, sources: Sources) -> tuple[DataSet, Split, Split | None]:
    held = _load(config.set, sources.root, sources.download)
    split, test = train_of(held).of_one_input(), held.splits.get("test")
    if config.targets == "inputs":
        split = _doubled(split)
        test = _doubled(test) if test is not None else None
    return held, split, test


def train_of(held: DataSet) -> Split:
    """The split called train, or the only one there is."""
    splits = list(held.splits.values())
    return splits[0] if len(splits) == 1 else held["train"]


def _doubled(split: Split) -> Split:
    """Inputs as their own targets, flattened as an autoencoder's outputs are."""
    return Split(split.inputs, split.inputs.flatten(1))
