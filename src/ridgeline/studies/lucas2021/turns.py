"""L13: what is proved of output curves that turn by less than pi / 2."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ridgeline.charts import Table
from ridgeline.engine.evaluation import sample_order  # of the samples that `output_paths` takes
from ridgeline.measures import Array, turning
from ridgeline.profiles.outputs import output_paths
from ridgeline.studies.common import groups, mean_sd, sound
from ridgeline.studies.lucas2021.theory import ROUNDING
from ridgeline.study.bench import Bench, line
from ridgeline.study.keys import versioned
from ridgeline.study.papers import Finding, Item
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


def quarter_turn(bench: Bench) -> Finding:
    """Curves that turn by less than pi / 2 under the squared error.

    No claim is made: what is proved of them cannot fail, and whether their errors rise all the
    same, for a residual that is not zero, is a number of these networks.
    """
    cells = groups(sound(bench.runs("squared")), "net.activation")
    found = {name: [_measured(bench, s) for s in runs] for name, runs in cells.items()}
    rows = []
    for name, every in found.items():
        below = [float((x.angle < np.pi / 2).mean()) for x in every]
        counts = [int((x.angle < np.pi / 2).sum()) for x in every]
        rising = [x.rising(bench.setting("tolerance")) for x in every]
        risen = [int((x.angle < np.pi / 2)[at].sum()) for x, at in zip(every, rising, strict=True)]
        rows.append(
            [
                *(name, len(every), mean_sd(float(x.angle.mean()) for x in every)),
                *(mean_sd(below), sum(counts), sum(risen)),
                *(sum(map(np.sum, rising)), mean_sd(s.loss for s in cells[name])),
            ]
        )
    return Finding(
        tables=[
            Table(
                title="Output curves that turn by less than π / 2",
                columns=[
                    *("activation", "runs", "turning (rad)", "share below π / 2", "curves below"),
                    *("of these rising", "rising in all", "final loss"),
                ],
                rows=rows,
                note="Training samples. One rises if its squared error does, by more than "
                f"{bench.setting('tolerance'):g} of what it is at the start; if it turns by less "
                "than π / 2 it could not, were its residual zero.",
            )
        ],
    )


def _measured(bench: Bench, subject: Subject) -> Turns:
    points, samples = bench.setting("fine"), bench.setting("samples")
    return Turns(**bench.kept(_turns, [subject], points=points, samples=samples))


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
    ),
)
