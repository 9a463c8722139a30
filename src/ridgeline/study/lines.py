"""Paths from a run, by name: what studies measure an objective along."""

from collections.abc import Callable

from ridgeline.paths import Line, Path, homogeneous_biases
from ridgeline.paths.starts import noise, zeros
from ridgeline.study.keys import versioned
from ridgeline.study.subjects import Subject

__all__ = [
    "from_another",
    "from_noise",
    "from_step",
    "from_zero",
    "homogeneous",
    "line",
    "scaled_homogeneously",
    "to",
]


@versioned("to the end", "1")
def line(subject: Subject) -> Path:
    """The line from a run's initialisation to its end."""
    return Line(subject.initial, subject.final)


@versioned("homogeneous rates", "1")
def homogeneous(subject: Subject) -> Path:
    """The line on which the bias of layer l moves like t**l."""
    rates = homogeneous_biases(subject.model(), subject.train.inputs[:2])
    return Line(subject.initial, subject.final, rates=rates)


@versioned("from noise", "1")
def from_noise(subject: Subject) -> Path:
    """The line from Gaussian noise with each tensor's own spread at the initialisation."""
    return Line(noise(subject.initial, 1.0, subject.seed), subject.final)


@versioned("from zero", "1")
def from_zero(subject: Subject) -> Path:
    """The line from zero weights: the final weights times a growing factor."""
    return Line(zeros(subject.initial), subject.final)


@versioned("from zero, homogeneous", "1")
def scaled_homogeneously(subject: Subject) -> Path:
    """The line from zero weights on which the bias of layer l grows like t**l."""
    rates = homogeneous_biases(subject.model(), subject.train.inputs[:2])
    return Line(zeros(subject.initial), subject.final, rates=rates)


@versioned("from another initialisation", "1")
def from_another(subject: Subject) -> Path:
    """The line from the initialisation of a seed that nothing was trained from."""
    other = subject.model(seed=10_000 + subject.seed).state_dict()
    return Line(dict(other), subject.final)


def from_step(step: int) -> Callable[[Subject], Path]:
    """The line from a state that was kept in training to the end."""

    @versioned("from a kept step", "1", step=step)
    def along(subject: Subject) -> Path:
        return Line(subject.state(step), subject.final)

    return along


def to(other: Subject) -> Callable[[Subject], Path]:
    """The line from a run's end to another's."""

    @versioned("between ends", "1")
    def along(subject: Subject) -> Path:
        return Line(subject.final, other.final)

    return along
