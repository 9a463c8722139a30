"""Objectives: what is measured at a state."""

from ridgeline.objective.losses import (
    METRICS,
    Metric,
    accuracy,
    binary_cross_entropy,
    cross_entropy,
    error,
    metric,
    squared_error,
    top_k,
)
from ridgeline.objective.objective import Objective, StatisticsPolicy
from ridgeline.objective.samples import Samples, collect

__all__ = [
    "METRICS",
    "Metric",
    "Objective",
    "Samples",
    "StatisticsPolicy",
    "accuracy",
    "binary_cross_entropy",
    "collect",
    "cross_entropy",
    "error",
    "metric",
    "squared_error",
    "top_k",
]
