"""Measures: pure functions of a curve."""

from ridgeline.measures.barrier import (
    BARRIER_KINDS,
    Barrier,
    BarrierKind,
    Connectivity,
    barrier,
    connectivity,
    instability,
    layer_barrier,
)
from ridgeline.measures.curve import Array, Curve, Interval, interval
from ridgeline.measures.length import Length, arc_length, length, turning
from ridgeline.measures.monotonicity import Bump, Monotonicity, bumps, monotonicity
from ridgeline.measures.plateau import Plateau, plateau

__all__ = [
    "BARRIER_KINDS",
    "Array",
    "Barrier",
    "BarrierKind",
    "Bump",
    "Connectivity",
    "Curve",
    "Interval",
    "Length",
    "Monotonicity",
    "Plateau",
    "arc_length",
    "barrier",
    "bumps",
    "connectivity",
    "instability",
    "interval",
    "layer_barrier",
    "length",
    "monotonicity",
    "plateau",
    "turning",
]
