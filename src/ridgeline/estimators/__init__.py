"""Soft trees for tables, as scikit-learn's estimators."""

from ridgeline.estimators.files import load_estimator as load_estimator
from ridgeline.estimators.files import save_estimator as save_estimator
from ridgeline.estimators.soft_trees import SoftTreeClassifier as SoftTreeClassifier
from ridgeline.estimators.soft_trees import SoftTreeRegressor as SoftTreeRegressor

__all__ = ["SoftTreeClassifier", "SoftTreeRegressor", "load_estimator", "save_estimator"]
