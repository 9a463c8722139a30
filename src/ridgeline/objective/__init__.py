"""Objectives: what is measured at a state."""

from ridgeline.objective.losses import (
    Metric,
    accuracy,
    binary_cross_entropy,
    cross_entropy,
    error,
    squared_error,
    top_k,
)
from ridgeline.objective.names import LOSSES, METRICS, loss, metric
from ridgeline.objective.objective import Objective, StatisticsPolicy
from ridgeline.objective.samples import Samples, collect

__all__ = [
    "LOSSES",
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
    "loss",
    "metric",
    "squared_error",
    "top_k",
]
