"""Profiles: an objective along a path."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from ridgeline import measures
from ridgeline.engine import Moments, StrategyName, evaluate
from ridgeline.errors import UnknownName, UsageError, WrongKind
from ridgeline.measures import (
    Array,
    Barrier,
    BarrierKind,
    Curve,
    Length,
    Monotonicity,
    Plateau,
    WholeEnds,
)
from ridgeline.objective import Objective
from ridgeline.paths import Combination, Grid, Path, grid
from ridgeline.profiles.records import about
from ridgeline.progress import Progress, under
from ridgeline.repairs import Repair, along, check_one_network
from ridgeline.state import State

__all__ = ["Objectives", "Precision", "Profile", "as_splits", "profile"]

ROUNDING = 4
"""Units in the last place of the largest mean."""
Objectives = Objective | Mapping[str, Objective]
"""One objective, or several by the name of their split."""


@dataclass(frozen=True, kw_only=True)
class Precision:
    """Precision to which a barrier must be known before no more samples are drawn.

    Args:
        half_width: Of the barrier's interval, in the metric's units.
        relative: Take `half_width` as a share of the barrier's height instead.
        confidence: Of the interval.
        metric: Which metric's barrier.
        kind: Which kind of barrier.
        at_least: Samples below which the interval is not trusted.

    Raises:
        UsageError: If the half-width is not positive.
    """

    half_width: float
    relative: bool = False
    confidence: float = 0.95
    metric: str = "loss"
    kind: BarrierKind = "chord"
    at_least: int = 500

    def __post_init__(self) -> None:
        if not self.half_width > 0:
            raise UsageError("A half-width is positive.", got=f"{self.half_width}")

    def met(self, curve: Curve) -> bool:
        """True if a curve's barrier is known this well."""
        if curve.n < self.at_least:
            return False
        found = measures.barrier(curve, self.kind)
        low, high = found.interval(self.confidence)
        wanted = self.half_width * (abs(found.height) if self.relative else 1)
        return (high - low) / 2 <= wanted


@dataclass(frozen=True, eq=False)
class Profile:
    """Loss and metrics along a path, for one or more splits of the data.

    The methods are the measures of `ridgeline.measures`, on the loss of the first split unless
    another is named.
    """

    t: Array
    """Positions, shape (K,)."""
    curves: dict[str, dict[str, Curve]]
    """Split, then metric, to its curve."""
    provenance: dict[str, Any] = field(default_factory=dict)
    """Where the numbers come from: path, data, policy, engine, versions; plain values."""

    @property
    def splits(self) -> list[str]:
        """Names of the splits."""
        return list(self.curves)

    def curve(self, metric: str = "loss", split: str | None = None) -> Curve:
        """One metric of one split.

        Raises:
            UnknownName: If there is no such split or metric.
        """
        split = split or self.splits[0]
        if split not in self.curves:
            raise UnknownName("split", split, self.curves)
        if metric not in self.curves[split]:
            raise UnknownName("metric", metric, self.curves[split])
        return self.curves[split][metric]

    def barrier(
        self, kind: BarrierKind | None = None, *, metric: str = "loss", split: str | None = None
    ) -> Barrier:
        """The barrier; see `measures.barrier`."""
        curve = self.curve(metric, split)
        known = [*measures.BARRIER_KINDS, "layer"]
        if kind not in known and kind in self.curves[split or self.splits[0]]:
            remedy = f"Of the metric of that name: metric={kind!r}."
            raise UnknownName("kind of barrier", str(kind), known, remedy)
        return measures.barrier(curve, kind)

    def instability(self, *, metric: str = "error", split: str | None = None) -> Barrier:
        """The linear interpolation instability; see `measures.instability`."""
        return measures.instability(self.curve(metric, split))

    def monotonicity(
        self, tolerance: float = 1e-3, *, metric: str = "loss", split: str | None = None
    ) -> Monotonicity:
        """Monotone or not; see `measures.monotonicity`."""
        return measures.monotonicity(self.curve(metric, split), tolerance)

    def plateau(
        self, *, metric: str = "loss", split: str | None = None, threshold: float | None = None
    ) -> Plateau:
        """The plateau at the start; see `measures.plateau`."""
        return measures.plateau(self.curve(metric, split), threshold=threshold)

    def length(self, *, metric: str = "loss", split: str | None = None) -> Length:
        """Arc and Gauss length of the graph; see `measures.length`."""
        return measures.length(self.curve(metric, split))

    def __str__(self) -> str:
        lines = [f"Profile of {len(self.t)} points, t from {self.t[0]:g} to {self.t[-1]:g}"]
        for split, metrics in self.curves.items():
            for name, curve in metrics.items():
                low, high = np.min(curve.mean), np.max(curve.mean)
                left = f", {curve.left_out} more do not count" if curve.left_out else ""
                lines.append(
                    f"  {split} {name}: {low:.4g} to {high:.4g} over {curve.n} samples{left}"
                )
        return "\n".join(lines)


def profile(
    path: Path,
    objective: Objectives,
    *,
    points: Grid = 51,
    extrapolate: bool = False,
    strategy: StrategyName = "auto",
    precision: Precision | float | None = None,
    progress: Progress | None = None,
    interrupted: Callable[[], bool] | None = None,
    seed: int = 0,
    repair: Repair | None = None,
    whole: tuple[State, State] | None = None,
) -> Profile:
    """Measure an objective along a path.

    Args:
        path: From a position to a state.
        objective: What is measured; several by split name are measured one after another.
        points: Number of equally spaced positions, or the positions.
        extrapolate: Allow positions outside [0, 1].
        strategy: How the engine evaluates; measured and chosen by default.
        precision: Draw samples in random order only until the barrier's 95 % half-width is
            below this (a number, in the loss' units), instead of using all. Applies to each split.
        progress: Told how far the work is.
        interrupted: Asked between chunks; True ends the work, keeping what is done: samples come
            in random order, so what was seen is a fair sample, and its n is in the result.
        seed: Names the random order of samples.
        repair: Set the statistics of each position's layers to those between the path's ends
            before it is measured; the ends stay as they are. All splits are measured on one
            repaired network: with several of them the repair has data of its own, or all
            objectives one calibration.
        whole: The two networks between which only a part moves along the path. They are measured
            on the same samples, so that the barrier of that part can be told (`layer_barrier`).

    Returns:
        Curves with their joint covariance, and their provenance.

    Raises:
        GridError: If the positions do not increase or leave [0, 1] without leave.
        StateMismatch: If the path's states are not the model's.
        UnknownName: If the strategy, or the precision's metric, is unknown.
        NotTraceable: If a repair is asked for and the network cannot be traced.
        UsageError: If path or objective are of another kind; if a repair is asked for outside of
            [0, 1], has nothing to repair, or would give each split another network.
    """
    if not isinstance(path, Path):
        remedy = "It comes first: `rl.profile(path, objective)`."
        raise WrongKind("A path is such as `rl.Line(a, b)`.", path, name="path", remedy=remedy)
    t = grid(points, extrapolate=extrapolate)
    if repair is not None:
        check_one_network(repair, as_splits(objective))
    combination = path.combination(t)
    wanted = Precision(half_width=precision) if isinstance(precision, int | float) else precision
    beside, rows = _beside(combination, whole)
    curves: dict[str, dict[str, Curve]] = {}
    engine: dict[str, Any] = {}
    for split, goal in as_splits(objective).items():
        if wanted and wanted.metric not in goal.metrics:
            raise UnknownName("metric for the precision", wanted.metric, goal.metrics)

        def enough(moments: dict[str, Moments], _: int, goal: Objective = goal) -> bool:
            assert wanted is not None
            return wanted.met(_curve(t, wanted.metric, moments[wanted.metric], goal, rows))

        corrected, policy = (
            along(repair, path, t, combination, goal) if repair is not None else (None, None)
        )
        found = evaluate(
            goal,
            combination,
            strategy=strategy,
            enough=enough if wanted else None,
            interrupted=interrupted,
            progress=under(progress, split),
            seed=seed,
            places=[f"t = {s:g}" for s in t],
            overrides=corrected,
            beside=beside,
        )
        curves[split] = {n: _curve(t, n, m, goal, rows) for n, m in found.moments.items()}
        engine[split] = about(found) | {"objective": goal.provenance()}
        if policy is not None:
            engine[split]["repair"] = policy
        if found.stopped == "interrupted":
            break
    record = {
        "path": {"kind": type(path).__name__, "points": len(t)},
        "seed": seed,
        "splits": engine,
    }
    return Profile(t, curves, record)


def as_splits(objective: Objectives) -> Mapping[str, Objective]:
    """Objectives by split; a single one is the split ``data``.

    Where one of them is of ``train``, statistics are recomputed on its inputs for all that were
    given nothing to calibrate on, as on the command line.
    """
    given = objective if isinstance(objective, Mapping) else {"data": objective}
    for goal in given.values():
        if not isinstance(goal, Objective):
            rule = "What is measured is an `rl.Objective`, or several by the names of splits."
            raise WrongKind(rule, goal, name="objective")
    if not given:
        raise UsageError("There must be an objective for one split at least.", got="none")
    train = given.get("train")
    if train is None:
        return given
    on = train.calibration_data or train.samples
    alone = {n for n, goal in given.items() if goal.calibration_data is None}
    return {n: g.calibrated(on) if n in alone and g.normalisers else g for n, g in given.items()}


def _beside(
    combination: Combination, whole: tuple[State, State] | None
) -> tuple[Combination | None, list[int]]:
    """The whole networks that are no position of the path, and the rows at which both are.

    One of them mostly is: the network that the parts which stand still are of.
    """
    if whole is None:
        return None, []
    count, rows, further = len(combination), [], []
    for state in whole:
        ends = ((k, combination.state(k)) for k in (0, count - 1))
        there = next((k for k, x in ends if _same(x, state)), None)
        if there is None:
            further.append(state)
        rows.append(count + len(further) - 1 if there is None else there)
    if not further:
        return None, rows
    return Combination(tuple(further), (np.eye(len(further)),), {}), rows


def _same(x: State, y: State) -> bool:
    return all(tensor is y[name] or torch.equal(tensor, y[name]) for name, tensor in x.items())


def _curve(
    t: Array, name: str, moments: Moments, objective: Objective, whole: Sequence[int] = ()
) -> Curve:
    """The curve of a metric; `whole` are the rows of the two whole networks."""
    k, mean, covariance = len(t), moments.mean, moments.covariance
    at = [*range(k), *whole]
    return Curve(
        t=t,
        mean=mean[:k],
        covariance=covariance[:k, :k],
        n=moments.n,
        population=len(objective),
        nonfinite=moments.nonfinite[:k],
        rounding=_rounding(mean[:k], objective),
        whole=WholeEnds(mean[list(whole)], covariance[np.ix_(at, at)]) if whole else None,
        higher_is_better=objective.higher_is_better[name],
        chance=objective.chance(name),
        left_out=moments.left_out,
    )


def _rounding(mean: Array, objective: Objective) -> float:
    """Most that rounding may add to a difference of means: a few units in the last place."""
    eps = torch.finfo(objective.autocast or objective.dtype).eps
    return ROUNDING * eps * float(np.abs(mean[np.isfinite(mean)]).max(initial=0.0))
