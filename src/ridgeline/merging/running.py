"""Averages of a stream of states, one in memory at a time: SWA and EMA."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ridgeline.errors import UsageError
from ridgeline.state import (
    State,
    check_finite,
    check_same,
    detached,
    double,
    is_continuous,
    is_statistic,
    place,
    renewed,
)

__all__ = ["Running", "running_average"]


@dataclass(frozen=True, eq=False)
class Running:
    """The average of a stream of states."""

    state: State
    count: int
    """States that were read."""
    decay: float | None
    """Decay of the exponential average; None for the uniform one."""
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        kind = "uniform" if self.decay is None else f"exponential ({self.decay:g})"
        return "\n".join([f"{kind} average of {self.count} states", *self.notes])


def running_average(
    states: Iterable[Mapping[str, Tensor]], *, decay: float | None = None
) -> Running:
    """The average of a stream of states, such as the checkpoints of a run.

    Uniform (stochastic weight averaging, Izmailov et al. 2018): ``m_k = m_{k-1} +
    (x_k - m_{k-1}) / k``. Exponential: ``m_1 = x_1`` and ``m_k = d m_{k-1} + (1 - d) x_k``.
    Sums are in float64; one accumulator is held, and one state at a time, so that an iterator
    that loads checkpoints needs room for three states in all. Labels are the last state's.
    Names that share one tensor in every state share the average.

    Args:
        states: In order; an iterator is read once.
        decay: In [0, 1); uniform by default.

    Returns:
        The average, and how many states it is of.

    Raises:
        UsageError: If the decay is outside [0, 1) or there is no state.
        StateMismatch: If tensors differ in name, shape or dtype.
        NonFinite: If a state holds NaN or infinity.
    """
    if decay is not None and not 0 <= decay < 1:
        raise UsageError("A decay lies in [0, 1).", got=f"{decay}")
    count, first, last = 0, {}, {}
    sums: dict[str, Tensor] = {}
    shared: dict[str, str] = {}  # name to the first name that it is tied to in every state
    for count, given in enumerate(states, 1):
        last = detached(given)
        if count == 1:
            first = {n: torch.empty_like(x, device="meta") for n, x in last.items()}
            sums = {n: _copy(x) for n, x in last.items() if is_continuous(x)}
        check_same(first, last, names=("state 0", f"state {count - 1}"))
        check_finite(last, f"state {count - 1}", among=[sums] if count > 1 else [])
        shared = _shared(last, shared if count > 1 else None)
        step = 1 / count if decay is None else 1 - decay
        if count > 1:
            for name, total in sums.items():
                away = last[name].to(total) - total
                total.add_(away.masked_fill(total.isinf(), 0), alpha=step)
    if not count:
        raise UsageError("There must be one state at least to average.", got="none")
    return Running(_given(sums, last, shared), count, decay, _notes(last))


def _copy(x: Tensor) -> Tensor:
    """In float64 and one's own: it is added to in place."""
    return double(x).clone()


def _shared(state: State, before: Mapping[str, str] | None) -> dict[str, str]:
    """Each name's first tied name, refined by what was tied before."""
    firsts: dict[object, str] = {}
    return {
        n: firsts.setdefault((place(x), before[n] if before else ""), n) for n, x in state.items()
    }


def _given(sums: dict[str, Tensor], last: State, shared: Mapping[str, str]) -> State:
    made: State = {}
    for name, x in last.items():
        if shared[name] in made:
            made[name] = made[shared[name]]
        else:
            made[name] = sums[name].to(x.dtype) if name in sums else x
    return renewed(made, last)


def _notes(state: State) -> tuple[str, ...]:
    if not any(is_statistic(n) for n in state):
        return ()
    return ("Running statistics were averaged; recompute them on data before use.",)
