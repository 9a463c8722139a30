"""The network of homogeneous weights, trained by gradient flow (Wang et al. 2023, theorem 2).

``f_i(x) = <W_i, x>^r + b_i``: of degree r in its weights and of degree 1 in its biases, the
smallest model of a deep network with a bias on the last layer. From a small start classes are
learned one after another, and the class learned last ends with the largest bias. The data, one
unit vector per class with or without noise, and the law of the start are from memory of the
paper; the equations of motion are derived.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from scipy.integrate import OdeSolution, solve_ivp
from scipy.optimize import brentq

from ridgeline.errors import UsageError
from ridgeline.measures import Curve
from ridgeline.paths import Grid, grid
from ridgeline.studies.wang2023.homogeneous_problem import (
    Array,
    Problem,
    cross_entropy,
    jacobian,
    outputs,
    velocity,
)
from ridgeline.theory import LearningOrder, leaving

__all__ = ["Flow", "HomogeneousFlow"]

CONFIDENCE = 0.9


@dataclass(frozen=True, eq=False)
class Flow:
    """A gradient flow from its small start to where its loss was reached."""

    problem: Problem
    solution: OdeSolution = field(repr=False)
    """What `Problem.unpack` takes, as a function of time."""
    steps: Array = field(repr=False)
    """Times that the integrator stopped at."""
    finished: bool
    """Whether the loss was reached; otherwise the flow was given up."""
    kept: int

    @cached_property
    def times(self) -> Array:
        """0 and times equally spaced in log time up to the end, shape (T,)."""
        early = float(self.steps[1])
        return np.concatenate(([0.0], np.geomspace(early, self.steps[-1], self.kept - 1)))

    @cached_property
    def _kept(self) -> tuple[Array, Array]:
        return self._at(self.times)

    @property
    def weights(self) -> Array:
        """Weights W over time, shape (T, k, d)."""
        return self._kept[0]

    @property
    def biases(self) -> Array:
        """Biases b over time, shape (T, k); they sum to zero."""
        return self._kept[1]

    @cached_property
    def loss(self) -> Array:
        """Mean cross entropy in nats over time, shape (T,)."""
        return self._losses(self.weights, self.biases).mean(-1)

    @property
    def end(self) -> tuple[Array, Array]:
        """Weights (k, d) and biases (k,) at the end."""
        return self.weights[-1], self.biases[-1]

    @cached_property
    def learned(self) -> LearningOrder:
        """Return when each class is learned: all its samples right with probability above 0.9."""
        margins = self._margins(self.steps)
        found = np.full(self.problem.classes, math.inf)
        for c in range(self.problem.classes):
            above = np.flatnonzero(margins[:, c] > 0)
            if not len(above):
                continue
            i = int(above[0])
            found[c] = self.steps[i]
            if i:
                found[c] = _root(
                    lambda s, c=c: float(self._margins(np.array([s]))[0, c]),
                    self.steps[i - 1],
                    self.steps[i],
                )
        return LearningOrder(found)

    def predicted_times(self) -> Array:
        """Return when classes would be learned if biases stayed out of it [derived].

        ``T_j = k^2 / (r (r-2) (k-1)) |W_jj(0)|^-(r-2)``: the time in which W_jj runs away while all
        classes are equally likely, on data without noise. It holds for the classes learned first;
        later ones feel the biases.

        Returns:
            Shape (k,).

        Raises:
            UsageError: If the degree is 2, where growth is exponential and there is no such time.
        """
        k, r = self.problem.classes, self.problem.degree
        if r < 3:
            raise UsageError("Times of learning are predicted for degrees above 2.", got=f"{r}")
        own = np.abs(np.diagonal(self.problem.initial))
        return k**2 / (r * (r - 2) * (k - 1)) * own ** -(r - 2.0)

    def predicted_end(self) -> float:
        """Return where the error plateau would end on the line from zero [derived].

        The least over samples of where the signal of the end overtakes its bias; see
        `ridgeline.theory.leaving`.
        """
        weights, biases = self.end
        signal = outputs(weights, np.zeros_like(biases), self.problem.data[0], self.problem.degree)
        return float(leaving(signal, biases, self.problem.degree).min())

    def profile(self, points: Grid = 201, *, homogeneous: bool = False) -> dict[str, Curve]:
        """Loss and error on the line from the start of the flow to its end.

        Args:
            points: Number of equally spaced positions, or the positions.
            homogeneous: Move biases like t^r, so that they are of the weights' degree.

        Returns:
            ``"loss"`` (cross entropy, nats) and ``"error"``, without sampling error.
        """
        t = grid(points)
        start, (weights, biases) = self.problem.initial, self.end
        moved = start + t[:, None, None] * (weights - start)
        moved[t == 1] = weights
        rate = t**self.problem.degree if homogeneous else t
        scores = self._scores(moved, rate[:, None] * biases)
        labels = self.problem.data[1]
        wrong = (scores.argmax(-1) != labels).mean(-1)
        chance = 1 - 1 / self.problem.classes
        return {
            "loss": Curve.exact(t, cross_entropy(scores, labels).mean(-1)),
            "error": Curve.exact(t, wrong, chance=chance),
        }

    def _at(self, times: Array) -> tuple[Array, Array]:
        """Weights and biases at several times."""
        return self.problem.unpack(self.solution(times).T)

    def _scores(self, weights: Array, biases: Array) -> Array:
        return outputs(weights, biases, self.problem.data[0], self.problem.degree)

    def _losses(self, weights: Array, biases: Array) -> Array:
        return cross_entropy(self._scores(weights, biases), self.problem.data[1])

    def _margins(self, times: Array) -> Array:
        """Each class's least probability of the right answer, less 0.9; shape (T, k)."""
        right = np.exp(-self._losses(*self._at(times)))
        labels = self.problem.data[1]
        worst = [right[:, labels == c].min(1) for c in range(self.problem.classes)]
        return np.stack(worst, 1) - CONFIDENCE


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    found = brentq(function, low, high)
    assert isinstance(found, float)  # a pair only if asked for more
    return found


@dataclass(frozen=True, kw_only=True)
class HomogeneousFlow(Problem):
    """The gradient flow of this model on its data, from its start.

    Args are those of its `Problem`: `classes`, `degree`, `scale`,
    `noise`, `dimension`, `per_class`, `positive_diagonal` and `seed`.
    """

    def run(
        self,
        until_loss: float = 0.01,
        *,
        until_time: float = 1e10,
        rtol: float = 1e-8,
        times: int = 400,
    ) -> "Flow":
        """Follow the gradient flow until the loss is reached.

        The equations are stiff: learned classes relax fast while others creep for times of order
        ``scale^-(r-2)``. LSODA switches to an implicit method there.

        Args:
            until_loss: Mean cross entropy, in nats, at which to stop.
            until_time: When to give up on a flow that does not reach the loss: with an odd degree
                and negative own weights it never does. Times of learning grow like
                ``scale^-(r-2)``, and so must this.
            rtol: Relative tolerance of the integrator.
            times: How many positions in time to keep, equally spaced in log time.

        Returns:
            The trajectory and its end.

        Raises:
            UsageError: If the loss or time is not positive, or fewer than two times are kept.
        """
        if not (until_loss > 0 and 0 < until_time < math.inf) or times < 2:
            raise UsageError(
                "A loss and a time to stop at are positive, and at least two times are kept.",
                got=f"until_loss {until_loss}, until_time {until_time}, times {times}",
            )
        inputs, labels = self.data

        def rate(_: float, z: Array) -> Array:
            dw, db = velocity(*self.unpack(z), inputs, labels, self.degree)
            return np.concatenate((dw.ravel(), db[:-1]))

        def slope(_: float, z: Array) -> Array:
            whole = jacobian(*self.unpack(z), inputs, labels, self.degree)
            free = whole[:-1]
            free[:, self.initial.size : -1] -= free[:, -1:]  # the last bias moves against others
            return free[:, :-1]

        def reached(_: float, z: Array) -> float:
            found = outputs(*self.unpack(z), inputs, self.degree)
            return float(cross_entropy(found, labels).mean()) - until_loss

        reached.terminal = True  # type: ignore[attr-defined]  # how solve_ivp is told
        first = np.concatenate((self.initial.ravel(), np.zeros(self.classes - 1)))
        solved = solve_ivp(
            rate,
            (0.0, until_time),
            first,
            method="LSODA",
            jac=slope,
            events=reached,
            dense_output=True,
            rtol=rtol,
            atol=rtol * 1e-3 * self.scale,
        )
        return Flow(self, solved.sol, solved.t, solved.status == 1, times)
