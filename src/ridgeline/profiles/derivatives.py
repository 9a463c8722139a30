"""Velocity and acceleration of a network's outputs along a path, by forward differentiation."""

import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.func import jvp

from ridgeline.engine.evaluation import _check, sample_order  # the samples that `outputs_at` takes
from ridgeline.engine.residents import gather_statistics
from ridgeline.errors import ForwardFailed, RidgelineWarning, UsageError
from ridgeline.measures import Array
from ridgeline.objective import Objective
from ridgeline.objective.derivable import casting, twice
from ridgeline.objective.plain import Plain
from ridgeline.paths import Line, Path
from ridgeline.state import State, cast, non_finite

__all__ = ["velocities"]


def velocities(
    path: Path, objective: Objective, t: Array, samples: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """First and second derivative by t of the outputs ``f(x; path(t))``, position by position.

    Recomputed normalisation statistics are constants in the derivative, as in Lucas et al.'s
    released code; kept ones move with the path. Kinks of the network (ReLU) have no width: what
    happens at them is not seen.

    Args:
        path: A line whose rates have a known second derivative.
        objective: Gives model, inputs and statistics policy.
        t: Positions.
        samples: How many inputs, the same as `engine.outputs_at` takes.

    Yields:
        Velocity and acceleration at each position, in float64 on the CPU, each of shape (B, D).

    Raises:
        UsageError: If the path is no `Line`, a rate's second derivative is unknown or not
            finite, or the model has an operation without a forward derivative.
        ForwardFailed: If the model raises.
    """
    if not isinstance(path, Line):
        raise UsageError(
            "Outputs are differentiated twice along a Line only.",
            got=f"a {type(path).__name__}",
            remedy="Use method='turning', which takes every path.",
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RidgelineWarning)  # told when the line was made
        exact = replace(
            path,
            a=cast(path.a, objective.dtype, objective.device),
            b=cast(path.b, objective.dtype, objective.device),
        )
    combination = exact.combination(t)
    _check(objective, combination)
    statistics = gather_statistics(objective, combination)
    rows = sample_order(len(objective), 0, None)[:samples].to(objective.device)
    for k, s in enumerate(t):
        fixed = {name: x[k].clone() for name, x in statistics.items()}
        motion = _motion(exact, float(s), objective, fixed)
        parts = [
            _derivatives(objective, motion, objective.samples[some].inputs, f"t = {s:g}")
            for some in rows.split(objective.rows)
        ]
        velocity, acceleration = (torch.cat(part) for part in zip(*parts, strict=True))
        yield velocity, acceleration


def _motion(path: Line, t: float, objective: Objective, fixed: State) -> tuple[State, State, State]:
    """State, tangent and acceleration of a line, of what the network needs; `fixed` stands."""
    tangent, acceleration = path.tangent(t), path.acceleration(t)
    if non_finite(acceleration):
        raise UsageError(
            "The second derivative of the path must be finite.",
            got=f"a rate without one at t = {t:g}, such as a power between 1 and 2 at 0",
            remedy="Leave that position out of the grid, or use method='turning'.",
        )
    names = objective.network.tensors
    moving = [n for n in names if n in tangent and n not in fixed]
    state = {n: x for n, x in path(t).items() if n in names} | fixed
    return state, {n: tangent[n] for n in moving}, {n: acceleration[n] for n in moving}


def _derivatives(
    objective: Objective, motion: tuple[State, State, State], inputs: Any, where: str
) -> tuple[Tensor, Tensor]:
    """Both derivatives on one chunk, by nested forward differentiation.

    With f of the moving tensors m, whose own derivatives are m' and m'', the velocity is
    ``Df(m) m'``; its derivative along ``(m', m'')`` is the acceleration,
    ``D^2 f(m)(m', m') + Df(m) m''``.
    """
    state, tangent, acceleration = motion

    def outputs(moving: State) -> Tensor:
        out = objective.network({**state, **moving}, inputs)
        if not isinstance(out, Tensor):
            raise UsageError("Outputs must be one tensor.", got=type(out).__name__)
        return out

    def velocity(moving: State, toward: State) -> Tensor:
        return jvp(outputs, (moving,), (toward,))[1]

    moving = {name: state[name] for name in tangent}
    try:
        # Operations whose second forward derivatives are right
        with torch.no_grad(), casting(objective), twice(), Plain():
            found = jvp(velocity, (moving, tangent), (tangent, acceleration))
    except UsageError:
        raise
    except NotImplementedError as missing:
        raise UsageError(
            "Every operation of the model must have a forward derivative.",
            got=str(missing).strip().splitlines()[0][:200],
            remedy="Use method='turning', which needs none.",
        ) from missing
    except Exception as failure:  # the user's model
        raise ForwardFailed("The model", f"differentiated at {where}", failure) from failure
    first, second = (x.double().cpu().flatten(1) for x in found)
    return first, second
