"""A profile or a surface as a plain dict: the one shape from which every output is rendered.

The shape is versioned, and strict JSON: what is not finite is null in the lists and told under
``nonfinite``. Keys may be added within a version; none changes its meaning or goes away.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline import measures
from ridgeline.errors import UsageError
from ridgeline.measures import BARRIER_KINDS, Barrier, BarrierKind, Curve

if TYPE_CHECKING:
    from ridgeline.profiles import Profile, Surface

__all__ = ["VERSION", "envelope", "plain", "summarise", "summarise_layers", "summarise_surface"]

VERSION = 1


def envelope(kind: str, **values: Any) -> dict[str, Any]:
    """Values of a stated format: ``format`` and ``version`` before them.

    Args:
        kind: Of what; the format is ``ridgeline-<kind>``.
        **values: Plain ones.
    """
    return {"format": f"ridgeline-{kind}", "version": VERSION, **values}


def summarise(profile: "Profile") -> dict[str, Any]:
    """Everything that is said about a profile, in plain values.

    Args:
        profile: From `ridgeline.profile`.

    Returns:
        A dict with the keys

        - ``format``, ``version``: what this is;
        - ``t``: the positions;
        - ``splits.<split>.<metric>`` and ``stderr.<split>.<metric>``: means and their standard
          errors, one for each position, null where not finite;
        - ``samples.<split>``: ``evaluated``, ``of``, and the ``scope`` of standard errors;
          ``left_out``, by metric, samples that were evaluated and do not count for it;
        - ``measures.<split>.<metric>``: ``barrier`` (kind chord), ``barriers`` of every kind that
          the grid allows, ``monotonicity``, ``plateau``, ``length``, the metric's ``chance`` and
          ``higher_is_better``, and ``why`` with the reason for each measure that is null;
        - ``nonfinite.<split>.<metric>``: the positions whose mean is not finite;
        - ``provenance``: the profile's.
    """
    curves = profile.curves
    return envelope(
        "profile",
        t=plain(profile.t),
        splits=_each(curves, lambda c: plain(c.mean)),
        stderr=_each(curves, lambda c: plain(c.stderr)),
        samples={split: _samples(metrics) for split, metrics in curves.items()},
        measures=_each(curves, _measures),
        nonfinite=_each(curves, _nonfinite),
        provenance=plain(profile.provenance),
    )


def summarise_surface(surface: "Surface") -> dict[str, Any]:
    """Everything that is known about a surface, in plain values.

    Args:
        surface: From `ridgeline.surface`.

    Returns:
        A dict with ``format``, ``version``, ``x``, ``y``, ``values.<split>.<metric>`` and
        ``stderr.<split>.<metric>`` as lists of rows (``[y][x]``, null where not finite),
        ``lowest.<split>.<metric>`` {value, x, y}, ``nonfinite.<split>.<metric>``, the
        ``corners`` of the three states, ``samples`` and ``provenance``.
    """
    about = surface.provenance.get("splits", {})
    return envelope(
        "surface",
        x=plain(surface.x),
        y=plain(surface.y),
        values=plain(surface.values),
        stderr=plain(surface.stderr),
        lowest={
            split: {name: _lowest(surface, z) for name, z in found.items()}
            for split, found in surface.values.items()
        },
        nonfinite={
            split: {
                name: [
                    {"x": float(surface.x[i]), "y": float(surface.y[j]), "value": called(z[j, i])}
                    for j, i in np.argwhere(~np.isfinite(z))
                ]
                for name, z in found.items()
            }
            for split, found in surface.values.items()
        },
        corners=plain(surface.corners),
        samples={
            split: {"evaluated": e.get("samples_evaluated"), "of": e.get("samples")}
            for split, e in plain(about).items()
        },
        provenance=plain(surface.provenance),
    )


def summarise_layers(
    layers: "Mapping[str, Profile]", whole: "Profile", about: Mapping[str, Any]
) -> dict[str, Any]:
    """A profile of each layer and one of all, in plain values.

    Args:
        layers: From `ridgeline.layerwise`.
        whole: The profile on which every layer moves.
        about: Origin of the numbers.

    Returns:
        ``format``, ``version``, ``whole`` and ``layers.<layer>`` as `summarise` gives them, and
        ``provenance``.
    """
    each = {name: summarise(one) for name, one in layers.items()}
    return envelope("layers", whole=summarise(whole), layers=each, provenance=dict(about))


def plain(value: Any) -> Any:
    """Nested values as JSON has them: lists, string keys, null for what is not finite."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(v) for v in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, str | int | bool) else str(value)


def called(value: Any) -> str:
    """A value that is not finite by its name: nan, inf or -inf."""
    return str(float(value))


def _each(curves: Mapping[str, Mapping[str, Curve]], what: Any) -> dict[str, dict[str, Any]]:
    return {s: {name: what(c) for name, c in found.items()} for s, found in curves.items()}


def _samples(found: Mapping[str, Curve]) -> dict[str, Any]:
    curve = next(iter(found.values()))
    return {
        "evaluated": curve.evaluated,
        "of": curve.population,
        "left_out": {name: c.left_out for name, c in found.items() if c.left_out},
        "scope": curve.scope,
    }


def _nonfinite(curve: Curve) -> list[dict[str, Any]]:
    """Positions at which the mean is not finite, or one sample's value was not."""
    bad = ~np.isfinite(curve.mean) | (curve.nonfinite > 0)
    return [
        {
            "t": float(curve.t[k]),
            "value": called(curve.mean[k]),
            "samples": int(curve.nonfinite[k]),
        }
        for k in np.flatnonzero(bad)
    ]


def _lowest(surface: "Surface", z: np.ndarray) -> dict[str, float] | None:
    if not np.isfinite(z).any():
        return None
    j, i = np.unravel_index(int(np.nanargmin(np.where(np.isfinite(z), z, np.nan))), z.shape)
    return {"value": float(z[j, i]), "x": float(surface.x[i]), "y": float(surface.y[j])}


def _measures(curve: Curve) -> dict[str, Any]:
    why: dict[str, str] = {}

    def measure(name: str, function: Any) -> Any:
        try:
            return plain(function())
        except UsageError as error:
            why[name] = f"{error.rule} Got {error.got}." if error.got else error.rule
            return None

    usual = measures.usual_kind(curve)
    kinds = dict.fromkeys((*BARRIER_KINDS, usual))
    barriers = {kind: measure(kind, partial(_barrier, curve, kind)) for kind in kinds}
    found = {
        "barrier": barriers[usual],
        "barriers": {kind: b for kind, b in barriers.items() if b is not None},
        "monotonicity": _monotonicity(curve),
        "plateau": measure("plateau", lambda: _plateau(curve)),
        "length": measure("length", lambda: asdict(measures.length(curve))),
        "higher_is_better": curve.higher_is_better,
        "chance": plain(curve.chance),
    }
    if usual in why:
        why["barrier"] = why[usual]
    return found | {"why": why}


def _barrier(curve: Curve, kind: BarrierKind) -> dict[str, Any]:
    found: Barrier = measures.barrier(curve, kind)
    return asdict(found) | {"interval": list(found.interval()), "verdict": found.verdict}


def _monotonicity(curve: Curve) -> dict[str, Any]:
    found = measures.monotonicity(curve)
    return plain(asdict(found)) | {"verdict": found.verdict}


def _plateau(curve: Curve) -> dict[str, Any]:
    found = measures.plateau(curve)
    return asdict(found) | {"length": found.length, "relative_area": found.relative_area}
