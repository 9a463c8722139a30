"""Objectives: what is measured at a state."""

from ridgeline.objective.criteria import Criterion, Weights
from ridgeline.objective.declared import higher, lower, masked
from ridgeline.objective.forms import Metric
from ridgeline.objective.gradients import gradient, value_and_gradient
from ridgeline.objective.losses import binary_cross_entropy, cross_entropy, squared_error
from ridgeline.objective.metrics import accuracy, binary_accuracy, binary_error, error, top_k
from ridgeline.objective.minibatches import batch_loss, minibatches
from ridgeline.objective.names import LOSSES, METRICS, loss, metric
from ridgeline.objective.objective import Objective, StatisticsPolicy
from ridgeline.objective.operators import Curvature, GaussNewton, Hessian, gauss_newton, hessian
from ridgeline.objective.per_sample import SampleGradients, per_sample_gradients
from ridgeline.objective.reading import collect, splits_of
from ridgeline.objective.samples import Samples
from ridgeline.objective.weighted import Weighted

__all__ = [
    "LOSSES",
    "METRICS",
    "Criterion",
    "Curvature",
    "GaussNewton",
    "Hessian",
    "Metric",
    "Objective",
    "SampleGradients",
    "Samples",
    "StatisticsPolicy",
    "Weighted",
    "Weights",
    "accuracy",
    "batch_loss",
    "binary_accuracy",
    "binary_cross_entropy",
    "binary_error",
    "collect",
    "cross_entropy",
    "error",
    "gauss_newton",
    "gradient",
    "hessian",
    "higher",
    "loss",
    "lower",
    "masked",
    "metric",
    "minibatches",
    "per_sample_gradients",
    "splits_of",
    "squared_error",
    "top_k",
    "value_and_gradient",
]
