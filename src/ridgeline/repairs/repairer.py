"""The repair of states between two ends, with what was measured of them."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from ridgeline.errors import UsageError
from ridgeline.objective import Objective, collect
from ridgeline.objective.statistics import recompute
from ridgeline.repairs.corrections import Correction, Factors, factors
from ridgeline.repairs.moments import JointMoments, Moments, columns
from ridgeline.repairs.running import Graphs, Run, each
from ridgeline.repairs.sites import Normaliser, Site, chosen, hidden, normalisers, sites
from ridgeline.state import State, check_finite, tensors_of, ties, wide

__all__ = ["KINDS", "At", "RepairKind", "Repairer", "Share"]

RepairKind = Literal["forward", "closed-form", "statistics"]
KINDS: tuple[RepairKind, ...] = ("forward", "closed-form", "statistics")
At = Sequence[str] | Literal["hidden"] | None
"""Names of layers or of weights, those before the last, or all."""
Share = float | Sequence[float]
"""Weights of the ends: a position t between two, (1 - t, t); or one share for each of k."""


class Repairer:
    """Corrects states between two ends or more; see `Repair.between` and `Repair.among`.

    Args:
        ends: Two states at least.
        objective: Gives the network, device, dtype and policy for statistics.
        kind: As of `Repair`; so are the others.
        at: Which layers.
        data: On which statistics are taken.

    Attributes:
        sites: Layers that are corrected, in order.
        left: Other layers, each with the reason why.
        samples: What statistics are taken on.
        on: Where those come from, in words.
    """

    def __init__(
        self,
        ends: Sequence[State],
        objective: Objective,
        *,
        kind: RepairKind = "forward",
        at: At = None,
        data: Any = None,
    ) -> None:
        if len(ends) < 2:
            raise UsageError("A repair is between two ends at least.", got=f"{len(ends)}")
        for i, end in enumerate(ends):
            check_finite(end, f"end {i}")
        self.kind, self.at, self.objective, self.count = kind, at, objective, len(ends)
        self.on = "the objective's own inputs"
        self.samples = objective.samples
        if objective.calibration_data is not None:
            self.on, self.samples = "calibration data", objective.calibration_data
        if data is not None:
            self.on = "given data"
            given = collect(data, labelled=False)
            self.samples = given.to(objective.device, objective.dtype)
        self.sites: tuple[Site, ...] = ()
        self.left: tuple[Site, ...] = ()
        self.stops: list[Site | Normaliser] = []
        held = [objective.tensors(end) for end in ends]
        if kind != "statistics":
            with torch.no_grad():
                self._find(held)
        if not self.sites and not objective.normalisers:
            # A weight that is used twice is two sites.
            reasons = "; ".join(dict.fromkeys(f"{s.weight}: {s.why}" for s in self.left))
            raise UsageError(
                "A repair needs layers whose weights are tensors of the state, or running "
                "statistics.",
                got=reasons or "a network with none",
            )

    def _find(self, ends: list[dict[str, Tensor]]) -> None:
        """The layers, and the ends' statistics on them in one pass."""
        self.graphs = Graphs(self.objective, self.samples)
        found = sites(self.graphs.trace)
        at = self.at
        wanted = hidden(self.graphs.trace, found) if at == "hidden" else chosen(found, at)  # type: ignore[arg-type]  # names, where it is not that word
        self.sites = tuple(s for s in wanted if s.can in ("mean and deviation", "deviation"))
        self.left = tuple(s for s in found if s not in self.sites)
        order = {n.name: i for i, n in enumerate(self.graphs.trace.graph.nodes)}
        stops: list[Site | Normaliser] = [*self.sites, *normalisers(self.graphs.trace)]
        self.stops = sorted(stops, key=lambda s: (order[_seen(s)], isinstance(s, Normaliser)))
        pairs = self.kind == "closed-form"
        values = {s.value: JointMoments(self.count, pairs=pairs) for s in self.sites}
        axes = {s.value: s.axis for s in self.sites}
        ends = [self._settled(end) for end in ends]
        for value, seen in each(self.graphs, ends, sorted(values, key=order.__getitem__)):
            values[value].add([columns(x, axes[value]) for x in seen])
        self.moments = values

    def _settled(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """An end with its statistics as the objective's policy sets them."""
        policy = self.objective.statistics == "recompute"
        return {**tensors, **(self._statistics(tensors) if policy else {})}

    def _statistics(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        if not self.objective.normalisers:
            return {}
        rows = self.objective.calibration_rows
        return recompute(self.objective.network, tensors, self.samples, rows)

    def shares(self, t: Share) -> tuple[float, ...]:
        """One share for each end, that sum to one.

        Raises:
            UsageError: If they lie outside of the ends: standard deviations do not extrapolate.
        """
        if isinstance(t, int | float):
            if self.count != 2 or not 0 <= t <= 1:
                raise UsageError(
                    "A repair is between the ends: t lies in [0, 1]; of more than two ends each "
                    "has a share.",
                    got=f"t = {t:g} of {self.count} ends",
                )
            return 1 - t, float(t)
        given, total = [float(w) for w in t], float(sum(t))
        if len(given) != self.count or not total > 0 or min(given) < 0 or total == float("inf"):
            raise UsageError(
                f"There is one share, not negative, for each of {self.count} ends.", got=f"{given}"
            )
        return tuple(w / total for w in given)

    def goal(self, site: Site, t: Share) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation that a layer's channels should have at t; (C,) each."""
        held = list(zip(self.shares(t), self.moments[site.value].each, strict=True))
        mean = torch.stack([w * m.average for w, m in held]).sum(0)
        return mean, torch.stack([w * m.deviation for w, m in held]).sum(0)

    def correction(self, state: Mapping[str, Tensor], t: Share) -> Correction:
        """Return what is to be changed in a state at position t.

        Args:
            state: At t, with the network's tensors.
            t: Position in [0, 1], or shares of the ends; at the ends nothing is changed.

        Raises:
            UsageError: If t lies outside of the ends: standard deviations do not extrapolate.
            StateMismatch: If the state is not the network's.
        """
        if max(self.shares(t)) == 1:
            return Correction()
        tensors = self.objective.tensors(state)
        with torch.no_grad():
            if self.kind == "forward":
                return self._forward(tensors, t)
            if self.kind == "closed-form":
                layers = Correction(tuple(self._expected(site, t) for site in self.sites))
                return Correction(layers.layers, self._statistics(layers(tensors)))
            return Correction((), self._statistics(tensors))

    def _forward(self, tensors: dict[str, Tensor], t: Share) -> Correction:
        """Layer by layer, each measured after those before it were corrected."""
        run = Run(self.graphs, tensors)
        layers, statistics = [], {}
        for stop in self.stops:
            moments = Moments()
            for value in run.at(_seen(stop)):
                moments.add(columns(value, stop.axis if isinstance(stop, Site) else 1))
            if isinstance(stop, Site):
                found = self._measured(stop, moments, t)
                layers.append(found)
                run.change(stop.value, found)
            else:
                # Running variances are of a sample of a population, as torch keeps them.
                unbiased = moments.n / max(1, moments.n - 1)
                new = {stop.mean: moments.average, stop.variance: moments.variance * unbiased}
                statistics |= {name: x.to(tensors[name].dtype) for name, x in new.items()}
                run.tensors.update(statistics)
        return Correction(tuple(layers), statistics)

    def _expected(self, site: Site, t: Share) -> Factors:
        """Factors from the ends' statistics: the layer's inputs taken as the ends' mixed."""
        variance = self.moments[site.value].mixed(self.shares(t))
        mean, wanted = self.goal(site, t)
        # Variances that cancel leave the square root of their rounding.
        noise = torch.maximum(self._rounding * mean.abs(), self._rounding**0.5 * wanted)
        return factors(site, mean, variance.sqrt(), (mean, wanted), noise)

    def _measured(self, site: Site, moments: Moments, t: Share) -> Factors:
        """Factors from the merged network's own statistics."""
        mean, wanted = self.goal(site, t)
        noise = self._rounding * torch.maximum(moments.average.abs(), wanted)
        return factors(site, moments.average, moments.deviation, (mean, wanted), noise)

    @property
    def _rounding(self) -> float:
        """Share of a channel's size below which it does not vary.

        Sums of products err by several units in the last place. Half types are rounded once, when
        a sum is done, and one unit there is already as much as a collapsed channel varies.
        """
        kind = torch.finfo(self.objective.dtype)
        return kind.eps if kind.bits == 16 else 16 * kind.eps

    def tensors(self, state: State, t: Share) -> dict[str, Tensor]:
        """Return what the network computes with at t: the repaired state, as the objective runs it.

        Statistics that the repair sets are the repair's; others follow the objective's policy.

        Args:
            state: At position t.
            t: Position in [0, 1], or shares of the ends.
        """
        correction = self.correction(state, t)
        tensors = correction(self.objective.tensors(state))
        with self.objective.computing():
            policy = self.objective.recomputed(tensors)
        kept = {n: x for n, x in policy.items() if n not in correction.statistics}
        return {**tensors, **kept}

    def __call__(self, state: State, t: Share) -> State:
        """The repaired state: plain, of the same names, types and devices.

        Args:
            state: At position t.
            t: Position in [0, 1], or shares of the ends; at an end the state itself is given back.
        """
        correction = self.correction(state, t)
        result = dict(state)
        for name in dict.fromkeys(correction.names):
            before = wide(state[name]) if state[name].is_floating_point() else state[name]
            result[name] = correction.tensor(name, before).to(state[name].dtype)
        for first, *others in ties(tensors_of(self.objective.network.module)):
            result |= {other: result[first] for other in others if other in state}
        return result

    def provenance(self) -> dict[str, Any]:
        """The policy, in plain values."""
        about: dict[str, Any] = {
            "kind": self.kind,
            "on": self.on,
            "samples": len(self.samples),
            "data": self.samples.fingerprint(),
        }
        if self.kind != "statistics":
            about["layers"] = [s.weight for s in self.sites]
            about["deviation only"] = [s.weight for s in self.sites if s.can == "deviation"]
            about["left"] = {s.weight: s.why or "not among the layers named" for s in self.left}
        about["statistics"] = len(self.objective.normalisers)
        return about


def _seen(stop: Site | Normaliser) -> str:
    """The node at which a run stops to look."""
    return stop.value if isinstance(stop, Site) else stop.takes
