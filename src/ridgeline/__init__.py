"""Ridgeline traces, measures, explains and removes the loss barriers between neural networks.

Names are imported when they are first used, so that ``ridgeline --help`` does not load torch.
"""

import importlib
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "ridgeline.connecting": (
        *("CurveFinding", "Descent", "ElasticBand", "SimplexFinding", "StarFinding"),
        *("connect", "ensemble", "geodesic", "minima_graph", "simplex", "star", "star_domain"),
    ),
    "ridgeline.estimators": (
        *("SoftTreeClassifier", "SoftTreeRegressor", "load_estimator", "save_estimator"),
    ),
    "ridgeline.explanations": ("explain",),
    "ridgeline.explorations": ("Column", "Exploration", "explore", "pairs"),
    "ridgeline.frame": ("Frame",),
    "ridgeline.io": ("load", "save", "inspect", "load_symmetry", "save_symmetry"),
    "ridgeline.matching": (
        *("ActivationMatching", "CycleConsistent", "FrankWolfe", "MergeMany", "OptimalTransport"),
        *("SimulatedAnnealing", "Sinkhorn", "StraightThrough", "ToReference", "WeightMatching"),
        *("Learned", "Procrustes", "Rescaling", "TreeActivationMatching", "TreeWeightMatching"),
        *("align", "align_many"),
    ),
    "ridgeline.merging": (
        *("Dare", "Fisher", "Mean", "ModelStock", "RegMean", "Slerp", "TaskArithmetic", "Ties"),
        *("diagonal_fisher", "gram_matrices", "merge", "running_average"),
    ),
    "ridgeline.objective": (
        *("Objective", "cross_entropy", "squared_error", "binary_cross_entropy"),
        *("error", "accuracy", "top_k", "binary_error", "binary_accuracy"),
        *("higher", "lower", "masked"),
        *("batch_loss", "gradient", "gauss_newton", "hessian", "minibatches"),
        *("per_sample_gradients", "value_and_gradient"),
    ),
    "ridgeline.paths": (
        *("Bezier", "Line", "Path", "Plane", "Polygon", "Power", "homogeneous_biases"),
        "random_direction",
    ),
    "ridgeline.profiles": (
        *("Precision", "Profile", "Surface", "layerwise", "linearity"),
        *("output_paths", "profile", "project", "surface"),
    ),
    "ridgeline.repairs": ("Repair", "calibrated", "collapse", "midpoint", "repaired"),
    "ridgeline.symmetry": ("Symmetry", "discover", "prove", "rescalable", "symmetries"),
    "ridgeline.theory": ("gauss_length",),
    "ridgeline.training": ("Member", "Recipe", "Run", "train", "train_many", "train_together"),
}
_MODULES = (
    "connecting",
    "data",
    "engine",
    "errors",
    "matching",
    "measures",
    "merging",
    "nets",
    "repairs",
    "rng",
    "state",
    "study",
    "symmetry",
    "testing",
    "theory",
    "training",
)
_WHERE = {name: module for module, names in _HOME.items() for name in names}

__all__ = ["__version__", *sorted(_WHERE), *_MODULES]  # noqa: PLE0604 (all are strings)


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        value = getattr(importlib.import_module(_WHERE[name]), name)
    elif name in _MODULES:
        value = importlib.import_module(f"ridgeline.{name}")
    else:
        raise AttributeError(f"module 'ridgeline' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
