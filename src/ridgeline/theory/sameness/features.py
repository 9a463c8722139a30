"""Layer-wise linear feature connectivity: whether features between two networks are mixed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ridgeline import state as states
from ridgeline.engine.evaluation import sample_order
from ridgeline.engine.strategies import trace_for
from ridgeline.errors import UnknownName, UsageError
from ridgeline.graph.values import Seen, observe
from ridgeline.measures import Array, Interval, interval
from ridgeline.objective import Objective
from ridgeline.state import State
from ridgeline.theory.sameness.layered import LayerValue, layer_values

__all__ = ["Distance", "FeatureConnectivity", "LayerFeatures", "feature_connectivity"]


@dataclass(frozen=True)
class Distance:
    """A cosine distance ``1 - |<x, y>| / (|x| |y|)`` of features."""

    whole: float
    """Of the features of all samples as one vector."""
    mean: float
    """Mean over samples of the distance of that sample's features."""
    stderr: float
    n: int
    """Samples that the mean is of; those with zero features have no angle and are left out."""

    def interval(self, confidence: float = 0.95) -> Interval:
        """The normal interval of the mean."""
        return interval(self.mean, self.stderr, confidence)


@dataclass(frozen=True)
class LayerFeatures:
    """Features of one layer between two networks."""

    site: LayerValue
    interpolated: Distance
    """Of the features of the network at t from the features mixed at t."""
    between: Distance
    """Of the two networks' features: what `interpolated` is small against."""
    coefficient: float
    """``<f_t, f_mix> / |f_mix|^2``, over all samples: how long f_t is along the mixed features."""
    commutativity: Distance | None
    """Of ``W_a h_a + W_b h_b`` from ``W_a h_b + W_b h_a``, for linear layers and convolutions."""
    additivity: Distance | None
    """Of ``relu(x_a) + relu(x_b)`` from ``relu(x_a + x_b)``, for ReLU."""

    @property
    def ratio(self) -> float:
        """`interpolated` over `between`, of all samples as one; NaN if the latter is zero."""
        return self.interpolated.whole / self.between.whole if self.between.whole else float("nan")


@dataclass(frozen=True)
class FeatureConnectivity:
    """The layers of two networks, in the order of computation."""

    t: float
    layers: tuple[LayerFeatures, ...]
    samples: int

    def layer(self, name: str) -> LayerFeatures:
        """A layer by its site's name.

        Raises:
            UnknownName: If there is none.
        """
        for layer in self.layers:
            if layer.site.name == name:
                return layer
        raise UnknownName("layer", name, [x.site.name for x in self.layers])

    def __str__(self) -> str:
        lines = [f"Features at t = {self.t:g} against mixed ones, {self.samples} samples"]
        lines += [
            f"  {x.site.name} ({x.site.operation}): {x.interpolated.whole:.4f}; between the "
            f"ends {x.between.whole:.4f}; coefficient {x.coefficient:.3f}"
            for x in self.layers
        ]
        return "\n".join(lines)


def feature_connectivity(
    a: State,
    b: State,
    objective: Objective,
    *,
    t: float = 0.5,
    samples: int | None = None,
    only: Sequence[str] | None = None,
    seed: int = 0,
) -> FeatureConnectivity:
    """Layer-wise linear feature connectivity (Zhou et al. 2023).

    Two networks have it if at each layer the features of the network (1 - t) a + t b are, up to
    a factor, those of a and b mixed alike, as of spawned and of aligned networks. The conditions
    that the paper derives it from are measured too [from memory]: *commutativity*, with biases
    left out, and *weak additivity* of ReLU.

    Args:
        a: A state.
        b: Another.
        objective: Gives model, data and statistics policy.
        t: Where, strictly between 0 and 1.
        samples: How many inputs, in a random order; all by default.
        only: Names of sites, such as ``"fc1"`` or ``"relu_1"``; all by default.
        seed: Names the order of samples.

    Returns:
        A record for each linear, convolutional and normalisation layer and ReLU.

    Raises:
        NotTraceable: If the network cannot be traced.
        StateMismatch: If the states differ in their tensors, or are not of the model.
        UnknownName: If `only` names no site.
        UsageError: If t or `samples` is out of range.
    """
    if not 0 < t < 1:
        raise UsageError("Features are mixed strictly between the ends.", got=f"t = {t}")
    points = [objective.tensors(s) for s in (a, b, states.lerp(a, b, t))]
    tally: dict[str, _Tally] = {}
    count = 0
    with objective.computing():
        points = [p | objective.recomputed(p) for p in points]
        for rows in _rows(objective, samples, seed):
            part = objective.samples[rows]
            trace = trace_for(objective, len(part))
            chosen = _chosen(layer_values(trace), only)
            for name, site in chosen.items():
                tally.setdefault(name, _Tally(site, t))
            seen_a, seen_b = {}, {}
            observe(trace, points[0], part.inputs, chosen.__contains__, seen_a.__setitem__)
            observe(trace, points[1], part.inputs, chosen.__contains__, seen_b.__setitem__)

            def see(name: str, seen: Seen, a: Any = seen_a, b: Any = seen_b) -> None:
                tally[name].add(a.pop(name), b.pop(name), seen)

            observe(trace, points[2], part.inputs, chosen.__contains__, see)
            count += len(part)
    return FeatureConnectivity(t, tuple(x.result() for x in tally.values()), count)


def _rows(objective: Objective, samples: int | None, seed: int) -> Iterator[Tensor]:
    if samples is not None and samples < 1:
        raise UsageError("There must be one sample at least.", got=f"{samples}")
    order = sample_order(len(objective), seed, None)[:samples]
    yield from order.to(objective.device).split(objective.rows)


def _chosen(found: dict[str, LayerValue], only: Sequence[str] | None) -> dict[str, LayerValue]:
    if only is None:
        return found
    known = {site.name: node for node, site in found.items()}
    for name in only:
        if name not in known:
            raise UnknownName("site", name, known)
    return {node: site for node, site in found.items() if site.name in only}


@dataclass(eq=False)
class _Tally:
    """Sums over batches for one site."""

    site: LayerValue
    t: float
    sums: dict[str, "_Angle"] = field(default_factory=dict)

    def add(self, a: Seen, b: Seen, mid: Seen) -> None:
        x, y = _features(a), _features(b)
        self._put("interpolated", _features(mid), torch.lerp(x, y, self.t))
        self._put("between", x, y)
        if self.site.kind == "relu":
            together = torch.relu(a.args[0] + b.args[0])
            self._put("additivity", x + y, _flat(together))
        elif self.site.kind == "layer" and self.site.operation != "addmm":
            aa, bb, ab, ba = (_apply(w, h) for w, h in ((a, a), (b, b), (a, b), (b, a)))
            self._put("commutativity", aa + bb, ab + ba)

    def _put(self, what: str, x: Tensor, y: Tensor) -> None:
        self.sums.setdefault(what, _Angle()).add(x, y)

    def result(self) -> LayerFeatures:
        found = {what: angle.distance() for what, angle in self.sums.items()}
        inner = self.sums["interpolated"]
        return LayerFeatures(
            site=self.site,
            interpolated=found["interpolated"],
            between=found["between"],
            coefficient=inner.xy / inner.yy if inner.yy else float("nan"),
            commutativity=found.get("commutativity"),
            additivity=found.get("additivity"),
        )


@dataclass(eq=False)
class _Angle:
    """Inner products of two lists of features, in all and by sample."""

    xy: float = 0.0
    xx: float = 0.0
    yy: float = 0.0
    each: list[Array] = field(default_factory=list)

    def add(self, x: Tensor, y: Tensor) -> None:
        xy, xx, yy = (torch.linalg.vecdot(p, q) for p, q in ((x, y), (x, x), (y, y)))
        self.xy += float(xy.sum())
        self.xx += float(xx.sum())
        self.yy += float(yy.sum())
        self.each.append(_distance(xy.cpu().numpy(), xx.cpu().numpy(), yy.cpu().numpy()))

    def distance(self) -> Distance:
        values = np.concatenate(self.each)
        values = values[~np.isnan(values)]
        n = len(values)
        return Distance(
            whole=float(_distance(np.array(self.xy), np.array(self.xx), np.array(self.yy))),
            mean=float(values.mean()) if n else float("nan"),
            stderr=float(values.std(ddof=1) / n**0.5) if n > 1 else float("nan"),
            n=n,
        )


def _distance(xy: Array, xx: Array, yy: Array) -> Array:
    """The cosine distance; NaN where a vector is zero, never below 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.maximum(1 - np.abs(xy) / np.sqrt(xx * yy), 0)


def _features(seen: Seen) -> Tensor:
    return _flat(seen.value[0] if isinstance(seen.value, tuple) else seen.value)


def _flat(x: Tensor) -> Tensor:
    return x.reshape(len(x), -1).double()


def _apply(weights: Seen, inputs: Seen) -> Tensor:
    """The layer of one network on what the other's took in, without its bias."""
    names = [argument.name for argument in weights.target._schema.arguments]  # type: ignore[attr-defined]  # an operation of aten
    given = dict(zip(names, weights.args, strict=False)) | dict(weights.kwargs)
    given |= {"bias": None, names[0]: inputs.args[0]}
    return _flat(weights.target(**given))
