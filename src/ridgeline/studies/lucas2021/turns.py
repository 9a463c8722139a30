"""L13: what is proved of output curves that turn by less than pi / 2."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ridgeline.engine.evaluation import sample_order  # of the samples that `output_paths` takes
from ridgeline.frame import Frame
from ridgeline.frame.show import Summary
from ridgeline.measures import Array, turning
from ridgeline.profiles.outputs import output_paths
from ridgeline.studies.lucas2021.theory import ROUNDING
from ridgeline.study.bench import Bench, line
from ridgeline.study.keys import versioned
from ridgeline.study.papers import Item
from ridgeline.study.subjects import Subject

__all__ = ["ITEMS", "Turns", "quarter_turn", "turns"]


@dataclass(frozen=True, eq=False)
class Turns:
    """Output curves of one run, sample by sample."""

    angle: Array
    """How much each curve turns in all, in radians, shape (N,)."""
    to_end: Array
    """The largest rise of the distance to its own end, squared and halved, shape (N,)."""
    to_target: Array
    """The largest rise of half the squared distance to the target, shape (N,)."""
    allowed: Array
    """What the residual allows of that: its norm times the length of the curve, shape (N,)."""
    first: Array
    """Half the squared distance to the target at the start, shape (N,)."""

    def rising(self, tolerance: float) -> np.ndarray:
        """Mask of squared errors that rise by more than a share of those at the start, (N,)."""
        return self.to_target > tolerance * self.first

    def exceptions(self) -> int:
        """Curves that turn by less than pi / 2 and yet rise by more than they can: none."""
        small = self.angle < np.pi / 2
        slack = ROUNDING * np.maximum(self.first, 1.0)
        rises = (self.to_end > slack) | (self.to_target > self.allowed + slack)
        return int((small & rises).sum())


def turns(outputs: Array, targets: Array) -> Turns:
    """Return how output curves turn, and whether squared errors rise along them.

    If a curve's chords turn by less than pi / 2 in all, each of them makes an acute angle with
    every later one, so the distance to the curve's end falls at every step (derived; the
    discrete form of the sufficient condition of Lucas et al. 2021). For a target off the end by
    a residual r, half the squared distance rises by at most |r| times the length of the curve.

    Args:
        outputs: Shape (K, N, C).
        targets: Shape (N, C).

    Returns:
        Numbers for each sample.
    """
    steps = np.linalg.norm(np.diff(outputs, axis=0), axis=-1)
    apart = outputs - targets
    own, true = (_half_square(x) for x in (outputs - outputs[-1], apart))
    residual = np.linalg.norm(apart[-1], axis=-1)
    return Turns(
        angle=np.asarray(turning(outputs)),
        to_end=_largest(own),
        to_target=_largest(true),
        allowed=residual * steps.sum(0),
        first=true[0],
    )


def _half_square(apart: Array) -> Array:
    return (apart**2).sum(-1) / 2


def _largest(losses: Array) -> Array:
    """The largest rise of each column."""
    return (losses - np.minimum.accumulate(losses, axis=0)).max(0)


def quarter_turn(bench: Bench) -> Frame:
    """Curves that turn by less than pi / 2 under the squared error.

    No claim is made: what is proved of them cannot fail, and whether their errors rise all the
    same, for a residual that is not zero, is a number of these networks.
    """
    asked = {"points": bench.setting("fine"), "samples": bench.setting("samples")}
    tolerance = bench.setting("tolerance")
    found = bench.frame("squared", activation="net.activation", loss=lambda run: run.loss)
    return found.derive(
        turns=lambda run: Turns(**bench.kept(_turns, [run], **asked)),
        angle=lambda turns: float(turns.angle.mean()),
        small=lambda turns: turns.angle < np.pi / 2,
        rising=lambda turns: turns.rising(tolerance),
        below=lambda small: float(small.mean()),
    ).noted(
        f"A curve rises if its squared error does, by more than {tolerance:g} of what it is at "
        "the start; if it turns by less than π / 2 it could not, were its residual zero."
    )


def _count(*masks: str) -> Callable[[Frame], int]:
    """Samples of all runs of which all of these are true."""
    return lambda rows: sum(
        int(np.logical_and.reduce([row[name] for name in masks]).sum()) for row in rows
    )


@versioned("turns of outputs", "1")
def _turns(subject: Subject, *, points: Any, samples: int) -> dict[str, Any]:
    goal = subject.objective("train")
    curves = output_paths(line(subject), goal, points=points, samples=samples)
    at = sample_order(len(goal), 0, None)[:samples]
    found = turns(curves, subject.train.targets[at].double().numpy())
    return {name: getattr(found, name) for name in Turns.__dataclass_fields__}


ITEMS = (
    Item(
        name="quarter-turn",
        id="L13",
        title="Less than a quarter turn",
        asks="Does the squared error of a sample rise although its outputs turn by less than π/2?",
        measure=quarter_turn,
        settings=("fine", "samples", "tolerance"),
        populations=("squared",),
        reported="It cannot, if the residual is zero.",
        show=(
            Summary(
                "Output curves that turn by less than π / 2",
                by={"activation": "activation"},
                of={
                    "runs": len,
                    "turning (rad)": "angle",
                    "share below π / 2": "below",
                    "curves below": _count("small"),
                    "of these rising": _count("small", "rising"),
                    "rising in all": _count("rising"),
                    "final loss": "loss",
                },
                note="Training samples. Mean ± standard deviation (runs).",
            ),
        ),
    ),
)
