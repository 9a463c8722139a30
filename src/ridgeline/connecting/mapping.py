"""The verb that maps minima: which are connected, how high between, and where to look next."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ridgeline.connecting.contract import Strategy, check_objective, check_strategy
from ridgeline.connecting.elastic import ElasticBand
from ridgeline.connecting.minima import MinimaGraph
from ridgeline.connecting.trees import Edge, next_pair
from ridgeline.errors import UsageError
from ridgeline.objective import Objective
from ridgeline.paths import Polygon
from ridgeline.profiles import profile
from ridgeline.progress import Progress, silent
from ridgeline.rng import seed_of
from ridgeline.state import State

__all__ = ["minima_graph"]

POINTS = 61
"""Positions at which a path is measured that brings no measurement of its own."""


def minima_graph(
    states: Sequence[State],
    objective: Objective,
    *,
    by: Strategy | None = None,
    names: Sequence[str] | None = None,
    budget: int | None = None,
    tolerance: float = 1e-3,
    seed: int = 0,
    progress: Progress | None = None,
    known: MinimaGraph | None = None,
) -> MinimaGraph:
    """Connect many minima, and find the lowest known way between any two (Draxler et al. 2018).

    The lowest minimum is connected to all others; then the highest edge of the minimum spanning
    tree is replaced, again and again, as long as it stands above what every path must climb to.

    Args:
        states: Two minima or more.
        objective: The loss, training data as a rule.
        by: The strategy that connects two; an elastic band by default.
        names: What to call them; their numbers by default.
        budget: Paths to look for at most, those of `known` not counted; all that may help by
            default.
        tolerance: Share of the range of the minima's losses and saddles up to which an edge counts
            as low as can be.
        seed: Names the draws; each pair has its own.
        progress: Told of paths.
        known: A graph of the same minima, to go on from.

    Returns:
        The graph.

    Raises:
        UsageError: If there are fewer than two minima, or names are not one for each.
        StateMismatch: If the states are not the model's.
    """
    check_objective(objective)
    strategy = ElasticBand() if by is None else by
    check_strategy(strategy)
    given, tell = list(states), progress or silent
    if len(given) < 2:
        raise UsageError("A graph has two minima at least.", got=str(len(given)))
    if budget is not None and budget < 0:
        raise UsageError("`budget` is a number of paths, 0 or more.", got=str(budget))
    called = tuple(names) if names is not None else tuple(str(k) for k in range(len(given)))
    if len(called) != len(given) or len(set(called)) < len(called):
        raise UsageError(
            "Each minimum has a name of its own.", got=f"{', '.join(called)} for {len(given)}"
        )
    losses = _losses(given, objective, known)
    edges = list(known.edges) if known is not None else []
    best = dict(MinimaGraph(names=called, losses=losses, edges=tuple(edges)).best)
    most = len(given) * (len(given) - 1) // 2 - len(best)
    most = most if budget is None else min(most, budget)
    done = 0
    while done < most:
        heights = [*losses, *(edge.saddle for edge in best.values())]
        pair = next_pair(losses, best, tolerance * float(np.ptp(heights)))
        if pair is None:
            break
        i, j = pair
        tell(f"{called[i]} - {called[j]}", done, most)
        found = strategy.connect(
            given[i],
            given[j],
            objective,
            seed=seed_of(seed, "minima", *sorted(pair)),
            progress=None,
            keep=None,
        )
        height, at = _highest(found, objective)
        edge = Edge(a=i, b=j, saddle=height, at=at, found=found)
        edges.append(edge)
        best[edge.pair] = edge
        done += 1
    tell("minima", most, most)
    return MinimaGraph(names=called, losses=losses, edges=tuple(edges), notes=_notes(called, best))


def _losses(
    states: Sequence[State], objective: Objective, known: MinimaGraph | None
) -> tuple[float, ...]:
    if known is not None and len(known) != len(states):
        raise UsageError(
            "A graph that is gone on from is of the same minima.",
            got=f"one of {len(known)} for {len(states)}",
        )
    found = []
    for k, state in enumerate(states):
        objective.check(state, f"minimum {k}")
        found.append(float(objective(state)["loss"].double().mean()))
    return tuple(found)


def _highest(found: Any, objective: Objective) -> tuple[float, float]:
    """The largest loss on a path, and its position."""
    measured = getattr(found, "profile", None)
    if measured is None:
        path = found.path
        points = np.linspace(0, 1, POINTS)
        if isinstance(path, Polygon):
            points = np.union1d(points, path.knots)
        measured = profile(path, objective, points=points)
    mean = np.nan_to_num(measured.curve().mean, nan=np.inf)
    top = int(mean.argmax())
    return float(mean[top]), float(measured.t[top])


def _notes(names: Sequence[str], best: dict[tuple[int, int], Edge]) -> tuple[str, ...]:
    wild = [e for e in best.values() if not np.isfinite(e.saddle)]
    return tuple(
        f"The path between {names[e.a]} and {names[e.b]} has a loss that is not finite."
        for e in wild
    )
