"""Repair: the statistics of each layer set to those that lie between the ends'.

Between two networks the variance of the layers' outputs collapses, the more the deeper the layer,
and what varies with the input drowns in what does not (Jordan et al. 2022, "REPAIR", section 3).
Repairing sets the mean and standard deviation of every channel of every layer's output to

    mu_t = (1 - t) mu_a + t mu_b,    sigma_t = (1 - t) sigma_a + t sigma_b,

and since that is a factor and a shift for each channel, it goes into the weight and the bias: what
comes out is an ordinary state of the same network. Where running statistics follow a layer they
undo any factor and shift, and it is they that are set.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from ridgeline.errors import UnknownName, UsageError
from ridgeline.objective import Objective, collect
from ridgeline.objective.statistics import recompute
from ridgeline.repairs.corrections import Correction, Factors, factors
from ridgeline.repairs.moments import Moments, PairMoments, columns
from ridgeline.repairs.running import Graphs, Run, each
from ridgeline.repairs.sites import Normaliser, Site, chosen, normalisers, sites
from ridgeline.state import State, ties, wide

__all__ = ["KINDS", "Repair", "RepairKind", "Repairer"]

RepairKind = Literal["forward", "closed form", "statistics"]
KINDS: tuple[RepairKind, ...] = ("forward", "closed form", "statistics")


@dataclass(frozen=True, eq=False)
class Repair:
    """How states between two ends are repaired.

    Args:
        data: Inputs on which statistics are taken, as for `Objective`; labels are not looked at.
            The objective's own inputs by default.
        at: Names of layers, or of weights, that are corrected; all by default.
        kind: ``"forward"`` measures the merged network layer by layer, each after those before it
            were corrected: exact. ``"closed form"`` expects its deviations from those of the ends
            and their covariance, without a pass through it (Jordan et al. 2022, authors' code,
            which takes the correlation after the activation, here before it): exact for layers
            that read the data, too weak behind layers whose units match badly.
            ``"statistics"`` sets running statistics alone ("reset").

    Raises:
        UnknownName: If there is no such kind.
        UsageError: If layers are named for a repair of statistics alone.
    """

    data: Any = None
    at: Sequence[str] | None = None
    kind: RepairKind = "forward"

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UnknownName("kind of repair", self.kind, KINDS)
        if isinstance(self.at, str):
            object.__setattr__(self, "at", (self.at,))
        if self.kind == "statistics" and self.at is not None:
            raise UsageError("Statistics are set all together.", got=f"layers {', '.join(self.at)}")

    def between(self, a: State, b: State, objective: Objective) -> "Repairer":
        """The repair of states between two ends.

        Args:
            a: The end at t = 0.
            b: The end at t = 1.
            objective: Gives the network, device, dtype and policy for statistics.

        Raises:
            StateMismatch: If the ends are not the network's.
            NotTraceable: If the network cannot be traced.
            UnknownName: If there is no layer of a given name.
            UsageError: If nothing of the network can be repaired.
        """
        return Repairer(self, a, b, objective)


class Repairer:
    """Corrects states between two ends; see `Repair.between`.

    Attributes:
        sites: Layers that are corrected, in order.
        left: Other layers, each with the reason why.
    """

    def __init__(self, repair: Repair, a: State, b: State, objective: Objective) -> None:
        self.repair, self.objective = repair, objective
        data = objective.samples
        if repair.data is not None:
            data = collect(repair.data, labelled=False).to(objective.device, objective.dtype)
        self.samples = data
        self.sites: tuple[Site, ...] = ()
        self.left: tuple[Site, ...] = ()
        self.stops: list[Site | Normaliser] = []
        ends = objective.tensors(a), objective.tensors(b)
        if repair.kind != "statistics":
            with torch.no_grad():
                self._find(*ends)
        if not self.sites and not objective.normalisers:
            reasons = "; ".join(f"{s.weight}: {s.why}" for s in self.left)
            raise UsageError(
                "A repair needs layers whose weights are tensors of the state, or running "
                "statistics.",
                got=reasons or "a network with none",
            )

    def _find(self, a: dict[str, Tensor], b: dict[str, Tensor]) -> None:
        """The layers, and the ends' statistics on them in one pass."""
        self.graphs = Graphs(self.objective, self.samples)
        found = sites(self.graphs.trace)
        wanted = chosen(found, self.repair.at)
        self.sites = tuple(s for s in wanted if s.can in ("mean and deviation", "deviation"))
        self.left = tuple(s for s in found if s not in self.sites)
        order = {n.name: i for i, n in enumerate(self.graphs.trace.graph.nodes)}
        stops: list[Site | Normaliser] = [*self.sites, *normalisers(self.graphs.trace)]
        self.stops = sorted(stops, key=lambda s: (order[_seen(s)], isinstance(s, Normaliser)))
        values = {s.value: PairMoments(Moments(), Moments()) for s in self.sites}
        axes = {s.value: s.axis for s in self.sites}
        ends = [self._settled(a), self._settled(b)]
        for value, (x, y) in each(self.graphs, ends, sorted(values, key=order.__getitem__)):
            values[value].add(columns(x, axes[value]), columns(y, axes[value]))
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

    def goal(self, site: Site, t: float) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation that a layer's channels should have at t; (C,) each."""
        a, b = self.moments[site.value].a, self.moments[site.value].b
        mean = (1 - t) * a.average + t * b.average
        return mean, (1 - t) * a.deviation + t * b.deviation

    def correction(self, state: Mapping[str, Tensor], t: float) -> Correction:
        """What is to be changed in a state at position t.

        Args:
            state: At t, with the network's tensors.
            t: Position in [0, 1]; at the ends nothing is changed.

        Raises:
            UsageError: If t lies outside [0, 1]: standard deviations do not extrapolate.
            StateMismatch: If the state is not the network's.
        """
        if not 0 <= t <= 1:
            raise UsageError("A repair is between the ends: t lies in [0, 1].", got=f"t = {t:g}")
        if t in (0, 1):
            return Correction()
        tensors = self.objective.tensors(state)
        with torch.no_grad():
            if self.repair.kind == "forward":
                return self._forward(tensors, t)
            if self.repair.kind == "closed form":
                layers = Correction(tuple(self._expected(site, t) for site in self.sites))
                return Correction(layers.layers, self._statistics(layers(tensors)))
            return Correction((), self._statistics(tensors))

    def _forward(self, tensors: dict[str, Tensor], t: float) -> Correction:
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

    def _expected(self, site: Site, t: float) -> Factors:
        """Factors from the ends' statistics: the layer's inputs taken as the ends' mixed."""
        both = self.moments[site.value]
        variance = (1 - t) ** 2 * both.a.variance + t**2 * both.b.variance
        variance = (variance + 2 * t * (1 - t) * both.covariance).clamp(min=0)
        mean, wanted = self.goal(site, t)
        # Variances that cancel leave the square root of their rounding.
        noise = torch.maximum(self._rounding * mean.abs(), self._rounding**0.5 * wanted)
        return factors(site, mean, variance.sqrt(), (mean, wanted), noise)

    def _measured(self, site: Site, moments: Moments, t: float) -> Factors:
        """Factors from the merged network's own statistics."""
        mean, wanted = self.goal(site, t)
        noise = self._rounding * torch.maximum(moments.average.abs(), wanted)
        return factors(site, moments.average, moments.deviation, (mean, wanted), noise)

    @property
    def _rounding(self) -> float:
        return 16 * torch.finfo(self.objective.dtype).eps

    def __call__(self, state: State, t: float) -> State:
        """The repaired state: plain, of the same names, types and devices.

        Args:
            state: At position t.
            t: Position in [0, 1]; at the ends the state itself is given back.
        """
        correction = self.correction(state, t)
        result = dict(state)
        for name in dict.fromkeys(correction.names):
            before = wide(state[name]) if state[name].is_floating_point() else state[name]
            result[name] = correction.tensor(name, before).to(state[name].dtype)
        for first, *others in ties(self.objective.network.module.state_dict(keep_vars=True)):
            result |= {other: result[first] for other in others if other in state}
        return result

    def provenance(self) -> dict[str, Any]:
        """The policy, in plain values."""
        about: dict[str, Any] = {
            "kind": self.repair.kind,
            "on": "the objective's own inputs" if self.repair.data is None else "given data",
            "samples": len(self.samples),
            "data": self.samples.fingerprint(),
        }
        if self.repair.kind != "statistics":
            about["layers"] = [s.weight for s in self.sites]
            about["deviation only"] = [s.weight for s in self.sites if s.can == "deviation"]
            about["left"] = {s.weight: s.why or "not among the layers named" for s in self.left}
        about["statistics"] = len(self.objective.normalisers)
        return about


def _seen(stop: Site | Normaliser) -> str:
    """The node at which a run stops to look."""
    return stop.value if isinstance(stop, Site) else stop.takes
