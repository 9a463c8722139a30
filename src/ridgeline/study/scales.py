"""Scales: how large a paper's questions are asked; a TOML file for each.

```toml
paper = "wang2023"
about = "5,000 images of Fashion-MNIST, two cores, about a quarter of an hour"
seeds = 5                       # of every population that does not say its own

[measure]                       # what studies ask for by name
points = 51
[measure.bias-ablation]         # for one item, in place of the general value
points = 101

[base.net]                      # under every population
kind = "fcn"

[populations.biases]            # a spec, laid over the base
[populations.biases.grid]
"net.bias" = [true, "last", false]
```

Your own data and network go in the same way: a file of your own, or overrides such as
``base.data.set=my_project.data:load``.
"""

import copy
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from ridgeline.dotted import put_at
from ridgeline.errors import Argument, Remedy, RidgelineError, SpecError, UnknownName, UsageError
from ridgeline.study.spec import Spec, parsed, parsed_overrides, read_text, spec_of

__all__ = ["Scale", "UnknownSetting", "load_scale", "network_words"]

EVERYWHERE = ("data.set",)
"""Of the base, what an override puts in place of a population's own value and of its grid too:
your data are all the data there are."""
SHOWN = 3
"""Names of data and networks in a description."""
KNOWN = ("paper", "about", "minutes", "seeds", "measure", "base", "populations")


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Scale: the runs a paper is measured on, and how finely."""

    name: str
    paper: str
    about: str = ""
    minutes: float | None = None
    """How long it took from an empty store, measured with one thread beside other work."""
    measure: Mapping[str, Any] = field(default_factory=dict)
    tables: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Of each population, with the base under it."""
    overrides: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def populations(self) -> dict[str, Spec]:
        """Name to spec.

        Raises:
            SpecError: If a table cannot be taken, with the population in the path.
        """
        found: dict[str, Spec] = {}
        problems: list[tuple[str, RidgelineError]] = []
        for name, table in self.tables.items():
            try:
                found[name] = spec_of({"name": name, **table})
            except SpecError as error:
                problems += [(f"populations.{name}.{path}", e) for path, e in error.problems]
        if problems:
            raise SpecError(problems, where=f"scale {self.name} of {self.paper}")
        return found

    @property
    def general(self) -> dict[str, Any]:
        """Return what is under ``measure`` for every item."""
        return {k: v for k, v in self.measure.items() if not isinstance(v, Mapping)}

    @property
    def described(self) -> str:
        """Return what the file says it is; made from its data and networks if it says nothing."""
        if said := " ".join(self.about.split()):
            return said
        runs = [run for spec in self.populations.values() for run in spec.runs]
        sets = dict.fromkeys(run.trained_on.set for run in runs)
        nets = dict.fromkeys(network_words(run.net.kind, run.net.options) for run in runs)
        told = [("data", [*sets]), ("networks" if len(nets) > 1 else "network", [*nets])]
        parts = [
            f"{what} {', '.join(names[:SHOWN])}{_more(names)}" for what, names in told if names
        ]
        return "; ".join(parts) or "no data and no networks"

    def setting(self, name: str, item: str = "") -> Any:
        """Return what the file says for a name under ``measure``; the item's own value first.

        Raises:
            UnknownName: If it says nothing.
        """
        own = self.measure.get(item, {})
        if isinstance(own, Mapping) and name in own:
            return own[name]
        if name not in self.general:
            has = ", ".join(self.general) or "none"
            asks = f", which item {item} asks for" if item else ""
            raise UnknownSetting(
                f"Scale {self.name} lacks the setting measure.{name}{asks}; it has: {has}.",
                remedy=Remedy(
                    "Add it, or {}.",
                    Argument("set", f"measure.{name}=VALUE", f"override measure.{name}"),
                ),
            )
        return self.measure[name]


class UnknownSetting(UnknownName):
    """A scale lacks what an item asks for; here the asker's name is the right one."""

    def __init__(self, rule: str, remedy: str) -> None:
        RidgelineError.__init__(self, rule, remedy=remedy)


def network_words(kind: str, options: Mapping[str, Any]) -> str:
    """A network in a few words: ``fcn 64-32-10``."""
    widths = options.get("widths")
    sizes = f" {'-'.join(map(str, widths))}" if isinstance(widths, list | tuple) else ""
    return f"{kind}{sizes}"


def _more(names: Sequence[str]) -> str:
    return f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""


def load_scale(
    source: str | os.PathLike[str],
    overrides: Sequence[str] = (),
    seeds: int | Sequence[int] | None = None,
) -> Scale:
    """Read a scale. No data are loaded.

    Args:
        source: A TOML file, or the text of one.
        overrides: ``"base.data.set=digits"``, ``"measure.points=11"``: a dotted path and a value.
            What is said of the base lies under what a population says, but for the data set,
            which is put everywhere.
        seeds: Of every population, in place of the file's.

    Returns:
        The scale; its specs are expanded when they are first asked for.

    Raises:
        DataError: If there is no such file.
        SpecError: If it is no TOML, or has an unknown table.
    """
    text, path = read_text(source)
    where = "the scale" if path is None else str(path)
    try:
        told, fixed = parsed(text), parsed_overrides(overrides)
        for place, value in fixed.items():
            put_at(told, place, value)
        if unknown := [key for key in told if key not in KNOWN]:
            raise SpecError([(key, UnknownName("table of a scale", key, KNOWN)) for key in unknown])
        if "paper" not in told:
            raise SpecError([("paper", UsageError("A scale names the paper it is for."))])
    except SpecError as error:
        raise SpecError(error.problems, where=where) from error.__cause__
    base, general = told.get("base", {}), told.get("seeds")
    tables = {}
    for name, table in told.get("populations", {}).items():
        tables[name] = merged(base, table)
        if seeds is not None or (general is not None and "seeds" not in table):
            tables[name]["seeds"] = seeds if seeds is not None else general
        for place in EVERYWHERE:
            if f"base.{place}" in fixed:
                put_at(tables[name], place, fixed[f"base.{place}"])
                tables[name].get("grid", {}).pop(place, None)
    return Scale(
        name=Path(path).stem if path else "own",
        paper=told["paper"],
        about=told.get("about", ""),
        minutes=told.get("minutes"),
        measure=told.get("measure", {}),
        tables=tables,
        overrides=fixed | ({"seeds": seeds} if seeds is not None else {}),
    )


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """One table laid over another; a table of another `kind` replaces the one under it."""
    found = copy.deepcopy(dict(base))
    for key, value in over.items():
        under = found.get(key)
        if isinstance(value, Mapping) and isinstance(under, Mapping) and _of_a_kind(value, under):
            found[key] = merged(under, value)
        else:
            found[key] = copy.deepcopy(value)
    return found


def _of_a_kind(value: Mapping[str, Any], under: Mapping[str, Any]) -> bool:
    return value.get("kind", under.get("kind")) == under.get("kind")
