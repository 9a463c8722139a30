"""Measures: pure functions of a curve, and of the states of a run."""

from ridgeline.measures.barrier import (
    BARRIER_KINDS,
    Barrier,
    BarrierKind,
    Connectivity,
    barrier,
    connectivity,
    instability,
    layer_barrier,
    usual_kind,
)
from ridgeline.measures.convexity import Convexity, convexity
from ridgeline.measures.curve import Array, Curve, Interval, WholeEnds, interval
from ridgeline.measures.length import Length, arc_length, length, turning
from ridgeline.measures.monotonicity import Bump, Monotonicity, bumps, monotonicity
from ridgeline.measures.plateau import Plateau, plateau
from ridgeline.measures.trajectory import Trajectory, normalised_distance, trajectory

__all__ = [
    "BARRIER_KINDS",
    "Array",
    "Barrier",
    "BarrierKind",
    "Bump",
    "Connectivity",
    "Convexity",
    "Curve",
    "Interval",
    "Length",
    "Monotonicity",
    "Plateau",
    "Trajectory",
    "WholeEnds",
    "arc_length",
    "barrier",
    "bumps",
    "connectivity",
    "convexity",
    "instability",
    "interval",
    "layer_barrier",
    "length",
    "monotonicity",
    "normalised_distance",
    "plateau",
    "trajectory",
    "turning",
    "usual_kind",
]
