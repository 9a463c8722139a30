"""The engine: one objective at K states, exact, in one pass over the data.

The batch is outermost: each chunk of samples is read once and evaluated at all positions, so
that values stay paired by sample and only their moments are kept. Samples are taken in one
fixed random order; an evaluation that is stopped early, because its answer is known or because
the user asked, has seen a random sample of the data and says of how many.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ridgeline import rng
from ridgeline.engine.choice import Choice, StrategyName, choose
from ridgeline.engine.moments import Moments
from ridgeline.engine.residents import Overrides, Resident, gather_statistics
from ridgeline.engine.strategies import Loop, Strategy
from ridgeline.errors import ForwardFailed, RidgelineError, UsageError
from ridgeline.objective import Objective, Samples
from ridgeline.paths import Combination
from ridgeline.progress import Progress
from ridgeline.state import tensors_of, ties

__all__ = ["Evaluation", "evaluate", "outputs_at", "sample_order"]

MOST_STRATA = 1000


@dataclass(frozen=True)
class Evaluation:
    """Moments of every metric at K positions, and how they came about."""

    moments: dict[str, Moments]
    samples: int
    """Samples in the data."""
    seconds: float
    choice: Choice
    evaluations: int
    """Samples times positions that were evaluated."""
    stopped: str = ""
    """Why not all samples were seen; empty if they were."""
    statistics: dict[str, Any] = field(default_factory=dict)


def evaluate(
    objective: Objective,
    combination: Combination,
    *,
    strategy: StrategyName = "auto",
    joint: bool = True,
    enough: Callable[[dict[str, Moments], int], bool] | None = None,
    interrupted: Callable[[], bool] | None = None,
    progress: Progress | None = None,
    seed: int = 0,
    places: Sequence[str] | None = None,
    overrides: Overrides | None = None,
    beside: Combination | None = None,
) -> Evaluation:
    """Evaluate an objective at every position of a combination.

    Args:
        objective: What is measured.
        combination: K states.
        strategy: How; measured and chosen by default.
        joint: Keep the covariance across positions; variances only otherwise (for surfaces).
        enough: Asked after each chunk, with the moments so far and their n; True ends the
            evaluation. Given this, samples are stratified by class where targets are classes.
        interrupted: Asked after each chunk; True ends the evaluation.
        progress: Told of samples.
        seed: Names the random order of samples.
        places: What to call each position in an error, such as ``t = 0.5``.
        overrides: Tensors that replace the combination's at each position, by name: a repair's.
            Those that are statistics win over what the policy would recompute.
        beside: Further states, evaluated one by one on the same samples: the last rows of the
            moments. What the others share is not lost by them.

    Returns:
        The moments and the record of the work.

    Raises:
        StateMismatch: If the states are not the model's.
        ForwardFailed: If the model or a metric raises, saying at which position and batch.
        DataError: If a metric is of none of the samples.
    """
    start = time.perf_counter()
    _check(objective, combination)
    more = 0 if beside is None else len(beside)
    samples, own_count = objective.samples, len(combination)
    count = own_count + more
    strata = _strata(samples.targets) if enough is not None else None
    order = sample_order(len(samples), seed, strata)
    classes = int(strata.max()) + 1 if strata is not None else 1
    moments = {name: Moments(count, joint, classes) for name in objective.metrics}
    told = list(places or [f"position {k} of {own_count}" for k in range(own_count)])
    told += [f"state {k} beside them" for k in range(more)]
    stopped, done = "", 0
    with objective.computing():
        # Statistics that a repair sets are its answer: they are not gathered over it.
        given = dict(overrides or {})
        replaced = {**gather_statistics(objective, combination, given), **given}
        resident = Resident(objective, combination, replaced)
        work, choice = choose(objective, resident, strategy, len(samples))
        others = None
        if beside is not None:
            _check(objective, beside)
            held = Resident(objective, beside, gather_statistics(objective, beside))
            others = Loop(objective, held)
        for rows in _chunks(order, choice.rows, enough is not None):
            chunk = samples[rows.to(objective.device)]
            own = None if strata is None else strata[rows]
            found = _values(objective, work, chunk, told[:own_count], done)
            if others is not None:
                further = _values(objective, others, chunk, told[own_count:], done)
                found = {name: _joined(pair, further[name]) for name, pair in found.items()}
            for name, (values, weights) in found.items():
                moments[name].add(values, own, weights)
            done += len(rows)
            if progress:
                progress("samples", done, len(samples))
            if done == len(samples):
                break
            if enough is not None and enough(moments, done):
                stopped = "precise enough"
            elif interrupted is not None and interrupted():
                stopped = "interrupted"
            if stopped:
                break
    if not stopped:  # of some samples only, the next might have counted
        for name, moment in moments.items():
            objective.counted(name, range(moment.n))
    return Evaluation(
        moments, len(samples), time.perf_counter() - start, choice, done * count, stopped
    )


def _check(objective: Objective, combination: Combination) -> None:
    """Refuse states that are not the model's, and names of one tensor that move apart."""
    for state in combination.basis:
        objective.check(state)
    for first, *others in ties(tensors_of(objective.network.module)):
        for other in others:
            both = first in combination.basis[0] and other in combination.basis[0]
            if both and (combination.table(first) != combination.table(other)).any():
                raise UsageError(
                    "Names of one tensor of the model must move together.",
                    got=f"{first!r} and {other!r} at different rates",
                    remedy="Name both, or neither, in `layers` and `rates`.",
                )


def _values(
    objective: Objective,
    work: Strategy,
    chunk: Samples,
    places: Sequence[str],
    done: int,
) -> dict[str, tuple[Tensor, Tensor | None]]:
    """Values of each metric for the samples of one chunk and what they weigh, each (K, B)."""
    table = {name: _table(places, chunk, objective) for name in objective.metrics}
    weighed: dict[str, Tensor] = {}
    k = 0
    try:
        for out in work.outputs(chunk.inputs, range(len(places))):
            for name, (values, weights) in objective.score(out, chunk.targets).items():
                table[name][k] = values  # copied at once: it may be a view of the working state
                if weights is not None:
                    if name not in weighed:
                        weighed[name] = _table(places, chunk, objective).fill_(1)
                    weighed[name][k] = weights
            k += 1
    except RidgelineError:
        raise
    except Exception as failure:  # the user's model, loss or metric
        raise ForwardFailed(
            "The model, its loss or a metric",
            f"evaluating {places[k]} on samples {done} to {done + len(chunk)}",
            failure,
        ) from failure
    return {name: (values, weighed.get(name)) for name, values in table.items()}


def _joined(
    first: tuple[Tensor, Tensor | None], second: tuple[Tensor, Tensor | None]
) -> tuple[Tensor, Tensor | None]:
    """Values at some positions and at others, and what they weigh."""
    (x, w), (y, v) = first, second
    if w is None and v is None:
        return torch.cat([x, y]), None
    both = [torch.ones_like(x) if w is None else w, torch.ones_like(y) if v is None else v]
    return torch.cat([x, y]), torch.cat(both)


def _table(places: Sequence[str], chunk: Samples, objective: Objective) -> Tensor:
    shape = (len(places), len(chunk))
    return torch.empty(shape, dtype=torch.float64, device=objective.device)


def _strata(targets: Any) -> Tensor | None:
    """The class of each sample, if targets are classes; the order then keeps their shares."""
    if not isinstance(targets, Tensor) or targets.ndim != 1 or targets.is_floating_point():
        return None
    classes = targets.unique()
    if not 1 < len(classes) <= MOST_STRATA:
        return None
    return torch.searchsorted(classes, targets).cpu()


def sample_order(count: int, seed: int, strata: Tensor | None) -> Tensor:
    """A random order of samples; with strata, one whose every beginning has their shares."""
    order = torch.randperm(count, generator=rng.stream(seed, "samples"))
    if strata is None:
        return order
    of = strata[order]
    place = torch.empty(count, dtype=torch.float64)
    for stratum in range(int(of.max()) + 1):
        members = (of == stratum).nonzero().flatten()
        jitter = torch.rand(1, generator=rng.stream(seed, "strata", stratum), dtype=torch.float64)
        place[members] = (torch.arange(len(members)) + jitter) / max(1, len(members))
    return order[place.argsort(stable=True)]


def _chunks(order: Tensor, rows: int, growing: bool) -> Iterator[Tensor]:
    """Pieces of the order; small at first if the evaluation may end at any of them."""
    start = 0
    while start < len(order):
        size = min(rows, max(256, start // 4)) if growing else rows
        yield order[start : start + size]
        start += size


def outputs_at(objective: Objective, combination: Combination, samples: int = 256) -> Tensor:
    """The model's outputs along a path for some samples: the curve that Gauss length is of.

    Args:
        objective: Gives model, inputs and statistics policy.
        combination: K states.
        samples: How many samples, in the fixed random order; fewer if there are fewer.

    Returns:
        Shape (K, B, ...), on the CPU, in float64.

    Raises:
        UsageError: If the model's output is not one tensor.
    """
    _check(objective, combination)
    rows = sample_order(len(objective), 0, None)[:samples]
    chunk = objective.samples[rows.to(objective.device)]
    with objective.computing():
        resident = Resident(objective, combination, gather_statistics(objective, combination))
        work, _ = choose(objective, resident, "loop", len(chunk))
        found = [
            out.double().cpu().clone() if isinstance(out, Tensor) else out
            for out in work.outputs(chunk.inputs, range(len(combination)))
        ]
    if not all(isinstance(out, Tensor) for out in found):
        raise UsageError("Outputs must be one tensor.", got=type(found[0]).__name__)
    return torch.stack(found)
