"""A scale against its paper: populations and settings that items need, before any training.

What a config says by itself is checked as it is read (`ridgeline.study.checks`), and whether
networks take their data by a forward pass of each (`ridgeline.study.fitting`).
"""

from collections.abc import Iterable, Mapping, Sequence

from ridgeline.errors import (
    Argument,
    Remedy,
    RidgelineError,
    SpecError,
    UnknownName,
    UsageError,
    Verb,
)
from ridgeline.study.papers import Item, Paper
from ridgeline.study.scales import Scale

__all__ = ["check_named", "check_scale", "missing", "unset"]


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
