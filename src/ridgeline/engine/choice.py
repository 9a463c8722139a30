"""Choosing the cheapest strategy by measuring on samples of the work itself."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from ridgeline.engine.residents import Resident
from ridgeline.engine.strategies import Batched, Loop, Shared, Strategy
from ridgeline.errors import Argument, NotTraceable, Remedy, UnknownName
from ridgeline.objective import Objective

__all__ = ["STRATEGIES", "Choice", "StrategyName", "choose"]

LOOP = Argument("strategy", "loop")

StrategyName = Literal["auto", "loop", "batched", "shared", "shared+batched"]
STRATEGIES: tuple[StrategyName, ...] = ("auto", "loop", "batched", "shared", "shared+batched")

# Work shorter than this is done before measuring would have paid; the loop does it.
WORTH_MEASURING = 0.15  # seconds
# Stacked states help where launching outweighs arithmetic: on a CPU only for small networks
# (measured: 2.1x at 9 thousand parameters, slower than the loop at 932 thousand).
SMALL_ON_CPU = 50_000  # moving coordinates
STACK_BUDGET = {"cpu": 16 * 2**20, "cuda": 2**30}  # bytes of stacked states and activations
COMPARED = 8  # samples on which a strategy that is asked for by name is compared
UNABLE = (RuntimeError, NotImplementedError, ValueError, TypeError)  # what torch says of no kernel
AGREEMENT = 1e-3  # of the largest output; a faster way that differs by more is not taken


@dataclass
class Choice:
    """The strategy that was chosen, and why not the others."""

    strategy: str
    rows: int
    group: int = 1
    seconds: dict[str, float] = field(default_factory=dict)
    """Estimated seconds for all the work, by strategy."""
    declined: dict[str, str] = field(default_factory=dict)
    """Why a strategy was not available, by its name."""


def choose(
    objective: Objective, resident: Resident, wanted: StrategyName, samples: int
) -> tuple[Strategy, Choice]:
    """Pick a strategy.

    Args:
        objective: What is evaluated.
        resident: The working state.
        wanted: A name, or ``"auto"`` to measure.
        samples: How many samples will be evaluated.

    Returns:
        The strategy and the record of its choice.

    Raises:
        UnknownName: If there is no such strategy.
        NotTraceable: If a strategy asked for by name is not available, or gives other outputs.
    """
    if wanted not in STRATEGIES:
        raise UnknownName("strategy", wanted, STRATEGIES)
    rows = min(objective.rows, len(objective))
    makers = _makers(objective, resident, rows)
    if wanted != "auto":
        strategy = makers[wanted]()
        if wanted != "loop":
            _check_agrees(objective, resident, strategy)
        return strategy, Choice(strategy.name, rows, strategy.group)

    loop = Loop(objective, resident)
    choice = Choice("loop", rows)
    count = len(resident.combination)
    # About seven evaluations of the trial for each strategy: two per cent of the work in all.
    trial_rows = min(rows, 256, max(16, samples * count // 700))
    trial = objective.samples[:trial_rows].inputs
    share = samples / trial_rows
    next(iter(loop.outputs(trial, [0])))  # first calls pay for set-up that is not the strategy's
    choice.seconds["loop"] = _estimate(objective, loop, trial, count) * share
    if choice.seconds["loop"] < WORTH_MEASURING:
        choice.declined["others"] = "the loop is done before measuring would pay"
        return loop, choice
    expected = _sample_outputs(loop, trial, count)
    best: Strategy = loop
    for name, make in _makers(objective, resident, trial_rows).items():
        if name == "loop":
            continue
        if "batched" in name and not _may_stack(objective, resident):
            choice.declined[name] = "the network is too large for stacked states to pay on a CPU"
            continue
        try:
            strategy = make()
            given = _sample_outputs(strategy, trial, count)
        except NotTraceable as reason:
            choice.declined[name] = reason.got or reason.rule
            continue
        except UNABLE as reason:
            choice.declined[name] = _first_line(reason)
            continue
        if not _agree(expected, given):
            choice.declined[name] = "its outputs differ from the loop's"
            continue
        choice.seconds[name] = _estimate(objective, strategy, trial, count) * share
    fastest = min(choice.seconds, key=lambda name: choice.seconds[name])
    if fastest != "loop":
        best = makers[fastest]()
    choice.strategy, choice.group = best.name, best.group
    return best, choice


def _check_agrees(objective: Objective, resident: Resident, strategy: Strategy) -> None:
    """Refuse a strategy that was asked for and gives something else than the loop, on a few.

    Raises:
        NotTraceable: If it does; at a position between the ends, where weights are others.
    """
    few = objective.samples[: min(len(objective), COMPARED)].inputs
    at = [len(resident.combination) // 2]
    try:
        want = _outputs(Loop(objective, resident), few, at)
    except Exception:  # the user's: it is told of where the loss is evaluated
        return
    try:
        got = _outputs(strategy, few, at)
    except UNABLE as reason:
        raise NotTraceable(
            "A strategy that is asked for by name must be able to evaluate the network.",
            got=f"{strategy.name!r}: {_first_line(reason)}",
            remedy=Remedy("Use {}, or 'auto', which takes what is able to.", LOOP),
        ) from reason
    if not _agree(want, got):
        raise NotTraceable(
            "A strategy must give what the loop gives.",
            got=f"other outputs from {strategy.name!r} at position {at[0]}",
            remedy=Remedy("Use {}, or 'auto', which takes no other that differs.", LOOP),
        )


def _makers(
    objective: Objective, resident: Resident, rows: int
) -> dict[str, Callable[[], Strategy]]:
    group = _group_size(objective, resident, rows)
    return {
        "loop": lambda: Loop(objective, resident),
        "shared": lambda: Shared(objective, resident, rows),
        "batched": lambda: Batched(objective, resident, group),
        "shared+batched": lambda: Shared(objective, resident, rows, group),
    }


def _size(resident: Resident) -> int:
    return sum(resident.tensors[n].numel() for n in resident.moving)


def _may_stack(objective: Objective, resident: Resident) -> bool:
    return objective.device.type != "cpu" or _size(resident) <= SMALL_ON_CPU


def _group_size(objective: Objective, resident: Resident, rows: int) -> int:
    """As many positions as the budget holds, of states and of activations together."""
    budget = STACK_BUDGET["cuda" if objective.device.type == "cuda" else "cpu"]
    each = _size(resident) * objective.dtype.itemsize + rows * objective.activation_bytes
    return max(2, min(len(resident.combination), budget // max(1, each)))


def _estimate(objective: Objective, strategy: Strategy, inputs: Any, count: int) -> float:
    """Seconds for all positions on one chunk, from timing one and two calls' worth of them.

    What a strategy does once per chunk is in both, so that the difference is the price of a
    position, and the first the price of the rest.
    """
    few = list(range(min(count, strategy.group)))
    more = list(range(min(count, 2 * strategy.group)))
    short, long = (_seconds(objective, strategy, inputs, at) for at in (few, more))
    if len(more) == len(few):
        return long
    return short + max(0.0, long - short) / (len(more) - len(few)) * (count - len(few))


def _seconds(objective: Objective, strategy: Strategy, inputs: Any, at: list[int]) -> float:
    _synchronise(objective)
    start = time.perf_counter()
    for _out in strategy.outputs(inputs, at):
        pass
    _synchronise(objective)
    return time.perf_counter() - start


def _synchronise(objective: Objective) -> None:
    if objective.device.type == "cuda":
        torch.cuda.synchronize(objective.device)


def _sample_outputs(strategy: Strategy, inputs: Any, count: int) -> list[Any]:
    at = sorted({0, count // 2, count - 1})
    return _outputs(strategy, inputs, at)


def _outputs(strategy: Strategy, inputs: Any, at: list[int]) -> list[Any]:
    return [pytree.tree_map_only(Tensor, torch.clone, out) for out in strategy.outputs(inputs, at)]


def _agree(expected: Any, given: Any) -> bool:
    pairs = zip(pytree.tree_leaves(expected), pytree.tree_leaves(given), strict=True)
    for x, y in pairs:
        if isinstance(x, Tensor):
            size = float(x[x.isfinite()].abs().max()) if bool(x.isfinite().any()) else 1.0
            if not torch.allclose(x, y, rtol=AGREEMENT, atol=AGREEMENT * size, equal_nan=True):
                return False
    return True


def _first_line(reason: Exception) -> str:
    return f"{type(reason).__name__}: {str(reason).splitlines()[0][:160]}"
