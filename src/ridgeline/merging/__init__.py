"""Merging: several states into one, and what data say about how."""

from ridgeline.merging.fisher import diagonal_fisher
from ridgeline.merging.grams import gram_matrices
from ridgeline.merging.merged import Merged
from ridgeline.merging.merging import Chosen, merge
from ridgeline.merging.pool import Plan, Pool, Strategy
from ridgeline.merging.running import Running, running_average
from ridgeline.merging.sparse import Dare, Ties
from ridgeline.merging.strategies import Mean, ModelStock, Slerp, TaskArithmetic
from ridgeline.merging.weighing import Fisher, RegMean

__all__ = [
    "Chosen",
    "Dare",
    "Fisher",
    "Mean",
    "Merged",
    "ModelStock",
    "Plan",
    "Pool",
    "RegMean",
    "Running",
    "Slerp",
    "Strategy",
    "TaskArithmetic",
    "Ties",
    "diagonal_fisher",
    "gram_matrices",
    "merge",
    "running_average",
]
