"""A symmetry in a file: what discovery and proof found, to be used again without tracing."""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ridgeline.errors import Argument, CheckpointError, Remedy, RidgelineError, UsageError, Verb
from ridgeline.io.indices import Packed, pack, unpack
from ridgeline.io.writing import atomic_path, version
from ridgeline.symmetry import Fixed, Generator, Group, Place, Sighting, Symmetry
from ridgeline.symmetry.exchange import Exchange
from ridgeline.symmetry.members import Members
from ridgeline.symmetry.scaling import Rescalable
from ridgeline.symmetry.trees import KINDS
from ridgeline.symmetry.within import Within, bare

__all__ = ["load_symmetry", "save_symmetry", "symmetry_record"]

FORMAT = "ridgeline-symmetry"
VERSION = 1
SAVING = Verb("symmetries", "rl.save_symmetry", (Argument("out", "FILE"),))
"""What makes a file of a symmetry."""


def save_symmetry(
    symmetry: Symmetry, path: str | os.PathLike[str], *, overwrite: bool = False
) -> Path:
    """Write a symmetry as JSON: whole or not at all, and the same bytes each time.

    Args:
        symmetry: Any, with groups of one's own or without some.
        path: A name that ends in ``.json``.
        overwrite: Whether an existing file may be replaced.

    Returns:
        Where it was written.

    Raises:
        UsageError: If the name does not end so.
        OutputError: If the file exists, or cannot be written.
    """
    final = Path(path)
    if final.suffix != ".json":
        better = final.with_suffix(".json") if final.name else "symmetry.json"
        raise UsageError(
            "A symmetry is saved as JSON.", got=f"'{final}'", remedy=f"Name it '{better}'."
        )
    text = json.dumps(symmetry_record(symmetry), separators=(",", ":"), allow_nan=False)
    with atomic_path(final, overwrite=overwrite) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
    return final


def symmetry_record(symmetry: Symmetry) -> dict[str, Any]:
    """A symmetry in plain values: strict JSON, of a stated format.

    Returns:
        ``format``, ``version``, ``ridgeline``, ``groups`` (name, inside, fibres, size, places and
        sightings), ``scalings``, ``shapes``, ``fixed``, ``ties``, ``derived``, ``left_out``,
        ``exchanges``.
        Positions are packed: see `ridgeline.io.indices`.
    """
    return {
        "format": FORMAT,
        "version": VERSION,
        "ridgeline": version(),
        "shapes": {name: list(shape) for name, shape in symmetry.shapes.items()},
        "ties": dict(symmetry.ties),
        "groups": [_group(g) for g in symmetry.groups],
        "scalings": [{**vars(m), "powers": list(m.powers)} for m in symmetry.scalings],
        "fixed": [vars(f) for f in symmetry.fixed],
        "derived": list(symmetry.derived),
        "left_out": list(symmetry.left_out),
        "exchanges": [
            {
                "name": e.name,
                "slots": list(e.members.slots),
                "tensors": [list(tensors) for tensors in e.members.tensors],
                "rows": [list(row) for row in e.rows],
            }
            for e in symmetry.exchanges
        ],
        **({"more": [_own(g) for g in symmetry.more]} if symmetry.more else {}),
    }


def _own(generator: Generator) -> dict[str, Any]:
    if not bare(generator)[1].kind:
        raise UsageError(
            "A generator that is saved has a kind, by which it is told when it is read.",
            got=f"{type(bare(generator)[1]).__name__}, without one",
            remedy="Give its class a `kind`, and the methods `plain` and `given`.",
        )
    return {"kind": generator.kind, "given": generator.plain()}


def _group(group: Group) -> dict[str, Any]:
    return {
        "name": group.name,
        "inside": group.inside,
        "fibres": group.fibres,
        "size": group.size,
        "places": [_place(p) for p in group.places],
        "sightings": [
            {"value": s.value, "axis": s.axis, "index": pack(s.index)} for s in group.sightings
        ],
    }


def _place(place: Place) -> dict[str, Any]:
    made: dict[str, Any] = {
        "tensor": place.tensor,
        "axis": place.axis,
        "index": pack(place.index),
    }
    if place.within is not None:
        axis, where = place.within
        made["within"] = {"axis": axis, "index": pack(where)}
    return made


def load_symmetry(
    path: str | os.PathLike[str], *, kinds: Iterable[type[Generator]] = ()
) -> Symmetry:
    """Read a symmetry. It is checked to be one of the tensors that it names, not proved again.

    Args:
        path: What `save_symmetry` wrote.
        kinds: Classes of generators of one's own that the file may hold: no file brings code.

    Raises:
        CheckpointError: If the file is missing, torn, of another kind, or of a version that this
            Ridgeline does not know; if it holds a generator of a kind that was not given.
    """
    where, known = str(path), {kind.kind: kind for kind in (*KINDS, *kinds)}
    tree = _read(Path(path), where)
    try:
        return Symmetry(
            tuple(_given_group(g) for g in tree["groups"]),
            {str(name): tuple(map(int, shape)) for name, shape in tree["shapes"].items()},
            tuple(
                Fixed(str(f["tensor"]), int(f["axis"]), int(f["count"]), str(f["why"]))
                for f in tree["fixed"]
            ),
            {str(k): str(v) for k, v in tree["ties"].items()},
            tuple(
                Rescalable(
                    str(m["name"]), str(m["group"]), tuple(map(int, m["powers"])), bool(m["signs"])
                )
                for m in tree["scalings"]
            ),
            tuple(map(str, tree.get("derived", ()))),
            tuple(map(str, tree.get("left_out", ()))),
            tuple(map(_given_exchange, tree.get("exchanges", ()))),
            more=tuple(_given_own(g, known, where) for g in tree.get("more", ())),
        )
    except (TypeError, ValueError, AttributeError, LookupError, ArithmeticError) as error:
        raise CheckpointError(
            "A symmetry's file holds groups of positions within its tensors.",
            got=f"{where}: {error if isinstance(error, RidgelineError) else repr(error)}",
            remedy=Remedy("Write it anew with `{}`.", SAVING),
        ) from error


def _given_own(
    tree: Mapping[str, Any], known: Mapping[str, type[Generator]], where: str
) -> Generator:
    kind = str(tree["kind"])
    if kind == Within.kind:
        own = tree["given"]
        inner = _given_own(own["inner"], known, where)
        return Within(inner, str(own["prefix"]), str(own["called"]))
    if kind not in known:
        raise CheckpointError(
            "A generator of one's own is read by its class.",
            got=f"the kind {kind!r} in '{where}', and kinds {', '.join(known) or 'of none'}",
            remedy="Give the class: rl.load_symmetry(path, kinds=[...]).",
        )
    return known[kind].given(tree["given"])


def _given_exchange(given: Mapping[str, Any]) -> Exchange:
    tensors = tuple(tuple(map(str, names)) for names in given["tensors"])
    slots = tuple(map(str, given["slots"]))
    if {len(slots)} != set(map(len, tensors)):
        raise ValueError("modules of unlike tensors")
    rows = tuple((str(name), int(axis), int(width)) for name, axis, width in given["rows"])
    return Exchange(Members(str(given["name"]), slots, tensors), rows)


def _read(path: Path, where: str) -> Mapping[str, Any]:
    try:
        tree = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise CheckpointError(
            "A symmetry's file must be there and readable.",
            got=f"'{where}' ({error.strerror or error})",
            remedy=Remedy("Make it with `{}`.", SAVING),
        ) from error
    except (ValueError, RecursionError) as error:
        raise CheckpointError(
            "A symmetry's file is JSON.",
            got=f"'{where}' ({error})",
            remedy="It may be torn, or another file: write it anew.",
        ) from error
    if not isinstance(tree, Mapping) or tree.get("format") != FORMAT:
        raise CheckpointError(
            f"A symmetry's file says that its format is {FORMAT!r}.",
            got=f"'{where}'",
            remedy=Remedy("Give a file that `{}` wrote.", SAVING),
        )
    if tree.get("version") != VERSION:
        raise CheckpointError(
            f"This Ridgeline reads symmetries of version {VERSION}.",
            got=f"version {tree.get('version')!r} in '{where}'",
            remedy="Read it with the Ridgeline that wrote it, or discover it anew.",
        )
    return tree


def _given_group(tree: Mapping[str, Any]) -> Group:
    inside = tree["inside"]
    return Group(
        str(tree["name"]),
        tuple(_given_place(p) for p in tree["places"]),
        None if inside is None else str(inside),
        tuple(
            Sighting(str(s["value"]), int(s["axis"]), _index(s["index"], 3))
            for s in tree["sightings"]
        ),
    )


def _given_place(tree: Mapping[str, Any]) -> Place:
    within = tree.get("within")
    confined = None if within is None else (int(within["axis"]), _index(within["index"], 2))
    return Place(str(tree["tensor"]), int(tree["axis"]), _index(tree["index"], 3), confined)


def _index(packed: Packed, dimensions: int) -> np.ndarray:
    found = unpack(packed)
    if found.ndim != dimensions or (found < 0).any():
        raise ValueError(f"positions of shape {found.shape}, with negative ones or not")
    return found
