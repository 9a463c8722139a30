"""What a spec says and what it would take, as dicts that print as text."""

import ast
import inspect
import itertools
import json
import textwrap
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import torch
from torch import nn

from ridgeline.dotted import get_at, leaves
from ridgeline.state import capture, coordinates
from ridgeline.study.canonical import hints, kind_of, plain
from ridgeline.study.checks import samples_of
from ridgeline.study.config import DataConfig, NetConfig, RunConfig
from ridgeline.study.grid import Axis, Table
from ridgeline.study.spec import Spec
from ridgeline.training import Duration, Library

__all__ = ["Summary", "describe", "plan_summary"]

MEANING = 60
"""Characters of a line of what a value means."""


class Summary(dict[str, Any]):
    """JSON values that print as lines of text."""

    def __str__(self) -> str:
        return "\n".join(_lines(self))


def describe(spec: Spec) -> Summary:
    """Every value of a spec, where it comes from and what it means.

    Args:
        spec: As loaded.

    Returns:
        ``name``, ``about``, ``path``, ``parents``, ``children``, ``axes``, and ``values``, each
        with ``path``, ``value``, ``source`` (file, override, grid, spawn, default), ``meaning``.
    """
    first = spec.runs[0]
    values = first.full()
    values["net"] |= values["net"].pop("options")
    shown: dict[str, Any] = {"seeds": spec.base.get("seeds", 1)}
    shown |= {key: values[key] for key in ("net", "data", "training")}
    child = next((run for run in spec.runs if run.spawn is not None), None)
    if child is not None and child.spawn is not None:
        written = spec.base.get("spawn", {})
        several = {key: written[key] for key in ("at", "children") if key in written}
        shown["spawn"] = plain(child.spawn, full=True) | {"children": 2} | several
        del shown["spawn"]["seed"]
    return Summary(
        format="ridgeline-spec",
        version=1,
        name=spec.name,
        about=spec.about,
        path=None if spec.path is None else str(spec.path),
        values=[
            {
                "path": path,
                "value": value,
                "source": _source(spec, path),
                "meaning": _meaning(Table, path, shown),
            }
            for path, value in leaves(shown)
        ],
        axes=[{"paths": list(axis.paths), "values": _unwrapped(axis)} for axis in spec.axes],
        parents=sum(run.spawn is None for run in spec.runs),
        children=sum(run.spawn is not None for run in spec.runs),
    )


def plan_summary(spec: Spec, *, samples: Mapping[DataConfig | str, int] | None = None) -> Summary:
    """Return what a spec would take: runs, parameters, steps, states, bytes. No data are loaded.

    Args:
        spec: As loaded.
        samples: Data, or the set as the spec writes it, to the samples that are trained on,
            where the set's name does not tell.

    Returns:
        ``runs``, ``parents``, ``children``, ``nets``: each with its parameters and runs; ``steps``,
        ``states`` and ``bytes`` of all runs, None where the number of samples is not known.
    """
    nets: dict[str, dict[str, Any]] = {}
    totals: dict[str, int | None] = {"steps": 0, "states": 0, "bytes": 0}
    for run in spec.runs:
        key = json.dumps([run.net.kind, run.net.options], sort_keys=True)
        if key not in nets:
            parameters, others = _sizes(run.net)
            nets[key] = {
                "kind": run.net.kind,
                "options": plain(run.net.options, full=True),
                "parameters": parameters[0],
                "bytes": parameters[1] + others,
                "slot_bytes": parameters[1],
                "runs": 0,
            }
        nets[key]["runs"] += 1
        for name, value in zip(totals, _takes(run, nets[key], samples or {}), strict=True):
            now = totals[name]
            totals[name] = None if now is None or value is None else now + value
    return Summary(
        format="ridgeline-plan-summary",
        version=1,
        name=spec.name,
        runs=len(spec.runs),
        parents=sum(run.spawn is None for run in spec.runs),
        children=sum(run.spawn is not None for run in spec.runs),
        nets=list(nets.values()),
        **totals,
    )


def _takes(
    run: RunConfig, net: Mapping[str, Any], samples: Mapping[DataConfig | str, int]
) -> tuple[int | None, int | None, int | None]:
    """Steps, states and bytes of a run."""
    chosen = run.trained_on
    number = samples.get(chosen, samples.get(chosen.set, samples_of(chosen)))
    if number is None:
        return None, None, None
    recipe = run.recipe
    per_epoch = -(-number // recipe.batch_size)
    total = Duration.parse(recipe.length).count(per_epoch)
    begin = 0
    if run.spawn is not None and run.spawn.length == "fixed":
        begin = Duration.parse(run.spawn.at).count(per_epoch)
    kept = {begin, *(step for step in recipe.keep.steps(total, per_epoch) if step >= begin)}
    states = len(kept) + (recipe.average is not None)
    rule = recipe.optimiser
    slots = 2 if isinstance(rule, Library) else len(rule.remembered())  # of a library: a guess
    times = len(recipe.keep.spawn) if run.spawn is None else 0
    return total - begin, states, states * net["bytes"] + times * slots * net["slot_bytes"]


def _sizes(config: NetConfig) -> tuple[tuple[int, int], int]:
    """Number and bytes of parameters, and bytes of the rest of the state."""
    model = _shape_of(config)
    state = capture(model)
    names = set(coordinates(state))
    size = {name: x.numel() * x.element_size() for name, x in state.items()}
    of_parameters = sum(state[name].numel() for name in names), sum(size[n] for n in names)
    return of_parameters, sum(size.values()) - of_parameters[1]


def _shape_of(config: NetConfig) -> nn.Module:
    """The network without memory for its weights, if it can be made so."""
    try:
        with torch.device("meta"):
            return config.build(0)
    except Exception:  # whatever it is, it says so again without the device
        return config.build(0)


# --- where values come from and what they mean --------------------------------------------------


def _source(spec: Spec, path: str) -> str:
    above = [path[:i] for i, letter in enumerate(f"{path}.") if letter == "."]
    if any(place in spec.overrides for place in above):
        return "override"
    if any(place in axis.paths for place in above for axis in spec.axes):
        return "grid"
    try:
        get_at(spec.base, path)
    except LookupError:
        spawned = path == "training.keep.spawn" and "spawn" in spec.base
        return "spawn" if spawned else "default"
    return "file"


def _meaning(hint: Any, path: str, values: Mapping[str, Any]) -> str:
    """Return what stands under the field's declaration, in one line."""
    first, _, rest = path.partition(".")
    owner = kind_of(hint, values)
    if not isinstance(owner, type) or first not in hints(owner):
        return ""
    inner = values.get(first)
    if rest and isinstance(inner, Mapping):
        return _meaning(hints(owner)[first], rest, inner)
    return next((said for c in owner.__mro__ if (said := _strings(c).get(first))), "")


@cache
def _strings(cls: type) -> dict[str, str]:
    """Field to the text under it; empty where there is no source."""
    try:
        body = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0]
    except (OSError, TypeError):
        return {}
    found: dict[str, str] = {}
    lines = body.body if isinstance(body, ast.ClassDef) else []
    for line, text in itertools.pairwise(lines):
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
            value = text.value if isinstance(text, ast.Expr) else None
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                found[line.target.id] = " ".join(value.value.replace("``", "").split())
    return found


def _unwrapped(axis: Axis) -> list[Any]:
    return [row[0] if len(row) == 1 else list(row) for row in axis.values]


# --- as text -----------------------------------------------------------------------------------


def _lines(about: Mapping[str, Any]) -> Iterator[str]:
    yield about["name"] + (f" ({about['path']})" if about.get("path") else "")
    if about.get("about"):
        yield about["about"].strip()
    runs = "1 run" if about["parents"] == 1 else f"{about['parents']} runs"
    yield runs + (f" and {about['children']} children" if about["children"] else "")
    if "values" in about:
        yield from _values(about)
        return
    for net in about["nets"]:
        options = ", ".join(f"{k}={v}" for k, v in net["options"].items())
        size = f"{net['parameters']:,} parameters"
        yield f"{net['kind']}({options}): {size}, in {net['runs']} of the runs"
    if about["steps"] is None:
        yield "steps and disk: not known before the data are loaded"
        return
    yield f"{about['steps']:,} steps, {about['states']:,} states, about {_size(about['bytes'])}"


def _values(about: Mapping[str, Any]) -> Iterator[str]:
    table = ""
    written = {v["path"]: json.dumps(v["value"], ensure_ascii=False) for v in about["values"]}
    width = min(44, max(len(path) + len(text) for path, text in written.items()) + 3)
    for value in about["values"]:
        first, _, rest = value["path"].partition(".")
        if rest and first != table:
            table = first
            yield f"\n[{table}]"
        text = f"{rest or first} = {written[value['path']]}"
        said = textwrap.wrap(value["meaning"], MEANING) or [""]
        yield f"{text:<{width}}  {value['source']:<8}  {said[0]}".rstrip()
        yield from (" " * (width + 12) + line for line in said[1:])
    if about["axes"]:
        yield "\n[grid]"
    for axis in about["axes"]:
        yield f"{', '.join(axis['paths'])}: {json.dumps(axis['values'], ensure_ascii=False)}"


def _size(number: int) -> str:
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if number < 1024:
            return f"{number:.0f} {unit}" if unit == "bytes" else f"{number:.1f} {unit}"
        number = number / 1024  # type: ignore[assignment]  # a number all the same
    return f"{number:.1f} TiB"
