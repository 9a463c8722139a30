"""Checks of a config before its data are loaded."""

import re

from ridgeline import data
from ridgeline.data import table_sets
from ridgeline.errors import RidgelineError, UnknownName, UsageError
from ridgeline.study.config import DataConfig, RunConfig
from ridgeline.training import SWA, Duration

__all__ = ["SAMPLES", "problems_in", "samples_of", "steps_of_epoch"]

SAMPLES = {
    "digits": 1437,
    "mnist1d": 4000,
    "mnist": 60_000,
    "fashion-mnist": 60_000,
    "cifar10": 50_000,
    "cifar100": 50_000,
}
"""Training samples of the data sets that have a name."""

OPTIONS = ("train", "test", "seed", "normalise")
"""Of a data set that has a name."""


def samples_of(config: DataConfig) -> int | None:
    """Number of training samples, if it is known from the name; for half of skewed data, about."""
    if table_sets.is_table(config.set):
        refused = table_sets.problem_of(config.set)
        samples = None if refused else table_sets.training_rows(config.set)
    else:
        name, _, options = config.set.partition("?")
        asked = re.search(r"(?:^|&)train=(\d+)", options)
        samples = int(asked[1]) if asked and name in SAMPLES else SAMPLES.get(name)
    if samples is None:
        return None
    return samples if config.skew is None else samples // 2


def steps_of_epoch(config: RunConfig) -> int | None:
    """Steps of an epoch of the run's `data`, if the number of samples is known."""
    return _steps(config.data, config)


def _steps(chosen: DataConfig, config: RunConfig) -> int | None:
    samples = samples_of(chosen)
    return None if samples is None else -(-samples // config.training.batch_size)


def problems_in(config: RunConfig) -> list[tuple[str, RidgelineError]]:
    """Problems of a config: data without a name, times beyond the run's end, labels of no classes.

    Times are compared if they have one unit, or if the steps of an epoch are known.

    Args:
        config: Of a run.

    Returns:
        Dotted path and refusal of each.
    """
    found: list[tuple[str, RidgelineError]] = []
    recipe, spawn = config.training, config.spawn
    own = None if spawn is None else spawn.data
    for table, chosen in (("data", config.data), ("spawn.data", own)):
        if chosen is None:
            continue
        refused = _set_refused(chosen.set)
        if refused is not None:
            found.append((f"{table}.set", refused))
        if chosen.targets == "inputs" and recipe.relabel is not None:
            rule = "`relabel` is for targets that are labels."
            found.append(("training.relabel", UsageError(rule, got=f'{table}.targets="inputs"')))
    times = [(path, time, config.data) for path, time in _times(config)] if spawn is None else []
    if spawn is not None:
        times = [("spawn.at", spawn.at, config.data)]
    if own is not None:  # of a parent it is said once, of other data anew
        times += [(path, time, own) for path, time in _times(config) if "spawn" not in path]
    going_on = spawn is not None and spawn.length == "fixed"
    for path, time, chosen in times:
        # Half of skewed data is only about known.
        per_epoch = _steps(chosen, config) if chosen.skew is None else None
        known = f" at {per_epoch} steps an epoch" if per_epoch else ""
        if _beyond(time, recipe.length, per_epoch):
            rule = f"A time within the run is at its end, {recipe.length}, at the latest."
        elif going_on and _beyond(time, recipe.length, per_epoch, by=0):
            rule = f"A child of fixed length starts before its parent ends, at {recipe.length}."
        else:
            continue
        remedy = "Leave it out, or train for longer."
        found.append((path, UsageError(rule, got=repr(time) + known, remedy=remedy)))
    return found


def _times(config: RunConfig) -> list[tuple[str, str]]:
    """Dotted path and value of every time of a recipe that lies within the run."""
    recipe = config.training
    times = [("training.keep.at", time) for time in recipe.keep.at]
    times += [("training.keep.spawn", time) for time in recipe.keep.spawn]
    if isinstance(recipe.average, SWA):
        times.append(("training.average.start", recipe.average.start))
    if recipe.relabel is not None:
        times.append(("training.relabel.since", recipe.relabel.since))
        times += [("training.relabel.until", recipe.relabel.until)] if recipe.relabel.until else []
    return times


def _beyond(time: str, length: str, per_epoch: int | None, by: int = 1) -> bool:
    """True if a time is so many steps after a run's end, or more."""
    a, b = Duration.parse(time), Duration.parse(length)
    if per_epoch is not None:
        return a.count(per_epoch) >= b.count(per_epoch) + by
    # Whatever an epoch is: at least one step.
    return a.epochs >= b.epochs and a.count(1) >= b.count(1) + by


def _set_refused(text: str) -> RidgelineError | None:
    name, mark, options = text.partition("?")
    if table_sets.is_table(text):
        return table_sets.problem_of(text)
    if ":" in text:
        return None
    if name not in data.known():
        remedy = "Or name a function of yours, as in my_project.data:build."
        return UnknownName("data set", name, data.known(), remedy)
    for part in options.split("&") if mark else ():
        key, _, value = part.partition("=")
        if not value.isdecimal():
            return UsageError(
                "Options of a data set are whole numbers.",
                got=repr(part),
                remedy=f"Write {name}?train=5000&test=1000&seed=1.",
            )
        if key not in OPTIONS:
            return UnknownName(f"option of {name}", key, OPTIONS)
    return None
