"""What can be said before anything is trained: whether a scale has what a paper's items need."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ridgeline.errors import (
    Argument,
    DataError,
    Remedy,
    RidgelineError,
    SpecError,
    UnknownName,
    UsageError,
    Verb,
)
from ridgeline.study.config import RunConfig
from ridgeline.study.fitting import check_fit
from ridgeline.study.members import Sources, prepare, samples_of
from ridgeline.study.papers import Item, Paper
from ridgeline.study.plan import closure
from ridgeline.study.scales import Scale, network_words
from ridgeline.study.store import Store

__all__ = ["check_named", "check_runs", "check_scale", "missing", "unset"]


def missing(item: Item, scale: Scale) -> list[str]:
    """Populations that an item needs and a scale lacks."""
    return [name for name in item.populations if name not in scale.tables]


def unset(item: Item, scale: Scale) -> list[str]:
    """Settings that an item asks for and a scale lacks."""
    own = scale.measure.get(item.name, {})
    own = own if isinstance(own, Mapping) else {}
    return [name for name in item.settings or () if name not in own and name not in scale.general]


def check_scale(paper: Paper, items: Sequence[Item], scale: Scale) -> None:
    """Refuse names that no item of the paper knows, and settings that the asked items lack.

    Args:
        paper: Whose names are known.
        items: What is asked.
        scale: What says something.

    Raises:
        SpecError: With the path of each.
    """
    problems: list[tuple[str, RidgelineError]] = []
    needs = paper.populations
    for name in scale.tables:
        if name not in needs:
            what = f"population that {paper.name} measures"
            problems.append((f"populations.{name}", UnknownName(what, name, needs)))
    problems += _unknown_settings(paper, scale)
    problems += _lacking(items, scale)
    if problems:
        raise SpecError(problems, where=f"scale {scale.name} of {paper.name}")


def _unknown_settings(paper: Paper, scale: Scale) -> Iterable[tuple[str, RidgelineError]]:
    """Values under ``measure`` that no item asks for: they would change nothing."""
    known, items = paper.settings, {item.name: item for item in paper.items}
    for name, value in scale.measure.items():
        if isinstance(value, Mapping):
            if name not in items:
                yield f"measure.{name}", UnknownName(f"item of {paper.name}", name, items)
                continue
            asked = items[name].settings
            for key in value:
                if asked is not None and key not in asked:
                    where = f"measure.{name}.{key}"
                    yield where, UnknownName(f"setting that {name} asks for", key, asked)
        elif known is not None and name not in known:
            yield f"measure.{name}", UnknownName(f"setting that {paper.name} asks for", name, known)


def _lacking(items: Sequence[Item], scale: Scale) -> Iterable[tuple[str, RidgelineError]]:
    wanted: dict[str, list[str]] = {}
    for item in items:
        for name in [] if missing(item, scale) else unset(item, scale):
            wanted.setdefault(name, []).append(item.name)
    has = ", ".join(scale.general) or "no settings"
    for name, by in wanted.items():
        rule = f"Scale {scale.name} lacks measure.{name}, which {_listed(by)}; it has: {has}."
        yield (
            f"measure.{name}",
            UsageError(
                rule,
                remedy=Remedy(
                    "Add it, or {}.",
                    Argument("set", f"measure.{name}=VALUE", f"override measure.{name}"),
                ),
            ),
        )


def _listed(names: Sequence[str]) -> str:
    if len(names) == 1:
        return f"item {names[0]} needs"
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"items {', '.join(names[:3])}{more} need"


def check_named(paper: Paper, named: Sequence[Item], scale: Scale) -> None:
    """Refuse items that were asked for by name, or a whole paper, that the scale cannot ask.

    Args:
        paper: Which.
        named: Items asked for by name; all items, for a whole paper.
        scale: Which lacks their populations, or not.

    Raises:
        UsageError: If an item lacks a population; of a whole paper, if all items do.
    """
    lacking = {item.name: missing(item, scale) for item in named if missing(item, scale)}
    if not lacking or (len(named) == len(paper.items) and len(lacking) < len(named)):
        return
    told = "; ".join(f"{item} needs {', '.join(names)}" for item, names in lacking.items())
    raise UsageError(
        f"An item is measured on populations, and scale {scale.name} lacks them.",
        got=f"{told}; the scale has {', '.join(scale.tables) or 'none'}",
        remedy=Remedy(
            "Add [populations.NAME] to the scale; `{}` says what an item needs.",
            Verb("reproduce", "Item.populations", (Argument("list", f"{paper.name}/ITEM"),)),
        ),
    )


def check_runs(runs: Sequence[RunConfig], store: Store, sources: Sources | None = None) -> None:
    """Refuse networks that cannot take their data, once for all runs.

    Args:
        runs: To be trained; those in the store are left out.
        store: Where they are kept.
        sources: Of data.

    Raises:
        DataError: That names each pair of data and network that does not fit.
        RidgelineError: If data are missing, or a network cannot be built.
    """
    tried: dict[Any, RunConfig] = {}
    every = closure(runs)
    there = store.find_all(config.hash for config in every)
    for config in every:
        pair = (config.trained_on.set, config.trained_on.targets, repr(config.net.complete()))
        if (config.net.kind, *pair) not in tried and config.hash not in there:
            tried[config.net.kind, *pair] = config
    refused: dict[str, DataError] = {}
    for config in tried.values():
        try:
            _check(config, sources)
        except DataError as error:
            refused.setdefault(error.got, error)
    if len(refused) == 1:
        raise next(iter(refused.values()))
    if refused:
        first = next(iter(refused.values()))
        raise DataError(
            first.rule, got="\n".join(f"  {got}" for got in refused), remedy=first.remedy
        )


def _check(config: RunConfig, sources: Sources | None) -> None:
    samples_of(config, sources)  # data that are missing say so by themselves
    prepared = prepare(config, sources=sources)
    check_fit(
        prepared.member.model,
        prepared.data,
        network=network_words(config.net.kind, config.net.options),
        name=f"data {config.trained_on.set}",
        loss=config.training.loss,
    )
